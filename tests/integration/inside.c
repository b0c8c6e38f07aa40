/* inside.c: XCLUSTER=inline: what only a program without a cluster can do, and what it
 * is told when it cannot; the examples. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;
static struct xc_client *client;
static struct output output;

static void open_inline(const char *value)
{
	setenv("XCLUSTER", value, 1);
	client = NULL;
	assert_ok(xc_open(&client, NULL, &err), err);
	unsetenv("XCLUSTER");
}

/* ---- Where it runs ------------------------------------------------------------------ */

static _Thread_local int calls;

static int count_calls(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(pid_t *)out = getpid();
	calls++;
	return 0;
}

START_TEST(in_this_process_and_thread)
{
	pid_t pids[30];

	open_inline("inline");
	ck_assert_int_eq(xc_engine_count(client), 1);
	assert_ok(xc_map_range(xc_all(client), count_calls, 30, pids, sizeof pids[0], NULL, &err),
		  err);
	ck_assert_int_eq(calls, 30);
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(pids[i], getpid());
	ck_assert_int_eq(cluster_processes(NULL, 0), 0);
	xc_close(client);
}
END_TEST

/* Nothing runs before somebody waits or asks. */
START_TEST(at_the_call_that_waits)
{
	pid_t pid;
	struct xc_result *single, *many;

	open_inline("inline:3");
	single = xc_apply_async(xc_balanced(client), count_calls, NULL, 0, &pid, sizeof pid, NULL,
				&err);
	many = xc_map_range_async(xc_all(client), count_calls, 0, NULL, 0, NULL, &err);
	ck_assert_int_eq(calls, 0);
	assert_ok(xc_wait(single, -1, &err), err);
	ck_assert_int_eq(calls, 1);
	assert_ok(xc_wait(many, -1, &err), err);
	xc_result_destroy(single);
	xc_result_destroy(many);
	xc_close(client);
}
END_TEST

/* The same program in every way in which it could not be shipped. */
START_TEST(what_cannot_be_shipped)
{
	static const char *const flags[] = { "-fno-pie -no-pie -DANSWER=7 -DWITH_TLS",
					     "-fPIE -pie -DANSWER=7 -DWITH_TLS" };
	struct program program;
	char line[1024];

	compile("unshippable", "answer.c", flags[_i]);
	setenv("XCLUSTER", "inline:2", 1);
	PROGRAM(&program, test_path("unshippable"));
	unsetenv("XCLUSTER");
	program_tell(&program, "ask");
	program_line(&program, line, sizeof line);
	ck_assert_str_eq(line, "7");
	ck_assert_int_eq(program_end(&program), 0);
}
END_TEST

/* ---- What is told --------------------------------------------------------------------- */

static struct xc_result *open_result;

/* All the ways to call the client that runs it. */
static int calls_back(struct xc_task *task, const void *in, void *out)
{
	struct xc_error why = XC_ERROR_INIT;
	int64_t item, n = 0;
	char *text;

	(void)task;
	(void)in;
	n += xc_map_range(xc_all(client), count_calls, 1, &item, 4, NULL, &why) == -EDEADLK;
	n += strstr(why.text, "a task calls the client that runs it") != NULL;
	n += xc_apply(xc_balanced(client), count_calls, NULL, 0, &item, 4, NULL, &why) == -EDEADLK;
	n += xc_wait(open_result, -1, &why) == -EDEADLK;
	n += xc_next(open_result, XC_ANY_ORDER, 0, &item, &why) == -EDEADLK;
	n += xc_cancel(open_result, XC_CANCEL_QUEUED, &why) == -EDEADLK;
	n += xc_wait_for_engines(client, 1, 1, &why) == -EDEADLK;
	n += xc_status_json(client, &text, &why) == -EDEADLK;
	n += xc_shutdown(client, &why) == -EDEADLK;
	n += xc_process(client, &why) == -EDEADLK;
	n += !xc_is_ready(open_result);
	xc_close(client); /* does nothing */
	*(int64_t *)out = n;
	return 0;
}

START_TEST(a_task_that_calls_its_client)
{
	int64_t n = 0;

	open_inline("inline:2");
	open_result = xc_map_range_async(xc_all(client), calls_back, 1, &n, sizeof n, NULL, &err);
	assert_ok(xc_wait(open_result, LIMIT, &err), err);
	ck_assert_int_eq(n, 11);
	xc_result_destroy(open_result);
	xc_close(client);
}
END_TEST

