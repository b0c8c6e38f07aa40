/* test_drain.c: agents whose time is limited, and notes of a launcher. */
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static struct desk_peer *client, *agent, *other, *engines[3];

/* Engine 0 and 1 of one agent, 2 of another. */
static void begin(void)
{
	desk_open();
	client = desk_client();
	agent = desk_agent(2);
	engines[0] = desk_engine(agent, 0, 1);
	engines[1] = desk_engine(agent, 1, 1);
}

static void add_other(void)
{
	other = desk_agent(1);
	engines[2] = desk_engine(other, 0, 1);
}

static struct agent *agent_at(int index)
{
	struct agent *one = desk.agents;

	while (one && one->index != index)
		one = one->next;
	return one;
}

/* As if so many seconds had passed. */
static void pass(double seconds)
{
	for (struct agent *one = desk.agents; one; one = one->next)
		if (one->ends_ns)
			one->ends_ns -= (uint64_t)(seconds * 1e9);
	drain_tick(&desk, now_ns());
	desk_run();
}

/* ---- How many items fit ------------------------------------------------------------- */

static struct measure measure;
static struct job job = { .measure = &measure };
static struct agent limited;
static struct engine engine = { .agent = &limited };

static int64_t room(double left_s, double item_s)
{
	measure = (struct measure){ .items = 1, .busy_ns = item_s * 1e9 };
	limited.ends_ns = 1000 + (uint64_t)(left_s * 1e9);
	return drain_room(&engine, &job, 1000);
}

START_TEST(test_room_is_what_can_end_in_time)
{
	ck_assert_int_eq(room(10, 1), 8); /* with a quarter to spare */
	ck_assert_int_eq(room(1.2, 1), 0);
	ck_assert_int_eq(room(1.3, 1), 1);
	limited.ends_ns = 0;
	ck_assert(drain_room(&engine, &job, 1000) == INT64_MAX);
}
END_TEST

START_TEST(test_what_nobody_has_measured_begins_outside_the_margin_only)
{
	ck_assert(room(10, 0) == INT64_MAX);
	limited.is_draining = true;
	ck_assert_int_eq(room(10, 0), 0);
	ck_assert_int_eq(room(10, 1), 8);
	limited.ends_ns = 0; /* it is over */
	ck_assert_int_eq(drain_room(&engine, &job, 1000), 0);
	limited.is_draining = false;
}
END_TEST

START_TEST(test_work_in_hand_comes_first)
{
	struct slice slice = { .job = &job, .count = 5, .done = 1 };

	engine.slices = &slice;
	slice.prev = &slice;
	ck_assert_int_eq(room(10, 1), 4); /* 10 - 4 * 1.25 = 5 s for items of 1.25 */
	engine.slices = NULL;
}
END_TEST

/* ---- In the controller ------------------------------------------------------------------ */

START_TEST(test_a_slice_is_cut_to_the_time_that_is_left)
{
	struct msg_slice first;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 1000, .chunk = 1 });
	first = DESK_EXPECT(engines[0], SLICE, slice);
	desk_done(engines[0], &first, 1, 0, 1, true);
	while (desk_next(engines[0]) || desk_next(engines[1]))
		;
	desk.clients->jobs->measure->items = 1;
	desk.clients->jobs->measure->busy_ns = 10e9; /* an item takes 10 s */
	for (int i = 0; i < 2; i++)
		desk.engines[i]->speed = 1;
	DESK_SEND(agent, drain, .left = 8, .margin = 2);
	ck_assert(!agent_at(0)->is_draining);
	first.slice = 2;
	desk_done(engines[0], &first, 2, 0, 1, true);
	ck_assert_uint_eq(desk_next(engines[0]), 0); /* none ends within 8 s */
	ck_assert(desk.engines[0]->is_short);
	DESK_SEND(agent, drain, .left = 1e9, .margin = 2);
	ck_assert_uint_eq(desk_next(engines[0]), MSG_SLICE); /* the time is longer now */
}
END_TEST

/* The second row of the loop is that the test can fail. */
START_TEST(test_idle_engines_without_time_get_nothing_that_is_taken_from_others)
{
	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 4, .chunk = 2 });
	ck_assert_uint_eq(desk_next(engines[0]), MSG_SLICE);
	ck_assert_uint_eq(desk_next(engines[1]), MSG_SLICE);
	for (int i = 0; i < 2; i++)
		desk.engines[i]->slices->sent_ns = 0; /* long ago */
	other = desk_agent(1);
	if (_i == 0)
		DESK_SEND(other, drain, .left = 1, .margin = 2);
	engines[2] = desk_engine(other, 0, 1);
	desk_run();
	ck_assert_int_eq(desk.takes_pending, _i);
	ck_assert_uint_eq(desk_next(agent), _i == 0 ? 0 : MSG_TAKE);
}
END_TEST

START_TEST(test_pinned_items_fail_as_for_an_engine_that_is_shut_down)
{
	static const uint32_t targets[] = { 0 };
	struct failure_run run;
	size_t at = 0;

	DESK_SEND(agent, drain, .left = 1, .margin = 2);
	ck_assert(agent_at(0)->is_draining);
	desk_submit(
		client,
		(struct desk_job){
			.seq = 1, .job = 1, .items = 1, .targets = targets, .target_count = 1 });
	ck_assert_uint_eq(desk_next(engines[0]), 0);
	ck_assert_uint_eq(desk_next(client), MSG_RESULT);
	ck_assert(desk_run_at(client, &at, &run));
	ck_assert_int_eq((int)run.state, XC_LOST);
	ck_assert_msg(memmem(run.text.data, run.text.size, "its host's time ends", 20) != NULL,
		      "%.*s", (int)run.text.size, (const char *)run.text.data);
}
END_TEST

