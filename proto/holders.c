/* holders.c: the live processes of a cluster on this host, and ending them. */
#include "proto/holders.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proto/cluster_dir.h"
#include "proto/error.h"

#define TERM_TIMEOUT 3.0 /* an agent gives its engines 2 s */
#define KILL_TIMEOUT 5.0 /* the kernel may have memory to give back */
#define ROUNDS	     5	 /* of agents that join while the others are ended */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static int add(struct holders *holders, pid_t pid, int pidfd, bool controller)
{
	struct holder *list =
		realloc(holders->list, ((size_t)holders->count + 1) * sizeof *holders->list);

	if (!list) {
		close(pidfd);
		return -ENOMEM;
	}
	list[holders->count++] = (struct holder){ pid, pidfd, controller };
	holders->list = list;
	return 0;
}

static int add_holder(struct holders *holders, const char *path, bool controller)
{
	pid_t pid = cluster_lock_holder(path);
	int fd;

	if (pid <= 0 || pid == getpid())
		return 0;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return errno == ESRCH ? 0 : -errno;
	/* Only if it still holds the lock is this its descriptor, and not that of
	 * another process that got the number meanwhile. */
	if (cluster_lock_holder(path) == pid)
		return add(holders, pid, fd, controller);
	close(fd);
	return 0;
}

int holders_find(struct holders *holders, const char *path)
{
	struct holders found = HOLDERS_INIT;
	DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir && errno != ENOENT)
		return -errno;
	while (dir && r == 0 && (entry = readdir(dir))) {
		bool controller = strcmp(entry->d_name, CLUSTER_LOCK) == 0;
		char lock[CLUSTER_PATH_MAX];

		if (!controller && strcmp(entry->d_name, CLUSTER_LAUNCHER_LOCK) != 0 &&
		    fnmatch("agent-[0-9]*.lock", entry->d_name, 0) != 0 &&
		    fnmatch("tunnel-[0-9]*.lock", entry->d_name, 0) != 0)
			continue;
		r = cluster_file(path, lock, sizeof lock, "%s", entry->d_name);
		if (r == 0)
			r = add_holder(&found, lock, controller);
	}
	if (dir)
		closedir(dir);
	if (r < 0)
		holders_fini(&found);
	else
		*holders = found;
	return r;
}

void holders_fini(struct holders *holders)
{
	for (int i = 0; i < holders->count; i++)
		close(holders->list[i].pidfd);
	free(holders->list);
	*holders = (struct holders)HOLDERS_INIT;
}

bool holders_have_controller(const struct holders *holders)
{
	for (int i = 0; i < holders->count; i++)
		if (holders->list[i].controller)
			return true;
	return false;
}

bool holders_wait(const struct holders *holders, double timeout, int extra_fd)
{
	double end = now() + timeout;

	for (int i = 0; i < holders->count; i++) {
		struct pollfd fds[2] = { { .fd = holders->list[i].pidfd, .events = POLLIN },
					 { .fd = extra_fd, .events = POLLIN } };

		do {
			double left = end - now();

			poll(fds, 2, left > 0 ? (int)(left * 1e3) + 1 : 0);
		} while (!fds[0].revents && !fds[1].revents && now() < end);
		if (!fds[0].revents)
			return false;
	}
	return true;
}

static void send_signal(const struct holder *holder, int signal)
{
	syscall(SYS_pidfd_send_signal, holder->pidfd, signal, NULL, 0);
}

/* An agent's children are engines, each the leader of a process group. They end
 * with their agent, but not what their tasks started. */
static int add_engines(struct holders *engines, pid_t agent)
{
	char path[64];
	FILE *file;
	int pid, r = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)agent, (int)agent);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (r == 0 && fscanf(file, "%d", &pid) == 1) {
		int fd = (int)syscall(SYS_pidfd_open, pid, 0);

		if (fd >= 0)
			r = add(engines, pid, fd, false);
	}
	fclose(file);
	return r;
}

static bool kill_all(const struct holders *holders)
{
	struct holders engines = HOLDERS_INIT;
	bool ended;

	for (int i = 0; i < holders->count; i++) {
		/* First it stands still, so that it starts no engine meanwhile and its
		 * children's pids stay theirs. */
		send_signal(&holders->list[i], SIGSTOP);
		if (!holders->list[i].controller)
			add_engines(&engines, holders->list[i].pid);
	}
	for (int i = 0; i < engines.count; i++)
		if (getpgid(engines.list[i].pid) == engines.list[i].pid)
			kill(-engines.list[i].pid, SIGKILL);
	for (int i = 0; i < engines.count; i++)
		send_signal(&engines.list[i], SIGKILL);
	for (int i = 0; i < holders->count; i++)
		send_signal(&holders->list[i], SIGKILL);
	ended = holders_wait(holders, KILL_TIMEOUT, -1) && holders_wait(&engines, KILL_TIMEOUT, -1);
	holders_fini(&engines);
	return ended;
}

int holders_finish(const struct holders *holders, double timeout, struct xc_error *err)
{
	if (holders_wait(holders, timeout, -1))
		return 0;
	for (int i = 0; i < holders->count; i++) {
		send_signal(&holders->list[i], SIGTERM);
		send_signal(&holders->list[i], SIGCONT); /* or it would not hear it */
	}
	if (holders_wait(holders, TERM_TIMEOUT, -1) || kill_all(holders))
		return 0;
	for (int i = 0; i < holders->count; i++)
		if (syscall(SYS_pidfd_send_signal, holders->list[i].pidfd, 0, NULL, 0) == 0)
			return error_set(err, -ETIMEDOUT,
					 "process %d does not end, not even by SIGKILL",
					 (int)holders->list[i].pid);
	return 0;
}

int holders_end(const char *dir, double timeout, struct xc_error *err)
{
	struct holders holders = HOLDERS_INIT;
	int r = 0;

	for (int round = 0; round < ROUNDS && r == 0; round++) {
		r = holders_find(&holders, dir);
		if (r < 0)
			return error_set(err, r, "cannot look for the processes of %s: %s", dir,
					 strerror(-r));
		if (holders.count == 0)
			return 0;
		r = holders_finish(&holders, round == 0 ? timeout : 0, err);
		holders_fini(&holders);
	}
	return r;
}
