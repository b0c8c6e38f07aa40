/* test_incoming.c: results as they arrive, into the caller's memory and no other. */
#include <string.h>

#include "tests/unit/guest.h"
#include "tests/unit/unit.h"

#define ITEMS 10

static int64_t out[ITEMS + 2]; /* one more at each end, to be left alone */
static struct xc_result *result;
static struct guest_frame failures;
static const struct span none;

static void begin(void)
{
	guest_open();
	for (int i = 0; i < ITEMS + 2; i++)
		out[i] = -1;
	failures.size = 0;
	result = xci_result_new(guest, ITEMS, out + 1, sizeof *out);
	guest_job(result, NULL, 0);
}

static void end(void)
{
	ck_assert_int_eq(out[0], -1);
	ck_assert_int_eq(out[ITEMS + 1], -1);
	xc_result_destroy(result);
	guest_close();
}

static struct span numbers(int64_t first, int64_t count)
{
	static int64_t values[ITEMS];

	for (int64_t i = 0; i < count; i++)
		values[i] = 100 + first + i;
	return (struct span){ values, (size_t)count * sizeof *values };
}

static int piece(int64_t first, int64_t count, bool final)
{
	struct msg_result head = {
		.first = first, .count = count, .engine = 2, .busy_ns = 1000, .final = final
	};
	int r = guest_result(head, guest_span(&failures), numbers(first, count));

	failures.size = 0;
	return r;
}

START_TEST(test_in_pieces)
{
	ck_assert_int_eq(piece(4, 6, false), 0);
	ck_assert_int_eq(out[1], -1);
	ck_assert(!result->is_ready);
	ck_assert_int_eq(piece(0, 4, true), 0);
	for (int i = 0; i < ITEMS; i++)
		ck_assert_int_eq(out[1 + i], 100 + i);
	ck_assert(result->is_ready);
	ck_assert_int_eq(result->done, ITEMS);
	ck_assert_uint_eq(result->busy_ns, 2000);
	ck_assert_ptr_null(guest->jobs);
	ck_assert_int_eq(xci_result_outcome(result, NULL), 0);
}
END_TEST

/* Only what ended well is written. */
START_TEST(test_failures_in_the_middle)
{
	struct xc_failure f;

	guest_add_run(&failures, 2, 2, XC_FAILED, "no");
	guest_add_run(&failures, 4, 1, XC_FAILED, "not");
	guest_add_run(&failures, 9, 1, XC_FAILED, "never");
	ck_assert_int_eq(piece(0, ITEMS, true), 0);
	for (int i = 0; i < ITEMS; i++)
		ck_assert_int_eq(out[1 + i], i == 2 || i == 3 || i == 4 || i == 9 ? -1 : 100 + i);
	ck_assert_int_eq(result->failed, 4);
	ck_assert_int_eq(result->done, ITEMS);
	ck_assert_int_eq(xc_failure_count(result), 3);
	ck_assert_int_eq(xc_failure(result, 1, &f), 0);
	ck_assert_int_eq(f.first, 4);
	ck_assert_int_eq(f.engine, 2);
	ck_assert_str_eq(f.text, "not");
}
END_TEST

/* Items to be run again have not ended: they come later. */
START_TEST(test_holes)
{
	guest_add_run(&failures, 3, 2, FAILURE_RETRY, "again");
	ck_assert_int_eq(piece(0, ITEMS, false), 0);
	ck_assert_int_eq(result->done, ITEMS - 2);
	ck_assert_int_eq(result->failed, 0);
	ck_assert_int_eq(out[1 + 3], -1);
	ck_assert_int_eq(piece(3, 2, true), 0);
	ck_assert_int_eq(out[1 + 3], 103);
	ck_assert_int_eq(out[1 + 4], 104);
	ck_assert_int_eq(result->done, ITEMS);
}
END_TEST

/* Failures that no payload covers: cancelled, lost, crashed. */
START_TEST(test_failures_alone)
{
	guest_add_run(&failures, 0, 7, XC_CANCELLED, "cancelled");
	guest_add_run(&failures, 8, 2, XC_LOST, "gone");
	ck_assert_int_eq(
		guest_result((struct msg_result){ .engine = -1 }, guest_span(&failures), none), 0);
	ck_assert_int_eq(result->done, 9);
	failures.size = 0;
	ck_assert_int_eq(piece(7, 1, true), 0);
	ck_assert_int_eq(out[1 + 7], 107);
	ck_assert_int_eq(result->failed, 9);
}
END_TEST

