/* walltime.h: how long jobs may run, as users and batch systems write it. */
#ifndef LAUNCH_WALLTIME_H
#define LAUNCH_WALLTIME_H

#include <stddef.h>

#define WALLTIME_MAX (366.0 * 86400)

/* Seconds of "90" (minutes), "30:00", "1:30:00", "2-12", "2-12:00", "2-12:00:00", as Slurm
 * has them, or "45s", "30m", "2h", "1d". -EINVAL when it is none of these, 0, or more than
 * a year. */
int walltime_parse(const char *text, double *seconds);

/* "HH:MM:SS", rounded up; hours may have more digits. Returns `text`. */
char *walltime_format(char *text, size_t size, double seconds);

#endif
