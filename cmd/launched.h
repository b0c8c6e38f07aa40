/* launched.h: `xcluster start` with a launcher. */
#ifndef CMD_LAUNCHED_H
#define CMD_LAUNCHED_H

#include <string.h>

#include "cmd/command.h"
#include "cmd/daemon.h"
#include "launch/request.h"

struct launcher_options {
	struct launch_request request;
	bool dry_run, no_wait;
	bool has_jobs, has_job_options; /* given: go with --launcher only */
};
#define LAUNCHER_OPTIONS_INIT                                                                      \
	{                                                                                          \
		.request = LAUNCH_REQUEST_INIT                                                     \
	}

/* An argp child; its input is a struct launcher_options. */
extern const struct argp launcher_options_argp;

/* Is a supervisor wanted, and is it to bring the engines? */
static inline bool launcher_is_wanted(const struct launcher_options *o)
{
	return o->request.launcher[0] || o->request.max > 0;
}

/* Are the engines of this machine, and the supervisor there for --min and --max? */
static inline bool launcher_is_local(const struct launcher_options *o)
{
	return strcmp(o->request.launcher, "local") == 0;
}

/* Takes what engine options say; checks that all fits together. 0, or an exit status,
 * having said why. */
int launcher_complete(struct launcher_options *o, struct engine_options *engines);

/* --dry-run: prints the scripts and on stderr the commands; the exit status. */
int launcher_dry_run(struct launcher_options *o, const char *id);

/* Starts the supervisor of the cluster in `dir` and waits until it has submitted. */
int launcher_start(struct launcher_options *o, const char *id, const char *dir,
		   struct daemon *supervisor, int interrupt, struct xc_error *err);

/* Waits for the engines, with progress on a terminal. As await_engines. */
int launcher_await(const struct launcher_options *o, struct xc_client *client,
		   struct daemon *supervisor, double timeout, struct xc_error *err);

/* Cancels what a supervisor that has died has left in a batch system. 0 if nothing is. */
int launcher_leftover(const char *dir, struct xc_error *err);

#endif
