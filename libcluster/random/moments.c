/* moments.c: mean and standard deviation by pairwise sums, in the order of numpy's, which
 * takes arrays a buffer at a time. */
#include <math.h>

#include "libcluster/random/rng.h"

/* Called with a constant `squares`: sums of squares of distances from `mean`, else of the
 * values. */
INLINE double term(double value, double mean, bool squares)
{
	return squares ? (value - mean) * (value - mean) : value;
}

INLINE double block_sum(const double *a, size_t n, double mean, bool squares)
{
	double r[8], sum;
	size_t i, j;

	if (n < 8) {
		sum = 0;
		for (i = 0; i < n; i++)
			sum += term(a[i], mean, squares);
		return sum;
	}
	for (j = 0; j < 8; j++)
		r[j] = term(a[j], mean, squares);
	for (i = 8; i + 8 <= n; i += 8)
		for (j = 0; j < 8; j++)
			r[j] += term(a[i + j], mean, squares);
	sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
	for (; i < n; i++)
		sum += term(a[i], mean, squares);
	return sum;
}

static double pairwise_sum(const double *a, size_t n, double mean, bool squares)
{
	size_t half;

	if (n <= 128)
		return squares ? block_sum(a, n, mean, true) : block_sum(a, n, mean, false);
	half = n / 2 - n / 2 % 8;
	return pairwise_sum(a, half, mean, squares) +
	       pairwise_sum(a + half, n - half, mean, squares);
}

/* Elements of a buffer. */
#define BUFFER 8192

static double buffered_sum(const double *a, size_t n, double mean, bool squares)
{
	double sum = 0;

	for (; n > BUFFER; a += BUFFER, n -= BUFFER)
		sum += pairwise_sum(a, BUFFER, mean, squares);
	return sum + pairwise_sum(a, n, mean, squares);
}

XC_API double xc_mean(const double *values, size_t n)
{
	if (!values || !n)
		return NAN;
	return buffered_sum(values, n, 0, false) / (double)n;
}

XC_API double xc_std(const double *values, size_t n)
{
	if (!values || !n)
		return NAN;
	return sqrt(buffered_sum(values, n, xc_mean(values, n), true) / (double)n);
}
