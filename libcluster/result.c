/* result.c: the handle of a submission. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "libcluster/client.h"
#include "proto/error.h"

struct xc_result *xci_result_new(struct xc_client *client, int64_t items, void *out,
				 size_t out_size)
{
	struct xc_result *result = calloc(1, sizeof *result);

	if (!result)
		return NULL;
	result->client = client;
	memcpy(result->owner, client->session, OWNER_SIZE);
	result->items = items;
	result->out = out;
	result->out_size = out_size;
	result->start_ns = now_ns();
	DL_APPEND(client->results, result);
	return result;
}

static bool is_ready(void *argument)
{
	const struct xc_result *result = argument;

	return result->is_ready;
}

void xci_failure_describe(const struct xc_failure *f, int64_t item, char *text, size_t size)
{
	int n = snprintf(text, size, "item %lld %s", (long long)item, xc_state_name(f->state));

	if (n > 0 && (size_t)n < size && f->state == XC_FAILED && f->code > 0)
		n += snprintf(text + n, size - (size_t)n, " with code %d", f->code);
	if (n > 0 && (size_t)n < size && f->engine >= 0)
		n += snprintf(text + n, size - (size_t)n, " on engine %d", f->engine);
	if (n > 0 && (size_t)n < size && f->attempts > 1)
		n += snprintf(text + n, size - (size_t)n, " after %d attempts", f->attempts);
	if (n > 0 && (size_t)n < size && f->text[0])
		n += snprintf(text + n, size - (size_t)n, ": %s", f->text);
	if (n >= 0 && (size_t)n >= size)
		text_trim(text);
}

const struct xc_failure *xci_result_first_failure(const struct xc_result *result)
{
	for (const struct xci_failure *f = result->failures; f; f = f->next)
		if (f->failure.state != XC_CANCELLED)
			return &f->failure;
	return result->failures ? &result->failures->failure : NULL;
}

int xci_result_outcome(struct xc_result *result, struct xc_error *err)
{
	const struct xc_failure *f = xci_result_first_failure(result);
	int code = XC_EFAILED;
	char text[400];

	if (result->is_broken)
		return error_set(
			err, XC_EPROTO,
			"the partial results that came are not those of the %lld items: has "
			"a task written where it should not?",
			(long long)result->items);
	if (result->failed == 0)
		return 0;
	if (!f)
		return error_set(err, code, "%lld of %lld items did not end well",
				 (long long)result->failed, (long long)result->items);
	/* Every item was refused for one reason: that is the error of the call. */
	if (f->state == XC_FAILED && f->code < 0 && f->code != XC_ENOVAR)
		code = f->code;
	xci_failure_describe(f, f->first, text, sizeof text);
	if (result->items == 1)
		return error_set(err, code, "%s", text);
	return error_set(err, code, "%lld of %lld items did not end well; first: %s",
			 (long long)result->failed, (long long)result->items, text);
}

/* Why waiting is of no use. */
static int check_hope(const struct xc_result *result, const char *call, struct xc_error *err)
{
	if (!result->client)
		return error_set(err, XC_ELOST,
				 "%s: the client was closed before the job had ended", call);
	if (result->client->is_lost)
		return xci_lost(result->client, err);
	return xci_inline_check(result->client->inside, call, err);
}

/* One turn of waiting: 0 or -ETIMEDOUT to go on. */
static int wait_a_little(struct xc_result *result, const char *call, double step,
			 bool (*done)(void *argument), void *argument, struct xc_error *err)
{
	int r;

	if (result->is_single && !result->job && !result->is_ready) {
		r = xci_batch_flush(result->client);
		if (r < 0)
			return error_set(err, r, "%s: the item cannot be sent: %s", call,
					 error_text(r));
	}
	if (step > 1)
		step = 1;
	if (result->progress && step > 0.1)
		step = 0.1;
	r = xci_wait(result->client, step, done, argument);
	xci_progress_show(result);
	return r < 0 && r != -ETIMEDOUT ? xci_wait_failed(result->client, call, r, err) : r;
}

