/* command.c: commands of a batch system, with a time limit. */
#include "launch/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/error.h"

#define WAIT_MS 5 /* between looks at a child that has closed its output */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static void become(const char *command, const int *out, const int *err)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0)
		_exit(126);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* False at its end. */
static bool take(int fd, struct text *text)
{
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof bytes);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n > 0 && text->size < OUTCOME_MAX)
		text_add(text, bytes, (size_t)n);
	return n > 0;
}

/* Until both are at their end, or the time is up. */
static void take_all(int out, int err, double end, struct outcome *outcome)
{
	struct pollfd fds[2] = { { .fd = out, .events = POLLIN }, { .fd = err, .events = POLLIN } };
	struct text *texts[2] = { &outcome->out, &outcome->err };

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		double left = end - now();

		if (left <= 0)
			return;
		poll(fds, 2, (int)(left * 1e3) + 1);
		for (int i = 0; i < 2; i++)
			if (fds[i].fd >= 0 && fds[i].revents && !take(fds[i].fd, texts[i]))
				fds[i].fd = -1;
	}
}

static bool reap(pid_t pid, double end, int *status)
{
	for (;;) {
		pid_t ended = waitpid(pid, status, WNOHANG);

		if (ended == pid || (ended < 0 && errno != EINTR))
			return true;
		if (now() >= end)
			return false;
		poll(NULL, 0, WAIT_MS);
	}
}

int command_run(const char *command, double timeout, struct outcome *outcome, struct xc_error *err)
{
	double end = now() + timeout;
	int out[2] = { -1, -1 }, errors[2] = { -1, -1 }, status = 0, r = 0;
	pid_t pid;

	*outcome = (struct outcome){ .status = -1 };
	text_puts(&outcome->out, "");
	text_puts(&outcome->err, "");
	if (outcome->out.failed || outcome->err.failed)
		return error_set(err, -ENOMEM, "out of memory");
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0) {
		r = error_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
		pid = -1;
	} else if ((pid = fork()) == 0) {
		become(command, out, errors);
	} else if (pid < 0) {
		r = error_set(err, -errno, "cannot run `%.200s`: %s", command, strerror(errno));
	}
	close(out[1]);
	close(errors[1]);
	if (pid > 0) {
		setpgid(pid, pid);
		take_all(out[0], errors[0], end, outcome);
		if (!reap(pid, end, &status)) {
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			r = error_set(err, -ETIMEDOUT, "`%.200s` has not ended within %g s",
				      command, timeout);
		}
		outcome->status =
			WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	close(out[0]);
	close(errors[0]);
	return r;
}

static bool last_line(const char *text, char *line, size_t size)
{
	size_t end = strlen(text), begin;

	while (end > 0 && strchr(" \t\r\n", text[end - 1]))
		end--;
	for (begin = end; begin > 0 && text[begin - 1] != '\n'; begin--)
		;
	snprintf(line, size, "%.*s", (int)(end - begin < size ? end - begin : size - 1),
		 text + begin);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return line[0] != '\0';
}

const char *outcome_words(const struct outcome *outcome)
{
	static char line[300];

	if (!outcome->err.data || !outcome->out.data ||
	    (!last_line(outcome->err.data, line, sizeof line) &&
	     !last_line(outcome->out.data, line, sizeof line)))
		snprintf(line, sizeof line, "it says nothing");
	return line;
}

void outcome_fini(struct outcome *outcome)
{
	text_fini(&outcome->out);
	text_fini(&outcome->err);
}
