/* test_sink.c: what an agent does with what its engines print. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/rig.h"
#include "tests/unit/unit.h"

#define MIB (1 << 20)

static char *big;

static void begin(void)
{
	rig_open();
	big = malloc(20 * MIB);
	for (size_t i = 0; i < 20 * MIB; i++)
		big[i] = (char)('a' + i % 23);
	/* item 3 of slice 5 runs */
	rig.page->piece.slice = 5;
	rig.page->piece.first = 2;
	rig.page->piece.done = 1;
	rig.page->piece.base = 100;
	rig.page->item = 3;
}

static void end(void)
{
	free(big);
	rig_close();
}

static void print(const void *text, size_t size)
{
	ck_assert_int_eq(write(rig.output, text, size), (ssize_t)size);
}

static void tick(void)
{
	rig.agent.sunk_ns = 0;
	sinks_tick(&rig.agent);
}

static char *logged(size_t *size)
{
	struct stat st;
	char *text;

	ck_assert_int_eq(fstat(rig.slot.sink.log, &st), 0);
	*size = (size_t)st.st_size;
	text = malloc(*size + 1);
	ck_assert_int_eq(pread(rig.slot.sink.log, text, *size, 0), st.st_size);
	text[*size] = '\0';
	return text;
}

static size_t memory(void)
{
	struct stat st;

	ck_assert_int_eq(fstat(rig.output, &st), 0);
	return (size_t)st.st_blocks * 512;
}

START_TEST(test_log)
{
	size_t size;
	char *text;

	tick();
	print("one\n", 4);
	tick();
	tick();
	print("two\n", 4);
	sink_log(&rig.slot);
	text = logged(&size);
	ck_assert_str_eq(text, "one\ntwo\n");
	free(text);
}
END_TEST

/* By a task that rewinds it, or moves it to its end, where nothing can be written. */
START_TEST(test_moved)
{
	size_t size;
	char *text;

	print("one\n", 4);
	tick();
	lseek(rig.output, 0, _i ? SEEK_END : SEEK_SET);
	tick();
	print("two\n", 4);
	tick();
	text = logged(&size);
	ck_assert_str_eq(text, "one\ntwo\n");
	free(text);
	rig.page->output = 100;
	lseek(rig.output, 0, _i ? SEEK_END : SEEK_SET);
	tick();
	ck_assert_int_eq(lseek(rig.output, 0, SEEK_CUR), 100);
}
END_TEST

START_TEST(test_much_at_a_time)
{
	size_t size;
	char *text;

	print(big, 20 * MIB);
	tick();
	text = logged(&size);
	ck_assert_uint_lt(size, 8 * MIB + 100);
	ck_assert_mem_eq(text, big, 4 * MIB);
	ck_assert_mem_eq(text + size - 4 * MIB, big + 16 * MIB, 4 * MIB);
	ck_assert_ptr_nonnull(strstr(text, "\n[... 12582912 bytes cut ...]\n"));
	free(text);
}
END_TEST

START_TEST(test_log_begins_anew)
{
	size_t size;
	char *text;

	for (int i = 0; i < 17; i++) {
		print(big, 4 * MIB);
		tick();
	}
	print("last\n", 5);
	tick();
	text = logged(&size);
	ck_assert_uint_lt(size, 100);
	ck_assert(strstr(text, "[... 71303168 bytes cut") == text);
	ck_assert_ptr_nonnull(strstr(text, "\nlast\n"));
	free(text);
}
END_TEST

/* Of the running item both ends are kept, of what is behind nothing. */
START_TEST(test_memory)
{
	static char kept[OUTPUT_HALF];

	print(big, 10 * MIB);
	rig.page->output = 10 * MIB;
	tick();
	ck_assert_uint_le(memory(), 64 << 10);
	print(big, 20 * MIB);
	tick();
	ck_assert_uint_le(memory(), OUTPUT_MAX + (64 << 10));
	ck_assert_int_eq(pread(rig.output, kept, sizeof kept, 10 * MIB), sizeof kept);
	ck_assert_mem_eq(kept, big, sizeof kept);
	ck_assert_int_eq(pread(rig.output, kept, sizeof kept, 30 * MIB - OUTPUT_HALF), sizeof kept);
	ck_assert_mem_eq(kept, big + 20 * MIB - OUTPUT_HALF, sizeof kept);
}
END_TEST

/* ---- To the controller ---------------------------------------------------------------- */

START_TEST(test_live)
{
	struct msg_output m;

	print("before", 6);
	rig.page->output = 6;
	print("one\n", 4);
	tick();
	m = RIG_EXPECT(from_agent, OUTPUT, output);
	ck_assert_uint_eq(m.epoch, 3);
	ck_assert_uint_eq(m.record, 0);
	ck_assert_uint_eq(m.slice, 5);
	ck_assert_int_eq(m.item, 3);
	ck_assert_int_eq(m.offset, 0);
	ck_assert_uint_eq(rig_frame_size(0), 4);
	ck_assert_mem_eq(rig_frame(0), "one\n", 4);
	tick();
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
	print("two\n", 4);
	tick();
	m = RIG_EXPECT(from_agent, OUTPUT, output);
	ck_assert_int_eq(m.offset, 4);
	ck_assert_mem_eq(rig_frame(0), "two\n", 4);
	/* The next item. */
	rig.page->piece.done = 2;
	rig.page->item = 4;
	rig.page->output = 14;
	print("three", 5);
	tick();
	m = RIG_EXPECT(from_agent, OUTPUT, output);
	ck_assert_int_eq(m.item, 4);
	ck_assert_int_eq(m.offset, 0);
	ck_assert_uint_eq(rig_frame_size(0), 5);
}
END_TEST

