/* reduce.c: maps whose results become one: each kind against a plain loop; the same bits
 * whatever engines, chunks and seeds there are. */
#include "tests/integration/reduce_items.h"

#include <math.h>
#include <stdlib.h>

/* ---- Values, and the tree in plain C -------------------------------------------------- */

/* Of very different sizes, so that each order of adding has bits of its own. */
static double value_at(int64_t i)
{
	return ldexp((double)(int64_t)mix((uint64_t)i + 1), (int)(mix((uint64_t)i + 7) % 60) - 60);
}

static int value(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(double *)out = value_at(xc_task_index(task));
	return 0;
}

static double sum_of(int64_t first, int64_t size, int64_t n)
{
	int64_t half = size / 2;

	if (size == 1)
		return value_at(first);
	if (first + half >= n)
		return sum_of(first, half, n);
	return sum_of(first, half, n) + sum_of(first + half, half, n);
}

static double tree_sum(int64_t n)
{
	int64_t size = 1;

	while (size < n)
		size *= 2;
	return n ? sum_of(0, size, n) : 0;
}

static const struct xc_reduction sum = { .kind = XC_REDUCE_SUM, .dtype = XC_F64 };

static void assert_same_bits(double a, double b)
{
	ck_assert_msg(memcmp(&a, &b, sizeof a) == 0, "%a is not %a", a, b);
}

START_TEST(the_same_bits_on_any_number_of_engines)
{
	static const int64_t chunks[] = { 0, 1, 3, 1000 };
	static const int engines[] = { 1, 2, 3, 7 };
	int64_t n = 30011;
	double expected = tree_sum(n), plain = 0;

	for (int64_t i = 0; i < n; i++)
		plain += value_at(i);
	ck_assert_msg(plain != expected, "these values do not tell one order from another");
	for (int e = 0; e < 4; e++) {
		for (int c = 0; c < 4; c++) {
			struct xc_map_options options = { .chunk = chunks[c] };
			double result = 0;

			if (chunks[c] == 1 && engines[e] != 3)
				continue;
			assert_ok(xc_map_reduce(some(engines[e]), value, n, &sum, &result,
						sizeof result, &options, &err),
				  err);
			assert_same_bits(result, expected);
		}
	}
}
END_TEST

START_TEST(on_a_direct_view)
{
	double result;

	assert_ok(xc_map_reduce(xc_all(client), value, 30011, &sum, &result, sizeof result, NULL,
				&err),
		  err);
	assert_same_bits(result, tree_sum(30011));
}
END_TEST

START_TEST(without_a_cluster)
{
	struct xc_client *inside;
	double result;

	setenv("XCLUSTER", "inline:3", 1);
	assert_ok(xc_open(&inside, NULL, &err), err);
	unsetenv("XCLUSTER");
	for (int i = 0; i < SIZES; i++) {
		assert_ok(xc_map_reduce(xc_balanced(inside), value, sizes[i], &sum, &result,
					sizeof result, NULL, &err),
			  err);
		assert_same_bits(result, tree_sum(sizes[i]));
		assert_ok(xc_map_reduce(xc_all(inside), value, sizes[i], &sum, &result,
					sizeof result, &(struct xc_map_options){ .chunk = 5 },
					&err),
			  err);
		assert_same_bits(result, tree_sum(sizes[i]));
	}
	xc_close(inside);
}
END_TEST

/* ---- Each kind -------------------------------------------------------------------------- */

/* Values of which each sum is exact, so that a plain loop has the same bits. */
static double small_at(int64_t i)
{
	return (double)(int64_t)(mix((uint64_t)i) % 2001) - 1000;
}

static int small(struct xc_task *task, const void *in, void *out)
{
	double *x = out;

	(void)in;
	x[0] = small_at(xc_task_index(task));
	x[1] = x[0] / 8;
	return 0;
}

START_TEST(sums_of_several_elements)
{
	struct xc_reduction how = { .kind = XC_REDUCE_SUM, .dtype = XC_F64, .elements = 2 };
	double result[2], expected = 0;

	for (int64_t i = 0; i < sizes[_i]; i++)
		expected += small_at(i);
	reduce(sizes[_i], small, &how, result);
	assert_same_bits(result[0], expected);
	assert_same_bits(result[1], expected / 8);
	how.dtype = XC_C128; /* the same bytes */
	how.elements = 1;
	reduce(sizes[_i], small, &how, result);
	assert_same_bits(result[1], expected / 8);
}
END_TEST

static int integers(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(int64_t *)out = (int64_t)mix((uint64_t)xc_task_index(task)); /* sums wrap around */
	return 0;
}

