/* products.c: products of matrices. */
#include <cblas.h>

#include "blas/blas.h"
#include "blas/tasks.h"

/* The lower triangle is that of the upper one. */
static void mirror(double *c, int64_t n)
{
	for (int64_t i = 1; i < n; i++)
		for (int64_t j = 0; j < i; j++)
			c[i * n + j] = c[j * n + i];
}

static int crossprod(struct blas_run *run)
{
	struct blas_matrix a;
	double *c;
	int r = blas_variable(run, run->args.a, &a);

	if (r != 0)
		return r;
	c = blas_room(run, a.cols, a.cols);
	if (!c)
		return XC_TASK_FAILED;
	blas_start(run);
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)a.cols, (int)a.rows, 1, a.data,
		    (int)a.cols, 0, c, (int)a.cols);
	mirror(c, a.cols);
	blas_stop(run, (double)a.rows * (double)a.cols * (double)(a.cols + 1));
	return blas_keep(run, run->args.out, a.cols, a.cols, c);
}

int xc_blas_crossprod(struct xc_task *task, const void *in, void *out)
{
	struct blas_run run;
	int r = blas_begin(&run, task, "xc_blas_crossprod", in, out);

	return blas_end(&run, r ? r : crossprod(&run));
}
