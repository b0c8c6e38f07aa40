/* singular.c: singular values, and least squares by them. */
#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "blas/blas.h"
#include "blas/lapack.h"
#include "blas/tasks.h"

#define WORK_A_VALUE 1024 /* of dgelsd, and more than that: its part that is linear in the size */

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int too_large(struct blas_run *run)
{
	return xc_task_fail(run->task, "%s: the matrix is too large for LAPACK's counters",
			    run->name);
}

/* Room for as many doubles as LAPACK has asked for. What it asks for is negative where its
 * sum, of int, has overflowed. */
static double *work_room(struct blas_run *run, double wanted, int *size)
{
	if (!(wanted >= 1 && wanted <= INT_MAX)) {
		too_large(run);
		return NULL;
	}
	*size = (int)wanted;
	return blas_room(run, *size, 1);
}

/* ---- svd ------------------------------------------------------------------------- */

struct svd {
	struct blas_matrix a;
	double norm;
	int64_t count;	    /* of singular values */
	double *u, *s, *vt; /* by rows: a.rows x count, count, count x a.cols */
};

/* U'U x - x, or VV'x - x: how far columns or rows are from being of length 1 and at right
 * angles. */
static int check_orthonormal(struct blas_run *run, const struct blas_matrix *q, bool by_rows)
{
	int64_t count = by_rows ? q->rows : q->cols, length = by_rows ? q->cols : q->rows;
	double *x = blas_probe(run, count), *y = blas_room(run, length, 1), ratio;

	if (!x || !y)
		return XC_TASK_FAILED;
	blas_apply(q, by_rows, 1, x, 0, y);
	blas_apply(q, !by_rows, 1, y, -1, x);
	ratio = blas_ratio(x, count, (double)count);
	if (!(ratio <= run->report.residual))
		run->report.residual = ratio;
	blas_free(run, x);
	blas_free(run, y);
	return 0;
}

/* A x - U S V' x, and U and V for themselves. */
static int check_svd(struct blas_run *run, const struct svd *d)
{
	struct blas_matrix u = { d->a.rows, d->count, d->u }, vt = { d->count, d->a.cols, d->vt };
	double *x = blas_probe(run, d->a.cols), *z = blas_room(run, d->count, 1);
	double *y = blas_room(run, d->a.rows, 1);

	if (!x || !z || !y)
		return XC_TASK_FAILED;
	blas_apply(&vt, false, 1, x, 0, z);
	for (int64_t i = 0; i < d->count; i++)
		z[i] *= d->s[i];
	blas_apply(&d->a, false, 1, x, 0, y);
	blas_apply(&u, false, -1, z, 1, y);
	run->report.residual = blas_ratio(y, d->a.rows, d->norm * sqrt((double)d->a.cols));
	blas_free(run, x);
	blas_free(run, y);
	return check_orthonormal(run, &u, false) || check_orthonormal(run, &vt, true)
		       ? XC_TASK_FAILED
		       : 0;
}

/* By columns the matrix is A' = V S U', so what LAPACK gives as U by columns is V' by
 * rows, and its V' is U. */
static int decompose(struct blas_run *run, struct svd *d)
{
	int m = (int)d->a.cols, n = (int)d->a.rows, k = (int)d->count, size = -1, info;
	double *a = blas_copy(run, &d->a), *work, wanted = 0;
	int *iwork = (int *)blas_room(run, 4 * d->count, 1);
	double large = m > n ? m : n, small = k;

	if (!a || !iwork)
		return XC_TASK_FAILED;
	if (3 * small * small + 7 * small + large > INT_MAX) /* its sum might be any number */
		return too_large(run);
	dgesdd_("S", &m, &n, a, &m, d->s, d->vt, &m, d->u, &k, &wanted, &size, iwork, &info, 1);
	work = work_room(run, wanted, &size);
	if (!work)
		return XC_TASK_FAILED;
	blas_start(run);
	dgesdd_("S", &m, &n, a, &m, d->s, d->vt, &m, d->u, &k, work, &size, iwork, &info, 1);
	blas_stop(run, 6 * large * small * small + 20 * small * small * small);
	blas_free(run, a);
	blas_free(run, work);
	if (info != 0)
		return xc_task_fail(run->task, "%s: the singular values did not converge (%d)",
				    run->name, info);
	return 0;
}

static int svd(struct blas_run *run)
{
	struct xc_blas_args *args = &run->args;
	struct svd d = { 0 };
	int r = blas_operand(run, args->a, args->m ? args->m : args->n, args->n, &d.a);

	if (r == 0)
		r = blas_finite(run, args->a, &d.a, &d.norm);
	if (r != 0)
		return r;
	d.count = smaller(d.a.rows, d.a.cols);
	d.u = blas_room(run, d.a.rows, d.count);
	d.s = blas_room(run, d.count, 1);
	d.vt = blas_room(run, d.count, d.a.cols);
	r = d.u && d.s && d.vt ? decompose(run, &d) : XC_TASK_FAILED;
	if (r == 0)
		r = check_svd(run, &d);
	run->report.m = d.a.rows;
	run->report.n = d.a.cols;
	if (r == 0)
		r = blas_keep(run, args->out, ".u", d.a.rows, d.count, d.u);
	if (r == 0)
		r = blas_keep_vector(run, args->out, ".s", d.count, d.s);
	return r ? r : blas_keep(run, args->out, ".vt", d.count, d.a.cols, d.vt);
}

