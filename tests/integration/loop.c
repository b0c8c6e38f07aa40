/* loop.c: a client within an event loop of the program's own: nothing but the
 * descriptor tells when to look. */
#include "tests/support/support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ENGINES 2

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
}

static void close_client(void)
{
	xc_close(client);
}

static int square(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	(void)task;
	task_sleep(i % 5 == 0 ? 0.01 : 0);
	*(int64_t *)out = i * i;
	return 0;
}

/* Turns of the loop until the result is ready; each must be woken by the fd well
 * before the timer that looks after a silent controller would do so. */
static int loop(struct xc_result *const *results, int n, int epoll)
{
	int turns = 0, ready = 0;

	while (ready < n) {
		struct epoll_event event;

		ck_assert_msg(epoll_wait(epoll, &event, 1, 900) == 1, "nothing in 0.9 s");
		assert_ok(xc_process(client, &err), err);
		for (ready = 0; ready < n && xc_is_ready(results[ready]); ready++)
			;
		turns++;
	}
	return turns;
}

static int watch(uint32_t events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC), fd = xc_fd(client);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(xc_fd(client), fd);
	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	return epoll;
}

START_TEST(maps)
{
	int epoll = watch(_i ? EPOLLIN | EPOLLET : EPOLLIN);
	struct xc_map_options options = { .chunk = 1 };
	int64_t out[2][50];

	for (int round = 0; round < 10; round++) {
		struct xc_result *results[2];

		/* Sending the second may hide what has come for the first. */
		for (int i = 0; i < 2; i++)
			results[i] = xc_map_range_async(xc_balanced(client), square, 50, out[i],
							sizeof out[0][0], &options, &err);
		ck_assert(results[0] && results[1]);
		loop(results, 2, epoll);
		for (int i = 0; i < 50; i++)
			ck_assert(out[0][i] == i * i && out[1][i] == i * i);
		xc_result_destroy(results[0]);
		xc_result_destroy(results[1]);
	}
	close(epoll);
}
END_TEST

START_TEST(tasks_held_back_are_sent)
{
	enum { N = 40 };
	int epoll = watch(EPOLLIN);
	struct xc_result *results[N];
	int64_t out[N];

	for (int64_t i = 0; i < N; i++) {
		results[i] = xc_apply_async(xc_balanced(client), square, &i, sizeof i, &out[i],
					    sizeof out[i], NULL, &err);
		ck_assert_msg(results[i] != NULL, "%s", err.text);
	}
	loop(results, N, epoll);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(out[i], i * i);
		xc_result_destroy(results[i]);
	}
	close(epoll);
}
END_TEST

START_TEST(quiet_when_there_is_nothing)
{
	struct pollfd event = { .fd = xc_fd(client), .events = POLLIN };
	double start = now();
	int woken = 0;

	ck_assert_int_ge(event.fd, 0);
	while (now() - start < 1.5) {
		if (poll(&event, 1, 100) == 1) {
			assert_ok(xc_process(client, &err), err);
			woken++;
		}
	}
	ck_assert_int_le(woken, 8); /* the start, one tick, a ping and its answer */
}
END_TEST

START_TEST(process_takes_in_what_came)
{
	int64_t out[20], item;
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), square, 20, out, sizeof out[0], NULL, &err);
	int epoll = watch(EPOLLIN), n = 0, r = -ETIMEDOUT;

	while (r != 0) {
		struct epoll_event event;

		ck_assert_int_eq(epoll_wait(epoll, &event, 1, 900), 1);
		assert_ok(xc_process(client, &err), err);
		while ((r = xc_next(result, XC_IN_ORDER, 0, &item, &err)) == 1)
			ck_assert_int_eq(item, n++);
		ck_assert(r == 0 || r == -ETIMEDOUT);
	}
	ck_assert_int_eq(n, 20);
	xc_result_destroy(result);
	close(epoll);
}
END_TEST

START_TEST(a_dead_controller_wakes_the_loop)
{
	struct pollfd event = { .fd = -1, .events = POLLIN };
	pid_t pid;
	int r = 0;

	clear_away();
	start_cluster(1);
	client = open_client(1);
	event.fd = xc_fd(client);
	assert_ok(xc_process(client, &err), err);
	pid = controller_pid();
	kill(pid, SIGKILL);
	for (double end = now() + 5; r == 0 && now() < end;) {
		ck_assert_int_eq(poll(&event, 1, 5000), 1);
		r = xc_process(client, &err);
	}
	assert_error(r, XC_ELOST, &err, "gone");
	ck_assert_int_eq(poll(&event, 1, 0), 1); /* and stays so */
	ck_assert_int_eq(xc_process(client, &err), XC_ELOST);
	xc_close(client);
	clear_away();
}
END_TEST

START_TEST(bad_arguments)
{
	ck_assert_int_eq(xc_fd(NULL), -EINVAL);
	assert_error(xc_process(NULL, &err), -EINVAL, &err, "client");
	/* Also without a loop. */
	assert_ok(xc_process(client, &err), err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "loop"),
	      *stop = shared_case(suite, "stop"), *separate;

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_loop_test(tests, maps, 0, 2);
	tcase_add_test(tests, tasks_held_back_are_sent);
	tcase_add_test(tests, quiet_when_there_is_nothing);
	tcase_add_test(tests, process_takes_in_what_came);
	tcase_add_test(tests, bad_arguments);
	add_cluster_stop(stop);
	separate = separate_case(suite, "death");
	tcase_add_test(separate, a_dead_controller_wakes_the_loop);
	return run_tests(suite);
}
