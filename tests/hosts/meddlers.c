/* meddlers.c: somebody between client and controller, scanners, and connections that never
 * say who they are. */
#include "tests/hosts/cluster.h"
#include "tests/hosts/proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CTL	  0x0a4d000au /* 10.77.0.10 */
#define PORT	  7400
#define PROXY	  7401 /* on node2 */
#define HALF_OPEN 1000

static struct bed bed;

static void start(const char *options)
{
	bed_ok(&bed, "tester@ctl", "xcluster start -n 1 --ip eth0 --port %d %s", PORT, options);
	bed_copy(&bed, "tester@ctl", CLIENT_FILE, "node1", "client.json");
}

/* ---- Somebody in the middle ---------------------------------------------------- */

static int square(struct xc_task *task, const void *in, void *out)
{
	int64_t x = *(const int64_t *)in;

	(void)task;
	*(int64_t *)out = x * x;
	return 0;
}

/* Jobs one after the other, so that there are frames enough in both directions. */
static void square_all(int jobs)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client;
	int64_t squares[64];

	setenv("XCLUSTER_CONNECTION", "client.json", 1);
	client = open_client(1);
	for (int k = 0; k < jobs; k++) {
		memset(squares, 0xff, sizeof squares);
		assert_ok(xc_map_range(xc_balanced(client), square, 64, squares, sizeof squares[0],
				       NULL, &err),
			  err);
		for (int64_t i = 0; i < 64; i++)
			ck_assert_int_eq(squares[i], i * i);
	}
	xc_close(client);
}

static const struct {
	enum proxy_deed deed;
	bool to_client;
} meddlers[] = {
	{ PROXY_ALTERS, false }, { PROXY_ALTERS, true },	 { PROXY_REPEATS, false },
	{ PROXY_REPEATS, true }, { PROXY_REPEATS_LATER, false },
};
#define MEDDLERS ((int)(sizeof meddlers / sizeof meddlers[0]))

START_TEST(what_is_altered_or_repeated_on_the_way_is_not_taken)
{
	struct proxy_report report;
	struct proxy proxy;
	char location[64];
	pid_t actor;

	snprintf(location, sizeof location, "--location node2:%d", PROXY);
	start(location);
	proxy_start(&bed, &proxy, "node2", PROXY, "ctl", PORT, meddlers[_i].deed,
		    meddlers[_i].to_client);
	actor = bed_fork(&bed, "tester@node1");
	if (actor == 0) {
		square_all(4);
		exit(0);
	}
	bed_join(actor);
	report = proxy_end(&proxy);
	ck_assert_int_ge(report.deeds, 1);
	ck_assert_int_eq(report.breaks, report.deeds);
	/* Greeting and the answer to the handshake's first step, which holds no secret. */
	if (meddlers[_i].deed == PROXY_REPEATS_LATER)
		ck_assert_msg(report.answered <= 64 + 170, "%lld bytes",
			      (long long)report.answered);
	ck_assert_int_eq(bed_count_jobs(&bed, "tester@ctl"), 4);
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

/* ---- Scanners -------------------------------------------------------------------- */

static int dial_port(int port, bool waits)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(CTL) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (waits ? 0 : SOCK_NONBLOCK), 0);

	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

static void scan_ports(void)
{
	for (int port = 7000; port < 8000; port++) {
		int fd = dial_port(port, port == PORT);

		if (fd >= 0)
			close(fd);
	}
}

/* What scanners, browsers and broken peers say. */
static void say_nonsense(void)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: ctl\r\n\r\n";
	static const char tls[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	static const char zmtp[] = "\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVE";
	static const char huge[] = "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				   "\0\0\6\x7f\xff\xff\xff\xff\xff\xff\xff";
	static char noise[1 << 18];
	const struct {
		const char *bytes;
		size_t size;
	} words[] = { { http, sizeof http - 1 }, { tls, sizeof tls - 1 }, { zmtp, sizeof zmtp - 1 },
		      { huge, sizeof huge - 1 }, { noise, sizeof noise }, { "", 0 } };

	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)rand();
	for (int i = 0; i < 120; i++) {
		int fd = dial_port(PORT, true);

		ck_assert_int_ge(fd, 0);
		send(fd, words[i % 6].bytes, words[i % 6].size, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
	}
}

