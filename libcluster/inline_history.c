/* inline_history.c: jobs within the client that have ended, results for who asks again,
 * and those who do: by a controller's rules and within its bounds. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "libcluster/inline.h"
#include "proto/error.h"

/* ---- What is kept ------------------------------------------------------------------- */

static uint64_t *budget(struct xci_inline *in, const struct inline_job *job)
{
	return job->flags & JOB_KEEP ? &in->kept_bytes : &in->history_bytes;
}

static bool is_over_budget(struct xci_inline *in, const struct inline_job *job)
{
	return *budget(in, job) > (job->flags & JOB_KEEP ? HISTORY_KEPT : HISTORY_BYTES);
}

static void charge(struct xci_inline *in, struct inline_job *job, uint64_t cost)
{
	job->cost += cost;
	*budget(in, job) += cost;
}

static uint64_t parcel_cost(struct inline_parcel *parcel)
{
	return sizeof *parcel + zmq_msg_size(&parcel->frames[0]) + zmq_msg_size(&parcel->frames[1]);
}

static void drop_results(struct xci_inline *in, struct inline_job *job)
{
	struct inline_parcel *parcel, *next;

	DL_FOREACH_SAFE (job->results, parcel, next) {
		uint64_t cost = parcel_cost(parcel);

		job->cost -= cost;
		*budget(in, job) -= cost;
		DL_DELETE(job->results, parcel);
		zmq_msg_close(&parcel->frames[0]);
		zmq_msg_close(&parcel->frames[1]);
		free(parcel);
	}
	job->is_dropped = true;
}

/* Only what is known of it stays. */
static void strip(struct xci_inline *in, struct inline_job *job)
{
	drop_results(in, job);
	*budget(in, job) -= job->cost;
	job->cost = 0;
	job->has_inputs = false;
	zmq_msg_close(&job->payload);
	zmq_msg_init(&job->payload);
	zmq_msg_close(&job->targets);
	zmq_msg_init(&job->targets);
	free(job->aligned);
	job->aligned = NULL;
	job->input = (struct span){ NULL, 0 };
}

/* Down to the budget that this job counts for: the oldest give up theirs first. */
static void trim_bytes(struct xci_inline *in, const struct inline_job *job)
{
	struct inline_job *old;

	DL_FOREACH (in->history, old) {
		if (!is_over_budget(in, job))
			return;
		if (old->cost > 0 && (old->flags & JOB_KEEP) == (job->flags & JOB_KEEP))
			strip(in, old);
	}
}

static void keep(struct xci_inline *in, struct inline_job *job, struct inline_parcel *parcel)
{
	DL_APPEND(job->results, parcel);
	charge(in, job, parcel_cost(parcel));
	trim_bytes(in, job);
	if (is_over_budget(in, job))
		drop_results(in, job);
}

static void send_copy(struct xci_inline *in, uint64_t number, const struct msg_result *result,
		      const zmq_msg_t *frames)
{
	unsigned char header[HEADER_MAX];
	struct msg_result own = *result;
	zmq_msg_t copies[2];

	own.seq = ++in->sent;
	own.received = in->received;
	own.job = number;
	for (int i = 0; i < 2; i++) {
		zmq_msg_init(&copies[i]);
		zmq_msg_copy(&copies[i], (zmq_msg_t *)&frames[i]);
	}
	if (inline_send(in, header, msg_result_pack(header, sizeof header, &own), copies, 2) < 0)
		inline_starve(in);
}

void inline_tell(struct xci_inline *in, struct inline_job *job, struct msg_result *head,
		 zmq_msg_t *frames)
{
	struct inline_parcel *parcel = job->is_dropped ? NULL : malloc(sizeof *parcel);
	struct inline_attachment *attachment;

	job->result_bytes += zmq_msg_size(&frames[1]);
	send_copy(in, job->id, head, frames);
	DL_FOREACH (job->attachments, attachment) {
		send_copy(in, attachment->number, head, frames);
	}
	if (parcel) {
		parcel->head = *head;
		for (int i = 0; i < 2; i++) {
			zmq_msg_init(&parcel->frames[i]);
			zmq_msg_move(&parcel->frames[i], &frames[i]);
		}
		keep(in, job, parcel);
	} else if (!job->is_dropped) {
		inline_starve(in);
	}
	zmq_msg_close(&frames[0]);
	zmq_msg_close(&frames[1]);
}

/* ---- Jobs that have ended ---------------------------------------------------------------- */

/* The oldest that may go. */
static struct inline_job *oldest(const struct xci_inline *in)
{
	struct inline_job *job;

	DL_FOREACH (in->history, job) {
		if (!job->is_left)
			return job;
	}
	return NULL;
}

