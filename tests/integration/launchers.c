/* launchers.c: launchers of batch systems: an invented one, and LSF and HTCondor as their
 * commands' documentation has them; all are tests/integration/programs/batch.sh. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;
static char home[400]; /* of the system's jobs */

static const char zeta[] = "# An invented system.\n"
			   "title = Zeta\n"
			   "submit = zsub {script}\n"
			   "job-id = as (z[0-9]+)\n"
			   "poll = zstat {ids}\n"
			   "poll-job = ^job (.*)$\n"
			   "poll-state = ^  is (.*)$\n"
			   "poll-reason = ^  for (.*)$\n"
			   "pending = PEND\n"
			   "running = RUN\n"
			   "delete = zdel {ids}\n"
			   "---\n"
			   "#!/bin/sh\n"
			   "# queue={partition} account={account} qos={qos} time={time} n={n}\n"
			   "# queue={partition}\n"
			   "# time={time} minutes={minutes} seconds={seconds}\n"
			   "# more={option}\n"
			   "exec {command} -n {n}\n";

static void set_hold(const char *reason)
{
	char path[500];

	snprintf(path, sizeof path, "%s/hold", home);
	if (reason)
		write_file(path, reason, strlen(reason));
	else
		unlink(path);
}

static void set_up(void)
{
	static const char *const names[] = { "zsub",	      "zstat",	  "zdel",
					     "bsub",	      "bjobs",	  "bkill",
					     "condor_submit", "condor_q", "condor_rm" };
	char path[2000], target[1000];

	snprintf(home, sizeof home, "%s", test_path("system"));
	ck_assert_int_eq(mkdir(home, 0700), 0);
	mkdir(test_path("commands"), 0700);
	snprintf(target, sizeof target, "%s/programs/batch.sh", getenv("XC_TEST_SOURCES"));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ck_assert_int_eq(symlink(target, test_path("commands/%s", names[i])), 0);
	mkdir(test_path("launchers"), 0700);
	write_file(test_path("launchers/zeta.launcher"), zeta, strlen(zeta));
	snprintf(path, sizeof path, "%s:%s", test_path("commands"), getenv("PATH"));
	setenv("PATH", path, 1);
	setenv("XCLUSTER_LAUNCHERS", test_path("launchers"), 1);
	setenv("FAKE_BATCH", home, 1);
}

static void take_down(void)
{
	struct output output;

	clear_away();
	RUN(&output, "rm", "-rf", test_path("system"), test_path("commands"),
	    test_path("launchers"));
}

static bool is_in_calls(const char *part)
{
	char path[500], *calls;
	bool is_in;

	snprintf(path, sizeof path, "%s/calls", home);
	calls = read_file(path);
	is_in = calls && strstr(calls, part);
	free(calls);
	return is_in;
}

/* `xcluster start --launcher NAME ...`, that must succeed. */
#define START(name, ...)                                                                           \
	do {                                                                                       \
		struct output output_;                                                             \
                                                                                                   \
		XCLUSTER(&output_, "start", "--ip", "127.0.0.1", "--launcher", name, __VA_ARGS__); \
		ck_assert_msg(output_.status == 0, "%s", output_.err);                             \
	} while (0)

static int square(struct xc_task *task, const void *in, void *out)
{
	int64_t i = xc_task_index(task);

	(void)in;
	*(int64_t *)out = i * i;
	return 0;
}

static void check_map(int engines)
{
	struct xc_client *client = open_client(engines);
	int64_t squares[200];

	assert_ok(xc_map_range(xc_balanced(client), square, 200, squares, sizeof *squares, NULL,
			       &err),
		  err);
	for (int64_t i = 0; i < 200; i++)
		ck_assert_int_eq(squares[i], i * i);
	xc_close(client);
}

/* The i-th job in status --json: borrowed from *status. */
static const json_t *job_at(json_t **status, size_t i)
{
	*status = XCLUSTER_JSON("status", "--json");
	return json_array_get(json_object_get(json_object_get(*status, "launcher"), "jobs"), i);
}

