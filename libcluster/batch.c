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
#define TAKE_IN_EVERY	16     /* jobs, for programs that never wait for any */

static bool same_options(const struct xc_map_options *a, const struct xc_map_options *b)
{
	const char *f = a->function ? a->function : "", *g = b->function ? b->function : "";
	const char *n = a->library ? a->library : "", *o = b->library ? b->library : "";
	const char *l = a->label ? a->label : "", *k = b->label ? b->label : "";

	return a->start == b->start && a->step == b->step && a->chunk == b->chunk &&
	       a->max_attempts == b->max_attempts && a->priority == b->priority &&
	       a->time_limit == b->time_limit && a->on_failure == b->on_failure &&
	       a->at_most_once == b->at_most_once && a->on_disconnect == b->on_disconnect &&
	       a->output == b->output && a->seed == b->seed && a->bitgen == b->bitgen &&
	       a->streams == b->streams && !a->seed_sequence == !b->seed_sequence &&
	       strcmp(f, g) == 0 && strcmp(l, k) == 0 && strcmp(n, o) == 0;
}

static bool fits(const struct xci_batch *batch, xc_task_fn *fn, size_t out_size,
		 const struct xc_map_options *options)
{
	return batch->is_open && batch->fn == fn && batch->out_size == out_size &&
	       same_options(&batch->options, options) &&
	       (!options->seed_sequence || xci_streams_are(&batch->task, options));
}

void xci_batch_forget(struct xci_batch *batch)
{
	free((char *)(uintptr_t)batch->options.function);
	free((char *)(uintptr_t)batch->options.library);
	free((char *)(uintptr_t)batch->options.label);
	batch->options.function = batch->options.library = batch->options.label = NULL;
	batch->is_open = false;
}

static bool has_buffers(struct xci_batch *batch)
{
	if (!batch->inputs)
		batch->inputs = malloc(BATCH_BYTES + XCI_BATCH_INPUT_MAX);
	if (!batch->offsets)
		batch->offsets = calloc(BATCH_ITEMS + 1, sizeof *batch->offsets);
	if (!batch->members)
		batch->members = malloc(BATCH_ITEMS * sizeof *batch->members);
	return batch->inputs && batch->offsets && batch->members;
}

/* Fills in which function it is, and sees that the store has its program. */
static int name_task(struct xc_client *client, xc_task_fn *fn, struct xc_error *err)
{
	struct xci_batch *batch = &client->batch;
	int r;

	batch->frame_size = 0;
	r = xci_ship(client, fn, &batch->options, &batch->task, err);
	if (r < 0 || batch->options.on_disconnect != XC_DISCONNECT_KEEP)
		return r;
	memcpy(batch->object, batch->task.object.data, OBJECT_SIZE);
	return xci_store_linger(client, err);
}

/* From now on the batch is of tasks like this one. */
static int reopen(struct xc_client *client, xc_task_fn *fn, size_t out_size,
		  const struct xc_map_options *options, struct xc_error *err)
{
	struct xci_batch *batch = &client->batch;
	int r = xci_batch_flush(client);

	if (r < 0) /* what is held back still needs what is known of it */
		return error_set(err, r, "xc_apply: what was held back cannot be sent: %s",
				 error_text(r));
	xci_batch_forget(batch);
	batch->options = *options;
	batch->options.function = options->function ? strdup(options->function) : NULL;
	batch->options.library = options->library ? strdup(options->library) : NULL;
	batch->options.label = options->label ? strdup(options->label) : NULL;
	if (!has_buffers(batch) || (options->function && !batch->options.function) ||
	    (options->library && !batch->options.library) ||
	    (options->label && !batch->options.label))
		return error_set(err, -ENOMEM, "out of memory");
	batch->task = (struct task_frame){ .out_size = out_size,
					   .step = 1,
					   .apart = 1,
					   .time_limit_ns = (uint64_t)(options->time_limit * 1e9) };
	/* Each is item 0 of a job of its own to its task. */
	r = xci_streams_ask(options, 0, true, &batch->task, batch->pool);
	if (r < 0)
		return error_set(err, r, "out of memory");
	r = name_task(client, fn, err);
	if (r < 0)
		return r;
	batch->fn = fn;
	batch->out_size = out_size;
	batch->is_uneven = false;
	batch->submit = (struct msg_submit){ .out_size = out_size };
	xci_submit_fields(&batch->submit, &batch->options);
	/* Each is a job of its own: none is stopped by, or grouped with, another. */
	batch->submit.flags &= ~(uint64_t)JOB_STOP_ON_FAILURE;
	batch->submit.flags |= JOB_APART;
	if (options->on_disconnect == XC_DISCONNECT_KEEP)
		batch->submit.object = (struct span){ batch->object, OBJECT_SIZE };
	batch->submit.chunk = 0;
	batch->is_open = true;
	return 0;
}

/* Task frame and inputs as they are wanted: in a row when all are of one size, else
 * with their offsets. */
