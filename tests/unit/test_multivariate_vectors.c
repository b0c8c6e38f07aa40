/* test_multivariate_vectors.c: normals that vary together against numpy's: the values of
 * tests/vectors/multivariate.json, which reference.py there makes. The draws are the same bit
 * for bit; what LAPACK makes of them differs in the last bits from build to build. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "libcluster/random/lapack.h"
#include "tests/unit/unit.h"
#include "tests/unit/vectors.h"

#define TOLERANCE 1e-12

static double *read_doubles(json_t *list, size_t n)
{
	double *values = calloc(n + 1, sizeof *values);

	ck_assert_uint_eq(json_array_size(list), n);
	for (size_t i = 0; i < n; i++)
		values[i] = strtod(json_string_value(json_array_get(list, i)), NULL);
	return values;
}

static enum xc_factor factor_of(json_t *kase)
{
	const char *method = vectors_text(kase, "method");

	if (strcmp(method, "svd") == 0)
		return XC_FACTOR_SVD;
	ck_assert(strcmp(method, "eigh") == 0 || strcmp(method, "cholesky") == 0);
	return strcmp(method, "eigh") == 0 ? XC_FACTOR_EIGH : XC_FACTOR_CHOLESKY;
}

static bool is_near(double value, double expected)
{
	return fabs(value - expected) <= TOLERANCE * fmax(1, fabs(expected));
}

static void check_case(json_t *file, json_t *kase)
{
	json_t *size = vectors_member(kase, "size");
	size_t n = json_is_null(size) ? 1 : (size_t)json_integer_value(size);
	size_t d = (size_t)json_integer_value(vectors_member(kase, "dimension"));
	double *mean = read_doubles(vectors_member(kase, "mean"), d);
	double *cov = read_doubles(vectors_member(kase, "cov"), d * d);
	double *expected = read_doubles(vectors_member(kase, "out"), n * d);
	double *out = calloc(n * d, sizeof *out);
	struct xc_rng *rng = vectors_generator(kase);
	struct xc_error err = XC_ERROR_INIT;

	(void)file;
	if (xc_multivariate_normal(rng, mean, cov, d, factor_of(kase), out, n, &err) < 0)
		vectors_fail("%s", err.text);
	for (size_t i = 0; i < n * d; i++)
		if (!is_near(out[i], expected[i]))
			vectors_fail("%s: number %zu is %.17g, not %.17g",
				     vectors_text(kase, "label"), i, out[i], expected[i]);
	vectors_expect_state("afterwards", vectors_member(kase, "after"), rng);
	xc_rng_free(rng);
	free(mean);
	free(cov);
	free(expected);
	free(out);
}

START_TEST(vectors_of_normals_are_numpys_to_rounding_and_leave_its_state)
{
	vectors_run("multivariate.json", check_case);
}
END_TEST

/* ---- What the file does not tell ------------------------------------------------------- */

static const double mean[2] = { 1, -1 };

static struct xc_rng *rng_new(void)
{
	struct xc_rng *rng;

	ck_assert_int_eq(xc_rng_new(&rng, XC_PCG64, 7, NULL), 0);
	return rng;
}

START_TEST(many_at_once_are_those_that_come_in_parts)
{
	static const double cov[4] = { 2, 0.5, 0.5, 1 };
	static double all[2 * 2500], parts[2 * 2500];
	struct xc_rng *one = rng_new(), *two = rng_new();

	ck_assert_int_eq(xc_multivariate_normal(one, mean, cov, 2, XC_FACTOR_EIGH, all, 2500, NULL),
			 0);
	ck_assert_int_eq(
		xc_multivariate_normal(two, mean, cov, 2, XC_FACTOR_EIGH, parts, 1001, NULL), 0);
	ck_assert_int_eq(
		xc_multivariate_normal(two, mean, cov, 2, XC_FACTOR_EIGH, parts + 2002, 1499, NULL),
		0);
	for (size_t i = 0; i < 5000; i++)
		ck_assert(is_near(parts[i], all[i]));
	xc_rng_free(one);
	xc_rng_free(two);
}
END_TEST

