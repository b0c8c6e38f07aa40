/* test_slices.c: slices in the hands of engines: inputs, pieces, loss. */
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static struct desk_peer *client, *agent, *engine;

static void begin(void)
{
	desk_open();
	client = desk_client();
	agent = desk_agent(1);
	engine = desk_engine(agent, 0, 1);
}

static struct msg_slice begin_job(int64_t items, int64_t chunk, uint64_t max_attempts,
				  uint64_t flags)
{
	desk_submit(client, (struct desk_job){ .seq = desk.clients->received + 1,
					       .job = desk.clients->received + 1,
					       .items = items,
					       .chunk = chunk,
					       .max_attempts = max_attempts,
					       .flags = flags });
	return DESK_EXPECT(engine, SLICE, slice);
}

static struct job *job_now(void)
{
	return desk.clients->jobs;
}

/* ---- Inputs ------------------------------------------------------------------------ */

static void expect_frame(int i, const void *bytes, size_t size)
{
	zmq_msg_t *frame = &engine->m.frames[i];

	ck_assert_uint_eq(zmq_msg_size(frame), size);
	ck_assert(size == 0 || memcmp(zmq_msg_data(frame), bytes, size) == 0);
}

START_TEST(test_strided)
{
	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 5,
					       .chunk = 2,
					       .form = FORM_STRIDED,
					       .in_size = 3,
					       .payload = span_of("aaabbbcccdddeee") });
	DESK_EXPECT(engine, SLICE, slice);
	expect_frame(0, "task", 4);
	expect_frame(1, NULL, 0);
	expect_frame(2, "aaabbb", 6);
	DESK_EXPECT(engine, SLICE, slice);
	expect_frame(2, "cccddd", 6);
}
END_TEST

START_TEST(test_packed)
{
	char payload[8 * 4 + 6];
	uint64_t table[] = { 0, 1, 1, 6 };

	memcpy(payload, table, sizeof table);
	memcpy(payload + sizeof table, "abcdef", 6);
	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 3,
					       .chunk = 2,
					       .form = FORM_PACKED,
					       .payload = { payload, sizeof payload } });
	DESK_EXPECT(engine, SLICE, slice);
	expect_frame(1, table, 24);
	expect_frame(2, "a", 1);
	DESK_EXPECT(engine, SLICE, slice);
	expect_frame(1, table + 2, 16);
	expect_frame(2, "bcdef", 5);
}
END_TEST

/* Large inputs are shared with the job, and outlive it. */
START_TEST(test_shared_inputs)
{
	enum { SIZE = 10000 };
	char *payload = malloc(4 * SIZE);
	struct msg_slice s;

	for (int i = 0; i < 4 * SIZE; i++)
		payload[i] = (char)(i / 7);
	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 4,
					       .chunk = 2,
					       .form = FORM_STRIDED,
					       .in_size = SIZE,
					       .payload = { payload, 4 * SIZE } });
	s = DESK_EXPECT(engine, SLICE, slice);
	expect_frame(2, payload, 2 * SIZE);
	desk_done(engine, &s, 1, 0, 2, true);
	s.slice = 2;
	desk_done(engine, &s, 2, 0, 2, true);
	ck_assert_ptr_null(desk.clients->jobs);
	DESK_EXPECT(engine, SLICE, slice);
	expect_frame(2, payload + 2 * SIZE, 2 * SIZE);
	free(payload);
}
END_TEST

/* ---- Pieces -------------------------------------------------------------------------- */

START_TEST(test_pieces_in_order)
{
	struct msg_slice s = begin_job(100, 10, 1, 0);

	desk_done(engine, &s, 1, 5, 2, false);	/* not where the last one ended */
	desk_done(engine, &s, 1, 0, 11, false); /* more than the slice has */
	desk_done(engine, &s, 1, 0, -1, false);
	desk_done(engine, &s, 1, -1, 2, false);
	ck_assert_uint_eq(desk_next(client), 0);
	ck_assert_int_eq(job_now()->ended, 0);
	desk_done(engine, &s, 1, 0, 7, false);
	desk_done(engine, &s, 1, 7, 3, true); /* a record twice: sent again by the agent */
	ck_assert_int_eq(job_now()->ended, 7);
	s.slice = 99;
	desk_done(engine, &s, 2, 0, 1, true);
	ck_assert_int_eq(job_now()->ended, 7);
}
END_TEST

START_TEST(test_of_a_dead_process)
{
	struct msg_slice s = begin_job(100, 10, 1, 0);

	engine->epoch = 0;
	desk_done(engine, &s, 1, 0, 10, true);
	ck_assert_int_eq(job_now()->ended, 0);
}
END_TEST

