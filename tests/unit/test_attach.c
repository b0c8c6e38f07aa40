/* test_attach.c: clients that hear of jobs of others, or run them again. */
#include <errno.h>
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static struct desk_peer *owner, *other, *agent, *engine;
static uint64_t record, seq;

static void begin(void)
{
	desk_open();
	desk.history.max = 10;
	desk.history.kept_max = 1 << 20;
	owner = desk_client();
	other = desk_client();
	agent = desk_agent(1);
	engine = desk_engine(agent, 0, 1);
	record = seq = 0;
}

static void do_slice(void)
{
	struct msg_slice slice = DESK_EXPECT(engine, SLICE, slice);

	desk_done(engine, &slice, ++record, 0, slice.count, true);
}

static void submit(int64_t items, uint64_t flags)
{
	seq++;
	desk_submit(owner, (struct desk_job){ .seq = seq,
					      .job = seq,
					      .items = items,
					      .chunk = 1,
					      .flags = flags,
					      .out_size = 8 });
}

static struct msg_attach request(uint64_t number)
{
	return (struct msg_attach){ .owner = { owner->session, OWNER_SIZE },
				    .number = number,
				    .index = -1 };
}

/* What the controller says to it; the text is in the first frame. */
static struct msg_attached attach(struct desk_peer *peer, struct msg_attach m)
{
	unsigned char header[256];
	struct msg_attached attached;

	m.seq = peer == other ? ++peer->slot : ++seq;
	if (!m.job)
		m.job = 100 + m.seq;
	desk_send(peer, header, msg_attach_pack(header, sizeof header, &m), NULL, 0);
	while (desk_next(peer) != MSG_ATTACHED)
		ck_assert_uint_ne(peer->m.type, 0);
	ck_assert_int_eq(msg_attached_get(&peer->m.fields, &attached), 0);
	ck_assert_uint_eq(attached.job, m.job);
	return attached;
}

static void expect_refusal(struct msg_attach m, int code, const char *part)
{
	struct msg_attached attached = attach(other, m);
	char text[400];

	span_copy(text, sizeof text,
		  (struct span){ zmq_msg_data(&other->m.frames[0]),
				 zmq_msg_size(&other->m.frames[0]) });
	ck_assert_msg(attached.code == code && strstr(text, part), "%lld: %s",
		      (long long)attached.code, text);
}

/* Those that its client has acknowledged, those that it has not, and those to come, each
 * once, under its own numbers. */
START_TEST(test_results_of_all_times)
{
	struct msg_attached attached;
	struct msg_result result;

	submit(4, 0);
	do_slice();
	do_slice();
	DESK_SEND(owner, ack, .seq = 1);
	attached = attach(other, request(1));
	ck_assert_int_eq(attached.code, 0);
	ck_assert_int_eq(attached.items, 4);
	ck_assert_uint_eq(attached.out_size, 8);
	ck_assert_uint_eq(attached.seq, 1);
	do_slice();
	do_slice();
	for (int i = 0; i < 4; i++) {
		result = DESK_EXPECT(other, RESULT, result);
		ck_assert_uint_eq(result.job, 101);
		ck_assert_uint_eq(result.seq, 2 + (uint64_t)i);
		ck_assert_int_eq(result.first, i);
		ck_assert_uint_eq(result.final, i == 3);
		result = DESK_EXPECT(owner, RESULT, result);
		ck_assert_uint_eq(result.job, 1);
		ck_assert_uint_eq(result.seq, 1 + (uint64_t)i);
	}
	ck_assert_ptr_null(desk.clients->next->attachments);
	/* And all again after a break. */
	DESK_SEND(other, resend, .from = 1);
	ck_assert_uint_eq(desk_next(other), MSG_ATTACHED);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(DESK_EXPECT(other, RESULT, result).first, i);
}
END_TEST

START_TEST(test_finished)
{
	struct msg_result result;

	submit(1, 0);
	do_slice();
	if (_i > 0)
		DESK_SEND(owner, ack, .seq = 1);
	if (_i > 1)
		DESK_SEND(owner, bye, .id = 0);
	ck_assert_int_eq(attach(other, request(1)).code, 0);
	result = DESK_EXPECT(other, RESULT, result);
	ck_assert_uint_eq(result.final, 1);
	ck_assert_int_eq(result.count, 1);
}
END_TEST

