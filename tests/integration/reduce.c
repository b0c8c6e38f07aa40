/* reduce.c: maps whose results become one: each kind against a plain loop; the same bits
 * whatever engines, chunks, deaths and retries there are. */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENGINES 7

static const int64_t sizes[] = { 0, 1, 2, 3, 7, 64, 1000, 4097 };
#define SIZES ((int)(sizeof sizes / sizeof sizes[0]))

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

/* Load-balanced over the first so many engines. */
static const struct xc_view *some(int engines)
{
	const struct xc_view *view;
	int ids[ENGINES];

	ck_assert_int_eq(xc_view_ids(xc_all(client), ids, ENGINES), ENGINES);
	assert_ok(xc_balanced_over(client, ids, engines, &view, &err), err);
	return view;
}

/* ---- Values, and the tree in plain C -------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

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

static void reduce(int64_t n, xc_task_fn *fn, const struct xc_reduction *how, void *result)
{
	int64_t size = xc_reduction_size(how, &err);

	ck_assert_msg(size > 0, "%s", err.text);
	memset(result, 0xa5, (size_t)size);
	assert_ok(xc_map_reduce(xc_balanced(client), fn, n, how, result, (size_t)size, NULL, &err),
		  err);
}

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

/* ---- A function of the program ------------------------------------------------------------ */

/* Of a text of `count` characters: a hash that knows the order of all of them. */
struct text {
	uint64_t hash, power; /* power: of the base, to the count */
	int64_t count, first;
};

static uint64_t base_of(const void *argument)
{
	uint64_t base;

	memcpy(&base, argument, sizeof base);
	return base;
}

static void join(void *left, const void *right, const void *argument)
{
	struct text *a = left;
	const struct text *b = right;

	if (a->first + a->count != b->first || base_of(argument) != 1000003)
		abort();
	a->hash = a->hash * b->power + b->hash;
	a->power *= b->power;
	a->count += b->count;
}

static void character(struct text *text, int64_t i)
{
	*text = (struct text){ .hash = mix((uint64_t)i), .power = 1000003, .count = 1, .first = i };
}

static int write_character(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	character(out, xc_task_index(task));
	return 0;
}

static const uint64_t base = 1000003;
static const struct xc_reduction joined = { .kind = XC_REDUCE_OWN,
					    .size = sizeof(struct text),
					    .combine = join,
					    .argument = &base,
					    .argument_size = sizeof base };

static void assert_joined(const struct text *text, int64_t n)
{
	uint64_t hash = 0;

	for (int64_t i = 0; i < n; i++)
		hash = hash * base + mix((uint64_t)i);
	ck_assert_int_eq(text->count, n);
	ck_assert_uint_eq(text->hash, hash);
}

START_TEST(neighbours_are_joined_in_their_order)
{
	struct text text;

	reduce(sizes[_i], write_character, &joined, &text);
	assert_joined(&text, sizes[_i]);
}
END_TEST

static int echo(struct xc_task *task, const void *in, void *out)
{
	struct text *text = out;
	int64_t i;

	memcpy(&i, in, sizeof i);
	character(text, i);
	return xc_task_in_size(task) < sizeof i;
}

START_TEST(arrays_and_packed_items)
{
	enum { N = 3001 };
	struct xc_bytes items[N];
	int64_t numbers[2 * N];
	struct text text;

	for (int64_t i = 0; i < N; i++) {
		numbers[2 * i] = i;
		numbers[2 * i + 1] = 0;
		items[i] = (struct xc_bytes){ &numbers[2 * i], 8 + (size_t)i % 8 };
	}
	assert_ok(xc_map_reduce_array(xc_balanced(client), echo, numbers, 16, N, &joined, &text,
				      sizeof text, NULL, &err),
		  err);
	assert_joined(&text, N);
	assert_ok(xc_map_reduce_packed(xc_balanced(client), echo, items, N, &joined, &text,
				       sizeof text, NULL, &err),
		  err);
	assert_joined(&text, N);
}
END_TEST

/* Results of a megabyte are combined where they are made. */
struct large {
	struct text text;
	char rest[(1 << 20) - sizeof(struct text)];
};

static void join_large(void *left, const void *right, const void *argument)
{
	struct large *a = left;
	const struct large *b = right;

	join(&a->text, &b->text, argument);
	for (size_t i = 0; i < sizeof a->rest; i += 4096)
		a->rest[i] = (char)(a->rest[i] + b->rest[i]);
}

static int write_large(struct xc_task *task, const void *in, void *out)
{
	struct large *large = out;

	(void)in;
	character(&large->text, xc_task_index(task));
	memset(large->rest, 1, sizeof large->rest);
	return 0;
}

