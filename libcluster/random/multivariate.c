/* multivariate.c: normals that vary together, as numpy's multivariate_normal draws them:
 * independent ones, by rows, times a factor of the covariance. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/random/lapack.h"
#include "proto/error.h"

#define TOLERANCE 1e-8 /* numpy's: to it the covariance must be one */
#define ROWS	  1024 /* drawn at a time */

struct factor {
	const struct lapack *lapack;
	int d;
	double *matrix; /* by rows: times itself turned about it is the covariance */
	double *a, *u, *vt, *s;
};

static double *room(size_t rows, size_t cols)
{
	return calloc(rows * cols, sizeof(double));
}

static int no_memory(struct xc_error *err)
{
	return error_set(err, -ENOMEM, "xc_multivariate_normal: out of memory");
}

static int not_converged(struct xc_error *err)
{
	return error_set(err, -EDOM, "xc_multivariate_normal: the factors did not converge");
}

static int not_definite(struct xc_error *err)
{
	return error_set(err, -EINVAL,
			 "xc_multivariate_normal: cov is not symmetric and positive semidefinite "
			 "(within %g)",
			 TOLERANCE);
}

/* Columns of `vectors`, which go by columns, times the roots of their values. */
static void scale(struct factor *f, const double *vectors)
{
	size_t d = (size_t)f->d;

	for (size_t i = 0; i < d; i++)
		for (size_t k = 0; k < d; k++)
			f->matrix[i * d + k] = vectors[k * d + i] * sqrt(fabs(f->s[k]));
}

/* ---- By Cholesky --------------------------------------------------------------------- */

static int by_cholesky(struct factor *f, struct xc_error *err)
{
	size_t d = (size_t)f->d;
	int info;

	f->lapack->dpotrf("L", &f->d, f->a, &f->d, &info, 1);
	if (info != 0)
		return error_set(err, -EINVAL,
				 "xc_multivariate_normal: cov is not positive definite, which "
				 "XC_FACTOR_CHOLESKY needs: try XC_FACTOR_EIGH");
	for (size_t i = 0; i < d; i++)
		for (size_t k = 0; k <= i; k++)
			f->matrix[i * d + k] = f->a[k * d + i];
	return 0;
}

/* ---- By eigenvalues ------------------------------------------------------------------- */

static int by_eigenvalues(struct factor *f, struct xc_error *err)
{
	int size = -1, isize = -1, info;
	double wanted = 0, *work = NULL;
	int iwanted = 0, *iwork = NULL, r = 0;

	f->lapack->dsyevd("V", "L", &f->d, f->a, &f->d, f->s, &wanted, &size, &iwanted, &isize,
			  &info, 1, 1);
	size = (int)wanted;
	isize = iwanted;
	work = wanted < INT_MAX ? room((size_t)size, 1) : NULL;
	iwork = calloc((size_t)isize, sizeof *iwork);
	if (!work || !iwork)
		r = no_memory(err);
	if (r == 0) {
		f->lapack->dsyevd("V", "L", &f->d, f->a, &f->d, f->s, work, &size, iwork, &isize,
				  &info, 1, 1);
		r = info ? not_converged(err) : 0;
	}
	for (int i = 0; r == 0 && i < f->d; i++)
		r = f->s[i] < -TOLERANCE ? not_definite(err) : 0;
	if (r == 0)
		scale(f, f->a);
	free(work);
	free(iwork);
	return r;
}

/* ---- By singular values --------------------------------------------------------------- */

static int decompose(struct factor *f, struct xc_error *err)
{
	int size = -1, info, *iwork = calloc(8 * (size_t)f->d, sizeof *iwork), r = 0;
	double wanted = 0, *work = NULL;

	f->lapack->dgesdd("A", &f->d, &f->d, f->a, &f->d, f->s, f->u, &f->d, f->vt, &f->d, &wanted,
			  &size, iwork, &info, 1);
	size = (int)wanted;
	work = wanted < INT_MAX ? room((size_t)size, 1) : NULL;
	if (!work || !iwork) {
		r = no_memory(err);
	} else {
		f->lapack->dgesdd("A", &f->d, &f->d, f->a, &f->d, f->s, f->u, &f->d, f->vt, &f->d,
				  work, &size, iwork, &info, 1);
		r = info ? not_converged(err) : 0;
	}
	free(work);
	free(iwork);
	return r;
}