/* Its agent may speak for the engine. */
START_TEST(test_rescued_piece)
{
	struct msg_slice s = begin_job(100, 10, 1, 0);

	agent->slot = 0;
	agent->epoch = 1;
	desk_done(agent, &s, 1, 0, 4, false);
	ck_assert_int_eq(job_now()->ended, 4);
	agent->slot = 7; /* no such engine */
	desk_done(agent, &s, 2, 4, 4, false);
	ck_assert_int_eq(job_now()->ended, 4);
}
END_TEST

START_TEST(test_records_acknowledged)
{
	struct msg_slice s = begin_job(1000, 100, 1, 0);

	DESK_EXPECT(engine, SLICE, slice);
	for (int i = 0; i < 15; i++)
		desk_done(engine, &s, (uint64_t)i + 1, i, 1, false);
	ck_assert_uint_eq(desk_next(engine), 0);
	desk_done(engine, &s, 16, 15, 1, false);
	ck_assert_uint_eq(DESK_EXPECT(engine, ACK, ack).seq, 16);
	/* else with the next slice */
	desk_done(engine, &s, 17, 16, 84, true);
	ck_assert_uint_eq(DESK_EXPECT(engine, SLICE, slice).ack, 17);
}
END_TEST

/* ---- Failures in a piece: an engine's memory may hold anything ------------------------- */

static unsigned char runs[4096];
static size_t runs_size;

static void add_run(int64_t first, int64_t count, uint64_t state)
{
	struct failure_run run = { .first = first,
				   .count = count,
				   .state = state,
				   .code = 5,
				   .attempts = 1,
				   .text = span_of("why") };

	runs_size += failure_run_pack(runs + runs_size, sizeof runs - runs_size, &run);
}

static void done_with_runs(const struct msg_slice *s, uint64_t record, int64_t first, int64_t count)
{
	struct span frames[2] = { { runs, runs_size }, { NULL, 0 } };

	DESK_SEND_FRAMES(engine, done, frames, 2, .epoch = 1, .record = record, .slice = s->slice,
			 .first = first, .count = count, .busy_ns = 1, .last = 1);
	runs_size = 0;
}

static int64_t reported_failures(void)
{
	struct failure_run run;
	int64_t n = 0;
	size_t at = 0;

	ck_assert_uint_eq(desk_next(client), MSG_RESULT);
	while (desk_run_at(client, &at, &run))
		n += run.state == FAILURE_RETRY ? 0 : run.count;
	return n;
}

START_TEST(test_failures_counted)
{
	struct msg_slice s = begin_job(10, 10, 1, 0);

	add_run(2, 3, XC_FAILED);
	add_run(7, 1, XC_FAILED);
	done_with_runs(&s, 1, 0, 10);
	ck_assert_int_eq(reported_failures(), 4);
	ck_assert_ptr_null(desk.clients->jobs);
}
END_TEST

/* Items that are not of the piece, or twice, or in a state that engines do not
 * give: each item of the piece ends once all the same. */
START_TEST(test_failures_that_cannot_be)
{
	struct msg_slice s = begin_job(100, 10, 1, 0);
	int64_t failed;

	switch (_i) {
	case 0:
		add_run(50, 1, XC_FAILED);
		break;
	case 1:
		add_run(0, INT64_MAX, XC_FAILED);
		add_run(0, INT64_MAX, XC_FAILED);
		add_run(1, INT64_MAX - 1, XC_FAILED);
		break;
	case 2:
		add_run(3, 2, XC_FAILED);
		add_run(3, 2, XC_FAILED);
		add_run(0, 4, XC_FAILED);
		break;
	case 3:
		add_run(3, 2, FAILURE_RETRY);
		break;
	case 4:
		add_run(3, 2, XC_CANCELLED);
		add_run(6, 1, XC_OK);
		break;
	default:
		add_run(3, 2, XC_FAILED);
		memset(runs + runs_size, 0xc1, 20);
		runs_size += 20;
	}
	done_with_runs(&s, 1, 0, 10);
	failed = reported_failures();
	ck_assert_int_ge(failed, _i == 0 ? 0 : 2);
	ck_assert_int_le(failed, 10);
	ck_assert_int_eq(job_now()->ended, 10);
	ck_assert_int_eq(job_now()->failed, failed);
}
END_TEST

