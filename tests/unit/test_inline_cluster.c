/* test_inline_cluster.c: a cluster within the client: whose items run when, what becomes of
 * them, and what engines keep. */
#include <errno.h>
#include <string.h>

#include "libcluster/client.h"
#include "tests/unit/unit.h"

#define ENGINES 3

static struct xc_client *client;
static struct xc_error err;
static int64_t order[1000];
static int ran;

static void begin(void)
{
	setenv("XCLUSTER", "inline:3", 1);
	ck_assert_msg(xc_open(&client, NULL, &err) == 0, "%s", err.text);
	ran = 0;
}

static void end(void)
{
	xc_close(client);
	unsetenv("XCLUSTER");
}

/* Notes the order in which items run. */
static int note(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	order[ran++] = *(const int64_t *)in;
	if (out)
		*(int *)out = xc_task_engine(task);
	return 0;
}

static struct xc_result *begin_map(const struct xc_view *view, xc_task_fn *fn, int64_t start,
				   int64_t n, struct xc_map_options options)
{
	struct xc_result *result;

	options.start = start;
	result = xc_map_range_async(view, fn, n, NULL, 0, &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	return result;
}

static void finish(struct xc_result *result, int expected)
{
	ck_assert_int_eq(xc_wait(result, -1, &err), expected);
	xc_result_destroy(result);
}

static void check_order(int from, int count, int64_t first)
{
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(order[from + i], first + i);
}

/* Pinned ones first, then by priority, then as submitted. */
START_TEST(test_order)
{
	const struct xc_view *balanced = xc_balanced(client), *one;
	struct xc_map_options plain = { 0 }, high = { .priority = 2 }, low = { .priority = -1 };
	struct xc_result *results[5];

	ck_assert_int_eq(xc_view_at(xc_all(client), 2, &one, &err), 0);
	results[0] = begin_map(balanced, note, 100, 10, low);
	results[1] = begin_map(balanced, note, 200, 10, plain);
	results[2] = begin_map(balanced, note, 300, 10, high);
	results[3] = begin_map(balanced, note, 400, 10, plain);
	results[4] = begin_map(one, note, 500, 10, plain);
	for (int i = 0; i < 5; i++)
		finish(results[i], 0);
	ck_assert_int_eq(ran, 50);
	check_order(0, 10, 500);
	check_order(10, 10, 300);
	check_order(20, 10, 200);
	check_order(30, 10, 400);
	check_order(40, 10, 100);
}
END_TEST

/* Engines take turns, in blocks where they are chosen. */
START_TEST(test_engines)
{
	struct xc_map_options options = { .chunk = 2 };
	const int some[] = { 2, 0 };
	const struct xc_view *view;
	int out[8], ids[ENGINES];
	int64_t items[ENGINES];
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), note, 6, out, sizeof *out, &options, &err);

	ck_assert_int_eq(xc_wait(result, -1, &err), 0);
	ck_assert_mem_eq(out, ((int[]){ 0, 0, 1, 1, 2, 2 }), 6 * sizeof *out);
	ck_assert_int_eq(xc_result_engines(result, ids, items, ENGINES), ENGINES);
	for (int i = 0; i < ENGINES; i++)
		ck_assert_int_eq(items[i], 2);
	xc_result_destroy(result);
	ck_assert_int_eq(xc_engines(client, some, 2, &view, &err), 0);
	ck_assert_int_eq(xc_map_range(view, note, 5, out, sizeof *out, NULL, &err), 0);
	ck_assert_mem_eq(out, ((int[]){ 2, 2, 2, 0, 0 }), 5 * sizeof *out);
	ck_assert_int_eq(xc_balanced_over(client, some, 2, &view, &err), 0);
	ck_assert_int_eq(xc_map_range(view, note, 8, out, sizeof *out, &options, &err), 0);
	for (int i = 0; i < 8; i++)
		ck_assert_int_ne(out[i], 1);
}
END_TEST

