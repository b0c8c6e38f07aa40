/* continuous.c: distributions over real numbers that are one step from a uniform, a normal or
 * an exponential; and von Mises, after D. J. Best and N. I. Fisher (1979). */
#include "libcluster/random/distributions.h"

static double draw_lognormal(struct xc_rng *rng, double mean, double sigma)
{
	return exp(mean + sigma * rng_standard_normal(rng));
}

CHECK(lognormal, (double mean, double sigma), ARGUMENT(mean, FINITE), ARGUMENT(sigma, NOT_NEGATIVE))
REALS(lognormal, (double mean, double sigma), (mean, sigma))

static double draw_standard_cauchy(struct xc_rng *rng)
{
	double numerator = rng_standard_normal(rng);

	return numerator / rng_standard_normal(rng);
}

XC_API double xc_standard_cauchy(struct xc_rng *rng)
{
	return rng ? draw_standard_cauchy(rng) : NAN;
}

XC_API int xc_standard_cauchy_fill(struct xc_rng *rng, double *out, size_t n, struct xc_error *err)
{
	int r = places_check("standard_cauchy", rng, out, n, err);

	for (size_t i = 0; !r && i < n; i++)
		out[i] = draw_standard_cauchy(rng);
	return r;
}

/* J. R. Michael, W. R. Schucany and R. W. Haas (1976). */
static double draw_wald(struct xc_rng *rng, double mean, double scale)
{
	double half = mean / (2 * scale);
	double y = rng_standard_normal(rng), x;

	y = mean * y * y;
	x = mean + half * (y - sqrt(4 * scale * y + y * y));
	return rng_double(rng) <= mean / (mean + x) ? x : mean * mean / x;
}

CHECK(wald, (double mean, double scale), ARGUMENT(mean, POSITIVE), ARGUMENT(scale, POSITIVE))
REALS(wald, (double mean, double scale), (mean, scale))

/* ---- Of exponentials ---- */

static double draw_weibull(struct xc_rng *rng, double a)
{
	return a == 0.0 ? 0.0 : pow(rng_standard_exponential(rng), 1.0 / a);
}

CHECK(weibull, (double a), ARGUMENT(a, NOT_NEGATIVE))
REALS(weibull, (double a), (a))

static double draw_pareto(struct xc_rng *rng, double a)
{
	return expm1(rng_standard_exponential(rng) / a);
}

CHECK(pareto, (double a), ARGUMENT(a, POSITIVE))
REALS(pareto, (double a), (a))

static double draw_power(struct xc_rng *rng, double a)
{
	return pow(-expm1(-rng_standard_exponential(rng)), 1.0 / a);
}

CHECK(power, (double a), ARGUMENT(a, POSITIVE))
REALS(power, (double a), (a))

static double draw_rayleigh(struct xc_rng *rng, double scale)
{
	return scale * sqrt(2.0 * rng_standard_exponential(rng));
}

CHECK(rayleigh, (double scale), ARGUMENT(scale, NOT_NEGATIVE))
REALS(rayleigh, (double scale), (scale))

/* ---- Of uniforms ---- */

/* In (0, 1). */
static double draw_open(struct xc_rng *rng)
{
	double u;

	do {
		u = rng_double(rng);
	} while (u == 0.0);
	return u;
}

static double draw_laplace(struct xc_rng *rng, double loc, double scale)
{
	double u = draw_open(rng);

	return u >= 0.5 ? loc - scale * log(2.0 - u - u) : loc + scale * log(u + u);
}

CHECK(laplace, (double loc, double scale), ARGUMENT(loc, FINITE), ARGUMENT(scale, NOT_NEGATIVE))
REALS(laplace, (double loc, double scale), (loc, scale))

static double draw_logistic(struct xc_rng *rng, double loc, double scale)
{
	double u = draw_open(rng);

	return loc + scale * log(u / (1.0 - u));
}

CHECK(logistic, (double loc, double scale), ARGUMENT(loc, FINITE), ARGUMENT(scale, NOT_NEGATIVE))
REALS(logistic, (double loc, double scale), (loc, scale))

static double draw_gumbel(struct xc_rng *rng, double loc, double scale)
{
	double u = 1.0 - draw_open(rng);

	return loc - scale * log(-log(u));
}

CHECK(gumbel, (double loc, double scale), ARGUMENT(loc, FINITE), ARGUMENT(scale, NOT_NEGATIVE))
REALS(gumbel, (double loc, double scale), (loc, scale))

static double draw_triangular(struct xc_rng *rng, double left, double mode, double right)
{
	double base = right - left;
	double rising = (mode - left) * base;
	double falling = (right - mode) * base;
	double u = rng_double(rng);

	if (u <= (mode - left) / base)
		return left + sqrt(u * rising);
	return right - sqrt((1.0 - u) * falling);
}

static int check_triangular(struct xc_error *err, double left, double mode, double right)
{
	const struct argument arguments[] = { ARGUMENT(left, FINITE), ARGUMENT(mode, FINITE),
					      ARGUMENT(right, FINITE) };
	int r = arguments_check("triangular", arguments, 3, err);

	if (!r && !(left <= mode && mode <= right && left < right))
		return error_set(err, -EINVAL,
				 "triangular: `left` is %g, `mode` %g and `right` %g, but `mode` "
				 "must be in `left` to `right`, and these must differ",
				 left, mode, right);
	return r;
}

REALS(triangular, (double left, double mode, double right), (left, mode, right))

/* ---- Von Mises ---- */

/* Concentrations below are as good as none, above as good as normal. */
#define VONMISES_FLAT	1e-8
#define VONMISES_SERIES 1e-5
#define VONMISES_NORMAL 1e6

static double vonmises_s(double kappa)
{
	double r, rho;

	if (kappa < VONMISES_SERIES)
		return 1.0 / kappa + kappa;
	r = 1 + sqrt(1 + 4 * kappa * kappa);
	rho = (r - sqrt(2 * r)) / (2 * kappa);
	return (1 + rho * rho) / (2 * rho);
}

static double wrapped_normal(struct xc_rng *rng, double mu, double kappa)
{
	double x = mu + sqrt(1.0 / kappa) * rng_standard_normal(rng);

	if (x < -M_PI)
		x += 2 * M_PI;
	if (x > M_PI)
		x -= 2 * M_PI;
	return x;
}

static double draw_vonmises(struct xc_rng *rng, double mu, double kappa)
{
	double s, w, y, v, angle, wrapped;

	if (kappa < VONMISES_FLAT)
		return M_PI * (2 * rng_double(rng) - 1);
	if (kappa > VONMISES_NORMAL)
		return wrapped_normal(rng, mu, kappa);
	s = vonmises_s(kappa);
	do {
		double z = cos(M_PI * rng_double(rng));

		w = (1 + s * z) / (s + z);
		y = kappa * (s - w);
		v = rng_double(rng);
	} while (!(y * (2 - y) - v >= 0 || log(y / v) + 1 - y >= 0));
	angle = acos(w);
	if (rng_double(rng) < 0.5)
		angle = -angle;
	angle += mu;
	wrapped = fmod(fabs(angle) + M_PI, 2 * M_PI) - M_PI;
	return angle < 0 ? -wrapped : wrapped;
}

CHECK(vonmises, (double mu, double kappa), ARGUMENT(mu, FINITE), ARGUMENT(kappa, NOT_NEGATIVE))
REALS(vonmises, (double mu, double kappa), (mu, kappa))
