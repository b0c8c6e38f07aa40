/* map.c: maps over ranges, strided arrays and packed items: values, order, and
 * the sizes at which things break. */
#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENGINES 3

static const int64_t sizes[] = { 0, 1, 16, 101, 1000000 };
#define SIZES ((int)(sizeof sizes / sizeof sizes[0]))

/* N.B. Check's own assertions cost a system call each. */
#define CHECK_ITEM(i, condition)                                                                   \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("item %lld: %s is wrong", (long long)(i), #condition);        \
	} while (0)

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

static void *allocate(int64_t n, size_t size)
{
	void *p = calloc((size_t)n + 1, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

struct reply {
	int64_t value, index;
};

static int reply_value(struct xc_task *task, const void *in, void *out)
{
	struct reply *reply = out;

	if (reply->value || reply->index)
		return xc_task_fail(task, "the result is not zeroed");
	if (xc_task_in_size(task) != sizeof(int64_t))
		return xc_task_fail(task, "the input has %zu bytes", xc_task_in_size(task));
	reply->value = *(const int64_t *)in;
	reply->index = xc_task_index(task);
	return 0;
}

static void check_range(int64_t n, int64_t start, int64_t step, int64_t chunk)
{
	struct xc_map_options options = { .start = start, .step = step, .chunk = chunk };
	struct reply *replies = allocate(n, sizeof *replies);

	replies[n].value = 4711;
	assert_ok(xc_map_range(xc_balanced(client), reply_value, n, replies, sizeof *replies,
			       &options, &err),
		  err);
	for (int64_t i = 0; i < n; i++) {
		CHECK_ITEM(i, replies[i].index == i);
		CHECK_ITEM(i, replies[i].value == start + i * (step ? step : 1));
	}
	ck_assert_int_eq(replies[n].value, 4711);
	free(replies);
}

START_TEST(range)
{
	check_range(sizes[_i], 0, 0, 0);
	check_range(sizes[_i], -5, 3, 0);
	check_range(sizes[_i], INT64_C(1) << 60, -7, 0);
}
END_TEST

START_TEST(chunks)
{
	check_range(1000, 3, 0, 1);
	check_range(1000, 3, 0, 7);
	check_range(1000, 3, 0, 1000);
	check_range(1000, 3, 0, INT64_C(1) << 40);
	check_range(300000, 3, 0, 100);
}
END_TEST

struct point {
	double x;
	int32_t weight;
};

static int weigh(struct xc_task *task, const void *in, void *out)
{
	const struct point *point = in;

	if ((uintptr_t)in % _Alignof(struct point) || (uintptr_t)out % _Alignof(double))
		return xc_task_fail(task, "not aligned");
	if (xc_task_in_size(task) != sizeof *point)
		return xc_task_fail(task, "the input has %zu bytes", xc_task_in_size(task));
	*(double *)out = point->x * point->weight + (double)xc_task_index(task);
	return 0;
}

START_TEST(strided)
{
	int64_t n = sizes[_i];
	struct point *points = allocate(n, sizeof *points);
	double *results = allocate(n, sizeof *results);

	for (int64_t i = 0; i < n; i++)
		points[i] = (struct point){ .x = (double)i / 8, .weight = (int32_t)(i % 1000) };
	assert_ok(xc_map(xc_balanced(client), weigh, points, sizeof *points, n, results,
			 sizeof *results, NULL, &err),
		  err);
	for (int64_t i = 0; i < n; i++)
		CHECK_ITEM(i, results[i] == (double)i / 8 * (double)(i % 1000) + (double)i);
	free(points);
	free(results);
}
END_TEST

struct summary {
	size_t size;
	uint64_t sum;
};

static int summarise(struct xc_task *task, const void *in, void *out)
{
	struct summary *summary = out;

	summary->size = xc_task_in_size(task);
	for (size_t i = 0; i < summary->size; i++)
		summary->sum = 31 * summary->sum + ((const uint8_t *)in)[i];
	return 0;
}

START_TEST(packed)
{
	static const uint8_t bytes[64] = "the quick brown fox jumps over the lazy dog, twice a day";
	int64_t n = sizes[_i];
	struct xc_bytes *items = allocate(n, sizeof *items);
	struct summary *results = allocate(n, sizeof *results);

	for (int64_t i = 0; i < n; i++)
		items[i] = (struct xc_bytes){ bytes + i % 20, (size_t)(i % 37) };
	if (n > 37)
		items[37].data = NULL; /* an empty one */
	assert_ok(xc_map_packed(xc_balanced(client), summarise, items, n, results, sizeof *results,
				NULL, &err),
		  err);
	for (int64_t i = 0; i < n; i++) {
		uint64_t sum = 0;

		for (int64_t k = 0; k < i % 37; k++)
			sum = 31 * sum + bytes[i % 20 + k];
		CHECK_ITEM(i, results[i].size == (size_t)(i % 37));
		CHECK_ITEM(i, results[i].sum == sum);
	}
	free(items);
	free(results);
}
END_TEST

static int return_bytes(struct xc_task *task, const void *in, void *out)
{
	size_t size = (size_t)(*(const int64_t *)in % 50);
	uint8_t bytes[50];

	if (out)
		return xc_task_fail(task, "there is an out though out_size is 0");
	memset(bytes, (int)(xc_task_index(task) % 251), sizeof bytes);
	if (*(const int64_t *)in % 7 == 0)
		return 0;
	/* The second replaces the first. */
	if (xc_task_return(task, "replaced", 8) < 0)
		return xc_task_fail(task, "xc_task_return");
	return xc_task_return(task, bytes, size) < 0 ? 9 : 0;
}

START_TEST(results_of_variable_length)
{
	int64_t n = sizes[_i] > 1000 ? 50000 : sizes[_i];
	struct xc_result *result;
	size_t size;

	result = xc_map_range_async(xc_balanced(client), return_bytes, n, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int64_t i = 0; i < n; i++) {
		const uint8_t *bytes = xc_result_item(result, i, &size);

		if (i % 7 == 0) {
			CHECK_ITEM(i, bytes == NULL);
			continue;
		}
		CHECK_ITEM(i, bytes != NULL && size == (size_t)(i % 50));
		for (size_t k = 0; k < size; k++)
			CHECK_ITEM(i, bytes[k] == i % 251);
	}
	ck_assert_ptr_null(xc_result_item(result, n, &size));
	ck_assert_ptr_null(xc_result_item(result, -1, &size));
	xc_result_destroy(result);
}
END_TEST

#define BIG (8 << 20)

static int invert(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	for (size_t i = 0; i < BIG / 8; i++)
		((uint64_t *)out)[i] = ~((const uint64_t *)in)[i];
	return 0;
}

static int return_big(struct xc_task *task, const void *in, void *out)
{
	(void)out;
	return xc_task_return(task, in, xc_task_in_size(task)) < 0 ? 9 : 0;
}

START_TEST(items_of_eight_megabytes)
{
	enum { N = 7 };
	struct xc_map_options chunk = { .chunk = 7 * _i };
	uint64_t *in = allocate(N, BIG), *out = allocate(N, BIG);
	struct xc_result *result;

	for (size_t i = 0; i < (size_t)N * BIG / 8; i++)
		in[i] = i * 0x9E3779B97F4A7C15u;
	assert_ok(xc_map(xc_balanced(client), invert, in, BIG, N, out, BIG, &chunk, &err), err);
	for (size_t i = 0; i < (size_t)N * BIG / 8; i++)
		CHECK_ITEM(i, out[i] == ~in[i]);
	result = xc_map_async(xc_balanced(client), return_big, in, BIG, N, NULL, 0, &chunk, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	/* The input was copied. */
	memcpy(out, in, (size_t)N * BIG);
	memset(in, 0, (size_t)N * BIG);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int i = 0; i < N; i++) {
		size_t size = 0;
		const void *item = xc_result_item(result, i, &size);

		ck_assert_uint_eq(size, BIG);
		ck_assert(memcmp(item, (char *)out + (size_t)i * BIG, BIG) == 0);
	}
	xc_result_destroy(result);
	free(in);
	free(out);
}
END_TEST

static int tell_engine(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(int *)out = xc_task_engine(task);
	return 0;
}

START_TEST(direct_view_gives_contiguous_blocks)
{
	static const int64_t counts[] = { 0, 1, 2, 3, 10, 101, 10000 };
	const int order[ENGINES] = { 2, 0, 1 };
	const struct xc_view *view = NULL;
	int *engines = allocate(10000, sizeof *engines);

	assert_ok(xc_engines(client, order, ENGINES, &view, &err), err);
	for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
		int64_t n = counts[c];

		memset(engines, -1, (size_t)n * sizeof *engines);
		assert_ok(xc_map_range(view, tell_engine, n, engines, sizeof *engines, NULL, &err),
			  err);
		for (int64_t i = 0; i < n; i++)
			CHECK_ITEM(i, engines[i] == order[i * ENGINES / n]);
		memset(engines, -1, (size_t)n * sizeof *engines);
		assert_ok(xc_map_range(xc_all(client), tell_engine, n, engines, sizeof *engines,
				       NULL, &err),
			  err);
		for (int64_t i = 0; i < n; i++)
			CHECK_ITEM(i, engines[i] == i * ENGINES / n);
	}
	free(engines);
}
END_TEST

static int uneven(struct xc_task *task, const void *in, void *out)
{
	int64_t value = *(const int64_t *)in;

	(void)task;
	task_sleep(value % 16 == 0 ? 0.02 : 0);
	*(int64_t *)out = value * value;
	return 0;
}

START_TEST(uneven_items_come_in_order)
{
	int64_t squares[320];

	assert_ok(xc_map_range(xc_balanced(client), uneven, 320, squares, sizeof squares[0], NULL,
			       &err),
		  err);
	for (int64_t i = 0; i < 320; i++)
		ck_assert_int_eq(squares[i], i * i);
}
END_TEST

START_TEST(all_engines_share_the_work)
{
	struct xc_result *result;
	int64_t items[ENGINES + 1], sum = 0, squares[320];
	int ids[ENGINES + 1], n;

	result = xc_map_range_async(xc_balanced(client), uneven, 320, squares, sizeof squares[0],
				    NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	n = xc_result_engines(result, ids, items, ENGINES + 1);
	ck_assert_int_eq(n, ENGINES);
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(ids[i], i);
		ck_assert_int_gt(items[i], 0);
		sum += items[i];
	}
	ck_assert_int_eq(sum, 320);
	ck_assert_int_eq(xc_result_engines(result, ids, items, 1), ENGINES);
	xc_result_destroy(result);
}
END_TEST

START_TEST(bad_arguments)
{
	int64_t value;

	err = (struct xc_error)XC_ERROR_INIT;
	assert_error(xc_map_range(xc_balanced(client), reply_value, -1, &value, 8, NULL, &err),
		     -EINVAL, &err, "");
	err = (struct xc_error)XC_ERROR_INIT;
	assert_error(xc_map_range(xc_balanced(client), NULL, 1, &value, 8, NULL, &err), -EINVAL,
		     &err, "");
	err = (struct xc_error)XC_ERROR_INIT;
	assert_error(xc_map(xc_balanced(client), weigh, NULL, 8, 3, &value, 8, NULL, &err), -EINVAL,
		     &err, "");
	err = (struct xc_error)XC_ERROR_INIT;
	assert_error(xc_map_range(xc_balanced(client), reply_value, INT64_MAX, &value, 1 << 20,
				  NULL, &err),
		     -EINVAL, &err, "");
	check_range(16, 0, 0, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "map"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_loop_test(tests, range, 0, SIZES);
	tcase_add_test(tests, chunks);
	tcase_add_loop_test(tests, strided, 0, SIZES);
	tcase_add_loop_test(tests, packed, 0, SIZES);
	tcase_add_loop_test(tests, results_of_variable_length, 0, SIZES);
	tcase_add_loop_test(tests, items_of_eight_megabytes, 0, 2);
	tcase_add_test(tests, direct_view_gives_contiguous_blocks);
	tcase_add_test(tests, uneven_items_come_in_order);
	tcase_add_test(tests, all_engines_share_the_work);
	tcase_add_test(tests, bad_arguments);
	add_cluster_stop(stop);
	return run_tests(suite);
}
