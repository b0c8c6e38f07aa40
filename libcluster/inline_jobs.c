/* inline_jobs.c: jobs within the client: from SUBMIT to the end of their last item, in
 * a controller's order and by its rules. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "libcluster/inline.h"
#include "proto/error.h"
#include "proto/input.h"

/* ---- Which jobs have work to hand out -------------------------------------------- */

static bool goes_before(const struct inline_job *a, const struct inline_job *b)
{
	return a->priority > b->priority || (a->priority == b->priority && a->id < b->id);
}

/* By priority, then in the order of submission. N.B. most come last. */
static void update_runnable(struct xci_inline *in, struct inline_job *job)
{
	bool now = !job->cancelled && (job->reruns || job->rest);
	struct inline_job *at;

	if (now == job->is_runnable)
		return;
	job->is_runnable = now;
	if (!now) {
		DL_DELETE(in->runnable, job);
		return;
	}
	at = in->runnable ? in->runnable->prev : NULL;
	while (at && goes_before(job, at))
		at = at == in->runnable ? NULL : at->prev;
	if (at)
		DL_APPEND_ELEM(in->runnable, at, job);
	else
		DL_PREPEND(in->runnable, job);
}

static void free_runs(struct inline_run **runs)
{
	struct inline_run *run, *next;

	DL_FOREACH_SAFE (*runs, run, next) {
		free(run);
	}
	*runs = NULL;
}

/* Nothing of it is to run any more. */
static void retire(struct xci_inline *in, struct inline_job *job)
{
	for (int i = 0; job->pinned && i < in->count; i++) {
		struct inline_run *run, *next;

		DL_FOREACH_SAFE (in->engines[i].pinned, run, next) {
			if (run->job != job)
				continue;
			DL_DELETE(in->engines[i].pinned, run);
			free(run);
		}
	}
	free_runs(&job->reruns);
	free_runs(&job->rest);
	update_runnable(in, job);
	if (job->hh.tbl)
		HASH_DEL(in->jobs, job);
	inline_value_unref(job->value);
	job->value = NULL;
	free(job->only);
	job->only = NULL;
}

void inline_job_free(struct xci_inline *in, struct inline_job *job)
{
	if (!job->is_finished)
		retire(in, job);
	inline_history_remove(in, job);
	zmq_msg_close(&job->frame);
	zmq_msg_close(&job->targets);
	zmq_msg_close(&job->payload);
	free(job->aligned);
	free(job->nodes);
	reduce_fini(&job->reduce);
	free(job);
}

void inline_job_settle(struct xci_inline *in, struct inline_job *job)
{
	if (job->ended < job->items || job == in->running)
		return;
	retire(in, job);
	inline_history_add(in, job);
}

/* ---- The end of items --------------------------------------------------------------- */

static int64_t add_cancelled(struct writer *w, const struct inline_run *run)
{
	struct failure_run failure = { .first = run->first,
				       .count = run->count,
				       .state = XC_CANCELLED,
				       .attempts = (uint64_t)run->attempt - 1,
				       .text = span_of("cancelled") };

	w->used += failure_run_pack(w->data + w->used, w->size - w->used, &failure);
	return run->count;
}

/* All that has not begun. */
static void cancel(struct xci_inline *in, struct inline_job *job)
{
	struct inline_run *taken = NULL, *run, *next;
	struct msg_result head = { .job = job->id, .engine = -1 };
	zmq_msg_t failures, payload;
	int64_t ended = 0;
	struct writer w;
	size_t count = 0;
	void *bytes;

	DL_CONCAT(taken, job->rest);
	DL_CONCAT(taken, job->reruns);
	job->rest = job->reruns = NULL;
	for (int i = 0; job->pinned && i < in->count; i++) {
		DL_FOREACH_SAFE (in->engines[i].pinned, run, next) {
			if (run->job != job)
				continue;
			DL_DELETE(in->engines[i].pinned, run);
			DL_APPEND(taken, run);
		}
	}
	job->cancelled = true;
	job->cancel = 1;
	update_runnable(in, job);
	DL_COUNT(taken, run, count);
	bytes = malloc(128 * count + 1);
	writer_init(&w, bytes, bytes ? 128 * count : 0);
	DL_FOREACH (taken, run) {
		ended += bytes ? add_cancelled(&w, run) : 0;
	}
	free_runs(&taken);
	if (frame_copy(&failures, bytes, w.used) < 0 || !bytes)
		inline_starve(in);
	zmq_msg_init(&payload);
	free(bytes);
	if (ended > 0)
		inline_report(in, job, head, ended, ended, &failures, &payload);
}

