/* test_command.c: parts of the command: cores, texts for people, logs. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/cores.h"
#include "cmd/engine_list.h"
#include "cmd/format.h"
#include "cmd/tail.h"
#include "proto/log.h"
#include "tests/unit/fixture.h"

START_TEST(test_quotas)
{
	ck_assert_int_eq(cores_of_quota(100000, 100000), 1);
	ck_assert_int_eq(cores_of_quota(150000, 100000), 2);
	ck_assert_int_eq(cores_of_quota(1000, 100000), 1);
	ck_assert_int_eq(cores_of_quota(-1, 100000), 0);
	ck_assert_int_eq(cores_of_quota(100000, 0), 0);
	ck_assert_int_eq(cores_of_cpu_max("max 100000\n"), 0);
	ck_assert_int_eq(cores_of_cpu_max("250000 100000\n"), 3);
	ck_assert_int_eq(cores_of_cpu_max(""), 0);
	ck_assert_int_eq(cores_of_cpu_max("nonsense"), 0);
}
END_TEST

START_TEST(test_cgroup_paths)
{
	static const char text[] = "9:name=systemd:/init\n"
				   "4:cpu,cpuacct:/user/a:b\n"
				   "3:cpuset:/set\n"
				   "0::/unified";
	char path[32];

	ck_assert_int_eq(cores_cgroup_path(text, "cpu", path, sizeof path), 0);
	ck_assert_str_eq(path, "/user/a:b");
	ck_assert_int_eq(cores_cgroup_path(text, "cpuacct", path, sizeof path), 0);
	ck_assert_str_eq(path, "/user/a:b");
	ck_assert_int_eq(cores_cgroup_path(text, "cpuset", path, sizeof path), 0);
	ck_assert_str_eq(path, "/set");
	ck_assert_int_eq(cores_cgroup_path(text, NULL, path, sizeof path), 0);
	ck_assert_str_eq(path, "/unified");
	ck_assert_int_eq(cores_cgroup_path(text, NULL, path, 8), -ENAMETOOLONG);
	ck_assert_int_eq(cores_cgroup_path(text, "memory", path, sizeof path), -ENOENT);
	ck_assert_int_eq(cores_cgroup_path("", "cpu", path, sizeof path), -ENOENT);
	ck_assert_int_eq(cores_cgroup_path("0:\n:\n\n", NULL, path, sizeof path), -ENOENT);
}
END_TEST

START_TEST(test_affinity)
{
	cpu_set_t all, one;

	ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
	ck_assert_int_ge(cores_usable(), 1);
	ck_assert_int_le(cores_usable(), CPU_COUNT(&all));
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
	ck_assert_int_eq(cores_usable(), 1);
}
END_TEST

START_TEST(test_sizes_and_times)
{
	char text[32];

	ck_assert_str_eq(format_size(text, sizeof text, 0), "0 B");
	ck_assert_str_eq(format_size(text, sizeof text, 1023), "1023 B");
	ck_assert_str_eq(format_size(text, sizeof text, 1536), "1.5 KiB");
	ck_assert_str_eq(format_size(text, sizeof text, 1.1e18), "1000444.2 TiB");
	ck_assert_str_eq(format_time(text, sizeof text, 3.21), "3.2 s");
	ck_assert_str_eq(format_time(text, sizeof text, 725), "12m 05s");
	ck_assert_str_eq(format_time(text, sizeof text, 2 * 86400 + 3 * 3600), "2d 03h");
}
END_TEST

/* Columns are as wide as their texts have characters, and nothing in them steers the
 * terminal. */
START_TEST(test_table)
{
	static const struct column columns[] = { { "LABEL", "label", NULL },
						 { "N", "n", NULL },
						 { NULL, NULL, NULL } };
	json_t *list = json_pack("[{s:s,s:i},{s:s,s:i},{s:i}]", "label", "W\u00e4lder \u68ee\u6797",
				 "n", 1, "label",
				 "a\nb\x1b\xc2\x9b"
				 "1mc",
				 "n", 2, "n", 3);
	FILE *file = fopen(fixture_path("table"), "w+");
	int saved = dup(1);
	char text[256];
	size_t n;

	ck_assert(file && list && saved >= 0);
	fflush(stdout);
	ck_assert_int_eq(dup2(fileno(file), 1), 1);
	format_table(list, columns);
	fflush(stdout);
	ck_assert_int_eq(dup2(saved, 1), 1);
	close(saved);
	rewind(file);
	n = fread(text, 1, sizeof text - 1, file);
	text[n] = '\0';
	ck_assert_str_eq(text, "  LABEL      N\n"
			       "  W\u00e4lder \u68ee\u6797  1\n"
			       "  a?b??1mc   2\n"
			       "  -          3\n");
	fclose(file);
	json_decref(list);
}
END_TEST

