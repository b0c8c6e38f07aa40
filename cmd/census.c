/* census.c: the engines of a cluster, as its status tells them. */
#include "cmd/census.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static long long number_at(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static bool is_among(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words) != 0)
		words++;
	return *words != NULL;
}

static const struct census_engine *find(const struct census *census, int id)
{
	for (int i = 0; i < census->count; i++)
		if (census->engines[i].id == id)
			return &census->engines[i];
	return NULL;
}

static void add(struct census *to, const struct census *last, const json_t *engine, double now)
{
	static const char *const coming[] = { "starting", "down", NULL };
	static const char *const up[] = { "idle", "busy", NULL };
	const char *state = text_at(engine, "state");
	struct census_engine *one = &to->engines[to->count];
	const struct census_engine *before;

	*one = (struct census_engine){ .id = (int)number_at(engine, "id"),
				       .is_up = is_among(state, up),
				       .is_idle = strcmp(state, "idle") == 0,
				       .items = number_at(engine, "items"),
				       .idle_since = now };
	to->failed += strcmp(state, "failed") == 0;
	to->draining += strcmp(state, "draining") == 0;
	if (!one->is_up && !is_among(state, coming))
		return;
	before = find(last, one->id);
	if (before && before->is_idle && one->is_idle && before->items == one->items)
		one->idle_since = before->idle_since;
	to->up += one->is_up;
	to->idle += one->is_idle;
	to->count++;
}

int census_take(struct census *census, const json_t *status, double now)
{
	const json_t *list = json_object_get(status, "engines"), *engine;
	struct census next = CENSUS_INIT;
	size_t i;

	next.engines = calloc(json_array_size(list) + 1, sizeof *next.engines);
	if (!next.engines)
		return -ENOMEM;
	json_array_foreach (list, i, engine)
		add(&next, census, engine, now);
	next.waiting = number_at(json_object_get(status, "queue"), "items");
	census_fini(census);
	*census = next;
	return 0;
}

void census_fini(struct census *census)
{
	free(census->engines);
	*census = (struct census)CENSUS_INIT;
}

static int by_use(const void *a, const void *b)
{
	const struct census_engine *x = a, *y = b;

	if (x->is_idle != y->is_idle)
		return x->is_idle ? -1 : 1;
	return (y->id > x->id) - (y->id < x->id);
}

int census_choose(const struct census *census, int count, double idle_before, int *ids)
{
	struct census_engine *sorted = malloc(((size_t)census->count + 1) * sizeof *sorted);
	int n = 0;

	if (!sorted)
		return 0;
	memcpy(sorted, census->engines, (size_t)census->count * sizeof *sorted);
	qsort(sorted, (size_t)census->count, sizeof *sorted, by_use);
	for (int i = 0; i < census->count && n < count; i++)
		if (idle_before < 0 || (sorted[i].is_idle && sorted[i].idle_since <= idle_before))
			ids[n++] = sorted[i].id;
	free(sorted);
	return n;
}

int census_launched(const json_t *status, const char *info)
{
	const json_t *agent;
	size_t i, size = strlen(info);
	int n = 0;

	json_array_foreach (json_object_get(status, "agents"), i, agent) {
		const char *launch = text_at(agent, "launch");

		if (strncmp(launch, info, size) == 0 && !isalnum((unsigned char)launch[size]))
			n += (int)number_at(agent, "engines");
	}
	return n;
}
