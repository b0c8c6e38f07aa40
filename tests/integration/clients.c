/* clients.c: several clients at once, and those that vanish in the middle. */
#include "tests/support/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENGINES 3

static struct xc_error err = XC_ERROR_INIT;

static int add(struct xc_task *task, const void *in, void *out)
{
	const int64_t *pair = in;

	(void)task;
	*(int64_t *)out = pair[0] * 1000003 + pair[1];
	return 0;
}

/* A few maps whose values tell whose they are; exits with 0 if all is right. */
static void be_client(int id)
{
	enum { N = 2000 };
	static int64_t in[N][2], out[N];
	struct xc_client *client = NULL;

	if (xc_open(&client, NULL, NULL) < 0)
		_exit(1);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < N; i++) {
			in[i][0] = id;
			in[i][1] = round * N + i;
		}
		if (xc_map(xc_balanced(client), add, in, sizeof in[0], N, out, sizeof out[0], NULL,
			   NULL) < 0)
			_exit(2);
		for (int i = 0; i < N; i++)
			if (out[i] != (int64_t)id * 1000003 + round * N + i)
				_exit(3);
	}
	xc_close(client);
	_exit(0);
}

START_TEST(eight_programs_at_once)
{
	pid_t pids[8];

	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			be_client(i);
	}
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(child_end(pids[i]), 0);
}
END_TEST

START_TEST(two_clients_in_one_program)
{
	struct xc_client *clients[2] = { open_client(ENGINES), open_client(ENGINES) };
	static int64_t in[2][5000][2], out[2][5000];
	struct xc_result *results[2];

	for (int c = 0; c < 2; c++) {
		for (int i = 0; i < 5000; i++) {
			in[c][i][0] = c;
			in[c][i][1] = i;
		}
		results[c] = xc_map_async(xc_balanced(clients[c]), add, in[c], sizeof in[c][0],
					  5000, out[c], sizeof out[c][0], NULL, &err);
		ck_assert_msg(results[c] != NULL, "%s", err.text);
	}
	for (int c = 1; c >= 0; c--) {
		assert_ok(xc_wait(results[c], LIMIT, &err), err);
		for (int i = 0; i < 5000; i++)
			ck_assert_int_eq(out[c][i], c * 1000003 + i);
		xc_result_destroy(results[c]);
		xc_close(clients[c]);
	}
}
END_TEST

static int nap(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	if (xc_task_index(task) < ENGINES)
		task_announce(task);
	task_sleep(0.02);
	return 0;
}

static int engine_id(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(int *)out = xc_task_engine(task);
	return 0;
}

/* The status shows a job with this label. */
static bool has_job(struct xc_client *client, const char *label)
{
	char *json = NULL;
	bool found;

	assert_ok(xc_status_json(client, &json, &err), err);
	found = strstr(json, label) != NULL;
	free(json);
	return found;
}

static bool has_no_doomed_job(void *client)
{
	return !has_job(client, "doomed");
}

static void check_engines(struct xc_client *client, double limit)
{
	double start = now();
	int ids[ENGINES];

	assert_ok(xc_apply(xc_all(client), engine_id, NULL, 0, ids, sizeof ids[0], NULL, &err),
		  err);
	for (int i = 0; i < ENGINES; i++)
		ck_assert_int_eq(ids[i], i);
	ck_assert_double_lt(now() - start, limit);
}

/* A program that vanishes by kill -9, by _exit, or closes, with a job of half an
 * hour under way. */
START_TEST(a_client_gone_in_the_middle)
{
	struct xc_map_options options = { .label = "doomed" };
	struct xc_client *other = open_client(ENGINES);
	pid_t child;

	stage_open();
	child = fork();
	if (child == 0) {
		struct xc_client *client = NULL;
		struct xc_result *result = NULL;

		if (xc_open(&client, NULL, NULL) == 0)
			result = xc_map_range_async(xc_balanced(client), nap, 300000, NULL, 0,
						    &options, NULL);
		if (!result)
			_exit(1);
		stage_news();
		if (_i == 0)
			xc_wait(result, -1, NULL);
		if (_i == 2) {
			xc_close(client);
			xc_result_destroy(result);
		}
		_exit(0);
	}
	if (_i == 0) {
		stage_news();
		stage_news();
		ck_assert(has_job(other, "doomed"));
		kill(child, SIGKILL);
	}
	ck_assert_int_eq(child_end(child), _i == 0 ? 128 + SIGKILL : 0);
	ck_assert(wait_until(has_no_doomed_job, other, 5));
	check_engines(other, 5);
	xc_close(other);
	stage_close();
}
END_TEST

static int fill(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	memset(out, (int)(1 + xc_task_index(task) % 100), 10000);
	return 0;
}

