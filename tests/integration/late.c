/* late.c: engines that join late get the code, the libraries and what was pushed
 * to all; and what happens when they leave. */
#include "tests/support/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;

static void join(struct program *agent, const char *n)
{
	PROGRAM(agent, xcluster_command(), "engines", "-n", n, "--foreground");
}

static void push_number(const struct xc_view *view, const char *name, int value)
{
	assert_ok(xc_push(view, name, XC_SCALAR(XC_I32, &value), &err), err);
}

/* The number in variable `in`, -1 where there is none. */
static int number(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *array = xc_task_array(task, in);

	*(int *)out = array ? *(const int *)array->data : -1;
	return 0;
}

static void check_numbers(struct xc_client *client, const char *name, int n, const int *expected)
{
	int numbers[8];

	ck_assert_int_eq(xc_view_size(xc_all(client)), n);
	assert_ok(xc_apply(xc_all(client), number, name, strlen(name) + 1, numbers,
			   sizeof numbers[0], NULL, &err),
		  err);
	for (int i = 0; i < n; i++)
		ck_assert_msg(numbers[i] == expected[i], "%s on engine %d: %d instead of %d", name,
			      i, numbers[i], expected[i]);
}

#define CHECK_NUMBERS(client, name, ...)                                                           \
	check_numbers(client, name, (int)(sizeof((int[]){ __VA_ARGS__ }) / sizeof(int)),           \
		      (const int[]){ __VA_ARGS__ })

static double big_sum;

/* Also: the program's own variables start afresh there. */
static int sum_big(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *big = xc_task_array(task, "big");

	(void)in;
	if (!big)
		return XC_TASK_FAILED;
	for (int64_t i = 0; i < xc_array_count(big); i++)
		big_sum += ((const double *)big->data)[i];
	*(double *)out = big_sum;
	big_sum = 0;
	return 0;
}

START_TEST(late_engines_get_what_was_pushed)
{
	static double big[200000];
	struct xc_client *client;
	struct program agents[2];
	const struct xc_view *view = NULL;
	double sums[4];

	big_sum = 1e9;
	start_cluster(1);
	client = open_client(1);
	for (int i = 0; i < 200000; i++)
		big[i] = 1;
	assert_ok(xc_push(xc_all(client), "big", XC_ARRAY_F64(big, 200000), &err), err);
	push_number(xc_all(client), "a", 1);
	push_number(xc_all(client), "b", 2);
	push_number(xc_all(client), "a", 3);
	push_number(xc_all(client), "cleared", 4);
	assert_ok(xc_clear(xc_all(client), "cleared", &err), err);
	push_number(xc_all(client), "back", 5);
	assert_ok(xc_clear(xc_all(client), "back", &err), err);
	push_number(xc_all(client), "back", 6);
	assert_ok(xc_engines(client, (const int[]){ 0 }, 1, &view, &err), err);
	push_number(view, "only0", 7);
	push_number(view, "b", 8);

	join(&agents[0], "2");
	assert_ok(xc_wait_for_engines(client, 3, LIMIT, &err), err);
	CHECK_NUMBERS(client, "a", 3, 3, 3);
	CHECK_NUMBERS(client, "b", 8, 2, 2);
	CHECK_NUMBERS(client, "cleared", -1, -1, -1);
	CHECK_NUMBERS(client, "back", 6, 6, 6);
	CHECK_NUMBERS(client, "only0", 7, -1, -1);
	assert_ok(xc_apply(xc_all(client), sum_big, NULL, 0, sums, sizeof sums[0], NULL, &err),
		  err);
	for (int i = 0; i < 3; i++)
		ck_assert_double_eq(sums[i], 200000);

	assert_ok(xc_clear(xc_all(client), NULL, &err), err);
	push_number(xc_all(client), "last", 9);
	join(&agents[1], "1");
	assert_ok(xc_wait_for_engines(client, 4, LIMIT, &err), err);
	CHECK_NUMBERS(client, "a", -1, -1, -1, -1);
	CHECK_NUMBERS(client, "last", 9, 9, 9, 9);
	xc_close(client);
	stop_cluster();
	program_end(&agents[0]);
	program_end(&agents[1]);
}
END_TEST

/* What is pushed while engines come up reaches them, by one way or the other. */
START_TEST(pushes_while_engines_join)
{
	struct xc_client *client;
	struct program agents[3];
	int last = 0, engines = 1;

	start_cluster(1);
	client = open_client(1);
	for (int round = 0; round < 3; round++) {
		int numbers[8], up;

		engines += 2;
		join(&agents[round], "2");
		do
			push_number(xc_all(client), "a", ++last);
		while (xc_engine_count(client) < engines);
		up = xc_view_size(xc_all(client));
		ck_assert_int_eq(up, engines);
		assert_ok(xc_apply(xc_all(client), number, "a", 2, numbers, sizeof numbers[0], NULL,
				   &err),
			  err);
		for (int i = 0; i < up; i++)
			ck_assert_msg(numbers[i] == last, "engine %d has %d, not %d", i, numbers[i],
				      last);
	}
	xc_close(client);
	stop_cluster();
	for (int round = 0; round < 3; round++)
		program_end(&agents[round]);
}
END_TEST

