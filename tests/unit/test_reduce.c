/* test_reduce.c: nodes of a piece that survive whoever makes them; the tree of all nodes, in
 * whatever order they come; exact sums and quantiles against slow ways. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/reduce/reduce.h"
#include "proto/error.h"
#include "tests/unit/unit.h"

#define N 1201

static uint64_t state;

static uint64_t draw(void)
{
	state += UINT64_C(0x9e3779b97f4a7c15);
	return (state ^ state >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 8;
}

/* Of any size, as bits tell. */
static double any_double(int least, int most)
{
	double x = ldexp((double)draw(), least + (int)(draw() % (uint64_t)(most - least)));

	return draw() % 2 ? x : -x;
}

/* ---- Stacks ------------------------------------------------------------------------------- */

/* The first and the end of the items that a state is of. */
struct range {
	int64_t first, end;
};

static struct stack stack;
static void *memory;
static int64_t done, merges;
static bool is_good[N];

/* N.B. Check's own assertions cost a system call each. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("after %lld items: %s is wrong", (long long)done,             \
				     #condition);                                                  \
	} while (0)

static int64_t skip_bad(int64_t at, int64_t end)
{
	while (at < end && !is_good[at])
		at++;
	return at;
}

/* What somebody finds who looks in this moment. */
static void check_stack(int64_t items)
{
	struct span payload = { memory, stack_size(&stack) };
	struct node_reader reader;
	const void *bytes;
	struct node node;
	int64_t at = 0;
	int n;

	CHECK(node_reader_init(&reader, payload, items) == 0);
	while ((n = node_reader_next(&reader, &node, &bytes)) > 0) {
		const struct range *range = bytes;

		at = skip_bad(at, node.first);
		CHECK(node.first == at);
		CHECK(range->first == node.first);
		CHECK(range->end == node.first + (INT64_C(1) << node.level));
		at = range->end;
	}
	CHECK(n == 0);
	CHECK(skip_bad(at, items) == items);
}

static void join(void *left, const void *right, const void *argument)
{
	struct range *a = left;
	const struct range *b = right;

	(void)argument;
	merges++;
	if (memory && done % 7 == 0)
		check_stack(done);
	CHECK(a->end == b->first);
	a->end = -1;
	if (memory && done % 7 == 0)
		check_stack(done);
	a->end = b->end;
}

static const struct reduce_spec ranges = { .kind = XC_REDUCE_OWN,
					   .elements = 1,
					   .size = sizeof(struct range) };

static void start(struct reduce *r, const struct reduce_spec *spec)
{
	ck_assert_int_eq(reduce_init(r, spec), 0);
	r->combine = join;
	free(memory);
	memory = aligned_alloc(64, (stack_room(r) + 63) & ~(size_t)63);
	ck_assert_ptr_nonnull(memory);
	stack_begin(&stack, r, memory);
}

static void finish(struct reduce *r)
{
	free(memory);
	memory = NULL;
	reduce_fini(r);
}

/* One item of so many ends well; 0: all do. */
START_TEST(test_what_counts_is_whole_at_every_moment)
{
	struct reduce r;
	char *packed;

	start(&r, &ranges);
	merges = 0;
	for (done = 0; done < N && !stack_is_full(&stack); done++) {
		struct range *range = stack_leaf(&stack);

		is_good[done] = _i == 0 || draw() % (uint64_t)(3 * _i) == 0;
		CHECK(range->first == 0 && range->end == 0);
		*range = (struct range){ done, done + 1 };
		if (is_good[done])
			stack_push(&stack, done, done);
		else
			stack_skip(&stack, done);
		check_stack(done + 1);
	}
	if (_i == 0) {
		ck_assert_int_eq(done, N);
		ck_assert_int_gt(merges, N - 11);
	}
	packed = malloc(stack_packed_size(&stack, done));
	ck_assert_uint_eq(stack_pack(&stack, done, packed), stack_packed_size(&stack, done));
	free(packed);
	finish(&r);
}
END_TEST

/* ---- Trees -------------------------------------------------------------------------------- */

struct part {
	int64_t first, count;
	char *bytes;
	size_t size;
};

static int by_key(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (x[0] > y[0]) - (x[0] < y[0]);
}

static double value_of(int64_t i)
{
	return ldexp((double)(i * 7919 % 1000003), (int)(i % 50));
}

static struct part make_part(struct reduce *r, int64_t first, int64_t count)
{
	struct part part = { .first = first, .count = count };

	stack_begin(&stack, r, memory);
	for (int64_t i = 0; i < count; i++) {
		*(double *)stack_leaf(&stack) = value_of(first + i);
		stack_push(&stack, i, first + i);
	}
	part.size = stack_packed_size(&stack, count);
	part.bytes = malloc(part.size);
	stack_pack(&stack, count, part.bytes);
	return part;
}

