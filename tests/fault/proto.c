/* proto.c: files and locks of clusters while memory is short. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/cluster_dir.h"
#include "proto/connection.h"
#include "proto/holders.h"
#include "tests/fault/fault.h"
#include "tests/support/support.h"

static struct connection connection;
static char dir[CLUSTER_PATH_MAX];

static void begin(void)
{
	struct xc_error err = XC_ERROR_INIT;

	clear_away();
	assert_ok(cluster_dir_create("one", dir, sizeof dir, &err), err);
	assert_ok(cluster_dir_create("two", dir, sizeof dir, &err), err);
	connection = (struct connection){ .id = "two",
					  .version = XC_VERSION,
					  .host = "here",
					  .endpoint = "ipc:///tmp/x",
					  .heartbeat_timeout = 5,
					  .pid = 1 };
	strcpy(connection.dir, dir);
	assert_ok(connection_write(cluster_path("two/connection.json"), &connection, &err), err);
}

static int read_connection(struct xc_error *err)
{
	struct connection found = { .pid = 0 };
	int r = FAULTY(connection_read(cluster_path("two/connection.json"), &found, err));

	ck_assert_int_eq(found.pid, r == 0 ? 1 : 0);
	return r;
}

static int write_connection(struct xc_error *err)
{
	struct connection found;
	struct xc_error none;

	/* The file that was there stays when the new one cannot be made. */
	int r = FAULTY(connection_write(cluster_path("two/connection.json"), &connection, err));

	ck_assert_msg(connection_read(cluster_path("two/connection.json"), &found, &none) == 0,
		      "%s: %s", none.text, read_file(cluster_path("two/connection.json")));
	return r;
}

static int find_by_path(struct xc_error *err)
{
	char path[CLUSTER_PATH_MAX] = "";
	int r = FAULTY(
		connection_find(cluster_path("two/connection.json"), path, sizeof path, err));

	ck_assert_str_eq(path, "");
	return r == XC_ENOCLUSTER ? 0 : r; /* its controller does not live */
}

static int list(struct xc_error *err)
{
	char **ids = NULL;
	int r = FAULTY(cluster_ids(&ids, err));

	if (r < 0) {
		ck_assert_ptr_null(ids);
		return r;
	}
	ck_assert_int_eq(r, 2);
	ck_assert_str_eq(ids[0], "one");
	ck_assert_str_eq(ids[1], "two");
	cluster_ids_free(ids);
	return 0;
}

static int find_holders(struct xc_error *err)
{
	struct holders holders = HOLDERS_INIT;
	int r = FAULTY(holders_find(&holders, dir));

	if (r < 0)
		err->code = r, strcpy(err->text, "as the caller says it");
	else
		ck_assert_int_eq(holders.count, 1);
	holders_fini(&holders);
	return r;
}

static int end_holders(struct xc_error *err)
{
	return FAULTY(holders_end(cluster_path("one"), 0, err));
}

static int remove_files(struct xc_error *err)
{
	int r;

	write_file(cluster_path("one/controller.log"), "x", 1);
	r = FAULTY(cluster_dir_remove(cluster_path("one"), false));
	ck_assert_int_eq(access(cluster_path("one"), F_OK) == 0, r < 0);
	mkdir(cluster_path("one"), 0700);
	if (r < 0)
		err->code = r, strcpy(err->text, "as the caller says it");
	return r;
}

START_TEST(every_allocation_of_proto)
{
	int lock[2];
	pid_t child;
	char byte;

	fault_every("connection_read", read_connection, 0, NULL);
	fault_every("connection_find", find_by_path, 0, NULL);
	fault_every("connection_write", write_connection, -EINVAL, NULL);
	fault_every("cluster_ids", list, 0, NULL);
	fault_every("cluster_dir_remove", remove_files, 0, NULL);
	fault_every("holders_end", end_holders, 0, NULL);
	ck_assert_int_eq(pipe(lock), 0);
	child = fork();
	if (child == 0) {
		cluster_lock_take(cluster_path("two/controller.lock"), NULL);
		ck_assert_int_eq(write(lock[1], "x", 1), 1);
		pause();
	}
	ck_assert_int_eq(read(lock[0], &byte, 1), 1);
	fault_every("holders_find", find_holders, 0, NULL);
	kill(child, SIGKILL);
	child_end(child);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fault_proto");
	TCase *tests = shared_case(suite, "proto");

	tcase_add_checked_fixture(tests, begin, NULL);
	tcase_add_test(tests, every_allocation_of_proto);
	return run_tests(suite);
}
