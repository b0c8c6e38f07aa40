/* control.c: signals to engines, and engines that are shut down for good. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ENGINES 3

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void begin(void)
{
	clear_away();
	start_cluster(ENGINES);
	client = open_client(ENGINES);
	stage_open();
}

static void end(void)
{
	stage_close();
	xc_close(client);
	stop_cluster();
}

static int tell_pid(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(int *)out = xc_task_is_cancelled(task) ? -1 : getpid();
	return 0;
}

static void get_pids(const struct xc_view *view, int *pids)
{
	assert_ok(xc_apply(view, tell_pid, NULL, 0, pids, sizeof *pids, NULL, &err), err);
}

static const struct xc_view *only(int id)
{
	const struct xc_view *view = NULL;

	assert_ok(xc_engines(client, &id, 1, &view, &err), err);
	return view;
}

static const char *state_of(int id)
{
	static struct xc_engine_info info;

	assert_ok(xc_engine_info(client, id, &info, &err), err);
	return info.state;
}

/* ---- Signals --------------------------------------------------------------- */

/* Waits for what never comes, once; the code says what has ended that. */
static int wait_once(struct xc_task *task, const void *in, void *out)
{
	int fds[2], r;
	char byte;

	if (pipe(fds) < 0)
		return 6;
	task_announce(task);
	r = (int)read(fds[0], &byte, 1);
	*(int *)out = getpid();
	if (r >= 0 || errno != EINTR || !xc_task_is_cancelled(task))
		return 7;
	close(fds[0]);
	close(fds[1]);
	return *(const int *)in;
}

/* The signal may come before the task waits: again, then. */
static bool is_interrupted(void *result)
{
	assert_ok(xc_interrupt(xc_all(client), &err), err);
	return xc_is_ready(result);
}

START_TEST(signal_interrupts_a_running_task_on_every_engine)
{
	int before[ENGINES], after[ENGINES], out[100], code = _i;
	struct xc_result *result;

	get_pids(xc_all(client), before);
	result = xc_apply_async(xc_all(client), wait_once, &code, sizeof code, out, sizeof *out,
				NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	for (int i = 0; i < ENGINES; i++)
		stage_news();
	ck_assert(wait_until(is_interrupted, result, LIMIT));
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), code ? XC_EFAILED : 0);
	for (int i = 0; i < ENGINES; i++) {
		ck_assert_int_eq(xc_item_state(result, i), code ? XC_CANCELLED : XC_OK);
		if (code)
			ck_assert_str_eq(failure_of(result, i).text, "interrupted");
		else
			ck_assert_int_eq(out[i], before[i]);
	}
	xc_result_destroy(result);
	/* It was these items alone; and idle engines do not mind. */
	assert_ok(xc_interrupt(xc_all(client), &err), err);
	assert_ok(xc_map_range(xc_balanced(client), tell_pid, 100, out, sizeof *out, NULL, &err),
		  err);
	for (int i = 0; i < 100; i++)
		ck_assert_int_gt(out[i], 0);
	get_pids(xc_all(client), after);
	ck_assert_mem_eq(before, after, sizeof before);
}
END_TEST

/* Forks one that waits, and ends it; the code says what has ended it. */
static int end_child(struct xc_task *task, const void *in, void *out)
{
	pid_t child = fork();
	int status = 0;

	(void)out;
	while (child == 0)
		pause();
	if (child < 0 || kill(child, *(const int *)in) < 0)
		return 100;
	if (!process_ends(child, LIMIT / 4)) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		return 101;
	}
	waitpid(child, &status, 0);
	return xc_task_is_cancelled(task) ? 102 : status;
}

START_TEST(signal_to_a_child_of_a_task_is_not_for_its_item)
{
	static const int signals[] = { SIGINT, SIGTERM };
	struct xc_result *result = xc_apply_async(only(0), end_child, &signals[_i],
						  sizeof signals[_i], NULL, 0, NULL, &err);

	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	ck_assert_int_eq(xc_item_state(result, 0), XC_FAILED);
	ck_assert_int_eq(failure_of(result, 0).code, signals[_i]);
	xc_result_destroy(result);
}
END_TEST

struct restart {
	int id, pid;
};

static bool is_back(void *arg)
{
	const struct restart *restart = arg;
	struct xc_engine_info info;

	assert_ok(xc_engine_info(client, restart->id, &info, &err), err);
	return info.pid > 0 && info.pid != restart->pid && strcmp(info.state, "idle") == 0;
}

