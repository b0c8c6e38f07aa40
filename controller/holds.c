/* holds.c: objects that agents are to hold, as they must not go with the client that
 * brought them: of the everywhere-log, and of jobs that go on without it. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/log.h"

/* N.B. also for one that is held: an agent may have got the object since. To agents a
 * second HOLD says nothing. */
void hold_add(struct state *state, const unsigned char *object)
{
	struct agent *agent;
	struct hold *hold;

	HASH_FIND(hh, state->holds, object, OBJECT_SIZE, hold);
	if (!hold) {
		hold = calloc(1, sizeof *hold);
		if (!hold) {
			log_line("out of memory: an object may go with its client");
			return;
		}
		memcpy(hold->object, object, OBJECT_SIZE);
		HASH_ADD(hh, state->holds, object, OBJECT_SIZE, hold);
	}
	hold->count++;
	DL_FOREACH (state->agents, agent) {
		SEND_PEER(state, agent->peer, hold, .object = { object, OBJECT_SIZE });
	}
}

void hold_drop(struct state *state, const unsigned char *object)
{
	struct agent *agent;
	struct hold *hold;

	HASH_FIND(hh, state->holds, object, OBJECT_SIZE, hold);
	if (!hold || --hold->count > 0)
		return;
	DL_FOREACH (state->agents, agent) {
		SEND_PEER(state, agent->peer, drop, .object = { object, OBJECT_SIZE });
	}
	HASH_DEL(state->holds, hold);
	free(hold);
}

bool hold_is_held(const struct state *state, const unsigned char *object)
{
	struct hold *hold;

	HASH_FIND(hh, state->holds, object, OBJECT_SIZE, hold);
	return hold != NULL;
}

void holds_free(struct state *state)
{
	struct hold *hold, *next;

	HASH_ITER (hh, state->holds, hold, next) {
		HASH_DEL(state->holds, hold);
		free(hold);
	}
}
