/* scenarios_load.c: many tasks, many clients, slow clients: nothing grows, nobody
 * waits for others, nothing is left. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENGINES 3

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
}

static void close_client(void)
{
	xc_close(client);
}

/* Of the controller's status. */
static json_int_t status_number(const char *group, const char *key)
{
	json_t *status, *object;
	json_int_t number;
	char *text = NULL;

	assert_ok(xc_status_json(client, &text, &err), err);
	status = json_loads(text, 0, NULL);
	free(text);
	object = group ? json_object_get(status, group) : status;
	ck_assert_msg(json_is_integer(json_object_get(object, key)), "no %s", key);
	number = json_integer_value(json_object_get(object, key));
	json_decref(status);
	return number;
}

/* ---- Many tasks --------------------------------------------------------- */

static int64_t resident_bytes(pid_t pid)
{
	char path[64];
	long pages = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	file = fopen(path, "r");
	ck_assert_msg(file && fscanf(file, "%*s %ld", &pages) == 1, "%s", path);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

static int triple(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(int64_t *)out = 3 * *(const int64_t *)in;
	return 0;
}

/* Each waited for before the next is submitted, so that each goes by itself. */
static void run_apart(int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		int64_t out = 0;

		assert_ok(xc_apply(xc_balanced(client), triple, &i, sizeof i, &out, sizeof out,
				   NULL, &err),
			  err);
		if (out != 3 * i)
			ck_abort_msg("task %lld: %lld", (long long)i, (long long)out);
	}
}

/* Hundreds in flight, which go together. */
static void run_together(int64_t n)
{
	enum { ROW = 500 };
	struct xc_result *results[ROW];
	int64_t out[ROW];

	for (int64_t i = 0; i < n; i += ROW) {
		for (int64_t k = 0; k < ROW; k++) {
			int64_t in = i + k;

			results[k] = xc_apply_async(xc_balanced(client), triple, &in, sizeof in,
						    &out[k], sizeof out[k], NULL, &err);
			if (!results[k])
				ck_abort_msg("%s", err.text);
		}
		for (int64_t k = 0; k < ROW; k++) {
			if (xc_wait(results[k], LIMIT, &err) < 0 || out[k] != 3 * (i + k))
				ck_abort_msg("task %lld: %s", (long long)(i + k), err.text);
			xc_result_destroy(results[k]);
		}
	}
}

/* The first `warm_up` fill what the controller knows of jobs that have ended. */
static void check_flat(void (*run)(int64_t n), int64_t warm_up)
{
	enum { MOST = 2000000 }; /* 44 bytes a task */
	pid_t pids[2] = { controller_pid(), getpid() };
	int64_t before[2];

	run(warm_up);
	for (int i = 0; i < 2; i++)
		before[i] = resident_bytes(pids[i]);
	run(45000);
	for (int i = 0; i < 2; i++) {
		int64_t grown = resident_bytes(pids[i]) - before[i];

		ck_assert_msg(grown < MOST, "the %s grew by %lld bytes",
			      i == 0 ? "controller" : "client", (long long)grown);
	}
}

START_TEST(memory_is_flat_over_45000_tasks_one_by_one)
{
	check_flat(run_apart, 5000);
}
END_TEST

START_TEST(memory_is_flat_over_45000_coalesced_tasks)
{
	check_flat(run_together, 250000);
}
END_TEST

/* ---- Many clients -------------------------------------------------------- */

static void be_client(int id)
{
	enum { N = 500 };
	struct xc_map_options options = { .start = 1000 * id };
	struct xc_client *own = NULL;
	int64_t out[N];

	if (xc_open(&own, NULL, NULL) < 0)
		_exit(1);
	if (xc_map_range(xc_balanced(own), triple, N, out, sizeof out[0], &options, NULL) < 0)
		_exit(2);
	for (int64_t i = 0; i < N; i++)
		if (out[i] != 3 * (1000 * id + i))
			_exit(3);
	xc_close(own);
	_exit(0);
}

/* But for the command that looks. */
static bool is_no_client_left(void *arg)
{
	(void)arg;
	return status_number(NULL, "clients") == 1;
}

