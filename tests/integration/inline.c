/* inline.c: XCLUSTER=inline:N: the same program without any cluster, with the same
 * results and the same failures. */
#include "tests/integration/inline_notes.h"
#include "tests/integration/inline_tasks.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The program ------------------------------------------------------------------------ */

static void run_maps(void)
{
	enum { N = 1000 };
	int64_t out[N] = { 0 }, in[N];
	struct xc_map_options options = { .start = 5, .step = 3, .chunk = 7, .label = "maps" };
	const struct xc_view *views[] = { xc_balanced(client), xc_all(client) };
	struct xc_result *result;

	for (int i = 0; i < N; i++)
		in[i] = 1000 - i;
	for (int v = 0; v < 2; v++) {
		note("-- view of %d", xc_view_size(views[v]));
		memset(out, 0, sizeof out);
		result = xc_map_range_async(views[v], square, N, out, sizeof out[0],
					    v ? NULL : &options, &err);
		note_end("range", result, false);
		note_bytes("out", out, sizeof out);
		xc_result_destroy(result);
		result = xc_map_async(views[v], square, in, sizeof in[0], N, out, sizeof out[0],
				      NULL, &err);
		memset(in, 0, sizeof in); /* it has been copied */
		note_end("strided", result, false);
		note_bytes("out", out, sizeof out);
		xc_result_destroy(result);
		for (int i = 0; i < N; i++)
			in[i] = 1000 - i;
	}
	result = xc_map_range_async(views[1], negative, 4, NULL, 0, NULL, &err);
	note_end("a negative code", result, true);
	xc_result_destroy(result);
	result = xc_map_range_async(views[1], square, 40, out, sizeof out[0], NULL, &err);
	note_end("on all", result, true);
	xc_result_destroy(result);
	result = xc_map_range_async(views[0], square, 0, NULL, 0, NULL, &err);
	note_end("nothing", result, true);
	xc_result_destroy(result);
}

static void run_lengths(void)
{
	enum { N = 700 };
	struct xc_bytes items[] = { { "abc", 3 }, { "", 0 }, { "defgh", 5 }, { "i", 1 } };
	struct xc_result *result;
	int64_t fact[4][5];
	char out[8];

	result = xc_map_range_async(xc_balanced(client), some_bytes, N, NULL, 0, NULL, &err);
	note_end("of any length", result, false);
	for (int64_t i = 0; i < N; i++) {
		size_t size = 0;
		const void *data = xc_result_item(result, i, &size);

		note_bytes(data ? "item" : "no item", data, size);
	}
	xc_result_destroy(result);
	result = xc_map_packed_async(xc_balanced(client), upper, items, 4, NULL, 0, NULL, &err);
	note_end("packed", result, false);
	xc_result_destroy(result);
	note("packed facts: %d",
	     xc_map_packed(xc_balanced(client), facts, items, 4, fact, sizeof fact[0], NULL, &err));
	for (int i = 0; i < 4; i++)
		note("  %d: %d %d %d %d", i, (int)fact[i][0], (int)fact[i][1], (int)fact[i][2],
		     (int)fact[i][3]);
	result = xc_map_range_async(xc_all(client), returns_too_much, 4, out, 1, NULL, &err);
	note_end("return beside out", result, true);
	xc_result_destroy(result);
}

