/* cores.c: how many cores this process may use: affinity mask and cgroup quota. */
#include "proto/cores.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 16384

int cores_of_quota(long long quota, long long period)
{
	long long cores;

	if (quota <= 0 || period <= 0)
		return 0;
	cores = quota / period + (quota % period != 0);
	return cores > INT_MAX ? 0 : (int)cores;
}

int cores_of_cpu_max(const char *text)
{
	long long quota, period;

	return sscanf(text, "%lld %lld", &quota, &period) == 2 ? cores_of_quota(quota, period) : 0;
}

/* True if `name` is in the list "a,b,c" of `size` bytes. */
static bool has_name(const char *list, size_t size, const char *name)
{
	const char *end = list + size;

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		size_t n = (size_t)((comma ? comma : end) - list);

		if (n == strlen(name) && memcmp(list, name, n) == 0)
			return true;
		list += n + 1;
	}
	return false;
}

int cores_cgroup_path(const char *text, const char *controller, char *path, size_t size)
{
	/* Lines "number:controllers:path"; v2 is "0::path". */
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		const char *first = memchr(line, ':', length);
		const char *second =
			first ? memchr(first + 1, ':', length - (size_t)(first + 1 - line)) : NULL;
		bool found =
			second &&
			(controller ? has_name(first + 1, (size_t)(second - first - 1), controller)
				    : strncmp(line, "0::", 3) == 0);

		if (found) {
			size_t n = length - (size_t)(second + 1 - line);

			if (n >= size)
				return -ENAMETOOLONG;
			memcpy(path, second + 1, n);
			path[n] = '\0';
			return 0;
		}
		line += length + (line[length] == '\n');
	}
	return -ENOENT;
}

static int read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return -errno;
	n = fread(text, 1, size - 1, file);
	fclose(file);
	text[n] = '\0';
	return 0;
}

static long long read_number(const char *directory, const char *name)
{
	char path[TEXT_MAX + 64], text[64];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return read_text(path, text, sizeof text) == 0 ? strtoll(text, NULL, 10) : 0;
}

static int limit_of_v1(const char *directory)
{
	return cores_of_quota(read_number(directory, "cpu.cfs_quota_us"),
			      read_number(directory, "cpu.cfs_period_us"));
}

static int limit_of_v2(const char *directory)
{
	char path[TEXT_MAX + 64], text[64];

	snprintf(path, sizeof path, "%s/cpu.max", directory);
	return read_text(path, text, sizeof text) == 0 ? cores_of_cpu_max(text) : 0;
}

/* The least limit of the group and all above it. In a container the path may be
 * the host's: what does not exist has no limit, and the mount's root is seen. */
static int limit_of_group(const char *mount, const char *group, int (*limit_of)(const char *))
{
	char path[TEXT_MAX];
	size_t root = strlen(mount);
	int limit = 0;

	if (snprintf(path, sizeof path, "%s%s", mount, group) >= (int)sizeof path)
		return 0;
	for (;;) {
		int here = limit_of(path);
		char *slash = strrchr(path + root, '/');

		if (here > 0 && (limit == 0 || here < limit))
			limit = here;
		if (!slash)
			return limit;
		*slash = '\0';
	}
}

static int limit_of_cgroups(void)
{
	static const struct {
		const char *mount, *controller;
		int (*limit_of)(const char *);
	} trees[] = {
		{ "/sys/fs/cgroup", NULL, limit_of_v2 },
		{ "/sys/fs/cgroup/unified", NULL, limit_of_v2 },
		{ "/sys/fs/cgroup/cpu", "cpu", limit_of_v1 },
		{ "/sys/fs/cgroup/cpu,cpuacct", "cpu", limit_of_v1 },
	};
	char text[TEXT_MAX], group[TEXT_MAX];
	int limit = 0;

	if (read_text("/proc/self/cgroup", text, sizeof text) < 0)
		return 0;
	for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
		int here;

		if (cores_cgroup_path(text, trees[i].controller, group, sizeof group) < 0)
			continue;
		here = limit_of_group(trees[i].mount, group, trees[i].limit_of);
		if (here > 0 && (limit == 0 || here < limit))
			limit = here;
	}
	return limit;
}

static int count_affinity(void)
{
	/* The kernel refuses a mask that is too small for its own. */
	for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
		cpu_set_t *set = CPU_ALLOC((size_t)cpus);
		size_t size = CPU_ALLOC_SIZE((size_t)cpus);
		int r = set ? sched_getaffinity(0, size, set) : -1;
		int count = r == 0 ? CPU_COUNT_S(size, set) : 0;

		CPU_FREE(set);
		if (r == 0)
			return count;
	}
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int cores_usable(void)
{
	int cores = count_affinity(), limit = limit_of_cgroups();

	if (limit > 0 && limit < cores)
		cores = limit;
	return cores > 0 ? cores : 1;
}
