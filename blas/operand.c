/* operand.c: the matrices that a task works on, and those that it leaves. */
#include <limits.h>
#include <string.h>

#include "blas/blas.h"

/* LAPACK counts rows and columns with int. */
static int check_size(struct blas_run *run, const char *what, int64_t rows, int64_t cols)
{
	if (rows > 0 && cols > 0 && rows <= INT_MAX && cols <= INT_MAX)
		return 0;
	return xc_task_fail(run->task, "%s: %s is %lld x %lld: both must be from 1 to %d",
			    run->name, what, (long long)rows, (long long)cols, INT_MAX);
}

int blas_variable(struct blas_run *run, const char *name, struct blas_matrix *matrix)
{
	const struct xc_array *array = xc_task_array(run->task, name);

	if (!array)
		return XC_TASK_FAILED;
	if (array->dtype != XC_F64 || array->ndim < 1 || array->ndim > 2)
		return xc_task_fail(run->task,
				    "%s: \"%s\" is not a matrix or vector of doubles: push it as "
				    "XC_F64 with one or two dimensions",
				    run->name, name);
	matrix->rows = array->shape[0];
	matrix->cols = array->ndim == 2 ? array->shape[1] : 1;
	matrix->data = array->data;
	return check_size(run, name, matrix->rows, matrix->cols);
}

int blas_keep(struct blas_run *run, const char *name, int64_t rows, int64_t cols,
	      const double *data)
{
	if (!*name)
		return 0;
	return xc_task_set(run->task, name, XC_ARRAY_F64(data, rows, cols)) < 0 ? XC_TASK_FAILED
										: 0;
}
