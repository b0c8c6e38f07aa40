/* arguments_blas.c: wrong arguments of calls about linear algebra. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "tests/fault/arguments.h"
#include "tests/fault/rows.h"

static struct xc_error *const err = &row_error;

static void try_multivariate(struct xc_rng *rng)
{
	static const double mean[2] = { 0 }, cov[4] = { 2, 1, 1, 2 }, infinite[1] = { INFINITY };
	const enum xc_factor strange = (enum xc_factor)7;
	double out[2];

	ROW(xc_multivariate_normal(NULL, mean, cov, 2, XC_FACTOR_SVD, out, 1, err), -EINVAL,
	    "NULL");
	ROW(xc_multivariate_normal(rng, NULL, cov, 2, XC_FACTOR_SVD, out, 1, err), -EINVAL, "NULL");
	ROW(xc_multivariate_normal(rng, mean, NULL, 2, XC_FACTOR_SVD, out, 1, err), -EINVAL,
	    "NULL");
	ROW(xc_multivariate_normal(rng, mean, cov, 2, XC_FACTOR_SVD, NULL, 1, err), -EINVAL,
	    "NULL");
	ROW(xc_multivariate_normal(rng, mean, cov, 0, XC_FACTOR_SVD, out, 1, err), -EINVAL,
	    "d must be from 1");
	ROW(xc_multivariate_normal(rng, mean, cov, 32769, XC_FACTOR_SVD, out, 1, err), -EINVAL,
	    "d must be from 1");
	ROW(xc_multivariate_normal(rng, mean, cov, 2, XC_FACTOR_SVD, out, SIZE_MAX / 8, err),
	    -EINVAL, "within memory");
	ROW(xc_multivariate_normal(rng, mean, cov, 2, strange, out, 1, err), -EINVAL,
	    "XC_FACTOR_EIGH");
	ROW(xc_multivariate_normal(rng, mean, infinite, 1, XC_FACTOR_EIGH, out, 1, err), -EINVAL,
	    "finite");
}

/* What there is no library for. */
static void try_tasks(struct xc_client *client)
{
	const struct xc_map_options blas = { .function = "xc_blas_svd" };
	const struct xc_map_options other = { .function = "xc_blas_svd", .library = "other.so" };

	setenv("XCLUSTER_BLAS", "/nonexistent.so", 1);
	ROW(xc_apply(xc_all(client), NULL, NULL, 0, NULL, 0, &blas, err), XC_ECODE,
	    "XCLUSTER_BLAS: cannot open library /nonexistent.so");
	ROW(xc_apply(xc_balanced(client), NULL, NULL, 0, NULL, 0, &blas, err), XC_ECODE,
	    "/nonexistent.so");
	setenv("XCLUSTER_BLAS", XC_TEST_LIBRARY, 1);
	ROW(xc_map_range(xc_all(client), NULL, 1, NULL, 0, &other, err), XC_ECODE, "no library");
	ROW(xc_map_range(xc_all(client), NULL, 1, NULL, 0, &blas, err), XC_ECODE, "xc_blas_svd");
	unsetenv("XCLUSTER_BLAS");
}

void try_blas(struct xc_client *client)
{
	struct xc_rng *rng = NULL;

	xc_rng_new(&rng, XC_PCG64, 1, NULL);
	try_multivariate(rng);
	try_tasks(client);
	xc_rng_free(rng);
}
