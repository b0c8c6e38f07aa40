/* command.c: running programs with a time limit, in front and in the background. */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Descriptors of -1 stand for /dev/null. */
static pid_t spawn(const char *const argv[], int in, int out, int err, bool own_group)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	if (own_group)
		setpgid(0, 0);
	if (in < 0)
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (err < 0)
		err = open(test_path("stderr"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2)
		execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* Reads what is there; false at the end of the file. A text that is too long
 * is cut, yet read to its end. */
static bool take_in(int fd, char *text, size_t *used, size_t size)
{
	char rest[4096];
	size_t room = size - 1 - *used;
	ssize_t n = room > 0 ? read(fd, text + *used, room) : read(fd, rest, sizeof rest);

	if (n > 0 && room > 0)
		*used += (size_t)n;
	text[*used] = '\0';
	return n > 0 || (n < 0 && errno == EINTR);
}

void run_command_within(struct output *output, double limit, const char *const argv[])
{
	double start = now();
	size_t used[2] = { 0, 0 };
	int out[2], err[2], status;
	struct pollfd fds[2];
	int last = 0;
	pid_t pid;

	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	pid = spawn(argv, -1, out[1], err[1], false);
	close(out[1]);
	close(err[1]);
	fds[0] = (struct pollfd){ .fd = out[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = err[0], .events = POLLIN };
	output->out[0] = output->err[0] = '\0';
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		double left = start + limit - now();

		if (left <= 0 || (poll(fds, 2, (int)(left * 1e3) + 1) < 0 && errno != EINTR))
			break;
		if (fds[0].revents && !take_in(out[0], output->out, &used[0], sizeof output->out))
			fds[0].fd = -1;
		if (fds[1].revents && !take_in(err[0], output->err, &used[1], sizeof output->err))
			fds[1].fd = -1;
	}
	close(out[0]);
	close(err[0]);
	if (!process_ends(pid, start + limit - now()) || fds[0].fd >= 0 || fds[1].fd >= 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (argv[last + 1])
			last++;
		ck_abort_msg("%s ... %s: it, or its output, had no end within %g s; stdout: "
			     "%s; stderr: %s",
			     argv[0], argv[last], limit, output->out, output->err);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	output->status = code_of(status);
	output->elapsed = now() - start;
}

void run_command(struct output *output, const char *const argv[])
{
	run_command_within(output, LIMIT, argv);
}

json_t *xcluster_json(const char *const argv[])
{
	static struct output output;
	json_error_t error;
	json_t *json;

	run_command(&output, argv);
	ck_assert_msg(output.status == 0, "xcluster %s: %d: %s", argv[1], output.status,
		      output.err);
	json = json_loads(output.out, 0, &error);
	ck_assert_msg(json != NULL, "xcluster %s: not JSON: %s: %s", argv[1], error.text,
		      output.out);
	return json;
}

void program_start(struct program *program, const char *const argv[])
{
	int in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	program->pid = spawn(argv, in[0], out[1], -1, true);
	/* Here too, so that a signal to the group cannot come too early. */
	setpgid(program->pid, program->pid);
	close(in[0]);
	close(out[1]);
	program->in = in[1];
	program->out = out[0];
}

void program_tell(struct program *program, const char *line)
{
	ck_assert_int_eq(dprintf(program->in, "%s\n", line), (int)strlen(line) + 1);
}

void program_line(struct program *program, char *line, size_t size)
{
	struct pollfd fd = { .fd = program->out, .events = POLLIN };
	double start = now();
	size_t n = 0;

	for (line[0] = '\0'; n + 1 < size; line[++n] = '\0') {
		ck_assert_msg(now() < start + LIMIT && poll(&fd, 1, (int)(LIMIT * 1e3)) > 0,
			      "no line from the program, only '%s'", line);
		ck_assert_msg(read(program->out, line + n, 1) == 1,
			      "the program ended after '%s'; see %s", line, test_path("stderr"));
		if (line[n] == '\n')
			break;
	}
	line[n] = '\0';
}

int child_end(pid_t pid)
{
	int status;

	if (!process_ends(pid, LIMIT)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		ck_abort_msg("process %d did not end", (int)pid);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return code_of(status);
}

int program_end(struct program *program)
{
	close(program->in);
	close(program->out);
	return child_end(program->pid);
}
