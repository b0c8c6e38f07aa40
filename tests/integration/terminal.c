/* terminal.c: what tasks print, on the client's terminal and in the logs. */
#include "tests/support/support.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENGINES 3
#define MIB	(1 << 20)

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
	stage_open();
}

static void close_client(void)
{
	stage_close();
	xc_close(client);
}

/* ---- On the terminal -------------------------------------------------------------- */

/* Numbers its lines for the engine, whatever the item. */
static int print_numbered(struct xc_task *task, const void *in, void *out)
{
	static int count;
	int64_t i = *(const int64_t *)in;

	(void)out;
	if (i % 3 == 0)
		return 0;
	for (int line = 0; line < 3; line++) {
		printf("line %d of item %lld \xe2\x82\xac: ", line, (long long)i);
		if (i % 8 == 1)
			task_sleep(0.08);
		printf("%d%s", count++, line < 2 || i % 2 ? "\n" : "");
	}
	return xc_task_attempt(task) ? 0 : 1;
}

#define PRINTED_ITEMS 48

/* A client of its own: what it writes to stderr is to be seen. */
static pid_t run_client(int terminal)
{
	struct xc_map_options options = { .output = true, .progress = true, .chunk = 2 };
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(terminal, STDERR_FILENO);
	client = open_client(ENGINES);
	_exit(xc_map_range(xc_balanced(client), print_numbered, PRINTED_ITEMS, NULL, 0, &options,
			   &err) == 0
		      ? 0
		      : 1);
}

/* All that comes until the other end is closed. */
static char *read_all(int fd)
{
	size_t size = 0, room = 1 << 16;
	char *text = malloc(room);
	ssize_t n;

	while ((n = read(fd, text + size, room - size - 1)) > 0) {
		size += (size_t)n;
		if (size + 1 == room)
			text = realloc(text, room *= 2);
		ck_assert_ptr_nonnull(text);
	}
	text[size] = '\0';
	return text;
}

static void check_printed(char *text)
{
	bool seen[PRINTED_ITEMS][3] = { { false } };
	int next[ENGINES] = { 0 }, base[ENGINES], n = 0;
	char *rest = text, *line;

	memset(base, -1, sizeof base);
	while ((line = strsep(&rest, "\n"))) {
		char *at = strstr(line, "[engine ");
		int engine, item, of, place, count;

		if (!at)
			continue;
		/* What stands before it on the terminal was wiped. */
		ck_assert_msg(at == line || memcmp(at - 3, "\033[K", 3) == 0, "%s", line);
		ck_assert_msg(sscanf(at, "[engine %d, item %d] line %d of item %d \xe2\x82\xac: %d",
				     &engine, &item, &place, &of, &count) == 5 &&
				      engine >= 0 && engine < ENGINES && item == of && item >= 0 &&
				      item < PRINTED_ITEMS && place >= 0 && place < 3,
			      "%s", line);
		ck_assert_msg(!seen[item][place], "twice: %s", line);
		seen[item][place] = true;
		if (base[engine] < 0)
			base[engine] = count;
		ck_assert_msg(count - base[engine] == next[engine]++, "not in order: %s", line);
		n++;
	}
	ck_assert_int_eq(n, PRINTED_ITEMS / 3 * 2 * 3);
}

START_TEST(output_on_the_terminal_in_order)
{
	struct winsize size = { .ws_row = 25, .ws_col = 80 };
	int master, terminal;
	char *text;
	pid_t pid;

	ck_assert_int_eq(openpty(&master, &terminal, NULL, NULL, &size), 0);
	pid = run_client(terminal);
	close(terminal);
	text = read_all(master);
	ck_assert_int_eq(child_end(pid), 0);
	ck_assert_ptr_nonnull(strstr(text, "48/48 items"));
	check_printed(text);
	free(text);
	close(master);
}
END_TEST

START_TEST(output_in_a_pipe)
{
	int ends[2];
	char *text;
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = run_client(ends[1]);
	close(ends[1]);
	text = read_all(ends[0]);
	ck_assert_int_eq(child_end(pid), 0);
	ck_assert_ptr_null(strstr(text, "\033"));
	check_printed(text);
	free(text);
	close(ends[0]);
}
END_TEST

/* ---- In the logs ------------------------------------------------------------------- */

static void expect_line(struct program *logs, const char *part)
{
	char line[1000];

	do
		program_line(logs, line, sizeof line);
	while (!strstr(line, part));
	ck_assert_msg(strncmp(line, "engine-", 7) == 0, "%s", line);
}

/* Returns once it has begun, with the last line of a log. */
static void follow_logs(struct program *logs, const char *option)
{
	char line[1000];

	PROGRAM(logs, xcluster_command(), "logs", "-f", "--lines", "1", option);
	program_line(logs, line, sizeof line);
}

static int print_and_wait(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	printf("\nwaits at the gate\n"); /* what was printed before may have no end */
	task_announce(task);
	task_wait_at_gate();
	fprintf(stderr, "last words\n");
	abort();
}

START_TEST(output_in_logs_follow)
{
	struct xc_result *result;
	struct program logs;

	follow_logs(&logs, "--cluster-id=default");
	result = xc_map_range_async(xc_balanced(client), print_and_wait, 1, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news();
	expect_line(&logs, "| waits at the gate");
	stage_release();
	expect_line(&logs, "| last words");
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	xc_result_destroy(result);
	kill(logs.pid, SIGTERM);
	program_end(&logs);
}
END_TEST

static int print_once(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	printf("on all engines\n");
	return 0;
}

/* It begins anew; who follows it is told. */
START_TEST(log_at_its_limit)
{
	const char *path = cluster_path("default/engine-0.log");
	struct program logs;
	struct stat st;
	int fd = open(path, O_WRONLY | O_APPEND);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 65 * MIB), 0);
	ck_assert_int_eq(write(fd, "\nready\n", 7), 7);
	close(fd);
	follow_logs(&logs, "--engine=0");
	assert_ok(xc_apply(xc_all(client), print_once, NULL, 0, NULL, 0, NULL, &err), err);
	expect_line(&logs, "| [... 68157447 bytes cut: the log had reached its limit ...]");
	expect_line(&logs, "| on all engines");
	ck_assert(stat(path, &st) == 0 && st.st_size < 1000);
	kill(logs.pid, SIGTERM);
	program_end(&logs);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("terminal");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "terminal"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_test(tests, output_on_the_terminal_in_order);
	tcase_add_test(tests, output_in_a_pipe);
	tcase_add_test(tests, output_in_logs_follow);
	tcase_add_test(tests, log_at_its_limit);
	add_cluster_stop(stop);
	return run_tests(suite);
}
