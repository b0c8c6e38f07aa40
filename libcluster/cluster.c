/* cluster.c: private clusters, started by the xcluster command. */
#include "xcluster.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/holders.h"

#ifndef XC_BINDIR
#define XC_BINDIR "/usr/local/bin"
#endif

#define STATUS_RUNNING	10 /* exit status of `xcluster start` */
#define ENGINE_TIMEOUT	60.0
#define COMMAND_TIMEOUT 60.0 /* for what it does besides waiting for engines */
#define STOP_TIMEOUT	10.0
#define TEXT_SIZE	16384

extern char **environ;

struct xc_cluster {
	char id[CONNECTION_ID_MAX];
	char dir[CLUSTER_PATH_MAX];
	char connection[CLUSTER_PATH_MAX];
	int lifeline; /* the cluster ends when this is closed */
	pid_t controller;
	pid_t owner; /* the process that started it */
};

/* A run of the command. */
struct run {
	const char *command;
	pid_t pid;
	int fds[2];		  /* its stdout and stderr */
	char texts[2][TEXT_SIZE]; /* what came from them */
	size_t sizes[2];
	int status; /* of waitpid; -1: not known */
};

/* ---- Running the command ------------------------------------------------------- */

static const char *find_command(void)
{
	const char *command = getenv("XCLUSTER_COMMAND");

	if (command && command[0])
		return command;
	return access(XC_BINDIR "/xcluster", X_OK) == 0 ? XC_BINDIR "/xcluster" : "xcluster";
}

/* An id of its own, as good as certainly. */
static void make_id(char *id, size_t size)
{
	struct timespec ts;
	uint32_t random;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		random = (uint32_t)ts.tv_nsec;
	}
	snprintf(id, size, "private-%d-%08x", (int)getpid(), random);
}

/* Its ends are above the standard descriptors, even if the program has closed
 * these. */
static int make_pipe(int fds[2])
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		fds[i] = fcntl(pair[i], F_DUPFD_CLOEXEC, 3);
		close(pair[i]);
	}
	if (fds[0] >= 0 && fds[1] >= 0)
		return 0;
	close(fds[0]);
	close(fds[1]);
	return -EMFILE;
}

