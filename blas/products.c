/* products.c: random matrices, and products of matrices. */
#include <cblas.h>
#include <math.h>

#include "blas/blas.h"
#include "blas/tasks.h"

/* ---- normal ---------------------------------------------------------------------- */

static int normal(struct blas_run *run)
{
	struct xc_blas_args *args = &run->args;
	struct blas_matrix a;
	int r;

	blas_start(run);
	r = blas_operand(run, "", args->m ? args->m : args->n, args->n, &a);
	if (r != 0)
		return r;
	blas_stop(run, 0);
	run->report.m = a.rows;
	run->report.n = a.cols;
	return blas_keep(run, args->out, "", a.rows, a.cols, a.data);
}

int xc_blas_normal(struct xc_task *task, const void *in, void *out)
{
	struct blas_run run;
	int r = blas_begin(&run, task, "xc_blas_normal", in, out);

	return blas_end(&run, r ? r : normal(&run));
}

/* ---- crossprod ------------------------------------------------------------------- */

void blas_crossprod(const struct blas_matrix *a, double *c)
{
	int n = (int)a->cols;

	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, n, (int)a->rows, 1, a->data, n, 0, c, n);
	blas_mirror(c, n);
}

/* C x - A'(A x) */
static int check_crossprod(struct blas_run *run, const struct blas_matrix *a, const double *c)
{
	struct blas_matrix product = { a->cols, a->cols, c };
	double *x = blas_probe(run, a->cols), *ax = blas_room(run, a->rows, 1);
	double *y = blas_room(run, a->cols, 1), norm;

	if (!x || !ax || !y)
		return XC_TASK_FAILED;
	norm = blas_norm(a->data, a->rows, a->cols);
	blas_apply(a, false, 1, x, 0, ax);
	blas_apply(&product, false, 1, x, 0, y);
	blas_apply(a, true, -1, ax, 1, y);
	run->report.residual = blas_ratio(y, a->cols, norm * norm * sqrt((double)a->cols));
	return 0;
}

static int crossprod(struct blas_run *run)
{
	struct xc_blas_args *args = &run->args;
	struct blas_matrix a;
	double *c;
	int r = blas_operand(run, args->a, args->m ? args->m : args->n, args->n, &a);

	if (r != 0)
		return r;
	c = blas_room(run, a.cols, a.cols);
	if (!c)
		return XC_TASK_FAILED;
	blas_start(run);
	blas_crossprod(&a, c);
	blas_stop(run, (double)a.rows * (double)a.cols * (double)(a.cols + 1));
	run->report.m = a.rows;
	run->report.n = a.cols;
	r = check_crossprod(run, &a, c);
	return r ? r : blas_keep(run, args->out, "", a.cols, a.cols, c);
}

int xc_blas_crossprod(struct xc_task *task, const void *in, void *out)
{
	struct blas_run run;
	int r = blas_begin(&run, task, "xc_blas_crossprod", in, out);

	return blas_end(&run, r ? r : crossprod(&run));
}

/* ---- gemm ------------------------------------------------------------------------ */

struct gemm {
	struct blas_matrix a, b, c; /* c: before */
	int64_t m, n, k;
	double alpha, beta;
	double *result;
};

static int take(struct blas_run *run, struct gemm *g)
{
	struct xc_blas_args *args = &run->args;
	int64_t m = args->m ? args->m : args->n, k = args->k ? args->k : args->n, n = args->n;
	bool ta = args->transpose_a, tb = args->transpose_b;
	int r = blas_operand(run, args->a, ta ? k : m, ta ? m : k, &g->a);

	if (r == 0)
		r = blas_operand(run, args->b, tb ? n : k, tb ? k : n, &g->b);
	if (r == 0 && g->beta != 0)
		r = blas_operand(run, args->c, m, n, &g->c);
	if (r != 0)
		return r;
	g->m = ta ? g->a.cols : g->a.rows;
	g->k = ta ? g->a.rows : g->a.cols;
	g->n = tb ? g->b.rows : g->b.cols;
	k = tb ? g->b.cols : g->b.rows;
	if (g->k != k)
		return xc_task_fail(run->task,
				    "%s: the factors are %lld x %lld and %lld x %lld: the columns "
				    "of the first must be as many as the rows of the second",
				    run->name, (long long)g->m, (long long)g->k, (long long)k,
				    (long long)g->n);
	if (g->beta != 0 && (g->c.rows != g->m || g->c.cols != g->n))
		return xc_task_fail(run->task, "%s: c is %lld x %lld, but the product %lld x %lld",
				    run->name, (long long)g->c.rows, (long long)g->c.cols,
				    (long long)g->m, (long long)g->n);
	return 0;
}

/* C x - alpha A (B x) - beta C0 x */
static int check_gemm(struct blas_run *run, const struct gemm *g)
{
	struct blas_matrix product = { g->m, g->n, g->result };
	double *x = blas_probe(run, g->n), *bx = blas_room(run, g->k, 1);
	double *y = blas_room(run, g->m, 1), size;

	if (!x || !bx || !y)
		return XC_TASK_FAILED;
	size = fabs(g->alpha) * blas_norm(g->a.data, g->a.rows, g->a.cols) *
	       blas_norm(g->b.data, g->b.rows, g->b.cols);
	blas_apply(&g->b, run->args.transpose_b, 1, x, 0, bx);
	blas_apply(&product, false, 1, x, 0, y);
	blas_apply(&g->a, run->args.transpose_a, -g->alpha, bx, 1, y);
	if (g->beta != 0) {
		blas_apply(&g->c, false, -g->beta, x, 1, y);
		size += fabs(g->beta) * blas_norm(g->c.data, g->c.rows, g->c.cols);
	}
	run->report.residual = blas_ratio(y, g->m, size * sqrt((double)g->n));
	return 0;
}

static int gemm(struct blas_run *run)
{
	struct xc_blas_args *args = &run->args;
	struct gemm g = { .alpha = args->alpha == 0 ? 1 : args->alpha, .beta = args->beta };
	int r = take(run, &g);

	if (r != 0)
		return r;
	g.result = g.beta != 0 ? blas_copy(run, &g.c) : blas_room(run, g.m, g.n);
	if (!g.result)
		return XC_TASK_FAILED;
	blas_start(run);
	cblas_dgemm(CblasRowMajor, args->transpose_a ? CblasTrans : CblasNoTrans,
		    args->transpose_b ? CblasTrans : CblasNoTrans, (int)g.m, (int)g.n, (int)g.k,
		    g.alpha, g.a.data, (int)g.a.cols, g.b.data, (int)g.b.cols, g.beta, g.result,
		    (int)g.n);
	blas_stop(run, 2 * (double)g.m * (double)g.n * (double)g.k);
	run->report.m = g.m;
	run->report.n = g.n;
	run->report.k = g.k;
	r = check_gemm(run, &g);
	return r ? r : blas_keep(run, args->out, "", g.m, g.n, g.result);
}

int xc_blas_gemm(struct xc_task *task, const void *in, void *out)
{
	struct blas_run run;
	int r = blas_begin(&run, task, "xc_blas_gemm", in, out);

	return blas_end(&run, r ? r : gemm(&run));
}
