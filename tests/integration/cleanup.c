/* cleanup.c: what runs when a library is unloaded, or an engine ends in order. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void begin(int engines)
{
	clear_away();
	start_cluster(engines);
	client = open_client(engines);
}

static void end(void)
{
	xc_close(client);
	stop_cluster();
}

/* The lines of an engine's log that begin with `word`, without it. */
static const char *said(int engine, const char *word)
{
	static char text[4096];
	char *log = read_file(cluster_path("default/engine-%d.log", engine));
	size_t used = 0;

	ck_assert_ptr_nonnull(log);
	text[0] = '\0';
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, word, strlen(word)) == 0)
			used += (size_t)snprintf(text + used, sizeof text - used, "%s|",
						 line + strlen(word));
	free(log);
	return text;
}

struct saying {
	int engine;
	const char *word, *expected;
};

static bool is_said(void *arg)
{
	const struct saying *s = arg;

	return strcmp(said(s->engine, s->word), s->expected) == 0;
}

/* It comes to the log a moment after it was printed. */
static void expect_said(int engine, const char *word, const char *expected)
{
	struct saying s = { engine, word, expected };

	if (!wait_until(is_said, &s, LIMIT))
		ck_assert_str_eq(said(engine, word), expected);
}

/* ---- Libraries -------------------------------------------------------------- */

static int run_note(const struct xc_view *view)
{
	struct xc_map_options options = { .function = "note" };
	int out[4] = { -1, -1, -1, -1 }, r;

	r = xc_apply(view, NULL, NULL, 0, out, sizeof *out, &options, &err);
	if (r == 0)
		ck_assert_int_eq(out[0], 0);
	return r;
}

static const char library_words[] = "second|first|destructor|exit handler|";

START_TEST(cleanup_on_unload)
{
	const struct xc_view *zero = NULL;
	struct xc_client *other;
	struct program agent;
	char twice[200];

	begin(2);
	compile("libcleanup.so", "cleanup.c", "-shared -fPIC");
	assert_ok(xc_load(xc_all(client), test_path("libcleanup.so"), &err), err);
	assert_ok(run_note(xc_all(client)), err);
	other = open_client(2);
	assert_ok(xc_load(xc_all(other), test_path("libcleanup.so"), &err), err);
	ck_assert_str_eq(said(0, "LIBRARY "), "");

	assert_ok(xc_engines(client, (const int[]){ 0 }, 1, &zero, &err), err);
	assert_ok(xc_unload(zero, test_path("libcleanup.so"), &err), err);
	expect_said(0, "LIBRARY ", library_words);
	ck_assert_str_eq(said(1, "LIBRARY "), "");
	assert_error(run_note(zero), XC_ECODE, &err, "libcleanup.so was unloaded");
	/* Once more does nothing; and what is loaded again is there again. */
	assert_ok(xc_unload(zero, test_path("libcleanup.so"), &err), err);
	expect_said(0, "LIBRARY ", library_words);
	assert_ok(xc_load(zero, test_path("libcleanup.so"), &err), err);
	assert_ok(run_note(zero), err);

	assert_ok(xc_unload(xc_all(client), test_path("libcleanup.so"), &err), err);
	expect_said(1, "LIBRARY ", library_words);
	snprintf(twice, sizeof twice, "%s%s", library_words, library_words);
	expect_said(0, "LIBRARY ", twice);
	assert_error(run_note(xc_all(client)), XC_ECODE, &err, "xc_load");
	PROGRAM(&agent, xcluster_command(), "engines", "-n", "1", "--foreground");
	assert_ok(xc_wait_for_engines(client, 3, LIMIT, &err), err);
	ck_assert_str_eq(said(2, "LIBRARY "), "");
	assert_error(xc_unload(xc_all(client), "/no/such/library.so", &err), XC_ECODE, &err,
		     "/no/such/library.so");
	assert_error(xc_unload(xc_balanced(client), test_path("libcleanup.so"), &err), -EINVAL,
		     &err, "load-balanced");
	xc_close(other);
	end();
	program_end(&agent);
	/* The third never had it. */
	ck_assert_str_eq(said(2, "LIBRARY "), "");
}
END_TEST

