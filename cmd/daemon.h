/* daemon.h: starting this executable again, in the background. */
#ifndef CMD_DAEMON_H
#define CMD_DAEMON_H

#include <sys/types.h>

#include "cmd/command.h"
#include "proto/connection.h"

/* A child in the background; leads a session of its own, so that the terminal's
 * signals do not reach it. */
struct daemon {
	pid_t pid;  /* 0: none */
	int pidfd;  /* readable when it has ended; owned */
	int status; /* of waitpid, once it has ended */
	char log[CONNECTION_PATH_MAX];
};
#define DAEMON_INIT                                                                                \
	{                                                                                          \
		.pid = 0, .pidfd = -1                                                              \
	}

/* Starts `xcluster argv[1]...` with its output appended to `log` and no
 * descriptors but that and those in `keep` (ended by -1). */
int daemon_start(struct daemon *daemon, const char *const argv[], const char *log, const int *keep,
		 struct xc_error *err);

/* Starts `xcluster engines --foreground` for the cluster of `connection`. */
int daemon_start_agent(struct daemon *daemon, const struct connection *connection,
		       const struct engine_options *options, struct xc_error *err);

/* Ends it, with SIGTERM, after `timeout` seconds with SIGKILL, and waits for it. */
void daemon_end(struct daemon *daemon, double timeout);

/* True when it has ended by itself; takes its status. */
bool daemon_has_ended(struct daemon *daemon);

/* "exit status 1", "signal 9 (Killed)", in a static buffer. */
const char *daemon_end_text(const struct daemon *daemon);

void daemon_fini(struct daemon *daemon);

#endif