static long tail_of(const char *text, int lines)
{
	int fd;
	off_t offset;

	fixture_write("log", text);
	fd = open(fixture_path("log"), O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	offset = tail_offset(fd, lines);
	close(fd);
	return (long)offset;
}

START_TEST(test_tail)
{
	char *text = malloc(20001);

	ck_assert_int_eq(tail_of("", 3), 0);
	ck_assert_int_eq(tail_of("a\nb\nc\n", 1), 4);
	ck_assert_int_eq(tail_of("a\nb\nc", 1), 4);
	ck_assert_int_eq(tail_of("a\nb\nc\n", 2), 2);
	ck_assert_int_eq(tail_of("a\nb\nc\n", 3), 0);
	ck_assert_int_eq(tail_of("a\nb\nc\n", 9), 0);
	ck_assert_int_eq(tail_of("\n\n\n", 1), 2);
	/* Over several blocks. */
	memset(text, 'x', 20000);
	text[20000] = '\0';
	ck_assert_int_eq(tail_of(text, 1), 0);
	text[100] = '\n';
	ck_assert_int_eq(tail_of(text, 1), 101);
	free(text);
}
END_TEST

START_TEST(test_log_lines)
{
	int fd = open(fixture_path("log"), O_CREAT | O_RDWR | O_CLOEXEC, 0600), err = dup(2), y;
	char text[8192], *line = text, long_text[4000];
	ssize_t n;

	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	ck_assert_int_eq(dup2(fd, 2), 2);
	log_open("tester");
	errno = ENOMEM;
	log_line("one %d\ntwo", 1);
	ck_assert_int_eq(errno, ENOMEM);
	log_line("%s", long_text);
	dup2(err, 2);
	close(err);
	n = pread(fd, text, sizeof text - 1, 0);
	ck_assert_int_gt(n, 2000);
	text[n] = '\0';
	ck_assert_int_eq(sscanf(line, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3d", &y), 1);
	ck_assert_int_eq(strncmp(line + 23, " tester: one 1 two\n", 19), 0);
	/* Cut, yet with its end. */
	ck_assert_int_eq(text[n - 1], '\n');
	ck_assert_ptr_eq(strchr(strchr(text, '\n') + 1, '\n'), text + n - 1);
	close(fd);
}
END_TEST

START_TEST(test_engine_lists)
{
	static const struct {
		const char *text, *ids; /* or a part of the error */
	} table[] = { { "0", "0" },
		      { "3,1", "3 1" },
		      { "0,2-5", "0 2 3 4 5" },
		      { "7-7,6", "7 6" },
		      { "", "!no list" },
		      { "1,", "!no list" },
		      { ",1", "!no list" },
		      { "-1", "!no list" },
		      { "1-", "!no list" },
		      { "1 2", "!no list" },
		      { "a", "!no list" },
		      { "99999999999", "!no list" },
		      { "5-2", "!5-2 goes down" },
		      { "1,0-3", "!engine 1 is named twice" },
		      { "0-16777215", "!more than 8192" } };
	struct xc_error err = XC_ERROR_INIT;
	struct engine_list list = { 0 };
	char got[100] = "";
	size_t used = 0;
	int r;

	r = engine_list_parse(&list, table[_i].text, &err);
	if (table[_i].ids[0] == '!') {
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_msg(strstr(err.text, table[_i].ids + 1) != NULL, "%s", err.text);
		ck_assert(!list.ids && !list.count);
		return;
	}
	ck_assert_msg(r == 0, "%s", err.text);
	for (int i = 0; i < list.count; i++)
		used += (size_t)snprintf(got + used, sizeof got - used, "%s%d", i ? " " : "",
					 list.ids[i]);
	ck_assert_str_eq(got, table[_i].ids);
	engine_list_fini(&list);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("command");
	TCase *tests = tcase_create("command");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, fixture_begin, fixture_end);
	tcase_add_loop_test(tests, test_engine_lists, 0, 15);
	tcase_add_test(tests, test_quotas);
	tcase_add_test(tests, test_cgroup_paths);
	tcase_add_test(tests, test_affinity);
	tcase_add_test(tests, test_sizes_and_times);
	tcase_add_test(tests, test_table);
	tcase_add_test(tests, test_tail);
	tcase_add_test(tests, test_log_lines);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
