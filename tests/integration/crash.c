/* crash.c: items that take their engine with them: only they are charged, each
 * other item runs exactly once, and the engine comes back with its data. */
#include "tests/support/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENGINES 3
#define N	3000
#define BAD	1234

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

enum death { SEGV, ABORT, EXIT, KILL, DEATHS };
static const struct {
	const char *name;
	int code;
} deaths[DEATHS] = {
	{ "SIGSEGV", SIGSEGV }, { "abort", SIGABRT }, { "exit", 0 }, { "kill -9", SIGKILL }
};

__attribute__((no_sanitize("address", "undefined"))) static void die(int how)
{
	static int *volatile nowhere;

	/* A sanitizer's handler would turn the signal into an exit. */
	signal(SIGSEGV, SIG_DFL);
	switch (how) {
	case SEGV:
		*nowhere = 1;
		break;
	case ABORT:
		abort();
	case EXIT:
		_exit(3);
	default:
		kill(getpid(), SIGKILL);
	}
}

/* Each run of an item leaves its index in the file `runs`. */
static void record_run(const struct xc_task *task)
{
	int64_t index = xc_task_index(task);
	int fd = open(test_path("runs"), O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || write(fd, &index, sizeof index) != sizeof index)
		_exit(98);
	close(fd);
}

static void count_runs(int64_t n, int *runs)
{
	FILE *file = fopen(test_path("runs"), "r");
	int64_t index;

	memset(runs, 0, (size_t)n * sizeof *runs);
	ck_assert_ptr_nonnull(file);
	while (fread(&index, sizeof index, 1, file) == 1) {
		ck_assert(index >= 0 && index < n);
		runs[index]++;
	}
	fclose(file);
}

static int engine_pid(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(int *)out = getpid();
	return 0;
}

static void engine_pids(int *pids)
{
	assert_ok(xc_wait_for_engines(client, ENGINES, LIMIT, &err), err);
	assert_ok(xc_apply(xc_all(client), engine_pid, NULL, 0, pids, sizeof pids[0], NULL, &err),
		  err);
}

static int keep_own(struct xc_task *task, const void *in, void *out)
{
	int value = 100 + xc_task_engine(task);

	(void)in;
	(void)out;
	return xc_task_set(task, "own", XC_SCALAR(XC_I32, &value)) ? XC_TASK_FAILED : 0;
}

static int check_data(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *pushed = xc_task_array(task, "pushed");
	const struct xc_array *own = xc_task_array(task, "own");

	(void)in;
	(void)out;
	if (!pushed || !own)
		return XC_TASK_FAILED;
	if (*(const int *)own->data != 100 + xc_task_engine(task))
		return xc_task_fail(task, "own is %d", *(const int *)own->data);
	for (int i = 0; i < 100000; i++)
		if (((const double *)pushed->data)[i] != i)
			return xc_task_fail(task, "pushed[%d] is wrong", i);
	return 0;
}

static void set_up(void)
{
	static double pushed[100000];

	client = open_client(ENGINES);
	write_file(test_path("runs"), "", 0);
	for (int i = 0; i < 100000; i++)
		pushed[i] = i;
	assert_ok(xc_push(xc_all(client), "pushed", XC_ARRAY_F64(pushed, 100000), &err), err);
	assert_ok(xc_apply(xc_all(client), keep_own, NULL, 0, NULL, 0, NULL, &err), err);
}

static void tear_down(void)
{
	xc_close(client);
}

static int die_at_bad(struct xc_task *task, const void *in, void *out)
{
	record_run(task);
	if (xc_task_index(task) == BAD)
		die(*(const int *)in);
	*(int64_t *)out = xc_task_index(task) * 3;
	return 0;
}

/* That after a crash of engine `engine` all is as before but for its pid. */
static void check_that_engines_are_back(const int *old, int engine)
{
	int pids[ENGINES], ids[ENGINES];

	engine_pids(pids);
	ck_assert_int_eq(xc_engine_ids(client, ids, ENGINES), ENGINES);
	for (int i = 0; i < ENGINES; i++) {
		ck_assert_int_eq(ids[i], i);
		if (i == engine)
			ck_assert_int_ne(pids[i], old[i]);
		else
			ck_assert_int_eq(pids[i], old[i]);
	}
	assert_ok(xc_apply(xc_all(client), check_data, NULL, 0, NULL, 0, NULL, &err), err);
}