static void run_applies(void)
{
	enum { N = 600 };
	static struct xc_result *results[N];
	static int64_t out[N][5];
	int64_t in = 0, fact[ENGINES][5];
	int engines[ENGINES];
	struct xc_map_options options = { .max_attempts = 4 };
	int ends = 0, r;

	note("apply on all: %d",
	     xc_apply(xc_all(client), engine_of, NULL, 0, engines, sizeof engines[0], NULL, &err));
	for (int i = 0; i < ENGINES; i++)
		note("  engine %d", engines[i]);
	r = xc_apply(xc_all(client), facts, "xyz", 3, fact, sizeof fact[0], NULL, &err);
	note("apply facts: %d", r);
	for (int i = 0; i < ENGINES; i++)
		note("  %d %d %d %d", (int)fact[i][0], (int)fact[i][1], (int)fact[i][2],
		     (int)fact[i][3]);
	for (int i = 0; i < N; i++) {
		in = i % 128;
		results[i] = xc_apply_async(xc_balanced(client), facts, &in, sizeof in, out[i],
					    sizeof out[i], NULL, &err);
		ck_assert_msg(results[i] != NULL, "%s", err.text);
	}
	for (int i = 0; i < N; i++) {
		ends += xc_wait(results[i], LIMIT, &err);
		note("  %d %d %d %d %d", (int)out[i][0], (int)out[i][1], (int)out[i][2],
		     (int)out[i][3], (int)out[i][4]);
		xc_result_destroy(results[i]);
	}
	note("single ones: %d", ends);
	in = 3;
	results[0] = xc_apply_async(xc_balanced(client), third_time, &in, sizeof in, engines,
				    sizeof engines[0], &options, &err);
	note_end("single with attempts", results[0], false);
	note("  %d", engines[0]);
	xc_result_destroy(results[0]);
}

static void run_again(void)
{
	enum { N = 200 };
	int out[N] = { 0 };
	struct xc_map_options options = { .max_attempts = 3 };
	struct xc_result *result;

	for (int most = 3; most >= 2; most--) {
		options.max_attempts = most;
		for (int v = 0; v < 2; v++) {
			result = xc_map_range_async(v ? xc_all(client) : xc_balanced(client),
						    third_time, N, out, sizeof out[0], &options,
						    &err);
			note_end("attempts", result, v);
			note_bytes("out", out, sizeof out);
			xc_result_destroy(result);
		}
	}
	options.at_most_once = true;
	result = xc_map_range_async(xc_balanced(client), third_time, 7, out, sizeof out[0],
				    &options, &err);
	note_end("once", result, false);
	xc_result_destroy(result);
	options = (struct xc_map_options){ .time_limit = 0.1, .max_attempts = 2 };
	result = xc_map_range_async(xc_all(client), nap_at_two, 4, NULL, 0, &options, &err);
	note_end("time limit", result, true);
	xc_result_destroy(result);
}

static void run_data(void)
{
	enum { ROWS = 101, BIG = 30000 };
	static double rows[ROWS][2], big[BIG];
	double sums[ENGINES];
	struct xc_array arrays[ENGINES], whole;
	struct xc_result *result;
	int scalar = 7;

	for (int i = 0; i < 2 * ROWS; i++)
		rows[i / 2][i % 2] = i;
	for (int i = 0; i < BIG; i++)
		big[i] = i * 0.5;
	note("push: %d %d", xc_push(xc_all(client), "small", XC_SCALAR(XC_I32, &scalar), &err),
	     xc_push(xc_all(client), "big", XC_ARRAY_F64(big, BIG), &err));
	scalar = 8;
	note("pull: %d", xc_pull(xc_all(client), "small", arrays, &err));
	for (int i = 0; i < ENGINES; i++) {
		note("  %d, %d dims", *(const int *)arrays[i].data, arrays[i].ndim);
		xc_array_free(&arrays[i]);
	}
	note("gather: %d", xc_gather(xc_all(client), "big", &whole, &err));
	note_bytes("big", whole.data, (size_t)xc_array_size(&whole));
	xc_array_free(&whole);
	note("scatter: %d", xc_scatter(xc_all(client), "part", XC_ARRAY_F64(rows, ROWS, 2), &err));
	note("sums: %d",
	     xc_apply(xc_all(client), sum_of_part, NULL, 0, sums, sizeof sums[0], NULL, &err));
	note_bytes("sums", sums, sizeof sums);
	note("parts: %d", xc_pull(xc_all(client), "part", arrays, &err));
	for (int i = 0; i < ENGINES; i++) {
		note("  %lld x %lld", (long long)arrays[i].shape[0], (long long)arrays[i].shape[1]);
		note_bytes("part", arrays[i].data, (size_t)xc_array_size(&arrays[i]));
		xc_array_free(&arrays[i]);
	}
	note("gather of scalars: %d", xc_gather(xc_all(client), "sum", &whole, &err));
	note("clear: %d", xc_clear(xc_all(client), "part", &err));
	result = xc_apply_async(xc_all(client), sum_of_part, NULL, 0, sums, sizeof sums[0], NULL,
				&err);
	note_end("a variable that is missing", result, true);
	xc_result_destroy(result);
	result = xc_pull_async(xc_all(client), "never", &err);
	note_end("pull of none", result, true);
	xc_result_destroy(result);
	note("clear all: %d", xc_clear(xc_all(client), NULL, &err));
	result = xc_pull_async(xc_all(client), "big", &err);
	note_end("pull after", result, true);
	xc_result_destroy(result);
}

