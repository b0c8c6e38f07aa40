/* jobs.c: jobs, from submission to the end of their last item. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/error.h"
#include "proto/log.h"

void payload_unref(struct payload *payload)
{
	if (!payload || atomic_fetch_sub(&payload->refs, 1) > 1)
		return;
	zmq_msg_close(&payload->message);
	free(payload);
}

/* ---- Which jobs have work to hand out ----------------------------------------- */

static bool has_work(const struct job *job)
{
	return !job->pinned && !job->cancelled && (job->remaining.total > 0 || job->reruns) &&
	       job->client->held_bytes <= HELD_BYTES_MAX;
}

/* By priority, then in the order of submission. */
static void insert_runnable(struct client *client, struct job *job)
{
	struct job *at;

	DL_FOREACH (client->runnable, at) {
		if (at->priority < job->priority ||
		    (at->priority == job->priority && at->id > job->id))
			break;
	}
	if (at)
		DL_PREPEND_ELEM(client->runnable, at, job);
	else
		DL_APPEND(client->runnable, job);
}

bool job_allows(const struct job *job, const struct engine *engine)
{
	return !job->only || (engine->id < job->only_count && job->only[engine->id]);
}

void job_update_runnable(struct state *state, struct job *job)
{
	struct client *client = job->client;
	bool now;

	if (!client)
		return;
	now = has_work(job);
	if (now == job->is_runnable)
		return;
	job->is_runnable = now;
	if (now)
		insert_runnable(client, job);
	else
		DL_DELETE(client->runnable, job);
	if (client->runnable && !client->in_ring && client->pass < state->pass)
		client->pass = state->pass; /* no claim on the time it was away */
	if (client->runnable && !client->in_ring)
		DL_APPEND2(state->ring, client, ring_prev, ring_next);
	else if (!client->runnable && client->in_ring)
		DL_DELETE2(state->ring, client, ring_prev, ring_next);
	client->in_ring = client->runnable != NULL;
}

/* ---- The end of items and jobs -------------------------------------------------- */

void job_free(struct state *state, struct job *job)
{
	struct rerun *rerun, *next;

	job->cancelled = true; /* so that it is not runnable */
	job_update_runnable(state, job);
	DL_FOREACH_SAFE (job->reruns, rerun, next) {
		free(rerun);
	}
	intervals_fini(&job->remaining);
	measure_put(state, job->measure);
	state->restricted -= job->only != NULL;
	free(job->only);
	if (job->client) {
		HASH_DEL(job->client->jobs, job);
		job->client->input_bytes -= zmq_msg_size(&job->payload->message);
	}
	payload_unref(job->payload);
	zmq_msg_close(&job->task);
	free(job);
}

/* Slices that a cancelled job has still in engines keep it. */
static void job_maybe_free(struct state *state, struct job *job)
{
	if (job->slices == 0 && (job->ended == job->items || job->is_orphan))
		job_free(state, job);
}

void job_release(struct state *state, struct job *job)
{
	job->slices--;
	job_maybe_free(state, job);
}

static void log_internal_failure(const struct job *job, zmq_msg_t *failures)
{
	struct failure_run run;
	struct reader r;
	char text[300];

	reader_init(&r, zmq_msg_data(failures), zmq_msg_size(failures));
	do {
		if (failure_run_next(&r, &run) <= 0)
			return;
	} while (run_is_output(&run));
	span_copy(text, sizeof text, run.text);
	log_line("bringing \"%s\" to a new engine failed: %s", job->name, text);
}

void job_report(struct state *state, struct job *job, int64_t first, int64_t count, int engine,
		uint64_t busy_ns, int64_t ended, int64_t failed, zmq_msg_t *failures,
		zmq_msg_t *payload)
{
	job->ended += ended;
	job->failed += failed;
	if (job->client) {
		struct msg_result result = { .job = job->id,
					     .first = first,
					     .count = count,
					     .engine = engine,
					     .busy_ns = busy_ns,
					     .final = job->ended == job->items };

		outbox_add(state, job->client, &result, failures, payload);
	} else {
		if (!job->is_orphan)
			log_internal_failure(job, failures);
		zmq_msg_close(failures);
		zmq_msg_close(payload);
	}
	if (failed > 0 && (job->flags & JOB_STOP_ON_FAILURE) && !job->cancelled &&
	    job->ended < job->items) {
		job_cancel(state, job, INTERRUPT_ASK);
		return;
	}
	job_maybe_free(state, job);
}

