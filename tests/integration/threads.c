/* threads.c: how many threads the libraries of engines use: from the start, by order, after
 * a crash and in engines that come late; and the warning when that is too many. */
#include "tests/support/support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;
static struct xc_client *client;
static const char *library;

static const char *const names[] = { "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
				     "BLIS_NUM_THREADS" };
#define NAMES 4

struct answer {
	char text[NAMES][16]; /* the environment */
	int threads;
};

static int answer(struct xc_task *task, const void *in, void *out)
{
	struct answer *a = out;

	(void)in;
	for (int i = 0; i < NAMES; i++) {
		const char *text = getenv(names[i]);

		snprintf(a->text[i], sizeof a->text[i], "%s", text ? text : "unset");
	}
	a->threads = xc_task_threads(task);
	return 0;
}

/* Of each engine: the environment, in the order of `names`. */
static void check_environment(const char *omp, const char *blas, const char *mkl, int threads)
{
	const char *const expected[NAMES] = { omp, blas, mkl, mkl };
	struct answer answers[8];
	int n = xc_view_size(xc_all(client));

	ck_assert_int_le(n, 8);
	assert_ok(xc_apply(xc_all(client), answer, NULL, 0, answers, sizeof answers[0], NULL, &err),
		  err);
	for (int e = 0; e < n; e++) {
		for (int i = 0; i < NAMES; i++)
			ck_assert_msg(strcmp(answers[e].text[i], expected[i]) == 0,
				      "engine %d: %s is %s, not %s", e, names[i],
				      answers[e].text[i], expected[i]);
		ck_assert_int_eq(answers[e].threads, threads);
	}
}

/* What a library in each engine uses, and what tasks are told. */
static void check_library(int n, const int *expected)
{
	struct xc_map_options options = { .function = "threads_in_use" };
	int out[8][2];

	ck_assert_int_eq(xc_view_size(xc_all(client)), n);
	assert_ok(xc_apply(xc_all(client), NULL, NULL, 0, out, sizeof out[0], &options, &err), err);
	for (int i = 0; i < n; i++) {
		struct xc_engine_info info;

		ck_assert_msg(out[i][0] == expected[i] && out[i][1] == expected[i],
			      "engine %d: library %d, task %d, not %d", i, out[i][0], out[i][1],
			      expected[i]);
		assert_ok(xc_engine_info(client, i, &info, &err), err);
		ck_assert_int_eq(info.threads, expected[i]);
	}
}

#define CHECK_LIBRARY(...)                                                                         \
	check_library((int)(sizeof((int[]){ __VA_ARGS__ }) / sizeof(int)),                         \
		      (const int[]){ __VA_ARGS__ })

static int pid_of(int engine)
{
	struct xc_engine_info info;

	assert_ok(xc_engine_info(client, engine, &info, &err), err);
	ck_assert_int_gt(info.pid, 0);
	return info.pid;
}

static const struct xc_view *engine(int id)
{
	const struct xc_view *view = NULL;

	assert_ok(xc_engines(client, &id, 1, &view, &err), err);
	return view;
}

/* As a start by somebody with this in the environment, NULL: unset. */
static void check_start(const char *omp, const char *blas, const char *option, const char *omp_is,
			const char *blas_is, const char *mkl_is, int threads)
{
	struct output output;

	unsetenv("OMP_NUM_THREADS");
	unsetenv("OPENBLAS_NUM_THREADS");
	if (omp)
		setenv("OMP_NUM_THREADS", omp, 1);
	if (blas)
		setenv("OPENBLAS_NUM_THREADS", blas, 1);
	XCLUSTER(&output, "start", "-n", "1", option ? "--threads-per-engine" : NULL, option);
	ck_assert_msg(output.status == 0, "%s", output.err);
	unsetenv("OMP_NUM_THREADS");
	unsetenv("OPENBLAS_NUM_THREADS");
	client = open_client(1);
	check_environment(omp_is, blas_is, mkl_is, threads);
	xc_close(client);
	stop_cluster();
}

START_TEST(the_users_environment_is_respected_unless_the_option_says_otherwise)
{
	check_start("3", NULL, NULL, "3", "3", "3", 3);
	check_start("5,2", "7", NULL, "5,2", "7", "5", 7);
	check_start("5", "7", "2", "2", "2", "2", 2);
}
END_TEST

START_TEST(engines_use_what_they_are_told_also_after_a_crash_and_when_they_come_late)
{
	struct program late;
	int pid;

	XCLUSTER(&(struct output){ 0 }, "start", "-n", "2", "--threads-per-engine", "4");
	client = open_client(2);
	check_environment("4", "4", "4", 4);

	/* Engine 0 has the library before it is told, engine 1 gets it afterwards. */
	assert_ok(xc_load(engine(0), library, &err), err);
	assert_ok(xc_set_threads(xc_all(client), 3, &err), err);
	assert_ok(xc_load(xc_all(client), library, &err), err);
	CHECK_LIBRARY(3, 3);
	check_environment("3", "3", "3", 3);
	assert_ok(xc_set_threads(engine(1), 2, &err), err);
	CHECK_LIBRARY(3, 2);

	pid = pid_of(1);
	kill(pid, SIGKILL);
	ck_assert(process_ends(pid, LIMIT));
	CHECK_LIBRARY(3, 2);
	ck_assert_int_ne(pid_of(1), pid);

	PROGRAM(&late, xcluster_command(), "engines", "-n", "1", "--foreground");
	assert_ok(xc_wait_for_engines(client, 3, LIMIT, &err), err);
	CHECK_LIBRARY(3, 2, 3);
	xc_close(client);
	stop_cluster();
	ck_assert_int_eq(program_end(&late), 0);
}
END_TEST

