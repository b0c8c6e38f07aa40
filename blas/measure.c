/* measure.c: the time that threads have computed. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blas/blas.h"

#define USED_SHARE  0.1 /* of the busiest thread's time, from which on one has computed, too */
#define QUIET_SHARE 0.1 /* of the time: threads that use more of it are not quiet */
#define LOOK_NS	    2000000
#define QUIET_LIMIT 0.2 /* seconds */

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

void blas_quiet(struct blas_thread **threads, int *count, double since)
{
	const struct timespec look = { .tv_nsec = LOOK_NS };
	double end = blas_now() + QUIET_LIMIT, seconds = blas_now() - since, others;
	struct blas_thread *now;
	int n, self = gettid();

	for (;;) {
		now = blas_threads(&n);
		others = 0;
		for (int i = 0; i < n; i++)
			if (now[i].id != self)
				others += now[i].seconds -
					  seconds_before(*threads, *count, now[i].id);
		free(*threads);
		*threads = now;
		*count = n;
		if (others <= QUIET_SHARE * seconds || blas_now() > end)
			return;
		seconds = blas_now();
		nanosleep(&look, NULL);
		seconds = blas_now() - seconds;
	}
}
