/* arguments_matrix.c: wrong arguments of calls about distributed matrices. */
#include <errno.h>
#include <limits.h>
#include <math.h>

#include "tests/fault/arguments.h"
#include "tests/fault/rows.h"
#include "tests/support/support.h"

static struct xc_error *const err = &row_error;
static double numbers[24];
static struct xc_matrix *kept; /* until the cluster has ended */

static void try_making(struct xc_client *client)
{
	const struct xc_view *all = xc_all(client), *balanced = xc_balanced(client);
	const struct xc_array *good = XC_ARRAY_F64(numbers, 4, 6);
	struct xc_array none = { .dtype = XC_F64, .ndim = 2, .shape = { 4, 6 } };
	struct xc_array strange = { .dtype = (enum xc_dtype)99, .ndim = 2, .data = numbers };
	struct xc_matrix_layout large = { .grid_rows = 3, .grid_cols = 3 };
	struct xc_matrix_layout wide = { .grid_cols = 5 }, bad = { .grid_rows = -1 };
	struct xc_matrix *m = NULL;

	ROW(xc_matrix_new(NULL, all, 3, 3, NULL, err), -EINVAL, "matrix is NULL");
	ROW(xc_matrix_new(&m, NULL, 3, 3, NULL, err), -EINVAL, "view");
	ROW(xc_matrix_new(&m, balanced, 3, 3, NULL, err), -EINVAL, "load-balanced");
	ROW(xc_matrix_new(&m, all, 0, 3, NULL, err), -EINVAL, "0 x 3");
	ROW(xc_matrix_new(&m, all, 3, -1, NULL, err), -EINVAL, "3 x -1");
	ROW(xc_matrix_new(&m, all, INT64_MAX, INT64_MAX, NULL, err), -EINVAL, "not possible");
	ROW(xc_matrix_new(&m, all, INT64_C(1) << 40, 1, NULL, err), -EINVAL, "too large for BLAS");
	ROW(xc_matrix_new(&m, all, 3, 3, &large, err), -EINVAL, "3 x 3 blocks needs an engine");
	ROW(xc_matrix_new(&m, all, 3, 3, &wide, err), -EINVAL, "1 x 5 blocks needs an engine");
	ROW(xc_matrix_new(&m, all, 3, 3, &bad, err), -EINVAL, "-1 x 0");
	ROW(xc_matrix_scatter(NULL, all, good, NULL, err), -EINVAL, "matrix is NULL");
	ROW(xc_matrix_scatter(&m, NULL, good, NULL, err), -EINVAL, "view");
	ROW(xc_matrix_scatter(&m, balanced, good, NULL, err), -EINVAL, "load-balanced");
	ROW(xc_matrix_scatter(&m, all, NULL, NULL, err), -EINVAL, "array");
	ROW(xc_matrix_scatter(&m, all, &none, NULL, err), -EINVAL, "no data");
	ROW(xc_matrix_scatter(&m, all, &strange, NULL, err), -EINVAL, "dtype");
	ROW(xc_matrix_scatter(&m, all, XC_ARRAY_F32(numbers, 4, 6), NULL, err), -EINVAL, "XC_F64");
	ROW(xc_matrix_scatter(&m, all, XC_ARRAY_F64(numbers, 2, 2, 6), NULL, err), -EINVAL,
	    "3 dimensions");
	ROW(xc_matrix_scatter(&m, all, XC_SCALAR(XC_F64, numbers), NULL, err), -EINVAL,
	    "0 dimensions");
	ROW(xc_matrix_scatter(&m, all, XC_ARRAY_F64(numbers, 0, 6), NULL, err), -EINVAL, "0 x 6");
	ROW(xc_matrix_scatter(&m, all, good, &large, err), -EINVAL, "needs an engine");
}

static void try_using(struct xc_client *client, struct xc_matrix *x)
{
	struct xc_matrix_info info;
	struct xc_matrix_block block;
	struct xc_array array;

	(void)client;
	ROW(xc_matrix_gather(NULL, &array, err), -EINVAL, "matrix");
	ROW(xc_matrix_gather(x, NULL, err), -EINVAL, "array");
	ROW(xc_matrix_info(NULL, &info, err), -EINVAL, "matrix");
	ROW(xc_matrix_info(x, NULL, err), -EINVAL, "info");
	ROW(xc_matrix_block(NULL, 0, &block, err), -EINVAL, "matrix");
	ROW(xc_matrix_block(x, 0, NULL, err), -EINVAL, "block");
	ROW(xc_matrix_block(x, -1, &block, err), -EINVAL, "no block -1");
	ROW(xc_matrix_block(x, 2, &block, err), -EINVAL, "no block 2 of 2");
	ROW(xc_matrix_gemm(false, false, 1, NULL, x, 0, x, err), -EINVAL, "NULL");
	ROW(xc_matrix_gemm(false, false, 1, x, NULL, 0, x, err), -EINVAL, "NULL");
	ROW(xc_matrix_gemm(false, false, 1, x, x, 0, NULL, err), -EINVAL, "NULL");
	ROW(xc_matrix_gemm(false, false, 1, x, x, 0, x, err), -EINVAL,
	    "A is 4 x 6, B is 4 x 6, C is 4 x 6");
	ROW(xc_matrix_gemm(true, false, 1, x, x, 0, x, err), -EINVAL, "A' is 6 x 4");
	ROW(xc_matrix_gemm(false, true, 1, x, x, 0, x, err), -EINVAL, "B' is 6 x 4");
	ROW(xc_matrix_gemm(false, false, NAN, x, x, 0, x, err), -EINVAL, "not a number");
	ROW(xc_matrix_gemm(false, false, 1, x, x, NAN, x, err), -EINVAL, "not a number");
	ROW(xc_matrix_crossprod(NULL, x, err), -EINVAL, "NULL");
	ROW(xc_matrix_crossprod(x, NULL, err), -EINVAL, "NULL");
	ROW(xc_matrix_crossprod(x, x, err), -EINVAL, "C must be 6 x 6, not 4 x 6");
}

/* Of another client than that of x. */
static void try_strangers(struct xc_client *client, struct xc_matrix *x)
{
	struct xc_client *other = open_client(2);
	struct xc_matrix *y = NULL;

	(void)client;
	assert_ok(xc_matrix_scatter(&y, xc_all(other), XC_ARRAY_F64(numbers, 4, 6), NULL, err),
		  *err);
	ROW(xc_matrix_gemm(false, true, 1, x, y, 0, x, err), -EINVAL, "different clients");
	ROW(xc_matrix_crossprod(x, y, err), -EINVAL, "different clients");
	xc_matrix_free(y);
	xc_close(other);
}

void try_matrices(struct xc_client *client)
{
	struct xc_matrix *x = NULL;

	try_making(client);
	assert_ok(xc_matrix_scatter(&x, xc_all(client), XC_ARRAY_F64(numbers, 4, 6), NULL, err),
		  *err);
	try_using(client, x);
	try_strangers(client, x);
	kept = x;
	ROW_TAKEN(xc_matrix_free(NULL));
}

void try_matrices_lost(struct xc_client *client)
{
	struct xc_matrix *m = NULL;
	struct xc_array array;

	ROW(xc_matrix_gather(kept, &array, err), XC_ELOST, "gone");
	xc_matrix_free(kept);
	ROW(xc_matrix_new(&m, xc_all(client), 3, 3, NULL, err), XC_ELOST, "gone");
	ROW(xc_matrix_scatter(&m, xc_all(client), XC_ARRAY_F64(numbers, 4, 6), NULL, err), XC_ELOST,
	    "gone");
}
