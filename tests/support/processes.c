/* processes.c: waiting, and what is left of a cluster. */
#include "tests/support/support.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOKS	   200 /* at a process without an environment */
#define PF_EXITING 0x4 /* of the kernel's flags of a process */

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

bool wait_until(bool (*condition)(void *arg), void *arg, double limit)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	double end = now() + limit;

	while (!condition(arg)) {
		if (now() >= end)
			return false;
		ppoll(NULL, 0, &pause, NULL);
	}
	return true;
}

bool process_ends(pid_t pid, double limit)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd event = { .fd = fd, .events = POLLIN };
	double end = now() + limit;
	int r;

	if (fd < 0)
		return true;
	do {
		double left = end - now();

		r = poll(&event, 1, left > 0 ? (int)(left * 1e3) + 1 : 0);
	} while (r < 0);
	close(fd);
	return r > 0;
}

static ssize_t read_of(pid_t pid, const char *what, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, size);
	close(fd);
	return n;
}

/* In the middle of an exec a process has a file that it runs, but no environment yet;
 * kernel threads and the dead have no file. */
static bool may_be_in_exec(pid_t pid)
{
	char path[64], byte;

	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	return readlink(path, &byte, 1) > 0;
}

/* One that ends gives up its memory first, and its files, and thereby its locks, only then.
 * After that it is a zombie; its first thread is one as soon as it has ended itself. */
static bool is_ending(pid_t pid)
{
	char text[1024], *at;
	ssize_t n = read_of(pid, "stat", text, sizeof text - 1);
	unsigned long flags = 0;
	long threads = 0;
	char state = 'Z';

	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')'); /* the name may hold anything */
	if (at)
		sscanf(at,
		       ") %c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld",
		       &state, &flags, &threads);
	return flags & PF_EXITING && ((state != 'Z' && state != 'X') || threads > 1);
}

static bool is_of_cluster(pid_t pid)
{
	static char environment[1 << 18];
	const struct timespec pause = { .tv_nsec = 1000000 };
	char wanted[512];
	int n = snprintf(wanted, sizeof wanted, "XCLUSTER_DIR=%s", getenv("XCLUSTER_DIR"));
	ssize_t size = read_of(pid, "environ", environment, sizeof environment);

	for (int k = 0; size <= 0 && k < LOOKS && (may_be_in_exec(pid) || is_ending(pid)); k++) {
		ppoll(NULL, 0, &pause, NULL);
		size = read_of(pid, "environ", environment, sizeof environment);
	}
	/* With its terminating null, so that /tmp/a does not find /tmp/ab. */
	return size > 0 && memmem(environment, (size_t)size, wanted, (size_t)n + 1);
}

int cluster_processes(pid_t *pids, int max)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	/* N.B. also called where no test runs, where Check's assertions do not work. */
	if (!proc)
		return 0;
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (!isdigit((unsigned char)entry->d_name[0]) || pid == getpid() ||
		    !is_of_cluster(pid))
			continue;
		if (n < max)
			pids[n] = pid;
		n++;
	}
	closedir(proc);
	return n;
}

static char leftover[512];

static int look_for_socket(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)type;
	(void)ftw;
	if (!S_ISSOCK(st->st_mode))
		return 0;
	snprintf(leftover, sizeof leftover, "the socket %s", path);
	return 1;
}

static bool has_process_left(void)
{
	char path[64], command[256] = "";
	pid_t pid;
	FILE *file;

	if (cluster_processes(&pid, 1) == 0)
		return false;
	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	file = fopen(path, "r");
	if (file) {
		size_t n = fread(command, 1, sizeof command - 1, file);

		for (size_t i = 0; i + 1 < n; i++)
			if (!command[i])
				command[i] = ' ';
		fclose(file);
	}
	snprintf(leftover, sizeof leftover, "process %d: %s", (int)pid, command);
	return true;
}

static bool has_bound_socket_left(void)
{
	char *text = read_file("/proc/net/unix");
	bool found = text && strstr(text, getenv("XCLUSTER_DIR"));

	free(text);
	if (found)
		snprintf(leftover, sizeof leftover, "a bound unix socket");
	return found;
}

static bool has_shared_memory_left(void)
{
	DIR *shm = opendir("/dev/shm");
	struct dirent *entry;
	bool found = false;

	while (shm && (entry = readdir(shm)))
		if (strncmp(entry->d_name, "xc", 2) == 0 && !found) {
			found = true;
			snprintf(leftover, sizeof leftover, "/dev/shm/%s", entry->d_name);
		}
	if (shm)
		closedir(shm);
	return found;
}

static bool is_nothing_left(void *arg)
{
	(void)arg;
	return !has_process_left() && !has_bound_socket_left() && !has_shared_memory_left() &&
	       nftw(getenv("XCLUSTER_DIR"), look_for_socket, 16, FTW_PHYS) == 0;
}

void assert_nothing_left(double limit)
{
	if (!wait_until(is_nothing_left, NULL, limit))
		ck_abort_msg("left behind: %s", leftover);
}
