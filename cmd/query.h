/* query.h: asking a controller that may not answer.
 *
 * A child process talks to the controller, so that one that hangs, and the
 * library's own time limits, do not hold this one up. */
#ifndef CMD_QUERY_H
#define CMD_QUERY_H

#include <jansson.h>
#include <sys/types.h>

#include "xcluster.h"

/* The status of the cluster of a connection file, to be given to json_decref.
 * -ETIMEDOUT when there is no answer. */
int query_status(const char *connection, double timeout, json_t **status, struct xc_error *err);

/* Starts telling the controller to end the cluster; does not wait. The pipe in
 * *fd becomes readable once the child that tells it has ended. Returns its pid, to
 * be given to query_end, or -errno. */
pid_t query_shutdown(const char *connection, int *fd);

/* Ends the child, closes the pipe. True if the controller has taken the order. */
bool query_end(pid_t pid, int fd);

#endif
