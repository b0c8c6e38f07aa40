/* gamma.c: the gamma distribution, and those that are made of gammas: chi-square, Student's
 * t, F, beta, Dirichlet.
 *
 * Shapes above 1: G. Marsaglia and W. W. Tsang, "A simple method for generating gamma
 * variables" (2000); below: Ahrens and Dieter's GS, as improved by D. J. Best (1983). Beta
 * with both arguments up to 1: M. D. Jöhnk (1964). */
#include <stdlib.h>

#include "libcluster/random/distributions.h"

static double small_gamma(struct xc_rng *rng, double shape)
{
	for (;;) {
		double u = rng_double(rng);
		double v = rng_standard_exponential(rng);
		double x, y;

		if (u <= 1.0 - shape) {
			x = pow(u, 1.0 / shape);
			if (x <= v)
				return x;
		} else {
			y = -log((1.0 - u) / shape);
			x = pow(1.0 - shape + shape * y, 1.0 / shape);
			if (x <= v + y)
				return x;
		}
	}
}

static double large_gamma(struct xc_rng *rng, double shape)
{
	double b = shape - 1.0 / 3.0;
	double c = 1.0 / sqrt(9.0 * b);

	for (;;) {
		double x, v, u;

		do {
			x = rng_standard_normal(rng);
			v = 1.0 + c * x;
		} while (v <= 0.0);
		v = v * v * v;
		u = rng_double(rng);
		if (u < 1.0 - 0.0331 * (x * x) * (x * x))
			return b * v;
		if (log(u) < 0.5 * x * x + b * (1.0 - v + log(v)))
			return b * v;
	}
}

double rng_standard_gamma(struct xc_rng *rng, double shape)
{
	if (shape == 1.0)
		return rng_standard_exponential(rng);
	if (shape == 0.0)
		return 0.0;
	return shape < 1.0 ? small_gamma(rng, shape) : large_gamma(rng, shape);
}

static double draw_standard_gamma(struct xc_rng *rng, double shape)
{
	return rng_standard_gamma(rng, shape);
}

CHECK(standard_gamma, (double shape), ARGUMENT(shape, NOT_NEGATIVE))
REALS(standard_gamma, (double shape), (shape))

static double draw_gamma(struct xc_rng *rng, double shape, double scale)
{
	return scale * rng_standard_gamma(rng, shape);
}

CHECK(gamma, (double shape, double scale), ARGUMENT(shape, NOT_NEGATIVE),
      ARGUMENT(scale, NOT_NEGATIVE))
REALS(gamma, (double shape, double scale), (shape, scale))

static double draw_chisquare(struct xc_rng *rng, double df)
{
	return 2.0 * rng_standard_gamma(rng, df / 2.0);
}

CHECK(chisquare, (double df), ARGUMENT(df, POSITIVE))
REALS(chisquare, (double df), (df))

static double draw_noncentral_chisquare(struct xc_rng *rng, double df, double nonc)
{
	double chisquare, normal;

	if (nonc == 0)
		return draw_chisquare(rng, df);
	if (df <= 1) {
		double poisson = (double)(2 * rng_poisson(rng, nonc / 2.0));

		return draw_chisquare(rng, df + poisson);
	}
	chisquare = draw_chisquare(rng, df - 1);
	normal = rng_standard_normal(rng) + sqrt(nonc);
	return chisquare + normal * normal;
}

/* N.B. twice a Poisson count must be an int64_t, too. */
static int check_noncentrality(const char *name, double df, double nonc, struct xc_error *err)
{
	if (df <= 1 && nonc > 0x1p62)
		return error_set(err, -EINVAL,
				 "%s: `nonc` is %.17g, but with no more than 1 degree of freedom "
				 "it must not be above 4.6e18",
				 name, nonc);
	return 0;
}

static int check_noncentral_chisquare(struct xc_error *err, double df, double nonc)
{
	const struct argument arguments[] = { ARGUMENT(df, POSITIVE),
					      ARGUMENT(nonc, NOT_NEGATIVE) };
	int r = arguments_check("noncentral_chisquare", arguments, 2, err);

	return r ? r : check_noncentrality("noncentral_chisquare", df, nonc, err);
}

REALS(noncentral_chisquare, (double df, double nonc), (df, nonc))

static double draw_f(struct xc_rng *rng, double dfnum, double dfden)
{
	double numerator = draw_chisquare(rng, dfnum) * dfden;

	return numerator / (draw_chisquare(rng, dfden) * dfnum);
}

CHECK(f, (double dfnum, double dfden), ARGUMENT(dfnum, POSITIVE), ARGUMENT(dfden, POSITIVE))
REALS(f, (double dfnum, double dfden), (dfnum, dfden))

static double draw_noncentral_f(struct xc_rng *rng, double dfnum, double dfden, double nonc)
{
	double numerator = draw_noncentral_chisquare(rng, dfnum, nonc) * dfden;

	return numerator / (draw_chisquare(rng, dfden) * dfnum);
}

