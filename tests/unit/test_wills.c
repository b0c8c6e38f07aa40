/* test_wills.c: what clients leave to be done when they have gone. */
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static struct desk_peer *client, *agent, *engines[2];

static void begin(void)
{
	desk_open();
	client = desk_client();
	agent = desk_agent(3); /* N.B. one of them never comes up */
	for (uint64_t i = 0; i < 2; i++)
		engines[i] = desk_engine(agent, i, 1);
}

static uint64_t next_seq(void)
{
	return desk.clients->received + 1;
}

/* The frame of a sweep, changed by who tests what is refused. */
static struct task_frame sweep(const char *prefix)
{
	return (struct task_frame){
		.number = BUILTIN_SWEEP, .form = FORM_SAME, .step = 1, .name = span_of(prefix)
	};
}

static void submit(const struct task_frame *task, struct msg_submit s)
{
	unsigned char bytes[TASK_FRAME_MAX];
	struct span frames[3] = { { bytes, task_frame_pack(bytes, sizeof bytes, task) } };

	s.seq = s.job = next_seq();
	s.max_attempts = 1;
	ck_assert_uint_gt(frames[0].size, 0);
	DESK_SEND_FRAMES(client, submit, frames, 3, .seq = s.seq, .job = s.job, .pinned = s.pinned,
			 .items = s.items, .form = s.form, .in_size = s.in_size, .max_attempts = 1,
			 .flags = s.flags);
}

static void leave(const char *prefix)
{
	struct task_frame task = sweep(prefix);
	struct msg_result result;

	submit(&task, (struct msg_submit){ .pinned = 1, .form = FORM_SAME, .flags = JOB_WILL });
	result = DESK_EXPECT(client, RESULT, result);
	ck_assert_uint_eq(result.final, 1);
	ck_assert_uint_eq(zmq_msg_size(&client->m.frames[0]), 0);
}

/* A job for engine 0. */
static void pinned(const char *payload, uint64_t flags)
{
	desk_submit(client, (struct desk_job){ .seq = next_seq(),
					       .job = next_seq(),
					       .items = 1,
					       .form = FORM_SAME,
					       .in_size = strlen(payload),
					       .payload = span_of(payload),
					       .flags = flags,
					       .targets = (uint32_t[]){ 0 },
					       .target_count = 1 });
}

static struct msg_slice expect_will(struct desk_peer *engine, const char *prefix)
{
	struct msg_slice slice = DESK_EXPECT(engine, SLICE, slice);
	struct task_frame task;

	ck_assert_int_eq(task_frame_parse(&task, zmq_msg_data(&engine->m.frames[0]),
					  zmq_msg_size(&engine->m.frames[0])),
			 0);
	ck_assert_uint_eq(task.kind, FUNCTION_BUILTIN);
	ck_assert_uint_eq(task.number, BUILTIN_SWEEP);
	ck_assert_uint_eq(task.name.size, strlen(prefix));
	ck_assert_mem_eq(task.name.data, prefix, strlen(prefix));
	ck_assert_uint_eq(zmq_msg_size(&engine->m.frames[2]), 0);
	ck_assert_int_eq(slice.count, 1);
	return slice;
}

static struct msg_slice expect_input(struct desk_peer *engine, const char *payload)
{
	struct msg_slice slice = DESK_EXPECT(engine, SLICE, slice);

	ck_assert_uint_eq(zmq_msg_size(&engine->m.frames[2]), strlen(payload));
	ck_assert_mem_eq(zmq_msg_data(&engine->m.frames[2]), payload, strlen(payload));
	return slice;
}

START_TEST(what_a_client_leaves_is_done_by_each_engine_once)
{
	struct msg_slice slice;

	leave("mine_");
	ck_assert_uint_eq(desk_next(engines[0]), 0);
	DESK_SEND(client, bye, .id = 0);
	for (int i = 0; i < 2; i++) {
		slice = expect_will(engines[i], "mine_");
		desk_done(engines[i], &slice, 1, 0, 1, true);
		ck_assert_uint_eq(desk_next(engines[i]), 0);
		ck_assert_int_eq(desk.engines[i]->slice_count, 0);
	}
	/* Not by one that was never up: it comes without any. */
	ck_assert_uint_eq(desk_next(desk_engine(agent, 2, 1)), 0);
	ck_assert_ptr_null(desk.clients);
}
END_TEST

/* Two are in the engine's hands; what has not been sent never is. */
START_TEST(it_comes_behind_what_the_engine_still_runs)
{
	struct msg_slice slices[3];

	leave("mine_");
	pinned("one", 0);
	pinned("two", 0);
	pinned("three", 0);
	slices[0] = expect_input(engines[0], "one");
	slices[1] = expect_input(engines[0], "two");
	DESK_SEND(client, bye, .id = 0);
	ck_assert_uint_eq(desk_next(engines[0]), 0); /* it has as many as it may have */
	desk_done(engines[0], &slices[0], 1, 0, 1, true);
	slices[2] = expect_will(engines[0], "mine_");
	ck_assert_uint_gt(slices[2].slice, slices[1].slice);
	desk_done(engines[0], &slices[1], 2, 0, 1, true);
	ck_assert_uint_eq(desk_next(engines[0]), 0);
}
END_TEST

START_TEST(jobs_that_are_kept_run_before_it)
{
	struct msg_slice slice;

	leave("mine_");
	pinned("one", 0);
	pinned("two", 0);
	pinned("kept", JOB_KEEP);
	slice = expect_input(engines[0], "one");
	expect_input(engines[0], "two");
	DESK_SEND(client, bye, .id = 0);
	desk_done(engines[0], &slice, 1, 0, 1, true);
	slice.slice++;
	expect_input(engines[0], "kept");
	desk_done(engines[0], &slice, 2, 0, 1, true);
	expect_will(engines[0], "mine_");
}
END_TEST

