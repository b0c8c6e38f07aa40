/* teardown.c: ending a cluster, in whatever state it is. */
#include "cmd/teardown.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/launched.h"
#include "cmd/query.h"
#include "controller/controller.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/holders.h"

static pid_t lock_holder(const char *dir, const char *name)
{
	char lock[CLUSTER_PATH_MAX];

	return cluster_file(dir, lock, sizeof lock, "%s", name) == 0 ? cluster_lock_holder(lock)
								     : 0;
}

enum cluster_state cluster_state(const char *dir)
{
	if (lock_holder(dir, CLUSTER_LOCK) != 0)
		return CLUSTER_RUNNING;
	return lock_holder(dir, CLUSTER_START_LOCK) != 0 ? CLUSTER_STARTING : CLUSTER_DEAD;
}

/* An `xcluster start` undoes what it has done when it is told to end. */
static bool end_start(const char *dir, double timeout)
{
	pid_t pid = lock_holder(dir, CLUSTER_START_LOCK);
	struct pollfd fd = { .events = POLLIN };

	if (pid <= 0 || pid == getpid())
		return false;
	fd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd.fd < 0)
		return false;
	if (lock_holder(dir, CLUSTER_START_LOCK) == pid) {
		syscall(SYS_pidfd_send_signal, fd.fd, SIGTERM, NULL, 0);
		if (poll(&fd, 1, (int)(timeout * 1e3)) <= 0)
			syscall(SYS_pidfd_send_signal, fd.fd, SIGKILL, NULL, 0);
	}
	close(fd.fd);
	return true;
}

/* Returns the seconds that are left for an orderly end: 0 when there will be
 * none. */
static double ask_to_end(const char *dir, const struct holders *holders, double timeout)
{
	char connection[CLUSTER_PATH_MAX];
	double end = now_seconds() + timeout;
	bool taken = true;
	int fd = -1;
	pid_t pid;

	if (cluster_file(dir, connection, sizeof connection, CLUSTER_CONNECTION) < 0 ||
	    access(connection, F_OK) < 0)
		return 0;
	pid = query_shutdown(connection, &fd);
	if (pid < 0)
		return 0;
	if (!holders_wait(holders, timeout, fd))
		taken = query_end(pid, fd);
	else
		query_end(pid, fd);
	return taken && now_seconds() < end ? end - now_seconds() : 0;
}

/* Where the log of now ends. */
static off_t log_end(const char *dir)
{
	char path[CLUSTER_PATH_MAX];
	struct stat st;

	return cluster_file(dir, path, sizeof path, CLUSTER_LOG) == 0 && stat(path, &st) == 0
		       ? st.st_size
		       : 0;
}

/* Names the hosts whose agents have not told the controller that they end. */
static void complain_of_left(const char *dir, off_t from)
{
	char path[CLUSTER_PATH_MAX], line[2048];
	FILE *log;

	if (cluster_file(dir, path, sizeof path, CLUSTER_LOG) < 0 || !(log = fopen(path, "re")))
		return;
	fseeko(log, from, SEEK_SET);
	while (fgets(line, sizeof line, log)) {
		const char *at = strstr(line, CONTROLLER_LEFT);

		if (at)
			complain("host %.*s could not be told to end: engines may run there until "
				 "they miss the controller",
				 (int)strcspn(at + strlen(CONTROLLER_LEFT), ";"),
				 at + strlen(CONTROLLER_LEFT));
	}
	fclose(log);
}

int teardown(const char *dir, double timeout, bool keep_logs, struct xc_error *err)
{
	bool alive, was_starting = end_start(dir, timeout);
	struct holders holders = HOLDERS_INIT;
	off_t log = log_end(dir);
	int r = holders_find(&holders, dir);

	if (r < 0)
		return error_set(err, r, "cannot look for the processes of %s: %s", dir,
				 strerror(-r));
	alive = holders_have_controller(&holders);
	timeout = alive ? ask_to_end(dir, &holders, timeout) : 0;
	r = holders_finish(&holders, timeout, err);
	holders_fini(&holders);
	/* Agents that have joined meanwhile. */
	if (r == 0)
		r = holders_end(dir, 0, err);
	complain_of_left(dir, log);
	if (r < 0)
		return r;
	r = launcher_leftover(dir, err);
	if (r < 0)
		return r;
	r = cluster_dir_remove(dir, keep_logs);
	if (r < 0)
		return error_set(err, r, "cannot remove the files in %s: %s", dir, strerror(-r));
	return alive || was_starting;
}
