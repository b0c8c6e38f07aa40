/* process.h: the process of ssh. */
#ifndef LAUNCH_PROCESS_H
#define LAUNCH_PROCESS_H

struct remote;

/* Starts ssh for the host, with pipes of its own, its stderr to the log. 0; -errno; -EINVAL
 * also when the command cannot be read. */
int process_start(struct remote *remote);

#endif
