/* test_ended.c: which items have ended, whatever the order of arrival. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"

#define ITEMS 5000

/* Pieces of a job in an order that depends on the seed, as engines bring them. */
struct arrivals {
	int64_t first[ITEMS], count[ITEMS];
	int n;
};

static enum xc_state state_of(int64_t i)
{
	return i % 50 == 0 ? XC_CRASHED : XC_OK;
}

static void make(struct arrivals *a, unsigned seed)
{
	int64_t at = 0;

	a->n = 0;
	while (at < ITEMS) {
		int64_t count = 1 + rand_r(&seed) % 40;

		/* Each piece ends in one way. */
		if (at % 50 == 0)
			count = 1;
		else if (at % 50 + count > 50)
			count = 50 - at % 50;
		a->first[a->n] = at;
		a->count[a->n++] = count;
		at += count;
	}
	for (int i = a->n - 1; seed % 2 && i > 0; i--) {
		int k = rand_r(&seed) % (i + 1);
		int64_t first = a->first[i], count = a->count[i];

		a->first[i] = a->first[k];
		a->count[i] = a->count[k];
		a->first[k] = first;
		a->count[k] = count;
	}
}

static void release(struct xc_result *result)
{
	free(result->ended.log);
	free(result->ended.sorted);
}

START_TEST(both_orders)
{
	struct xc_result result = { .items = ITEMS };
	static bool came[ITEMS], seen[ITEMS];
	static struct arrivals a;
	int64_t item, any = 0, ordered = 0;

	memset(came, 0, sizeof came);
	memset(seen, 0, sizeof seen);
	make(&a, (unsigned)_i);
	for (int i = 0; i < a.n; i++) {
		xci_ended_add(&result, a.first[i], a.count[i], state_of(a.first[i]));
		memset(came + a.first[i], 1, (size_t)a.count[i]);
		result.is_ready = i == a.n - 1;
		/* Sometimes nobody asks for a while. */
		if (i % 3 == _i % 3 && !result.is_ready)
			continue;
		for (; xci_next(&result, XC_ANY_ORDER, &item) == 1; any++) {
			if (!came[item] || seen[item])
				ck_abort_msg("item %lld has not come, or twice", (long long)item);
			seen[item] = true;
		}
		while (xci_next(&result, XC_IN_ORDER, &item) == 1)
			if (item != ordered++ || !came[item])
				ck_abort_msg("item %lld is out of order", (long long)item);
		ck_assert(ordered == ITEMS || !came[ordered]);
	}
	ck_assert_int_eq(any, ITEMS);
	ck_assert_int_eq(ordered, ITEMS);
	ck_assert_int_eq(xci_next(&result, XC_ANY_ORDER, &item), 0);
	ck_assert_int_eq(xci_next(&result, XC_IN_ORDER, &item), 0);
	for (item = 0; item < ITEMS; item++)
		if (xc_item_state(&result, item) != (int)state_of(item))
			ck_abort_msg("the state of item %lld is wrong", (long long)item);
	ck_assert_uint_eq(result.ended.sorted_count, 2 * ITEMS / 50);
	release(&result);
}
END_TEST

START_TEST(memory_is_of_pieces)
{
	struct xc_result result = { .items = INT64_C(1) << 40 };
	int64_t half = result.items / 2, item;

	for (int64_t i = 0; i < 100000; i++) {
		xci_ended_add(&result, i, 1, XC_OK);
		if (i == 500)
			ck_assert_int_eq(xc_item_state(&result, 500), XC_OK);
	}
	ck_assert_uint_eq(result.ended.count, 1);
	xci_ended_add(&result, half, half, XC_LOST);
	ck_assert_int_eq(xc_item_state(&result, 99999), XC_OK);
	ck_assert_int_eq(xc_item_state(&result, 100000), -EAGAIN);
	ck_assert_int_eq(xc_item_state(&result, half - 1), -EAGAIN);
	ck_assert_int_eq(xc_item_state(&result, half), XC_LOST);
	ck_assert_int_eq(xc_item_state(&result, result.items - 1), XC_LOST);
	ck_assert_int_eq(xci_next(&result, XC_IN_ORDER, &item), 1);
	ck_assert_int_eq(item, 0);
	release(&result);
}
END_TEST

/* The last piece grows after all of it was handed out. */
START_TEST(a_piece_that_grows)
{
	struct xc_result result = { .items = 3 };
	int64_t item;

	for (int64_t i = 0; i < 3; i++) {
		ck_assert_int_eq(xci_next(&result, XC_ANY_ORDER, &item), -EAGAIN);
		ck_assert_int_eq(xci_next(&result, XC_IN_ORDER, &item), -EAGAIN);
		xci_ended_add(&result, i, 1, XC_OK);
		result.is_ready = i == 2;
		ck_assert_int_eq(xci_next(&result, XC_ANY_ORDER, &item), 1);
		ck_assert_int_eq(item, i);
		ck_assert_int_eq(xci_next(&result, XC_IN_ORDER, &item), 1);
		ck_assert_int_eq(item, i);
	}
	ck_assert_int_eq(xci_next(&result, XC_ANY_ORDER, &item), 0);
	ck_assert_uint_eq(result.ended.count, 1);
	release(&result);
}
END_TEST

START_TEST(memory_was_out)
{
	struct xc_result result = { .items = 2, .is_ready = true, .ended.is_short = true };
	int64_t item;

	xci_ended_add(&result, 0, 1, XC_OK);
	ck_assert_int_eq(xci_next(&result, XC_ANY_ORDER, &item), 1);
	ck_assert_int_eq(xci_next(&result, XC_ANY_ORDER, &item), -ENOMEM);
	ck_assert_int_eq(xci_next(&result, XC_IN_ORDER, &item), 1);
	ck_assert_int_eq(xci_next(&result, XC_IN_ORDER, &item), -ENOMEM);
	ck_assert_int_eq(xc_item_state(&result, 1), -ENOMEM);
	release(&result);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ended");
	TCase *tests = tcase_create("ended");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_loop_test(tests, both_orders, 0, 12);
	tcase_add_test(tests, memory_is_of_pieces);
	tcase_add_test(tests, a_piece_that_grows);
	tcase_add_test(tests, memory_was_out);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
