/* guest.c: a client without a session. */
#include "tests/unit/guest.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct xc_client *guest;
void (*guest_around)(bool before);

static void *far;

void guest_open(void)
{
	guest = calloc(1, sizeof *guest);
	guest->pidfd = guest->store = guest->loop = guest->timer = -1;
	guest->all = (struct xc_view){ .client = guest, .kind = VIEW_ALL };
	guest->balanced = (struct xc_view){ .client = guest, .kind = VIEW_BALANCED };
	guest->credit = UINT64_C(1) << 30;
	guest->heard_ns = now_ns();
	guest->context = zmq_ctx_new();
	far = zmq_socket(guest->context, ZMQ_DEALER);
	guest->dial.socket = guest->dealer = zmq_socket(guest->context, ZMQ_DEALER);
	zmq_setsockopt(far, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
	zmq_setsockopt(guest->dealer, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
	ck_assert_int_eq(zmq_bind(far, "inproc://controller"), 0);
	ck_assert_int_eq(zmq_connect(guest->dealer, "inproc://controller"), 0);
	ck_assert_int_eq(
		zmq_getsockopt(guest->dealer, ZMQ_FD, &guest->dealer_fd, &(size_t){ sizeof(int) }),
		0);
}

void *guest_far(void)
{
	return far;
}

void guest_close(void)
{
	zmq_close(far);
	xc_close(guest);
}

struct xci_job *guest_job(struct xc_result *result, struct xc_result **members, int64_t n)
{
	struct xci_job *job = calloc(1, sizeof *job);

	job->id = ++guest->last_job;
	job->single = result;
	if (members) {
		job->members = malloc((size_t)n * sizeof *members);
		memcpy(job->members, members, (size_t)n * sizeof *members);
		job->count = n;
		for (int64_t i = 0; i < n; i++) {
			members[i]->job = job;
			members[i]->index = i;
		}
	} else {
		result->job = job;
	}
	HASH_ADD(hh, guest->jobs, id, sizeof job->id, job);
	return job;
}

static int take(int (*handler)(struct xc_client *client, struct message *m), const void *header,
		size_t size, struct span a, struct span b)
{
	struct message m;
	int r;

	message_init(&m);
	frame_copy(&m.header, header, size);
	frame_copy(&m.frames[0], a.data, a.size);
	frame_copy(&m.frames[1], b.data, b.size);
	m.count = 2;
	m.type = message_type(&m.fields, zmq_msg_data(&m.header), size);
	if (guest_around)
		guest_around(true);
	r = handler(guest, &m);
	if (guest_around)
		guest_around(false);
	message_fini(&m);
	return r;
}

int guest_result(struct msg_result head, struct span failures, struct span payload)
{
	unsigned char header[HEADER_MAX];

	if (!head.seq)
		head.seq = guest->received + 1;
	if (!head.job)
		head.job = guest->last_job;
	return take(xci_on_result, header, msg_result_pack(header, sizeof header, &head), failures,
		    payload);
}

int guest_roster(uint64_t starting, struct span engines, struct span agents)
{
	unsigned char header[HEADER_MAX];
	struct msg_roster head = { .starting = starting };

	return take(xci_on_roster, header, msg_roster_pack(header, sizeof header, &head), engines,
		    agents);
}

void guest_add_run(struct guest_frame *frame, int64_t first, int64_t count, uint64_t state,
		   const char *text)
{
	struct failure_run run = { .first = first,
				   .count = count,
				   .state = state,
				   .code = 3,
				   .attempts = 1,
				   .text = span_of(text) };

	frame->size += failure_run_pack(frame->bytes + frame->size,
					sizeof frame->bytes - frame->size, &run);
}

void guest_add_engine(struct guest_frame *frame, uint64_t id, uint64_t state, const char *reason)
{
	struct writer w;

	writer_init(&w, frame->bytes + frame->size, sizeof frame->bytes - frame->size);
	put_u64(&w, id);
	put_u64(&w, state);
	put_i64(&w, 0);
	put_str(&w, span_of(reason));
	frame->size += w.used;
}

void guest_add_agent(struct guest_frame *frame, const char *host, const char *store, int session)
{
	unsigned char bytes[SESSION_SIZE];
	struct writer w;

	memset(bytes, session, sizeof bytes);
	writer_init(&w, frame->bytes + frame->size, sizeof frame->bytes - frame->size);
	put_i64(&w, session);
	put_str(&w, span_of(host));
	put_str(&w, span_of(store));
	put_bin(&w, (struct span){ bytes, sizeof bytes });
	frame->size += w.used;
}

struct span guest_span(const struct guest_frame *frame)
{
	return (struct span){ frame->bytes, frame->size };
}

uint64_t guest_sent(struct message *m)
{
	return message_receive(far, m, false, false) == 1 ? m->type : 0;
}