static int fail_twice(struct xc_task *task, const void *in, void *out)
{
	note(task, in, out);
	return *(const int64_t *)in == 1 && xc_task_attempt(task) < 3 ? 4 : 0;
}

/* One that has failed runs again before those that have not begun. */
START_TEST(test_again)
{
	struct xc_map_options options = { .max_attempts = 3, .chunk = 1 };
	struct xc_result *result = begin_map(xc_balanced(client), fail_twice, 0, 4, options);

	finish(result, 0);
	ck_assert_int_eq(ran, 6);
	ck_assert_mem_eq(order, ((int64_t[]){ 0, 1, 1, 1, 2, 3 }), 6 * sizeof *order);
	ran = 0;
	options.at_most_once = true;
	finish(begin_map(xc_balanced(client), fail_twice, 0, 4, options), XC_EFAILED);
	ck_assert_int_eq(ran, 4);
	/* On an engine of its own, too. */
	ran = 0;
	options.at_most_once = false;
	finish(begin_map(xc_all(client), fail_twice, 0, 3, options), 0);
	ck_assert_int_eq(ran, 5);
}
END_TEST

/* Not one item runs after the one that fails. */
START_TEST(test_stop)
{
	struct xc_map_options options = { .on_failure = XC_STOP };
	struct xc_result *result = begin_map(xc_balanced(client), fail_twice, 0, 100, options);

	ck_assert_int_eq(xc_wait(result, -1, &err), XC_EFAILED);
	ck_assert_int_eq(ran, 2);
	ck_assert_int_eq(xc_item_state(result, 0), XC_OK);
	ck_assert_int_eq(xc_item_state(result, 1), XC_FAILED);
	for (int i = 2; i < 100; i++)
		ck_assert_int_eq(xc_item_state(result, i), XC_CANCELLED);
	xc_result_destroy(result);
	result = begin_map(xc_all(client), fail_twice, 0, 90, options);
	ck_assert_int_eq(xc_wait(result, -1, &err), XC_EFAILED);
	ck_assert_int_eq(xc_result_progress(result).done, 90);
	xc_result_destroy(result);
}
END_TEST

/* Single ones that went together are cancelled one by one. */
START_TEST(test_cancel_of_a_batch)
{
	struct xc_result *results[40];
	int64_t in;

	for (in = 0; in < 40; in++) {
		results[in] = xc_apply_async(xc_balanced(client), note, &in, sizeof in, NULL, 0,
					     NULL, &err);
		ck_assert_msg(results[in] != NULL, "%s", err.text);
	}
	ck_assert_int_eq(ran, 0);
	ck_assert_int_eq(xc_cancel(results[20], XC_CANCEL_QUEUED, &err), 0);
	ck_assert_int_eq(xc_cancel(results[39], XC_CANCEL_RUNNING, &err), 0);
	xc_result_destroy(results[30]);
	for (in = 0; in < 40; in++)
		if (in != 30)
			finish(results[in], in == 20 || in == 39 ? XC_EFAILED : 0);
	ck_assert_int_eq(ran, 37);
}
END_TEST

/* What is pushed to all is there once; and is gone from who clears it. */
START_TEST(test_values)
{
	struct inline_engine *engines = client->inside->engines;
	static double big[10000];
	const struct xc_view *one;
	char text[100];

	ck_assert_int_eq(xc_push(xc_all(client), "b", XC_ARRAY_F64(big, 10000), &err), 0);
	ck_assert_ptr_eq(inline_get(&engines[0], "b")->data, inline_get(&engines[2], "b")->data);
	ck_assert_ptr_ne(inline_get(&engines[0], "b")->data, big);
	ck_assert_uint_eq((uintptr_t)inline_get(&engines[0], "b")->data % 64, 0);
	ck_assert_int_eq(xc_scatter(xc_all(client), "a", XC_ARRAY_F64(big, 10000), &err), 0);
	ck_assert_int_eq(inline_get(&engines[0], "a")->shape[0], 3334);
	ck_assert_ptr_ne(inline_get(&engines[0], "a")->data, inline_get(&engines[1], "a")->data);
	inline_list(&engines[1], text, sizeof text);
	ck_assert_str_eq(text, "it has \"b\", \"a\"");
	ck_assert_int_eq(xc_view_at(xc_all(client), 1, &one, &err), 0);
	ck_assert_int_eq(xc_clear(one, "b", &err), 0);
	ck_assert_ptr_null(inline_get(&engines[1], "b"));
	ck_assert_ptr_nonnull(inline_get(&engines[2], "b"));
	ck_assert_int_eq(xc_clear(one, NULL, &err), 0);
	inline_list(&engines[1], text, sizeof text);
	ck_assert_str_eq(text, "it has none");
}
END_TEST

