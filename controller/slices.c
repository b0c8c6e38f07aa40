/* slices.c: slices in the hands of engines: sending, their pieces, their end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/error.h"
#include "proto/log.h"

#define COPY_MAX    4096 /* inputs up to this are copied, larger ones shared */
#define ACK_BYTES   (1 << 20)
#define ACK_RECORDS 16 /* pieces of one slice until we acknowledge apart */

/* ---- Engines by the slices they have -------------------------------------------- */

void engine_set_level(struct state *state, struct engine *engine, int level)
{
	if (engine->level == level)
		return;
	if (engine->level >= 0)
		DL_DELETE(state->levels[engine->level], engine);
	engine->level = level;
	if (level >= 0)
		DL_APPEND(state->levels[level], engine);
	engine_update_waiting(state, engine);
}

void engine_update_waiting(struct state *state, struct engine *engine)
{
	bool waits = engine->pinned && engine->level >= 0 && engine->level < ENGINE_SLICES;

	if (waits == engine->is_waiting)
		return;
	engine->is_waiting = waits;
	if (waits)
		DL_APPEND2(state->waiting, engine, waiting_prev, waiting_next);
	else
		DL_DELETE2(state->waiting, engine, waiting_prev, waiting_next);
}

void pinned_add(struct state *state, struct engine *engine, struct job *job, int64_t first,
		int64_t count, int attempt, bool front)
{
	struct pinned *pinned = malloc(sizeof *pinned);

	if (!pinned) {
		job_end_items(state, job, first, count, XC_LOST, 0, attempt - 1, engine->id,
			      "the controller is out of memory");
		return;
	}
	job->queued++;
	*pinned = (struct pinned){ .job = job, .first = first, .count = count, .attempt = attempt };
	if (front)
		DL_PREPEND(engine->pinned, pinned);
	else
		DL_APPEND(engine->pinned, pinned);
	engine_update_waiting(state, engine);
}

void pinned_remove(struct engine *engine, struct pinned *pinned)
{
	pinned->job->queued--;
	DL_DELETE(engine->pinned, pinned);
	free(pinned);
}

/* ---- Sending ------------------------------------------------------------------- */

static void release_payload(void *data, void *hint)
{
	(void)data;
	payload_unref(hint);
}

/* Part of the job's bytes, without a copy when it is large. */
static int payload_part(struct job *job, size_t offset, size_t size, zmq_msg_t *frame)
{
	char *data = zmq_msg_data(&job->payload->message);

	if (offset == 0 && size == zmq_msg_size(&job->payload->message)) {
		zmq_msg_init(frame);
		return zmq_msg_copy(frame, &job->payload->message);
	}
	if (size <= COPY_MAX)
		return frame_copy(frame, data + offset, size);
	atomic_fetch_add(&job->payload->refs, 1);
	if (zmq_msg_init_data(frame, data + offset, size, release_payload, job->payload) < 0) {
		atomic_fetch_sub(&job->payload->refs, 1);
		zmq_msg_init(frame);
		return -ENOMEM;
	}
	return 0;
}

static int input_frames(struct job *job, int64_t first, int64_t count, zmq_msg_t *offsets,
			zmq_msg_t *payload)
{
	uint64_t begin, end;
	const char *table;

	zmq_msg_init(offsets);
	switch (job->form) {
	case FORM_STRIDED:
		return payload_part(job, (size_t)first * job->in_size, (size_t)count * job->in_size,
				    payload);
	case FORM_SAME:
		return payload_part(job, 0, job->in_size, payload);
	case FORM_PACKED:
		table = zmq_msg_data(&job->payload->message);
		memcpy(&begin, table + 8 * first, 8);
		memcpy(&end, table + 8 * (first + count), 8);
		payload_part(job, 8 * (size_t)first, 8 * ((size_t)count + 1), offsets);
		return payload_part(job, 8 * ((size_t)job->items + 1) + begin, end - begin,
				    payload);
	default:
		return zmq_msg_init(payload);
	}
}

static struct slice *slice_new(struct state *state)
{
	struct slice *slice = state->spare_slices;