static double sum_of(int64_t first, int64_t size, int64_t n)
{
	int64_t half = size / 2;

	if (size == 1)
		return value_of(first);
	if (first + half >= n)
		return sum_of(first, half, n);
	return sum_of(first, half, n) + sum_of(first + half, half, n);
}

static const struct reduce_spec sums = { .kind = XC_REDUCE_SUM, .dtype = XC_F64, .elements = 1 };

/* Items in parts of random size, which come in random order. */
START_TEST(test_the_same_bits_in_any_order)
{
	uint64_t order[N][2];
	struct part parts[N];
	size_t count = 0;
	struct tree tree;
	struct reduce r;
	int64_t n, at = 0;
	double expected;

	state = (uint64_t)_i;
	n = _i < 3 ? _i + 1 : 1 + (int64_t)(draw() % N);
	expected = sum_of(0, INT64_C(1) << 12, n);
	start(&r, &sums);
	while (at < n) {
		int64_t size = 1 + (int64_t)(draw() % 40);

		size = size < n - at ? size : n - at;
		order[count][0] = draw();
		order[count][1] = count;
		parts[count++] = make_part(&r, at, size);
		at += size;
	}
	qsort(order, count, sizeof order[0], by_key);
	ck_assert_int_eq(tree_init(&tree, &sums, n), 0);
	for (size_t i = 0; i < count; i++) {
		struct part *part = &parts[order[i][1]];

		ck_assert_ptr_null(tree_root(&tree));
		ck_assert_int_eq(tree_take(&tree, (struct span){ part->bytes, part->size },
					   part->first, part->count, part->count),
				 0);
		free(part->bytes);
	}
	ck_assert_ptr_nonnull(tree_root(&tree));
	ck_assert_mem_eq(tree_root(&tree), &expected, sizeof expected);
	tree_fini(&tree);
	finish(&r);
}
END_TEST

static bool is_taken(struct part part, int64_t first, int64_t count, int64_t good)
{
	struct tree tree;
	bool is_broken;

	ck_assert_int_eq(tree_init(&tree, &sums, 100), 0);
	ck_assert_int_eq(
		tree_take(&tree, (struct span){ part.bytes, part.size }, first, count, good), 0);
	is_broken = tree.is_broken;
	tree_fini(&tree);
	return !is_broken;
}

START_TEST(test_payloads_that_cannot_be)
{
	struct part part;
	struct reduce r;
	uint64_t word;

	start(&r, &sums);
	part = make_part(&r, 8, 13);
	ck_assert(is_taken(part, 8, 13, 13));
	ck_assert(is_taken(part, 0, 30, 13)); /* others have failed */
	ck_assert(!is_taken(part, 8, 13, 12));
	ck_assert(!is_taken(part, 9, 12, 12));
	ck_assert(!is_taken(part, 8, 12, 12));
	for (size_t size = 0; size < part.size; size++)
		ck_assert(!is_taken((struct part){ .bytes = part.bytes, .size = size }, 8, 13, 13));
	for (size_t i = 0; i + 8 <= part.size; i += 8) {
		memcpy(&word, part.bytes + i, 8);
		word ^= UINT64_C(1) << 62;
		memcpy(part.bytes + i, &word, 8);
		/* but for what a state is, and a word of no meaning */
		ck_assert_int_eq(is_taken(part, 8, 13, 13),
				 i % 40 == 32 || i % 40 == 0 ? i > 0 : 0);
		word ^= UINT64_C(1) << 62;
		memcpy(part.bytes + i, &word, 8);
	}
	free(part.bytes);
	finish(&r);
}
END_TEST

START_TEST(test_an_item_told_twice)
{
	struct part part;
	struct tree tree;
	struct reduce r;

	start(&r, &sums);
	part = make_part(&r, 8, 3);
	ck_assert_int_eq(tree_init(&tree, &sums, 100), 0);
	for (int i = 0; i < 2; i++) {
		tree_take(&tree, (struct span){ part.bytes, part.size }, 8, 3, 3);
		ck_assert_int_eq(tree.is_broken, i);
	}
	tree_fini(&tree);
	free(part.bytes);
	finish(&r);
}
END_TEST

