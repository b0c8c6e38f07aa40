/* slurm.c: clusters within a job of Slurm, and by jobs of Slurm. ctl is the login host, all
 * have one home directory. */
#include "tests/hosts/jobs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOGIN "tester@ctl"

static struct bed bed;
static struct output output;

static void begin(void)
{
	bed_ok(&bed, LOGIN, "rm -rf .xcluster go");
}

static void end(void)
{
	bed_run(&bed, LOGIN, LIMIT, &output, "touch go; scancel -u tester; xcluster stop");
	cluster_assert_nothing_left(&bed, 15);
}

static bool queue_is_empty(void *arg)
{
	(void)arg;
	return strcmp(bed_ok(&bed, LOGIN, "squeue -h -u tester -t PD,R | wc -l"), "0") == 0;
}

static void assert_no_job(void)
{
	ck_assert(wait_until(queue_is_empty, NULL, 10));
}

/* ---- Within a job ------------------------------------------------------------------------ */

/* No sleep, whichever comes first. */
static const char *const orders[] = {
	"xcluster controller --ip='*' & srun xcluster engines & ",
	"srun xcluster engines & xcluster controller --ip='*' & ",
};

START_TEST(engines_find_the_controller_whichever_comes_first)
{
	struct program job;

	bed_spawn(&bed, LOGIN, &job,
		  "exec salloc -Q -N3 --ntasks-per-node=2 sh -c \"%s wait\" >job.log 2>&1",
		  orders[_i]);
	ck_assert(cluster_wait_engines(&bed, LOGIN, 6, 20));
	ck_assert_int_eq(cluster_agents(&bed, LOGIN), 3); /* one a node */
	ck_assert(cluster_has_launch(&bed, LOGIN, "node1", ".0 node node1 rank 0-1"));
	ck_assert(cluster_has_launch(&bed, LOGIN, "node2", ".0 node node2 rank 2-3"));
	ck_assert(cluster_has_launch(&bed, LOGIN, "node3", ".0 node node3 rank 4-5"));
	cluster_stop(&bed, LOGIN);
	ck_assert_int_eq(program_end(&job), 0);
	assert_no_job();
}
END_TEST

/* The whole session of docs/slurm.md, in a batch script. */
START_TEST(a_batch_script_has_a_cluster_of_its_own)
{
	bed_ok(&bed, LOGIN,
	       "cat > job.sh <<'EOF'\n#!/bin/sh\n#SBATCH --nodes=2 --ntasks=4 --output=job.out\n"
	       "xcluster controller --ip='*' &\nsrun xcluster engines &\nxcluster wait -n 4 && "
	       "%s/hello\n"
	       "xcluster stop\nwait\nEOF\nsbatch --wait job.sh",
	       getenv("XC_TEST_EXAMPLES"));
	ck_assert_msg(strstr(bed_ok(&bed, LOGIN, "cat job.out"), "on node2"), "%s",
		      bed_ok(&bed, LOGIN, "cat job.out"));
	assert_no_job();
}
END_TEST

START_TEST(a_number_of_engines_is_of_each_node)
{
	struct program job;

	bed_spawn(&bed, LOGIN, &job,
		  "salloc -Q -N2 -n4 sh -c \"xcluster controller --ip='*' & srun xcluster engines "
		  "-n 3 & wait\" >job.log 2>&1");
	ck_assert(cluster_wait_engines(&bed, LOGIN, 6, 20));
	ck_assert_int_eq(cluster_agents(&bed, LOGIN), 2);
	cluster_stop(&bed, LOGIN);
	ck_assert_int_eq(program_end(&job), 0);
}
END_TEST

START_TEST(ranks_end_with_their_agent)
{
	struct program job;

	bed_spawn(&bed, LOGIN, &job,
		  "salloc -Q -N1 -n3 sh -c \"xcluster controller --ip='*' & srun xcluster engines; "
		  "echo srun \\$?; xcluster stop; wait\" >job.log 2>&1");
	ck_assert(cluster_wait_engines(&bed, LOGIN, 3, 20));
	/* The agent is the task that has children. */
	bed_ok(&bed, "node1",
	       "for p in $(pgrep -x xcluster); do "
	       "[ -z \"$(cat /proc/$p/task/$p/children)\" ] || kill -9 $p; done");
	program_end(&job);
	ck_assert_msg(strstr(bed_ok(&bed, LOGIN, "cat job.log"), "srun 137"), "%s",
		      bed_ok(&bed, LOGIN, "cat job.log"));
	cluster_assert_nothing_left(&bed, 5);
	assert_no_job();
}
END_TEST