void inline_report(struct xci_inline *in, struct inline_job *job, struct msg_result head,
		   int64_t ended, int64_t failed, zmq_msg_t *failures, zmq_msg_t *payload)
{
	zmq_msg_t frames[2];

	job->ended += ended;
	job->failed += failed;
	head.final = job->ended == job->items;
	for (int i = 0; i < 2; i++) {
		zmq_msg_init(&frames[i]);
		zmq_msg_move(&frames[i], i ? payload : failures);
		zmq_msg_close(i ? payload : failures);
	}
	inline_tell(in, job, &head, frames);
	if (failed > 0 && (job->flags & JOB_STOP_ON_FAILURE) && !job->cancelled &&
	    job->ended < job->items) {
		job->is_stopped = true;
		cancel(in, job);
	} else {
		inline_job_settle(in, job);
	}
}

void inline_end_items(struct xci_inline *in, struct inline_job *job, const struct failure_run *run,
		      int engine)
{
	unsigned char buffer[FAILURE_RUN_MAX];
	struct msg_result head = { .job = job->id, .first = run->first, .engine = engine };
	zmq_msg_t failures, payload;

	if (frame_copy(&failures, buffer, failure_run_pack(buffer, sizeof buffer, run)) < 0)
		inline_starve(in);
	zmq_msg_init(&payload);
	inline_report(in, job, head, run->count, run->count, &failures, &payload);
}

bool inline_may_rerun(const struct inline_job *job, int attempt)
{
	return !job->cancelled && !(job->flags & JOB_AT_MOST_ONCE) && attempt < job->max_attempts;
}

static void lose(struct xci_inline *in, struct inline_job *job, const struct inline_run *lost,
		 int engine, const char *why)
{
	struct failure_run run = { .first = lost->first,
				   .count = lost->count,
				   .state = XC_LOST,
				   .attempts = (uint64_t)lost->attempt - 1,
				   .text = span_of(why) };

	inline_end_items(in, job, &run, engine);
}

void inline_lose_pinned(struct xci_inline *in, struct inline_engine *engine)
{
	struct inline_run *run;

	while ((run = engine->pinned)) {
		DL_DELETE(engine->pinned, run);
		lose(in, run->job, run, engine->id, engine->reason);
		free(run);
	}
}

void inline_requeue(struct xci_inline *in, struct inline_job *job, int64_t first, int64_t count,
		    int attempt, struct inline_engine *engine)
{
	struct failure_run end = { .first = first,
				   .count = count,
				   .state = XC_CANCELLED,
				   .attempts = (uint64_t)attempt - 1,
				   .text = span_of("cancelled") };
	struct inline_run *run,
		back = { .job = job, .first = first, .count = count, .attempt = attempt };

	if (count < 1)
		return;
	if (job->cancelled) {
		inline_end_items(in, job, &end, -1);
		return;
	}
	run = malloc(sizeof *run);
	if (!run) {
		inline_starve(in);
		return;
	}
	*run = back;
	if (job->pinned)
		DL_PREPEND(engine->pinned, run);
	else if (attempt > 1)
		DL_APPEND(job->reruns, run);
	else
		DL_PREPEND(job->rest, run);
	if (!job->pinned)
		update_runnable(in, job);
}

/* ---- What is next ---------------------------------------------------------------------- */

/* The engine at or after the one whose turn it is that may run it; NULL: none may. */
static struct inline_engine *engine_for(struct xci_inline *in, const struct inline_job *job)
{
	for (int i = 0; i < in->count; i++) {
		int id = (in->turn + i) % in->count;

		if (!in->engines[id].is_shut && (!job->only || job->only[id]))
			return &in->engines[id];
	}
	return NULL;
}

static bool has_engine(const struct xci_inline *in)
{
	for (int i = 0; i < in->count; i++)
		if (!in->engines[i].is_shut)
			return true;
	return false;
}

/* What is left of it can run nowhere. */
static void lose_rest(struct xci_inline *in, struct inline_job *job)
{
	struct inline_run *taken = NULL, *run, *next;
	char why[200];

	if (has_engine(in))
		snprintf(why, sizeof why, JOB_NO_VIEW_ENGINE);
	else
		snprintf(why, sizeof why, JOB_NO_ENGINE, in->engines[in->count - 1].reason);
	DL_CONCAT(taken, job->rest);
	DL_CONCAT(taken, job->reruns);
	job->rest = job->reruns = NULL;
	update_runnable(in, job);
	in->running = job; /* keeps it */
	DL_FOREACH (taken, run) {
		lose(in, job, run, -1, why);
	}
	in->running = NULL;
	DL_FOREACH_SAFE (taken, run, next) {
		free(run);
	}
	inline_job_settle(in, job);
}