static int is_aligned(struct xc_task *task, const void *in, void *out)
{
	size_t size = xc_task_in_size(task), need = size & (~size + 1);

	return ((uintptr_t)in | (uintptr_t)out) % (need < 64 ? need : 64) ? 1 : 0;
}

START_TEST(test_alignment)
{
	static char in[100 * 64], out[100 * 64];

	for (size_t size = 1; size <= 64; size++)
		for (int64_t n = 1; n < 100; n += 7)
			ck_assert_int_eq(xc_map(xc_balanced(client), is_aligned, in, size, n, out,
						size, NULL, &err),
					 0);
}
END_TEST

/* Single ones of several sizes go as one packed job, each where its elements may be. */
START_TEST(test_alignment_of_single_ones)
{
	static const char in[64];
	struct xc_result *results[60];

	for (size_t i = 0; i < 60; i++) {
		results[i] = xc_apply_async(xc_balanced(client), is_aligned, in,
					    i % 3 ? 64 : 3 + i % 7, NULL, 0, NULL, &err);
		ck_assert_msg(results[i] != NULL, "%s", err.text);
	}
	for (size_t i = 0; i < 60; i++)
		finish(results[i], 0);
}
END_TEST

static int give_much(struct xc_task *task, const void *in, void *out)
{
	static char text[300000];

	(void)out;
	return xc_task_return(task, text, *(const int64_t *)in % 2 ? sizeof text : 0);
}

/* More than a piece holds. */
START_TEST(test_large_results)
{
	struct xc_result *result =
		begin_map(xc_balanced(client), give_much, 0, 50, (struct xc_map_options){ 0 });
	size_t size;

	ck_assert_int_eq(xc_wait(result, -1, &err), 0);
	for (int64_t i = 0; i < 50; i++) {
		ck_assert_ptr_nonnull(xc_result_item(result, i, &size));
		ck_assert_uint_eq(size, i % 2 ? 300000 : 0);
	}
	xc_result_destroy(result);
	ck_assert_int_eq(xc_engine_count(client), ENGINES);
	ck_assert_ptr_null(client->inside->jobs);
}
END_TEST

/* What it does not know of does not have anybody wait for ever. */
START_TEST(test_unknown_messages)
{
	ck_assert_int_eq(POST(client, resend, .from = 1), -ENOTSUP);
	ck_assert_int_eq(xci_pump(client, 0), 0);
	ck_assert_int_eq(xci_pump(client, 1000), -ENOTSUP);
	ck_assert_int_eq(POST(client, ping, .received = 0), 0);
	ck_assert_int_eq(xci_pump(client, 1000), 1);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("inline");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_order);
	tcase_add_test(tests, test_engines);
	tcase_add_test(tests, test_again);
	tcase_add_test(tests, test_stop);
	tcase_add_test(tests, test_cancel_of_a_batch);
	tcase_add_test(tests, test_values);
	tcase_add_test(tests, test_alignment);
	tcase_add_test(tests, test_alignment_of_single_ones);
	tcase_add_test(tests, test_large_results);
	tcase_add_test(tests, test_unknown_messages);
	return unit_run(tests);
}
