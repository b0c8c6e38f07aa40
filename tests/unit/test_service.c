/* test_service.c: the agent's answers to engines and visitors. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/runner.h"
#include "proto/task.h"
#include "tests/unit/rig.h"
#include "tests/unit/unit.h"

#include "engine/service.c"

static char buffer[CHANNEL_MAX];
static struct channel_packet reply;
static unsigned char id[OBJECT_SIZE] = { 9 };

/* One request of the engine and its answer's code. */
static int64_t ask(struct channel_packet request)
{
	ck_assert_int_eq(channel_send(rig.engine->channel, &request), 0);
	ck_assert(service_engine(&rig.slot));
	ck_assert_int_eq(channel_receive(rig.engine->channel, &reply, buffer, MSG_DONTWAIT), 1);
	return reply.code;
}

#define ASK(op, ...) ask((struct channel_packet){ .code = op, .fd = -1, ##__VA_ARGS__ })

static int64_t put_object(size_t size, enum channel_op op)
{
	char bytes[1000] = { 0 };
	int fd = rig_memfd(bytes, size);
	int64_t r = ask((struct channel_packet){
		.code = op, .object = { id, OBJECT_SIZE }, .number = size, .fd = fd });

	close(fd);
	return r;
}

START_TEST(test_configuration)
{
	snprintf(rig.agent.connection.endpoint, sizeof rig.agent.connection.endpoint, "ipc:///x");
	rig.slot.state = SLOT_STARTING;
	ck_assert_int_eq(ASK(OP_CONFIG), 0);
	ck_assert_mem_eq(reply.name.data, "ipc:///x", reply.name.size);
	ck_assert_uint_eq(reply.number, 3);
	ck_assert_mem_eq(reply.text.data, "0", 1);
	ck_assert_uint_eq(reply.object.size, SESSION_SIZE);
	ck_assert_int_eq(rig.slot.state, SLOT_RUNNING);
}
END_TEST

/* They let in whoever has them, and an agent of the controller's host may have a client's. */
START_TEST(test_keys_are_for_engines_of_other_hosts)
{
	struct connection *connection = &rig.agent.connection;

	connection->address_count = 1;
	memset(connection->server_key, 's', CONNECTION_KEY_SIZE - 1);
	memset(connection->public_key, 'p', CONNECTION_KEY_SIZE - 1);
	memset(connection->secret_key, 'c', CONNECTION_KEY_SIZE - 1);
	ck_assert_int_eq(ASK(OP_CONFIG), 0);
	ck_assert_uint_eq(reply.data.size, 0);
	rig.agent.is_remote = true;
	ck_assert_int_eq(ASK(OP_CONFIG), 0);
	ck_assert_uint_gt(reply.data.size, 3 * (CONNECTION_KEY_SIZE - 1));
}
END_TEST

START_TEST(test_hello)
{
	ck_assert_int_eq(ASK(OP_HELLO, .number = PROTOCOL_VERSION), 0);
	ck_assert_uint_eq(reply.object.size, SESSION_SIZE);
	ck_assert_int_eq(ASK(OP_HELLO, .number = PROTOCOL_VERSION + 1), XC_EPROTO);
}
END_TEST

START_TEST(test_objects)
{
	ck_assert_int_eq(ASK(OP_HAVE, .object = { id, OBJECT_SIZE }), -ENOENT);
	ck_assert_int_eq(ASK(OP_GET, .object = { id, OBJECT_SIZE }), -ENOENT);
	ck_assert_int_eq(put_object(500, OP_PUT), 0);
	ck_assert_uint_eq(rig.agent.store.used, 500);
	ck_assert_int_eq(ASK(OP_GET, .object = { id, OBJECT_SIZE }), 0);
	ck_assert_uint_eq(reply.number, 500);
	ck_assert_int_ge(reply.fd, 0);
	close(reply.fd);
	ck_assert_int_eq(ASK(OP_HAVE, .object = { id, OBJECT_SIZE }), 0);
	ck_assert_int_eq(ASK(OP_RELEASE, .object = { id, OBJECT_SIZE }), 0);
	ck_assert_uint_eq(rig.agent.store.used, 500);
	ck_assert_int_eq(ASK(OP_RELEASE, .object = { id, OBJECT_SIZE }), 0);
	ck_assert_uint_eq(rig.agent.store.used, 0);
	ck_assert_int_eq(ASK(OP_RELEASE, .object = { id, OBJECT_SIZE }), 0); /* none is left */
	ck_assert_int_eq(ASK(OP_RELEASE, .object = { id, 5 }), XC_EPROTO);
}
END_TEST