START_TEST(test_reruns_that_cannot_be)
{
	struct msg_slice s = begin_job(100, 10, 5, 0);
	struct job *job = job_now();
	int64_t left;

	DESK_EXPECT(engine, SLICE, slice);
	add_run(3, 2, XC_FAILED);
	if (_i == 0)
		add_run(3, 2, XC_FAILED);
	else
		add_run(60, 5, XC_FAILED);
	done_with_runs(&s, 1, 0, 10);
	ck_assert_int_eq(job->ended, 8);
	left = job->remaining.total;
	for (struct rerun *rerun = job->reruns; rerun; rerun = rerun->next)
		left += rerun->count;
	for (struct slice *slice = desk.engines[0]->slices; slice; slice = slice->next)
		left += slice->count;
	ck_assert_int_eq(left, 92);
}
END_TEST

/* ---- Loss --------------------------------------------------------------------------------- */

static void down(uint64_t cause, int64_t code, uint64_t slice, int64_t item)
{
	DESK_SEND(agent, down, .slot = 0, .epoch = engine->epoch, .cause = cause, .code = code,
		  .slice = slice, .item = item, .restarting = 1, .text = span_of("killed"));
}

static struct failure_run only_failure(void)
{
	struct failure_run run = { .count = 0 }, none;
	size_t at = 0;

	ck_assert_uint_eq(desk_next(client), MSG_RESULT);
	ck_assert(desk_run_at(client, &at, &run));
	ck_assert(!desk_run_at(client, &at, &none));
	return run;
}

/* The item that ran pays; what was done is kept; the rest runs again, and the
 * second slice as if nothing had been. */
START_TEST(test_crash)
{
	struct msg_slice s = begin_job(100, 10, 1, 0);
	struct failure_run run;

	desk_done(engine, &s, 1, 0, 4, false);
	desk_next(client);
	down(DOWN_SIGNAL, 11, s.slice, 4);
	run = only_failure();
	ck_assert_int_eq(run.first, 4);
	ck_assert_int_eq(run.count, 1);
	ck_assert_uint_eq(run.state, XC_CRASHED);
	ck_assert_int_eq(run.code, 11);
	ck_assert_int_eq(job_now()->ended, 5);
	ck_assert_int_eq(job_now()->remaining.total, 95);
	ck_assert_ptr_null(desk.engines[0]->slices);
	ck_assert_int_eq(desk.engines_up, 0);
	/* and to the next process, beginning with the first of them */
	engine = desk_engine(agent, 0, 2);
	s = DESK_EXPECT(engine, SLICE, slice);
	ck_assert_int_eq(s.first, 5);
}
END_TEST

START_TEST(test_states_of_causes)
{
	static const struct {
		uint64_t cause;
		uint64_t state;
	} table[] = { { DOWN_SIGNAL, XC_CRASHED },
		      { DOWN_EXIT, XC_CRASHED },
		      { DOWN_TIME, XC_TIMED_OUT } };

	begin_job(1, 1, 1, 0);
	down(table[_i].cause, 9, 1, 0);
	ck_assert_uint_eq(only_failure().state, table[_i].state);
	ck_assert_ptr_null(job_now());
}
END_TEST

/* Being stopped is not the item's fault: it is lost, and has three attempts. */
START_TEST(test_lost_attempts)
{
	begin_job(1, 1, 1, 0);
	for (uint64_t epoch = 1; epoch <= 3; epoch++) {
		struct msg_slice s;

		down(DOWN_STOPPED, 9, 1, 0);
		if (epoch == 3)
			break;
		ck_assert_uint_eq(desk_next(client), 0);
		engine = desk_engine(agent, 0, epoch + 1);
		s = DESK_EXPECT(engine, SLICE, slice);
		ck_assert_uint_eq(s.attempt, epoch + 1);
		ck_assert_uint_eq(s.slice, 1); /* numbers are of a process */
	}
	ck_assert_uint_eq(only_failure().state, XC_LOST);
}
END_TEST

START_TEST(test_cancelled_kill_does_not_count)
{
	begin_job(1, 1, 1, 0);
	down(DOWN_CANCELLED, 9, 1, 0);
	ck_assert_uint_eq(desk_next(client), 0);
	engine = desk_engine(agent, 0, 2);
	ck_assert_uint_eq(DESK_EXPECT(engine, SLICE, slice).attempt, 1);
}
END_TEST

START_TEST(test_not_begun)
{
	begin_job(100, 10, 1, 0);
	down(DOWN_EXIT, 1, 0, -1);
	ck_assert_uint_eq(desk_next(client), 0);
	ck_assert_int_eq(job_now()->remaining.total, 100);
}
END_TEST

