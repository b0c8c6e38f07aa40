/* test_csv.c: the examples' CSV reader: values, and a sentence for each fault. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "examples/csv.h"

static char path[] = "/tmp/test_csv.XXXXXX";
static struct csv csv;
static char why[512];

static void make_file(void)
{
	int fd;

	memcpy(path + sizeof path - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	memset(&csv, 0, sizeof csv);
	why[0] = '\0';
}

static void remove_file(void)
{
	unlink(path);
	free(csv.values);
}

static int read_bytes(const char *bytes, size_t size)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
	fclose(file);
	return csv_read(&csv, path, why, sizeof why);
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

struct good {
	const char *text;
	int64_t rows, columns;
	double values[6];
};

static const struct good good[] = {
	{ "a,b\n1,2\n3,4\n", 2, 2, { 1, 2, 3, 4 } },
	{ "a,b\n1,2\n3,4", 2, 2, { 1, 2, 3, 4 } },
	{ "a,b\r\n1,2\r\n3,4\r\n", 2, 2, { 1, 2, 3, 4 } },
	{ "\n a , b \n\n 1 ,\t2 \n\n  \n3,4\n\n", 2, 2, { 1, 2, 3, 4 } },
	{ "\xef\xbb\xbf"
	  "a,b\n1,2\n",
	  1,
	  2,
	  { 1, 2 } },
	{ "\"a, of b\",\"b\"\n\"1\", \"2\" \n", 1, 2, { 1, 2 } },
	{ "a,b,c\n-1e-3,+.5,1e300\n0,-0,12345678901234567890\n",
	  2,
	  3,
	  { -1e-3, .5, 1e300, 0, 0, 12345678901234567890. } },
	{ ",0\n1,2\n", 1, 2, { 1, 2 } },
};

START_TEST(test_good)
{
	const struct good *c = &good[_i];

	ck_assert_msg(read_text(c->text) == 0, "%s", why);
	ck_assert_int_eq(csv.rows, c->rows);
	ck_assert_int_eq(csv.columns, c->columns);
	for (int64_t i = 0; i < c->rows * c->columns; i++)
		ck_assert_double_eq(csv.values[i], c->values[i]);
}
END_TEST

START_TEST(test_many_rows)
{
	FILE *file = fopen(path, "w");

	fputs("a,b\n", file);
	for (int i = 0; i < 5000; i++)
		fprintf(file, "%d,%d\n", i, -i);
	fclose(file);
	ck_assert_msg(csv_read(&csv, path, why, sizeof why) == 0, "%s", why);
	ck_assert_int_eq(csv.rows, 5000);
	for (int i = 0; i < 5000; i++) {
		ck_assert_double_eq(csv.values[2 * i], i);
		ck_assert_double_eq(csv.values[2 * i + 1], -i);
	}
}
END_TEST

struct bad {
	const char *text;
	const char *line; /* what the sentence must hold, */
	const char *said; /* and this */
};

static const struct bad bad[] = {
	{ "", "line 1:", "empty" },
	{ "\n\n", "line 1:", "empty" },
	{ "a,b\n", "line 1:", "no rows" },
	{ "a,b\n\n\n", "no rows", "column names" },
	{ "a\n1\n", "line 1:", "only one column" },
	{ "1,2\n3,4\n", "line 1:", "only numbers" },
	{ "a,b\n1,2\n3\n", "line 3:", "there are 1 columns, but the header has 2" },
	{ "a,b\n1,2\n3,4,5\n", "line 3:", "more than the header's 2 columns" },
	{ "a,b\n1,2,\n", "line 2:", "more than the header's 2 columns" },
	{ "a,b\n1,2\n\n3,x\n", "line 4:", "column 2 is 'x', which is not a number" },
	{ "a,b\n1,2x\n", "line 2:", "column 2 is '2x'" },
	{ "a,b\n1 2,3\n", "line 2:", "column 1 is '1 2'" },
	{ "a,b\n1,\n", "line 2:", "column 2 is empty" },
	{ "a,b\n\"\",1\n", "line 2:", "column 1 is empty" },
	{ "a,b\n1,inf\n", "line 2:", "column 2 is 'inf'; only finite" },
	{ "a,b\nNaN,1\n", "line 2:", "column 1 is 'NaN'; only finite" },
	{ "a,b\n1,1e999\n", "line 2:", "column 2 is '1e999'; only finite" },
	{ "a,b\n1,\"2\n", "line 2:", "column 2 has a quote" },
	{ "a,b\n\"1\"2,3\n", "line 2:", "column 1 has a quote" },
	{ "a,\"b\n1,2\n", "line 1:", "column 2 has a quote" },
};

START_TEST(test_bad)
{
	const struct bad *c = &bad[_i];

	ck_assert_int_eq(read_text(c->text), -EINVAL);
	ck_assert_msg(strstr(why, path) == why, "no file in: %s", why);
	ck_assert_msg(strstr(why, c->line) != NULL, "no %s in: %s", c->line, why);
	ck_assert_msg(strstr(why, c->said) != NULL, "no %s in: %s", c->said, why);
	ck_assert_ptr_null(strchr(why, '\n'));
	ck_assert_ptr_null(csv.values);
}
END_TEST

START_TEST(test_zero_byte)
{
	ck_assert_int_eq(read_bytes("a,b\n1,\0002\n", 9), -EINVAL);
	ck_assert_msg(strstr(why, "line 2: there is a zero byte") != NULL, "%s", why);
}
END_TEST

START_TEST(test_missing_file)
{
	ck_assert_int_eq(csv_read(&csv, "/nowhere/x.csv", why, sizeof why), -ENOENT);
	ck_assert_str_eq(why, "/nowhere/x.csv: cannot open it: No such file or directory");
	ck_assert_int_eq(csv_read(&csv, "/", why, sizeof why), -EISDIR);
	ck_assert_str_eq(why, "/: cannot read it: Is a directory");
}
END_TEST

START_TEST(test_short_buffer)
{
	char small[8] = "-------";

	read_text("a,b\n1,x\n");
	ck_assert_int_eq(csv_read(&csv, path, small, 4), -EINVAL);
	ck_assert_int_eq(small[3], '\0');
	ck_assert_int_eq(small[4], '-');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("csv");
	TCase *tcase = tcase_create("csv");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, make_file, remove_file);
	tcase_add_loop_test(tcase, test_good, 0, (int)(sizeof good / sizeof *good));
	tcase_add_test(tcase, test_many_rows);
	tcase_add_loop_test(tcase, test_bad, 0, (int)(sizeof bad / sizeof *bad));
	tcase_add_test(tcase, test_zero_byte);
	tcase_add_test(tcase, test_missing_file);
	tcase_add_test(tcase, test_short_buffer);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
