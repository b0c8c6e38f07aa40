/* tutorial.c: the example of docs/tutorial.md whose numbers are not the same in each run. What
 * the others print is compared with what stands there. */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct output output;

static void run_example(const char *arguments)
{
	char command[4096];

	snprintf(command, sizeof command, "'%s'/%s", getenv("XC_TEST_EXAMPLES"), arguments);
	RUN(&output, "sh", "-c", command);
	ck_assert_msg(output.status == 0, "%s: %s", command, output.err);
}

START_TEST(a_cholesky_factor_is_right_with_any_number_of_threads)
{
	const char *at;

	run_example("cholesky 300 1 2");
	at = strchr(output.out, '\n');
	ck_assert_msg(strncmp(output.out, "300 x 300\n", 10) == 0, "%s", output.out);
	for (int i = 1; i <= 2; i++) {
		double residual = 1;
		int threads = 0;

		ck_assert_msg(at && sscanf(at + 1, "threads %d:", &threads) == 1 && threads == i,
			      "%s", output.out);
		at = strstr(at, "residual");
		ck_assert_msg(at && sscanf(at, "residual %lf", &residual) == 1, "%s", output.out);
		ck_assert_msg(residual > 0 && residual < 1e-14, "%s", output.out);
		at = strchr(at, '\n');
	}
}
END_TEST

START_TEST(sizes_that_are_none_are_refused)
{
	static const char *const wrong[] = { "0", "-1", "many", "9999999999", "100 0", "100 1x" };
	char command[4096];

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		snprintf(command, sizeof command, "'%s'/cholesky %s", getenv("XC_TEST_EXAMPLES"),
			 wrong[i]);
		RUN(&output, "sh", "-c", command);
		ck_assert_int_eq(output.status, 2);
		ck_assert_msg(strstr(output.err, "Usage: cholesky"), "%s", output.err);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tutorial");
	TCase *tests = shared_case(suite, "cluster");

	add_cluster_start(tests, 2);
	tcase_add_test(tests, a_cholesky_factor_is_right_with_any_number_of_threads);
	tcase_add_test(tests, sizes_that_are_none_are_refused);
	add_cluster_stop(tests);
	return run_tests(suite);
}
