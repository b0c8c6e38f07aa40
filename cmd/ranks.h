/* ranks.h: the tasks of a Slurm step or an MPI job on one host, of which one becomes the
 * agent of all. */
#ifndef CMD_RANKS_H
#define CMD_RANKS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#include "xcluster.h"

#define RANKS_MAX 4096 /* on a host */

enum rank_kind { RANK_NONE, RANK_SLURM, RANK_MPI };

/* What the environment says of this process. */
struct rank {
	enum rank_kind kind;
	char job[128];	 /* "slurm 1234.0", "mpi" */
	char key[200];	 /* names the job and the host: the same for all ranks here */
	char node[256];	 /* as the launcher names it; may be empty */
	int rank, size;	 /* of the job; -1: not known */
	int local, here; /* rank on this host, and how many there are; -1: not known */
};

/* RANK_NONE where there is no step or job. */
void rank_of_environment(struct rank *rank);

/* The i-th number of "2(x3),1"; -1 when it is none, or has less. */
int rank_tasks_at(const char *list, int i);

/* How the ranks of a host have met. */
struct ranks {
	const struct rank *self; /* borrowed */
	bool is_agent;
	int listener;	  /* of the agent; -1: none */
	int *others;	  /* of the agent: connections; owned */
	int count;	  /* ranks on this host that have come, with this one */
	int first, last;  /* their ranks in the job */
	cpu_set_t *cores; /* theirs, in the order of their ranks; owned */
	int agent;	  /* of the others: connection to the agent; -1: none */
	char path[256];	  /* of the socket */
};

/* Meets the others within `timeout` seconds. Some may be missing then: that is said, and
 * those that have come go on. */
int ranks_meet(struct ranks *ranks, const struct rank *self, double timeout, struct xc_error *err);

/* Of those that are not the agent: waits for its end. Its exit status, or STATUS_FAILED
 * when it has died. Signals that ask us to end give it a few seconds to end first. */
int ranks_wait(const struct ranks *ranks);

/* Do they have different cores each, as given by the launcher? */
bool ranks_are_bound(const struct ranks *ranks);
/* This process may use the cores of all of them from now on. */
void ranks_take_cores(const struct ranks *ranks);
/* "slurm 1234.0 node n1 rank 0-3" */
void ranks_text(const struct ranks *ranks, char *text, size_t size);

/* The agent tells the others how it ends. */
void ranks_end(struct ranks *ranks, int status);

#endif
