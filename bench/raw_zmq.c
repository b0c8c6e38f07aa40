/* raw_zmq.c: client DEALER - hub - DEALER echoes, with nothing but libzmq. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zmq.h>

#include "bench/bench.h"
#include "bench/raw_zmq.h"

enum { MAX_FRAMES = 4 };

struct parts {
	zmq_msg_t frames[MAX_FRAMES];
	int n;
};

static void check(int r, const char *what)
{
	if (r < 0)
		bench_die("raw libzmq: %s: %s", what, zmq_strerror(zmq_errno()));
}

static void *open_socket(void *context, int type, const char *id)
{
	void *socket = zmq_socket(context, type);
	int none = 0;

	if (!socket)
		bench_die("raw libzmq: socket: %s", zmq_strerror(zmq_errno()));
	/* The window bounds the queues; with high-water marks a ROUTER drops. */
	check(zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof(none)), "SNDHWM");
	check(zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof(none)), "RCVHWM");
	check(zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none)), "LINGER");
	if (id)
		check(zmq_setsockopt(socket, ZMQ_ROUTING_ID, id, strlen(id)), "ROUTING_ID");
	return socket;
}

enum side { FRONT, BACK };

/* The forwarder has one address for both sides. */
static void bind_or_connect(const struct raw *raw, void *socket, enum side side, bool is_hub)
{
	char address[128];

	snprintf(address, sizeof(address), "ipc://%s/raw-%d.sock", raw->dir,
		 raw->hub == RAW_PROXY && side == BACK);
	check(is_hub ? zmq_bind(socket, address) : zmq_connect(socket, address), address);
}

static void parts_receive(void *socket, struct parts *parts)
{
	parts->n = 0;
	do {
		zmq_msg_t *frame = &parts->frames[parts->n];

		zmq_msg_init(frame);
		check(zmq_msg_recv(frame, socket, 0), "receive");
		parts->n++;
	} while (zmq_msg_more(&parts->frames[parts->n - 1]) && parts->n < MAX_FRAMES);
}

/* A ROUTER does not know a peer before it has connected: at the start only. */
static void send_frame(void *socket, zmq_msg_t *frame, int flags)
{
	while (zmq_msg_send(frame, socket, flags) < 0)
		if (zmq_errno() != EHOSTUNREACH)
			bench_die("raw libzmq: send: %s", zmq_strerror(zmq_errno()));
}

static void parts_send(void *socket, struct parts *parts, int first)
{
	for (int i = first; i < parts->n; i++)
		send_frame(socket, &parts->frames[i], i + 1 < parts->n ? ZMQ_SNDMORE : 0);
	for (int i = 0; i < first; i++)
		zmq_msg_close(&parts->frames[i]);
}

/* Messages of clients go to the echoes in turn, those of echoes to the client
 * that they name. An echo is known by its id, which starts with E. */
static void run_forwarder(const struct raw *raw)
{
	void *context = zmq_ctx_new();
	void *router = open_socket(context, ZMQ_ROUTER, NULL);
	int mandatory = 1;
	int next = 0;

	check(zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof(mandatory)),
	      "ROUTER_MANDATORY");
	bind_or_connect(raw, router, FRONT, true);
	for (;;) {
		struct parts parts;
		char id[3] = { 'E', 0, 0 };

		parts_receive(router, &parts);
		if (((const char *)zmq_msg_data(&parts.frames[0]))[0] == 'E') {
			parts_send(router, &parts, 1);
			continue;
		}
		id[1] = (char)('0' + next);
		next = (next + 1) % raw->n_echoes;
		check(zmq_send(router, id, 2, ZMQ_SNDMORE), "send");
		parts_send(router, &parts, 0);
	}
}

static void run_proxy(const struct raw *raw)
{
	void *context = zmq_ctx_new();
	void *front = open_socket(context, ZMQ_ROUTER, NULL);
	void *back = open_socket(context, ZMQ_DEALER, NULL);

	bind_or_connect(raw, back, BACK, true);
	bind_or_connect(raw, front, FRONT, true);
	zmq_proxy(front, back, NULL);
}

static void run_echo(const struct raw *raw, int index)
{
	void *context = zmq_ctx_new();
	char id[3] = { 'E', (char)('0' + index), 0 };
	void *dealer = open_socket(context, ZMQ_DEALER, id);

	bind_or_connect(raw, dealer, BACK, false);
	if (raw->hub == RAW_FORWARDER) {
		check(zmq_send(dealer, "C", 1, ZMQ_SNDMORE), "send");
		check(zmq_send(dealer, "hello", 5, 0), "send");
	}
	for (;;) {
		struct parts parts;

		parts_receive(dealer, &parts);
		parts_send(dealer, &parts, 0);
	}
}

static pid_t start_process(const struct raw *raw, int echo)
{
	pid_t parent = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	check(pid, "fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* As the cluster's daemons: the kernel shares out processors by session. */
	setsid();
	if (getppid() != parent)
		_exit(1);
	if (echo >= 0)
		run_echo(raw, echo);
	if (raw->hub == RAW_PROXY)
		run_proxy(raw);
	run_forwarder(raw);
	_exit(1);
}

void raw_start(struct raw *raw, const char *dir, enum raw_hub hub, int n_echoes)
{
	memset(raw, 0, sizeof(*raw));
	snprintf(raw->dir, sizeof(raw->dir), "%s", dir);
	raw->hub = hub;
	raw->n_echoes = n_echoes;
	raw->hub_pid = start_process(raw, -1);
	for (int i = 0; i < n_echoes; i++)
		raw->echoes[i] = start_process(raw, i);
}

void raw_connect(struct raw *raw)
{
	char text[8];

	raw->context = zmq_ctx_new();
	raw->socket = open_socket(raw->context, ZMQ_DEALER, "C");
	bind_or_connect(raw, raw->socket, FRONT, false);
	for (int i = 0; raw->hub == RAW_FORWARDER && i < raw->n_echoes; i++)
		check(zmq_recv(raw->socket, text, sizeof(text), 0), "receive");
	raw_stream(raw, 10000, 1000);
}

void raw_roundtrip(struct raw *raw, uint64_t value)
{
	uint64_t answer = 0;

	check(zmq_send(raw->socket, &value, sizeof(value), 0), "send");
	check(zmq_recv(raw->socket, &answer, sizeof(answer), 0), "receive");
	if (answer != value)
		bench_die("raw libzmq: sent %llu, got %llu back", (unsigned long long)value,
			  (unsigned long long)answer);
}

void raw_stream(struct raw *raw, int64_t n, int64_t window)
{
	int64_t sent = 0;
	uint64_t sum = 0;

	for (int64_t received = 0; received < n; received++) {
		uint64_t answer = 0;

		for (; sent < n && sent - received < window; sent++)
			check(zmq_send(raw->socket, &sent, sizeof(sent), 0), "send");
		check(zmq_recv(raw->socket, &answer, sizeof(answer), 0), "receive");
		sum += answer;
	}
	if (sum != (uint64_t)n * (uint64_t)(n - 1) / 2)
		bench_die("raw libzmq: answers are missing or doubled");
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void raw_stop(struct raw *raw)
{
	zmq_close(raw->socket);
	zmq_ctx_term(raw->context);
	for (int i = 0; i < raw->n_echoes; i++)
		end_process(raw->echoes[i]);
	end_process(raw->hub_pid);
}
