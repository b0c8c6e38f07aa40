/* test_distribution_vectors.c: distributions against numpy's, bit for bit: the values of
 * tests/vectors/distributions.json, which reference.py there makes, by checksum where they
 * are many. Each array is drawn by a fill, and once more number by number. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "tests/unit/vectors.h"

#define PARAMETERS 3
#define ELEMENTS   16

struct operation {
	const char *name;
	const char *parameters[PARAMETERS];
	bool counts; /* int64_t, not double */
	void (*one)(struct xc_rng *rng, void *out);
	int (*fill)(struct xc_rng *rng, void *out, size_t n, struct xc_error *err);
	const char *list; /* the parameter that has d elements; a draw is d numbers then */
};

/* Those of the running step, as what they are and as what they might be. */
static double real[PARAMETERS];
static int64_t whole[PARAMETERS];
static double list[ELEMENTS];
static size_t d;

/* The C library is as good as the one of the reference values; else reals are compared where
 * they are told, not their checksums, and not to the last bit. */
static bool same_libm;

#define DRAWS(type, name, ...)                                                                     \
	static void one_##name(struct xc_rng *rng, void *out)                                      \
	{                                                                                          \
		*(type *)out = xc_##name(rng, ##__VA_ARGS__);                                      \
	}                                                                                          \
	static int fill_##name(struct xc_rng *rng, void *out, size_t n, struct xc_error *err)      \
	{                                                                                          \
		return xc_##name##_fill(rng, ##__VA_ARGS__, (type *)out, n, err);                  \
	}

#define ROWS(type, name, ...)                                                                      \
	static int fill_##name(struct xc_rng *rng, void *out, size_t n, struct xc_error *err)      \
	{                                                                                          \
		return xc_##name##_fill(rng, __VA_ARGS__, d, (type *)out, n, err);                 \
	}

DRAWS(double, standard_gamma, real[0])
DRAWS(double, gamma, real[0], real[1])
DRAWS(double, chisquare, real[0])
DRAWS(double, noncentral_chisquare, real[0], real[1])
DRAWS(double, f, real[0], real[1])
DRAWS(double, noncentral_f, real[0], real[1], real[2])
DRAWS(double, standard_t, real[0])
DRAWS(double, beta, real[0], real[1])
ROWS(double, dirichlet, list)
DRAWS(double, lognormal, real[0], real[1])
DRAWS(double, standard_cauchy)
DRAWS(double, wald, real[0], real[1])
DRAWS(double, vonmises, real[0], real[1])
DRAWS(double, weibull, real[0])
DRAWS(double, pareto, real[0])
DRAWS(double, power, real[0])
DRAWS(double, rayleigh, real[0])
DRAWS(double, laplace, real[0], real[1])
DRAWS(double, logistic, real[0], real[1])
DRAWS(double, gumbel, real[0], real[1])
DRAWS(double, triangular, real[0], real[1], real[2])
DRAWS(int64_t, binomial, whole[0], real[1])
ROWS(int64_t, multinomial, whole[0], list)
DRAWS(int64_t, negative_binomial, real[0], real[1])
DRAWS(int64_t, poisson, real[0])
DRAWS(int64_t, geometric, real[0])
DRAWS(int64_t, hypergeometric, whole[0], whole[1], whole[2])
DRAWS(int64_t, logseries, real[0])

static int fill_integers(struct xc_rng *rng, void *out, size_t n, struct xc_error *err)
{
	return xc_integers_fill(rng, XC_I64, whole[0], whole[1], false, out, n, err);
}

#define REAL(name, ...)                                                                            \
	{                                                                                          \
#name, { __VA_ARGS__ }, false, one_##name, fill_##name, NULL                       \
	}
#define COUNT(name, ...)                                                                           \
	{                                                                                          \
#name, { __VA_ARGS__ }, true, one_##name, fill_##name, NULL                        \
	}

static const struct operation operations[] = {
	REAL(standard_gamma, "shape"),
	REAL(gamma, "shape", "scale"),
	REAL(chisquare, "df"),
	REAL(noncentral_chisquare, "df", "nonc"),
	REAL(f, "dfnum", "dfden"),
	REAL(noncentral_f, "dfnum", "dfden", "nonc"),
	REAL(standard_t, "df"),
	REAL(beta, "a", "b"),
	{ "dirichlet", { NULL }, false, NULL, fill_dirichlet, "alpha" },
	REAL(lognormal, "mean", "sigma"),
	REAL(standard_cauchy, NULL),
	REAL(wald, "mean", "scale"),
	REAL(vonmises, "mu", "kappa"),
	REAL(weibull, "a"),
	REAL(pareto, "a"),
	REAL(power, "a"),
	REAL(rayleigh, "scale"),
	REAL(laplace, "loc", "scale"),
	REAL(logistic, "loc", "scale"),
	REAL(gumbel, "loc", "scale"),
	REAL(triangular, "left", "mode", "right"),
	COUNT(binomial, "n", "p"),
	{ "multinomial", { "n" }, true, NULL, fill_multinomial, "pvals" },
	COUNT(negative_binomial, "n", "p"),
	COUNT(poisson, "lam"),
	COUNT(geometric, "p"),
	COUNT(hypergeometric, "ngood", "nbad", "nsample"),
	COUNT(logseries, "p"),
	{ "integers", { "low", "high" }, true, NULL, fill_integers, NULL },
};

