/* inline.c: a controller and its engines within the client: messages in and out. */
#include "libcluster/inline.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "proto/cores.h"
#include "proto/error.h"

#define ROSTER_ROOM 96 /* bytes of an engine in a ROSTER, at most */

enum { ROSTER_UP = 1, ROSTER_SHUT = 5 };

/* ---- To the client --------------------------------------------------------------- */

int inline_send(struct xci_inline *in, const void *header, size_t size, zmq_msg_t *frames,
		int count)
{
	struct inline_message *entry = in->is_starved ? NULL : malloc(sizeof *entry);
	int r = entry ? 0 : -ENOMEM;

	if (r == 0) {
		message_init(&entry->message);
		r = frame_copy(&entry->message.header, header, size);
	}
	for (int i = 0; i < count; i++) {
		if (r == 0)
			zmq_msg_move(&entry->message.frames[i], &frames[i]);
		zmq_msg_close(&frames[i]);
	}
	if (r < 0) {
		if (entry)
			message_fini(&entry->message);
		free(entry);
		return r;
	}
	entry->message.count = count;
	DL_APPEND(in->queue, entry);
	return 0;
}

int xci_inline_receive(struct xci_inline *in, struct message *m)
{
	struct inline_message *entry = in->queue;

	if (!entry)
		return 0;
	DL_DELETE(in->queue, entry);
	message_fini(m);
	message_move(m, &entry->message);
	message_fini(&entry->message);
	free(entry);
	return 1;
}

