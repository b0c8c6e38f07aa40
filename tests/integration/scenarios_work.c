/* scenarios_work.c: what people do with a cluster that runs: variables, failures,
 * crashes, texts in any language, replies of all engines, chunks. */
#include "tests/support/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENGINES 4

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
	assert_ok(xc_clear(xc_all(client), NULL, &err), err);
}

static void close_client(void)
{
	xc_close(client);
}

static int tell_engine(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	task_sleep(0.0002);
	*(int *)out = 1 + xc_task_engine(task);
	return 0;
}

static int tell_engine_at_gate(struct xc_task *task, const void *in, void *out)
{
	task_announce(task);
	task_wait_at_gate();
	return tell_engine(task, in, out);
}

/* Which engines have the variable, one bit each. */
static unsigned int who_has(const char *name)
{
	unsigned int have = 0;

	for (int e = 0; e < ENGINES; e++) {
		const struct xc_view *one = NULL;
		struct xc_array array;
		int r;

		assert_ok(xc_engines(client, &e, 1, &one, &err), err);
		r = xc_pull(one, name, &array, &err);
		ck_assert_msg(r == 0 || (r == XC_EFAILED && strstr(err.text, name)), "%s",
			      err.text);
		have |= (r == 0) << e;
		if (r == 0)
			xc_array_free(&array);
	}
	return have;
}

START_TEST(clear_on_one_engine_and_on_all)
{
	const struct xc_view *one = NULL;
	int64_t big[4096] = { 7 };
	int small = 5;

	assert_ok(xc_push(xc_all(client), "small", XC_SCALAR(XC_I32, &small), &err), err);
	assert_ok(xc_push(xc_all(client), "big", XC_ARRAY_I64(big, 4096), &err), err);
	assert_ok(xc_engines(client, (const int[]){ 2 }, 1, &one, &err), err);
	assert_ok(xc_clear(one, "small", &err), err);
	ck_assert_uint_eq(who_has("small"), 0xB);
	ck_assert_uint_eq(who_has("big"), 0xF);
	assert_ok(xc_clear(one, NULL, &err), err);
	ck_assert_uint_eq(who_has("big"), 0xB);
	assert_ok(xc_clear(xc_all(client), "small", &err), err);
	ck_assert_uint_eq(who_has("small"), 0);
	ck_assert_uint_eq(who_has("big"), 0xB);
	assert_ok(xc_clear(xc_all(client), NULL, &err), err);
	ck_assert_uint_eq(who_has("big"), 0);
}
END_TEST

START_TEST(push_and_pull_of_scalars_arrays_and_bytes)
{
	static const char bytes[] = "bytes\0with zeros\377";
	double scalar = -0.1, matrix[3][2] = { { 1, 2 }, { 3, 4 }, { 5, 6 } };
	struct xc_array arrays[ENGINES];

	assert_ok(xc_push(xc_all(client), "scalar", XC_SCALAR(XC_F64, &scalar), &err), err);
	assert_ok(xc_push(xc_all(client), "matrix", XC_ARRAY_F64(matrix, 3, 2), &err), err);
	assert_ok(xc_push(xc_all(client), "bytes", XC_ARRAY_BYTES(bytes, sizeof bytes), &err), err);
	assert_ok(xc_pull(xc_all(client), "scalar", arrays, &err), err);
	for (int e = 0; e < ENGINES; e++) {
		ck_assert_int_eq(arrays[e].ndim, 0);
		ck_assert_int_eq(arrays[e].dtype, XC_F64);
		ck_assert_double_eq(*(const double *)arrays[e].data, scalar);
		xc_array_free(&arrays[e]);
	}
	assert_ok(xc_pull(xc_all(client), "matrix", arrays, &err), err);
	for (int e = 0; e < ENGINES; e++) {
		ck_assert_int_eq(arrays[e].ndim, 2);
		ck_assert_int_eq(arrays[e].shape[0], 3);
		ck_assert_int_eq(arrays[e].shape[1], 2);
		ck_assert_mem_eq(arrays[e].data, matrix, sizeof matrix);
		xc_array_free(&arrays[e]);
	}
	assert_ok(xc_pull(xc_all(client), "bytes", arrays, &err), err);
	for (int e = 0; e < ENGINES; e++) {
		ck_assert_int_eq(arrays[e].dtype, XC_U8);
		ck_assert_int_eq(xc_array_size(&arrays[e]), (int64_t)sizeof bytes);
		ck_assert_mem_eq(arrays[e].data, bytes, sizeof bytes);
		xc_array_free(&arrays[e]);
	}
}
END_TEST

