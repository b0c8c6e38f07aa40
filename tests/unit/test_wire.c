/* test_wire.c: whole messages between two sockets of this process. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcluster/wire.h"
#include "tests/unit/unit.h"

static void *context, *router, *dealer;
static unsigned char route[ROUTE_SIZE];
static struct message m;

static void begin(void)
{
	static const unsigned char session[SESSION_SIZE] = { 1, 2, 3 };

	context = zmq_ctx_new();
	router = zmq_socket(context, ZMQ_ROUTER);
	dealer = zmq_socket(context, ZMQ_DEALER);
	route_make(route, 'c', session);
	zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &(int){ 1 }, sizeof(int));
	zmq_setsockopt(dealer, ZMQ_ROUTING_ID, route, sizeof route);
	zmq_setsockopt(router, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
	zmq_setsockopt(dealer, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
	ck_assert_int_eq(zmq_bind(router, "inproc://wire"), 0);
	ck_assert_int_eq(zmq_connect(dealer, "inproc://wire"), 0);
	message_init(&m);
}

static void end(void)
{
	message_fini(&m);
	zmq_close(router);
	zmq_close(dealer);
	zmq_ctx_term(context);
}

static int send_frames(int count)
{
	unsigned char header[HEADER_MAX];
	struct msg_report report = { .id = 5 };
	zmq_msg_t frames[8];

	for (int i = 0; i < count; i++)
		frame_copy(&frames[i], "frame", 5);
	return message_send(dealer, NULL, header, msg_report_pack(header, sizeof header, &report),
			    frames, count);
}

START_TEST(test_round_trip)
{
	struct msg_report report;

	ck_assert_int_eq(message_receive(router, &m, true, false), 0);
	ck_assert_int_eq(send_frames(1), 0);
	ck_assert_int_eq(message_receive(router, &m, true, true), 1);
	ck_assert_uint_eq(m.type, MSG_REPORT);
	ck_assert_int_eq(m.count, 1);
	ck_assert_mem_eq(zmq_msg_data(&m.route), route, ROUTE_SIZE);
	ck_assert_int_eq(msg_report_get(&m.fields, &report), 0);
	ck_assert_uint_eq(report.id, 5);
	ck_assert_mem_eq(zmq_msg_data(&m.frames[0]), "frame", 5);
	ck_assert_int_eq(SEND_SIMPLE(router, route, stop, .id = 3), 0);
	ck_assert_int_eq(message_receive(dealer, &m, false, true), 1);
	ck_assert_uint_eq(m.type, MSG_STOP);
}
END_TEST

/* Any number of frames but the type's own: malformed, and the next one is whole. */
START_TEST(test_frames)
{
	for (int count = 0; count < 8; count++) {
		ck_assert_int_eq(send_frames(count), 0);
		ck_assert_int_eq(send_frames(1), 0);
		ck_assert_int_eq(message_receive(router, &m, true, false), 1);
		ck_assert_uint_eq(m.type, count == 1 ? MSG_REPORT : 0);
		ck_assert_int_eq(message_receive(router, &m, true, false), 1);
		ck_assert_uint_eq(m.type, MSG_REPORT);
	}
}
END_TEST

START_TEST(test_garbage)
{
	zmq_send(dealer, "", 0, 0);
	zmq_send(dealer, "garbage", 7, 0);
	ck_assert_int_eq(send_frames(1), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(message_receive(router, &m, true, false), 1);
		ck_assert_uint_eq(m.type, i == 2 ? MSG_REPORT : 0);
	}
}
END_TEST

/* A short header lies within its zmq_msg_t, and moves with it. */
START_TEST(test_move)
{
	struct msg_report report;
	struct message to;

	send_frames(1);
	message_receive(router, &m, true, false);
	message_move(&to, &m);
	memset(zmq_msg_data(&m.header), 0xff, zmq_msg_size(&m.header));
	ck_assert_uint_eq(m.type, 0);
	ck_assert_uint_eq(to.type, MSG_REPORT);
	ck_assert_int_eq(msg_report_get(&to.fields, &report), 0);
	ck_assert_uint_eq(report.id, 5);
	ck_assert_uint_eq(zmq_msg_size(&to.frames[0]), 5);
	message_fini(&to);
}
END_TEST

static atomic_bool enough;

static void ignore(int signal)
{
	(void)signal;
}

static void *send_signals(void *thread)
{
	while (!enough)
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return NULL;
}

/* Signals that come in the middle of a message leave it whole: half of one would spoil
 * the next, too. */
START_TEST(test_signals)
{
	pthread_t self = pthread_self(), sender;
	uint64_t end = now_ns() + 400000000;
	int r;

	signal(SIGUSR1, ignore);
	ck_assert_int_eq(pthread_create(&sender, NULL, send_signals, &self), 0);
	do {
		ck_assert_int_eq(send_frames(2), 0);
		do
			r = message_receive(router, &m, true, false);
		while (r == 0);
		ck_assert_int_eq(r, 1);
		ck_assert_int_eq(m.type, 0);
		ck_assert_int_eq(m.count, 2);
	} while (now_ns() < end);
	enough = true;
	pthread_join(sender, NULL);
}
END_TEST

/* ZeroMQ's sockets are of no use there, which must show. */
START_TEST(test_forked_child)
{
	uint64_t end = now_ns() + UINT64_C(10000000000);
	int status = 0, r = 0;
	pid_t child = fork();

	if (child == 0) {
		do
			r = message_receive(router, &m, true, false);
		while (r == 0 && now_ns() < end);
		_exit(r == -EINTR ? 7 : 8);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(WEXITSTATUS(status), 7);
}
END_TEST

START_TEST(test_nobody_there)
{
	route[5]++;
	ck_assert_int_eq(SEND_SIMPLE(router, route, stop, .id = 3), -EHOSTUNREACH);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("wire");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_round_trip);
	tcase_add_test(tests, test_frames);
	tcase_add_test(tests, test_garbage);
	tcase_add_test(tests, test_move);
	tcase_add_test(tests, test_signals);
	tcase_add_test(tests, test_forked_child);
	tcase_add_test(tests, test_nobody_there);
	return unit_run(tests);
}
