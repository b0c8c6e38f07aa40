/* test_cache.c: what is kept of compiled sources, for how long, and what is not
 * believed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libcluster/cache.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static unsigned char key[CACHE_KEY_SIZE];
static struct cache_entry entry;
static struct xc_error err;

static void begin(void)
{
	fixture_begin();
	setenv("XCLUSTER_DIR", fixture_path("c"), 1);
	setenv("TMPDIR", fixture_path("."), 1);
	memset(key, 7, sizeof key);
}

static void enter(void)
{
	ck_assert_msg(cache_enter(&entry, key, &err) == 0, "%s", err.text);
}

/* Keeps `text` as the library made of the files that the rule names. */
static int keep(const char *text, const char *rule)
{
	char work[PATH_MAX], path[PATH_MAX + 16];
	int fd;

	ck_assert_int_eq(cache_work(&entry, work, &err), 0);
	ck_assert_int_eq(access(work, F_OK), 0);
	fixture_write("rule", rule);
	fixture_write("made", text);
	snprintf(path, sizeof path, "%s/made", work);
	ck_assert_int_eq(rename(fixture_path("made"), path), 0);
	fd = cache_keep(&entry, path, fixture_path("rule"), &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	return fd;
}

static void expect_text(int fd, const char *text)
{
	char read_text[64] = "";

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, read_text, sizeof read_text - 1, 0), (ssize_t)strlen(text));
	ck_assert_str_eq(read_text, text);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
	close(fd);
}

START_TEST(test_keeping)
{
	ck_assert_int_eq(cache_load(key), -ENOENT);
	enter();
	ck_assert(!entry.is_temporary);
	expect_text(keep("library", ""), "library");
	cache_leave(&entry);
	expect_text(cache_load(key), "library");
	key[0]++;
	ck_assert_int_eq(cache_load(key), -ENOENT);
}
END_TEST

START_TEST(test_files_that_change)
{
	char rule[600];

	fixture_write("a.h", "1");
	fixture_write("b c.h", "2");
	snprintf(rule, sizeof rule, "out: tasks.c \\\n  %s %s/b\\ c.h\n", fixture_path("a.h"),
		 fixture_path("."));
	enter();
	close(keep("library", rule));
	cache_leave(&entry);
	expect_text(cache_load(key), "library");
	fixture_write("b c.h", "22");
	ck_assert_int_eq(cache_load(key), -ENOENT);
	enter();
	close(keep("newer", rule));
	cache_leave(&entry);
	expect_text(cache_load(key), "newer");
	remove(fixture_path("a.h"));
	ck_assert_int_eq(cache_load(key), -ENOENT);
}
END_TEST

START_TEST(test_damage)
{
	char path[PATH_MAX];
	struct stat st;
	uint8_t *bytes;
	size_t size;

	enter();
	close(keep("a library of some bytes", ""));
	snprintf(path, sizeof path, "%.3000s/library", entry.directory);
	cache_leave(&entry);
	ck_assert_int_eq(stat(path, &st), 0);
	bytes = fixture_read(path, &size);
	for (size_t i = 0; i < size; i++) {
		FILE *file = fopen(path, "w");

		ck_assert_ptr_nonnull(file);
		bytes[i] ^= 1;
		fwrite(bytes, 1, size, file);
		fclose(file);
		bytes[i] ^= 1;
		ck_assert_msg(cache_load(key) == -ENOENT, "byte %zu is not noticed", i);
	}
	for (size_t cut = 0; cut < size; cut++) {
		ck_assert_int_eq(truncate(path, (off_t)cut), 0);
		ck_assert_int_eq(cache_load(key), -ENOENT);
	}
	free(bytes);
}
END_TEST

/* Who comes second waits, and finds what the first has made. N.B. a child of fork would
 * share the lock if it was taken before. */
