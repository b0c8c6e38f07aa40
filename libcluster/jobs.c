/* jobs.c: what the controller knows of jobs and queues, and orders about them. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define ANSWER_LIMIT_S 30

/* ---- Answers ---------------------------------------------------------------------- */

int xci_on_answer(struct xc_client *client, struct message *m)
{
	struct xci_answer *answer = &client->answer;
	struct msg_answer got;
	int r = msg_answer_get(&m->fields, &got);

	if (r < 0)
		return r;
	free(answer->bytes);
	answer->size = zmq_msg_size(&m->frames[0]);
	answer->bytes = malloc(answer->size + 1);
	answer->code = answer->bytes ? (int)got.code : -ENOMEM;
	if (answer->bytes)
		memcpy(answer->bytes, zmq_msg_data(&m->frames[0]), answer->size);
	answer->count = got.count;
	span_copy(answer->text, sizeof answer->text,
		  answer->bytes ? got.text : span_of("out of memory"));
	answer->id = got.id;
	return 0;
}

static bool is_answered(void *argument)
{
	const struct xc_client *client = argument;

	return client->answer.id == client->last_query;
}

int xci_await_answer(struct xc_client *client, const char *call, const char *id,
		     struct xc_error *err)
{
	const struct xci_answer *answer = &client->answer;
	int r = xci_wait_through(client, ANSWER_LIMIT_S, is_answered, client);

	if (r == -ETIMEDOUT)
		return error_set(err, r, "%s: the controller did not answer within %d s", call,
				 ANSWER_LIMIT_S);
	if (r < 0)
		return xci_wait_failed(client, call, r, err);
	if (answer->code >= 0)
		return 0;
	if (id)
		return error_set(err, answer->code, "%s: job %s: %s", call, id, answer->text);
	return error_set(err, answer->code, "%s: %s", call, answer->text);
}

/* ---- Lists -------------------------------------------------------------------------- */

static void get_record(struct reader *r, struct xc_job_info *info)
{
	struct span owner = get_bin(r);
	uint64_t number = get_u64(r);

	if (owner.size != OWNER_SIZE) {
		r->bad = true;
		return;
	}
	xci_job_id(info->id, owner.data, number);
	span_copy(info->label, sizeof info->label, get_str(r));
	span_copy(info->client, sizeof info->client, get_str(r));
	span_copy(info->state, sizeof info->state, get_str(r));
	info->items = get_i64(r);
	info->done = get_i64(r);
	info->failed = get_i64(r);
	info->priority = (int)get_i64(r);
	info->submitted = get_f64(r);
	info->started = get_f64(r);
	info->finished = get_f64(r);
	info->result_bytes = get_u64(r);
	info->has_results = get_u64(r);
	info->has_inputs = get_u64(r);
}

static int take_records(const struct xci_answer *answer, struct xc_job_info **jobs, int *count,
			struct xc_error *err)
{
	struct xc_job_info *list;
	struct reader r;

	/* Each takes more bytes than one. */
	if (answer->count > answer->size || answer->count > INT32_MAX)
		return error_set(err, XC_EPROTO, "xc_jobs: the controller's answer cannot be read");
	list = calloc(answer->count ? answer->count : 1, sizeof *list);
	if (!list)
		return error_set(err, -ENOMEM, "xc_jobs: out of memory");
	reader_init(&r, answer->bytes, answer->size);
	for (uint64_t i = 0; i < answer->count; i++)
		get_record(&r, &list[i]);
	if (!reader_is_done(&r)) {
		free(list);
		return error_set(err, XC_EPROTO, "xc_jobs: the controller's answer cannot be read");
	}
	*jobs = list;
	*count = (int)answer->count;
	return 0;
}

static bool is_state(const char *state)
{
	static const char *const states[] = { "queued", "running", "cancelling",
					      "done",	"failed",  "cancelled" };

	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
		if (strcmp(state, states[i]) == 0)
			return true;
	return false;
}

static int check_query(const struct xc_job_query *q, struct xc_error *err)
{
	if (q->state && !is_state(q->state))
		return error_set(err, -EINVAL,
				 "xc_jobs: \"%.40s\" is no state of a job: queued, running, "
				 "cancelling, done, failed, cancelled",
				 q->state);
	if (q->label && strlen(q->label) > 255)
		return error_set(err, -EINVAL, "xc_jobs: the label is longer than 255 bytes");
	if (q->max < 0 || !isfinite(q->since) || !isfinite(q->until))
		return error_set(err, -EINVAL,
				 "xc_jobs: max is negative, or since or until is no time");
	return 0;
}

