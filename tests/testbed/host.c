/* host.c: the namespaces of the test bed: those that hold a bed, a host in them, a command
 * on a host.
 *
 *   host keep DIR OWNER          namespaces that end, and DIR with them, when process OWNER
 *                                does (0: never); prints the pid of their first process
 *   host add PID COMMAND...      a host within the namespaces of PID, set up by COMMAND;
 *                                prints the pid of its first process
 *   host in PID USER COMMAND...  runs COMMAND on the host whose first process PID is
 *
 * All pids are those that the caller sees. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID)

static void die(const char *what)
{
	fprintf(stderr, "host: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_process(const char *text)
{
	int fd = (int)syscall(SYS_pidfd_open, atoi(text), 0);

	if (fd < 0)
		die(text);
	return fd;
}

/* A fork whose child is the first process of new namespaces. */
static pid_t fork_into_new_spaces(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SPACES | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid < 0)
		die("new namespaces");
	return pid;
}

static int code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
	return code_of(status);
}

/* What the first process of a PID namespace has to do: to reap. */
static void be_init(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	prctl(PR_SET_NAME, "init");
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sigwaitinfo(&child, NULL);
	}
}

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		die("/dev/null");
	setsid();
}

/* ---- keep: the outermost namespaces --------------------------------------- */

static void be_first_of_bed(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	leave_terminal();
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(1);
	be_init();
}

/* Nothing outlives the owner: the first process is killed, and the kernel kills all that is
 * in its namespaces before it lets it be waited for. */
static void guard(const char *dir, int owner, pid_t first)
{
	struct pollfd ends[2] = { { .fd = owner, .events = POLLIN } };
	char text[16];

	snprintf(text, sizeof text, "%d", (int)first);
	ends[1] = (struct pollfd){ .fd = open_process(text), .events = POLLIN };
	while (poll(ends, 2, -1) < 0 && errno == EINTR)
		;
	kill(first, SIGKILL);
	wait_for(first);
	execlp("rm", "rm", "-rf", "--one-file-system", dir, NULL);
	_exit(1);
}

static int keep(const char *dir, const char *owner)
{
	int owner_fd = strcmp(owner, "0") == 0 ? -1 : open_process(owner);
	int tell[2];
	pid_t first;

	if (pipe2(tell, O_CLOEXEC) < 0)
		die("pipe");
	if (fork() == 0) {
		close(tell[0]);
		first = fork_into_new_spaces();
		if (first == 0)
			be_first_of_bed();
		if (write(tell[1], &first, sizeof first) != sizeof first)
			_exit(1);
		close(tell[1]);
		leave_terminal();
		guard(dir, owner_fd, first);
	}
	close(tell[1]);
	if (read(tell[0], &first, sizeof first) != sizeof first)
		return 1;
	printf("%d\n", (int)first);
	return 0;
}

/* ---- add: a host ------------------------------------------------------------ */

static void be_first_of_host(int tell, char **command)
{
	pid_t pid = fork();
	char code;

	if (pid == 0) {
		/* The pid goes to stdout, alone. */
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(command[0], command);
		_exit(127);
	}
	code = (char)wait_for(pid);
	leave_terminal();
	if (write(tell, &code, 1) != 1 || code != 0)
		_exit(1);
	close(tell);
	be_init();
}

/* The sender's pid is told by the kernel, as the receiver sees it. */
static pid_t hear_pid(int fd, char *code)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { .iov_base = code, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof control };
	struct ucred sender;

	if (recvmsg(fd, &message, 0) != 1 || !CMSG_FIRSTHDR(&message))
		return 0;
	memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof sender);
	return sender.pid;
}

static int add(const char *outer, char **command)
{
	int space = open_process(outer), tell[2], on = 1;
	char code;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, tell) < 0 ||
	    setsockopt(tell[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
		die("socketpair");
	if (setns(space, SPACES) < 0)
		die(outer);
	/* Only the child is in the PID namespace, and may make one below it. */
	pid = fork();
	if (pid == 0) {
		if (fork_into_new_spaces() == 0)
			be_first_of_host(tell[1], command);
		_exit(0);
	}
	close(tell[1]);
	if (pid < 0 || wait_for(pid) != 0)
		return 1;
	pid = hear_pid(tell[0], &code);
	if (pid == 0 || code != 0)
		return 1;
	printf("%d\n", (int)pid);
	return 0;
}

/* ---- in: a command on a host ------------------------------------------------ */

static pid_t command_pid;

static void pass_on(int signal_number)
{
	kill(command_pid, signal_number);
}

/* An environment as of a fresh log-in, and what tells sanitizers where to report to. */
static void set_environment(const struct passwd *user)
{
	static const char *const kept[] = { "TERM", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS",
					    "LSAN_OPTIONS" };
	const char *values[sizeof kept / sizeof kept[0]];

	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		values[i] = getenv(kept[i]);
	clearenv();
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		if (values[i])
			setenv(kept[i], values[i], 1);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", user->pw_dir, 1);
	setenv("USER", user->pw_name, 1);
	setenv("LOGNAME", user->pw_name, 1);
	setenv("SHELL", user->pw_shell, 1);
}

static void be_command(const char *name, char **command, int parent)
{
	const struct passwd *user = getpwnam(name);
	struct pollfd end = { .fd = parent };

	if (!user || initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
	    setuid(user->pw_uid) < 0 || chdir(user->pw_dir) < 0)
		die(name);
	set_environment(user);
	/* N.B. A change of the user would clear it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&end, 1, 0) != 0)
		_exit(1);
	execvp(command[0], command);
	fprintf(stderr, "host: %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

static int in(const char *host, const char *user, char **command)
{
	static const int passed[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
	int life[2];

	if (setns(open_process(host), SPACES) < 0)
		die(host);
	if (pipe2(life, O_CLOEXEC) < 0)
		die("pipe");
	command_pid = fork();
	if (command_pid < 0)
		die("fork");
	if (command_pid == 0) {
		close(life[1]);
		be_command(user, command, life[0]);
	}
	close(life[0]);
	for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
		signal(passed[i], pass_on);
	return wait_for(command_pid);
}

int main(int argc, char **argv)
{
	/* What lives on must hold nobody's pipes. */
	close_range(3, ~0U, 0);
	if (argc == 4 && strcmp(argv[1], "keep") == 0)
		return keep(argv[2], argv[3]);
	if (argc > 3 && strcmp(argv[1], "add") == 0)
		return add(argv[2], argv + 3);
	if (argc > 4 && strcmp(argv[1], "in") == 0)
		return in(argv[2], argv[3], argv + 4);
	fputs("usage: host keep DIR OWNER | add PID COMMAND... | in PID USER COMMAND...\n", stderr);
	return 2;
}