static int forgets(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	xc_result_destroy(open_result);
	open_result = NULL;
	return 0;
}

START_TEST(a_task_that_destroys_its_result)
{
	double start = now();

	open_inline("inline:2");
	open_result = xc_map_range_async(xc_balanced(client), forgets, 1, NULL, 0, NULL, &err);
	while (open_result && now() < start + LIMIT)
		assert_ok(xc_process(client, &err), err);
	ck_assert_ptr_null(open_result);
	xc_close(client);
}
END_TEST

START_TEST(no_more_engines)
{
	double start = now();
	int r;

	open_inline("inline:2");
	r = xc_wait_for_engines(client, 3, 30, &err);
	assert_error(r, XC_ENOENGINE, &err, "XCLUSTER=inline:N");
	ck_assert(now() < start + 15);
	assert_ok(xc_wait_for_engines(client, 2, 0, &err), err);
	xc_close(client);
}
END_TEST

static int nap(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	task_sleep(0.02);
	return 0;
}

/* Time-outs are kept to within an item, and what has ended until then counts. */
START_TEST(a_time_out)
{
	struct xc_result *result;
	struct xc_progress p;
	int r;

	open_inline("inline:2");
	result = xc_map_range_async(xc_balanced(client), nap, 1000, NULL, 0, NULL, &err);
	r = xc_wait(result, 0.1, &err);
	assert_error(r, -ETIMEDOUT, &err, "of 1000 items");
	p = xc_result_progress(result);
	ck_assert_int_gt(p.done, 0);
	ck_assert_int_lt(p.done, 1000);
	assert_ok(xc_cancel(result, XC_CANCEL_QUEUED, &err), err);
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "cancelled");
	xc_result_destroy(result);
	/* What is not waited for is dropped. */
	result = xc_map_range_async(xc_balanced(client), nap, 1000, NULL, 0, NULL, &err);
	xc_close(client);
	assert_error(xc_wait(result, 0, &err), XC_ELOST, &err, "closed");
	xc_result_destroy(result);
}
END_TEST

/* The loader knows a file by its name. */
START_TEST(a_library_that_changes)
{
	struct xc_map_options options = { .function = "version" };
	int r, version = 0;

	open_inline("inline:1");
	compile("libchanging.so", "tasks.c", "-shared -fPIC -DVERSION=1");
	assert_ok(xc_load(xc_all(client), test_path("libchanging.so"), &err), err);
	compile("libchanging.so", "tasks.c", "-shared -fPIC -DVERSION=2");
	r = xc_load(xc_all(client), test_path("libchanging.so"), &err);
	assert_error(r, XC_ECODE, &err, "start the program again");
	assert_ok(xc_apply(xc_all(client), NULL, NULL, 0, &version, sizeof version, &options, &err),
		  err);
	ck_assert_int_eq(version, 1);
	xc_close(client);
}
END_TEST

/* The command is for clusters, and does not look at it. */
START_TEST(the_command_ignores_it)
{
	start_cluster(1);
	setenv("XCLUSTER", "inline:3", 1);
	XCLUSTER(&output, "status");
	ck_assert_msg(output.status == 0 && strstr(output.out, "default"), "%s%s", output.out,
		      output.err);
	unsetenv("XCLUSTER");
	stop_cluster();
}
END_TEST

/* ---- The examples -------------------------------------------------------------------------- */

/* What an example prints, without what differs from one run to the next. */
static char *print(const char *where, const char *command)
{
	char line[1024];

	setenv("XCLUSTER", where, 1);
	snprintf(line, sizeof line, "cd '%s' && %s", getenv("XC_TEST_EXAMPLES"), command);
	RUN(&output, "sh", "-c", line);
	unsetenv("XCLUSTER");
	ck_assert_msg(output.status == 0, "%s: %s", line, output.err);
	return strdup(output.out);
}

static const struct {
	const char *before, *program, *after;
} examples[] = {
	{ "", "./hello", "| sed 's/process [0-9]*/process/'" },
	{ "printf 'one\\ntwo\\n\\nthree' |", "./lines", "" },
	{ "", "./event_loop", "| tail -n 1" },
	{ "", "./loo_forest --trees=5", "| grep -v -e wall -e serial -e speed -e items" },
};
#define EXAMPLES ((int)(sizeof examples / sizeof examples[0]))

