/* test_printing.c: output of items in the client: kept, and shown on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/guest.h"
#include "tests/unit/unit.h"

#define ITEMS 10

static struct xc_result *result;
static char *list, *big;
static size_t list_size;
static int shown, saved; /* what goes to stderr; where it went */
static off_t read_up_to;

static void begin(void)
{
	guest_open();
	list = malloc(4 * OUTPUT_MAX);
	list_size = 0;
	big = malloc(4 * OUTPUT_MAX);
	for (size_t i = 0; i < 4 * OUTPUT_MAX; i++)
		big[i] = i % 100 == 99 ? '\n' : (char)('a' + i % 23);
	result = xci_result_new(guest, ITEMS, NULL, 0);
	result->output = true;
	guest_job(result, NULL, 0);
	shown = memfd_create("shown", 0);
	read_up_to = 0;
	saved = dup(STDERR_FILENO);
	dup2(shown, STDERR_FILENO);
}

static void end(void)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(shown);
	xc_result_destroy(result);
	guest_close();
	free(list);
	free(big);
}

static void add(int64_t item, uint64_t state, int64_t code, const char *text, size_t size)
{
	struct failure_run run = {
		.first = item, .count = 1, .state = state, .code = code, .text = { text, size }
	};

	list_size += failure_run_pack(list + list_size, 4 * OUTPUT_MAX - list_size, &run);
}

static int take(int64_t first, int64_t count, int engine, bool final)
{
	struct msg_result head = {
		.first = first, .count = count, .engine = engine, .final = final
	};
	int r = guest_result(head, (struct span){ list, list_size }, (struct span){ 0 });

	list_size = 0;
	return r;
}

static int live(int64_t item, int64_t offset, const char *text)
{
	add(item, OUTPUT_LIVE, offset, text, strlen(text));
	return take(0, 0, 2, false);
}

static int whole(int64_t item, const char *text)
{
	add(item, OUTPUT_WHOLE, 0, text, strlen(text));
	return take(item, 1, 2, false);
}

static void expect(int64_t item, const char *expected)
{
	size_t size = 0;
	const char *text = xc_output(result, item, &size);

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, expected);
	ck_assert_uint_eq(size, strlen(expected));
}

/* What has come to stderr since. */
static const char *news(void)
{
	static char text[8 << 20];
	ssize_t n = pread(shown, text, sizeof text - 1, read_up_to);

	ck_assert_int_ge(n, 0);
	read_up_to += n;
	text[n] = '\0';
	return text;
}

START_TEST(test_kept)
{
	ck_assert_ptr_null(result->outputs);
	ck_assert_int_eq(take(0, 1, 2, false), 0);
	ck_assert_ptr_null(result->outputs); /* nothing is allocated */
	ck_assert_int_eq(xc_output_next(result, -1), -1);
	ck_assert_int_eq(whole(5, "five\n"), 0);
	ck_assert_int_eq(whole(1, "one\n"), 0);
	ck_assert_int_eq(whole(9, ""), 0);
	expect(5, "five\n");
	expect(1, "one\n");
	ck_assert_ptr_null(xc_output(result, 2, NULL));
	ck_assert_int_eq(xc_output_next(result, -1), 1);
	ck_assert_int_eq(xc_output_next(result, 1), 5);
	ck_assert_int_eq(xc_output_next(result, INT64_MAX), -1);
	ck_assert_int_eq(result->done, 4);
	/* An item that runs again. */
	add(3, OUTPUT_WHOLE, 0, "first ", 6);
	add(3, FAILURE_RETRY, 0, "", 0);
	ck_assert_int_eq(take(3, 1, 2, false), 0);
	ck_assert_int_eq(whole(3, "second"), 0);
	expect(3, "first second");
}
END_TEST