void inline_history_add(struct xci_inline *in, struct inline_job *job)
{
	struct inline_job *old;

	job->is_finished = true;
	job->finished_ns = now_ns();
	DL_APPEND(in->history, job);
	in->history_count++;
	if (job->has_inputs)
		charge(in, job, zmq_msg_size(&job->targets) + job->input.size);
	trim_bytes(in, job);
	while (in->history_count > HISTORY_JOBS && (old = oldest(in)))
		inline_job_free(in, old);
}

static void detach(struct inline_job *job, struct inline_attachment *attachment)
{
	DL_DELETE(job->attachments, attachment);
	free(attachment);
}

void inline_history_remove(struct xci_inline *in, struct inline_job *job)
{
	while (job->attachments)
		detach(job, job->attachments);
	strip(in, job);
	if (!job->is_finished)
		return;
	DL_DELETE(in->history, job);
	in->history_count--;
}

/* ---- Finding ----------------------------------------------------------------------------- */

/* The newest of that number, as the client may use it again. */
struct inline_job *inline_job_find(struct xci_inline *in, struct span owner, uint64_t number)
{
	struct inline_job *job, *found = NULL;

	if (owner.size != OWNER_SIZE || memcmp(owner.data, in->owner, OWNER_SIZE) != 0)
		return NULL;
	HASH_FIND(hh, in->jobs, &number, sizeof number, found);
	if (found)
		return found;
	DL_FOREACH (in->history, job) {
		if (job->id == number)
			found = job;
	}
	return found;
}

static struct inline_attachment *attachment_of(const struct inline_job *job, uint64_t number)
{
	struct inline_attachment *attachment;

	DL_SEARCH_SCALAR(job->attachments, attachment, number, number);
	return attachment;
}

struct inline_job *inline_job_numbered(struct xci_inline *in, uint64_t number)
{
	struct inline_job *job, *next;

	HASH_FIND(hh, in->jobs, &number, sizeof number, job);
	if (job)
		return job;
	HASH_ITER (hh, in->jobs, job, next) {
		if (attachment_of(job, number))
			return job;
	}
	return NULL;
}

/* ---- ATTACH -------------------------------------------------------------------------------- */

struct request {
	struct msg_attach m;
	struct inline_job *job; /* that is named; NULL */
	char text[300];		/* why not */
};

static int XC_PRINTF(3, 4) refuse(struct request *q, int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(q->text, sizeof q->text, format, ap);
	va_end(ap);
	return code;
}

/* Nodes have no size an item. */
static uint64_t told_size(const struct inline_job *job)
{
	return job->flags & JOB_REDUCE ? 0 : job->task.out_size;
}

static int check_out(struct request *q)
{
	uint64_t items = q->m.index < 0 ? (uint64_t)q->job->items : 1, need;
	uint64_t out_size = told_size(q->job);

	if (q->m.out != OUT_ARRAY)
		return 0;
	if (!out_size)
		return refuse(q, -EINVAL, JOB_ANY_SIZE);
	if (__builtin_mul_overflow(items, out_size, &need) || q->m.out_bytes < need)
		return refuse(q, -EMSGSIZE, JOB_SMALL_OUT, (long long)items,
			      (unsigned long long)out_size, (unsigned long long)q->m.out_bytes);
	return 0;
}

/* N.B. nobody else can be about to submit it. */
static int check(const struct xci_inline *in, struct request *q)
{
	const struct inline_job *job = q->job;
	const char *other;

	if (!job && memcmp(q->m.owner.data, in->owner, OWNER_SIZE) == 0 &&
	    q->m.number > in->last_job)
		return refuse(q, -ENOENT, JOB_TO_COME);
	if (!job)
		return refuse(q, -ENOENT, JOB_FORGOTTEN);
	other = job_other_call(job->flags, q->m.out, q->m.again);
	if (other)
		return refuse(q, -EINVAL, "%s", other);
	if (q->m.index >= 0 && !(job->flags & JOB_APART))
		return refuse(q, -EINVAL, JOB_NO_IDS, (long long)q->m.index);
	if (q->m.index >= job->items)
		return refuse(q, -ENOENT, JOB_FEW_ITEMS, (long long)job->items);
	return check_out(q);
}

static int answer(struct xci_inline *in, struct request *q, int code)
{
	struct msg_attached m = {
		.seq = in->sent + 1, .received = in->received, .job = q->m.job, .code = code
	};
	unsigned char header[HEADER_MAX];
	struct span reduction = { NULL, 0 };
	zmq_msg_t frames[2];
	int r;

	if (code == 0) {
		reduction = q->job->task.reduce;
		m.items = q->job->items;
		m.out_size = told_size(q->job);
		m.flags = q->job->flags;
	}
	r = frame_copy(&frames[0], q->text, code ? strlen(q->text) : 0);
	r |= frame_copy(&frames[1], reduction.data, reduction.size);
	if (r < 0) {
		zmq_msg_close(&frames[0]);
		zmq_msg_close(&frames[1]);
	}
	if (r == 0)
		r = inline_send(in, header, msg_attached_pack(header, sizeof header, &m), frames,
				2);
	if (r == 0)
		in->sent++;
	return r;
}

