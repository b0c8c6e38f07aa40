/* cores.h: how many cores this process may use. */
#ifndef PROTO_CORES_H
#define PROTO_CORES_H

#include <stddef.h>

/* The affinity mask's count, or the cgroup's CPU quota rounded up if that is
 * less; at least 1. */
int cores_usable(void);

/* For the above and its test: 0 stands for no limit. */

/* Of a quota of `quota` in each `period`; both in the same unit. */
int cores_of_quota(long long quota, long long period);
/* Of the text of a cgroup v2's cpu.max: "max 100000", "150000 100000". */
int cores_of_cpu_max(const char *text);
/* The path in a /proc/self/cgroup text of the group with this v1 controller, or
 * of the v2 group when NULL. -ENOENT, -ENAMETOOLONG. */
int cores_cgroup_path(const char *text, const char *controller, char *path, size_t size);

#endif
