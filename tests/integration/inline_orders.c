/* inline_orders.c: XCLUSTER=inline:N: jobs by their ids, orders for engines, and code from
 * source, as on a cluster. */
#include "tests/integration/inline_notes.h"
#include "tests/integration/inline_tasks.h"

#include <errno.h>
#include <signal.h>

/* What is said of a job, without its id. */
static const char *reason(void)
{
	const char *at = strstr(err.text, ": job ");

	at = at ? strstr(at + 6, ": ") : NULL;
	return at ? at + 2 : err.text;
}

static const struct xc_view *view_of(int engine)
{
	const struct xc_view *view;

	assert_ok(xc_engines(client, &engine, 1, &view, &err), err);
	return view;
}

/* The number and what is said of it. N.B. in this order. */
static void note_code(const char *what, int r)
{
	note("%s: %d: %s", what, r, r < 0 ? reason() : "");
}

/* Work for all engines, so that what comes next waits in a queue. */
static struct xc_result *keep_busy(void)
{
	static const double long_enough = 0.4;
	struct xc_result *result = xc_apply_async(xc_all(client), nap, &long_enough,
						  sizeof long_enough, NULL, 0, NULL, &err);

	ck_assert_msg(result != NULL, "%s", err.text);
	return result;
}

static void end_busy(struct xc_result *result)
{
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
}

/* ---- Jobs ------------------------------------------------------------------------------ */

static void note_jobs(const char *label, const char *state)
{
	struct xc_job_query query = { .label = label, .state = state };
	struct xc_job_info *jobs;
	int count = -1, r = xc_jobs(client, &query, &jobs, &count, &err);

	note("jobs %s %s: %d, %d", label ? label : "-", state ? state : "-", r, count);
	for (int i = 0; r == 0 && i < count; i++)
		note("  \"%s\" of %s, %s: %lld items, %lld done, %lld failed, priority %d, "
		     "results %d, inputs %d, times %d",
		     jobs[i].label, jobs[i].client, jobs[i].state, (long long)jobs[i].items,
		     (long long)jobs[i].done, (long long)jobs[i].failed, jobs[i].priority,
		     jobs[i].has_results, jobs[i].has_inputs,
		     jobs[i].submitted > 1.6e9 && jobs[i].submitted <= jobs[i].finished &&
			     jobs[i].started <= jobs[i].finished);
	if (r == 0)
		free(jobs);
}

static void note_attached(const char *what, const char *id, void *out, size_t bytes, bool again)
{
	struct xc_result *result;

	err.text[0] = '\0';
	result = again ? xc_resubmit(client, id, out, bytes, &err)
		       : xc_attach(client, id, out, bytes, &err);
	if (!result) {
		note("%s: %d: %s", what, err.code, reason());
		return;
	}
	note_end(what, result, false);
	if (out)
		note_bytes("out", out, bytes);
	xc_result_destroy(result);
}

static void run_jobs(void)
{
	enum { N = 300 };
	static int64_t out[N], other[N], in[N];
	struct xc_map_options options = { .label = "squares", .priority = 3 };
	struct xc_result *busy = keep_busy(), *result, *same;
	char id[XC_JOB_ID_SIZE], wrong[XC_JOB_ID_SIZE];

	for (int i = 0; i < N; i++)
		in[i] = 2 * i;
	result = xc_map_async(xc_balanced(client), square, in, sizeof in[0], N, out, sizeof out[0],
			      &options, &err);
	note("id: %d", xc_result_id(result, id));
	note("again too soon: %d", xc_resubmit(client, id, NULL, 0, &err) == NULL);
	note("  %d: %s", err.code, reason());
	note_code("purge too soon", xc_purge(client, id, &err));
	same = xc_attach(client, id, other, sizeof other, &err);
	note_end("own", result, false);
	note_end("attached while it runs", same, false);
	note("alike: %d", memcmp(out, other, sizeof out) == 0);
	xc_result_destroy(same);
	end_busy(busy);
	memset(other, 0, sizeof other);
	note_attached("attached once it has ended", id, other, sizeof other, false);
	note_attached("without room", id, NULL, 0, false);
	note_attached("too little room", id, other, sizeof other - 1, false);
	note_attached("an item", strcat(strcpy(wrong, id), ".3"), other, 8, false);
	memset(other, 0, sizeof other);
	note_attached("again", id, other, sizeof other, true);
	note_attached("again with too little room", id, other, 8, true);
	note_attached("of another cluster", "0123456789abcdef-1", NULL, 0, false);
	strcpy(strchr(strcpy(wrong, id), '-'), "-123456");
	note_attached("never submitted", wrong, NULL, 0, false);
	note_attached("no id", "nonsense", NULL, 0, false);
	note_code("cancel what has ended", xc_job_cancel(client, id, XC_CANCEL_QUEUED, &err));
	note_jobs("squares", NULL);
	note_jobs("sq*", "failed");
	note_jobs("none", NULL);
	note_jobs(NULL, "asleep");
	note("  %s", err.text);
	note("purge: %d", xc_purge(client, id, &err));
	note_code("purge again", xc_purge(client, id, &err));
	note_attached("what is purged", id, NULL, 0, false);
	xc_result_destroy(result);
	note("purge all: some %d, then %d", xc_purge(client, NULL, &err) > 0,
	     xc_purge(client, NULL, &err));
	note_jobs(NULL, NULL);
}

