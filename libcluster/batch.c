/* batch.c: many submissions of one item each become one job when the engines are
 * busy anyway. One that finds them idle goes at once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define BATCH_ITEMS	512
#define BATCH_BYTES	65536
#define BATCH_AGE_NS	200000 /* held back no longer than this by further calls */
#define IDLE_PER_ENGINE 2      /* in flight, up to which an engine counts as idle */

static bool same_options(const struct xc_map_options *a, const struct xc_map_options *b)
{
	const char *f = a->function ? a->function : "", *g = b->function ? b->function : "";
	const char *l = a->label ? a->label : "", *k = b->label ? b->label : "";

	return a->start == b->start && a->step == b->step && a->chunk == b->chunk &&
	       a->max_attempts == b->max_attempts && a->priority == b->priority &&
	       a->time_limit == b->time_limit && a->on_failure == b->on_failure &&
	       a->at_most_once == b->at_most_once && a->output == b->output && strcmp(f, g) == 0 &&
	       strcmp(l, k) == 0;
}

static bool fits(const struct xci_batch *batch, xc_task_fn *fn, size_t in_size, size_t out_size,
		 const struct xc_map_options *options)
{
	return batch->is_open && batch->fn == fn && batch->in_size == in_size &&
	       batch->out_size == out_size && same_options(&batch->options, options);
}

void xci_batch_forget(struct xci_batch *batch)
{
	free((char *)(uintptr_t)batch->options.function);
	free((char *)(uintptr_t)batch->options.label);
	batch->options.function = batch->options.label = NULL;
	batch->is_open = false;
}

/* From now on the batch is of tasks like this one. */
static int reopen(struct xc_client *client, xc_task_fn *fn, size_t in_size, size_t out_size,
		  const struct xc_map_options *options, struct xc_error *err)
{
	struct xci_batch *batch = &client->batch;
	struct task_frame task = { .form = in_size ? FORM_STRIDED : FORM_SAME,
				   .in_size = in_size,
				   .out_size = out_size,
				   .step = 1,
				   .apart = 1,
				   .time_limit_ns = (uint64_t)(options->time_limit * 1e9) };
	int r = xci_batch_flush(client);

	xci_batch_forget(batch);
	if (r == 0)
		r = xci_ship(client, fn, options->function, &task, err);
	if (r < 0)
		return r;
	batch->frame_size = task_frame_pack(batch->frame, sizeof batch->frame, &task);
	batch->fn = fn;
	batch->in_size = in_size;
	batch->out_size = out_size;
	batch->options = *options;
	batch->options.function = options->function ? strdup(options->function) : NULL;
	batch->options.label = options->label ? strdup(options->label) : NULL;
	if (!batch->inputs)
		batch->inputs = malloc(BATCH_BYTES + 1024);
	if (!batch->members)
		batch->members = malloc(BATCH_ITEMS * sizeof *batch->members);
	if (!batch->inputs || !batch->members || (options->function && !batch->options.function) ||
	    (options->label && !batch->options.label))
		return error_set(err, -ENOMEM, "out of memory");
	batch->submit =
		(struct msg_submit){ .form = task.form, .in_size = in_size, .out_size = out_size };
	xci_submit_fields(&batch->submit, &batch->options);
	/* Each is a job of its own: none is stopped by, or grouped with, another. */
	batch->submit.flags &= ~(uint64_t)JOB_STOP_ON_FAILURE;
	batch->submit.chunk = 0;
	batch->is_open = true;
	return 0;
}

int xci_batch_flush(struct xc_client *client)
{
	struct xci_batch *batch = &client->batch;
	struct msg_submit m = batch->submit;
	unsigned char header[512];
	struct xci_job *job;
	zmq_msg_t frames[3];
	int r;

	if (!batch->count)
		return 0;
	job = calloc(1, sizeof *job);
	if (!job || !(job->members = malloc((size_t)batch->count * sizeof *job->members))) {
		free(job);
		return -ENOMEM;
	}
	job->id = ++client->last_job;
	job->count = batch->count;
	job->input_bytes = (uint64_t)batch->count * batch->in_size;
	memcpy(job->members, batch->members, (size_t)batch->count * sizeof *job->members);
	for (int64_t i = 0; i < job->count; i++) {
		if (!job->members[i])
			continue; /* destroyed meanwhile */
		job->members[i]->job = job;
		job->members[i]->index = i;
	}
	HASH_ADD(hh, client->jobs, id, sizeof job->id, job);
	client->input_bytes += job->input_bytes;
	m.seq = client->sent_seq + 1;
	m.weight = client->weight;
	m.ack = client->received;
	xci_acked(client);
	m.job = job->id;
	m.items = batch->count;
	frame_copy(&frames[0], batch->frame, batch->frame_size);
	zmq_msg_init(&frames[1]);
	frame_copy(&frames[2], batch->inputs, (size_t)batch->count * batch->in_size);
	batch->count = 0;
	r = xci_send(client, m.seq, header, msg_submit_pack(header, sizeof header, &m), frames, 3);
	if (r < 0) {
		xci_job_abandon(job, "it could not be sent: out of memory");
		xci_job_forget(client, job);
	}
	return r;
}

static bool has_room(void *argument)
{
	struct xc_client *client = argument;

	return client->input_bytes < client->credit;
}

struct xc_result *xci_batch_add(struct xc_client *client, xc_task_fn *fn, const void *in,
				size_t in_size, void *out, size_t out_size,
				const struct xc_map_options *options, struct xc_error *err)
{
	struct xci_batch *batch = &client->batch;
	struct xc_result *result;
	bool is_idle;
	int r = 0;

	if (!fits(batch, fn, in_size, out_size, options) || batch->count == 0) {
		/* Also tells whether the store still has the program. */
		r = reopen(client, fn, in_size, out_size, options, err);
		if (r < 0)
			return NULL;
		batch->since_ns = now_ns();
	}
	if (client->is_lost || client->input_bytes >= client->credit)
		r = xci_wait(client, -1, has_room, client);
	if (client->is_lost || r == XC_ELOST) {
		xci_lost(client, err);
		return NULL;
	}
	if (r < 0) {
		error_set(err, r, "xc_apply: %s while waiting for room in the controller",
			  r == -EINTR ? "interrupted by a signal" : error_text(r));
		return NULL;
	}
	result = xci_result_new(client, 1, out, out_size);
	if (!result) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	result->is_single = true;
	result->index = batch->count;
	result->progress = options->progress;
	result->output = options->output;
	if (in_size)
		memcpy(batch->inputs + (size_t)batch->count * in_size, in, in_size);
	batch->members[batch->count++] = result;
	is_idle = client->singles < (int64_t)IDLE_PER_ENGINE * client->up;
	client->singles++;
	xci_loop_stir(client);
	if (is_idle || batch->count == BATCH_ITEMS ||
	    (size_t)batch->count * in_size > BATCH_BYTES ||
	    now_ns() - batch->since_ns > BATCH_AGE_NS)
		xci_pump(client, 0); /* sends it, and takes in what has arrived */
	return result;
}