START_TEST(test_by_its_own_client)
{
	submit(1, 0);
	ck_assert_int_eq(attach(owner, request(1)).code, 0);
	do_slice();
	ck_assert_uint_eq(DESK_EXPECT(owner, RESULT, result).job, 102);
	ck_assert_uint_eq(DESK_EXPECT(owner, RESULT, result).job, 1);
	DESK_SEND(owner, ack, .seq = 3);
	ck_assert_int_eq(desk.history.jobs->unacked, 0);
	ck_assert_ptr_null(desk.history.jobs->results->next); /* kept once */
}
END_TEST

START_TEST(test_refused)
{
	struct msg_attach m = request(0);

	submit(2, 0);
	expect_refusal(m, -ENOENT, "knows no such job");
	expect_refusal(request(9), -EAGAIN, "has not submitted it");
	m = request(1);
	m.owner.size--;
	expect_refusal(m, -ENOENT, "knows no such job");
	m = request(1);
	m.index = 0;
	expect_refusal(m, -EINVAL, "have no ids of their own");
	m = request(1);
	m.out = OUT_ARRAY;
	m.out_bytes = 15;
	expect_refusal(m, -EMSGSIZE, "need 2 * 8 bytes, but out has 15");
	m.again = 1;
	m.out_bytes = 16;
	expect_refusal(m, -EBUSY, "has not ended");
	desk.clients->jobs->is_dropped = true;
	m.again = 0;
	expect_refusal(m, -ENODATA, "XC_DISCONNECT_KEEP");
	ck_assert_ptr_null(desk.clients->next->attachments);
}
END_TEST

/* Of a reduction nothing but what is combined, and of others nothing that is. */
START_TEST(test_refused_reduction)
{
	struct msg_attach m = request(1);

	submit(2, _i ? JOB_REDUCE : 0);
	m.out_bytes = 16;
	m.out = _i ? OUT_ARRAY : OUT_COMBINED;
	expect_refusal(m, -EINVAL, _i ? "xc_attach_reduce" : "call xc_attach or xc_resubmit");
	m.again = 1;
	expect_refusal(m, -EINVAL, _i ? "xc_resubmit_reduce" : "call xc_attach or xc_resubmit");
	m.out = _i ? OUT_NOTHING : OUT_ARRAY;
	expect_refusal(m, _i ? -EINVAL : -EBUSY, _i ? "xc_resubmit_reduce" : "has not ended");
	m.out = _i ? OUT_COMBINED : OUT_NOTHING;
	expect_refusal(m, -EBUSY, "has not ended");
	m.again = 0;
	ck_assert_int_eq(attach(other, m).code, 0);
}
END_TEST

/* A number that is in use, and a message that came already, are dropped. */
START_TEST(test_number_in_use)
{
	struct msg_attach m = request(1);
	unsigned char header[256];

	submit(1, 0);
	m.job = 5;
	ck_assert_int_eq(attach(other, m).code, 0);
	for (uint64_t i = 1; i <= 2; i++) {
		m.seq = i;
		desk_send(other, header, msg_attach_pack(header, sizeof header, &m), NULL, 0);
		ck_assert_uint_eq(desk_next(other), 0);
	}
	desk_submit(other, (struct desk_job){ .seq = 3, .job = 5, .items = 1 });
	ck_assert_ptr_null(desk.clients->next->jobs);
}
END_TEST

START_TEST(test_detached)
{
	submit(2, 0);
	ck_assert_int_eq(attach(other, request(1)).code, 0);
	do_slice();
	ck_assert_uint_eq(DESK_EXPECT(other, RESULT, result).final, 0);
	DESK_SEND(other, detach, .seq = 2, .job = 101);
	do_slice();
	ck_assert_uint_eq(desk_next(other), 0);
	ck_assert_int_eq(desk.history.count, 1);
}
END_TEST

START_TEST(test_cancelled_by_who_is_attached)
{
	struct msg_result result;

	submit(9, 0);
	ck_assert_int_eq(attach(other, request(1)).code, 0);
	DESK_SEND(other, cancel, .seq = 2, .job = 101, .count = 9);
	result = DESK_EXPECT(other, RESULT, result);
	ck_assert_int_eq(result.count, 0);
	ck_assert_int_eq(desk.clients->jobs->ended, 7);
}
END_TEST