START_TEST(a_hundred_clients_at_once_are_all_right_and_none_is_left)
{
	enum { CLIENTS = 100 };
	pid_t pids[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		pids[i] = fork();
		ck_assert_int_ge(pids[i], 0);
		if (pids[i] == 0)
			be_client(i);
	}
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(child_end(pids[i]), 0);
	ck_assert(wait_until(is_no_client_left, NULL, 10));
	ck_assert_int_eq(status_number("queue", "items"), 0);
	ck_assert_int_eq(status_number("memory", "inputs"), 0);
	ck_assert_int_eq(status_number("memory", "results"), 0);
}
END_TEST

/* ---- Slow clients --------------------------------------------------------- */

#define RESULTS	     20000
#define RESULT_BYTES 10000

static int fill(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	memset(out, (int)(1 + xc_task_index(task) % 100), RESULT_BYTES);
	return 0;
}

/* Submits a job with 200 MB of results and then takes hardly any of them: stopped, or
 * busy with something else until it reads a byte. */
static void be_slow(bool stopped, int in)
{
	char *out = malloc((size_t)RESULTS * RESULT_BYTES), byte;
	struct xc_client *own = NULL;
	struct xc_result *result;

	if (!out || xc_open(&own, NULL, NULL) < 0)
		_exit(1);
	result = xc_map_range_async(xc_balanced(own), fill, RESULTS, out, RESULT_BYTES, NULL, NULL);
	if (!result)
		_exit(2);
	/* It is under way; the rest is more than what fits between here and there. */
	while (xc_result_progress(result).done == 0)
		if (xc_wait(result, 0.001, NULL) != -ETIMEDOUT)
			_exit(6);
	if (stopped)
		raise(SIGSTOP);
	if (read(in, &byte, 1) != 1)
		_exit(3);
	if (xc_wait(result, LIMIT, NULL) < 0)
		_exit(4);
	for (size_t i = 0; i < RESULTS; i++)
		for (size_t k = 0; k < RESULT_BYTES; k += RESULT_BYTES - 1)
			if (out[i * RESULT_BYTES + k] != (char)(1 + i % 100))
				_exit(5);
	xc_result_destroy(result);
	xc_close(own);
	free(out);
	_exit(0);
}

static bool are_results_held(void *arg)
{
	(void)arg;
	return status_number("memory", "results") > (8 << 20);
}

START_TEST(a_slow_reader_blocks_nobody_and_the_controller_stays_small)
{
	enum { MOST = 64 << 20 };
	int64_t before = resident_bytes(controller_pid());
	int go[2], status;
	pid_t child;

	ck_assert_int_eq(pipe(go), 0);
	child = fork();
	if (child == 0)
		be_slow(_i == 0, go[0]);
	if (_i == 0) {
		ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
		ck_assert_msg(WIFSTOPPED(status), "it ended with %d", status);
	}
	/* Its results pile up to the limit; others go on as if it were not there. */
	ck_assert(wait_until(are_results_held, NULL, 20));
	for (int i = 0; i < 50; i++) {
		run_apart(20);
		ck_assert_int_lt(resident_bytes(controller_pid()) - before, MOST);
	}
	ck_assert_int_lt(status_number("memory", "results"), MOST);
	ck_assert_int_eq(write(go[1], "", 1), 1);
	if (_i == 0)
		kill(child, SIGCONT);
	ck_assert_int_eq(child_end(child), 0);
	close(go[0]);
	close(go[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scenarios of load");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "load"),
	      *stop = shared_case(suite, "stop");
	const char *flags = getenv("XC_TEST_CFLAGS");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	/* Sanitizers keep freed memory for a while, and look for leaks themselves. */
	if (!flags || !strstr(flags, "sanitize")) {
		tcase_add_test(tests, memory_is_flat_over_45000_tasks_one_by_one);
		tcase_add_test(tests, memory_is_flat_over_45000_coalesced_tasks);
	}
	tcase_add_test(tests, a_hundred_clients_at_once_are_all_right_and_none_is_left);
	tcase_add_loop_test(tests, a_slow_reader_blocks_nobody_and_the_controller_stays_small, 0,
			    2);
	add_cluster_stop(stop);
	return run_tests(suite);
}