static void run_libraries(void)
{
	struct xc_map_options options = { .function = "version" };
	struct xc_result *result;
	xc_task_fn *data;
	int out[ENGINES] = { 0 };
	double roots[5];

	note("no library: %d",
	     xc_apply(xc_all(client), NULL, NULL, 0, out, sizeof out[0], &options, &err));
	note("  %s", err.text);
	note("load: %d", xc_load(xc_all(client), test_path("libinline.so"), &err));
	note("version: %d",
	     xc_apply(xc_all(client), NULL, NULL, 0, out, sizeof out[0], &options, &err));
	note_bytes("versions", out, sizeof out);
	options.function = "root";
	note("root: %d",
	     xc_map_range(xc_balanced(client), NULL, 5, roots, sizeof roots[0], &options, &err));
	note_bytes("roots", roots, sizeof roots);
	options.function = "nowhere";
	result = xc_apply_async(xc_all(client), NULL, NULL, 0, out, sizeof out[0], &options, &err);
	note("a function that no library has: %d", result == NULL);
	note("  %s", err.text);
	options.library = "libinline.so";
	result = xc_apply_async(xc_all(client), NULL, NULL, 0, out, sizeof out[0], &options, &err);
	note_end("a function that is missing", result, true);
	xc_result_destroy(result);
	options.function = "sqrt"; /* of a library that it needs */
	options.max_attempts = 2;
	result = xc_apply_async(xc_all(client), NULL, NULL, 0, out, sizeof out[0], &options, &err);
	note_end("a function of another", result, true);
	xc_result_destroy(result);
	*(const void **)&data = &client;
	note("data: %d", xc_apply(xc_all(client), data, NULL, 0, NULL, 0, NULL, &err));
	note("no file: %d", xc_load(xc_all(client), test_path("none.so"), &err));
	note("  %s", err.text);
	note("what it needs is missing: %d",
	     xc_load(xc_all(client), test_path("libneeding.so"), &err));
	note("  %.30s", strstr(err.text, "libneeded.so"));
}

static void run_stops(void)
{
	enum { N = 2000 };
	static int64_t out[N];
	struct xc_map_options options = { .on_failure = XC_STOP, .chunk = 1 };
	struct xc_result *result =
		xc_map_range_async(xc_all(client), square, N, out, sizeof out[0], &options, &err);
	double wait = 0.3, none[20] = { 0 };
	const struct xc_view *one;
	struct xc_result *before;
	bool kept = true;
	int64_t ends[XC_LOST + 1] = { 0 };

	note("stop: %d", xc_wait(result, LIMIT, &err));
	for (int64_t i = 0; i < N; i++) {
		int state = xc_item_state(result, i);

		ends[state]++;
		kept = kept && (state != XC_OK || out[i] == (i % 5 ? i * i : 0));
	}
	note("  some failed %d, more or less cancelled %d, no other end %d, kept %d",
	     ends[XC_FAILED] > 0, ends[XC_CANCELLED] > 0,
	     ends[XC_OK] + ends[XC_FAILED] + ends[XC_CANCELLED] == N, kept);
	xc_result_destroy(result);
	/* What has not begun is cancelled, what is before it is not. */
	assert_ok(xc_view_at(xc_all(client), 1, &one, &err), err);
	before = xc_apply_async(one, nap, &wait, sizeof wait, NULL, 0, NULL, &err);
	result = xc_map_async(one, nap, none, sizeof none[0], 20, NULL, 0, NULL, &err);
	note("cancel: %d", xc_cancel(result, XC_CANCEL_QUEUED, &err));
	note_end("cancelled", result, true);
	note_end("not cancelled", before, true);
	note("cancel what has ended: %d", xc_cancel(before, XC_CANCEL_RUNNING, &err));
	xc_result_destroy(before);
	xc_result_destroy(result);
}

