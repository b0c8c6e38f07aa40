/* schedule.c: who gets what: pinned items first, then slices of balanced jobs by
 * factoring (Hummel, Schonberg and Flynn 1992: FAC2), then, for engines that
 * have nothing left, what others can spare. */
#include <stdlib.h>
#include <utlist.h>

#include "controller/state.h"
#include "engine/page.h"

#define FLOOR_NS      10e6  /* a slice aims at this much work at least, */
#define CEILING_NS    250e6 /* at this much at most */
#define RESULT_BYTES  (INT64_C(1) << 20)
#define GROWTH	      64     /* times the largest slice measured */
#define TAKE_YOUNG_NS 200000 /* a slice sent less than this ago is left alone */
#define TAKE_CHOICE   64     /* engines with work to spare to choose from, */
#define TAKE_LOOK     4096   /* among so many looked at */

static int64_t clamp(double value, int64_t low, int64_t high)
{
	if (value >= (double)high)
		return high;
	return value <= (double)low ? low : (int64_t)value;
}

static int64_t slice_limit(const struct job *job)
{
	int64_t limit = SLICE_ITEMS_MAX;

	if (job->out_size > 0 && RESULT_BYTES / (int64_t)job->out_size < limit)
		limit = RESULT_BYTES / (int64_t)job->out_size;
	if (job->form == FORM_STRIDED && job->in_size > 0 &&
	    RESULT_BYTES / (int64_t)job->in_size < limit)
		limit = RESULT_BYTES / (int64_t)job->in_size;
	return limit < 1 ? 1 : limit;
}

/* Items for one slice out of `left` that `shares` engines share. */
static int64_t slice_size(const struct job *job, const struct engine *engine, int64_t left,
			  int shares)
{
	double item_ns = measure_item_ns(job->measure);
	int64_t limit = slice_limit(job), low, high;

	if (job->chunk > 0)
		return job->chunk < SLICE_ITEMS_MAX ? job->chunk : SLICE_ITEMS_MAX;
	if (item_ns <= 0)
		return 1;
	if (job->measure->largest < limit / GROWTH)
		limit = job->measure->largest * GROWTH;
	low = clamp(FLOOR_NS / item_ns, 1, limit);
	high = clamp(CEILING_NS / item_ns, 1, limit);
	return clamp(engine->speed * (double)left / (2.0 * shares), low, high);
}

/* The next of the engine's; NULL when who should take the results does not. Jobs that
 * nobody takes the results of let others pass. */
static struct pinned *next_pinned(const struct state *state, const struct engine *engine)
{
	struct pinned *pinned;

	DL_FOREACH (engine->pinned, pinned) {
		if (!job_is_paused(state, pinned->job))
			return pinned;
		if (!pinned->job->is_left)
			return NULL;
	}
	return NULL;
}

/* Of a reduction a slice ends at a multiple of a power of two, so that it is few nodes. */
static int64_t end_evenly(const struct job *job, int64_t first, int64_t n)
{
	int64_t step;

	if (!(job->flags & JOB_REDUCE) || job->chunk > 0)
		return n;
	step = INT64_C(1) << (63 - __builtin_clzll((uint64_t)n));
	return (first + n) / step * step - first; /* not 0, as n >= step */
}

static void send_pinned(struct state *state, struct engine *engine, struct pinned *pinned)
{
	struct job *job = pinned->job;
	int64_t first = pinned->first, n = slice_size(job, engine, pinned->count, 1);
	int attempt = pinned->attempt;

	if (n > pinned->count)
		n = pinned->count;
	n = end_evenly(job, first, n);
	pinned->first += n;
	pinned->count -= n;
	if (pinned->count == 0)
		pinned_remove(engine, pinned);
	slice_send(state, engine, job, first, n, attempt);
	engine_update_waiting(state, engine);
}

/* The job of highest priority that the engine may run; among equal ones, of the
 * client that has had the least work for its weight (stride scheduling: Waldspurger
 * and Weihl 1995). */
static struct job *choose(struct state *state, struct engine *engine, uint64_t now)
{
	struct job *best = NULL, *job;
	struct client *client;

	engine->is_short = false;

	DL_FOREACH2(state->ring, client, ring_next)
	{
		for (job = client->runnable; job; job = job->next) {
			if (!job_allows(job, engine))
				continue;
			if (drain_room(engine, job, now) > 0)
				break;
			engine->is_short = true;
		}
		if (job && (!best || job->priority > best->priority ||
			    (job->priority == best->priority && client->pass < best->client->pass)))
			best = job;
	}
	return best;
}

/* What it takes is put to its account when it is known (see on_done); until then
 * clients that are equal take turns. */
