/* measure.c: clock, medians, and a private cluster whose processes are looked at. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

static const char cluster_id[] = "bench";

void bench_die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

void bench_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("note\t");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
}

int64_t bench_pick(const struct bench *bench, int64_t quick, int64_t full)
{
	return bench->quick ? quick : full;
}

double bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(const double *values, int n)
{
	double *sorted = malloc((size_t)n * sizeof(*sorted));
	double median;

	if (!sorted)
		bench_die("no memory for %d values", n);
	memcpy(sorted, values, (size_t)n * sizeof(*sorted));
	qsort(sorted, (size_t)n, sizeof(*sorted), compare_doubles);
	median = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
	free(sorted);
	return median;
}

static bool processor_times(double *idle, double *total)
{
	double t[8] = { 0 };
	FILE *file = fopen("/proc/stat", "re");
	int n = 0;

	if (file) {
		n = fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &t[0], &t[1], &t[2], &t[3],
			   &t[4], &t[5], &t[6], &t[7]);
		fclose(file);
	}
	*idle = t[3] + t[4];
	*total = t[0] + t[1] + t[2] + t[3] + t[4] + t[5] + t[6] + t[7];
	return n == 8;
}

void bench_warn_if_busy(void)
{
	const struct timespec span = { .tv_nsec = 300000000 };
	double idle[2], total[2], busy;

	if (!processor_times(&idle[0], &total[0]))
		return;
	nanosleep(&span, NULL);
	if (!processor_times(&idle[1], &total[1]) || total[1] <= total[0])
		return;
	busy = 1 - (idle[1] - idle[0]) / (total[1] - total[0]);
	if (busy > 0.1)
		bench_note("others used %.0f %% of this machine just before this row", 100 * busy);
}

void bench_open(struct bench *bench, int n)
{
	struct xc_cluster_options options = { .id = cluster_id };
	struct xc_error err = XC_ERROR_INIT;

	if (xc_cluster_start(&bench->cluster, n, &options, &err) < 0 ||
	    xc_open(&bench->client, xc_cluster_connection(bench->cluster), &err) < 0 ||
	    xc_wait_for_engines(bench->client, n, 30, &err) < 0)
		bench_die("%s", err.text);
}

void bench_close(struct bench *bench)
{
	struct xc_error err = XC_ERROR_INIT;

	xc_close(bench->client);
	if (xc_cluster_stop(bench->cluster, &err) < 0)
		bench_die("%s", err.text);
}

/* The live process that holds the lock, 0 if none does. */
static pid_t lock_holder(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int r;

	if (fd < 0)
		return 0;
	r = fcntl(fd, F_GETLK, &lock);
	close(fd);
	return r == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

pid_t bench_controller(const struct bench *bench)
{
	char path[128];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s/controller.lock", bench->dir, cluster_id);
	pid = lock_holder(path);
	if (!pid)
		bench_die("nobody holds %s: where is the controller?", path);
	return pid;
}

static int children(pid_t pid, pid_t *pids, int max)
{
	char path[64];
	FILE *file;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	file = fopen(path, "re");
	if (!file)
		bench_die("%s: %s", path, strerror(errno));
	while (n < max && fscanf(file, "%d", &pids[n]) == 1)
		n++;
	fclose(file);
	return n;
}

int bench_engines(const struct bench *bench, pid_t *pids, int max)
{
	char pattern[128];
	glob_t found;
	int n = 0;

	snprintf(pattern, sizeof(pattern), "%s/%s/agent-*.lock", bench->dir, cluster_id);
	if (glob(pattern, 0, NULL, &found) != 0)
		bench_die("no file %s: where are the agents?", pattern);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		pid_t agent = lock_holder(found.gl_pathv[i]);

		if (agent)
			n += children(agent, pids + n, max - n);
	}
	globfree(&found);
	return n;
}

int64_t bench_memory(pid_t pid, const char *file, const char *key)
{
	char path[64];
	char line[256];
	long long kilobytes = -1;
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	stream = fopen(path, "re");
	if (!stream)
		bench_die("%s: %s", path, strerror(errno));
	while (kilobytes < 0 && fgets(line, sizeof(line), stream))
		if (strncmp(line, key, strlen(key)) == 0)
			sscanf(line + strlen(key), ": %lld", &kilobytes);
	fclose(stream);
	if (kilobytes < 0)
		bench_die("%s has no line %s", path, key);
	return 1024 * (int64_t)kilobytes;
}
