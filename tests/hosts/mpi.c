/* mpi.c: engines as the ranks of an MPI job, on three hosts, by ssh between them. */
#include "tests/hosts/jobs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOGIN "tester@ctl"
#define HOSTS "--host node1:2,node2:2,node3:3"

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

START_TEST(ranks_of_mpiexec_are_engines)
{
	struct program job;

	bed_spawn(&bed, LOGIN, &job,
		  "(xcluster controller --ip='*' & exec mpiexec " HOSTS
		  " -n 7 xcluster engines) >job.log 2>&1");
	ck_assert(cluster_wait_engines(&bed, LOGIN, 7, 30));
	ck_assert_int_eq(cluster_agents(&bed, LOGIN), 3);
	ck_assert(cluster_has_launch(&bed, LOGIN, "node1", "mpi rank 0-1"));
	ck_assert(cluster_has_launch(&bed, LOGIN, "node3", "mpi rank 4-6"));
	ck_assert_msg(
		strstr(bed_ok(&bed, LOGIN, "%s/hello", getenv("XC_TEST_EXAMPLES")), "on node3"),
		"not on node3");
	cluster_stop(&bed, LOGIN);
	ck_assert_int_eq(program_end(&job), 0);
}
END_TEST

START_TEST(the_launcher_runs_mpiexec)
{
	bed_ok(&bed, LOGIN, "xcluster start --launcher mpi -n 7 --launcher-option='" HOSTS "'");
	ck_assert_int_eq(cluster_engines(&bed, LOGIN), 7);
	ck_assert(cluster_has_launch(&bed, LOGIN, "node2", "mpi job #1, mpi rank 2-3"));
	ck_assert(cluster_wait_text(&bed, LOGIN, "mpiexec: job 1 is running", 10));
	cluster_stop(&bed, LOGIN);
}
END_TEST

START_TEST(engines_keep_the_cores_of_their_ranks)
{
	const char *cores;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		bed_skip("engines_keep_the_cores_of_their_ranks", "one core");
		return;
	}
	bed_ok(&bed, LOGIN,
	       "xcluster start --launcher mpi -n 2 --launcher-option='--host node1:2 --bind-to "
	       "core'");
	cores = bed_ok(&bed, LOGIN,
		       "xcluster exec 'system(\"grep Cpus_allowed_list /proc/self/status\");' | "
		       "sed 's/.*://' | sort -u | wc -l");
	ck_assert_msg(strcmp(cores, "2") == 0, "%s sets of cores", cores);
	cluster_stop(&bed, LOGIN);
}
END_TEST

/* kill -9 of what leaves ranks behind. */
static const char *const victims[] = { "mpiexec", "supervise" };

START_TEST(no_rank_outlives_what_has_started_it)
{
	bed_ok(&bed, LOGIN, "xcluster start --launcher mpi -n 7 --launcher-option='" HOSTS "'");
	bed_ok(&bed, LOGIN, "kill -9 $(pgrep -o -f '%s')",
	       _i == 0 ? "^mpiexec" : "^xcluster supervise");
	ck_assert_msg(cluster_wait_engines(&bed, LOGIN, 0, 10), "engines outlive %s", victims[_i]);
	for (int i = 1; i <= 3; i++) {
		char host[16];

		snprintf(host, sizeof host, "node%d", i);
		ck_assert_msg(bed_wait_processes(&bed, host, "xcluster", 0, 10), "%s outlive %s",
			      host, victims[_i]);
	}
	ck_assert(cluster_wait_text(&bed, LOGIN,
				    _i == 0 ? "job 1 has ended (signal 9)"
					    : "the launcher's supervisor has ended",
				    10));
	cluster_stop(&bed, LOGIN);
}
END_TEST

START_TEST(a_killed_agent_ends_the_ranks_of_its_host)
{
	bed_ok(&bed, LOGIN,
	       "xcluster start --launcher mpi -n 2 --launcher-option='--host node1:2'");
	bed_ok(&bed, "node1",
	       "for p in $(pgrep -x xcluster); do "
	       "[ -z \"$(cat /proc/$p/task/$p/children)\" ] || kill -9 $p; done");
	ck_assert(bed_wait_processes(&bed, "node1", "xcluster", 0, 10));
	ck_assert(cluster_wait_text(&bed, LOGIN, "job 1 has ended (exit status", 10));
	cluster_stop(&bed, LOGIN);
}
END_TEST

START_TEST(what_mpiexec_says_is_the_reason)
{
	bed_run(&bed, LOGIN, LIMIT, &output,
		"xcluster start --launcher mpi -n 99 --launcher-option='--host node1:2'");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(output.elapsed < 15, "%g s", output.elapsed);
	ck_assert_msg(strstr(output.err, "not enough slots"), "%s", output.err);
	cluster_assert_nothing_left(&bed, 5);
}
END_TEST

static Suite *mpi_suite(void)
{
	Suite *suite = suite_create("mpi");
	TCase *tests = tcase_create("mpi");

	tcase_set_timeout(tests, 2 * LIMIT);
	tcase_add_checked_fixture(tests, begin, end);
	if (bed_lacks("mpi")) {
		bed_skip("mpi", bed_lacks("mpi"));
	} else {
		tcase_add_test(tests, ranks_of_mpiexec_are_engines);
		tcase_add_test(tests, the_launcher_runs_mpiexec);
		tcase_add_test(tests, engines_keep_the_cores_of_their_ranks);
		tcase_add_loop_test(tests, no_rank_outlives_what_has_started_it, 0, 2);
		tcase_add_test(tests, a_killed_agent_ends_the_ranks_of_its_host);
		tcase_add_test(tests, what_mpiexec_says_is_the_reason);
	}
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return bed_tests(&bed, &(struct bed_options){ .nodes = 3, .shared_home = true },
			 mpi_suite());
}
