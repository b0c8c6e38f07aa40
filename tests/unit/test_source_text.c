/* test_source_text.c: source text as an object: what is written is read, and nothing
 * else is. */
#include <stdio.h>
#include <string.h>

#include "proto/source.h"
#include "tests/unit/unit.h"

static char bytes[SOURCE_HEADER_MAX + 1024];
static struct source s;

static struct source plain(void)
{
	return (struct source){ .name = span_of("tasks.c"),
				.compiler = span_of("gcc -pipe"),
				.flags = span_of("-O2\t-DX='a b'"),
				.directory = span_of("/a folder"),
				.limit_ms = 1500 };
}

static void expect(struct span is, const char *text)
{
	ck_assert_uint_eq(is.size, strlen(text));
	ck_assert_mem_eq(is.data, text, is.size);
}

START_TEST(test_round_trip)
{
	struct source written = plain();
	size_t size = source_header(bytes, sizeof bytes, &written);

	ck_assert_uint_gt(size, 0);
	ck_assert_uint_lt(size, SOURCE_HEADER_MAX);
	strcpy(bytes + size, "\nint x;\n");
	ck_assert_int_eq(source_parse(&s, bytes, size + 8), 1);
	expect(s.name, "tasks.c");
	expect(s.compiler, "gcc -pipe");
	expect(s.flags, "-O2\t-DX='a b'");
	expect(s.directory, "/a folder");
	expect(s.text, "\nint x;\n");
	ck_assert_uint_eq(s.limit_ms, 1500);
	/* No part of the header is one. */
	for (size_t cut = strlen(SOURCE_MAGIC); cut < size; cut++)
		ck_assert_int_eq(source_parse(&s, bytes, cut), XC_EPROTO);
	ck_assert_int_eq(source_parse(&s, bytes, size), 1);
	ck_assert_uint_eq(s.text.size, 0);
}
END_TEST

START_TEST(test_what_no_line_can_hold)
{
	static char longer[SOURCE_LINE_MAX + 2];
	struct source written = plain();

	written.flags = span_of("-DA\n-DB");
	ck_assert_uint_eq(source_header(bytes, sizeof bytes, &written), 0);
	memset(longer, 'x', SOURCE_LINE_MAX + 1);
	written.flags = span_of(longer);
	ck_assert_uint_eq(source_header(bytes, sizeof bytes, &written), 0);
	longer[SOURCE_LINE_MAX] = '\0';
	written.flags = span_of(longer);
	ck_assert_uint_gt(source_header(bytes, sizeof bytes, &written), 0);
	ck_assert_uint_eq(source_header(bytes, 100, &written), 0);
}
END_TEST

START_TEST(test_other_objects)
{
	ck_assert_int_eq(source_parse(&s, "", 0), 0);
	ck_assert_int_eq(source_parse(&s, "\177ELF", 4), 0);
	ck_assert_int_eq(source_parse(&s, "#!xcluster-source 2\n", 20), 0);
}
END_TEST

/* They become names of files. */
START_TEST(test_bad_names)
{
	static const char *const names[] = { "", "a", "a.txt", "../a.c", "/a.c", "-a.c", ".c" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int n = snprintf(bytes, sizeof bytes,
				 SOURCE_MAGIC "name %s\ncompiler \nflags \ndirectory \nlimit 1\n\n",
				 names[i]);

		ck_assert_msg(source_parse(&s, bytes, (size_t)n) == XC_EPROTO, "%s", names[i]);
	}
}
END_TEST

START_TEST(test_languages)
{
	ck_assert_int_eq(source_language(span_of("a.c")), SOURCE_C);
	ck_assert_int_eq(source_language(span_of("a.b.cpp")), SOURCE_CXX);
	ck_assert_int_eq(source_language(span_of("a.C")), SOURCE_CXX);
	ck_assert_int_eq(source_language(span_of("a.f90")), SOURCE_FORTRAN);
	ck_assert_int_eq(source_language(span_of("a.")), SOURCE_UNKNOWN);
	ck_assert_int_eq(source_language(span_of("c")), SOURCE_UNKNOWN);
	ck_assert_int_eq(source_language(span_of("a.so")), SOURCE_UNKNOWN);
	ck_assert_int_eq(source_language(span_of(NULL)), SOURCE_UNKNOWN);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("source_text");

	tcase_add_test(tests, test_round_trip);
	tcase_add_test(tests, test_what_no_line_can_hold);
	tcase_add_test(tests, test_other_objects);
	tcase_add_test(tests, test_bad_names);
	tcase_add_test(tests, test_languages);
	return unit_run(tests);
}
