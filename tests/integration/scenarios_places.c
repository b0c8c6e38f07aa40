/* scenarios_places.c: where clusters live: directories with odd names, none, some
 * that cannot be written, full disks; and processes killed while they start. */
#include "tests/support/support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct xc_error err = XC_ERROR_INIT;

static int square(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	(void)task;
	*(int64_t *)out = i * i;
	return 0;
}

static void check_map(struct xc_client *client)
{
	int64_t out[100];

	assert_ok(xc_map_range(xc_balanced(client), square, 100, out, sizeof out[0], NULL, &err),
		  err);
	for (int64_t i = 0; i < 100; i++)
		ck_assert_int_eq(out[i], i * i);
}

START_TEST(a_directory_with_spaces_and_utf8)
{
	char *before = strdup(getenv("XCLUSTER_DIR"));
	char dir[512];
	struct xc_client *client;
	struct output output;
	json_t *list;

	snprintf(dir, sizeof dir, "%s/my 'own' W\u00e4lder $HOME", before);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	setenv("XCLUSTER_DIR", dir, 1);
	start_cluster(2);
	client = open_client(2);
	check_map(client);
	xc_close(client);
	list = XCLUSTER_JSON("list", "--json");
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "connection")),
			 cluster_path("default/connection.json"));
	json_decref(list);
	XCLUSTER(&output, "logs");
	ck_assert_msg(output.status == 0 && strstr(output.out, dir), "%s", output.out);
	stop_cluster();
	setenv("XCLUSTER_DIR", before, 1);
	free(before);
}
END_TEST

/* Neither XCLUSTER_DIR nor HOME says where. */
START_TEST(no_home_is_an_error_that_names_it)
{
	static const char *const commands[] = {
		"start", "status", "list", "stop", "clean", "logs"
	};
	char *before = strdup(getenv("XCLUSTER_DIR"));
	const char *home = _i ? "" : NULL;
	struct xc_client *client = NULL;
	struct output output;

	unsetenv("XCLUSTER_DIR");
	if (home)
		setenv("HOME", home, 1);
	else
		unsetenv("HOME");
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		XCLUSTER(&output, commands[i]);
		ck_assert_msg(output.status == 1, "%s: %d", commands[i], output.status);
		ck_assert_msg(strstr(output.err, "set HOME or XCLUSTER_DIR"), "%s: %s", commands[i],
			      output.err);
	}
	ck_assert_int_lt(xc_open(&client, NULL, &err), 0);
	ck_assert_msg(strstr(err.text, "HOME"), "%s", err.text);
	setenv("XCLUSTER_DIR", before, 1);
	free(before);
}
END_TEST

/* A file system of so much over XCLUSTER_DIR, for this test and what it starts; false
 * where that is not allowed. */
static bool mount_over(const char *options, unsigned long flags)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	ck_assert_int_eq(mount("none", getenv("XCLUSTER_DIR"), "tmpfs", flags, options), 0);
	return true;
}

START_TEST(a_place_that_cannot_be_written_is_named)
{
	struct output output;

	if (!mount_over("mode=0700", MS_RDONLY))
		return;
	XCLUSTER(&output, "start", "-n", "1");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, cluster_path("default")) &&
			      strstr(output.err, strerror(EROFS)),
		      "%s", output.err);
	XCLUSTER(&output, "list");
	ck_assert_int_eq(output.status, 0);
	XCLUSTER(&output, "clean");
	ck_assert_int_eq(output.status, 0);
}
END_TEST

static void fill_disk(const char *path)
{
	static const char zeros[4096];
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	setbuf(file, NULL);
	while (fwrite(zeros, 1, sizeof zeros, file) == sizeof zeros)
		;
	ck_assert_int_eq(errno, ENOSPC);
	fclose(file);
}

START_TEST(a_full_disk_is_named_and_a_cluster_lives_on_with_it)
{
	struct xc_client *client;
	struct output output;

	if (!mount_over("mode=0700,size=256k", 0))
		return;
	fill_disk(cluster_path("filling"));
	XCLUSTER(&output, "start", "-n", "1");
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "disk is full"), "%s", output.err);
	ck_assert_int_eq(cluster_processes(NULL, 0), 0);
	unlink(cluster_path("filling"));
	/* Full later on, the logs have no room, and work goes on. */
	start_cluster(2);
	client = open_client(2);
	fill_disk(cluster_path("filling"));
	check_map(client);
	xc_close(client);
	stop_cluster();
}
END_TEST

/* Work goes on; nobody new finds it; and when the last client goes, it does. */
START_TEST(a_removed_directory_ends_the_cluster_with_its_last_client)
{
	struct xc_client *client, *late = NULL;
	struct output output;

	start_cluster(2);
	client = open_client(2);
	check_map(client); /* what it needs of the store it has */
	RUN(&output, "rm", "-r", cluster_path("default"));
	ck_assert_int_eq(output.status, 0);
	assert_error(xc_open(&late, NULL, &err), XC_ENOCLUSTER, &err, "default");
	for (double start = now(); now() < start + 2;)
		check_map(client);
	xc_close(client);
	assert_nothing_left(10);
}
END_TEST