START_TEST(test_while_it_runs)
{
	ck_assert_int_eq(live(4, 0, "one\ntw"), 0);
	expect(4, "one\ntw");
	ck_assert_str_eq(news(), "[engine 2, item 4] one\n");
	ck_assert_int_eq(live(4, 6, "o\n\xe2\x82"), 0);
	expect(4, "one\ntwo\n"); /* without a part of a character */
	ck_assert_str_eq(news(), "[engine 2, item 4] two\n");
	ck_assert_int_eq(whole(4, "one\ntwo\n\xe2\x82\xac and no end"), 0);
	expect(4, "one\ntwo\n\xe2\x82\xac and no end");
	ck_assert_str_eq(news(), "[engine 2, item 4] \xe2\x82\xac and no end\n");
	ck_assert_int_eq(result->done, 1);
}
END_TEST

/* A part that did not come; and the whole, which has it. */
START_TEST(test_gap)
{
	ck_assert_int_eq(live(4, 0, "one\ntw"), 0);
	ck_assert_int_eq(live(4, 106, "x\nlast\nand"), 0);
	expect(4, "one\ntw\n[... 100 bytes cut ...]\nx\nlast\nand");
	ck_assert_str_eq(news(), "[engine 2, item 4] one\n[engine 2, item 4] tw\n"
				 "[engine 2, item 4] [... 100 bytes cut ...]\n"
				 "[engine 2, item 4] x\n[engine 2, item 4] last\n");
	ck_assert_int_eq(live(4, 126, "far"), 0);
	expect(4, "one\ntw\n[... 120 bytes cut ...]\nfar");
}
END_TEST

/* An engine that went away could not tell the end of it. */
START_TEST(test_without_an_end)
{
	ck_assert_int_eq(live(4, 0, "first\nhalf"), 0);
	ck_assert_int_eq(live(4, 0, "again\n"), 0);
	expect(4, "first\nhalfagain\n");
	ck_assert_str_eq(news(), "[engine 2, item 4] first\n[engine 2, item 4] half\n"
				 "[engine 2, item 4] again\n");
	result->output_first = 1000; /* a part of a stream */
	ck_assert_int_eq(live(6, 0, "last words"), 0);
	ck_assert_int_eq(take(0, ITEMS, 2, true), 0);
	ck_assert(result->is_ready);
	expect(6, "last words");
	ck_assert_str_eq(news(), "[engine 2, item 1006] last words\n");
}
END_TEST

/* With 5000 bytes missing behind so many. */
static const char *composed(size_t half)
{
	static char text[4096];

	snprintf(text, sizeof text, "%.*s\n[... 5000 bytes cut ...]\n%.*s", (int)half, big,
		 (int)half, big + half);
	return text;
}

/* Cut in the middle: on the terminal, from wherever live parts had come. */
START_TEST(test_cut)
{
	size_t half = 1050; /* within a line */
	const char *text;

	if (_i == 1) {
		add(0, OUTPUT_LIVE, 0, big, 1000);
		take(0, 0, 2, false);
	} else if (_i == 2) {
		add(0, OUTPUT_LIVE, 0, big, 3000);
		take(0, 0, 2, false);
	}
	news();
	add(0, OUTPUT_WHOLE, 5000, big, 2 * half);
	ck_assert_int_eq(take(0, 1, 2, false), 0);
	expect(0, composed(half));
	text = news();
	if (_i == 2)
		ck_assert(strstr(text, "[engine 2, item 0] [... 3050 bytes cut ...]\n") == text);
	else
		ck_assert_ptr_nonnull(strstr(text, "\n[engine 2, item 0] [... 5000 bytes cut"));
	ck_assert_ptr_nonnull(strstr(text, "bytes cut ...]\n[engine 2, item 0] "));
}
END_TEST

