/* test_page.c: claim words: every item is claimed or taken, by one side only. */
#include <pthread.h>
#include <string.h>

#include "engine/page.h"
#include "tests/unit/unit.h"

static struct page page;

static void begin(void)
{
	memset((void *)&page, 0, sizeof page);
}

START_TEST(test_claims_in_order)
{
	int64_t first;

	claim_begin(&page, 1, 10);
	ck_assert_int_eq(claim_next(&page, 1, 4, &first), 4);
	ck_assert_int_eq(first, 0);
	ck_assert_int_eq(claim_next(&page, 1, 4, &first), 4);
	ck_assert_int_eq(first, 4);
	ck_assert_int_eq(claim_next(&page, 1, 4, &first), 2);
	ck_assert_int_eq(first, 8);
	ck_assert_int_eq(claim_next(&page, 1, 4, &first), 0);
}
END_TEST

START_TEST(test_takes_the_later_half)
{
	int64_t first;

	claim_begin(&page, 1, 10);
	claim_next(&page, 1, 2, &first);
	ck_assert_int_eq(claim_take(&page, 1, 10, false), 6);
	ck_assert_int_eq(claim_take(&page, 1, 10, false), 4);
	ck_assert_int_eq(claim_take(&page, 1, 10, false), 3);
	ck_assert_int_eq(claim_take(&page, 1, 10, false), 2); /* the last one goes, too */
	ck_assert_int_eq(claim_take(&page, 1, 10, false), 2);
	ck_assert_int_eq(claim_next(&page, 1, 5, &first), 0);
}
END_TEST

START_TEST(test_takes_all)
{
	int64_t first;

	claim_begin(&page, 1, 10);
	claim_next(&page, 1, 3, &first);
	ck_assert_int_eq(claim_take(&page, 1, 10, true), 3);
	ck_assert_int_eq(claim_next(&page, 1, 1, &first), 0);
}
END_TEST

/* The agent's word may come before the slice does. */
START_TEST(test_taken_before_it_began)
{
	int64_t first;

	ck_assert_int_eq(claim_take(&page, 2, 10, false), 5);
	claim_begin(&page, 2, 10);
	ck_assert_int_eq(claim_next(&page, 2, 100, &first), 5);
	ck_assert_int_eq(claim_take(&page, 6, 8, true), 0); /* the same word, later */
	claim_begin(&page, 6, 8);
	ck_assert_int_eq(claim_next(&page, 6, 100, &first), 0);
}
END_TEST

/* Too late: the word serves a later slice by now. */
START_TEST(test_long_finished)
{
	int64_t first;

	claim_begin(&page, 5, 10);
	ck_assert_int_eq(claim_take(&page, 1, 7, true), 7);
	ck_assert_int_eq(claim_next(&page, 5, 100, &first), 10);
}
END_TEST

START_TEST(test_slices_side_by_side)
{
	int64_t first;

	for (uint64_t slice = 1; slice <= PAGE_CLAIMS; slice++)
		claim_begin(&page, slice, (int64_t)slice);
	ck_assert_int_eq(claim_take(&page, 2, 2, true), 0);
	for (uint64_t slice = 1; slice <= PAGE_CLAIMS; slice++)
		ck_assert_int_eq(claim_next(&page, slice, 100, &first),
				 slice == 2 ? 0 : (int64_t)slice);
}
END_TEST

/* Sixteen bits of the number are kept: it wraps. */
START_TEST(test_numbers_wrap)
{
	int64_t first;

	for (uint64_t slice = 65500; slice < 65600; slice++) {
		claim_begin(&page, slice, 9);
		ck_assert_int_eq(claim_take(&page, slice, 9, false), 4);
		ck_assert_int_eq(claim_next(&page, slice, 100, &first), 4);
		if (slice >= 65500 + PAGE_CLAIMS) /* one before it is over */
			ck_assert_int_eq(claim_take(&page, slice - PAGE_CLAIMS, 6, false), 6);
	}
}
END_TEST

