/* failure.c: items that fail: which, how, how often, and that the others do not. */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENGINES 3

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
}

static void close_client(void)
{
	xc_close(client);
}

/* Runs a map to its end; returns the result for the test to look into. */
static struct xc_result *map_to_end(xc_task_fn *fn, int64_t n, void *out, size_t out_size,
				    const struct xc_map_options *options, int expected)
{
	struct xc_result *result;
	int r;

	result = xc_map_range_async(xc_balanced(client), fn, n, out, out_size, options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	r = xc_wait(result, LIMIT, &err);
	ck_assert_msg(r == expected, "%d instead of %d: %s", r, expected, err.text);
	return result;
}

static int every_tenth(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	*(int64_t *)out = i + 1;
	if (i % 10 != 3)
		return 0;
	xc_task_fail(task, "item %lld does not converge", (long long)i);
	return 7;
}

START_TEST(failed_items_are_named_and_others_kept)
{
	struct xc_failure failure;
	struct xc_result *result;
	enum xc_state states[100];
	int64_t out[100];
	char text[64];

	memset(out, 0xAB, sizeof out);
	result = map_to_end(every_tenth, 100, out, sizeof out[0], NULL, XC_EFAILED);
	collect_states(result, 100, states);
	ck_assert_int_eq(xc_result_progress(result).failed, 10);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(states[i], i % 10 == 3 ? XC_FAILED : XC_OK);
		if (states[i] == XC_OK) {
			ck_assert_int_eq(out[i], i + 1);
			continue;
		}
		/* Outputs are written only for items that end well. */
		ck_assert_int_eq(out[i], (int64_t)0xABABABABABABABAB);
		failure = failure_of(result, i);
		snprintf(text, sizeof text, "item %d does not converge", i);
		ck_assert_int_eq(failure.first, i);
		ck_assert_int_eq(failure.count, 1);
		ck_assert_int_eq(failure.code, 7);
		ck_assert_int_eq(failure.attempts, 1);
		ck_assert(failure.engine >= 0 && failure.engine < ENGINES);
		ck_assert_str_eq(failure.text, text);
	}
	xc_result_destroy(result);
}
END_TEST

START_TEST(the_error_counts_and_quotes)
{
	int64_t out[100];
	int r;

	r = xc_map_range(xc_balanced(client), every_tenth, 100, out, sizeof out[0], NULL, &err);
	assert_error(r, XC_EFAILED, &err, "10");
	ck_assert_ptr_nonnull(strstr(err.text, "does not converge"));
}
END_TEST

START_TEST(failure_indices_are_checked)
{
	struct xc_failure failure = { .first = 4711 };
	struct xc_result *result;
	int64_t out[4];

	result = map_to_end(every_tenth, 4, out, sizeof out[0], NULL, XC_EFAILED);
	ck_assert_int_eq(xc_failure_count(result), 1);
	ck_assert_int_lt(xc_failure(result, 1, &failure), 0);
	ck_assert_int_lt(xc_failure(result, -1, &failure), 0);
	ck_assert_int_eq(failure.first, 4711);
	xc_result_destroy(result);
}
END_TEST

static int fail_in_own_words(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return xc_task_fail(task, "number %lld", (long long)xc_task_index(task));
}

START_TEST(a_thousand_failures)
{
	struct xc_result *result;
	char text[32];

	result = map_to_end(fail_in_own_words, 1000, NULL, 0, NULL, XC_EFAILED);
	ck_assert_int_eq(xc_failure_count(result), 1000);
	for (int i = 0; i < 1000; i++) {
		struct xc_failure failure = failure_of(result, i);

		snprintf(text, sizeof text, "number %d", i);
		ck_assert_str_eq(failure.text, text);
		ck_assert_int_eq(failure.code, XC_TASK_FAILED);
	}
	xc_result_destroy(result);
}
END_TEST

START_TEST(failures_beyond_the_limit_are_counted)
{
	struct xc_result *result;

	result = map_to_end(fail_in_own_words, 15000, NULL, 0, NULL, XC_EFAILED);
	ck_assert_int_eq(xc_failure_count(result), 10000);
	ck_assert_int_eq(xc_result_progress(result).failed, 15000);
	ck_assert_int_eq(xc_result_progress(result).done, 15000);
	xc_result_destroy(result);
}
END_TEST

