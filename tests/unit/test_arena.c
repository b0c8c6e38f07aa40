/* test_arena.c: pieces of results in shared memory: what is sent, and what of it
 * may be written over when. */
#include <string.h>
#include <sys/stat.h>

#include "engine/runner.h"
#include "tests/unit/rig.h"
#include "tests/unit/unit.h"

#define MIB (UINT64_C(1) << 20)

static struct engine *e;

static void begin(void)
{
	rig_open();
	e = rig.engine;
}

/* A piece of `items` numbers, all done. */
static void make_piece(uint64_t slice, int64_t first, int64_t items)
{
	e->now.task.out_size = 8;
	ck_assert_int_eq(piece_begin(e, slice, 1000, first, items, (uint64_t)items * 8), 0);
	for (int64_t i = 0; i < items; i++) {
		memcpy(e->arena + rig.page->piece.payload + 8 * i, (int64_t[]){ first + i }, 8);
		piece_commit(e);
	}
}

static void acknowledge(uint64_t record)
{
	SEND_SIMPLE(rig.from_engine, NULL, ack, .seq = record);
	ck_assert_int_eq(engine_receive(e), 0);
}

START_TEST(test_piece)
{
	struct msg_done done;

	make_piece(5, 3, 4);
	ck_assert_int_eq(rig.page->piece.done, 4);
	ck_assert(piece_is_full(e));
	piece_send(e, true);
	done = RIG_EXPECT(from_engine, DONE, done);
	ck_assert_uint_eq(done.epoch, 3);
	ck_assert_uint_eq(done.record, 1);
	ck_assert_uint_eq(done.slice, 5);
	ck_assert_int_eq(done.first, 3);
	ck_assert_int_eq(done.count, 4);
	ck_assert_uint_eq(done.last, 1);
	ck_assert_uint_eq(rig_frame_size(0), 0);
	ck_assert_uint_eq(rig_frame_size(1), 32);
	ck_assert_mem_eq(rig_frame(1), ((int64_t[]){ 3, 4, 5, 6 }), 32);
	ck_assert_uint_eq(rig.page->written, 1);
	ck_assert_uint_eq(rig.page->piece.slice, 0);
}
END_TEST

/* ---- Failures --------------------------------------------------------------------------- */

static int64_t failures(struct failure_run *runs, int max)
{
	struct reader r;
	int n = 0;

	piece_send(e, true);
	RIG_EXPECT(from_engine, DONE, done);
	reader_init(&r, rig_frame(0), rig_frame_size(0));
	while (n < max && failure_run_next(&r, &runs[n]) == 1)
		n++;
	ck_assert(reader_is_done(&r));
	return n;
}

START_TEST(test_runs_merge)
{
	struct failure_run runs[8];

	make_piece(1, 0, 100);
	piece_fail(e, 3, 1, 7, 1, "no");
	piece_fail(e, 4, 1, 7, 1, "no");
	piece_fail(e, 5, 2, 7, 1, "no");
	piece_fail(e, 7, 1, 8, 1, "no");   /* another code */
	piece_fail(e, 8, 1, 8, 1, "not");  /* another text */
	piece_fail(e, 10, 1, 8, 1, "not"); /* not the next item */
	ck_assert_int_eq(failures(runs, 8), 4);
	ck_assert_int_eq(runs[0].first, 3);
	ck_assert_int_eq(runs[0].count, 4);
	ck_assert_int_eq(runs[0].code, 7);
	ck_assert_uint_eq(runs[0].state, XC_FAILED);
	ck_assert_mem_eq(runs[0].text.data, "no", 2);
	ck_assert_int_eq(runs[1].first, 7);
	ck_assert_int_eq(runs[2].first, 8);
	ck_assert_int_eq(runs[3].first, 10);
}
END_TEST

/* A run that grows takes more bytes for its count. */
START_TEST(test_run_grows)
{
	struct failure_run runs[2];

	make_piece(1, 0, 1);
	for (int64_t i = 0; i < 100000; i++)
		piece_fail(e, i, 1, 7, 1, "no");
	ck_assert_int_eq(failures(runs, 2), 1);
	ck_assert_int_eq(runs[0].count, 100000);
}
END_TEST

START_TEST(test_text_is_cut)
{
	struct failure_run run;
	char text[FAILURE_TEXT_MAX + 100];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	make_piece(1, 0, 10);
	piece_fail(e, 0, 1, 7, 1, text);
	piece_fail(e, 1, 1, 7, 1, text);
	ck_assert_int_eq(failures(&run, 1), 1);
	ck_assert_int_eq(run.count, 2);
	ck_assert_uint_eq(run.text.size, FAILURE_TEXT_MAX);
}
END_TEST

