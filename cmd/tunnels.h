/* tunnels.h: ssh connections that stay when `xcluster start` has ended. */
#ifndef CMD_TUNNELS_H
#define CMD_TUNNELS_H

#include "launch/ssh.h"

/* Starts a process of the cluster (`dir`, whose controller is `pid`) that takes over the
 * connections of all hosts that are ready, until they or the controller end. */
int tunnels_keep(struct ssh *ssh, const char *dir, int pid, struct xc_error *err);

#endif
