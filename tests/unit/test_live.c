/* test_live.c: output of items on its way through the controller. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static struct desk_peer *client, *agent, *engine;
static struct msg_slice slice;
static unsigned char *list;
static size_t list_size;

static void begin(void)
{
	desk_open();
	client = desk_client();
	agent = desk_agent(1);
	engine = desk_engine(agent, 0, 1);
	list = malloc(3 * OUTPUT_RUN_MAX);
	list_size = 0;
	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 10 });
	slice = DESK_EXPECT(engine, SLICE, slice);
	DESK_EXPECT(engine, SLICE, slice);
}

static void end(void)
{
	desk_close();
	free(list);
}

static void add(int64_t item, uint64_t state, const char *text, size_t size, int64_t cut)
{
	struct failure_run run = {
		.first = item, .count = 1, .state = state, .code = cut, .text = { text, size }
	};

	list_size += failure_run_pack(list + list_size, 3 * OUTPUT_RUN_MAX - list_size, &run);
}

static void done(struct desk_peer *from, uint64_t record, int64_t first, int64_t count)
{
	struct span frames[2] = { { list, list_size }, { NULL, 0 } };

	DESK_SEND_FRAMES(from, done, frames, 2, .epoch = 1, .record = record, .slice = slice.slice,
			 .first = first, .count = count, .busy_ns = 1);
	list_size = 0;
}

START_TEST(test_with_the_end)
{
	struct failure_run run;
	struct msg_result m;
	size_t at = 0;

	add(1, OUTPUT_WHOLE, "one", 3, 0);
	add(1, XC_FAILED, "why", 3, 0);
	add(3, OUTPUT_WHOLE, "three", 5, 77); /* the one that ran when the engine died */
	done(engine, 1, 0, 3);
	m = DESK_EXPECT(client, RESULT, result);
	ck_assert_int_eq(m.count, 3);
	ck_assert(desk_run_at(client, &at, &run));
	ck_assert_uint_eq(run.state, OUTPUT_WHOLE);
	ck_assert_uint_eq(run.attempts, 1); /* the slice's, whatever the engine says */
	ck_assert_mem_eq(run.text.data, "one", 3);
	ck_assert(desk_run_at(client, &at, &run));
	ck_assert_uint_eq(run.state, XC_FAILED);
	ck_assert(desk_run_at(client, &at, &run));
	ck_assert_int_eq(run.first, 3);
	ck_assert_int_eq(run.code, 77);
	ck_assert(!desk_run_at(client, &at, &run));
	ck_assert_int_eq(desk.clients->jobs->ended, 3);
}
END_TEST

/* Of an item that is not of the piece, live, or too long. */
START_TEST(test_that_cannot_be)
{
	static char text[OUTPUT_MAX + 1];
	struct failure_run run;
	size_t at = 0;

	switch (_i) {
	case 0:
		add(4, OUTPUT_WHOLE, "x", 1, 0);
		break;
	case 1:
		add(INT64_MAX - 1, OUTPUT_WHOLE, "x", 1, 0);
		break;
	case 2:
		add(2, OUTPUT_LIVE, "x", 1, 0);
		break;
	default:
		add(2, OUTPUT_WHOLE, text, sizeof text, 0);
	}
	done(engine, 1, 0, 3);
	DESK_EXPECT(client, RESULT, result);
	ck_assert(!desk_run_at(client, &at, &run));
	ck_assert_int_eq(desk.clients->jobs->ended, 3);
}
END_TEST

START_TEST(test_limit)
{
	static char text[OUTPUT_MAX];
	struct failure_run run;

	for (int i = 0; i < 20; i++) {
		struct msg_result m;
		size_t at = 0;

		add(0, OUTPUT_WHOLE, text, sizeof text, 5);
		done(engine, (uint64_t)i + 1, 0, 0);
		m = DESK_EXPECT(client, RESULT, result);
		ck_assert_int_eq(m.count, 0);
		ck_assert(desk_run_at(client, &at, &run));
		ck_assert_uint_eq(run.text.size, i < 16 ? sizeof text : 0);
		ck_assert_int_eq(run.code, i < 16 ? 5 : 5 + OUTPUT_MAX);
		DESK_SEND(client, ack, .seq = m.seq);
	}
}
END_TEST

/* ---- While it runs --------------------------------------------------------------------- */

static void say(struct msg_output m, size_t size)
{
	static char text[OUTPUT_LIVE_MAX + 1];
	struct span frame = { text, size };
	unsigned char header[HEADER_MAX];

	desk_send(agent, header, msg_output_pack(header, sizeof header, &m), &frame, 1);
}

START_TEST(test_live)
{
	struct failure_run run;
	struct msg_result m;
	size_t at = 0;

	done(engine, 1, 0, 3);
	DESK_EXPECT(client, RESULT, result);
	say(
		(struct msg_output){
			.epoch = 1, .record = 1, .slice = slice.slice, .item = 3, .offset = 9 },
		7);
	m = DESK_EXPECT(client, RESULT, result);
	ck_assert_uint_eq(m.job, 1);
	ck_assert_int_eq(m.count, 0);
	ck_assert_int_eq(m.engine, 0);
	ck_assert_uint_eq(m.final, 0);
	ck_assert(desk_run_at(client, &at, &run));
	ck_assert_int_eq(run.first, 3);
	ck_assert_uint_eq(run.state, OUTPUT_LIVE);
	ck_assert_int_eq(run.code, 9);
	ck_assert_uint_eq(run.text.size, 7);
}
END_TEST

START_TEST(test_out_of_order)
{
	struct msg_output m = { .epoch = 1, .record = 1, .slice = slice.slice, .item = 3 };
	size_t size = 7;

	done(engine, 1, 0, 3);
	DESK_EXPECT(client, RESULT, result);
	switch (_i) {
	case 0:
		m.record = 2; /* a DONE is on its way still */
		break;
	case 1:
		m.record = 0;
		break;
	case 2:
		m.item = 2; /* has ended */
		break;
	case 3:
		m.item = 10;
		break;
	case 4:
		m.slice = 99;
		break;
	case 5:
		m.epoch = 2;
		break;
	case 6:
		m.slot = 1;
		break;
	case 7:
		m.offset = -1;
		break;
	default:
		size = OUTPUT_LIVE_MAX + 1;
	}
	say(m, size);
	ck_assert_uint_eq(desk_next(client), 0);
}
END_TEST

/* A client that does not listen costs no more than this. */
START_TEST(test_nobody_listens)
{
	struct msg_output m = { .epoch = 1, .slice = slice.slice, .item = 3 };

	for (int i = 0; i < 100; i++) {
		m.offset = (int64_t)i * OUTPUT_LIVE_MAX;
		say(m, OUTPUT_LIVE_MAX);
	}
	ck_assert_uint_lt(desk.clients->held_bytes, 3 << 20);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("live");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_with_the_end);
	tcase_add_loop_test(tests, test_that_cannot_be, 0, 4);
	tcase_add_test(tests, test_limit);
	tcase_add_test(tests, test_live);
	tcase_add_loop_test(tests, test_out_of_order, 0, 9);
	tcase_add_test(tests, test_nobody_listens);
	return unit_run(tests);
}