static int fill_frames(struct xci_batch *batch, zmq_msg_t *frames)
{
	struct task_frame *task = &batch->task;
	size_t bytes = batch->offsets[batch->count], table = 0, in_size = 0;
	enum item_form form = FORM_PACKED;

	if (batch->is_uneven) {
		table = ((size_t)batch->count + 1) * sizeof *batch->offsets;
	} else {
		in_size = batch->offsets[1];
		form = in_size ? FORM_STRIDED : FORM_SAME;
	}
	if (!batch->frame_size || task->form != form || task->in_size != in_size) {
		batch->submit.form = task->form = form;
		batch->submit.in_size = task->in_size = in_size;
		batch->frame_size = task_frame_pack(batch->frame, sizeof batch->frame, task);
	}
	zmq_msg_init(&frames[1]);
	if (frame_copy(&frames[0], batch->frame, batch->frame_size) < 0 ||
	    zmq_msg_init_size(&frames[2], table + bytes) < 0) {
		zmq_msg_close(&frames[0]);
		return -ENOMEM;
	}
	if (table)
		memcpy(zmq_msg_data(&frames[2]), batch->offsets, table);
	if (bytes)
		memcpy((char *)zmq_msg_data(&frames[2]) + table, batch->inputs, bytes);
	return 0;
}

/* The job that the batch is going to be; NULL: no memory. */
static struct xci_job *job_of(struct xc_client *client)
{
	const struct xci_batch *batch = &client->batch;
	size_t size = (size_t)batch->count * sizeof *batch->members;
	struct xci_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->id = ++client->last_job;
	job->count = batch->count;
	job->input_bytes = batch->offsets[batch->count];
	job->members = malloc(size);
	if (!job->members || xci_job_add(client, job) < 0) {
		free(job->members);
		free(job);
		return NULL;
	}
	memcpy(job->members, batch->members, size);
	return job;
}

int xci_batch_flush(struct xc_client *client)
{
	struct xci_batch *batch = &client->batch;
	unsigned char header[512];
	struct msg_submit m;
	struct xci_job *job;
	zmq_msg_t frames[3];
	int r;

	if (!batch->count)
		return 0;
	job = job_of(client);
	if (!job)
		return -ENOMEM;
	r = fill_frames(batch, frames);
	m = batch->submit;
	m.seq = client->sent_seq + 1;
	m.weight = client->weight;
	m.ack = client->received;
	m.job = job->id;
	m.items = batch->count;
	if (r == 0)
		r = xci_send(client, m.seq, header, msg_submit_pack(header, sizeof header, &m),
			     frames, 3);
	if (r < 0) { /* it stays here, to be sent the next time */
		xci_job_forget(client, job);
		return r;
	}
	xci_acked(client);
	for (int64_t i = 0; i < job->count; i++) {
		if (!job->members[i])
			continue; /* destroyed meanwhile */
		job->members[i]->job = job;
		job->members[i]->index = i;
		job->members[i]->number = job->id;
	}
	batch->count = 0;
	batch->is_uneven = false;
	return 0;
}

static bool is_full(const struct xci_batch *batch)
{
	return batch->count == BATCH_ITEMS ||
	       (batch->count && batch->offsets[batch->count] > BATCH_BYTES);
}

/* Puts the input beside those that wait. */
static void add_input(struct xci_batch *batch, const void *in, size_t in_size)
{
	uint64_t at = batch->count ? batch->offsets[batch->count] : 0;

	if (in_size)
		memcpy(batch->inputs + at, in, in_size);
	batch->offsets[batch->count + 1] = at + in_size;
	batch->is_uneven |= in_size != batch->offsets[1];
}

static bool has_room(void *argument)
{
	struct xc_client *client = argument;

	return client->input_bytes < client->credit;
}

/* Takes in what has arrived, too, but where that would run items. */
static void send_now(struct xc_client *client)
{
	if (client->inside)
		xci_batch_flush(client);
	else
		xci_pump(client, 0);
}

struct xc_result *xci_batch_add(struct xc_client *client, xc_task_fn *fn, const void *in,
				size_t in_size, void *out, size_t out_size,
				const struct xc_map_options *options, struct xc_error *err)
{
	struct xci_batch *batch = &client->batch;
	struct xc_result *result;
	bool is_idle;
	int r = xci_inline_check(client->inside, "xc_apply", err);

	if (r < 0)
		return NULL;
	if (!fits(batch, fn, out_size, options) || is_full(batch))
		r = reopen(client, fn, out_size, options, err);
	else if (batch->count == 0) /* the store may have lost the program */
		r = name_task(client, fn, err);
	if (r < 0)
		return NULL;
	if (batch->count == 0)
		batch->since_ns = now_ns();
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
	result->is_kept = options->on_disconnect == XC_DISCONNECT_KEEP;
	result->progress = options->progress;
	result->output = options->output;
	add_input(batch, in, in_size);
	batch->members[batch->count++] = result;
	is_idle = client->singles < (int64_t)IDLE_PER_ENGINE * client->up;
	client->singles++;
	xci_loop_stir(client);
	if (is_idle && client->last_job % TAKE_IN_EVERY)
		xci_batch_flush(client);
	else if (is_idle || is_full(batch) || now_ns() - batch->since_ns > BATCH_AGE_NS)
		send_now(client);
	return result;
}
