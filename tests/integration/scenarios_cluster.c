/* scenarios_cluster.c: what people do with clusters as a whole: list them, come
 * back to them, wait for engines, go without. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;

/* The words of the line that begins with `id`, after it. */
static void words_of(const char *list, const char *id, char words[3][64])
{
	char copy[4096], *rest = NULL;

	snprintf(copy, sizeof copy, "%s", list);
	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char first[64] = "";
		int n = sscanf(line, "%63s %63s %63s %63s", first, words[0], words[1], words[2]);

		if (n == 4 && strcmp(first, id) == 0)
			return;
	}
	ck_abort_msg("no line of %s in: %s", id, list);
}

START_TEST(list_in_text_and_json)
{
	char words[3][64], pid[32];
	struct output output;
	json_t *list, *entry;
	size_t i;

	start_cluster(2);
	XCLUSTER(&output, "start", "-n", "1", "--cluster-id", "other");
	ck_assert_msg(output.status == 0, "%s", output.err);
	XCLUSTER(&output, "list");
	ck_assert_int_eq(output.status, 0);
	words_of(output.out, "ID", words);
	ck_assert_str_eq(words[0], "STATE");
	words_of(output.out, "other", words);
	ck_assert_str_eq(words[1], "1");
	words_of(output.out, "default", words);
	snprintf(pid, sizeof pid, "%d", (int)controller_pid());
	ck_assert_str_eq(words[0], "running");
	ck_assert_str_eq(words[1], "2");
	ck_assert_str_eq(words[2], pid);
	list = XCLUSTER_JSON("list", "--json");
	ck_assert_uint_eq(json_array_size(list), 2);
	json_array_foreach (list, i, entry) {
		const char *id = json_string_value(json_object_get(entry, "id"));
		bool other = id && strcmp(id, "other") == 0;

		ck_assert_str_eq(id, other ? "other" : "default");
		ck_assert_str_eq(json_string_value(json_object_get(entry, "state")), "running");
		ck_assert_int_eq(json_integer_value(json_object_get(entry, "engines")),
				 other ? 1 : 2);
		ck_assert_str_eq(json_string_value(json_object_get(entry, "connection")),
				 cluster_path("%s/connection.json", id));
	}
	json_decref(list);
	XCLUSTER(&output, "stop", "--all");
	ck_assert_msg(output.status == 0, "%s", output.err);
	assert_nothing_left(0);
}
END_TEST

static int number(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *array = xc_task_array(task, "kept");

	(void)in;
	if (!array)
		return XC_TASK_FAILED;
	*(int *)out = *(const int *)array->data;
	return 0;
}

/* The first program: leaves a value there and ends. */
static void leave_value(void)
{
	struct xc_client *client = NULL;
	int value = 42;

	if (xc_open(&client, NULL, NULL) < 0 ||
	    xc_push(xc_all(client), "kept", XC_SCALAR(XC_I32, &value), NULL) < 0)
		_exit(1);
	xc_close(client);
	_exit(0);
}

/* The second one: finds it by the connection file, and ends the cluster. */
static void find_and_stop(const char *path)
{
	struct xc_client *client = NULL;
	int values[2] = { 0, 0 };

	if (xc_open(&client, path, NULL) < 0 || xc_engine_count(client) != 2)
		_exit(1);
	if (xc_apply(xc_all(client), number, NULL, 0, values, sizeof values[0], NULL, NULL) < 0 ||
	    values[0] != 42 || values[1] != 42)
		_exit(2);
	if (xc_shutdown(client, NULL) < 0)
		_exit(3);
	xc_close(client);
	_exit(0);
}

