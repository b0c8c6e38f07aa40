/* jobs.c: jobs, from submission to the end of their last item. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/error.h"
#include "proto/log.h"

#define LOST_ATTEMPTS 3

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
	if (failure_run_next(&r, &run) <= 0)
		return;
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
static bool is_next(struct state *state, struct client *client, uint64_t seq)
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
	if (!is_next(state, client, cancel.seq))
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

/* ---- Submission -------------------------------------------------------------- */

/* Do the payload's bytes fit the items? */
static bool payload_fits(const struct msg_submit *s, zmq_msg_t *frame)
{
	const unsigned char *data = zmq_msg_data(frame);
	uint64_t size = zmq_msg_size(frame), items = (uint64_t)s->items, last = 0, offset;
	uint64_t table;

	switch (s->form) {
	case FORM_RANGE:
		return size == 0;
	case FORM_SAME:
		return size == s->in_size;
	case FORM_STRIDED:
		return !__builtin_mul_overflow(items, s->in_size, &table) && table == size;
	case FORM_PACKED:
		break;
	default:
		return false;
	}
	if (items >= size / 8 || size < 8)
		return false;
	table = 8 * (items + 1);
	for (uint64_t i = 0; i <= items; i++) {
		memcpy(&offset, data + 8 * i, 8);
		if (offset < last || offset > size - table)
			return false;
		last = offset;
	}
	return last == size - table;
}

static bool submit_is_valid(const struct msg_submit *s, struct message *m)
{
	size_t targets = zmq_msg_size(&m->frames[1]);

	return s->items >= 0 && s->items <= INT64_MAX / 4 && s->pinned <= 1 && s->chunk >= 0 &&
	       s->max_attempts >= 1 && s->max_attempts <= INT32_MAX && s->label.size < 64 &&
	       s->name.size < 256 && (s->object.size == 0 || s->object.size == OBJECT_SIZE) &&
	       targets % 4 == 0 && (targets > 0 || s->pinned == 0 || s->items == 0) &&
	       s->weight >= 0 && s->weight <= 1e6 && payload_fits(s, &m->frames[2]);
}

static struct job *job_new(struct state *state, struct client *client, const struct msg_submit *s,
			   zmq_msg_t *task, zmq_msg_t *payload)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->payload = malloc(sizeof *job->payload);
	if (!job->payload) {
		free(job);
		return NULL;
	}
	job->client = client;
	job->id = s->job;
	job->pinned = s->pinned;
	job->items = s->items;
	job->chunk = s->chunk;
	job->priority = s->priority;
	job->form = s->form;
	job->in_size = s->in_size;
	job->out_size = s->out_size;
	job->flags = s->flags;
	job->max_attempts = (int)s->max_attempts;
	span_copy(job->label, sizeof job->label, s->label);
	span_copy(job->name, sizeof job->name, s->name);
	zmq_msg_init(&job->task);
	zmq_msg_move(&job->task, task);
	atomic_init(&job->payload->refs, 1);
	zmq_msg_init(&job->payload->message);
	zmq_msg_move(&job->payload->message, payload);
	if (job->items > 1)
		job->measure =
			measure_get(state, zmq_msg_data(&job->task), zmq_msg_size(&job->task));
	if (client) {
		client->input_bytes += zmq_msg_size(&job->payload->message);
		HASH_ADD(hh, client->jobs, id, sizeof job->id, job);
	}
	return job;
}

/* Contiguous blocks of items to the targets, in order. */
static void pin(struct state *state, struct job *job, zmq_msg_t *targets)
{
	int64_t k = (int64_t)zmq_msg_size(targets) / 4;

	for (int64_t i = 0; i < k; i++) {
		__int128 n = job->items;
		/* item j is of engine j * k / n */
		int64_t first = (int64_t)((n * i + k - 1) / k);
		int64_t end = (int64_t)((n * (i + 1) + k - 1) / k);
		struct engine *engine;
		char text[64];
		uint32_t id;

		if (first == end)
			continue;
		if (job->cancelled) { /* a target that is gone has stopped it */
			job_end_items(state, job, first, end - first, XC_CANCELLED, 0, 0, -1,
				      "cancelled");
			continue;
		}
		memcpy(&id, (char *)zmq_msg_data(targets) + 4 * i, 4);
		engine = id < (uint32_t)state->engine_count ? state->engines[id] : NULL;
		if (engine && engine->state != ENGINE_GONE) {
			pinned_add(state, engine, job, first, end - first, 1, false);
			continue;
		}
		snprintf(text, sizeof text, "there is no engine %u", id);
		job_end_items(state, job, first, end - first, XC_LOST, 0, 0, (int)id,
			      engine ? engine->reason : text);
	}
}