START_TEST(sums_and_extremes_of_integers)
{
	struct xc_reduction how = { .kind = XC_REDUCE_SUM, .dtype = XC_I64 };
	int64_t n = sizes[_i], least = INT64_MAX, at = -1, result;
	struct xc_extreme low, high;
	uint64_t total = 0, greatest = 0;

	for (int64_t i = 0; i < n; i++) {
		uint64_t x = mix((uint64_t)i);

		total += x;
		if ((int64_t)x < least) {
			least = (int64_t)x;
			at = i;
		}
		if (x > greatest)
			greatest = x;
	}
	reduce(n, integers, &how, &result);
	ck_assert_int_eq(result, (int64_t)total);
	how.kind = XC_REDUCE_MIN;
	reduce(n, integers, &how, &low);
	ck_assert_int_eq(low.index, at);
	ck_assert_int_eq(low.value.i, n ? least : 0);
	how.kind = XC_REDUCE_MAX;
	how.dtype = XC_U64;
	reduce(n, integers, &how, &high);
	ck_assert_uint_eq(high.value.u, greatest);
}
END_TEST

/* Many equal ones: the first counts. Item 50 of `with_nan` is none. */
static int few(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(float *)out = (float)(mix((uint64_t)xc_task_index(task)) % 5);
	return 0;
}

static int with_nan(struct xc_task *task, const void *in, void *out)
{
	few(task, in, out);
	if (xc_task_index(task) % 100 == 50)
		*(float *)out = NAN;
	return 0;
}

START_TEST(the_first_of_equal_extremes_and_nan)
{
	struct xc_reduction how = { .kind = XC_REDUCE_MAX, .dtype = XC_F32 };
	struct xc_extreme e;
	int64_t first = 0;

	while (mix((uint64_t)first) % 5 != 4)
		first++;
	reduce(1000, few, &how, &e);
	ck_assert_int_eq(e.index, first);
	ck_assert(e.value.f == 4);
	reduce(1000, with_nan, &how, &e);
	ck_assert_int_eq(e.index, 50);
	how.kind = XC_REDUCE_MIN;
	reduce(1000, with_nan, &how, &e);
	ck_assert_int_eq(e.index, 50);
	ck_assert(isnan(e.value.f));
}
END_TEST

START_TEST(moments_of_values)
{
	struct xc_reduction how = { .kind = XC_REDUCE_MOMENTS, .dtype = XC_F64, .elements = 2 };
	int64_t n = sizes[_i];
	double mean = 0, m2 = 0;
	struct xc_moments m[2];

	for (int64_t i = 0; i < n; i++)
		mean += small_at(i) / (double)n;
	for (int64_t i = 0; i < n; i++)
		m2 += (small_at(i) - mean) * (small_at(i) - mean);
	reduce(n, small, &how, m);
	ck_assert_int_eq(m[0].count, n);
	ck_assert_double_eq_tol(m[0].mean, mean, 1e-9);
	ck_assert_double_eq_tol(m[0].m2, m2, 1e-9 * (m2 + 1));
	ck_assert_double_eq_tol(m[1].mean, mean / 8, 1e-9);
	if (n > 1)
		ck_assert_double_eq_tol(m[0].variance, m2 / (double)(n - 1), 1e-9 * m2);
	else
		ck_assert(isnan(m[0].variance));
}
END_TEST

/* Item 5 is infinite, and 9, too, of x[1], with the other sign. */
static int infinite(struct xc_task *task, const void *in, void *out)
{
	double *x = out;

	small(task, in, out);
	if (xc_task_index(task) == 5)
		x[0] = x[1] = INFINITY;
	if (xc_task_index(task) == 9)
		x[1] = -INFINITY;
	return 0;
}

START_TEST(moments_of_infinity)
{
	struct xc_reduction how = { .kind = XC_REDUCE_MOMENTS, .dtype = XC_F64, .elements = 2 };
	struct xc_moments m[2];

	reduce(100, infinite, &how, m);
	ck_assert(isinf(m[0].mean) && m[0].mean > 0);
	ck_assert(isnan(m[0].variance) || isinf(m[0].variance));
	ck_assert(isnan(m[1].mean) && isnan(m[1].variance));
}
END_TEST