void inline_check_engines(struct xci_inline *in)
{
	struct inline_job *job, *next;

	DL_FOREACH_SAFE (in->runnable, job, next) {
		if (!engine_for(in, job))
			lose_rest(in, job);
	}
}

static struct inline_engine *engine_with_pinned(struct xci_inline *in)
{
	for (int i = 0; i < in->count; i++)
		if (in->engines[(in->turn + i) % in->count].pinned)
			return &in->engines[(in->turn + i) % in->count];
	return NULL;
}

bool inline_next(struct xci_inline *in, struct inline_run *work, struct inline_engine **engine)
{
	struct inline_job *job = in->runnable;
	struct inline_run **list, *run;

	*engine = engine_with_pinned(in);
	if (!*engine && !job)
		return false;
	if (*engine) {
		list = &(*engine)->pinned;
	} else {
		*engine = engine_for(in, job);
		list = job->reruns ? &job->reruns : &job->rest;
	}
	run = *list;
	DL_DELETE(*list, run);
	*work = *run;
	free(run);
	if (!work->job->pinned)
		update_runnable(in, work->job);
	in->turn = ((*engine)->id + 1) % in->count;
	return true;
}

/* ---- From the client --------------------------------------------------------------------- */

/* Items of any size, their elements where they may be read. */
static int place_input(struct inline_job *job)
{
	size_t size = zmq_msg_size(&job->payload);
	char *data = zmq_msg_data(&job->payload);

	job->input = (struct span){ data, size };
	if (job->task.form == FORM_PACKED && job->task.apart) {
		struct input in = { .offsets = job->input };

		size = input_largest(&in, job->items);
		job->aligned = aligned_alloc(64, (size + 64) & ~(size_t)63);
		return job->aligned ? 0 : -ENOMEM;
	}
	if (size == 0 || (uintptr_t)data % input_alignment(&job->task) == 0)
		return 0;
	job->aligned = aligned_alloc(64, (size + 63) & ~(size_t)63);
	if (!job->aligned)
		return -ENOMEM;
	memcpy(job->aligned, data, size);
	job->input.data = job->aligned;
	zmq_msg_close(&job->payload);
	zmq_msg_init(&job->payload);
	return 0;
}

/* For a job whose results become one. The function that combines two is here already. */
static int prepare_reduction(struct inline_job *job)
{
	struct reduce_spec spec;
	int r;

	if (!job->task.reduce.size)
		return 0;
	r = reduce_spec_parse(&spec, job->task.reduce);
	if (r == 0)
		r = reduce_init(&job->reduce, &spec);
	if (r < 0)
		return r;
	*(void **)&job->reduce.combine = (void *)(uintptr_t)spec.number;
	job->nodes = aligned_alloc(64, (stack_room(&job->reduce) + 63) & ~(size_t)63);
	return job->nodes ? 0 : -ENOMEM;
}

static int restrict_to_targets(const struct xci_inline *in, struct inline_job *job)
{
	size_t count = job->pinned ? 0 : zmq_msg_size(&job->targets) / 4;

	if (!count)
		return 0;
	job->only = calloc((size_t)in->count, sizeof *job->only);
	if (!job->only)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint32_t id;

		memcpy(&id, (char *)zmq_msg_data(&job->targets) + 4 * i, 4);
		assert(id < (uint32_t)in->count);
		job->only[id] = true;
	}
	return 0;
}

static int pin_block(struct xci_inline *in, struct inline_job *job, uint32_t id, int64_t first,
		     int64_t count)
{
	struct inline_run *run;

	assert(id < (uint32_t)in->count);
	if (count == 0)
		return 0;
	run = malloc(sizeof *run);
	if (!run)
		return -ENOMEM;
	*run = (struct inline_run){ .job = job, .first = first, .count = count, .attempt = 1 };
	DL_APPEND(in->engines[id].pinned, run);
	return 0;
}

/* Contiguous blocks of items to the targets, in order: item j is of engine j * k / n.
 * Those of engines that are gone are lost only when the job begins. */
static int pin(struct xci_inline *in, struct inline_job *job)
{
	int64_t k = job->pinned ? (int64_t)zmq_msg_size(&job->targets) / 4 : 0;
	__int128 n = job->items;
	int r = 0;

	for (int64_t i = 0; r == 0 && i < k; i++) {
		int64_t first = (int64_t)((n * i + k - 1) / k);
		int64_t end = (int64_t)((n * (i + 1) + k - 1) / k);
		uint32_t id;

		memcpy(&id, (char *)zmq_msg_data(&job->targets) + 4 * i, 4);
		r = pin_block(in, job, id, first, end - first);
	}
	return r;
}