static int spawn(struct run *run, const char *const argv[], int lifeline)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	sigset_t none, defaults;
	int r = make_pipe(out);

	if (r < 0)
		return r;
	r = make_pipe(err);
	if (r < 0) {
		close(out[0]);
		close(out[1]);
		return r;
	}
	sigemptyset(&none);
	sigemptyset(&defaults);
	/* A child cannot wait for its own with SIGCHLD ignored. */
	sigaddset(&defaults, SIGCHLD);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	/* Onto itself: this clears the close-on-exec flag, in the child only. */
	r = -posix_spawn_file_actions_adddup2(&actions, lifeline, lifeline);
	if (r == 0)
		r = -posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = -posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	if (r == 0)
		r = -posix_spawn_file_actions_adddup2(&actions, err[1], 2);
	if (r == 0)
		r = -posix_spawnp(&run->pid, run->command, &actions, &attributes,
				  (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(out[1]);
	close(err[1]);
	run->fds[0] = out[0];
	run->fds[1] = err[0];
	if (r < 0) {
		close(out[0]);
		close(err[0]);
	}
	return r;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* Takes what has been written, cut to the room there is; false at the end. */
static bool take_in(struct run *run, int i)
{
	char rest[1024];
	size_t room = TEXT_SIZE - 1 - run->sizes[i];
	ssize_t n = room > 0 ? read(run->fds[i], run->texts[i] + run->sizes[i], room)
			     : read(run->fds[i], rest, sizeof rest);

	if (n > 0 && room > 0)
		run->sizes[i] += (size_t)n;
	run->texts[i][run->sizes[i]] = '\0';
	return n > 0 || (n < 0 && errno == EINTR);
}

/* Reads its output to the end and waits for it. */
static void follow(struct run *run, double timeout)
{
	struct pollfd fds[2] = { { .fd = run->fds[0], .events = POLLIN },
				 { .fd = run->fds[1], .events = POLLIN } };
	double end = now() + timeout;
	pid_t pid;

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		double left = end - now();

		if (left <= 0) {
			kill(run->pid, SIGKILL);
			break;
		}
		if (poll(fds, 2, (int)(left * 1e3) + 1) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (fds[i].revents && !take_in(run, i))
				fds[i].fd = -1;
	}
	close(run->fds[0]);
	close(run->fds[1]);
	do
		pid = waitpid(run->pid, &run->status, 0);
	while (pid < 0 && errno == EINTR);
	/* The program waits for all its children by itself, or ignores them. */
	if (pid < 0)
		run->status = -1;
}

/* ---- Its answer ----------------------------------------------------------------- */

static int parse_answer(const struct run *run, struct xc_cluster *cluster)
{
	json_t *answer = json_loadb(run->texts[0], run->sizes[0], 0, NULL);
	const char *path = json_string_value(json_object_get(answer, "connection"));
	int r = path && strlen(path) < sizeof cluster->connection ? 0 : XC_EPROTO;

	if (r == 0) {
		strcpy(cluster->connection, path);
		cluster->controller = (pid_t)json_integer_value(json_object_get(answer, "pid"));
	}
	json_decref(answer);
	return r;
}

static int explain(struct run *run, const char *id, struct xc_error *err)
{
	bool exited = run->status != -1 && WIFEXITED(run->status);
	char *text = run->texts[1];

	while (run->sizes[1] > 0 && strchr(" \n", text[run->sizes[1] - 1]))
		text[--run->sizes[1]] = '\0';
	if (strncmp(text, "xcluster: ", 10) == 0)
		text += 10;
	if (exited && WEXITSTATUS(run->status) == STATUS_RUNNING)
		return error_set(err, -EEXIST, "cannot start the cluster \"%s\": %s", id, text);
	if (text[0])
		return error_set(err, XC_ENOCLUSTER, "cannot start a cluster by `%s start`: %s",
				 run->command, text);
	if (run->status != -1 && WIFSIGNALED(run->status))
		return error_set(err, XC_ENOCLUSTER,
				 "cannot start a cluster: `%s start` was ended by signal %d (%s)",
				 run->command, WTERMSIG(run->status),
				 strsignal(WTERMSIG(run->status)));
	return error_set(
		err, XC_ENOCLUSTER,
		"cannot start a cluster: `%s start` ended with status %d and no cluster: is "
		"XCLUSTER_COMMAND right?",
		run->command, exited ? WEXITSTATUS(run->status) : -1);
}

/* ---- Start and stop ------------------------------------------------------------- */

static int start(struct xc_cluster *cluster, struct run *run, int lifeline, int n,
		 const struct xc_cluster_options *options, struct xc_error *err)
{
	double timeout = options->engine_timeout > 0 ? options->engine_timeout : ENGINE_TIMEOUT;
	char count[16], threads[16], seconds[32], fd[16];
	const char *argv[16] = { "xcluster",  "start",	    "--json", "--cluster-id",
				 cluster->id, "--lifeline", fd,	      "--engine-timeout",
				 seconds };
	int argc = 9, r;

	snprintf(fd, sizeof fd, "%d", lifeline);
	snprintf(seconds, sizeof seconds, "%g", timeout);
	snprintf(count, sizeof count, "%d", n);
	snprintf(threads, sizeof threads, "%d", options->threads_per_engine);
	if (n > 0) {
		argv[argc++] = "-n";
		argv[argc++] = count;
	}
	if (options->threads_per_engine > 0) {
		argv[argc++] = "--threads-per-engine";
		argv[argc++] = threads;
	}
	if (options->bind)
		argv[argc++] = "--bind";
	run->command = find_command();
	r = spawn(run, argv, lifeline);
	if (r < 0)
		return error_set(err, r, "cannot run `%s start`: %s", run->command, strerror(-r));
	follow(run, timeout + COMMAND_TIMEOUT);
	if ((run->status == -1 || (WIFEXITED(run->status) && WEXITSTATUS(run->status) == 0)) &&
	    parse_answer(run, cluster) == 0)
		return 0;
	return explain(run, cluster->id, err);
}

static int check(struct xc_cluster **out, int n, const struct xc_cluster_options *options,
		 struct xc_error *err)
{
	if (!out)
		return error_set(err, -EINVAL, "xc_cluster_start: cluster is NULL");
	if (n < 0)
		return error_set(err, -EINVAL, "cannot start a cluster of %d engines", n);
	if (options->threads_per_engine < 0)
		return error_set(err, -EINVAL, "threads_per_engine must not be negative");
	if (!(options->engine_timeout >= 0) || options->engine_timeout > 1e6)
		return error_set(err, -EINVAL, "engine_timeout must be from 0 to 1e6 s, not %g",
				 options->engine_timeout);
	return 0;
}

int xc_cluster_start(struct xc_cluster **out, int n, const struct xc_cluster_options *options,
		     struct xc_error *err)
{
	static const struct xc_cluster_options none = { 0 };
	struct xc_cluster *cluster;
	struct run *run;
	int pipe_fds[2] = { -1, -1 }, r;

	if (!options)
		options = &none;
	r = check(out, n, options, err);
	if (r < 0)
		return r;
	cluster = calloc(1, sizeof *cluster);
	run = calloc(1, sizeof *run);
	if (!cluster || !run) {
		r = error_set(err, -ENOMEM, "out of memory");
		goto fail;
	}
	cluster->lifeline = -1;
	cluster->owner = getpid();
	if (options->id)
		snprintf(cluster->id, sizeof cluster->id, "%s", options->id);
	else
		make_id(cluster->id, sizeof cluster->id);
	/* The caller's id, as it may have been cut. */
	r = cluster_dir(options->id ? options->id : cluster->id, cluster->dir, sizeof cluster->dir,
			err);
	if (r < 0)
		goto fail;
	r = make_pipe(pipe_fds);
	if (r < 0) {
		r = error_set(err, r, "cannot make a pipe: %s", strerror(-r));
		goto fail;
	}
	cluster->lifeline = pipe_fds[1];
	r = start(cluster, run, pipe_fds[0], n, options, err);
	close(pipe_fds[0]);
	if (r < 0)
		goto fail;
	free(run);
	*out = cluster;
	return 0;
fail:
	if (cluster && pipe_fds[1] >= 0) {
		close(pipe_fds[1]);
		/* What the command could not undo, as it was killed. With an id that is
		 * not ours alone, the lifeline must do. */
		if (!options->id && holders_end(cluster->dir, STOP_TIMEOUT, NULL) == 0)
			cluster_dir_remove(cluster->dir, false);
	}
	free(run);
	free(cluster);
	return r;
}

const char *xc_cluster_connection(const struct xc_cluster *cluster)
{
	return cluster ? cluster->connection : NULL;
}

/* True when it has ended already and another has its id and directory now. */
static bool is_replaced(const struct xc_cluster *cluster)
{
	char lock[CLUSTER_PATH_MAX];
	pid_t holder;

	if (cluster_file(cluster->dir, lock, sizeof lock, CLUSTER_LOCK) < 0)
		return false;
	holder = cluster_lock_holder(lock);
	return holder != 0 && holder != cluster->controller;
}

/* Closes the lifeline, and sees to it that the cluster ends. */
static int end(struct xc_cluster *cluster, struct xc_error *err)
{
	struct holders holders = HOLDERS_INIT;
	bool is_ours = cluster->owner == getpid() && !is_replaced(cluster);
	int r = is_ours ? holders_find(&holders, cluster->dir) : 0;

	close(cluster->lifeline);
	if (!is_ours)
		return 0;
	if (r < 0) { /* no memory, or no descriptors: there may be by now */
		r = holders_end(cluster->dir, STOP_TIMEOUT, err);
	} else {
		r = holders_finish(&holders, STOP_TIMEOUT, err);
		holders_fini(&holders);
		if (r == 0)
			r = holders_end(cluster->dir, 0, err);
	}
	if (r < 0)
		return r;
	r = cluster_dir_remove(cluster->dir, false);
	return r < 0 ? error_set(err, r, "cannot remove %s: %s", cluster->dir, strerror(-r)) : 0;
}

int xc_cluster_stop(struct xc_cluster *cluster, struct xc_error *err)
{
	int r = cluster ? end(cluster, err) : 0;

	free(cluster);
	return r;
}
