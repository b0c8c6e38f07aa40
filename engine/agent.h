/* agent.h: the parent of a host's engines. */
#ifndef ENGINE_AGENT_H
#define ENGINE_AGENT_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/connection.h"
#include "xcluster.h"

struct agent_options {
	const struct connection *connection; /* to the cluster, or NULL: */
	const char *connection_path;	     /* file of it */
	int n;				     /* engines */
	int threads_per_engine;		     /* 0: leave the environment as it is */
	bool threads_yield;		     /* only where the environment does not say it itself */
	int cores;			     /* that engines may use; 0: not known */
	bool bind;			     /* engine i to the i-th usable core */
	size_t store_limit;		     /* bytes; 0: half of the host's memory */
	/* 0: none. Whoever started it: is told "FIRST N" when the controller knows the agent;
	 * with its end, before a byte has come, the agent ends. Owned. */
	int launcher_fd;
	const char *launch_info;   /* free text on what has started it; NULL: none */
	double controller_timeout; /* seconds of silence until it ends; 0: 60; elsewhere only */
	double connect_timeout; /* for the search of an address of the controller that answers; 0:
				   10 s */
	const cpu_set_t *masks; /* engine i is bound to masks[i % mask_count] */
	int mask_count;		/* 0: none */
	int parent_fd;		/* the agent ends when this can be read; 0: none */
	int clock_fd;	/* lines with the Unix time at which this host's time ends; 0: none */
	double drain;	/* seconds before that: it tells the controller */
	bool *welcomed; /* becomes true; NULL: not wanted */
};

/* Runs until the controller says stop or is gone, or SIGTERM or SIGINT comes.
 * 0 after an orderly end. */
int agent_run(const struct agent_options *options, struct xc_error *err);

#endif
