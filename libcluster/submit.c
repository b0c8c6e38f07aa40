/* submit.c: map and apply: from the call to a job on the wire. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define SIZE_LIMIT (UINT64_C(1) << 40)
#define OUT_LIMIT  (UINT64_C(1) << 34) /* an engine must hold one result */

static const struct xc_map_options no_options = XC_MAP_OPTIONS_INIT;

static int check_library(const struct xc_map_options *o, struct xc_error *err)
{
	if (!o->function)
		return error_set(err, -EINVAL,
				 "options.library (\"%.60s\") says where options.function is from, "
				 "which is NULL: set that, too",
				 o->library);
	if (!*o->library || strlen(o->library) > 255 || strchr(o->library, '/'))
		return error_set(err, -EINVAL,
				 "options.library \"%.60s\" must be a name of 1 to 255 bytes, "
				 "without folder",
				 o->library);
	return 0;
}

int xci_options_check(const struct xc_map_options *o, struct xc_error *err)
{
	if (o->chunk < 0)
		return error_set(err, -EINVAL, "options.chunk is negative (%lld)",
				 (long long)o->chunk);
	if (o->max_attempts < 0)
		return error_set(err, -EINVAL, "options.max_attempts is negative (%d)",
				 o->max_attempts);
	if (!(o->time_limit >= 0) || o->time_limit > 1e9)
		return error_set(err, -EINVAL, "options.time_limit must be from 0 to 1e9 s, not %g",
				 o->time_limit);
	if (o->on_failure != XC_CONTINUE && o->on_failure != XC_STOP)
		return error_set(err, -EINVAL,
				 "options.on_failure is neither XC_CONTINUE nor "
				 "XC_STOP");
	if (o->on_disconnect != XC_DISCONNECT_CANCEL && o->on_disconnect != XC_DISCONNECT_KEEP)
		return error_set(err, -EINVAL,
				 "options.on_disconnect is neither XC_DISCONNECT_CANCEL nor "
				 "XC_DISCONNECT_KEEP");
	if (xci_streams_check(o, err) < 0)
		return -EINVAL;
	if (o->label && strlen(o->label) > 63)
		return error_set(err, -EINVAL, "options.label is longer than 63 bytes");
	if (o->function && (!*o->function || strlen(o->function) > 255))
		return error_set(err, -EINVAL, "options.function must have 1 to 255 bytes");
	if (o->library)
		return check_library(o, err);
	return 0;
}

void xci_submit_fields(struct msg_submit *m, const struct xc_map_options *o)
{
	m->chunk = o->chunk;
	m->max_attempts = o->max_attempts ? (uint64_t)o->max_attempts : 1;
	m->flags |= o->on_failure == XC_STOP ? JOB_STOP_ON_FAILURE : 0;
	m->flags |= o->at_most_once ? JOB_AT_MOST_ONCE : 0;
	m->flags |= o->on_disconnect == XC_DISCONNECT_KEEP ? JOB_KEEP : 0;
	m->label = span_of(o->label);
	m->priority = o->priority;
}

/* The controller's memory is bounded: who has too much queued waits. */
static bool has_credit(void *argument)
{
	struct xc_client *client = argument;

	return client->input_bytes < client->credit;
}