static int wait_until(struct xc_result *result, const char *call, double timeout,
		      bool (*done)(void *argument), void *argument, struct xc_error *err)
{
	uint64_t limit = UINT64_MAX;

	if (isnan(timeout))
		return error_set(err, -EINVAL,
				 "%s: timeout is not a number; a negative one means no limit",
				 call);
	if (timeout >= 0 && timeout < 1e9)
		limit = now_ns() + (uint64_t)(timeout * 1e9);
	while (!done(argument)) {
		uint64_t now = now_ns();
		int r = check_hope(result, call, err);

		if (r < 0)
			return r;
		r = wait_a_little(result, call,
				  limit == UINT64_MAX ? 1e9
				  : limit > now	      ? (double)(limit - now) / 1e9
						      : 0,
				  done, argument, err);
		if (r == 0)
			break;
		if (r != -ETIMEDOUT)
			return r;
		if (now_ns() >= limit)
			return error_set(
				err, -ETIMEDOUT, "%s: %lld of %lld items have ended after %g s",
				call, (long long)result->done, (long long)result->items, timeout);
	}
	return 0;
}

int xci_result_wait(struct xc_result *result, const char *call, double timeout,
		    bool (*done)(void *argument), void *argument, struct xc_error *err)
{
	int r = wait_until(result, call, timeout, done, argument, err);

	if (r < 0 && r != -ETIMEDOUT)
		xci_meter_close(&result->meter); /* others may write now */
	return r;
}

int xc_wait(struct xc_result *result, double timeout, struct xc_error *err)
{
	int r;

	if (!result)
		return error_set(err, -EINVAL, "xc_wait: result is NULL");
	r = xci_result_wait(result, "xc_wait", timeout, is_ready, result, err);
	if (r == 0 && result->meter.is_open)
		xci_progress_show(result);
	return r < 0 ? r : xci_result_outcome(result, err);
}

bool xc_is_ready(struct xc_result *result)
{
	if (!result)
		return false;
	if (!result->is_ready && result->client)
		xci_pump(result->client, 0);
	return result->is_ready || !result->client || result->client->is_lost;
}

struct xc_progress xc_result_progress(struct xc_result *result)
{
	if (!result)
		return (struct xc_progress){ 0 };
	if (!result->is_ready && result->client)
		xci_pump(result->client, 0);
	return (struct xc_progress){ result->items, result->done, result->failed };
}

double xc_result_elapsed(struct xc_result *result)
{
	uint64_t end;

	if (!result)
		return 0;
	end = result->is_ready ? result->end_ns : now_ns();
	return (double)(end - result->start_ns) / 1e9;
}

double xc_result_serial_time(struct xc_result *result)
{
	return result ? (double)result->busy_ns / 1e9 : 0;
}

double xc_result_speedup(struct xc_result *result)
{
	double elapsed = xc_result_elapsed(result);

	return elapsed > 0 ? xc_result_serial_time(result) / elapsed : 0;
}

const char *xc_state_name(enum xc_state state)
{
	switch (state) {
#define CASE(name, text)                                                                           \
	case name:                                                                                 \
		return text;
		XC_STATES(CASE)
#undef CASE
	}
	return "unknown";
}

int64_t xc_failure_count(struct xc_result *result)
{
	return result ? result->failure_runs : 0;
}

int xc_failure(struct xc_result *result, int64_t i, struct xc_failure *failure)
{
	struct xci_failure *f;
	int64_t at = 0;

	if (!result || !failure || i < 0 || i >= result->failure_runs)
		return -EINVAL;
	f = result->failures;
	if (result->cursor && i >= result->cursor_index) { /* they are asked for in turn */
		f = result->cursor;
		at = result->cursor_index;
	}
	for (; f && at < i; at++)
		f = f->next;
	if (!f)
		return -EINVAL;
	result->cursor = f;
	result->cursor_index = i;
	*failure = f->failure;
	return 0;
}

