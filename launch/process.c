/* process.c: the process of ssh. */
#include "launch/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/remote.h"
#include "launch/script.h"
#include "libcluster/words.h"

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

static int add_list(struct words *argv, const char *const *list, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = words_add(argv, list[i]);
	return r;
}

#define ADD_LIST(argv, list) add_list(argv, list, sizeof list / sizeof list[0])

static int add_tunnel(struct words *argv, const char *to)
{
	char forward[320];
	int r = ADD_LIST(argv, tunnel_options);

	snprintf(forward, sizeof forward, "-R0:%s", to);
	return r < 0 ? r : words_add(argv, forward);
}

static int add_place(struct words *argv, const struct host *host)
{
	char port[16];
	int r = 0;

	snprintf(port, sizeof port, "-p%d", host->port);
	if (host->family)
		r = words_add(argv, host->family == 4 ? "-4" : "-6");
	if (r == 0 && host->port)
		r = words_add(argv, port);
	if (r == 0)
		r = words_add(argv, "--");
	return r < 0 ? r : words_add(argv, host->target);
}

static int fill_argv(struct words *argv, const struct remote *remote)
{
	const struct ssh_options *o = remote->options;
	int r = words_split(argv, span_of(o->ssh));

	if (r == 0 && argv->count == 0)
		r = -EINVAL;
	if (r == 0)
		r = ADD_LIST(argv, common_options);
	if (r == 0)
		r = o->tunnel ? add_tunnel(argv, o->tunnel) : ADD_LIST(argv, plain_options);
	if (r == 0)
		r = add_place(argv, remote->host);
	return r < 0 ? r : words_add(argv, SCRIPT_COMMAND);
}

static void become(const struct remote *remote, char **argv, int in, int out, pid_t parent)
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
		execvp(argv[0], argv);
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
static int start(struct remote *remote, char **argv, int in[2], int out[2])
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
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	struct words argv = { 0 };
	int r = fill_argv(&argv, remote);

	if (r == 0)
		r = start(remote, argv.list, in, out);
	close_pipe(in);
	close_pipe(out);
	words_free(&argv);
	return r;
}