START_TEST(the_file_of_a_dead_controller_is_read_again_until_it_works)
{
	struct program job;

	bed_ok(&bed, LOGIN,
	       "xcluster controller --ip='*' >first.log 2>&1 & p=$!; "
	       "until xcluster status >/dev/null 2>&1; do sleep .05; done; kill -9 $p; "
	       "test -e .xcluster/default/engines.json");
	bed_spawn(&bed, LOGIN, &job,
		  "salloc -Q -N2 -n2 sh -c \"srun xcluster engines & "
		  "until [ -e go ]; do sleep .02; done; xcluster controller --ip='*' & wait\" "
		  ">job.log 2>&1");
	bed_ok(&bed, "node1", "until pgrep -x xcluster; do sleep .02; done"); /* it waits */
	bed_ok(&bed, LOGIN, "touch go");
	ck_assert(cluster_wait_engines(&bed, LOGIN, 2, 30));
	cluster_stop(&bed, LOGIN);
	program_end(&job);
}
END_TEST

START_TEST(without_a_controller_engines_end_with_a_sentence)
{
	bed_run(&bed, LOGIN, LIMIT, &output,
		"srun -N1 -n2 xcluster engines --wait-for-controller 1");
	ck_assert_int_ne(output.status, 0);
	ck_assert_msg(output.elapsed < 10, "%g s", output.elapsed);
	ck_assert_msg(strstr(output.err, "waited 1 s"), "%s", output.err);
	cluster_assert_nothing_left(&bed, 5);
}
END_TEST

/* ---- From outside ------------------------------------------------------------------------ */

START_TEST(engines_come_by_a_job_and_go_with_the_cluster)
{
	bed_ok(&bed, LOGIN, "xcluster start --launcher slurm -n 64 --time 10");
	ck_assert_int_eq(cluster_engines(&bed, LOGIN), 64);
	ck_assert(cluster_wait_text(&bed, LOGIN, "is running", 10));
	ck_assert_msg(
		strstr(bed_ok(&bed, LOGIN, "%s/hello", getenv("XC_TEST_EXAMPLES")), "on node2"),
		"not on node2");
	cluster_stop(&bed, LOGIN);
	assert_no_job();
}
END_TEST

static bool end_is_known(void *arg)
{
	json_t *status = cluster_status(&bed, LOGIN);
	const json_t *agent = json_array_get(json_object_get(status, "agents"), 0);
	double ends = json_number_value(json_object_get(agent, "ends_in"));
	bool is_known = json_is_real(json_object_get(agent, "ends_in"));

	*(double *)arg = ends;
	json_decref(status);
	return is_known;
}

START_TEST(agents_know_when_their_job_ends)
{
	double left = 0;

	bed_ok(&bed, LOGIN, "xcluster start --launcher slurm -n 1 --time 2");
	ck_assert(wait_until(end_is_known, &left, 10));
	ck_assert_msg(left > 60 && left < 120, "%g s", left); /* two minutes, less our own end */
	cluster_stop(&bed, LOGIN);
}
END_TEST

START_TEST(more_than_there_is_stays_pending_and_is_cancelled)
{
	bed_run(&bed, LOGIN, LIMIT, &output,
		"xcluster start --launcher slurm -n 97 --jobs 3 --launcher-option=--exclusive "
		"--launcher-option=--nodes=2-2 --engine-timeout 3");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "of 97 engines are up") &&
			      strstr(output.err, "is pending (Resources)"),
		      "%s", output.err);
	cluster_assert_nothing_left(&bed, 10);
	assert_no_job();
}
END_TEST

START_TEST(engines_arrive_as_small_jobs_start)
{
	bed_ok(&bed, LOGIN,
	       "xcluster start --launcher slurm -n 12 --jobs 4 --launcher-option=--exclusive "
	       "--launcher-option=--nodes=1 --no-wait");
	ck_assert(cluster_wait_engines(&bed, LOGIN, 9, 20)); /* of three nodes */
	ck_assert(cluster_wait_text(&bed, LOGIN, "is pending (Resources)", 10));
	ck_assert(cluster_wait_text(&bed, LOGIN, "3 engines to come", 10));
	cluster_stop(&bed, LOGIN);
	assert_no_job();
}
END_TEST

