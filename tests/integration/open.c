/* open.c: finding a cluster, and each way of not finding one. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;

static int one(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(int *)out = 1;
	return 0;
}

static void check_client(struct xc_client *client)
{
	int out = 0;

	assert_ok(xc_apply(xc_balanced(client), one, NULL, 0, &out, sizeof out, NULL, &err), err);
	ck_assert_int_eq(out, 1);
	xc_close(client);
}

static void assert_not_open(const char *cluster, int code, const char *part)
{
	struct xc_client *client = (struct xc_client *)&client;
	double start = now();
	int r = xc_open(&client, cluster, &err);

	assert_error(r, code, &err, part);
	ck_assert_ptr_eq(client, (struct xc_client *)&client);
	ck_assert_double_lt(now() - start, 5);
}

START_TEST(by_default_id_path_and_environment)
{
	const char *path = cluster_path("default/connection.json");
	struct xc_client *client = NULL;

	start_cluster(1);
	check_client(open_client(1));
	assert_ok(xc_open(&client, "default", &err), err);
	check_client(client);
	assert_ok(xc_open(&client, path, &err), err);
	check_client(client);
	setenv("XCLUSTER_CONNECTION", path, 1);
	assert_ok(xc_open(&client, NULL, &err), err);
	check_client(client);
	setenv("XCLUSTER_CONNECTION", test_path("nothing.json"), 1);
	assert_not_open(NULL, XC_ENOCLUSTER, "nothing.json");
	unsetenv("XCLUSTER_CONNECTION");
	stop_cluster();
}
END_TEST

START_TEST(no_cluster)
{
	assert_not_open(NULL, XC_ENOCLUSTER, "xcluster start");
	assert_not_open("default", XC_ENOCLUSTER, "default");
	assert_not_open("not-there", XC_ENOCLUSTER, "not-there");
	assert_not_open(test_path("no/such.json"), XC_ENOCLUSTER, "no/such.json");
}
END_TEST

START_TEST(a_dead_cluster)
{
	pid_t pid;

	start_cluster(1);
	pid = controller_pid();
	kill(pid, SIGKILL);
	ck_assert(process_ends(pid, 5));
	assert_not_open(NULL, XC_ENOCLUSTER, "default");
}
END_TEST

START_TEST(a_file_that_others_can_read)
{
	const char *path = cluster_path("default/connection.json");

	start_cluster(1);
	ck_assert_int_eq(chmod(path, 0644), 0);
	assert_not_open(NULL, -EACCES, "connection.json");
	ck_assert_int_eq(chmod(path, 0620), 0);
	assert_not_open(NULL, -EACCES, "connection.json");
	ck_assert_int_eq(chmod(path, 0600), 0);
	check_client(open_client(1));
	stop_cluster();
}
END_TEST

/* Changes one thing at a time in a good connection file. */
START_TEST(bad_connection_files)
{
	char *good;
	size_t size;

	start_cluster(1);
	good = read_file(cluster_path("default/connection.json"));
	ck_assert_ptr_nonnull(good);
	size = strlen(good);
	for (size_t n = 0; n < size - 2; n += 7) {
		struct xc_client *client = NULL;

		unlink(test_path("bad.json"));
		write_file(test_path("bad.json"), good, n);
		chmod(test_path("bad.json"), 0600);
		ck_assert_msg(xc_open(&client, test_path("bad.json"), &err) < 0,
			      "the first %zu bytes of it will do", n);
		ck_assert_ptr_null(client);
		ck_assert_msg(strstr(err.text, "bad.json") != NULL, "%s", err.text);
	}
	write_file(test_path("bad.json"), "[1, 2]", 6);
	ck_assert_int_lt(xc_open(&(struct xc_client *){ NULL }, test_path("bad.json"), &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "bad.json"));
	write_file(test_path("bad.json"), good, size);
	{
		struct xc_client *client = NULL;

		assert_ok(xc_open(&client, test_path("bad.json"), &err), err);
		check_client(client);
	}
	free(good);
	stop_cluster();
}
END_TEST