/* True when the other side has ended all of them within the limit. */
static bool are_ended(struct pollfd *fds, int n, double limit)
{
	double end = now() + limit;
	int left = n;
	char bytes[256];

	while (left > 0 && now() < end) {
		if (poll(fds, (nfds_t)n, 100) <= 0)
			continue;
		for (int i = 0; i < n; i++) {
			if (fds[i].fd < 0 || !fds[i].revents ||
			    recv(fds[i].fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
				continue;
			close(fds[i].fd);
			fds[i].fd = -1;
			left--;
		}
	}
	return left == 0;
}

/* On node2, when told so: holds connections that never show a key, and scans until it is told
 * again. */
static void molest(int tell, int hear)
{
	static struct pollfd fds[HALF_OPEN];
	struct rlimit limit;
	char byte = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	ck_assert_int_eq(read(hear, &byte, 1), 1);
	for (int i = 0; i < HALF_OPEN; i++) {
		fds[i] = (struct pollfd){ .fd = dial_port(PORT, true), .events = POLLIN };
		ck_assert_int_ge(fds[i].fd, 0);
		if (i % 2)
			send(fds[i].fd, "\xff\0\0\0\0\0\0\0\1\x7f", 10, MSG_NOSIGNAL);
	}
	ck_assert_int_eq(write(tell, &byte, 1), 1);
	while (poll(&(struct pollfd){ .fd = hear, .events = POLLIN }, 1, 0) == 0) {
		scan_ports();
		say_nonsense();
	}
	/* The controller does not wait for ever. */
	ck_assert(are_ended(fds, HALF_OPEN, 20));
}

static int nap(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_sleep(0.005);
	*(int64_t *)out = xc_task_index(task);
	return 0;
}

/* Seconds that 400 naps of 5 ms take, from opening to closing. */
static double work(void)
{
	struct xc_error err = XC_ERROR_INIT;
	double begun = now();
	struct xc_client *client;
	int64_t items[400];

	client = open_client(2);
	assert_ok(xc_map_range(xc_balanced(client), nap, 400, items, sizeof items[0], NULL, &err),
		  err);
	for (int64_t i = 0; i < 400; i++)
		ck_assert_int_eq(items[i], i);
	xc_close(client);
	return now() - begun;
}

START_TEST(a_scanner_and_1000_half_open_connections_do_not_disturb_work)
{
	struct program engines;
	int told[2], heard[2];
	pid_t scanner, worker;
	char byte = 0;

	start("");
	bed_copy(&bed, "tester@ctl", ENGINE_FILE, "node1", "engines.json");
	bed_spawn(&bed, "tester@node1", &engines,
		  "exec xcluster engines -n 1 --foreground --connection engines.json");
	ck_assert(bed_wait_engines(&bed, "tester@ctl", 2, 10));
	ck_assert_int_eq(pipe(told), 0);
	ck_assert_int_eq(pipe(heard), 0);
	scanner = bed_fork(&bed, "node2");
	if (scanner == 0) {
		molest(told[1], heard[0]);
		exit(0);
	}
	worker = bed_fork(&bed, "tester@node1");
	if (worker == 0) {
		double quiet, loud;

		setenv("XCLUSTER_CONNECTION", "client.json", 1);
		quiet = work();
		ck_assert_int_eq(write(heard[1], &byte, 1), 1);
		ck_assert_int_eq(read(told[0], &byte, 1), 1);
		loud = work();
		ck_assert_msg(loud < 2 * quiet + 0.5, "%g s instead of %g s", loud, quiet);
		exit(0);
	}
	bed_join(worker);
	ck_assert_int_eq(write(heard[1], &byte, 1), 1);
	bed_join(scanner);
	/* All descriptors are free again, and the cluster is as it was. */
	ck_assert(bed_wait_engines(&bed, "tester@ctl", 2, 1));
	ck_assert_int_lt(
		atoi(bed_ok(&bed, "tester@ctl",
			    "ls /proc/$(sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p' " CLIENT_FILE
			    ")/fd | wc -l")),
		100);
	bed_stop_cluster(&bed, "tester@ctl");
	ck_assert_int_eq(program_end(&engines), 0);
}
END_TEST

/* Says that a message of 4 GiB follows, and sends as much of it as he can. */
static void pour(void)
{
	static char block[1 << 20] = "\xff\0\0\0\0\0\0\0\0\x7f\3\0CURVE";
	static const char head[9] = { 6, 0, 0, 0, 1 };
	int fd = dial_port(PORT, true);
	double end = now() + 2; /* handshakes have 10 s */
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	n = send(fd, block, 64, MSG_NOSIGNAL);
	ck_assert_int_eq(n, 64);
	ck_assert_int_eq(send(fd, head, sizeof head, MSG_NOSIGNAL), sizeof head);
	do
		n = send(fd, block, sizeof block, MSG_NOSIGNAL);
	while (now() < end && (n > 0 || errno == EAGAIN));
	ck_assert_msg(n < 0 && errno != EAGAIN, "he can go on");
	close(fd);
}

START_TEST(who_shows_no_key_is_ended_when_he_says_more_than_that)
{
	pid_t stranger;

	start("");
	stranger = bed_fork(&bed, "node2");
	if (stranger == 0) {
		pour();
		exit(0);
	}
	bed_join(stranger);
	bed_stop_cluster(&bed, "tester@ctl");
}
END_TEST

static void clear_bed(void)
{
	bed_clear(&bed);
}

int main(void)
{
	Suite *suite = suite_create("meddlers");
	TCase *tests = shared_case(suite, "between");

	tcase_add_checked_fixture(tests, clear_bed, NULL);
	tcase_add_loop_test(tests, what_is_altered_or_repeated_on_the_way_is_not_taken, 0,
			    MEDDLERS);
	tests = shared_case(suite, "scanners");
	tcase_add_checked_fixture(tests, clear_bed, NULL);
	tcase_add_test(tests, who_shows_no_key_is_ended_when_he_says_more_than_that);
	tcase_add_test(tests, a_scanner_and_1000_half_open_connections_do_not_disturb_work);
	return bed_tests(&bed, &(struct bed_options){ .nodes = 2 }, suite);
}
