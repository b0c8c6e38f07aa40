/* test_library.c: of which of its libraries and sources a client takes a function. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utlist.h>

#include "proto/source.h"
#include "tests/unit/guest.h"
#include "tests/unit/unit.h"

static struct xc_error err;

static struct xci_shipped *add(const char *name, const char *text)
{
	static char header[SOURCE_HEADER_MAX];
	struct source source = { .name = span_of(name), .limit_ms = 1 };
	struct xci_shipped *shipped = calloc(1, sizeof *shipped);
	struct xci_image *image = calloc(1, sizeof *image);
	size_t size = source_header(header, sizeof header, &source);

	strcpy(image->name, name);
	image->is_source = true;
	image->fd = memfd_create(name, MFD_CLOEXEC);
	ck_assert_int_eq(write(image->fd, header, size), (ssize_t)size);
	ck_assert_int_eq(write(image->fd, text, strlen(text)), (ssize_t)strlen(text));
	image->size = size + strlen(text);
	shipped->image = image;
	DL_APPEND(guest->shipped, shipped);
	guest->named.of = NULL;
	return shipped;
}

static struct xci_shipped *find(const char *function)
{
	memset(&err, 0, sizeof err);
	return xci_library_find(guest, function, NULL, &err);
}

START_TEST(test_text)
{
	struct xci_shipped *s = add("a.c", "int plain(void) { return 1; }\n"
					   "int\nspread /* so */ (int a,\n (b)) // end\n{\n}\n"
					   "// int line(void) {\n/* int block(void) { */\n"
					   "const char *t = \"int string(void) {\";\n"
					   "char c = '\"'; int behind(void) {}\n"
					   "#error don't\nint after(void) {}\n"
					   "int declared(void);\n"
					   "int x = 1'000; int longer_name(void) {}\n");

	ck_assert_ptr_eq(find("plain"), s);
	ck_assert_ptr_eq(find("spread"), s);
	ck_assert_ptr_eq(find("behind"), s);
	ck_assert_ptr_eq(find("after"), s);
	ck_assert_ptr_eq(find("longer_name"), s);
	/* Better than nothing: a macro may define it. */
	ck_assert_ptr_eq(find("declared"), s);
	ck_assert_ptr_null(find("line"));
	ck_assert_ptr_null(find("block"));
	ck_assert_ptr_null(find("string"));
	ck_assert_ptr_null(find("name"));
	ck_assert_ptr_null(find("x"));
	ck_assert_int_eq(err.code, XC_ECODE);
}
END_TEST

START_TEST(test_order)
{
	struct xci_shipped *a = add("a.c", "int f(void) {} int g(void) {}");
	struct xci_shipped *b = add("b.c", "int h(void) { return g() + f(); }");
	struct xci_shipped *c = add("c.c", "int f(void) {}");

	ck_assert_ptr_eq(find("f"), c);
	ck_assert_ptr_eq(find("f"), c);
	ck_assert_ptr_eq(find("g"), a);
	ck_assert_ptr_eq(find("h"), b);
	ck_assert_ptr_null(find("i"));
	ck_assert_ptr_nonnull(strstr(err.text, "c.c, b.c, a.c"));
	ck_assert_ptr_eq(xci_library_find(guest, "f", "a.c", &err), a);
	ck_assert_ptr_eq(xci_library_find(guest, "i", "a.c", &err), a);
	ck_assert_ptr_null(xci_library_find(guest, "f", "d.c", &err));
	ck_assert_ptr_nonnull(strstr(err.text, "c.c, b.c, a.c"));
	/* What is loaded again is the latest. */
	xci_ship_last(guest, a);
	ck_assert_ptr_eq(find("f"), a);
	xci_ship_forget(guest, a);
	ck_assert_ptr_eq(find("f"), c);
}
END_TEST

START_TEST(test_fortran)
{
	struct xci_shipped *s = add("a.f90", "function Third(x) bind(c, name=\"third_c\")\n");

	ck_assert_ptr_eq(find("third"), s);
	ck_assert_ptr_eq(find("third_c"), s);
	ck_assert_ptr_null(find("thir"));
}
END_TEST

/* Programs, which come by pointer, are no libraries. */
START_TEST(test_nothing_loaded)
{
	struct xci_shipped *s;

	ck_assert_ptr_null(find("f"));
	ck_assert_ptr_nonnull(strstr(err.text, "no library was loaded"));
	s = add("a.c", "int f(void) {}");
	s->key = 1;
	ck_assert_ptr_null(find("f"));
	ck_assert_ptr_nonnull(strstr(err.text, "no library was loaded"));
	s = add("b.c", "int f(void) {}");
	ck_assert_ptr_eq(find("f"), s);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("library");

	tcase_add_checked_fixture(tests, guest_open, guest_close);
	tcase_add_test(tests, test_text);
	tcase_add_test(tests, test_order);
	tcase_add_test(tests, test_fortran);
	tcase_add_test(tests, test_nothing_loaded);
	return unit_run(tests);
}
