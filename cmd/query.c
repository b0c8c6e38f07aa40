/* query.c: asking a controller that may not answer, by a child process. */
#include "cmd/query.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/command.h"
#include "proto/error.h"

/* Runs in the child: writes the answer; 0 or a negative code. */
typedef int question_fn(struct xc_client *client, FILE *answer, struct xc_error *err);

static int ask(const char *connection, question_fn *question, FILE *answer)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	int r = xc_open(&client, connection, &err);

	if (r == 0)
		r = question(client, answer, &err);
	if (r < 0)
		fwrite(&err, sizeof err, 1, answer);
	/* Before the answer's end, as the parent waits for this process then. */
	xc_close(client);
	fclose(answer);
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static pid_t begin(const char *connection, question_fn *question, int *fd)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		FILE *answer = fdopen(fds[1], "w");

		close(fds[0]);
		_exit(answer ? ask(connection, question, answer) : STATUS_FAILED);
	}
	if (pid < 0) {
		pid = -errno;
		close(fds[0]);
	} else {
		*fd = fds[0];
	}
	close(fds[1]);
	return pid;
}

bool query_end(pid_t pid, int fd)
{
	struct pollfd end = { .fd = fd, .events = POLLIN };
	int status = 0;

	/* One that has closed the pipe is ending. */
	if (poll(&end, 1, 0) <= 0 || !(end.revents & POLLHUP))
		kill(pid, SIGKILL);
	close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == STATUS_OK;
}

static int ask_shutdown(struct xc_client *client, FILE *answer, struct xc_error *err)
{
	(void)answer;
	return xc_shutdown(client, err);
}

pid_t query_shutdown(const char *connection, int *fd)
{
	return begin(connection, ask_shutdown, fd);
}

static int ask_status(struct xc_client *client, FILE *answer, struct xc_error *err)
{
	char *text = NULL;
	int r = xc_status_json(client, &text, err);

	if (r == 0)
		fputs(text, answer);
	free(text);
	return r;
}

/* Reads to the end of the pipe. -ETIMEDOUT, -ENOMEM. */
static int read_answer(int fd, double timeout, char **text, size_t *size)
{
	double end = now_seconds() + timeout;
	struct pollfd event = { .fd = fd, .events = POLLIN };
	size_t room = 0;

	for (;;) {
		double left = end - now_seconds();
		ssize_t n;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&event, 1, (int)(left * 1e3) + 1) <= 0)
			continue;
		if (*size == room) {
			char *grown = realloc(*text, room = 2 * room + 65536);

			if (!grown)
				return -ENOMEM;
			*text = grown;
		}
		n = read(fd, *text + *size, room - *size);
		if (n == 0)
			return 0;
		*size += n > 0 ? (size_t)n : 0;
	}
}

int query_status(const char *connection, double timeout, json_t **status, struct xc_error *err)
{
	json_error_t error;
	size_t size = 0;
	char *text = NULL;
	json_t *json;
	int fd = -1, r;
	pid_t pid = begin(connection, ask_status, &fd);

	if (pid < 0)
		return error_set(err, (int)pid, "cannot ask the controller: %s", strerror(-pid));
	r = read_answer(fd, timeout, &text, &size);
	if (!query_end(pid, fd) && r == 0) {
		struct xc_error theirs;

		r = error_set(err, XC_EPROTO, "the controller could not be asked for its status");
		if (size == sizeof theirs) {
			memcpy(&theirs, text, sizeof theirs);
			r = error_set(err, theirs.code, "%s", theirs.text);
		}
	} else if (r < 0) {
		error_set(err, r,
			  "the controller has not answered within %g s: it may hang; `xcluster "
			  "stop` ends it all the same",
			  timeout);
	} else if ((json = json_loadb(text, size, 0, &error))) {
		*status = json;
	} else {
		r = error_set(err, XC_EPROTO, "the controller's status is not JSON: %s",
			      error.text);
	}
	free(text);
	return r;
}
