/* sim_engines.c: an agent and its engines that are sockets alone: they speak the protocol,
 * and know one task, which adds 1 to a number of 8 bytes. Run by scale.sh. */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libcluster/wire.h"
#include "proto/connection.h"
#include "proto/task.h"

#define OUT_SIZE 8
#define BEAT_NS	 UINT64_C(1000000000)

struct sim_engine {
	void *socket;
	unsigned char session[SESSION_SIZE];
	uint64_t slot, record;
};

struct sim {
	struct connection connection;
	const char *endpoint; /* NULL: the unix socket */
	void *context, *agent;
	unsigned char session[SESSION_SIZE];
	struct sim_engine *engines;
	int count, epoll;
	bool is_over, has_begun; /* its engines are to be looked at once */
};

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "sim_engines: %s: %s\n", what, zmq_strerror(errno));
	exit(1);
}

static void *dial(struct sim *sim, char letter, const unsigned char *session)
{
	void *socket = zmq_socket(sim->context, ZMQ_DEALER);
	unsigned char route[ROUTE_SIZE];
	int zero = 0;

	if (!socket)
		give_up("cannot make a socket");
	route_make(route, letter, session);
	zmq_setsockopt(socket, ZMQ_ROUTING_ID, route, sizeof route);
	zmq_setsockopt(socket, ZMQ_SNDHWM, &zero, sizeof zero);
	zmq_setsockopt(socket, ZMQ_RCVHWM, &zero, sizeof zero);
	zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
	if (sim->endpoint) {
		const struct connection *c = &sim->connection;

		zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, c->server_key, CONNECTION_KEY_SIZE);
		zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, c->public_key, CONNECTION_KEY_SIZE);
		zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, c->secret_key, CONNECTION_KEY_SIZE);
	}
	if (zmq_connect(socket, sim->endpoint ? sim->endpoint : sim->connection.endpoint) < 0)
		give_up("cannot connect");
	return socket;
}

/* ZeroMQ's descriptor tells of news, not of messages: who is woken looks until there is
 * nothing. */
static void watch(const struct sim *sim, void *socket, uint64_t number)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = number };
	size_t size = sizeof(int);
	int fd;

	if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) < 0 ||
	    epoll_ctl(sim->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		give_up("cannot watch a socket");
}

static void say_hello(struct sim *sim)
{
	char host[64];

	/* Of another host than ours: so nobody looks for its store. */
	snprintf(host, sizeof host, "simulated-%d", (int)getpid());
	SEND_SIMPLE(sim->agent, NULL, hello_agent, .protocol = PROTOCOL_VERSION,
		    .session = { sim->session, SESSION_SIZE }, .pid = getpid(),
		    .host = span_of(host), .slots = (uint64_t)sim->count, .cores = 1,
		    .store = span_of("/nowhere"), .store_limit = UINT64_C(1) << 30,
		    .machine = span_of("x86_64"), .libc = span_of("0"), .log = span_of("/dev/null"),
		    .launch = span_of("simulated"));
}

static void start_engines(struct sim *sim)
{
	for (int i = 0; i < sim->count; i++) {
		struct sim_engine *e = &sim->engines[i];

		randombytes_buf(e->session, sizeof e->session);
		e->slot = (uint64_t)i;
		e->socket = dial(sim, 'e', e->session);
		SEND_SIMPLE(e->socket, NULL, hello_engine, .protocol = PROTOCOL_VERSION,
			    .session = { e->session, SESSION_SIZE },
			    .agent = { sim->session, SESSION_SIZE }, .slot = e->slot, .epoch = 1,
			    .pid = getpid());
		watch(sim, e->socket, (uint64_t)i + 1);
	}
}

/* Everything is stored at once, without its bytes. */
static void on_agent_message(struct sim *sim, struct message *m)
{
	struct msg_located located;

	switch (m->type) {
	case MSG_WELCOME_AGENT:
		start_engines(sim);
		sim->has_begun = true;
		break;
	case MSG_LOCATED:
		if (msg_located_get(&m->fields, &located) == 0 && located.kind != 0)
			SEND_SIMPLE(sim->agent, NULL, stored, .object = located.object,
				    .size = located.size);
		break;
	case MSG_REFUSED:
	case MSG_STALE:
	case MSG_STOP:
		sim->is_over = true;
		break;
	default:
		break;
	}
}

