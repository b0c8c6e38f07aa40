/* factor.c: factorisations of square matrices: Cholesky's, and that of systems of
 * equations. LAPACK goes by columns; a matrix by rows is the turned one to it. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "blas/blas.h"
#include "blas/lapack.h"
#include "blas/tasks.h"

static int check_square(struct blas_run *run, const struct blas_matrix *a)
{
	if (a->rows == a->cols)
		return 0;
	return xc_task_fail(run->task, "%s: \"%s\" is %lld x %lld: it must be square", run->name,
			    run->args.a, (long long)a->rows, (long long)a->cols);
}

/* ---- cholesky -------------------------------------------------------------------- */

/* X'X of random X, unless there is a variable. */
static int take_definite(struct blas_run *run, struct blas_matrix *a)
{
	struct blas_matrix x;
	double *product;
	int r = blas_operand(run, run->args.a, run->args.n, run->args.n, &x);

	if (r != 0)
		return r;
	*a = x;
	if (run->args.a[0])
		return check_square(run, a);
	product = blas_room(run, x.cols, x.cols);
	if (!product)
		return XC_TASK_FAILED;
	blas_crossprod(&x, product);
	blas_free(run, (void *)(uintptr_t)x.data);
	*a = (struct blas_matrix){ x.cols, x.cols, product };
	return 0;
}

static void clear_upper(double *l, int64_t n)
{
	for (int64_t i = 0; i + 1 < n; i++)
		memset(l + i * n + i + 1, 0, (size_t)(n - i - 1) * sizeof *l);
}

/* L (L' x) - A x */
static int check_cholesky(struct blas_run *run, const struct blas_matrix *a, double norm,
			  const double *l)
{
	int n = (int)a->rows;
	double *x = blas_probe(run, n), *y = blas_room(run, n, 1);

	if (!x || !y)
		return XC_TASK_FAILED;
	memcpy(y, x, (size_t)n * sizeof *y);
	cblas_dtrmv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, n, l, n, y, 1);
	cblas_dtrmv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, l, n, y, 1);
	cblas_dsymv(CblasRowMajor, CblasLower, n, -1, a->data, n, x, 1, 1, y, 1);
	run->report.residual = blas_ratio(y, n, norm * sqrt((double)n));
	return 0;
}

static int cholesky(struct blas_run *run)
{
	struct blas_matrix a;
	double *l, norm = 0, n;
	int size, info, r = take_definite(run, &a);

	if (r == 0)
		r = blas_finite(run, run->args.a, &a, &norm);
	if (r != 0)
		return r;
	l = blas_copy(run, &a);
	if (!l)
		return XC_TASK_FAILED;
	size = (int)a.rows;
	n = size;
	blas_start(run);
	dpotrf_("U", &size, l, &size, &info, 1);
	blas_stop(run, n * n * n / 3 + n * n / 2 + n / 6);
	run->report.m = run->report.n = size;
	if (info > 0)
		return xc_task_fail(run->task,
				    "%s: the matrix is not positive definite: its first %d rows "
				    "and columns are not",
				    run->name, info);
	r = check_cholesky(run, &a, norm, l);
	if (r != 0)
		return r;
	clear_upper(l, size);
	return blas_keep(run, run->args.out, "", size, size, l);
}

int xc_blas_cholesky(struct xc_task *task, const void *in, void *out)
{
	struct blas_run run;
	int r = blas_begin(&run, task, "xc_blas_cholesky", in, out);

	return blas_end(&run, r ? r : cholesky(&run));
}

/* ---- solve ----------------------------------------------------------------------- */

/* A X - B */
static int check_solution(struct blas_run *run, const struct blas_matrix *a, double norm,
			  const struct blas_matrix *b, const double *x)
{
	double *y = blas_copy(run, b);
	int n = (int)a->rows, k = (int)b->cols;

	if (!y)
		return XC_TASK_FAILED;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, k, n, 1, a->data, n, x, k, -1, y,
		    k);
	norm = norm * blas_norm(x, n, k);
	run->report.residual = norm > 0 ? blas_norm(y, n, k) / norm : 0;
	return 0;
}

static int take_system(struct blas_run *run, struct blas_matrix *a, struct blas_matrix *b,
		       double *norm)
{
	struct xc_blas_args *args = &run->args;
	double ignored;
	int r = blas_operand(run, args->a, args->n, args->n, a);

	if (r == 0)
		r = check_square(run, a);
	if (r == 0)
		r = blas_operand(run, args->b, a->rows, args->k ? args->k : 1, b);
	if (r == 0)
		r = blas_finite(run, args->a, a, norm);
	if (r == 0)
		r = blas_finite(run, args->b, b, &ignored);
	if (r == 0 && b->rows != a->rows)
		r = xc_task_fail(run->task, "%s: \"%s\" has %lld rows, but the matrix %lld",
				 run->name, args->b, (long long)b->rows, (long long)a->rows);
	return r;
}

static int solve(struct blas_run *run)
{
	struct blas_matrix a, b;
	double *lu, *x, *y, norm, n;
	int size, columns, info, *pivots, r = take_system(run, &a, &b, &norm);

	if (r != 0)
		return r;
	lu = blas_copy(run, &a);
	x = blas_turned(run, &b); /* column by column */
	y = blas_room(run, b.rows, b.cols);
	pivots = (int *)blas_room(run, a.rows, 1);
	if (!lu || !x || !y || !pivots)
		return XC_TASK_FAILED;
	size = (int)a.rows;
	columns = (int)b.cols;
	n = size;
	blas_start(run);
	dgetrf_(&size, &size, lu, &size, pivots, &info);
	if (info == 0)
		dgetrs_("T", &size, &columns, lu, &size, pivots, x, &size, &info, 1);
	blas_stop(run, n * n * n * 2 / 3 + 2 * n * n * columns);
	if (info > 0)
		return xc_task_fail(run->task, "%s: the matrix is singular (pivot %d is 0)",
				    run->name, info);
	run->report.m = run->report.n = size;
	run->report.k = columns;
	blas_turn(y, x, columns, size);
	r = check_solution(run, &a, norm, &b, y);
	return r ? r : blas_keep(run, run->args.out, "", size, columns, y);
}

int xc_blas_solve(struct xc_task *task, const void *in, void *out)
{
	struct blas_run run;
	int r = blas_begin(&run, task, "xc_blas_solve", in, out);

	return blas_end(&run, r ? r : solve(&run));
}
