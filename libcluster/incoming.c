/* incoming.c: results as they arrive, straight into the caller's memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "libcluster/client.h"

#define RESULT_BYTES 400 /* that the controller keeps of a result beside its frames */

/* A RESULT as read. */
struct arrival {
	struct msg_result head;
	struct span failures, payload;
	uint64_t now;
};

static void add_failure(struct xc_result *result, const struct failure_run *run, int64_t first,
			int64_t count, int engine)
{
	struct xci_failure *f;
	const char *host;

	result->failed += count;
	if (!result->is_single)
		xci_ended_add(result, first, count, (enum xc_state)run->state);
	if (result->failure_runs >= FAILURES_KEPT)
		return;
	host = xci_engine_host(result->client, engine);
	f = malloc(sizeof *f + run->text.size + 1 + strlen(host) + 1);
	if (!f)
		return;
	span_copy(f->text, run->text.size + 1, run->text);
	strcpy(f->text + run->text.size + 1, host);
	f->failure = (struct xc_failure){ .first = first,
					  .count = count,
					  .state = (enum xc_state)run->state,
					  .code = (int)run->code,
					  .attempts = (int)run->attempts,
					  .engine = engine,
					  .text = f->text,
					  .host = f->text + run->text.size + 1 };
	f->next = NULL;
	if (result->last_failure)
		result->last_failure->next = f;
	else
		result->failures = f;
	result->last_failure = f;
	result->failure_runs++;
}