START_TEST(test_engines)
{
	int ids[4] = { 0 };
	int64_t items[4] = { 0 };
	static const int64_t order[] = { 5, 1, 9, 5, 1 };

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(guest_result((struct msg_result){ .first = 2 * i,
								   .count = 2,
								   .engine = order[i],
								   .final = i == 4 },
					      none, numbers(2 * i, 2)),
				 0);
	ck_assert_int_eq(xc_result_engines(result, ids, items, 4), 3);
	ck_assert_int_eq(ids[0], 1);
	ck_assert_int_eq(items[0], 4);
	ck_assert_int_eq(ids[1], 5);
	ck_assert_int_eq(items[1], 4);
	ck_assert_int_eq(ids[2], 9);
	ck_assert_int_eq(items[2], 2);
}
END_TEST

START_TEST(test_many_runs)
{
	struct xc_result *large = xci_result_new(guest, 100000, NULL, 0);

	guest_job(large, NULL, 0);
	for (int i = 0; i < 100; i++) {
		failures.size = 0;
		for (int k = 0; k < 110; k++)
			guest_add_run(&failures, i * 110 + k, 1, XC_FAILED, "");
		ck_assert_int_eq(guest_result((struct msg_result){ .engine = 0 },
					      guest_span(&failures), none),
				 0);
	}
	ck_assert_int_eq(xc_failure_count(large), FAILURES_KEPT);
	ck_assert_int_eq(large->failed, 11000);
	xc_result_destroy(large);
}
END_TEST

/* ---- Results of any length ------------------------------------------------------------- */

static struct xc_result *packed_result(void)
{
	struct xc_result *packed = xci_result_new(guest, 4, NULL, 0);

	guest_job(packed, NULL, 0);
	return packed;
}

static size_t add_item(char *bytes, size_t at, const char *text)
{
	uint64_t size = text ? strlen(text) : UINT64_MAX;

	memcpy(bytes + at, &size, 8);
	if (text)
		memcpy(bytes + at + 8, text, size);
	return at + 8 + (text ? size : 0);
}

START_TEST(test_packed)
{
	struct xc_result *packed = packed_result();
	char bytes[100];
	size_t n = add_item(bytes, 0, "one"), size;

	n = add_item(bytes, n, NULL);
	n = add_item(bytes, n, "");
	ck_assert_int_eq(
		guest_result((struct msg_result){ .count = 3 }, none, (struct span){ bytes, n }),
		0);
	memset(bytes, 0, sizeof bytes); /* the result has its own */
	ck_assert_mem_eq(xc_result_item(packed, 0, &size), "one", 3);
	ck_assert_uint_eq(size, 3);
	ck_assert_ptr_null(xc_result_item(packed, 1, &size));
	ck_assert_ptr_nonnull(xc_result_item(packed, 2, &size));
	ck_assert_uint_eq(size, 0);
	ck_assert_ptr_null(xc_result_item(packed, 3, &size));
	ck_assert_ptr_null(xc_result_item(packed, -1, &size));
	ck_assert_ptr_null(xc_result_item(packed, 4, &size));
	xc_result_destroy(packed);
}
END_TEST

START_TEST(test_packed_that_cannot_be)
{
	struct xc_result *packed = packed_result();
	uint64_t bad[2] = { _i ? UINT64_MAX - 1 : 9, 0 };

	ck_assert_int_eq(guest_result((struct msg_result){ .count = 1 }, none,
				      (struct span){ bad, sizeof bad }),
			 XC_EPROTO);
	ck_assert_ptr_null(xc_result_item(packed, 0, NULL));
	ck_assert_int_eq(guest_result((struct msg_result){ .first = 1, .count = 3 }, none,
				      (struct span){ bad, 7 }),
			 XC_EPROTO);
	xc_result_destroy(packed);
}
END_TEST

/* ---- Fields that cannot be ---------------------------------------------------------------- */

static const struct msg_result bad_heads[] = {
	{ .first = -1, .count = 1 },
	{ .first = 0, .count = -1 },
	{ .first = ITEMS, .count = 1 },
	{ .first = 0, .count = ITEMS + 1 },
	{ .first = INT64_MAX, .count = INT64_MAX },
	{ .first = 1, .count = INT64_MAX },
};