	if (slice) {
		LL_DELETE(state->spare_slices, slice);
		memset(slice, 0, sizeof *slice);
		return slice;
	}
	return calloc(1, sizeof *slice);
}

static void post(struct state *state, const struct slice *slice)
{
	struct engine *engine = slice->engine;
	struct msg_slice message = { .slice = slice->number,
				     .ack = engine->last_record,
				     .first = slice->first,
				     .count = slice->size,
				     .attempt = (uint64_t)slice->attempt };
	unsigned char header[HEADER_MAX];
	zmq_msg_t frames[3];

	engine->acked_record = engine->last_record;
	zmq_msg_init(&frames[0]);
	zmq_msg_copy(&frames[0], &slice->job->task);
	if (input_frames(slice->job, slice->first, slice->size, &frames[1], &frames[2]) < 0)
		log_line("out of memory for a slice's inputs");
	message_send(state->router, engine->peer->route, header,
		     msg_slice_pack(header, sizeof header, &message), frames, 3);
}

void slice_send(struct state *state, struct engine *engine, struct job *job, int64_t first,
		int64_t count, int attempt)
{
	struct slice *slice = slice_new(state);

	if (!slice) {
		job_end_items(state, job, first, count, XC_LOST, 0, attempt - 1, engine->id,
			      "the controller is out of memory");
		return;
	}
	slice->number = ++engine->last_slice;
	slice->job = job;
	slice->engine = engine;
	slice->first = first;
	slice->count = slice->size = count;
	slice->attempt = attempt;
	slice->sent_ns = now_ns();
	slice->next = NULL;
	DL_APPEND(engine->slices, slice);
	engine->slice_count++;
	job->slices++;
	if (!job->started_ns)
		job->started_ns = slice->sent_ns;
	engine_set_level(state, engine, engine->slice_count);

	post(state, slice);
}

void slices_send_again(struct state *state, struct engine *engine, uint64_t had)
{
	struct slice *slice;

	DL_FOREACH (engine->slices, slice) {
		if (slice->number > had)
			post(state, slice);
	}
}

/* ---- Their end -------------------------------------------------------------------- */

/* The slice is of no engine any more. */
static void slice_free(struct state *state, struct slice *slice)
{
	struct engine *engine = slice->engine;
	struct job *job = slice->job;

	DL_DELETE(engine->slices, slice);
	engine->slice_count--;
	if (slice->take_pending)
		state->takes_pending--;
	LL_PREPEND(state->spare_slices, slice);
	if (engine->level >= 0)
		engine_set_level(state, engine, engine->slice_count);
	job_release(state, job);
}

static void slice_maybe_free(struct state *state, struct slice *slice)
{
	if (slice->finished && slice->done >= slice->count)
		slice_free(state, slice);
}

struct slice *slice_find(struct engine *engine, uint64_t number)
{
	struct slice *slice;

	DL_FOREACH (engine->slices, slice) {
		if (slice->number == number)
			return slice;
	}
	return NULL;
}

struct tally {
	int64_t failed; /* ended in failure */
	int64_t again;	/* to be run again */
};

/* Of a run, what lies within [*at, end): an engine whose memory a task has
 * written to may tell of other items, or of some twice. */
static bool clip(struct failure_run *run, int64_t *at, int64_t end)
{
	int64_t first = run->first > *at ? run->first : *at;
	int64_t to = run->count < end - run->first ? run->first + run->count : end;

	if (run->first >= end || first >= to)
		return false;
	run->first = first;
	run->count = to - first;
	*at = to;
	return true;
}

/* Each item of the piece [at, end) ends once. Failures that may run again are put
 * back, and marked in the frame as such; what was printed is passed on. */