/* Texts fill the window of results in flight: they must be acknowledged, too. */
START_TEST(texts_beyond_the_window)
{
	enum { N = 300000 };
	static double out[N];
	struct xc_result *result;

	result = map_to_end(fail_in_own_words, N, out, sizeof *out, NULL, XC_EFAILED);
	ck_assert_int_eq(xc_result_progress(result).failed, N);
	xc_result_destroy(result);
}
END_TEST

static int fail_alike(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	return 5;
}

START_TEST(a_million_alike_are_few_runs)
{
	static enum xc_state states[1000000];
	struct xc_result *result;

	result = map_to_end(fail_alike, 1000000, NULL, 0, NULL, XC_EFAILED);
	ck_assert_int_lt(xc_failure_count(result), 10000);
	collect_states(result, 1000000, states);
	for (int i = 0; i < 1000000; i++)
		if (states[i] != XC_FAILED)
			ck_abort_msg("item %d is not failed", i);
	ck_assert_int_eq(failure_of(result, 999999).code, 5);
	xc_result_destroy(result);
}
END_TEST

static int fail_at_length(struct xc_task *task, const void *in, void *out)
{
	char text[5000];

	(void)in;
	(void)out;
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	return xc_task_fail(task, "%s", text);
}

START_TEST(long_texts_are_cut)
{
	struct xc_result *result = map_to_end(fail_at_length, 1, NULL, 0, NULL, XC_EFAILED);
	const char *text = failure_of(result, 0).text;

	ck_assert_uint_ge(strlen(text), 900);
	ck_assert_uint_le(strlen(text), 1000);
	ck_assert_uint_eq(strspn(text, "x"), strlen(text));
	xc_result_destroy(result);
}
END_TEST

static int fail_at_length_each(struct xc_task *task, const void *in, void *out)
{
	char text[900];

	(void)in;
	(void)out;
	memset(text, 'a' + (int)(xc_task_index(task) % 26), sizeof text);
	text[sizeof text - 1] = '\0';
	return xc_task_fail(task, "%lld %s", (long long)xc_task_index(task), text);
}

/* After many short items, so that the engines take many at a time. */
START_TEST(many_long_texts)
{
	enum { N = 3000 };
	static enum xc_state states[N];
	struct xc_result *result;

	result = map_to_end(fail_alike, 100000, NULL, 0, NULL, XC_EFAILED);
	xc_result_destroy(result);
	result = map_to_end(fail_at_length_each, N, NULL, 0, NULL, XC_EFAILED);
	collect_states(result, N, states);
	ck_assert_int_eq(xc_failure_count(result), N);
	for (int i = 0; i < N; i++) {
		struct xc_failure failure;

		ck_assert_int_eq(states[i], XC_FAILED);
		ck_assert_int_eq(xc_failure(result, i, &failure), 0);
		ck_assert_int_eq(atoll(failure.text), failure.first);
		ck_assert_uint_gt(strlen(failure.text), 900);
	}
	xc_result_destroy(result);
}
END_TEST

static int need_variable(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return xc_task_array(task, "no_such_table") ? 0 : XC_TASK_FAILED;
}

