/* engine_list.c: engines as the command line names them. */
#include "cmd/engine_list.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "proto/error.h"

#define ENGINES_MAX 100000

/* A number without sign or blanks; NULL when there is none. */
static const char *read_id(const char *text, long *id)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return NULL;
	errno = 0;
	*id = strtol(text, &end, 10);
	return errno || *id > INT_MAX ? NULL : end;
}

/* One number or range, with the comma behind it. */
static const char *read_range(const char *text, long *first, long *last)
{
	text = read_id(text, first);
	if (!text)
		return NULL;
	*last = *first;
	if (*text == '-')
		text = read_id(text + 1, last);
	if (!text || *last < *first || (*text != ',' && *text))
		return NULL;
	if (*text == ',' && !*++text)
		return NULL;
	return text;
}

static int by_number(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static int sort_once(int *ids, int count)
{
	int used = 0;

	qsort(ids, (size_t)count, sizeof *ids, by_number);
	for (int i = 0; i < count; i++)
		if (i == 0 || ids[i] != ids[used - 1])
			ids[used++] = ids[i];
	return used;
}

int engine_list_parse(const char *text, int **ids, int *count, struct xc_error *err)
{
	int *list = NULL, *grown, n = 0;
	const char *at = text;
	long first, last;

	do {
		at = read_range(at, &first, &last);
		if (!at || last - first >= ENGINES_MAX - n) {
			free(list);
			return error_set(
				err, -EINVAL,
				"\"%.80s\" is no list of engines: numbers and ranges, such "
				"as 0,2-5, of up to %d engines",
				text, ENGINES_MAX);
		}
		grown = realloc(list, (size_t)(n + (last - first) + 1) * sizeof *list);
		if (!grown) {
			free(list);
			return error_set(err, -ENOMEM, "out of memory");
		}
		list = grown;
		for (long id = first; id <= last; id++)
			list[n++] = (int)id;
	} while (*at);
	*count = sort_once(list, n);
	*ids = list;
	return 0;
}
