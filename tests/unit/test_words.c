/* test_words.c: command lines come apart as a shell would have it. */
#include <errno.h>

#include "libcluster/words.h"
#include "tests/unit/unit.h"

static void expect(const char *text, size_t count, const char *const *expected)
{
	struct words words = { 0 };

	ck_assert_int_eq(words_split(&words, span_of(text)), 0);
	ck_assert_msg(words.count == count, "%s: %zu words", text, words.count);
	for (size_t i = 0; i < count; i++)
		ck_assert_str_eq(words.list[i], expected[i]);
	if (count)
		ck_assert_ptr_null(words.list[count]);
	words_free(&words);
}

#define EXPECT(text, ...)                                                                          \
	expect(text, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *),                     \
	       (const char *[]){ __VA_ARGS__ })

START_TEST(test_splitting)
{
	expect("", 0, NULL);
	expect(" \t ", 0, NULL);
	EXPECT("gcc", "gcc");
	EXPECT(" ccache  gcc\t-pipe ", "ccache", "gcc", "-pipe");
	EXPECT("'a b' \"c 'd'\" e\\ f", "a b", "c 'd'", "e f");
	EXPECT("-DX='\"a\"' -DY=\"\\\"\"", "-DX=\"a\"", "-DY=\"");
	EXPECT("'' x", "", "x");
	EXPECT("'a\\b' a\\", "a\\b", "a\\");
}
END_TEST

START_TEST(test_open_quotes)
{
	struct words words = { 0 };

	ck_assert_int_eq(words_split(&words, span_of("a 'b c")), -EINVAL);
	ck_assert_int_eq(words_split(&words, span_of("\"")), -EINVAL);
	words_free(&words);
}
END_TEST

START_TEST(test_adding)
{
	struct words words = { 0 };

	ck_assert_int_eq(words_add(&words, "a b"), 0);
	ck_assert_int_eq(words_split(&words, span_of("c d")), 0);
	ck_assert_uint_eq(words.count, 3);
	ck_assert_str_eq(words.list[0], "a b");
	words_free(&words);
	ck_assert_ptr_null(words.list);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("words");

	tcase_add_test(tests, test_splitting);
	tcase_add_test(tests, test_open_quotes);
	tcase_add_test(tests, test_adding);
	return unit_run(tests);
}