START_TEST(signal_kills_and_engine_is_back)
{
	static const int signals[] = { SIGKILL, SIGUSR1, SIGTERM };
	int before[ENGINES], after[ENGINES], code = 5, out;
	struct xc_result *result;
	struct xc_failure failure;

	get_pids(xc_all(client), before);
	result = xc_apply_async(only(1), wait_once, &code, sizeof code, &out, sizeof out, NULL,
				&err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news();
	assert_ok(xc_signal(only(1), signals[_i], &err), err);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	failure = failure_of(result, 0);
	ck_assert_int_eq(failure.state, XC_CRASHED);
	ck_assert_int_eq(failure.code, signals[_i]);
	xc_result_destroy(result);
	ck_assert(wait_until(is_back, &(struct restart){ 1, before[1] }, LIMIT));
	get_pids(xc_all(client), after);
	ck_assert(after[0] == before[0] && after[1] != before[1] && after[2] == before[2]);
}
END_TEST

/* As often as one likes: that says nothing against the engine. */
START_TEST(killed_again_and_again)
{
	int pid;

	for (int i = 0; i < 7; i++) {
		struct restart restart = { .id = 2 };

		get_pids(only(2), &pid);
		restart.pid = pid;
		assert_ok(xc_signal(only(2), SIGKILL, &err), err);
		ck_assert(wait_until(is_back, &restart, LIMIT));
	}
}
END_TEST

START_TEST(signals_that_cannot_be)
{
	struct output output;

	assert_error(xc_signal(xc_all(client), 0, &err), -EINVAL, &err, "signal 0");
	assert_error(xc_signal(xc_all(client), 1000, &err), -EINVAL, &err, "1000");
	assert_error(xc_signal(xc_balanced(client), SIGINT, &err), -EINVAL, &err, "load-balanced");
	assert_error(xc_interrupt(NULL, &err), -EINVAL, &err, "NULL");
	XCLUSTER(&output, "signal", "NOSUCH");
	ck_assert_int_eq(output.status, 2);
	ck_assert_ptr_nonnull(strstr(output.err, "NOSUCH"));
	XCLUSTER(&output, "signal", "--engines", "2-1", "KILL");
	ck_assert_int_eq(output.status, 2);
	XCLUSTER(&output, "signal", "--engines", "7", "KILL");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "engine 7") != NULL, "%s", output.err);
}
END_TEST

