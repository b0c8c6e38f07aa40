/* test_jobs.c: jobs from submission to their last item. */
#include <errno.h>
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static struct desk_peer *client, *agent, *engines[2];

static void begin(void)
{
	desk_open();
	client = desk_client();
	agent = desk_agent(2);
	for (int i = 0; i < 2; i++)
		engines[i] = desk_engine(agent, (uint64_t)i, 1);
}

static struct job *only_job(void)
{
	return desk.clients->jobs;
}

/* The RESULT that comes next has this one run of failures. */
static struct msg_result expect_failure(struct failure_run *run)
{
	struct msg_result result = DESK_EXPECT(client, RESULT, result);
	struct failure_run none;
	size_t at = 0;

	ck_assert(desk_run_at(client, &at, run));
	ck_assert(!desk_run_at(client, &at, &none));
	return result;
}

START_TEST(test_nothing_to_do)
{
	struct msg_result result;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 9 });
	result = DESK_EXPECT(client, RESULT, result);
	ck_assert_uint_eq(result.job, 9);
	ck_assert_uint_eq(result.final, 1);
	ck_assert_int_eq(result.count, 0);
	ck_assert_ptr_null(only_job());
}
END_TEST

START_TEST(test_whole_life)
{
	struct msg_result result;
	struct msg_slice s;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 9, .items = 20, .chunk = 10 });
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_nonnull(only_job());
		s = DESK_EXPECT(engines[i], SLICE, slice);
		ck_assert_int_eq(s.first, 10 * i);
		desk_done(engines[i], &s, 1, 0, 4, false);
		result = DESK_EXPECT(client, RESULT, result);
		ck_assert_int_eq(result.first, s.first);
		ck_assert_int_eq(result.count, 4);
		ck_assert_uint_eq(result.final, 0);
		desk_done(engines[i], &s, 2, 4, 6, true);
		result = DESK_EXPECT(client, RESULT, result);
		ck_assert_int_eq(result.first, s.first + 4);
		ck_assert_int_eq(result.engine, i);
		ck_assert_uint_eq(result.final, (uint64_t)i);
	}
	ck_assert_ptr_null(only_job());
	ck_assert_int_eq(desk.engines[0]->items_run, 10);
	ck_assert_uint_eq(desk.clients->input_bytes, 0);
}
END_TEST

/* ---- What is no job ----------------------------------------------------------------- */

static uint64_t offsets[4];

static const struct bad {
	const char *why;
	struct desk_job job;
} bad[] = {
	{ "negative items", { .items = -1 } },
	{ "too many items", { .items = INT64_MAX } },
	{ "negative chunk", { .items = 1, .chunk = -1 } },
	{ "too many attempts", { .items = 1, .max_attempts = UINT64_MAX } },
	{ "no such form", { .items = 1, .form = FORM_SAME + 1 } },
	{ "range with bytes", { .items = 1, .payload = { "x", 1 } } },
	{ "same, too short",
	  { .items = 1, .form = FORM_SAME, .in_size = 2, .payload = { "x", 1 } } },
	{ "strided, too short",
	  { .items = 3, .form = FORM_STRIDED, .in_size = 2, .payload = { "abcde", 5 } } },
	{ "strided, too long",
	  { .items = 2, .form = FORM_STRIDED, .in_size = 2, .payload = { "abcde", 5 } } },
	{ "strided, overflow",
	  { .items = INT64_C(1) << 60,
	    .form = FORM_STRIDED,
	    .in_size = 32,
	    .payload = { NULL, 0 } } },
	{ "packed without a table", { .items = 1, .form = FORM_PACKED, .payload = { "12", 2 } } },
	{ "packed, table too short",
	  { .items = 4, .form = FORM_PACKED, .payload = { offsets, 32 } } },
	{ "object of another size", { .items = 1, .object = { "short", 5 } } },
	{ "pinned to nobody",
	  { .items = 1, .target_count = 0, .targets = NULL, .flags = 1 << 30 } },
};

