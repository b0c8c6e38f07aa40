/* pbs.c: clusters by PBS's commands, which are Slurm's qsub, qstat and qdel here. */
#include "tests/hosts/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN "tester@ctl"

static struct bed bed;
static struct output output;

static void begin(void)
{
	bed_ok(&bed, LOGIN, "rm -rf .xcluster");
}

static void end(void)
{
	bed_run(&bed, LOGIN, LIMIT, &output, "xcluster stop");
	cluster_assert_nothing_left(&bed, 15);
}

static bool queue_is_empty(void *arg)
{
	(void)arg;
	return strcmp(bed_ok(&bed, LOGIN, "squeue -h -u tester -t PD,R | wc -l"), "0") == 0;
}

START_TEST(engines_come_by_qsub_and_go_with_the_cluster)
{
	bed_ok(&bed, LOGIN, "xcluster start --launcher pbs -n 4 --jobs 2 --time 10");
	ck_assert_int_eq(cluster_engines(&bed, LOGIN), 4);
	ck_assert(cluster_wait_text(&bed, LOGIN, "is running", 20));
	ck_assert_msg(
		strstr(bed_ok(&bed, LOGIN, "%s/hello", getenv("XC_TEST_EXAMPLES")), "on node"),
		"on no node");
	cluster_stop(&bed, LOGIN);
	ck_assert(wait_until(queue_is_empty, NULL, 20));
}
END_TEST

START_TEST(jobs_that_wait_are_told_and_are_deleted)
{
	bed_run(&bed, LOGIN, LIMIT, &output,
		"xcluster start --launcher pbs -n 2 --launcher-option='-a 2030-01-01' "
		"--engine-timeout 3");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "PBS: job ") && strstr(output.err, "is pending"), "%s",
		      output.err);
	cluster_assert_nothing_left(&bed, 10);
	ck_assert(wait_until(queue_is_empty, NULL, 20));
}
END_TEST

START_TEST(a_job_deleted_behind_our_back_is_noticed)
{
	bed_ok(&bed, LOGIN, "xcluster start --launcher pbs -n 2");
	bed_ok(&bed, LOGIN, "qdel $(squeue -h -u tester -o %%A | head -n 1)");
	ck_assert(cluster_wait_text(&bed, LOGIN, "has ended (", 20));
	ck_assert(cluster_wait_engines(&bed, LOGIN, 0, 10));
	cluster_stop(&bed, LOGIN);
}
END_TEST

static Suite *pbs_suite(void)
{
	Suite *suite = suite_create("pbs");
	TCase *tests = tcase_create("pbs");

	tcase_set_timeout(tests, 2 * LIMIT);
	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, engines_come_by_qsub_and_go_with_the_cluster);
	tcase_add_test(tests, jobs_that_wait_are_told_and_are_deleted);
	tcase_add_test(tests, a_job_deleted_behind_our_back_is_noticed);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	if (bed_lacks("qsub")) {
		printf("skipped: %s\n", bed_lacks("qsub"));
		return 77;
	}
	return bed_tests(&bed,
			 &(struct bed_options){ .nodes = 2, .shared_home = true, .slurm = true },
			 pbs_suite());
}