START_TEST(a_histogram)
{
	struct xc_reduction how = { .kind = XC_REDUCE_HISTOGRAM,
				    .dtype = XC_F64,
				    .elements = 2,
				    .bins = 7,
				    .low = -700,
				    .high = 700 };
	int64_t counts[10], expected[10] = { 0 }, n = sizes[_i];

	for (int64_t i = 0; i < 2 * n; i++) {
		double x = i % 2 ? small_at(i / 2) / 8 : small_at(i / 2);
		int at = x < -700 ? 7 : x > 700 ? 8 : (int)floor((x + 700) / 200);

		expected[x == 700 ? 6 : at]++;
	}
	reduce(n, small, &how, counts);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(counts[i], expected[i]);
}
END_TEST

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

START_TEST(quantiles_within_their_error)
{
	static const double p[] = { 0, 0.01, 0.25, 0.5, 0.75, 0.999, 1 };
	struct xc_reduction how = { .kind = XC_REDUCE_QUANTILES,
				    .dtype = XC_F64,
				    .probabilities = p,
				    .count = 7,
				    .rank_error = 0.02 };
	int64_t n = _i ? sizes[_i] : 60000;
	double *all = malloc((size_t)n * sizeof *all), q[7];

	for (int64_t i = 0; i < n; i++)
		all[i] = value_at(i);
	qsort(all, (size_t)n, sizeof *all, by_value);
	reduce(n, value, &how, q);
	for (int i = 0; i < 7; i++) {
		int64_t below = 0, not_above = 0;

		for (int64_t k = 0; k < n; k++) {
			below += all[k] < q[i];
			not_above += all[k] <= q[i];
		}
		ck_assert_msg((double)below <= (p[i] + 0.02) * (double)n &&
				      (double)not_above >= (p[i] - 0.02) * (double)n &&
				      not_above > below,
			      "quantile %g is %g, of rank %lld", p[i], q[i], (long long)below);
		if (n <= 8)
			assert_same_bits(q[i], all[(int)ceil(p[i] * (double)n) - (p[i] > 0)]);
	}
	free(all);
}
END_TEST

/* 1e308 and its negative, and small ones between them: only the small ones are left. */
static int huge(struct xc_task *task, const void *in, void *out)
{
	int64_t i = xc_task_index(task);

	(void)in;
	*(double *)out = i % 3 == 0 ? 1.5e308 : i % 3 == 1 ? 1e-300 * (double)i : -1.5e308;
	return 0;
}

START_TEST(an_exact_sum)
{
	struct xc_reduction how = { .kind = XC_REDUCE_SUM_EXACT, .dtype = XC_F64 };
	double result, expected = 0;
	int64_t k = 1001;

	for (int64_t i = 1; i < 3 * k; i += 3)
		expected += (double)i; /* exact */
	reduce(3 * k, huge, &how, &result);
	ck_assert_double_eq_tol(result / 1e-300, expected, expected * 1e-15);
	reduce(0, huge, &how, &result);
	assert_same_bits(result, 0);
}
END_TEST

/* What items draw goes with their index, too. */
static int draw(struct xc_task *task, const void *in, void *out)
{
	struct xc_rng *rng = xc_task_rng(task);

	(void)in;
	if (!rng)
		return XC_TASK_FAILED;
	*(double *)out = xc_standard_normal(rng);
	return 0;
}

START_TEST(draws_of_streams)
{
	const struct xc_map_options options = { .seed = 7 };
	double first = 0, sum_of_draws;

	for (int engines = 1; engines <= ENGINES; engines++) {
		assert_ok(xc_map_reduce(some(engines), draw, 5000, &sum, &sum_of_draws,
					sizeof sum_of_draws, &options, &err),
			  err);
		first = engines == 1 ? sum_of_draws : first;
		assert_same_bits(sum_of_draws, first);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reduce");
	TCase *start = shared_case(suite, "start"), *shared = shared_case(suite, "reduce"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(shared, connect_client, close_client);
	tcase_add_test(shared, the_same_bits_on_any_number_of_engines);
	tcase_add_test(shared, on_a_direct_view);
	tcase_add_test(shared, without_a_cluster);
	tcase_add_loop_test(shared, sums_of_several_elements, 0, SIZES);
	tcase_add_loop_test(shared, sums_and_extremes_of_integers, 0, SIZES);
	tcase_add_test(shared, the_first_of_equal_extremes_and_nan);
	tcase_add_loop_test(shared, moments_of_values, 0, SIZES);
	tcase_add_test(shared, moments_of_infinity);
	tcase_add_loop_test(shared, a_histogram, 0, SIZES);
	tcase_add_loop_test(shared, quantiles_within_their_error, 0, SIZES);
	tcase_add_test(shared, an_exact_sum);
	tcase_add_test(shared, draws_of_streams);
	add_cluster_stop(stop);
	return run_tests(suite);
}