START_TEST(test_refused)
{
	struct desk_job job = bad[_i].job;
	struct failure_run run;
	struct msg_result result;

	if (job.flags == 1 << 30) { /* desk_submit cannot say it */
		struct span frames[3] = { span_of("task"), { NULL, 0 }, { NULL, 0 } };

		DESK_SEND_FRAMES(client, submit, frames, 3, .seq = 1, .job = 7, .pinned = 1,
				 .items = 1, .max_attempts = 1);
	} else {
		job.seq = 1;
		job.job = 7;
		desk_submit(client, job);
	}
	result = expect_failure(&run);
	ck_assert_uint_eq(result.job, 7);
	ck_assert_uint_eq(result.final, 1);
	ck_assert_uint_eq(run.state, XC_FAILED);
	ck_assert_int_eq(run.code, XC_EPROTO);
	ck_assert_ptr_null(only_job());
	ck_assert_uint_eq(desk_next(engines[0]), 0);
}
END_TEST

static bool packed(uint64_t a, uint64_t b, uint64_t c, size_t bytes)
{
	char payload[24 + 100] = { 0 };
	struct msg_result result;
	struct failure_run run;
	size_t at = 0;
	static uint64_t seq;

	memcpy(payload, (uint64_t[]){ a, b, c }, 24);
	seq = desk.clients->received + 1;
	desk_submit(client, (struct desk_job){ .seq = seq,
					       .job = seq,
					       .items = 2,
					       .form = FORM_PACKED,
					       .payload = { payload, 24 + bytes } });
	if (desk_next(client) != MSG_RESULT)
		return true;
	ck_assert_int_eq(msg_result_get(&client->m.fields, &result), 0);
	ck_assert(desk_run_at(client, &at, &run));
	ck_assert_int_eq(run.code, XC_EPROTO);
	return false;
}

START_TEST(test_offsets)
{
	ck_assert(packed(0, 3, 10, 10));
	ck_assert(packed(0, 0, 0, 0));
	ck_assert(packed(3, 5, 10, 10)); /* bytes that no item has */
	ck_assert(!packed(0, 11, 10, 10));
	ck_assert(!packed(0, 3, 9, 10));
	ck_assert(!packed(0, 3, 11, 10));
	ck_assert(!packed(5, 3, 10, 10));
	ck_assert(!packed(UINT64_MAX, UINT64_MAX, UINT64_MAX, 10));
}
END_TEST

START_TEST(test_same_number_twice)
{
	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 2, .chunk = 1 });
	desk_submit(client, (struct desk_job){ .seq = 2, .job = 1, .items = 5, .chunk = 1 });
	ck_assert_int_eq(only_job()->items, 2);
	ck_assert_uint_eq(HASH_COUNT(desk.clients->jobs), 1);
}
END_TEST

START_TEST(test_too_many_bytes)
{
	struct failure_run run;

	desk.clients->input_bytes = 4 * CREDIT_BYTES;
	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 1,
					       .form = FORM_SAME,
					       .in_size = 1,
					       .payload = { "x", 1 } });
	expect_failure(&run);
	ck_assert_int_eq(run.code, -ENOBUFS);
	desk.clients->input_bytes = 0;
}
END_TEST

/* ---- Numbers of messages ------------------------------------------------------------ */

START_TEST(test_sent_again)
{
	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 2, .chunk = 1 });
	desk_submit(client, (struct desk_job){ .seq = 1, .job = 2, .items = 2, .chunk = 1 });
	ck_assert_uint_eq(HASH_COUNT(desk.clients->jobs), 1);
}
END_TEST

START_TEST(test_gap)
{
	desk_submit(client, (struct desk_job){ .seq = 3, .job = 1, .items = 2, .chunk = 1 });
	ck_assert_uint_eq(DESK_EXPECT(client, RESEND, resend).from, 1);
	ck_assert_ptr_null(only_job());
	ck_assert_uint_eq(desk.clients->received, 0);
}
END_TEST

START_TEST(test_gap_before_a_cancel)
{
	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 1 });
	DESK_SEND(client, cancel, .seq = 3, .job = 1, .first = 0, .count = 100);
	ck_assert_uint_eq(DESK_EXPECT(client, RESEND, resend).from, 2);
	ck_assert(!only_job()->cancelled);
}
END_TEST

