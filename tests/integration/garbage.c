/* garbage.c: whatever bytes reach the controller's and the agent's sockets, the
 * cluster works on. */
#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/message.h"

#define ENGINES 2

/* First byte of a routing id. */
#define ROUTE_CLIENT 'c'
#define ROUTE_AGENT  'a'

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;
static void *context;
static uint64_t seed;
static pid_t controller;

/* xorshift64*: the same garbage every time. */
static uint64_t dice(uint64_t sides)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (seed * 0x2545F4914F6CDD1Du >> 11) % sides;
}

static int square(struct xc_task *task, const void *in, void *out)
{
	int64_t x = *(const int64_t *)in;

	(void)task;
	*(int64_t *)out = x * x;
	return 0;
}

static int same(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(int *)out = xc_task_engine(task);
	return 0;
}

/* An old session and a new one both work, with the same processes. */
static void check_cluster(void)
{
	struct xc_client *another = open_client(ENGINES);
	struct xc_client *clients[2] = { client, another };
	int64_t out[100];
	int ids[ENGINES];

	for (int c = 0; c < 2; c++) {
		const struct xc_view *view = NULL;

		memset(out, 0, sizeof out);
		assert_ok(xc_map_range(xc_balanced(clients[c]), square, 100, out, sizeof out[0],
				       NULL, &err),
			  err);
		for (int i = 0; i < 100; i++)
			ck_assert_int_eq(out[i], i * i);
		assert_ok(xc_engines(clients[c], (const int[]){ 1, 0 }, 2, &view, &err), err);
		assert_ok(xc_apply(view, same, NULL, 0, ids, sizeof ids[0], NULL, &err), err);
		ck_assert_int_eq(ids[0], 1);
		ck_assert_int_eq(ids[1], 0);
	}
	xc_close(another);
	ck_assert_int_eq(controller_pid(), controller);
}

static void set_up(void)
{
	client = open_client(ENGINES);
	context = zmq_ctx_new();
	seed = 88172645463325252u;
	controller = controller_pid();
}

static void tear_down(void)
{
	check_cluster();
	xc_close(client);
	zmq_ctx_term(context);
}

/* A peer with the given routing id; NULL: one that the controller makes up. */
static void *peer(const void *route, size_t size)
{
	void *socket = zmq_socket(context, ZMQ_DEALER);
	const char *endpoint = cluster_path("default/controller.sock");
	char url[600];
	int linger = 2000;

	ck_assert_ptr_nonnull(socket);
	zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
	if (route)
		ck_assert_int_eq(zmq_setsockopt(socket, ZMQ_ROUTING_ID, route, size), 0);
	snprintf(url, sizeof url, "ipc://%s", endpoint);
	ck_assert_int_eq(zmq_connect(socket, url), 0);
	return socket;
}

static void send_frame(void *socket, const void *data, size_t size, bool more)
{
	int timeout = (int)(LIMIT * 1e3);

	zmq_setsockopt(socket, ZMQ_SNDTIMEO, &timeout, sizeof timeout);
	ck_assert_int_eq(zmq_send(socket, data, size, more ? ZMQ_SNDMORE : 0), (int)size);
}

/* Waits for the controller to say anything: it has taken in what was sent. */
static uint64_t answer(void *socket)
{
	int timeout = (int)(LIMIT * 1e3), more;
	size_t size = sizeof more;
	uint64_t type = 0;
	struct reader r;
	zmq_msg_t frame;

	zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
	zmq_msg_init(&frame);
	ck_assert_msg(zmq_msg_recv(&frame, socket, 0) >= 0, "no answer from the controller");
	type = message_type(&r, zmq_msg_data(&frame), zmq_msg_size(&frame));
	while (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more)
		zmq_msg_recv(&frame, socket, 0);
	zmq_msg_close(&frame);
	return type;
}

static void random_bytes(unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)dice(256);
}

START_TEST(random_frames)
{
	unsigned char data[1000];
	void *socket = peer(NULL, 0);

	for (int i = 0; i < 3000; i++) {
		int frames = 1 + (int)dice(6);

		for (int f = 0; f < frames; f++) {
			size_t size = dice(3) ? dice(40) : dice(sizeof data);

			random_bytes(data, size);
			/* Most look like a header at first. */
			if (f == 0 && size > 2 && dice(4)) {
				data[0] = (unsigned char)(0x90 | dice(16));
				data[1] = (unsigned char)dice(34);
			}
			send_frame(socket, data, size, f + 1 < frames);
		}
	}
	zmq_close(socket);
}
END_TEST

