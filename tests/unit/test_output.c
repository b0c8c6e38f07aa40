/* test_output.c: what an engine knows of what its items print. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/runner.h"
#include "tests/unit/rig.h"
#include "tests/unit/unit.h"

static struct engine *e;
static char *big;

static void begin(void)
{
	rig_open();
	e = rig.engine;
	big = malloc(4 * OUTPUT_MAX);
	for (size_t i = 0; i < 4 * OUTPUT_MAX; i++)
		big[i] = (char)('a' + i % 23);
	ck_assert_int_eq(piece_begin(e, 5, 100, 0, 10, 80), 0);
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

/* The runs of the piece, which is sent. */
static int runs(struct failure_run *list, int max)
{
	struct reader r;
	int n = 0;

	piece_send(e, true);
	RIG_EXPECT(from_engine, DONE, done);
	reader_init(&r, rig_frame(0), rig_frame_size(0));
	while (n < max && failure_run_next(&r, &list[n]) == 1)
		n++;
	ck_assert(reader_is_done(&r));
	return n;
}

START_TEST(test_nothing)
{
	struct failure_run run;

	ck_assert(!output_is_new(e));
	ck_assert(!output_has_moved(e));
	output_take(e, 100, 1);
	ck_assert_int_eq(runs(&run, 1), 0);
}
END_TEST

START_TEST(test_items)
{
	struct failure_run list[4];

	print("one\n", 4);
	ck_assert(output_is_new(e));
	output_take(e, 100, 2);
	ck_assert(!output_is_new(e));
	ck_assert_uint_eq(rig.page->output, 4);
	ck_assert_uint_eq(rig.page->piece.printed, 1);
	piece_fail(e, 100, 1, 7, 1, "no");
	print("outside\n", 8);
	output_skip(e);
	print("two", 3);
	output_take(e, 101, 1);
	piece_fail(e, 101, 1, 7, 1, "no"); /* does not grow over the output */
	ck_assert_int_eq(runs(list, 4), 4);
	ck_assert_int_eq(list[0].first, 100);
	ck_assert_uint_eq(list[0].state, OUTPUT_WHOLE);
	ck_assert_uint_eq(list[0].attempts, 2);
	ck_assert_int_eq(list[0].code, 0);
	ck_assert_uint_eq(list[0].text.size, 4);
	ck_assert_mem_eq(list[0].text.data, "one\n", 4);
	ck_assert_uint_eq(list[1].state, XC_FAILED);
	ck_assert_mem_eq(list[2].text.data, "two", 3);
	ck_assert_int_eq(list[3].first, 101);
	ck_assert_int_eq(list[3].count, 1);
}
END_TEST

/* What begins with zero bytes is not seen by a load. */
START_TEST(test_zero_bytes)
{
	struct failure_run run;

	print("\0\0\0\0\0\0\0\0\0x", 10);
	ck_assert(!output_is_new(e));
	ck_assert(output_has_moved(e));
	output_take(e, 100, 1);
	ck_assert_int_eq(runs(&run, 1), 1);
	ck_assert_uint_eq(run.text.size, 10);
	print("\0x", 2);
	ck_assert(output_is_new(e));
}
END_TEST

/* A task that rewinds stdout loses what it prints, but not what others do. */
START_TEST(test_rewound)
{
	print("one", 3);
	output_take(e, 100, 1);
	lseek(rig.output, 0, SEEK_SET);
	ck_assert(!output_has_moved(e));
	print("two", 3);
	output_take(e, 101, 1);
	ck_assert_uint_eq(rig.page->output, 6);
	ck_assert_uint_eq(rig.page->piece.printed, 2);
	piece_send(e, true);
}
END_TEST

/* The same for one that moves to its end, or beyond: nothing can be written there. */
START_TEST(test_moved_to_its_end)
{
	static const off_t places[] = { 0, 1 << 20 };

	print("one", 3);
	output_take(e, 100, 1);
	ck_assert_int_eq(lseek(rig.output, places[_i], SEEK_END), (off_t)OUTPUT_SIZE + places[_i]);
	ck_assert_int_lt(write(rig.output, "lost", 4), 4);
	ck_assert(!output_has_moved(e));
	print("two", 3);
	ck_assert(output_is_new(e));
	output_take(e, 101, 1);
	ck_assert_uint_eq(rig.page->output, 6);
	ck_assert_uint_eq(rig.page->piece.printed, 2);
	piece_send(e, true);
}
END_TEST

/* Over the end of the window, also with the first byte at its last place. */
START_TEST(test_window)
{
	for (int i = 0; i < 4; i++) {
		print(big, OUTPUT_MAX - (i == 0));
		ck_assert(output_is_new(e));
		output_skip(e);
		ck_assert(!output_is_new(e));
		print("x", 1);
		ck_assert(output_is_new(e));
		output_skip(e);
		ck_assert(!output_is_new(e));
	}
}
END_TEST

START_TEST(test_long)
{
	size_t size = OUTPUT_MAX + (size_t)_i;
	struct failure_run run;

	print(big, size);
	output_take(e, 100, 1);
	ck_assert(!piece_can_fail(e));
	ck_assert_int_eq(runs(&run, 1), 1);
	ck_assert_uint_eq(run.text.size, OUTPUT_MAX);
	ck_assert_int_eq(run.code, _i);
	ck_assert_mem_eq(run.text.data, big, OUTPUT_HALF);
	ck_assert_mem_eq((const char *)run.text.data + OUTPUT_HALF, big + size - OUTPUT_HALF,
			 OUTPUT_HALF);
}
END_TEST

/* An item that prints ends its piece where items are long. */
START_TEST(test_piece_ends)
{
	e->now.want = 1;
	ck_assert(!piece_is_full(e));
	print("x", 1);
	output_take(e, 100, 1);
	ck_assert(piece_is_full(e));
	e->now.want = 2;
	ck_assert(!piece_is_full(e));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("output");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_nothing);
	tcase_add_test(tests, test_items);
	tcase_add_test(tests, test_zero_bytes);
	tcase_add_test(tests, test_rewound);
	tcase_add_loop_test(tests, test_moved_to_its_end, 0, 2);
	tcase_add_test(tests, test_window);
	tcase_add_loop_test(tests, test_long, 0, 3);
	tcase_add_test(tests, test_piece_ends);
	return unit_run(tests);
}