START_TEST(only_the_item_that_crashed_is_charged)
{
	char host[256] = "";
	static int64_t out[N];
	static enum xc_state states[N];
	int how[N], runs[N], pids[ENGINES];
	struct xc_failure failure;
	struct xc_result *result;

	for (int i = 0; i < N; i++)
		how[i] = _i;
	engine_pids(pids);
	memset(out, 0xEE, sizeof out);
	result = xc_map_async(xc_balanced(client), die_at_bad, how, sizeof how[0], N, out,
			      sizeof out[0], NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "1234");
	collect_states(result, N, states);
	count_runs(N, runs);
	for (int i = 0; i < N; i++) {
		ck_assert_msg(runs[i] == 1, "%s: item %d ran %d times", deaths[_i].name, i,
			      runs[i]);
		ck_assert_int_eq(states[i], i == BAD ? XC_CRASHED : XC_OK);
		ck_assert_int_eq(out[i], i == BAD ? (int64_t)0xEEEEEEEEEEEEEEEE : 3 * i);
	}
	failure = failure_of(result, BAD);
	ck_assert_int_eq(failure.count, 1);
	ck_assert_int_eq(failure.code, deaths[_i].code);
	ck_assert_int_eq(failure.attempts, 1);
	ck_assert(failure.engine >= 0 && failure.engine < ENGINES);
	gethostname(host, sizeof host - 1);
	ck_assert_str_eq(failure.host, host);
	ck_assert_msg(failure.text[0] != '\0', "no text");
	xc_result_destroy(result);
	check_that_engines_are_back(pids, failure.engine);
}
END_TEST

static int exit_properly(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	if (xc_task_index(task) == 3)
		exit(0);
	return 0;
}

