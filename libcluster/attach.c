/* attach.c: ids of jobs, and results of jobs by their ids. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define ANSWER_LIMIT_S	30
#define COMING_PAUSE_MS 5
#define COMING_LIMIT_S	2 /* for a job that its client may just be submitting */

/* ---- Ids ------------------------------------------------------------------------ */

void xci_job_id(char id[XC_JOB_ID_SIZE], const unsigned char *owner, uint64_t number)
{
	for (int i = 0; i < OWNER_SIZE; i++)
		snprintf(id + 2 * i, 3, "%02x", owner[i]);
	snprintf(id + 2 * OWNER_SIZE, XC_JOB_ID_SIZE - 2 * OWNER_SIZE, "-%" PRIu64, number);
}

int xc_result_id(struct xc_result *result, char id[XC_JOB_ID_SIZE])
{
	size_t used;
	int r;

	if (!result || !id)
		return -EINVAL;
	if (!result->number && result->client && result->is_single) {
		r = xci_batch_flush(result->client);
		if (r < 0)
			return r;
	}
	if (!result->number)
		return XC_ELOST;
	xci_job_id(id, result->owner, result->number);
	used = strlen(id);
	if (result->is_single)
		snprintf(id + used, XC_JOB_ID_SIZE - used, ".%" PRId64, result->index);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number without a sign; NULL: there is none, or it is too large. */
static const char *read_number(const char *p, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)*p))
		return NULL;
	errno = 0;
	*number = strtoull(p, &end, 10);
	return errno ? NULL : end;
}

static bool parse(struct xci_job_name *name, const char *id)
{
	const char *p = id;
	uint64_t index;

	for (int i = 0; i < OWNER_SIZE; i++, p += 2) {
		int high = hex_digit(p[0]), low = high < 0 ? -1 : hex_digit(p[1]);

		if (low < 0)
			return false;
		name->owner[i] = (unsigned char)(16 * high + low);
	}
	if (*p != '-' || !(p = read_number(p + 1, &name->number)))
		return false;
	name->index = -1;
	if (*p != '.')
		return !*p;
	p = read_number(p + 1, &index);
	if (!p || *p || index > INT64_MAX)
		return false;
	name->index = (int64_t)index;
	return true;
}

int xci_job_name(struct xci_job_name *name, const char *call, const char *id, struct xc_error *err)
{
	if (id && parse(name, id))
		return 0;
	return error_set(err, -EINVAL,
			 "%s: \"%.80s\" is no id of a job: those of xc_result_id and xcluster jobs "
			 "look like 0123456789abcdef-12",
			 call, id ? id : "(NULL)");
}

/* ---- Attaching -------------------------------------------------------------------- */

void xci_job_leave(struct xc_client *client, struct xci_job *job)
{
	struct msg_detach m = { .seq = client->sent_seq + 1, .job = job->id };
	unsigned char header[64];

	if (!client->is_lost)
		xci_send(client, m.seq, header, msg_detach_pack(header, sizeof header, &m), NULL,
			 0);
	xci_job_forget(client, job);
}

/* The controller has looked already, but we are to write there. */
static bool has_room(const struct xci_attach *attach, const struct msg_attached *m)
{
	uint64_t items = attach->index < 0 ? (uint64_t)m->items : 1, need;

	return !attach->result->out ||
	       (!__builtin_mul_overflow(items, m->out_size, &need) && need <= attach->out_bytes);
}

static int adopt_tree(struct xci_attach *attach, const struct msg_attached *m, zmq_msg_t *frame)
{
	struct span packed = { zmq_msg_data(frame), zmq_msg_size(frame) };
	struct xc_error err = XC_ERROR_INIT;

	if (!(m->flags & JOB_REDUCE) || m->out_size)
		return XC_EPROTO;
	attach->result->tree =
		xci_tree_again(attach->how, attach->out, attach->out_bytes, m->items, packed, &err);
	if (attach->result->tree)
		return 0;
	snprintf(attach->text, sizeof attach->text, "%s", err.text);
	return err.code;
}