/* ---- Pinned --------------------------------------------------------------------------- */

START_TEST(test_blocks)
{
	uint32_t targets[] = { 1, 0 };

	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 5,
					       .chunk = 5,
					       .targets = targets,
					       .target_count = 2 });
	ck_assert_int_eq(DESK_EXPECT(engines[1], SLICE, slice).count, 3);
	ck_assert_int_eq(DESK_EXPECT(engines[0], SLICE, slice).first, 3);
}
END_TEST

START_TEST(test_no_such_engine)
{
	uint32_t targets[] = { 0, 99 };
	struct failure_run run;

	desk_submit(
		client,
		(struct desk_job){
			.seq = 1, .job = 1, .items = 2, .targets = targets, .target_count = 2 });
	expect_failure(&run);
	ck_assert_int_eq(run.first, 1);
	ck_assert_uint_eq(run.state, XC_LOST);
	ck_assert_mem_eq(run.text.data, "there is no engine 99", run.text.size);
	ck_assert_int_eq(only_job()->ended, 1);
}
END_TEST

/* ---- Cancel and failure ------------------------------------------------------------------ */

/* Items not handed out end at once; those handed out are taken back from the
 * agent, and what runs may ask whether it is cancelled. */
START_TEST(test_cancel)
{
	struct failure_run run;
	struct msg_slice s;
	struct msg_take take;
	struct msg_interrupt interrupt;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 10 });
	s = DESK_EXPECT(engines[0], SLICE, slice);
	DESK_SEND(client, cancel, .seq = 2, .job = 1, .first = 0, .count = 100,
		  .how = CANCEL_HOW_QUEUED);
	expect_failure(&run);
	ck_assert_int_eq(run.first, 40);
	ck_assert_int_eq(run.count, 60);
	ck_assert_uint_eq(run.state, XC_CANCELLED);
	take = DESK_EXPECT(agent, TAKE, take);
	ck_assert_uint_eq(take.all, 1);
	ck_assert_uint_eq(take.slice, s.slice);
	interrupt = DESK_EXPECT(agent, INTERRUPT, interrupt);
	ck_assert_uint_eq(interrupt.kill, INTERRUPT_ASK);
	/* The engine had begun two of its ten. */
	DESK_SEND(agent, taken, .slot = 0, .epoch = 1, .slice = s.slice, .end = 2);
	expect_failure(&run);
	ck_assert_int_eq(run.first, 2);
	ck_assert_int_eq(run.count, 8);
	ck_assert_uint_eq(run.attempts, 0);
	desk_done(engines[0], &s, 1, 0, 2, true);
	ck_assert_int_eq(DESK_EXPECT(client, RESULT, result).count, 2);
	ck_assert_int_eq(only_job()->ended, 70);
}
END_TEST

START_TEST(test_cancel_kills)
{
	struct msg_interrupt interrupt;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 1 });
	DESK_SEND(client, cancel, .seq = 2, .job = 1, .first = 0, .count = 1,
		  .how = CANCEL_HOW_RUNNING);
	DESK_EXPECT(agent, TAKE, take);
	interrupt = DESK_EXPECT(agent, INTERRUPT, interrupt);
	ck_assert_uint_eq(interrupt.kill, INTERRUPT_KILL);
}
END_TEST

/* One submission of a batch is cancelled: the others' items run. */
START_TEST(test_cancel_part)
{
	struct failure_run run;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 1 });
	DESK_SEND(client, cancel, .seq = 2, .job = 1, .first = 50, .count = 1);
	expect_failure(&run);
	ck_assert_int_eq(run.first, 50);
	ck_assert_int_eq(run.count, 1);
	ck_assert_uint_eq(run.state, XC_CANCELLED);
	ck_assert(!only_job()->cancelled);
	ck_assert_int_eq(only_job()->remaining.total, 95);
	/* one that runs already, and one that is none */
	DESK_SEND(client, cancel, .seq = 3, .job = 1, .first = 0, .count = 1);
	DESK_SEND(client, cancel, .seq = 4, .job = 1, .first = 1000, .count = INT64_MAX);
	DESK_SEND(client, cancel, .seq = 5, .job = 1, .first = -1, .count = 1);
	DESK_SEND(client, cancel, .seq = 6, .job = 77, .first = 0, .count = 1);
	ck_assert_uint_eq(desk_next(client), 0);
	ck_assert_int_eq(only_job()->remaining.total, 95);
}
END_TEST

