/* seeds.c: row seeds: a map whose items draw from streams of their own, against the same
 * items that draw from a generator which their engine made once. */
#include <stdlib.h>

#include "bench/bench.h"

enum { WORKERS = 2, DRAWS = 1000 };

static int sum_draws(struct xc_rng *rng, void *out)
{
	double draws[DRAWS], sum = 0;

	xc_standard_normal_fill(rng, draws, DRAWS);
	for (int i = 0; i < DRAWS; i++)
		sum += draws[i];
	*(double *)out = sum;
	return 0;
}

static int with_stream(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	return sum_draws(xc_task_rng(task), out);
}

/* Of this engine. */
static struct xc_rng *own(struct xc_task *task)
{
	static struct xc_rng *rng;

	if (!rng && xc_rng_new(&rng, XC_PCG64, 1 + (uint64_t)xc_task_engine(task), NULL) < 0)
		exit(1);
	return rng;
}

static int with_own(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	return sum_draws(own(task), out);
}

/* Of one draw, so that what a stream costs is not hidden. */
static int one_of_stream(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(double *)out = xc_random(xc_task_rng(task));
	return 0;
}

static int one_of_own(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(double *)out = xc_random(own(task));
	return 0;
}

/* Seconds until its end, and those that the items took by themselves, whatever else this
 * machine did. */
struct taken {
	double wall, serial;
};

static struct taken time_map(struct bench *bench, xc_task_fn *fn, int64_t n, double *out,
			     const struct xc_map_options *options)
{
	struct xc_error err = XC_ERROR_INIT;
	double begin = bench_now();
	struct xc_result *result = xc_map_range_async(xc_balanced(bench->client), fn, n, out,
						      sizeof(*out), options, &err);
	struct taken taken;

	if (!result || xc_wait(result, -1, &err) < 0)
		bench_die("%s", err.text);
	taken = (struct taken){ bench_now() - begin, xc_result_serial_time(result) };
	xc_result_destroy(result);
	return taken;
}

/* What its stream takes an item, in ns. */
static double stream_cost(struct bench *bench, enum xc_streams streams, double *out, int64_t n)
{
	const struct xc_map_options options = { .seed = 1, .streams = streams };
	double costs[BENCH_MAX_ROUNDS];
	int rounds = 5;

	for (int i = 0; i < rounds; i++)
		costs[i] = time_map(bench, one_of_stream, n, out, &options).serial -
			   time_map(bench, one_of_own, n, out, NULL).serial;
	return 1e9 * bench_median(costs, rounds) / (double)n;
}

void row_seeds(struct bench *bench)
{
	const struct xc_map_options options = { .seed = 1 };
	int rounds = (int)bench_pick(bench, 3, 15);
	int64_t n = bench_pick(bench, 20000, 100000), many = bench_pick(bench, 100000, 1000000);
	double *out = calloc((size_t)many, sizeof(*out));
	double seeded[BENCH_MAX_ROUNDS], plain[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
	double serial[BENCH_MAX_ROUNDS];

	if (!out)
		bench_die("seeds: no memory");
	bench_open(bench, WORKERS);
	time_map(bench, with_stream, n / 10, out, &options);
	time_map(bench, with_own, n / 10, out, NULL);
	for (int i = 0; i < rounds; i++) {
		struct taken with = time_map(bench, with_stream, n, out, &options);
		struct taken without = time_map(bench, with_own, n, out, NULL);

		seeded[i] = with.wall;
		plain[i] = without.wall;
		ratios[i] = with.wall / without.wall;
		serial[i] = with.serial / without.serial;
	}
	bench_report("seeds", bench_median(seeded, rounds), bench_median(plain, rounds),
		     bench_median(ratios, rounds));
	bench_note("%lld items of %d normals; of the items' own time the ratio is %.3f; a stream "
		   "takes %.0f ns spawned, %.0f ns jumped",
		   (long long)n, DRAWS, bench_median(serial, rounds),
		   stream_cost(bench, XC_SPAWNED, out, many),
		   stream_cost(bench, XC_JUMPED, out, many));
	bench_close(bench);
	free(out);
}
