/* reason.c: why a host did not come up, from what ssh and its shell have said. */
#include "launch/reason.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define STATUS_SSH 255 /* ssh's own failures; all else is the command's */

enum cause { CHANGED_KEY, UNKNOWN_KEY, NOT_LET_IN, UNREACHABLE, NO_TUNNEL, DROPPED };

/* What ssh says, in the order of looking: a changed key ends in a failed
 * verification, too. */
static const struct pattern {
	const char *part;
	enum cause cause;
} patterns[] = {
	{ "REMOTE HOST IDENTIFICATION HAS CHANGED", CHANGED_KEY },
	{ "Host key verification failed", UNKNOWN_KEY },
	{ "Permission denied", NOT_LET_IN },
	{ "Too many authentication failures", NOT_LET_IN },
	{ "Could not resolve hostname", UNREACHABLE },
	{ "Connection refused", UNREACHABLE },
	{ "No route to host", UNREACHABLE },
	{ "Network is unreachable", UNREACHABLE },
	{ "timed out", UNREACHABLE },
	{ "remote port forwarding failed", NO_TUNNEL },
	/* A server that has too many at a time (MaxStartups) drops some. */
	{ "Connection closed", DROPPED },
	{ "Connection reset", DROPPED },
	{ "kex_exchange_identification", DROPPED },
	{ "banner exchange", DROPPED },
	{ "Broken pipe", DROPPED },
};

static void copy_line(const char *begin, char *line, size_t size)
{
	size_t n = strcspn(begin, "\n"), used = 0;

	for (size_t i = 0; i < n && used + 1 < size; i++)
		line[used++] = (unsigned char)begin[i] < ' ' || begin[i] == 0x7f ? ' ' : begin[i];
	while (used > 0 && line[used - 1] == ' ')
		used--;
	line[used] = '\0';
}

/* The last line that is not empty and has not, or has, the mark of stdout. */
static bool find_last(const char *text, bool marked, char *line, size_t size)
{
	size_t end = strlen(text), begin;

	for (; end > 0; end = begin > 0 ? begin - 1 : 0) {
		for (begin = end; begin > 0 && text[begin - 1] != '\n'; begin--)
			;
		copy_line(text + begin, line, size);
		if (line[0] && (strncmp(line, REASON_STDOUT, strlen(REASON_STDOUT)) == 0) == marked)
			return true;
	}
	line[0] = '\0';
	return false;
}

static void drop_prefix(char *line, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(line, prefix, n) == 0)
		memmove(line, line + n, strlen(line + n) + 1);
}

void reason_last_line(const char *text, char *line, size_t size)
{
	if (!find_last(text, false, line, size) && find_last(text, true, line, size))
		drop_prefix(line, REASON_STDOUT);
	drop_prefix(line, "xcluster: ");
}

static const struct pattern *find_pattern(const char *text, char *line, size_t size)
{
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		const char *at = strstr(text, patterns[i].part);

		if (!at)
			continue;
		while (at > text && at[-1] != '\n')
			at--;
		copy_line(at, line, size);
		return &patterns[i];
	}
	return NULL;
}

static void describe(enum cause cause, const char *line, const char *name, char *reason,
		     size_t size)
{
	switch (cause) {
	case CHANGED_KEY:
		snprintf(reason, size,
			 "wrong host key: it is not the one that is known; see what `ssh %s` says",
			 name);
		break;
	case UNKNOWN_KEY:
		snprintf(reason, size,
			 "its host key is wrong, or not known: see that `ssh %s` asks nothing",
			 name);
		break;
	case NOT_LET_IN:
		snprintf(reason, size,
			 "it does not let us in (%s): see that `ssh -o BatchMode=yes %s` works",
			 line, name);
		break;
	case UNREACHABLE:
		snprintf(reason, size, "unreachable: %s", line);
		break;
	case NO_TUNNEL:
		snprintf(reason, size, "no tunnel: %s", line);
		break;
	case DROPPED:
		snprintf(reason, size, "its ssh server has ended the connection: %s", line);
		break;
	}
}

static bool reason_of_ssh(const char *text, const char *name, char *reason, size_t size)
{
	char line[320];
	const struct pattern *pattern = find_pattern(text, line, sizeof line);

	if (pattern) {
		describe(pattern->cause, line, name, reason, size);
		return pattern->cause == DROPPED;
	}
	reason_last_line(text, line, sizeof line);
	snprintf(reason, size, "ssh has failed: %s", line[0] ? line : "it does not say why");
	return !line[0];
}

bool reason_of_end(int status, const char *text, const char *name, char *reason, size_t size)
{
	char line[320];

	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SSH)
		return reason_of_ssh(text, name, reason, size);
	reason_last_line(text, line, sizeof line);
	if (WIFSIGNALED(status))
		snprintf(reason, size, "ssh was ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (strstr(text, "Exec format error"))
		snprintf(reason, size, "xcluster there is of another architecture: %s", line);
	else
		snprintf(reason, size, "xcluster could not be run: exit status %d%s%s",
			 WEXITSTATUS(status), line[0] ? ": " : "", line);
	return false;
}