/* The same in an engine's hands: the slice is taken back, and shared out anew. */
START_TEST(test_cancel_part_in_hand)
{
	struct msg_interrupt interrupt;
	struct failure_run run;
	struct msg_slice s;
	struct msg_take take;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 40, .chunk = 10 });
	s = DESK_EXPECT(engines[0], SLICE, slice);
	ck_assert_int_eq(s.first, 0);
	DESK_SEND(client, cancel, .seq = 2, .job = 1, .first = 4, .count = 2,
		  .how = CANCEL_HOW_RUNNING);
	take = DESK_EXPECT(agent, TAKE, take);
	ck_assert_uint_eq(take.all, 1);
	ck_assert_uint_eq(take.slot, 0);
	ck_assert_uint_eq(take.slice, s.slice);
	interrupt = DESK_EXPECT(agent, INTERRUPT, interrupt);
	ck_assert_uint_eq(interrupt.slice, s.slice);
	ck_assert_uint_eq(interrupt.kill, INTERRUPT_KILL);
	ck_assert_int_eq(interrupt.first, 4);
	ck_assert_int_eq(interrupt.count, 2);
	/* Twice is once, and takes nothing more. */
	DESK_SEND(client, cancel, .seq = 3, .job = 1, .first = 4, .count = 1);
	DESK_EXPECT(agent, INTERRUPT, interrupt);
	ck_assert_uint_eq(desk_next(agent), 0);
	DESK_SEND(agent, taken, .slot = 0, .epoch = 1, .slice = s.slice, .end = 2);
	expect_failure(&run);
	ck_assert_int_eq(run.first, 4);
	ck_assert_int_eq(run.count, 2);
	ck_assert_uint_eq(run.state, XC_CANCELLED);
	ck_assert_uint_eq(desk_next(client), 0);
	ck_assert_int_eq(only_job()->ended, 2);
	ck_assert_int_eq(only_job()->remaining.total, 6);
	ck_assert_int_eq(only_job()->unwanted.total, 0);
	desk_done(engines[0], &s, 1, 0, 2, true);
	DESK_EXPECT(client, RESULT, result);
	DESK_EXPECT(engines[0], SLICE, slice);
	s = DESK_EXPECT(engines[0], SLICE, slice);
	ck_assert_int_eq(s.first, 2);
	ck_assert_int_eq(s.count, 2);
}
END_TEST

/* It was begun, and its engine killed: its attempt does not matter, and others run
 * again; also where items run at most once. */
START_TEST(test_cancel_part_killed)
{
	struct failure_run run;
	struct msg_slice s;

	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 40,
					       .chunk = 10,
					       .flags = _i ? JOB_AT_MOST_ONCE : 0 });
	s = DESK_EXPECT(engines[0], SLICE, slice);
	DESK_SEND(client, cancel, .seq = 2, .job = 1, .first = 3, .count = 1,
		  .how = CANCEL_HOW_RUNNING);
	DESK_SEND(agent, taken, .slot = 0, .epoch = 1, .slice = s.slice, .end = 10);
	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_CANCELLED, .code = 9,
		  .slice = s.slice, .item = 3, .restarting = 1);
	expect_failure(&run);
	ck_assert_int_eq(run.first, 3);
	ck_assert_int_eq(run.count, 1);
	ck_assert_uint_eq(run.state, XC_CANCELLED);
	ck_assert_uint_eq(desk_next(client), 0);
	ck_assert_int_eq(only_job()->ended, 1);
	ck_assert_int_eq(only_job()->remaining.total, 19);
}
END_TEST