/* The result becomes that of the job, or of one item of it. */
static int adopt(struct xci_job *job, const struct msg_attached *m, zmq_msg_t *frame)
{
	struct xci_attach *attach = job->attach;
	struct xc_result *result = attach->result;
	int r;

	if (!has_room(attach, m) || (!attach->again && attach->index >= m->items))
		return XC_EPROTO;
	r = attach->how && !result->tree ? adopt_tree(attach, m, frame) : 0;
	if (r < 0)
		return r;
	result->items = m->items;
	result->out_size = m->out_size;
	result->is_kept = attach->again && (m->flags & JOB_KEEP);
	result->is_without_payloads = m->flags & JOB_REDUCE;
	if (attach->index < 0)
		return 0;
	result->items = 1;
	if (attach->again)
		return 0;
	job->members = calloc((size_t)m->items, sizeof(*job->members));
	if (!job->members)
		return -ENOMEM;
	job->count = m->items;
	job->members[attach->index] = result;
	job->single = NULL;
	result->is_single = true;
	result->index = attach->index;
	result->client->singles++;
	return 0;
}

int xci_on_attached(struct xc_client *client, struct message *m)
{
	struct msg_attached attached;
	struct xci_attach *attach;
	struct xci_job *job;
	int r = msg_attached_get(&m->fields, &attached);

	if (r < 0)
		return r;
	if (attached.seq != client->received + 1)
		return 0; /* sent again, or after a gap: PING finds out */
	xci_taken(client, attached.seq, attached.received,
		  zmq_msg_size(&m->frames[0]) + zmq_msg_size(&m->frames[1]));
	HASH_FIND(hh, client->jobs, &attached.job, sizeof attached.job, job);
	if (!job || !job->attach)
		return 0;
	attach = job->attach;
	attach->code = (int)attached.code;
	span_copy(attach->text, sizeof attach->text,
		  (struct span){ zmq_msg_data(&m->frames[0]), zmq_msg_size(&m->frames[0]) });
	attach->is_refused = attached.code < 0;
	if (attached.code == 0 && attached.items >= 0) {
		attach->code = adopt(job, &attached, &m->frames[1]);
		if (!*attach->text)
			snprintf(attach->text, sizeof attach->text, "%s", error_text(attach->code));
	}
	attach->is_answered = true;
	job->attach = NULL;
	return 0;
}

static bool is_answered(void *argument)
{
	const struct xci_attach *attach = argument;

	return attach->is_answered;
}

/* What is said of it from now on is not for us. */
static void give_up(struct xc_client *client, struct xci_job *job, struct xci_attach *attach)
{
	job->attach = NULL;
	attach->result->job = NULL;
	if (attach->is_refused || (attach->again && !attach->may_run)) {
		xci_job_forget(client, job);
	} else if (attach->again) {
		attach->result->job = job;
		attach->result->items = INT64_MAX; /* perhaps we do not know how many there are */
		xc_cancel(attach->result, XC_CANCEL_QUEUED, NULL);
		attach->result->items = 0;
		attach->result->job = NULL;
		xci_job_forget(client, job);
	} else {
		xci_job_leave(client, job);
	}
	xc_result_destroy(attach->result);
}

static int ask(struct xc_client *client, struct xci_job *job, struct xci_attach *attach,
	       struct msg_attach *m, enum attach_again again)
{
	unsigned char header[256];
	int r;

	job->attach = attach;
	attach->is_answered = false;
	attach->may_run = again == AGAIN_RUN;
	m->seq = client->sent_seq + 1;
	m->job = job->id;
	m->again = again;
	m->index = attach->index;
	r = xci_send(client, m->seq, header, msg_attach_pack(header, sizeof header, m), NULL, 0);
	if (r < 0)
		return r;
	return xci_wait_through(client, ANSWER_LIMIT_S, is_answered, attach);
}

static int explain(struct xc_client *client, const char *id, int r, const struct xci_attach *attach,
		   struct xc_error *err)
{
	const char *call = attach->call;

	if (r == -ETIMEDOUT)
		return error_set(err, r, "%s: the controller did not answer within %d s", call,
				 ANSWER_LIMIT_S);
	if (r < 0)
		return xci_wait_failed(client, call, r, err);
	if (attach->code < 0)
		return error_set(err, attach->code, "%s: job %s: %s", call, id, attach->text);
	return 0;
}

