/* fixture.c: small programs and libraries that a test builds on the fly. */
#include "tests/unit/fixture.h"

#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[PATH_MAX];

void fixture_begin(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(directory, sizeof directory, "%s/xcluster-test.XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void fixture_end(void)
{
	ck_assert_int_eq(nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *fixture_path(const char *format, ...)
{
	static char paths[8][2 * PATH_MAX];
	static size_t next;
	char *path = paths[next++ % 8];
	char name[PATH_MAX - 2];
	va_list ap;

	va_start(ap, format);
	vsnprintf(name, sizeof name, format, ap);
	va_end(ap);
	snprintf(path, sizeof paths[0], "%s/%s", directory, name);
	return path;
}

void fixture_write(const char *name, const char *text)
{
	FILE *file = fopen(fixture_path("%s", name), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

uint8_t *fixture_read(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	uint8_t *bytes;

	ck_assert_msg(file != NULL, "cannot open %s", path);
	ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
	*size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*size + 1);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

static int run_cc(const char *arguments, const char *errors)
{
	const char *cc = getenv("CC");
	char *command;
	int r;

	ck_assert_int_ge(asprintf(&command, "cd '%s' && %s %s %s", directory, cc ? cc : "cc",
				  arguments, errors),
			 0);
	r = system(command); /* NOLINT: the shell splits $CC as make does */
	free(command);
	return r;
}

bool fixture_try_cc(const char *format, ...)
{
	char arguments[8192];
	va_list ap;

	va_start(ap, format);
	vsnprintf(arguments, sizeof arguments, format, ap);
	va_end(ap);
	return run_cc(arguments, "2>/dev/null") == 0;
}

void fixture_cc(const char *format, ...)
{
	char arguments[8192];
	va_list ap;

	va_start(ap, format);
	vsnprintf(arguments, sizeof arguments, format, ap);
	va_end(ap);
	ck_assert_msg(run_cc(arguments, "") == 0, "cc %s failed", arguments);
}
