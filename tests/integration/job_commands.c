/* job_commands.c: `xcluster jobs`, `cancel` and `purge`, and the limits that a cluster is
 * started with. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N    40
#define PART 100000

static struct xc_error err = XC_ERROR_INIT;

static int twice(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(int64_t *)out = 2 * *(const int64_t *)in;
	return 0;
}

static int waits(struct xc_task *task, const void *in, void *out)
{
	task_announce(task);
	task_wait_at_gate();
	return twice(task, in, out);
}

static int large(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_wait_at_gate();
	memset(out, (int)(1 + xc_task_index(task) % 100), PART);
	return 0;
}

static struct xc_result *must(struct xc_result *result)
{
	ck_assert_msg(result != NULL, "%d: %s", err.code, err.text);
	return result;
}

static void run_one(struct xc_client *client, const char *label)
{
	struct xc_map_options options = { .label = label };
	int64_t out[N];

	assert_ok(xc_map_range(xc_balanced(client), twice, N, out, sizeof *out, &options, &err),
		  err);
}

static size_t listed(const char *option, const char *value)
{
	json_t *jobs = XCLUSTER_JSON("jobs", "--json", option, value);
	size_t n = json_array_size(jobs);

	json_decref(jobs);
	return n;
}

START_TEST(jobs_are_listed)
{
	struct xc_client *client;
	struct output output;
	json_t *jobs, *job;

	start_cluster(1);
	XCLUSTER(&output, "jobs");
	ck_assert_int_eq(output.status, 0);
	ck_assert_str_eq(output.out, "no such jobs\n");
	client = open_client(1);
	run_one(client, "one");
	run_one(client, "two");
	XCLUSTER(&output, "jobs");
	ck_assert_int_eq(output.status, 0);
	ck_assert_ptr_nonnull(strstr(output.out, "SUBMITTED"));
	ck_assert_ptr_nonnull(strstr(output.out, "two"));
	jobs = XCLUSTER_JSON("jobs", "--json");
	ck_assert_uint_eq(json_array_size(jobs), 2);
	job = json_array_get(jobs, 1);
	ck_assert_str_eq(json_string_value(json_object_get(job, "label")), "one");
	ck_assert_str_eq(json_string_value(json_object_get(job, "state")), "done");
	ck_assert_int_eq(json_integer_value(json_object_get(job, "done")), N);
	ck_assert_double_gt(json_real_value(json_object_get(job, "finished")), 1e9);
	json_decref(jobs);
	ck_assert_uint_eq(listed("--label", "t*"), 1);
	ck_assert_uint_eq(listed("--state", "done"), 2);
	ck_assert_uint_eq(listed("--state", "running"), 0);
	ck_assert_uint_eq(listed("--since", "3600"), 2);
	ck_assert_uint_eq(listed("--since", "2001-02-03"), 2);
	ck_assert_uint_eq(listed("--since", "2001-02-03T04:05"), 2);
	ck_assert_uint_eq(listed("--since", "2199-02-03T04:05:06"), 0);
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(bad_values)
{
	static const struct {
		const char *args[3], *text;
		int status;
	} bad[] = {
		{ { "jobs", "--since", "soon" }, "--since must be a number of seconds", 2 },
		{ { "jobs", "--since", "-5" }, "--since must be a number of seconds", 2 },
		{ { "jobs", "--since", "2026-13-45" }, "--since must be a number of seconds", 2 },
		{ { "jobs", "--state", "finished" }, "--state must be queued", 2 },
		{ { "jobs", "extra", NULL }, "\"extra\" is not expected", 2 },
		{ { "cancel", NULL, NULL }, "no id of a job is given", 2 },
		{ { "purge", NULL, NULL }, "no id of a job is given", 2 },
		{ { "purge", "--all", "0123456789abcdef-1" }, "exclude each other", 2 },
		{ { "start", "--history", "many" }, "--history must be a number", 2 },
		{ { "start", "--kept-limit", "-1" }, "--kept-limit must be a size", 2 },
		{ { "jobs", NULL, NULL }, "", 11 },
		{ { "cancel", "0123456789abcdef-1", NULL }, "", 11 },
	};
	struct output output;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		run_command(&output, (const char *const[]){ xcluster_command(), bad[i].args[0],
							    bad[i].args[1], bad[i].args[2], NULL });
		ck_assert_msg(output.status == bad[i].status && strstr(output.err, bad[i].text),
			      "%s: %d: %s", bad[i].args[0], output.status, output.err);
	}
	assert_nothing_left(0);
}
END_TEST

START_TEST(cancel_and_purge)
{
	struct xc_client *client;
	struct xc_result *result;
	char id[XC_JOB_ID_SIZE];
	struct output output;
	int64_t out[N];

	start_cluster(1);
	client = open_client(1);
	stage_open();
	result = must(
		xc_map_range_async(xc_balanced(client), waits, N, out, sizeof *out, NULL, &err));
	ck_assert_int_eq(xc_result_id(result, id), 0);
	stage_news();
	XCLUSTER(&output, "purge", id);
	ck_assert_int_eq(output.status, 1);
	ck_assert_ptr_nonnull(strstr(output.err, "has not ended"));
	XCLUSTER(&output, "status");
	ck_assert_ptr_nonnull(strstr(output.out, id));
	XCLUSTER(&output, "cancel", "--running", id);
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	XCLUSTER(&output, "cancel", id);
	ck_assert_int_eq(output.status, 1);
	ck_assert_ptr_nonnull(strstr(output.err, "ended already"));
	ck_assert_uint_eq(listed("--state", "cancelled"), 1);
	/* The others go all the same. */
	XCLUSTER(&output, "purge", "nonsense", id);
	ck_assert_int_eq(output.status, 1);
	ck_assert_ptr_nonnull(strstr(output.err, "\"nonsense\" is no id of a job"));
	ck_assert_uint_eq(listed("--label", "*"), 0);
	run_one(client, "one");
	XCLUSTER(&output, "purge", "--all");
	ck_assert_int_eq(output.status, 0);
	ck_assert_str_eq(output.out, "1 jobs purged\n");
	xc_result_destroy(result);
	xc_close(client);
	stage_close();
	stop_cluster();
}
END_TEST