/* V S V' is the covariance again, unless it has negative eigenvalues or is not symmetric. */
static int check_definite(struct factor *f, const double *cov, struct xc_error *err)
{
	static const double one = 1, zero = 0;
	size_t d = (size_t)f->d;
	double *scaled = room(d, d), *product = room(d, d);
	int r = scaled && product ? 0 : no_memory(err);

	for (size_t i = 0; r == 0 && i < d; i++)
		for (size_t k = 0; k < d; k++)
			scaled[i * d + k] = f->vt[i * d + k] * f->s[k];
	if (r == 0)
		f->lapack->dgemm("T", "N", &f->d, &f->d, &f->d, &one, scaled, &f->d, f->vt, &f->d,
				 &zero, product, &f->d, 1, 1);
	for (size_t i = 0; r == 0 && i < d; i++)
		for (size_t j = 0; r == 0 && j < d; j++)
			if (!(fabs(product[j * d + i] - cov[i * d + j]) <=
			      TOLERANCE + TOLERANCE * fabs(cov[i * d + j])))
				r = not_definite(err);
	free(scaled);
	free(product);
	return r;
}

static int by_singular_values(struct factor *f, const double *cov, struct xc_error *err)
{
	size_t d = (size_t)f->d;
	int r;

	f->u = room(d, d);
	f->vt = room(d, d);
	if (!f->u || !f->vt)
		return no_memory(err);
	r = decompose(f, err);
	if (r == 0)
		r = check_definite(f, cov, err);
	if (r == 0)
		scale(f, f->u);
	return r;
}

/* ---- The factor ------------------------------------------------------------------------ */

static int factorise(struct factor *f, const double *cov, enum xc_factor how, struct xc_error *err)
{
	size_t d = (size_t)f->d;

	f->a = room(d, d);
	f->s = room(d, 1);
	f->matrix = room(d, d);
	if (!f->a || !f->s || !f->matrix)
		return no_memory(err);
	for (size_t i = 0; i < d; i++)
		for (size_t j = 0; j < d; j++)
			f->a[j * d + i] = cov[i * d + j];
	if (how == XC_FACTOR_CHOLESKY)
		return by_cholesky(f, err);
	return how == XC_FACTOR_EIGH ? by_eigenvalues(f, err) : by_singular_values(f, cov, err);
}

static void factor_fini(struct factor *f)
{
	free(f->a);
	free(f->s);
	free(f->u);
	free(f->vt);
	free(f->matrix);
}

/* ---- The draws -------------------------------------------------------------------------- */

static int draw(const struct factor *f, struct xc_rng *rng, const double *mean, double *out,
		size_t n, struct xc_error *err)
{
	static const double one = 1, zero = 0;
	size_t d = (size_t)f->d, most = n < ROWS ? n : ROWS;
	double *normals = room(most ? most : 1, d);

	if (!normals)
		return no_memory(err);
	for (size_t done = 0; done < n; done += most) {
		int rows = (int)(n - done < most ? n - done : most);
		double *at = out + done * d;

		xc_standard_normal_fill(rng, normals, (size_t)rows * d);
		f->lapack->dgemm("T", "N", &f->d, &rows, &f->d, &one, f->matrix, &f->d, normals,
				 &f->d, &zero, at, &f->d, 1, 1);
		for (size_t i = 0; i < (size_t)rows * d; i++)
			at[i] += mean[i % d];
	}
	free(normals);
	return 0;
}

static int check(const struct xc_rng *rng, const double *mean, const double *cov, size_t d,
		 enum xc_factor how, const double *out, size_t n, struct xc_error *err)
{
	if (!rng || !mean || !cov || (!out && n))
		return error_set(err, -EINVAL,
				 "xc_multivariate_normal: rng, mean, cov or out is NULL");
	if (d < 1 || d > 32768 || n > SIZE_MAX / 8 / d)
		return error_set(err, -EINVAL,
				 "xc_multivariate_normal: d must be from 1 to 32768, and n x d "
				 "within memory, not %zu and n %zu",
				 d, n);
	if (how != XC_FACTOR_SVD && how != XC_FACTOR_EIGH && how != XC_FACTOR_CHOLESKY)
		return error_set(err, -EINVAL,
				 "xc_multivariate_normal: factor is none of XC_FACTOR_SVD, "
				 "XC_FACTOR_EIGH and XC_FACTOR_CHOLESKY");
	for (size_t i = 0; i < d * d; i++)
		if (!isfinite(cov[i]))
			return error_set(err, -EINVAL,
					 "xc_multivariate_normal: cov has elements that are not "
					 "finite");
	return 0;
}

int xc_multivariate_normal(struct xc_rng *rng, const double *mean, const double *cov, size_t d,
			   enum xc_factor how, double *out, size_t n, struct xc_error *err)
{
	struct factor f = { .d = (int)d };
	int r = check(rng, mean, cov, d, how, out, n, err);

	if (r < 0)
		return r;
	f.lapack = lapack_get(err);
	if (!f.lapack)
		return -ENOENT;
	r = factorise(&f, cov, how, err);
	if (r == 0)
		r = draw(&f, rng, mean, out, n, err);
	factor_fini(&f);
	return r;
}
