/* progress.c: the line that says how far a job is: on a terminal of any size, which may
 * change, and nowhere else. */
#include "tests/support/support.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ENGINES 2
#define ITEMS	20
#define FREE	6 /* items that do not wait at the gate */

static struct xc_error err = XC_ERROR_INIT;
static int terminal;
static char seen[1 << 20]; /* all that was written to it */
static size_t size, at;	   /* at: up to where it was looked at */
static pid_t child;
static double began;

static int wait_at_gate(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	(void)out;
	if (i >= FREE)
		task_wait_at_gate();
	return i == 3 ? xc_task_fail(task, "three") : 0;
}

static int packed_item(struct xc_task *task, const void *in, void *out)
{
	(void)out;
	if (((const char *)in)[0] >= FREE)
		task_wait_at_gate();
	return ((const char *)in)[0] == 3 ? xc_task_fail(task, "three") : 0;
}

static int next_item(void *argument, struct xc_bytes *item)
{
	char *number = argument;

	*item = (struct xc_bytes){ number, 1 };
	return ++*number < ITEMS;
}

static int give_item(void *argument, int64_t index, enum xc_state state, const void *data, size_t n)
{
	(void)argument;
	(void)index;
	(void)state;
	(void)data;
	(void)n;
	return 0;
}

enum way { BY_WAIT, BY_NEXT, BY_STREAM };

/* What the program does whose stderr is looked at. */
static int show(enum way way)
{
	struct xc_map_options options = { .progress = true, .chunk = 1 };
	struct xc_stream_options stream = { .window_items = 8 };
	struct xc_client *client = open_client(ENGINES);
	struct xc_result *result;
	char number = -1;
	int64_t item;
	int r;

	if (way == BY_STREAM) {
		r = xc_map_stream(xc_balanced(client), packed_item, next_item, give_item, &number,
				  &stream, &options, &err);
		xc_close(client);
		return r == XC_EFAILED ? 0 : 1;
	}
	result = xc_map_range_async(xc_balanced(client), wait_at_gate, ITEMS, NULL, 0, &options,
				    &err);
	while (way == BY_NEXT && xc_next(result, XC_ANY_ORDER, LIMIT, &item, &err) == 1)
		;
	r = xc_wait(result, LIMIT, &err);
	xc_result_destroy(result);
	xc_close(client);
	return r == XC_EFAILED ? 0 : 1;
}

static void set_columns(int columns)
{
	struct winsize window = { .ws_row = 24, .ws_col = (unsigned short)columns };

	ck_assert_int_eq(ioctl(terminal, TIOCSWINSZ, &window), 0);
}

/* Runs it in a child with this as stderr. */
static void run_with(int stderr_fd, enum way way)
{
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		dup2(stderr_fd, STDERR_FILENO);
		_exit(show(way));
	}
	close(stderr_fd);
	began = now();
	size = at = 0;
}

static void run_on_terminal(int columns, enum way way)
{
	struct winsize window = { .ws_row = 24, .ws_col = (unsigned short)columns };
	int slave;

	start_cluster(ENGINES);
	stage_open();
	ck_assert_int_eq(openpty(&terminal, &slave, NULL, NULL, &window), 0);
	run_with(slave, way);
}

/* Takes in what is written; false when no one is left who could. */
static bool take_in(void)
{
	struct pollfd fd = { .fd = terminal, .events = POLLIN };
	ssize_t n;

	ck_assert_msg(poll(&fd, 1, (int)(LIMIT * 1e3)) == 1, "nothing more after: %s", seen);
	n = read(terminal, seen + size, sizeof seen - 1 - size);
	size += n > 0 ? (size_t)n : 0;
	seen[size] = '\0';
	return n > 0;
}

/* The next line drawn in which this stands, without the sequence that clears. */
static const char *line_with(const char *part)
{
	static char line[400];

	for (;;) {
		char *start = strchr(seen + at, '\r');
		char *end = start ? strpbrk(start + 1, "\r\n") : NULL;

		if (end) {
			snprintf(line, sizeof line, "%.*s", (int)(end - start), start);
			at = (size_t)(end - seen);
			if (strstr(line, part))
				return line;
			continue;
		}
		ck_assert_msg(take_in(), "it has ended without \"%s\": %s", part, seen + at);
	}
}

/* Columns that a line takes: what follows its last control sequence. */
static int width_of(const char *line)
{
	const char *escape = strrchr(line, '\033');

	ck_assert_msg(escape != NULL, "%s", line);
	return (int)strlen(escape + strcspn(escape, "KJ") + 1);
}

static int count(char c)
{
	int n = 0;

	for (size_t i = 0; i < size; i++)
		n += seen[i] == c;
	return n;
}

/* To its end, all of which is in `seen` then. */
static void finish(void)
{
	stage_release();
	while (take_in())
		;
	ck_assert_int_eq(child_end(child), 0);
	close(terminal);
	stage_close();
	stop_cluster();
}

