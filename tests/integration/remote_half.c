/* remote_half.c: xcluster engines --connection -, as a launcher sees it: what it says and
 * when, and that nothing lives longer than it may. */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/support/support.h"

static char line[2048];

/* The connection of the default cluster as one line. */
static char *connection(void)
{
	char *text = read_file(cluster_path("default/connection.json")), *one;
	json_t *json;

	ck_assert_ptr_nonnull(text);
	json = json_loads(text, 0, NULL);
	free(text);
	ck_assert_ptr_nonnull(json);
	one = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return one;
}

/* The next line that is for the launcher. */
static const char *next(struct program *program)
{
	do
		program_line(program, line, sizeof line);
	while (strncmp(line, "@xcluster ", 10) != 0);
	return line + 10;
}

static void begin(struct program *program, const char *option)
{
	char host[256];
	struct utsname own;

	PROGRAM(program, xcluster_command(), "engines", "--connection", "-", "-n", "2",
		option ? option : "--launch-info=a test");
	ck_assert_int_eq(sscanf(next(program), "hello " XC_VERSION " %*s %255s", host), 1);
	uname(&own);
	ck_assert_str_eq(host, own.nodename);
	ck_assert_ptr_nonnull(strstr(line, own.machine));
}

static void send_connection(struct program *program)
{
	char *text = connection();

	program_tell(program, text);
	free(text);
}

static void assert_engines(int n)
{
	struct xc_client *client = open_client(n);

	ck_assert_int_eq(xc_engine_count(client), n);
	xc_close(client);
}

static bool has_engines(void *n)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	bool has;

	assert_ok(xc_open(&client, NULL, &err), err);
	has = xc_engine_count(client) == *(int *)n;
	xc_close(client);
	return has;
}

static void await_engines(int n)
{
	ck_assert(wait_until(has_engines, &n, 10));
}

START_TEST(an_agent_lives_on_after_detach)
{
	struct program program;

	begin(&program, NULL);
	send_connection(&program);
	ck_assert_str_eq(next(&program), "ready 1 2");
	program_tell(&program, "detach");
	ck_assert_int_eq(program_end(&program), 0);
	assert_engines(3);
}
END_TEST

START_TEST(the_end_of_stdin_ends_the_agent)
{
	struct program program;

	begin(&program, NULL);
	send_connection(&program);
	next(&program);
	assert_engines(3);
	ck_assert_int_eq(program_end(&program), 1);
	await_engines(1);
}
END_TEST

START_TEST(with_stay_a_detach_is_ignored)
{
	struct program program;

	begin(&program, "--stay");
	send_connection(&program);
	next(&program);
	program_tell(&program, "detach");
	/* It has been read when this, which says nothing either, has. */
	program_tell(&program, "more");
	assert_engines(3);
	ck_assert_int_eq(program_end(&program), 1);
	await_engines(1);
}
END_TEST

static const int signals[] = { SIGKILL, SIGTERM, SIGHUP, SIGINT };

START_TEST(its_own_death_ends_the_agent)
{
	struct program program;

	begin(&program, NULL);
	send_connection(&program);
	next(&program);
	assert_engines(3);
	kill(program.pid, signals[_i]);
	program_end(&program);
	await_engines(1);
}
END_TEST

START_TEST(the_end_of_stdin_before_the_connection_starts_nothing)
{
	struct program program;

	begin(&program, NULL);
	ck_assert_int_eq(program_end(&program), 1);
	assert_engines(1);
}
END_TEST

static const struct {
	const char *text, *part;
} bad[] = {
	{ "", "failed the connection sent through ssh" },
	{ "detach", "failed the connection sent through ssh" },
	{ "{}", "the field \"id\" is missing" },
	{ "{\"id\":\"x\"}", "the field \"version\" is missing" },
};

START_TEST(what_is_no_connection_is_refused)
{
	struct program program;

	begin(&program, NULL);
	program_tell(&program, bad[_i].text);
	ck_assert_msg(strstr(next(&program), bad[_i].part) != NULL, "%s", line);
	ck_assert_int_eq(program_end(&program), 1);
	assert_engines(1);
}
END_TEST

START_TEST(a_line_without_an_end_is_not_read_for_ever)
{
	static char much[70000];
	struct program program;

	begin(&program, NULL);
	memset(much, 'x', sizeof much);
	signal(SIGPIPE, SIG_IGN);
	for (size_t sent = 0; sent < sizeof much;) {
		ssize_t n = write(program.in, much + sent, sizeof much - sent);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	ck_assert_int_eq(child_end(program.pid), 1);
	close(program.in);
	close(program.out);
	assert_engines(1);
}
END_TEST

START_TEST(a_stopped_cluster_is_told_as_the_end)
{
	struct program program;
	struct output output;

	begin(&program, NULL);
	send_connection(&program);
	next(&program);
	XCLUSTER(&output, "stop");
	ck_assert_int_eq(output.status, 0);
	ck_assert_ptr_nonnull(strstr(next(&program), "failed the agent was ended"));
	ck_assert_int_eq(program_end(&program), 1);
}
END_TEST

static void begin_cluster(void)
{
	start_cluster(1);
}

static void end_cluster(void)
{
	struct output output;

	XCLUSTER(&output, "stop");
	assert_nothing_left(5);
}

int main(void)
{
	Suite *suite = suite_create("remote_half");
	TCase *tests = separate_case(suite, "remote_half");

	tcase_add_checked_fixture(tests, begin_cluster, end_cluster);
	tcase_add_test(tests, an_agent_lives_on_after_detach);
	tcase_add_test(tests, the_end_of_stdin_ends_the_agent);
	tcase_add_test(tests, with_stay_a_detach_is_ignored);
	tcase_add_loop_test(tests, its_own_death_ends_the_agent, 0,
			    sizeof signals / sizeof signals[0]);
	tcase_add_test(tests, the_end_of_stdin_before_the_connection_starts_nothing);
	tcase_add_loop_test(tests, what_is_no_connection_is_refused, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(tests, a_line_without_an_end_is_not_read_for_ever);
	tcase_add_test(tests, a_stopped_cluster_is_told_as_the_end);
	return run_tests(suite);
}