static bool job_has(size_t i, const char *key, const char *value)
{
	json_t *status;
	const char *text = json_string_value(json_object_get(job_at(&status, i), key));
	bool has = text && strcmp(text, value) == 0;

	json_decref(status);
	return has;
}

static bool first_has_ended(void *arg)
{
	(void)arg;
	return job_has(0, "state", "ended");
}

static bool first_runs(void *arg)
{
	(void)arg;
	return job_has(0, "state", "running");
}

static bool first_is_pending(void *arg)
{
	(void)arg;
	return job_has(0, "state", "pending");
}

/* ---- One that nobody knew ---------------------------------------------------------------- */

START_TEST(a_system_is_added_by_a_file)
{
	struct output output;

	START("zeta", "-n", "3");
	check_map(3);
	ck_assert(wait_until(first_runs, NULL, LIMIT));
	XCLUSTER(&output, "status");
	ck_assert_msg(strstr(output.out, "Zeta: job z101 is running"), "%s", output.out);
	ck_assert_msg(strstr(output.out, "zeta job #1"), "%s", output.out);
	stop_cluster();
}
END_TEST

START_TEST(several_jobs_share_the_engines)
{
	json_t *status;

	START("zeta", "-n", "5", "--jobs", "3");
	check_map(5);
	ck_assert_int_eq(json_integer_value(json_object_get(job_at(&status, 0), "engines")), 2);
	json_decref(status);
	ck_assert_int_eq(json_integer_value(json_object_get(job_at(&status, 2), "engines")), 1);
	json_decref(status);
	stop_cluster();
}
END_TEST

START_TEST(three_command_lines_are_enough)
{
	static const char small[] = "submit = zsub {script} | sed 's/.*z/z/; s/,.*//'\n"
				    "job-id = (z[0-9]+)\n"
				    "poll = zstat {job} | grep 'is [PR]' || :\n"
				    "delete = zdel {job}\n"
				    "---\n{command} -n {n}\n";

	write_file(test_path("launchers/small.launcher"), small, strlen(small));
	START("small", "-n", "2");
	check_map(2);
	stop_cluster();
}
END_TEST

START_TEST(jobs_that_wait_are_told_with_their_reason)
{
	struct xc_client *client;
	struct output output;
	int r;

	set_hold("the moon is not full");
	START("zeta", "-n", "2", "--no-wait");
	ck_assert(wait_until(first_is_pending, NULL, LIMIT));
	ck_assert(job_has(0, "reason", "the moon is not full"));
	XCLUSTER(&output, "status");
	ck_assert_msg(strstr(output.out, "job z101 is pending (the moon is not full)"), "%s",
		      output.out);
	ck_assert_msg(strstr(output.out, "2 engines to come"), "%s", output.out);
	client = open_client(0);
	r = xc_wait_for_engines(client, 2, 0.2, &err);
	assert_error(r, -ETIMEDOUT, &err, "Zeta: job z101 is pending (the moon is not full)");
	set_hold(NULL);
	assert_ok(xc_wait_for_engines(client, 2, LIMIT, &err), err);
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(a_start_that_waits_in_vain_says_why_and_cancels)
{
	struct output output;

	set_hold("no room");
	XCLUSTER(&output, "start", "--ip", "127.0.0.1", "--launcher", "zeta", "-n", "2",
		 "--engine-timeout", "1");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "0 of 2 engines are up after 1.") &&
			      strstr(output.err, "Zeta: job z101 is pending (no room)"),
		      "%s", output.err);
	ck_assert(is_in_calls("zdel z101"));
	assert_nothing_left(5);
}
END_TEST

/* Behind our back. */
START_TEST(a_job_that_ends_is_noticed_and_said)
{
	struct output output;

	START("zeta", "-n", "2", "--jobs", "2");
	RUN(&output, "zdel", "z101");
	ck_assert_int_eq(output.status, 0);
	ck_assert(wait_until(first_has_ended, NULL, LIMIT));
	XCLUSTER(&output, "status");
	ck_assert_msg(strstr(output.out, "job z101 has ended (EXIT)"), "%s", output.out);
	XCLUSTER(&output, "logs");
	ck_assert_msg(strstr(output.out, "Zeta: job z101 has ended: EXIT"), "%s", output.out);
	check_map(1);
	stop_cluster();
}
END_TEST