START_TEST(progress_on_a_terminal)
{
	const char *line;
	int drawn;

	run_on_terminal(120, BY_WAIT);
	line = line_with(" 6/20 items");
	ck_assert_msg(strstr(line, "[############") && strstr(line, "."), "%s", line);
	ck_assert_msg(strstr(line, "  1 failed  "), "%s", line);
	ck_assert_msg(strstr(line, "/s  "), "%s", line);
	ck_assert_msg(strstr(line, " left  "), "%s", line);
	ck_assert_msg(strstr(line, "  2/2 engines busy"), "%s", line);
	ck_assert_int_eq(count('\n'), 0);
	finish();
	line = line_with(" 20/20 items");
	ck_assert_msg(strstr(line, "[########################################]"), "%s", line);
	ck_assert_msg(!strstr(line, "left") && !strstr(line, "busy"), "%s", line);
	ck_assert_int_eq(count('\n'), 1);
	ck_assert_int_eq(seen[size - 1], '\n');
	drawn = count('\033');
	ck_assert_msg(drawn <= 2 + (int)((now() - began) / 0.1), "%d lines in %g s", drawn,
		      now() - began);
}
END_TEST

START_TEST(progress_redraws_on_resize)
{
	const char *line;
	int wide, rows;

	run_on_terminal(100, BY_WAIT);
	wide = width_of(line_with(" 6/20 items"));
	ck_assert_int_gt(wide, 80);
	ck_assert_int_lt(wide, 100);
	set_columns(30);
	/* The rows that the old line has been wrapped to are gone. */
	line = line_with("\033[J");
	ck_assert_int_eq(sscanf(line, "\r\033[%dA", &rows), 1);
	ck_assert_int_eq(rows, (wide - 1) / 30);
	ck_assert_int_lt(width_of(line), 30);
	ck_assert_ptr_nonnull(strstr(line, "6/20 items"));
	ck_assert_int_lt(width_of(line_with("\033[K6/20")), 30);
	set_columns(200);
	line = line_with("[##");
	ck_assert_ptr_null(strstr(line, "\033[J"));
	ck_assert_int_ge(width_of(line), wide);
	set_columns(1);
	line_with("\033[J");
	set_columns(12);
	ck_assert_int_lt(width_of(line_with("6/20 items")), 12);
	finish();
	ck_assert_int_eq(count('\n'), 1);
}
END_TEST

START_TEST(progress_at_zero_columns)
{
	const char *line;

	run_on_terminal(0, BY_WAIT);
	line = line_with("6/20 items");
	ck_assert_ptr_null(strstr(line, "[#"));
	ck_assert_ptr_nonnull(strstr(line, "1 failed"));
	ck_assert_int_lt(width_of(line), 80);
	set_columns(100);
	line_with("\033[K[#");
	set_columns(0);
	line_with("\033[K6/20");
	finish();
	ck_assert_ptr_nonnull(line_with("20/20 items"));
	ck_assert_int_eq(count('\n'), 1);
}
END_TEST

START_TEST(progress_quiet_in_a_pipe)
{
	int fds[2];

	start_cluster(ENGINES);
	stage_open();
	ck_assert_int_eq(pipe(fds), 0);
	terminal = fds[0];
	run_with(fds[1], (enum way)_i);
	finish();
	ck_assert_str_eq(seen, "");
}
END_TEST

START_TEST(progress_of_next)
{
	run_on_terminal(100, BY_NEXT);
	ck_assert_ptr_nonnull(strstr(line_with(" 6/20 items"), "engines busy"));
	finish();
	ck_assert_ptr_nonnull(line_with(" 20/20 items"));
	ck_assert_int_eq(count('\n'), 1);
}
END_TEST

/* Nobody knows how many there will be. */
START_TEST(progress_of_a_stream)
{
	const char *line;

	run_on_terminal(100, BY_STREAM);
	line = line_with("\033[K6 items");
	ck_assert_msg(strstr(line, "1 failed") && strstr(line, "2/2 engines busy"), "%s", line);
	ck_assert_msg(!strstr(line, "left"), "%s", line);
	finish();
	ck_assert_ptr_nonnull(line_with("20 items"));
	ck_assert_int_eq(count('\n'), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("progress");
	TCase *tests = separate_case(suite, "progress");

	tcase_add_test(tests, progress_on_a_terminal);
	tcase_add_test(tests, progress_redraws_on_resize);
	tcase_add_test(tests, progress_at_zero_columns);
	tcase_add_loop_test(tests, progress_quiet_in_a_pipe, BY_WAIT, BY_STREAM + 1);
	tcase_add_test(tests, progress_of_next);
	tcase_add_test(tests, progress_of_a_stream);
	return run_tests(suite);
}