/* With the agent gone nobody knows what had run: at most once means lost. */
START_TEST(test_at_most_once)
{
	struct failure_run run;

	begin_job(100, 10, 5, JOB_AT_MOST_ONCE);
	DESK_SEND(agent, bye, .id = 0);
	run = only_failure();
	ck_assert_uint_eq(run.state, XC_LOST);
	run = only_failure();
	ck_assert_int_eq(job_now()->ended, 20);
	ck_assert_int_eq(job_now()->remaining.total, 80);
}
END_TEST

/* An item that cannot be what ran: the page is a dead engine's. */
START_TEST(test_hostile_item)
{
	static const int64_t items[] = { INT64_MAX, INT64_MIN, -5, 10, 100 };
	struct msg_slice s = begin_job(100, 10, 1, 0);

	desk_done(engine, &s, 1, 0, 10, true); /* so that the next slices begin above 0 */
	desk_next(client);
	down(DOWN_SIGNAL, 11, 2, items[_i]);
	ck_assert_uint_eq(desk_next(client), 0);
	ck_assert_int_eq(job_now()->ended, 10);
	ck_assert_int_eq(job_now()->remaining.total, 90);
}
END_TEST

START_TEST(test_down_of_no_engine)
{
	begin_job(100, 10, 1, 0);
	DESK_SEND(agent, down, .slot = 5, .epoch = 1, .cause = 0, .item = -1);
	DESK_SEND(agent, down, .slot = 0, .epoch = 0, .cause = 0, .item = -1);
	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_SHUT + 1, .item = -1);
	ck_assert_int_eq(desk.engines_up, 1);
	ck_assert_int_eq(desk.engines[0]->slice_count, 2);
}
END_TEST

/* ---- Taking back --------------------------------------------------------------------------- */

START_TEST(test_taken)
{
	struct msg_slice s = begin_job(20, 10, 1, 0);
	struct job *job = job_now();

	slice_take(&desk, desk.engines[0]->slices, true);
	slice_take(&desk, desk.engines[0]->slices, false); /* once is enough */
	ck_assert_int_eq(desk.takes_pending, 1);
	DESK_EXPECT(agent, TAKE, take);
	ck_assert_uint_eq(desk_next(agent), 0);
	DESK_SEND(agent, taken, .slot = 0, .epoch = 1, .slice = s.slice, .end = 11);
	ck_assert_int_eq(job->remaining.total, 0); /* cannot be */
	ck_assert_int_eq(desk.takes_pending, 0);
	slice_take(&desk, desk.engines[0]->slices, true);
	DESK_SEND(agent, taken, .slot = 0, .epoch = 1, .slice = s.slice, .end = 3);
	ck_assert_int_eq(job->remaining.total, 7);
	desk_done(engine, &s, 1, 0, 3, true);
	ck_assert_int_eq(desk.engines[0]->slices->count, 10); /* the second, then those seven */
	ck_assert_int_eq(desk.engines[0]->slices->next->count, 7);
}
END_TEST

/* The engine found nothing left before the agent's word came. */
START_TEST(test_taken_after_the_last_word)
{
	struct msg_slice s = begin_job(20, 10, 1, 0);

	slice_take(&desk, desk.engines[0]->slices, true);
	desk_done(engine, &s, 1, 0, 3, true);
	ck_assert_uint_eq(desk.engines[0]->slices->number, s.slice);
	DESK_SEND(agent, taken, .slot = 0, .epoch = 1, .slice = s.slice, .end = 3);
	ck_assert_uint_ne(desk.engines[0]->slices->number, s.slice);
	ck_assert_int_eq(job_now()->ended, 3);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("slices");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_strided);
	tcase_add_test(tests, test_packed);
	tcase_add_test(tests, test_shared_inputs);
	tcase_add_test(tests, test_pieces_in_order);
	tcase_add_test(tests, test_of_a_dead_process);
	tcase_add_test(tests, test_rescued_piece);
	tcase_add_test(tests, test_records_acknowledged);
	tcase_add_test(tests, test_failures_counted);
	tcase_add_loop_test(tests, test_failures_that_cannot_be, 0, 6);
	tcase_add_loop_test(tests, test_reruns_that_cannot_be, 0, 2);
	tcase_add_test(tests, test_crash);
	tcase_add_loop_test(tests, test_states_of_causes, 0, 3);
	tcase_add_test(tests, test_lost_attempts);
	tcase_add_test(tests, test_cancelled_kill_does_not_count);
	tcase_add_test(tests, test_not_begun);
	tcase_add_test(tests, test_at_most_once);
	tcase_add_loop_test(tests, test_hostile_item, 0, 5);
	tcase_add_test(tests, test_down_of_no_engine);
	tcase_add_test(tests, test_taken);
	tcase_add_test(tests, test_taken_after_the_last_word);
	return unit_run(tests);
}