/* What is asked for, as long as it is to come. */
static struct xc_result *attach_once(struct xc_client *client, const char *id,
				     const struct xci_attach *wanted, struct xc_error *err)
{
	struct xci_attach answer = *wanted;
	struct msg_attach m = { .out_bytes = wanted->how ? 0 : wanted->out_bytes };
	struct xci_job_name name;
	struct xci_job *job;
	int r = 0;

	if (xci_job_name(&name, wanted->call, id, err) < 0 ||
	    xci_check_question(client, wanted->call, err) < 0)
		return NULL;
	xci_batch_flush(client); /* it may be of these */
	job = calloc(1, sizeof *job);
	answer.result = job ? xci_result_new(client, 0, wanted->how ? NULL : wanted->out, 0) : NULL;
	if (!answer.result) {
		free(job);
		error_set(err, -ENOMEM, "%s: out of memory", wanted->call);
		return NULL;
	}
	job->id = ++client->last_job;
	job->is_attached = !wanted->again;
	job->single = answer.result;
	if (xci_job_add(client, job) < 0) {
		free(job);
		xc_result_destroy(answer.result);
		error_set(err, -ENOMEM, "%s: out of memory", wanted->call);
		return NULL;
	}
	answer.result->job = job;
	answer.index = name.index;
	answer.result->number = wanted->again ? job->id : name.number;
	if (!wanted->again)
		memcpy(answer.result->owner, name.owner, OWNER_SIZE);
	m.owner = (struct span){ name.owner, OWNER_SIZE };
	m.number = name.number;
	if (wanted->out)
		m.out = wanted->how ? OUT_COMBINED : OUT_ARRAY;
	/* Whether it is the reduction of the job we know from the answer: nothing is to run in
	 * vain. */
	if (wanted->again && wanted->how)
		r = explain(client, id, ask(client, job, &answer, &m, AGAIN_WHETHER), &answer, err);
	if (r == 0)
		r = explain(client, id,
			    ask(client, job, &answer, &m, wanted->again ? AGAIN_RUN : AGAIN_NOT),
			    &answer, err);
	if (r == 0)
		return answer.result;
	give_up(client, job, &answer);
	return NULL;
}

/* An id is known before the job is: it may come by another connection than we do. */
static struct xc_result *attach(struct xc_client *client, const char *id,
				const struct xci_attach *wanted, struct xc_error *err)
{
	uint64_t limit = now_ns() + COMING_LIMIT_S * UINT64_C(1000000000);
	struct xc_error own = XC_ERROR_INIT;
	struct xc_result *result;

	if (!client || (!wanted->out && wanted->out_bytes)) {
		error_set(err, -EINVAL, "%s: %s", wanted->call,
			  client ? "out is NULL, but out_bytes is not 0" : "client is NULL");
		return NULL;
	}
	while (!(result = attach_once(client, id, wanted, &own)) && own.code == -EAGAIN &&
	       now_ns() < limit)
		xci_pump(client, COMING_PAUSE_MS);
	if (!result)
		error_set(err, own.code == -EAGAIN ? -ENOENT : own.code, "%s", own.text);
	return result;
}

struct xc_result *xc_attach(struct xc_client *client, const char *id, void *out, size_t out_bytes,
			    struct xc_error *err)
{
	const struct xci_attach wanted = { .call = "xc_attach",
					   .out = out,
					   .out_bytes = out_bytes };

	return attach(client, id, &wanted, err);
}

struct xc_result *xc_resubmit(struct xc_client *client, const char *id, void *out, size_t out_bytes,
			      struct xc_error *err)
{
	const struct xci_attach wanted = {
		.call = "xc_resubmit", .out = out, .out_bytes = out_bytes, .again = true
	};

	return attach(client, id, &wanted, err);
}

static struct xc_result *attach_reduce(struct xc_client *client, const char *id,
				       const struct xci_attach *wanted, struct xc_error *err)
{
	if (xci_reduction_check(wanted->how, wanted->out, wanted->out_bytes, wanted->call, err) < 0)
		return NULL;
	return attach(client, id, wanted, err);
}

struct xc_result *xc_attach_reduce(struct xc_client *client, const char *id,
				   const struct xc_reduction *how, void *result, size_t result_size,
				   struct xc_error *err)
{
	const struct xci_attach wanted = {
		.call = "xc_attach_reduce", .how = how, .out = result, .out_bytes = result_size
	};

	return attach_reduce(client, id, &wanted, err);
}

struct xc_result *xc_resubmit_reduce(struct xc_client *client, const char *id,
				     const struct xc_reduction *how, void *result,
				     size_t result_size, struct xc_error *err)
{
	const struct xci_attach wanted = { .call = "xc_resubmit_reduce",
					   .how = how,
					   .out = result,
					   .out_bytes = result_size,
					   .again = true };

	return attach_reduce(client, id, &wanted, err);
}
