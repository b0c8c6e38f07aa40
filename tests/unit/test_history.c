/* test_history.c: jobs that have ended, and what stays of them. */
#include <string.h>
#include <utlist.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static struct desk_peer *client, *agent, *engine;
static uint64_t record;

static void begin(void)
{
	desk_open();
	desk.history.max = 3;
	desk.history.kept_max = 1 << 20;
	client = desk_client();
	agent = desk_agent(1);
	engine = desk_engine(agent, 0, 1);
	record = 0;
}

/* Large results are acknowledged between them. */
static struct msg_slice next_slice(void)
{
	struct msg_slice slice;
	uint64_t type;

	do
		type = desk_next(engine);
	while (type == MSG_ACK);
	ck_assert_uint_eq(type, MSG_SLICE);
	ck_assert_int_eq(msg_slice_get(&engine->m.fields, &slice), 0);
	return slice;
}

/* The engine has done all of its next slice, with so many bytes of results. */
static void do_slice(size_t bytes)
{
	struct msg_slice slice = next_slice();
	char *payload = calloc(1, bytes + 1);
	struct span frames[2] = { { NULL, 0 }, { payload, bytes } };

	DESK_SEND_FRAMES(engine, done, frames, 2, .slot = 0, .epoch = 1, .record = ++record,
			 .slice = slice.slice, .count = slice.count, .busy_ns = 1000, .last = 1);
	free(payload);
}

static void acknowledge(struct desk_peer *peer)
{
	struct msg_result result = { 0 };

	while (desk_next(peer) == MSG_RESULT)
		ck_assert_int_eq(msg_result_get(&peer->m.fields, &result), 0);
	DESK_SEND(peer, ack, .seq = result.seq);
}

static void run_job(uint64_t number, uint64_t flags, size_t bytes)
{
	desk_submit(client, (struct desk_job){ .seq = number,
					       .job = number,
					       .items = 1,
					       .flags = flags,
					       .out_size = bytes });
	do_slice(bytes);
}

static struct job *find(uint64_t number)
{
	return job_find(&desk, (struct span){ client->session, OWNER_SIZE }, number);
}

START_TEST(test_result_moves_to_its_job)
{
	struct job *job;

	run_job(1, 0, 100);
	job = find(1);
	ck_assert_ptr_nonnull(job);
	ck_assert(job->is_finished);
	ck_assert_ptr_null(desk.clients->jobs);
	ck_assert_ptr_null(job->results);
	ck_assert_int_eq(job->unacked, 1);
	acknowledge(client);
	ck_assert_int_eq(job->unacked, 0);
	ck_assert_ptr_nonnull(job->results);
	ck_assert_uint_gt(desk.history.bytes, 100);
	ck_assert_uint_eq(desk.history.bytes, job->cost);
	ck_assert_ptr_null(desk.clients->parcels);
	ck_assert_uint_eq(desk.clients->held_bytes, 0);
}
END_TEST

/* Whether their results were acknowledged or not. */
START_TEST(test_bounded_by_number)
{
	for (uint64_t i = 1; i <= 5; i++) {
		run_job(i, 0, 10);
		if (_i)
			acknowledge(client);
	}
	ck_assert_int_eq(desk.history.count, 3);
	ck_assert_ptr_null(find(2));
	ck_assert_ptr_nonnull(find(3));
	/* What is forgotten is delivered all the same. */
	if (!_i)
		for (uint64_t i = 1; i <= 5; i++)
			ck_assert_uint_eq(DESK_EXPECT(client, RESULT, result).job, i);
	DESK_SEND(client, ack, .seq = 5);
	ck_assert_int_eq(desk.history.count, 3);
	ck_assert_int_eq(desk.clients->records, 3);
}
END_TEST

START_TEST(test_no_history)
{
	desk.history.max = 0;
	run_job(1, 0, 10);
	ck_assert_ptr_null(find(1));
	ck_assert_uint_eq(DESK_EXPECT(client, RESULT, result).job, 1);
	ck_assert_ptr_null(desk.clients->parcels->job);
	ck_assert_uint_eq(desk.history.bytes, 0);
}
END_TEST

START_TEST(test_oldest_gives_up_its_bytes)
{
	for (uint64_t i = 1; i <= 2; i++) {
		run_job(i, 0, HISTORY_BYTES / 8 * 5);
		acknowledge(client);
	}
	ck_assert_int_eq(desk.history.count, 2);
	ck_assert(find(1)->is_dropped);
	ck_assert_ptr_null(find(1)->payload);
	ck_assert_uint_eq(find(1)->cost, 0);
	ck_assert(!find(2)->is_dropped);
	ck_assert_ptr_nonnull(find(2)->payload);
	ck_assert_ptr_eq(desk.history.fat, find(2));
	ck_assert_uint_le(desk.history.bytes, HISTORY_BYTES);
}
END_TEST

