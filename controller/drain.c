/* drain.c: agents whose time is limited: towards its end their engines get no slice that
 * cannot end in time, and what runs at the end goes elsewhere before it is killed. */
#include <math.h>
#include <stdio.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/error.h"
#include "proto/log.h"

#define LEFT_MAX 1e8  /* s: three years */
#define CAUTION	 1.25 /* an item may take longer than the mean */

/* Clients see its engines as being shut down, so views of all engines leave them out. */
static void begin(struct state *state, struct agent *agent, double left)
{
	agent->is_draining = true;
	log_line("agent %d on %s: its time ends in %.1f s: its engines get what can end until then",
		 agent->index, agent->host, left);
	for (uint64_t i = 0; i < agent->slots; i++) {
		struct engine *engine = engine_at(state, agent, i);

		if (!engine_has_future(engine))
			continue;
		snprintf(engine->reason, sizeof engine->reason, ENGINE_TIME_ENDS, engine->id);
		engine_changed(state, engine);
		engine_fail_pinned(state, engine);
	}
}

/* What runs is killed and put back, as nobody is to wait for it. */
static void end(struct state *state, struct agent *agent)
{
	log_line("agent %d on %s: its time is up: its engines are shut down", agent->index,
		 agent->host);
	agent->ends_ns = 0;
	for (uint64_t i = 0; i < agent->slots; i++) {
		struct engine *engine = engine_at(state, agent, i);

		if (!engine_has_future(engine) || engine->state == ENGINE_CLOSING)
			continue;
		engine_shut(state, engine, CANCEL_HOW_RUNNING);
		snprintf(engine->reason, sizeof engine->reason, ENGINE_TIME_ENDS, engine->id);
	}
}

/* The job was given more time. */
static void resume(struct state *state, struct agent *agent)
{
	agent->is_draining = false;
	log_line("agent %d on %s: its time ends later than was said", agent->index, agent->host);
	for (uint64_t i = 0; i < agent->slots; i++) {
		struct engine *engine = engine_at(state, agent, i);

		if (!engine_has_future(engine))
			continue;
		engine->reason[0] = '\0';
		engine_changed(state, engine);
	}
}

static void look(struct state *state, struct agent *agent, uint64_t now)
{
	double left;

	if (!agent->ends_ns)
		return;
	left = ((double)agent->ends_ns - (double)now) / 1e9;
	if (!agent->is_draining && left <= agent->drain_margin)
		begin(state, agent, left);
	if (left <= 0)
		end(state, agent);
}

int on_drain(struct state *state, struct peer *peer, struct message *m)
{
	struct agent *agent = peer->is.agent;
	struct msg_drain drain;
	uint64_t now = now_ns();
	int r = msg_drain_get(&m->fields, &drain);

	if (r < 0)
		return r;
	if (isnan(drain.left) || isnan(drain.margin) || drain.margin < 0)
		return XC_EPROTO;
	if (agent->is_draining && !agent->ends_ns) /* they are shut down already */
		return 0;
	agent->drain_margin = drain.margin;
	agent->ends_ns = drain.left > LEFT_MAX ? 0
			 : drain.left <= 0     ? now
					       : now + (uint64_t)(drain.left * 1e9);
	if (agent->is_draining &&
	    (!agent->ends_ns || (double)(agent->ends_ns - now) / 1e9 > drain.margin))
		resume(state, agent);
	look(state, agent, now);
	return 0;
}

void drain_tick(struct state *state, uint64_t now)
{
	struct agent *agent;

	DL_FOREACH (state->agents, agent) {
		look(state, agent, now);
	}
}

/* What it has in hand comes first. */
static double work_ns(const struct engine *engine)
{
	const struct slice *slice;
	double ns = 0;

	DL_FOREACH (engine->slices, slice) {
		ns += (double)(slice->count - slice->done) * measure_item_ns(slice->job->measure);
	}
	return ns;
}

int64_t drain_room(const struct engine *engine, const struct job *job, uint64_t now)
{
	const struct agent *agent = engine->agent;
	double item_ns = measure_item_ns(job->measure) * CAUTION, left, items;

	if (!agent || !agent->ends_ns)
		return agent && agent->is_draining ? 0 : INT64_MAX;
	left = (double)agent->ends_ns - (double)now - CAUTION * work_ns(engine);
	if (item_ns <= 0) /* nobody knows */
		return agent->is_draining ? 0 : INT64_MAX;
	items = left / item_ns;
	return items < 1 ? 0 : items > 1e15 ? INT64_MAX : (int64_t)items;
}