void job_end_items(struct state *state, struct job *job, int64_t first, int64_t count,
		   enum xc_state how, int code, int attempts, int engine, const char *text)
{
	unsigned char buffer[FAILURE_RUN_MAX];
	struct failure_run run = { .first = first,
				   .count = count,
				   .state = how,
				   .code = code,
				   .attempts = (uint64_t)attempts,
				   .text = span_of(text) };
	zmq_msg_t failures, payload;

	frame_copy(&failures, buffer, failure_run_pack(buffer, sizeof buffer, &run));
	zmq_msg_init(&payload);
	job_report(state, job, first, 0, engine, 0, count, count, &failures, &payload);
}

bool job_may_rerun(const struct job *job, int attempt, bool lost)
{
	int limit = job->max_attempts;

	if (job->cancelled || (job->flags & JOB_AT_MOST_ONCE))
		return false;
	if (lost && limit < LOST_ATTEMPTS)
		limit = LOST_ATTEMPTS;
	return attempt < limit;
}

void job_requeue(struct state *state, struct job *job, int64_t first, int64_t count, int attempt,
		 struct engine *to)
{
	struct rerun *rerun;

	if (count < 1)
		return;
	if (job->cancelled) {
		job_end_items(state, job, first, count, XC_CANCELLED, 0, attempt - 1, -1,
			      "cancelled");
		return;
	}
	if (job->pinned) {
		if (to && to->state != ENGINE_GONE)
			pinned_add(state, to, job, first, count, attempt, true);
		else
			job_end_items(state, job, first, count, XC_LOST, 0, attempt - 1,
				      to ? to->id : -1, to ? to->reason : "its engine is gone");
		return;
	}
	if (attempt <= 1) {
		if (intervals_add(&job->remaining, first, first + count) == 0) {
			job_update_runnable(state, job);
			return;
		}
	} else if ((rerun = calloc(1, sizeof *rerun))) {
		*rerun = (struct rerun){ .first = first, .count = count, .attempt = attempt };
		DL_APPEND(job->reruns, rerun);
		job_update_runnable(state, job);
		return;
	}
	job_end_items(state, job, first, count, XC_LOST, 0, attempt - 1, -1,
		      "the controller is out of memory");
}

/* Adds a failure run to a frame under construction. */
struct run_list {
	unsigned char *bytes;
	size_t size, room;
	int64_t items;
};

static void add_cancelled(struct run_list *list, int64_t first, int64_t count, int attempts)
{
	struct failure_run run = { .first = first,
				   .count = count,
				   .state = XC_CANCELLED,
				   .attempts = (uint64_t)attempts,
				   .text = span_of("cancelled") };

	if (list->room - list->size < 128) {
		size_t room = list->room ? 2 * list->room : 1024;
		unsigned char *bytes = realloc(list->bytes, room);

		if (!bytes)
			return;
		list->bytes = bytes;
		list->room = room;
	}
	list->size += failure_run_pack(list->bytes + list->size, list->room - list->size, &run);
	list->items += count;
}

static void cancel_pinned(struct state *state, struct job *job, struct run_list *list)
{
	for (int i = 0; job->queued > 0 && i < state->engine_count; i++) {
		struct engine *engine = state->engines[i];
		struct pinned *pinned, *next;

		DL_FOREACH_SAFE (engine->pinned, pinned, next) {
			if (pinned->job != job)
				continue;
			add_cancelled(list, pinned->first, pinned->count, pinned->attempt - 1);
			pinned_remove(engine, pinned);
		}
		engine_update_waiting(state, engine);
	}
}

static void interrupt_slices(struct state *state, struct job *job, enum interrupt how)
{
	for (int i = 0; job->slices > 0 && i < state->engine_count; i++) {
		struct engine *engine = state->engines[i];
		struct slice *slice;

		DL_FOREACH (engine->slices, slice) {
			if (slice->job != job || !engine->agent)
				continue;
			slice_take(state, slice, true);
			SEND_PEER(state, engine->agent->peer, interrupt, .slot = engine->slot,
				  .epoch = engine->epoch, .slice = slice->number, .kill = how);
		}
	}
}