static int send_job(struct xci_submission *s, struct xc_result *result, const uint32_t *targets,
		    int target_count, struct xc_error *err)
{
	struct xc_client *client = s->view->client;
	unsigned char header[512], frame[TASK_FRAME_MAX], pool[STREAMS_POOL_BYTES];
	struct msg_submit m = { .pinned = s->view->kind != VIEW_BALANCED,
				.items = s->items,
				.form = s->task.form,
				.in_size = s->task.in_size,
				/* of nodes: not a size an item */
				.out_size = s->tree ? 0 : s->task.out_size,
				.flags = s->flags | (s->tree ? JOB_REDUCE : 0),
				.name = span_of(s->name) };
	struct xci_job *job = calloc(1, sizeof *job);
	size_t size, task_size = 0;
	zmq_msg_t frames[3];
	int r = xci_streams_ask(s->options, s->stream_first, false, &s->task, pool);

	if (r == 0)
		task_size = task_frame_pack(frame, sizeof frame, &s->task);
	if (!job || !task_size) {
		free(job);
		zmq_msg_close(&s->payload);
		return error_set(err, -ENOMEM, "out of memory");
	}
	job->id = ++client->last_job;
	job->single = result;
	job->input_bytes = zmq_msg_size(&s->payload);
	xci_submit_fields(&m, s->options);
	m.seq = client->sent_seq + 1;
	m.weight = client->weight;
	m.ack = client->received;
	m.job = job->id;
	if (s->object)
		m.object = (struct span){ s->object, OBJECT_SIZE };
	else if (m.flags & JOB_KEEP)
		m.object = s->task.object;
	size = msg_submit_pack(header, sizeof header, &m);
	r = frame_copy(&frames[0], frame, task_size);
	r |= frame_copy(&frames[1], targets, (size_t)target_count * sizeof *targets);
	zmq_msg_init(&frames[2]);
	zmq_msg_move(&frames[2], &s->payload);
	zmq_msg_close(&s->payload);
	if (r < 0 || !size) {
		for (int i = 0; i < 3; i++)
			zmq_msg_close(&frames[i]);
		free(job);
		return error_set(err, -ENOMEM, "out of memory");
	}
	if (xci_job_add(client, job) < 0) {
		for (int i = 0; i < 3; i++)
			zmq_msg_close(&frames[i]);
		free(job);
		return error_set(err, -ENOMEM, "out of memory");
	}
	r = xci_send(client, m.seq, header, size, frames, 3);
	if (r < 0) {
		xci_job_forget(client, job);
		if (r == XC_ELOST)
			return xci_lost(client, err);
		return error_set(err, r, "cannot send the job: %s", error_text(r));
	}
	xci_acked(client);
	result->job = job;
	result->number = job->id;
	result->is_kept = m.flags & JOB_KEEP;
	return 0;
}

struct xc_result *xci_submit(struct xci_submission *s, struct xc_error *err)
{
	struct xc_client *client = s->view->client;
	uint32_t *targets = NULL;
	struct xc_result *result = NULL;
	int count = 0, r = xci_inline_check(client->inside, "the submission", err);

	if (r == 0 && s->items > 0 && (s->view->kind != VIEW_BALANCED || s->view->count))
		r = xci_view_targets(s->view, &targets, &count, err);
	if (r == 0) {
		if (client->batch.count)
			r = xci_batch_flush(client); /* the order of submission holds */
		if (r == 0 && zmq_msg_size(&s->payload) > 0)
			r = xci_wait(client, -1, has_credit, client);
		if (r == 0 && client->is_lost)
			r = XC_ELOST;
		if (r < 0)
			xci_wait_failed(client, "submitting", r, err);
	}
	if (r == 0) {
		result = xci_result_new(client, s->items, s->out, s->tree ? 0 : s->task.out_size);
		if (result)
			result->tree = s->tree;
		else
			r = error_set(err, -ENOMEM, "out of memory");
	}
	if (r < 0) {
		zmq_msg_close(&s->payload);
		free(targets);
		return NULL;
	}
	result->progress = s->options->progress;
	result->output = s->options->output;
	r = send_job(s, result, targets, count, err);
	free(targets);
	if (r < 0) {
		result->tree = NULL; /* the caller's again */
		xc_result_destroy(result);
		return NULL;
	}
	return result;
}

int xci_finish(struct xc_result *result, struct xc_error *err)
{
	int r;

	if (!result)
		return err && err->code < 0 ? err->code : -EINVAL;
	r = xc_wait(result, -1, err);
	if (result->is_kept && !result->is_ready)
		xc_cancel(result, XC_CANCEL_QUEUED, NULL);
	xc_result_destroy(result); /* cancels what has not ended */
	return r;
}

/* ---- Map ------------------------------------------------------------------------ */

static int check(struct xci_call *c, struct xc_error *err)
{
	const char *name = c->name;

	if (!c->options)
		c->options = &no_options;
	if (!c->view)
		return error_set(err, -EINVAL, "%s: view is NULL", name);
	if (c->n < 0 || c->n > INT64_MAX / 4)
		return error_set(err, -EINVAL, "%s: n must be from 0 to 2^61 - 1, not %lld", name,
				 (long long)c->n);
	if (c->out_size > OUT_LIMIT)
		return error_set(err, -EINVAL, "%s: out_size %zu is over 2^34 bytes an item", name,
				 c->out_size);
	if (c->tree)
		return xci_options_check(c->options, err);
	if (c->out_size && !c->out && c->n)
		return error_set(err, -EINVAL, "%s: out is NULL, but out_size is %zu", name,
				 c->out_size);
	if (!c->out_size && c->out)
		return error_set(err, -EINVAL,
				 "%s: out is given, but out_size is 0; give sizeof(one result), or "
				 "NULL for variable-length results",
				 name);
	return xci_options_check(c->options, err);
}