START_TEST(signals_by_command)
{
	struct restart restart = { .id = 2 };
	int code = 4, before, out[ENGINES];
	struct xc_result *result;
	struct output output;

	result = xc_apply_async(only(0), wait_once, &code, sizeof code, out, sizeof *out, NULL,
				&err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news();
	do {
		XCLUSTER(&output, "interrupt", "--engines", "0,1");
		ck_assert_msg(output.status == 0, "%s", output.err);
	} while (!xc_is_ready(result));
	ck_assert_int_eq(xc_item_state(result, 0), XC_CANCELLED);
	xc_result_destroy(result);
	get_pids(only(2), &before);
	restart.pid = before;
	XCLUSTER(&output, "signal", "--engines", "2", "sigkill");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert(wait_until(is_back, &restart, LIMIT));
}
END_TEST

/* ---- Shutting down ------------------------------------------------------------ */

START_TEST(one_engine_shut_down_indexing_it_fails)
{
	const struct xc_view *view = NULL, *gone = only(1), *three;
	int pids[ENGINES], out[ENGINES];
	struct xc_engine_info info;
	struct xc_client *other;
	struct xc_result *result;

	assert_ok(xc_engines(client, (const int[]){ 0, 1, 2 }, 3, &three, &err), err);
	get_pids(xc_all(client), pids);
	assert_ok(xc_engines_stop(gone, XC_CANCEL_QUEUED, &err), err);
	ck_assert_int_lt(kill(pids[1], 0), 0);
	assert_error(xc_engines(client, (const int[]){ 1 }, 1, &view, &err), XC_ENOENGINE, &err,
		     "engine 1 was shut down");
	assert_error(xc_view_at(three, 1, &view, &err), XC_ENOENGINE, &err,
		     "engine 1 was shut down");
	assert_error(xc_engines_stop(gone, XC_CANCEL_QUEUED, &err), XC_ENOENGINE, &err,
		     "engine 1 was shut down");
	assert_error(xc_interrupt(gone, &err), XC_ENOENGINE, &err, "engine 1 was shut down");
	assert_error(xc_interrupt(three, &err), XC_ENOENGINE, &err, "engine 1 was shut down");
	ck_assert_int_eq(xc_view_size(xc_all(client)), 2);
	ck_assert_int_eq(xc_engine_count(client), 2);
	assert_ok(xc_engine_info(client, 1, &info, &err), err);
	ck_assert_str_eq(info.state, "stopped");
	ck_assert_str_eq(info.reason, "engine 1 was shut down");
	ck_assert_int_eq(info.pid, 0);
	/* A view that has it still. */
	result = xc_apply_async(three, tell_pid, NULL, 0, out, sizeof *out, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "engine 1 was shut down");
	ck_assert_int_eq(failure_of(result, 1).state, XC_LOST);
	ck_assert(out[0] == pids[0] && out[2] == pids[2]);
	xc_result_destroy(result);
	other = open_client(2);
	assert_error(xc_engines(other, (const int[]){ 1 }, 1, &view, &err), XC_ENOENGINE, &err,
		     "engine 1 was shut down");
	xc_close(other);
}
END_TEST

static int wait_at_gate(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_announce(task);
	task_wait_at_gate();
	*(int *)out = xc_task_is_cancelled(task) ? -1 : xc_task_engine(task);
	return 0;
}

static bool is_stopping(void *id)
{
	return strcmp(state_of(*(int *)id), "stopping") == 0;
}

START_TEST(shut_down_lets_the_running_item_end)
{
	enum { N = 12 };
	struct xc_map_options options = { .chunk = 4 };
	int out[N], engines[N], seen[ENGINES] = { 0 }, pinned_out, id = 0, pid;
	struct xc_result *result, *pinned;
	struct program stop;

	get_pids(only(0), &pid);
	result = xc_map_range_async(xc_balanced(client), wait_at_gate, N, out, sizeof *out,
				    &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	for (int i = 0; i < ENGINES; i++) {
		struct news news = stage_news();

		engines[news.item] = news.engine;
		seen[news.engine]++;
	}
	ck_assert(seen[0] == 1 && seen[1] == 1 && seen[2] == 1);
	pinned = xc_apply_async(only(0), tell_pid, NULL, 0, &pinned_out, sizeof pinned_out, NULL,
				&err);
	ck_assert_msg(pinned != NULL, "%s", err.text);
	PROGRAM(&stop, xcluster_command(), "stop", "--engines", "0");
	ck_assert(wait_until(is_stopping, &id, LIMIT));
	/* What was for it alone need not wait for the item that runs. */
	assert_error(xc_wait(pinned, LIMIT, &err), XC_EFAILED, &err, "engine 0 was shut down");
	ck_assert_int_eq(xc_item_state(pinned, 0), XC_LOST);
	ck_assert_int_eq(kill(pid, 0), 0);
	stage_release();
	ck_assert_int_eq(program_end(&stop), 0);
	ck_assert_int_lt(kill(pid, 0), 0);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int i = 0; i < N - ENGINES; i++) {
		struct news news = stage_news();

		ck_assert_int_ne(news.engine, 0);
		engines[news.item] = news.engine;
	}
	ck_assert(!stage_has_news(0));
	seen[0] = 0;
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(out[i], engines[i]);
		seen[0] += out[i] == 0;
	}
	ck_assert_int_eq(seen[0], 1);
	xc_result_destroy(pinned);
	xc_result_destroy(result);
}
END_TEST

START_TEST(shut_down_now_runs_it_elsewhere)
{
	struct xc_result *result, *pinned;
	int out[ENGINES], pinned_out = 0;

	result = xc_map_range_async(xc_balanced(client), wait_at_gate, ENGINES, out, sizeof *out,
				    NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	for (int i = 0; i < ENGINES; i++)
		stage_news();
	assert_ok(xc_engines_stop(only(1), XC_CANCEL_RUNNING, &err), err);
	ck_assert_str_eq(state_of(1), "stopped");
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int i = 0; i < ENGINES; i++)
		ck_assert(out[i] == 0 || out[i] == 2);
	ck_assert_int_eq(stage_news().attempt, 1); /* it was no fault of the item */
	stage_open();
	pinned = xc_apply_async(only(2), wait_at_gate, NULL, 0, &pinned_out, sizeof pinned_out,
				NULL, &err);
	ck_assert_msg(pinned != NULL, "%s", err.text);
	stage_news();
	assert_ok(xc_engines_stop(only(2), XC_CANCEL_RUNNING, &err), err);
	ck_assert_int_eq(xc_wait(pinned, LIMIT, &err), XC_EFAILED);
	ck_assert_int_eq(xc_item_state(pinned, 0), XC_CANCELLED);
	xc_result_destroy(pinned);
	xc_result_destroy(result);
}
END_TEST

