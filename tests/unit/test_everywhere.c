/* test_everywhere.c: what was sent to all engines, for those that come later. */
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

#define PUSH  (JOB_EVERYWHERE | JOB_VARIABLE)
#define CLEAR (JOB_FORGET | JOB_VARIABLE)

static struct desk_peer *client, *agent, *engine;
static unsigned char object[OBJECT_SIZE] = { 42 };

static void begin(void)
{
	desk_open();
	client = desk_client();
	agent = desk_agent(3);
	engine = desk_engine(agent, 0, 1);
}

static void submit(const char *name, uint64_t flags, const char *payload, bool has_object)
{
	static const uint32_t target = 0;
	struct desk_job job = { .seq = desk.clients->received + 1,
				.job = desk.clients->received + 1,
				.items = 1,
				.form = FORM_SAME,
				.flags = flags,
				.name = name,
				.targets = &target,
				.target_count = 1 };

	job.payload = span_of(payload);
	job.in_size = strlen(payload);
	if (has_object)
		job.object = (struct span){ object, OBJECT_SIZE };
	desk_submit(client, job);
}

/* The next slice brings this input; and its end. */
static void expect_input(struct desk_peer *at, uint64_t record, const char *payload)
{
	struct msg_slice s = DESK_EXPECT(at, SLICE, slice);

	ck_assert_uint_eq(zmq_msg_size(&at->m.frames[2]), strlen(payload));
	ck_assert_mem_eq(zmq_msg_data(&at->m.frames[2]), payload, strlen(payload));
	desk_done(at, &s, record, 0, 1, true);
}

START_TEST(test_late_engine)
{
	struct desk_peer *late;

	submit("X", PUSH, "xx", false);
	submit("y", PUSH, "yyy", false);
	submit("local", 0, "mine", false);
	late = desk_engine(agent, 1, 1);
	expect_input(late, 1, "xx");
	expect_input(late, 2, "yyy");
	ck_assert_uint_eq(desk_next(late), 0);
	ck_assert_uint_eq(desk_next(engine), MSG_SLICE);
}
END_TEST

/* Before anything else. */
START_TEST(test_first_of_all)
{
	struct desk_peer *late;

	submit("X", PUSH, "xx", false);
	desk_submit(client, (struct desk_job){ .seq = 2,
					       .job = 2,
					       .items = 1,
					       .form = FORM_SAME,
					       .in_size = 4,
					       .payload = span_of("mine"),
					       .targets = (uint32_t[]){ 1 },
					       .target_count = 1 });
	late = desk_engine(agent, 1, 1);
	/* N.B. what was pinned to it while it started waits behind the log. */
	DESK_EXPECT(late, SLICE, slice);
	if (zmq_msg_size(&late->m.frames[2]) == 4)
		ck_abort_msg("the client's item came before the log");
}
END_TEST

START_TEST(test_replaced)
{
	submit("X", PUSH, "old", false);
	submit("X", PUSH, "new", false);
	expect_input(desk_engine(agent, 1, 1), 1, "new");
	ck_assert_ptr_eq(desk.log, desk.log->prev);
}
END_TEST

static void refuse(struct desk_peer *at, uint64_t record)
{
	struct msg_slice s = DESK_EXPECT(at, SLICE, slice);
	struct failure_run run = {
		.count = 1, .state = XC_FAILED, .code = 1, .attempts = 1, .text = span_of("no")
	};
	char failures[FAILURE_RUN_MAX];
	struct span frames[2] = { { failures, failure_run_pack(failures, sizeof failures, &run) },
				  { NULL, 0 } };

	DESK_SEND_FRAMES(at, done, frames, 2, .slot = at->slot, .epoch = at->epoch,
			 .record = record, .slice = s.slice, .count = 1, .busy_ns = 1000,
			 .last = true);
}

