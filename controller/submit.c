/* submit.c: from a SUBMIT to a job. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/error.h"
#include "proto/log.h"

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
	       s->weight >= 0 && s->weight <= 1e6 &&
	       (!(s->flags & JOB_WILL) || will_is_valid(s, &m->frames[0])) &&
	       payload_fits(s, &m->frames[2]);
}

void frame_keep(zmq_msg_t *to, zmq_msg_t *from)
{
	if (zmq_msg_size(from) <= FRAME_COPY_MAX &&
	    frame_copy(to, zmq_msg_data(from), zmq_msg_size(from)) == 0) {
		zmq_msg_close(from);
		zmq_msg_init(from);
		return;
	}
	zmq_msg_init(to);
	zmq_msg_move(to, from);
}

/* One frame for all jobs in a row that run the same. */
static void share_task(struct state *state, zmq_msg_t *to, zmq_msg_t *from)
{
	size_t size = zmq_msg_size(from);

	zmq_msg_init(to);
	if (!state->has_task || zmq_msg_size(&state->task) != size ||
	    memcmp(zmq_msg_data(&state->task), zmq_msg_data(from), size) != 0) {
		if (state->has_task)
			zmq_msg_close(&state->task);
		state->has_task = frame_copy(&state->task, zmq_msg_data(from), size) == 0;
	}
	if (!state->has_task) {
		zmq_msg_move(to, from);
		return;
	}
	zmq_msg_copy(to, &state->task);
	zmq_msg_close(from);
	zmq_msg_init(from);
}

struct span job_reduction(const struct job *job)
{
	zmq_msg_t *frame = (zmq_msg_t *)&job->task;
	struct task_frame task;

	if (!(job->flags & JOB_REDUCE) ||
	    task_frame_parse(&task, zmq_msg_data(frame), zmq_msg_size(frame)) < 0)
		return (struct span){ NULL, 0 };
	return task.reduce;
}

/* What goes on without its client needs its programs: they are not to go with it. */
static void hold_programs(struct state *state, struct job *job, struct span object)
{
	struct reduce_spec spec;

	if (object.size == OBJECT_SIZE) {
		job->has_object = true;
		memcpy(job->object, object.data, OBJECT_SIZE);
		hold_add(state, job->object);
	}
	if (reduce_spec_parse(&spec, job_reduction(job)) == 0 && spec.object.size == OBJECT_SIZE) {
		job->has_combine = true;
		memcpy(job->combine, spec.object.data, OBJECT_SIZE);
		hold_add(state, job->combine);
	}
}

static struct job *job_new(struct state *state, struct client *client, const struct msg_submit *s,
			   zmq_msg_t *task, zmq_msg_t *payload)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->payload = malloc(sizeof *job->payload);
	if (s->name.size > 0)
		job->name = strndup(s->name.data, s->name.size);
	if (!job->payload || (s->name.size > 0 && !job->name)) {
		free(job->payload);
		free(job->name);
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
	job->submitted_ns = now_ns();
	zmq_msg_init(&job->targets);
	share_task(state, &job->task, task);
	atomic_init(&job->payload->refs, 1);
	frame_keep(&job->payload->message, payload);
	if ((s->flags & JOB_KEEP) && client)
		hold_programs(state, job, s->object);
	if (job->items > 1)
		job->measure =
			measure_get(state, zmq_msg_data(&job->task), zmq_msg_size(&job->task));
	if (client) {
		if (s->job > client->last_job)
			client->last_job = s->job;
		client->input_bytes += zmq_msg_size(&job->payload->message);
		HASH_ADD(hh, client->jobs, id, sizeof job->id, job);
	}
	return job;
}

