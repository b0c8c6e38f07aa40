/* private.c: clusters that a program starts for itself and that end with it. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;

static int threads(struct xc_task *task, const void *in, void *out)
{
	const char *value = getenv("OMP_NUM_THREADS");

	(void)task;
	(void)in;
	*(int *)out = value ? atoi(value) : -1;
	return 0;
}

static struct xc_cluster *begin(int n, const struct xc_cluster_options *options)
{
	struct xc_cluster *cluster = NULL;

	assert_ok(xc_cluster_start(&cluster, n, options, &err), err);
	ck_assert_ptr_nonnull(cluster);
	return cluster;
}

static void check_cluster(struct xc_cluster *cluster, int n, int expected)
{
	struct xc_client *client = NULL;
	int out[8] = { 0 };

	assert_ok(xc_open(&client, xc_cluster_connection(cluster), &err), err);
	/* Started means ready. */
	ck_assert_int_eq(xc_engine_count(client), n);
	assert_ok(xc_apply(xc_all(client), threads, NULL, 0, out, sizeof out[0], NULL, &err), err);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(out[i], expected);
	xc_close(client);
}

START_TEST(start_use_stop)
{
	struct xc_cluster_options options = { .id = "mine", .threads_per_engine = 2 };
	struct xc_cluster *cluster = begin(2, &options);
	struct output output;

	check_cluster(cluster, 2, 2);
	XCLUSTER(&output, "list");
	ck_assert_ptr_nonnull(strstr(output.out, "mine"));
	assert_ok(xc_cluster_stop(cluster, &err), err);
	assert_nothing_left(0);
	assert_ok(xc_cluster_stop(NULL, &err), err);
}
END_TEST

START_TEST(a_forked_child_does_not_end_its_parents)
{
	struct xc_cluster_options options = { .threads_per_engine = 1 };
	struct xc_cluster *cluster = begin(1, &options);
	pid_t child = fork();

	if (child == 0)
		_exit(xc_cluster_stop(cluster, NULL) < 0);
	ck_assert_int_eq(child_end(child), 0);
	check_cluster(cluster, 1, 1);
	assert_ok(xc_cluster_stop(cluster, &err), err);
	assert_nothing_left(0);
}
END_TEST

START_TEST(two_at_once)
{
	struct xc_cluster_options options = { .threads_per_engine = 1 };
	struct xc_cluster *first = begin(1, &options), *second = begin(2, &options);

	ck_assert_str_ne(xc_cluster_connection(first), xc_cluster_connection(second));
	check_cluster(first, 1, 1);
	check_cluster(second, 2, 1);
	assert_ok(xc_cluster_stop(first, &err), err);
	check_cluster(second, 2, 1);
	assert_ok(xc_cluster_stop(second, &err), err);
	assert_nothing_left(0);
}
END_TEST

START_TEST(an_id_that_is_taken)
{
	struct xc_cluster_options options = { .id = "mine", .threads_per_engine = 1 };
	struct xc_cluster *first = begin(1, &options), *second = NULL;

	ck_assert_int_lt(xc_cluster_start(&second, 1, &options, &err), 0);
	ck_assert_ptr_null(second);
	ck_assert_msg(strstr(err.text, "mine") != NULL, "%s", err.text);
	check_cluster(first, 1, 1);
	assert_ok(xc_cluster_stop(first, &err), err);
	assert_nothing_left(0);
}
END_TEST

/* A child starts a cluster and ends in some way, with the cluster in use. */
START_TEST(it_ends_with_the_program)
{
	pid_t child;
	char byte;
	int up[2];

	ck_assert_int_eq(pipe(up), 0);
	child = fork();
	if (child == 0) {
		struct xc_cluster *cluster = NULL;
		struct xc_client *client = NULL;

		if (xc_cluster_start(&cluster, 2, NULL, NULL) < 0 ||
		    xc_open(&client, xc_cluster_connection(cluster), NULL) < 0 ||
		    cluster_processes(NULL, 0) < 4 || write(up[1], "u", 1) != 1)
			_exit(1);
		if (_i == 1)
			_exit(0);
		if (_i == 2)
			abort();
		for (;;)
			pause();
	}
	close(up[1]);
	ck_assert_msg(read(up[0], &byte, 1) == 1, "the child could not start a cluster");
	close(up[0]);
	if (_i == 0)
		kill(child, SIGKILL);
	child_end(child);
	assert_nothing_left(10);
}
END_TEST

static bool has_processes(void *arg)
{
	return cluster_processes(NULL, 0) >= *(const int *)arg;
}

START_TEST(killed_in_the_middle_of_the_start)
{
	pid_t child = fork();

	if (child == 0) {
		struct xc_cluster *cluster = NULL;

		xc_cluster_start(&cluster, 6, NULL, NULL);
		for (;;)
			pause();
	}
	ck_assert(wait_until(has_processes, &_i, 10));
	kill(child, SIGKILL);
	child_end(child);
	assert_nothing_left(10);
}
END_TEST

START_TEST(a_command_that_does_not_work)
{
	struct xc_cluster *cluster = NULL;
	char *command = strdup(xcluster_command());

	setenv("XCLUSTER_COMMAND", "/no/such/xcluster", 1);
	ck_assert_int_lt(xc_cluster_start(&cluster, 1, NULL, &err), 0);
	ck_assert_msg(strstr(err.text, "/no/such/xcluster") != NULL, "%s", err.text);
	setenv("XCLUSTER_COMMAND", "/bin/false", 1);
	ck_assert_int_lt(xc_cluster_start(&cluster, 1, NULL, &err), 0);
	ck_assert_msg(strstr(err.text, "/bin/false") != NULL, "%s", err.text);
	ck_assert_ptr_null(cluster);
	setenv("XCLUSTER_COMMAND", command, 1);
	free(command);
	assert_nothing_left(0);
}
END_TEST

START_TEST(no_children_and_no_handlers_are_left)
{
	struct sigaction before[32], after;
	struct xc_cluster *cluster;

	for (int s = 1; s < 32; s++)
		sigaction(s, NULL, &before[s]);
	cluster = begin(1, NULL);
	assert_ok(xc_cluster_stop(cluster, &err), err);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	for (int s = 1; s < 32; s++) {
		sigaction(s, NULL, &after);
		ck_assert(before[s].sa_handler == after.sa_handler);
	}
	assert_nothing_left(0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("private");
	TCase *tests = separate_case(suite, "private clusters");

	tcase_add_test(tests, start_use_stop);
	tcase_add_test(tests, a_forked_child_does_not_end_its_parents);
	tcase_add_test(tests, two_at_once);
	tcase_add_test(tests, an_id_that_is_taken);
	tcase_add_loop_test(tests, it_ends_with_the_program, 0, 3);
	tcase_add_loop_test(tests, killed_in_the_middle_of_the_start, 1, 6);
	tcase_add_test(tests, a_command_that_does_not_work);
	tcase_add_test(tests, no_children_and_no_handlers_are_left);
	return run_tests(suite);
}