static int check_noncentral_f(struct xc_error *err, double dfnum, double dfden, double nonc)
{
	const struct argument arguments[] = { ARGUMENT(dfnum, POSITIVE), ARGUMENT(dfden, POSITIVE),
					      ARGUMENT(nonc, NOT_NEGATIVE) };
	int r = arguments_check("noncentral_f", arguments, 3, err);

	return r ? r : check_noncentrality("noncentral_f", dfnum, nonc, err);
}

REALS(noncentral_f, (double dfnum, double dfden, double nonc), (dfnum, dfden, nonc))

static double draw_standard_t(struct xc_rng *rng, double df)
{
	double normal = rng_standard_normal(rng);
	double gamma = rng_standard_gamma(rng, df / 2.0);

	return sqrt(df / 2.0) * normal / sqrt(gamma);
}

CHECK(standard_t, (double df), ARGUMENT(df, POSITIVE))
REALS(standard_t, (double df), (df))

/* ---- Beta ---- */

/* Below it, nearly all of Jöhnk's pairs are 0 and 0, and a draw takes forever. */
#define BETA_MIN 1e-6

static double small_beta(struct xc_rng *rng, double a, double b)
{
	for (;;) {
		double u = rng_double(rng);
		double v = rng_double(rng);
		double x = pow(u, 1.0 / a);
		double y = pow(v, 1.0 / b);

		if (x + y <= 1.0 && x + y > 0.0)
			return x / (x + y);
	}
}

static double draw_beta(struct xc_rng *rng, double a, double b)
{
	double first, second;

	if (a <= 1.0 && b <= 1.0)
		return small_beta(rng, a, b);
	first = rng_standard_gamma(rng, a);
	second = rng_standard_gamma(rng, b);
	return first / (first + second);
}

static int check_beta(struct xc_error *err, double a, double b)
{
	const struct argument arguments[] = { ARGUMENT(a, POSITIVE), ARGUMENT(b, POSITIVE) };
	int r = arguments_check("beta", arguments, 2, err);

	if (!r && a < BETA_MIN && b < BETA_MIN)
		return error_set(err, -EINVAL,
				 "beta: `a` is %g and `b` is %g: one must be 1e-6 or more, as a "
				 "draw would take too long",
				 a, b);
	return r;
}

REALS(beta, (double a, double b), (a, b))

/* ---- Dirichlet ---- */

/* Below it, all gammas may well be 0. */
#define DIRICHLET_SMALL 0.1

static bool all_small(const double *alpha, size_t d)
{
	for (size_t i = 0; i < d; i++)
		if (alpha[i] >= DIRICHLET_SMALL)
			return false;
	return true;
}

/* Breaks a stick of length 1; sums[i] is alpha[i] and all that follow. */
static void break_stick(struct xc_rng *rng, const double *alpha, const double *sums, size_t d,
			double *out)
{
	double left = 1.0;

	for (size_t i = 0; i + 1 < d; i++) {
		double part = draw_beta(rng, alpha[i], sums[i + 1]);

		out[i] = left * part;
		left *= 1.0 - part;
	}
	out[d - 1] = left;
}

static void share_gammas(struct xc_rng *rng, const double *alpha, size_t d, double *out)
{
	double sum = 0.0, inverse;

	for (size_t i = 0; i < d; i++) {
		out[i] = rng_standard_gamma(rng, alpha[i]);
		sum = sum + out[i];
	}
	inverse = 1.0 / sum;
	for (size_t i = 0; i < d; i++)
		out[i] = out[i] * inverse;
}

static int fill_small(struct xc_rng *rng, const double *alpha, size_t d, double *out, size_t n,
		      struct xc_error *err)
{
	double *sums = malloc(d * sizeof *sums);
	double sum = 0.0;
	int r = 0;

	if (!sums)
		return error_set(err, -ENOMEM, "no memory for the %zu sums of dirichlet", d);
	for (size_t i = d; i-- > 0;)
		sums[i] = sum += alpha[i];
	for (size_t i = 0; !r && i + 1 < d; i++)
		if (alpha[i] < BETA_MIN && sums[i + 1] < BETA_MIN)
			r = error_set(err, -EINVAL,
				      "dirichlet: `alpha` has no more than %g from element %zu on, "
				      "so that a draw would take too long: 1e-6 is enough",
				      sums[i], i);
	for (size_t i = 0; !r && i < n; i++)
		break_stick(rng, alpha, sums, d, out + i * d);
	free(sums);
	return r;
}

XC_API int xc_dirichlet_fill(struct xc_rng *rng, const double *alpha, size_t d, double *out,
			     size_t n, struct xc_error *err)
{
	int r = places_check("dirichlet", rng, out, n, err);

	if (r)
		return r;
	if (!alpha || !d)
		return error_set(err, -EINVAL, "dirichlet: `alpha` must have an element or more");
	for (size_t i = 0; i < d; i++)
		if (!isfinite(alpha[i]) || alpha[i] <= 0)
			return error_set(err, -EINVAL,
					 "dirichlet: `alpha` is %.17g at %zu, but must be a finite "
					 "number above 0",
					 alpha[i], i);
	if (all_small(alpha, d))
		return fill_small(rng, alpha, d, out, n, err);
	for (size_t i = 0; i < n; i++)
		share_gammas(rng, alpha, d, out + i * d);
	return 0;
}