static int next_item(void *argument, struct xc_bytes *item)
{
	static const char text[] = "abcdefgh";
	int *left = argument;

	if (--*left < 0)
		return 0;
	*item = (struct xc_bytes){ text, (size_t)(*left % 8) };
	return 1;
}

/* In order they are noted; else added up. */
static int64_t given[XC_LOST + 1], given_bytes;
static bool is_noted;

static int give_item(void *argument, int64_t index, enum xc_state state, const void *data,
		     size_t size)
{
	(void)argument;
	given[state]++;
	given_bytes += (int64_t)size;
	if (is_noted)
		note("  %lld %s %.*s", (long long)index, xc_state_name(state), (int)size,
		     size ? (const char *)data : "");
	return given[XC_OK] == 4000 ? 1 : 0;
}

static void run_streams(void)
{
	struct xc_stream_options stream = { .window_items = 100 };

	for (int order = XC_ANY_ORDER; order <= XC_IN_ORDER; order++) {
		int left = 500, r;

		memset(given, 0, sizeof given);
		given_bytes = 0;
		stream.order = (enum xc_order)order;
		is_noted = order == XC_IN_ORDER;
		r = xc_map_stream(xc_balanced(client), upper, next_item, give_item, &left, &stream,
				  NULL, &err);
		note("stream: %d, %lld ok, %lld failed, %lld bytes; %.40s", r,
		     (long long)given[XC_OK], (long long)given[XC_FAILED], (long long)given_bytes,
		     err.text);
	}
	{
		int left = 1 << 30;

		is_noted = false;
		memset(given, 0, sizeof given);
		note("stream without end: %d",
		     xc_map_stream(xc_all(client), upper, next_item, give_item, &left, &stream,
				   NULL, &err));
		note("  %s", strstr(err.text, "ended by give") ? "ended by give" : err.text);
	}
}

static void run_next(void)
{
	enum { N = 300 };
	int64_t out[N], item, sum = 0, n = 0;
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), square, N, out, sizeof out[0], NULL, &err);

	while (xc_next(result, XC_ANY_ORDER, LIMIT, &item, &err) == 1) {
		sum += item * (1 + xc_item_state(result, item));
		n++;
	}
	note("next: %lld, %lld", (long long)n, (long long)sum);
	while (xc_next(result, XC_IN_ORDER, LIMIT, &item, &err) == 1)
		note("  %lld %d", (long long)item, xc_item_state(result, item));
	note("  and then %d", xc_next(result, XC_IN_ORDER, 0, &item, &err));
	xc_result_destroy(result);
}

static void run_loop(void)
{
	enum { N = 300 };
	int64_t out[N], item, n = 0;
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), square, N, out, sizeof out[0], NULL, &err);
	struct pollfd fd = { .fd = xc_fd(client), .events = POLLIN };
	double start = now();
	int r = 1;

	ck_assert_int_ge(fd.fd, 0);
	while (r != 0 && now() < start + LIMIT) {
		ck_assert_int_eq(poll(&fd, 1, (int)(LIMIT * 1e3)), 1);
		assert_ok(xc_process(client, &err), err);
		while ((r = xc_next(result, XC_ANY_ORDER, 0, &item, &err)) == 1)
			n++;
	}
	note("loop: %lld, then %d", (long long)n, r);
	xc_result_destroy(result);
	result = xc_map_range_async(xc_balanced(client), square, N, out, sizeof out[0], NULL, &err);
	while (!xc_is_ready(result) && now() < start + LIMIT)
		;
	note("polled: ready %d", xc_is_ready(result));
	xc_result_destroy(result);
}

static void note_view(const char *what, int r, const struct xc_view *view)
{
	int ids[ENGINES] = { 0 }, n;

	n = r < 0 ? 0 : xc_view_ids(view, ids, ENGINES);
	note("%s: %d, %d engines: %d %d %d %d%s%s", what, r, n, ids[0], ids[1], ids[2], ids[3],
	     r < 0 ? ": " : "", r < 0 ? err.text : "");
}

