/* clock.h: when the time of this host ends. */
#ifndef CMD_CLOCK_H
#define CMD_CLOCK_H

#include <stdbool.h>

/* A descriptor that lines with a Unix time can be read from: at once when the user has
 * said it; of a Slurm job, when Slurm has, and again when its limit has been changed.
 * A child process asks Slurm, so that nobody waits for it; it ends with this process, or
 * when nobody reads. 0: there is no limit that anybody knows of; -errno. */
int clock_open(double ends_at, double walltime);

/* The time in squeue's %e, "2026-11-26T12:00:00"; 0: none. */
double clock_of_squeue(const char *text);

#endif
