/* limits.c: items that would never end: time limits, cancelling, engines that
 * are stopped. */
#include "tests/support/support.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define ENGINES 3

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
	stage_open();
}

static void close_client(void)
{
	stage_close();
	xc_close(client);
}

static struct xc_result *begin(xc_task_fn *fn, int64_t n, void *out, size_t out_size,
			       const struct xc_map_options *options)
{
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), fn, n, out, out_size, options, &err);

	ck_assert_msg(result != NULL, "%s", err.text);
	return result;
}

/* That all engines are free and whole, soon. */
static int engine_id(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(int *)out = xc_task_engine(task);
	return 0;
}

static void check_engines(void)
{
	int ids[ENGINES];

	assert_ok(xc_wait_for_engines(client, ENGINES, LIMIT, &err), err);
	assert_ok(xc_apply(xc_all(client), engine_id, NULL, 0, ids, sizeof ids[0], NULL, &err),
		  err);
	for (int i = 0; i < ENGINES; i++)
		ck_assert_int_eq(ids[i], i);
}

/* Item 5 neither ends nor heeds signals; item 50 only in its first attempt. */
static int stick(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;
	volatile bool forever = true;
	sigset_t all;

	if (i == 5 || (i == 50 && xc_task_attempt(task) == 1)) {
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		while (forever)
			;
	}
	*(int64_t *)out = i + xc_task_attempt(task);
	return 0;
}

START_TEST(an_item_over_its_time_limit)
{
	struct xc_map_options options = { .time_limit = 0.3, .max_attempts = _i };
	enum xc_state states[100];
	struct xc_result *result;
	double start = now();
	int64_t out[100];

	memset(out, 0, sizeof out);
	result = begin(stick, 100, out, sizeof out[0], &options);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	ck_assert_double_ge(now() - start, 0.3);
	ck_assert_double_lt(now() - start, 6);
	collect_states(result, 100, states);
	for (int i = 0; i < 100; i++) {
		bool bad = i == 5 || (i == 50 && _i == 1);

		ck_assert_int_eq(states[i], bad ? XC_TIMED_OUT : XC_OK);
		ck_assert_int_eq(out[i], bad ? 0 : i + (i == 50 ? 2 : 1));
	}
	ck_assert_int_eq(failure_of(result, 5).attempts, _i);
	ck_assert_ptr_nonnull(strstr(failure_of(result, 5).text, "0.3"));
	xc_result_destroy(result);
	check_engines();
}
END_TEST

static int nap(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	task_sleep(0.02);
	return 0;
}

/* The limit is an item's, not a slice's or a job's. */
START_TEST(a_limit_that_no_item_reaches)
{
	struct xc_map_options options = { .time_limit = 0.5, .chunk = 40 };

	assert_ok(xc_map_range(xc_balanced(client), nap, 120, NULL, 0, &options, &err), err);
}
END_TEST

static int wait_at_gate(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_announce(task);
	task_wait_at_gate();
	*(int *)out = 1;
	return 0;
}

START_TEST(cancel_queued_lets_running_items_end)
{
	enum { N = 1000 };
	bool announced[N] = { false };
	enum xc_state states[N];
	struct xc_engine_info info;
	struct xc_result *result;
	int out[N] = { 0 }, cancelled = 0;

	result = begin(wait_at_gate, N, out, sizeof out[0], NULL);
	for (int i = 0; i < ENGINES; i++)
		announced[stage_news().item] = true;
	assert_ok(xc_cancel(result, XC_CANCEL_QUEUED, &err), err);
	/* Answered after the cancelling, which came before it. */
	assert_ok(xc_engine_info(client, 0, &info, &err), err);
	stage_release();
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	collect_states(result, N, states);
	for (int i = 0; i < N; i++) {
		ck_assert(states[i] == XC_OK || states[i] == XC_CANCELLED);
		ck_assert_int_eq(out[i], states[i] == XC_OK);
		if (announced[i])
			ck_assert_int_eq(states[i], XC_OK);
		cancelled += states[i] == XC_CANCELLED;
	}
	ck_assert_int_gt(cancelled, N / 2);
	xc_result_destroy(result);
	check_engines();
}
END_TEST

static int until_cancelled(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_announce(task);
	while (!xc_task_is_cancelled(task))
		task_sleep(0.001);
	*(int *)out = getpid();
	return 0;
}