static void run_cancelled_jobs(void)
{
	enum { N = 40 };
	struct xc_map_options stop = { .label = "stops", .on_failure = XC_STOP };
	struct xc_map_options options = { .label = "cancelled" };
	struct xc_result *busy = keep_busy(), *results[N];
	char id[XC_JOB_ID_SIZE];
	int64_t in, out[N][5];

	results[0] = xc_map_range_async(xc_balanced(client), square, 50, NULL, 0, &options, &err);
	note("id: %d", xc_result_id(results[0], id));
	note("cancel: %d", xc_job_cancel(client, id, XC_CANCEL_QUEUED, &err));
	note_end("cancelled by its id", results[0], false);
	xc_result_destroy(results[0]);
	end_busy(busy);
	results[0] = xc_map_range_async(view_of(1), negative, 50, NULL, 0, &stop, &err);
	note("stops: %d", xc_wait(results[0], LIMIT, &err));
	xc_result_destroy(results[0]);
	note_jobs(NULL, "cancelled");
	busy = keep_busy();
	for (in = 0; in < N; in++)
		results[in] = xc_apply_async(xc_balanced(client), facts, &in, sizeof in, out[in],
					     sizeof out[in], NULL, &err);
	end_busy(busy);
	for (in = 0; in < N; in++)
		xc_result_destroy(results[in]);
}

/* Single ones that went together. */
static void run_members(void)
{
	enum { N = 40 };
	static int64_t out[N][5];
	struct xc_result *busy = keep_busy(), *results[N];
	char id[XC_JOB_ID_SIZE], third[XC_JOB_ID_SIZE], *dot;
	int64_t one[5] = { 0 };

	for (int64_t i = 0; i < N; i++)
		results[i] = xc_apply_async(xc_balanced(client), facts, &i, sizeof i, out[i],
					    sizeof out[i], NULL, &err);
	note("id: %d", xc_result_id(results[3], third));
	note("cancel one: %d", xc_cancel(results[20], XC_CANCEL_QUEUED, &err));
	note("its id: %d", xc_result_id(results[30], id));
	note("cancel by id: %d", xc_job_cancel(client, id, XC_CANCEL_RUNNING, &err));
	end_busy(busy);
	for (int i = 0; i < N; i++) {
		note_end("single", results[i], false);
		note("  %d %d", (int)out[i][0], (int)out[i][3]);
		xc_result_destroy(results[i]);
	}
	note_attached("a member", third, one, sizeof one, false);
	note_attached("a member that was cancelled", id, one, sizeof one, false);
	memset(one, 0, sizeof one);
	note_attached("a member again", third, one, sizeof one, true);
	note_code("purge of one", xc_purge(client, third, &err));
	dot = strchr(third, '.');
	strcpy(dot, ".40");
	note_attached("no such member", third, NULL, 0, false);
	note_code("cancel no such member", xc_job_cancel(client, third, XC_CANCEL_QUEUED, &err));
	*dot = '\0';
	note_attached("all members", third, out, sizeof out, false);
}