void job_cancel(struct state *state, struct job *job, enum interrupt how)
{
	struct run_list list = { 0 };
	zmq_msg_t failures, payload;
	struct rerun *rerun, *next;
	int64_t first, n;

	while ((n = intervals_take(&job->remaining, INT64_MAX, &first)) > 0)
		add_cancelled(&list, first, n, 0);
	DL_FOREACH_SAFE (job->reruns, rerun, next) {
		add_cancelled(&list, rerun->first, rerun->count, rerun->attempt - 1);
		DL_DELETE(job->reruns, rerun);
		free(rerun);
	}
	if (job->pinned)
		cancel_pinned(state, job, &list);
	job->cancelled = true;
	job_update_runnable(state, job);
	interrupt_slices(state, job, how);
	if (list.items > 0) {
		frame_copy(&failures, list.bytes, list.size);
		zmq_msg_init(&payload);
		job_report(state, job, 0, 0, -1, 0, list.items, list.items, &failures, &payload);
	}
	free(list.bytes);
}

/* Messages of a session count up. One that was sent again after a break, but had
 * arrived, is dropped; a gap is asked for. */
bool client_is_next(struct state *state, struct client *client, uint64_t seq)
{
	if (seq > client->received + 1)
		SEND_PEER(state, client->peer, resend, .from = client->received + 1);
	if (seq != client->received + 1)
		return false;
	client->received = seq;
	return true;
}

/* What is left of it can run nowhere. */
void job_lose(struct state *state, struct job *job, const char *why)
{
	struct rerun *rerun;
	int64_t first, n;

	job->slices++; /* keeps it */
	while ((n = intervals_take(&job->remaining, INT64_MAX, &first)) > 0)
		job_end_items(state, job, first, n, XC_LOST, 0, 0, -1, why);
	while ((rerun = job->reruns)) {
		DL_DELETE(job->reruns, rerun);
		job_end_items(state, job, rerun->first, rerun->count, XC_LOST, 0,
			      rerun->attempt - 1, -1, why);
		free(rerun);
	}
	job_update_runnable(state, job);
	job_release(state, job);
}

/* Some items of a job that others share: those that have not been handed out. */
static void cancel_part(struct state *state, struct job *job, int64_t from, int64_t count)
{
	int64_t to = count < job->items - from ? from + count : job->items;
	int64_t first, n;

	job->slices++; /* keeps it */
	while ((n = intervals_take_within(&job->remaining, from, to, &first)) > 0)
		job_end_items(state, job, first, n, XC_CANCELLED, 0, 0, -1, "cancelled");
	job_update_runnable(state, job);
	job_release(state, job);
}

/* Its client is gone: nobody will hear of it. */
void job_orphan(struct state *state, struct job *job)
{
	struct client *client = job->client;

	job->slices++;
	job_cancel(state, job, INTERRUPT_KILL_LATER);
	job->is_orphan = true;
	client->input_bytes -= zmq_msg_size(&job->payload->message);
	HASH_DEL(client->jobs, job);
	job->client = NULL;
	job_release(state, job);
}

int on_cancel(struct state *state, struct peer *peer, struct message *m)
{
	struct client *client = peer->is.client;
	struct msg_cancel cancel;
	struct job *job;
	int r = msg_cancel_get(&m->fields, &cancel);

	if (r < 0)
		return r;
	if (!client_is_next(state, client, cancel.seq))
		return 0;
	HASH_FIND(hh, client->jobs, &cancel.job, sizeof cancel.job, job);
	if (!job || cancel.first < 0 || cancel.count < 0)
		return 0;
	if (cancel.first > 0 || cancel.count < job->items)
		cancel_part(state, job, cancel.first, cancel.count);
	else
		job_cancel(state, job,
			   cancel.how == CANCEL_HOW_RUNNING ? INTERRUPT_KILL : INTERRUPT_ASK);
	return 0;
}
