/* unit.h: what the main function of a unit test does. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdlib.h>

/* Runs a test case or two as a suite of its own; the program's exit status. */
static inline int unit_run_both(TCase *tcase, TCase *other)
{
	Suite *suite = suite_create("unit");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase);
	if (other)
		suite_add_tcase(suite, other);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int unit_run(TCase *tcase)
{
	return unit_run_both(tcase, NULL);
}

#endif