static void run_lengths(void)
{
	struct xc_bytes items[] = { { "abcd", 4 }, { "", 0 }, { "defgh", 5 } };
	struct xc_result *result =
		xc_map_packed_async(xc_balanced(client), upper, items, 3, NULL, 0, NULL, &err);
	char id[XC_JOB_ID_SIZE], room[10];

	note_end("packed", result, false);
	note("id: %d", xc_result_id(result, id));
	xc_result_destroy(result);
	note_attached("room for any length", id, room, sizeof room, false);
	for (int again = 0; again < 2; again++) {
		result = again ? xc_resubmit(client, id, NULL, 0, &err)
			       : xc_attach(client, id, NULL, 0, &err);
		note_end("attached or again", result, false);
		for (int i = 0; i < 3; i++) {
			size_t size = 0;
			const void *data = xc_result_item(result, i, &size);

			note_bytes(data ? "item" : "no item", data, size);
		}
		xc_result_destroy(result);
	}
}

static void note_queues(void)
{
	struct xc_queue queues[ENGINES];
	int64_t unassigned = -1;
	int n = xc_queue_status(client, queues, ENGINES, &unassigned, &err);

	note("queues: %d, unassigned %lld", n, (long long)unassigned);
	for (int i = 0; i < n; i++)
		note("  engine %d: %d slices, %lld queued, %lld running, some completed %d",
		     queues[i].engine, queues[i].slices, (long long)queues[i].queued,
		     (long long)queues[i].running, queues[i].completed > 0 || i == 3);
}

static void run_all_jobs(void)
{
	note_queues();
	note("purge nothing: %d", xc_purge(client, NULL, &err));
	run_jobs();
	run_cancelled_jobs();
	run_members();
	run_lengths();
	note_queues();
	xc_close(client);
}

START_TEST(inline_same_jobs)
{
	compare_programs(run_all_jobs, 3000);
}
END_TEST

/* ---- Code ------------------------------------------------------------------------------- */

static const char *write_source(const char *name, const char *text)
{
	static char path[256];

	snprintf(path, sizeof path, "%s", test_path("%s", name));
	write_file(path, text, strlen(text));
	return path;
}

#define TASK "(struct xc_task *task, const void *in, void *out)"

static void note_call(const struct xc_view *view, const char *function, const char *library)
{
	struct xc_map_options options = { .function = function, .library = library };
	int out[ENGINES] = { 0 };
	struct xc_result *result =
		xc_apply_async(view, NULL, NULL, 0, out, sizeof out[0], &options, &err);

	if (!result) {
		note("call %s: %d: %s", function, err.code, err.text);
		return;
	}
	note_end(function, result, true);
	note("  gives %d %d %d %d", out[0], out[1], out[2], out[3]);
	xc_result_destroy(result);
}

/* `from`: what comes before it names an engine. */
static void note_load(const char *path, const struct xc_source_options *options, const char *from)
{
	int r;
	const char *at;

	err.text[0] = '\0';
	r = xc_load_source(xc_all(client), path, options, &err);
	at = strstr(err.text, from);
	note("load %s: %d: %s", strrchr(path, '/') + 1, r, at ? at : err.text);
}

static void run_sources(void)
{
	struct xc_source_options options = { .compiler = "no-such-compiler" };
	const char *twice = "#include <xcluster.h>\nint twice" TASK
			    "\n{\n\t*(int *)out = 2 * xc_task_engine(task);\n\treturn 0;\n}\n";
	const char *first = "#include <xcluster.h>\nint twice" TASK
			    "\n{\n\t*(int *)out = 77;\n\treturn 0;\n}\n";
	char path[256];

	note_call(xc_all(client), "twice", NULL);
	snprintf(path, sizeof path, "%s", write_source("twice.c", twice));
	note_load(path, NULL, "twice.c");
	note_load(path, NULL, "twice.c");
	note_call(xc_all(client), "twice", NULL);
	note_call(xc_balanced(client), "nowhere", NULL);
	note_call(xc_all(client), "absent", "twice.c");
	note_load(write_source("first.c", first), NULL, "first.c");
	note_call(xc_all(client), "twice", NULL);
	note_call(xc_all(client), "twice", "twice.c");
	note_call(xc_all(client), "twice", "third.c");
	note_load(write_source("bad.c", "#include <xcluster.h>\nint x = y;\nint z = a + b;\n"),
		  NULL, "bad.c:");
	note_load(write_source("link.c", "int missing(void);\nint f(void)\n{\n\treturn "
					 "missing();\n}\n"),
		  &(struct xc_source_options){ .flags = "-Wl,-z,defs" }, "undefined");
	note_load(path, &options, "no compiler");
	note_load(path, &(struct xc_source_options){ .flags = "'-O2" }, "the compiler's");
	note_load(test_path("none.c"), NULL, "none.c");
	note_load(write_source("text.txt", "x"), NULL, "text.txt");
	note("unload from one: %d", xc_unload(view_of(2), path, &err));
	note_call(view_of(2), "twice", "twice.c");
	note_call(view_of(1), "twice", "twice.c");
	note("unload: %d", xc_unload(xc_all(client), path, &err));
	note_call(xc_all(client), "twice", "twice.c");
	note_load(path, NULL, "twice.c");
	note_call(xc_all(client), "twice", NULL);
}

