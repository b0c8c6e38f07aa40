/* command.h: commands of a batch system, with a time limit. */
#ifndef LAUNCH_COMMAND_H
#define LAUNCH_COMMAND_H

#include "launch/text.h"
#include "xcluster.h"

struct outcome {
	struct text out, err; /* at most OUTCOME_MAX bytes each; never NULL */
	int status;	      /* exit code, or 128 + signal */
};
#define OUTCOME_MAX (4U << 20)

/* Runs `/bin/sh -c command` with no input, in a process group of its own, which is killed
 * after `timeout` seconds. 0, also when it fails; -ETIMEDOUT, or -errno when it could not
 * be run. To be given to outcome_fini in any case. */
int command_run(const char *command, double timeout, struct outcome *outcome, struct xc_error *err);

/* The last line that is not empty of what it said, on stderr or else on stdout; for texts
 * of errors. In a static buffer. */
const char *outcome_words(const struct outcome *outcome);
void outcome_fini(struct outcome *outcome);

#endif