START_TEST(test_specs_that_cannot_be)
{
	struct reduce_spec specs[] = {
		{ .elements = 1 },
		{ .kind = 9, .elements = 1 },
		{ .kind = XC_REDUCE_SUM, .dtype = 99, .elements = 1 },
		{ .kind = XC_REDUCE_SUM, .dtype = XC_F64 },
		{ .kind = XC_REDUCE_SUM_EXACT, .dtype = XC_F64, .elements = UINT64_C(1) << 27 },
		{ .kind = XC_REDUCE_OWN, .elements = 1 },
		{ .kind = XC_REDUCE_OWN, .elements = 1, .size = REDUCE_STATE_MAX + 1 },
		{ .kind = XC_REDUCE_QUANTILES, .dtype = XC_F64, .elements = 1, .bins = 10 }
	};
	struct reduce r;

	for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
		ck_assert_msg(reduce_init(&r, &specs[i]) == XC_EPROTO, "spec %zu is taken", i);
}
END_TEST

/* ---- Exact sums ------------------------------------------------------------------------------ */

static double sum_exactly(const double *values, int64_t n)
{
	const struct reduce_spec spec = { .kind = XC_REDUCE_SUM_EXACT,
					  .dtype = XC_F64,
					  .elements = 1 };
	struct tree tree;
	struct reduce r;
	struct part part = { 0 };
	double result = 0;

	start(&r, &spec);
	for (int64_t i = 0; i < n; i++) {
		*(double *)stack_leaf(&stack) = values[i];
		stack_push(&stack, i, i);
	}
	part.size = stack_packed_size(&stack, n);
	part.bytes = malloc(part.size);
	stack_pack(&stack, n, part.bytes);
	ck_assert_int_eq(tree_init(&tree, &spec, n), 0);
	ck_assert_int_eq(tree_take(&tree, (struct span){ part.bytes, part.size }, 0, n, n), 0);
	ck_assert_ptr_nonnull(tree_root(&tree));
	r.kind->finish(&r, tree_root(&tree), &result);
	tree_fini(&tree);
	free(part.bytes);
	finish(&r);
	return result;
}

/* Shewchuk 1997, as in Python's math.fsum: without overflow, and the last rounding half to
 * even. */
static double fsum(const double *values, int64_t n)
{
	double partials[2100], high = 0, low = 0;
	int count = 0, i;

	for (int64_t k = 0; k < n; k++) {
		volatile double x = values[k];
		int kept = 0;

		for (i = 0; i < count; i++) {
			double y = partials[i], a = fabs(x) < fabs(y) ? y : x;
			double b = fabs(x) < fabs(y) ? x : y;
			volatile double sum = a + b, part = sum - a, rest = b - part;

			if (rest != 0)
				partials[kept++] = rest;
			x = sum;
		}
		count = kept;
		partials[count++] = x;
	}
	while (count > 0) {
		volatile double x = high, y = partials[--count], sum = x + y, part = sum - x;

		high = sum;
		low = y - part;
		if (low != 0)
			break;
	}
	if (count > 0 &&
	    ((low < 0 && partials[count - 1] < 0) || (low > 0 && partials[count - 1] > 0))) {
		volatile double twice = low * 2, x = high + twice, part = x - high;

		if (twice == part)
			high = x;
	}
	return high;
}

START_TEST(test_exact_sums_of_any_doubles)
{
	static const int spans[][2] = { { -1130, -1000 }, { -1130, 900 }, { -60, 0 }, { -3, 3 } };
	double values[200];

	for (int round = 0; round < 25; round++) {
		int64_t n = 1 + (int64_t)(draw() % 200);
		double expected, result;

		for (int64_t i = 0; i < n; i++)
			values[i] = i % 3 == 2 && draw() % 2
					    ? -values[i - 1]
					    : any_double(spans[_i][0], spans[_i][1]);
		expected = fsum(values, n);
		result = sum_exactly(values, n);
		ck_assert_msg(result == expected, "%a is not %a", result, expected);
	}
}
END_TEST

START_TEST(test_exact_sums_at_the_ends)
{
	static const struct {
		double values[4], sum;
	} rows[] = { { { 0x1p-1074, 0x1p-1074, 0, 0 }, 0x1p-1073 },
		     { { 0x1p-1074, -0x1p-1074, 0, -0.0 }, 0 },
		     { { 0x1p1023, 0x1p1023, -0x1p1023, 0 }, 0x1p1023 },
		     { { 0x1p1023, 0x1p1023, 0, 0 }, INFINITY },
		     { { -0x1.fffffffffffffp1023, -0x1p970, 0, 0 }, -INFINITY },
		     { { -0x1.fffffffffffffp1023, -0x1p969, 0, 0 }, -0x1.fffffffffffffp1023 },
		     { { 1, 0x1p-53, 0, 0 }, 1 }, /* half way: to even */
		     { { 1, 0x1p-53, 0x1p-1074, 0 }, 0x1.0000000000001p0 },
		     { { 0x1.0000000000001p0, 0x1p-53, 0, 0 }, 0x1.0000000000002p0 },
		     { { -1, -0x1p-53, -0x1p-1074, 0 }, -0x1.0000000000001p0 },
		     { { 1, INFINITY, 1, 0 }, INFINITY },
		     { { -INFINITY, 1, 1, 0x1p1023 }, -INFINITY },
		     { { INFINITY, -INFINITY, 0, 0 }, NAN },
		     { { 1, NAN, 0, 0 }, NAN } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double sum = sum_exactly(rows[i].values, 4);

		ck_assert_msg(sum == rows[i].sum || (isnan(sum) && isnan(rows[i].sum)),
			      "row %zu: %a is not %a", i, sum, rows[i].sum);
	}
}
END_TEST

