/* controller.h: the daemon that knows hosts, engines and jobs. */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include <stdbool.h>

#include "xcluster.h"

struct controller_options {
	const char *cluster_id;
	double heartbeat_timeout; /* seconds; 0: 5 */
	int history;		  /* jobs that are known after their end */
	size_t kept_bytes;	  /* limit of what jobs that are to be kept leave; 0: 1 GiB */
	const char *ip;	      /* where to listen: ADDR, IFACE or *, with commas; NULL: nowhere */
	const char *location; /* NAME[:PORT], with commas, that others dial; NULL: by `ip` */
	int port_first, port_last; /* the first of these that is free; 0: the system chooses */
	bool reuse;		   /* keep keys and port, or use those that were kept */
	int lifeline_fd;	   /* end of file: end the cluster; a byte: forget it; -1: none */
	int ready_fd;		   /* gets one byte and is closed when all is ready; -1: none */
};

/* Begins what the log says of an agent on another host that has not said at the end that
 * it ends; the host's name and a semicolon follow. */
#define CONTROLLER_LEFT "not known to have ended: host "

/* Makes the cluster directory and its connection file, serves until told to
 * stop (SHUTDOWN, SIGTERM, SIGINT, lifeline), removes the files. 0 after an
 * orderly end; -EEXIST when the cluster runs already. */
int controller_run(const struct controller_options *options, struct xc_error *err);

#endif
