/* test_control.c: orders of clients for engines: signals, and the end for good. */
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static struct desk_peer *client, *agent, *engines[2];

/* Three engines, of which the last is starting. */
static void begin(void)
{
	desk_open();
	client = desk_client();
	agent = desk_agent(3);
	for (int i = 0; i < 2; i++)
		engines[i] = desk_engine(agent, (uint64_t)i, 1);
}

#define ORDER(upper, targets, count, ...)                                                          \
	do {                                                                                       \
		struct span frame_ = { targets, 4 * (size_t)(count) };                             \
                                                                                                   \
		DESK_SEND_FRAMES(client, upper, &frame_, 1, __VA_ARGS__);                          \
	} while (0)

static void expect_answer(uint64_t id, int64_t code, const char *text)
{
	struct msg_answer answer = DESK_EXPECT(client, ANSWER, answer);
	char got[300];

	span_copy(got, sizeof got, answer.text);
	ck_assert_uint_eq(answer.id, id);
	ck_assert_int_eq(answer.code, code);
	ck_assert_msg(strstr(got, text) != NULL, "%s", got);
}

START_TEST(test_signal)
{
	static const uint32_t targets[] = { 1, 0 };
	struct msg_kill order;

	ORDER(signal, targets, 2, .id = 7, .signal = 10);
	for (int i = 0; i < 2; i++) {
		order = DESK_EXPECT(agent, KILL, kill);
		ck_assert_uint_eq(order.slot, targets[i]);
		ck_assert_uint_eq(order.epoch, 1);
		ck_assert_int_eq(order.signal, 10);
	}
	expect_answer(7, 0, "");
}
END_TEST

START_TEST(test_engines_that_are_not_up)
{
	static const uint32_t targets[] = { 0, 2, 1, 77 };

	ORDER(signal, targets, 2, .id = 1, .signal = 9);
	expect_answer(1, XC_ENOENGINE, "engine 2 is not up");
	ORDER(signal, targets, 4, .id = 2, .signal = 9);
	expect_answer(2, XC_ENOENGINE, "engines 2, 77 are not up");
	ORDER(shut, targets, 4, .id = 3);
	expect_answer(3, XC_ENOENGINE, "engine 77 is not up");
	ck_assert_uint_eq(desk_next(agent), 0);
	ck_assert_int_eq(desk.engines_up, 2);
}
END_TEST

START_TEST(test_orders_that_cannot_be)
{
	static const uint32_t targets[] = { 0 };
	struct span cut = { targets, 3 };

	ORDER(signal, targets, 1, .id = 1, .signal = 0);
	ORDER(signal, targets, 1, .id = 1, .signal = 65);
	ORDER(signal, targets, 0, .id = 1, .signal = 9);
	ORDER(shut, targets, 0, .id = 1);
	ORDER(shut, targets, 1, .id = 1, .how = 2);
	DESK_SEND_FRAMES(client, shut, &cut, 1, .id = 1);
	ck_assert_uint_eq(desk_next(client), 0);
	ck_assert_uint_eq(desk_next(agent), 0);
}
END_TEST