static json_t *report(void)
{
	json_t *status;
	char *json;

	assert_ok(xc_status_json(client, &json, &err), err);
	status = json_loads(json, 0, NULL);
	ck_assert_ptr_nonnull(status);
	free(json);
	return status;
}

/* Cores that the engines of the only agent may use: fewer than the host's where somebody
 * has limited these tests. */
static int usable(void)
{
	json_t *status = report();
	json_t *agent = json_array_get(json_object_get(status, "agents"), 0);
	int n = (int)json_integer_value(json_object_get(agent, "usable"));

	ck_assert_int_ge(n, 1);
	json_decref(status);
	return n;
}

/* The warnings of the report; the last one's text. */
static size_t warnings(char *text, size_t size)
{
	json_t *status = report(), *list = json_object_get(status, "warnings");
	size_t n;

	ck_assert(json_is_array(list));
	n = json_array_size(list);
	if (n > 0)
		snprintf(text, size, "%s", json_string_value(json_array_get(list, n - 1)));
	json_decref(status);
	return n;
}

START_TEST(status_warns_when_engines_may_use_more_threads_than_there_are_cores)
{
	struct output output;
	char text[600], many[16], expected[64];
	int cores;

	start_cluster(2);
	client = open_client(2);
	cores = usable();
	snprintf(many, sizeof many, "%d", cores);
	snprintf(expected, sizeof expected, "2 x %s, which is %d, for %s;", many, 2 * cores, many);
	XCLUSTER(&output, "threads", many);
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_uint_eq(warnings(text, sizeof text), 1);
	ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
	XCLUSTER(&output, "status");
	ck_assert_msg(strstr(output.out, "\nwarning: ") && strstr(output.out, expected), "%s",
		      output.out);
	ck_assert_msg(strstr(output.out, "THREADS") != NULL, "%s", output.out);

	XCLUSTER(&output, "threads", "--engines", "1", "1");
	ck_assert_msg(output.status == 0, "%s", output.err);
	snprintf(expected, sizeof expected, "2 x 1 to %s, which is %d", many, cores + 1);
	if (cores > 1) {
		ck_assert_uint_eq(warnings(text, sizeof text), 1);
		ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
	}
	XCLUSTER(&output, "threads", "1");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_uint_eq(warnings(text, sizeof text), cores < 2);
	XCLUSTER(&output, "status");
	ck_assert_int_eq(strstr(output.out, "warning: ") != NULL, cores < 2);
	xc_close(client);
	stop_cluster();
}
END_TEST

static void may_use_one_core(void)
{
	cpu_set_t set, one;
	int first = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
	while (!CPU_ISSET(first, &set))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

START_TEST(engines_that_may_use_one_core_have_too_many_threads_with_two)
{
	struct output output;
	char text[600];

	may_use_one_core();
	XCLUSTER(&output, "start", "-n", "1", "--threads-per-engine", "2");
	ck_assert_msg(output.status == 0, "%s", output.err);
	client = open_client(1);
	ck_assert_uint_eq(warnings(text, sizeof text), 1);
	ck_assert_msg(strstr(text, "1 x 2, which is 2, for 1;") != NULL, "%s", text);
	xc_close(client);
	stop_cluster();

	setenv("XCLUSTER", "inline:2", 1);
	assert_ok(xc_open(&client, NULL, &err), err);
	unsetenv("XCLUSTER");
	ck_assert_uint_eq(warnings(text, sizeof text), 0);
	assert_ok(xc_set_threads(xc_all(client), 2, &err), err);
	ck_assert_uint_eq(warnings(text, sizeof text), 1);
	ck_assert_msg(strstr(text, "1 x 2, which is 2, for 1;") != NULL, "%s", text);
	xc_close(client);
	for (int i = 0; i < NAMES; i++)
		unsetenv(names[i]);
}
END_TEST

START_TEST(without_a_cluster_this_process_is_told)
{
	char text[600];

	setenv("XCLUSTER", "inline:2", 1);
	assert_ok(xc_open(&client, NULL, &err), err);
	unsetenv("XCLUSTER");
	assert_ok(xc_load(xc_all(client), library, &err), err);
	assert_ok(xc_set_threads(xc_all(client), 1, &err), err);
	CHECK_LIBRARY(1, 1);
	ck_assert_uint_eq(warnings(text, sizeof text), 0);
	assert_ok(xc_set_threads(xc_all(client), 60000, &err), err);
	CHECK_LIBRARY(60000, 60000);
	check_environment("60000", "60000", "60000", 60000);
	ck_assert_uint_eq(warnings(text, sizeof text), 1);
	xc_close(client);
	for (int i = 0; i < NAMES; i++)
		unsetenv(names[i]);
}
END_TEST

static void make_library(void)
{
	compile("threaded.so", "threaded.c", "-shared -fPIC");
	library = test_path("threaded.so");
}

int main(void)
{
	Suite *suite = suite_create("threads");
	TCase *tests = separate_case(suite, "threads");

	tcase_add_checked_fixture(tests, make_library, NULL);
	tcase_add_test(tests, the_users_environment_is_respected_unless_the_option_says_otherwise);
	tcase_add_test(tests,
		       engines_use_what_they_are_told_also_after_a_crash_and_when_they_come_late);
	tcase_add_test(tests, status_warns_when_engines_may_use_more_threads_than_there_are_cores);
	tcase_add_test(tests, engines_that_may_use_one_core_have_too_many_threads_with_two);
	tcase_add_test(tests, without_a_cluster_this_process_is_told);
	return run_tests(suite);
}