START_TEST(last_engine_of_an_agent_ends_the_agent)
{
	const struct xc_view *two = NULL, *over = NULL;
	struct xc_result *result;
	struct program agent;
	char path[32];
	int out[40], ids[2] = { 3, 4 }, pid;

	PROGRAM(&agent, xcluster_command(), "engines", "-n", "2", "--foreground");
	assert_ok(xc_wait_for_engines(client, ENGINES + 2, LIMIT, &err), err);
	assert_ok(xc_engines(client, ids, 2, &two, &err), err);
	assert_ok(xc_balanced_over(client, ids, 2, &over, &err), err);
	result = xc_map_range_async(over, wait_at_gate, 40, out, sizeof *out, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news();
	stage_news();
	assert_ok(xc_engines_stop(only(3), XC_CANCEL_RUNNING, &err), err);
	snprintf(path, sizeof path, "/proc/%d", (int)agent.pid);
	ck_assert_int_eq(access(path, F_OK), 0);
	assert_ok(xc_engines_stop(only(4), XC_CANCEL_RUNNING, &err), err);
	ck_assert_int_eq(program_end(&agent), 0);
	/* Nobody is left to run it. */
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(xc_item_state(result, i), XC_LOST);
	xc_result_destroy(result);
	ck_assert_int_eq(xc_engine_count(client), ENGINES);
	get_pids(only(0), &pid);
	ck_assert_str_eq(state_of(4), "stopped");
}
END_TEST

START_TEST(all_engines_shut_down)
{
	struct output output;

	XCLUSTER(&output, "stop", "--now");
	ck_assert_int_eq(output.status, 2);
	XCLUSTER(&output, "stop", "--engines", "0,9");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "engine 9") != NULL, "%s", output.err);
	ck_assert_int_eq(xc_engine_count(client), ENGINES);
	assert_ok(xc_engines_stop(xc_all(client), XC_CANCEL_QUEUED, &err), err);
	ck_assert_int_eq(xc_view_size(xc_all(client)), 0);
	XCLUSTER(&output, "engines", "-n", "1");
	ck_assert_msg(output.status == 0, "%s", output.err);
	assert_ok(xc_wait_for_engines(client, 1, LIMIT, &err), err);
	ck_assert_str_eq(state_of(ENGINES), "idle");
}
END_TEST

/* ---- What is known of an engine --------------------------------------------------- */

START_TEST(what_an_engine_runs)
{
	struct xc_map_options options = { .chunk = 5, .label = "at the gate" };
	struct xc_engine_info info;
	struct xc_result *result;
	struct output output;
	int out[10];
	int64_t first;

	assert_ok(xc_engine_info(client, 0, &info, &err), err);
	ck_assert_int_eq(info.cores, sysconf(_SC_NPROCESSORS_ONLN));
	ck_assert_double_gt(info.started, (double)time(NULL) - 300);
	ck_assert_double_lt(info.started, (double)time(NULL) + 1);
	ck_assert(info.first_item == -1 && info.item_count == 0);
	result = xc_map_range_async(xc_balanced(client), wait_at_gate, 10, out, sizeof *out,
				    &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	for (int i = 0; i < 2; i++) {
		struct news news = stage_news();

		assert_ok(xc_engine_info(client, news.engine, &info, &err), err);
		ck_assert_str_eq(info.label, "at the gate");
		first = info.first_item;
		ck_assert(first <= news.item && news.item < first + info.item_count);
	}
	XCLUSTER(&output, "status");
	ck_assert_ptr_nonnull(strstr(output.out, "at the gate"));
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tests = separate_case(suite, "control over engines");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_loop_test(tests, signal_interrupts_a_running_task_on_every_engine, 0, 2);
	tcase_add_loop_test(tests, signal_to_a_child_of_a_task_is_not_for_its_item, 0, 2);
	tcase_add_loop_test(tests, signal_kills_and_engine_is_back, 0, 3);
	tcase_add_test(tests, killed_again_and_again);
	tcase_add_test(tests, signals_that_cannot_be);
	tcase_add_test(tests, signals_by_command);
	tcase_add_test(tests, one_engine_shut_down_indexing_it_fails);
	tcase_add_test(tests, shut_down_lets_the_running_item_end);
	tcase_add_test(tests, shut_down_now_runs_it_elsewhere);
	tcase_add_test(tests, last_engine_of_an_agent_ends_the_agent);
	tcase_add_test(tests, all_engines_shut_down);
	tcase_add_test(tests, what_an_engine_runs);
	return run_tests(suite);
}
