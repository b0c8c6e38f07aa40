/* report.c: what the command tells: list, status, logs, version, help; and clean. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENGINES 2

static struct xc_error err = XC_ERROR_INIT;

static int say(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)out;
	puts(in);
	return 0;
}

static int wait_at_gate(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	task_announce(task);
	task_wait_at_gate();
	return 0;
}

/* The value at a path of object keys. */
static json_t *at(json_t *json, const char *key)
{
	json_t *value = json_object_get(json, key);

	ck_assert_msg(value != NULL, "there is no '%s' in %s", key, json_dumps(json, JSON_COMPACT));
	return value;
}

/* The entry of a list in which `key` is this text or number. */
static json_t *entry_with(json_t *list, const char *key, const char *text)
{
	json_t *entry;
	size_t i;

	ck_assert(json_is_array(list));
	json_array_foreach (list, i, entry) {
		json_t *value = json_object_get(entry, key);

		if (json_is_string(value) && strcmp(json_string_value(value), text) == 0)
			return entry;
	}
	return NULL;
}

START_TEST(list_and_clean)
{
	struct output output;
	json_t *list;
	pid_t pid;

	XCLUSTER(&output, "list");
	ck_assert_int_eq(output.status, 0);
	list = XCLUSTER_JSON("list", "--json");
	ck_assert_uint_eq(json_array_size(list), 0);
	json_decref(list);
	start_cluster(1);
	XCLUSTER(&output, "start", "-n", "1", "--cluster-id", "other");
	ck_assert_int_eq(output.status, 0);
	XCLUSTER(&output, "list");
	ck_assert_int_eq(output.status, 0);
	ck_assert(strstr(output.out, "default") && strstr(output.out, "other"));

	/* Live ones are not touched. */
	XCLUSTER(&output, "clean");
	ck_assert_int_gt(lock_holder(cluster_path("default/controller.lock")), 0);
	ck_assert_int_eq(access(cluster_path("default/connection.json"), F_OK), 0);
	xc_close(open_client(1));

	pid = controller_pid();
	kill(pid, SIGKILL);
	ck_assert(process_ends(pid, 5));
	list = XCLUSTER_JSON("list", "--json");
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_ptr_nonnull(entry_with(list, "id", "default"));
	ck_assert_ptr_nonnull(entry_with(list, "id", "other"));
	ck_assert(!json_equal(at(entry_with(list, "id", "default"), "state"),
			      at(entry_with(list, "id", "other"), "state")));
	json_decref(list);
	XCLUSTER(&output, "clean");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_int_eq(access(cluster_path("default"), F_OK), -1);
	ck_assert_int_eq(access(cluster_path("other/connection.json"), F_OK), 0);
	list = XCLUSTER_JSON("list", "--json");
	ck_assert_uint_eq(json_array_size(list), 1);
	json_decref(list);
	XCLUSTER(&output, "stop", "--all");
	assert_nothing_left(10);
}
END_TEST

START_TEST(clean_refuses_a_live_cluster)
{
	struct output output;

	start_cluster(1);
	XCLUSTER(&output, "clean", "--cluster-id", "default");
	ck_assert_int_ne(output.status, 0);
	ck_assert_msg(strstr(output.err, "default") != NULL, "%s", output.err);
	xc_close(open_client(1));
	XCLUSTER(&output, "clean", "--cluster-id", "default", "--force");
	ck_assert_msg(output.status == 0, "%s", output.err);
	assert_nothing_left(10);
	ck_assert_int_eq(access(cluster_path("default"), F_OK), -1);
}
END_TEST