/* The numbers are int64_t, the last one, too. */
static int check_range(const struct xci_call *c, struct xc_error *err)
{
	int64_t step = c->options->step ? c->options->step : 1, last;

	if (c->n == 0 || (!__builtin_mul_overflow(c->n - 1, step, &last) &&
			  !__builtin_add_overflow(last, c->options->start, &last)))
		return 0;
	return error_set(err, -EINVAL,
			 "%s: options.start %lld and step %lld lead beyond int64_t in %lld items",
			 c->name, (long long)c->options->start, (long long)step, (long long)c->n);
}

/* Before they are copied. */
static int check_bytes(const struct xc_client *client, const char *call, uint64_t size,
		       struct xc_error *err)
{
	if (size <= 4 * client->credit) /* as the controller has it */
		return 0;
	return error_set(err, -EMSGSIZE,
			 "%s: %llu bytes of items are more than a job may have (%llu): push the "
			 "array with xc_push and map over a range, or map it in parts",
			 call, (unsigned long long)size, (unsigned long long)(4 * client->credit));
}

static struct xc_result *submit(struct xci_call *c, struct xci_submission *s, struct xc_error *err)
{
	if (xci_ship(c->view->client, c->fn, c->options, &s->task, err) < 0 ||
	    (c->tree && xci_ship_reduction(c, &s->task, err) < 0) ||
	    (c->options->on_disconnect == XC_DISCONNECT_KEEP &&
	     xci_store_linger(c->view->client, err) < 0)) {
		zmq_msg_close(&s->payload);
		return NULL;
	}
	s->view = c->view;
	s->items = c->n;
	s->out = c->out;
	s->tree = c->tree;
	s->options = c->options;
	s->task.out_size = c->out_size;
	s->task.start = c->options->start;
	s->task.step = c->options->step ? c->options->step : 1;
	s->task.time_limit_ns = (uint64_t)(c->options->time_limit * 1e9);
	return xci_submit(s, err);
}

struct xc_result *xci_map_range(struct xci_call *c, struct xc_error *err)
{
	struct xci_submission s = { .task.form = FORM_RANGE };

	if (check(c, err) < 0 || check_range(c, err) < 0)
		return NULL;
	zmq_msg_init(&s.payload);
	return submit(c, &s, err);
}

struct xc_result *xci_map_strided(struct xci_call *c, const void *in, size_t in_size,
				  struct xc_error *err)
{
	struct xci_submission s = { .task = { .form = FORM_STRIDED, .in_size = in_size } };
	uint64_t size;

	if (check(c, err) < 0)
		return NULL;
	if ((c->n > 0 && (!in || !in_size)) || in_size > SIZE_LIMIT ||
	    __builtin_mul_overflow((uint64_t)c->n, (uint64_t)in_size, &size)) {
		error_set(err, -EINVAL, "%s: in is NULL, or in_size (%zu) is 0 or too large",
			  c->name, in_size);
		return NULL;
	}
	if (check_bytes(c->view->client, c->name, size, err) < 0)
		return NULL;
	if (frame_copy(&s.payload, in, size) < 0) {
		error_set(err, -ENOMEM, "%s: no memory for %llu bytes of items", c->name,
			  (unsigned long long)size);
		return NULL;
	}
	return submit(c, &s, err);
}

int xci_pack_items(const struct xc_client *client, const struct xc_bytes *items, int64_t n,
		   zmq_msg_t *frame, struct xc_error *err)
{
	uint64_t table = 8 * ((uint64_t)n + 1), total = 0;
	char *data;

	for (int64_t i = 0; i < n; i++) {
		if ((!items[i].data && items[i].size) ||
		    __builtin_add_overflow(total, items[i].size, &total) || total > SIZE_LIMIT)
			return error_set(err, -EINVAL,
					 "xc_map_packed: item %lld has no data or is too large",
					 (long long)i);
	}
	if (check_bytes(client, "xc_map_packed", table + total, err) < 0)
		return err ? err->code : -EMSGSIZE;
	if (zmq_msg_init_size(frame, table + total) < 0)
		return error_set(err, -ENOMEM, "xc_map_packed: no memory for %llu bytes of items",
				 (unsigned long long)(table + total));
	data = zmq_msg_data(frame);
	total = 0;
	for (int64_t i = 0; i < n; i++) {
		memcpy(data + 8 * i, &total, 8);
		if (items[i].size)
			memcpy(data + table + total, items[i].data, items[i].size);
		total += items[i].size;
	}
	memcpy(data + 8 * n, &total, 8);
	return 0;
}