START_TEST(running_tasks_learn_that_they_are_cancelled)
{
	struct xc_result *result;
	int out[50] = { 0 };
	pid_t pids[ENGINES];
	int ended = 0;

	result = begin(until_cancelled, 50, out, sizeof out[0], NULL);
	for (int i = 0; i < ENGINES; i++)
		pids[i] = stage_news().pid;
	assert_ok(xc_cancel(result, XC_CANCEL_QUEUED, &err), err);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	for (int i = 0; i < 50; i++)
		ended += out[i] != 0;
	ck_assert_int_ge(ended, ENGINES);
	xc_result_destroy(result);
	check_engines();
	/* None of them had to be killed. */
	for (int i = 0; i < ENGINES; i++)
		ck_assert(!process_ends(pids[i], 0));
}
END_TEST

static int never_end(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	task_announce(task);
	for (;;)
		pause();
	return 0;
}

START_TEST(cancel_running_kills)
{
	enum { N = 50 };
	enum xc_state states[N];
	struct xc_result *result;
	double start;

	result = begin(never_end, N, NULL, 0, NULL);
	for (int i = 0; i < ENGINES; i++)
		stage_news();
	start = now();
	assert_ok(xc_cancel(result, XC_CANCEL_RUNNING, &err), err);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	ck_assert_double_lt(now() - start, 5);
	collect_states(result, N, states);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(states[i], XC_CANCELLED);
	xc_result_destroy(result);
	check_engines();
	ck_assert(!stage_has_news(0));
}
END_TEST

START_TEST(cancel_of_a_job_that_waits_for_engines)
{
	struct xc_result *first, *second;
	enum xc_state states[20];
	int out[3 + 20];

	first = begin(wait_at_gate, ENGINES, out, sizeof out[0], NULL);
	for (int i = 0; i < ENGINES; i++)
		stage_news();
	second = begin(wait_at_gate, 20, out + 3, sizeof out[0], NULL);
	assert_ok(xc_cancel(second, XC_CANCEL_QUEUED, &err), err);
	ck_assert_int_eq(xc_wait(second, 5, &err), XC_EFAILED);
	collect_states(second, 20, states);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(states[i], XC_CANCELLED);
	stage_release();
	assert_ok(xc_wait(first, LIMIT, &err), err);
	xc_result_destroy(first);
	xc_result_destroy(second);
	check_engines();
}
END_TEST

START_TEST(cancel_of_a_job_that_has_ended)
{
	struct xc_result *result = begin(nap, 3, NULL, 0, NULL);

	assert_ok(xc_wait(result, LIMIT, &err), err);
	assert_ok(xc_cancel(result, XC_CANCEL_RUNNING, &err), err);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(xc_result_progress(result).failed, 0);
	xc_result_destroy(result);
	check_engines();
}
END_TEST

static int tell_attempt(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_announce(task);
	task_wait_at_gate();
	*(int *)out = xc_task_attempt(task);
	return 0;
}

START_TEST(a_stopped_engine_does_not_hold_up_the_job)
{
	struct xc_map_options options = { .at_most_once = _i };
	enum xc_state states[30];
	struct xc_result *result;
	struct news stopped;
	int out[30] = { 0 };

	result = begin(tell_attempt, 30, out, sizeof out[0], &options);
	stopped = stage_news();
	ck_assert_int_eq(kill(stopped.pid, SIGSTOP), 0);
	stage_release();
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), _i ? XC_EFAILED : 0);
	collect_states(result, 30, states);
	for (int i = 0; i < 30; i++) {
		bool hit = i == stopped.item;

		ck_assert_int_eq(states[i], hit && _i ? XC_LOST : XC_OK);
		ck_assert_int_eq(out[i], !hit ? 1 : _i ? 0 : 2);
	}
	xc_result_destroy(result);
	kill(stopped.pid, SIGCONT);
	check_engines();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "limits"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_loop_test(tests, an_item_over_its_time_limit, 1, 3);
	tcase_add_test(tests, a_limit_that_no_item_reaches);
	tcase_add_test(tests, cancel_queued_lets_running_items_end);
	tcase_add_test(tests, running_tasks_learn_that_they_are_cancelled);
	tcase_add_test(tests, cancel_running_kills);
	tcase_add_test(tests, cancel_of_a_job_that_waits_for_engines);
	tcase_add_test(tests, cancel_of_a_job_that_has_ended);
	tcase_add_loop_test(tests, a_stopped_engine_does_not_hold_up_the_job, 0, 2);
	add_cluster_stop(stop);
	return run_tests(suite);
}
