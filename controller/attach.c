/* attach.c: clients that hear of jobs of others, or run them again. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/error.h"
#include "proto/log.h"

/* ---- Finding ---------------------------------------------------------------------- */

static struct job *find_running(struct client *clients, struct span owner, uint64_t number)
{
	struct client *client;
	struct job *job;

	DL_FOREACH (clients, client) {
		if (memcmp(client->session, owner.data, OWNER_SIZE) != 0)
			continue;
		HASH_FIND(hh, client->jobs, &number, sizeof number, job);
		return job;
	}
	return NULL;
}

/* The newest of that number, as a client may use it again. */
static struct job *find_finished(struct job *list, struct span owner, uint64_t number)
{
	struct job *job, *found = NULL;

	DL_FOREACH (list, job) {
		if (job->id == number && memcmp(job->client->session, owner.data, OWNER_SIZE) == 0)
			found = job;
	}
	return found;
}

struct job *job_find(struct state *state, struct span owner, uint64_t number)
{
	struct job *job;

	if (owner.size != OWNER_SIZE)
		return NULL;
	job = find_running(state->clients, owner, number);
	if (!job)
		job = find_running(state->departed, owner, number);
	if (!job)
		job = find_finished(state->history.kept, owner, number);
	if (!job)
		job = find_finished(state->history.jobs, owner, number);
	return job && !job->is_purged ? job : NULL;
}

struct attachment *attachment_find(struct client *client, uint64_t number)
{
	struct attachment *attachment;

	HASH_FIND(hh, client->attachments, &number, sizeof number, attachment);
	return attachment;
}

/* ---- Results for those who are attached ---------------------------------------------- */

static int attachment_new(struct client *client, struct job *job, uint64_t number)
{
	struct attachment *attachment = calloc(1, sizeof *attachment);

	if (!attachment)
		return -ENOMEM;
	attachment->number = number;
	attachment->client = client;
	attachment->job = job;
	DL_APPEND(job->attachments, attachment);
	HASH_ADD(hh, client->attachments, number, sizeof attachment->number, attachment);
	return 0;
}

void attachment_free(struct state *state, struct attachment *attachment)
{
	struct job *job = attachment->job;

	DL_DELETE(job->attachments, attachment);
	HASH_DEL(attachment->client->attachments, attachment);
	free(attachment);
	job_update_runnable(state, job); /* it may have waited for this client */
}

/* Frames are consumed. */
static void send_copy(struct state *state, struct client *client, struct job *job, uint64_t number,
		      uint64_t index, const struct msg_result *result, zmq_msg_t *frames)
{
	struct msg_result own = *result;
	struct parcel *parcel;

	own.job = number;
	parcel = outbox_add(state, client, &own, &frames[0], &frames[1]);
	if (!parcel)
		return;
	parcel->job = job;
	parcel->index = index;
	parcel->is_copy = true;
	job->unacked++;
}

/* It lets more pile up than there may be for all together. */
static void cut_off(struct state *state, struct attachment *attachment)
{
	struct msg_result last = { .job = attachment->number, .engine = -1, .final = 1 };
	zmq_msg_t frames[2];

	log_line("client %s does not take in the results of a job that it is attached to: it gets "
		 "no more",
		 attachment->client->name);
	zmq_msg_init(&frames[0]);
	zmq_msg_init(&frames[1]);
	outbox_add(state, attachment->client, &last, &frames[0], &frames[1]);
	attachment_free(state, attachment);
}

void attachments_tell(struct state *state, struct job *job, const struct msg_result *result,
		      zmq_msg_t *failures, zmq_msg_t *payload)
{
	struct attachment *attachment, *next;

	DL_FOREACH_SAFE (job->attachments, attachment, next) {
		zmq_msg_t frames[2];

		if (attachment->client->held_bytes > state->history.kept_max + HELD_BYTES_MAX) {
			cut_off(state, attachment);
			continue;
		}
		zmq_msg_init(&frames[0]);
		zmq_msg_copy(&frames[0], failures);
		zmq_msg_init(&frames[1]);
		zmq_msg_copy(&frames[1], payload);
		send_copy(state, attachment->client, job, attachment->number, job->told, result,
			  frames);
	}
}

static void send_parcels(struct state *state, struct client *client, struct job *job,
			 uint64_t number, struct parcel *list)
{
	struct parcel *parcel;

	DL_FOREACH (list, parcel) {
		struct msg_result result;
		zmq_msg_t frames[2];

		if (list != job->results && (parcel->job != job || parcel->is_copy))
			continue;
		parcel_head(parcel, &result);
		parcel_share(parcel, frames);
		send_copy(state, client, job, number, parcel->index, &result, frames);
	}
}

/* ---- ATTACH --------------------------------------------------------------------------- */

struct request {
	struct client *client;
	struct client *clients; /* all that are there */
	struct msg_attach m;
	struct job *job; /* that is named; NULL */
	char text[300];	 /* why not */
};

static int XC_PRINTF(3, 4) refuse(struct request *q, int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(q->text, sizeof q->text, format, ap);
	va_end(ap);
	return code;
}

static int check_item(struct request *q)
{
	const struct job *job = q->job;

	if (q->m.index < 0)
		return 0;
	if (!(job->flags & JOB_APART))
		return refuse(q, -EINVAL, JOB_NO_IDS, (long long)q->m.index);
	if (q->m.index >= job->items)
		return refuse(q, -ENOENT, JOB_FEW_ITEMS, (long long)job->items);
	return 0;
}

