/* test_intervals.c: the set of intervals against a map of bits. */
#include <stdbool.h>
#include <string.h>

#include "controller/intervals.h"
#include "tests/unit/unit.h"

#define RANGE 200

static struct intervals set;
static bool model[RANGE];
static uint64_t dice;

static int roll(int n)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (int)((dice >> 33) % (unsigned)n);
}

static void begin(void)
{
	memset(&set, 0, sizeof set);
	memset(model, 0, sizeof model);
}

static void end(void)
{
	intervals_fini(&set);
}

/* Sorted, disjoint, no two that touch, and the same numbers as the model. */
static void compare(void)
{
	int64_t total = 0, last = -1;
	bool seen[RANGE] = { false };

	for (size_t i = 0; i < set.count; i++) {
		const struct interval *one = &set.list[set.head + i];

		ck_assert_int_lt(one->first, one->end);
		ck_assert_int_gt(one->first, last);
		last = one->end;
		for (int64_t k = one->first; k < one->end; k++)
			seen[k] = true;
		total += one->end - one->first;
	}
	ck_assert_int_eq(set.total, total);
	ck_assert_mem_eq(seen, model, sizeof model);
	for (int64_t i = 0; i < RANGE; i++)
		if (intervals_has(&set, i) != model[i])
			ck_abort_msg("%lld: %d", (long long)i, model[i]);
}

static void add_something(void)
{
	int first = roll(RANGE), end = first + 1 + roll(12);

	if (end > RANGE)
		end = RANGE;
	for (int k = first; k < end; k++)
		if (model[k])
			return; /* only what is not there is ever put back */
	ck_assert_int_eq(intervals_add(&set, first, end), 0);
	memset(model + first, true, (size_t)(end - first));
}

static void take_something(void)
{
	int64_t max = roll(15), first = -1, n = intervals_take(&set, max, &first);
	int64_t expected = 0, front = 0;

	while (front < RANGE && !model[front])
		front++;
	while (front + expected < RANGE && model[front + expected] && expected < max)
		expected++;
	ck_assert_int_eq(n, expected);
	if (n == 0)
		return;
	ck_assert_int_eq(first, front);
	memset(model + first, false, (size_t)n);
}

static void take_something_within(void)
{
	int64_t from = roll(RANGE), to = from + roll(40), first = -1;
	int64_t n = intervals_take_within(&set, from, to, &first), at = from, length = 0;

	if (to > RANGE)
		to = RANGE;
	while (at < to && !model[at])
		at++;
	while (at + length < to && model[at + length])
		length++;
	ck_assert_int_eq(n, length);
	if (n == 0)
		return;
	ck_assert_int_eq(first, at);
	memset(model + first, false, (size_t)n);
}

START_TEST(test_against_a_model)
{
	dice = (uint64_t)_i;
	for (int step = 0; step < 3000; step++) {
		switch (roll(5)) {
		case 0:
		case 1:
			add_something();
			break;
		case 2:
			take_something_within();
			break;
		default:
			take_something();
		}
		compare();
	}
}
END_TEST

START_TEST(test_joins_neighbours)
{
	intervals_add(&set, 0, 10);
	intervals_add(&set, 20, 30);
	intervals_add(&set, 10, 20);
	ck_assert_uint_eq(set.count, 1);
	ck_assert_int_eq(set.total, 30);
}
END_TEST

START_TEST(test_empty)
{
	int64_t first = 7;

	ck_assert(!intervals_has(&set, 0));
	ck_assert_int_eq(intervals_take(&set, 5, &first), 0);
	ck_assert_int_eq(intervals_take_within(&set, 0, 5, &first), 0);
	ck_assert_int_eq(intervals_add(&set, 5, 5), 0);
	ck_assert_int_eq(set.total, 0);
	ck_assert_int_eq(first, 7);
}
END_TEST

START_TEST(test_huge)
{
	int64_t first;

	intervals_add(&set, 0, INT64_MAX / 4);
	ck_assert_int_eq(intervals_take(&set, 1000, &first), 1000);
	ck_assert_int_eq(intervals_take(&set, INT64_MAX, &first), INT64_MAX / 4 - 1000);
	ck_assert_int_eq(first, 1000);
	ck_assert_int_eq(set.total, 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("intervals");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_loop_test(tests, test_against_a_model, 1, 9);
	tcase_add_test(tests, test_joins_neighbours);
	tcase_add_test(tests, test_empty);
	tcase_add_test(tests, test_huge);
	return unit_run(tests);
}
