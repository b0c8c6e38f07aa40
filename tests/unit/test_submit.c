/* test_submit.c: maps and variables as jobs on the wire, and calls that are refused. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "tests/unit/guest.h"
#include "tests/unit/unit.h"

#include "libcluster/data.c"

static struct xc_error err;
static struct message m;
static struct msg_submit sent;
static struct task_frame frame;
static int64_t out[100];

static void begin(void)
{
	static struct guest_frame engines;

	guest_open();
	message_init(&m);
	memset(&err, 0, sizeof err);
	engines.size = 0;
	for (uint64_t i = 0; i < 3; i++)
		guest_add_engine(&engines, i, XCI_UP, "");
	guest_roster(0, guest_span(&engines), (struct span){ NULL, 0 });
}

static void end(void)
{
	message_fini(&m);
	guest_close();
}

static void expect_submit(void)
{
	ck_assert_uint_eq(guest_sent(&m), MSG_SUBMIT);
	ck_assert_int_eq(msg_submit_get(&m.fields, &sent), 0);
	ck_assert_int_eq(
		task_frame_parse(&frame, zmq_msg_data(&m.frames[0]), zmq_msg_size(&m.frames[0])),
		0);
}

static struct xci_submission submission(uint64_t form, int64_t items)
{
	static const struct xc_map_options options = { .chunk = 4,
						       .max_attempts = 3,
						       .on_failure = XC_STOP,
						       .at_most_once = true,
						       .label = "fit" };
	struct xci_submission s = {
		.view = xc_balanced(guest), .items = items, .out = out, .options = &options
	};

	s.task = (struct task_frame){ .form = form, .out_size = 8, .kind = FUNCTION_BUILTIN };
	zmq_msg_init(&s.payload);
	return s;
}

START_TEST(test_job)
{
	struct xci_submission s = submission(FORM_RANGE, 50);
	struct xc_result *result = xci_submit(&s, &err);

	ck_assert_ptr_nonnull(result);
	expect_submit();
	ck_assert_uint_eq(sent.seq, 1);
	ck_assert_uint_eq(sent.pinned, 0);
	ck_assert_int_eq(sent.items, 50);
	ck_assert_int_eq(sent.chunk, 4);
	ck_assert_uint_eq(sent.max_attempts, 3);
	ck_assert_uint_eq(sent.flags, JOB_STOP_ON_FAILURE | JOB_AT_MOST_ONCE);
	ck_assert_mem_eq(sent.label.data, "fit", 3);
	ck_assert_uint_eq(zmq_msg_size(&m.frames[1]), 0);
	xc_result_destroy(result);
}
END_TEST

START_TEST(test_direct_job)
{
	struct xci_submission s = submission(FORM_RANGE, 3);
	struct xc_result *result;

	s.view = xc_all(guest);
	result = xci_submit(&s, &err);
	expect_submit();
	ck_assert_uint_eq(sent.pinned, 1);
	ck_assert_uint_eq(zmq_msg_size(&m.frames[1]), 12);
	ck_assert_mem_eq(zmq_msg_data(&m.frames[1]), ((uint32_t[]){ 0, 1, 2 }), 12);
	xc_result_destroy(result);
}
END_TEST

/* Kept until the controller has it, and sent again when it asks. */
START_TEST(test_kept)
{
	struct xci_submission s = submission(FORM_RANGE, 3);
	struct xc_result *result = xci_submit(&s, &err);

	expect_submit();
	ck_assert_uint_eq(guest->sent->seq, 1);
	ck_assert_int_eq(guest_result((struct msg_result){ .received = 1 },
				      (struct span){ NULL, 0 }, (struct span){ NULL, 0 }),
			 0);
	ck_assert_ptr_null(guest->sent);
	xc_result_destroy(result);
}
END_TEST

static const struct xc_map_options bad_options[] = {
	{ .chunk = -1 },
	{ .max_attempts = -1 },
	{ .time_limit = -0.5 },
	{ .time_limit = NAN },
	{ .time_limit = INFINITY },
	{ .on_failure = (enum xc_on_failure)7 },
	{ .function = "" },
	{ .label = "0123456789012345678901234567890123456789"
		   "012345678901234567890123" },
};

START_TEST(test_bad_options)
{
	ck_assert_int_eq(xci_options_check(&bad_options[_i], &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "options."));
}
END_TEST

