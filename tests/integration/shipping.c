/* shipping.c: code on its way to the engines: programs and libraries, several
 * builds at once, and what is refused with a sentence. */
#include "tests/support/support.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENGINES 2

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
}

static void close_client(void)
{
	xc_close(client);
}

/* Has the program ask the cluster once more. */
static const char *ask(struct program *program)
{
	static char line[1024];

	program_tell(program, "ask");
	program_line(program, line, sizeof line);
	return line;
}

/* Compiles a program, has it ask once, compares. */
static void check_program(const char *flags, const char *expected)
{
	struct program program;

	compile("answer", "answer.c", flags);
	PROGRAM(&program, test_path("answer"));
	ck_assert_str_eq(ask(&program), expected);
	ck_assert_int_eq(program_end(&program), 0);
}

START_TEST(programs_of_many_kinds)
{
	check_program("-fPIE -pie -DANSWER=11", "11");
	check_program("-fPIE -pie -O3 -s -DANSWER=12", "12");
	check_program("-fPIE -pie -g -O0 -Wl,-z,now -Wl,-z,relro -DANSWER=13", "13");
	check_program("-fPIE -pie -Wl,-z,lazy -Wl,-z,norelro -DANSWER=14", "14");
	check_program("-fPIE -pie -rdynamic -fopenmp -DANSWER=15", "15");
}
END_TEST

static void assert_refused(const char *flags, const char *part)
{
	struct program program;
	char code[32];
	const char *line;

	compile("answer", "answer.c", flags);
	PROGRAM(&program, test_path("answer"));
	line = ask(&program);
	snprintf(code, sizeof code, "error %d:", XC_ECODE);
	ck_assert_msg(strstr(line, code) == line && strstr(line, part), "'%s' without '%s'", line,
		      part);
	/* The program itself goes on. */
	ck_assert_msg(strstr(ask(&program), code) != NULL, "another answer the second time");
	ck_assert_int_eq(program_end(&program), 0);
}

START_TEST(a_program_at_a_fixed_address_is_refused)
{
	assert_refused("-fno-pie -no-pie -DANSWER=1", "-pie");
}
END_TEST

START_TEST(a_program_with_thread_local_data_is_refused)
{
	assert_refused("-fPIE -pie -DWITH_TLS -DANSWER=1", "_Thread_local");
}
END_TEST

START_TEST(a_sanitized_program_needs_sanitized_engines)
{
	assert_refused("-fPIE -pie -fsanitize=address -DANSWER=1", "anitize");
}
END_TEST

START_TEST(two_builds_at_once)
{
	struct program first, second;

	compile("one", "answer.c", "-fPIE -pie -DANSWER=1");
	compile("two", "answer.c", "-fPIE -pie -DANSWER=2");
	PROGRAM(&first, test_path("one"));
	PROGRAM(&second, test_path("two"));
	for (int i = 0; i < 5; i++) {
		ck_assert_str_eq(ask(&first), "1");
		ck_assert_str_eq(ask(&second), "2");
	}
	ck_assert_int_eq(program_end(&first), 0);
	ck_assert_int_eq(program_end(&second), 0);
}
END_TEST

/* The old run has asked before the rebuild, or asks for the first time after. */
START_TEST(rebuilt_while_the_old_run_goes_on)
{
	struct program old, new;

	compile("same", "answer.c", "-fPIE -pie -DANSWER=31");
	PROGRAM(&old, test_path("same"));
	if (_i)
		ck_assert_str_eq(ask(&old), "31");
	compile("same", "answer.c", "-fPIE -pie -DANSWER=32");
	ck_assert_str_eq(ask(&old), "31");
	PROGRAM(&new, test_path("same"));
	ck_assert_str_eq(ask(&new), "32");
	ck_assert_str_eq(ask(&old), "31");
	ck_assert_int_eq(program_end(&old), 0);
	ck_assert_int_eq(program_end(&new), 0);
}
END_TEST

static int call_by_name(const char *function, void *out, size_t size)
{
	struct xc_map_options options = { .function = function, .start = 16 };

	return xc_map_range(xc_balanced(client), NULL, 1, out, size, &options, &err);
}

START_TEST(a_library_by_name)
{
	int out = 0;
	double root = 0;

	compile("libtasks.so", "tasks.c", "-shared -fPIC -DVERSION=41");
	assert_ok(xc_load(xc_all(client), test_path("libtasks.so"), &err), err);
	assert_ok(call_by_name("version", &out, sizeof out), err);
	ck_assert_int_eq(out, 41);
	assert_ok(call_by_name("root", &root, sizeof root), err);
	ck_assert_double_eq(root, 4);
	assert_ok(call_by_name("count_calls", &out, sizeof out), err);
	ck_assert_int_gt(out, 0);
	ck_assert_int_lt(call_by_name("no_such_function", &out, sizeof out), 0);
	ck_assert_msg(strstr(err.text, "no_such_function") != NULL, "%s", err.text);
	/* A newer one takes the place of the older. */
	compile("libtasks.so", "tasks.c", "-shared -fPIC -DVERSION=42");
	assert_ok(xc_load(xc_all(client), test_path("libtasks.so"), &err), err);
	assert_ok(call_by_name("version", &out, sizeof out), err);
	ck_assert_int_eq(out, 42);
}
END_TEST

