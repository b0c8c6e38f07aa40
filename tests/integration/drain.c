/* drain.c: hosts whose time ends: nothing is begun that could not end, and what is cut off
 * runs elsewhere, uncharged. */
#include "tests/support/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;

static void join(struct program *agent, const char *option, const char *value, const char *drain)
{
	PROGRAM(agent, xcluster_command(), "engines", "--foreground", "--no-ranks", "-n", "2",
		option, value, "--drain", drain);
}

static int agents_with(const char *key, bool (*is)(const json_t *value))
{
	json_t *status = XCLUSTER_JSON("status", "--json");
	const json_t *agent;
	size_t i;
	int n = 0;

	json_array_foreach (json_object_get(status, "agents"), i, agent)
		n += is(json_object_get(agent, key));
	json_decref(status);
	return n;
}

static bool is_real(const json_t *value)
{
	return json_is_real(value);
}

static bool has_an_end(void *arg)
{
	(void)arg;
	return agents_with("ends_in", is_real) == 1;
}

struct answer {
	int engine, attempt;
};

static int nap(struct xc_task *task, const void *in, void *out)
{
	struct answer *answer = out;

	(void)in;
	task_sleep(0.2);
	answer->engine = xc_task_engine(task);
	answer->attempt = xc_task_attempt(task);
	return 0;
}

/* One engine stays, two go after four seconds: items of 0.2 s. */
START_TEST(items_go_on_where_there_is_time)
{
	struct xc_map_options options = { .chunk = 1 };
	struct answer answers[60];
	struct xc_client *client;
	struct program agent;
	int on_those = 0;

	start_cluster(1);
	join(&agent, "--walltime", "5", "2");
	client = open_client(3);
	ck_assert(wait_until(has_an_end, NULL, LIMIT));
	assert_ok(xc_map_range(xc_balanced(client), nap, 60, answers, sizeof *answers, &options,
			       &err),
		  err);
	for (int i = 0; i < 60; i++) {
		on_those += answers[i].engine > 0;
		ck_assert_int_eq(answers[i].attempt, 1);
	}
	ck_assert_int_gt(on_those, 10);
	ck_assert_int_eq(program_end(&agent), 0);
	ck_assert(wait_until(has_one_engine, client, LIMIT));
	xc_close(client);
	stop_cluster();
}
END_TEST

/* Its engine runs an item that knows of no end. */
static int stay_there(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_announce(task);
	if (xc_task_engine(task) > 0)
		task_wait_at_gate();
	((struct answer *)out)->engine = xc_task_engine(task);
	((struct answer *)out)->attempt = xc_task_attempt(task);
	return 0;
}

START_TEST(what_would_be_killed_runs_elsewhere_and_is_not_charged)
{
	struct xc_map_options options = { .chunk = 1 };
	struct answer answers[4];
	struct xc_client *client;
	struct xc_result *result;
	struct program agent;

	stage_open();
	start_cluster(1);
	join(&agent, "--walltime", "3", "1");
	client = open_client(3);
	result = xc_map_range_async(xc_balanced(client), stay_there, 4, answers, sizeof *answers,
				    &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(xc_failure_count(result), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(answers[i].engine, 0);
		ck_assert_int_eq(answers[i].attempt, 1);
	}
	ck_assert_int_eq(program_end(&agent), 0);
	xc_result_destroy(result);
	xc_close(client);
	stage_close();
	stop_cluster();
}
END_TEST

START_TEST(views_of_all_leave_out_who_is_about_to_go)
{
	struct xc_client *client;
	struct program agent;
	char ends[32];
	int value = 1;

	start_cluster(1);
	snprintf(ends, sizeof ends, "%ld", (long)time(NULL) + 40);
	join(&agent, "--ends-at", ends, "39");
	client = open_client(3);
	ck_assert(wait_until(has_an_end, NULL, LIMIT));
	ck_assert_int_eq(xc_engine_count(client), 3); /* a quarter of the time is margin */
	kill(agent.pid, SIGTERM);
	program_end(&agent);
	while (xc_engine_count(client) > 1)
		task_sleep(0.02);
	snprintf(ends, sizeof ends, "%ld", (long)time(NULL) + 4);
	join(&agent, "--ends-at", ends, "3");
	assert_ok(xc_wait_for_engines(client, 3, LIMIT, &err), err);
	while (xc_engine_count(client) == 3)
		task_sleep(0.02);
	assert_ok(xc_push(xc_all(client), "x", XC_SCALAR(XC_I32, &value), &err), err);
	ck_assert_int_eq(program_end(&agent), 0);
	xc_close(client);
	stop_cluster();
}
END_TEST

/* As Slurm and others do it: SIGTERM to all processes of the job at once. */
START_TEST(a_job_that_is_ended_from_outside_charges_nothing)
{
	struct xc_map_options options = { .chunk = 1 };
	struct answer answers[4];
	struct xc_client *client;
	struct xc_result *result;
	struct program agent;
	pid_t pids[2];

	stage_open();
	start_cluster(1);
	PROGRAM(&agent, xcluster_command(), "engines", "--foreground", "--no-ranks", "-n", "2",
		"--launch-info", "a job");
	client = open_client(3);
	result = xc_map_range_async(xc_balanced(client), stay_there, 4, answers, sizeof *answers,
				    &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	for (int waiting = 0; waiting < 2;) {
		struct news news = stage_news();

		if (news.engine > 0)
			pids[waiting++] = news.pid;
	}
	kill(pids[0], SIGTERM); /* the agent hears of it last */
	kill(pids[1], SIGTERM);
	kill(agent.pid, SIGTERM);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(xc_failure_count(result), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(answers[i].engine, 0);
		ck_assert_int_eq(answers[i].attempt, 1);
	}
	ck_assert_int_eq(program_end(&agent), 0);
	xc_result_destroy(result);
	xc_close(client);
	stage_close();
	stop_cluster();
}
END_TEST

static Suite *drain_suite(void)
{
	Suite *suite = suite_create("drain");
	TCase *tests = separate_case(suite, "drain");

	tcase_add_test(tests, items_go_on_where_there_is_time);
	tcase_add_test(tests, what_would_be_killed_runs_elsewhere_and_is_not_charged);
	tcase_add_test(tests, views_of_all_leave_out_who_is_about_to_go);
	tcase_add_test(tests, a_job_that_is_ended_from_outside_charges_nothing);
	return suite;
}

int main(void)
{
	return run_tests(drain_suite());
}
