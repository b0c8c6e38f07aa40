/* next.c: results one by one while the job runs, in both orders; how each item
 * ended; the summary of many failures. */
#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENGINES 3

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
	stage_open();
}

static void close_client(void)
{
	stage_close();
	xc_close(client);
}

static struct xc_result *begin(xc_task_fn *fn, int64_t n, void *out, size_t out_size,
			       const struct xc_map_options *options)
{
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), fn, n, out, out_size, options, &err);

	ck_assert_msg(result != NULL, "%s", err.text);
	return result;
}

/* Fails at multiples of 7, keeps one engine busy longer at the start. */
static int square(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	if (i == 0)
		task_sleep(0.05);
	if (i % 7 == 3)
		return xc_task_fail(task, "a three");
	*(int64_t *)out = i * i;
	return 0;
}

static void check_item(struct xc_result *result, const int64_t *out, int64_t i)
{
	int state = xc_item_state(result, i);

	if (state != (i % 7 == 3 ? XC_FAILED : XC_OK) || out[i] != (i % 7 == 3 ? 0 : i * i))
		ck_abort_msg("item %lld: state %d, %lld", (long long)i, state, (long long)out[i]);
}

START_TEST(every_item_once)
{
	enum { N = 20000 };
	static int64_t out[N];
	static bool seen[N];
	struct xc_map_options options = { .chunk = _i };
	struct xc_result *result = begin(square, N, out, sizeof out[0], &options);
	int64_t item = -1, n = 0;
	int r;

	while ((r = xc_next(result, XC_ANY_ORDER, LIMIT, &item, &err)) == 1) {
		if (item < 0 || item >= N || seen[item])
			ck_abort_msg("item %lld is wrong or twice", (long long)item);
		seen[item] = true;
		check_item(result, out, item);
		n++;
	}
	assert_ok(r, err);
	ck_assert_int_eq(n, N);
	/* The other order is by itself. */
	for (n = 0; (r = xc_next(result, XC_IN_ORDER, LIMIT, &item, &err)) == 1; n++)
		if (item != n)
			ck_abort_msg("%lld comes at place %lld", (long long)item, (long long)n);
	ck_assert_int_eq(n, N);
	ck_assert_int_eq(xc_next(result, XC_ANY_ORDER, 0, &item, &err), 0);
	ck_assert_int_eq(xc_item_state(result, N), -EINVAL);
	ck_assert_int_eq(xc_item_state(result, -1), -EINVAL);
	xc_result_destroy(result);
}
END_TEST

START_TEST(in_order_while_it_runs)
{
	enum { N = 20000 };
	static int64_t out[N];
	struct xc_result *result = begin(square, N, out, sizeof out[0], NULL);
	int64_t item, n = 0;
	int r;

	while ((r = xc_next(result, XC_IN_ORDER, LIMIT, &item, &err)) == 1) {
		if (item != n++)
			ck_abort_msg("%lld comes at place %lld", (long long)item, (long long)n);
		check_item(result, out, item);
	}
	assert_ok(r, err);
	ck_assert_int_eq(n, N);
	xc_result_destroy(result);
}
END_TEST

/* The first item waits; the others do not. */
static int first_waits(struct xc_task *task, const void *in, void *out)
{
	if (*(const int64_t *)in == 0) {
		task_announce(task);
		task_wait_at_gate();
	}
	return xc_task_return(task, "done", 4) < 0 || out ? 1 : 0;
}