/* Of the first that is not below the engine: there may be thousands. */
static int share_place(const struct xc_result *result, int engine)
{
	int low = 0, high = result->shares ? result->share_count : 0;

	while (low < high) {
		int middle = low + (high - low) / 2;

		if (result->shares[middle].engine < engine)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_share(struct xc_result *result, int engine, int64_t items)
{
	struct xci_share *shares;
	int at;

	if (engine < 0 || items < 1)
		return;
	if (result->share_count == 0) {
		result->share = (struct xci_share){ engine, items };
		result->share_count = 1;
		return;
	}
	if (!result->shares && result->share.engine == engine) {
		result->share.items += items;
		return;
	}
	at = share_place(result, engine);
	if (result->shares && at < result->share_count && result->shares[at].engine == engine) {
		result->shares[at].items += items;
		return;
	}
	shares = realloc(result->shares, (size_t)(result->share_count + 1) * sizeof *shares);
	if (!shares)
		return;
	if (!result->shares) {
		shares[0] = result->share;
		at = engine > shares[0].engine;
	}
	memmove(shares + at + 1, shares + at, (size_t)(result->share_count - at) * sizeof *shares);
	shares[at] = (struct xci_share){ engine, items };
	result->shares = shares;
	result->share_count++;
}

/* Items that ended well, between failures. */
static void take_good(struct xc_result *result, const struct arrival *a, int64_t from, int64_t end)
{
	if (from >= end)
		return;
	xci_ended_add(result, from, end - from, XC_OK);
	if (!result->out_size || !result->out || !a->payload.size)
		return;
	memcpy((char *)result->out + (size_t)from * result->out_size,
	       (const char *)a->payload.data + (size_t)(from - a->head.first) * result->out_size,
	       (size_t)(end - from) * result->out_size);
}

/* What items of a job have printed comes with or before their end. Where memory is out
 * it goes on from there when the message is tried again. */
static int take_outputs(struct xci_job *job, const struct arrival *a)
{
	int64_t items = job->members ? job->count : job->single ? job->single->items : 0, at = 0;
	struct failure_run run;
	struct reader r;
	int n;

	reader_init(&r, a->failures.data, a->failures.size);
	while ((n = failure_run_next(&r, &run)) > 0) {
		struct xc_result *result = job->single;

		if (!run_is_output(&run))
			continue;
		if (run.first >= items)
			return XC_EPROTO;
		if (at++ < job->outputs_taken)
			continue;
		if (job->members)
			result = job->members[run.first];
		if (result && xci_output_add(result, job->members ? 0 : run.first,
					     (int)a->head.engine, &run) < 0)
			return -ENOMEM;
		job->outputs_taken++;
	}
	return n;
}

/* Failures are in the order of their items: what lies between them is copied. A
 * job without items has room for one that says why it was refused. */
static int take_failures(struct xc_result *result, const struct arrival *a)
{
	int64_t low = a->head.first, high = low + a->head.count, at = low, inside = 0;
	int64_t most = result->items ? result->items : 1;
	struct failure_run run;
	struct reader r;
	int n;

	reader_init(&r, a->failures.data, a->failures.size);
	while ((n = failure_run_next(&r, &run)) > 0) {
		bool covered = run.first >= low && run.first + run.count <= high;

		if (run_is_output(&run))
			continue;
		if (run.first + run.count > most)
			return XC_EPROTO;
		if (covered) {
			if (run.first < at)
				return XC_EPROTO;
			take_good(result, a, at, run.first);
			at = run.first + run.count;
			inside += run.count;
		}
		if (run.state == FAILURE_RETRY)
			continue;
		if (run.count > most - result->done)
			return XC_EPROTO;
		add_failure(result, &run, run.first, run.count, (int)a->head.engine);
		result->done += run.count;
	}
	if (n < 0)
		return n;
	if (a->head.count - inside > most - result->done)
		return XC_EPROTO;
	take_good(result, a, at, high);
	result->done += a->head.count - inside;
	return 0;
}

/* Where a payload of results of any length goes, and room for where each is in it;
 * NULL: no memory. */
static struct xci_blob *blob_new(struct xc_result *result)
{
	if (!result->packed)
		result->packed = calloc((size_t)result->items, sizeof *result->packed);
	return result->packed ? malloc(sizeof(struct xci_blob)) : NULL;
}

/* Results of any length: each is its size (all ones: none) and its bytes. */
static int take_packed(struct xc_result *result, const struct arrival *a, struct xci_blob *blob,
		       zmq_msg_t *frame)
{
	const char *p;
	size_t left;

	zmq_msg_init(&blob->message);
	zmq_msg_move(&blob->message, frame);
	LL_PREPEND(result->blobs, blob);
	p = zmq_msg_data(&blob->message);
	left = zmq_msg_size(&blob->message);
	for (int64_t i = 0; i < a->head.count; i++) {
		uint64_t size;

		if (left < sizeof size)
			return XC_EPROTO;
		memcpy(&size, p, sizeof size);
		p += sizeof size;
		left -= sizeof size;
		if (size == UINT64_MAX)
			continue;
		if (size > left)
			return XC_EPROTO;
		result->packed[a->head.first + i] = (struct span){ p, size };
		p += size;
		left -= size;
	}
	return 0;
}

void xci_result_end(struct xc_result *result, uint64_t now)
{
	result->is_ready = true;
	result->end_ns = now;
	if (result->tree)
		result->is_broken = !xci_tree_end(result->tree, result->failed == 0);
	if (result->outputs)
		xci_output_end(result);
	result->job = NULL;
	if (result->is_single)
		result->client->singles--;
	xci_objects_release(result);
}

/* How many items of the arrival have ended well; a run of failures may be of others. */
static int64_t count_good(const struct arrival *a)
{
	int64_t low = a->head.first, high = low + a->head.count, good = a->head.count;
	struct failure_run run;
	struct reader r;

	reader_init(&r, a->failures.data, a->failures.size);
	while (failure_run_next(&r, &run) > 0)
		if (!run_is_output(&run) && run.first >= low && run.first + run.count <= high)
			good -= run.count;
	return good;
}

static int take_single(struct xc_result *result, const struct arrival *a, zmq_msg_t *payload)
{
	struct xci_blob *blob = NULL;
	int64_t high;
	int r;

	if (a->head.first < 0 || a->head.count < 0 ||
	    __builtin_add_overflow(a->head.first, a->head.count, &high) || high > result->items)
		return XC_EPROTO;
	if (result->out_size && a->payload.size &&
	    a->payload.size != (uint64_t)a->head.count * result->out_size)
		return XC_EPROTO;
	if (result->tree) {
		r = xci_tree_take(result->tree, a->payload, a->head.first, a->head.count,
				  count_good(a));
		if (r < 0)
			return r; /* nothing of it is taken: it is tried again */
	} else if (!result->out_size && a->payload.size && !result->is_without_payloads) {
		blob = blob_new(result);
		if (!blob)
			return -ENOMEM;
	}
	result->busy_ns += a->head.busy_ns;
	add_share(result, (int)a->head.engine, a->head.count);
	r = take_failures(result, a);
	if (result->tree && result->failed > 0)
		xci_tree_drop(result->tree); /* gaps would keep nodes apart, as many as items */
	if (r == 0 && blob)
		return take_packed(result, a, blob, payload);
	free(blob);
	return r;
}

/* One member's part of an arrival for a batch. */
static void take_member(struct xc_result *result, const struct arrival *a, int64_t at,
			const struct failure_run *run)
{
	result->busy_ns += a->head.busy_ns / (uint64_t)(a->head.count ? a->head.count : 1);
	if (run) {
		struct failure_run own = *run;

		own.first = 0;
		add_failure(result, &own, 0, 1, (int)a->head.engine);
	} else {
		add_share(result, (int)a->head.engine, 1);
		if (result->out_size && result->out && a->payload.size)
			memcpy(result->out,
			       (const char *)a->payload.data + (size_t)at * result->out_size,
			       result->out_size);
	}
	result->done = 1;
	xci_result_end(result, a->now);
}

static int take_member_packed(struct xc_result *result, const void *data, size_t size)
{
	struct xci_blob *blob;

	if (result->blobs)
		return 0; /* taken when memory was out for another member */
	blob = blob_new(result);
	if (!blob || frame_copy(&blob->message, data, size) < 0) {
		free(blob);
		return -ENOMEM;
	}
	LL_PREPEND(result->blobs, blob);
	result->packed[0] = (struct span){ zmq_msg_data(&blob->message), size };
	return 0;
}

static int spread_packed(struct xci_job *job, const struct arrival *a)
{
	const char *p = a->payload.data;
	size_t left = a->payload.size;

	for (int64_t i = 0; i < a->head.count; i++) {
		struct xc_result *result = job->members[a->head.first + i];
		uint64_t size;

		if (left < sizeof size)
			return 0;
		memcpy(&size, p, sizeof size);
		p += sizeof size;
		left -= sizeof size;
		if (size == UINT64_MAX)
			continue;
		if (size > left)
			return 0;
		if (result && !result->out_size && take_member_packed(result, p, size) < 0)
			return -ENOMEM;
		p += size;
		left -= size;
	}
	return 0;
}

static void end_members(struct xci_job *job, const struct arrival *a, int64_t from, int64_t end,
			const struct failure_run *run)
{
	for (int64_t i = from; i < end; i++) {
		struct xc_result *result = job->members[i];

		if (!result)
			continue;
		job->members[i] = NULL;
		take_member(result, a, i - a->head.first, run);
	}
}

static size_t member_out_size(const struct xci_job *job)
{
	for (int64_t i = 0; i < job->count; i++)
		if (job->members[i])
			return job->members[i]->out_size;
	return 0;
}

static int take_batch(struct xci_job *job, const struct arrival *a)
{
	int64_t at = a->head.first, high;
	size_t out_size = member_out_size(job);
	struct failure_run run;
	struct reader r;
	int n;

	if (at < 0 || a->head.count < 0 || __builtin_add_overflow(at, a->head.count, &high) ||
	    high > job->count)
		return XC_EPROTO;
	if (out_size && a->payload.size && a->payload.size != (uint64_t)a->head.count * out_size)
		return XC_EPROTO;
	if (!out_size && a->payload.size && spread_packed(job, a) < 0)
		return -ENOMEM; /* no member has ended: it is tried again */
	n = a->failures.size ? take_outputs(job, a) : 0;
	if (n < 0)
		return n;
	reader_init(&r, a->failures.data, a->failures.size);
	while ((n = failure_run_next(&r, &run)) > 0) {
		if (run_is_output(&run))
			continue;
		if (run.first + run.count > job->count)
			return XC_EPROTO;
		if (run.first >= at && run.first < high) {
			end_members(job, a, at, run.first, NULL);
			at = run.first + run.count;
		}
		if (run.state != FAILURE_RETRY)
			end_members(job, a, run.first, run.first + run.count, &run);
	}
	if (n == 0)
		end_members(job, a, at, high, NULL);
	return n;
}

void xci_job_forget(struct xc_client *client, struct xci_job *job)
{
	HASH_DEL(client->jobs, job);
	client->input_bytes -= job->input_bytes;
	free(job->members);
	free(job);
}

static void abandon(struct xc_result *result, const char *why)
{
	struct failure_run run = { .count = result->items - result->done,
				   .state = XC_LOST,
				   .text = span_of(why) };

	if (run.count > 0)
		add_failure(result, &run, 0, run.count, -1);
	result->done = result->items;
	xci_result_end(result, now_ns());
}

void xci_job_abandon(struct xci_job *job, const char *why)
{
	for (int64_t i = 0; i < job->count; i++)
		if (job->members[i])
			abandon(job->members[i], why);
	if (job->single && !job->single->is_ready)
		abandon(job->single, why);
}

void xci_taken(struct xc_client *client, uint64_t seq, uint64_t received, size_t size)
{
	client->received = seq;
	/* As the controller counts them against its window. */
	client->unacked_bytes += RESULT_BYTES + size;
	xci_sent_free(client, received);
}

int xci_on_result(struct xc_client *client, struct message *m)
{
	struct arrival a;
	struct xci_job *job;
	size_t size;
	int r = msg_result_get(&m->fields, &a.head);

	if (r < 0)
		return r;
	if (a.head.seq != client->received + 1)
		return 0; /* sent again, or after a gap: PING finds out */
	size = zmq_msg_size(&m->frames[0]) + zmq_msg_size(&m->frames[1]);
	HASH_FIND(hh, client->jobs, &a.head.job, sizeof a.head.job, job);
	a.failures = (struct span){ zmq_msg_data(&m->frames[0]), zmq_msg_size(&m->frames[0]) };
	a.payload = (struct span){ zmq_msg_data(&m->frames[1]), zmq_msg_size(&m->frames[1]) };
	a.now = now_ns();
	if (a.head.engine >= 0 && a.head.engine < client->engine_count)
		client->engines[a.head.engine].heard_ns = a.now;
	if (job && job->single && a.failures.size)
		r = take_outputs(job, &a);
	if (r == 0 && job && job->members)
		r = take_batch(job, &a);
	else if (r == 0 && job && job->single)
		r = take_single(job->single, &a, &m->frames[1]);
	if (r == -ENOMEM)
		return r;
	if (job)
		job->outputs_taken = 0;
	xci_taken(client, a.head.seq, a.head.received, size);
	if (job && a.head.final) {
		xci_job_abandon(job, "the controller ended the job without its result");
		xci_job_forget(client, job);
	}
	return r;
}
