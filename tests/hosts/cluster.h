/* cluster.h: clusters whose controller is on one host of a bed and whose engines are on
 * others; homes are not shared, so connection files are copied by scp. */
#ifndef TESTS_HOSTS_CLUSTER_H
#define TESTS_HOSTS_CLUSTER_H

#include "tests/hosts/bed.h"

/* Where `xcluster start` of the user keeps the files of the default cluster. */
#define CLIENT_FILE ".xcluster/default/connection.json"
#define ENGINE_FILE ".xcluster/default/engines.json"

/* Copies a file of the user's home on one host to another's; both as the same user. */
void bed_copy(const struct bed *bed, const char *place, const char *file, const char *host,
	      const char *name);
/* The value of a JSON file of a host; to be given to json_decref. */
json_t *bed_json(const struct bed *bed, const char *host, const char *path);
/* True when so many engines of the place's default cluster are up within the limit. */
bool bed_wait_engines(const struct bed *bed, const char *place, int n, double limit);
/* `xcluster stop`; asserts that it leaves no process on that host. */
void bed_stop_cluster(const struct bed *bed, const char *place);
/* For a fixture: a test that failed must not leave cluster or cut to the next. */
void bed_clear(const struct bed *bed);
/* Jobs that the place's default cluster knows. */
int bed_count_jobs(const struct bed *bed, const char *place);
/* A program of the build folder: an example. */
const char *bed_example(const char *name);
/* How often `text` says that an engine is on the host, as the example hello does. */
int count_engines_on(const char *text, const char *host);

#endif