/* Packs and queues a message without frames. */
#define SAY(in, lower, ...)                                                                        \
	({                                                                                         \
		unsigned char header_[HEADER_MAX];                                                 \
		size_t size_ = msg_##lower##_pack(header_, sizeof header_,                         \
						  &(struct msg_##lower){ __VA_ARGS__ });           \
		inline_send(in, header_, size_, NULL, 0);                                          \
	})

/* ---- From the client --------------------------------------------------------------- */

/* Nothing is lost on the way, and nothing is kept to be sent again. */
static int on_ack(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	(void)in;
	(void)fields;
	(void)frames;
	return 0;
}

static int on_ping(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	(void)fields;
	(void)frames;
	return SAY(in, pong, .received = in->received, .sent = in->sent);
}

int inline_answer(struct xci_inline *in, const struct msg_answer *m, zmq_msg_t *frame)
{
	unsigned char header[HEADER_MAX];

	return inline_send(in, header, msg_answer_pack(header, sizeof header, m), frame, 1);
}

static int report(struct xci_inline *in, uint64_t id, const char *text)
{
	unsigned char header[HEADER_MAX];
	struct msg_report m = { .id = id };
	zmq_msg_t frame;

	if (frame_copy(&frame, text, strlen(text)) < 0)
		return -ENOMEM;
	return inline_send(in, header, msg_report_pack(header, sizeof header, &m), &frame, 1);
}

static int on_query(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	struct msg_query query;
	char *text;
	int r = msg_query_get(fields, &query);

	(void)frames;
	if (r < 0)
		return r;
	text = inline_status(in);
	if (!text)
		return -ENOMEM;
	r = report(in, query.id, text);
	free(text);
	return r;
}

static int on_shutdown(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	struct msg_shutdown order;
	int r = msg_shutdown_get(fields, &order);

	(void)frames;
	if (r == 0)
		r = report(in, order.id, "");
	in->is_down = r == 0;
	if (r == 0)
		xci_inline_clean_all(in);
	return r;
}

static const struct route {
	enum message_type type;
	int (*handler)(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);
} routes[] = {
	{ MSG_SUBMIT, inline_on_submit },
	{ MSG_CANCEL, inline_on_cancel },
	{ MSG_ACK, on_ack },
	{ MSG_PING, on_ping },
	{ MSG_QUERY, on_query },
	{ MSG_SHUTDOWN, on_shutdown },
	{ MSG_ATTACH, inline_on_attach },
	{ MSG_DETACH, inline_on_detach },
	{ MSG_JOBS, inline_on_jobs },
	{ MSG_MANAGE, inline_on_manage },
	{ MSG_SIGNAL, inline_on_signal },
	{ MSG_SHUT, inline_on_shut },
};

int xci_inline_post(struct xci_inline *in, const void *header, size_t size, zmq_msg_t *frames,
		    int count)
{
	struct reader fields;
	uint64_t type = message_type(&fields, header, size);
	int r = in->is_down ? XC_ELOST : -ENOTSUP;

	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		if (routes[i].type == type && !in->is_down)
			r = routes[i].handler(in, &fields, frames);
	for (int i = 0; i < count; i++)
		zmq_msg_close(&frames[i]);
	return r;
}

/* ---- Running -------------------------------------------------------------------------- */

bool xci_inline_has_work(const struct xci_inline *in)
{
	for (int i = 0; i < in->count; i++)
		if (in->engines[i].pinned)
			return true;
	return in->runnable != NULL;
}

void inline_starve(struct xci_inline *in)
{
	in->is_starved = in->is_down = true;
}

bool xci_inline_run(struct xci_inline *in)
{
	struct inline_engine *engine;
	struct inline_run work;

	if (in->is_down || !inline_next(in, &work, &engine))
		return false;
	in->running = work.job;
	inline_run_items(in, &work, engine);
	in->running = NULL;
	inline_job_settle(in, work.job);
	return true;
}

bool xci_inline_is_busy(const struct xci_inline *in)
{
	return in->running || in->is_cleaning;
}

int xci_inline_check(const struct xci_inline *in, const char *call, struct xc_error *err)
{
	if (!in || !xci_inline_is_busy(in))
		return 0;
	return error_set(
		err, -EDEADLK,
		"%s: a task calls the client that runs it, which tasks cannot do: they run "
		"in other processes, where this client is not, but for XCLUSTER=inline",
		call);
}

/* ---- Opening and closing ----------------------------------------------------------------- */

static int welcome(struct xci_inline *in)
{
	unsigned char session[SESSION_SIZE];

	randombytes_buf(session, sizeof session);
	return SAY(in, welcome_client, .controller = { session, SESSION_SIZE },
		   .credit = CREDIT_BYTES);
}

/* They are up but for those that were shut down; there is no agent, as there is no
 * store. */
int inline_roster(struct xci_inline *in, const struct inline_engine *engines, int count)
{
	unsigned char header[HEADER_MAX];
	struct msg_roster m = { .starting = 0 };
	zmq_msg_t frames[2];
	struct writer w;
	unsigned char *bytes = malloc((size_t)count * ROSTER_ROOM);
	int r;

	if (!bytes)
		return -ENOMEM;
	writer_init(&w, bytes, (size_t)count * ROSTER_ROOM);
	for (int i = 0; i < count; i++) {
		put_u64(&w, (uint64_t)engines[i].id);
		put_u64(&w, engines[i].is_shut ? ROSTER_SHUT : ROSTER_UP);
		put_i64(&w, -1);
		put_str(&w, span_of(engines[i].reason));
	}
	r = frame_copy(&frames[0], bytes, w.used);
	zmq_msg_init(&frames[1]);
	free(bytes);
	if (r < 0)
		return r;
	return inline_send(in, header, msg_roster_pack(header, sizeof header, &m), frames, 2);
}

struct xci_inline *xci_inline_new(int engines, const unsigned char *session)
{
	struct xci_inline *in = calloc(1, sizeof *in);
	struct timespec wall;

	if (!in)
		return NULL;
	in->engines = calloc((size_t)engines, sizeof *in->engines);
	in->count = in->engines ? engines : 0;
	in->started_ns = now_ns();
	clock_gettime(CLOCK_REALTIME, &wall);
	in->cores = cores_usable();
	in->started = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9;
	in->loads = 1;
	memcpy(in->owner, session, OWNER_SIZE);
	for (int i = 0; i < in->count; i++)
		in->engines[i].id = i;
	if (!in->engines || welcome(in) < 0 || inline_roster(in, in->engines, in->count) < 0) {
		xci_inline_free(in);
		return NULL;
	}
	return in;
}

void xci_inline_free(struct xci_inline *in)
{
	struct inline_message *entry, *next_entry;
	struct inline_job *job, *next_job;

	if (!in)
		return;
	xci_inline_clean_all(in);
	HASH_ITER (hh, in->jobs, job, next_job) {
		inline_job_free(in, job);
	}
	while (in->history)
		inline_job_free(in, in->history);
	for (int i = 0; i < in->count; i++)
		inline_unset(&in->engines[i], "");
	free(in->engines);
	DL_FOREACH_SAFE (in->queue, entry, next_entry) {
		message_fini(&entry->message);
		free(entry);
	}
	inline_libraries_free(in);
	free(in);
}
