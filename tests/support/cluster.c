/* cluster.c: starting and stopping the default cluster, and judging results. */
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void start_cluster(int engines)
{
	struct output output;
	char n[16];

	snprintf(n, sizeof n, "%d", engines);
	XCLUSTER(&output, "start", "-n", n);
	ck_assert_msg(output.status == 0, "xcluster start: %d: %s", output.status, output.err);
}

void stop_cluster(void)
{
	struct output output;

	XCLUSTER(&output, "stop");
	ck_assert_msg(output.status == 0, "xcluster stop: %d: %s", output.status, output.err);
	assert_nothing_left(0);
}

START_TEST(cluster_starts)
{
	clear_away();
	start_cluster(_i);
}
END_TEST

START_TEST(cluster_stops_and_leaves_nothing)
{
	pid_t pid;

	/* Else there would be nothing to leave. */
	ck_assert_int_gt(cluster_processes(&pid, 1), 2);
	stop_cluster();
}
END_TEST

void add_cluster_start(TCase *tests, int engines)
{
	tcase_add_loop_test(tests, cluster_starts, engines, engines + 1);
}

void add_cluster_stop(TCase *tests)
{
	tcase_add_test(tests, cluster_stops_and_leaves_nothing);
}

struct xc_client *open_client(int engines)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;

	assert_ok(xc_open(&client, NULL, &err), err);
	ck_assert_ptr_nonnull(client);
	assert_ok(xc_wait_for_engines(client, engines, LIMIT, &err), err);
	return client;
}

bool has_one_engine(void *client)
{
	return xc_engine_count(client) == 1;
}

bool is_only_client(void *client)
{
	char *text = NULL;
	json_t *status;
	bool is;

	if (xc_status_json(client, &text, NULL) < 0)
		return false;
	status = json_loads(text, 0, NULL);
	is = json_integer_value(json_object_get(status, "clients")) == 1;
	json_decref(status);
	free(text);
	return is;
}

pid_t lock_holder(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int r;

	if (fd < 0)
		return 0;
	r = fcntl(fd, F_GETLK, &lock);
	close(fd);
	return r == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

pid_t controller_pid(void)
{
	pid_t pid = lock_holder(cluster_path("default/controller.lock"));

	ck_assert_msg(pid > 0, "no live controller holds its lock");
	return pid;
}

void assert_error(int code, int expected, const struct xc_error *error, const char *part)
{
	ck_assert_msg(code == expected, "%d (%s) instead of %d (%s): %s", code, xc_strerror(code),
		      expected, xc_strerror(expected), error->text);
	ck_assert_int_eq(error->code, expected);
	ck_assert_msg(error->text[0] && !strchr(error->text, '\n'), "not one line: '%s'",
		      error->text);
	ck_assert_msg(strstr(error->text, part) != NULL, "'%s' is not in '%s'", part, error->text);
}

void collect_states(struct xc_result *result, int64_t n, enum xc_state *states)
{
	struct xc_progress progress = xc_result_progress(result);
	struct xc_failure failure;
	int64_t bad = 0;

	for (int64_t i = 0; i < n; i++)
		states[i] = XC_OK;
	for (int64_t i = 0; i < xc_failure_count(result); i++) {
		/* N.B. Check's own assertions cost a system call each. */
		if (xc_failure(result, i, &failure) < 0 || failure.count < 1 || failure.first < 0 ||
		    failure.first + failure.count > n || !failure.text || failure.state == XC_OK)
			ck_abort_msg("failure %lld makes no sense", (long long)i);
		for (int64_t k = failure.first; k < failure.first + failure.count; k++) {
			if (states[k] != XC_OK)
				ck_abort_msg("item %lld ended twice", (long long)k);
			states[k] = failure.state;
			bad++;
		}
	}
	ck_assert_int_eq(progress.items, n);
	ck_assert_int_eq(progress.done, n);
	ck_assert_int_eq(progress.failed, bad);
}

struct xc_failure failure_of(struct xc_result *result, int64_t item)
{
	struct xc_failure failure;

	for (int64_t i = 0; i < xc_failure_count(result); i++) {
		if (xc_failure(result, i, &failure) == 0 && item >= failure.first &&
		    item < failure.first + failure.count)
			return failure;
	}
	ck_abort_msg("item %lld is in none of the failures", (long long)item);
}