static int attach(struct xci_inline *in, struct request *q)
{
	struct inline_job *job = q->job;
	struct inline_attachment *attachment = NULL;
	struct inline_parcel *parcel;
	int r;

	if (job->is_dropped)
		return answer(in, q, refuse(q, -ENODATA, JOB_NO_RESULTS));
	if (!job->is_finished && !(attachment = calloc(1, sizeof *attachment)))
		return answer(in, q, refuse(q, -ENOMEM, "out of memory"));
	r = answer(in, q, 0);
	if (r < 0) {
		free(attachment);
		return r;
	}
	if (attachment) {
		attachment->number = q->m.job;
		DL_APPEND(job->attachments, attachment);
	}
	job->is_left = false;
	DL_FOREACH (job->results, parcel) {
		send_copy(in, q->m.job, &parcel->head, parcel->frames);
	}
	return 0;
}

/* The inputs as they came: of all items, or of one. */
static int payload_of(const struct inline_job *job, int64_t index, zmq_msg_t *payload)
{
	const char *data = job->input.data;
	uint64_t table[2] = { 0 }, from;
	int r;

	if (index >= 0 && job->task.form == FORM_STRIDED)
		return frame_copy(payload, data + (size_t)index * job->task.in_size,
				  job->task.in_size);
	if (index < 0 || job->task.form != FORM_PACKED)
		return frame_copy(payload, data, job->input.size);
	memcpy(&from, data + 8 * index, 8);
	memcpy(&table[1], data + 8 * (index + 1), 8);
	table[1] -= from;
	r = zmq_msg_init_size(payload, sizeof table + table[1]) < 0 ? -ENOMEM : 0;
	if (r == 0) {
		memcpy(zmq_msg_data(payload), table, sizeof table);
		memcpy((char *)zmq_msg_data(payload) + sizeof table,
		       data + 8 * (job->items + 1) + from, table[1]);
	}
	return r;
}

static struct inline_job *job_again(struct xci_inline *in, const struct request *q)
{
	struct inline_job *old = q->job, *job;
	struct msg_submit s = { .job = q->m.job,
				.pinned = old->pinned,
				.items = q->m.index < 0 ? old->items : 1,
				.form = old->task.form,
				.in_size = old->task.in_size,
				.out_size = old->task.out_size,
				.chunk = old->chunk,
				.max_attempts = (uint64_t)old->max_attempts,
				.flags = old->flags,
				.priority = old->priority,
				.label = span_of(old->label) };
	zmq_msg_t frames[3];

	if (payload_of(old, q->m.index, &frames[2]) < 0)
		return NULL;
	zmq_msg_init(&frames[0]);
	zmq_msg_copy(&frames[0], &old->frame);
	zmq_msg_init(&frames[1]);
	zmq_msg_copy(&frames[1], &old->targets);
	job = inline_job_new(in, &s, frames);
	for (int i = 0; i < 3; i++)
		zmq_msg_close(&frames[i]);
	return job;
}

static int run_again(struct xci_inline *in, struct request *q)
{
	struct inline_job *job;
	int r;

	if (!q->job->is_finished)
		return answer(in, q, refuse(q, -EBUSY, JOB_NOT_ENDED));
	if (!q->job->has_inputs)
		return answer(in, q, refuse(q, -ENODATA, JOB_NO_INPUTS));
	if (q->m.again == AGAIN_WHETHER)
		return answer(in, q, 0);
	job = job_again(in, q);
	if (!job)
		return answer(in, q, refuse(q, -ENOMEM, "out of memory"));
	q->job = job;
	r = answer(in, q, 0);
	if (r < 0) {
		inline_job_free(in, job);
		return r;
	}
	inline_job_begin(in, job);
	return 0;
}

int inline_on_attach(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	struct request q = { .job = NULL };
	int r = msg_attach_get(fields, &q.m);

	(void)frames;
	if (r < 0)
		return r;
	in->received = q.m.seq;
	q.job = inline_job_find(in, q.m.owner, q.m.number);
	r = check(in, &q);
	if (r < 0)
		return answer(in, &q, r);
	return q.m.again ? run_again(in, &q) : attach(in, &q);
}

int inline_on_detach(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	struct inline_attachment *attachment;
	struct inline_job *job;
	struct msg_detach m;
	int r = msg_detach_get(fields, &m);

	(void)frames;
	if (r < 0)
		return r;
	in->received = m.seq;
	job = inline_job_numbered(in, m.job);
	attachment = job ? attachment_of(job, m.job) : NULL;
	if (attachment)
		detach(job, attachment);
	else if (job && (job->flags & JOB_KEEP))
		job->is_left = true;
	return 0;
}
