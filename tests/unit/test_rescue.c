/* test_rescue.c: what a dead engine had finished, out of memory that its task may
 * have written to. */
#include <signal.h>
#include <string.h>

#include "proto/task.h"
#include "tests/unit/rig.h"
#include "tests/unit/unit.h"

static void begin(void)
{
	rig_open();
	for (int i = 0; i < 4096; i++)
		rig.arena[i] = (unsigned char)(i * 7);
}

static void add_record(uint64_t number, int64_t first, int64_t count, uint64_t payload,
		       uint64_t size)
{
	rig.page->records[number % PAGE_RECORDS] = (struct record){ .record = number,
								    .slice = 5,
								    .first = first,
								    .count = count,
								    .payload = payload,
								    .payload_size = size };
	rig.page->written = number;
}

static void kill_it(int status)
{
	slot_rescue(&rig.slot, status, true);
}

static struct msg_down down_only(void)
{
	return RIG_EXPECT(from_agent, DOWN, down);
}

/* Records that the controller has not acknowledged are sent again. */
START_TEST(test_records)
{
	struct msg_done done;

	for (uint64_t n = 1; n <= 5; n++)
		add_record(n, (int64_t)n * 10, 10, n * 100, 80);
	rig.page->acked = 3;
	kill_it(SIGSEGV);
	for (uint64_t n = 4; n <= 5; n++) {
		done = RIG_EXPECT(from_agent, DONE, done);
		ck_assert_uint_eq(done.record, n);
		ck_assert_uint_eq(done.epoch, 3);
		ck_assert_int_eq(done.first, (int64_t)n * 10);
		ck_assert_int_eq(done.count, 10);
		ck_assert_uint_eq(rig_frame_size(1), 80);
		ck_assert_mem_eq(rig_frame(1), rig.arena + n * 100, 80);
	}
	ck_assert_int_eq(down_only().item, -1);
}
END_TEST

static void begin_piece(int64_t first, int64_t done, uint64_t out_size)
{
	rig.page->piece.slice = 5;
	rig.page->piece.first = first;
	rig.page->piece.done = done;
	rig.page->piece.payload = 256;
	rig.page->piece.out_size = out_size;
	rig.page->item = first + done;
}

/* Of the piece in progress, the items that are finished; the next one is charged. */
START_TEST(test_piece_in_progress)
{
	struct msg_done done;
	struct msg_down down;

	add_record(1, 0, 10, 0, 0);
	rig.page->acked = 1;
	begin_piece(10, 3, 8);
	kill_it(SIGSEGV);
	done = RIG_EXPECT(from_agent, DONE, done);
	ck_assert_uint_eq(done.record, 2);
	ck_assert_uint_eq(done.slice, 5);
	ck_assert_int_eq(done.first, 10);
	ck_assert_int_eq(done.count, 3);
	ck_assert_uint_eq(done.last, 0);
	ck_assert_mem_eq(rig_frame(1), rig.arena + 256, 24);
	down = down_only();
	ck_assert_uint_eq(down.slice, 5);
	ck_assert_int_eq(down.item, 13);
	ck_assert_uint_eq(down.cause, DOWN_SIGNAL);
	ck_assert_int_eq(down.code, SIGSEGV);
	ck_assert_uint_eq(down.restarting, 1);
	ck_assert_mem_eq(down.text.data, "killed by signal 11", 19);
}
END_TEST

/* It died after one item and before the next: nobody pays. */
START_TEST(test_between_two_items)
{
	begin_piece(10, 3, 8);
	rig.page->item = 12;
	kill_it(SIGKILL);
	RIG_EXPECT(from_agent, DONE, done);
	ck_assert_int_eq(down_only().item, -1);
}
END_TEST

START_TEST(test_exit)
{
	struct msg_down down;

	kill_it(7 << 8);
	down = down_only();
	ck_assert_uint_eq(down.cause, DOWN_EXIT);
	ck_assert_int_eq(down.code, 7);
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
}
END_TEST

START_TEST(test_time_limit)
{
	begin_piece(0, 0, 8);
	rig.slot.killed = true;
	rig.slot.cause = DOWN_TIME;
	rig.page->limit_ns = 1000;
	rig.page->item_start_ns = now_ns() - 2000;
	kill_it(SIGKILL);
	ck_assert_uint_eq(down_only().cause, DOWN_TIME);
	/* The next item had begun when the signal came: not its fault. */
	rig.page->limit_ns = UINT64_C(1) << 40;
	kill_it(SIGKILL);
	ck_assert_uint_eq(down_only().cause, DOWN_CANCELLED);
}
END_TEST

/* The running item's failure may be in the memory already; it has not ended. */
START_TEST(test_failures)
{
	struct failure_run run = { .first = 1, .count = 1, .state = XC_FAILED };
	size_t size = failure_run_pack(rig.arena + 512, 512, &run);

	begin_piece(0, 3, 8);
	rig.page->piece.failures = 512;
	rig.page->piece.failures_used = size;
	kill_it(SIGSEGV);
	RIG_EXPECT(from_agent, DONE, done);
	ck_assert_uint_eq(rig_frame_size(0), size);
	down_only();
	/* What cannot be read: its items run again. */
	memset(rig.arena + 512, 0xc1, size);
	kill_it(SIGSEGV);
	down_only();
}
END_TEST