/* ---- Quantiles ---------------------------------------------------------------------------------
 */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* In an order that is hard: sorted, backwards, in turns from both ends, random. */
static double value_in_order(int order, int64_t i, int64_t n)
{
	switch (order) {
	case 0:
		return (double)i;
	case 1:
		return (double)(n - i);
	case 2:
		return i % 2 ? (double)i : (double)-i;
	default:
		return (double)(draw() % 5000);
	}
}

START_TEST(test_quantiles_keep_to_their_bound)
{
	int64_t elements = _i < 4 ? 1 : 700, items = _i < 4 ? 6000 : 20, n = items * elements;
	struct reduce_spec spec = { .kind = XC_REDUCE_QUANTILES,
				    .dtype = XC_F64,
				    .elements = (uint64_t)elements };
	double *values = malloc((size_t)n * sizeof(double)), error = 0.05;
	struct reduce r;
	struct tree tree;
	struct part part;

	ck_assert(sketch_plan((double)n, error, &spec.bins, &spec.levels));
	ck_assert_uint_lt(spec.bins, 300);
	start(&r, &spec);
	for (int64_t i = 0; i < items; i++) {
		double *leaf = stack_leaf(&stack);

		for (int64_t k = 0; k < elements; k++)
			leaf[k] = values[i * elements + k] =
				value_in_order(_i % 4, i * elements + k, n);
		stack_push(&stack, i, i);
	}
	part.size = stack_packed_size(&stack, items);
	part.bytes = malloc(part.size);
	stack_pack(&stack, items, part.bytes);
	ck_assert_int_eq(tree_init(&tree, &spec, items), 0);
	ck_assert_int_eq(tree_take(&tree, (struct span){ part.bytes, part.size }, 0, items, items),
			 0);
	ck_assert_ptr_nonnull(tree_root(&tree));
	qsort(values, (size_t)n, sizeof(double), ascending);
	for (int i = 0; i <= 100; i++) {
		double p = i / 100.0, q;
		int64_t low = (int64_t)((p - error) * (double)n) - 1;
		int64_t high = (int64_t)((p + error) * (double)n);

		sketch_quantiles(&r, tree_root(&tree), &p, 1, &q);
		ck_assert_msg((low < 0 || values[low] <= q) && (high >= n || values[high] >= q),
			      "order %d: quantile %g is %g", _i, p, q);
	}
	tree_fini(&tree);
	finish(&r);
	free(part.bytes);
	free(values);
}
END_TEST

START_TEST(test_plans_of_sketches)
{
	uint64_t values, levels;

	ck_assert(sketch_plan(1000, 0.001, &values, &levels));
	ck_assert_uint_le(values, 1000);
	for (double n = 1; n < 1e15; n *= 10) {
		ck_assert(sketch_plan(n, 0.01, &values, &levels));
		ck_assert(n <= (double)values ||
			  ceil(log2(n / (double)values)) / (double)values <= 0.01);
		ck_assert_uint_le(sketch_state_size(values, levels), 4 << 20);
	}
	ck_assert(!sketch_plan(1e15, 1e-6, &values, &levels));
}
END_TEST

static void begin(void)
{
	state = 1;
	memory = NULL;
}

int main(void)
{
	TCase *tests = tcase_create("reduce");

	tcase_add_checked_fixture(tests, begin, NULL);
	tcase_add_loop_test(tests, test_what_counts_is_whole_at_every_moment, 0, 5);
	tcase_add_loop_test(tests, test_the_same_bits_in_any_order, 0, 20);
	tcase_add_test(tests, test_payloads_that_cannot_be);
	tcase_add_test(tests, test_an_item_told_twice);
	tcase_add_test(tests, test_specs_that_cannot_be);
	tcase_add_loop_test(tests, test_exact_sums_of_any_doubles, 0, 4);
	tcase_add_test(tests, test_exact_sums_at_the_ends);
	tcase_add_loop_test(tests, test_quantiles_keep_to_their_bound, 0, 8);
	tcase_add_test(tests, test_plans_of_sketches);
	return unit_run(tests);
}