/* Its client goes, and so does the job: who is attached hears of every item. */
START_TEST(test_client_goes)
{
	const uint32_t targets[] = { 0 };
	int64_t ended = 0;
	struct failure_run run;
	struct msg_result result;

	desk_submit(owner, (struct desk_job){ .seq = 1,
					      .job = 1,
					      .items = 9,
					      .chunk = 1,
					      .targets = targets,
					      .target_count = _i });
	ck_assert_int_eq(attach(other, request(1)).code, 0);
	DESK_SEND(owner, bye, .id = 0);
	do_slice();
	do_slice();
	do {
		size_t at = 0;

		result = DESK_EXPECT(other, RESULT, result);
		ended += result.count;
		while (desk_run_at(other, &at, &run))
			ended += run.count;
	} while (!result.final);
	ck_assert_int_eq(ended, 9);
}
END_TEST

START_TEST(test_attached_goes)
{
	submit(2, 0);
	ck_assert_int_eq(attach(other, request(1)).code, 0);
	do_slice();
	DESK_SEND(other, bye, .id = 0);
	ck_assert_ptr_null(desk.clients->jobs->attachments);
	ck_assert_int_eq(desk.clients->jobs->unacked, 1);
	do_slice();
	clients_sweep(&desk);
	ck_assert_ptr_null(desk.departed);
}
END_TEST

/* One that does not read is let go of when it is too much, the job's client is not held
 * up meanwhile. */
START_TEST(test_cut_off)
{
	struct msg_result result;

	submit(3, 0);
	ck_assert_int_eq(attach(other, request(1)).code, 0);
	desk.clients->next->held_bytes += desk.history.kept_max + HELD_BYTES_MAX;
	do_slice();
	result = DESK_EXPECT(other, RESULT, result);
	ck_assert_uint_eq(result.final, 1);
	ck_assert_int_eq(result.count, 0);
	ck_assert_ptr_null(desk.clients->next->attachments);
	do_slice();
	do_slice();
	ck_assert_int_eq(desk.history.count, 1);
	desk.clients->next->held_bytes -= desk.history.kept_max + HELD_BYTES_MAX;
}
END_TEST

/* A job without a client that waits for one that is attached goes on without that. */
START_TEST(test_slow_one_goes)
{
	struct client *slow;

	submit(9, JOB_KEEP);
	ck_assert_int_eq(attach(other, request(1)).code, 0);
	DESK_SEND(owner, bye, .id = 0);
	desk_run();
	slow = desk.clients;
	slow->held_bytes += HELD_BYTES_MAX;
	do_slice();
	if (_i == 0) {
		do_slice();
		do_slice();
		ck_assert_uint_eq(desk_next(engine), 0);
		DESK_SEND(other, bye, .id = 0);
	} else { /* it is cut off */
		slow->held_bytes += desk.history.kept_max;
	}
	while (desk.departed->jobs)
		do_slice();
	ck_assert_ptr_nonnull(desk.history.kept);
}
END_TEST

/* ---- Again -------------------------------------------------------------------------- */

START_TEST(test_again)
{
	const uint32_t targets[] = { 0 };
	struct msg_attach m = request(1);
	struct msg_slice slice;
	struct job *job;

	desk_submit(owner, (struct desk_job){ .seq = 1,
					      .job = 1,
					      .items = 2,
					      .form = FORM_STRIDED,
					      .in_size = 3,
					      .flags = JOB_EVERYWHERE | JOB_AT_MOST_ONCE,
					      .name = "x",
					      .payload = { "abcdef", 6 },
					      .targets = targets,
					      .target_count = 1 });
	while (desk.engines[0]->slices)
		do_slice();
	DESK_SEND(owner, bye, .id = 0);
	m.again = 1;
	ck_assert_uint_eq(attach(other, m).flags, JOB_AT_MOST_ONCE);
	job = desk.clients->jobs;
	ck_assert_uint_eq(job->id, 101);
	ck_assert_int_eq(job->items, 2);
	ck_assert(job->pinned);
	ck_assert_uint_eq(job->flags, JOB_AT_MOST_ONCE);
	ck_assert_str_eq(job->label, "label");
	slice = DESK_EXPECT(engine, SLICE, slice);
	ck_assert_int_eq(slice.first, 0);
	ck_assert_mem_eq(zmq_msg_data(&engine->m.frames[0]), "task", 4);
	ck_assert_mem_eq(zmq_msg_data(&engine->m.frames[2]), "abc", 3);
	desk_done(engine, &slice, ++record, 0, slice.count, true);
	while (desk.engines[0]->slices)
		do_slice();
	ck_assert_int_eq(desk.history.count, 2);
	ck_assert_uint_eq(desk.clients->input_bytes, 0);
}
END_TEST