START_TEST(test_share)
{
	ck_assert_int_eq(put_object(500, OP_SHARE), 0);
	ck_assert_uint_eq(rig.agent.store.used, 0); /* another agent's bytes */
	ck_assert_int_eq(ASK(OP_HAVE, .object = { id, OBJECT_SIZE }), 0);
}
END_TEST

START_TEST(test_full)
{
	ck_assert_int_eq(ASK(OP_RESERVE, .number = 1 << 20), 0);
	ck_assert_int_eq(ASK(OP_RESERVE, .number = (1 << 20) + 1), XC_ESTORE);
	ck_assert_uint_gt(reply.text.size, 0);
	rig.agent.store.limit = 100;
	ck_assert_int_eq(put_object(500, OP_PUT), XC_ESTORE);
	ck_assert_ptr_null(rig.agent.store.objects);
}
END_TEST

START_TEST(test_put_that_cannot_be)
{
	int fds[2];

	ck_assert_int_eq(ASK(OP_PUT, .object = { id, OBJECT_SIZE }, .number = 5), XC_EPROTO);
	ck_assert_int_eq(ASK(OP_PUT, .object = { id, 31 }, .number = 5), XC_EPROTO);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(ask((struct channel_packet){
				 .code = OP_PUT, .object = { id, OBJECT_SIZE }, .fd = fds[0] }),
			 -EINVAL);
	close(fds[0]);
	close(fds[1]);
	ck_assert_ptr_null(rig.agent.store.objects);
}
END_TEST

START_TEST(test_variables)
{
	unsigned char frame[ARRAY_HEADER_SIZE + 8] = { 0 };

	array_header_write(frame, XC_SCALAR(XC_F64, NULL), NULL);
	ck_assert_int_eq(ASK(OP_NEXT, .number = 0), -ENOENT);
	ck_assert_int_eq(ASK(OP_SET, .name = span_of("X"), .data = { frame, sizeof frame }), 0);
	ck_assert_int_eq(ASK(OP_SET, .name = span_of("y"), .data = { frame, sizeof frame }), 0);
	ck_assert_int_eq(ASK(OP_SET, .name = span_of("z"), .data = { frame, 3 }), XC_EPROTO);
	ck_assert_int_eq(ASK(OP_NEXT, .number = 0), 0);
	ck_assert_mem_eq(reply.name.data, "X", 1);
	ck_assert_uint_eq(reply.data.size, sizeof frame);
	ck_assert_int_eq(ASK(OP_NEXT, .number = 1), 0);
	ck_assert_int_eq(ASK(OP_NEXT, .number = 2), -ENOENT);
	ck_assert_int_eq(ASK(OP_UNSET, .name = span_of("X")), 0);
	ck_assert_int_eq(ASK(OP_NEXT, .number = 1), -ENOENT);
	ck_assert_int_eq(ASK(OP_UNSET, .name = span_of("y"), .number = 2), XC_EPROTO);
	ck_assert_int_eq(ASK(OP_UNSET, .name = span_of("yy"), .number = 1), 0);
	ck_assert_int_eq(ASK(OP_NEXT, .number = 0), 0);
	ck_assert_int_eq(ASK(OP_SET, .name = span_of("yy"), .data = { frame, sizeof frame }), 0);
	ck_assert_int_eq(ASK(OP_UNSET, .name = span_of("y"), .number = 1), 0);
	ck_assert_int_eq(ASK(OP_NEXT, .number = 0), -ENOENT);
	ck_assert_int_eq(ASK(OP_SET, .name = span_of("y"), .data = { frame, sizeof frame }), 0);
	ck_assert_int_eq(ASK(OP_UNSET), 0);
	ck_assert_int_eq(ASK(OP_NEXT, .number = 0), -ENOENT);
}
END_TEST

START_TEST(test_peers)
{
	char *peers[] = { "/a", "/b" };

	rig.agent.peers = peers;
	rig.agent.peer_count = 2;
	ck_assert_int_eq(ASK(OP_PEERS, .number = 1), 0);
	ck_assert_mem_eq(reply.text.data, "/b", 2);
	ck_assert_int_eq(ASK(OP_PEERS, .number = 2), -ENOENT);
	rig.agent.peers = NULL;
	rig.agent.peer_count = 0;
}
END_TEST

START_TEST(test_no_request)
{
	static const int64_t codes[] = { 0, -1, INT64_MIN, INT64_MAX, OP_LINGER + 1, 1 << 16 };

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		ck_assert_int_eq(ASK(codes[i]), XC_EPROTO);
	ck_assert_int_eq(send(rig.engine->channel, "garbage", 7, 0), 7);
	ck_assert(service_engine(&rig.slot));
	ck_assert_int_eq(channel_receive(rig.engine->channel, &reply, buffer, 0), 1);
	ck_assert_int_eq(reply.code, XC_EPROTO);
	ck_assert(service_engine(&rig.slot)); /* nothing there: no end */
	shutdown(rig.engine->channel, SHUT_WR);
	ck_assert(!service_engine(&rig.slot));
}
END_TEST