/* Items that wait for another attempt. */
START_TEST(test_cancel_part_to_be_tried_again)
{
	struct failure_run run;

	desk_submit(client,
		    (struct desk_job){
			    .seq = 1, .job = 1, .items = 40, .chunk = 10, .max_attempts = 3 });
	job_requeue(&desk, only_job(), 0, 10, 2, NULL); /* as if they had failed */
	DESK_SEND(client, cancel, .seq = 2, .job = 1, .first = 4, .count = 2);
	expect_failure(&run);
	ck_assert_int_eq(run.first, 4);
	ck_assert_int_eq(run.count, 2);
	ck_assert_uint_eq(run.attempts, 1);
	ck_assert_int_eq(only_job()->reruns->count, 4);
	ck_assert_int_eq(only_job()->reruns->next->first, 6);
	ck_assert_int_eq(only_job()->reruns->next->count, 4);
}
END_TEST

/* The end of what is cancelled is a failure that stops the rest. */
START_TEST(test_cancel_part_stops_the_rest)
{
	struct msg_result result;
	struct msg_slice s[2];

	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 44,
					       .chunk = 10,
					       .max_attempts = 3,
					       .flags = JOB_STOP_ON_FAILURE });
	for (int i = 0; i < 2; i++)
		s[i] = DESK_EXPECT(engines[i], SLICE, slice);
	if (_i == 0) { /* items that wait for another attempt */
		job_requeue(&desk, only_job(), 0, 5, 2, NULL);
		job_requeue(&desk, only_job(), 5, 5, 2, NULL);
		desk.engines[0]->slices->done = 10;
	}
	DESK_SEND(client, cancel, .seq = 2, .job = 1, .first = 4, .count = 2);
	DESK_SEND(agent, taken, .slot = 0, .epoch = 1, .slice = s[0].slice, .end = 10 * !_i);
	DESK_SEND(agent, taken, .slot = 0, .epoch = 1, .slice = 2, .end = 0);
	for (int i = 0; i < 2; i++)
		DESK_SEND(agent, taken, .slot = 1, .epoch = 1, .slice = (uint64_t)i + 1, .end = 0);
	ck_assert_int_eq(only_job()->ended, 44);
	ck_assert_int_eq(only_job()->failed, 44);
	do
		result = DESK_EXPECT(client, RESULT, result);
	while (!result.final);
}
END_TEST

static void send_failure(struct desk_peer *engine, const struct msg_slice *s, uint64_t record,
			 int64_t item, bool last)
{
	unsigned char bytes[FAILURE_RUN_MAX];
	struct failure_run run = { .first = item,
				   .count = 1,
				   .state = XC_FAILED,
				   .code = 3,
				   .attempts = s->attempt,
				   .text = span_of("no") };
	struct span frames[2] = { { bytes, failure_run_pack(bytes, sizeof bytes, &run) },
				  { NULL, 0 } };

	DESK_SEND_FRAMES(engine, done, frames, 2, .slot = engine->slot, .epoch = engine->epoch,
			 .record = record, .slice = s->slice, .first = 0, .count = s->count,
			 .busy_ns = 1000, .last = last);
}

START_TEST(test_tried_again)
{
	struct failure_run run;
	struct msg_result result;
	struct msg_slice s;

	desk_submit(
		client,
		(struct desk_job){ .seq = 1, .job = 1, .items = 3, .chunk = 3, .max_attempts = 2 });
	s = DESK_EXPECT(engines[0], SLICE, slice);
	ck_assert_uint_eq(s.attempt, 1);
	send_failure(engines[0], &s, 1, 1, true);
	result = expect_failure(&run);
	ck_assert_uint_eq(run.state, FAILURE_RETRY);
	ck_assert_int_eq(run.first, 1);
	ck_assert_uint_eq(result.final, 0);
	/* The item alone, once more, and then no more. */
	if (desk_next(engines[0]) != MSG_SLICE)
		ck_assert_uint_eq(desk_next(engines[1]), MSG_SLICE);
	s = (struct msg_slice){
		.slice = desk.engines[0]->slices ? 2 : 1, .first = 1, .count = 1, .attempt = 2
	};
	send_failure(desk.engines[0]->slices ? engines[0] : engines[1], &s,
		     desk.engines[0]->slices ? 2 : 1, 1, true);
	result = expect_failure(&run);
	ck_assert_uint_eq(run.state, XC_FAILED);
	ck_assert_int_eq(run.code, 3);
	ck_assert_uint_eq(run.attempts, 2);
	ck_assert_uint_eq(result.final, 1);
	ck_assert_ptr_null(only_job());
}
END_TEST