START_TEST(as_they_come)
{
	struct xc_map_options options = { .chunk = 1 };
	struct xc_result *result = begin(first_waits, 9, NULL, 0, &options);
	int64_t item, sum = 0;
	size_t size;

	stage_news();
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(xc_next(result, XC_ANY_ORDER, LIMIT, &item, &err), 1);
		ck_assert_int_ne(item, 0);
		ck_assert_int_eq(xc_item_state(result, item), XC_OK);
		ck_assert_ptr_nonnull(xc_result_item(result, item, &size));
		ck_assert_uint_eq(size, 4);
		sum += item;
	}
	ck_assert_int_eq(sum, 36);
	/* One is left, and it is the first of those in order. */
	assert_error(xc_next(result, XC_ANY_ORDER, 0, &item, &err), -ETIMEDOUT, &err, "8 of 9");
	assert_error(xc_next(result, XC_IN_ORDER, 0.01, &item, &err), -ETIMEDOUT, &err, "8 of 9");
	ck_assert_int_eq(xc_item_state(result, 0), -EAGAIN);
	stage_release();
	ck_assert_int_eq(xc_next(result, XC_ANY_ORDER, LIMIT, &item, &err), 1);
	ck_assert_int_eq(item, 0);
	ck_assert_int_eq(xc_next(result, XC_ANY_ORDER, LIMIT, &item, &err), 0);
	xc_result_destroy(result);
}
END_TEST

START_TEST(of_single_tasks_and_none)
{
	int64_t in = 5, bad = 3, out = 0, item = -1;
	struct xc_result *none = begin(square, 0, &out, sizeof out, NULL);
	struct xc_result *good, *failing;

	ck_assert_int_eq(xc_next(none, XC_ANY_ORDER, LIMIT, &item, &err), 0);
	ck_assert_int_eq(xc_next(none, XC_IN_ORDER, LIMIT, &item, &err), 0);
	xc_result_destroy(none);
	good = xc_apply_async(xc_balanced(client), square, &in, sizeof in, &out, sizeof out, NULL,
			      &err);
	failing = xc_apply_async(xc_balanced(client), square, &bad, sizeof bad, &out, sizeof out,
				 NULL, &err);
	ck_assert(good && failing);
	ck_assert_int_eq(xc_next(good, XC_ANY_ORDER, LIMIT, &item, &err), 1);
	ck_assert_int_eq(item, 0);
	ck_assert_int_eq(xc_item_state(good, 0), XC_OK);
	ck_assert_int_eq(xc_next(good, XC_ANY_ORDER, LIMIT, &item, &err), 0);
	ck_assert_int_eq(xc_next(failing, XC_IN_ORDER, LIMIT, &item, &err), 1);
	ck_assert_int_eq(xc_item_state(failing, 0), XC_FAILED);
	xc_result_destroy(good);
	xc_result_destroy(failing);
}
END_TEST

static int fail_at_20(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	if (i == 20)
		return xc_task_fail(task, "the twentieth");
	if (i > 20) {
		task_announce(task);
		task_wait_at_gate();
	}
	*(char *)out = 'y';
	return 0;
}

START_TEST(first_failure_keeps_what_is_there)
{
	enum { N = 1000 };
	struct xc_map_options options = { .on_failure = XC_STOP, .chunk = 1 };
	struct xc_result *result;
	int64_t item, ok = 0;
	char out[N] = { 0 };

	result = begin(fail_at_20, N, out, 1, &options);
	/* Known while others still run, and with them at the gate. */
	do {
		ck_assert_int_eq(xc_next(result, XC_ANY_ORDER, LIMIT, &item, &err), 1);
		ok += xc_item_state(result, item) == XC_OK;
	} while (xc_item_state(result, item) != XC_FAILED);
	ck_assert_int_eq(item, 20);
	stage_release();
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "the twentieth");
	/* All below it but what other engines may have in their hands. */
	ck_assert_int_ge(ok, 20 - 2 * (ENGINES - 1) - 1);
	for (item = 0; item < N; item++) {
		int state = xc_item_state(result, item);

		ck_assert(item == 20 || state == XC_OK || state == XC_CANCELLED);
		ck_assert(out[item] == (state == XC_OK ? 'y' : 0));
	}
	ck_assert_int_eq(xc_item_state(result, N - 1), XC_CANCELLED);
	xc_result_destroy(result);
}
END_TEST