START_TEST(jobs_that_end_at_once_end_the_wait)
{
	static const char bad[] = "exit 3\n";
	struct output output;

	write_file(test_path("bad.sh"), bad, strlen(bad));
	XCLUSTER(&output, "start", "--ip", "127.0.0.1", "--launcher", "zeta", "-n", "2",
		 "--script-template", test_path("bad.sh"));
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(output.elapsed < 15, "%g s", output.elapsed);
	ck_assert_msg(strstr(output.err, "job z101 has ended (EXIT)"), "%s", output.err);
	unlink(test_path("bad.sh"));
	assert_nothing_left(5);
}
END_TEST

START_TEST(a_submit_that_fails_is_said)
{
	struct output output;
	char path[500];

	snprintf(path, sizeof path, "%s/broken", home);
	write_file(path, "zsub: the queue is closed", 25);
	XCLUSTER(&output, "start", "--ip", "127.0.0.1", "--launcher", "zeta", "-n", "2");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "the queue is closed") && strstr(output.err, "`zsub "),
		      "%s", output.err);
	assert_nothing_left(5);
}
END_TEST

/* A scheduler that is restarted says nothing of jobs. */
START_TEST(a_system_that_does_not_answer_has_ended_no_job)
{
	struct output output;
	char path[500];

	START("zeta", "-n", "1");
	ck_assert(wait_until(first_runs, NULL, LIMIT));
	snprintf(path, sizeof path, "%s/broken", home);
	write_file(path, "cannot reach the scheduler", 26);
	do
		XCLUSTER(&output, "logs");
	while (!strstr(output.out, "cannot tell what has become of the jobs") &&
	       output.status == 0);
	ck_assert(job_has(0, "state", "running"));
	unlink(path);
	check_map(1);
	stop_cluster();
}
END_TEST

/* ---- Ends ------------------------------------------------------------------------------------ */

START_TEST(a_killed_supervisor_leaves_jobs_that_stop_cancels)
{
	pid_t supervisor;

	set_hold("not yet");
	START("zeta", "-n", "2", "--no-wait");
	supervisor = lock_holder(cluster_path("default/launcher.lock"));
	ck_assert_int_gt(supervisor, 0);
	kill(supervisor, SIGKILL);
	ck_assert(process_ends(supervisor, LIMIT));
	ck_assert(!is_in_calls("zdel"));
	stop_cluster();
	ck_assert(is_in_calls("zdel z101"));
}
END_TEST

static bool has_submitted(void *arg)
{
	(void)arg;
	return is_in_calls("zstat z101");
}

START_TEST(a_killed_start_leaves_nothing)
{
	struct program start;

	set_hold("not yet");
	PROGRAM(&start, xcluster_command(), "start", "--ip", "127.0.0.1", "--launcher", "zeta",
		"-n", "2");
	ck_assert(wait_until(has_submitted, NULL, LIMIT));
	kill(start.pid, SIGKILL);
	ck_assert_int_eq(program_end(&start), 128 + SIGKILL);
	assert_nothing_left(LIMIT);
	ck_assert(is_in_calls("zdel z101"));
}
END_TEST

START_TEST(an_interrupted_start_leaves_nothing)
{
	struct program start;

	set_hold("not yet");
	PROGRAM(&start, xcluster_command(), "start", "--ip", "127.0.0.1", "--launcher", "zeta",
		"-n", "2");
	ck_assert(wait_until(has_submitted, NULL, LIMIT));
	kill(start.pid, SIGINT);
	ck_assert_int_eq(program_end(&start), 128 + SIGINT);
	assert_nothing_left(0);
	ck_assert(is_in_calls("zdel z101"));
}
END_TEST

/* ---- Scripts -----------------------------------------------------------------------------------
 */

