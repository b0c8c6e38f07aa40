/* everywhere.c: what was sent to all engines, for those that come later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/log.h"

static void entry_free(struct state *state, struct everywhere *entry)
{
	if (entry->has_object)
		hold_drop(state, entry->object);
	DL_DELETE(state->log, entry);
	zmq_msg_close(&entry->task);
	zmq_msg_close(&entry->payload);
	free(entry);
}

/* Empty name: all variables. */
static void forget(struct state *state, const char *name, bool is_variable)
{
	struct everywhere *entry, *next;

	DL_FOREACH_SAFE (state->log, entry, next) {
		if (entry->is_variable == is_variable &&
		    (!name[0] || strcmp(entry->name, name) == 0))
			entry_free(state, entry);
	}
}

/* By id, to be given to free(); NULL when memory is out. */
static bool *targets_by_id(const struct state *state, zmq_msg_t *targets)
{
	bool *is_target = calloc((size_t)state->engine_count + 1, sizeof *is_target);
	const char *ids = zmq_msg_data(targets);

	for (size_t at = 0; is_target && at + 4 <= zmq_msg_size(targets); at += 4) {
		uint32_t target;

		memcpy(&target, ids + at, 4);
		if (target < (uint32_t)state->engine_count)
			is_target[target] = true;
	}
	return is_target;
}

static void reach_others(struct state *state, struct job *job, zmq_msg_t *targets)
{
	bool *is_target = targets_by_id(state, targets);

	if (!is_target) {
		log_line("out of memory: engines that have just come lack \"%s\"", job_name(job));
		return;
	}
	for (int i = 0; i < state->engine_count; i++) {
		struct engine *engine = state->engines[i];
		struct job *extra;

		if (!engine->has_log || !engine_takes_pinned(engine) || is_target[i])
			continue;
		extra = job_internal(state, job_name(job), &job->task, &job->payload->message);
		if (extra)
			pinned_add(state, engine, extra, 0, 1, 1, false);
	}
	free(is_target);
}

static void add_entry(struct state *state, struct job *job, struct span object)
{
	struct everywhere *entry = calloc(1, sizeof *entry);

	if (!entry) {
		log_line("out of memory: engines that join later will lack \"%s\"", job_name(job));
		return;
	}
	snprintf(entry->name, sizeof entry->name, "%s", job_name(job));
	entry->is_variable = job->flags & JOB_VARIABLE;
	entry->job = job;
	zmq_msg_init(&entry->task);
	zmq_msg_copy(&entry->task, &job->task);
	zmq_msg_init(&entry->payload);
	zmq_msg_copy(&entry->payload, &job->payload->message);
	if (object.size == OBJECT_SIZE) {
		entry->has_object = true;
		memcpy(entry->object, object.data, OBJECT_SIZE);
		hold_add(state, entry->object);
	}
	DL_APPEND(state->log, entry);
}

void everywhere_submit(struct state *state, struct job *job, struct span object, zmq_msg_t *targets)
{
	forget(state, job_name(job), job->flags & JOB_VARIABLE);
	if (job->flags & JOB_EVERYWHERE)
		add_entry(state, job, object);
	reach_others(state, job, targets);
}

/* A library whose constructor crashes or does not end would go on to do so in every
 * engine to come. */
void everywhere_end(struct state *state, const struct job *job)
{
	struct everywhere *entry, *next;

	DL_FOREACH_SAFE (state->log, entry, next) {
		if (entry->job != job)
			continue;
		entry->job = NULL;
		if (job->failed == job->items)
			entry_free(state, entry);
	}
}

/* Before what clients have for the engine already: one that died at its first
 * start is in their views. */
void everywhere_replay(struct state *state, struct engine *engine)
{
	struct everywhere *entry = state->log ? state->log->prev : NULL;

	for (; entry; entry = entry == state->log ? NULL : entry->prev) {
		struct job *job = job_internal(state, entry->name, &entry->task, &entry->payload);

		if (job)
			pinned_add(state, engine, job, 0, 1, 1, true);
	}
}

void everywhere_free(struct state *state)
{
	struct everywhere *entry, *next;

	DL_FOREACH_SAFE (state->log, entry, next) {
		entry_free(state, entry);
	}
}
