/* test_result.c: what a result says of its job, and cancelling. */
#include <errno.h>
#include <string.h>

#include "tests/unit/guest.h"
#include "tests/unit/unit.h"

static struct guest_frame failures;
static struct xc_error err;
static struct xc_result *result;
static struct message m;

static void begin(void)
{
	guest_open();
	message_init(&m);
	failures.size = 0;
	memset(&err, 0, sizeof err);
}

static void end(void)
{
	message_fini(&m);
	xc_result_destroy(result);
	guest_close();
}

static void begin_job(int64_t items)
{
	result = xci_result_new(guest, items, NULL, 0);
	guest_job(result, NULL, 0);
}

static void take(int64_t count, int engine, bool final)
{
	ck_assert_int_eq(
		guest_result(
			(struct msg_result){ .count = count, .engine = engine, .final = final },
			guest_span(&failures), (struct span){ NULL, 0 }),
		0);
	failures.size = 0;
}

static const struct {
	int64_t items;
	uint64_t state, attempts;
	int64_t code;
	int engine;
	const char *text, *expected;
	int expected_code;
} outcomes[] = {
	{ 1, XC_FAILED, 1, 7, 2, "no data", "item 0 failed with code 7 on engine 2: no data",
	  XC_EFAILED },
	{ 1, XC_FAILED, 3, 7, 2, "", "item 0 failed with code 7 on engine 2 after 3 attempts",
	  XC_EFAILED },
	{ 1, XC_CRASHED, 1, 11, 0, "killed", "item 0 crashed on engine 0: killed", XC_EFAILED },
	{ 1, XC_LOST, 0, 0, -1, "gone", "item 0 lost: gone", XC_EFAILED },
	{ 9, XC_TIMED_OUT, 1, 0, 1, "late",
	  "1 of 9 items did not end well; first: item 0 timed out on engine 1: late", XC_EFAILED },
	/* refused for a reason that the caller knows by its code */
	{ 1, XC_FAILED, 1, XC_ECODE, 1, "no such symbol",
	  "item 0 failed on engine 1: no such symbol", XC_ECODE },
	{ 1, XC_FAILED, 1, XC_ENOVAR, 1, "no X", "item 0 failed on engine 1: no X", XC_EFAILED },
};

START_TEST(test_outcome)
{
	struct failure_run run = { .first = 0,
				   .count = 1,
				   .state = outcomes[_i].state,
				   .code = outcomes[_i].code,
				   .attempts = outcomes[_i].attempts,
				   .text = span_of(outcomes[_i].text) };

	begin_job(outcomes[_i].items);
	failures.size = failure_run_pack(failures.bytes, sizeof failures.bytes, &run);
	take(outcomes[_i].items, outcomes[_i].engine, true);
	ck_assert_int_eq(xc_wait(result, 0, &err), outcomes[_i].expected_code);
	ck_assert_str_eq(err.text, outcomes[_i].expected);
}
END_TEST

/* What made the job stop is quoted, not the items that were cancelled for it. */
START_TEST(test_first_that_says_something)
{
	begin_job(10);
	guest_add_run(&failures, 0, 5, XC_CANCELLED, "cancelled");
	guest_add_run(&failures, 5, 1, XC_FAILED, "the cause");
	take(10, 3, true);
	ck_assert_int_eq(xc_wait(result, 0, &err), XC_EFAILED);
	ck_assert_str_eq(err.text, "6 of 10 items did not end well; first: item 5 failed with code "
				   "3 on engine 3: the cause");
}
END_TEST

START_TEST(test_long_text)
{
	char text[1000];
	struct xc_failure f;

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	begin_job(1);
	guest_add_run(&failures, 0, 1, XC_FAILED, text);
	take(1, 0, true);
	ck_assert_int_eq(xc_wait(result, 0, &err), XC_EFAILED);
	ck_assert_int_eq(xc_failure(result, 0, &f), 0);
	ck_assert_uint_eq(strlen(f.text), 999);
	ck_assert_int_eq(xc_failure(result, 1, &f), -EINVAL);
	ck_assert_int_eq(xc_failure(result, -1, &f), -EINVAL);
}
END_TEST

START_TEST(test_time_out)
{
	begin_job(10);
	take(4, 0, false);
	ck_assert_int_eq(xc_wait(result, 0, &err), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(err.text, "4 of 10"));
	ck_assert(!xc_is_ready(result));
	ck_assert_int_eq(xc_result_progress(result).done, 4);
	ck_assert_double_gt(xc_result_elapsed(result), 0);
}
END_TEST

