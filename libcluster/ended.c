/* ended.c: which items of a result have ended, in order of arrival and by index. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "proto/error.h"

/* ---- The log -------------------------------------------------------------------- */

void xci_ended_add(struct xc_result *result, int64_t first, int64_t count, enum xc_state state)
{
	struct xci_ended *e = &result->ended;
	struct xci_run *last = e->count ? &e->log[e->count - 1] : NULL, *log;
	size_t room;

	if (last && last->end == first && last->state == state) {
		last->end += count;
		return;
	}
	if (e->count == e->room) {
		room = e->room ? 2 * e->room : 8;
		log = realloc(e->log, room * sizeof *log);
		if (!log) {
			e->is_short = true;
			return;
		}
		e->log = log;
		e->room = room;
	}
	e->log[e->count++] = (struct xci_run){ first, first + count, state };
}

/* Tasks submitted one by one are many: they have a log only when somebody asks. */
static void add_single(struct xc_result *result)
{
	enum xc_state state = XC_OK;

	if (!result->is_single || !result->is_ready || result->ended.count)
		return;
	if (result->failed && !result->failures) { /* there was no memory for how it ended */
		result->ended.is_short = true;
		return;
	}
	if (result->failed)
		state = result->failures->failure.state;
	xci_ended_add(result, 0, 1, state);
}

/* ---- Sorted ----------------------------------------------------------------------- */

static int by_item(const void *a, const void *b)
{
	const struct xci_run *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* What the log has beyond what is sorted; NULL and 0 when that is nothing. */
static struct xci_run *news(const struct xci_ended *e, size_t *count)
{
	bool has_grown = e->taken > 0 && e->log[e->taken - 1].end > e->taken_end;
	struct xci_run *runs;
	size_t n = e->count - e->taken + has_grown;

	*count = n;
	runs = n ? malloc(n * sizeof *runs) : NULL;
	if (!runs)
		return NULL;
	if (has_grown) {
		runs[0] = e->log[e->taken - 1];
		runs[0].first = e->taken_end;
	}
	memcpy(runs + has_grown, e->log + e->taken, (n - has_grown) * sizeof *runs);
	qsort(runs, n, sizeof *runs, by_item);
	return runs;
}

static size_t merge(struct xci_run *to, const struct xci_run *a, size_t a_count,
		    const struct xci_run *b, size_t b_count)
{
	size_t n = 0;

	while (a_count || b_count) {
		bool take_a = a_count && (!b_count || a->first < b->first);
		const struct xci_run *run = take_a ? a++ : b++;

		a_count -= take_a;
		b_count -= !take_a;
		if (n && to[n - 1].end == run->first && to[n - 1].state == run->state)
			to[n - 1].end = run->end;
		else
			to[n++] = *run;
	}
	return n;
}

static int sort(struct xci_ended *e)
{
	struct xci_run *added, *sorted;
	size_t count;

	added = news(e, &count);
	if (count == 0)
		return 0;
	sorted = added ? malloc((e->sorted_count + count) * sizeof *sorted) : NULL;
	if (!sorted) {
		free(added);
		return -ENOMEM;
	}
	e->sorted_count = merge(sorted, e->sorted, e->sorted_count, added, count);
	free(added);
	free(e->sorted);
	e->sorted = sorted;
	e->taken = e->count;
	e->taken_end = e->log[e->count - 1].end;
	return 0;
}

/* The run that item i is in; NULL. */
static const struct xci_run *find(const struct xci_ended *e, int64_t i)
{
	size_t low = 0, high = e->sorted_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (e->sorted[middle].end <= i)
			low = middle + 1;
		else
			high = middle;
	}
	return low < e->sorted_count && e->sorted[low].first <= i ? &e->sorted[low] : NULL;
}

/* ---- Handing out -------------------------------------------------------------------- */

static int nothing(const struct xc_result *result)
{
	if (!result->is_ready)
		return -EAGAIN;
	return result->ended.is_short ? -ENOMEM : 0;
}

static int next_of_any(struct xc_result *result, int64_t *item)
{
	struct xci_ended *e = &result->ended;

	if (e->at >= e->count)
		return nothing(result);
	/* The last run may grow yet. */
	if (e->log[e->at].first + e->offset == e->log[e->at].end) {
		if (e->at + 1 == e->count)
			return nothing(result);
		e->at++;
		e->offset = 0;
	}
	*item = e->log[e->at].first + e->offset++;
	return 1;
}

static int next_in_order(struct xc_result *result, int64_t *item)
{
	struct xci_ended *e = &result->ended;
	const struct xci_run *run;
	int r;

	if (e->next >= result->items)
		return 0;
	if (e->next >= e->next_end) {
		r = sort(e);
		if (r < 0)
			return r;
		run = find(e, e->next);
		if (!run)
			return nothing(result);
		e->next_end = run->end;
	}
	*item = e->next++;
	return 1;
}

int xci_next(struct xc_result *result, enum xc_order order, int64_t *item)
{
	add_single(result);
	return order == XC_IN_ORDER ? next_in_order(result, item) : next_of_any(result, item);
}

struct asked {
	struct xc_result *result;
	enum xc_order order;
	int64_t item;
	int r; /* -EAGAIN until there is an answer */
};

static bool is_answered(void *argument)
{
	struct asked *asked = argument;

	if (asked->r == -EAGAIN)
		asked->r = xci_next(asked->result, asked->order, &asked->item);
	return asked->r != -EAGAIN;
}

int xc_next(struct xc_result *result, enum xc_order order, double timeout, int64_t *item,
	    struct xc_error *err)
{
	struct asked asked = { result, order, 0, -EAGAIN };
	int r = 0;

	if (isnan(timeout))
		return error_set(err, -EINVAL, "xc_next: timeout is not a number");
	if (!result || !item || (order != XC_ANY_ORDER && order != XC_IN_ORDER))
		return error_set(err, -EINVAL, "xc_next: %s",
				 result && item ? "order is neither XC_ANY_ORDER nor XC_IN_ORDER"
						: "result or item is NULL");
	if (!is_answered(&asked)) {
		if (result->client)
			xci_pump(result->client, 0); /* also with a time-out of 0 */
		r = xci_result_wait(result, "xc_next", timeout, is_answered, &asked, err);
	}
	if (r < 0)
		return r;
	if (asked.r < 0)
		return error_set(err, asked.r, "xc_next: no memory for which items have ended");
	if (asked.r == 1)
		*item = asked.item;
	return asked.r;
}

int xc_item_state(struct xc_result *result, int64_t i)
{
	const struct xci_run *run;

	if (!result || i < 0 || i >= result->items)
		return -EINVAL;
	add_single(result);
	if (sort(&result->ended) < 0)
		return -ENOMEM;
	run = find(&result->ended, i);
	if (run)
		return (int)run->state;
	return result->ended.is_short ? -ENOMEM : -EAGAIN;
}
