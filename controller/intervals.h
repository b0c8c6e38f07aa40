/* intervals.h: a set of integers as sorted, disjoint intervals. */
#ifndef CONTROLLER_INTERVALS_H
#define CONTROLLER_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interval {
	int64_t first, end; /* [first, end) */
};

/* All zero is the empty set. */
struct intervals {
	struct interval *list; /* owned, ascending from `head` */
	size_t head, count, room;
	int64_t total; /* integers in the set */
};

void intervals_fini(struct intervals *set);
/* Adds [first, end), which must not overlap the set. 0 or -ENOMEM. */
int intervals_add(struct intervals *set, int64_t first, int64_t end);
/* The least of them; 0 when there is none. */
int64_t intervals_first(const struct intervals *set);
/* Takes up to `max` consecutive integers from the front: their number. */
int64_t intervals_take(struct intervals *set, int64_t max, int64_t *first);

/* Takes the first run of integers of the set within [from, to): its length. -1
 * when memory is out. */
int64_t intervals_take_within(struct intervals *set, int64_t from, int64_t to, int64_t *first);

/* Is it in the set? */
bool intervals_has(const struct intervals *set, int64_t i);

#endif