START_TEST(test_at_the_end_engines_are_shut_and_what_runs_is_killed)
{
	struct msg_retire order;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 2, .chunk = 1 });
	DESK_SEND(agent, drain, .left = 5, .margin = 2);
	pass(4);
	ck_assert(agent_at(0)->is_draining);
	ck_assert_uint_eq(desk_next(agent), 0);
	pass(2);
	for (uint64_t i = 0; i < 2; i++) {
		order = DESK_EXPECT(agent, RETIRE, retire);
		ck_assert_uint_eq(order.slot, i);
		ck_assert_uint_eq(order.how, CANCEL_HOW_RUNNING);
		ck_assert_uint_eq(desk_next(agent), MSG_TAKE);
	}
	pass(2); /* once */
	ck_assert_uint_eq(desk_next(agent), 0);
	ck_assert_int_eq(desk.engines_up, 0);
}
END_TEST

/* The item that was running goes to the other agent's engine with the attempt that it had. */
START_TEST(test_what_is_killed_at_the_end_runs_elsewhere_uncharged)
{
	struct msg_slice slice;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 1, .chunk = 1 });
	slice = DESK_EXPECT(engines[0], SLICE, slice);
	add_other();
	DESK_SEND(agent, drain, .left = 0, .margin = 2);
	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_CANCELLED, .code = 9,
		  .slice = slice.slice, .item = 0, .text = span_of("killed by signal 9"));
	slice = DESK_EXPECT(engines[2], SLICE, slice);
	ck_assert_int_eq(slice.first, 0);
	ck_assert_uint_eq(slice.attempt, 1);
}
END_TEST

START_TEST(test_more_time_makes_engines_as_they_were)
{
	static const uint32_t targets[] = { 0 };

	DESK_SEND(agent, drain, .left = 1, .margin = 2);
	DESK_SEND(agent, drain, .left = 100, .margin = 2);
	ck_assert(!agent_at(0)->is_draining);
	ck_assert_str_eq(desk.engines[0]->reason, "");
	desk_submit(
		client,
		(struct desk_job){
			.seq = 1, .job = 1, .items = 1, .targets = targets, .target_count = 1 });
	ck_assert_uint_eq(desk_next(engines[0]), MSG_SLICE);
}
END_TEST

START_TEST(test_drains_that_cannot_be)
{
	DESK_SEND(agent, drain, .left = 0.0 / 0.0, .margin = 2);
	DESK_SEND(agent, drain, .left = 1, .margin = -1);
	DESK_SEND(client, drain, .left = 0, .margin = 2);
	ck_assert(!agent_at(0)->is_draining);
	ck_assert_uint_eq(agent_at(0)->ends_ns, 0);
}
END_TEST

static bool is_text(struct span span, const char *text)
{
	return span.size == strlen(text) && memcmp(span.data, text, span.size) == 0;
}

/* ---- Notes -------------------------------------------------------------------------------- */

START_TEST(test_a_note_is_told_to_clients_that_are_there_and_to_those_that_come)
{
	struct desk_peer *supervisor = desk_client(), *late;
	struct span jobs = span_of("[{\"id\": \"7\"}]");
	struct msg_note note;

	DESK_SEND_FRAMES(supervisor, note, &jobs, 1, .text = span_of("job 7 is pending"),
			 .coming = 4);
	note = DESK_EXPECT(client, NOTE, note);
	ck_assert(is_text(note.text, "job 7 is pending"));
	ck_assert_uint_eq(note.coming, 4);
	late = desk_client();
	note = DESK_EXPECT(late, NOTE, note);
	ck_assert(is_text(note.text, "job 7 is pending"));
	DESK_SEND(supervisor, bye, .id = 0);
	note = DESK_EXPECT(late, NOTE, note);
	ck_assert_uint_eq(note.coming, 0);
	ck_assert(!is_text(note.text, "job 7 is pending"));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("drain");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_room_is_what_can_end_in_time);
	tcase_add_test(tests, test_what_nobody_has_measured_begins_outside_the_margin_only);
	tcase_add_test(tests, test_work_in_hand_comes_first);
	tcase_add_test(tests, test_a_slice_is_cut_to_the_time_that_is_left);
	tcase_add_loop_test(
		tests, test_idle_engines_without_time_get_nothing_that_is_taken_from_others, 0, 2);
	tcase_add_test(tests, test_pinned_items_fail_as_for_an_engine_that_is_shut_down);
	tcase_add_test(tests, test_at_the_end_engines_are_shut_and_what_runs_is_killed);
	tcase_add_test(tests, test_what_is_killed_at_the_end_runs_elsewhere_uncharged);
	tcase_add_test(tests, test_more_time_makes_engines_as_they_were);
	tcase_add_test(tests, test_drains_that_cannot_be);
	tcase_add_test(tests, test_a_note_is_told_to_clients_that_are_there_and_to_those_that_come);
	return unit_run(tests);
}