START_TEST(large_results)
{
	struct xc_reduction how = joined;
	struct large *large = malloc(sizeof *large);

	how.size = sizeof *large;
	how.combine = join_large;
	reduce(150, write_large, &how, large);
	assert_joined(&large->text, 150);
	ck_assert_int_eq(large->rest[4096], (char)150);
	free(large);
}
END_TEST

/* ---- What goes wrong ------------------------------------------------------------------------- */

static int fails_once(struct xc_task *task, const void *in, void *out)
{
	if (mix((uint64_t)xc_task_index(task)) % 3 == 0 && xc_task_attempt(task) == 1)
		return xc_task_fail(task, "not yet");
	return write_character(task, in, out);
}

START_TEST(items_that_run_again)
{
	struct xc_map_options options = { .max_attempts = 2 };
	struct text text;

	assert_ok(xc_map_reduce(xc_balanced(client), fails_once, 2000, &joined, &text, sizeof text,
				&options, &err),
		  err);
	assert_joined(&text, 2000);
}
END_TEST

START_TEST(an_item_that_does_not_end_well)
{
	struct text text = { .count = 4711 };

	assert_error(xc_map_reduce(xc_balanced(client), fails_once, 2000, &joined, &text,
				   sizeof text, NULL, &err),
		     XC_EFAILED, &err, "not yet");
	ck_assert_int_eq(text.count, 4711);
}
END_TEST

