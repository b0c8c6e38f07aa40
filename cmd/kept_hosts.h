/* kept_hosts.h: the hosts that a cluster was started on, kept in its directory, so that
 * `xcluster scale` starts more engines on them. */
#ifndef CMD_KEPT_HOSTS_H
#define CMD_KEPT_HOSTS_H

#include <jansson.h>

#include "cmd/start_hosts.h"

/* Writes the file DIR/hosts.json. */
int kept_hosts_write(const char *dir, const struct host_options *options, struct xc_error *err);

/* What was kept; texts of *options are of *keeper, to be given to json_decref after the last
 * use, and the hosts to hosts_fini. -ENOENT: the cluster was not started on hosts. */
int kept_hosts_read(const char *dir, struct host_options *options, json_t **keeper,
		    struct xc_error *err);

/* Gives `engines` more to the hosts, as evenly as can be; who gets none is left out. */
void kept_hosts_share(struct hosts *hosts, int engines);

#endif