START_TEST(test_bad_heads)
{
	ck_assert_int_eq(guest_result(bad_heads[_i], none, numbers(0, 1)), XC_EPROTO);
	ck_assert_int_eq(result->done, 0);
	ck_assert_int_eq(out[1], -1);
}
END_TEST

START_TEST(test_payload_of_another_size)
{
	ck_assert_int_eq(guest_result((struct msg_result){ .count = 3 }, none, numbers(0, 2)),
			 XC_EPROTO);
	ck_assert_int_eq(guest_result((struct msg_result){ .count = 1 }, none, numbers(0, 2)),
			 XC_EPROTO);
	ck_assert_int_eq(out[1], -1);
}
END_TEST

START_TEST(test_bad_failures)
{
	switch (_i) {
	case 0: /* not in order */
		guest_add_run(&failures, 5, 1, XC_FAILED, "");
		guest_add_run(&failures, 2, 1, XC_FAILED, "");
		break;
	case 1: /* twice */
		guest_add_run(&failures, 5, 2, XC_FAILED, "");
		guest_add_run(&failures, 6, 2, XC_FAILED, "");
		break;
	case 2: /* beyond the job */
		guest_add_run(&failures, 5, INT64_MAX - 5, XC_FAILED, "");
		break;
	case 3: /* more than there are, by repetition */
		for (int i = 0; i < 5; i++)
			guest_add_run(&failures, 0, ITEMS, XC_CANCELLED, "");
		break;
	default:
		memset(failures.bytes, 0xc1, 30);
		failures.size = 30;
	}
	ck_assert_int_eq(
		guest_result((struct msg_result){ .first = 0, .count = _i == 3 ? 0 : ITEMS },
			     guest_span(&failures), numbers(0, _i == 3 ? 0 : ITEMS)),
		XC_EPROTO);
	ck_assert_int_le(result->failed, ITEMS);
	ck_assert_int_le(result->done, ITEMS);
}
END_TEST

/* Whatever came: a job that has ended without a word on some items is no success. */
START_TEST(test_items_never_told_of)
{
	struct xc_error err;

	ck_assert_int_eq(piece(0, 4, true), 0);
	ck_assert(result->is_ready);
	ck_assert_int_eq(xci_result_outcome(result, &err), XC_EFAILED);
	ck_assert_int_eq(result->done, ITEMS);
	ck_assert_int_eq(result->failed, ITEMS - 4);
}
END_TEST

/* ---- Numbers of messages -------------------------------------------------------------------- */

START_TEST(test_twice_and_gaps)
{
	struct msg_result head = { .count = 2, .seq = 1 };

	ck_assert_int_eq(guest_result(head, none, numbers(0, 2)), 0);
	head.first = 2;
	ck_assert_int_eq(guest_result(head, none, numbers(2, 2)), 0); /* 1 again */
	head.seq = 3;
	ck_assert_int_eq(guest_result(head, none, numbers(2, 2)), 0); /* 2 is missing */
	ck_assert_int_eq(result->done, 2);
	ck_assert_uint_eq(guest->received, 1);
	head.seq = 2;
	ck_assert_int_eq(guest_result(head, none, numbers(2, 2)), 0);
	ck_assert_int_eq(result->done, 4);
	ck_assert_int_eq(guest_result((struct msg_result){ .job = 99 }, none, none), 0);
	ck_assert_uint_eq(guest->received, 3);
}
END_TEST

/* A result destroyed meanwhile: what comes for it passes by. */
START_TEST(test_nobody_waits)
{
	struct xc_result *gone = xci_result_new(guest, ITEMS, out + 1, sizeof *out);

	guest_job(gone, NULL, 0);
	xc_result_destroy(gone);
	ck_assert_int_eq(piece(0, ITEMS, true), 0);
	ck_assert_int_eq(out[1], -1);
	ck_assert_uint_eq(HASH_COUNT(guest->jobs), 1);
}
END_TEST

/* ---- Batches -------------------------------------------------------------------------------- */

static struct xc_result *members[ITEMS];

static void begin_batch(size_t out_size)
{
	for (int i = 0; i < ITEMS; i++) {
		members[i] = xci_result_new(guest, 1, out_size ? out + 1 + i : NULL, out_size);
		members[i]->is_single = true;
		guest->singles++;
	}
	guest_job(NULL, members, ITEMS);
}

static void end_batch(void)
{
	for (int i = 0; i < ITEMS; i++)
		xc_result_destroy(members[i]);
	ck_assert_int_eq(guest->singles, 0);
}