static int check_out(struct request *q)
{
	int64_t items = q->m.index < 0 ? q->job->items : 1;
	uint64_t need;

	if (q->m.out != OUT_ARRAY)
		return 0;
	if (!q->job->out_size)
		return refuse(q, -EINVAL, JOB_ANY_SIZE);
	if (__builtin_mul_overflow((uint64_t)items, q->job->out_size, &need) ||
	    q->m.out_bytes < need)
		return refuse(q, -EMSGSIZE, JOB_SMALL_OUT, (long long)items,
			      (unsigned long long)q->job->out_size,
			      (unsigned long long)q->m.out_bytes);
	return 0;
}

/* Its client is there, and had no job of that number: it may be on its way. */
static bool is_to_come(const struct request *q)
{
	struct client *client;

	if (q->m.owner.size != OWNER_SIZE)
		return false;
	DL_FOREACH (q->clients, client) {
		if (memcmp(client->session, q->m.owner.data, OWNER_SIZE) == 0)
			return q->m.number > client->last_job;
	}
	return false;
}

static int check(struct request *q)
{
	const char *other;
	int r;

	if (!q->job && is_to_come(q))
		return refuse(q, -EAGAIN, JOB_TO_COME);
	if (!q->job)
		return refuse(q, -ENOENT, JOB_FORGOTTEN);
	other = job_other_call(q->job->flags, q->m.out, q->m.again);
	if (other)
		return refuse(q, -EINVAL, "%s", other);
	r = check_item(q);
	return r < 0 ? r : check_out(q);
}

static int check_results(struct request *q)
{
	if (!q->job->is_dropped)
		return 0;
	return refuse(q, -ENODATA, JOB_NO_RESULTS);
}

static int check_inputs(struct request *q)
{
	const struct job *job = q->job;
	uint64_t bytes = q->client->input_bytes;

	if (!job_has_ended(job))
		return refuse(q, -EBUSY, JOB_NOT_ENDED);
	if (!job->payload)
		return refuse(q, -ENODATA, JOB_NO_INPUTS);
	if (bytes + zmq_msg_size(&job->payload->message) > 4 * CREDIT_BYTES)
		return refuse(q, -ENOBUFS,
			      "this client has too many bytes of inputs queued in the controller");
	return 0;
}

static void answer(struct state *state, struct request *q, int code)
{
	struct msg_attached m = { .job = q->m.job, .code = code };
	struct span reduction = { NULL, 0 };

	if (code == 0) {
		reduction = job_reduction(q->job);
		m.items = q->job->items;
		m.out_size = q->job->out_size;
		m.flags = q->job->flags;
	}
	outbox_answer(state, q->client, &m, code ? q->text : "", reduction);
}

static void attach(struct state *state, struct request *q)
{
	struct job *job = q->job;
	int r = check_results(q);

	if (r == 0 && !job->is_finished)
		r = attachment_new(q->client, job, q->m.job);
	if (r == -ENOMEM)
		refuse(q, r, "the controller is out of memory");
	answer(state, q, r);
	if (r < 0)
		return;
	send_parcels(state, q->client, job, q->m.job, job->results);
	if (!job->is_left)
		send_parcels(state, q->client, job, q->m.job, job->client->parcels);
	job_update_runnable(state, job);
}

static void run_again(struct state *state, struct request *q)
{
	struct job *job;
	int r = check_inputs(q);

	if (r < 0 || q->m.again == AGAIN_WHETHER) {
		answer(state, q, r);
		return;
	}
	job = job_again(state, q->client, q->job, q->m.job, q->m.index);
	if (!job)
		r = refuse(q, -ENOMEM, "the controller is out of memory");
	if (job)
		q->job = job;
	answer(state, q, r);
	if (job)
		job_begin(state, job);
}

int on_attach(struct state *state, struct peer *peer, struct message *m)
{
	struct request q = { .client = peer->is.client, .clients = state->clients };
	struct job *own;
	int r = msg_attach_get(&m->fields, &q.m);

	if (r < 0)
		return r;
	if (!client_is_next(state, q.client, q.m.seq))
		return 0;
	HASH_FIND(hh, q.client->jobs, &q.m.job, sizeof q.m.job, own);
	if (q.m.again > AGAIN_WHETHER || own || attachment_find(q.client, q.m.job))
		return XC_EPROTO;
	q.job = job_find(state, q.m.owner, q.m.number);
	r = check(&q);
	if (r < 0)
		answer(state, &q, r);
	else if (q.m.again)
		run_again(state, &q);
	else
		attach(state, &q);
	return 0;
}

int on_detach(struct state *state, struct peer *peer, struct message *m)
{
	struct client *client = peer->is.client;
	struct attachment *attachment;
	struct msg_detach detach;
	struct job *job;
	int r = msg_detach_get(&m->fields, &detach);

	if (r < 0)
		return r;
	if (!client_is_next(state, client, detach.seq))
		return 0;
	attachment = attachment_find(client, detach.job);
	if (attachment) {
		attachment_free(state, attachment);
		return 0;
	}
	HASH_FIND(hh, client->jobs, &detach.job, sizeof detach.job, job);
	if (job && (job->flags & JOB_KEEP) && !job->is_left)
		job_leave(state, job);
	return 0;
}