START_TEST(a_dry_run_prints_and_starts_nothing)
{
	struct output output;

	XCLUSTER(&output, "start", "--launcher", "zeta", "-n", "4", "--partition", "long", "--time",
		 "1:30:00", "--launcher-option=-a 1", "--launcher-option=-b", "--bind",
		 "--dry-run");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_msg(strncmp(output.out,
			      "#!/bin/sh\n# queue=long\n# time=01:30:00 minutes=90 seconds=5400\n"
			      "# more=-a 1\n# more=-b\nexec ",
			      80) == 0,
		      "%s", output.out);
	ck_assert_msg(strstr(output.out, " engines --foreground --connection ") &&
			      strstr(output.out, " --bind --walltime 5400 -n 4\n"),
		      "%s", output.out);
	ck_assert_msg(strstr(output.err, "zsub "), "%s", output.err);
	ck_assert(!is_in_calls("zsub"));
	assert_nothing_left(0);
}
END_TEST

START_TEST(launcher_files_that_are_wrong_are_named)
{
	static const char bad[] = "submit = x\npoll = y\n";
	struct output output;

	write_file(test_path("launchers/bad.launcher"), bad, strlen(bad));
	XCLUSTER(&output, "start", "--launcher", "bad", "-n", "1", "--dry-run");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "bad.launcher: the line delete = is missing"), "%s",
		      output.err);
	XCLUSTER(&output, "start", "--launcher", "nobody", "-n", "1");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "no launcher \"nobody\"") && strstr(output.err, "slurm") &&
			      strstr(output.err, "zeta"),
		      "%s", output.err);
	assert_nothing_left(0);
}
END_TEST

/* ---- Systems that are not here ------------------------------------------------------------------
 */

static const char *const known[][2] = {
	{ "lsf", "bkill 102" },
	{ "htcondor", "condor_rm 102" },
};

START_TEST(a_system_known_by_its_documents)
{
	struct output output;

	set_hold("Not enough hosts;");
	START(known[_i][0], "-n", "3", "--no-wait");
	ck_assert(wait_until(first_is_pending, NULL, LIMIT));
	set_hold(NULL);
	check_map(3);
	ck_assert(wait_until(first_runs, NULL, LIMIT));
	XCLUSTER(&output, "stop");
	ck_assert_msg(output.status == 0, "%s", output.err);
	assert_nothing_left(5);
	set_hold("Not enough hosts;");
	START(known[_i][0], "-n", "3", "--no-wait");
	stop_cluster();
	ck_assert(is_in_calls(known[_i][1]));
}
END_TEST

static Suite *launchers_suite(void)
{
	Suite *suite = suite_create("launchers");
	TCase *tests = separate_case(suite, "launchers");

	tcase_add_checked_fixture(tests, set_up, take_down);
	tcase_add_test(tests, a_system_is_added_by_a_file);
	tcase_add_test(tests, several_jobs_share_the_engines);
	tcase_add_test(tests, three_command_lines_are_enough);
	tcase_add_test(tests, jobs_that_wait_are_told_with_their_reason);
	tcase_add_test(tests, a_start_that_waits_in_vain_says_why_and_cancels);
	tcase_add_test(tests, a_job_that_ends_is_noticed_and_said);
	tcase_add_test(tests, jobs_that_end_at_once_end_the_wait);
	tcase_add_test(tests, a_submit_that_fails_is_said);
	tcase_add_test(tests, a_system_that_does_not_answer_has_ended_no_job);
	tcase_add_test(tests, a_killed_supervisor_leaves_jobs_that_stop_cancels);
	tcase_add_test(tests, a_killed_start_leaves_nothing);
	tcase_add_test(tests, an_interrupted_start_leaves_nothing);
	tcase_add_test(tests, a_dry_run_prints_and_starts_nothing);
	tcase_add_test(tests, launcher_files_that_are_wrong_are_named);
	tcase_add_loop_test(tests, a_system_known_by_its_documents, 0, 2);
	return suite;
}

int main(void)
{
	return run_tests(launchers_suite());
}
