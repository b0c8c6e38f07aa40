/* engine_list.c: lists of engines as users write them: 0,2-5. */
#include "cmd/engine_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "proto/error.h"

#define ID_MAX ((1 << 24) - 1)

/* A number at *at, which is moved behind it; -1 if there is none. */
static int take_number(const char **at)
{
	char *end;
	long value;

	if (!isdigit((unsigned char)**at))
		return -1;
	errno = 0;
	value = strtol(*at, &end, 10);
	*at = end;
	return errno || value > ID_MAX ? -1 : (int)value;
}

static int add(struct engine_list *list, int id, struct xc_error *err)
{
	int *ids;

	for (int i = 0; i < list->count; i++)
		if (list->ids[i] == id)
			return error_set(err, -EINVAL, "engine %d is named twice", id);
	if (list->count == ENGINE_LIST_MAX)
		return error_set(err, -EINVAL, "more than %d engines", ENGINE_LIST_MAX);
	ids = realloc(list->ids, (size_t)(list->count + 1) * sizeof *ids);
	if (!ids)
		return error_set(err, -ENOMEM, "out of memory");
	list->ids = ids;
	ids[list->count++] = id;
	return 0;
}

/* One number, or a range. */
static int take_part(struct engine_list *list, const char **at, const char *text,
		     struct xc_error *err)
{
	int first = take_number(at), last = first, r = 0;

	if (first >= 0 && **at == '-') {
		++*at;
		last = take_number(at);
	}
	if (first < 0 || last < 0)
		return error_set(err, -EINVAL,
				 "\"%.80s\" is no list of engines: give their numbers, as in 0,2-5",
				 text);
	if (last < first)
		return error_set(err, -EINVAL, "the range %d-%d goes down", first, last);
	for (int id = first; r == 0 && id <= last; id++)
		r = add(list, id, err);
	return r;
}

int engine_list_parse(struct engine_list *list, const char *text, struct xc_error *err)
{
	const char *at = text;
	int r;

	for (;;) {
		r = take_part(list, &at, text, err);
		if (r < 0 || !*at)
			break;
		if (*at++ != ',') {
			r = error_set(err, -EINVAL,
				      "\"%.80s\" is no list of engines: give their numbers, as in "
				      "0,2-5",
				      text);
			break;
		}
	}
	if (r < 0)
		engine_list_fini(list);
	return r;
}

void engine_list_fini(struct engine_list *list)
{
	free(list->ids);
	*list = (struct engine_list){ 0 };
}

void option_engines(struct argp_state *state, struct engine_list *list, const char *arg)
{
	struct xc_error err = XC_ERROR_INIT;

	engine_list_fini(list);
	if (engine_list_parse(list, arg, &err) < 0)
		argp_error(state, "--engines: %s", err.text);
}

int engine_list_view(const struct engine_list *list, struct xc_client *client,
		     const struct xc_view **view, struct xc_error *err)
{
	if (list->ids)
		return xc_engines(client, list->ids, list->count, view, err);
	*view = xc_all(client);
	return 0;
}
