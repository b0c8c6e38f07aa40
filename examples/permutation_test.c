/* permutation_test.c: is the difference between two groups chance? The labels of the groups are
 * dealt out anew many times; the share of differences as large as that found is the p-value.
 * What the permutations say is put together by a function of this program.
 *
 *     ./permutation_test [PERMUTATIONS]       100,000 unless said
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xcluster.h>

/* Days that mice lived after surgery, with and without a treatment (Efron and Tibshirani 1993,
 * table 2.1). */
static const double days[] = { 94, 197, 16, 38, 99, 141, 23, 52, 104, 146, 10, 51, 30, 40, 27, 46 };

enum { N = sizeof days / sizeof days[0], TREATED = 7 };

struct tally {
	int64_t permutations, as_large;
	double largest;
};

static double difference(const double *values)
{
	double treated = 0, control = 0;

	for (int i = 0; i < N; i++)
		*(i < TREATED ? &treated : &control) += values[i];
	return treated / TREATED - control / (N - TREATED);
}

static int permute(struct xc_task *task, const void *in, void *out)
{
	struct xc_rng *rng = xc_task_rng(task);
	struct tally *tally = out;
	double values[N];

	(void)in;
	if (!rng)
		return XC_TASK_FAILED;
	memcpy(values, days, sizeof values);
	xc_shuffle(rng, values, N, sizeof values[0]);
	tally->permutations = 1;
	tally->largest = fabs(difference(values));
	/* of equal ones the last digits may differ */
	tally->as_large = tally->largest >= fabs(difference(days)) - 1e-9;
	return 0;
}

static void combine(void *left, const void *right, const void *argument)
{
	struct tally *a = left;
	const struct tally *b = right;

	(void)argument;
	a->permutations += b->permutations;
	a->as_large += b->as_large;
	a->largest = fmax(a->largest, b->largest);
}

int main(int argc, char **argv)
{
	const struct xc_reduction tallies = { .kind = XC_REDUCE_OWN,
					      .size = sizeof(struct tally),
					      .combine = combine };
	struct xc_map_options options = { .seed = 1, .progress = true };
	int64_t n = argc > 1 ? atoll(argv[1]) : 100000;
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	struct tally all;

	if (n < 1) {
		fprintf(stderr, "usage: permutation_test [PERMUTATIONS]\n");
		return 2;
	}
	if (xc_open(&client, NULL, &err) < 0 || xc_wait_for_engines(client, 1, 30, &err) < 0 ||
	    xc_map_reduce(xc_balanced(client), permute, n, &tallies, &all, sizeof all, &options,
			  &err) < 0) {
		fprintf(stderr, "permutation_test: %s\n", err.text);
		xc_close(client);
		return 1;
	}
	printf("difference %.3f days, p-value %.4f; the largest of %lld permutations is %.3f\n",
	       difference(days), (double)(all.as_large + 1) / (double)(all.permutations + 1),
	       (long long)all.permutations, all.largest);
	xc_close(client);
	return 0;
}
