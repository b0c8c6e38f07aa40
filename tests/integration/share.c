/* share.c: which engines and whose work: balanced views over some engines,
 * priorities, weights. */
#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENGINES 3

static struct xc_error err = XC_ERROR_INIT;

static int64_t now_in_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void work(int64_t ns)
{
	int64_t end = now_in_ns() + ns;

	while (now_in_ns() < end)
		;
}

static int which(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	work(xc_task_index(task) % 50 == 0 ? 5000000 : 10000);
	*(int *)out = xc_task_engine(task);
	return 0;
}

/* Also while others idle and would take work from the busy. */
START_TEST(only_some_engines)
{
	struct xc_client *client;
	const struct xc_view *some;
	int count[ENGINES] = { 0 }, out[2000], other[10];
	struct xc_result *result;

	start_cluster(ENGINES);
	client = open_client(ENGINES);
	assert_ok(xc_balanced_over(client, (int[]){ 2, 0 }, 2, &some, &err), err);
	ck_assert_int_eq(xc_view_size(some), 2);
	result = xc_map_range_async(some, which, 2000, out, sizeof *out, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	/* The engine that is not of the view serves others. */
	assert_ok(xc_map_range(xc_balanced(client), which, 10, other, sizeof *other, NULL, &err),
		  err);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	for (int i = 0; i < 2000; i++)
		count[out[i]]++;
	ck_assert_int_eq(count[1], 0);
	ck_assert_int_gt(count[0], 0);
	ck_assert_int_gt(count[2], 0);
	/* A single task is balanced over them, too. */
	for (int i = 0; i < 20; i++) {
		int engine = -1;

		assert_ok(xc_apply(some, which, NULL, 0, &engine, sizeof engine, NULL, &err), err);
		ck_assert_int_ne(engine, 1);
	}
	assert_error(xc_balanced_over(client, (int[]){ 7 }, 1, &some, &err), XC_ENOENGINE, &err,
		     "7");
	assert_error(xc_balanced_over(client, (int[]){ 1, 1 }, 2, &some, &err), -EINVAL, &err,
		     "twice");
	xc_close(client);
	stop_cluster();
}
END_TEST

static int when(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	work(2000000);
	*(int64_t *)out = now_in_ns();
	return 0;
}

static int64_t latest(const int64_t *times, int n)
{
	int64_t last = 0;

	for (int i = 0; i < n; i++)
		if (times[i] > last)
			last = times[i];
	return last;
}

START_TEST(higher_priority_goes_first)
{
	enum { LOW = 200, HIGH = 20 };
	struct xc_map_options low = { .chunk = 1 }, high = { .chunk = 1, .priority = 5 };
	static int64_t slow[LOW], fast[HIGH];
	struct xc_result *first, *second;
	struct xc_client *client;
	int64_t end;
	int before = 0;

	start_cluster(1);
	client = open_client(1);
	first = xc_map_range_async(xc_balanced(client), when, LOW, slow, sizeof *slow, &low, &err);
	second = xc_map_range_async(xc_balanced(client), when, HIGH, fast, sizeof *fast, &high,
				    &err);
	assert_ok(xc_wait(second, LIMIT, &err), err);
	assert_ok(xc_wait(first, LIMIT, &err), err);
	end = latest(fast, HIGH);
	for (int i = 0; i < LOW; i++)
		before += slow[i] < end;
	ck_assert_int_lt(before, LOW / 4); /* what had begun, and no more */
	xc_result_destroy(first);
	xc_result_destroy(second);
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(shares_by_weight)
{
	enum { N = 400 };
	struct xc_map_options options = { .chunk = 4 }; /* shares are exact to a slice */
	static int64_t heavy[N], light[N];
	struct xc_result *results[2];
	struct xc_client *clients[2];
	int64_t end;
	int done = 0;

	start_cluster(2);
	clients[0] = open_client(2);
	clients[1] = open_client(2);
	assert_ok(xc_set_weight(clients[0], 3, &err), err);
	assert_error(xc_set_weight(clients[0], 0, &err), -EINVAL, &err, "weight");
	results[0] = xc_map_range_async(xc_balanced(clients[0]), when, N, heavy, sizeof *heavy,
					&options, &err);
	results[1] = xc_map_range_async(xc_balanced(clients[1]), when, N, light, sizeof *light,
					&options, &err);
	assert_ok(xc_wait(results[0], LIMIT, &err), err);
	assert_ok(xc_wait(results[1], LIMIT, &err), err);
	end = latest(heavy, N);
	for (int i = 0; i < N; i++)
		done += light[i] < end;
	/* A third, in whole slices. */
	ck_assert_int_gt(done, N / 8);
	ck_assert_int_lt(done, N * 5 / 8);
	for (int i = 0; i < 2; i++) {
		xc_result_destroy(results[i]);
		xc_close(clients[i]);
	}
	stop_cluster();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("share");
	TCase *tests = tcase_create("share");

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, only_some_engines);
	tcase_add_test(tests, higher_priority_goes_first);
	tcase_add_test(tests, shares_by_weight);
	return run_tests(suite);
}