START_TEST(a_second_process_attaches_by_the_connection_file_and_stops_it)
{
	char path[512];
	pid_t child;

	start_cluster(2);
	snprintf(path, sizeof path, "%s", cluster_path("default/connection.json"));
	child = fork();
	if (child == 0)
		leave_value();
	ck_assert_int_eq(child_end(child), 0);
	child = fork();
	if (child == 0)
		find_and_stop(path);
	ck_assert_int_eq(child_end(child), 0);
	assert_nothing_left(10);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(wait_for_engines_that_are_there_returns_at_once)
{
	struct xc_client *client = NULL;

	start_cluster(2);
	assert_ok(xc_open(&client, NULL, &err), err);
	/* Even with no time at all. */
	assert_ok(xc_wait_for_engines(client, 2, 0, &err), err);
	assert_ok(xc_wait_for_engines(client, 1, -1, &err), err);
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(wait_for_engines_is_satisfied_later)
{
	struct xc_client *client;
	struct program agent;
	int ids[3];

	start_cluster(1);
	client = open_client(1);
	assert_error(xc_wait_for_engines(client, 3, 0, &err), -ETIMEDOUT, &err, "1 of 3");
	PROGRAM(&agent, xcluster_command(), "engines", "-n", "2", "--foreground");
	assert_ok(xc_wait_for_engines(client, 3, LIMIT, &err), err);
	ck_assert_int_eq(xc_engine_ids(client, ids, 3), 3);
	xc_close(client);
	stop_cluster();
	program_end(&agent);
}
END_TEST

/* More would never come: to wait on is of no use. */
START_TEST(wait_for_engines_fails_promptly_when_engines_crash_at_start)
{
	static const char preload[] = "export LD_PRELOAD=\"$1\" "
				      "ASAN_OPTIONS=\"$ASAN_OPTIONS:verify_asan_link_order=0\"; "
				      "exec \"$2\" engines -n 2 $3";
	struct xc_client *client;
	struct program agent;
	struct output output;
	double start;

	compile("libfuse.so", "fuse.c", "-shared -fPIC");
	start_cluster(1);
	client = open_client(1);
	PROGRAM(&agent, "sh", "-c", preload, "sh", test_path("libfuse.so"), xcluster_command(),
		"--foreground");
	start = now();
	assert_error(xc_wait_for_engines(client, 3, -1, &err), XC_ENOENGINE, &err, "1 of 3");
	ck_assert_double_lt(now() - start, LIMIT / 2);
	ck_assert_msg(strstr(err.text, "77") != NULL, "the cause is not in: %s", err.text);
	/* The command that adds them says so, too. */
	RUN(&output, "sh", "-c", preload, "sh", test_path("libfuse.so"), xcluster_command(), "");
	ck_assert_int_ne(output.status, 0);
	ck_assert_msg(strstr(output.err, "77") != NULL, "%s", output.err);
	ck_assert_double_lt(output.elapsed, LIMIT / 2);
	/* The one that was there goes on. */
	assert_ok(xc_wait_for_engines(client, 1, 0, &err), err);
	xc_close(client);
	stop_cluster();
	program_end(&agent);
}
END_TEST

static int tell_engine(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(int *)out = xc_task_engine(task);
	return 0;
}

START_TEST(the_view_of_all_includes_late_joiners)
{
	const struct xc_view *all;
	struct xc_client *client;
	struct output output;
	int ids[3] = { -1, -1, -1 };

	start_cluster(1);
	client = open_client(1);
	all = xc_all(client);
	ck_assert_int_eq(xc_view_size(all), 1);
	assert_ok(xc_apply(all, tell_engine, NULL, 0, ids, sizeof ids[0], NULL, &err), err);
	ck_assert_int_eq(ids[1], -1);
	XCLUSTER(&output, "engines", "-n", "2");
	ck_assert_msg(output.status == 0, "%s", output.err);
	assert_ok(xc_wait_for_engines(client, 3, LIMIT, &err), err);
	ck_assert_int_eq(xc_view_size(all), 3);
	assert_ok(xc_apply(all, tell_engine, NULL, 0, ids, sizeof ids[0], NULL, &err), err);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ids[i], i);
	xc_close(client);
	stop_cluster();
}
END_TEST

static void note_signal(int signal)
{
	(void)signal;
}

/* A signal handler of the program runs in a while. */
static void signal_in_a_while(void)
{
	const struct itimerval in_a_while = { .it_value = { .tv_usec = 200000 } };
	struct sigaction action = { .sa_handler = note_signal };

	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &in_a_while, NULL), 0);
}

static int wait_at_gate(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_announce(task);
	task_wait_at_gate();
	*(int *)out = 7;
	return 0;
}

