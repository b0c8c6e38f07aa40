/* test_cluster_dir.c: places, locks and finding; and the ending of lock holders. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/cluster_dir.h"
#include "proto/holders.h"
#include "tests/unit/fixture.h"

static char path[CLUSTER_PATH_MAX], dir[CLUSTER_PATH_MAX];
static struct xc_error err;

static void begin(void)
{
	fixture_begin();
	setenv("XCLUSTER_DIR", fixture_path("base"), 1);
	unsetenv("XCLUSTER_CONNECTION");
	err = (struct xc_error)XC_ERROR_INIT;
}

static void make(const char *id)
{
	ck_assert_msg(cluster_dir_create(id, dir, sizeof dir, &err) == 0, "%s", err.text);
}

static const char *file(const char *name)
{
	ck_assert_int_eq(cluster_file(dir, path, sizeof path, "%s", name), 0);
	return path;
}

static void touch(const char *name)
{
	int fd = open(file(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static bool exists(const char *name)
{
	return access(file(name), F_OK) == 0;
}

/* A child that holds a lock of `dir` until it is killed. */
static pid_t hold(const char *name, void (*on_term)(int))
{
	int up[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(up, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGTERM, on_term);
		if (cluster_lock_take(file(name), NULL) < 0 || write(up[1], "u", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(up[1]);
	ck_assert_int_eq(read(up[0], &byte, 1), 1);
	close(up[0]);
	return pid;
}

static void kill_and_wait(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* ---- Places ------------------------------------------------------------------- */

START_TEST(test_ids)
{
	char longest[65];

	memset(longest, 'a', 64);
	longest[64] = '\0';
	ck_assert(!cluster_id_is_valid(longest));
	longest[63] = '\0';
	ck_assert(cluster_id_is_valid(longest));
	ck_assert(cluster_id_is_valid("a.B_c-9"));
	for (const char *const *id = (const char *const[]){ "", ".a", "..", "-a", "a/b", "a b",
							    "\xc3\xa4", "a\n", NULL };
	     *id; id++) {
		ck_assert(!cluster_id_is_valid(*id));
		ck_assert_int_eq(cluster_dir(*id, path, sizeof path, &err), -EINVAL);
	}
}
END_TEST

START_TEST(test_base)
{
	char cwd[CLUSTER_PATH_MAX];

	setenv("XCLUSTER_DIR", "/a/b", 1);
	ck_assert_int_eq(cluster_dir("x", path, sizeof path, &err), 0);
	ck_assert_str_eq(path, "/a/b/x");
	ck_assert_int_eq(cluster_dir("x", path, 6, &err), -ENAMETOOLONG);
	setenv("XCLUSTER_DIR", "here", 1);
	ck_assert_int_eq(cluster_base(path, sizeof path, &err), 0);
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
	ck_assert_int_eq(strncmp(path, cwd, strlen(cwd)), 0);
	unsetenv("XCLUSTER_DIR");
	setenv("HOME", "/home/u", 1);
	ck_assert_int_eq(cluster_base(path, sizeof path, &err), 0);
	ck_assert_str_eq(path, "/home/u/.xcluster");
	unsetenv("HOME");
	ck_assert_int_eq(cluster_base(path, sizeof path, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "XCLUSTER_DIR"));
}
END_TEST

START_TEST(test_create)
{
	struct stat st;

	make("one");
	make("one");
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(chmod(dir, 0720), 0);
	ck_assert_int_eq(cluster_dir_create("one", dir, sizeof dir, &err), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "chmod 700"));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	make("one");
	ck_assert_int_eq(chmod(getenv("XCLUSTER_DIR"), 0777), 0);
	ck_assert_int_eq(cluster_dir_create("one", dir, sizeof dir, &err), -EACCES);
	/* As /tmp is. */
	ck_assert_int_eq(chmod(getenv("XCLUSTER_DIR"), 01777), 0);
	make("one");
	fixture_write("base/two", "");
	ck_assert_int_eq(cluster_dir_create("two", dir, sizeof dir, &err), -ENOTDIR);
}
END_TEST

START_TEST(test_socket_paths)
{
	memset(dir, 'd', 107);
	strcpy(dir + 107 - strlen("/agent-7.sock"), "");
	ck_assert_int_eq(cluster_socket(dir, path, sizeof path, &err, CLUSTER_AGENT_SOCK, 7), 0);
	ck_assert_uint_eq(strlen(path), 107);
	ck_assert_int_eq(cluster_socket(dir, path, sizeof path, &err, CLUSTER_AGENT_SOCK, 10),
			 -ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(err.text, "XCLUSTER_DIR"));
	ck_assert_int_eq(cluster_file(dir, path, 20, "x"), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_remove)
{
	make("one");
	for (const char *const *name =
		     (const char *const[]){ CLUSTER_CONNECTION, CLUSTER_LOCK, CLUSTER_SOCKET,
					    CLUSTER_LOG, CLUSTER_START_LOCK, "agent-0.lock",
					    "agent-12.sock", "agent-0.log", "engine-3.log", NULL };
	     *name; name++)
		touch(*name);
	ck_assert(cluster_dir_has_leftovers(dir));
	ck_assert_int_eq(cluster_dir_remove(dir, true), 0);
	ck_assert(!cluster_dir_has_leftovers(dir));
	ck_assert(exists(CLUSTER_LOG) && exists("agent-0.log") && exists("engine-3.log"));
	ck_assert(!exists(CLUSTER_CONNECTION) && !exists("agent-12.sock"));
	touch("thesis.txt");
	ck_assert_int_eq(cluster_dir_remove(dir, false), 0);
	ck_assert(exists("thesis.txt") && !exists(CLUSTER_LOG));
	ck_assert_int_eq(unlink(file("thesis.txt")), 0);
	touch(CLUSTER_LOG);
	touch(CLUSTER_START_LOCK);
	ck_assert_int_eq(cluster_dir_reset(dir), 0);
	ck_assert(!exists(CLUSTER_LOG) && exists(CLUSTER_START_LOCK));
	ck_assert_int_eq(cluster_dir_remove(dir, false), 0);
	ck_assert_int_eq(access(dir, F_OK), -1);
	ck_assert_int_eq(cluster_dir_remove(dir, false), 0);
}
END_TEST

START_TEST(test_list)
{
	char **ids = NULL;

	ck_assert_int_eq(cluster_ids(&ids, &err), 0);
	ck_assert_ptr_null(ids[0]);
	cluster_ids_free(ids);
	make("two");
	make("one");
	fixture_write("base/file", "");
	ck_assert_int_eq(mkdir(fixture_path("base/.hidden"), 0700), 0);
	ck_assert_int_eq(cluster_ids(&ids, &err), 2);
	ck_assert_str_eq(ids[0], "one");
	ck_assert_str_eq(ids[1], "two");
	ck_assert_ptr_null(ids[2]);
	cluster_ids_free(ids);
}
END_TEST

/* ---- Locks and finding ---------------------------------------------------------- */

START_TEST(test_lock)
{
	pid_t holder;
	int fd;

	make("one");
	ck_assert_int_eq(cluster_lock_holder(file(CLUSTER_LOCK)), 0);
	holder = hold(CLUSTER_LOCK, SIG_DFL);
	ck_assert_int_eq(cluster_lock_holder(file(CLUSTER_LOCK)), holder);
	ck_assert_int_eq(cluster_lock_take(file(CLUSTER_LOCK), &err), -EAGAIN);
	kill_and_wait(holder);
	ck_assert_int_eq(cluster_lock_holder(file(CLUSTER_LOCK)), 0);
	fd = cluster_lock_take(file(CLUSTER_LOCK), &err);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	ck_assert_int_eq(cluster_lock_take(fixture_path("no/lock"), &err), -ENOENT);
}
END_TEST

static void write_connection(void)
{
	struct connection connection = { .id = "one",
					 .version = XC_VERSION,
					 .host = "h",
					 .endpoint = "ipc:///x",
					 .heartbeat_timeout = 5,
					 .pid = 1 };

	strcpy(connection.dir, dir);
	ck_assert_int_eq(connection_write(file(CLUSTER_CONNECTION), &connection, &err), 0);
}

START_TEST(test_find)
{
	char found[CLUSTER_PATH_MAX];
	pid_t holder;

	ck_assert_int_eq(connection_find("one", found, sizeof found, &err), XC_ENOCLUSTER);
	ck_assert_ptr_nonnull(strstr(err.text, "xcluster start --cluster-id one"));
	ck_assert_int_eq(connection_find(NULL, found, sizeof found, &err), XC_ENOCLUSTER);
	ck_assert_ptr_nonnull(strstr(err.text, "`xcluster start`"));
	ck_assert_int_eq(connection_find("a b", found, sizeof found, &err), -EINVAL);
	make("one");
	write_connection();
	/* It died and left its file. */
	ck_assert_int_eq(connection_find("one", found, sizeof found, &err), XC_ENOCLUSTER);
	ck_assert_int_eq(connection_find(file(CLUSTER_CONNECTION), found, sizeof found, &err),
			 XC_ENOCLUSTER);
	holder = hold(CLUSTER_LOCK, SIG_DFL);
	ck_assert_int_eq(connection_find("one", found, sizeof found, &err), 0);
	ck_assert_str_eq(found, file(CLUSTER_CONNECTION));
	ck_assert_int_eq(connection_find(path, found, sizeof found, &err), 0);
	ck_assert_str_eq(found, path);
	setenv("XCLUSTER_CONNECTION", path, 1);
	ck_assert_int_eq(connection_find(NULL, found, sizeof found, &err), 0);
	ck_assert_str_eq(found, path);
	setenv("XCLUSTER_CONNECTION", "one", 1); /* always a file */
	ck_assert_int_eq(connection_find(NULL, found, sizeof found, &err), XC_ENOCLUSTER);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(connection_find(path, found, sizeof found, &err), -EACCES);
	kill_and_wait(holder);
}
END_TEST

/* A cluster of somebody else is not taken for one that is not there. */
START_TEST(test_find_without_permission)
{
	char found[CLUSTER_PATH_MAX];
	uid_t me = geteuid();
	pid_t holder;
	int r;

	make("one");
	write_connection();
	holder = hold(CLUSTER_LOCK, SIG_DFL);
	ck_assert_int_eq(me == 0 ? seteuid(65534) : chmod(dir, 0), 0);
	r = connection_find("one", found, sizeof found, &err);
	ck_assert_int_eq(me == 0 ? seteuid(me) : chmod(dir, 0700), 0);
	ck_assert_int_eq(r, -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, strerror(EACCES)));
	kill_and_wait(holder);
}
END_TEST

/* ---- Holders -------------------------------------------------------------------- */

START_TEST(test_holders)
{
	struct holders holders = HOLDERS_INIT;
	pid_t controller, agent;

	ck_assert_int_eq(holders_find(&holders, fixture_path("no")), 0);
	ck_assert_int_eq(holders.count, 0);
	make("one");
	touch("agent-1.lock");
	controller = hold(CLUSTER_LOCK, SIG_DFL);
	agent = hold("agent-0.lock", SIG_DFL);
	ck_assert_int_eq(holders_find(&holders, dir), 0);
	ck_assert_int_eq(holders.count, 2);
	ck_assert(holders_have_controller(&holders));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(holders.list[i].pid,
				 holders.list[i].controller ? controller : agent);
	ck_assert(!holders_wait(&holders, 0, -1));
	kill(controller, SIGKILL);
	kill(agent, SIGKILL);
	ck_assert(holders_wait(&holders, 10, -1));
	holders_fini(&holders);
	kill_and_wait(controller);
	kill_and_wait(agent);
}
END_TEST

START_TEST(test_end)
{
	pid_t willing, stopped;
	int status;

	make("one");
	ck_assert_int_eq(holders_end(dir, 10, &err), 0);
	willing = hold(CLUSTER_LOCK, SIG_DFL);
	stopped = hold("agent-0.lock", SIG_DFL);
	kill(stopped, SIGSTOP);
	ck_assert_int_eq(holders_end(dir, 0, &err), 0);
	ck_assert_int_eq(waitpid(willing, &status, 0), willing);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	ck_assert_int_eq(waitpid(stopped, &status, 0), stopped);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cluster_dir");
	TCase *tests = tcase_create("cluster_dir");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, fixture_end);
	tcase_add_test(tests, test_ids);
	tcase_add_test(tests, test_base);
	tcase_add_test(tests, test_create);
	tcase_add_test(tests, test_socket_paths);
	tcase_add_test(tests, test_remove);
	tcase_add_test(tests, test_list);
	tcase_add_test(tests, test_lock);
	tcase_add_test(tests, test_find);
	tcase_add_test(tests, test_find_without_permission);
	tcase_add_test(tests, test_holders);
	tcase_add_test(tests, test_end);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
