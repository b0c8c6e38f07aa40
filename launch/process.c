/* process.c: the process of ssh. */
#include "launch/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/remote.h"
#include "launch/script.h"

#define OPTIONS_MAX 48

int words_split(const char *command, char ***words)
{
	char *text = malloc(strlen(command) + 2), *out = text, quote = '\0';
	char **list = calloc(strlen(command) / 2 + 2, sizeof *list);
	int count = 0;
	bool within = false;

	if (!text || !list) {
		free(text);
		free(list);
		return -ENOMEM;
	}
	for (const char *at = command; *at; at++) {
		if (!quote && strchr(" \t\n", *at)) {
			if (within)
				*out++ = '\0';
			within = false;
			continue;
		}
		if (!within)
			list[count++] = out;
		within = true;
		if (*at == quote)
			quote = '\0';
		else if (!quote && (*at == '"' || *at == '\''))
			quote = *at;
		else
			*out++ = *at;
	}
	*out = '\0';
	if (quote || count == 0 || !list[0][0]) {
		free(text);
		free(list);
		return -EINVAL;
	}
	*words = list;
	return count;
}

/* The user's own configuration stands, but for what would get in our way. */
static const char *const common_options[] = {
	"-T", "-x",
	"-o", "BatchMode=yes",
	"-o", "ConnectTimeout=10",
	"-o", "RemoteCommand=none",
	"-o", "PermitLocalCommand=no",
	"-o", "ControlMaster=no", /* one that is there may be used */
};

static const char *const plain_options[] = { "-o", "ClearAllForwardings=yes" };

/* N.B. forwards of a shared connection would outlive ours; and the port that sshd
 * chooses is told at INFO. */
static const char *const tunnel_options[] = {
	"-o", "ControlPath=none",      "-o", "ExitOnForwardFailure=yes", "-o", "LogLevel=INFO",
	"-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3",
};

static int append(const char **argv, int argc, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		argv[argc++] = list[i];
	return argc;
}

#define APPEND(argv, argc, list) append(argv, argc, list, sizeof list / sizeof list[0])

static void fill_argv(const struct remote *remote, char *const *words, const char **argv)
{
	static char port[16], forward[64];
	const struct host *host = remote->host;
	int argc = 0;

	while (*words)
		argv[argc++] = *words++;
	argc = APPEND(argv, argc, common_options);
	if (remote->options->tunnel) {
		argc = APPEND(argv, argc, tunnel_options);
		snprintf(forward, sizeof forward, "0:127.0.0.1:%d", remote->options->tunnel);
		argv[argc++] = "-R";
		argv[argc++] = forward;
	} else {
		argc = APPEND(argv, argc, plain_options);
	}
	if (host->family)
		argv[argc++] = host->family == 4 ? "-4" : "-6";
	if (host->port) {
		snprintf(port, sizeof port, "%d", host->port);
		argv[argc++] = "-p";
		argv[argc++] = port;
	}
	argv[argc++] = "--";
	argv[argc++] = host->target;
	argv[argc++] = SCRIPT_COMMAND;
	argv[argc] = NULL;
}

static void become(const struct remote *remote, const char **argv, int in, int out, pid_t parent)
{
	sigset_t none;

	/* A session of its own: Ctrl-C is for us, who end it in order. */
	setsid();
	sigemptyset(&none);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Its stdin ends with us; but before it has a connection it does not look. */
	if (!remote->options->tunnel) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(255);
	}
	if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(remote->log, 2) == 2)
		execvp(argv[0], (char *const *)argv);
	dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(255);
}

static void close_pipe(int fds[2])
{
	if (fds[0] >= 0)
		close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
}

/* Takes in[1] and out[0] on success. */
static int start(struct remote *remote, const char **argv, int in[2], int out[2])
{
	pid_t parent = getpid();

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    fcntl(in[1], F_SETFL, O_NONBLOCK) < 0 || fcntl(out[0], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	fflush(NULL);
	remote->pid = fork();
	if (remote->pid == 0)
		become(remote, argv, in[0], out[1], parent);
	if (remote->pid < 0) {
		remote->pid = 0;
		return -errno;
	}
	remote->pidfd = (int)syscall(SYS_pidfd_open, remote->pid, 0);
	if (remote->pidfd < 0) {
		int r = -errno;

		kill(remote->pid, SIGKILL);
		waitpid(remote->pid, NULL, 0);
		remote->pid = 0;
		return r;
	}
	fcntl(remote->pidfd, F_SETFD, FD_CLOEXEC);
	remote->in = in[1];
	remote->out = out[0];
	in[1] = out[0] = -1;
	return 0;
}

int process_start(struct remote *remote)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, count, r;
	const char **argv;
	char **words;

	count = words_split(remote->options->ssh, &words);
	if (count < 0)
		return count;
	argv = calloc((size_t)count + OPTIONS_MAX, sizeof *argv);
	r = argv ? 0 : -ENOMEM;
	if (r == 0) {
		fill_argv(remote, words, argv);
		r = start(remote, argv, in, out);
	}
	close_pipe(in);
	close_pipe(out);
	free(argv);
	free(words[0]);
	free(words);
	return r;
}
