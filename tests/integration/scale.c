/* scale.c: clusters that grow and shrink: by hand, by the queue, while a job runs. */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;

static void scale(const char *n)
{
	struct output output;

	XCLUSTER(&output, "scale", n);
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_msg(strstr(output.out, " engines are up"), "%s", output.out);
}

static int engines_up(void)
{
	json_t *status = XCLUSTER_JSON("status", "--json");
	const json_t *engine;
	size_t i;
	int n = 0;

	json_array_foreach (json_object_get(status, "engines"), i, engine) {
		const char *state = json_string_value(json_object_get(engine, "state"));

		n += strcmp(state, "idle") == 0 || strcmp(state, "busy") == 0;
	}
	json_decref(status);
	return n;
}

static bool are_up(void *arg)
{
	return engines_up() == *(int *)arg;
}

START_TEST(engines_are_added_and_taken_away)
{
	start_cluster(2);
	scale("5");
	ck_assert_int_eq(engines_up(), 5);
	scale("1");
	ck_assert_int_eq(engines_up(), 1);
	scale("1");
	scale("3");
	ck_assert_int_eq(engines_up(), 3);
	stop_cluster();
}
END_TEST

static int add_base(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *base = xc_task_array(task, "base");

	(void)in;
	if (!base)
		return xc_task_fail(task, "base is not here");
	task_announce(task);
	task_wait_at_gate();
	*(int64_t *)out = *(const int64_t *)base->data + xc_task_index(task);
	return 0;
}

/* Those that come get the code and the data first, and take from the rest; those that go
 * end what they run. */
START_TEST(a_running_job_goes_on_with_more_and_with_fewer)
{
	struct xc_map_options options = { .chunk = 1 };
	int64_t base = 1000, sums[60];
	struct xc_client *client;
	struct xc_result *result;
	bool used[8] = { false };
	int different = 0;

	stage_open();
	start_cluster(1);
	client = open_client(1);
	assert_ok(xc_push(xc_all(client), "base", XC_SCALAR(XC_I64, &base), &err), err);
	result = xc_map_range_async(xc_balanced(client), add_base, 60, sums, sizeof *sums, &options,
				    &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news(); /* it runs */
	scale("4");
	for (int i = 0; i < 3; i++) {
		struct news news = stage_news();

		different += !used[news.engine];
		used[news.engine] = true;
	}
	ck_assert_int_eq(different, 3);
	stage_release();
	scale("2");
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(xc_failure_count(result), 0);
	for (int64_t i = 0; i < 60; i++)
		ck_assert_int_eq(sums[i], 1000 + i);
	xc_result_destroy(result);
	xc_close(client);
	stage_close();
	stop_cluster();
}
END_TEST

static int nap(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_sleep(0.1);
	*(int *)out = xc_task_engine(task);
	return 0;
}

START_TEST(the_queue_brings_engines_and_idleness_takes_them)
{
	struct xc_engine_info info;
	struct output output;
	struct xc_client *client;
	int engines[150], one = 1, most = 0, last = -1;

	XCLUSTER(&output, "start", "-n", "1", "--min", "1", "--max", "3", "--idle-timeout", "1");
	ck_assert_msg(output.status == 0, "%s", output.err);
	client = open_client(1);
	assert_ok(xc_map_range(xc_balanced(client), nap, 150, engines, sizeof *engines, NULL, &err),
		  err);
	for (int i = 0; i < 150; i++)
		most = engines[i] > most ? engines[i] : most;
	ck_assert_msg(most == 2, "engines up to %d were used", most);
	ck_assert(wait_until(are_up, &one, LIMIT));
	ck_assert(wait_until(has_one_engine, client, LIMIT));
	xc_engine_ids(client, &last, 1);
	XCLUSTER(&output, "scale", "4");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "between --min 1 and --max 3"), "%s", output.err);
	/* The engine that has been idle for long is not shut down for the one that comes. */
	scale("2");
	ck_assert(wait_until(are_up, &one, LIMIT));
	assert_ok(xc_engine_info(client, last, &info, &err), err);
	ck_assert_str_eq(info.state, "idle");
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(numbers_that_do_not_fit_are_refused)
{
	static const struct {
		const char *options[8], *part;
	} rows[] = {
		{ { "-n", "3", "--max", "2" }, "-n 3 is not between --min 1 and --max 2" },
		{ { "-n", "1", "--min", "2", "--max", "3" }, "-n 1 is not between" },
		{ { "--min", "3", "--max", "2" }, "--min 3 is above --max 2" },
		{ { "--min", "3" }, "--min goes with --max" },
		{ { "--jobs", "2" }, "go with --launcher only" },
		{ { "--launcher", "slurm" }, "-n is missing" },
		{ { "--launcher", "slurm", "-n", "2", "--jobs", "3" }, "--jobs 3 is more than" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *argv[12] = { xcluster_command(), "start" };
		struct output output;

		memcpy(argv + 2, rows[i].options, sizeof rows[i].options);
		run_command(&output, argv);
		ck_assert_int_eq(output.status, 2);
		ck_assert_msg(strstr(output.err, rows[i].part), "%s", output.err);
	}
	assert_nothing_left(0);
}
END_TEST

static Suite *scale_suite(void)
{
	Suite *suite = suite_create("scale");
	TCase *tests = separate_case(suite, "scale");

	tcase_add_test(tests, engines_are_added_and_taken_away);
	tcase_add_test(tests, a_running_job_goes_on_with_more_and_with_fewer);
	tcase_add_test(tests, the_queue_brings_engines_and_idleness_takes_them);
	tcase_add_test(tests, numbers_that_do_not_fit_are_refused);
	return suite;
}

int main(void)
{
	return run_tests(scale_suite());
}