START_TEST(what_cannot_be_loaded)
{
	const char *path = test_path("text.so");

	ck_assert_int_lt(xc_load(xc_all(client), test_path("nowhere.so"), &err), 0);
	ck_assert_msg(strstr(err.text, "nowhere.so") != NULL, "%s", err.text);
	write_file(path, "this is not a library\n", 22);
	assert_error(xc_load(xc_all(client), path, &err), XC_ECODE, &err, "text.so");
	write_file(path, "\177ELF\2\1\1", 7);
	assert_error(xc_load(xc_all(client), path, &err), XC_ECODE, &err, "text.so");
	ck_assert_int_lt(xc_load(xc_all(client), test_dir(), &err), 0);
}
END_TEST

START_TEST(a_missing_dependency_is_named)
{
	char flags[1024];
	int r, out = 0;

	compile("libneeded.so", "needed.c", "-shared -fPIC -DVERSION=5");
	snprintf(flags, sizeof flags,
		 "-shared -fPIC -DNEEDS -DVERSION=5 -L'%s' -lneeded -Wl,-rpath,'%s'", test_dir(),
		 test_dir());
	compile("libneeding.so", "tasks.c", flags);
	ck_assert_int_eq(rename(test_path("libneeded.so"), test_path("away.so")), 0);
	r = xc_load(xc_all(client), test_path("libneeding.so"), &err);
	assert_error(r, XC_ECODE, &err, "libneeded.so");
	/* And with it, it works. */
	ck_assert_int_eq(rename(test_path("away.so"), test_path("libneeded.so")), 0);
	assert_ok(xc_load(xc_all(client), test_path("libneeding.so"), &err), err);
	assert_ok(call_by_name("version", &out, sizeof out), err);
	ck_assert_int_eq(out, 5);
}
END_TEST

static xc_task_fn *function_of(void *library, const char *name)
{
	xc_task_fn *fn;
	void *symbol = dlsym(library, name);

	ck_assert_msg(symbol != NULL, "%s", dlerror());
	memcpy(&fn, &symbol, sizeof fn);
	return fn;
}

/* A library's task by pointer; and once its file is another. */
START_TEST(a_library_by_pointer)
{
	xc_task_fn *version;
	void *library;
	int out = 0, r;

	compile("libplugin.so", "tasks.c", "-shared -fPIC -DVERSION=51");
	library = dlopen(test_path("libplugin.so"), RTLD_NOW);
	ck_assert_msg(library != NULL, "%s", dlerror());
	version = function_of(library, "version");
	if (_i == 0) {
		assert_ok(
			xc_map_range(xc_balanced(client), version, 1, &out, sizeof out, NULL, &err),
			err);
		ck_assert_int_eq(out, 51);
	}
	compile("libplugin.so", "tasks.c", "-shared -fPIC -DVERSION=52");
	out = 0;
	r = xc_map_range(xc_balanced(client), version, 1, &out, sizeof out, NULL, &err);
	/* Never the other code; the old one where its bytes are known. */
	if (r < 0)
		assert_error(r, XC_ECODE, &err, "libplugin.so");
	else
		ck_assert_int_eq(out, 51);
	dlclose(library);
}
END_TEST

static int not_code = 7;

START_TEST(pointers_that_are_no_functions)
{
	void *pages = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *pointers[] = { &not_code, pages };

	for (int i = 0; i < 2; i++) {
		xc_task_fn *fn;
		int out;

		memcpy(&fn, &pointers[i], sizeof fn);
		assert_error(xc_map_range(xc_balanced(client), fn, 1, &out, sizeof out, NULL, &err),
			     XC_ECODE, &err, "");
	}
	munmap(pages, 4096);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shipping");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "shipping"),
	      *stop = shared_case(suite, "stop");
	const char *flags = getenv("XC_TEST_CFLAGS");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_test(tests, programs_of_many_kinds);
	tcase_add_test(tests, a_program_at_a_fixed_address_is_refused);
	tcase_add_test(tests, a_program_with_thread_local_data_is_refused);
	/* In a sanitized build there is no plain engine. */
	if (!flags || !strstr(flags, "sanitize"))
		tcase_add_test(tests, a_sanitized_program_needs_sanitized_engines);
	tcase_add_test(tests, two_builds_at_once);
	tcase_add_loop_test(tests, rebuilt_while_the_old_run_goes_on, 0, 2);
	tcase_add_test(tests, a_library_by_name);
	tcase_add_test(tests, what_cannot_be_loaded);
	tcase_add_test(tests, a_missing_dependency_is_named);
	tcase_add_loop_test(tests, a_library_by_pointer, 0, 2);
	tcase_add_test(tests, pointers_that_are_no_functions);
	add_cluster_stop(stop);
	return run_tests(suite);
}