static int fail_in_ways(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	(void)out;
	if (i % 100 == 50)
		abort();
	if (i % 10 == 1)
		return xc_task_fail(task, "one too many");
	return i >= 990 ? 42 : 0;
}

START_TEST(summary_of_many)
{
	struct xc_result *result = begin(fail_in_ways, 1000, NULL, 0, NULL);
	char text[4096] = "x", start[20];
	int n;

	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "119 of 1000");
	n = xc_failure_summary(result, text, sizeof text);
	ck_assert_int_eq(n, (int)strlen(text));
	ck_assert_msg(strstr(text, "119 of 1000 items did not end well: 100 failed with code 1 "
				   "(items 1, 11, 21, 31, ...; engine") == text,
		      "%s", text);
	ck_assert_msg(strstr(text, ": one too many. 10 crashed (items 50, 150, 250, 350, ...; ") ||
			      strstr(text, ": one too many. 9 failed with code 42"),
		      "%s", text);
	ck_assert_msg(strstr(text, " 9 failed with code 42 (items 990, 992-999; engine"), "%s",
		      text);
	ck_assert_int_eq(xc_failure_summary(result, start, sizeof start), n);
	ck_assert_int_eq(strlen(start), sizeof start - 1);
	ck_assert(strncmp(start, text, sizeof start - 1) == 0);
	ck_assert_int_eq(xc_failure_summary(result, NULL, 0), n);
	ck_assert_int_eq(xc_failure_summary(result, NULL, 1), -EINVAL);
	xc_result_destroy(result);
	result = begin(fail_in_ways, 1, NULL, 0, NULL);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(xc_failure_summary(result, text, sizeof text), 0);
	ck_assert_str_eq(text, "");
	xc_result_destroy(result);
}
END_TEST

static int fail_always(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	return 7;
}

START_TEST(summary_of_neighbours_on_several_engines)
{
	struct xc_result *result =
		xc_map_range_async(xc_all(client), fail_always, 30, NULL, 0, NULL, &err);
	char text[400];

	ck_assert_msg(result, "%s", err.text);
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "30 of 30");
	ck_assert_int_gt(xc_failure_summary(result, text, sizeof text), 0);
	ck_assert_str_eq(text, "30 of 30 items did not end well: 30 failed with code 7 (items "
			       "0-29; engines 0, 1, 2).");
	xc_result_destroy(result);
}
END_TEST

START_TEST(after_the_client_is_closed)
{
	struct xc_map_options options = { .chunk = 1 };
	struct xc_result *result = begin(first_waits, 3, NULL, 0, &options);
	int64_t item;

	stage_news();
	while (xc_result_progress(result).done < 2)
		ck_assert_int_eq(xc_wait(result, 0.01, &err), -ETIMEDOUT);
	stage_release();
	xc_close(client);
	/* What had arrived is handed out still. */
	ck_assert_int_eq(xc_next(result, XC_ANY_ORDER, LIMIT, &item, &err), 1);
	ck_assert_int_eq(xc_next(result, XC_ANY_ORDER, LIMIT, &item, &err), 1);
	assert_error(xc_next(result, XC_ANY_ORDER, LIMIT, &item, &err), XC_ELOST, &err, "xc_next");
	xc_result_destroy(result);
	client = open_client(ENGINES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("next");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "next"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_loop_test(tests, every_item_once, 0, 3);
	tcase_add_test(tests, in_order_while_it_runs);
	tcase_add_test(tests, as_they_come);
	tcase_add_test(tests, of_single_tasks_and_none);
	tcase_add_test(tests, first_failure_keeps_what_is_there);
	tcase_add_test(tests, summary_of_many);
	tcase_add_test(tests, summary_of_neighbours_on_several_engines);
	tcase_add_test(tests, after_the_client_is_closed);
	add_cluster_stop(stop);
	return run_tests(suite);
}
