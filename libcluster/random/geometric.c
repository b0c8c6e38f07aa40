/* geometric.c: the geometric and the logarithmic series distribution (A. W. Kemp, "Efficient
 * generation of logarithmically distributed pseudo-random variables", algorithm LK, 1981). */
#include "libcluster/random/distributions.h"

static int64_t search(struct xc_rng *rng, double p)
{
	double q = 1.0 - p, product = p, sum = p;
	double u = rng_double(rng);
	int64_t x = 1;

	/* N.B. rounded, the sum may stay below 1 forever. */
	while (u > sum && product > 0) {
		product *= q;
		sum += product;
		x++;
	}
	return x;
}

static int64_t draw_geometric(struct xc_rng *rng, double p)
{
	if (p >= 0.333333333333333333333333)
		return search(rng, p);
	return to_int64(ceil(-rng_standard_exponential(rng) / random_log1p(-p)));
}

CHECK(geometric, (double p), ARGUMENT(p, GEOMETRIC_RATE))
COUNTS(geometric, (double p), (p))

static int64_t draw_logseries(struct xc_rng *rng, double p)
{
	double r = random_log1p(-p);

	for (;;) {
		double v = rng_double(rng), q;
		int64_t result;

		if (v >= p)
			return 1;
		q = -expm1(r * rng_double(rng));
		if (v > q * q)
			return v >= q ? 1 : 2;
		result = to_int64(floor(1 + log(v) / log(q)));
		if (result >= 1 && v != 0.0)
			return result;
	}
}

CHECK(logseries, (double p), ARGUMENT(p, PROBABILITY_NOT_1))
COUNTS(logseries, (double p), (p))
