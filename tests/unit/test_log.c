/* test_log.c: one event is one line, with the time and who says it. */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <string.h>
#include <unistd.h>

#include "proto/log.h"
#include "tests/unit/unit.h"

static char line[8192];

/* What one call writes to stderr. */
#define LOGGED(...)                                                                                \
	({                                                                                         \
		begin_capture();                                                                   \
		log_line(__VA_ARGS__);                                                             \
		end_capture();                                                                     \
	})

static int saved, pipe_fds[2];

static void begin_capture(void)
{
	ck_assert_int_eq(pipe2(pipe_fds, O_NONBLOCK), 0);
	log_open("agent");
	saved = dup(STDERR_FILENO);
	dup2(pipe_fds[1], STDERR_FILENO);
}

static void end_capture(void)
{
	ssize_t n;

	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipe_fds[1]);
	n = read(pipe_fds[0], line, sizeof line - 1);
	close(pipe_fds[0]);
	line[n < 0 ? 0 : n] = '\0';
}

START_TEST(test_form)
{
	regex_t form;

	ck_assert_int_eq(
		regcomp(&form,
			"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} "
			"agent: engine 3 is up\n$",
			REG_EXTENDED | REG_NOSUB),
		0);
	LOGGED("engine %d is up", 3);
	ck_assert_msg(regexec(&form, line, 0, NULL, 0) == 0, "%s", line);
	regfree(&form);
}
END_TEST

START_TEST(test_one_line)
{
	LOGGED("a\nb\n");
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
	ck_assert_ptr_nonnull(strstr(line, "a b "));
}
END_TEST

START_TEST(test_cut)
{
	char text[5000];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	LOGGED("%s", text);
	ck_assert_uint_le(strlen(line), 2048);
	ck_assert_uint_gt(strlen(line), 2000);
	ck_assert_int_eq(line[strlen(line) - 1], '\n');
}
END_TEST

START_TEST(test_keeps_errno)
{
	begin_capture();
	close(STDERR_FILENO); /* so that it cannot be written */
	errno = ENOSPC;
	log_line("text");
	ck_assert_int_eq(errno, ENOSPC);
	end_capture();
}
END_TEST

/* In a program that has not asked for it. */
START_TEST(test_quiet)
{
	begin_capture();
	log_open(NULL);
	log_line("text");
	end_capture();
	ck_assert_str_eq(line, "");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("log");

	tcase_add_test(tests, test_form);
	tcase_add_test(tests, test_one_line);
	tcase_add_test(tests, test_cut);
	tcase_add_test(tests, test_keeps_errno);
	tcase_add_test(tests, test_quiet);
	return unit_run(tests);
}
