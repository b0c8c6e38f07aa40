/* poisson.c: Poisson, and the negative binomial, which is Poisson with a gamma for mean.
 *
 * Means of 10 and more: W. Hörmann, "The transformed rejection method for generating Poisson
 * random variables", algorithm PTRS (1993); below: products of uniforms. */
#include "libcluster/random/distributions.h"

/* log(gamma(x)): S. Zhang and J. Jin, "Computation of special functions" (1996). N.B. no
 * lgamma() of a C library gives these bits. */
static double log_gamma(double x)
{
	static const double series[] = {
		8.333333333333333e-02,	-2.777777777777778e-03, 7.936507936507937e-04,
		-5.952380952380952e-04, 8.417508417508418e-04,	-1.917526917526918e-03,
		6.410256410256410e-03,	-2.955065359477124e-02, 1.796443723688307e-01,
		-1.39243221690590e+00,
	};
	static const double log_2pi = 1.8378770664093453e+00;
	int shift = x < 7.0 ? (int)(7 - x) : 0;
	double x0 = x + shift;
	double x2 = (1.0 / x0) * (1.0 / x0);
	double sum = series[9], result;

	if (x == 1.0 || x == 2.0)
		return 0.0;
	for (int k = 8; k >= 0; k--) {
		sum *= x2;
		sum += series[k];
	}
	result = sum / x0 + 0.5 * log_2pi + (x0 - 0.5) * log(x0) - x0;
	for (int k = 0; k < shift; k++) {
		result -= log(x0 - 1.0);
		x0 -= 1.0;
	}
	return result;
}

static int64_t small_poisson(struct xc_rng *rng, double lam)
{
	double bound = exp(-lam), product = 1.0;

	for (int64_t k = 0;; k++) {
		product *= rng_double(rng);
		if (!(product > bound))
			return k;
	}
}

static int64_t large_poisson(struct xc_rng *rng, double lam)
{
	double log_lam = log(lam);
	double b = 0.931 + 2.53 * sqrt(lam);
	double a = -0.059 + 0.02483 * b;
	double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
	double v_r = 0.9277 - 3.6224 / (b - 2);

	for (;;) {
		double u = rng_double(rng) - 0.5;
		double v = rng_double(rng);
		double us = 0.5 - fabs(u);
		int64_t k = to_int64(floor((2 * a / us + b) * u + lam + 0.43));

		if (us >= 0.07 && v <= v_r)
			return k;
		if (k < 0 || (us < 0.013 && v > us))
			continue;
		if (log(v) + log(inverse_alpha) - log(a / (us * us) + b) <=
		    -lam + (double)k * log_lam - log_gamma((double)(k + 1)))
			return k;
	}
}

int64_t rng_poisson(struct xc_rng *rng, double lam)
{
	if (lam >= 10)
		return large_poisson(rng, lam);
	return lam == 0 ? 0 : small_poisson(rng, lam);
}

static int64_t draw_poisson(struct xc_rng *rng, double lam)
{
	return rng_poisson(rng, lam);
}

CHECK(poisson, (double lam), ARGUMENT(lam, POISSON_MEAN))
COUNTS(poisson, (double lam), (lam))

static int64_t draw_negative_binomial(struct xc_rng *rng, double successes, double p)
{
	return rng_poisson(rng, (1 - p) / p * rng_standard_gamma(rng, successes));
}

static int check_negative_binomial(struct xc_error *err, double successes, double p)
{
	const struct argument arguments[] = { ARGUMENT(successes, POSITIVE),
					      ARGUMENT(p, PROBABILITY_NOT_0) };
	int r = arguments_check("negative_binomial", arguments, 2, err);

	/* 10 standard deviations, and 40 more for those of few successes, are never passed. */
	if (!r && !((1 - p) / p * (successes + 10 * sqrt(successes) + 40) <= POISSON_MEAN_MAX))
		return error_set(
			err, -EINVAL,
			"negative_binomial: `successes` is %g and `p` is %g, too large and too "
			"small for counts of 64 bits",
			successes, p);
	return r;
}

COUNTS(negative_binomial, (double successes, double p), (successes, p))
