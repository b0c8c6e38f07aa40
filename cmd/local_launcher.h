/* local_launcher.h: the launcher "local": agents on this host, as daemons. */
#ifndef CMD_LOCAL_LAUNCHER_H
#define CMD_LOCAL_LAUNCHER_H

#include "launch/launcher.h"

int local_open(struct launch *launch, const struct launch_request *request, const char *cluster_id,
	       const char *dir, struct xc_error *err);

#endif