static void note_execute(const struct xc_view *view, const char *statements)
{
	struct xc_result *result = xc_execute_async(view, statements, NULL, &err);

	if (result)
		note_end(statements, result, true);
	else
		note("%s: %d: %s", statements, err.code, err.text);
	xc_result_destroy(result);
}

static void run_statements(void)
{
	struct xc_array arrays[ENGINES];

	note_execute(xc_all(client), "int n = 5 + xc_task_engine(task);\n"
				     "xc_task_set(task, \"n\", XC_SCALAR(XC_I32, &n));");
	note("pull: %d", xc_pull(xc_all(client), "n", arrays, &err));
	for (int i = 0; i < ENGINES; i++) {
		note("  %d", *(const int *)arrays[i].data);
		xc_array_free(&arrays[i]);
	}
	note_execute(view_of(3), "return xc_task_fail(task, \"at %g\", sqrt(16));");
	note_execute(view_of(0), "int x = 1;\nx = nonsense;");
	note_execute(view_of(1), "#include \"nowhere.h\"\nreturn 0;");
	note("execute: %d", xc_execute(xc_balanced(client), "return 0;", NULL, &err));
}

static void run_libraries(void)
{
	struct xc_map_options options = { .function = "version" };
	int out[ENGINES] = { 0 };

	note("load: %d", xc_load(xc_all(client), test_path("libinline.so"), &err));
	note_call(xc_all(client), "version", NULL);
	note("unload from one: %d", xc_unload(view_of(1), test_path("libinline.so"), &err));
	note_call(view_of(1), "version", NULL);
	note_call(view_of(2), "version", NULL);
	note("and load: %d", xc_load(view_of(1), test_path("libinline.so"), &err));
	note_call(xc_all(client), "version", NULL);
	note("unload: %d", xc_unload(xc_all(client), test_path("libinline.so"), &err));
	note_call(xc_all(client), "version", "libinline.so");
	note_code("none", xc_unload(xc_all(client), "/no/such.so", &err));
	note_code("balanced", xc_unload(xc_balanced(client), test_path("libinline.so"), &err));
	/* Built anew: another, though of the same name. */
	compile("libinline.so", "tasks.c", "-shared -fPIC -DVERSION=78");
	note("load: %d", xc_load(xc_all(client), test_path("libinline.so"), &err));
	note("call: %d",
	     xc_apply(xc_all(client), NULL, NULL, 0, out, sizeof out[0], &options, &err));
	note("  %d", out[3]);
}

static void run_all_code(void)
{
	compile("libinline.so", "tasks.c", "-shared -fPIC -DVERSION=77");
	run_sources();
	run_statements();
	run_libraries();
	xc_close(client);
}

START_TEST(inline_same_code)
{
	compare_programs(run_all_code, 3000);
}
END_TEST

/* ---- Engines ------------------------------------------------------------------------------ */

static void note_word(const char *word)
{
	FILE *file = fopen(test_path("words"), "a");

	fprintf(file, "%s\n", word);
	fclose(file);
}

static void say(void *word)
{
	note_word(word);
}

/* On one engine only: their order among each other is by chance. */
static int leave_word(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return xc_task_cleanup(task, say, "first of the program") < 0 ||
	       xc_task_cleanup(task, say, "second of the program") < 0;
}

static void note_words(void)
{
	char *text = read_file(test_path("words"));

	note("words: %s", text ? text : "none");
	free(text);
}