/* Who only asks whether is told so, may ask under the same number, and nothing runs. */
START_TEST(test_whether_again)
{
	struct msg_attach m = request(1);

	submit(1, 0);
	m.again = AGAIN_WHETHER;
	expect_refusal(m, -EBUSY, "has not ended");
	do_slice();
	ck_assert_int_eq(attach(other, m).items, 1);
	ck_assert_ptr_null(desk.clients->jobs);
	ck_assert_ptr_null(desk.clients->next->jobs);
	ck_assert_ptr_null(desk.clients->next->attachments);
	ck_assert_uint_eq(desk_next(engine), 0);
}
END_TEST

START_TEST(test_one_item_again)
{
	struct msg_attach m = request(1);

	desk_submit(owner, (struct desk_job){ .seq = 1,
					      .job = 1,
					      .items = 2,
					      .chunk = 2,
					      .form = FORM_STRIDED,
					      .in_size = 3,
					      .flags = JOB_APART,
					      .payload = { "abcdef", 6 } });
	do_slice();
	m.again = 1;
	m.index = 2;
	expect_refusal(m, -ENOENT, "only 2 items");
	m.index = 1;
	ck_assert_int_eq(attach(other, m).items, 1);
	DESK_EXPECT(engine, SLICE, slice);
	ck_assert_uint_eq(zmq_msg_size(&engine->m.frames[2]), 3);
	ck_assert_mem_eq(zmq_msg_data(&engine->m.frames[2]), "def", 3);
}
END_TEST

/* Of a batch whose inputs differ in size. */
START_TEST(test_one_packed_item_again)
{
	const uint64_t offsets[] = { 0, 2, 2, 6 };
	struct msg_attach m = request(1);
	unsigned char payload[sizeof offsets + 6], table[16];

	memcpy(payload, offsets, sizeof offsets);
	memcpy(payload + sizeof offsets, "abcdef", 6);
	desk_submit(owner, (struct desk_job){ .seq = 1,
					      .job = 1,
					      .items = 3,
					      .chunk = 3,
					      .form = FORM_PACKED,
					      .flags = JOB_APART,
					      .payload = { payload, sizeof payload } });
	do_slice();
	m.again = 1;
	m.index = _i;
	ck_assert_int_eq(attach(other, m).items, 1);
	ck_assert_int_eq(DESK_EXPECT(engine, SLICE, slice).count, 1);
	memcpy(table, &(uint64_t[]){ 0, offsets[_i + 1] - offsets[_i] }, sizeof table);
	ck_assert_uint_eq(zmq_msg_size(&engine->m.frames[1]), sizeof table);
	ck_assert_mem_eq(zmq_msg_data(&engine->m.frames[1]), table, sizeof table);
	ck_assert_uint_eq(zmq_msg_size(&engine->m.frames[2]), offsets[_i + 1] - offsets[_i]);
	ck_assert_mem_eq(zmq_msg_data(&engine->m.frames[2]), payload + sizeof offsets + offsets[_i],
			 offsets[_i + 1] - offsets[_i]);
}
END_TEST

START_TEST(test_inputs_gone)
{
	struct msg_attach m = request(1);

	submit(1, 0);
	do_slice();
	m.again = 1;
	desk.clients->next->input_bytes = 4 * CREDIT_BYTES + 1;
	expect_refusal(m, -ENOBUFS, "too many bytes of inputs");
	desk.clients->next->input_bytes = 0;
	payload_unref(desk.history.jobs->payload);
	desk.history.jobs->payload = NULL;
	expect_refusal(m, -ENODATA, "XC_DISCONNECT_KEEP");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("attach");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_results_of_all_times);
	tcase_add_loop_test(tests, test_finished, 0, 3);
	tcase_add_test(tests, test_by_its_own_client);
	tcase_add_test(tests, test_refused);
	tcase_add_loop_test(tests, test_refused_reduction, 0, 2);
	tcase_add_test(tests, test_number_in_use);
	tcase_add_test(tests, test_detached);
	tcase_add_test(tests, test_cancelled_by_who_is_attached);
	tcase_add_loop_test(tests, test_client_goes, 0, 2);
	tcase_add_test(tests, test_attached_goes);
	tcase_add_test(tests, test_cut_off);
	tcase_add_loop_test(tests, test_slow_one_goes, 0, 2);
	tcase_add_test(tests, test_again);
	tcase_add_test(tests, test_whether_again);
	tcase_add_test(tests, test_one_item_again);
	tcase_add_loop_test(tests, test_one_packed_item_again, 0, 3);
	tcase_add_test(tests, test_inputs_gone);
	return unit_run(tests);
}