/* ---- Hostile memory ------------------------------------------------------------------------ */

START_TEST(test_not_a_page)
{
	add_record(1, 0, 10, 0, 10);
	rig.page->magic = 0;
	rig.page->item = 5;
	kill_it(SIGSEGV);
	ck_assert_int_eq(down_only().item, DOWN_ITEM_UNKNOWN);
	rig.slot.page = NULL;
	kill_it(SIGSEGV);
	ck_assert_int_eq(down_only().item, DOWN_ITEM_UNKNOWN);
}
END_TEST

START_TEST(test_counters_that_cannot_be)
{
	static const uint64_t pairs[][2] = { { UINT64_MAX, UINT64_MAX },
					     { UINT64_MAX - 1, UINT64_MAX },
					     { 0, UINT64_MAX },
					     { UINT64_MAX, 5 },
					     { 100, 5 },
					     { 0, PAGE_RECORDS + 1 } };

	rig.page->acked = pairs[_i][0];
	rig.page->written = pairs[_i][1];
	kill_it(SIGSEGV);
	ck_assert_int_eq(down_only().item, DOWN_ITEM_UNKNOWN);
}
END_TEST

/* Sizes that the arena's file has, but not its memory. */
START_TEST(test_sizes_that_cannot_be)
{
	static const uint64_t sizes[][2] = { { 0, ARENA_SIZE + 1 },	 { ARENA_SIZE, 1 },
					     { UINT64_MAX, UINT64_MAX }, { UINT64_MAX, 2 },
					     { 0, ARENA_SIZE },		 { 0, ARENA_SIZE / 2 } };

	add_record(1, 0, 1, sizes[_i][0], sizes[_i][1]);
	begin_piece(0, INT64_MAX, UINT64_MAX);
	kill_it(SIGSEGV);
	down_only();
}
END_TEST

/* Many records that all claim what there is once. */
START_TEST(test_sum_of_sizes)
{
	memset(rig.arena, 1, 4 << 20);
	for (uint64_t n = 1; n <= 60; n++)
		add_record(n, 0, 1, 0, 4 << 20);
	kill_it(SIGSEGV);
	for (int n = 0; rig_next(rig.from_agent) == MSG_DONE; n++)
		ck_assert_int_lt(n, 3);
}
END_TEST

/* A record of another round of the ring. */
START_TEST(test_stale_record)
{
	add_record(1, 0, 10, 0, 80);
	add_record(2, 10, 10, 80, 80);
	rig.page->records[1].record = 1 + PAGE_RECORDS;
	kill_it(SIGSEGV);
	ck_assert_uint_eq(RIG_EXPECT(from_agent, DONE, done).record, 2);
	down_only();
}
END_TEST

START_TEST(test_items_that_cannot_be)
{
	add_record(1, -1, 5, 0, 1);
	add_record(2, 0, INT64_MIN, 0, 1);
	add_record(3, 0, INT64_MAX, 0, 1);
	begin_piece(INT64_MAX, 0, 8);
	rig.page->piece.done = INT64_MAX;
	rig.page->item = INT64_MAX;
	kill_it(SIGSEGV);
	ck_assert_uint_eq(rig_next(rig.from_agent), MSG_DOWN);
}
END_TEST

/* Any bytes at all. */
START_TEST(test_random_page)
{
	uint64_t dice = (uint64_t)_i * 977;
	unsigned char *bytes = (unsigned char *)rig.page;

	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof *rig.page; i++) {
			dice = dice * 6364136223846793005u + 1442695040888963407u;
			bytes[i] = dice >> 40 & 3 ? 0 : (unsigned char)(dice >> 33);
			if (_i % 2)
				bytes[i] = (unsigned char)(dice >> 33);
		}
		rig.page->magic = PAGE_MAGIC;
		rig.page->acked = dice >> 7;
		rig.page->written = rig.page->acked + (dice >> 20) % 70;
		rig.slot.killed = dice >> 21 & 1;
		rig.slot.cause = (enum down_cause)((dice >> 22) % 6);
		kill_it((int)(dice >> 50 & 0x7f));
		while (rig_next(rig.from_agent) == MSG_DONE)
			;
		ck_assert_uint_eq(rig.m.type, MSG_DOWN);
	}
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("rescue");

	tcase_add_checked_fixture(tests, begin, rig_close);
	tcase_add_test(tests, test_records);
	tcase_add_test(tests, test_piece_in_progress);
	tcase_add_test(tests, test_between_two_items);
	tcase_add_test(tests, test_exit);
	tcase_add_test(tests, test_time_limit);
	tcase_add_test(tests, test_failures);
	tcase_add_test(tests, test_not_a_page);
	tcase_add_loop_test(tests, test_counters_that_cannot_be, 0, 6);
	tcase_add_loop_test(tests, test_sizes_that_cannot_be, 0, 6);
	tcase_add_test(tests, test_sum_of_sizes);
	tcase_add_test(tests, test_stale_record);
	tcase_add_test(tests, test_items_that_cannot_be);
	tcase_add_loop_test(tests, test_random_page, 0, 4);
	return unit_run(tests);
}