struct inline_job *inline_job_new(struct xci_inline *in, const struct msg_submit *s,
				  zmq_msg_t *frames)
{
	struct inline_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->submitted_ns = now_ns();
	job->has_inputs = true;
	if (s->job > in->last_job)
		in->last_job = s->job;
	job->id = s->job;
	job->pinned = s->pinned;
	job->items = s->items;
	job->chunk = s->chunk;
	job->priority = s->priority;
	job->flags = s->flags;
	job->max_attempts = (int)s->max_attempts;
	span_copy(job->label, sizeof job->label, s->label);
	zmq_msg_init(&job->frame);
	zmq_msg_move(&job->frame, &frames[0]);
	zmq_msg_init(&job->targets);
	zmq_msg_move(&job->targets, &frames[1]);
	zmq_msg_init(&job->payload);
	zmq_msg_move(&job->payload, &frames[2]);
	HASH_ADD(hh, in->jobs, id, sizeof job->id, job);
	if (!job->hh.tbl ||
	    task_frame_parse(&job->task, zmq_msg_data(&job->frame), zmq_msg_size(&job->frame)) <
		    0 ||
	    place_input(job) < 0 || prepare_reduction(job) < 0 ||
	    restrict_to_targets(in, job) < 0 || pin(in, job) < 0) {
		inline_job_free(in, job); /* and what was pinned of it */
		return NULL;
	}
	return job;
}

void inline_job_begin(struct xci_inline *in, struct inline_job *job)
{
	struct msg_result empty = { .job = job->id, .engine = -1 };
	zmq_msg_t none[2];

	if (job->items == 0) {
		zmq_msg_init(&none[0]);
		zmq_msg_init(&none[1]);
		inline_report(in, job, empty, 0, 0, &none[0], &none[1]);
	} else if (job->pinned) {
		in->running = job; /* keeps it */
		for (int i = 0; i < in->count; i++)
			if (in->engines[i].is_shut)
				inline_lose_pinned(in, &in->engines[i]);
		in->running = NULL;
		inline_job_settle(in, job);
	} else {
		inline_requeue(in, job, 0, job->items, 1, NULL);
		inline_check_engines(in);
	}
}

int inline_on_submit(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	struct inline_job *job;
	struct msg_submit s;
	int r = msg_submit_get(fields, &s);

	if (r < 0)
		return r;
	job = inline_job_new(in, &s, frames);
	if (!job)
		return -ENOMEM;
	in->received = s.seq;
	inline_job_begin(in, job);
	return 0;
}

/* The first run that has not begun with an item of [from, to). */
static struct inline_run *run_within(struct inline_run *runs, int64_t from, int64_t to)
{
	struct inline_run *run;

	DL_FOREACH (runs, run) {
		if (run->first < to && from < run->first + run->count)
			return run;
	}
	return NULL;
}

static void cancel_runs(struct xci_inline *in, struct inline_job *job, struct inline_run **runs,
			int64_t from, int64_t to)
{
	struct inline_run *run;

	while ((run = run_within(*runs, from, to))) {
		int64_t end = run->first + run->count;
		struct failure_run hit = { .first = run->first > from ? run->first : from,
					   .state = XC_CANCELLED,
					   .attempts = (uint64_t)run->attempt - 1,
					   .text = span_of("cancelled") };

		hit.count = (end < to ? end : to) - hit.first;
		DL_DELETE(*runs, run);
		inline_requeue(in, job, hit.first + hit.count, end - hit.first - hit.count,
			       run->attempt, NULL);
		inline_requeue(in, job, run->first, hit.first - run->first, run->attempt, NULL);
		free(run);
		update_runnable(in, job);
		inline_end_items(in, job, &hit, -1);
	}
}

void inline_job_cancel(struct xci_inline *in, struct inline_job *job, int64_t first, int64_t count)
{
	if (job->cancelled)
		return;
	if (first == 0 && count >= job->items) {
		cancel(in, job);
		return;
	}
	in->running = job; /* keeps it */
	cancel_runs(in, job, &job->rest, first, first + count);
	cancel_runs(in, job, &job->reruns, first, first + count);
	in->running = NULL;
	inline_job_settle(in, job);
}

int inline_on_cancel(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	struct msg_cancel m;
	struct inline_job *job;
	int r = msg_cancel_get(fields, &m);

	(void)frames;
	if (r < 0)
		return r;
	in->received = m.seq;
	job = inline_job_numbered(in, m.job);
	if (job && m.first >= 0 && m.count >= 0)
		inline_job_cancel(in, job, m.first, m.count);
	return 0;
}