START_TEST(even_a_successful_exit_is_a_crash)
{
	int pids[ENGINES];
	struct xc_failure failure;
	struct xc_result *result;

	engine_pids(pids);
	result = xc_map_range_async(xc_balanced(client), exit_properly, 10, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	failure = failure_of(result, 3);
	ck_assert_int_eq(failure.state, XC_CRASHED);
	ck_assert_int_eq(failure.code, 0);
	ck_assert_int_eq(xc_result_progress(result).failed, 1);
	xc_result_destroy(result);
	check_that_engines_are_back(pids, failure.engine);
}
END_TEST

static int crash_until_third(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	if (xc_task_index(task) % 10 == 4 && xc_task_attempt(task) < 3)
		die(KILL);
	*(int *)out = xc_task_attempt(task);
	return 0;
}

START_TEST(tried_again_after_a_crash)
{
	struct xc_map_options options = { .max_attempts = 3 };
	int out[30];

	assert_ok(xc_map_range(xc_balanced(client), crash_until_third, 30, out, sizeof out[0],
			       &options, &err),
		  err);
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(out[i], i % 10 == 4 ? 3 : 1);
}
END_TEST

START_TEST(attempts_used_up_by_crashes)
{
	struct xc_map_options options = { .max_attempts = 2 };
	struct xc_result *result;
	enum xc_state states[30];
	int out[30];

	result = xc_map_range_async(xc_balanced(client), crash_until_third, 30, out, sizeof out[0],
				    &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	collect_states(result, 30, states);
	for (int i = 0; i < 30; i++) {
		ck_assert_int_eq(states[i], i % 10 == 4 ? XC_CRASHED : XC_OK);
		if (states[i] == XC_CRASHED)
			ck_assert_int_eq(failure_of(result, i).attempts, 2);
	}
	xc_result_destroy(result);
}
END_TEST

static int crash_all(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	die(SEGV);
	return 0;
}

START_TEST(all_engines_at_once)
{
	struct xc_result *result;
	int pids[ENGINES], later[ENGINES];

	engine_pids(pids);
	result = xc_apply_async(xc_all(client), crash_all, NULL, 0, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	for (int i = 0; i < ENGINES; i++) {
		ck_assert_int_eq(failure_of(result, i).state, XC_CRASHED);
		ck_assert_int_eq(failure_of(result, i).engine, i);
	}
	xc_result_destroy(result);
	engine_pids(later);
	for (int i = 0; i < ENGINES; i++)
		ck_assert_int_ne(pids[i], later[i]);
	assert_ok(xc_apply(xc_all(client), check_data, NULL, 0, NULL, 0, NULL, &err), err);
}
END_TEST

static int wait_in_turn(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_announce(task);
	task_wait_at_gate();
	*(int *)out = xc_task_attempt(task);
	return 0;
}

START_TEST(killed_from_outside)
{
	struct xc_map_options once = { .at_most_once = true };
	struct xc_failure failure;
	struct xc_result *result;
	enum xc_state states[40];
	struct news news;
	int out[40], pids[ENGINES];

	engine_pids(pids);
	stage_open();
	result = xc_map_range_async(xc_balanced(client), wait_in_turn, 40, out, sizeof out[0],
				    _i ? &once : NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	news = stage_news();
	ck_assert_int_eq(kill(news.pid, SIGKILL), 0);
	ck_assert(process_ends(news.pid, 5));
	stage_release();
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	collect_states(result, 40, states);
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(states[i], i == news.item ? XC_CRASHED : XC_OK);
		if (states[i] == XC_OK)
			ck_assert_int_eq(out[i], 1);
	}
	failure = failure_of(result, news.item);
	ck_assert_int_eq(failure.code, SIGKILL);
	ck_assert_int_eq(failure.engine, news.engine);
	xc_result_destroy(result);
	stage_close();
	check_that_engines_are_back(pids, news.engine);
}
END_TEST

START_TEST(killed_while_idle)
{
	int pids[ENGINES];

	engine_pids(pids);
	ck_assert_int_eq(kill(pids[1], SIGKILL), 0);
	ck_assert(process_ends(pids[1], 5));
	check_that_engines_are_back(pids, 1);
}
END_TEST

static int get_news(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *array = xc_task_array(task, "news");

	(void)in;
	if (!array)
		return XC_TASK_FAILED;
	*(int *)out = *(const int *)array->data;
	return 0;
}

/* A push to all while one of them is not there does not pass it by. */
START_TEST(pushed_while_an_engine_is_down)
{
	int pids[ENGINES], out[ENGINES];

	for (int round = 1; round <= 10; round++) {
		engine_pids(pids);
		ck_assert_int_eq(kill(pids[round % ENGINES], SIGKILL), 0);
		if (round % 2)
			ck_assert(process_ends(pids[round % ENGINES], 5));
		assert_ok(xc_push(xc_all(client), "news", XC_SCALAR(XC_I32, &round), &err), err);
		engine_pids(pids);
		assert_ok(
			xc_apply(xc_all(client), get_news, NULL, 0, out, sizeof out[0], NULL, &err),
			err);
		for (int i = 0; i < ENGINES; i++)
			ck_assert_int_eq(out[i], round);
	}
}
END_TEST

static int scribble(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *pushed = xc_task_array(task, "pushed");

	(void)in;
	(void)out;
	signal(SIGSEGV, SIG_DFL);
	if (!pushed)
		return XC_TASK_FAILED;
	*(volatile double *)(uintptr_t)pushed->data = -1;
	return 0;
}

START_TEST(shared_data_cannot_be_written)
{
	struct xc_result *result;

	result = xc_apply_async(xc_balanced(client), scribble, NULL, 0, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	ck_assert_int_eq(failure_of(result, 0).state, XC_CRASHED);
	ck_assert_int_eq(failure_of(result, 0).code, SIGSEGV);
	xc_result_destroy(result);
	assert_ok(xc_wait_for_engines(client, ENGINES, LIMIT, &err), err);
	assert_ok(xc_apply(xc_all(client), check_data, NULL, 0, NULL, 0, NULL, &err), err);
}
END_TEST

static int fork_and_return(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	if (fork() < 0)
		return XC_TASK_FAILED;
	*(int64_t *)out = *(const int64_t *)in + 1;
	return 0;
}

/* A child that went on as an engine would take items that nobody hears of. */
START_TEST(a_child_that_returns_is_no_engine)
{
	static int64_t out[N];
	struct xc_result *result;

	result = xc_map_range_async(xc_balanced(client), fork_and_return, 100, out, sizeof *out,
				    NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int64_t i = 0; i < 100; i++)
		ck_assert_int_eq(out[i], i + 1);
	xc_result_destroy(result);
	assert_ok(xc_apply(xc_all(client), check_data, NULL, 0, NULL, 0, NULL, &err), err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crash");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "crash"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_loop_test(tests, only_the_item_that_crashed_is_charged, 0, DEATHS);
	tcase_add_test(tests, even_a_successful_exit_is_a_crash);
	tcase_add_test(tests, tried_again_after_a_crash);
	tcase_add_test(tests, attempts_used_up_by_crashes);
	tcase_add_test(tests, all_engines_at_once);
	tcase_add_loop_test(tests, killed_from_outside, 0, 2);
	tcase_add_test(tests, killed_while_idle);
	tcase_add_test(tests, pushed_while_an_engine_is_down);
	tcase_add_test(tests, shared_data_cannot_be_written);
	tcase_add_test(tests, a_child_that_returns_is_no_engine);
	add_cluster_stop(stop);
	return run_tests(suite);
}
