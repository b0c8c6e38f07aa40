/* places.c: the directories and files of a test program, and its main. */
#include "tests/support/support.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEST_TIMEOUT 90

const char *test_dir(void)
{
	const char *dir = getenv("XC_TEST_DIR");

	return dir ? dir : "/nonexistent";
}

static const char *format_path(const char *dir, const char *format, va_list ap)
{
	static char buffers[8][512];
	static int next;
	char *path = buffers[next++ % 8];
	int n = snprintf(path, sizeof buffers[0], "%s/", dir);

	vsnprintf(path + n, sizeof buffers[0] - (size_t)n, format, ap);
	return path;
}

const char *test_path(const char *format, ...)
{
	const char *path;
	va_list ap;

	va_start(ap, format);
	path = format_path(test_dir(), format, ap);
	va_end(ap);
	return path;
}

const char *cluster_path(const char *format, ...)
{
	const char *path;
	va_list ap;

	va_start(ap, format);
	path = format_path(getenv("XCLUSTER_DIR"), format, ap);
	va_end(ap);
	return path;
}

const char *xcluster_command(void)
{
	const char *command = getenv("XCLUSTER_COMMAND");

	ck_assert_msg(command != NULL, "XCLUSTER_COMMAND must name the xcluster to test");
	return command;
}

void write_file(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "w");

	ck_assert_msg(file != NULL, "cannot write %s", path);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t size = 0, room = 0;
	char *text = NULL;

	if (!file)
		return NULL;
	do {
		if (room < size + 4096)
			text = realloc(text, room = 2 * room + 8192);
		ck_assert_ptr_nonnull(text);
		size += fread(text + size, 1, room - size - 1, file);
	} while (!feof(file) && !ferror(file));
	fclose(file);
	text[size] = '\0';
	return text;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	if (ftw->level > 0)
		remove(path);
	return 0;
}

static void end_processes(void)
{
	pid_t pids[256];

	for (int n = 1, round = 0; n > 0 && round < 100; round++) {
		n = cluster_processes(pids, 256);
		for (int i = 0; i < n && i < 256; i++) {
			kill(pids[i], SIGKILL);
			process_ends(pids[i], 1.0);
		}
	}
}

void clear_away(void)
{
	end_processes();
	nftw(getenv("XCLUSTER_DIR"), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int run_tests(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	char dir[] = "/tmp/xcXXXXXX", clusters[32];
	int failed;

	if (!mkdtemp(dir)) {
		perror(dir);
		return 1;
	}
	snprintf(clusters, sizeof clusters, "%s/c", dir);
	mkdir(clusters, 0700);
	setenv("XC_TEST_DIR", dir, 1);
	setenv("XCLUSTER_DIR", clusters, 1);
	unsetenv("XCLUSTER_CONNECTION");
	unsetenv("XCLUSTER");
	signal(SIGPIPE, SIG_IGN);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	if (srunner_ntests_run(runner) == 0)
		failed = 1;
	srunner_free(runner);
	end_processes();
	if (failed && getenv("XC_TEST_KEEP"))
		fprintf(stderr, "kept: %s\n", dir);
	else
		nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), rmdir(dir);
	return failed ? 1 : 0;
}

TCase *shared_case(Suite *suite, const char *name)
{
	TCase *tests = tcase_create(name);

	tcase_set_timeout(tests, TEST_TIMEOUT);
	suite_add_tcase(suite, tests);
	return tests;
}

TCase *separate_case(Suite *suite, const char *name)
{
	TCase *tests = shared_case(suite, name);

	tcase_add_checked_fixture(tests, clear_away, NULL);
	return tests;
}
