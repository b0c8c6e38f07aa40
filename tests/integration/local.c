/* local.c: XCLUSTER=local:N: the same program without a cluster of its own. */
#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct xc_error err = XC_ERROR_INIT;

static int square(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	if (i == 77)
		return xc_task_fail(task, "seventy-seven");
	*(int64_t *)out = i * i;
	return 0;
}

/* What a program does that knows nothing of all this. */
static int run_program(int engines, int64_t n)
{
	struct xc_client *client = NULL;
	int64_t out[100];
	int r;

	assert_ok(xc_open(&client, NULL, &err), err);
	if (engines)
		ck_assert_int_eq(xc_engine_count(client), engines);
	r = xc_map_range(xc_balanced(client), square, n, out, sizeof out[0], NULL, &err);
	for (int64_t i = 0; i < n; i++)
		ck_assert(i == 77 || out[i] == i * i);
	xc_close(client);
	return r;
}

START_TEST(a_cluster_for_the_program)
{
	setenv("XCLUSTER", "local:2", 1);
	assert_ok(run_program(2, 50), err);
	assert_nothing_left(0);
	assert_error(run_program(2, 100), XC_EFAILED, &err, "seventy-seven");
	assert_nothing_left(0);
	unsetenv("XCLUSTER");
}
END_TEST

START_TEST(one_engine_a_core)
{
	setenv("XCLUSTER", "local", 1);
	assert_ok(run_program(0, 50), err);
	assert_nothing_left(0);
	unsetenv("XCLUSTER");
}
END_TEST

START_TEST(a_named_cluster_wins)
{
	struct xc_client *client = NULL;

	start_cluster(1);
	setenv("XCLUSTER", "local:2", 1);
	assert_ok(xc_open(&client, "default", &err), err);
	ck_assert_int_eq(xc_engine_count(client), 1);
	xc_close(client);
	setenv("XCLUSTER", "", 1);
	assert_ok(run_program(1, 50), err);
	unsetenv("XCLUSTER");
	stop_cluster();
}
END_TEST

/* The controller of the cluster that xc_open finds; 0 for none. */
static int own_controller(void)
{
	struct xc_client *inner = NULL;
	char *text = NULL;
	json_t *status;
	int pid = 0;

	if (xc_open(&inner, NULL, NULL) < 0)
		return 0;
	if (xc_status_json(inner, &text, NULL) == 0) {
		status = json_loads(text, 0, NULL);
		pid = (int)json_integer_value(json_object_get(status, "pid"));
		json_decref(status);
	}
	free(text);
	xc_close(inner);
	return pid;
}

static int find_own_cluster(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	if (getenv("XCLUSTER"))
		return xc_task_fail(task, "XCLUSTER=%s", getenv("XCLUSTER"));
	*(int *)out = own_controller();
	return 0;
}

START_TEST(task_opens_its_own_cluster)
{
	struct xc_client *client = NULL;
	int pids[2] = { 0 }, expected;
	struct xc_error e = XC_ERROR_INIT;
	char *text = NULL;
	json_t *status;

	setenv("XCLUSTER", "local:2", 1);
	setenv("XCLUSTER_CONNECTION", "/no/such/connection.json", 1);
	assert_ok(xc_open(&client, NULL, &e), e);
	assert_ok(xc_status_json(client, &text, &e), e);
	status = json_loads(text, 0, NULL);
	expected = (int)json_integer_value(json_object_get(status, "pid"));
	ck_assert_int_gt(expected, 0);
	assert_ok(xc_apply(xc_all(client), find_own_cluster, NULL, 0, pids, sizeof *pids, NULL, &e),
		  e);
	ck_assert_int_eq(pids[0], expected);
	ck_assert_int_eq(pids[1], expected);
	json_decref(status);
	free(text);
	xc_close(client);
	unsetenv("XCLUSTER");
	unsetenv("XCLUSTER_CONNECTION");
	assert_nothing_left(0);
}
END_TEST

static const char *const bad[] = { "local:",	 "local:0",    "local:-1",
				   "local:2x",	 "local: 2",   "local:99999999999999999999",
				   "remote",	 "LOCAL:2",    "locally",
				   "local:5000", "inline:",    "inline:0",
				   "inlined",	 "inline:4097" };
#define BAD ((int)(sizeof bad / sizeof bad[0]))

START_TEST(a_value_that_is_not_understood)
{
	struct xc_client *client = NULL;

	setenv("XCLUSTER", bad[_i], 1);
	assert_error(xc_open(&client, NULL, &err), -EINVAL, &err, bad[_i]);
	ck_assert_ptr_nonnull(strstr(err.text, "local:N"));
	ck_assert_ptr_null(client);
	unsetenv("XCLUSTER");
}
END_TEST

START_TEST(a_command_that_does_not_work)
{
	struct xc_client *client = NULL;
	char *command = strdup(xcluster_command());

	setenv("XCLUSTER", "local:2", 1);
	setenv("XCLUSTER_COMMAND", "/nonexistent/xcluster", 1);
	ck_assert_int_lt(xc_open(&client, NULL, &err), 0);
	ck_assert_ptr_null(client);
	ck_assert_msg(strstr(err.text, "/nonexistent/xcluster") != NULL, "%s", err.text);
	setenv("XCLUSTER_COMMAND", command, 1);
	unsetenv("XCLUSTER");
	free(command);
	assert_nothing_left(0);
}
END_TEST

START_TEST(ended_by_the_program)
{
	struct xc_client *client = NULL;

	setenv("XCLUSTER", "local:1", 1);
	assert_ok(xc_open(&client, NULL, &err), err);
	unsetenv("XCLUSTER");
	assert_ok(xc_shutdown(client, &err), err);
	xc_close(client);
	assert_nothing_left(0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("local");
	TCase *tests = separate_case(suite, "local");

	tcase_add_test(tests, a_cluster_for_the_program);
	tcase_add_test(tests, one_engine_a_core);
	tcase_add_test(tests, a_named_cluster_wins);
	tcase_add_test(tests, task_opens_its_own_cluster);
	tcase_add_loop_test(tests, a_value_that_is_not_understood, 0, BAD);
	tcase_add_test(tests, a_command_that_does_not_work);
	tcase_add_test(tests, ended_by_the_program);
	return run_tests(suite);
}
