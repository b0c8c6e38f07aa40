/* cancel.c: single items of a slice that were cancelled: the engine is told when it
 * runs one, or killed. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "engine/host.h"

/* Slices run in the order of their numbers. */
static void drop_old(struct slot *slot)
{
	uint64_t running = slot->page->piece.slice;
	size_t kept = 0;

	for (size_t i = 0; i < slot->unwanted_count; i++)
		if (slot->unwanted[i].slice >= running)
			slot->unwanted[kept++] = slot->unwanted[i];
	slot->unwanted_count = kept;
}

static int add(struct slot *slot, const struct unwanted *u)
{
	struct unwanted *list;

	for (size_t i = 0; i < slot->unwanted_count; i++) {
		struct unwanted *old = &slot->unwanted[i];

		if (old->slice != u->slice || old->kill != u->kill || u->first < old->first ||
		    u->first > old->end)
			continue;
		old->end = u->end > old->end ? u->end : old->end;
		return 0;
	}
	list = realloc(slot->unwanted, (slot->unwanted_count + 1) * sizeof *list);
	if (!list)
		return -ENOMEM;
	slot->unwanted = list;
	list[slot->unwanted_count++] = *u;
	return 0;
}

int slot_cancel_items(struct slot *slot, const struct unwanted *u)
{
	int r;

	drop_old(slot);
	r = add(slot, u);
	slot_watch_cancelled(slot);
	return r;
}

/* The entry of the item that runs; NULL if that is wanted. */
static const struct unwanted *find(const struct slot *slot, int64_t *item)
{
	const struct page *page = slot->page;
	const struct unwanted *found = NULL;
	uint64_t slice = page->piece.slice;

	*item = page->item;
	if (!slice || *item != page->piece.first + page->piece.done)
		return NULL; /* between two items */
	for (size_t i = 0; i < slot->unwanted_count; i++) {
		const struct unwanted *u = &slot->unwanted[i];

		if (u->slice == slice && *item >= u->first && *item < u->end && (!found || u->kill))
			found = u;
	}
	return found;
}

/* It may go on to another item in the moment between our look and the kill, so it is
 * stopped first and looked at again: see slot_judge. */
void slot_watch_cancelled(struct slot *slot)
{
	const struct unwanted *u;
	int64_t item;

	if (!slot->unwanted_count || slot->killed || slot->judging)
		return;
	u = find(slot, &item);
	if (!u)
		return;
	cancel_item(slot->page, u->slice, item);
	if (!u->kill)
		return;
	slot->judging = true;
	if (slot->stopped_ns)
		slot_judge(slot);
	else
		kill(slot->pid, SIGSTOP);
}

void slot_judge(struct slot *slot)
{
	const struct unwanted *u;
	int64_t item;

	slot->judging = false;
	u = find(slot, &item);
	if (u && u->kill)
		slot_kill(slot, DOWN_CANCELLED);
	else if (!slot->stopped_ns)
		kill(slot->pid, SIGCONT);
}

void slot_forget_cancelled(struct slot *slot)
{
	free(slot->unwanted);
	slot->unwanted = NULL;
	slot->unwanted_count = 0;
	slot->judging = false;
}