/* ---- A step ---- */

static const struct operation *operation_of(json_t *step)
{
	const char *name = vectors_text(step, "op");

	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	ck_abort_msg("there is no operation \"%s\"", name);
}

/* An integer's text has no point: of a double's only the digits before are wanted. */
static void read_arguments(const struct operation *operation, json_t *step)
{
	json_t *elements = operation->list ? vectors_member(step, operation->list) : NULL;

	for (int i = 0; i < PARAMETERS && operation->parameters[i]; i++) {
		const char *text = vectors_text(step, operation->parameters[i]);

		real[i] = strtod(text, NULL);
		whole[i] = strtoll(text, NULL, 10);
	}
	d = elements ? json_array_size(elements) : 1;
	ck_assert(d > 0 && d <= ELEMENTS);
	for (size_t i = 0; elements && i < d; i++)
		list[i] = strtod(json_string_value(json_array_get(elements, i)), NULL);
}

static bool has_sums(json_t *file, json_t *expected, const uint64_t *bits, size_t n)
{
	uint64_t multiplier = vectors_u64(vectors_member(file, "poly_multiplier"));
	uint64_t sum = 0, mixed = 0, poly = 0;

	for (size_t i = 0; i < n; i++) {
		sum += bits[i];
		mixed ^= bits[i];
		poly = poly * multiplier + bits[i];
	}
	return (size_t)json_integer_value(vectors_member(expected, "n")) == n &&
	       sum == vectors_u64(vectors_member(expected, "sum")) &&
	       mixed == vectors_u64(vectors_member(expected, "xor")) &&
	       poly == vectors_u64(vectors_member(expected, "poly"));
}

/* exp, log and their like have the last bits here that they had where the file was made. */
static bool has_libm_of(json_t *file)
{
	uint64_t bits[500 * 6];
	double *values = (double *)bits;

	for (int k = 1; k <= 500; k++) {
		*values++ = exp(-k / 64.0);
		*values++ = log(k / 64.0);
		*values++ = pow(k / 512.0, 1 / 0.37);
		*values++ = expm1(k / 64.0);
		*values++ = cos(k / 64.0);
		*values++ = acos(k / 512.0);
	}
	return has_sums(file, vectors_member(file, "libm"), bits, 500 * 6);
}

static void expect_about(const char *what, json_t *expected, const double *values, size_t n)
{
	ck_assert_uint_eq(json_array_size(expected), n);
	for (size_t i = 0; i < n; i++) {
		double wanted = strtod(json_string_value(json_array_get(expected, i)), NULL);

		if (!(fabs(values[i] - wanted) <= 1e-13 * fabs(wanted)))
			vectors_fail("%s[%zu] is %a, not about %a", what, i, values[i], wanted);
	}
}

static void expect_numbers(json_t *file, const struct operation *operation, json_t *step,
			   const uint64_t *bits, size_t n)
{
	json_t *out = json_object_get(step, "out");

	if (!operation->counts && !same_libm) {
		if (out)
			expect_about(operation->name, out, (const double *)bits, n);
		return;
	}
	if (!out && !has_sums(file, vectors_member(step, "bits"), bits, n))
		vectors_fail("%s: the checksum of %zu numbers differs", operation->name, n);
	else if (out && operation->counts)
		vectors_expect_u64(operation->name, out, bits, n);
	else if (out)
		vectors_expect_doubles(operation->name, out, (const double *)bits, n);
}

/* One by one, what the fill gave. */
static void expect_the_same(const struct operation *operation, struct xc_rng *rng, json_t *after,
			    const uint64_t *bits, size_t n)
{
	uint64_t one;

	for (size_t i = 0; i < n; i++) {
		operation->one(rng, &one);
		if (one == bits[i])
			continue;
		vectors_fail("%s: number %zu of %zu is another one by itself", operation->name, i,
			     n);
		return;
	}
	vectors_expect_state(operation->name, after, rng);
}