START_TEST(a_missing_variable_names_itself)
{
	struct xc_result *result = map_to_end(need_variable, 3, NULL, 0, NULL, XC_EFAILED);

	for (int i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(strstr(failure_of(result, i).text, "no_such_table"));
	xc_result_destroy(result);
}
END_TEST

static int return_and_fail(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	xc_task_return(task, "half", 4);
	return xc_task_index(task) == 1 ? 3 : 0;
}

START_TEST(a_failed_item_has_no_result)
{
	struct xc_result *result = map_to_end(return_and_fail, 3, NULL, 0, NULL, XC_EFAILED);
	size_t size = 0;

	ck_assert_ptr_nonnull(xc_result_item(result, 0, &size));
	ck_assert_uint_eq(size, 4);
	ck_assert_ptr_null(xc_result_item(result, 1, &size));
	ck_assert_ptr_nonnull(xc_result_item(result, 2, &size));
	xc_result_destroy(result);
}
END_TEST

static int fail_early(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	*(char *)out = 'y';
	if (i == 5)
		return xc_task_fail(task, "the fifth");
	task_sleep(0.001);
	return 0;
}

START_TEST(stop_cancels_the_rest)
{
	enum { N = 100000 };
	struct xc_map_options options = { .on_failure = XC_STOP };
	static enum xc_state states[N];
	struct xc_result *result;
	static char out[N];
	double start = now();
	int cancelled = 0;

	result = map_to_end(fail_early, N, out, 1, &options, XC_EFAILED);
	ck_assert_double_lt(now() - start, 10); /* all of them would take 33 s */
	collect_states(result, N, states);
	ck_assert_int_eq(states[5], XC_FAILED);
	ck_assert_str_eq(failure_of(result, 5).text, "the fifth");
	for (int i = 0; i < N; i++) {
		ck_assert(i == 5 || states[i] == XC_OK || states[i] == XC_CANCELLED);
		ck_assert_int_eq(out[i], states[i] == XC_OK ? 'y' : 0);
		cancelled += states[i] == XC_CANCELLED;
	}
	ck_assert_int_gt(cancelled, N / 2);
	xc_result_destroy(result);
}
END_TEST

START_TEST(continue_runs_them_all)
{
	struct xc_map_options options = { .on_failure = XC_CONTINUE };
	struct xc_result *result;
	char out[1000];

	result = map_to_end(fail_early, 1000, out, 1, &options, XC_EFAILED);
	ck_assert_int_eq(xc_result_progress(result).failed, 1);
	ck_assert_int_eq(xc_result_progress(result).done, 1000);
	xc_result_destroy(result);
}
END_TEST

/* Succeeds at attempt 1 + i % 4. */
static int succeed_late(struct xc_task *task, const void *in, void *out)
{
	int needed = 1 + (int)(*(const int64_t *)in % 4), attempt = xc_task_attempt(task);

	if (attempt < needed)
		return xc_task_fail(task, "attempt %d of %d", attempt, needed);
	*(int *)out = attempt;
	return 0;
}

START_TEST(tried_again)
{
	struct xc_map_options options = { .max_attempts = 4 };
	struct xc_result *result;
	int out[200];

	result = map_to_end(succeed_late, 200, out, sizeof out[0], &options, 0);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(out[i], 1 + i % 4);
	ck_assert_int_eq(xc_failure_count(result), 0);
	xc_result_destroy(result);
}
END_TEST

START_TEST(attempts_used_up)
{
	struct xc_map_options options = { .max_attempts = 3 };
	enum xc_state states[200];
	struct xc_result *result;
	int out[200];

	result = map_to_end(succeed_late, 200, out, sizeof out[0], &options, XC_EFAILED);
	collect_states(result, 200, states);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(states[i], i % 4 == 3 ? XC_FAILED : XC_OK);
		if (states[i] == XC_OK)
			continue;
		ck_assert_int_eq(failure_of(result, i).attempts, 3);
		ck_assert_str_eq(failure_of(result, i).text, "attempt 3 of 4");
	}
	xc_result_destroy(result);
}
END_TEST

START_TEST(pinned_items_are_tried_again)
{
	struct xc_map_options options = { .max_attempts = 4 };
	int out[ENGINES];

	assert_ok(xc_map_range(xc_all(client), succeed_late, ENGINES, out, sizeof out[0], &options,
			       &err),
		  err);
	for (int i = 0; i < ENGINES; i++)
		ck_assert_int_eq(out[i], 1 + i % 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("failure");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "failure"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_test(tests, failed_items_are_named_and_others_kept);
	tcase_add_test(tests, the_error_counts_and_quotes);
	tcase_add_test(tests, failure_indices_are_checked);
	tcase_add_test(tests, a_thousand_failures);
	tcase_add_test(tests, failures_beyond_the_limit_are_counted);
	tcase_add_test(tests, texts_beyond_the_window);
	tcase_add_test(tests, a_million_alike_are_few_runs);
	tcase_add_test(tests, long_texts_are_cut);
	tcase_add_test(tests, many_long_texts);
	tcase_add_test(tests, a_missing_variable_names_itself);
	tcase_add_test(tests, a_failed_item_has_no_result);
	tcase_add_test(tests, stop_cancels_the_rest);
	tcase_add_test(tests, continue_runs_them_all);
	tcase_add_test(tests, tried_again);
	tcase_add_test(tests, attempts_used_up);
	tcase_add_test(tests, pinned_items_are_tried_again);
	add_cluster_stop(stop);
	return run_tests(suite);
}