START_TEST(huge_frames_and_many)
{
	size_t size = (size_t)64 << 20;
	void *socket = peer(NULL, 0);
	unsigned char *data = calloc(1, size);

	ck_assert_ptr_nonnull(data);
	data[0] = 0x9f;
	send_frame(socket, data, size, true);
	send_frame(socket, data, size, false);
	for (int i = 0; i < 10000; i++)
		send_frame(socket, data, 3, i < 9999);
	memset(data, 0x91, 100000); /* nested arrays, deep */
	send_frame(socket, data, 100000, false);
	zmq_close(socket);
	free(data);
}
END_TEST

static uint64_t random_u64(void)
{
	static const uint64_t values[] = { 0,	  1,	     2,		 3,	    7,	       255,
					   65536, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX };

	return dice(4) ? values[dice(sizeof values / sizeof values[0])] : dice(1000);
}

static int64_t random_i64(void)
{
	return dice(5) ? (int64_t)random_u64() : -(int64_t)dice(100) - 1;
}

static double random_f64(void)
{
	static const double values[] = { 0, -1, 1e300, -1e-300, 1.0 / 3 };

	return values[dice(5)];
}

static struct span random_bin(void)
{
	static const size_t sizes[] = { 0, 1, SESSION_SIZE, OBJECT_SIZE, OBJECT_SIZE, 255, 300 };
	static unsigned char data[300];

	random_bytes(data, dice(8));
	return (struct span){ data, sizes[dice(sizeof sizes / sizeof sizes[0])] };
}

static struct span random_str(void)
{
	return random_bin();
}

#define RANDOM_FIELD(type, name) m.name = random_##type();
#define RANDOM_CASE(upper, lower)                                                                  \
	case MSG_##upper: {                                                                        \
		struct msg_##lower m;                                                              \
                                                                                                   \
		FIELDS_##upper(RANDOM_FIELD) return msg_##lower##_pack(data, size, &m);            \
	}

/* A header of this type with hostile fields. */
static size_t random_header(uint64_t type, void *data, size_t size)
{
	switch (type) {
		MESSAGE_STRUCTS(RANDOM_CASE)
	default:
		return 0;
	}
}

static void send_hostile(void *socket, uint64_t type, bool right_frames)
{
	int frames = right_frames ? message_info(type)->frames : (int)dice(5);
	unsigned char data[HEADER_MAX];
	size_t size = random_header(type, data, sizeof data);

	if (!right_frames && dice(3) == 0)
		size = dice(size + 1);
	send_frame(socket, data, size, frames > 0);
	for (int f = 0; f < frames; f++) {
		size = dice(3) ? dice(100) : 0;
		random_bytes(data, size);
		send_frame(socket, data, size, f + 1 < frames);
	}
}

#define TYPES 40

/* Every type from one who has not said hello; SHUTDOWN too has no effect. */
START_TEST(hostile_fields_from_strangers)
{
	static const char letters[] = { 0, 'C', 'A', 'E', 'c', 'a', 'e', 'X' };
	unsigned char route[ROUTE_SIZE];

	for (size_t l = 0; l < sizeof letters; l++) {
		void *socket;

		random_bytes(route, sizeof route);
		route[0] = (unsigned char)letters[l];
		socket = letters[l] ? peer(route, sizeof route) : peer(NULL, 0);
		for (int i = 0; i < 60 * TYPES; i++) {
			uint64_t type = (uint64_t)i % TYPES;

			if (message_info(type))
				send_hostile(socket, type, dice(2));
		}
		zmq_close(socket);
		ck_assert_int_eq(controller_pid(), controller);
	}
}
END_TEST

/* Says hello as a client does. */
static void *client_peer(void)
{
	unsigned char data[HEADER_MAX], route[ROUTE_SIZE];
	struct msg_hello_client hello = { .protocol = PROTOCOL_VERSION,
					  .session = { route + 1, SESSION_SIZE },
					  .pid = getpid(),
					  .host = span_of("here"),
					  .name = span_of("garbage") };
	void *socket;

	random_bytes(route, sizeof route);
	route[0] = ROUTE_CLIENT;
	socket = peer(route, sizeof route);
	send_frame(socket, data, msg_hello_client_pack(data, sizeof data, &hello), false);
	ck_assert_uint_eq(answer(socket), MSG_WELCOME_CLIENT);
	return socket;
}

/* A client may end the cluster: that is no garbage. */
START_TEST(hostile_fields_from_a_client)
{
	for (uint64_t type = 1; type < TYPES; type++) {
		void *socket;

		if (!message_info(type) || type == MSG_SHUTDOWN)
			continue;
		socket = client_peer();
		for (int i = 0; i < 100; i++)
			send_hostile(socket, type, dice(4));
		zmq_close(socket);
		ck_assert_int_eq(controller_pid(), controller);
	}
}
END_TEST