static int task(struct xc_task *t, const void *in, void *result)
{
	(void)t;
	(void)in;
	(void)result;
	return 0;
}

START_TEST(test_bad_calls)
{
	const struct xc_view *view = xc_balanced(guest);
	struct xc_bytes items[2] = { { "a", 1 }, { NULL, 1 } };

	ck_assert_int_eq(xc_map_range(NULL, task, 1, out, 8, NULL, &err), -EINVAL);
	ck_assert_int_eq(xc_map_range(view, task, -1, out, 8, NULL, &err), -EINVAL);
	ck_assert_int_eq(xc_map_range(view, task, INT64_MAX, out, 8, NULL, &err), -EINVAL);
	ck_assert_int_eq(xc_map_range(view, task, 1, NULL, 8, NULL, &err), -EINVAL);
	ck_assert_int_eq(xc_map_range(view, task, 1, out, 0, NULL, &err), -EINVAL);
	ck_assert_int_eq(xc_map_range(view, NULL, 1, out, 8, NULL, &err), -EINVAL);
	ck_assert_int_eq(xc_map(view, task, NULL, 8, 1, out, 8, NULL, &err), -EINVAL);
	ck_assert_int_eq(xc_map(view, task, out, 0, 1, out, 8, NULL, &err), -EINVAL);
	ck_assert_int_eq(xc_map_packed(view, task, NULL, 1, out, 8, NULL, &err), -EINVAL);
	ck_assert_int_eq(xc_map_packed(view, task, items, 2, out, 8, NULL, &err), -EINVAL);
	ck_assert_int_eq(xc_apply(view, task, NULL, 5, out, 8, NULL, &err), -EINVAL);
	ck_assert_uint_eq(guest_sent(&m), 0);
	ck_assert_ptr_null(guest->results);
}
END_TEST

/* ---- Variables ------------------------------------------------------------------------- */

static const double values[100] = { 1, 2, 3 };

START_TEST(test_push)
{
	struct xc_result *result =
		xc_push_async(xc_all(guest), "X", XC_ARRAY_F64(values, 25, 4), &err);
	struct array_frame array;

	ck_assert_ptr_nonnull(result);
	expect_submit();
	ck_assert_uint_eq(frame.kind, FUNCTION_BUILTIN);
	ck_assert_uint_eq(frame.number, BUILTIN_PUSH);
	ck_assert_uint_eq(sent.flags, JOB_EVERYWHERE | JOB_VARIABLE);
	ck_assert_mem_eq(sent.name.data, "X", 1);
	ck_assert_int_eq(
		array_frame_parse(&array, zmq_msg_data(&m.frames[2]), zmq_msg_size(&m.frames[2])),
		0);
	ck_assert_int_eq(array.array.shape[1], 4);
	xc_result_destroy(result);
}
END_TEST

START_TEST(test_bad_variables)
{
	struct xc_array array = *XC_ARRAY_F64(values, 3);
	char name[257];

	memset(name, 'n', 256);
	name[256] = '\0';
	ck_assert_int_eq(xc_push(xc_balanced(guest), "X", &array, &err), -EINVAL);
	ck_assert_int_eq(xc_push(NULL, "X", &array, &err), -EINVAL);
	ck_assert_int_eq(xc_push(xc_all(guest), "", &array, &err), -EINVAL);
	ck_assert_int_eq(xc_push(xc_all(guest), NULL, &array, &err), -EINVAL);
	ck_assert_int_eq(xc_push(xc_all(guest), name, &array, &err), -EINVAL);
	array.shape[0] = -1;
	ck_assert_int_eq(xc_push(xc_all(guest), "X", &array, &err), -EINVAL);
	array.shape[0] = 3;
	array.data = NULL;
	ck_assert_int_eq(xc_push(xc_all(guest), "X", &array, &err), -EINVAL);
	ck_assert_int_eq(xc_scatter(xc_all(guest), "X", XC_SCALAR(XC_F64, values), &err), -EINVAL);
	ck_assert_int_eq(xc_clear(xc_balanced(guest), "X", &err), -EINVAL);
	ck_assert_int_eq(xc_load(xc_all(guest), "", &err), -EINVAL);
	ck_assert_uint_eq(guest_sent(&m), 0);
}
END_TEST

