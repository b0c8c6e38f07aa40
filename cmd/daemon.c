/* daemon.c: starting this executable again, in the background. */
#include "cmd/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/cluster_dir.h"
#include "proto/error.h"

static void close_all_on_exec(void)
{
	struct rlimit limit;

	if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	/* Linux before 5.11. */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 65536)
		limit.rlim_cur = 65536;
	for (int fd = 3; fd < (int)limit.rlim_cur; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become(const char *const argv[], int log, const int *keep)
{
	char path[CLUSTER_PATH_MAX];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	setsid();
	reset_signals();
	if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(STATUS_FAILED);
	close_all_on_exec();
	for (; *keep >= 0; keep++)
		fcntl(*keep, F_SETFD, 0);
	/* By its path, as ps would show it as "exe" otherwise. */
	if (n > 0) {
		path[n] = '\0';
		execv(path, (char *const *)argv);
	}
	execv("/proc/self/exe", (char *const *)argv);
	complain("cannot run xcluster again: %s", strerror(errno));
	_exit(STATUS_FAILED);
}

static int start(struct daemon *daemon, const char *const argv[], int log, const int *keep,
		 struct xc_error *err)
{
	struct daemon started = DAEMON_INIT;

	fflush(NULL);
	started.pid = fork();
	if (started.pid == 0)
		become(argv, log, keep);
	if (started.pid < 0)
		return error_set(err, -errno, "cannot start `xcluster %s`: %s", argv[1],
				 strerror(errno));
	started.pidfd = (int)syscall(SYS_pidfd_open, started.pid, 0);
	if (started.pidfd < 0) {
		int r = error_set(err, -errno, "cannot watch `xcluster %s`: %s", argv[1],
				  strerror(errno));

		daemon_end(&started, 0);
		return r;
	}
	fcntl(started.pidfd, F_SETFD, FD_CLOEXEC);
	*daemon = started;
	return 0;
}

int daemon_start(struct daemon *daemon, const char *const argv[], const char *log, const int *keep,
		 struct xc_error *err)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600), r;

	if (fd < 0)
		return error_set(err, -errno, "cannot write the log %s: %s", log, strerror(errno));
	r = start(daemon, argv, fd, keep, err);
	close(fd);
	if (r == 0)
		snprintf(daemon->log, sizeof daemon->log, "%s", log);
	return r;
}

/* The log of the agent that will take the first free number. */
static int agent_log(const char *dir, char *path, size_t size, struct xc_error *err)
{
	for (int k = 0;; k++) {
		if (cluster_file(dir, path, size, CLUSTER_AGENT_LOCK, k) < 0)
			return error_set(err, -ENAMETOOLONG, "%s: the path is too long", dir);
		if (cluster_lock_holder(path) == 0)
			return cluster_file(dir, path, size, CLUSTER_AGENT_LOG, k);
	}
}

int daemon_start_agent(struct daemon *daemon, const struct connection *connection,
		       const struct engine_options *options, struct xc_error *err)
{
	char n[16], threads[16], store[32], fd[16], silence[32], path[CLUSTER_PATH_MAX],
		log[CLUSTER_PATH_MAX];
	const char *argv[24] = { "xcluster", "engines", "--foreground", "--connection", path,
				 "-n",	     n,		"--no-ranks" };
	int keep[3] = { -1, -1, -1 }, argc = 8, kept = 0, r = 0;

	if (!options->log_fd)
		r = agent_log(connection->dir, log, sizeof log, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof path, "%s", connection->path);
	if (options->connection_fd) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", options->connection_fd);
		keep[kept++] = options->connection_fd;
	}
	snprintf(n, sizeof n, "%d", options->n);
	/* The agent has our environment, and finds the same if nothing was asked for. */
	if (options->threads > 0 && !options->threads_yield) {
		snprintf(threads, sizeof threads, "%d", options->threads);
		argv[argc++] = "--threads-per-engine";
		argv[argc++] = threads;
	}
	if (options->bind)
		argv[argc++] = "--bind";
	if (options->store_limit) {
		snprintf(store, sizeof store, "%zu", options->store_limit);
		argv[argc++] = "--store-limit";
		argv[argc++] = store;
	}
	if (options->launch_info) {
		argv[argc++] = "--launch-info";
		argv[argc++] = options->launch_info;
	}
	if (options->controller_timeout > 0) {
		snprintf(silence, sizeof silence, "%g", options->controller_timeout);
		argv[argc++] = "--controller-timeout";
		argv[argc++] = silence;
	}
	if (options->launcher_fd) {
		snprintf(fd, sizeof fd, "%d", options->launcher_fd);
		argv[argc++] = "--launcher-fd";
		argv[argc++] = fd;
		keep[kept++] = options->launcher_fd;
	}
	return options->log_fd ? start(daemon, argv, options->log_fd, keep, err)
			       : daemon_start(daemon, argv, log, keep, err);
}

bool daemon_has_ended(struct daemon *daemon)
{
	pid_t pid;

	if (daemon->pid <= 0)
		return true;
	do
		pid = waitpid(daemon->pid, &daemon->status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return false;
	daemon->pid = 0;
	return true;
}

static bool wait_for(struct daemon *daemon, double timeout)
{
	struct pollfd fd = { .fd = daemon->pidfd, .events = POLLIN };
	double end = now_seconds() + timeout;

	for (;;) {
		double left = end - now_seconds();

		if (daemon_has_ended(daemon))
			return true;
		if (left <= 0)
			return false;
		poll(&fd, 1, (int)(left * 1e3) + 1);
	}
}

void daemon_end(struct daemon *daemon, double timeout)
{
	if (daemon_has_ended(daemon))
		return;
	kill(daemon->pid, SIGTERM);
	kill(daemon->pid, SIGCONT);
	if (wait_for(daemon, timeout))
		return;
	kill(daemon->pid, SIGKILL);
	while (waitpid(daemon->pid, &daemon->status, 0) < 0 && errno == EINTR)
		;
	daemon->pid = 0;
}

const char *daemon_end_text(const struct daemon *daemon)
{
	static char text[80];

	if (WIFSIGNALED(daemon->status))
		snprintf(text, sizeof text, "signal %d (%s)", WTERMSIG(daemon->status),
			 strsignal(WTERMSIG(daemon->status)));
	else
		snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(daemon->status));
	return text;
}

void daemon_fini(struct daemon *daemon)
{
	if (daemon->pidfd >= 0)
		close(daemon->pidfd);
	*daemon = (struct daemon)DAEMON_INIT;
}