START_TEST(test_one_at_a_time)
{
	int go[2], here[2], status;
	char byte = 'x';
	pid_t child;

	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(pipe(here), 0);
	child = fork();
	if (child == 0) {
		if (read(go[0], &byte, 1) != 1 || write(here[1], &byte, 1) != 1)
			_exit(1);
		cache_enter(&entry, key, &err);
		_exit(cache_load(key) >= 0 ? 0 : 2);
	}
	enter();
	ck_assert_int_eq(write(go[1], &byte, 1), 1);
	ck_assert_int_eq(read(here[0], &byte, 1), 1);
	close(keep("library", ""));
	cache_leave(&entry);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_failures)
{
	struct xc_error failure = { XC_ECODE, "t.c:1:1: error: no" }, noted = XC_ERROR_INIT;
	struct timespec now;
	uint64_t since;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	since = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	enter();
	ck_assert(!cache_failure(&entry, since, &noted));
	cache_note_failure(&entry, &failure);
	ck_assert(cache_failure(&entry, since, &noted));
	ck_assert_int_eq(noted.code, XC_ECODE);
	ck_assert_str_eq(noted.text, failure.text);
	/* An old one says nothing of today. */
	ck_assert(!cache_failure(&entry, since + UINT64_C(60000000000), &noted));
	cache_leave(&entry);
}
END_TEST

static void fill(int first, int count)
{
	for (int i = first; i < first + count; i++) {
		struct timespec used[2] = { { .tv_sec = 1000 + i }, { .tv_sec = 1000 + i } };
		char path[PATH_MAX];

		key[0] = (unsigned char)i;
		enter();
		close(keep("library", ""));
		snprintf(path, sizeof path, "%.3000s/library", entry.directory);
		ck_assert_int_eq(utimensat(AT_FDCWD, path, used, 0), 0);
		cache_leave(&entry);
	}
}

static bool has(int i)
{
	int fd;

	key[0] = (unsigned char)i;
	fd = cache_load(key);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

START_TEST(test_bounds)
{
	fill(0, 10);
	ck_assert_int_eq(cache_trim(CACHE_BYTES, 10), 0);
	ck_assert(has(0)); /* used now, though it is the oldest */
	ck_assert_int_eq(cache_trim(CACHE_BYTES, 7), 3);
	ck_assert(has(0) && !has(1) && !has(2) && !has(3) && has(4));
	/* One in use stays. */
	key[0] = 5;
	enter();
	ck_assert_int_eq(cache_trim(0, 0), 6);
	ck_assert(has(5) && !has(0) && !has(9));
	cache_leave(&entry);
	ck_assert_int_eq(cache_trim(0, 0), 1);
	ck_assert(!has(5));
}
END_TEST

START_TEST(test_without_a_cache)
{
	char work[PATH_MAX];

	fixture_write("c", "not a directory");
	ck_assert_int_eq(cache_load(key), -ENOENT);
	enter();
	ck_assert(entry.is_temporary);
	expect_text(keep("library", ""), "library");
	ck_assert_int_eq(cache_work(&entry, work, &err), 0);
	cache_leave(&entry);
	ck_assert_int_lt(access(work, F_OK), 0);
	ck_assert_int_lt(access(entry.directory, F_OK), 0);
	ck_assert_int_eq(cache_load(key), -ENOENT);
	ck_assert_int_eq(cache_trim(0, 0), 0);
	/* And nowhere else either. */
	setenv("TMPDIR", fixture_path("c"), 1);
	ck_assert_int_lt(cache_enter(&entry, key, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot make a directory"));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("cache");

	tcase_add_checked_fixture(tests, begin, fixture_end);
	tcase_add_test(tests, test_keeping);
	tcase_add_test(tests, test_files_that_change);
	tcase_add_test(tests, test_damage);
	tcase_add_test(tests, test_one_at_a_time);
	tcase_add_test(tests, test_failures);
	tcase_add_test(tests, test_bounds);
	tcase_add_test(tests, test_without_a_cache);
	return unit_run(tests);
}