static void run_views(void)
{
	const struct xc_view *view = NULL;
	struct xc_engine_info info;
	int ids[ENGINES], some[] = { 3, 1 }, wrong[] = { 1, 9 }, out[40], r;
	json_t *status;
	char *text;

	note("engines: %d %d", xc_engine_count(client), xc_engine_ids(client, ids, ENGINES));
	note("wait: %d", xc_wait_for_engines(client, ENGINES, 10, &err));
	note_view("two", xc_engines(client, some, 2, &view, &err), view);
	r = xc_map_range(view, engine_of, 40, out, sizeof out[0], NULL, &err);
	note("  %d", r);
	note_bytes("blocks", out, sizeof out);
	note_view("wrong", xc_engines(client, wrong, 2, &view, &err), view);
	note_view("last", xc_view_at(xc_all(client), -1, &view, &err), view);
	note_view("too far", xc_view_at(xc_all(client), 4, &view, &err), view);
	note_view("slice", xc_view_slice(xc_all(client), XC_END, XC_END, -2, &view, &err), view);
	note_view("balanced", xc_balanced_over(client, some, 1, &view, &err), view);
	note("  %d", xc_map_range(view, engine_of, 40, out, sizeof out[0], NULL, &err));
	note_bytes("all on one", out, sizeof out);
	note("weight: %d %d", xc_set_weight(client, 2, &err), xc_set_weight(client, -1, &err));
	r = xc_engine_info(client, 2, &info, &err);
	note("info: %d: %d, %s, restarts %d, has run some %d, label \"%s\", reason \"%s\"", r,
	     info.id, info.state, info.restarts, info.items > 0, info.label, info.reason);
	note("no info: %d: %s", xc_engine_info(client, 77, &info, &err), err.text);
	assert_ok(xc_status_json(client, &text, &err), err);
	status = json_loads(text, 0, NULL);
	free(text);
	ck_assert_ptr_nonnull(status);
	for (void *at = json_object_iter(status); at; at = json_object_iter_next(status, at))
		note("  %s: %d", json_object_iter_key(at), json_typeof(json_object_iter_value(at)));
	status = (json_decref(status), NULL);
}

/* Who has been told to end says so to whoever asks. */
static void run_end(void)
{
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), square, 0, NULL, 0, NULL, &err);
	int64_t out;
	char *text;

	note("mistakes: %d %d", xc_map_range(NULL, square, 1, &out, sizeof out, NULL, &err),
	     xc_map_range(xc_all(client), NULL, 1, &out, sizeof out, NULL, &err));
	note("shutdown: %d", xc_shutdown(client, &err));
	note("wait: %d", xc_wait(result, 0, &err));
	note("submit: %d",
	     xc_map_range(xc_balanced(client), square, 1, &out, sizeof out, NULL, &err));
	note("apply: %d", xc_apply(xc_balanced(client), square, &out, 8, &out, 8, NULL, &err));
	note("status: %d", xc_status_json(client, &text, &err));
	note("process: %d", xc_process(client, &err));
	xc_close(client);
	note("closed: %d", xc_wait(result, 0, &err));
	xc_result_destroy(result);
}

static void run_all(void)
{
	run_views();
	run_maps();
	run_lengths();
	run_applies();
	run_again();
	run_data();
	run_libraries();
	run_stops();
	run_streams();
	run_next();
	run_loop();
	run_end();
}

static void compile_libraries(void)
{
	char flags[1024];

	compile("libinline.so", "tasks.c", "-shared -fPIC -DVERSION=77");
	compile("libneeded.so", "needed.c", "-shared -fPIC -DVERSION=5");
	snprintf(flags, sizeof flags, "-shared -fPIC -DNEEDS -DVERSION=5 -L'%s' -lneeded",
		 test_dir());
	compile("libneeding.so", "tasks.c", flags);
	ck_assert_int_eq(remove(test_path("libneeded.so")), 0);
}

START_TEST(inline_same_results_and_failures)
{
	compile_libraries();
	compare_programs(run_all, 10000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inline");
	TCase *tests = separate_case(suite, "inline");

	tcase_add_test(tests, inline_same_results_and_failures);
	return run_tests(suite);
}