int xc_blas_svd(struct xc_task *task, const void *in, void *out)
{
	struct blas_run run;
	int r = blas_begin(&run, task, "xc_blas_svd", in, out);

	return blas_end(&run, r ? r : svd(&run));
}

/* ---- lstsq ----------------------------------------------------------------------- */

struct lstsq {
	struct blas_matrix a, b;
	double norm_a, norm_b;
	double *x; /* by rows: a.cols x b.cols */
};

/* A'(A X - B): what is left is at right angles to all columns of A. */
static int check_lstsq(struct blas_run *run, const struct lstsq *l)
{
	int m = (int)l->a.rows, n = (int)l->a.cols, k = (int)l->b.cols;
	double *rest = blas_copy(run, &l->b), *y = blas_room(run, n, k), size;

	if (!rest || !y)
		return XC_TASK_FAILED;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, k, n, 1, l->a.data, n, l->x, k,
		    -1, rest, k);
	cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, k, m, 1, l->a.data, n, rest, k, 0,
		    y, k);
	size = l->norm_a * (l->norm_a * blas_norm(l->x, n, k) + l->norm_b);
	run->report.residual = size > 0 ? blas_norm(y, n, k) / size : 0;
	return 0;
}

/* LAPACK wants B, and gives X, in one place of the larger one's size, column by column. */
static double *place_sides(struct blas_run *run, const struct lstsq *l, int64_t rows)
{
	double *turned = blas_turned(run, &l->b), *place = blas_room(run, rows, l->b.cols);

	if (!turned || !place)
		return NULL;
	for (int64_t j = 0; j < l->b.cols; j++) {
		memset(place + j * rows, 0, (size_t)rows * sizeof *place);
		memcpy(place + j * rows, turned + j * l->b.rows, (size_t)l->b.rows * sizeof *place);
	}
	blas_free(run, turned);
	return place;
}

static int solve(struct blas_run *run, struct lstsq *l)
{
	int m = (int)l->a.rows, n = (int)l->a.cols, k = (int)l->b.cols, size = -1, info, isize;
	int rows = m > n ? m : n;
	double *a = blas_turned(run, &l->a), *b = place_sides(run, l, rows), *work, wanted = 0;
	double *s = blas_room(run, smaller(m, n), 1), large = rows, small = smaller(m, n);
	/* As numpy has it. */
	double cutoff = 0x1p-52 * rows;
	int *iwork;

	if (!a || !b || !s)
		return XC_TASK_FAILED;
	if (small * (n > m ? small + k : k) + WORK_A_VALUE * small > INT_MAX)
		return too_large(run);
	dgelsd_(&m, &n, &k, a, &m, b, &rows, s, &cutoff, &run->report.rank, &wanted, &size, &isize,
		&info);
	work = work_room(run, wanted, &size);
	iwork = work ? (int *)blas_room(run, isize, 1) : NULL;
	if (!iwork)
		return XC_TASK_FAILED;
	blas_start(run);
	dgelsd_(&m, &n, &k, a, &m, b, &rows, s, &cutoff, &run->report.rank, work, &size, iwork,
		&info);
	blas_stop(run, 2 * small * small * (large - small / 3));
	if (info != 0)
		return xc_task_fail(run->task, "%s: the singular values did not converge (%d)",
				    run->name, info);
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < k; j++)
			l->x[i * k + j] = b[j * rows + i];
	return 0;
}

static int take(struct blas_run *run, struct lstsq *l)
{
	struct xc_blas_args *args = &run->args;
	int r = blas_operand(run, args->a, args->m ? args->m : args->n, args->n, &l->a);

	if (r == 0)
		r = blas_operand(run, args->b, l->a.rows, args->k ? args->k : 1, &l->b);
	if (r == 0)
		r = blas_finite(run, args->a, &l->a, &l->norm_a);
	if (r == 0)
		r = blas_finite(run, args->b, &l->b, &l->norm_b);
	if (r == 0 && l->b.rows != l->a.rows)
		r = xc_task_fail(run->task, "%s: \"%s\" has %lld rows, but the matrix %lld",
				 run->name, args->b, (long long)l->b.rows, (long long)l->a.rows);
	return r;
}

static int lstsq(struct blas_run *run)
{
	struct lstsq l = { 0 };
	int r = take(run, &l);

	if (r != 0)
		return r;
	l.x = blas_room(run, l.a.cols, l.b.cols);
	r = l.x ? solve(run, &l) : XC_TASK_FAILED;
	if (r == 0)
		r = check_lstsq(run, &l);
	run->report.m = l.a.rows;
	run->report.n = l.a.cols;
	run->report.k = l.b.cols;
	return r ? r : blas_keep(run, run->args.out, "", l.a.cols, l.b.cols, l.x);
}

int xc_blas_lstsq(struct xc_task *task, const void *in, void *out)
{
	struct blas_run run;
	int r = blas_begin(&run, task, "xc_blas_lstsq", in, out);

	return blas_end(&run, r ? r : lstsq(&run));
}
