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

/* Those who are attached, where its client is not there to take its results: the
 * fastest of them sets the pace. */
static bool is_paused_without_client(const struct state *state, const struct job *job)
{
	const struct attachment *attachment;

	if (!job->attachments)
		return state->history.kept_bytes > state->history.kept_max;
	DL_FOREACH (job->attachments, attachment) {
		if (attachment->client->held_bytes <= HELD_BYTES_MAX)
			return false;
	}
	return true;
}

bool job_is_paused(const struct state *state, const struct job *job)
{
	if (!job->client)
		return false;
	return job->is_left ? is_paused_without_client(state, job)
			    : job->client->held_bytes > HELD_BYTES_MAX;
}

static bool has_work(const struct state *state, const struct job *job)
{
	return !job->pinned && !job->cancelled && (job->remaining.total > 0 || job->reruns) &&
	       !job_is_paused(state, job);
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
	now = has_work(state, job);
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

void job_retire(struct state *state, struct job *job)
{
	struct attachment *attachment, *next_attachment;
	struct rerun *rerun, *next;

	if (job->flags & JOB_EVERYWHERE)
		everywhere_end(state, job);
	if (job->is_runnable) {
		bool cancelled = job->cancelled;

		job->cancelled = true; /* so that it is not */
		job_update_runnable(state, job);
		job->cancelled = cancelled;
	}
	DL_FOREACH_SAFE (job->reruns, rerun, next) {
		free(rerun);
	}
	job->reruns = NULL;
	intervals_fini(&job->remaining);
	intervals_fini(&job->unwanted);
	job->remaining = job->unwanted = (struct intervals){ 0 };
	measure_put(state, job->measure);
	job->measure = NULL;
	state->restricted -= job->only != NULL;
	free(job->only);
	job->only = NULL;
	DL_FOREACH_SAFE (job->attachments, attachment, next_attachment) {
		attachment_free(state, attachment);
	}
	if (job->client) {
		HASH_DEL(job->client->jobs, job);
		job->client->input_bytes -= zmq_msg_size(&job->payload->message);
	}
}

void job_free(struct state *state, struct job *job)
{
	if (!job->is_finished)
		job_retire(state, job);
	if (job->client)
		history_remove(state, job);
	if (job->has_object)
		hold_drop(state, job->object);
	if (job->has_combine)
		hold_drop(state, job->combine);
	payload_unref(job->payload);
	zmq_msg_close(&job->task);
	zmq_msg_close(&job->targets);
	free(job->name);
	free(job);
}

/* Slices that a cancelled job has still in engines keep it. */
static void job_maybe_finish(struct state *state, struct job *job)
{
	bool is_purged = job->is_purged;

	if (job->slices > 0 || job->ended < job->items)
		return;
	job_finish(state, job);
	if (is_purged)
		job_free(state, job);
}

void job_release(struct state *state, struct job *job)
{
	job->slices--;
	job_maybe_finish(state, job);
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
	if (job->flags & JOB_WILL) {
		if (run.state != XC_LOST) /* else what was to be cleared has gone as well */
			log_line("clearing \"%s*\" of a client that has gone failed: %s",
				 job_name(job), text);
		return;
	}
	log_line("bringing \"%s\" to a new engine failed: %s", job_name(job), text);
}

void job_report(struct state *state, struct job *job, int64_t first, int64_t count, int engine,
		uint64_t busy_ns, int64_t ended, int64_t failed, zmq_msg_t *failures,
		zmq_msg_t *payload)
{
	job->ended += ended;
	job->failed += failed;
	if (job->ended == job->items)
		job->finished_ns = now_ns();
	if (job->client) {
		struct msg_result result = { .job = job->id,
					     .first = first,
					     .count = count,
					     .engine = engine,
					     .busy_ns = busy_ns,
					     .final = job->ended == job->items };

		job_tell(state, job, &result, failures, payload);
	} else {
		log_internal_failure(job, failures);
		zmq_msg_close(failures);
		zmq_msg_close(payload);
	}
	if (failed > 0 && (job->flags & JOB_STOP_ON_FAILURE) && !job->cancelled &&
	    job->ended < job->items) {
		job->is_stopped = true;
		job_cancel(state, job, INTERRUPT_ASK);
		return;
	}
	job_maybe_finish(state, job);
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

bool job_is_unwanted(const struct job *job, int64_t item)
{
	return job->cancelled || intervals_has(&job->unwanted, item);
}

static void end_cancelled(struct state *state, struct job *job, int64_t first, int64_t count,
			  int attempts)
{
	job_end_items(state, job, first, count, XC_CANCELLED, 0, attempts, -1, "cancelled");
}

static void requeue(struct state *state, struct job *job, int64_t first, int64_t count, int attempt,
		    struct engine *to)
{
	struct rerun *rerun;

	if (count < 1)
		return;
	if (job->cancelled) {
		end_cancelled(state, job, first, count, attempt - 1);
		return;
	}
	if (job->pinned) {
		if (to && engine_takes_pinned(to))
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

void job_requeue(struct state *state, struct job *job, int64_t first, int64_t count, int attempt,
		 struct engine *to)
{
	int64_t end = first + count, from, n;

	if (count < 1)
		return;
	job->slices++; /* keeps it */
	while (job->unwanted.total &&
	       (n = intervals_take_within(&job->unwanted, first, end, &from)) > 0) {
		requeue(state, job, first, from - first, attempt, to);
		end_cancelled(state, job, from, n, attempt - 1);
		first = from + n;
	}
	requeue(state, job, first, end - first, attempt, to);
	job_release(state, job);
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

/* Those of [from, to) that wait for another attempt. The end of one may cancel the rest
 * of the job. */
static void cancel_reruns(struct state *state, struct job *job, int64_t from, int64_t to)
{
	struct rerun *rerun, *next;

	DL_FOREACH_SAFE (job->reruns, rerun, next) {
		int64_t first = rerun->first, end = first + rerun->count;
		int64_t low = first > from ? first : from, high = end < to ? end : to;
		int attempt = rerun->attempt;

		if (low >= high)
			continue;
		DL_DELETE(job->reruns, rerun);
		free(rerun);
		end_cancelled(state, job, low, high - low, attempt - 1);
		requeue(state, job, first, low - first, attempt, NULL);
		requeue(state, job, high, end - high, attempt, NULL);
		if (job->cancelled)
			return;
	}
}

/* Those of [from, to) in engines' hands. What has not begun is taken back, and with it
 * what stands beside it; see job_requeue. */
static void interrupt_part(struct state *state, struct job *job, int64_t from, int64_t to,
			   enum interrupt how)
{
	for (int i = 0; i < state->engine_count; i++) {
		struct engine *engine = state->engines[i];
		struct slice *slice;

		DL_FOREACH (engine->slices, slice) {
			int64_t low = slice->first + slice->done,
				high = slice->first + slice->count;

			low = low > from ? low : from;
			high = high < to ? high : to;
			if (slice->job != job || !engine->agent || low >= high)
				continue;
			if (!slice->keep && !slice->take_all)
				slice_take(state, slice, true);
			SEND_PEER(state, engine->agent->peer, interrupt, .slot = engine->slot,
				  .epoch = engine->epoch, .slice = slice->number, .kill = how,
				  .first = low - slice->first, .count = high - low);
		}
	}
}

/* Some items of a job that others share. */
static void cancel_part(struct state *state, struct job *job, int64_t from, int64_t count,
			enum interrupt how)
{
	int64_t to = count < job->items - from ? from + count : job->items;
	int64_t first, n;

	if (from >= to)
		return;
	job->slices++; /* keeps it */
	while ((n = intervals_take_within(&job->remaining, from, to, &first)) > 0)
		end_cancelled(state, job, first, n, 0);
	cancel_reruns(state, job, from, to);
	job_update_runnable(state, job);
	if (job->slices > 1) {
		while (intervals_take_within(&job->unwanted, from, to, &first) > 0)
			; /* not to have them twice */
		if (intervals_add(&job->unwanted, from, to) < 0)
			log_line("out of memory: cancelled items may run");
		interrupt_part(state, job, from, to, how);
	}
	job_release(state, job);
}

void job_cancel_items(struct state *state, struct job *job, int64_t first, int64_t count,
		      enum interrupt how)
{
	if (first > 0 || count < job->items)
		cancel_part(state, job, first, count, how);
	else
		job_cancel(state, job, how);
}

/* Its client is gone. */
void job_orphan(struct state *state, struct job *job)
{
	job->slices++; /* keeps it */
	job_cancel(state, job, INTERRUPT_KILL_LATER);
	job_release(state, job);
}

int on_cancel(struct state *state, struct peer *peer, struct message *m)
{
	struct client *client = peer->is.client;
	struct attachment *attachment;
	struct msg_cancel cancel;
	enum interrupt how;
	struct job *job;
	int r = msg_cancel_get(&m->fields, &cancel);

	if (r < 0)
		return r;
	if (!client_is_next(state, client, cancel.seq))
		return 0;
	HASH_FIND(hh, client->jobs, &cancel.job, sizeof cancel.job, job);
	if (!job && (attachment = attachment_find(client, cancel.job)))
		job = attachment->job;
	how = cancel.how == CANCEL_HOW_RUNNING ? INTERRUPT_KILL : INTERRUPT_ASK;
	if (job && cancel.first >= 0 && cancel.count >= 0)
		job_cancel_items(state, job, cancel.first, cancel.count, how);
	return 0;
}