/* Contiguous blocks of items to the targets, in order. */
static void pin(struct state *state, struct job *job)
{
	int64_t k = (int64_t)zmq_msg_size(&job->targets) / 4;

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
		memcpy(&id, (char *)zmq_msg_data(&job->targets) + 4 * i, 4);
		engine = id < (uint32_t)state->engine_count ? state->engines[id] : NULL;
		if (engine && engine_takes_pinned(engine)) {
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
static int restrict_to_targets(struct state *state, struct job *job)
{
	const char *ids = zmq_msg_data(&job->targets);
	size_t count = zmq_msg_size(&job->targets) / 4;

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

void job_begin(struct state *state, struct job *job)
{
	zmq_msg_t empty[2];

	if (job->items == 0) {
		zmq_msg_init(&empty[0]);
		zmq_msg_init(&empty[1]);
		job_report(state, job, 0, 0, -1, 0, 0, 0, &empty[0], &empty[1]);
	} else if (job->pinned) {
		job->slices++; /* keeps it while its blocks are given out */
		pin(state, job);
		job_release(state, job);
	} else {
		if (restrict_to_targets(state, job) < 0)
			log_line("out of memory: a job goes to all engines");
		intervals_add(&job->remaining, 0, job->items);
		job_update_runnable(state, job);
	}
}

int on_submit(struct state *state, struct peer *peer, struct message *m)
{
	struct client *client = peer->is.client;
	struct msg_submit s;
	struct job *job;
	int r = msg_submit_get(&m->fields, &s);

	if (r < 0)
		return r;
	if (!client_is_next(state, client, s.seq))
		return 0;
	outbox_ack(state, client, s.ack);
	client->weight = s.weight > 0 ? s.weight : 1;
	HASH_FIND(hh, client->jobs, &s.job, sizeof s.job, job);
	if (attachment_find(client, s.job))
		return XC_EPROTO;
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
	if (job->flags & JOB_WILL)
		will_keep(client, &job->task);
	frame_keep(&job->targets, &m->frames[1]);
	job_begin(state, job);
	return 0;
}

/* Offsets and bytes of a single item, out of those of many. */
static int packed_payload(const struct job *job, int64_t index, zmq_msg_t *payload)
{
	const char *table = zmq_msg_data(&job->payload->message);
	uint64_t at[2], own[2] = { 0, 0 };
	char *bytes;

	memcpy(at, table + 8 * index, sizeof at);
	own[1] = at[1] - at[0];
	if (zmq_msg_init_size(payload, sizeof own + own[1]) < 0) {
		zmq_msg_init(payload);
		return -ENOMEM;
	}
	bytes = zmq_msg_data(payload);
	memcpy(bytes, own, sizeof own);
	memcpy(bytes + sizeof own, table + 8 * (job->items + 1) + at[0], own[1]);
	return 0;
}

/* The input of one item. */
static int item_payload(const struct job *job, int64_t index, zmq_msg_t *payload)
{
	char *bytes = zmq_msg_data(&job->payload->message);

	if (index >= 0 && job->form == FORM_PACKED)
		return packed_payload(job, index, payload);
	if (index < 0 || job->form != FORM_STRIDED) {
		zmq_msg_init(payload);
		return zmq_msg_copy(payload, &job->payload->message);
	}
	return frame_copy(payload, bytes + (uint64_t)index * job->in_size, job->in_size);
}

struct job *job_again(struct state *state, struct client *client, const struct job *old,
		      uint64_t id, int64_t index)
{
	struct msg_submit s = { .job = id,
				.pinned = old->pinned,
				.items = index < 0 ? old->items : 1,
				.form = old->form,
				.in_size = old->in_size,
				.out_size = old->out_size,
				.chunk = old->chunk,
				.max_attempts = (uint64_t)old->max_attempts,
				/* what engines are given that come later has its entry */
				.flags = old->flags &
					 ~(uint64_t)(JOB_EVERYWHERE | JOB_FORGET | JOB_VARIABLE),
				.priority = old->priority,
				.label = span_of(old->label),
				.name = span_of(old->name) };
	struct job *job = NULL;
	zmq_msg_t task, payload;

	if (old->has_object)
		s.object = (struct span){ old->object, OBJECT_SIZE };
	zmq_msg_init(&task);
	zmq_msg_copy(&task, (zmq_msg_t *)&old->task);
	if (item_payload(old, index, &payload) == 0)
		job = job_new(state, client, &s, &task, &payload);
	if (job)
		zmq_msg_copy(&job->targets, (zmq_msg_t *)&old->targets);
	zmq_msg_close(&task);
	zmq_msg_close(&payload);
	return job;
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
