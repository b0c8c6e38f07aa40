/* elsewhere.c: objects across hosts, which are made up on this one by UTS namespaces: agents
 * of other names, that share no objects by their sockets, and clients without an agent. */
#include "tests/support/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (INT64_C(1) << 20)

static struct xc_error err = XC_ERROR_INIT;

/* ---- Hosts ---------------------------------------------------------------------------- */

static void on_host(const char *host, const char *command)
{
	char text[1024];
	struct output output;

	snprintf(text, sizeof text, "hostname %s && exec %s %s", host, xcluster_command(), command);
	RUN(&output, "unshare", "-u", "sh", "-c", text);
	ck_assert_msg(output.status == 0, "%s on %s: %s%s", command, host, output.out, output.err);
}

/* The controller and two engines on "north", two engines on each of the others. */
static void start_on(const char *const *others, const char *options)
{
	char command[200];

	snprintf(command, sizeof command, "start -n 2 %s", options);
	on_host("north", command);
	snprintf(command, sizeof command, "engines -n 2 %s", options);
	for (int i = 0; others[i]; i++)
		on_host(others[i], command);
}

#define START_ON(...) start_on((const char *const[]){ __VA_ARGS__, NULL }, "")

/* What this process does from now on is done on that host. */
static void go_to(const char *host)
{
	ck_assert_msg(unshare(CLONE_NEWUTS) == 0 && sethostname(host, strlen(host)) == 0, "%s",
		      strerror(errno));
}

static pid_t agent_pid(int k)
{
	pid_t pid = lock_holder(cluster_path("default/agent-%d.lock", k));

	ck_assert_msg(pid > 0, "agent %d holds no lock", k);
	return pid;
}