static int crash_at_60(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	if (xc_task_index(task) == 60) {
		signal(SIGFPE, SIG_DFL);
		raise(SIGFPE);
	}
	if (xc_task_index(task) == 99)
		task_wait_at_gate();
	return 0;
}

/* While another item runs on. */
START_TEST(a_crash_is_reported_with_item_and_signal_within_a_second)
{
	struct xc_map_options options = { .chunk = 1 };
	struct xc_failure failure;
	struct xc_result *result;
	double start;

	stage_open();
	result = xc_map_range_async(xc_balanced(client), crash_at_60, 100, NULL, 0, &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	start = now();
	while (xc_failure_count(result) == 0 && now() < start + 5)
		xc_wait(result, 0.01, &err);
	ck_assert_double_lt(now() - start, 1);
	ck_assert_int_eq(xc_failure(result, 0, &failure), 0);
	ck_assert_int_eq(failure.first, 60);
	ck_assert_int_eq(failure.count, 1);
	ck_assert_int_eq(failure.state, XC_CRASHED);
	ck_assert_int_eq(failure.code, SIGFPE);
	stage_release();
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "item 60 crashed");
	ck_assert_int_eq(xc_result_progress(result).failed, 1);
	xc_result_destroy(result);
	stage_close();
	assert_ok(xc_wait_for_engines(client, ENGINES, LIMIT, &err), err);
}
END_TEST

static int fail_in_three_ways(struct xc_task *task, const void *in, void *out)
{
	int64_t i = xc_task_index(task);

	(void)in;
	(void)out;
	if (i < 600)
		return xc_task_fail(task, "the matrix is singular");
	xc_task_fail(task, i < 900 ? "too few rows" : "no convergence");
	return i < 900 ? 22 : 33;
}

START_TEST(a_thousand_failures_are_summarised)
{
	struct xc_result *result;
	struct xc_failure failure;
	char text[2048];
	int64_t items = 0;

	result = xc_map_range_async(xc_balanced(client), fail_in_three_ways, 1000, NULL, 0, NULL,
				    &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "1000 of 1000");
	for (int64_t i = 0; xc_failure(result, i, &failure) == 0; i++)
		items += failure.count;
	ck_assert_int_eq(items, 1000);
	ck_assert_int_lt(xc_failure_summary(result, text, sizeof text), 1000);
	ck_assert_msg(strstr(text, "1000 of 1000 items did not end well: 600 failed with code 1 "
				   "(items 0") == text,
		      "%s", text);
	ck_assert_msg(strstr(text, ": the matrix is singular. 300 failed with code 22 (items "),
		      "%s", text);
	ck_assert_msg(strstr(text, ": too few rows. 100 failed with code 33 (items "), "%s", text);
	ck_assert_msg(strstr(text, "no convergence"), "%s", text);
	xc_result_destroy(result);
}
END_TEST

#define LABEL	 "Zufallsw\u00e4lder \u68ee\u6797"
#define VARIABLE "Gr\u00f6\u00dfe_\u03c0"
#define WORDS	 "r\u00e9sultat \u2116"
#define TROUBLE	 "konvergiert nicht: \u03b5 \u2192 0"

static int speak(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *array = xc_task_array(task, VARIABLE);
	char text[64];

	(void)out;
	task_announce(task);
	task_wait_at_gate();
	if (!array)
		return XC_TASK_FAILED;
	if (xc_task_index(task) == 1)
		return xc_task_fail(task, "%s %.*s", TROUBLE, (int)xc_task_in_size(task),
				    (const char *)in);
	snprintf(text, sizeof text, WORDS "%d %.*s", *(const int *)array->data,
		 (int)xc_task_in_size(task), (const char *)in);
	return xc_task_return(task, text, strlen(text)) < 0;
}

static void check_label(void)
{
	json_t *status = XCLUSTER_JSON("status", "--json"), *job;
	struct output output;

	job = json_array_get(json_object_get(status, "jobs"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(job, "label")), LABEL);
	json_decref(status);
	XCLUSTER(&output, "status");
	ck_assert_msg(strstr(output.out, LABEL) != NULL, "%s", output.out);
}

