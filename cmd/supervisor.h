/* supervisor.h: the state of `xcluster supervise`, and its parts: supervise.c (start, loop,
 * end), elastic.c (how many engines there are to be). */
#ifndef CMD_SUPERVISOR_H
#define CMD_SUPERVISOR_H

#include "cmd/census.h"
#include "cmd/link.h"
#include "launch/launcher.h"
#include "proto/cluster_dir.h"

struct supervisor {
	const char *id;
	char dir[CLUSTER_PATH_MAX];
	struct connection connection;
	struct launch_request request;
	struct launch launch;
	struct link link;
	struct census census;
	int ready;	   /* whoever started us reads it; -1: nobody does */
	int interrupt;	   /* readable once a signal has come */
	int changes;	   /* inotify of the directory; -1: none */
	double scale_seen; /* of the file that asks for another number */
	int asked;	   /* that number, until so many are up or no more are to come; 0: none */
	double settled_at; /* when that was */
	bool is_unhappy;   /* the batch system could not be asked */
	double unhappy_since, next_poll, next_start, busy_since;
	int quick_ends;	   /* of jobs, in a row: something is wrong with them */
	char trouble[400]; /* what could not be done last; empty: nothing */
	char note[1024];
	int coming; /* engines that jobs are to bring yet, as of the last look or start */
	char noted[1024];
	int noted_coming;
	double noted_at;
};

/* Starts jobs for so many engines, in parts as the first ones were. */
int supervisor_start(struct supervisor *s, int engines, struct xc_error *err);
/* Fewer: pending jobs first, then engines, idle ones first. */
void supervisor_drop(struct supervisor *s, int engines);

/* After a look at the cluster: more or fewer engines, as the queue and the limits want. */
void elastic_look(struct supervisor *s, double now);
/* What `xcluster scale` asks for. */
void elastic_take_scale(struct supervisor *s);

#endif
