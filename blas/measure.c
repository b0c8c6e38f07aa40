/* measure.c: the time that threads have computed. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blas/blas.h"

#define USED_SHARE  0.1 /* of the busiest thread's time, from which on one has computed, too */
#define LOOK_NS	    2000000
#define QUIET_LIMIT 1 /* seconds */

double blas_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* The clock of a thread of this process by its id, as pthread_getcpuclockid makes it. */
static double cpu_seconds(int id)
{
	clockid_t clock = (clockid_t)(~(unsigned)id << 3 | 6);
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		return 0; /* it has ended */
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

struct blas_thread *blas_threads(int *count)
{
	struct blas_thread *threads = NULL, *more;
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;

	*count = 0;
	while (dir && (entry = readdir(dir)) != NULL) {
		int id = atoi(entry->d_name);

		if (id <= 0)
			continue;
		more = realloc(threads, (size_t)(*count + 1) * sizeof *threads);
		if (!more)
			break;
		threads = more;
		threads[(*count)++] = (struct blas_thread){ id, cpu_seconds(id) };
	}
	if (dir)
		closedir(dir);
	return threads;
}

static double seconds_before(const struct blas_thread *before, int count, int id)
{
	for (int i = 0; i < count; i++)
		if (before[i].id == id)
			return before[i].seconds;
	return 0;
}

/* What a thread has used since: the processor's share of each depends on what else the host
 * does, so a thread is measured by the others and not by the clock on the wall. */
int blas_threads_used(const struct blas_thread *before, int before_count,
		      const struct blas_thread *after, int after_count, double *cpu)
{
	double most = 0;
	int used = 0;

	*cpu = 0;
	for (int i = 0; i < after_count; i++) {
		double grown = after[i].seconds - seconds_before(before, before_count, after[i].id);

		*cpu += grown;
		most = grown > most ? grown : most;
	}
	for (int i = 0; i < after_count; i++)
		used += after[i].seconds - seconds_before(before, before_count, after[i].id) >
			USED_SHARE * most;
	return used > 0 ? used : 1;
}

/* It runs or would if it had a processor, so a thread that spins shows also while others have
 * all of them. */
static bool is_runnable(int id)
{
	char path[64], text[512];
	const char *behind_name;
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
	file = fopen(path, "re");
	if (!file)
		return false; /* it has ended */
	n = fread(text, 1, sizeof text - 1, file);
	text[n] = 0;
	fclose(file);
	behind_name = strrchr(text, ')');
	return behind_name && strncmp(behind_name, ") R", 3) == 0;
}

static bool is_any_runnable(const struct blas_thread *threads, int count)
{
	int self = gettid();

	for (int i = 0; i < count; i++)
		if (threads[i].id != self && is_runnable(threads[i].id))
			return true;
	return false;
}

struct blas_thread *blas_quiet(int *count)
{
	const struct timespec look = { .tv_nsec = LOOK_NS };
	double end = blas_now() + QUIET_LIMIT;
	struct blas_thread *threads = blas_threads(count);

	while (is_any_runnable(threads, *count) && blas_now() < end) {
		nanosleep(&look, NULL);
		free(threads);
		threads = blas_threads(count);
	}
	return threads;
}
