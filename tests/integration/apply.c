/* apply.c: a function on every engine, many single tasks, and what results tell. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define ENGINES 4

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

struct greeting {
	int engine, pid, is_main_thread;
	int64_t index;
	size_t in_size;
	char text[64];
};

static int greet(struct xc_task *task, const void *in, void *out)
{
	struct greeting *greeting = out;

	greeting->engine = xc_task_engine(task);
	greeting->pid = getpid();
	greeting->is_main_thread = syscall(SYS_gettid) == getpid();
	greeting->index = xc_task_index(task);
	greeting->in_size = xc_task_in_size(task);
	snprintf(greeting->text, sizeof greeting->text, "hello, %s", in ? (const char *)in : "-");
	return 0;
}

START_TEST(hello_from_every_engine)
{
	struct greeting greetings[ENGINES] = { 0 };
	int ids[ENGINES];

	ck_assert_int_eq(xc_engine_ids(client, ids, ENGINES), ENGINES);
	ck_assert_int_eq(xc_view_size(xc_all(client)), ENGINES);
	assert_ok(xc_apply(xc_all(client), greet, "world", 6, greetings, sizeof greetings[0], NULL,
			   &err),
		  err);
	for (int i = 0; i < ENGINES; i++) {
		ck_assert_int_eq(ids[i], i);
		ck_assert_int_eq(greetings[i].engine, i);
		ck_assert_int_eq(greetings[i].index, i);
		ck_assert_int_eq(greetings[i].in_size, 6);
		ck_assert_int_eq(greetings[i].is_main_thread, 1);
		ck_assert_str_eq(greetings[i].text, "hello, world");
		for (int k = 0; k < i; k++)
			ck_assert_int_ne(greetings[i].pid, greetings[k].pid);
	}
}
END_TEST

START_TEST(listed_engines_in_their_order)
{
	struct greeting greetings[3];
	const struct xc_view *view = NULL;

	assert_ok(xc_engines(client, (const int[]){ 3, 0, 2 }, 3, &view, &err), err);
	ck_assert_int_eq(xc_view_size(view), 3);
	assert_ok(xc_apply(view, greet, NULL, 0, greetings, sizeof greetings[0], NULL, &err), err);
	ck_assert_int_eq(greetings[0].engine, 3);
	ck_assert_int_eq(greetings[1].engine, 0);
	ck_assert_int_eq(greetings[2].engine, 2);
	ck_assert_str_eq(greetings[0].text, "hello, -");
}
END_TEST

START_TEST(views_of_wrong_engines)
{
	const struct xc_view *view = NULL;

	assert_error(xc_engines(client, (const int[]){ 0, 77 }, 2, &view, &err), XC_ENOENGINE, &err,
		     "77");
	assert_error(xc_engines(client, NULL, 0, &view, &err), -EINVAL, &err, "");
	assert_error(xc_engines(client, (const int[]){ 1, 2, 1 }, 3, &view, &err), -EINVAL, &err,
		     "1");
	ck_assert_ptr_null(view);
}
END_TEST

START_TEST(balanced_runs_once)
{
	struct greeting greetings[2] = { 0 };
	struct xc_result *result;

	result = xc_apply_async(xc_balanced(client), greet, "you", 4, greetings,
				sizeof greetings[0], NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(xc_result_progress(result).items, 1);
	ck_assert_str_eq(greetings[0].text, "hello, you");
	ck_assert_str_eq(greetings[1].text, "");
	xc_result_destroy(result);
}
END_TEST

static int twice(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(int *)out = 2 * *(const int *)in;
	return 0;
}

START_TEST(five_thousand_in_flight)
{
	enum { N = 5000 };
	static struct xc_result *results[N];
	static int out[N];

	for (int i = 0; i < N; i++) {
		results[i] = xc_apply_async(xc_balanced(client), twice, &i, sizeof i, &out[i],
					    sizeof out[i], NULL, &err);
		ck_assert_msg(results[i] != NULL, "%d: %s", i, err.text);
	}
	for (int i = N - 1; i >= 0; i--) {
		assert_ok(xc_wait(results[i], LIMIT, &err), err);
		ck_assert(xc_is_ready(results[i]));
		ck_assert_int_eq(xc_result_progress(results[i]).done, 1);
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(out[i], 2 * i);
		xc_result_destroy(results[i]);
	}
}
END_TEST

/* One of them fails: its own result says so, and only that. */
static int length(struct xc_task *task, const void *in, void *out)
{
	size_t size = xc_task_in_size(task), alignment = size & (~size + 1) & 31;

	*(int64_t *)out = in ? (int64_t)strnlen(in, size) : -1;
	return in && alignment && (uintptr_t)in % alignment
		       ? xc_task_fail(task, "it is not aligned")
		       : 0;
}