START_TEST(hostile_mixtures_from_a_client)
{
	for (int round = 0; round < 30; round++) {
		void *socket = client_peer();

		for (int i = 0; i < 200; i++) {
			uint64_t type = dice(TYPES);

			if (message_info(type) && type != MSG_SHUTDOWN)
				send_hostile(socket, type, true);
		}
		zmq_close(socket);
	}
}
END_TEST

static bool has_our_engines_only(void *arg)
{
	(void)arg;
	return xc_engine_count(client) == ENGINES;
}

START_TEST(hostile_fields_from_an_agent)
{
	unsigned char data[HEADER_MAX], route[ROUTE_SIZE];
	struct msg_hello_agent hello = { .protocol = PROTOCOL_VERSION,
					 .session = { route + 1, SESSION_SIZE },
					 .pid = getpid(),
					 .host = span_of("here"),
					 .slots = 2,
					 .cores = 2,
					 .store = span_of("/nonexistent"),
					 .machine = span_of("x86_64"),
					 .libc = span_of("glibc"),
					 .log = span_of("/nonexistent") };

	for (int round = 0; round < 10; round++) {
		void *socket;

		random_bytes(route, sizeof route);
		route[0] = ROUTE_AGENT;
		socket = peer(route, sizeof route);
		send_frame(socket, data, msg_hello_agent_pack(data, sizeof data, &hello), false);
		ck_assert_uint_eq(answer(socket), MSG_WELCOME_AGENT);
		for (int i = 0; i < 500; i++) {
			uint64_t type = dice(TYPES);

			if (message_info(type) && type != MSG_BYE)
				send_hostile(socket, type, true);
		}
		send_hostile(socket, MSG_BYE, true);
		zmq_close(socket);
	}
	ck_assert(wait_until(has_our_engines_only, NULL, 20));
}
END_TEST

static int raw_connection(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval limit = { .tv_sec = 2 };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	return fd;
}

/* Not even ZeroMQ's own protocol; and connections that say nothing. */
START_TEST(raw_bytes_to_the_controller)
{
	unsigned char data[4096];
	int fds[200];

	for (int i = 0; i < 200; i++) {
		size_t size = dice(sizeof data);

		fds[i] = raw_connection(cluster_path("default/controller.sock"), SOCK_STREAM);
		ck_assert_int_ge(fds[i], 0);
		random_bytes(data, size);
		if (i % 2)
			(void)!send(fds[i], data, size, MSG_NOSIGNAL);
	}
	check_cluster();
	for (int i = 0; i < 200; i++)
		close(fds[i]);
}
END_TEST

/* The agent's store: packets of garbage, and one who asks and never reads. */
START_TEST(garbage_to_the_agent)
{
	unsigned char data[4096];
	const char *path = NULL;
	int fds[50];

	for (int k = 0; k < 4 && (!path || access(path, F_OK) < 0); k++)
		path = cluster_path("default/agent-%d.sock", k);
	for (int i = 0; i < 50; i++) {
		fds[i] = raw_connection(path, SOCK_SEQPACKET);
		ck_assert_msg(fds[i] >= 0, "%s: %s", path, strerror(errno));
		for (int k = 0; k < 100; k++) {
			size_t size = dice(3) ? dice(60) : dice(sizeof data);

			random_bytes(data, size);
			if (dice(4)) {
				data[0] = 0x96; /* six fields */
				data[1] = (unsigned char)dice(20);
				data[2] = 0xa0;
			}
			if (send(fds[i], data, size, MSG_NOSIGNAL) < 0)
				break;
		}
	}
	check_cluster();
	for (int i = 0; i < 50; i++)
		close(fds[i]);
	{
		double big[50000] = { 1 };

		assert_ok(xc_push(xc_all(client), "big", XC_ARRAY_F64(big, 50000), &err), err);
		assert_ok(xc_clear(xc_all(client), "big", &err), err);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("garbage");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "garbage"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, random_frames);
	tcase_add_test(tests, huge_frames_and_many);
	tcase_add_test(tests, hostile_fields_from_strangers);
	tcase_add_test(tests, hostile_fields_from_a_client);
	tcase_add_test(tests, hostile_mixtures_from_a_client);
	tcase_add_test(tests, hostile_fields_from_an_agent);
	tcase_add_test(tests, raw_bytes_to_the_controller);
	tcase_add_test(tests, garbage_to_the_agent);
	add_cluster_stop(stop);
	return run_tests(suite);
}