START_TEST(test_cut_within_characters)
{
	static const char text[] = "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac";

	/* 12 bytes; the cut is behind 4, 5, 6 of them */
	add(0, OUTPUT_WHOLE, 100, text + (_i == 1) + 2 * (_i == 2), _i == 0 ? 8 : _i == 1 ? 10 : 8);
	ck_assert_int_eq(take(0, 1, 2, false), 0);
	switch (_i) {
	case 0: /* 4 + 4: one whole; two bytes go, and one */
		expect(0, "\xe2\x82\xac\n[... 103 bytes cut ...]\n\xe2\x82");
		break;
	case 1:
		expect(0, "\x82\xac\xe2\x82\xac\n[... 100 bytes cut ...]\n"
			  "\xe2\x82\xac\xe2\x82");
		break;
	default:
		expect(0, "\xac\xe2\x82\xac\n[... 100 bytes cut ...]\n\xe2\x82\xac\xe2");
	}
}
END_TEST

START_TEST(test_limits)
{
	size_t size, sum = 0;

	/* live: as much as an engine keeps */
	for (int i = 0; i < 40; i++) {
		add(0, OUTPUT_LIVE, i * 100000, big, 100000);
		ck_assert_int_eq(take(0, 0, 2, false), 0);
		ck_assert_uint_lt(result->outputs->list[0]->live.size, 3 * OUTPUT_MAX / 2);
	}
	xc_output(result, 0, &size);
	ck_assert_uint_lt(size, 3 * OUTPUT_MAX / 2);
	/* of a job */
	for (int i = 0; i < 40; i++) {
		add(i % ITEMS, OUTPUT_WHOLE, 0, big, OUTPUT_MAX);
		add(i % ITEMS, FAILURE_RETRY, 0, "", 0);
		ck_assert_int_eq(take(i % ITEMS, 1, 2, false), 0);
	}
	for (int64_t i = 0; i < ITEMS; i++)
		if (xc_output(result, i, &size))
			sum += size;
	ck_assert_uint_le(sum, OUTPUT_JOB_MAX + 40 * 40);
}
END_TEST

START_TEST(test_that_cannot_be)
{
	switch (_i) {
	case 0:
		add(ITEMS, OUTPUT_WHOLE, 0, "x", 1);
		break;
	case 1:
		add(INT64_MAX - 1, OUTPUT_LIVE, 0, "x", 1);
		break;
	default:
		add(1, OUTPUT_WHOLE, -1, "x", 1);
	}
	ck_assert_int_eq(take(0, 1, 2, false), XC_EPROTO);
	ck_assert_ptr_null(result->outputs);
}
END_TEST

START_TEST(test_members)
{
	struct xc_result *members[3];

	for (int i = 0; i < 3; i++) {
		members[i] = xci_result_new(guest, 1, NULL, 0);
		members[i]->is_single = true;
		guest->singles++;
	}
	guest_job(NULL, members, 3);
	add(0, OUTPUT_WHOLE, 0, "zero", 4);
	add(2, OUTPUT_LIVE, 0, "two", 3);
	ck_assert_int_eq(take(0, 2, 2, false), 0);
	ck_assert(members[0]->is_ready && members[1]->is_ready && !members[2]->is_ready);
	ck_assert_str_eq(xc_output(members[0], 0, NULL), "zero");
	ck_assert_ptr_null(xc_output(members[1], 0, NULL));
	ck_assert_str_eq(xc_output(members[2], 0, NULL), "two");
	add(3, OUTPUT_WHOLE, 0, "three", 5);
	ck_assert_int_eq(take(2, 1, 2, false), XC_EPROTO);
	ck_assert_str_eq(news(), "");
	for (int i = 0; i < 3; i++)
		xc_result_destroy(members[i]);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("printing");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_kept);
	tcase_add_test(tests, test_while_it_runs);
	tcase_add_test(tests, test_gap);
	tcase_add_test(tests, test_without_an_end);
	tcase_add_loop_test(tests, test_cut, 0, 3);
	tcase_add_loop_test(tests, test_cut_within_characters, 0, 3);
	tcase_add_test(tests, test_limits);
	tcase_add_loop_test(tests, test_that_cannot_be, 0, 3);
	tcase_add_test(tests, test_members);
	return unit_run(tests);
}