START_TEST(test_largest)
{
	int64_t first;

	claim_begin(&page, 1, SLICE_ITEMS_MAX);
	ck_assert_int_eq(claim_next(&page, 1, SLICE_ITEMS_MAX - 1, &first), SLICE_ITEMS_MAX - 1);
	ck_assert_int_eq(claim_take(&page, 1, SLICE_ITEMS_MAX, false), SLICE_ITEMS_MAX - 1);
	ck_assert_int_eq(claim_next(&page, 1, 1, &first), 0);
}
END_TEST

/* ---- Two threads ------------------------------------------------------------------------- */

#define SLICES 300
#define ITEMS  1000

static unsigned char claimed[SLICES][ITEMS];
static int64_t ends[SLICES];
static pthread_barrier_t barrier;

static void *engine(void *arg)
{
	(void)arg;
	for (uint64_t slice = 0; slice < SLICES; slice++) {
		int64_t first, n;

		pthread_barrier_wait(&barrier);
		claim_begin(&page, slice + 1, ITEMS);
		while ((n = claim_next(&page, slice + 1, 1 + (int64_t)(slice % 7), &first)) > 0)
			for (int64_t i = first; i < first + n; i++)
				claimed[slice][i]++;
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void *agent(void *arg)
{
	(void)arg;
	for (uint64_t slice = 0; slice < SLICES; slice++) {
		int64_t end = ITEMS;

		pthread_barrier_wait(&barrier);
		for (int i = 0; i < (int)(slice % 12); i++)
			end = claim_take(&page, slice + 1, ITEMS, slice % 50 == 49);
		ends[slice] = end;
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

START_TEST(test_race)
{
	pthread_t threads[2];
	int taken = 0;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&threads[0], NULL, engine, NULL);
	pthread_create(&threads[1], NULL, agent, NULL);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	for (int slice = 0; slice < SLICES; slice++) {
		for (int64_t i = 0; i < ITEMS; i++)
			ck_assert_msg(claimed[slice][i] == (i < ends[slice]),
				      "slice %d, item %lld: claimed %d times, taken from %lld",
				      slice, (long long)i, claimed[slice][i],
				      (long long)ends[slice]);
		taken += ends[slice] < ITEMS;
	}
	ck_assert_int_gt(taken, 0);
	pthread_barrier_destroy(&barrier);
}
END_TEST

/* Of a slice one item after the other, until all of it is cancelled. */
START_TEST(test_cancel_words)
{
	cancel_item(&page, 6, 3);
	ck_assert_uint_eq(page.cancel[6 % PAGE_CLAIMS], cancel_word(6, 3));
	cancel_item(&page, 6, 4);
	ck_assert_uint_eq(page.cancel[6 % PAGE_CLAIMS], cancel_word(6, 4));
	page.cancel[6 % PAGE_CLAIMS] = 6;
	cancel_item(&page, 6, 5);
	ck_assert_uint_eq(page.cancel[6 % PAGE_CLAIMS], 6);
	cancel_item(&page, 10, 5); /* another slice with this word */
	ck_assert_uint_eq(page.cancel[6 % PAGE_CLAIMS], cancel_word(10, 5));
	ck_assert_uint_ne(cancel_word(10, 5), cancel_word(11, 5));
	ck_assert_uint_ne(cancel_word(10, 5), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("page");

	tcase_add_checked_fixture(tests, begin, NULL);
	tcase_add_test(tests, test_claims_in_order);
	tcase_add_test(tests, test_takes_the_later_half);
	tcase_add_test(tests, test_takes_all);
	tcase_add_test(tests, test_taken_before_it_began);
	tcase_add_test(tests, test_long_finished);
	tcase_add_test(tests, test_slices_side_by_side);
	tcase_add_test(tests, test_numbers_wrap);
	tcase_add_test(tests, test_largest);
	tcase_add_test(tests, test_cancel_words);
	tcase_add_test(tests, test_race);
	return unit_run(tests);
}