START_TEST(a_job_cancelled_behind_our_back_is_noticed)
{
	bed_ok(&bed, LOGIN, "xcluster start --launcher slurm -n 4 --jobs 2");
	bed_ok(&bed, LOGIN, "scancel $(squeue -h -u tester -o %%A | head -n 1)");
	ck_assert(cluster_wait_text(&bed, LOGIN, "has ended (CANCELLED", 15));
	ck_assert(cluster_wait_engines(&bed, LOGIN, 2, 10));
	bed_ok(&bed, LOGIN, "xcluster scale 5");
	ck_assert_int_eq(cluster_engines(&bed, LOGIN), 5);
	bed_ok(&bed, LOGIN, "xcluster scale 1");
	cluster_stop(&bed, LOGIN);
	assert_no_job();
}
END_TEST

START_TEST(a_dry_run_is_a_script_that_sbatch_takes)
{
	const char *script = bed_ok(&bed, LOGIN,
				    "xcluster start --launcher slurm -n 8 --partition debug --time "
				    "1:30 --launcher-option=--nice=10 --dry-run 2>/dev/null");

	ck_assert_msg(strstr(script, "#SBATCH --ntasks=8\n#SBATCH --partition=debug\n"
				     "#SBATCH --time=00:01:30\n#SBATCH --nice=10\n"),
		      "%s", script);
	ck_assert(!strstr(script, "{"));
	bed_ok(&bed, LOGIN,
	       "xcluster start --launcher slurm -n 8 --time 5 --dry-run 2>/dev/null >dry.sh && "
	       "sbatch --test-only dry.sh");
	assert_no_job();
}
END_TEST

START_TEST(what_sbatch_refuses_is_said)
{
	bed_run(&bed, LOGIN, LIMIT, &output, "xcluster start --launcher slurm -n 2 --partition no");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "Invalid partition name specified"), "%s", output.err);
	cluster_assert_nothing_left(&bed, 5);
}
END_TEST

/* Slurm itself would notice after half a minute. The last test: the node stays away. */
START_TEST(a_node_that_crashes_is_noticed_by_its_silence)
{
	double begun;

	bed_ok(&bed, LOGIN,
	       "xcluster start --launcher slurm -n 6 --heartbeat-timeout 1 "
	       "--launcher-option=--nodes=3 --launcher-option=--ntasks-per-node=2");
	begun = now();
	bed_crash(&bed, "node3");
	ck_assert(cluster_wait_engines(&bed, LOGIN, 4, 10));
	ck_assert_msg(now() - begun < 5, "%g s", now() - begun);
	bed_ok(&bed, LOGIN, "xcluster stop");
	for (int i = 1; i < 3; i++) {
		char host[16];

		snprintf(host, sizeof host, "node%d", i);
		ck_assert(bed_wait_processes(&bed, host, "xcluster", 0, 10));
	}
}
END_TEST

static Suite *slurm_suite(void)
{
	Suite *suite = suite_create("slurm");
	TCase *inside = tcase_create("inside"), *outside = tcase_create("outside"),
	      *crash = tcase_create("crash");

	tcase_set_timeout(inside, 2 * LIMIT);
	tcase_set_timeout(outside, 2 * LIMIT);
	tcase_set_timeout(crash, 2 * LIMIT);
	tcase_add_checked_fixture(inside, begin, end);
	tcase_add_loop_test(inside, engines_find_the_controller_whichever_comes_first, 0, 2);
	tcase_add_test(inside, a_batch_script_has_a_cluster_of_its_own);
	tcase_add_test(inside, a_number_of_engines_is_of_each_node);
	tcase_add_test(inside, ranks_end_with_their_agent);
	tcase_add_test(inside, the_file_of_a_dead_controller_is_read_again_until_it_works);
	tcase_add_test(inside, without_a_controller_engines_end_with_a_sentence);
	tcase_add_checked_fixture(outside, begin, end);
	tcase_add_test(outside, engines_come_by_a_job_and_go_with_the_cluster);
	tcase_add_test(outside, agents_know_when_their_job_ends);
	tcase_add_test(outside, more_than_there_is_stays_pending_and_is_cancelled);
	tcase_add_test(outside, engines_arrive_as_small_jobs_start);
	tcase_add_test(outside, a_job_cancelled_behind_our_back_is_noticed);
	tcase_add_test(outside, a_dry_run_is_a_script_that_sbatch_takes);
	tcase_add_test(outside, what_sbatch_refuses_is_said);
	tcase_add_checked_fixture(crash, begin, NULL);
	tcase_add_test(crash, a_node_that_crashes_is_noticed_by_its_silence);
	suite_add_tcase(suite, inside);
	suite_add_tcase(suite, outside);
	suite_add_tcase(suite, crash);
	return suite;
}

int main(void)
{
	return bed_tests(&bed,
			 &(struct bed_options){ .nodes = 3, .shared_home = true, .slurm = true },
			 slurm_suite());
}
