/* bootstrap.c: the median of a data set and its 95 % confidence interval, by the bootstrap:
 * many samples are drawn from the data with replacement, and the medians of these tell how
 * far that of the data can be trusted.
 *
 *     ./bootstrap [SAMPLES]       10,000 unless said
 */
#include <stdio.h>
#include <stdlib.h>
#include <xcluster.h>

/* Newcomb's measurements of the speed of light, 1882: deviations from 24,800 ns for 7,442 m. */
static const double data[] = {
	28, 26, 33, 24, 34, -44, 27, 16, 40, -2, 29, 22, 24, 21, 25, 30, 23, 29, 31, 19, 24, 20,
	36, 32, 36, 28, 25, 21,	 28, 29, 37, 25, 28, 26, 30, 32, 36, 26, 30, 22, 36, 23, 27, 27,
	28, 27, 31, 27, 26, 33,	 26, 32, 32, 24, 39, 28, 24, 25, 32, 25, 29, 27, 28, 29, 16, 23,
};

enum { N = sizeof data / sizeof data[0] };

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, N, sizeof values[0], by_value);
	return (values[(N - 1) / 2] + values[N / 2]) / 2;
}

/* The median of one sample. The data is shipped with the program. */
static int median_of_sample(struct xc_task *task, const void *in, void *out)
{
	struct xc_rng *rng = xc_task_rng(task);
	double sample[N];
	int64_t drawn[N];

	(void)in;
	if (!rng || xc_integers_fill(rng, XC_I64, 0, N, false, drawn, N, NULL) < 0)
		return XC_TASK_FAILED;
	for (int i = 0; i < N; i++)
		sample[i] = data[drawn[i]];
	*(double *)out = median(sample);
	return 0;
}

int main(int argc, char **argv)
{
	const double probabilities[] = { 0.025, 0.975 };
	const struct xc_reduction quantiles = { .kind = XC_REDUCE_QUANTILES,
						.dtype = XC_F64,
						.probabilities = probabilities,
						.count = 2,
						.rank_error = 1e-4 };
	struct xc_map_options options = { .seed = 1, .progress = true };
	int64_t samples = argc > 1 ? atoll(argv[1]) : 10000;
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	double interval[2], all[N];

	if (samples < 1) {
		fprintf(stderr, "usage: bootstrap [SAMPLES]\n");
		return 2;
	}
	if (xc_open(&client, NULL, &err) < 0 || xc_wait_for_engines(client, 1, 30, &err) < 0 ||
	    xc_map_reduce(xc_balanced(client), median_of_sample, samples, &quantiles, interval,
			  sizeof interval, &options, &err) < 0) {
		fprintf(stderr, "bootstrap: %s\n", err.text);
		xc_close(client);
		return 1;
	}
	for (int i = 0; i < N; i++)
		all[i] = data[i];
	printf("median %g, 95 %% confidence interval from %g to %g (%lld samples)\n", median(all),
	       interval[0], interval[1], (long long)samples);
	xc_close(client);
	return 0;
}
