/* stay.h: an agent in the foreground: by hand, in a batch job, or as one of the ranks of a
 * Slurm step or MPI job. */
#ifndef CMD_STAY_H
#define CMD_STAY_H

#include "cmd/command.h"

struct stay_options {
	const char *cluster;	   /* as of connection_find; borrowed */
	const char *launch_info;   /* borrowed; NULL: not given */
	double wait;		   /* seconds for the controller; below 0: not given */
	double ends_at;		   /* Unix time; 0: not given */
	double walltime;	   /* seconds from now; 0: not given */
	double drain;		   /* seconds before the end */
	double controller_timeout; /* seconds of its silence; 0: not given */
	bool no_ranks;
};
#define STAY_OPTIONS_INIT                                                                          \
	{                                                                                          \
		.wait = -1, .drain = 30                                                            \
	}

/* An argp child; its input is a struct stay_options. */
extern const struct argp stay_options_argp;

/* Is this process one of the ranks of a step or job? */
bool stay_is_rank(const struct stay_options *options);

/* Until the engines end; the exit status. */
int stay_here(const struct stay_options *options, struct engine_options *engines);

#endif
