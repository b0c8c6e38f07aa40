/* incoming.c: results that arrive while memory is short: kept until there is room,
 * or reported; never taken for a success without its result. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/fault.h"
#include "tests/support/support.h"
#include "tests/unit/guest.h"

#define ITEMS 6

static struct guest_frame failures, payload;
static const struct span none;

static void add_item(int64_t value)
{
	uint64_t size = sizeof value;

	memcpy(payload.bytes + payload.size, &size, sizeof size);
	memcpy(payload.bytes + payload.size + sizeof size, &value, sizeof value);
	payload.size += sizeof size + sizeof value;
}

static void add_none(void)
{
	memset(payload.bytes + payload.size, 0xff, sizeof(uint64_t));
	payload.size += sizeof(uint64_t);
}

static void begin(void)
{
	guest_open();
	failures.size = payload.size = 0;
}

static int end(int r, struct xc_error *err)
{
	guest_close();
	if (r < 0)
		err->code = r, strcpy(err->text, "for the pump to try again");
	return r;
}

/* With all the memory there is. */
static int again(struct msg_result head)
{
	int r;

	guest_around = NULL;
	r = guest_result(head, guest_span(&failures), guest_span(&payload));
	guest_around = fault_arm;
	return r;
}

/* Hands in the same message again, as the pump does, until it is taken. */
static int taken(struct msg_result head, int64_t *tries)
{
	int r = guest_result(head, guest_span(&failures), guest_span(&payload));

	for (*tries = 1; r == -ENOMEM; ++*tries) {
		ck_assert_uint_eq(guest->received, 0); /* else it is never sent again */
		r = again(head);
	}
	ck_assert_uint_eq(guest->received, 1);
	return r;
}

static void check_item(struct xc_result *result, int64_t i, int64_t value)
{
	size_t size = 0;
	const void *data = xc_result_item(result, i, &size);

	ck_assert_ptr_nonnull(data);
	ck_assert_uint_eq(size, sizeof value);
	ck_assert_mem_eq(data, &value, size);
}

static int packed_map(struct xc_error *err)
{
	struct xc_result *result;
	int64_t tries;
	int r;

	begin();
	result = xci_result_new(guest, ITEMS, NULL, 0);
	guest_job(result, NULL, 0);
	for (int i = 0; i < ITEMS; i++)
		i == 2 ? add_none() : add_item(100 + i);
	guest_add_run(&failures, 2, 1, XC_FAILED, "bad luck");
	r = taken((struct msg_result){ .count = ITEMS, .final = 1 }, &tries);
	ck_assert(xc_is_ready(result));
	ck_assert_int_eq(xc_result_progress(result).failed, 1);
	ck_assert_int_eq(xc_result_progress(result).done, ITEMS);
	for (int i = 0; i < ITEMS; i++)
		if (i != 2)
			check_item(result, i, 100 + i);
	ck_assert_int_eq(xc_wait(result, 0, err), XC_EFAILED);
	err->code = 0;
	xc_result_destroy(result);
	return end(r, err);
}

static int packed_members(struct xc_error *err)
{
	struct xc_result *members[ITEMS];
	int64_t tries;
	int r;

	begin();
	for (int i = 0; i < ITEMS; i++) {
		members[i] = xci_result_new(guest, 1, NULL, 0);
		members[i]->is_single = true;
		guest->singles++;
		i == 2 ? add_none() : add_item(100 + i);
	}
	guest_job(NULL, members, ITEMS);
	guest_add_run(&failures, 2, 1, XC_CANCELLED, "");
	r = taken((struct msg_result){ .count = ITEMS, .final = 1 }, &tries);
	for (int i = 0; i < ITEMS; i++) {
		int state = FAULTY(xc_item_state(members[i], 0));

		ck_assert(xc_is_ready(members[i]));
		ck_assert_int_eq(xc_wait(members[i], 0, err), i == 2 ? XC_EFAILED : 0);
		ck_assert(state == (i == 2 ? XC_CANCELLED : XC_OK) ||
			  (fault_hit() && state == -ENOMEM));
		if (i != 2)
			check_item(members[i], 0, 100 + i);
		xc_result_destroy(members[i]);
	}
	ck_assert_int_eq(guest->singles, 0);
	return end(r, err);
}

/* Runs, shares and the log have no room: what is known of them is less, and the
 * answers say so; counts and outcome are right all the same. */
