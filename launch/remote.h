/* remote.h: one host's ssh process, and the lines from there. */
#ifndef LAUNCH_REMOTE_H
#define LAUNCH_REMOTE_H

#include <stdbool.h>
#include <sys/types.h>

#include "launch/reason.h"
#include "launch/ssh.h"

#define REMOTE_LINE_MAX 4096

/* What is being written to the host's stdin. */
struct letter {
	char *owned; /* NULL: data is borrowed */
	const char *data;
	size_t size, sent;
};

struct remote {
	const struct host *host;
	const struct ssh_options *options;
	enum ssh_state state;
	pid_t pid; /* of ssh; 0: none runs */
	int pidfd, in, out, log;
	off_t log_begin; /* of this attempt's lines in the log */
	int attempts;
	double due;   /* when waiting: the next attempt */
	double since; /* the last event of the attempt */
	bool has_greeted;
	bool was_killed; /* by us, before it ended */
	bool is_broken;	 /* the connection, while xcluster ran there */
	int port;	 /* of the tunnel, there */
	struct letter letter;
	char line[REMOTE_LINE_MAX];
	size_t line_size;
	int first, engines;
	char n[16], info[300]; /* words for xcluster there */
	char node[256];
	char reason[REASON_SIZE];
};

void remote_init(struct remote *remote, const struct host *host, const struct ssh_options *options);
void remote_fini(struct remote *remote);

/* Starts ssh: the state is CONNECTING, or FAILED. */
void remote_start(struct remote *remote, double now);

/* See to what poll has found. */
void remote_on_output(struct remote *remote, double now);
void remote_on_room(struct remote *remote, double now);
void remote_on_exit(struct remote *remote, double now);

/* Time limits. */
void remote_tick(struct remote *remote, double now);

/* Has failed; what is there is told to end by the end of its stdin. */
void remote_fail(struct remote *remote, const char *format, ...) XC_PRINTF(2, 3);
void remote_give_up(struct remote *remote, const char *format, ...) XC_PRINTF(2, 3);
void remote_hang_up(struct remote *remote);
void remote_kill(struct remote *remote);

/* Says `detach`. */
void remote_leave(struct remote *remote);

#endif