static void refuse(struct state *state, struct client *client, uint64_t id, int64_t items, int code,
		   const char *text)
{
	unsigned char buffer[FAILURE_RUN_MAX];
	struct failure_run run = { .first = 0,
				   .count = items > 0 ? items : 1,
				   .state = XC_FAILED,
				   .code = code,
				   .text = span_of(text) };
	struct msg_result result = { .job = id, .engine = -1, .final = 1 };
	zmq_msg_t failures, payload;

	frame_copy(&failures, buffer, failure_run_pack(buffer, sizeof buffer, &run));
	zmq_msg_init(&payload);
	outbox_add(state, client, &result, &failures, &payload);
}

/* Balanced over the targets only, if there are any. */
static int restrict_to(struct state *state, struct job *job, zmq_msg_t *targets)
{
	const char *ids = zmq_msg_data(targets);
	size_t count = zmq_msg_size(targets) / 4;

	if (!count)
		return 0;
	job->only = calloc((size_t)state->engine_count + 1, sizeof *job->only);
	if (!job->only)
		return -ENOMEM;
	job->only_count = state->engine_count;
	state->restricted++;
	for (size_t i = 0; i < count; i++) {
		uint32_t id;

		memcpy(&id, ids + 4 * i, 4);
		if (id < (uint32_t)state->engine_count && !job->only[id]) {
			job->only[id] = true;
			job->shares++;
		}
	}
	return 0;
}

int on_submit(struct state *state, struct peer *peer, struct message *m)
{
	struct client *client = peer->is.client;
	struct msg_submit s;
	zmq_msg_t empty[2];
	struct job *job;
	int r = msg_submit_get(&m->fields, &s);

	if (r < 0)
		return r;
	if (!is_next(state, client, s.seq))
		return 0;
	outbox_ack(state, client, s.ack);
	client->weight = s.weight > 0 ? s.weight : 1;
	HASH_FIND(hh, client->jobs, &s.job, sizeof s.job, job);
	if (job || !submit_is_valid(&s, m)) {
		if (!job)
			refuse(state, client, s.job, s.items, XC_EPROTO,
			       "the controller could not make sense of the job");
		return XC_EPROTO;
	}
	if (client->input_bytes + zmq_msg_size(&m->frames[2]) > 4 * CREDIT_BYTES) {
		refuse(state, client, s.job, s.items, -ENOBUFS,
		       "this client has too many bytes of inputs queued in the controller");
		return 0;
	}
	job = job_new(state, client, &s, &m->frames[0], &m->frames[2]);
	if (!job) {
		refuse(state, client, s.job, s.items, -ENOMEM, "the controller is out of memory");
		return 0;
	}
	if (job->flags & (JOB_EVERYWHERE | JOB_FORGET))
		everywhere_submit(state, job, s.object, &m->frames[1]);
	if (job->items == 0) {
		zmq_msg_init(&empty[0]);
		zmq_msg_init(&empty[1]);
		job_report(state, job, 0, 0, -1, 0, 0, 0, &empty[0], &empty[1]);
		return 0;
	}
	if (job->pinned) {
		job->slices++; /* keeps it while its blocks are given out */
		pin(state, job, &m->frames[1]);
		job_release(state, job);
	} else {
		if (restrict_to(state, job, &m->frames[1]) < 0)
			log_line("out of memory: a job goes to all engines");
		intervals_add(&job->remaining, 0, job->items);
		job_update_runnable(state, job);
	}
	return 0;
}

struct job *job_internal(struct state *state, const char *name, zmq_msg_t *task, zmq_msg_t *payload)
{
	struct msg_submit s = { .pinned = 1,
				.items = 1,
				.form = FORM_SAME,
				.in_size = zmq_msg_size(payload),
				.max_attempts = LOST_ATTEMPTS,
				.name = span_of(name) };
	zmq_msg_t task_copy, payload_copy;

	zmq_msg_init(&task_copy);
	zmq_msg_copy(&task_copy, task);
	zmq_msg_init(&payload_copy);
	zmq_msg_copy(&payload_copy, payload);
	return job_new(state, NULL, &s, &task_copy, &payload_copy);
}
