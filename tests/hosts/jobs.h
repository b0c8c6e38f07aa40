/* jobs.h: what tests of launchers ask of a cluster on the hosts of a bed. */
#ifndef TESTS_HOSTS_JOBS_H
#define TESTS_HOSTS_JOBS_H

#include "tests/hosts/bed.h"

/* `xcluster status --json` at the place, to be given to json_decref; NULL: none answers. */
json_t *cluster_status(const struct bed *bed, const char *place);

/* How many engines are up ("idle" or "busy"), and how many agents there are. */
int cluster_engines(const struct bed *bed, const char *place);
int cluster_agents(const struct bed *bed, const char *place);
/* Is there an agent on that host whose `launch` holds the text? */
bool cluster_has_launch(const struct bed *bed, const char *place, const char *host,
			const char *text);
/* True when so many engines are up within the limit. */
bool cluster_wait_engines(const struct bed *bed, const char *place, int n, double limit);
/* True when `xcluster status` at the place says this within the limit. */
bool cluster_wait_text(const struct bed *bed, const char *place, const char *text, double limit);
/* `xcluster stop`, and nothing of xcluster is left on any host. */
void cluster_stop(const struct bed *bed, const char *place);
/* No process of xcluster on any host, within the limit. */
void cluster_assert_nothing_left(const struct bed *bed, double limit);

#endif
