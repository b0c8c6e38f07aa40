/* compile.c: programs and libraries that a test compiles while it runs. */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	ck_assert_msg(value != NULL, "the environment has no %s", name);
	return value;
}

void compile(const char *program, const char *source, const char *flags)
{
	static struct output output;
	char command[4096];

	snprintf(command, sizeof command,
		 "%s -std=gnu11 -Wl,--build-id %s -I'%s' '%s/programs/%s' -o '%s.new' %s "
		 "-L'%s' -Wl,-rpath,'%s' -lxcluster -lm && mv -f '%s.new' '%s'",
		 environment("XC_TEST_CC"), environment("XC_TEST_CFLAGS"),
		 environment("XC_TEST_INCLUDE"), environment("XC_TEST_SOURCES"), source,
		 test_path("%s", program), flags, environment("XC_TEST_LIBDIR"),
		 environment("XC_TEST_LIBDIR"), test_path("%s", program), test_path("%s", program));
	RUN(&output, "sh", "-c", command);
	ck_assert_msg(output.status == 0, "%s: %s", command, output.err);
}