/* Also inputs of different sizes, none among them, as commands are. */
START_TEST(inputs_of_any_size_in_flight)
{
	enum { TASKS = 3000 };
	static struct xc_result *results[TASKS];
	static int64_t out[TASKS];
	char text[200];

	memset(text, 'x', sizeof text);
	for (int i = 0; i < TASKS; i++) {
		results[i] = xc_apply_async(xc_balanced(client), length, text, (size_t)(i % 200),
					    &out[i], sizeof out[i], NULL, &err);
		ck_assert_msg(results[i] != NULL, "%s", err.text);
	}
	for (int i = 0; i < TASKS; i++) {
		assert_ok(xc_wait(results[i], 30, &err), err);
		ck_assert_int_eq(out[i], i % 200 ? i % 200 : -1);
		xc_result_destroy(results[i]);
	}
}
END_TEST

static int fail_77(struct xc_task *task, const void *in, void *out)
{
	int value = *(const int *)in;

	if (value == 77)
		return xc_task_fail(task, "value %d, item %d", value, (int)xc_task_index(task));
	*(int *)out = value;
	return 0;
}

START_TEST(batched_tasks_fail_one_by_one)
{
	enum { N = 300 };
	/* To stop at a failure must not stop the others: they are other jobs. */
	struct xc_map_options options = { .on_failure = _i ? XC_STOP : XC_CONTINUE };
	struct xc_failure failure;
	struct xc_result *results[N];
	int out[N];

	for (int i = 0; i < N; i++)
		results[i] = xc_apply_async(xc_balanced(client), fail_77, &i, sizeof i, &out[i],
					    sizeof out[i], &options, &err);
	for (int i = 0; i < N; i++) {
		int r = xc_wait(results[i], LIMIT, &err);

		ck_assert_int_eq(r, i == 77 ? XC_EFAILED : 0);
		ck_assert_int_eq(xc_failure_count(results[i]), i == 77);
	}
	ck_assert_int_eq(xc_failure(results[77], 0, &failure), 0);
	ck_assert_int_eq(failure.first, 0);
	ck_assert_int_eq(failure.count, 1);
	ck_assert_str_eq(failure.text, "value 77, item 0");
	for (int i = 0; i < N; i++)
		xc_result_destroy(results[i]);
}
END_TEST

static int wait_if_odd(struct xc_task *task, const void *in, void *out)
{
	int value = *(const int *)in;

	if (value % 2) {
		task_announce(task);
		task_wait_at_gate();
	}
	*(int *)out = value;
	return 0;
}

/* Cancelling, or destroying, one of many that may have gone as one. */
START_TEST(one_of_many_is_cancelled)
{
	enum { N = 100 };
	struct xc_result *results[N];
	int out[N], r;

	stage_open();
	for (int i = 0; i < N; i++) {
		results[i] = xc_apply_async(xc_balanced(client), wait_if_odd, &i, sizeof i, &out[i],
					    sizeof out[i], NULL, &err);
		ck_assert_msg(results[i] != NULL, "%s", err.text);
	}
	/* Each engine stands at the gate: most have not begun. */
	xc_is_ready(results[0]);
	for (int i = 0; i < ENGINES; i++)
		stage_news();
	assert_ok(xc_cancel(results[90], XC_CANCEL_QUEUED, &err), err);
	xc_result_destroy(results[91]);
	stage_release();
	for (int i = 0; i < N; i++) {
		if (i == 91)
			continue;
		r = xc_wait(results[i], LIMIT, &err);
		ck_assert_msg(r == 0 || (i == 90 && r == XC_EFAILED), "%d: %s", i, err.text);
		if (r == 0)
			ck_assert_int_eq(out[i], i);
		else
			ck_assert_int_eq(failure_of(results[i], 0).state, XC_CANCELLED);
		xc_result_destroy(results[i]);
	}
	stage_close();
}
END_TEST

static int nap(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	task_sleep(0.05);
	return 0;
}