static void check_step(json_t *file, struct xc_rng *rng, json_t *step)
{
	const struct operation *operation = operation_of(step);
	json_t *size = vectors_member(step, "size"), *after = vectors_member(step, "after");
	size_t n = json_is_null(size) ? 1 : (size_t)json_integer_value(size);
	struct xc_error err = { 0 };
	struct xc_rng *same;
	uint64_t *bits;

	read_arguments(operation, step);
	bits = calloc(n * d + 1, sizeof *bits);
	ck_assert_ptr_nonnull(bits);
	ck_assert_int_eq(xc_rng_copy(&same, rng, NULL), 0);
	if (operation->fill(rng, bits, n, &err))
		vectors_fail("%s", err.text);
	expect_numbers(file, operation, step, bits, n * d);
	vectors_expect_state(operation->name, after, rng);
	if (operation->one)
		expect_the_same(operation, same, after, bits, n);
	xc_rng_free(same);
	free(bits);
}

static void check_case(json_t *file, json_t *kase)
{
	json_t *steps = vectors_list(kase, "steps");
	struct xc_rng *rng = vectors_generator(kase);

	same_libm = has_libm_of(file);
	for (size_t i = 0; i < json_array_size(steps); i++)
		check_step(file, rng, json_array_get(steps, i));
	xc_rng_free(rng);
}

START_TEST(distributions_draw_numpys_numbers_one_by_one_and_many_at_once)
{
	vectors_run("distributions.json", check_case);
	if (!same_libm)
		printf("exp, log and pow of this host differ in the last bit: reals are compared "
		       "within 1e-13, and not their checksums\n");
}
END_TEST

/* ---- Arguments that make no sense ---- */

START_TEST(wrong_arguments_give_none_and_draw_nothing)
{
	struct xc_rng *rng, *same;
	struct xc_rng_state before, after;

	ck_assert_int_eq(xc_rng_new(&rng, XC_PCG64, 1, NULL), 0);
	ck_assert_int_eq(xc_rng_copy(&same, rng, NULL), 0);
	ck_assert(isnan(xc_gamma(rng, -1, 1)) && isnan(xc_gamma(rng, 1, NAN)));
	ck_assert(isnan(xc_gamma(NULL, 1, 1)) && isnan(xc_standard_cauchy(NULL)));
	ck_assert(isnan(xc_beta(rng, 1e-7, 1e-7)) && isnan(xc_standard_t(rng, INFINITY)));
	ck_assert(isnan(xc_triangular(rng, 2, 1, 3)) && isnan(xc_f(rng, 0, 1)));
	ck_assert_int_eq(xc_binomial(rng, -1, 0.5), -1);
	ck_assert_int_eq(xc_binomial(rng, 1, 1.5), -1);
	ck_assert_int_eq(xc_poisson(rng, 1e19), -1);
	ck_assert_int_eq(xc_geometric(rng, 0), -1);
	ck_assert_int_eq(xc_geometric(rng, 1e-18), -1);
	ck_assert_int_eq(xc_hypergeometric(rng, 1, 1, 3), -1);
	ck_assert_int_eq(xc_negative_binomial(rng, 1e18, 0.01), -1);
	ck_assert_int_eq(xc_rng_get_state(rng, &after, NULL), 0);
	ck_assert_int_eq(xc_rng_get_state(same, &before, NULL), 0);
	ck_assert_mem_eq(&before, &after, sizeof before);
	xc_rng_free(rng);
	xc_rng_free(same);
}
END_TEST

/* numpy's would be INT64_MIN where they pass 64 bits. */
START_TEST(trials_of_the_least_probability_are_counts)
{
	static int64_t trials[100000];
	struct xc_rng *rng;
	bool all = true;

	ck_assert_int_eq(xc_rng_new(&rng, XC_PCG64, 1, NULL), 0);
	ck_assert_int_eq(xc_geometric_fill(rng, 5e-18, trials, 100000, NULL), 0);
	for (int i = 0; i < 100000; i++)
		all = all && trials[i] > 0;
	ck_assert(all);
	xc_rng_free(rng);
}
END_TEST

/* N.B. all in this process, where the cases are counted. */
int main(void)
{
	TCase *tcase = tcase_create("distributions");
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	vectors_may_lack("distributions.json");
	setenv("CK_FORK", "no", 1);
	tcase_add_test(tcase, trials_of_the_least_probability_are_counts);
	tcase_add_test(tcase, wrong_arguments_give_none_and_draw_nothing);
	tcase_add_test(tcase, distributions_draw_numpys_numbers_one_by_one_and_many_at_once);
	failed = unit_run(tcase);
	return vectors_total() ? failed : EXIT_FAILURE;
}
