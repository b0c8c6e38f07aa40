/* test_compiler.c: which compiler it is, how it is run, and what is kept of its words. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcluster/compiler.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static struct compiler compiler;
static struct compiler_output output;
static struct xc_error err;

static struct source source_of(const char *name, const char *command)
{
	return (struct source){ .name = span_of(name), .compiler = span_of(command) };
}

/* A program of the fixture's directory that does as the script says. */
static void find_script(const char *text)
{
	char path[300];
	struct source s;

	snprintf(path, sizeof path, "%s", fixture_path("script"));
	fixture_write("script", text);
	chmod(path, 0755);
	s = source_of("tasks.c", path);
	ck_assert_msg(compiler_find(&compiler, &s, &err) == 0, "%s", err.text);
}

static int run(const char *argument, uint64_t limit_ms)
{
	struct words arguments = { 0 };
	int r;

	words_add(&arguments, argument);
	r = compiler_run(&compiler, &arguments, fixture_path("."), limit_ms, &output);
	words_free(&arguments);
	return r;
}

START_TEST(test_finding)
{
	struct source s = source_of("tasks.c", "sh -e");

	ck_assert_int_eq(compiler_find(&compiler, &s, &err), 0);
	ck_assert_uint_eq(compiler.command.count, 2);
	ck_assert_msg(compiler.command.list[0][0] == '/', "%s", compiler.command.list[0]);
	ck_assert_str_eq(compiler.name, "sh");
	compiler_fini(&compiler);
	/* What the environment says. */
	s = source_of("tasks.c", "");
	setenv("CC", "sh", 1);
	ck_assert_int_eq(compiler_find(&compiler, &s, &err), 0);
	ck_assert_str_eq(compiler.name, "sh");
	compiler_fini(&compiler);
	setenv("CC", "", 1);
	ck_assert_int_eq(compiler_find(&compiler, &s, &err), 0);
	ck_assert_str_eq(compiler.name, "cc");
	compiler_fini(&compiler);
	s = source_of("tasks.f90", "");
	setenv("FC", "no-fortran", 1);
	ck_assert_int_eq(compiler_find(&compiler, &s, &err), XC_ECODE);
	ck_assert_ptr_nonnull(strstr(err.text, "no compiler \"no-fortran\" for tasks.f90"));
	ck_assert_ptr_nonnull(strstr(err.text, "FC"));
	s = source_of("tasks.c", "/bin");
	ck_assert_int_eq(compiler_find(&compiler, &s, &err), XC_ECODE);
	s = source_of("tasks.c", "  ");
	ck_assert_int_eq(compiler_find(&compiler, &s, &err), XC_ECODE);
	s = source_of("tasks.c", "'gcc");
	ck_assert_int_eq(compiler_find(&compiler, &s, &err), XC_ECODE);
}
END_TEST

START_TEST(test_running)
{
	setenv("LD_PRELOAD", "/nonexistent.so", 1);
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	find_script("#!/bin/sh\npwd\necho \"$1 $LD_PRELOAD $LC_ALL\" >&2\ncat\nexit 3\n");
	unsetenv("LD_PRELOAD");
	ck_assert_int_eq(run("a b", 20000), 3);
	ck_assert_ptr_nonnull(strstr(output.text, "\na b  C\n"));
	compiler_fini(&compiler);
	find_script("#!/bin/sh\nkill -9 $$\n");
	ck_assert_int_eq(run("", 20000), 128 + SIGKILL);
	compiler_fini(&compiler);
}
END_TEST

/* Even when nobody waits for children, as some task may have it. */
START_TEST(test_ignored_children)
{
	signal(SIGCHLD, SIG_IGN);
	find_script("#!/bin/sh\necho here\nexit 3\n");
	ck_assert_int_ge(run("", 20000), 0);
	ck_assert_str_eq(output.text, "here\n");
	compiler_fini(&compiler);
	signal(SIGCHLD, SIG_DFL);
}
END_TEST

START_TEST(test_much_output)
{
	find_script("#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x\n");
	ck_assert_int_eq(run("", 20000), 0);
	ck_assert_uint_eq(output.size, COMPILER_OUTPUT_MAX);
	ck_assert_int_eq(output.text[output.size], 0);
	compiler_fini(&compiler);
}
END_TEST

START_TEST(test_limit)
{
	pid_t child = 0;

	find_script("#!/bin/sh\nsh -c 'echo $$; sleep 1000; :'\n:\n");
	ck_assert_int_eq(run("", 500), -ETIMEDOUT);
	ck_assert_int_eq(sscanf(output.text, "%d", &child), 1);
	/* Not our child: it may take a while until it is gone, or be a zombie. */
	for (int i = 0; i < 1000 && kill(child, 0) == 0; i++) {
		char path[64], state = 0;
		FILE *file;

		snprintf(path, sizeof path, "/proc/%d/stat", child);
		file = fopen(path, "r");
		if (file && fscanf(file, "%*d %*s %c", &state) == 1 && state == 'Z')
			i = 1000;
		if (file)
			fclose(file);
		ck_assert_msg(state != 'S' || i < 999, "process %d still sleeps", child);
	}
	compiler_fini(&compiler);
	/* What it leaves behind does not hold us up. */
	find_script("#!/bin/sh\nsleep 5 &\necho done\n");
	ck_assert_int_eq(run("", 4000), 0);
	ck_assert_str_eq(output.text, "done\n");
	compiler_fini(&compiler);
}
END_TEST

static void expect(const char *printed, size_t size, const char *expected)
{
	char text[200];

	output.size = strlen(printed);
	strcpy(output.text, printed);
	compiler_errors(&output, text, size);
	ck_assert_str_eq(text, expected);
}

START_TEST(test_errors)
{
	static const char gcc[] = "t.c: In function 'f':\n"
				  "t.c:1:2: warning: unused\n"
				  "t.c:3:11: error: expected expression\n"
				  "    3 | int x = ;\n"
				  "      |         ^\n"
				  "t.c:4:9: error: 'u' undeclared\n"
				  "t.c:4:9: note: each undeclared identifier\n";

	expect(gcc, 200, "t.c:3:11: error: expected expression; t.c:4:9: error: 'u' undeclared");
	expect(gcc, 50, "t.c:3:11: error: expected expression");
	expect(gcc, 12, "t.c:3:11: e");
	expect("t.f90:2:9:\n\n    2 | f = 'a' +\n      |         1\nError: Syntax error at (1)\n"
	       "t.f90:3:1:\n\n    3 | x\n      | 1\nWarning: x\n",
	       200, "t.f90:2:9: Error: Syntax error at (1)");
	expect("/usr/bin/ld: cannot find -lnone\ncollect2: error: ld returned 1 exit status\n", 200,
	       "/usr/bin/ld: cannot find -lnone");
	/* Of what cannot be told apart, all. */
	expect("something\n\nis wrong", 200, "something; is wrong");
	expect("", 200, "");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("compiler");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, fixture_begin, fixture_end);
	tcase_add_test(tests, test_finding);
	tcase_add_test(tests, test_running);
	tcase_add_test(tests, test_ignored_children);
	tcase_add_test(tests, test_much_output);
	tcase_add_test(tests, test_limit);
	tcase_add_test(tests, test_errors);
	return unit_run(tests);
}