START_TEST(times_are_sane)
{
	struct xc_result *result;
	double start = now(), elapsed, serial;

	result = xc_map_range_async(xc_balanced(client), nap, 16, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_double_ge(xc_result_elapsed(result), 0);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	elapsed = xc_result_elapsed(result);
	serial = xc_result_serial_time(result);
	ck_assert_double_ge(serial, 16 * 0.05);
	ck_assert_double_lt(serial, 16 * 0.05 + 1);
	ck_assert_double_ge(elapsed, 0.05);
	ck_assert_double_le(elapsed, now() - start + 0.01);
	ck_assert_double_ge(elapsed * ENGINES, serial);
	ck_assert_double_eq_tol(xc_result_speedup(result), serial / elapsed, 1e-6);
	/* It stands still once the job is done. */
	task_sleep(0.02);
	ck_assert_double_eq(xc_result_elapsed(result), elapsed);
	xc_result_destroy(result);
}
END_TEST

static int wait_at_gate(struct xc_task *task, const void *in, void *out)
{
	task_announce(task);
	task_wait_at_gate();
	if (out)
		*(int *)out = in ? *(const int *)in : 1;
	return 0;
}

START_TEST(progress_while_it_runs)
{
	struct xc_progress progress;
	struct xc_result *result;
	double start;

	stage_open();
	result = xc_map_range_async(xc_balanced(client), wait_at_gate, 10, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert(!xc_is_ready(result));
	start = now();
	assert_error(xc_wait(result, 0, &err), -ETIMEDOUT, &err, "");
	assert_error(xc_wait(result, 0.2, &err), -ETIMEDOUT, &err, "");
	ck_assert_double_ge(now() - start, 0.2);
	ck_assert_double_lt(now() - start, 5);
	for (int i = 0; i < ENGINES; i++)
		stage_news();
	progress = xc_result_progress(result);
	ck_assert_int_eq(progress.items, 10);
	ck_assert_int_eq(progress.done, 0);
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(xc_result_progress(result).done, 10);
	xc_result_destroy(result);
	stage_close();
}
END_TEST

static void do_nothing(int signal)
{
	(void)signal;
}

START_TEST(a_signal_ends_the_wait_not_the_job)
{
	const struct itimerval in_a_while = { .it_value = { .tv_usec = 200000 } };
	struct sigaction action = { .sa_handler = do_nothing };
	struct xc_result *result;
	int in = 42, out = 0, r;

	stage_open();
	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	result = xc_apply_async(xc_balanced(client), wait_at_gate, &in, sizeof in, &out, sizeof out,
				NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	setitimer(ITIMER_REAL, &in_a_while, NULL);
	r = xc_wait(result, LIMIT, &err);
	assert_error(r, -EINTR, &err, "");
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(out, 42);
	xc_result_destroy(result);
	stage_close();
}
END_TEST

static int in_turn(struct xc_task *task, const void *in, void *out)
{
	static int last;

	(void)task;
	*(int *)out = last;
	last = *(const int *)in;
	return 0;
}

START_TEST(one_engine_runs_in_the_order_of_submission)
{
	enum { N = 200 };
	const struct xc_view *view = NULL;
	struct xc_result *results[N];
	int out[N];

	assert_ok(xc_engines(client, (const int[]){ 1 }, 1, &view, &err), err);
	for (int i = 0; i < N; i++)
		results[i] = xc_apply_async(view, in_turn, &(int){ i + 1 }, sizeof(int), &out[i],
					    sizeof out[i], NULL, &err);
	for (int i = 0; i < N; i++) {
		assert_ok(xc_wait(results[i], LIMIT, &err), err);
		ck_assert_int_eq(out[i], i);
		xc_result_destroy(results[i]);
	}
}
END_TEST

START_TEST(a_destroyed_result_frees_the_engines)
{
	struct greeting greetings[ENGINES] = { 0 };
	struct xc_result *result;

	result = xc_map_range_async(xc_balanced(client), nap, 100000, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	xc_result_destroy(result);
	assert_ok(xc_apply(xc_all(client), greet, "all", 4, greetings, sizeof greetings[0], NULL,
			   &err),
		  err);
	for (int i = 0; i < ENGINES; i++)
		ck_assert_str_eq(greetings[i].text, "hello, all");
	/* Had it not been cancelled, it would take 20 minutes. */
	ck_assert_int_eq(xc_map_range(xc_balanced(client), nap, 4, NULL, 0, NULL, &err), 0);
}
END_TEST

static int print(struct xc_task *task, const void *in, void *out)
{
	(void)out;
	printf("printed on engine %d: %s\n", xc_task_engine(task), (const char *)in);
	return 0;
}

static bool is_in_log(void *arg)
{
	char *log = read_file(cluster_path("default/engine-2.log"));
	bool found = log && strstr(log, arg);

	free(log);
	return found;
}

START_TEST(what_tasks_print_is_logged)
{
	assert_ok(xc_apply(xc_all(client), print, "q1w2e3", 7, NULL, 0, NULL, &err), err);
	ck_assert(wait_until(is_in_log, "printed on engine 2: q1w2e3", 5));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("apply");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "apply"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_test(tests, hello_from_every_engine);
	tcase_add_test(tests, listed_engines_in_their_order);
	tcase_add_test(tests, views_of_wrong_engines);
	tcase_add_test(tests, balanced_runs_once);
	tcase_add_test(tests, five_thousand_in_flight);
	tcase_add_test(tests, inputs_of_any_size_in_flight);
	tcase_add_loop_test(tests, batched_tasks_fail_one_by_one, 0, 2);
	tcase_add_test(tests, one_of_many_is_cancelled);
	tcase_add_test(tests, times_are_sane);
	tcase_add_test(tests, progress_while_it_runs);
	tcase_add_test(tests, a_signal_ends_the_wait_not_the_job);
	tcase_add_test(tests, one_engine_runs_in_the_order_of_submission);
	tcase_add_test(tests, a_destroyed_result_frees_the_engines);
	tcase_add_test(tests, what_tasks_print_is_logged);
	add_cluster_stop(stop);
	return run_tests(suite);
}