/* A job that runs and has more than the budget keeps no results, also later ones. */
START_TEST(test_too_much)
{
	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 3, .chunk = 1 });
	for (int i = 0; i < 3; i++) {
		do_slice(HISTORY_BYTES / 2);
		acknowledge(client);
	}
	ck_assert(find(1)->is_dropped);
	ck_assert_ptr_null(find(1)->results);
	ck_assert_ptr_nonnull(find(1)->payload);
	ck_assert_uint_eq(desk.history.bytes, 0);
	ck_assert_uint_eq(find(1)->result_bytes, HISTORY_BYTES / 2 * 3);
}
END_TEST

/* A small frame is copied; a larger one keeps the whole buffer in which it came. */
START_TEST(test_inputs_cost)
{
	static char bytes[4000];
	static const size_t sizes[] = { 100, sizeof bytes };

	for (uint64_t i = 0; i < 2; i++) {
		desk_submit(client, (struct desk_job){ .seq = 1 + i,
						       .job = 1 + i,
						       .items = 1,
						       .form = FORM_SAME,
						       .in_size = sizes[i],
						       .payload = { bytes, sizes[i] } });
		do_slice(0);
	}
	ck_assert_uint_eq(find(1)->cost, 100);
	ck_assert_uint_gt(find(2)->cost, 8192);
	run_job(3, 0, 0);
	ck_assert_uint_eq(find(3)->cost, 0);
	/* The task's frame is one for all. */
	ck_assert_ptr_nonnull(zmq_msg_data(&find(1)->task));
	ck_assert_uint_eq(zmq_msg_size(&find(3)->task), 4);
}
END_TEST

/* ---- Clients that go ---------------------------------------------------------------- */

static void leave(struct desk_peer *peer)
{
	DESK_SEND(peer, bye, .id = 0);
}

START_TEST(test_records_outlive_the_client)
{
	run_job(1, 0, 50);
	leave(client);
	ck_assert_ptr_null(desk.clients);
	clients_sweep(&desk);
	ck_assert_ptr_nonnull(desk.departed);
	ck_assert_ptr_nonnull(find(1)->results); /* it had not acknowledged it */
	job_free(&desk, find(1));
	clients_sweep(&desk);
	ck_assert_ptr_null(desk.departed);
	ck_assert_uint_eq(desk.history.bytes, 0);
}
END_TEST

START_TEST(test_cancelled_with_the_client)
{
	const uint32_t targets[] = { 0 };
	struct job *job;

	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 6,
					       .chunk = 1,
					       .targets = targets,
					       .target_count = _i });
	leave(client);
	job = find(1);
	ck_assert(job->cancelled);
	ck_assert_int_eq(job->ended, 4); /* two are with the engine */
	ck_assert_int_eq(job->slices, 2);
	do_slice(0);
	do_slice(0);
	ck_assert(find(1)->is_finished);
	ck_assert_int_eq(job->ended, 6);
	ck_assert_int_eq(job->failed, 4);
	ck_assert_ptr_null(desk.ring);
	ck_assert_ptr_null(desk.engines[0]->pinned);
}
END_TEST

/* What combines its results is held as well, and told to those who ask for them. */
START_TEST(test_kept_reduction)
{
	unsigned char object[OBJECT_SIZE] = "program", combine[OBJECT_SIZE] = "combine";
	unsigned char packed[REDUCE_SPEC_MAX], frame[TASK_FRAME_MAX];
	struct reduce_spec spec = {
		.kind = XC_REDUCE_OWN, .elements = 1, .size = 8, .object = { combine, OBJECT_SIZE }
	};
	struct task_frame task = { .kind = FUNCTION_OFFSET,
				   .object = { object, OBJECT_SIZE },
				   .reduce = { packed,
					       reduce_spec_pack(packed, sizeof packed, &spec) } };
	struct desk_job submitted = { .seq = 1,
				      .job = 1,
				      .items = 6,
				      .flags = JOB_KEEP | (_i ? JOB_REDUCE : 0),
				      .object = { object, OBJECT_SIZE },
				      .task = { frame,
						task_frame_pack(frame, sizeof frame, &task) } };
	struct job *job;
	struct span told;

	desk_submit(client, submitted);
	ck_assert_mem_eq(DESK_EXPECT(agent, HOLD, hold).object.data, object, OBJECT_SIZE);
	if (_i)
		ck_assert_mem_eq(DESK_EXPECT(agent, HOLD, hold).object.data, combine, OBJECT_SIZE);
	ck_assert_uint_eq(desk_next(agent), 0);
	told = job_reduction(desk.clients->jobs);
	ck_assert_uint_eq(told.size, _i ? task.reduce.size : 0);
	if (_i)
		ck_assert_mem_eq(told.data, packed, told.size);
	leave(client);
	for (job = find(1); !job->is_finished;)
		do_slice(10);
	ck_assert(job->is_kept);
	job_free(&desk, job);
	ck_assert_mem_eq(DESK_EXPECT(agent, DROP, drop).object.data, object, OBJECT_SIZE);
	if (_i)
		ck_assert_mem_eq(DESK_EXPECT(agent, DROP, drop).object.data, combine, OBJECT_SIZE);
	ck_assert_uint_eq(desk_next(agent), 0);
}
END_TEST