START_TEST(test_next_piece_begins_afresh)
{
	struct failure_run run;

	make_piece(1, 0, 1);
	piece_fail(e, 0, 1, 7, 1, "no");
	ck_assert_int_eq(failures(&run, 1), 1);
	make_piece(1, 1, 1);
	piece_fail(e, 1, 1, 7, 1, "no");
	ck_assert_int_eq(failures(&run, 1), 1);
	ck_assert_int_eq(run.first, 1);
	ck_assert_int_eq(run.count, 1);
}
END_TEST

/* ---- Results of any length ---------------------------------------------------------------- */

static void give(size_t size, int byte)
{
	char *room = piece_reserve(e, size);

	ck_assert_ptr_nonnull(room);
	memset(room, byte, size);
	e->given = size;
	e->piece_gave = true;
	piece_commit(e);
}

START_TEST(test_lengths)
{
	ck_assert_int_eq(piece_begin(e, 1, 0, 0, 10, 1000), 0);
	give(100, 'a');
	give(0, 0);
	give(50, 'b');
	piece_send(e, true);
	ck_assert_int_eq(RIG_EXPECT(from_engine, DONE, done).count, 3);
	ck_assert_uint_eq(rig_frame_size(1), 150);
	ck_assert_int_eq(((const char *)rig_frame(1))[149], 'b');
}
END_TEST

/* No room: the piece goes, and another one begins, as large as the item needs. */
START_TEST(test_overflow_begins_another)
{
	ck_assert_int_eq(piece_begin(e, 1, 500, 0, 10, 1000), 0);
	give(900, 'a');
	give(5000, 'b');
	ck_assert_int_eq(RIG_EXPECT(from_engine, DONE, done).count, 1);
	ck_assert_uint_eq(rig_frame_size(1), 900);
	ck_assert_int_eq(rig.page->piece.first, 1);
	ck_assert_int_eq(rig.page->piece.base, 500);
	ck_assert_uint_eq(rig.page->piece.slice, 1);
	ck_assert_int_eq(e->piece_items, 9);
	piece_send(e, true);
	ck_assert_int_eq(RIG_EXPECT(from_engine, DONE, done).first, 1);
	ck_assert_uint_eq(rig_frame_size(1), 5000);
}
END_TEST