START_TEST(too_few_descriptors_are_named_as_the_reason)
{
	struct output output;

	RUN(&output, "sh", "-c", "ulimit -n 48; exec \"$1\" start -n 64", "sh", xcluster_command());
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "ulimit -n") != NULL, "%s", output.err);
	assert_nothing_left(0);
}
END_TEST

START_TEST(output_that_is_lost_is_a_failure)
{
	struct output output;

	start_cluster(1);
	RUN(&output, "sh", "-c", "exec \"$1\" status >/dev/full", "sh", xcluster_command());
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, strerror(ENOSPC)) != NULL, "%s", output.err);
	/* Also what was written before the end. */
	RUN(&output, "sh", "-c", "exec \"$1\" logs >/dev/full", "sh", xcluster_command());
	ck_assert_int_eq(output.status, 1);
	ck_assert_msg(strstr(output.err, "cannot write the output") != NULL, "%s", output.err);
	RUN(&output, "sh", "-c", "exec \"$1\" logs >&-", "sh", xcluster_command());
	ck_assert_int_eq(output.status, 0);
	RUN(&output, "sh", "-c", "exec \"$1\" start --cluster-id b -n 1 <&- >&- 2>&-", "sh",
	    xcluster_command());
	ck_assert_int_eq(output.status, 0);
	XCLUSTER(&output, "stop", "--cluster-id", "b");
	ck_assert_int_eq(output.status, 0);
	RUN(&output, "sh", "-c", "exec \"$1\" status >&-", "sh", xcluster_command());
	ck_assert_int_eq(output.status, 0);
	stop_cluster();
}
END_TEST

enum victim { CONTROLLER, AGENT, AN_ENGINE, VICTIMS };

/* The engine that the agent has started last, 0 while there is none. */
static pid_t youngest_engine(void)
{
	pid_t agent = lock_holder(cluster_path("default/agent-0.lock")), last = 0;
	char path[64], *list;

	if (agent == 0)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)agent, (int)agent);
	list = read_file(path);
	for (char *rest = list, *end; rest; rest = end) {
		long pid = strtol(rest, &end, 10);

		if (end == rest)
			break;
		last = (pid_t)pid;
	}
	free(list);
	return last;
}

static pid_t victim_pid;

static bool has_victim(void *arg)
{
	switch (*(const enum victim *)arg) {
	case CONTROLLER:
		victim_pid = lock_holder(cluster_path("default/controller.lock"));
		break;
	case AGENT:
		victim_pid = lock_holder(cluster_path("default/agent-0.lock"));
		break;
	default:
		victim_pid = youngest_engine();
	}
	return victim_pid > 0;
}

static bool has_many_processes(void *arg)
{
	return cluster_processes(NULL, 0) >= *(const int *)arg;
}

/* As soon as it is there, or later, when half of the engines are. */
START_TEST(killed_while_64_engines_start)
{
	enum victim victim = (enum victim)(_i % VICTIMS);
	struct program start;
	struct output output;
	int many = 32, status;

	PROGRAM(&start, xcluster_command(), "start", "-n", "64");
	if (_i / VICTIMS)
		ck_assert(wait_until(has_many_processes, &many, LIMIT));
	ck_assert(wait_until(has_victim, &victim, LIMIT));
	kill(victim_pid, SIGKILL);
	status = program_end(&start);
	if (victim == AN_ENGINE) {
		/* It is started again. */
		ck_assert_int_eq(status, 0);
		xc_close(open_client(64));
		stop_cluster();
		return;
	}
	if (status != 0) {
		char *text = read_file(test_path("stderr"));

		ck_assert_msg(text && strstr(text, "xcluster: "), "no reason is given: %s", text);
		free(text);
	}
	XCLUSTER(&output, "stop"); /* it may have been ready before */
	assert_nothing_left(10);
	start_cluster(1);
	stop_cluster();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scenarios of places");
	TCase *tests = separate_case(suite, "places");

	tcase_add_test(tests, a_directory_with_spaces_and_utf8);
	tcase_add_loop_test(tests, no_home_is_an_error_that_names_it, 0, 2);
	tcase_add_test(tests, a_place_that_cannot_be_written_is_named);
	tcase_add_test(tests, a_full_disk_is_named_and_a_cluster_lives_on_with_it);
	tcase_add_test(tests, a_removed_directory_ends_the_cluster_with_its_last_client);
	tcase_add_test(tests, too_few_descriptors_are_named_as_the_reason);
	tcase_add_test(tests, output_that_is_lost_is_a_failure);
	tcase_add_loop_test(tests, killed_while_64_engines_start, 0, 2 * VICTIMS);
	return run_tests(suite);
}