static void run_cleanups(void)
{
	char text[1000], path[256];

	remove(test_path("words"));
	snprintf(text, sizeof text,
		 "#include <stdio.h>\n#include <xcluster.h>\n"
		 "static void say(void *word)\n{\n\tFILE *f = fopen(\"%s\", \"a\");\n"
		 "\tfprintf(f, \"%%s\\n\", (char *)word);\n\tfclose(f);\n}\n"
		 "__attribute__((destructor)) static void end(void)\n{\n\tsay(\"end\");\n}\n"
		 "int leave" TASK "\n{\n\tstatic char a[] = \"first\", b[] = \"second\";\n"
		 "\t*(int *)out = xc_task_cleanup(task, say, a) + xc_task_cleanup(task, say, b);\n"
		 "\treturn 0;\n}\n",
		 test_path("words"));
	snprintf(path, sizeof path, "%s", write_source("leave.c", text));
	note("load: %d", xc_load_source(view_of(1), path, NULL, &err));
	note_call(view_of(1), "leave", NULL);
	note("of the program: %d", xc_apply(view_of(1), leave_word, NULL, 0, NULL, 0, NULL, &err));
	note_words();
	note("unload: %d", xc_unload(view_of(1), path, &err));
	note_words();
	note("once more: %d", xc_unload(view_of(1), path, &err));
	note_words();
}

static void run_stopped(void)
{
	struct xc_result *busy = keep_busy(), *lost;
	const struct xc_view *three = view_of(3), *view = NULL, *rest;
	struct xc_engine_info info;
	int ids[ENGINES] = { 0 }, pair[] = { 2, 3 }, out[8], r;

	note("over two: %d", xc_balanced_over(client, pair, 2, &rest, &err));
	lost = xc_map_range_async(three, engine_of, 5, out, sizeof out[0], NULL, &err);
	note("stop: %d", xc_engines_stop(three, XC_CANCEL_QUEUED, &err));
	note_end("lost", lost, true);
	xc_wait(busy, LIMIT, &err); /* it had begun or not */
	xc_result_destroy(busy);
	xc_result_destroy(lost);
	note("engines: %d %d %d", xc_engine_count(client), xc_engine_ids(client, ids, ENGINES),
	     xc_view_size(xc_all(client)));
	r = xc_engine_info(client, 3, &info, &err);
	note("info: %d: %s, pid %d, \"%s\"", r, info.state, info.pid, info.reason);
	note_code("stop again", xc_engines_stop(three, XC_CANCEL_RUNNING, &err));
	note_code("interrupt it", xc_interrupt(three, &err));
	note_code("view", xc_engines(client, pair, 2, &view, &err));
	note("index: %d", xc_view_at(xc_all(client), 3, &view, &err));
	note("  %s", err.text);
	lost = xc_map_range_async(three, engine_of, 5, out, sizeof out[0], NULL, &err);
	note_end("for it all the same", lost, true);
	xc_result_destroy(lost);
	note("over the other: %d",
	     xc_map_range(rest, engine_of, 8, out, sizeof out[0], NULL, &err));
	note_bytes("engines", out, sizeof out);
	note("all: %d",
	     xc_apply(xc_all(client), engine_of, NULL, 0, out, sizeof out[0], NULL, &err));
	note_bytes("engines", out, 3 * sizeof out[0]);
	note_code("balanced", xc_engines_stop(xc_balanced(client), XC_CANCEL_QUEUED, &err));
	note("not enough: %d", xc_wait_for_engines(client, 3, 0, &err));
}

static void run_all_engines(void)
{
	note("interrupt: %d", xc_interrupt(xc_all(client), &err));
	note_code("no signal", xc_signal(xc_all(client), 0, &err));
	note_code("balanced", xc_signal(xc_balanced(client), SIGINT, &err));
	run_cleanups();
	run_stopped();
	note_queues();
	xc_close(client);
	note_words(); /* of the program, at the end */
}

START_TEST(inline_same_engines)
{
	compare_programs(run_all_engines, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inline orders");
	TCase *tests = separate_case(suite, "inline orders");

	tcase_add_test(tests, inline_same_jobs);
	tcase_add_test(tests, inline_same_code);
	tcase_add_test(tests, inline_same_engines);
	return run_tests(suite);
}