/* Balanced items that it has not begun run elsewhere; the running one ends. */
START_TEST(test_shut)
{
	static const uint32_t zero[] = { 0 };
	struct msg_retire order;
	struct msg_slice s;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 40, .chunk = 10 });
	s = DESK_EXPECT(engines[0], SLICE, slice);
	ORDER(shut, zero, 1, .id = 4, .how = CANCEL_HOW_RUNNING);
	expect_answer(4, 0, "");
	order = DESK_EXPECT(agent, RETIRE, retire);
	ck_assert_uint_eq(order.slot, 0);
	ck_assert_uint_eq(order.how, CANCEL_HOW_RUNNING);
	ck_assert_uint_eq(DESK_EXPECT(agent, TAKE, take).all, 1);
	DESK_EXPECT(agent, TAKE, take);
	ck_assert_int_eq(desk.engines[0]->state, ENGINE_CLOSING);
	ck_assert_int_eq(desk.engines_up, 1);
	DESK_SEND(agent, taken, .slot = 0, .epoch = 1, .slice = s.slice, .end = 3);
	desk_done(engines[0], &s, 1, 0, 2, false);
	ck_assert_int_eq(DESK_EXPECT(client, RESULT, result).count, 2);
	/* It gets nothing more, and another order finds it gone. */
	DESK_EXPECT(engines[0], SLICE, slice); /* the second, from before */
	ck_assert_uint_eq(desk_next(engines[0]), 0);
	ORDER(shut, zero, 1, .id = 5);
	expect_answer(5, XC_ENOENGINE, "engine 0 was shut down");
	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_SHUT, .item = -1);
	ck_assert_int_eq(desk.engines[0]->state, ENGINE_SHUT);
	ck_assert_str_eq(desk.engines[0]->reason, "engine 0 was shut down");
	ck_assert_int_eq(desk.engines[0]->slice_count, 0);
	ck_assert_int_eq(desk.clients->jobs->remaining.total, 18);
	ORDER(signal, zero, 1, .id = 6, .signal = 2);
	expect_answer(6, XC_ENOENGINE, "engine 0 was shut down");
}
END_TEST

/* Pinned items: the one that was killed is cancelled, the others are lost. */
START_TEST(test_shut_pinned)
{
	static const uint32_t zero[] = { 0 };
	struct failure_run run;
	struct msg_slice s;
	size_t at = 0;

	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 50,
					       .chunk = 10,
					       .targets = zero,
					       .target_count = 1 });
	s = DESK_EXPECT(engines[0], SLICE, slice);
	ORDER(shut, zero, 1, .id = 4, .how = CANCEL_HOW_RUNNING);
	DESK_EXPECT(client, RESULT, result); /* what waited in the controller */
	ck_assert(desk_run_at(client, &at, &run));
	ck_assert_uint_eq(run.state, XC_LOST);
	ck_assert_int_eq(run.count, 30);
	expect_answer(4, 0, "");
	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_CANCELLED, .code = 9,
		  .slice = s.slice, .item = 4);
	ck_assert_ptr_null(desk.clients->jobs);
	for (int lost = 30, cancelled = 0; lost + cancelled < 50;) {
		DESK_EXPECT(client, RESULT, result);
		at = 0;
		ck_assert(desk_run_at(client, &at, &run));
		ck_assert(run.state == XC_LOST || (run.state == XC_CANCELLED && run.first == 4));
		*(run.state == XC_LOST ? &lost : &cancelled) += (int)run.count;
	}
}
END_TEST

/* One whose next process is on its way: that is not let in. */
START_TEST(test_shut_while_it_restarts)
{
	static const uint32_t zero[] = { 0 };
	struct desk_peer *late;

	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_EXIT, .item = -1,
		  .restarting = 1);
	ORDER(shut, zero, 1, .id = 4);
	expect_answer(4, 0, "");
	late = desk_join('e');
	DESK_SEND(late, hello_engine, .protocol = PROTOCOL_VERSION,
		  .session = { late->session, SESSION_SIZE },
		  .agent = { agent->session, SESSION_SIZE }, .slot = 0, .epoch = 2, .pid = 3);
	ck_assert_uint_eq(desk_receive(late), MSG_REFUSED);
	ck_assert_int_eq(desk.engines[0]->state, ENGINE_CLOSING);
	DESK_SEND(agent, down, .slot = 0, .epoch = 2, .cause = DOWN_SIGNAL, .code = 15, .item = -1);
	ck_assert_int_eq(desk.engines[0]->state, ENGINE_SHUT);
	ck_assert_int_eq(desk.engines_up, 1);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("control");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_signal);
	tcase_add_test(tests, test_engines_that_are_not_up);
	tcase_add_test(tests, test_orders_that_cannot_be);
	tcase_add_test(tests, test_shut);
	tcase_add_test(tests, test_shut_pinned);
	tcase_add_test(tests, test_shut_while_it_restarts);
	return unit_run(tests);
}
