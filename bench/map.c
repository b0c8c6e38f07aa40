/* map.c: rows map_10m, omp_10us and uneven, and the peers' map. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <omp.h>

#include "bench/bench.h"
#include "bench/work.h"

enum { WORKERS = 2 };

static int halve(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(double *)out = 0.5 * (double)*(const int64_t *)in;
	return 0;
}

void row_map_10m(struct bench *bench)
{
	int rounds = (int)bench_pick(bench, 3, 7);
	const int64_t n = 10000000;
	double *out = calloc((size_t)n, sizeof(*out));
	struct xc_error err = XC_ERROR_INIT;
	double walls[BENCH_MAX_ROUNDS];
	int64_t before, after;

	if (!out)
		bench_die("map_10m: no memory");
	bench_open(bench, WORKERS);
	before = bench_memory(bench_controller(bench), "status", "VmRSS");
	for (int i = 0; i < rounds; i++) {
		double begin = bench_now();

		if (xc_map_range(xc_balanced(bench->client), halve, n, out, sizeof(*out), NULL,
				 &err) < 0)
			bench_die("%s", err.text);
		walls[i] = bench_now() - begin;
		for (int64_t k = 0; k < n; k++)
			if (out[k] != 0.5 * (double)k)
				bench_die("map_10m: item %lld is wrong", (long long)k);
		memset(out, 0xff, (size_t)n * sizeof(*out));
	}
	after = bench_memory(bench_controller(bench), "status", "VmRSS");
	bench_report_limit("map_10m", bench_median(walls, rounds), 0.5);
	bench_note("first round %.3f s (code shipped, fresh pages); controller grew by %lld kB "
		   "over %d maps, its peak is %.1f MB",
		   walls[0], (long long)(after - before) / 1024, rounds,
		   1e-6 * (double)bench_memory(bench_controller(bench), "status", "VmHWM"));
	bench_close(bench);
	free(out);
}

struct spin {
	int64_t steps;
};

static int spin_task(struct xc_task *task, const void *in, void *out)
{
	const struct spin *spin = in;

	*(uint64_t *)out = work_spin((uint64_t)xc_task_index(task), spin->steps);
	return 0;
}

static double time_omp(int64_t steps, int64_t n, uint64_t *out)
{
	double begin = bench_now();
	double wall;

#pragma omp parallel for schedule(dynamic) num_threads(WORKERS)
	for (int64_t i = 0; i < n; i++)
		out[i] = work_spin((uint64_t)i, steps);
	wall = bench_now() - begin;
	/* Its threads would go on spinning into the next measurement. */
	omp_pause_resource_all(omp_pause_soft);
	return wall;
}

static double time_spin_map(struct xc_client *client, const struct spin *spins, int64_t n,
			    uint64_t *out)
{
	struct xc_error err = XC_ERROR_INIT;
	double begin = bench_now();

	if (xc_map(xc_balanced(client), spin_task, spins, sizeof(*spins), n, out, sizeof(*out),
		   NULL, &err) < 0)
		bench_die("%s", err.text);
	return bench_now() - begin;
}

static struct spin *spins_create(int64_t n, int64_t steps)
{
	struct spin *spins = calloc((size_t)n, sizeof(*spins));

	if (!spins)
		bench_die("no memory for %lld items", (long long)n);
	for (int64_t i = 0; i < n; i++)
		spins[i].steps = steps;
	return spins;
}

void row_omp_10us(struct bench *bench)
{
	int rounds = (int)bench_pick(bench, 3, 9);
	int64_t n = bench_pick(bench, 50000, 200000);
	int64_t steps = (int64_t)(10e-6 * work_steps_per_second());
	struct spin *spins = spins_create(n, steps);
	uint64_t *out = calloc((size_t)n, sizeof(*out));
	uint64_t *reference = calloc((size_t)n, sizeof(*reference));
	double omps[BENCH_MAX_ROUNDS];
	double ours[BENCH_MAX_ROUNDS];
	double ratios[BENCH_MAX_ROUNDS];

	if (!out || !reference)
		bench_die("omp_10us: no memory");
	bench_open(bench, WORKERS);
	time_spin_map(bench->client, spins, n / 10, out);
	time_omp(steps, n / 10, reference);
	for (int i = 0; i < rounds; i++) {
		memset(out, 0, (size_t)n * sizeof(*out));
		omps[i] = time_omp(steps, n, reference);
		ours[i] = time_spin_map(bench->client, spins, n, out);
		ratios[i] = omps[i] / ours[i];
		if (memcmp(out, reference, (size_t)n * sizeof(*out)) != 0)
			bench_die("omp_10us: results differ from OpenMP's");
	}
	/* Pairs stand side by side in time, so that the ratio drifts less than its parts. */
	bench_report("omp_10us", bench_median(ours, rounds), bench_median(omps, rounds),
		     bench_median(ratios, rounds));
	bench_note("%lld items of %lld steps; the work alone takes %.3f s on %d cores",
		   (long long)n, (long long)steps, 10e-6 * (double)n / WORKERS, WORKERS);
	bench_close(bench);
	free(spins);
	free(out);
	free(reference);
}

