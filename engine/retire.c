/* retire.c: the end of engines in order: the running item ends, cleanups run. */
#include <signal.h>

#include "engine/host.h"
#include "proto/log.h"
#include "proto/message.h"

#define RETIRE_LIMIT_NS UINT64_C(2000000000) /* for cleanups */

/* Wakes one that waits. N.B. the signal may come just before it begins to wait, and is
 * lost then: we are called again. One that runs an item sees the word after it. */
static void wake(const struct slot *slot)
{
	if (slot->page->ending == ENDING_ASKED && !slot->page->piece.slice)
		kill(slot->pid, SIGTERM);
}

void slot_end(struct slot *slot)
{
	if (!slot->pid)
		return;
	if (slot->page->ending == ENDING_NOT)
		slot->page->ending = ENDING_ASKED;
	kill(slot->pid, SIGCONT); /* or it would not hear it */
	wake(slot);
}

/* What runs may ask whether it is to end soon. */
void slots_end(struct agent *agent)
{
	for (int i = 0; i < agent->options->n; i++) {
		struct slot *slot = &agent->slots[i];
		uint64_t slice = slot->page ? slot->page->piece.slice : 0;

		if (slice)
			slot->page->cancel[slice % PAGE_CLAIMS] = slice;
		slot_end(slot);
	}
}

void slot_retire(struct slot *slot, bool now)
{
	slot->retired = true;
	slot->retire_now |= now;
	slot_end(slot);
	if (slot->pid)
		slot_watch_end(slot, now_ns());
}

void slot_watch_end(struct slot *slot, uint64_t now)
{
	bool is_busy = slot->page->piece.slice != 0;

	if (slot->page->ending == ENDING_NOT)
		return;
	if (is_busy && slot->retire_now)
		slot_kill(slot, DOWN_CANCELLED);
	wake(slot);
	if (!slot->retired || is_busy)
		slot->retired_ns = 0;
	else if (!slot->retired_ns)
		slot->retired_ns = now;
	else if (now - slot->retired_ns > RETIRE_LIMIT_NS)
		slot_kill(slot, DOWN_SHUT);
}

void slots_check_retired(struct agent *agent)
{
	for (int i = 0; i < agent->options->n; i++)
		if (agent->slots[i].state != SLOT_RETIRED && agent->slots[i].state != SLOT_FAILED)
			return;
	log_line("all engines are shut down: ending");
	agent_stop(agent);
}