START_TEST(test_no_results_at_all)
{
	ck_assert_int_eq(piece_begin(e, 1, 0, 0, 10, 1000), 0);
	e->given = 8; /* what says that there is none */
	ck_assert_ptr_nonnull(piece_reserve(e, 8));
	piece_commit(e);
	piece_send(e, true);
	RIG_EXPECT(from_engine, DONE, done);
	ck_assert_uint_eq(rig_frame_size(1), 0);
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------------- */

/* No piece that is not acknowledged may be written over. */
static void check_disjoint(void)
{
	struct page *page = rig.page;
	uint64_t begin_now = page->piece.payload;
	uint64_t end_now = page->piece.failures + FAILURES_ROOM;

	for (uint64_t i = page->acked + 1; i <= page->written; i++) {
		const struct record *r = &page->records[i % PAGE_RECORDS];

		ck_assert_uint_eq(r->record, i);
		ck_assert_msg(r->payload + r->payload_size <= begin_now || r->payload >= end_now,
			      "record %llu", (unsigned long long)i);
		ck_assert(!r->failures_size || r->failures + r->failures_size <= begin_now ||
			  r->failures >= end_now);
	}
}

START_TEST(test_kept_until_acknowledged)
{
	uint64_t dice = (uint64_t)_i;

	for (uint64_t n = 1; n <= 400; n++) {
		uint64_t items;

		dice = dice * 6364136223846793005u + 1442695040888963407u;
		items = 1 + (dice >> 33) % (MIB / 8);
		make_piece(1, 0, (int64_t)(items > 4096 ? 4096 : items));
		e->now.task.out_size = 0;
		ck_assert_ptr_nonnull(piece_reserve(e, items * 8));
		rig.page->piece.payload_used = items * 8;
		e->piece_gave = true;
		rig.page->piece.out_size = 0;
		if (dice >> 60 == 1)
			piece_fail(e, 0, 1, 1, 1, "failed");
		check_disjoint();
		piece_send(e, false);
		while (rig_next(rig.from_engine))
			;
		/* up to about fifty are on their way */
		if (rig.page->written - rig.page->acked > 40 + (dice >> 40) % 10)
			acknowledge(rig.page->acked + 1 + (dice >> 50) % 40);
	}
	ck_assert_uint_le(e->arena_next, 128 * MIB);
}
END_TEST

/* With no more than a little on its way, the same pages serve again and again. */
START_TEST(test_stays_small)
{
	for (uint64_t n = 1; n <= 1000; n++) {
		make_piece(1, 0, 16);
		e->now.task.out_size = 0;
		piece_reserve(e, MIB / 2);
		rig.page->piece.payload_used = MIB / 2;
		piece_send(e, false);
		if (n > 3)
			acknowledge(rig.page->written - 3);
		while (rig_next(rig.from_engine))
			;
		ck_assert_uint_le(rig.page->piece.failures, 16 * MIB);
	}
}
END_TEST

/* After a large result the memory is given back. */
START_TEST(test_given_back)
{
	struct stat st;

	ck_assert_int_eq(piece_begin(e, 1, 0, 0, 1, 64 * MIB), 0);
	give(64 * MIB, 'x');
	piece_send(e, true);
	RIG_EXPECT(from_engine, DONE, done);
	fstat(e->arena_fd, &st);
	ck_assert_uint_ge((uint64_t)st.st_blocks * 512, 64 * MIB);
	acknowledge(1);
	ck_assert_int_eq(piece_begin(e, 2, 0, 0, 1, 100), 0);
	fstat(e->arena_fd, &st);
	ck_assert_uint_le((uint64_t)st.st_blocks * 512, 10 * MIB);
	ck_assert_int_eq(st.st_size, (off_t)ARENA_SIZE);
}
END_TEST

START_TEST(test_more_than_there_is)
{
	ck_assert_int_lt(piece_begin(e, 1, 0, 0, 1, ARENA_SIZE), 0);
	ck_assert_int_lt(piece_begin(e, 1, 0, 0, 1, ARENA_SIZE + 1), 0);
	ck_assert_int_eq(piece_begin(e, 1, 0, 0, 1, ARENA_SIZE / 2), 0);
}
END_TEST

/* The ring of records is full: the next piece waits for an acknowledgement. */
START_TEST(test_ring)
{
	for (int i = 0; i < PAGE_RECORDS - 8; i++) {
		make_piece(1, i, 1);
		piece_send(e, false);
	}
	SEND_SIMPLE(rig.from_engine, NULL, ack, .seq = 10);
	make_piece(1, 0, 1);
	ck_assert_uint_eq(rig.page->acked, 10);
	SEND_SIMPLE(rig.from_engine, NULL, ack, .seq = 4); /* an old one */
	ck_assert_int_eq(engine_receive(e), 0);
	ck_assert_uint_eq(rig.page->acked, 10);
}
END_TEST

/* A slice that comes meanwhile waits for its turn, what is no message passes by. */
START_TEST(test_slices_queue)
{
	zmq_msg_t frames[3];
	unsigned char header[HEADER_MAX];
	struct msg_slice slice = { .slice = 2, .ack = 0, .first = 0, .count = 1, .attempt = 1 };

	for (int i = 0; i < 3; i++)
		zmq_msg_init(&frames[i]);
	message_send(rig.from_engine, NULL, header, msg_slice_pack(header, sizeof header, &slice),
		     frames, 3);
	zmq_send(rig.from_engine, "garbage", 7, 0);
	SEND_SIMPLE(rig.from_engine, NULL, stop, .id = 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(engine_receive(e), 0);
	ck_assert_ptr_nonnull(e->pending);
	ck_assert_ptr_null(e->pending->next);
	ck_assert_uint_eq(e->pending->message.type, MSG_SLICE);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("arena");

	tcase_add_checked_fixture(tests, begin, rig_close);
	tcase_add_test(tests, test_piece);
	tcase_add_test(tests, test_runs_merge);
	tcase_add_test(tests, test_run_grows);
	tcase_add_test(tests, test_text_is_cut);
	tcase_add_test(tests, test_next_piece_begins_afresh);
	tcase_add_test(tests, test_lengths);
	tcase_add_test(tests, test_overflow_begins_another);
	tcase_add_test(tests, test_no_results_at_all);
	tcase_add_loop_test(tests, test_kept_until_acknowledged, 1, 4);
	tcase_add_test(tests, test_stays_small);
	tcase_add_test(tests, test_given_back);
	tcase_add_test(tests, test_more_than_there_is);
	tcase_add_test(tests, test_ring);
	tcase_add_test(tests, test_slices_queue);
	return unit_run(tests);
}
