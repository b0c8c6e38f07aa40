/* test_error.c: error codes have texts, and texts are one line. */
#include <errno.h>
#include <string.h>

#include "proto/error.h"
#include "tests/unit/unit.h"

START_TEST(test_set)
{
	struct xc_error err = XC_ERROR_INIT;

	ck_assert_int_eq(error_set(&err, XC_ESTORE, "%s: %d of %d", "full", 7, 9), XC_ESTORE);
	ck_assert_int_eq(err.code, XC_ESTORE);
	ck_assert_str_eq(err.text, "full: 7 of 9");
	ck_assert_int_eq(error_set(NULL, -EIO, "nobody reads it"), -EIO);
}
END_TEST

START_TEST(test_one_line)
{
	struct xc_error err;

	error_set(&err, -EIO, "first\nsecond\n");
	ck_assert_str_eq(err.text, "first second ");
}
END_TEST

START_TEST(test_cut)
{
	struct xc_error err;
	char text[1000];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	error_set(&err, -EIO, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

/* As with a cut after any of its bytes. */
START_TEST(test_whole_characters)
{
	static const char whole[] = "a\u00e9\u20ac\U0001f332", *const latin1 = "\351t\351";
	static const size_t kept[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10 };
	struct xc_error err;
	char text[16];

	for (size_t n = 0; n < sizeof whole; n++) {
		memcpy(text, whole, n);
		text[n] = '\0';
		text_trim(text);
		ck_assert_uint_eq(strlen(text), kept[n]);
	}
	strcpy(text, latin1);
	text_trim(text);
	ck_assert_uint_ge(strlen(text), 2);
	strcpy(text, "\200\200\200\200");
	text_trim(text);
	ck_assert_uint_eq(strlen(text), 4);
	/* An error's text is cut so, and left alone if it is not cut. */
	error_set(&err, -EIO, "%506s\u20ac", "");
	ck_assert_uint_eq(strlen(err.text), 506);
	error_set(&err, -EIO, "%s", latin1);
	ck_assert_str_eq(err.text, latin1);
}
END_TEST

START_TEST(test_texts)
{
#define CHECK(name, code, text)                                                                    \
	ck_assert_int_eq(name, code);                                                              \
	ck_assert_str_eq(error_text(name), text);
	XC_ERRORS(CHECK)
#undef CHECK
	ck_assert_str_eq(error_text(0), "success");
	ck_assert_str_eq(error_text(-ENOENT), strerror(ENOENT));
	ck_assert_str_eq(error_text(ENOENT), strerror(ENOENT));
	ck_assert_ptr_nonnull(error_text(-123456));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("error");

	tcase_add_test(tests, test_set);
	tcase_add_test(tests, test_one_line);
	tcase_add_test(tests, test_cut);
	tcase_add_test(tests, test_whole_characters);
	tcase_add_test(tests, test_texts);
	return unit_run(tests);
}