/* ---- Visitors ------------------------------------------------------------------------- */

static struct visitor *visit(int *end)
{
	struct visitor *visitor = calloc(1, sizeof *visitor);
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	visitor->agent = &rig.agent;
	visitor->source = (struct source){ on_visitor, pair[0] };
	DL_APPEND(rig.agent.visitors, visitor);
	*end = pair[1];
	return visitor;
}

static int64_t visitor_asks(struct visitor *visitor, int end, struct channel_packet request)
{
	ck_assert_int_eq(channel_send(end, &request), 0);
	on_visitor(&visitor->source);
	ck_assert_int_eq(channel_receive(end, &reply, buffer, MSG_DONTWAIT), 1);
	return reply.code;
}

/* What is of engines only, is. */
START_TEST(test_not_for_visitors)
{
	int end;
	struct visitor *visitor = visit(&end);

	for (int op = OP_CONFIG; op <= OP_PEERS; op++)
		ck_assert_int_eq(
			visitor_asks(visitor, end, (struct channel_packet){ .code = op, .fd = -1 }),
			XC_EPROTO);
	close(end);
}
END_TEST

/* What a client put goes with it, unless somebody else holds it. */
START_TEST(test_visitor_gone)
{
	int end, fd = rig_memfd("12345", 5);
	struct visitor *visitor = visit(&end);
	struct channel_packet request = {
		.code = OP_PUT, .object = { id, OBJECT_SIZE }, .number = 5, .fd = fd
	};

	ck_assert_int_eq(visitor_asks(visitor, end, request), 0);
	id[0]++;
	ck_assert_int_eq(visitor_asks(visitor, end, request), 0);
	ck_assert_uint_eq(rig.agent.store.used, 10);
	hold_object(&rig.agent, (struct span){ id, OBJECT_SIZE });
	hold_object(&rig.agent, (struct span){ id, 3 });
	close(fd);
	close(end);
	on_visitor(&visitor->source);
	ck_assert_ptr_null(rig.agent.visitors);
	ck_assert_uint_eq(rig.agent.store.used, 5);
	drop_object(&rig.agent, (struct span){ id, OBJECT_SIZE });
	ck_assert_uint_eq(rig.agent.store.used, 0);
	drop_object(&rig.agent, (struct span){ id, OBJECT_SIZE });
	id[0] = 9;
}
END_TEST

/* What a client wants kept stays for a while, so that the controller can have it
 * held; a HOLD that comes twice is one. */
START_TEST(test_visitor_lingers)
{
	int end, fd = rig_memfd("12345", 5);
	struct visitor *visitor = visit(&end);
	struct channel_packet request = {
		.code = OP_PUT, .object = { id, OBJECT_SIZE }, .number = 5, .fd = fd
	};
	struct span object = { id, OBJECT_SIZE };

	ck_assert_int_eq(visitor_asks(visitor, end, request), 0);
	ck_assert_int_eq(
		visitor_asks(visitor, end, (struct channel_packet){ .code = OP_LINGER, .fd = -1 }),
		0);
	close(fd);
	close(end);
	on_visitor(&visitor->source);
	ck_assert_ptr_null(rig.agent.visitors);
	service_tick(&rig.agent, now_ns());
	ck_assert_uint_eq(rig.agent.store.used, 5);
	hold_object(&rig.agent, object);
	hold_object(&rig.agent, object);
	service_tick(&rig.agent, now_ns() + LINGER_NS + 1);
	ck_assert_ptr_null(rig.agent.lingering);
	ck_assert_uint_eq(rig.agent.store.used, 5);
	drop_object(&rig.agent, object);
	ck_assert_uint_eq(rig.agent.store.used, 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("service");

	tcase_add_checked_fixture(tests, rig_open, rig_close);
	tcase_add_test(tests, test_configuration);
	tcase_add_test(tests, test_keys_are_for_engines_of_other_hosts);
	tcase_add_test(tests, test_hello);
	tcase_add_test(tests, test_objects);
	tcase_add_test(tests, test_share);
	tcase_add_test(tests, test_full);
	tcase_add_test(tests, test_put_that_cannot_be);
	tcase_add_test(tests, test_variables);
	tcase_add_test(tests, test_peers);
	tcase_add_test(tests, test_no_request);
	tcase_add_test(tests, test_not_for_visitors);
	tcase_add_test(tests, test_visitor_gone);
	tcase_add_test(tests, test_visitor_lingers);
	return unit_run(tests);
}