static void write_rows(const char *path)
{
	char text[4000] = "a,b,target\n";

	for (int i = 0; i < 40; i++)
		sprintf(text + strlen(text), "%d,%d,%d.5\n", i % 7, i * i % 11, i % 7 + i);
	write_file(path, text, strlen(text));
}

/* The file is for loo_forest; others do not look at it. */
START_TEST(examples_print_the_same)
{
	char command[1024], *cluster, *within;

	write_rows(test_path("rows.csv"));
	snprintf(command, sizeof command, "%s %s '%s' %s", examples[_i].before,
		 examples[_i].program, test_path("rows.csv"), examples[_i].after);
	cluster = print("local:2", command);
	within = print("inline:2", command);
	ck_assert_uint_gt(strlen(cluster), 8);
	ck_assert_str_eq(cluster, within);
	free(cluster);
	free(within);
}
END_TEST

/* Not a byte too many, and none left. Under a sanitizer all tests say so. */
START_TEST(examples_under_valgrind)
{
	char command[1024];

	if (*getenv("XC_TEST_CFLAGS") || system("valgrind --version >/dev/null 2>&1") != 0)
		return;
	write_rows(test_path("rows.csv"));
	snprintf(command, sizeof command,
		 "%s valgrind -q --leak-check=full --error-exitcode=9 %s '%s'", examples[_i].before,
		 examples[_i].program, test_path("rows.csv"));
	free(print("inline:3", command));
	ck_assert_str_eq(output.err, "");
}
END_TEST

/* ---- What there is no other process for --------------------------------------------- */

START_TEST(what_needs_a_process_says_so)
{
	struct xc_map_options options = { .output = true };
	struct xc_result *result;

	open_inline("inline:2");
	assert_error(xc_signal(xc_all(client), SIGTERM, &err), -ENOTSUP, &err,
		     "use XCLUSTER=local:N");
	assert_ok(xc_interrupt(xc_all(client), &err), err);
	result = xc_map_range_async(xc_all(client), nap, 2, NULL, 0, &options, &err);
	ck_assert(result && xc_wait(result, LIMIT, &err) == 0);
	ck_assert_ptr_null(xc_output(result, 0, NULL));
	xc_result_destroy(result);
	xc_close(client);
}
END_TEST

START_TEST(a_library_is_closed)
{
	struct xc_map_options options = { .function = "version" };
	int version[2] = { 0 };

	open_inline("inline:2");
	compile("libclosed.so", "tasks.c", "-shared -fPIC -DVERSION=5");
	assert_ok(xc_load(xc_all(client), test_path("libclosed.so"), &err), err);
	assert_ok(xc_apply(xc_all(client), NULL, NULL, 0, version, sizeof(int), &options, &err),
		  err);
	ck_assert(version[0] == 5 && version[1] == 5);
	assert_ok(xc_unload(xc_all(client), test_path("libclosed.so"), &err), err);
	assert_error(xc_apply(xc_all(client), NULL, NULL, 0, version, sizeof(int), &options, &err),
		     XC_ECODE, &err, "xc_load");
	assert_ok(xc_unload(xc_all(client), test_path("libclosed.so"), &err), err);
	/* As it was closed, the file may be another one. */
	compile("libclosed.so", "tasks.c", "-shared -fPIC -DVERSION=6");
	assert_ok(xc_load(xc_all(client), test_path("libclosed.so"), &err), err);
	assert_ok(xc_apply(xc_all(client), NULL, NULL, 0, version, sizeof(int), &options, &err),
		  err);
	ck_assert_int_eq(version[1], 6);
	xc_close(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inside");
	TCase *tests = separate_case(suite, "inside");

	tcase_add_test(tests, in_this_process_and_thread);
	tcase_add_test(tests, at_the_call_that_waits);
	tcase_add_loop_test(tests, what_cannot_be_shipped, 0, 2);
	tcase_add_test(tests, a_task_that_calls_its_client);
	tcase_add_test(tests, a_task_that_destroys_its_result);
	tcase_add_test(tests, no_more_engines);
	tcase_add_test(tests, a_time_out);
	tcase_add_test(tests, a_library_that_changes);
	tcase_add_test(tests, the_command_ignores_it);
	tcase_add_test(tests, what_needs_a_process_says_so);
	tcase_add_test(tests, a_library_is_closed);
	tcase_add_loop_test(tests, examples_print_the_same, 0, EXAMPLES);
	tcase_add_loop_test(tests, examples_under_valgrind, 0, EXAMPLES);
	return run_tests(suite);
}