START_TEST(history_of_three)
{
	struct xc_client *client;
	struct output output;

	XCLUSTER(&output, "start", "-n", "1", "--history", "3");
	ck_assert_msg(output.status == 0, "%s", output.err);
	client = open_client(1);
	for (int i = 0; i < 10; i++)
		run_one(client, "one");
	ck_assert_uint_eq(listed("--label", "one"), 3);
	xc_close(client);
	stop_cluster();
	XCLUSTER(&output, "start", "-n", "1", "--history", "0");
	ck_assert_msg(output.status == 0, "%s", output.err);
	client = open_client(1);
	run_one(client, "one");
	ck_assert_uint_eq(listed("--label", "one"), 0);
	xc_close(client);
	stop_cluster();
}
END_TEST

static bool find_job(struct xc_client *client, const char *id, struct xc_job_info *info)
{
	struct xc_job_info *jobs;
	bool found = false;
	int count;

	assert_ok(xc_jobs(client, NULL, &jobs, &count, &err), err);
	for (int i = 0; i < count && !found; i++)
		if ((found = strcmp(jobs[i].id, id) == 0))
			*info = jobs[i];
	free(jobs);
	return found;
}

struct full {
	struct xc_client *client;
	const char *id;
	struct xc_job_info info;
};

static bool is_over_limit(void *arg)
{
	struct full *full = arg;

	return find_job(full->client, full->id, &full->info) && full->info.result_bytes > 1 << 20;
}

/* A kept job without a client waits when its results are a megabyte, and goes on when
 * somebody fetches them; another job is not held up by it. */
START_TEST(kept_results_are_bounded)
{
	bool direct = _i;
	struct xc_map_options options = { .on_disconnect = XC_DISCONNECT_KEEP, .chunk = 1 };
	char id[XC_JOB_ID_SIZE], *out = calloc(N, PART);
	struct xc_result *result;
	struct xc_client *client;
	struct output output;
	struct full full;

	stage_open();
	XCLUSTER(&output, "start", "-n", "2", "--kept-limit", "1M");
	ck_assert_msg(output.status == 0, "%s", output.err);
	client = open_client(2);
	result = must(xc_map_range_async(direct ? xc_all(client) : xc_balanced(client), large, N,
					 out, PART, &options, &err));
	ck_assert_int_eq(xc_result_id(result, id), 0);
	xc_result_destroy(result); /* nobody takes its results from here on */
	full = (struct full){ .client = client, .id = id };
	ck_assert(find_job(client, id, &full.info)); /* and the controller knows */
	stage_release();
	ck_assert(wait_until(is_over_limit, &full, LIMIT));
	run_one(client, "other");
	assert_ok(xc_clear(xc_all(client), "nothing", &err), err);
	ck_assert(find_job(client, id, &full.info));
	ck_assert_msg(full.info.done < N - 10, "%d are done", (int)full.info.done);
	memset(out, 0, (size_t)N * PART);
	result = must(xc_attach(client, id, out, (size_t)N * PART, &err));
	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(out[(size_t)i * PART + PART - 1], 1 + i);
	xc_result_destroy(result);
	free(out);
	xc_close(client);
	stop_cluster();
	stage_close();
}
END_TEST

/* Its program is still there for an engine that is started when the client is gone; and
 * what has not ended then does not keep the cluster. */
START_TEST(a_kept_job_outlives_client_and_engine)
{
	struct xc_map_options options = { .on_disconnect = XC_DISCONNECT_KEEP, .chunk = 1 };
	struct xc_client *client;
	char id[XC_JOB_ID_SIZE], *text;
	struct xc_result *result;
	int64_t out[2] = { 0 };
	struct news news;
	pid_t child;

	start_cluster(1);
	stage_open();
	options.max_attempts = 2;
	child = fork();
	if (child == 0) {
		if (xc_open(&client, NULL, NULL) < 0 ||
		    xc_wait_for_engines(client, 1, 10, NULL) < 0)
			_exit(1);
		result = xc_map_range_async(xc_balanced(client), waits, 2, out, sizeof *out,
					    &options, NULL);
		if (!result || xc_result_id(result, id) < 0)
			_exit(2);
		write_file(test_path("id"), id, strlen(id));
		must(xc_map_range_async(xc_balanced(client), waits, 5, out, sizeof *out, &options,
					NULL));
		xc_close(client);
		_exit(0);
	}
	ck_assert_int_eq(child_end(child), 0);
	news = stage_news();
	client = open_client(1);
	text = read_file(test_path("id"));
	ck_assert_ptr_nonnull(text);
	result = must(xc_attach(client, text, out, sizeof out, &err));
	kill(news.pid, SIGKILL);
	ck_assert_int_eq(stage_news().attempt, 2);
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(out[1], 2);
	free(text);
	xc_result_destroy(result);
	xc_close(client);
	stage_close();
	stop_cluster();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("job_commands");
	TCase *tests = separate_case(suite, "job_commands");

	tcase_add_test(tests, jobs_are_listed);
	tcase_add_test(tests, bad_values);
	tcase_add_test(tests, cancel_and_purge);
	tcase_add_test(tests, history_of_three);
	tcase_add_loop_test(tests, kept_results_are_bounded, 0, 2);
	tcase_add_test(tests, a_kept_job_outlives_client_and_engine);
	return run_tests(suite);
}
