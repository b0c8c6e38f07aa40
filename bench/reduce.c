/* reduce.c: row reduce: the sum of many doubles, a result each, in one tree on 1, 2, 3 and 7
 * engines and with one killed in the middle; against one loop with the same tree, whose bits all
 * of them must have. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum { MOST = 7 };

/* Of many sizes, so that another order of adding has other bits. */
static double value_at(int64_t i)
{
	uint64_t x = (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (double)(int64_t)(x ^ x >> 32) / (double)(1 + (x & 0xffff));
}

static int one_value(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(double *)out = value_at(*(const int64_t *)in);
	return 0;
}

/* As a binary counter: sums[l] is of 2^l values. */
static double serial_sum(int64_t n)
{
	double sums[64], total = 0;
	bool is_first = true;

	for (int64_t i = 0; i < n; i++) {
		double sum = value_at(i);
		int level = 0;

		for (; i >> level & 1; level++)
			sum = sums[level] + sum;
		sums[level] = sum;
	}
	for (int level = 0; level < 63; level++) {
		if (!(n >> level & 1))
			continue;
		total = is_first ? sums[level] : sums[level] + total;
		is_first = false;
	}
	return total;
}

static struct xc_result *submit(struct bench *bench, int engines, int64_t n, double *sum)
{
	static const struct xc_reduction how = { .kind = XC_REDUCE_SUM, .dtype = XC_F64 };
	struct xc_error err = XC_ERROR_INIT;
	const struct xc_view *view;
	struct xc_result *result;
	int ids[MOST];

	xc_view_ids(xc_all(bench->client), ids, MOST);
	if (xc_balanced_over(bench->client, ids, engines, &view, &err) < 0)
		bench_die("reduce: %s", err.text);
	result = xc_map_reduce_async(view, one_value, n, &how, sum, sizeof(*sum),
				     &(struct xc_map_options){ .max_attempts = 3 }, &err);
	if (!result)
		bench_die("reduce: %s", err.text);
	return result;
}

/* Once a part has come, and before the end. */
static void kill_one(struct bench *bench, struct xc_result *result)
{
	struct xc_error err = XC_ERROR_INIT;
	pid_t pids[MOST];
	int64_t item;

	if (xc_next(result, XC_ANY_ORDER, -1, &item, &err) < 0)
		bench_die("reduce: %s", err.text);
	if (bench_engines(bench, pids, MOST) < 1 || xc_is_ready(result))
		bench_die("reduce: no engine could be killed in the middle");
	kill(pids[0], SIGKILL);
}

static double time_sum(struct bench *bench, int engines, int64_t n, bool kills, double expected)
{
	struct xc_error err = XC_ERROR_INIT;
	double begin = bench_now(), sum = 0, took;
	struct xc_result *result = submit(bench, engines, n, &sum);

	if (kills)
		kill_one(bench, result);
	if (xc_wait(result, -1, &err) < 0)
		bench_die("reduce: %s", err.text);
	took = bench_now() - begin;
	xc_result_destroy(result);
	if (memcmp(&sum, &expected, sizeof sum) != 0)
		bench_die("reduce: %a on %d engines%s, but %a by one loop", sum, engines,
			  kills ? ", one of them killed" : "", expected);
	return took;
}

void row_reduce(struct bench *bench)
{
	static const int engines[] = { 1, 2, 3, 7 };
	int64_t n = bench_pick(bench, 10000000, 100000000);
	double took[4], killed, begin, serial, expected;

	begin = bench_now();
	expected = serial_sum(n);
	serial = bench_now() - begin;
	bench_open(bench, MOST);
	time_sum(bench, MOST, n / 100, false, serial_sum(n / 100));
	for (int i = 0; i < 4; i++)
		took[i] = time_sum(bench, engines[i], n, false, expected);
	killed = time_sum(bench, MOST, n, true, expected);
	bench_report("reduce", took[1], serial, took[1] / serial);
	bench_note(
		"%lld doubles: %a, the same bits on 1, 2, 3, 7 engines (%.2f, %.2f, %.2f, %.2f s) "
		"and on 7 with one killed (%.2f s)",
		(long long)n, expected, took[0], took[1], took[2], took[3], killed);
	bench_close(bench);
}