/* The product runs, its client goes, the agent kills the engine: nothing of the product runs
 * again, but the will does, in the next process. */
START_TEST(it_survives_the_engine_that_was_killed_before_it)
{
	struct msg_slice product;

	leave("mine_");
	pinned("product", 0);
	product = expect_input(engines[0], "product");
	DESK_SEND(client, bye, .id = 0);
	expect_will(engines[0], "mine_");
	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_CANCELLED,
		  .slice = product.slice, .item = 0, .restarting = 1);
	engines[0] = desk_engine(agent, 0, 2);
	expect_will(engines[0], "mine_");
	ck_assert_uint_eq(desk_next(engines[0]), 0);
}
END_TEST

START_TEST(it_is_tried_again_when_its_engine_crashes)
{
	struct msg_slice slice;

	leave("mine_");
	DESK_SEND(client, bye, .id = 0);
	for (uint64_t epoch = 1; epoch <= LOST_ATTEMPTS; epoch++) {
		slice = expect_will(engines[0], "mine_");
		ck_assert_uint_eq(slice.attempt, epoch);
		DESK_SEND(agent, down, .slot = 0, .epoch = epoch, .cause = DOWN_SIGNAL, .code = 11,
			  .slice = slice.slice, .item = 0, .restarting = 1);
		engines[0] = desk_engine(agent, 0, epoch + 1);
	}
	ck_assert_uint_eq(desk_next(engines[0]), 0);
}
END_TEST

START_TEST(an_engine_that_is_down_gets_it_when_it_is_up_again)
{
	leave("mine_");
	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_SIGNAL, .code = 9, .item = -1,
		  .restarting = 1);
	DESK_SEND(client, bye, .id = 0);
	engines[0] = desk_engine(agent, 0, 2);
	expect_will(engines[0], "mine_");
}
END_TEST

START_TEST(a_client_that_comes_back_has_left_nothing_yet)
{
	leave("mine_");
	DESK_SEND(client, hello_client, .protocol = PROTOCOL_VERSION,
		  .session = { client->session, SESSION_SIZE }, .pid = 1, .received = 1,
		  .again = 1);
	ck_assert_uint_eq(desk_next(engines[0]), 0);
	desk.clients->died_ns = 1; /* long ago */
	desk.dying++;
	clients_bury(&desk, now_ns());
	desk_run();
	expect_will(engines[0], "mine_");
}
END_TEST

START_TEST(a_later_will_takes_the_place_of_an_earlier_one)
{
	leave("one_");
	leave("two_");
	DESK_SEND(client, bye, .id = 0);
	expect_will(engines[0], "two_");
	ck_assert_uint_eq(desk_next(engines[0]), 0);
}
END_TEST

/* Nothing but a sweep with a name, without items and input: anything else could run for ever
 * when nobody is there to cancel it. */
START_TEST(what_is_no_will_is_refused)
{
	const struct msg_submit right = { .pinned = 1, .form = FORM_SAME, .flags = JOB_WILL };
	struct task_frame tasks[6];
	struct msg_submit wrong[5];
	struct span frames[3] = { span_of("no task") };

	for (int i = 0; i < 6; i++)
		tasks[i] = sweep("mine_");
	tasks[0].number = BUILTIN_PUSH;
	tasks[1].kind = FUNCTION_SYMBOL;
	tasks[1].object = (struct span){ client->session, SESSION_SIZE };
	tasks[2].name = span_of("");
	tasks[3].name = (struct span){ (char[256]){ 'x' }, 256 };
	tasks[4].form = FORM_RANGE;
	tasks[5].in_size = 8;
	for (int i = 0; i < 5; i++)
		wrong[i] = right;
	wrong[0].items = 1;
	wrong[1].pinned = 0;
	wrong[2].flags |= JOB_KEEP;
	wrong[3].form = FORM_PACKED;
	wrong[4].in_size = 3;
	for (int i = 0; i < 11; i++) {
		if (i < 6)
			submit(&tasks[i], right);
		else
			submit(&(struct task_frame){ .number = BUILTIN_SWEEP,
						     .form = wrong[i - 6].form,
						     .step = 1,
						     .in_size = wrong[i - 6].in_size,
						     .name = span_of("mine_") },
			       wrong[i - 6]);
		DESK_EXPECT(client, RESULT, result);
		ck_assert_uint_gt(zmq_msg_size(&client->m.frames[0]), 0);
		ck_assert_msg(!desk.clients->has_will, "%d was taken", i);
	}
	DESK_SEND_FRAMES(client, submit, frames, 3, .seq = next_seq(), .job = next_seq(),
			 .pinned = 1, .form = FORM_SAME, .max_attempts = 1, .flags = JOB_WILL);
	ck_assert(!desk.clients->has_will);
	DESK_SEND(client, bye, .id = 0);
	ck_assert_uint_eq(desk_next(engines[0]), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("wills");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, what_a_client_leaves_is_done_by_each_engine_once);
	tcase_add_test(tests, it_comes_behind_what_the_engine_still_runs);
	tcase_add_test(tests, jobs_that_are_kept_run_before_it);
	tcase_add_test(tests, it_survives_the_engine_that_was_killed_before_it);
	tcase_add_test(tests, it_is_tried_again_when_its_engine_crashes);
	tcase_add_test(tests, an_engine_that_is_down_gets_it_when_it_is_up_again);
	tcase_add_test(tests, a_client_that_comes_back_has_left_nothing_yet);
	tcase_add_test(tests, a_later_will_takes_the_place_of_an_earlier_one);
	tcase_add_test(tests, what_is_no_will_is_refused);
	return unit_run(tests);
}