START_TEST(utf8_in_labels_variables_failures_and_results)
{
	struct xc_bytes items[2] = { { "\u03b1", 2 }, { "\u03b2", 2 } };
	struct xc_map_options options = { .label = LABEL };
	struct xc_array array[ENGINES];
	const char expected[] = WORDS "17 \u03b1";
	struct xc_result *result;
	size_t size = 0;
	int number = 17;

	stage_open();
	assert_ok(xc_push(xc_all(client), VARIABLE, XC_SCALAR(XC_I32, &number), &err), err);
	result = xc_map_packed_async(xc_balanced(client), speak, items, 2, NULL, 0, &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news();
	check_label();
	stage_release();
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, TROUBLE " \u03b2");
	ck_assert_str_eq(failure_of(result, 1).text, TROUBLE " \u03b2");
	ck_assert_ptr_nonnull(xc_result_item(result, 0, &size));
	ck_assert_uint_eq(size, strlen(expected));
	ck_assert_mem_eq(xc_result_item(result, 0, &size), expected, size);
	xc_result_destroy(result);
	stage_close();
	assert_ok(xc_clear(xc_all(client), VARIABLE, &err), err);
	assert_error(xc_pull(xc_all(client), VARIABLE, array, &err), XC_EFAILED, &err, VARIABLE);
}
END_TEST

static int fail_at_length(struct xc_task *task, const void *in, void *out)
{
	char text[4 * 1000] = "";

	(void)in;
	(void)out;
	for (size_t n = (size_t)xc_task_index(task); n + 4 < sizeof text; n += 3)
		memcpy(text + n, "\u20ac", 4);
	memset(text, 'x', (size_t)xc_task_index(task));
	return xc_task_fail(task, "%s", text);
}

/* Does the text end within a character of three bytes? */
static void check_end(const char *text, size_t least)
{
	size_t size = strlen(text);

	ck_assert_uint_ge(size, least);
	ck_assert_msg(memcmp(text + size - 3, "\u20ac", 3) == 0, "%s", text + size - 6);
}