START_TEST(an_interrupt_wakes_a_waiting_client)
{
	struct xc_client *client;
	struct xc_result *result;
	int out[4] = { 0 }, r;
	int64_t item;
	double start = now();

	start_cluster(2);
	client = open_client(2);
	stage_open();
	result = xc_map_range_async(xc_balanced(client), wait_at_gate, 2, out, sizeof out[0], NULL,
				    &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	signal_in_a_while();
	assert_error(xc_wait(result, -1, &err), -EINTR, &err, "");
	signal_in_a_while();
	assert_error(xc_next(result, XC_IN_ORDER, -1, &item, &err), -EINTR, &err, "");
	signal_in_a_while();
	assert_error(xc_wait_for_engines(client, 5, -1, &err), -EINTR, &err, "");
	/* The blocking form gives its job up, the others' go on. */
	signal_in_a_while();
	r = xc_map_range(xc_balanced(client), wait_at_gate, 2, out + 2, sizeof out[0], NULL, &err);
	assert_error(r, -EINTR, &err, "");
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(out[0] + out[1], 14);
	ck_assert_double_lt(now() - start, LIMIT);
	xc_result_destroy(result);
	stage_close();
	xc_close(client);
	stop_cluster();
}
END_TEST

static int compute(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *factor = xc_task_array(task, "factor");
	int64_t i = *(const int64_t *)in;

	if (!factor)
		return XC_TASK_FAILED;
	if (i % 50 == 49)
		return xc_task_fail(task, "item %lld does not like it", (long long)i);
	*(double *)out = *(const double *)factor->data * (double)(i * i) / 7;
	return 0;
}

struct outcome {
	double out[200];
	enum xc_state states[200];
	char failure[128];
};

/* A program that does not know what cluster it has. */
static void run_program(struct outcome *outcome)
{
	struct xc_error e = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	struct xc_result *result;
	double factor = 0.1;

	memset(outcome, 0, sizeof *outcome);
	assert_ok(xc_open(&client, NULL, &e), e);
	assert_ok(xc_push(xc_all(client), "factor", XC_SCALAR(XC_F64, &factor), &e), e);
	result = xc_map_range_async(xc_balanced(client), compute, 200, outcome->out,
				    sizeof outcome->out[0], NULL, &e);
	ck_assert_msg(result != NULL, "%s", e.text);
	assert_error(xc_wait(result, LIMIT, &e), XC_EFAILED, &e, "4 of 200");
	collect_states(result, 200, outcome->states);
	snprintf(outcome->failure, sizeof outcome->failure, "%s", failure_of(result, 149).text);
	xc_result_destroy(result);
	xc_close(client);
}

START_TEST(the_same_program_with_local_engines_has_the_same_results)
{
	static const char *const values[] = { "local:1", "local:3", "local" };
	static struct outcome wanted, outcome;

	start_cluster(2);
	run_program(&wanted);
	stop_cluster();
	ck_assert_int_eq(wanted.states[149], XC_FAILED);
	ck_assert_str_eq(wanted.failure, "item 149 does not like it");
	ck_assert_double_eq(wanted.out[198], 0.1 * (198 * 198) / 7);
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		setenv("XCLUSTER", values[i], 1);
		run_program(&outcome);
		ck_assert_msg(memcmp(&outcome, &wanted, sizeof wanted) == 0, "%s", values[i]);
		assert_nothing_left(0);
	}
	unsetenv("XCLUSTER");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scenarios of clusters");
	TCase *tests = separate_case(suite, "cluster");

	tcase_add_test(tests, list_in_text_and_json);
	tcase_add_test(tests, a_second_process_attaches_by_the_connection_file_and_stops_it);
	tcase_add_test(tests, wait_for_engines_that_are_there_returns_at_once);
	tcase_add_test(tests, wait_for_engines_is_satisfied_later);
	tcase_add_test(tests, wait_for_engines_fails_promptly_when_engines_crash_at_start);
	tcase_add_test(tests, the_view_of_all_includes_late_joiners);
	tcase_add_test(tests, an_interrupt_wakes_a_waiting_client);
	tcase_add_test(tests, the_same_program_with_local_engines_has_the_same_results);
	return run_tests(suite);
}