static int64_t input(const struct task_frame *task, struct message *m, int64_t first, int64_t i)
{
	const char *in = zmq_msg_data(&m->frames[2]);
	uint64_t at = (uint64_t)i * OUT_SIZE, begin, base;
	int64_t value = 0;

	if (task->form == FORM_RANGE)
		return task->start + (first + i) * task->step;
	if (task->form == FORM_SAME)
		at = 0;
	if (task->form == FORM_PACKED) {
		memcpy(&base, zmq_msg_data(&m->frames[1]), sizeof base);
		memcpy(&begin, (char *)zmq_msg_data(&m->frames[1]) + 8 * i, sizeof begin);
		at = begin - base;
	}
	if (at + sizeof value <= zmq_msg_size(&m->frames[2]))
		memcpy(&value, in + at, sizeof value);
	return value;
}

static void on_slice(struct sim_engine *e, struct message *m)
{
	unsigned char header[HEADER_MAX];
	uint64_t begin = now_ns();
	struct task_frame task;
	struct msg_slice slice;
	struct msg_done done;
	zmq_msg_t frames[2];
	int64_t *out;

	if (msg_slice_get(&m->fields, &slice) < 0 ||
	    task_frame_parse(&task, zmq_msg_data(&m->frames[0]), zmq_msg_size(&m->frames[0])) < 0 ||
	    task.out_size != OUT_SIZE) {
		fprintf(stderr, "sim_engines: a task of another kind than that of bench/scale\n");
		exit(1);
	}
	zmq_msg_init(&frames[0]);
	zmq_msg_init_size(&frames[1], (size_t)slice.count * OUT_SIZE);
	out = zmq_msg_data(&frames[1]);
	for (int64_t i = 0; i < slice.count; i++)
		out[i] = input(&task, m, slice.first, i) + 1;
	done = (struct msg_done){ .slot = e->slot,
				  .epoch = 1,
				  .record = ++e->record,
				  .slice = slice.slice,
				  .count = slice.count,
				  .busy_ns = now_ns() - begin,
				  .last = 1 };
	message_send(e->socket, NULL, header, msg_done_pack(header, sizeof header, &done), frames,
		     2);
}

static void take(struct sim *sim, struct message *m, uint64_t number)
{
	void *socket = number ? sim->engines[number - 1].socket : sim->agent;

	while (!sim->is_over && message_receive(socket, m, false, false) > 0) {
		if (number == 0)
			on_agent_message(sim, m);
		else if (m->type == MSG_SLICE)
			on_slice(&sim->engines[number - 1], m);
		else if (m->type == MSG_REFUSED)
			sim->is_over = true;
	}
}

static void loop(struct sim *sim)
{
	struct epoll_event events[256];
	uint64_t beat_ns = now_ns();
	struct message m;

	message_init(&m);
	take(sim, &m, 0);
	while (!sim->is_over) {
		int n = epoll_wait(sim->epoll, events, 256, 200);

		for (int i = 0; i < n; i++)
			take(sim, &m, events[i].data.u64);
		for (int i = 0; sim->has_begun && i < sim->count; i++)
			take(sim, &m, (uint64_t)i + 1);
		sim->has_begun = false;
		if (now_ns() - beat_ns < BEAT_NS)
			continue;
		beat_ns = now_ns();
		SEND_SIMPLE(sim->agent, NULL, beat, .store_used = 0);
		take(sim, &m, 0);
	}
	message_fini(&m);
}

int main(int argc, char **argv)
{
	struct xc_error err = XC_ERROR_INIT;
	struct sim sim = { .epoll = epoll_create1(EPOLL_CLOEXEC) };
	struct rlimit limit;

	if (argc < 3 || argc > 4 || (sim.count = atoi(argv[2])) < 1) {
		fprintf(stderr, "usage: sim_engines ENGINES.JSON N [tcp]\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (sodium_init() < 0 || connection_read(argv[1], &sim.connection, &err) < 0) {
		fprintf(stderr, "sim_engines: %s\n", err.text);
		return 1;
	}
	if (argc == 4 && sim.connection.address_count == 0) {
		fprintf(stderr, "sim_engines: the cluster has no address: start it with --ip\n");
		return 1;
	}
	sim.endpoint = argc == 4 ? sim.connection.addresses[0] : NULL;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	sim.context = zmq_ctx_new();
	zmq_ctx_set(sim.context, ZMQ_MAX_SOCKETS, sim.count + 16);
	sim.engines = calloc((size_t)sim.count, sizeof *sim.engines);
	if (!sim.engines)
		give_up("no memory for the engines");
	randombytes_buf(sim.session, sizeof sim.session);
	sim.agent = dial(&sim, 'a', sim.session);
	watch(&sim, sim.agent, 0);
	say_hello(&sim);
	loop(&sim);
	_exit(0); /* thousands of sockets take long to be closed in order */
}