int xc_jobs(struct xc_client *client, const struct xc_job_query *query, struct xc_job_info **jobs,
	    int *count, struct xc_error *err)
{
	static const struct xc_job_query everything = { .label = NULL };
	int r;

	if (!client || !jobs || !count)
		return error_set(err, -EINVAL, "xc_jobs: client, jobs or count is NULL");
	if (!query)
		query = &everything;
	r = check_query(query, err);
	if (r < 0)
		return r;
	r = xci_check_question(client, "xc_jobs", err);
	if (r < 0)
		return r;
	xci_batch_flush(client);
	r = POST(client, jobs, .id = ++client->last_query, .label = span_of(query->label),
		 .state = span_of(query->state), .since = query->since, .until = query->until,
		 .max = (uint64_t)query->max);
	r = r < 0 ? xci_wait_failed(client, "xc_jobs", r, err)
		  : xci_await_answer(client, "xc_jobs", NULL, err);
	return r < 0 ? r : take_records(&client->answer, jobs, count, err);
}

/* ---- Orders ------------------------------------------------------------------------- */

static int manage(struct xc_client *client, const char *call, const char *id, enum manage what,
		  struct xc_error *err)
{
	struct xci_job_name name = { .index = -1 };
	int r;

	if (!client)
		return error_set(err, -EINVAL, "%s: client is NULL", call);
	r = what == MANAGE_PURGE_ALL ? 0 : xci_job_name(&name, call, id, err);
	if (r < 0)
		return r;
	r = xci_check_question(client, call, err);
	if (r < 0)
		return r;
	xci_batch_flush(client);
	r = POST(client, manage, .id = ++client->last_query, .what = what,
		 .owner = { name.owner, OWNER_SIZE }, .number = name.number, .index = name.index);
	r = r < 0 ? xci_wait_failed(client, call, r, err) : xci_await_answer(client, call, id, err);
	return r < 0 ? r : (int)client->answer.count;
}

int xc_purge(struct xc_client *client, const char *id, struct xc_error *err)
{
	return manage(client, "xc_purge", id, id ? MANAGE_PURGE : MANAGE_PURGE_ALL, err);
}

int xc_job_cancel(struct xc_client *client, const char *id, enum xc_cancel how,
		  struct xc_error *err)
{
	int r;

	if (how != XC_CANCEL_QUEUED && how != XC_CANCEL_RUNNING)
		return error_set(err, -EINVAL, "xc_job_cancel: how is not valid");
	r = manage(client, "xc_job_cancel", id,
		   how == XC_CANCEL_RUNNING ? MANAGE_CANCEL_RUNNING : MANAGE_CANCEL, err);
	return r < 0 ? r : 0;
}

/* ---- Queues --------------------------------------------------------------------------- */

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static int fill(const json_t *report, struct xc_queue *queues, int max)
{
	const json_t *engine;
	size_t i;
	int n = 0;

	json_array_foreach (json_object_get(report, "engines"), i, engine) {
		const char *state = json_string_value(json_object_get(engine, "state"));

		if (!state || strcmp(state, "failed") == 0)
			continue;
		if (n < max)
			queues[n] = (struct xc_queue){ .engine = (int)number(engine, "id"),
						       .slices = (int)number(engine, "slices"),
						       .queued = number(engine, "queued"),
						       .running = number(engine, "running"),
						       .completed = number(engine, "items") };
		n++;
	}
	return n;
}

int xc_queue_status(struct xc_client *client, struct xc_queue *queues, int max, int64_t *unassigned,
		    struct xc_error *err)
{
	json_t *report;
	int r;

	if (!client || max < 0 || (max > 0 && !queues))
		return error_set(err, -EINVAL,
				 "xc_queue_status: client or queues is NULL, or max negative");
	xci_batch_flush(client);
	r = xci_report(client, "xc_queue_status", &report, err);
	if (r < 0)
		return r;
	r = fill(report, queues, max);
	if (unassigned)
		*unassigned = number(json_object_get(report, "queue"), "unassigned");
	json_decref(report);
	return r;
}