START_TEST(singular_covariances_are_drawn_from_but_not_by_cholesky)
{
	static const double cov[4] = { 1, 1, 1, 1 };
	struct xc_error err = XC_ERROR_INIT;
	struct xc_rng *rng = rng_new();
	double out[8];

	for (int how = XC_FACTOR_SVD; how <= XC_FACTOR_EIGH; how++) {
		ck_assert_int_eq(xc_multivariate_normal(rng, mean, cov, 2, (enum xc_factor)how, out,
							4, &err),
				 0);
		for (int i = 0; i < 4; i++)
			ck_assert(fabs(out[2 * i] - 1 - (out[2 * i + 1] + 1)) < 1e-7);
	}
	ck_assert_int_eq(
		xc_multivariate_normal(rng, mean, cov, 2, XC_FACTOR_CHOLESKY, out, 4, &err),
		-EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "XC_FACTOR_EIGH"));
	xc_rng_free(rng);
}
END_TEST

static void refuse(const double *cov, size_t d, int how, const char *text)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_rng *rng = rng_new(), *same = rng_new();
	struct xc_rng_state before, after;
	double out[4] = { 9, 9, 9, 9 };

	ck_assert_int_eq(
		xc_multivariate_normal(rng, mean, cov, d, (enum xc_factor)how, out, 2, &err),
		-EINVAL);
	ck_assert_msg(strstr(err.text, text), "\"%s\" is not in: %s", text, err.text);
	ck_assert(out[0] == 9 && out[3] == 9);
	xc_rng_get_state(rng, &after, NULL);
	xc_rng_get_state(same, &before, NULL);
	ck_assert_mem_eq(&before, &after, sizeof before);
	xc_rng_free(rng);
	xc_rng_free(same);
}

START_TEST(what_is_no_covariance_is_refused_and_nothing_is_drawn)
{
	static const double indefinite[4] = { 1, 2, 2, 1 }, skew[4] = { 1, 0.5, -0.5, 1 };
	static const double infinite[4] = { INFINITY, 0, 0, 1 }, unknown[4] = { 1, NAN, NAN, 1 };

	refuse(indefinite, 2, XC_FACTOR_SVD, "semidefinite");
	refuse(indefinite, 2, XC_FACTOR_EIGH, "semidefinite");
	refuse(indefinite, 2, XC_FACTOR_CHOLESKY, "positive definite");
	refuse(skew, 2, XC_FACTOR_SVD, "symmetric");
	refuse(infinite, 2, XC_FACTOR_SVD, "finite");
	refuse(unknown, 2, XC_FACTOR_EIGH, "finite");
	refuse(indefinite, 2, 3, "XC_FACTOR_SVD");
	refuse(indefinite, 0, XC_FACTOR_SVD, "from 1");
	refuse(NULL, 2, XC_FACTOR_SVD, "NULL");
}
END_TEST

/* N.B. all in this process, where the cases are counted. */
int main(void)
{
	TCase *tcase = tcase_create("multivariate");
	struct xc_error err = XC_ERROR_INIT;
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!lapack_get(&err)) {
		printf("skipped: %s\n", err.text);
		return 77;
	}
	vectors_may_lack("multivariate.json");
	setenv("CK_FORK", "no", 1);
	tcase_add_test(tcase, vectors_of_normals_are_numpys_to_rounding_and_leave_its_state);
	tcase_add_test(tcase, many_at_once_are_those_that_come_in_parts);
	tcase_add_test(tcase, singular_covariances_are_drawn_from_but_not_by_cholesky);
	tcase_add_test(tcase, what_is_no_covariance_is_refused_and_nothing_is_drawn);
	failed = unit_run(tcase);
	return vectors_total() ? failed : EXIT_FAILURE;
}
