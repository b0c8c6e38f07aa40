/* summary.c: how many items ended badly, in words. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define GROUPS_SHOWN  5
#define ITEMS_SHOWN   4 /* runs of items */
#define ENGINES_SHOWN 8

/* Failures of one state, code and text. */
struct group {
	const struct xc_failure *first;
	int64_t items;
	struct {
		int64_t first, end;
	} runs[ITEMS_SHOWN];
	int64_t end; /* of the last run */
	int run_count;
	int engines[ENGINES_SHOWN];
	int engine_count; /* ENGINES_SHOWN + 1: more than that */
};

/* Where the paragraph goes; counts on when it is full. */
struct text {
	char *at;
	size_t size, length;
};

static void say(struct text *t, const char *format, ...) XC_PRINTF(2, 3);
static void say(struct text *t, const char *format, ...)
{
	size_t left = t->length < t->size ? t->size - t->length : 0;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(left ? t->at + t->length : NULL, left, format, ap);
	va_end(ap);
	t->length += n > 0 ? (size_t)n : 0;
}

/* ---- Grouping --------------------------------------------------------------------- */

static int compare_kind(const struct xc_failure *a, const struct xc_failure *b)
{
	if (a->state != b->state)
		return a->state < b->state ? -1 : 1;
	if (a->code != b->code)
		return a->code < b->code ? -1 : 1;
	return strcmp(a->text, b->text);
}

static int by_kind(const void *a, const void *b)
{
	const struct xci_failure *const *x = a, *const *y = b;
	int r = compare_kind(&(*x)->failure, &(*y)->failure);

	if (r == 0)
		r = (*x)->failure.first < (*y)->failure.first ? -1 : 1;
	return r;
}

static int by_items(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->items != y->items)
		return x->items > y->items ? -1 : 1;
	return x->first->first < y->first->first ? -1 : 1;
}

static void add_engine(struct group *group, int engine)
{
	int at = 0;

	if (engine < 0 || group->engine_count > ENGINES_SHOWN)
		return;
	while (at < group->engine_count && group->engines[at] < engine)
		at++;
	if (at < group->engine_count && group->engines[at] == engine)
		return;
	if (group->engine_count == ENGINES_SHOWN) {
		group->engine_count++;
		return;
	}
	memmove(group->engines + at + 1, group->engines + at,
		(size_t)(group->engine_count - at) * sizeof group->engines[0]);
	group->engines[at] = engine;
	group->engine_count++;
}

/* Neighbours are one run, also of two engines. */
static void add_run(struct group *group, const struct xc_failure *f)
{
	if (group->run_count == 0 || f->first != group->end) {
		if (group->run_count < ITEMS_SHOWN)
			group->runs[group->run_count].first = f->first;
		group->run_count++;
	}
	group->items += f->count;
	group->end = f->first + f->count;
	if (group->run_count <= ITEMS_SHOWN)
		group->runs[group->run_count - 1].end = group->end;
	add_engine(group, f->engine);
}

static int64_t make_groups(struct group *groups, const struct xci_failure **list, int64_t count)
{
	int64_t n = 0;

	qsort(list, (size_t)count, sizeof *list, by_kind);
	for (int64_t i = 0; i < count; i++) {
		const struct xc_failure *f = &list[i]->failure;

		if (n == 0 || compare_kind(groups[n - 1].first, f) != 0)
			groups[n++] = (struct group){ .first = f };
		add_run(&groups[n - 1], f);
	}
	qsort(groups, (size_t)n, sizeof *groups, by_items);
	return n;
}

/* ---- Words -------------------------------------------------------------------------- */

static void say_items(struct text *t, const struct group *group)
{
	bool many = group->items > 1;

	say(t, many ? " (items" : " (item");
	for (int i = 0; i < group->run_count && i < ITEMS_SHOWN; i++) {
		int64_t first = group->runs[i].first, last = group->runs[i].end - 1;

		say(t, "%s %lld", i ? "," : "", (long long)first);
		if (last > first)
			say(t, "-%lld", (long long)last);
	}
	if (group->run_count > ITEMS_SHOWN)
		say(t, ", ...");
	if (group->engine_count)
		say(t, group->engine_count > 1 ? "; engines" : "; engine");
	for (int i = 0; i < group->engine_count && i < ENGINES_SHOWN; i++)
		say(t, "%s %d", i ? "," : "", group->engines[i]);
	if (group->engine_count > ENGINES_SHOWN)
		say(t, ", ...");
	say(t, ")");
}

static void say_group(struct text *t, const struct group *group)
{
	const struct xc_failure *f = group->first;

	say(t, " %lld %s", (long long)group->items, xc_state_name(f->state));
	if (f->state == XC_FAILED && f->code > 0)
		say(t, " with code %d", f->code);
	say_items(t, group);
	if (f->text[0])
		say(t, ": %s", f->text);
	say(t, ".");
}

static void say_all(struct text *t, const struct xc_result *result, const struct group *groups,
		    int64_t n)
{
	int64_t rest = result->failed;

	say(t, "%lld of %lld items did not end well:", (long long)result->failed,
	    (long long)result->items);
	for (int64_t i = 0; i < n && i < GROUPS_SHOWN; i++) {
		say_group(t, &groups[i]);
		rest -= groups[i].items;
	}
	if (rest > 0)
		say(t, " %lld in other ways.", (long long)rest);
}

int xc_failure_summary(struct xc_result *result, char *text, size_t size)
{
	struct text t = { text, size, 0 };
	const struct xci_failure **list;
	struct group *groups;
	int64_t n = 0;

	if (!result || (!text && size))
		return -EINVAL;
	list = malloc(((size_t)result->failure_runs + 1) * sizeof *list);
	groups = malloc(((size_t)result->failure_runs + 1) * sizeof *groups);
	if (list && groups) {
		for (const struct xci_failure *f = result->failures; f; f = f->next)
			list[n++] = f;
		n = make_groups(groups, list, n);
		if (size)
			text[0] = '\0';
		if (result->failed)
			say_all(&t, result, groups, n);
	}
	if (t.length >= size && size)
		text_trim(text);
	n = list && groups ? (int64_t)t.length : -ENOMEM;
	free(list);
	free(groups);
	return (int)n;
}
