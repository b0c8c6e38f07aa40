/* test_job_name.c: ids of jobs, and what the controller answers to those who attach. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/guest.h"
#include "tests/unit/unit.h"

static int64_t out[4];
static struct xci_attach attach;
static struct xci_job *job;
static struct xc_result *result;

static void begin(void)
{
	guest_open();
	result = xci_result_new(guest, 0, out, 0);
	job = guest_job(result, NULL, 0);
	attach = (struct xci_attach){ .result = result, .index = -1, .out_bytes = 2 * sizeof *out };
	job->attach = &attach;
	job->is_attached = true;
	memset(out, 0xff, sizeof out);
}

static void end(void)
{
	if (!attach.is_answered)
		job->attach = NULL;
	xc_result_destroy(result);
	guest_close();
}

static void answer(struct msg_attached head, const char *text)
{
	unsigned char header[HEADER_MAX];
	struct message m;
	size_t size;

	head.seq = guest->received + 1;
	size = msg_attached_pack(header, sizeof header, &head);
	message_init(&m);
	m.type = message_type(&m.fields, header, size);
	zmq_msg_close(&m.frames[0]);
	frame_copy(&m.frames[0], text, strlen(text));
	ck_assert_int_eq(xci_on_attached(guest, &m), 0);
	message_fini(&m);
}

START_TEST(test_ids)
{
	unsigned char owner[OWNER_SIZE] = { 0, 0x1f, 0xa0, 3, 4, 5, 6, 0xff };
	struct xci_job_name name;
	char id[XC_JOB_ID_SIZE];

	xci_job_id(id, owner, UINT64_MAX);
	ck_assert_str_eq(id, "001fa003040506ff-18446744073709551615");
	ck_assert_int_eq(xci_job_name(&name, "x", id, NULL), 0);
	ck_assert_mem_eq(name.owner, owner, OWNER_SIZE);
	ck_assert_uint_eq(name.number, UINT64_MAX);
	ck_assert_int_eq(name.index, -1);
	ck_assert_int_eq(xci_job_name(&name, "x", "001fa003040506ff-7.511", NULL), 0);
	ck_assert_int_eq(name.index, 511);
	ck_assert_int_eq(xci_job_name(&name, "x", "001fa003040506ff-7.9223372036854775808", NULL),
			 -EINVAL);
	ck_assert_int_eq(xci_job_name(&name, "x", NULL, NULL), -EINVAL);
	memcpy(result->owner, owner, OWNER_SIZE);
	result->number = 12;
	ck_assert_int_eq(xc_result_id(result, id), 0);
	ck_assert_str_eq(id, "001fa003040506ff-12");
	result->number = 0;
	ck_assert_int_eq(xc_result_id(result, id), XC_ELOST);
}
END_TEST

START_TEST(test_attached)
{
	answer((struct msg_attached){ .job = job->id, .items = 2, .out_size = sizeof *out }, "");
	ck_assert(attach.is_answered);
	ck_assert_int_eq(attach.code, 0);
	ck_assert_ptr_null(job->attach);
	ck_assert_int_eq(result->items, 2);
	ck_assert_int_eq(guest_result((struct msg_result){ .count = 2, .final = 1 },
				      (struct span){ NULL, 0 },
				      (struct span){ (int64_t[]){ 5, 6 }, 16 }),
			 0);
	ck_assert(result->is_ready);
	ck_assert_int_eq(out[1], 6);
	ck_assert_int_eq(out[2], -1);
}
END_TEST

/* One item of those that came together: only its result arrives. */
START_TEST(test_one_of_several)
{
	attach.index = 1;
	attach.out_bytes = sizeof *out;
	answer((struct msg_attached){ .job = job->id, .items = 3, .out_size = sizeof *out }, "");
	ck_assert_int_eq(attach.code, 0);
	ck_assert_int_eq(result->items, 1);
	ck_assert_int_eq(guest_result((struct msg_result){ .count = 3, .final = 1 },
				      (struct span){ NULL, 0 },
				      (struct span){ (int64_t[]){ 5, 6, 7 }, 24 }),
			 0);
	ck_assert(result->is_ready);
	ck_assert_int_eq(out[0], 6);
	ck_assert_int_eq(out[1], -1);
}
END_TEST

static const struct {
	int64_t items;
	uint64_t out_size;
	int64_t index;
} wrong[] = {
	{ 3, 8, -1 },
	{ INT64_MAX, 8, -1 },
	{ 1, UINT64_MAX, 0 },
	{ 1, 8, 1 },
};

/* What would not fit is not believed. */
START_TEST(test_wrong_answers)
{
	attach.index = wrong[_i].index;
	answer((struct msg_attached){ .job = job->id,
				      .items = wrong[_i].items,
				      .out_size = wrong[_i].out_size },
	       "");
	ck_assert(attach.is_answered);
	ck_assert_int_eq(attach.code, XC_EPROTO);
	ck_assert(!attach.is_refused);
	ck_assert_int_eq(result->items, 0);
}
END_TEST

START_TEST(test_refused)
{
	answer((struct msg_attached){ .job = job->id, .code = -ENOENT }, "there is none");
	ck_assert(attach.is_refused);
	ck_assert_int_eq(attach.code, -ENOENT);
	ck_assert_str_eq(attach.text, "there is none");
	answer((struct msg_attached){ .job = 999 }, ""); /* of a job given up meanwhile */
	ck_assert_uint_eq(guest->received, 2);
}
END_TEST

/* Who lets go of it lets the job alone. */
START_TEST(test_left)
{
	struct msg_detach detach;
	struct message m;

	answer((struct msg_attached){ .job = job->id, .items = 2, .out_size = sizeof *out }, "");
	detach.job = job->id;
	xc_result_destroy(result);
	result = NULL;
	ck_assert_ptr_null(guest->jobs);
	message_init(&m);
	ck_assert_uint_eq(guest_sent(&m), MSG_DETACH);
	ck_assert_int_eq(msg_detach_get(&m.fields, &detach), 0);
	ck_assert_uint_eq(guest_sent(&m), 0);
	message_fini(&m);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("job_name");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_ids);
	tcase_add_test(tests, test_attached);
	tcase_add_test(tests, test_one_of_several);
	tcase_add_loop_test(tests, test_wrong_answers, 0, sizeof wrong / sizeof *wrong);
	tcase_add_test(tests, test_refused);
	tcase_add_test(tests, test_left);
	return unit_run(tests);
}