START_TEST(status_of_a_busy_cluster)
{
	struct xc_map_options options = { .label = "my-label" };
	struct xc_client *client;
	struct xc_result *result;
	struct output output;
	json_t *status;
	char *text = NULL;

	start_cluster(ENGINES);
	client = open_client(ENGINES);
	stage_open();
	result = xc_map_range_async(xc_balanced(client), wait_at_gate, 50, NULL, 0, &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	for (int i = 0; i < ENGINES; i++)
		stage_news();
	XCLUSTER(&output, "status");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_msg(strstr(output.out, "my-label") && strstr(output.out, "default"), "%s",
		      output.out);
	status = XCLUSTER_JSON("status", "--json");
	ck_assert_uint_eq(json_array_size(at(status, "engines")), ENGINES);
	ck_assert_uint_eq(json_array_size(at(status, "jobs")), 1);
	ck_assert_ptr_nonnull(entry_with(at(status, "jobs"), "label", "my-label"));
	at(status, "uptime");
	at(status, "memory");
	at(status, "queue");
	json_decref(status);

	assert_ok(xc_status_json(client, &text, &err), err);
	ck_assert_ptr_nonnull(strstr(text, "my-label"));
	free(text);
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	xc_close(client);
	status = XCLUSTER_JSON("status", "--json");
	ck_assert_uint_eq(json_array_size(at(status, "jobs")), 0);
	json_decref(status);
	stop_cluster();
}
END_TEST

START_TEST(logs)
{
	struct xc_client *client;
	struct program follow;
	struct output output;
	char line[4096];

	start_cluster(ENGINES);
	client = open_client(ENGINES);
	assert_ok(xc_apply(xc_all(client), say, "before", 7, NULL, 0, NULL, &err), err);
	PROGRAM(&follow, xcluster_command(), "logs", "-f");
	do
		program_line(&follow, line, sizeof line);
	while (!strstr(line, "before"));
	assert_ok(xc_apply(xc_all(client), say, "afterwards", 11, NULL, 0, NULL, &err), err);
	do
		program_line(&follow, line, sizeof line);
	while (!strstr(line, "afterwards"));
	kill(follow.pid, SIGINT);
	program_end(&follow);
	xc_close(client);
	XCLUSTER(&output, "logs");
	ck_assert_int_eq(output.status, 0);
	ck_assert_ptr_nonnull(strstr(output.out, "afterwards"));
	ck_assert_ptr_nonnull(strstr(output.out, "engine-0"));
	stop_cluster();
	/* They can be read when the cluster has ended. */
	XCLUSTER(&output, "logs");
	ck_assert_int_eq(output.status, 0);
	ck_assert_ptr_nonnull(strstr(output.out, "afterwards"));
}
END_TEST

START_TEST(engines_are_added)
{
	struct xc_client *client;
	struct output output;
	json_t *status;

	start_cluster(1);
	XCLUSTER(&output, "engines", "-n", "2");
	ck_assert_msg(output.status == 0, "%s", output.err);
	/* It returns when they are up. */
	client = open_client(1);
	ck_assert_int_eq(xc_engine_count(client), 3);
	assert_ok(xc_apply(xc_all(client), say, "hello", 6, NULL, 0, NULL, &err), err);
	xc_close(client);
	status = XCLUSTER_JSON("status", "--json");
	ck_assert_uint_eq(json_array_size(at(status, "engines")), 3);
	json_decref(status);
	stop_cluster();
}
END_TEST

START_TEST(version_and_help)
{
	static const char *const commands[] = { "start",   "stop", "status",  "list",
						"clean",   "logs", "engines", "controller",
						"version", "jobs", "cancel",  "purge" };
	struct output output;

	XCLUSTER(&output, "version");
	ck_assert_int_eq(output.status, 0);
	ck_assert_ptr_nonnull(strstr(output.out, XC_VERSION));
	XCLUSTER(&output, "--help");
	ck_assert_int_eq(output.status, 0);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		ck_assert_msg(strstr(output.out, commands[i]) != NULL, "--help has no %s",
			      commands[i]);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		XCLUSTER(&output, commands[i], "--help");
		ck_assert_msg(output.status == 0, "%s --help: %s", commands[i], output.err);
		ck_assert_ptr_nonnull(strstr(output.out, commands[i]));
	}
	assert_nothing_left(0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report");
	TCase *tests = separate_case(suite, "report");

	tcase_add_test(tests, list_and_clean);
	tcase_add_test(tests, clean_refuses_a_live_cluster);
	tcase_add_test(tests, status_of_a_busy_cluster);
	tcase_add_test(tests, logs);
	tcase_add_test(tests, engines_are_added);
	tcase_add_test(tests, version_and_help);
	return run_tests(suite);
}
