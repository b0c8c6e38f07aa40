/* history.c: jobs that have ended, the last so many of them, and results that were
 * delivered: within a budget of bytes; those that are to be kept within another. */
#include <string.h>
#include <utlist.h>

#include "controller/state.h"

#define INLINE_MAX     33    /* bytes that are within a zmq_msg_t */
#define RECEIVE_BUFFER 18432 /* libzmq's: a smaller frame that came in it keeps all of it */

/* ---- What it costs to keep ------------------------------------------------------- */

static uint64_t frame_cost(zmq_msg_t *frame)
{
	size_t size = zmq_msg_size(frame);

	if (size <= INLINE_MAX)
		return 0;
	return size > FRAME_COPY_MAX && size < RECEIVE_BUFFER ? RECEIVE_BUFFER : size;
}

static uint64_t parcel_cost(struct parcel *parcel)
{
	return sizeof *parcel + frame_cost(&parcel->frames[0]) + frame_cost(&parcel->frames[1]);
}

/* Jobs that wait for room. */
static void wake_kept(struct state *state, struct client *clients)
{
	struct client *client;
	struct job *job, *next;

	DL_FOREACH (clients, client) {
		HASH_ITER (hh, client->jobs, job, next) {
			if (job->is_left)
				job_update_runnable(state, job);
		}
	}
}

static void charge(struct state *state, struct job *job, uint64_t cost)
{
	job->cost += cost;
	*(job->flags & JOB_KEEP ? &state->history.kept_bytes : &state->history.bytes) += cost;
}

static void discharge(struct state *state, struct job *job, uint64_t cost)
{
	struct history *h = &state->history;
	bool was_full = h->kept_bytes > h->kept_max;

	job->cost -= cost;
	*(job->flags & JOB_KEEP ? &h->kept_bytes : &h->bytes) -= cost;
	if (was_full && h->kept_bytes <= h->kept_max) {
		wake_kept(state, state->clients);
		wake_kept(state, state->departed);
	}
}

/* ---- Giving up ------------------------------------------------------------------- */

static void drop_results(struct state *state, struct job *job)
{
	struct parcel *parcel, *next;
	uint64_t cost = 0;

	DL_FOREACH_SAFE (job->results, parcel, next) {
		cost += parcel_cost(parcel);
		DL_DELETE(job->results, parcel);
		parcel_free(state, parcel);
	}
	job->is_dropped = true;
	discharge(state, job, cost);
}

/* Only what is known of it stays. */
static void strip(struct state *state, struct job *job)
{
	drop_results(state, job);
	payload_unref(job->payload);
	job->payload = NULL;
	zmq_msg_close(&job->targets);
	zmq_msg_init(&job->targets);
	discharge(state, job, job->cost);
}

/* Down to the budget of bytes: the oldest give up theirs first. */
static void trim_bytes(struct state *state)
{
	struct history *h = &state->history;

	while (h->bytes > HISTORY_BYTES && h->fat) {
		struct job *job = h->fat;

		h->fat = job->next;
		if (!(job->flags & JOB_KEEP) && job->cost > 0)
			strip(state, job);
	}
}

static void trim_kept(struct state *state)
{
	struct history *h = &state->history;
	struct job *job;

	DL_FOREACH (h->jobs, job) {
		if (h->kept_bytes <= h->kept_max)
			return;
		if ((job->flags & JOB_KEEP) && job->cost > 0)
			strip(state, job);
	}
}

/* What is above it may go. The job may be gone afterwards. */
static void append(struct state *state, struct job *job)
{
	struct history *h = &state->history;

	DL_APPEND(h->jobs, job);
	h->count++;
	if (!h->fat)
		h->fat = job;
	trim_bytes(state);
	while (h->count > h->max)
		job_free(state, h->jobs);
}

/* ---- Results that somebody has had, or nobody can have now -------------------------- */

/* Those of a job are in the order in which they were made. */
static void keep_parcel(struct state *state, struct job *job, struct parcel *parcel)
{
	struct history *h = &state->history;

	if (job->is_dropped) {
		parcel_free(state, parcel);
		return;
	}
	parcel->next = NULL;
	DL_APPEND(job->results, parcel);
	charge(state, job, parcel_cost(parcel));
	if (job->flags & JOB_KEEP) {
		if (h->kept_bytes > h->kept_max)
			trim_kept(state);
		if (h->kept_bytes > h->kept_max && parcel->index <= job->had)
			drop_results(state, job);
	} else if (h->bytes > HISTORY_BYTES) {
		trim_bytes(state);
		if (h->bytes > HISTORY_BYTES)
			drop_results(state, job);
	}
}