/* Agents hold its program for as long as it is known. */
START_TEST(test_kept)
{
	const uint32_t targets[] = { 0 };
	unsigned char object[OBJECT_SIZE] = "program";
	struct job *job;

	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 6,
					       .chunk = 1,
					       .flags = JOB_KEEP,
					       .object = { object, OBJECT_SIZE },
					       .targets = targets,
					       .target_count = _i });
	ck_assert_mem_eq(DESK_EXPECT(agent, HOLD, hold).object.data, object, OBJECT_SIZE);
	do_slice(10);
	leave(client);
	for (int i = 1; i < 6; i++)
		do_slice(10);
	job = find(1);
	ck_assert(job->is_finished && job->is_kept && !job->cancelled);
	ck_assert_int_eq(job->failed, 0);
	ck_assert_uint_eq(desk.history.kept_bytes, job->cost);
	ck_assert_uint_eq(desk.history.bytes, 0);
	ck_assert_uint_eq(job->results->index, 1);
	ck_assert_uint_eq(job->results->prev->index, 6);
	ck_assert_ptr_null(desk.ring);
	ck_assert_uint_eq(desk_next(agent), 0);
	job_free(&desk, job);
	ck_assert_mem_eq(DESK_EXPECT(agent, DROP, drop).object.data, object, OBJECT_SIZE);
	ck_assert_uint_eq(desk.history.kept_bytes, 0);
	clients_sweep(&desk);
	ck_assert_ptr_null(desk.departed);
}
END_TEST

/* Fetched, it is one of the history; before, the history does not bound it. */
START_TEST(test_kept_until_fetched)
{
	for (uint64_t i = 1; i <= 5; i++)
		run_job(i, JOB_KEEP, 10);
	ck_assert_int_eq(desk.history.count, 0);
	ck_assert_ptr_nonnull(find(1));
	acknowledge(client);
	ck_assert_int_eq(desk.history.count, 3);
	ck_assert_ptr_null(find(2));
	ck_assert_ptr_null(desk.history.kept);
	ck_assert_uint_eq(desk.history.kept_bytes, find(3)->cost + find(4)->cost + find(5)->cost);
}
END_TEST

/* Above the limit nothing is handed out of jobs that nobody takes results of, and
 * others pass them by; room makes them go on. */
START_TEST(test_kept_limit)
{
	const uint32_t targets[] = { 0 };
	struct desk_peer *other;

	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 9,
					       .chunk = 1,
					       .flags = JOB_KEEP,
					       .targets = targets,
					       .target_count = _i });
	leave(client);
	do_slice(2 << 20);
	do_slice(10);
	while (desk.engines[0]->slices)
		do_slice(10);
	ck_assert_int_lt(find(1)->ended, 9);
	ck_assert_ptr_null(desk.ring);
	other = desk_client();
	desk_submit(other, (struct desk_job){ .seq = 1, .job = 1, .items = 1 });
	desk_submit(
		other,
		(struct desk_job){
			.seq = 2, .job = 2, .items = 1, .targets = targets, .target_count = 1 });
	do_slice(0);
	do_slice(0);
	ck_assert_uint_eq(DESK_EXPECT(other, RESULT, result).final, 1);
	ck_assert_uint_eq(DESK_EXPECT(other, RESULT, result).final, 1);
	DESK_SEND(other, attach, .seq = 3, .job = 7, .owner = { client->session, OWNER_SIZE },
		  .number = 1, .index = -1);
	while (desk.engines[0]->slices)
		do_slice(10);
	ck_assert_int_eq(find(1)->ended, 9);
}
END_TEST

/* Its client does not want to hear of it: results not acknowledged are there twice. */
START_TEST(test_left_by_its_client)
{
	struct job *job;

	desk_submit(
		client,
		(struct desk_job){ .seq = 1, .job = 1, .items = 3, .chunk = 1, .flags = JOB_KEEP });
	do_slice(10);
	DESK_SEND(client, detach, .seq = 2, .job = 1);
	job = find(1);
	ck_assert(job->is_left);
	ck_assert_int_eq(job->unacked, 0);
	ck_assert_ptr_nonnull(job->results);
	do_slice(10);
	do_slice(10);
	ck_assert(job->is_kept);
	ck_assert_uint_eq(job->results->prev->index, 3);
	acknowledge(client);
	ck_assert(job->is_kept);
	ck_assert_uint_eq(desk.clients->made, 1);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("history");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_result_moves_to_its_job);
	tcase_add_loop_test(tests, test_bounded_by_number, 0, 2);
	tcase_add_test(tests, test_no_history);
	tcase_add_test(tests, test_oldest_gives_up_its_bytes);
	tcase_add_test(tests, test_too_much);
	tcase_add_test(tests, test_inputs_cost);
	tcase_add_test(tests, test_records_outlive_the_client);
	tcase_add_loop_test(tests, test_cancelled_with_the_client, 0, 2);
	tcase_add_loop_test(tests, test_kept, 0, 2);
	tcase_add_loop_test(tests, test_kept_reduction, 0, 2);
	tcase_add_test(tests, test_kept_until_fetched);
	tcase_add_loop_test(tests, test_kept_limit, 0, 2);
	tcase_add_test(tests, test_left_by_its_client);
	return unit_run(tests);
}