/* ---- The end of engines -------------------------------------------------------- */

static void say(void *text)
{
	printf("TASK %s\n", (const char *)text);
}

static bool has_notes; /* not in the test itself */

__attribute__((destructor)) static void destroy(void)
{
	if (has_notes)
		say("destructor");
}

static int keep_note(struct xc_task *task, const void *in, void *out)
{
	char *copy = strdup("freed at the end");

	(void)in;
	(void)out;
	if (xc_task_cleanup(task, say, "one") < 0 || xc_task_cleanup(task, free, copy) < 0 ||
	    xc_task_cleanup(task, say, copy) < 0 || xc_task_cleanup(task, say, "two") < 0)
		return XC_TASK_FAILED;
	has_notes = true;
	task_announce(task);
	return 0;
}

static void keep_notes(int engines)
{
	begin(engines);
	assert_ok(xc_apply(xc_all(client), keep_note, NULL, 0, NULL, 0, NULL, &err), err);
	ck_assert_str_eq(said(0, "TASK "), "");
}

static const char end_words[] = "two|freed at the end|one|destructor|";

START_TEST(cleanup_on_stop)
{
	keep_notes(3);
	end();
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(said(i, "TASK "), end_words);
}
END_TEST

START_TEST(cleanup_on_shut_down)
{
	const struct xc_view *one = NULL;

	keep_notes(2);
	assert_ok(xc_engines(client, (const int[]){ 1 }, 1, &one, &err), err);
	assert_ok(xc_engines_stop(one, XC_CANCEL_RUNNING, &err), err);
	ck_assert_str_eq(said(1, "TASK "), end_words);
	ck_assert_str_eq(said(0, "TASK "), "");
	end();
	ck_assert_str_eq(said(0, "TASK "), end_words);
}
END_TEST

static bool has_restarted(void *arg)
{
	struct xc_engine_info info;

	(void)arg;
	assert_ok(xc_engine_info(client, 0, &info, &err), err);
	return info.restarts == 1 && strcmp(info.state, "idle") == 0;
}

static int crash(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)out;
	raise(*(const int *)in);
	return 0;
}

START_TEST(cleanup_not_after_crash)
{
	static const int signals[] = { SIGABRT, SIGKILL, SIGTERM };

	keep_notes(1);
	assert_error(
		xc_apply(xc_all(client), crash, &signals[_i], sizeof(int), NULL, 0, NULL, &err),
		XC_EFAILED, &err, "crashed");
	ck_assert(wait_until(has_restarted, NULL, LIMIT));
	ck_assert_str_eq(said(0, "TASK "), "");
	end();
	ck_assert_str_eq(said(0, "TASK "), "");
}
END_TEST

/* The running item ends, and then cleanups run, if that is within 2 s. */
static int register_and_wait(struct xc_task *task, const void *in, void *out)
{
	keep_note(task, in, out);
	while (!xc_task_is_cancelled(task) || !*(const int *)in)
		task_sleep(0.01);
	return 0;
}

START_TEST(stop_while_an_item_runs)
{
	struct xc_result *result;
	int asks = _i;

	begin(1);
	stage_open();
	result = xc_apply_async(xc_all(client), register_and_wait, &asks, sizeof asks, NULL, 0,
				NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news();
	end();
	ck_assert_str_eq(said(0, "TASK "), asks ? end_words : "");
	xc_result_destroy(result);
	stage_close();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cleanup");
	TCase *tests = separate_case(suite, "cleanup");

	tcase_add_test(tests, cleanup_on_unload);
	tcase_add_test(tests, cleanup_on_stop);
	tcase_add_test(tests, cleanup_on_shut_down);
	tcase_add_loop_test(tests, cleanup_not_after_crash, 0, 3);
	tcase_add_loop_test(tests, stop_while_an_item_runs, 0, 2);
	return run_tests(suite);
}
