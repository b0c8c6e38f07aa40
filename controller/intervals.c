/* intervals.c: a set of integers as sorted, disjoint intervals. */
#include "controller/intervals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void intervals_fini(struct intervals *set)
{
	free(set->list);
	memset(set, 0, sizeof *set);
}

static int grow(struct intervals *set)
{
	size_t room = set->room ? 2 * set->room : 4;
	struct interval *list;

	if (set->head > 0) {
		memmove(set->list, set->list + set->head, set->count * sizeof *set->list);
		set->head = 0;
	}
	if (set->count < set->room)
		return 0;
	list = realloc(set->list, room * sizeof *list);
	if (!list)
		return -ENOMEM;
	set->list = list;
	set->room = room;
	return 0;
}

/* Index of the first interval that begins at or after `first`. */
static size_t position(const struct intervals *set, int64_t first)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (set->list[set->head + middle].first < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int intervals_add(struct intervals *set, int64_t first, int64_t end)
{
	struct interval *list;
	size_t at;

	if (first >= end)
		return 0;
	if (set->head + set->count == set->room && grow(set) < 0)
		return -ENOMEM;
	at = position(set, first);
	list = set->list + set->head;
	set->total += end - first;
	if (at > 0 && list[at - 1].end == first) {
		list[at - 1].end = end;
		if (at < set->count && list[at].first == end) {
			list[at - 1].end = list[at].end;
			memmove(list + at, list + at + 1, (set->count - at - 1) * sizeof *list);
			set->count--;
		}
		return 0;
	}
	if (at < set->count && list[at].first == end) {
		list[at].first = first;
		return 0;
	}
	memmove(list + at + 1, list + at, (set->count - at) * sizeof *list);
	list[at] = (struct interval){ first, end };
	set->count++;
	return 0;
}

int64_t intervals_first(const struct intervals *set)
{
	return set->count ? set->list[set->head].first : 0;
}

int64_t intervals_take(struct intervals *set, int64_t max, int64_t *first)
{
	struct interval *front;
	int64_t n;

	if (!set->count || max < 1)
		return 0;
	front = set->list + set->head;
	n = front->end - front->first;
	if (n > max)
		n = max;
	*first = front->first;
	front->first += n;
	set->total -= n;
	if (front->first == front->end) {
		set->head++;
		if (--set->count == 0)
			set->head = 0;
	}
	return n;
}

int64_t intervals_take_within(struct intervals *set, int64_t from, int64_t to, int64_t *first)
{
	size_t at = position(set, from);
	struct interval *list, rest;
	int64_t low, high;

	if (at > 0 && set->list[set->head + at - 1].end > from)
		at--;
	if (at == set->count || set->list[set->head + at].first >= to)
		return 0;
	list = set->list + set->head;
	low = list[at].first > from ? list[at].first : from;
	high = list[at].end < to ? list[at].end : to;
	rest = (struct interval){ high, list[at].end };
	set->total -= list[at].end - low;
	list[at].end = low;
	if (list[at].first == low) {
		memmove(list + at, list + at + 1, (set->count - at - 1) * sizeof *list);
		set->count--;
	}
	*first = low;
	return intervals_add(set, rest.first, rest.end) < 0 ? -1 : high - low;
}

bool intervals_has(const struct intervals *set, int64_t i)
{
	size_t at = position(set, i + 1);

	return at > 0 && set->list[set->head + at - 1].end > i;
}