static int many_runs(struct xc_error *err)
{
	struct xc_result *result;
	int64_t item, handed_out = 0, out[ITEMS];
	int r;

	begin();
	result = xci_result_new(guest, ITEMS, out, sizeof out[0]);
	guest_job(result, NULL, 0);
	for (int i = 0; i < ITEMS; i++) {
		struct msg_result head = { .first = i, .count = 1, .engine = ITEMS - i };
		int64_t value = 7 * i;

		failures.size = 0;
		if (i % 2)
			guest_add_run(&failures, i, 1, XC_FAILED, "odd");
		head.final = i + 1 == ITEMS;
		ck_assert_int_eq(guest_result(head, guest_span(&failures),
					      (struct span){ &value, sizeof value }),
				 0);
	}
	ck_assert_int_eq(xc_result_progress(result).failed, ITEMS / 2);
	ck_assert_int_eq(xc_wait(result, 0, err), XC_EFAILED);
	for (int i = 0; i < ITEMS; i += 2)
		ck_assert_int_eq(out[i], 7 * i);
	err->code = 0;
	while ((r = FAULTY(xc_next(result, XC_IN_ORDER, 0, &item, err))) == 1)
		handed_out++;
	if (r == 0)
		ck_assert_int_eq(handed_out, ITEMS);
	xc_result_destroy(result);
	guest_close();
	return r;
}

static int roster(struct xc_error *err)
{
	struct guest_frame engines = { .size = 0 }, agents = { .size = 0 };
	int r;

	begin();
	guest_add_engine(&engines, 0, XCI_UP, "");
	guest_add_engine(&engines, 3, XCI_GONE, "it was killed");
	guest_add_engine(&engines, 40, XCI_UP, "");
	guest_add_agent(&agents, "here", "/tmp/a", 1);
	guest_add_agent(&agents, "there", "/tmp/b", 2);
	r = guest_roster(0, guest_span(&engines), guest_span(&agents));
	guest_around = NULL;
	while (r == -ENOMEM)
		r = guest_roster(0, guest_span(&engines), guest_span(&agents));
	guest_around = fault_arm;
	ck_assert_int_eq(guest->up, 2);
	ck_assert_int_eq(guest->covered, 2);
	ck_assert_int_eq(guest->agent_count, 2);
	ck_assert_str_eq(guest->engines[3].reason, "it was killed");
	return end(r, err);
}

static int summary(struct xc_error *err)
{
	struct xc_result *result;
	char text[500] = "";
	int r;

	begin();
	result = xci_result_new(guest, ITEMS, NULL, 0);
	guest_job(result, NULL, 0);
	guest_add_run(&failures, 1, 2, XC_FAILED, "bad luck");
	guest_around = NULL;
	guest_result((struct msg_result){ .count = ITEMS, .final = 1 }, guest_span(&failures),
		     none);
	guest_around = fault_arm;
	r = FAULTY(xc_failure_summary(result, text, sizeof text));
	xc_result_destroy(result);
	if (r > 0)
		ck_assert_ptr_nonnull(strstr(text, "bad luck"));
	return end(r > 0 ? 0 : r, err);
}

/* Two clients of the library's own messages: what does not go out is not counted. */
static int sending(struct xc_error *err)
{
	static const char header[100] = "a header that is no small one";
	zmq_msg_t frames[3];
	struct message m;
	int r;

	begin();
	message_init(&m);
	for (int i = 0; i < 3; i++)
		frame_copy(&frames[i], header, sizeof header);
	r = FAULTY(xci_send(guest, 1, header, sizeof header, frames, 3));
	ck_assert_uint_eq(guest->sent_seq, r == 0);
	ck_assert_int_eq(guest->sent != NULL, r == 0);
	if (r < 0) { /* nothing is half sent: the next one arrives whole */
		for (int i = 0; i < 3; i++)
			frame_copy(&frames[i], header, sizeof header);
		ck_assert_int_eq(xci_send(guest, 1, header, sizeof header, frames, 3), 0);
	}
	guest_sent(&m);
	ck_assert_int_eq(m.count, 3);
	ck_assert_uint_eq(zmq_msg_size(&m.header), sizeof header);
	message_fini(&m);
	return end(r, err);
}

START_TEST(every_allocation_of_results)
{
	guest_around = fault_arm;
	fault_every("packed results of a map", packed_map, 0, NULL);
	fault_every("packed results of a batch", packed_members, 0, NULL);
	fault_every("many runs", many_runs, 0, NULL);
	fault_every("roster", roster, 0, NULL);
	fault_every("xc_failure_summary", summary, 0, NULL);
	fault_every("sending", sending, 0, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fault_incoming");

	tcase_add_test(shared_case(suite, "incoming"), every_allocation_of_results);
	return run_tests(suite);
}