struct timing {
	double wall;
	double cpu;
};

static double clock_seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static int timed_spin(struct xc_task *task, const void *in, void *out)
{
	const struct spin *spin = in;
	struct timing *timing = out;
	volatile uint64_t sink;
	double wall = clock_seconds(CLOCK_MONOTONIC);
	double cpu = clock_seconds(CLOCK_THREAD_CPUTIME_ID);

	sink = work_spin((uint64_t)xc_task_index(task), spin->steps);
	(void)sink;
	timing->cpu = clock_seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
	timing->wall = clock_seconds(CLOCK_MONOTONIC) - wall;
	return 0;
}

/* splitmix64, as a uniform number in (0, 1). */
static double uniform(uint64_t i)
{
	uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return ((double)(z >> 11) + 0.5) * 0x1p-53;
}

/* Seconds of item i: log-normal, sigma 2, mean 1 ms. */
static double uneven_seconds(int64_t i)
{
	double radius = sqrt(-2 * log(uniform(2 * (uint64_t)i)));
	double normal = radius * cos(6.283185307179586 * uniform(2 * (uint64_t)i + 1));

	return exp(log(1e-3) - 2 + 2 * normal);
}

static double makespan(const double *seconds, int64_t n)
{
	double loads[WORKERS] = { 0 };
	double longest = 0;

	for (int64_t i = 0; i < n; i++) {
		int least = 0;

		for (int w = 1; w < WORKERS; w++)
			if (loads[w] < loads[least])
				least = w;
		loads[least] += seconds[i];
	}
	for (int w = 0; w < WORKERS; w++)
		longest = fmax(longest, loads[w]);
	return longest;
}

static int compare_down(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x < y) - (x > y);
}

/* The shortest of the list schedules tried: the items in their order, and the
 * longest first, which for this many items is within a hair of the optimum. */
static double best_list_schedule(double *seconds, int64_t n)
{
	double in_order = makespan(seconds, n);

	qsort(seconds, (size_t)n, sizeof(*seconds), compare_down);
	return fmin(in_order, makespan(seconds, n));
}

static double best_of(const struct timing *timings, int64_t n, bool cpu)
{
	double *seconds = malloc((size_t)n * sizeof(*seconds));
	double best;

	if (!seconds)
		bench_die("uneven: no memory");
	for (int64_t i = 0; i < n; i++)
		seconds[i] = cpu ? timings[i].cpu : timings[i].wall;
	best = best_list_schedule(seconds, n);
	free(seconds);
	return best;
}

void row_uneven(struct bench *bench)
{
	int rounds = (int)bench_pick(bench, 3, 7);
	int64_t n = bench_pick(bench, 1000, 3000);
	double rate = work_steps_per_second();
	struct spin *spins = spins_create(n, 0);
	struct timing *timings = calloc((size_t)n, sizeof(*timings));
	struct xc_error err = XC_ERROR_INIT;
	double walls[BENCH_MAX_ROUNDS];
	double bests[BENCH_MAX_ROUNDS];
	double ratios[BENCH_MAX_ROUNDS];
	double strict[BENCH_MAX_ROUNDS];

	if (!timings)
		bench_die("uneven: no memory");
	for (int64_t i = 0; i < n; i++)
		spins[i].steps = (int64_t)(uneven_seconds(i) * rate);
	bench_open(bench, WORKERS);
	if (xc_map(xc_balanced(bench->client), timed_spin, spins, sizeof(*spins), 10, timings,
		   sizeof(*timings), NULL, &err) < 0)
		bench_die("%s", err.text);
	for (int i = 0; i < rounds; i++) {
		double begin = bench_now();

		if (xc_map(xc_balanced(bench->client), timed_spin, spins, sizeof(*spins), n,
			   timings, sizeof(*timings), NULL, &err) < 0)
			bench_die("%s", err.text);
		walls[i] = bench_now() - begin;
		bests[i] = best_of(timings, n, false);
		ratios[i] = walls[i] / bests[i];
		strict[i] = walls[i] / best_of(timings, n, true);
	}
	bench_report("uneven", bench_median(walls, rounds), bench_median(bests, rounds),
		     bench_median(ratios, rounds));
	bench_note("against the best schedule of the items' processor time: %.3f",
		   bench_median(strict, rounds));
	bench_close(bench);
	free(spins);
	free(timings);
}

void row_peer_map(struct bench *bench)
{
	const int64_t n = 20000;
	struct spin *spins = spins_create(n, (int64_t)(10e-6 * work_steps_per_second()));
	uint64_t *out = calloc((size_t)n, sizeof(*out));
	double rates[BENCH_MAX_ROUNDS];
	int rounds = 5;

	if (!out)
		bench_die("peer_map: no memory");
	bench_open(bench, WORKERS);
	time_spin_map(bench->client, spins, n, out);
	for (int i = 0; i < rounds; i++)
		rates[i] = (double)n / time_spin_map(bench->client, spins, n, out);
	bench_report("peer_map", bench_median(rates, rounds), 0, 0);
	bench_close(bench);
	free(spins);
	free(out);
}
