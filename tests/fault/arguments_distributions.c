/* arguments_distributions.c: wrong arguments of draws from distributions. None draws. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "tests/fault/arguments.h"
#include "tests/fault/rows.h"
#include "tests/support/support.h"

static struct xc_error *const err = &row_error;
static struct xc_rng *rng;
static double numbers[8];
static int64_t counts[8];

/* The arguments after `part`, of which it names a wrong one. */
#define REAL(name, part, ...)                                                                      \
	ROW_NAN(xc_##name(rng, __VA_ARGS__));                                                      \
	ROW_NAN(xc_##name(NULL, __VA_ARGS__));                                                     \
	ROW(xc_##name##_fill(NULL, __VA_ARGS__, numbers, 8, err), -EINVAL, "rng");                 \
	ROW(xc_##name##_fill(rng, __VA_ARGS__, NULL, 8, err), -EINVAL, "out");                     \
	ROW(xc_##name##_fill(rng, __VA_ARGS__, numbers, 8, err), -EINVAL, part)

#define COUNT(name, part, ...)                                                                     \
	ROW_VALUE(xc_##name(rng, __VA_ARGS__), -1);                                                \
	ROW_VALUE(xc_##name(NULL, __VA_ARGS__), -1);                                               \
	ROW(xc_##name##_fill(NULL, __VA_ARGS__, counts, 8, err), -EINVAL, "rng");                  \
	ROW(xc_##name##_fill(rng, __VA_ARGS__, NULL, 8, err), -EINVAL, "out");                     \
	ROW(xc_##name##_fill(rng, __VA_ARGS__, counts, 8, err), -EINVAL, part)

static void try_gammas(void)
{
	REAL(standard_gamma, "`shape`", -0.5);
	REAL(standard_gamma, "`shape`", NAN);
	REAL(gamma, "`shape`", INFINITY, 1);
	REAL(gamma, "`scale`", 1, -1);
	REAL(gamma, "`scale`", 1, NAN);
	REAL(chisquare, "`df`", 0);
	REAL(noncentral_chisquare, "`df`", -1, 1);
	REAL(noncentral_chisquare, "`nonc`", 1, -1);
	REAL(noncentral_chisquare, "4.6e18", 1, 1e19);
	REAL(standard_t, "`df`", NAN);
	REAL(f, "`dfnum`", 0, 1);
	REAL(f, "`dfden`", 1, 0);
	REAL(noncentral_f, "`dfnum`", 0, 1, 1);
	REAL(noncentral_f, "`dfden`", 1, INFINITY, 1);
	REAL(noncentral_f, "`nonc`", 1, 1, NAN);
	REAL(noncentral_f, "4.6e18", 0.5, 1, 1e300);
	REAL(beta, "`a`", 0, 1);
	REAL(beta, "`b`", 1, -1);
	REAL(beta, "1e-6", 1e-9, 1e-8);
}

static void try_reals(void)
{
	REAL(lognormal, "`mean`", NAN, 1);
	REAL(lognormal, "`sigma`", 0, -1);
	ROW_NAN(xc_standard_cauchy(NULL));
	ROW(xc_standard_cauchy_fill(NULL, numbers, 8, err), -EINVAL, "rng");
	ROW(xc_standard_cauchy_fill(rng, NULL, 8, err), -EINVAL, "out");
	REAL(wald, "`mean`", 0, 1);
	REAL(wald, "`scale`", 1, 0);
	REAL(vonmises, "`mu`", INFINITY, 1);
	REAL(vonmises, "`kappa`", 0, -1);
	REAL(weibull, "`a`", -1);
	REAL(pareto, "`a`", 0);
	REAL(power, "`a`", 0);
	REAL(rayleigh, "`scale`", -1);
	REAL(laplace, "`loc`", NAN, 1);
	REAL(laplace, "`scale`", 0, -1);
	REAL(logistic, "`loc`", NAN, 1);
	REAL(logistic, "`scale`", 0, -1);
	REAL(gumbel, "`loc`", NAN, 1);
	REAL(gumbel, "`scale`", 0, -1);
	REAL(triangular, "`left`", NAN, 1, 2);
	REAL(triangular, "`mode`", 0, INFINITY, 2);
	REAL(triangular, "`right`", 0, 1, NAN);
	REAL(triangular, "`mode` 3", 0, 3, 2);
	REAL(triangular, "differ", 2, 2, 2);
}

static void try_counts(void)
{
	COUNT(binomial, "`trials`", -1, 0.5);
	COUNT(binomial, "`trials`", INT64_MAX, 0.5);
	COUNT(binomial, "`p`", 1, 1.5);
	COUNT(binomial, "`p`", 1, NAN);
	COUNT(negative_binomial, "`successes`", 0, 0.5);
	COUNT(negative_binomial, "`p`", 1, 0);
	COUNT(negative_binomial, "64 bits", 1e18, 0.01);
	COUNT(poisson, "`lam`", -1);
	COUNT(poisson, "64 bits", 1e19);
	COUNT(geometric, "`p`", 0);
	COUNT(geometric, "5e-18", 4.9e-18);
	COUNT(hypergeometric, "`ngood`", -1, 1, 0);
	COUNT(hypergeometric, "`nbad`", 1, 1000000000, 1);
	COUNT(hypergeometric, "`nsample` is 3", 1, 1, 3);
	COUNT(hypergeometric, "`nsample` is -1", 1, 1, -1);
	COUNT(logseries, "`p`", 1);
}

static void try_vectors(void)
{
	const double p[] = { 0.8, 0.4, 0 }, wrong[] = { 0.5, -0.5 }, tiny[] = { 1e-9, 1e-9 };

	ROW(xc_dirichlet_fill(NULL, p, 2, numbers, 4, err), -EINVAL, "rng");
	ROW(xc_dirichlet_fill(rng, p, 2, NULL, 4, err), -EINVAL, "out");
	ROW(xc_dirichlet_fill(rng, NULL, 2, numbers, 4, err), -EINVAL, "`alpha`");
	ROW(xc_dirichlet_fill(rng, p, 0, numbers, 4, err), -EINVAL, "`alpha`");
	ROW(xc_dirichlet_fill(rng, wrong, 2, numbers, 4, err), -EINVAL, "at 1");
	ROW(xc_dirichlet_fill(rng, tiny, 2, numbers, 4, err), -EINVAL, "element 0");
	ROW(xc_multinomial_fill(NULL, 1, p, 2, counts, 4, err), -EINVAL, "rng");
	ROW(xc_multinomial_fill(rng, 1, p, 2, NULL, 4, err), -EINVAL, "out");
	ROW(xc_multinomial_fill(rng, 1, NULL, 2, counts, 4, err), -EINVAL, "`p`");
	ROW(xc_multinomial_fill(rng, 1, p, 0, counts, 4, err), -EINVAL, "`p`");
	ROW(xc_multinomial_fill(rng, -1, p, 2, counts, 4, err), -EINVAL, "`trials`");
	ROW(xc_multinomial_fill(rng, 1, wrong, 2, counts, 4, err), -EINVAL, "-0.5");
	ROW(xc_multinomial_fill(rng, 1, p, 3, counts, 2, err), -EINVAL, "above 1");
}

void try_distributions(void)
{
	struct xc_rng_state before, after;

	assert_ok(xc_rng_new(&rng, XC_PCG64, 1, err), *err);
	assert_ok(xc_rng_get_state(rng, &before, err), *err);
	try_gammas();
	try_reals();
	try_counts();
	try_vectors();
	assert_ok(xc_rng_get_state(rng, &after, err), *err);
	ck_assert_mem_eq(&before, &after, sizeof before);
	xc_rng_free(rng);
}