/* What no engine has taken; of a name that was given again meanwhile, only the one. */
START_TEST(test_failed)
{
	submit("X", PUSH, "x", false);
	submit("y", PUSH, "y", true);
	submit("X", PUSH, "again", false);
	refuse(engine, 1);
	ck_assert_str_eq(desk.log->name, "y");
	refuse(engine, 2);
	ck_assert_str_eq(desk.log->name, "X");
	ck_assert_ptr_null(desk.log->next);
	expect_input(engine, 3, "again");
	expect_input(desk_engine(agent, 1, 1), 1, "again");
	ck_assert_ptr_null(desk.log->next);
}
END_TEST

START_TEST(test_forgotten)
{
	submit("X", PUSH, "x", false);
	submit("y", PUSH, "y", false);
	submit("lib", JOB_EVERYWHERE, "z", false); /* a program */
	submit("X", CLEAR, "", false);
	ck_assert_str_eq(desk.log->name, "y");
	submit("", CLEAR, "", false); /* all variables, but no programs */
	ck_assert_str_eq(desk.log->name, "lib");
	ck_assert_ptr_null(desk.log->next);
}
END_TEST

/* A variable and a program of one name are two. */
START_TEST(test_names_of_two_kinds)
{
	submit("X", PUSH, "x", false);
	submit("X", JOB_EVERYWHERE, "z", false);
	ck_assert_ptr_nonnull(desk.log->next);
	submit("X", CLEAR, "", false);
	ck_assert(!desk.log->is_variable);
}
END_TEST

/* An engine that the client did not know of when it submitted. */
START_TEST(test_engine_up_meanwhile)
{
	struct desk_peer *second = desk_engine(agent, 1, 1);

	submit("X", PUSH, "xx", false); /* its only target is engine 0 */
	expect_input(second, 1, "xx");
	ck_assert_uint_eq(desk_next(second), 0);
}
END_TEST

/* One that was restarted has its agent's table, and gets what it missed. */
START_TEST(test_restarted)
{
	struct desk_peer *again;

	submit("X", PUSH, "xx", false);
	expect_input(engine, 1, "xx");
	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_EXIT, .item = -1,
		  .restarting = 1);
	submit("y", PUSH, "yy", false);
	again = desk_engine(agent, 0, 2);
	expect_input(again, 1, "yy");
	ck_assert_uint_eq(desk_next(again), 0);
}
END_TEST

/* The agents hold the object while the log has it. */
START_TEST(test_objects_held)
{
	submit("X", PUSH, "x", true);
	ck_assert_mem_eq(DESK_EXPECT(agent, HOLD, hold).object.data, object, OBJECT_SIZE);
	submit("X", PUSH, "small", false);
	ck_assert_mem_eq(DESK_EXPECT(agent, DROP, drop).object.data, object, OBJECT_SIZE);
	ck_assert_uint_eq(desk_next(agent), 0);
}
END_TEST

/* Whatever the job says of its input, only bytes that are there are sent. */
START_TEST(test_hostile_size)
{
	static const uint32_t target = 0;
	struct desk_peer *late;

	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 1,
					       .form = FORM_RANGE,
					       .in_size = 4000,
					       .flags = PUSH,
					       .name = "X",
					       .targets = &target,
					       .target_count = 1 });
	late = desk_engine(agent, 1, 1);
	DESK_EXPECT(late, SLICE, slice);
	ck_assert_uint_eq(zmq_msg_size(&late->m.frames[2]), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("everywhere");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_late_engine);
	tcase_add_test(tests, test_first_of_all);
	tcase_add_test(tests, test_replaced);
	tcase_add_test(tests, test_failed);
	tcase_add_test(tests, test_forgotten);
	tcase_add_test(tests, test_names_of_two_kinds);
	tcase_add_test(tests, test_engine_up_meanwhile);
	tcase_add_test(tests, test_restarted);
	tcase_add_test(tests, test_objects_held);
	tcase_add_test(tests, test_hostile_size);
	return unit_run(tests);
}