static int wait_at_gate(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_announce(task);
	task_wait_at_gate();
	*(int *)out = xc_task_engine(task);
	return 0;
}

START_TEST(a_running_job_spreads_to_late_engines)
{
	bool seen[3] = { false };
	struct xc_client *client;
	struct xc_result *result;
	struct program agent;
	int out[12];

	start_cluster(1);
	client = open_client(1);
	stage_open();
	result = xc_map_range_async(xc_balanced(client), wait_at_gate, 12, out, sizeof out[0], NULL,
				    &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(stage_news().engine, 0);
	join(&agent, "2");
	for (int i = 0; i < 2; i++)
		seen[stage_news().engine] = true;
	ck_assert(seen[1] && seen[2]);
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int i = 0; i < 12; i++)
		ck_assert(out[i] >= 0 && out[i] < 3);
	xc_result_destroy(result);
	xc_close(client);
	stop_cluster();
	program_end(&agent);
}
END_TEST

START_TEST(engines_leave_with_their_agent)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGKILL };
	const struct xc_view *view = NULL;
	int out[100], ids[2] = { -1, -1 };
	struct xc_client *client;
	struct program agent;

	start_cluster(1);
	client = open_client(1);
	push_number(xc_all(client), "a", 1);
	join(&agent, "2");
	assert_ok(xc_wait_for_engines(client, 3, LIMIT, &err), err);
	ck_assert_int_eq(kill(agent.pid, signals[_i]), 0);
	program_end(&agent);
	ck_assert(wait_until(has_one_engine, client, 5));
	ck_assert_int_eq(xc_engine_ids(client, ids, 2), 1);
	ck_assert_int_eq(ids[0], 0);
	assert_error(xc_engines(client, (const int[]){ 0, 1 }, 2, &view, &err), XC_ENOENGINE, &err,
		     "1");
	CHECK_NUMBERS(client, "a", 1);
	stage_open();
	stage_release();
	assert_ok(xc_map_range(xc_balanced(client), wait_at_gate, 100, out, sizeof out[0], NULL,
			       &err),
		  err);
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(engines_need_a_cluster)
{
	struct output output;

	XCLUSTER(&output, "engines", "-n", "1");
	ck_assert_int_eq(output.status, 11);
	ck_assert_int_gt(strlen(output.err), 0);
	assert_nothing_left(0);
}
END_TEST

static bool is_being_loaded(void *arg)
{
	(void)arg;
	return access(test_path("begun"), F_OK) == 0;
}

static bool is_first_back(void *client)
{
	struct xc_engine_info info;

	return xc_engine_info(client, 0, &info, &err) == 0 && strcmp(info.state, "idle") == 0 &&
	       info.restarts == 1;
}

/* Loads it in a process of its own, which is killed if that does not end. */
static void load_in_vain(bool is_endless)
{
	struct xc_client *own;
	pid_t child = fork();

	if (child == 0) {
		if (xc_open(&own, NULL, &err) == 0)
			xc_load(xc_all(own), test_path("libendless.so"), &err);
		_exit(0);
	}
	if (is_endless) {
		ck_assert(wait_until(is_being_loaded, NULL, LIMIT));
		kill(child, SIGKILL);
	}
	child_end(child);
}

/* By any of two ways in which it fails everywhere. */
START_TEST(what_no_engine_could_load_is_not_brought_to_late_ones)
{
	struct xc_engine_info info;
	struct xc_client *client;
	struct program agent;
	char flags[600];

	start_cluster(1);
	client = open_client(1);
	snprintf(flags, sizeof flags, "-shared -fPIC -DENDLESS='\"%s\"'", test_path("begun"));
	compile("libendless.so", "endless.c", _i ? flags : "-shared -fPIC");
	load_in_vain(_i);
	assert_ok(xc_wait_for_engines(client, 1, LIMIT, &err), err);
	ck_assert(wait_until(is_first_back, client, LIMIT));
	join(&agent, "1");
	assert_ok(xc_wait_for_engines(client, 2, LIMIT, &err), err);
	push_number(xc_all(client), "a", 1);
	CHECK_NUMBERS(client, "a", 1, 1);
	assert_ok(xc_engine_info(client, 1, &info, &err), err);
	ck_assert_int_eq(info.restarts, 0);
	xc_close(client);
	stop_cluster();
	program_end(&agent);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("late");
	TCase *tests = separate_case(suite, "late engines");

	tcase_add_test(tests, late_engines_get_what_was_pushed);
	tcase_add_test(tests, pushes_while_engines_join);
	tcase_add_test(tests, a_running_job_spreads_to_late_engines);
	tcase_add_loop_test(tests, engines_leave_with_their_agent, 0, 3);
	tcase_add_loop_test(tests, what_no_engine_could_load_is_not_brought_to_late_ones, 0, 2);
	tcase_add_test(tests, engines_need_a_cluster);
	return run_tests(suite);
}