START_TEST(wait_for_engines_times_out)
{
	struct xc_client *client;
	double start;

	start_cluster(2);
	client = open_client(2);
	start = now();
	assert_error(xc_wait_for_engines(client, 9, 0.3, &err), -ETIMEDOUT, &err, "2");
	ck_assert_double_ge(now() - start, 0.3);
	ck_assert_double_lt(now() - start, 3);
	start = now();
	assert_error(xc_wait_for_engines(client, 3, 0, &err), -ETIMEDOUT, &err, "2");
	ck_assert_double_lt(now() - start, 1);
	assert_ok(xc_wait_for_engines(client, 0, 0, &err), err);
	check_client(client);
	stop_cluster();
}
END_TEST

START_TEST(shutdown_from_a_program)
{
	struct xc_client *client;

	start_cluster(2);
	client = open_client(2);
	assert_ok(xc_shutdown(client, &err), err);
	assert_nothing_left(10);
	ck_assert_int_eq(
		xc_apply(xc_balanced(client), one, NULL, 0, &(int){ 0 }, sizeof(int), NULL, &err),
		XC_ELOST);
	xc_close(client);
	assert_not_open(NULL, XC_ENOCLUSTER, "default");
}
END_TEST

static int nap(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(int *)out = 7;
	task_sleep(0.05);
	return 0;
}

START_TEST(results_after_close)
{
	struct xc_result *ended, *running;
	struct xc_client *client;
	int out[3] = { 0 };

	start_cluster(1);
	client = open_client(1);
	ended = xc_map_range_async(xc_balanced(client), nap, 2, out, sizeof out[0], NULL, &err);
	assert_ok(xc_wait(ended, LIMIT, &err), err);
	running =
		xc_map_range_async(xc_balanced(client), nap, 1, out + 2, sizeof out[0], NULL, &err);
	ck_assert_ptr_nonnull(running);
	xc_close(client);
	/* The one stays readable, the other can no longer be waited for. */
	ck_assert_int_eq(xc_result_progress(ended).done, 2);
	assert_ok(xc_wait(ended, LIMIT, &err), err);
	ck_assert_int_lt(xc_wait(running, LIMIT, &err), 0);
	xc_result_destroy(ended);
	xc_result_destroy(running);
	stop_cluster();
}
END_TEST

START_TEST(names_and_texts)
{
	static const int codes[] = { XC_EFAILED, XC_ENOCLUSTER, XC_ELOST,     XC_EPROTO,
				     XC_ECODE,	 XC_ENOVAR,	XC_ENOENGINE, XC_ESTORE };

	ck_assert_str_eq(xc_version(), XC_VERSION);
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(xc_strerror(codes[i]), xc_strerror(codes[k]));
	ck_assert_str_eq(xc_strerror(-ENOMEM), strerror(ENOMEM));
	ck_assert_ptr_nonnull(xc_strerror(12345));
	ck_assert_str_eq(xc_state_name(XC_TIMED_OUT), "timed out");
	ck_assert_str_eq(xc_state_name(XC_OK), "ok");
	ck_assert_ptr_nonnull(xc_state_name((enum xc_state)99));
	xc_close(NULL);
	xc_result_destroy(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("open");
	TCase *tests = separate_case(suite, "open");

	tcase_add_test(tests, by_default_id_path_and_environment);
	tcase_add_test(tests, no_cluster);
	tcase_add_test(tests, a_dead_cluster);
	tcase_add_test(tests, a_file_that_others_can_read);
	tcase_add_test(tests, bad_connection_files);
	tcase_add_test(tests, wait_for_engines_times_out);
	tcase_add_test(tests, shutdown_from_a_program);
	tcase_add_test(tests, results_after_close);
	tcase_add_test(tests, names_and_texts);
	return run_tests(suite);
}