static int leave_a_trace(const struct xc_task *task)
{
	int64_t index = xc_task_index(task);
	int fd = open(test_path("runs"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	bool is_written = fd >= 0 && write(fd, &index, sizeof index) == sizeof index;

	close(fd);
	return is_written ? 0 : 98;
}

/* Items 777 and 1500 wait for the test, in their first attempt. */
static int traced(struct xc_task *task, const void *in, void *out)
{
	int64_t i = xc_task_index(task);

	if (leave_a_trace(task))
		return 98;
	if ((i == 777 || i == 1500) && xc_task_attempt(task) == 1) {
		task_announce(task);
		task_wait_at_gate();
	}
	return write_character(task, in, out);
}

/* The items that were being run when their engines were killed ran twice, all others once:
 * what was combined before is not lost. */
START_TEST(engines_killed_in_mid_run)
{
	struct xc_map_options options = { .max_attempts = 2, .chunk = 250 };
	struct xc_result *result;
	int runs[2000] = { 0 };
	struct text text;
	int64_t index;
	FILE *file;

	stage_open();
	result = xc_map_reduce_async(xc_balanced(client), traced, 2000, &joined, &text, sizeof text,
				     &options, &err);
	ck_assert_msg(result, "%s", err.text);
	for (int i = 0; i < 2; i++)
		kill(stage_news().pid, SIGKILL);
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	stage_close();
	assert_joined(&text, 2000);
	file = fopen(test_path("runs"), "r");
	ck_assert_ptr_nonnull(file);
	while (fread(&index, sizeof index, 1, file) == 1)
		runs[index]++;
	fclose(file);
	for (int i = 0; i < 2000; i++)
		ck_assert_msg(runs[i] == (i == 777 || i == 1500 ? 2 : 1), "item %d ran %d times", i,
			      runs[i]);
}
END_TEST

/* In engines, where item 100 is on the right. */
__attribute__((no_sanitize("address", "undefined"))) static void
crash(void *left, const void *right, const void *argument)
{
	const struct text *b = right;
	pid_t pid;

	memcpy(&pid, argument, sizeof pid);
	if (getpid() != pid && b->first <= 100 && b->first + b->count > 100) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	join(left, right, &base);
}

static void hang(void *left, const void *right, const void *argument)
{
	const struct text *b = right;
	pid_t pid;

	memcpy(&pid, argument, sizeof pid);
	while (getpid() != pid && b->first <= 100 && b->first + b->count > 100)
		pause();
	join(left, right, &base);
}

static void check_combine(xc_combine_fn *combine, double time_limit, const char *expected)
{
	pid_t pid = getpid();
	struct xc_reduction how = { .kind = XC_REDUCE_OWN,
				    .size = sizeof(struct text),
				    .combine = combine,
				    .argument = &pid,
				    .argument_size = sizeof pid };
	struct xc_map_options options = { .chunk = 1000, .time_limit = time_limit };
	struct text text;

	assert_error(xc_map_reduce(xc_balanced(client), write_character, 1000, &how, &text,
				   sizeof text, &options, &err),
		     XC_EFAILED, &err, expected);
}

START_TEST(the_item_pays_whose_combination_crashes)
{
	check_combine(crash, 0, "1 of 1000 items did not end well; first: item 103 crashed");
}
END_TEST

START_TEST(the_item_pays_whose_combination_hangs)
{
	check_combine(hang, 0.2, "1 of 1000 items did not end well; first: item 103 timed out");
}
END_TEST

/* ---- Memory ---------------------------------------------------------------------------------- */

static long resident_kb(pid_t pid)
{
	char path[64], line[200];
	long kb = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	fclose(file);
	return kb;
}

static int one(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(int64_t *)out = 1;
	return 0;
}

START_TEST(memory_does_not_grow_with_the_items)
{
	struct xc_reduction how = { .kind = XC_REDUCE_SUM, .dtype = XC_I64 };
	int64_t n = INT64_C(3000000), result;
	long before, controller;

	reduce(10000, one, &how, &result);
	before = resident_kb(getpid());
	controller = resident_kb(controller_pid());
	reduce(n, one, &how, &result);
	ck_assert_int_eq(result, n);
	/* n results would be 24 MB */
	ck_assert_int_lt(resident_kb(getpid()) - before, 4000);
	ck_assert_int_lt(resident_kb(controller_pid()) - controller, 4000);
}
END_TEST

/* ---- Jobs by id --------------------------------------------------------------------------------
 */

static void check_others(struct xc_client *of)
{
	struct xc_result *result, *other;
	char id[XC_JOB_ID_SIZE];
	struct text text;

	result = xc_map_reduce_async(xc_balanced(of), write_character, 500, &joined, &text,
				     sizeof text, NULL, &err);
	ck_assert_msg(result, "%s", err.text);
	ck_assert_int_eq(xc_result_id(result, id), 0);
	other = xc_attach(of, id, NULL, 0, &err);
	ck_assert_msg(other, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	assert_ok(xc_wait(other, LIMIT, &err), err);
	ck_assert_int_eq(xc_result_progress(other).done, 500);
	ck_assert_ptr_null(xc_result_item(other, 0, NULL));
	xc_result_destroy(other);
	ck_assert_ptr_null(xc_resubmit(of, id, NULL, 0, &err));
	assert_error(err.code, -EINVAL, &err, "call xc_map_reduce again");
	ck_assert_ptr_null(xc_resubmit(of, id, &text, sizeof text, &err));
	assert_error(err.code, -EINVAL, &err, "call xc_map_reduce again");
	xc_result_destroy(result);
	assert_joined(&text, 500);
}

START_TEST(others_may_watch_but_not_run_it_again)
{
	struct xc_client *inside;

	check_others(client);
	setenv("XCLUSTER", "inline", 1);
	assert_ok(xc_open(&inside, NULL, &err), err);
	unsetenv("XCLUSTER");
	check_others(inside);
	xc_close(inside);
}
END_TEST

/* ---- The examples ------------------------------------------------------------------------------
 */

/* What numpy makes of the same streams. */
static const struct {
	const char *program, *argument, *printed;
} examples[] = {
	{ "pi", "1e7", "10000000 draws: pi is 3.142206400, give or take 0.000734216\n" },
	{ "bootstrap", "10000",
	  "median 27, 95 % confidence interval from 26 to 28.5 (10000 samples)\n" },
	{ "permutation_test", "20000",
	  "difference 30.635 days, p-value 0.2713; the largest of 20000 permutations is 87.778\n" },
};
#define EXAMPLES ((int)(sizeof examples / sizeof examples[0]))

START_TEST(examples_print_what_numpy_says)
{
	static struct output output;
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", getenv("XC_TEST_EXAMPLES"), examples[_i].program);
	RUN(&output, path, examples[_i].argument);
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_str_eq(output.out, examples[_i].printed);
	setenv("XCLUSTER", "inline:2", 1);
	RUN(&output, path, examples[_i].argument);
	unsetenv("XCLUSTER");
	ck_assert_str_eq(output.out, examples[_i].printed);
	RUN(&output, path, "0");
	ck_assert_int_eq(output.status, 2);
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
	tcase_add_loop_test(shared, a_histogram, 0, SIZES);
	tcase_add_loop_test(shared, quantiles_within_their_error, 0, SIZES);
	tcase_add_test(shared, an_exact_sum);
	tcase_add_loop_test(shared, neighbours_are_joined_in_their_order, 0, SIZES);
	tcase_add_test(shared, arrays_and_packed_items);
	tcase_add_test(shared, large_results);
	tcase_add_test(shared, items_that_run_again);
	tcase_add_test(shared, an_item_that_does_not_end_well);
	tcase_add_test(shared, engines_killed_in_mid_run);
	tcase_add_test(shared, the_item_pays_whose_combination_crashes);
	tcase_add_test(shared, the_item_pays_whose_combination_hangs);
	tcase_add_test(shared, memory_does_not_grow_with_the_items);
	tcase_add_test(shared, others_may_watch_but_not_run_it_again);
	tcase_add_loop_test(shared, examples_print_what_numpy_says, 0, EXAMPLES);
	add_cluster_stop(stop);
	return run_tests(suite);
}