START_TEST(test_times)
{
	begin_job(2);
	result->start_ns = now_ns() - 1000000000;
	ck_assert_int_eq(
		guest_result((struct msg_result){ .count = 2, .busy_ns = 4000000000, .final = 1 },
			     (struct span){ NULL, 0 }, (struct span){ NULL, 0 }),
		0);
	ck_assert_double_eq_tol(xc_result_serial_time(result), 4, 1e-9);
	ck_assert_double_ge(xc_result_elapsed(result), 1);
	ck_assert_double_eq_tol(xc_result_speedup(result), 4 / xc_result_elapsed(result), 1e-9);
}
END_TEST

START_TEST(test_closed_before_the_end)
{
	begin_job(2);
	guest_close();
	ck_assert_int_eq(xc_wait(result, 1, &err), XC_ELOST);
	ck_assert_int_eq(xc_cancel(result, XC_CANCEL_QUEUED, &err), XC_ELOST);
	ck_assert(xc_is_ready(result)); /* nothing more is to come */
	xc_result_destroy(result);
	result = NULL;
	guest_open();
}
END_TEST

START_TEST(test_state_names)
{
#define CHECK(name, text) ck_assert_str_eq(xc_state_name(name), text);
	XC_STATES(CHECK)
#undef CHECK
	ck_assert_str_eq(xc_state_name((enum xc_state)99), "unknown");
}
END_TEST

/* ---- Cancel ---------------------------------------------------------------------------- */

static struct msg_cancel cancel_sent(void)
{
	struct msg_cancel cancel;

	ck_assert_uint_eq(guest_sent(&m), MSG_CANCEL);
	ck_assert_int_eq(msg_cancel_get(&m.fields, &cancel), 0);
	return cancel;
}

START_TEST(test_cancel)
{
	struct msg_cancel cancel;

	begin_job(10);
	ck_assert_int_eq(xc_cancel(result, XC_CANCEL_RUNNING, &err), 0);
	cancel = cancel_sent();
	ck_assert_uint_eq(cancel.seq, 1);
	ck_assert_uint_eq(cancel.job, guest->last_job);
	ck_assert_int_eq(cancel.first, 0);
	ck_assert_int_eq(cancel.count, 10);
	ck_assert_uint_eq(cancel.how, CANCEL_HOW_RUNNING);
	take(10, 0, true);
	ck_assert_int_eq(xc_cancel(result, XC_CANCEL_QUEUED, &err), 0);
	ck_assert_uint_eq(guest_sent(&m), 0); /* it has ended */
	ck_assert_int_eq(xc_cancel(result, (enum xc_cancel)7, &err), -EINVAL);
}
END_TEST

/* Of a batch, its own item and no other. */
START_TEST(test_cancel_member)
{
	struct xc_result *members[3];
	struct msg_cancel cancel;

	for (int i = 0; i < 3; i++) {
		members[i] = xci_result_new(guest, 1, NULL, 0);
		members[i]->is_single = true;
	}
	guest->singles = 3;
	guest_job(NULL, members, 3);
	ck_assert_int_eq(xc_cancel(members[1], XC_CANCEL_QUEUED, &err), 0);
	cancel = cancel_sent();
	ck_assert_int_eq(cancel.first, 1);
	ck_assert_int_eq(cancel.count, 1);
	xc_result_destroy(members[2]); /* cancels it as well */
	ck_assert_int_eq(cancel_sent().first, 2);
	ck_assert_int_eq(guest->singles, 2);
	xc_result_destroy(members[0]);
	xc_result_destroy(members[1]);
	result = NULL;
}
END_TEST

START_TEST(test_destroyed_unfinished)
{
	begin_job(10);
	xc_result_destroy(result);
	result = NULL;
	ck_assert_int_eq(cancel_sent().count, 10);
	ck_assert_ptr_null(guest->results);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("result");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_loop_test(tests, test_outcome, 0, 7);
	tcase_add_test(tests, test_first_that_says_something);
	tcase_add_test(tests, test_long_text);
	tcase_add_test(tests, test_time_out);
	tcase_add_test(tests, test_times);
	tcase_add_test(tests, test_closed_before_the_end);
	tcase_add_test(tests, test_state_names);
	tcase_add_test(tests, test_cancel);
	tcase_add_test(tests, test_cancel_member);
	tcase_add_test(tests, test_destroyed_unfinished);
	return unit_run(tests);
}