/* A client that does not read its results holds up nobody else, and has them
 * all when it wakes. */
START_TEST(a_client_that_sleeps)
{
	enum { N = 20000 };
	struct xc_client *other = open_client(ENGINES);
	pid_t child = fork();
	int status;

	if (child == 0) {
		char *out = malloc((size_t)N * 10000);
		struct xc_client *client = NULL;
		struct xc_result *result;

		if (!out || xc_open(&client, NULL, NULL) < 0)
			_exit(1);
		result = xc_map_range_async(xc_balanced(client), fill, N, out, 10000, NULL, NULL);
		xc_wait(result, 0.01, NULL);
		raise(SIGSTOP);
		if (xc_wait(result, LIMIT, NULL) < 0)
			_exit(2);
		for (int i = 0; i < N; i++)
			if (out[(size_t)i * 10000 + 9999] != 1 + i % 100)
				_exit(3);
		xc_result_destroy(result);
		xc_close(client);
		free(out);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
	ck_assert_msg(WIFSTOPPED(status), "it ended with %d", status);
	for (int i = 0; i < 20; i++)
		check_engines(other, 5);
	kill(child, SIGCONT);
	ck_assert_int_eq(child_end(child), 0);
	check_engines(other, 5);
	xc_close(other);
}
END_TEST

static int resident_pages(struct xc_task *task, const void *in, void *out)
{
	FILE *file = fopen("/proc/self/statm", "r");
	int r;

	(void)task;
	(void)in;
	if (!file)
		return 1;
	r = fscanf(file, "%*s %ld", (long *)out);
	fclose(file);
	return r == 1 ? 0 : 2;
}

/* Bytes of memory of the controller, the engines and this program. */
static void measure(struct xc_client *client, long *bytes)
{
	char *text = NULL;
	json_t *status;

	assert_ok(xc_status_json(client, &text, &err), err);
	status = json_loads(text, 0, NULL);
	free(text);
	ck_assert_ptr_nonnull(status);
	bytes[0] = (long)json_integer_value(json_object_get(status, "rss"));
	ck_assert_int_gt(bytes[0], 0);
	json_decref(status);
	assert_ok(xc_apply(xc_all(client), resident_pages, NULL, 0, bytes + 1, sizeof bytes[0],
			   NULL, &err),
		  err);
	ck_assert_int_eq(resident_pages(NULL, NULL, &bytes[ENGINES + 1]), 0);
	for (int i = 1; i < ENGINES + 2; i++)
		bytes[i] *= sysconf(_SC_PAGESIZE);
}

static void run_jobs(struct xc_client *client, int n)
{
	int64_t pair[2] = { 3, 0 }, out;

	for (int i = 0; i < n; i++) {
		pair[1] = i;
		assert_ok(xc_map(xc_balanced(client), add, pair, sizeof pair, 1, &out, sizeof out,
				 NULL, &err),
			  err);
		if (out != 3 * 1000003 + i)
			ck_abort_msg("job %d: %lld", i, (long long)out);
	}
}

START_TEST(memory_stays_flat)
{
	struct xc_client *client = open_client(ENGINES);
	long before[ENGINES + 2], after[ENGINES + 2];

	run_jobs(client, 500);
	measure(client, before);
	run_jobs(client, 4000);
	measure(client, after);
	for (int i = 0; i < ENGINES + 2; i++)
		ck_assert_msg(after[i] - before[i] < 4000000, "%s %d grew by %ld kB",
			      i == 0	     ? "the controller"
			      : i <= ENGINES ? "engine"
					     : "the client",
			      i, (after[i] - before[i]) / 1000);
	xc_close(client);
}
END_TEST

START_TEST(many_sessions_in_a_row)
{
	for (int i = 0; i < 100; i++) {
		struct xc_client *client = open_client(ENGINES);

		check_engines(client, 5);
		xc_close(client);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clients");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "clients"),
	      *stop = shared_case(suite, "stop");
	const char *flags = getenv("XC_TEST_CFLAGS");

	add_cluster_start(start, ENGINES);
	tcase_add_test(tests, eight_programs_at_once);
	tcase_add_test(tests, two_clients_in_one_program);
	tcase_add_loop_test(tests, a_client_gone_in_the_middle, 0, 3);
	tcase_add_test(tests, a_client_that_sleeps);
	/* Sanitizers keep freed memory for a while, and look for leaks themselves. */
	if (!flags || !strstr(flags, "sanitize"))
		tcase_add_test(tests, memory_stays_flat);
	tcase_add_test(tests, many_sessions_in_a_row);
	add_cluster_stop(stop);
	return run_tests(suite);
}