START_TEST(test_stop_on_failure)
{
	struct failure_run run;
	struct msg_slice s;

	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 100,
					       .chunk = 1,
					       .flags = JOB_STOP_ON_FAILURE });
	s = DESK_EXPECT(engines[0], SLICE, slice);
	send_failure(engines[0], &s, 1, s.first, true);
	expect_failure(&run);
	ck_assert_uint_eq(run.state, XC_FAILED);
	expect_failure(&run);
	ck_assert_uint_eq(run.state, XC_CANCELLED);
	ck_assert_int_eq(run.count, 96);
	ck_assert_uint_eq(desk_next(engines[0]), MSG_SLICE); /* its second, from before */
	ck_assert_uint_eq(desk_next(engines[0]), 0);
}
END_TEST

START_TEST(test_may_rerun)
{
	struct job job = { .max_attempts = 2 };

	ck_assert(job_may_rerun(&job, 1, false));
	ck_assert(!job_may_rerun(&job, 2, false));
	ck_assert(job_may_rerun(&job, 2, true)); /* lost ones have three */
	ck_assert(!job_may_rerun(&job, 3, true));
	job.flags = JOB_AT_MOST_ONCE;
	ck_assert(!job_may_rerun(&job, 1, true));
	job.flags = 0;
	job.cancelled = true;
	ck_assert(!job_may_rerun(&job, 1, false));
}
END_TEST

/* A client that does not take its results gets no more work done. */
START_TEST(test_results_held)
{
	struct job *job;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 1 });
	job = only_job();
	ck_assert(job->is_runnable);
	desk.clients->held_bytes += HELD_BYTES_MAX + 1;
	job_update_runnable(&desk, job);
	ck_assert(!job->is_runnable);
	ck_assert_ptr_null(desk.ring);
	desk.clients->held_bytes -= HELD_BYTES_MAX + 1;
	job_update_runnable(&desk, job);
	ck_assert_ptr_eq(desk.ring, desk.clients);
}
END_TEST

START_TEST(test_client_gone)
{
	struct msg_slice s;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 10 });
	s = DESK_EXPECT(engines[0], SLICE, slice);
	DESK_SEND(client, bye, .id = 0);
	ck_assert_ptr_null(desk.clients);
	ck_assert_int_eq(desk.engines[0]->slice_count, 2);
	/* Its slices end as they would, and the job goes with the last. */
	desk_done(engines[0], &s, 1, 0, 10, true);
	ck_assert_int_eq(desk.engines[0]->slice_count, 1);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("jobs");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_nothing_to_do);
	tcase_add_test(tests, test_whole_life);
	tcase_add_loop_test(tests, test_refused, 0, (int)(sizeof bad / sizeof *bad));
	tcase_add_test(tests, test_offsets);
	tcase_add_test(tests, test_same_number_twice);
	tcase_add_test(tests, test_too_many_bytes);
	tcase_add_test(tests, test_sent_again);
	tcase_add_test(tests, test_gap);
	tcase_add_test(tests, test_gap_before_a_cancel);
	tcase_add_test(tests, test_blocks);
	tcase_add_test(tests, test_no_such_engine);
	tcase_add_test(tests, test_cancel);
	tcase_add_test(tests, test_cancel_kills);
	tcase_add_test(tests, test_cancel_part);
	tcase_add_test(tests, test_cancel_part_in_hand);
	tcase_add_loop_test(tests, test_cancel_part_killed, 0, 2);
	tcase_add_test(tests, test_cancel_part_to_be_tried_again);
	tcase_add_loop_test(tests, test_cancel_part_stops_the_rest, 0, 2);
	tcase_add_test(tests, test_tried_again);
	tcase_add_test(tests, test_stop_on_failure);
	tcase_add_test(tests, test_may_rerun);
	tcase_add_test(tests, test_results_held);
	tcase_add_test(tests, test_client_gone);
	return unit_run(tests);
}
