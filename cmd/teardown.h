/* teardown.h: ending a cluster, in whatever state it is. */
#ifndef CMD_TEARDOWN_H
#define CMD_TEARDOWN_H

#include <stdbool.h>

#include "xcluster.h"

/* Ends an `xcluster start` that is at work, tells the controller to end the cluster, waits up to
 * `timeout` seconds, then sends SIGTERM and SIGKILL; removes its files (the logs unless
 * `keep_logs`). Returns 1 if it was running or starting, 0 if not, or a negative code. */
int teardown(const char *dir, double timeout, bool keep_logs, struct xc_error *err);

enum cluster_state { CLUSTER_DEAD, CLUSTER_STARTING, CLUSTER_RUNNING };

/* By the locks in the directory; never waits. */
enum cluster_state cluster_state(const char *dir);

#endif