START_TEST(texts_are_cut_between_characters)
{
	struct xc_result *result;
	char text[300];

	result = xc_map_range_async(xc_balanced(client), fail_at_length, 3, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	check_end(err.text, 350);
	for (int i = 0; i < 3; i++)
		check_end(failure_of(result, i).text, 998);
	for (size_t size = 200; size < 203; size++) {
		ck_assert_int_gt(xc_failure_summary(result, text, size), 1000);
		check_end(text, size - 3);
	}
	xc_result_destroy(result);
}
END_TEST

/* What a child made by fork does with the client of its parent: no call waits, and
 * each says why. */
static void be_heir(struct xc_result *result)
{
	struct xc_error e = XC_ERROR_INIT;
	struct xc_client *own = NULL;
	int out = 0;

	if (xc_wait(result, -1, &e) != XC_ELOST || !strstr(e.text, "xc_open of its own"))
		_exit(1);
	if (xc_map_range(xc_balanced(client), tell_engine, 1, &out, sizeof out, NULL, &e) !=
		    XC_ELOST ||
	    !strstr(e.text, "xc_open of its own"))
		_exit(2);
	if (xc_wait_for_engines(client, ENGINES + 1, -1, &e) != XC_ELOST)
		_exit(3);
	if (xc_open(&own, NULL, &e) < 0 ||
	    xc_apply(xc_balanced(own), tell_engine, NULL, 0, &out, sizeof out, NULL, &e) < 0 ||
	    out < 1)
		_exit(4);
	xc_close(own);
	xc_result_destroy(result);
	xc_close(client);
	_exit(0);
}

START_TEST(a_forked_child_is_told_to_open_a_client_of_its_own)
{
	struct xc_result *result;
	int out[50] = { 0 };
	pid_t child;

	stage_open();
	result = xc_map_range_async(xc_balanced(client), tell_engine_at_gate, 50, out,
				    sizeof out[0], NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news();
	child = fork();
	if (child == 0)
		be_heir(result);
	stage_release();
	ck_assert_int_eq(child_end(child), 0);
	/* The parent's client is as it was. */
	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int i = 0; i < 50; i++)
		ck_assert_int_gt(out[i], 0);
	xc_result_destroy(result);
	stage_close();
}
END_TEST

/* Fails, or crashes, at each attempt. */
static int never_well(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	if (xc_task_index(task) % 2) {
		signal(SIGABRT, SIG_DFL);
		abort();
	}
	return xc_task_fail(task, "attempt %d", xc_task_attempt(task));
}

START_TEST(more_attempts_than_engines_come_to_an_end)
{
	struct xc_map_options options = { .max_attempts = 2 * ENGINES + 1 };
	const struct xc_view *view = _i ? xc_all(client) : xc_balanced(client);
	struct xc_failure failure;
	struct xc_result *result;

	result = xc_map_range_async(view, never_well, 2, NULL, 0, &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "2 of 2");
	failure = failure_of(result, 0);
	ck_assert_int_eq(failure.attempts, options.max_attempts);
	ck_assert_int_eq(failure.state, XC_FAILED);
	ck_assert_str_eq(failure.text, "attempt 9");
	failure = failure_of(result, 1);
	ck_assert_int_eq(failure.attempts, options.max_attempts);
	ck_assert_int_eq(failure.state, XC_CRASHED);
	ck_assert_int_eq(failure.code, SIGABRT);
	xc_result_destroy(result);
	assert_ok(xc_wait_for_engines(client, ENGINES, LIMIT, &err), err);
}
END_TEST

/* The later in the view, the sooner it replies. */
static int reply(struct xc_task *task, const void *in, void *out)
{
	char text[32];

	(void)in;
	(void)out;
	task_sleep(0.03 * (double)(ENGINES - xc_task_index(task)));
	if (xc_task_engine(task) == 1)
		return xc_task_fail(task, "engine %d declines", xc_task_engine(task));
	snprintf(text, sizeof text, "engine %d", xc_task_engine(task));
	return xc_task_return(task, text, strlen(text) + 1) < 0;
}

START_TEST(broadcast_replies_come_in_target_order_with_engine_labels)
{
	static const int order[ENGINES] = { 3, 1, 0, 2 };
	const struct xc_view *view = NULL;
	struct xc_failure failure;
	struct xc_result *result;
	int ids[ENGINES];
	char text[32];

	assert_ok(xc_engines(client, order, ENGINES, &view, &err), err);
	result = xc_apply_async(view, reply, NULL, 0, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "engine 1");
	ck_assert_int_eq(xc_view_ids(view, ids, ENGINES), ENGINES);
	for (int i = 0; i < ENGINES; i++) {
		const char *item = xc_result_item(result, i, NULL);

		ck_assert_int_eq(ids[i], order[i]);
		snprintf(text, sizeof text, "engine %d", order[i]);
		if (order[i] == 1)
			ck_assert_ptr_null(item);
		else
			ck_assert_str_eq(item, text);
	}
	failure = failure_of(result, 1);
	ck_assert_int_eq(failure.first, 1);
	ck_assert_int_eq(failure.count, 1);
	ck_assert_int_eq(failure.engine, 1);
	ck_assert_str_eq(failure.text, "engine 1 declines");
	xc_result_destroy(result);
}
END_TEST

/* Where the engine changes from one item to the next: at multiples of the chunk but
 * for the few places where idle engines took work from others at the end. */
START_TEST(a_fixed_chunk_is_handed_out_whole_and_the_automatic_one_serves_all)
{
	enum { N = 2000, CHUNK = 50, TAKEN_MAX = 30 };
	struct xc_map_options options = { .chunk = _i ? CHUNK : 0 };
	int out[N], at_chunk = 0, elsewhere = 0;
	bool seen[ENGINES] = { false };

	assert_ok(xc_map_range(xc_balanced(client), tell_engine, N, out, sizeof out[0], &options,
			       &err),
		  err);
	for (int i = 0; i < N; i++) {
		ck_assert(out[i] >= 1 && out[i] <= ENGINES);
		seen[out[i] - 1] = true;
		if (i > 0 && out[i] != out[i - 1] && i % CHUNK == 0)
			at_chunk++;
		else if (i > 0 && out[i] != out[i - 1])
			elsewhere++;
	}
	for (int e = 0; e < ENGINES; e++)
		ck_assert_msg(seen[e], "engine %d had nothing to do", e);
	if (_i) {
		ck_assert_int_ge(at_chunk, N / CHUNK / 2);
		ck_assert_int_le(elsewhere, TAKEN_MAX);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scenarios of work");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "work"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_test(tests, clear_on_one_engine_and_on_all);
	tcase_add_test(tests, push_and_pull_of_scalars_arrays_and_bytes);
	tcase_add_test(tests, a_crash_is_reported_with_item_and_signal_within_a_second);
	tcase_add_test(tests, a_thousand_failures_are_summarised);
	tcase_add_test(tests, utf8_in_labels_variables_failures_and_results);
	tcase_add_test(tests, texts_are_cut_between_characters);
	tcase_add_test(tests, a_forked_child_is_told_to_open_a_client_of_its_own);
	tcase_add_loop_test(tests, more_attempts_than_engines_come_to_an_end, 0, 2);
	tcase_add_test(tests, broadcast_replies_come_in_target_order_with_engine_labels);
	tcase_add_loop_test(
		tests, a_fixed_chunk_is_handed_out_whole_and_the_automatic_one_serves_all, 0, 2);
	add_cluster_stop(stop);
	return run_tests(suite);
}