/* Descriptor of the largest object, or part of one, that the process has; -1: none. */
static int largest_object(pid_t pid, struct stat *best)
{
	char path[64], name[400], target[64];
	int found = -1;
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	best->st_size = 0;
	while (dir && (entry = readdir(dir))) {
		ssize_t n;

		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		n = readlink(name, target, sizeof target - 1);
		target[n < 0 ? 0 : n] = '\0';
		if (!strstr(target, "memfd:xcluster-object") || stat(name, &st) < 0 ||
		    st.st_size <= best->st_size)
			continue;
		*best = st;
		found = atoi(entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Inodes of memfds of objects that processes of our clusters have, and their bytes. */
static int64_t bytes_of_objects(void)
{
	pid_t pids[64];
	int n = cluster_processes(pids, 64);
	ino_t seen[256];
	int count = 0;
	int64_t bytes = 0;

	for (int i = 0; i < n; i++) {
		char path[64], name[400], target[64];
		struct dirent *entry;
		DIR *dir;

		snprintf(path, sizeof path, "/proc/%d/fd", (int)pids[i]);
		dir = opendir(path);
		while (dir && (entry = readdir(dir))) {
			struct stat st;
			bool is_new = true;
			ssize_t length;

			snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
			length = readlink(name, target, sizeof target - 1);
			target[length < 0 ? 0 : length] = '\0';
			if (!strstr(target, "memfd:xcluster-object") || stat(name, &st) < 0 ||
			    st.st_size < MIB) /* those of programs are not meant */
				continue;
			for (int k = 0; k < count; k++)
				is_new &= seen[k] != st.st_ino;
			if (is_new && count < 256) {
				seen[count++] = st.st_ino;
				bytes += 512 * (int64_t)st.st_blocks;
			}
		}
		if (dir)
			closedir(dir);
	}
	return bytes;
}

static bool has_no_objects(void *arg)
{
	(void)arg;
	return bytes_of_objects() == 0;
}

/* Does a process of ours listen at a TCP port? */
static bool listens(pid_t pid)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
	char path[64], name[400], target[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		unsigned long inode, state, other;
		ssize_t n;

		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		n = readlink(name, target, sizeof target - 1);
		target[n < 0 ? 0 : n] = '\0';
		if (sscanf(target, "socket:[%lu]", &inode) != 1)
			continue;
		for (int i = 0; i < 2; i++) {
			char *text = read_file(tables[i]), *line = text;

			while (line && (line = strchr(line, '\n')) && *++line)
				found |= sscanf(line, " %*d: %*s %*s %lx %*s %*s %*s %*d %*d %lu",
						&state, &other) == 2 &&
					 state == 0x0A && other == inode;
			free(text);
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

/* ---- Values --------------------------------------------------------------------------- */

static uint64_t pattern(uint64_t i)
{
	return (i + 1) * 0x9E3779B97F4A7C15u;
}

static uint64_t *make(int64_t mib)
{
	uint64_t *data = malloc((size_t)(mib * MIB));

	ck_assert_ptr_nonnull(data);
	for (int64_t i = 0; i < mib * MIB / 8; i++)
		data[i] = pattern((uint64_t)i);
	return data;
}

static int check_pattern(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *array = xc_task_array(task, "big");
	const uint64_t *data;

	(void)in;
	if (!array)
		return XC_TASK_FAILED;
	data = array->data;
	for (int64_t i = 0; i < xc_array_count(array); i++)
		if (data[i] != pattern((uint64_t)i))
			return xc_task_fail(task, "element %lld is wrong", (long long)i);
	*(int64_t *)out = xc_array_count(array);
	return 0;
}

static void expect_pattern(struct xc_client *client, int engines, int64_t mib)
{
	int64_t counts[16];

	assert_ok(xc_apply(xc_all(client), check_pattern, NULL, 0, counts, sizeof counts[0], NULL,
			   &err),
		  err);
	for (int i = 0; i < engines; i++)
		ck_assert_int_eq(counts[i], mib * MIB / 8);
}

static int push(struct xc_client *client, int64_t mib)
{
	uint64_t *data = make(mib);
	int r = xc_push(xc_all(client), "big", XC_ARRAY_U64(data, mib * MIB / 8), &err);

	free(data);
	return r;
}

/* ---- Tests ---------------------------------------------------------------------------- */

START_TEST(a_client_without_an_agent_uses_engines_elsewhere)
{
	struct xc_client *client;

	START_ON("east", "south");
	client = open_client(6);
	assert_ok(push(client, 5), err);
	expect_pattern(client, 6, 5); /* which is a function of this program */
	assert_ok(xc_clear(xc_all(client), NULL, &err), err);
	ck_assert_msg(wait_until(has_no_objects, NULL, 5), "%lld bytes are left",
		      (long long)bytes_of_objects());
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(without_a_network_no_port_is_opened)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert(!listens(getpid()));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&here, sizeof here), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert(listens(getpid()));
	close(fd);
	START_ON("east");
	ck_assert(!listens(controller_pid()));
	ck_assert(!listens(agent_pid(0)));
	ck_assert(!listens(agent_pid(1)));
	stop_cluster();
}
END_TEST

START_TEST(there_is_one_copy_a_host)
{
	struct xc_client *client;
	int64_t bytes;

	START_ON("east", "south");
	on_host("south", "engines -n 2"); /* another agent there */
	client = open_client(8);
	assert_ok(push(client, 40), err);
	expect_pattern(client, 8, 40);
	bytes = bytes_of_objects();
	ck_assert_msg(bytes >= 120 * MIB && bytes < 125 * MIB, "%lld bytes are held",
		      (long long)bytes);
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(what_all_have_reaches_late_hosts_when_the_first_is_gone)
{
	struct xc_client *client;

	START_ON("east");
	go_to("north");
	client = open_client(4);
	assert_ok(push(client, 20), err);
	xc_close(client);
	kill(agent_pid(0), SIGKILL);
	on_host("west", "engines -n 2");
	client = open_client(4); /* of east and west */
	expect_pattern(client, 4, 20);
	xc_close(client);
	stop_cluster();
}
END_TEST

START_TEST(a_host_whose_store_is_full_fails_alone)
{
	struct xc_client *client;
	struct xc_failure failure;
	struct xc_result *result;
	uint64_t *data = make(40);

	on_host("north", "start -n 2 --store-limit 64M");
	on_host("east", "engines -n 2 --store-limit 16M");
	client = open_client(4);
	result = xc_push_async(xc_all(client), "big", XC_ARRAY_U64(data, 40 * MIB / 8), &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_ne(xc_wait(result, LIMIT, &err), 0);
	ck_assert_int_eq(xc_result_progress(result).failed, 2);
	failure = failure_of(result, 2);
	ck_assert_int_eq(failure.code, XC_ESTORE);
	ck_assert_msg(strstr(failure.text, "on east: ") && strstr(failure.text, "store"), "%s",
		      failure.text);
	xc_result_destroy(result);
	/* None has room for this. */
	assert_error(push(client, 70), XC_ESTORE, &err, "stores of the hosts cannot take");
	ck_assert_msg(strstr(err.text, "north") != NULL, "%s", err.text);
	assert_ok(xc_clear(xc_all(client), NULL, &err), err);
	ck_assert(wait_until(has_no_objects, NULL, 5));
	assert_ok(push(client, 10), err);
	expect_pattern(client, 4, 10);
	free(data);
	xc_close(client);
	stop_cluster();
}
END_TEST

static bool are_up(void *arg)
{
	return xc_engine_count(arg) == 2;
}

START_TEST(a_push_fails_with_the_name_of_the_host_that_was_lost_with_it)
{
	struct xc_client *client;
	struct xc_result *result;
	uint64_t *data = make(8);

	START_ON("east");
	go_to("north");
	client = open_client(4);
	kill(agent_pid(1), SIGSTOP); /* east does not fetch it yet */
	result = xc_push_async(xc_all(client), "big", XC_ARRAY_U64(data, 8 * MIB / 8), &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	kill(agent_pid(0), SIGKILL);
	ck_assert(wait_until(are_up, client, 4));
	kill(agent_pid(1), SIGCONT);
	ck_assert_int_ne(xc_wait(result, LIMIT, &err), 0);
	/* Killed at once, it may not even have said that it had it. */
	ck_assert_msg(strstr(failure_of(result, 2).text, "host north") &&
			      strstr(failure_of(result, 2).text, "push it again"),
		      "%s", failure_of(result, 2).text);
	xc_result_destroy(result);
	free(data);
	xc_close(client);
	stop_cluster();
}
END_TEST

static bool has_begun(void *arg)
{
	struct stat st;

	return largest_object(*(pid_t *)arg, &st) >= 0 && st.st_size >= 100 * MIB &&
	       st.st_blocks > 8192;
}

/* Engines of `host` by their order: two a host. */
static void expect_wrong_on(struct xc_result *result, int host)
{
	for (int i = 0; i < 6; i++)
		if (i / 2 == host)
			ck_assert_str_eq(failure_of(result, i).text, "element 0 is wrong");
	ck_assert_int_eq(xc_result_progress(result).failed, 2);
}

START_TEST(what_was_damaged_on_the_way_is_fetched_from_elsewhere)
{
	struct xc_client *client;
	struct xc_result *result;
	uint64_t *data = make(300);
	int64_t counts[6];
	char path[64];
	struct stat st;
	pid_t pid;
	int fd;

	START_ON("east", "south");
	go_to("north");
	client = open_client(6);
	kill(agent_pid(2), SIGSTOP); /* asks last, and so asks east */
	result = xc_push_async(xc_all(client), "big", XC_ARRAY_U64(data, 300 * MIB / 8), &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	pid = agent_pid(1);
	ck_assert(wait_until(has_begun, &pid, 5));
	kill(pid, SIGSTOP);
	fd = largest_object(pid, &st);
	ck_assert_int_lt(st.st_blocks * 512, 300 * MIB); /* else it is sealed */
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, "damaged!", 8, 0), 8);
	close(fd);
	kill(pid, SIGCONT);
	kill(agent_pid(2), SIGCONT);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	result = xc_apply_async(xc_all(client), check_pattern, NULL, 0, counts, sizeof counts[0],
				NULL, &err);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	expect_wrong_on(result, 1); /* nobody can tell there; but south has it right */
	xc_result_destroy(result);
	free(data);
	xc_close(client);
	stop_cluster();
}
END_TEST

/* The client dies while it gives. */
START_TEST(nothing_is_left_of_what_a_client_could_not_give)
{
	struct xc_client *client;
	struct stat st;
	pid_t pid, agent;

	START_ON("east");
	agent = agent_pid(0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		client = open_client(4);
		push(client, 400);
		_exit(0);
	}
	while (largest_object(agent, &st) < 0 && largest_object(agent_pid(1), &st) < 0)
		ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_msg(wait_until(has_no_objects, NULL, 10), "%lld bytes are left",
		      (long long)bytes_of_objects());
	client = open_client(4);
	assert_ok(push(client, 5), err);
	expect_pattern(client, 4, 5);
	xc_close(client);
	stop_cluster();
}
END_TEST

static int64_t peak_memory(pid_t pid)
{
	char path[64], *text, *line;
	int64_t kib;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	text = read_file(path);
	line = text ? strstr(text, "\nVmHWM:") : NULL;
	ck_assert_ptr_nonnull(line);
	kib = atoll(line + 7);
	free(text);
	return kib * 1024;
}

START_TEST(large_pulls_go_by_the_controller_without_staying_there)
{
	struct xc_client *client;
	struct xc_array arrays[4], whole;
	uint64_t *data = make(101);
	int64_t count = 101 * MIB / 8 - 5, before; /* no whole number of parts */

	START_ON("east");
	client = open_client(4);
	assert_ok(xc_push(xc_all(client), "big", XC_ARRAY_U64(data, count), &err), err);
	before = peak_memory(controller_pid());
	assert_ok(xc_pull(xc_all(client), "big", arrays, &err), err);
	assert_ok(xc_gather(xc_all(client), "big", &whole, &err), err);
	ck_assert_int_lt(peak_memory(controller_pid()) - before, 150 * MIB); /* of 808 */
	ck_assert_int_eq(xc_array_count(&whole), 4 * count);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(xc_array_count(&arrays[i]), count);
		ck_assert_int_eq(memcmp(arrays[i].data, data, (size_t)count * 8), 0);
		ck_assert_int_eq(
			memcmp((const uint64_t *)whole.data + i * count, data, (size_t)count * 8),
			0);
		xc_array_free(&arrays[i]);
	}
	xc_array_free(&whole);
	free(data);
	xc_close(client);
	stop_cluster();
}
END_TEST

/* Values of two sizes, by which it can be told whether all of one is of it. */
static int64_t count_of(uint64_t n)
{
	return (n % 2 ? 4 : 5) * MIB / 8;
}

static void keep_setting(void)
{
	struct xc_client *client = open_client(2);
	uint64_t *data = calloc(5 * MIB, 1);

	for (uint64_t n = 1;; n++) {
		for (int64_t i = 0; i < count_of(n); i++)
			data[i] = n;
		if (xc_push(xc_all(client), "big", XC_ARRAY_U64(data, count_of(n)), &err) < 0)
			_exit(1);
	}
}

static void expect_one_value(const struct xc_array *array)
{
	const uint64_t *data = array->data;

	if (data[1] != data[0]) /* the first push */
		return;
	ck_assert_int_eq(xc_array_count(array), count_of(data[0]));
	for (int64_t k = 1; k < xc_array_count(array); k++)
		if (data[k] != data[0])
			ck_abort_msg("element %lld is of another value", (long long)k);
}

START_TEST(a_pull_is_never_a_mix_of_two_values)
{
	struct xc_client *client;
	int pulled = 0;
	pid_t pid;

	start_cluster(2);
	client = open_client(2);
	assert_ok(push(client, 4), err);
	pid = fork();
	if (pid == 0)
		keep_setting();
	for (double end = now() + 3; now() < end;) {
		struct xc_array arrays[2];
		int r = xc_pull(xc_all(client), "big", arrays, &err);

		if (r < 0) {
			assert_error(r, -ESTALE, &err, "was set or cleared while it was pulled");
			continue;
		}
		pulled++;
		for (int i = 0; i < 2; i++) {
			expect_one_value(&arrays[i]);
			xc_array_free(&arrays[i]);
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_gt(pulled, 0);
	xc_close(client);
	stop_cluster();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("elsewhere");
	TCase *tests = separate_case(suite, "elsewhere");

	if (system("unshare -u true 2>/dev/null") != 0) {
		puts("this user may not make a UTS namespace");
		return 77;
	}
	tcase_add_test(tests, a_client_without_an_agent_uses_engines_elsewhere);
	tcase_add_test(tests, without_a_network_no_port_is_opened);
	tcase_add_test(tests, there_is_one_copy_a_host);
	tcase_add_test(tests, what_all_have_reaches_late_hosts_when_the_first_is_gone);
	tcase_add_test(tests, a_host_whose_store_is_full_fails_alone);
	tcase_add_test(tests, a_push_fails_with_the_name_of_the_host_that_was_lost_with_it);
	tcase_add_test(tests, what_was_damaged_on_the_way_is_fetched_from_elsewhere);
	tcase_add_test(tests, nothing_is_left_of_what_a_client_could_not_give);
	tcase_add_test(tests, large_pulls_go_by_the_controller_without_staying_there);
	tcase_add_test(tests, a_pull_is_never_a_mix_of_two_values);
	return run_tests(suite);
}