START_TEST(test_parts)
{
	const struct xc_array *array = XC_ARRAY_F64(values, 10, 3);
	int64_t rows = 0;

	for (int i = 0; i < 4; i++) {
		struct xc_array part = part_of(array, i, 4);

		ck_assert_int_eq(part.shape[0], i < 2 ? 3 : 2);
		ck_assert_int_eq(part.shape[1], 3);
		ck_assert_ptr_eq(part.data, values + 3 * rows);
		rows += part.shape[0];
	}
	ck_assert_int_eq(rows, 10);
	ck_assert_int_eq(part_of(XC_ARRAY_F64(values, 1), 3, 4).shape[0], 0);
}
END_TEST

/* A pull whose parts are these arrays. */
static struct xc_result *pulled_parts(const struct xc_array *parts, int n)
{
	struct xc_result *result = xci_result_new(guest, n, NULL, 0);
	char bytes[4096];
	size_t at = 0;

	guest_job(result, NULL, 0);
	for (int i = 0; i < n; i++) {
		uint64_t size = ARRAY_HEADER_SIZE + (uint64_t)xc_array_size(&parts[i]);

		memcpy(bytes + at, &size, 8);
		array_header_write(bytes + at + 8, &parts[i], NULL);
		memcpy(bytes + at + 8 + ARRAY_HEADER_SIZE, parts[i].data, size - ARRAY_HEADER_SIZE);
		at += 8 + size;
	}
	ck_assert_int_eq(guest_result((struct msg_result){ .count = n, .final = 1 },
				      (struct span){ NULL, 0 }, (struct span){ bytes, at }),
			 0);
	return result;
}

START_TEST(test_gather)
{
	struct xc_array parts[3] = { *XC_ARRAY_F64(values, 2, 3), *XC_ARRAY_F64(values + 6, 1, 3),
				     *XC_ARRAY_F64(values + 9, 0, 3) };
	struct xc_result *result = pulled_parts(parts, 3);
	struct xc_array whole;

	ck_assert_int_eq(xc_result_gather(result, &whole, &err), 0);
	ck_assert_int_eq(whole.shape[0], 3);
	ck_assert_int_eq(whole.shape[1], 3);
	ck_assert_mem_eq(whole.data, values, 9 * sizeof *values);
	xc_array_free(&whole);
	ck_assert_int_eq(xc_result_array(result, 1, &whole, &err), 0);
	ck_assert_int_eq(whole.shape[0], 1);
	xc_array_free(&whole);
	ck_assert_int_eq(xc_result_array(result, 3, &whole, &err), -EINVAL);
	xc_result_destroy(result);
}
END_TEST

START_TEST(test_parts_that_differ)
{
	struct xc_array parts[2] = { *XC_ARRAY_F64(values, 2, 3), *XC_ARRAY_F64(values, 2, 3) };
	struct xc_array whole;
	struct xc_result *result;

	if (_i == 0)
		parts[1] = *XC_ARRAY_F64(values, 3, 2);
	else if (_i == 1)
		parts[1].dtype = XC_I64;
	else if (_i == 2)
		parts[1] = *XC_ARRAY_F64(values, 6);
	else
		parts[0] = *XC_SCALAR(XC_F64, values);
	result = pulled_parts(parts, 2);
	ck_assert_int_eq(xc_result_gather(result, &whole, &err), -EINVAL);
	xc_result_destroy(result);
}
END_TEST

START_TEST(test_part_that_is_no_array)
{
	struct xc_result *result = xci_result_new(guest, 1, NULL, 0);
	struct xc_array array;
	char bytes[12] = { 4, 0, 0, 0, 0, 0, 0, 0, 'x', 'c', 'a', 'r' };

	guest_job(result, NULL, 0);
	guest_result((struct msg_result){ .count = 1, .final = 1 }, (struct span){ NULL, 0 },
		     (struct span){ bytes, sizeof bytes });
	ck_assert_int_eq(xc_result_array(result, 0, &array, &err), XC_EPROTO);
	xc_result_destroy(result);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("submit");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_job);
	tcase_add_test(tests, test_direct_job);
	tcase_add_test(tests, test_kept);
	tcase_add_loop_test(tests, test_bad_options, 0, 8);
	tcase_add_test(tests, test_bad_calls);
	tcase_add_test(tests, test_push);
	tcase_add_test(tests, test_bad_variables);
	tcase_add_test(tests, test_parts);
	tcase_add_test(tests, test_gather);
	tcase_add_loop_test(tests, test_parts_that_differ, 0, 4);
	tcase_add_test(tests, test_part_that_is_no_array);
	return unit_run(tests);
}
