/* languages.c: programs in C++ and Fortran: the examples, on a cluster and without. */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char lambdas[] = "pi is about 3.141593\n"
			      "the median is 4, say all engines\n"
			      "'1.5' is 1.5\n"
			      "'2e3' is 2000\n"
			      "'-4' is -4\n"
			      "'many' failed: this is no number\n";

static const char heat[] = "diffusivity 0.06: 11706 steps, then at most 49.9991\n"
			   "diffusivity 0.12:  5853 steps, then at most 49.9981\n"
			   "diffusivity 0.18:  3902 steps, then at most 49.9971\n"
			   "diffusivity 0.24:  2927 steps, then at most 49.9901\n"
			   "diffusivity 0.30:  2341 steps, then at most 49.9980\n"
			   "diffusivity 0.36:  1951 steps, then at most 49.9940\n"
			   "diffusivity 0.42:  1672 steps, then at most 49.9989\n"
			   "diffusivity 0.48:  1463 steps, then at most 49.9978\n"
			   "a diffusivity out of (0, 0.5] is not stable\n";

static const char pi[] = "pi is about 3.1407656\n";

static const struct {
	const char *program, *prints;
} examples[] = {
	{ "examples/cpp/lambdas", lambdas },
	{ "examples/fortran/fortran_heat", heat },
	{ "examples/fortran/fortran_streams", NULL },
	{ "examples/fortran/fortran_pi", pi },
};
#define EXAMPLES ((int)(sizeof examples / sizeof examples[0]))

static struct output output;

/* NULL, and said so, where there was no compiler for it. */
static const char *path_of(int example)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/%s", getenv("XC_TEST_EXAMPLES"), examples[example].program);
	if (access(path, X_OK) == 0)
		return path;
	printf("SKIPPED %s: there is no compiler for it\n", examples[example].program);
	return NULL;
}

START_TEST(examples_of_other_languages_print_the_same_everywhere)
{
	static const char *const places[] = { "", "inline:1", "inline:3" };
	const char *path = path_of(_i);

	for (int p = 0; path && p < 3; p++) {
		if (*places[p])
			setenv("XCLUSTER", places[p], 1);
		RUN(&output, path);
		unsetenv("XCLUSTER");
		ck_assert_msg(output.status == 0, "%s: %s", path, output.err);
		if (examples[_i].prints)
			ck_assert_str_eq(output.out, examples[_i].prints);
		ck_assert_str_eq(output.err, "");
	}
}
END_TEST

/* Ten pairs of numbers behind "mean" and "std". */
static void read_summaries(const char *text, double numbers[20])
{
	for (int i = 0; i < 10; i++) {
		int item = -1, length = 0;

		ck_assert_msg(sscanf(text, "item %d: mean %lf, std %lf%n", &item, &numbers[2 * i],
				     &numbers[2 * i + 1], &length) == 3 &&
				      item == i,
			      "%s", text);
		text += length + 1;
	}
	ck_assert_str_eq(text, "");
}

static void run_example(const char *program, const char *argument, double numbers[20])
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", getenv("XC_TEST_EXAMPLES"), program);
	RUN(&output, path, argument);
	ck_assert_msg(output.status == 0, "%s: %s", path, output.err);
	read_summaries(output.out, numbers);
}

/* The examples in C are compared with numpy elsewhere. */
START_TEST(fortran_draws_the_same_numbers_as_c)
{
	double fortran[20], c[20];

	if (!path_of(2))
		return;
	run_example("examples/fortran/fortran_streams", "spawned", fortran);
	run_example("random_spawn", NULL, c);
	ck_assert_mem_eq(fortran, c, sizeof c);
	run_example("examples/fortran/fortran_streams", "jumped", fortran);
	run_example("random_jumped", NULL, c);
	ck_assert_mem_eq(fortran, c, sizeof c);
}
END_TEST

/* The sentence of the library, and a status. */
START_TEST(examples_of_other_languages_say_what_is_wrong)
{
	const char *path = path_of(_i);

	if (!path)
		return;
	RUN(&output, path);
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, ": no cluster \"default\" is running"), "%s", output.err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("languages");
	TCase *shared = shared_case(suite, "cluster");
	TCase *separate = separate_case(suite, "none");

	add_cluster_start(shared, 2);
	tcase_add_loop_test(shared, examples_of_other_languages_print_the_same_everywhere, 0,
			    EXAMPLES);
	tcase_add_test(shared, fortran_draws_the_same_numbers_as_c);
	add_cluster_stop(shared);
	tcase_add_loop_test(separate, examples_of_other_languages_say_what_is_wrong, 0, EXAMPLES);
	return run_tests(suite);
}