void parcel_acknowledged(struct state *state, struct parcel *parcel)
{
	struct history *h = &state->history;
	struct job *job = parcel->job;

	if (!job) {
		parcel_free(state, parcel);
		return;
	}
	job->unacked--;
	if (parcel->index > job->had)
		job->had = parcel->index;
	if (!parcel->is_copy) {
		keep_parcel(state, job, parcel);
	} else {
		parcel_free(state, parcel);
		if (h->kept_bytes > h->kept_max && job->results &&
		    job->results->prev->index <= job->had)
			drop_results(state, job);
	}
	if (!job->is_kept || job->had < job->told)
		return;
	job->is_kept = false;
	DL_DELETE(h->kept, job);
	append(state, job);
}

void parcel_orphaned(struct state *state, struct parcel *parcel)
{
	struct job *job = parcel->job;

	if (job)
		job->unacked--;
	if (job && !parcel->is_copy)
		keep_parcel(state, job, parcel);
	else
		parcel_free(state, parcel);
}

/* ---- Results as they come ------------------------------------------------------------ */

void job_tell(struct state *state, struct job *job, struct msg_result *result, zmq_msg_t *failures,
	      zmq_msg_t *payload)
{
	struct parcel *parcel;

	job->told++;
	job->result_bytes += zmq_msg_size(payload);
	if (job->attachments)
		attachments_tell(state, job, result, failures, payload);
	if (job->is_left)
		parcel = parcel_make(state, result, failures, payload);
	else
		parcel = outbox_add(state, job->client, result, failures, payload);
	if (!parcel)
		return;
	parcel->index = job->told;
	parcel->is_copy = false;
	if (job->is_left) {
		keep_parcel(state, job, parcel);
	} else {
		parcel->job = job;
		job->unacked++;
	}
}

void job_leave(struct state *state, struct job *job)
{
	struct parcel *parcel;

	job->is_left = true;
	DL_FOREACH (job->client->parcels, parcel) {
		struct msg_result result;
		struct parcel *copy;
		zmq_msg_t frames[2];

		if (parcel->job != job || parcel->is_copy)
			continue;
		parcel->job = NULL;
		job->unacked--;
		parcel_head(parcel, &result);
		parcel_share(parcel, frames);
		copy = parcel_make(state, &result, &frames[0], &frames[1]);
		if (!copy)
			continue;
		copy->index = parcel->index;
		copy->is_copy = false;
		keep_parcel(state, job, copy);
	}
	job_update_runnable(state, job);
}

/* ---- Jobs that end, and are forgotten ---------------------------------------------- */

void job_finish(struct state *state, struct job *job)
{
	struct history *h = &state->history;

	job_retire(state, job);
	job->is_finished = true;
	if (!job->finished_ns)
		job->finished_ns = now_ns();
	if (!job->client) {
		job_free(state, job);
		return;
	}
	job->client->records++;
	charge(state, job, frame_cost(&job->payload->message) + frame_cost(&job->targets));
	job->is_kept = job->flags & JOB_KEEP;
	if (job->is_kept)
		DL_APPEND(h->kept, job);
	else
		append(state, job);
}

/* Parcels on their way do not know it any more. */
static void forget_parcels(struct job *job, struct client *client)
{
	struct parcel *parcel;

	DL_FOREACH (client->parcels, parcel) {
		if (job->unacked == 0)
			return;
		if (parcel->job != job)
			continue;
		parcel->job = NULL;
		job->unacked--;
	}
}

void history_remove(struct state *state, struct job *job)
{
	struct history *h = &state->history;
	struct client *client;

	if (job->unacked > 0)
		forget_parcels(job, job->client);
	DL_FOREACH (state->clients, client) {
		if (job->unacked == 0)
			break;
		forget_parcels(job, client);
	}
	drop_results(state, job);
	discharge(state, job, job->cost);
	if (!job->is_finished)
		return;
	job->client->records--;
	if (job->is_kept) {
		DL_DELETE(h->kept, job);
		return;
	}
	if (h->fat == job)
		h->fat = job->next;
	DL_DELETE(h->jobs, job);
	h->count--;
}

void history_free(struct state *state)
{
	struct history *h = &state->history;

	while (h->jobs)
		job_free(state, h->jobs);
	while (h->kept)
		job_free(state, h->kept);
}
