/* start.c: xcluster start and stop: ready means ready, and whatever interrupts
 * them, nothing is left. */
#include "tests/support/support.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct answer {
	int engine;
	int pid;
	char threads[16], blas_threads[16];
};

static int answer(struct xc_task *task, const void *in, void *out)
{
	const char *threads = getenv("OMP_NUM_THREADS"), *blas = getenv("OPENBLAS_NUM_THREADS");
	struct answer *result = out;

	(void)in;
	result->engine = xc_task_engine(task);
	result->pid = getpid();
	snprintf(result->threads, sizeof result->threads, "%s", threads ? threads : "unset");
	snprintf(result->blas_threads, sizeof result->blas_threads, "%s", blas ? blas : "unset");
	return 0;
}

/* Asks every engine of the default cluster, without waiting for any. */
static int ask_all(struct answer *answers, int max)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	int n;

	assert_ok(xc_open(&client, NULL, &err), err);
	n = xc_engine_count(client);
	ck_assert_int_le(n, max);
	if (n > 0)
		assert_ok(xc_apply(xc_all(client), answer, NULL, 0, answers, sizeof answers[0],
				   NULL, &err),
			  err);
	xc_close(client);
	return n;
}

START_TEST(ready_means_that_all_engines_run_tasks)
{
	struct answer answers[8];
	struct output output;
	struct stat st;

	XCLUSTER(&output, "start", "-n", "4");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_int_eq(ask_all(answers, 8), 4);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(answers[i].engine, i);
		for (int k = 0; k < i; k++)
			ck_assert_int_ne(answers[i].pid, answers[k].pid);
	}
	ck_assert_ptr_nonnull(strstr(output.out, cluster_path("default/connection.json")));
	ck_assert_int_eq(stat(cluster_path("default/connection.json"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(stat(cluster_path("default"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0700);
	stop_cluster();
}
END_TEST

START_TEST(prints_json)
{
	json_t *json = XCLUSTER_JSON("start", "-n", "1", "--json");
	bool found = false;

	for (void *it = json_object_iter(json); it; it = json_object_iter_next(json, it)) {
		const char *text = json_string_value(json_object_iter_value(it));

		if (text && strcmp(text, cluster_path("default/connection.json")) == 0)
			found = true;
	}
	ck_assert_msg(found, "no connection file's path in the JSON");
	json_decref(json);
	stop_cluster();
}
END_TEST

START_TEST(twice_is_refused)
{
	struct output output;
	pid_t controller;

	start_cluster(1);
	controller = controller_pid();
	XCLUSTER(&output, "start", "-n", "1");
	ck_assert_int_eq(output.status, 10);
	ck_assert_ptr_nonnull(strstr(output.err, "default"));
	/* The one that runs is not harmed. */
	ck_assert_int_eq(controller_pid(), controller);
	ck_assert_int_eq(ask_all((struct answer[1]){ { 0 } }, 1), 1);
	stop_cluster();
}
END_TEST

START_TEST(two_ids_are_two_clusters)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	struct output output;

	start_cluster(1);
	XCLUSTER(&output, "start", "-n", "2", "--cluster-id", "other");
	ck_assert_msg(output.status == 0, "%s", output.err);
	assert_ok(xc_open(&client, "other", &err), err);
	assert_ok(xc_wait_for_engines(client, 2, LIMIT, &err), err);
	ck_assert_int_eq(xc_engine_count(client), 2);
	XCLUSTER(&output, "stop");
	ck_assert_int_eq(output.status, 0);
	ck_assert_int_eq(lock_holder(cluster_path("default/controller.lock")), 0);
	ck_assert_int_gt(lock_holder(cluster_path("other/controller.lock")), 0);
	assert_ok(xc_apply(xc_balanced(client), answer, NULL, 0, &(struct answer){ 0 },
			   sizeof(struct answer), NULL, &err),
		  err);
	xc_close(client);
	start_cluster(1);
	XCLUSTER(&output, "stop", "--all");
	ck_assert_msg(output.status == 0, "%s", output.err);
	assert_nothing_left(0);
}
END_TEST

START_TEST(stop_twice)
{
	struct output output;

	start_cluster(2);
	stop_cluster();
	XCLUSTER(&output, "stop");
	ck_assert_int_eq(output.status, 11);
	ck_assert_ptr_nonnull(strstr(output.err, "default"));
	XCLUSTER(&output, "status");
	ck_assert_int_eq(output.status, 11);
}
END_TEST

static int hold_on(struct xc_task *task, const void *in, void *out)
{
	sigset_t all;

	(void)in;
	(void)out;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	task_announce(task);
	for (;;)
		pause();
	return 0;
}

START_TEST(stop_ends_tasks_that_block_signals)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_result *result;
	struct xc_client *client;
	int r;

	start_cluster(2);
	client = open_client(2);
	stage_open();
	result = xc_apply_async(xc_all(client), hold_on, NULL, 0, NULL, 0, NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news();
	stage_news();
	stop_cluster();
	/* Its engines went first, or its controller. */
	r = xc_wait(result, LIMIT, &err);
	ck_assert_msg(r == XC_EFAILED || r == XC_ELOST, "%d: %s", r, err.text);
	xc_result_destroy(result);
	xc_close(client);
}
END_TEST

/* Reads the output of `start --foreground` until the cluster is up. */
static void start_foreground(struct program *start)
{
	char line[512];

	PROGRAM(start, xcluster_command(), "start", "-n", "2", "--foreground");
	do
		program_line(start, line, sizeof line);
	while (!strstr(line, "connection.json"));
}

START_TEST(foreground)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGKILL };
	struct answer answers[2];
	struct program start;
	int status;

	start_foreground(&start);
	ck_assert_int_eq(ask_all(answers, 2), 2);
	/* As a terminal does on Ctrl-C: to the whole group. */
	ck_assert_int_eq(kill(-start.pid, signals[_i]), 0);
	status = program_end(&start);
	if (signals[_i] == SIGKILL)
		ck_assert_int_eq(status, 128 + SIGKILL);
	else
		assert_nothing_left(0);
	assert_nothing_left(10);
}
END_TEST

START_TEST(foreground_ends_with_stop)
{
	struct program start;
	struct output output;

	start_foreground(&start);
	XCLUSTER(&output, "stop");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_int_eq(program_end(&start), 0);
	assert_nothing_left(0);
}
END_TEST

struct interruption {
	const char *name;
	int signal;
	bool group;
};
static const struct interruption interruptions[] = {
	{ "Ctrl-C", SIGINT, true },
	{ "SIGTERM", SIGTERM, false },
	{ "kill -9", SIGKILL, false },
};
#define INTERRUPTIONS ((int)(sizeof interruptions / sizeof interruptions[0]))
#define MOMENTS	      7

static bool has_processes(void *arg)
{
	return cluster_processes(NULL, 0) >= *(const int *)arg;
}

/* The tests' own eyes: a process has no environment while it begins another program. */
START_TEST(processes_are_seen_in_an_exec)
{
	static const char again[] = "[ $1 -gt 1000 ] && exit; exec sh -c \"$0\" \"$0\" $(($1 + 1))";
	struct program program;
	siginfo_t info = { 0 };
	bool was_gone = false;
	int one = 1;

	PROGRAM(&program, "sh", "-c", again, again, "1");
	ck_assert(wait_until(has_processes, &one, LIMIT));
	do {
		int n = cluster_processes(NULL, 0);

		ck_assert_int_eq(
			waitid(P_PID, (id_t)program.pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
		/* While it ends it is not seen either, but then not again. */
		ck_assert_msg(!was_gone || n == 0, "it was not seen");
		was_gone = n == 0;
	} while (!info.si_pid);
	ck_assert_int_eq(program_end(&program), 0);
}
END_TEST

/* Memory is given up before files are, and a first thread ends before others: a process that
 * holds a lock still is there still. */
START_TEST(processes_are_seen_until_their_locks_are_free)
{
	static const char holder[] =
		"import fcntl, sys, threading, time\n"
		"file = open(sys.argv[1], 'w')\n"
		"fcntl.flock(file, fcntl.LOCK_EX)\n"
		"for i in range(64):\n"
		"    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
		"print('held', flush=True)\n"
		"time.sleep(600)\n";
	char path[600], line[64];
	int fd;

	snprintf(path, sizeof path, "%s/lock", getenv("XCLUSTER_DIR"));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	for (int round = 0; round < 20; round++) {
		struct program program;

		PROGRAM(&program, "python3", "-c", holder, path);
		program_line(&program, line, sizeof line);
		ck_assert_str_eq(line, "held");
		ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), -1);
		ck_assert_int_eq(kill(program.pid, SIGKILL), 0);
		while (has_processes(&(int){ 1 }))
			;
		ck_assert_msg(flock(fd, LOCK_EX | LOCK_NB) == 0, "round %d", round);
		ck_assert_int_eq(flock(fd, LOCK_UN), 0);
		ck_assert_int_eq(program_end(&program), 128 + SIGKILL);
	}
	close(fd);
	unlink(path);
}
END_TEST

/* Interrupts `start -n 8` as soon as it has 1, 2, ... processes. */
START_TEST(interrupted_start_leaves_nothing)
{
	const struct interruption *how = &interruptions[_i % INTERRUPTIONS];
	int processes = 1 + _i / INTERRUPTIONS * 10 / MOMENTS;
	struct program start;
	int status;

	PROGRAM(&start, xcluster_command(), "start", "-n", "8");
	ck_assert(wait_until(has_processes, &processes, 10));
	ck_assert_int_eq(kill(how->group ? -start.pid : start.pid, how->signal), 0);
	status = program_end(&start);
	if (status == 0) {
		/* It was ready before the signal came. */
		ck_assert_int_gt(controller_pid(), 0);
		stop_cluster();
		return;
	}
	/* A controller that has not taken its lock yet ends by itself, as its lifeline
	 * has ended. */
	assert_nothing_left(10);
	/* The place is free again. */
	start_cluster(1);
	stop_cluster();
}
END_TEST

START_TEST(missing_engines_are_named)
{
	struct output output;

	/* Many, so that they are not all up by the time it looks, however busy the cores. */
	XCLUSTER(&output, "start", "-n", "32", "--engine-timeout", "0.001");
	ck_assert_int_ne(output.status, 0);
	ck_assert_int_ne(output.status, 10);
	ck_assert_ptr_nonnull(strstr(output.err, "engine"));
	for (const char *id = "012"; *id; id++)
		ck_assert_msg(strchr(output.err, *id) != NULL, "engine %c is not named in: %s", *id,
			      output.err);
	assert_nothing_left(0);
}
END_TEST

START_TEST(engines_default_to_cores_allowed)
{
	struct answer answers[8];
	struct output output;
	cpu_set_t all, one;

	ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
	XCLUSTER(&output, "start");
	ck_assert_int_eq(sched_setaffinity(0, sizeof all, &all), 0);
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_int_eq(ask_all(answers, 8), 1);
	ck_assert_str_eq(answers[0].threads, "1");
	ck_assert_str_eq(answers[0].blas_threads, "1");
	stop_cluster();
}
END_TEST

START_TEST(threads_per_engine)
{
	struct answer answers[2];
	struct output output;

	XCLUSTER(&output, "start", "-n", "2", "--threads-per-engine", "3");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_int_eq(ask_all(answers, 2), 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_str_eq(answers[i].threads, "3");
		ck_assert_str_eq(answers[i].blas_threads, "3");
	}
	stop_cluster();
}
END_TEST

/* Bit c of the mask is core c. */
static int cores(struct xc_task *task, const void *in, void *out)
{
	cpu_set_t set;

	(void)task;
	(void)in;
	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	for (int c = 0; c < 64; c++)
		if (CPU_ISSET(c, &set))
			*(uint64_t *)out |= UINT64_C(1) << c;
	return 0;
}

START_TEST(bind_pins_engines_to_cores)
{
	const char *const argv[] = { xcluster_command(),   "start", "-n", "2",
				     _i ? "--bind" : NULL, NULL };
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client;
	struct output output;
	uint64_t masks[2];
	cpu_set_t all;

	ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
	run_command(&output, argv);
	ck_assert_msg(output.status == 0, "%s", output.err);
	client = open_client(2);
	assert_ok(xc_apply(xc_all(client), cores, NULL, 0, masks, sizeof masks[0], NULL, &err),
		  err);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(__builtin_popcountll(masks[i]), _i ? 1 : CPU_COUNT(&all));
	if (_i && CPU_COUNT(&all) > 1)
		ck_assert_uint_ne(masks[0], masks[1]);
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(a_path_too_long_is_refused)
{
	char dir[256];
	struct output output;

	snprintf(dir, sizeof dir, "%s/%0150d", test_dir(), 7);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	RUN(&output, "sh", "-c", "XCLUSTER_DIR=$1 exec \"$2\" start -n 1", "sh", dir,
	    xcluster_command());
	ck_assert_int_ne(output.status, 0);
	ck_assert_msg(strstr(output.err, "XCLUSTER_DIR") != NULL, "%s", output.err);
}
END_TEST

START_TEST(bad_usage)
{
	struct output output;

	XCLUSTER(&output, "start", "--no-such-option");
	ck_assert_int_eq(output.status, 2);
	ck_assert_int_gt(strlen(output.err), 0);
	XCLUSTER(&output, "start", "-n", "-3");
	ck_assert_int_eq(output.status, 2);
	XCLUSTER(&output, "start", "-n", "four");
	ck_assert_int_eq(output.status, 2);
	XCLUSTER(&output, "start", "-n", "1", "--cluster-id", "../x");
	ck_assert_int_eq(output.status, 2);
	XCLUSTER(&output, "start", "-n", "1", "--heartbeat-timeout", "0");
	ck_assert_int_eq(output.status, 2);
	ck_assert_msg(strstr(output.err, "at least 0.1") != NULL, "%s", output.err);
	XCLUSTER(&output, "frobnicate");
	ck_assert_int_eq(output.status, 2);
	RUN(&output, xcluster_command());
	ck_assert_int_eq(output.status, 2);
	assert_nothing_left(0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("start");
	TCase *tests = separate_case(suite, "start and stop");

	tcase_add_test(tests, ready_means_that_all_engines_run_tasks);
	tcase_add_test(tests, prints_json);
	tcase_add_test(tests, twice_is_refused);
	tcase_add_test(tests, two_ids_are_two_clusters);
	tcase_add_test(tests, stop_twice);
	tcase_add_test(tests, stop_ends_tasks_that_block_signals);
	tcase_add_loop_test(tests, foreground, 0, 3);
	tcase_add_test(tests, foreground_ends_with_stop);
	tcase_add_test(tests, processes_are_seen_in_an_exec);
	tcase_add_test(tests, processes_are_seen_until_their_locks_are_free);
	tcase_add_loop_test(tests, interrupted_start_leaves_nothing, 0, MOMENTS * INTERRUPTIONS);
	tcase_add_test(tests, missing_engines_are_named);
	tcase_add_test(tests, engines_default_to_cores_allowed);
	tcase_add_test(tests, threads_per_engine);
	tcase_add_loop_test(tests, bind_pins_engines_to_cores, 0, 2);
	tcase_add_test(tests, a_path_too_long_is_refused);
	tcase_add_test(tests, bad_usage);
	return run_tests(suite);
}