struct xc_result *xci_map_packed(struct xci_call *c, const struct xc_bytes *items,
				 struct xc_error *err)
{
	struct xci_submission s = { .task.form = FORM_PACKED };

	if (check(c, err) < 0)
		return NULL;
	if (c->n > 0 && !items) {
		error_set(err, -EINVAL, "%s: items is NULL", c->name);
		return NULL;
	}
	if (xci_pack_items(c->view->client, items, c->n, &s.payload, err) < 0)
		return NULL;
	return submit(c, &s, err);
}

struct xc_result *xc_map_range_async(const struct xc_view *view, xc_task_fn *fn, int64_t n,
				     void *out, size_t out_size,
				     const struct xc_map_options *options, struct xc_error *err)
{
	struct xci_call c = { "xc_map_range", view, fn, n, out, out_size, options, NULL };

	return xci_map_range(&c, err);
}

struct xc_result *xc_map_async(const struct xc_view *view, xc_task_fn *fn, const void *in,
			       size_t in_size, int64_t n, void *out, size_t out_size,
			       const struct xc_map_options *options, struct xc_error *err)
{
	struct xci_call c = { "xc_map", view, fn, n, out, out_size, options, NULL };

	return xci_map_strided(&c, in, in_size, err);
}

struct xc_result *xc_map_packed_async(const struct xc_view *view, xc_task_fn *fn,
				      const struct xc_bytes *items, int64_t n, void *out,
				      size_t out_size, const struct xc_map_options *options,
				      struct xc_error *err)
{
	struct xci_call c = { "xc_map_packed", view, fn, n, out, out_size, options, NULL };

	return xci_map_packed(&c, items, err);
}

/* ---- Apply ------------------------------------------------------------------------- */

struct xc_result *xc_apply_async(const struct xc_view *view, xc_task_fn *fn, const void *in,
				 size_t in_size, void *out, size_t out_size,
				 const struct xc_map_options *options, struct xc_error *err)
{
	struct xci_call c = { "xc_apply", view, fn, 1, out, out_size, options, NULL };
	struct xci_submission s = { .task = { .form = FORM_SAME, .in_size = in_size } };

	if (check(&c, err) < 0)
		return NULL;
	if ((in_size && !in) || in_size > SIZE_LIMIT) {
		error_set(err, -EINVAL, "xc_apply: in is NULL, or in_size (%zu) too large",
			  in_size);
		return NULL;
	}
	if (view == &view->client->balanced && in_size <= XCI_BATCH_INPUT_MAX)
		return xci_batch_add(view->client, fn, in, in_size, out, out_size, c.options, err);
	if (view->kind != VIEW_BALANCED)
		c.n = xc_view_size(view);
	if (c.n == 0) {
		xci_no_engine(view, err);
		return NULL;
	}
	if (frame_copy(&s.payload, in, in_size) < 0) {
		error_set(err, -ENOMEM, "xc_apply: no memory for %zu bytes", in_size);
		return NULL;
	}
	return submit(&c, &s, err);
}

/* ---- The blocking forms ---------------------------------------------------------------- */

int xc_map_range(const struct xc_view *view, xc_task_fn *fn, int64_t n, void *out, size_t out_size,
		 const struct xc_map_options *options, struct xc_error *err)
{
	BLOCKING(err, xc_map_range_async(view, fn, n, out, out_size, options, e));
}

int xc_map(const struct xc_view *view, xc_task_fn *fn, const void *in, size_t in_size, int64_t n,
	   void *out, size_t out_size, const struct xc_map_options *options, struct xc_error *err)
{
	BLOCKING(err, xc_map_async(view, fn, in, in_size, n, out, out_size, options, e));
}

int xc_map_packed(const struct xc_view *view, xc_task_fn *fn, const struct xc_bytes *items,
		  int64_t n, void *out, size_t out_size, const struct xc_map_options *options,
		  struct xc_error *err)
{
	BLOCKING(err, xc_map_packed_async(view, fn, items, n, out, out_size, options, e));
}

int xc_apply(const struct xc_view *view, xc_task_fn *fn, const void *in, size_t in_size, void *out,
	     size_t out_size, const struct xc_map_options *options, struct xc_error *err)
{
	BLOCKING(err, xc_apply_async(view, fn, in, in_size, out, out_size, options, e));
}