static void take_turn(struct state *state, struct client *client)
{
	state->pass = client->pass;
	DL_DELETE2(state->ring, client, ring_prev, ring_next);
	DL_APPEND2(state->ring, client, ring_prev, ring_next);
}

static void send_balanced(struct state *state, struct engine *engine, struct job *job, uint64_t now)
{
	int64_t room = drain_room(engine, job, now);
	int shares = job->only ? job->shares : state->engines_up;
	struct rerun *rerun = job->reruns;
	int64_t first, n;
	int attempt = 1;

	if (rerun) {
		n = slice_size(job, engine, rerun->count, shares);
		if (n > rerun->count)
			n = rerun->count;
		n = n < room ? n : room;
		first = rerun->first;
		attempt = rerun->attempt;
		rerun->first += n;
		rerun->count -= n;
		if (rerun->count == 0) {
			DL_DELETE(job->reruns, rerun);
			free(rerun);
		}
	} else {
		n = slice_size(job, engine, job->remaining.total, shares);
		n = end_evenly(job, intervals_first(&job->remaining), n < room ? n : room);
		n = intervals_take(&job->remaining, n, &first);
	}
	take_turn(state, job->client);
	job_update_runnable(state, job);
	slice_send(state, engine, job, first, n, attempt);
}

/* Is there an idle engine that may run it? */
static bool is_wanted(const struct state *state, const struct job *job)
{
	struct engine *engine;
	int looked = 0;

	if (!job->only)
		return true; /* see idle_engines */
	DL_FOREACH (state->levels[0], engine) {
		if (!engine->is_short && job_allows(job, engine))
			return true;
		if (++looked == TAKE_LOOK)
			break;
	}
	return false;
}

/* Could a part of it run elsewhere, and is that worth a message? */
static bool can_spare(struct state *state, const struct slice *slice, uint64_t now)
{
	const struct job *job = slice->job;
	bool is_first = slice->engine->slices == slice;
	int64_t left = slice->count - slice->done;

	if (job->pinned || job->cancelled || slice->take_pending || slice->keep ||
	    slice->finished || left < (is_first ? 2 : 1) || !is_wanted(state, job))
		return false;
	if (now - slice->sent_ns < TAKE_YOUNG_NS) {
		state->recheck = true;
		return false;
	}
	return true;
}

static struct slice *spare_slice(struct state *state, struct engine *engine, uint64_t now)
{
	/* What has not begun, or else the rest of what runs. */
	for (struct slice *slice = engine->slices ? engine->slices->prev : NULL; slice;
	     slice = slice == engine->slices ? NULL : slice->prev)
		if (can_spare(state, slice, now))
			return slice;
	return NULL;
}

/* Work for an idle engine from the busy one that seems to have most. */
static bool take_from_busy(struct state *state)
{
	uint64_t now = now_ns();
	struct slice *best = NULL;
	double most = 0;
	int looked = 0, found = 0;

	for (int level = ENGINE_SLICES; level > 0; level--) {
		struct engine *engine;

		DL_FOREACH (state->levels[level], engine) {
			struct slice *slice = spare_slice(state, engine, now);
			double work;

			if (++looked > TAKE_LOOK || found == TAKE_CHOICE)
				break;
			if (!slice)
				continue;
			found++;
			work = (double)(slice->count - slice->done) *
			       (measure_item_ns(slice->job->measure) + 1);
			if (work > most) {
				most = work;
				best = slice;
			}
		}
	}
	if (best)
		slice_take(state, best, false);
	return best != NULL;
}

static int idle_engines(const struct state *state, int enough)
{
	struct engine *engine;
	int n = 0;

	DL_FOREACH (state->levels[0], engine) {
		n += !engine->is_short && !(engine->agent && engine->agent->is_draining);
		if (n >= enough)
			break;
	}
	return n;
}

void schedule(struct state *state)
{
	struct engine *engine, *next;
	uint64_t now = now_ns();

	state->recheck = false;
	DL_FOREACH_SAFE2(state->waiting, engine, next, waiting_next)
	{
		struct pinned *pinned;

		while (engine->is_waiting && (pinned = next_pinned(state, engine)))
			send_pinned(state, engine, pinned);
	}
	/* Idle engines first, then those with one slice. */
	for (int level = 0; level < ENGINE_SLICES && state->ring; level++) {
		DL_FOREACH_SAFE (state->levels[level], engine, next) {
			struct job *job = choose(state, engine, now);

			if (job)
				send_balanced(state, engine, job, now);
			if (!state->ring)
				break;
		}
	}
	if (!state->levels[0] || (!state->levels[1] && !state->levels[ENGINE_SLICES]))
		return;
	while (state->takes_pending < idle_engines(state, state->takes_pending + 1))
		if (!take_from_busy(state))
			break;
}
