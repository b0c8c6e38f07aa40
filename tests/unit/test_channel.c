/* test_channel.c: packets over a socket pair, with descriptors, and what is none. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcluster/channel.h"
#include "tests/unit/unit.h"

static int near, far;
static char buffer[CHANNEL_MAX];
static struct xc_error err;

static void begin(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	near = pair[0];
	far = pair[1];
	memset(&err, 0, sizeof err);
}

static void end(void)
{
	close(near);
	if (far >= 0)
		close(far);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(test_round_trip)
{
	struct channel_packet in = { .code = -7,
				     .text = span_of("text"),
				     .number = UINT64_MAX,
				     .object = span_of("object"),
				     .name = span_of("name"),
				     .data = span_of("data"),
				     .fd = -1 };
	struct channel_packet out;

	ck_assert_int_eq(channel_send(near, &in), 0);
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), 1);
	ck_assert_int_eq(out.code, -7);
	ck_assert_uint_eq(out.number, UINT64_MAX);
	ck_assert_mem_eq(out.text.data, "text", 4);
	ck_assert_mem_eq(out.object.data, "object", 6);
	ck_assert_mem_eq(out.name.data, "name", 4);
	ck_assert_mem_eq(out.data.data, "data", 4);
	ck_assert_int_eq(out.fd, -1);
	ck_assert_int_eq(channel_receive(far, &out, buffer, MSG_DONTWAIT), -EAGAIN);
	close(near);
	near = dup(0);
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), 0);
}
END_TEST

START_TEST(test_descriptor)
{
	int file = memfd_create("file", 0), before;
	struct channel_packet in = { .fd = file }, out;
	char bytes[4] = "";

	ck_assert_int_eq(write(file, "abc", 3), 3);
	ck_assert_int_eq(channel_send(near, &in), 0);
	close(file); /* ours; the other end has its own */
	before = open_descriptors();
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), 1);
	ck_assert_int_eq(open_descriptors(), before + 1);
	ck_assert_int_ne(fcntl(out.fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(pread(out.fd, bytes, 3, 0), 3);
	ck_assert_str_eq(bytes, "abc");
	close(out.fd);
}
END_TEST

START_TEST(test_largest)
{
	static char data[CHANNEL_MAX];
	struct channel_packet in = { .data = { data, sizeof data - 64 }, .fd = -1 }, out;

	ck_assert_int_eq(channel_send(near, &in), 0);
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), 1);
	ck_assert_uint_eq(out.data.size, sizeof data - 64);
	in.data.size = sizeof data;
	ck_assert_int_eq(channel_send(near, &in), -EMSGSIZE);
	ck_assert_int_eq(channel_receive(far, &out, buffer, MSG_DONTWAIT), -EAGAIN);
}
END_TEST

/* Bytes with descriptors, as a stranger may send them. */
static void send_raw(const void *bytes, size_t size, int descriptors)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (descriptors) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE((size_t)descriptors * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)descriptors * sizeof(int));
		for (int i = 0; i < descriptors; i++)
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &(int){ STDERR_FILENO },
			       sizeof(int));
	}
	ck_assert_int_eq(sendmsg(near, &msg, 0), (ssize_t)size);
}

static size_t good_packet(unsigned char *bytes, size_t size)
{
	struct writer w;

	writer_init(&w, bytes, size);
	put_array(&w, 6);
	put_i64(&w, 1);
	put_str(&w, span_of("t"));
	put_u64(&w, 2);
	put_bin(&w, span_of("o"));
	put_str(&w, span_of("n"));
	put_bin(&w, span_of("d"));
	return w.used;
}

/* No descriptor of a packet that is refused stays open. */
START_TEST(test_truncated)
{
	unsigned char bytes[64];
	size_t size = good_packet(bytes, sizeof bytes);
	struct channel_packet out;
	int before = open_descriptors();

	for (size_t n = 1; n < size; n++) {
		send_raw(bytes, n, 1);
		ck_assert_int_eq(channel_receive(far, &out, buffer, 0), XC_EPROTO);
		ck_assert_int_eq(out.fd, -1);
		ck_assert_int_eq(open_descriptors(), before);
	}
	send_raw(bytes, size, 1);
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), 1);
	close(out.fd);
	bytes[size] = 0; /* and one byte more */
	send_raw(bytes, size + 1, 1);
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), XC_EPROTO);
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* Cut to the largest size it would be a packet; it is none. */
START_TEST(test_too_large)
{
	static unsigned char bytes[CHANNEL_MAX + 1];
	struct channel_packet out;
	struct writer w;

	writer_init(&w, bytes, CHANNEL_MAX);
	put_array(&w, 6);
	put_i64(&w, 1);
	put_str(&w, span_of("t"));
	put_u64(&w, 2);
	put_bin(&w, span_of("o"));
	put_str(&w, span_of("n"));
	put_bin(&w, (struct span){ buffer, CHANNEL_MAX - 3 - w.used });
	ck_assert(!w.bad && w.used == CHANNEL_MAX);
	send_raw(bytes, CHANNEL_MAX, 0);
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), 1);
	send_raw(bytes, CHANNEL_MAX + 1, 1);
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), XC_EPROTO);
	ck_assert_int_eq(out.fd, -1);
}
END_TEST