static int settle_failures(struct state *state, struct slice *slice, int64_t at, int64_t end,
			   zmq_msg_t *frame, struct tally *tally)
{
	bool may_rerun = job_may_rerun(slice->job, slice->attempt, false);
	int64_t first = at;
	size_t used = 0, room = 4 * zmq_msg_size(frame) + FAILURE_RUN_MAX;
	struct failure_run run;
	struct reader r;
	zmq_msg_t settled;
	int n = 1;

	if (zmq_msg_init_size(&settled, room) < 0)
		return -ENOMEM;
	reader_init(&r, zmq_msg_data(frame), zmq_msg_size(frame));
	while (n > 0 && (n = failure_run_next(&r, &run)) != 0) {
		if (n < 0)
			run = (struct failure_run){
				.first = at,
				.count = end - at,
				.code = XC_EPROTO,
				.attempts = (uint64_t)slice->attempt,
				.text = span_of(
					"what its engine said of failures cannot be read")
			};
		if (run_is_output(&run)) {
			if (output_settle(slice, &run, first, end))
				used += failure_run_pack((char *)zmq_msg_data(&settled) + used,
							 room - used, &run);
			continue;
		}
		if (!clip(&run, &at, end))
			continue;
		if (run.state != XC_CANCELLED) /* that is one that was interrupted */
			run.state = may_rerun ? FAILURE_RETRY : XC_FAILED;
		used += failure_run_pack((char *)zmq_msg_data(&settled) + used, room - used, &run);
		if (run.state == FAILURE_RETRY) {
			tally->again += run.count;
			job_requeue(state, slice->job, run.first, run.count, slice->attempt + 1,
				    slice->engine);
		} else {
			tally->failed += run.count;
		}
	}
	zmq_msg_close(frame);
	frame_copy(frame, zmq_msg_data(&settled), used);
	zmq_msg_close(&settled);
	return n;
}

static struct engine *engine_of(struct state *state, struct peer *peer, const struct msg_done *done)
{
	if (peer->role == ROLE_ENGINE)
		return peer->is.engine;
	return engine_at(state, peer->is.agent, done->slot);
}

int on_done(struct state *state, struct peer *peer, struct message *m)
{
	struct tally tally = { 0 };
	struct engine *engine;
	struct slice *slice;
	struct msg_done done;
	int64_t first;
	/* not to stay in an idle engine, nor many of them in a busy one */
	bool is_large = zmq_msg_size(&m->frames[0]) + zmq_msg_size(&m->frames[1]) > ACK_BYTES;
	int r = msg_done_get(&m->fields, &done);

	if (r < 0)
		return r;
	engine = engine_of(state, peer, &done);
	if (!engine || done.epoch != engine->epoch || done.record <= engine->last_record)
		return 0; /* of a dead process, or sent again by its agent */
	if (peer->role == ROLE_ENGINE && done.record > engine->last_record + 1)
		return 0; /* one before it was lost with a connection: both will come again */
	slice = slice_find(engine, done.slice);
	if (!slice || done.first != slice->done || done.count < 0 ||
	    done.count > slice->count - slice->done)
		return XC_EPROTO;
	engine->last_record = done.record;
	first = slice->first + done.first;
	slice->done += done.count;
	slice->finished = done.last;
	engine->items_run += done.count;
	if (slice->job->client && !slice->job->pinned)
		slice->job->client->pass += (double)done.busy_ns / slice->job->client->weight;
	if (slice->job->measure)
		measure_add(slice->job->measure, engine, done.count, done.busy_ns);
	if (zmq_msg_size(&m->frames[0]) > 0)
		r = settle_failures(state, slice, first, first + done.count, &m->frames[0], &tally);
	job_report(state, slice->job, first, done.count, engine->id,
		   done.busy_ns > done.waited_ns ? done.busy_ns - done.waited_ns : 0,
		   done.count - tally.again, tally.failed, &m->frames[0], &m->frames[1]);
	zmq_msg_init(&m->frames[0]);
	zmq_msg_init(&m->frames[1]);
	if (engine->peer &&
	    (is_large || (!done.last && done.record - engine->acked_record >= ACK_RECORDS))) {
		engine->acked_record = done.record;
		SEND_PEER(state, engine->peer, ack, .seq = done.record);
	}
	slice_maybe_free(state, slice);
	return r;
}

/* ---- Taking back ------------------------------------------------------------------ */

