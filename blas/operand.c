/* operand.c: the matrices that a task works on, and those that it leaves. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "blas/blas.h"

#define TILE 32 /* rows and columns that stay in the cache while they are turned */

/* LAPACK counts rows and columns with int. */
static int check_size(struct blas_run *run, const char *what, int64_t rows, int64_t cols)
{
	if (rows > 0 && cols > 0 && rows <= INT_MAX && cols <= INT_MAX)
		return 0;
	return xc_task_fail(run->task,
			    "%s: %s is %lld x %lld: rows and columns must be from 1 to %d",
			    run->name, what, (long long)rows, (long long)cols, INT_MAX);
}

static int find(struct blas_run *run, const char *name, struct blas_matrix *matrix)
{
	const struct xc_array *array = xc_task_array(run->task, name);
	char what[80];

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
	snprintf(what, sizeof what, "\"%s\"", name);
	return check_size(run, what, matrix->rows, matrix->cols);
}

static int find_stream(struct blas_run *run)
{
	struct xc_error err = XC_ERROR_INIT;

	if (run->rng)
		return 0;
	if (run->args.item_stream) {
		run->rng = xc_task_rng(run->task);
		return run->rng ? 0 : XC_TASK_FAILED;
	}
	if (xc_rng_new(&run->own_rng, XC_PCG64, run->args.seed, &err) < 0)
		return xc_task_fail(run->task, "%s: %s", run->name, err.text);
	run->rng = run->own_rng;
	return 0;
}

static int make(struct blas_run *run, int64_t rows, int64_t cols, struct blas_matrix *matrix)
{
	double *data;
	int r = check_size(run, "the matrix", rows, cols);

	if (r == 0)
		r = find_stream(run);
	if (r != 0)
		return r;
	data = blas_room(run, rows, cols);
	if (!data)
		return XC_TASK_FAILED;
	xc_standard_normal_fill(run->rng, data, (size_t)rows * (size_t)cols);
	*matrix = (struct blas_matrix){ rows, cols, data };
	return 0;
}

int blas_operand(struct blas_run *run, const char *name, int64_t rows, int64_t cols,
		 struct blas_matrix *matrix)
{
	return *name ? find(run, name, matrix) : make(run, rows, cols, matrix);
}

double *blas_copy(struct blas_run *run, const struct blas_matrix *matrix)
{
	double *copy = blas_room(run, matrix->rows, matrix->cols);

	if (copy)
		memcpy(copy, matrix->data,
		       (size_t)matrix->rows * (size_t)matrix->cols * sizeof *copy);
	return copy;
}

static void turn_tile(double *to, const double *from, int64_t rows, int64_t cols, int64_t row,
		      int64_t col)
{
	int64_t row_end = row + TILE < rows ? row + TILE : rows;
	int64_t col_end = col + TILE < cols ? col + TILE : cols;

	for (int64_t i = row; i < row_end; i++)
		for (int64_t j = col; j < col_end; j++)
			to[j * rows + i] = from[i * cols + j];
}

void blas_turn(double *to, const double *from, int64_t rows, int64_t cols)
{
	for (int64_t i = 0; i < rows; i += TILE)
		for (int64_t j = 0; j < cols; j += TILE)
			turn_tile(to, from, rows, cols, i, j);
}

void blas_mirror(double *c, int64_t n)
{
	for (int64_t row = 0; row < n; row += TILE)
		for (int64_t col = 0; col <= row; col += TILE)
			for (int64_t i = row; i < n && i < row + TILE; i++)
				for (int64_t j = col; j < i && j < col + TILE; j++)
					c[i * n + j] = c[j * n + i];
}

double *blas_turned(struct blas_run *run, const struct blas_matrix *matrix)
{
	double *copy = blas_room(run, matrix->rows, matrix->cols);

	if (copy)
		blas_turn(copy, matrix->data, matrix->rows, matrix->cols);
	return copy;
}

static int keep(struct blas_run *run, const char *name, const char *suffix,
		const struct xc_array *array)
{
	char full[128];

	if (!*name)
		return 0;
	snprintf(full, sizeof full, "%s%s", name, suffix);
	return xc_task_set(run->task, full, array) < 0 ? XC_TASK_FAILED : 0;
}

int blas_keep(struct blas_run *run, const char *name, const char *suffix, int64_t rows,
	      int64_t cols, const double *data)
{
	return keep(run, name, suffix, XC_ARRAY_F64(data, rows, cols));
}

int blas_keep_vector(struct blas_run *run, const char *name, const char *suffix, int64_t count,
		     const double *data)
{
	return keep(run, name, suffix, XC_ARRAY_F64(data, count));
}