const void *xc_result_item(struct xc_result *result, int64_t i, size_t *size)
{
	if (!result || i < 0 || i >= result->items || !result->packed || !result->packed[i].data)
		return NULL;
	if (size)
		*size = result->packed[i].size;
	return result->packed[i].data;
}

int xc_result_engines(struct xc_result *result, int *ids, int64_t *items, int max)
{
	if (!result)
		return 0;
	for (int i = 0; i < result->share_count && i < max; i++) {
		const struct xci_share *share =
			result->shares ? &result->shares[i] : &result->share;

		if (ids)
			ids[i] = share->engine;
		if (items)
			items[i] = share->items;
	}
	return result->share_count;
}

int xc_cancel(struct xc_result *result, enum xc_cancel how, struct xc_error *err)
{
	unsigned char header[HEADER_MAX];
	struct msg_cancel m = { .how = how == XC_CANCEL_RUNNING ? CANCEL_HOW_RUNNING
								: CANCEL_HOW_QUEUED };
	struct xc_client *client;
	int r;

	if (!result || (how != XC_CANCEL_QUEUED && how != XC_CANCEL_RUNNING))
		return error_set(err, -EINVAL, "xc_cancel: result is NULL, or how is not valid");
	client = result->client;
	if (result->is_ready)
		return 0;
	if (!client || client->is_lost)
		return error_set(err, XC_ELOST, "xc_cancel: there is no connection any more");
	if (xci_inline_check(client->inside, "xc_cancel", err) < 0)
		return -EDEADLK;
	if (result->is_single && !result->job)
		xci_batch_flush(client);
	if (!result->job)
		return error_set(err, -ENOMEM, "xc_cancel: out of memory");
	m.seq = client->sent_seq + 1;
	m.job = result->job->id;
	m.first = result->is_single ? result->index : 0;
	m.count = result->items;
	r = xci_send(client, m.seq, header, msg_cancel_pack(header, sizeof header, &m), NULL, 0);
	return r < 0 ? error_set(err, r, "xc_cancel: %s", error_text(r)) : 0;
}

static bool is_wanted(const struct xci_job *job)
{
	for (int64_t i = 0; i < job->count; i++)
		if (job->members[i])
			return true;
	return job->single != NULL;
}

/* Nobody wants the results any more: incoming ones pass it by. */
static void detach(struct xc_result *result)
{
	struct xci_batch *batch = &result->client->batch;
	struct xci_job *job = result->job;
	bool leaves = job && !result->is_ready && (job->is_attached || result->is_kept);

	if (!result->is_ready) {
		if (job && !leaves)
			xc_cancel(result, XC_CANCEL_QUEUED, NULL);
		else if (result->is_single && result->index < batch->count &&
			 batch->members[result->index] == result)
			batch->members[result->index] = NULL;
		if (result->is_single)
			result->client->singles--;
	}
	if (job && job->members)
		job->members[result->index] = NULL;
	else if (job)
		job->single = NULL;
	if (leaves && !is_wanted(job))
		xci_job_leave(result->client, job);
	xci_objects_release(result);
	DL_DELETE(result->client->results, result);
}

void xc_result_destroy(struct xc_result *result)
{
	struct xci_failure *failure, *next_failure;
	struct xci_blob *blob, *next_blob;

	if (!result)
		return;
	xci_meter_close(&result->meter);
	if (result->client)
		detach(result);
	LL_FOREACH_SAFE (result->failures, failure, next_failure) {
		free(failure);
	}
	LL_FOREACH_SAFE (result->blobs, blob, next_blob) {
		zmq_msg_close(&blob->message);
		free(blob);
	}
	xci_outputs_free(result->outputs);
	xci_tree_free(result->tree);
	free(result->objects);
	free(result->shares);
	free(result->ended.log);
	free(result->ended.sorted);
	free(result->packed);
	free(result);
}
