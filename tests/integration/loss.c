/* loss.c: controllers and agents that go away: clients learn of it, engines end,
 * items end. */
#include "tests/support/support.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;

static int wait_at_gate(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_announce(task);
	task_wait_at_gate();
	*(int *)out = xc_task_attempt(task);
	return 0;
}

static int parent(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(int *)out = getppid();
	return 0;
}

static void kill_and_see(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert(process_ends(pid, 5));
}

static bool has_no_processes(void *arg)
{
	(void)arg;
	return cluster_processes(NULL, 0) == 0;
}

START_TEST(controller_killed)
{
	struct xc_client *client;
	struct xc_result *result;
	struct output output;
	double start;
	int out[100];

	start_cluster(3);
	client = open_client(3);
	stage_open();
	result = xc_map_range_async(xc_balanced(client), wait_at_gate, 100, out, sizeof out[0],
				    NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news();
	kill_and_see(controller_pid());
	start = now();
	assert_error(xc_wait(result, LIMIT, &err), XC_ELOST, &err, "");
	ck_assert_double_lt(now() - start, 10);
	/* Nor does anything that follows wait for ever. */
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_ELOST);
	ck_assert_int_eq(
		xc_map_range(xc_balanced(client), parent, 1, out, sizeof out[0], NULL, &err),
		XC_ELOST);
	ck_assert_int_eq(xc_wait_for_engines(client, 3, LIMIT, &err), XC_ELOST);
	xc_result_destroy(result);
	xc_close(client);
	/* Agents and engines end, too; then there is only dust to be wiped up. */
	ck_assert(wait_until(has_no_processes, NULL, 15));
	XCLUSTER(&output, "clean");
	ck_assert_msg(output.status == 0, "%s", output.err);
	assert_nothing_left(0);
	start_cluster(1);
	stop_cluster();
}
END_TEST

START_TEST(controller_killed_while_idle)
{
	struct xc_client *client;
	double start;

	start_cluster(2);
	client = open_client(2);
	kill_and_see(controller_pid());
	start = now();
	ck_assert_int_eq(
		xc_map_range(xc_balanced(client), parent, 1, &(int){ 0 }, sizeof(int), NULL, &err),
		XC_ELOST);
	ck_assert_double_lt(now() - start, 10);
	xc_close(client);
	ck_assert(wait_until(has_no_processes, NULL, 15));
	start_cluster(1);
	stop_cluster();
}
END_TEST

/* An agent with its engines goes; those of another agent go on. */
START_TEST(agent_killed)
{
	struct xc_map_options options = { .at_most_once = _i };
	enum xc_state states[40];
	struct program agent;
	struct xc_client *client;
	struct xc_result *result;
	bool hit[40] = { false };
	int out[40] = { 0 }, lost = 0;
	pid_t gone[2];

	start_cluster(1);
	client = open_client(1);
	PROGRAM(&agent, xcluster_command(), "engines", "-n", "2", "--foreground");
	assert_ok(xc_wait_for_engines(client, 3, LIMIT, &err), err);
	stage_open();
	result = xc_map_range_async(xc_balanced(client), wait_at_gate, 40, out, sizeof out[0],
				    &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	for (int i = 0, n = 0; i < 3; i++) {
		struct news news = stage_news();

		if (news.engine > 0) {
			hit[news.item] = true;
			gone[n++] = news.pid;
		}
	}
	ck_assert_int_eq(kill(agent.pid, SIGKILL), 0);
	ck_assert_int_eq(program_end(&agent), 128 + SIGKILL);
	ck_assert(process_ends(gone[0], 5) && process_ends(gone[1], 5));
	stage_release();
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), _i ? XC_EFAILED : 0);
	collect_states(result, 40, states);
	for (int i = 0; i < 40; i++) {
		/* Nobody can tell any more how far the engines' next slices were. */
		ck_assert(states[i] == XC_OK || (states[i] == XC_LOST && _i));
		if (_i)
			ck_assert(states[i] == XC_LOST || !hit[i]);
		lost += states[i] == XC_LOST;
		ck_assert(states[i] == XC_OK ? out[i] >= 1 + hit[i] : out[i] == 0);
	}
	ck_assert_int_le(lost, 8);
	/* What is said of engines may come after what is said of items. */
	ck_assert(wait_until(has_one_engine, client, LIMIT));
	xc_result_destroy(result);
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(work_pinned_to_a_lost_engine_ends)
{
	const struct xc_view *view = NULL;
	enum xc_state states[2];
	struct xc_client *client;
	struct xc_result *result;
	struct program agent;
	int out[2] = { 0 };

	start_cluster(1);
	client = open_client(1);
	PROGRAM(&agent, xcluster_command(), "engines", "-n", "1", "--foreground");
	assert_ok(xc_wait_for_engines(client, 2, LIMIT, &err), err);
	assert_ok(xc_engines(client, (const int[]){ 0, 1 }, 2, &view, &err), err);
	stage_open();
	result = xc_apply_async(view, wait_at_gate, NULL, 0, out, sizeof out[0], NULL, &err);
	stage_news();
	stage_news();
	ck_assert_int_eq(kill(agent.pid, SIGKILL), 0);
	program_end(&agent);
	stage_release();
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	collect_states(result, 2, states);
	ck_assert_int_eq(states[0], XC_OK);
	ck_assert_int_eq(states[1], XC_LOST);
	ck_assert_int_eq(out[0], 1);
	xc_result_destroy(result);
	/* And so does what is submitted to it later. */
	ck_assert_int_lt(xc_apply(view, parent, NULL, 0, out, sizeof out[0], NULL, &err), 0);
	xc_close(client);
	stop_cluster();
}
END_TEST

static bool has_no_engines(void *client)
{
	return xc_engine_count(client) == 0;
}

START_TEST(the_only_agent_killed)
{
	struct xc_client *client;
	pid_t agents[2];
	struct output output;

	start_cluster(2);
	client = open_client(2);
	assert_ok(xc_apply(xc_all(client), parent, NULL, 0, agents, sizeof agents[0], NULL, &err),
		  err);
	ck_assert_int_eq(agents[0], agents[1]);
	kill_and_see(agents[0]);
	ck_assert(wait_until(has_no_engines, client, 5));
	ck_assert_int_lt(xc_wait_for_engines(client, 1, 1.0, &err), 0);
	xc_close(client);
	XCLUSTER(&output, "stop");
	assert_nothing_left(5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loss");
	TCase *tests = separate_case(suite, "loss");

	tcase_add_test(tests, controller_killed);
	tcase_add_test(tests, controller_killed_while_idle);
	tcase_add_loop_test(tests, agent_killed, 0, 2);
	tcase_add_test(tests, work_pinned_to_a_lost_engine_ends);
	tcase_add_test(tests, the_only_agent_killed);
	return run_tests(suite);
}