void slice_take(struct state *state, struct slice *slice, bool all)
{
	struct engine *engine = slice->engine;

	if (!engine->agent || (slice->take_pending && !all))
		return;
	if (!slice->take_pending)
		state->takes_pending++;
	slice->take_pending = true;
	slice->take_all = all;
	SEND_PEER(state, engine->agent->peer, take, .slot = engine->slot, .epoch = engine->epoch,
		  .slice = slice->number, .count = slice->count, .all = all);
}

int on_taken(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_taken taken;
	struct engine *engine;
	struct slice *slice;
	int64_t count;
	int r = msg_taken_get(&m->fields, &taken);

	if (r < 0)
		return r;
	engine = engine_at(state, peer->is.agent, taken.slot);
	slice = engine && engine->epoch == taken.epoch ? slice_find(engine, taken.slice) : NULL;
	if (!slice)
		return 0;
	if (slice->take_pending)
		state->takes_pending--;
	slice->take_pending = slice->take_all = false;
	if (taken.end < slice->done || taken.end > slice->count)
		return XC_EPROTO;
	count = slice->count - taken.end;
	slice->count = taken.end;
	if (count == 0)
		slice->keep = true;
	job_requeue(state, slice->job, slice->first + taken.end, count, slice->attempt, engine);
	slice_maybe_free(state, slice);
	return 0;
}

/* ---- Death of an engine --------------------------------------------------------------- */

static enum xc_state state_of(enum down_cause cause)
{
	switch (cause) {
	case DOWN_SIGNAL:
	case DOWN_EXIT:
		return XC_CRASHED;
	case DOWN_TIME:
		return XC_TIMED_OUT;
	default:
		return XC_LOST;
	}
}

/* The item that was running pays, or runs again. */
static void charge(struct state *state, struct slice *slice, int64_t item, enum down_cause cause,
		   int code, const char *text)
{
	enum xc_state how = state_of(cause);
	struct job *job = slice->job;

	/* Its attempt does not count. N.B. the kill may have hit the item of another job. */
	if (cause == DOWN_CANCELLED && job->pinned && slice->engine->state >= ENGINE_CLOSING)
		job_end_items(state, job, item, 1, XC_CANCELLED, 0, slice->attempt,
			      slice->engine->id, slice->engine->reason);
	else if (cause == DOWN_CANCELLED &&
		 (job_is_unwanted(job, item) || !(job->flags & JOB_AT_MOST_ONCE)))
		job_requeue(state, job, item, 1, slice->attempt, slice->engine);
	else if (job_may_rerun(job, slice->attempt, how == XC_LOST))
		job_requeue(state, job, item, 1, slice->attempt + 1, slice->engine);
	else
		job_end_items(state, job, item, 1, how, cause == DOWN_SIGNAL ? code : 0,
			      slice->attempt, slice->engine->id, text);
}

/* N.B. for pinned jobs, what is put back last runs first. */
static void slice_lost(struct state *state, struct slice *slice, enum down_cause cause, int code,
		       int64_t item, const char *text, bool certain)
{
	int64_t from = slice->first + slice->done, end = slice->first + slice->count;
	struct job *job = slice->job;

	if (!certain && (job->flags & JOB_AT_MOST_ONCE)) {
		if (from < end)
			job_end_items(state, job, from, end - from, XC_LOST, 0, slice->attempt,
				      slice->engine->id, text);
	} else if (item < slice->done || item >= slice->count) {
		job_requeue(state, job, from, end - from, slice->attempt, slice->engine);
	} else {
		item += slice->first;
		job_requeue(state, job, item + 1, end - item - 1, slice->attempt, slice->engine);
		charge(state, slice, item, cause, code, text);
		job_requeue(state, job, from, item - from, slice->attempt, slice->engine);
	}
	slice_free(state, slice);
}

void slices_lost(struct state *state, struct engine *engine, enum down_cause cause, int code,
		 uint64_t number, int64_t item, const char *text, bool certain)
{
	while (engine->slices) {
		struct slice *slice = engine->slices->prev; /* the last: see slice_lost */
		int64_t running = slice->number == number ? item : -1;

		if (!certain && slice == engine->slices)
			running = slice->done; /* it may have been this one */
		slice_lost(state, slice, cause, code, running, text, certain);
	}
}