/* Nothing while something before it is still to come, or nothing runs. */
START_TEST(test_not_live)
{
	print("one\n", 4);
	switch (_i) {
	case 0:
		rig.page->piece.printed = 1;
		break;
	case 1:
		rig.page->written = 1;
		break;
	case 2:
		rig.page->item = 2;
		break;
	case 3:
		rig.page->item = -1;
		break;
	case 4:
		rig.page->piece.slice = 0;
		break;
	default:
		rig.page->output = 4;
	}
	tick();
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
	tick();
	ck_assert_uint_eq(rig_next(rig.from_agent), _i == 1 ? MSG_OUTPUT : 0);
}
END_TEST

/* At most so much at a time; what is given back is left out. */
START_TEST(test_live_in_parts)
{
	int64_t at = 0;

	print(big, 3 * MIB);
	for (;;) {
		struct msg_output m;
		size_t size;

		tick();
		if (rig_next(rig.from_agent) == 0)
			break;
		ck_assert_int_eq(msg_output_get(&rig.m.fields, &m), 0);
		size = rig_frame_size(0);
		ck_assert_uint_le(size, OUTPUT_LIVE_MAX);
		ck_assert_int_eq(m.offset, at == OUTPUT_HALF ? 3 * MIB - OUTPUT_HALF : at);
		ck_assert_mem_eq(rig_frame(0), big + m.offset, size);
		at = m.offset + (int64_t)size;
	}
	ck_assert_int_eq(at, 3 * MIB);
}
END_TEST

/* ---- After a death ---------------------------------------------------------------------- */

static int rest(struct failure_run *run)
{
	struct reader r;

	slot_rescue(&rig.slot, SIGSEGV, true);
	if (rig_next(rig.from_agent) != MSG_DONE)
		return -1;
	reader_init(&r, rig_frame(0), rig_frame_size(0));
	return failure_run_next(&r, run);
}

START_TEST(test_rest)
{
	struct failure_run run;

	print("before", 6);
	rig.page->output = 6;
	print("last words", 10);
	if (_i) {
		rig.page->piece.first = 3;
		rig.page->piece.done = 0; /* no item has ended */
	}
	ck_assert_int_eq(rest(&run), 1);
	ck_assert_int_eq(run.first, 103);
	ck_assert_uint_eq(run.state, OUTPUT_WHOLE);
	ck_assert_uint_eq(run.text.size, 10);
	ck_assert_mem_eq(run.text.data, "last words", 10);
	ck_assert_int_eq(RIG_EXPECT(from_agent, DOWN, down).item, 3);
}
END_TEST

/* The engine had written it to its list already. */
START_TEST(test_rest_is_there_once)
{
	struct failure_run run = {
		.first = 103, .count = 1, .state = OUTPUT_WHOLE, .text = span_of("last words")
	};

	print("last words", 10);
	rig.page->piece.failures = 4096;
	rig.page->piece.failures_used = failure_run_pack(rig.arena + 4096, 4096, &run);
	rig.page->piece.printed = 1;
	rig.page->piece.done = _i ? 0 : 1;
	rig.page->piece.first = _i ? 3 : 2;
	ck_assert_int_eq(rest(&run), 1);
	ck_assert_uint_eq(rig_frame_size(0), rig.page->piece.failures_used);
}
END_TEST

/* Nothing runs, or nothing was printed, or the page says what cannot be. */
START_TEST(test_no_rest)
{
	struct failure_run run;

	rig.page->piece.done = 0;
	rig.page->item = 2;
	print("words", 5);
	switch (_i) {
	case 0:
		rig.page->output = 5;
		break;
	case 1:
		rig.page->output = UINT64_MAX;
		break;
	case 2:
		rig.page->item = 1;
		break;
	case 3:
		rig.page->piece.base = INT64_MAX;
		break;
	default:
		rig.page->piece.base = -100;
	}
	ck_assert_int_eq(rest(&run), -1);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("sink");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_log);
	tcase_add_loop_test(tests, test_moved, 0, 2);
	tcase_add_test(tests, test_much_at_a_time);
	tcase_add_test(tests, test_log_begins_anew);
	tcase_add_test(tests, test_memory);
	tcase_add_test(tests, test_live);
	tcase_add_loop_test(tests, test_not_live, 0, 6);
	tcase_add_test(tests, test_live_in_parts);
	tcase_add_loop_test(tests, test_rest, 0, 2);
	tcase_add_loop_test(tests, test_rest_is_there_once, 0, 2);
	tcase_add_loop_test(tests, test_no_rest, 0, 5);
	return unit_run(tests);
}