START_TEST(test_many_descriptors)
{
	unsigned char bytes[64];
	size_t size = good_packet(bytes, sizeof bytes);
	struct channel_packet out;
	int before = open_descriptors();

	send_raw(bytes, size, 3); /* one is kept */
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), 1);
	close(out.fd);
	ck_assert_int_eq(open_descriptors(), before);
	send_raw(bytes, size, 16); /* more than there is room for */
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), XC_EPROTO);
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* An empty packet looks like the end; what rode along must not stay open. */
START_TEST(test_empty_with_a_descriptor)
{
	struct channel_packet out = { .fd = -1 };
	int before = open_descriptors();

	send_raw("", 0, 1);
	ck_assert_int_eq(channel_receive(far, &out, buffer, 0), 0);
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* ---- Calls ------------------------------------------------------------------------------ */

/* Answers each request with what stands here; the requests are kept. */
static struct channel_packet answers[4];
static int64_t asked[4];
static uint64_t asked_number[4];
static char put_bytes[16];
static int put_seals;

static void *serve(void *arg)
{
	static char own[CHANNEL_MAX];

	for (int i = 0; i < 4; i++) {
		struct channel_packet in;

		if (channel_receive(far, &in, own, 0) != 1)
			return arg;
		asked[i] = in.code;
		asked_number[i] = in.number;
		if (in.code == OP_PUT) {
			put_seals = fcntl(in.fd, F_GET_SEALS);
			if (pread(in.fd, put_bytes, sizeof put_bytes, 0) < 0)
				put_bytes[0] = '?';
		}
		if (in.fd >= 0)
			close(in.fd);
		channel_send(far, &answers[i]);
	}
	return arg;
}

static pthread_t server;

static void begin_server(void)
{
	for (int i = 0; i < 4; i++)
		answers[i] = (struct channel_packet){ .fd = -1 };
	memset(asked, 0, sizeof asked);
}

static void start_server(void)
{
	pthread_create(&server, NULL, serve, NULL);
}

static void stop_server(void)
{
	shutdown(near, SHUT_RDWR);
	pthread_join(server, NULL);
}

START_TEST(test_call)
{
	struct channel_packet request = { .code = OP_HAVE, .fd = -1 }, reply;

	begin_server();
	answers[0].number = 5;
	answers[1] = (struct channel_packet){ .code = XC_ESTORE, .text = span_of("full"), .fd = 1 };
	answers[2] = (struct channel_packet){ .code = -ENOENT, .fd = -1 };
	start_server();
	ck_assert_int_eq(channel_call(near, &request, &reply, buffer, &err), 0);
	ck_assert_uint_eq(reply.number, 5);
	ck_assert_int_eq(channel_call(near, &request, &reply, buffer, &err), XC_ESTORE);
	ck_assert_str_eq(err.text, "full");
	ck_assert_int_eq(reply.fd, -1);
	ck_assert_int_eq(channel_call(near, &request, &reply, buffer, &err), -ENOENT);
	ck_assert_str_eq(err.text, strerror(ENOENT));
	stop_server();
	ck_assert_int_eq(channel_call(near, &request, &reply, buffer, &err), -EPIPE);
}
END_TEST

START_TEST(test_nobody_answers)
{
	struct channel_packet request = { .code = OP_HAVE, .fd = -1 }, reply;

	close(far);
	far = -1;
	ck_assert_int_lt(channel_call(near, &request, &reply, buffer, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "the object store"));
}
END_TEST

START_TEST(test_put)
{
	static const unsigned char id[OBJECT_SIZE];

	begin_server();
	start_server();
	ck_assert_int_eq(channel_put_bytes(near, id, "hello", 5, &err), 0);
	stop_server();
	ck_assert_int_eq(asked[0], OP_RESERVE);
	ck_assert_uint_eq(asked_number[0], 5);
	ck_assert_int_eq(asked[1], OP_PUT);
	ck_assert_str_eq(put_bytes, "hello");
	ck_assert_int_eq(put_seals & (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
			 F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
}
END_TEST

START_TEST(test_put_into_a_full_store)
{
	static const unsigned char id[OBJECT_SIZE];

	begin_server();
	answers[0] =
		(struct channel_packet){ .code = XC_ESTORE, .text = span_of("full"), .fd = -1 };
	start_server();
	ck_assert_int_eq(channel_put_bytes(near, id, "hello", 5, &err), XC_ESTORE);
	stop_server();
	ck_assert_int_eq(asked[1], 0); /* nothing was put */
}
END_TEST

START_TEST(test_connect)
{
	char path[200];

	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = '\0';
	ck_assert_int_eq(channel_connect(path, NULL, &err), -ENAMETOOLONG);
	ck_assert_int_eq(channel_connect("/nowhere/agent.sock", NULL, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/agent.sock"));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("channel");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_round_trip);
	tcase_add_test(tests, test_descriptor);
	tcase_add_test(tests, test_largest);
	tcase_add_test(tests, test_truncated);
	tcase_add_test(tests, test_too_large);
	tcase_add_test(tests, test_many_descriptors);
	tcase_add_test(tests, test_empty_with_a_descriptor);
	tcase_add_test(tests, test_call);
	tcase_add_test(tests, test_nobody_answers);
	tcase_add_test(tests, test_put);
	tcase_add_test(tests, test_put_into_a_full_store);
	tcase_add_test(tests, test_connect);
	return unit_run(tests);
}