START_TEST(test_batch)
{
	begin_batch(8);
	guest_add_run(&failures, 2, 1, XC_FAILED, "no");
	guest_add_run(&failures, 3, 1, FAILURE_RETRY, "again");
	guest_add_run(&failures, 8, 1, XC_LOST, "elsewhere");
	ck_assert_int_eq(piece(0, 5, false), 0);
	for (int i = 0; i < ITEMS; i++) {
		bool ended = i < 5 ? i != 3 : i == 8;
		bool well = ended && i != 2 && i != 8;

		ck_assert_int_eq(members[i]->is_ready, ended);
		ck_assert_int_eq(out[1 + i], well ? 100 + i : -1);
		ck_assert_int_eq(members[i]->failed, ended && !well);
	}
	ck_assert_int_eq(piece(3, 1, false), 0);
	ck_assert_int_eq(piece(5, 5, true), 0);
	for (int i = 0; i < ITEMS; i++)
		ck_assert(members[i]->is_ready);
	ck_assert_int_eq(out[1 + 3], 103);
	ck_assert_int_eq(out[1 + 8], -1); /* it had ended */
	end_batch();
}
END_TEST

START_TEST(test_batch_packed)
{
	char bytes[200];
	size_t n = 0, size;

	begin_batch(0);
	for (int i = 0; i < ITEMS; i++)
		n = add_item(bytes, n, i % 3 == 0 ? NULL : &"0123456789"[i]);
	ck_assert_int_eq(guest_result((struct msg_result){ .count = ITEMS, .final = 1 }, none,
				      (struct span){ bytes, n }),
			 0);
	for (int i = 0; i < ITEMS; i++) {
		const void *item = xc_result_item(members[i], 0, &size);

		ck_assert_int_eq(item == NULL, i % 3 == 0);
		if (item)
			ck_assert_uint_eq(size, (size_t)(10 - i));
	}
	end_batch();
}
END_TEST

START_TEST(test_batch_with_holes)
{
	begin_batch(8);
	xc_result_destroy(members[0]); /* the sizes are known from another */
	members[0] = NULL;
	ck_assert_int_eq(piece(0, ITEMS, true), 0);
	ck_assert_int_eq(out[1], -1);
	ck_assert_int_eq(out[2], 101);
	end_batch();
}
END_TEST

/* The job has ended; members that it said nothing of must not wait for ever. */
START_TEST(test_batch_never_told_of)
{
	struct xc_error err;

	begin_batch(8);
	if (_i) {
		memset(failures.bytes, 0xc1, 30);
		failures.size = 30;
	}
	piece(0, _i ? ITEMS : 4, true);
	for (int i = 0; i < ITEMS; i++) {
		ck_assert(members[i]->is_ready);
		ck_assert_ptr_null(members[i]->job);
		if (_i || i >= 4)
			ck_assert_int_eq(xci_result_outcome(members[i], &err), XC_EFAILED);
	}
	end_batch();
}
END_TEST

START_TEST(test_batch_bad_heads)
{
	begin_batch(8);
	ck_assert_int_eq(guest_result(bad_heads[_i], none, numbers(0, 1)), XC_EPROTO);
	guest_add_run(&failures, 5, 6, XC_FAILED, "");
	ck_assert_int_eq(piece(0, 2, false), XC_EPROTO);
	end_batch();
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("incoming");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_in_pieces);
	tcase_add_test(tests, test_failures_in_the_middle);
	tcase_add_test(tests, test_holes);
	tcase_add_test(tests, test_failures_alone);
	tcase_add_test(tests, test_engines);
	tcase_add_test(tests, test_many_runs);
	tcase_add_test(tests, test_packed);
	tcase_add_loop_test(tests, test_packed_that_cannot_be, 0, 2);
	tcase_add_loop_test(tests, test_bad_heads, 0, 6);
	tcase_add_test(tests, test_payload_of_another_size);
	tcase_add_loop_test(tests, test_bad_failures, 0, 5);
	tcase_add_test(tests, test_items_never_told_of);
	tcase_add_test(tests, test_twice_and_gaps);
	tcase_add_test(tests, test_nobody_waits);
	tcase_add_test(tests, test_batch);
	tcase_add_test(tests, test_batch_packed);
	tcase_add_test(tests, test_batch_with_holes);
	tcase_add_loop_test(tests, test_batch_never_told_of, 0, 2);
	tcase_add_loop_test(tests, test_batch_bad_heads, 0, 6);
	return unit_run(tests);
}
