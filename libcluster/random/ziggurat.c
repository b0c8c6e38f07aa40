/* ziggurat.c: standard normals and exponentials: what falls outside a layer for sure, in a
 * layer's edge or in the tail. */
#include <math.h>

#include "libcluster/random/ziggurat.h"

#define NORMAL_R      0x1.d3bb48209ad33p+1
#define NORMAL_INV_R  0x1.183aa6c20e8c1p-2
#define EXPONENTIAL_R 0x1.ec9d9297ebb83p+2

/* Whether a point at the height that `rng` says is below the density there. */
static bool is_below(struct xc_rng *rng, const double *edges, unsigned int i, double density)
{
	return (edges[i - 1] - edges[i]) * rng_double(rng) + edges[i] < density;
}

/* After Marsaglia (1964). N.B. the sign is not that of the draws in layers. */
static double normal_tail(struct xc_rng *rng, bool negative)
{
	for (;;) {
		double x = -NORMAL_INV_R * random_log1p(-rng_double(rng));
		double y = -random_log1p(-rng_double(rng));

		if (y + y > x * x)
			return negative ? -(NORMAL_R + x) : NORMAL_R + x;
	}
}

double ziggurat_normal_rest(struct xc_rng *rng, uint64_t word)
{
	double x;

	while (!ziggurat_normal(word, &x)) {
		unsigned int i = word & 255;

		if (i == 0)
			return normal_tail(rng, word >> 17 & 1);
		if (is_below(rng, ziggurat_normal_edges, i, exp(-0.5 * x * x)))
			return x;
		word = rng_next64(rng);
	}
	return x;
}

double ziggurat_exponential_rest(struct xc_rng *rng, uint64_t word)
{
	double x;

	while (!ziggurat_exponential(word, &x)) {
		unsigned int i = word >> 3 & 255;

		if (i == 0)
			return EXPONENTIAL_R - random_log1p(-rng_double(rng));
		if (is_below(rng, ziggurat_exponential_edges, i, exp(-x)))
			return x;
		word = rng_next64(rng);
	}
	return x;
}

double rng_standard_normal(struct xc_rng *rng)
{
	uint64_t word = rng_next64(rng);
	double x;

	return ziggurat_normal(word, &x) ? x : ziggurat_normal_rest(rng, word);
}

double rng_standard_exponential(struct xc_rng *rng)
{
	uint64_t word = rng_next64(rng);
	double x;

	return ziggurat_exponential(word, &x) ? x : ziggurat_exponential_rest(rng, word);
}
