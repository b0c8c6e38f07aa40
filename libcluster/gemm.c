/* gemm.c: products of distributed matrices as callers ask for them. */
#include <errno.h>
#include <math.h>

#include "libcluster/matrix.h"
#include "proto/error.h"

static int check_client(const char *call, const struct xc_matrix *a, const struct xc_matrix *c,
			struct xc_error *err)
{
	if (a->client == c->client)
		return 0;
	return error_set(err, -EINVAL, "%s: the matrices are of different clients", call);
}

static int no_fit(bool transpose_a, bool transpose_b, const struct xc_matrix *a,
		  const struct xc_matrix *b, const struct xc_matrix *c, struct xc_error *err)
{
	return error_set(err, -EINVAL,
			 "xc_matrix_gemm: sizes do not fit: A%s is %lld x %lld, B%s is %lld x "
			 "%lld, C is %lld x %lld",
			 transpose_a ? "'" : "", (long long)(transpose_a ? a->cols : a->rows),
			 (long long)(transpose_a ? a->rows : a->cols), transpose_b ? "'" : "",
			 (long long)(transpose_b ? b->cols : b->rows),
			 (long long)(transpose_b ? b->rows : b->cols), (long long)c->rows,
			 (long long)c->cols);
}

int xc_matrix_gemm(bool transpose_a, bool transpose_b, double alpha, const struct xc_matrix *a,
		   const struct xc_matrix *b, double beta, struct xc_matrix *c,
		   struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct matrix_operation op = { .call = "xc_matrix_gemm",
				       .transpose_a = transpose_a,
				       .transpose_b = transpose_b,
				       .alpha = alpha,
				       .beta = beta,
				       .a = a,
				       .b = b,
				       .c = c };

	if (!a || !b || !c)
		return error_set(e, -EINVAL, "xc_matrix_gemm: a, b or c is NULL");
	if (check_client(op.call, a, c, e) < 0 || check_client(op.call, b, c, e) < 0)
		return e->code;
	if (isnan(alpha) || isnan(beta))
		return error_set(e, -EINVAL, "xc_matrix_gemm: alpha or beta is not a number");
	if ((transpose_a ? a->cols : a->rows) != c->rows ||
	    (transpose_b ? b->rows : b->cols) != c->cols ||
	    (transpose_a ? a->rows : a->cols) != (transpose_b ? b->cols : b->rows))
		return no_fit(transpose_a, transpose_b, a, b, c, e);
	return matrix_run(&op, e);
}

/* Of many rows and few columns: each engine's rows give a matrix of the size of C; these are
 * less to move than A is. */
static bool is_long(const struct xc_matrix *a)
{
	return a->grid_cols == 1 && a->cols * a->grid_rows <= a->rows;
}

static int cross_by_rows(struct matrix_operation *op, struct xc_error *err)
{
	const struct xc_matrix_layout below = { .grid_rows = op->a->grid_rows, .grid_cols = 1 };
	struct matrix_operation own = { .call = op->call, .sum = SUM_OWN, .alpha = 1, .a = op->a };
	int r = matrix_make(&own.c, op->call, op->a->view, op->a->cols * op->a->grid_rows,
			    op->a->cols, &below, err);

	if (r < 0)
		return r;
	r = matrix_run(&own, err);
	op->sum = SUM_STACK;
	op->a = own.c;
	op->b = NULL;
	if (r == 0)
		r = matrix_run(op, err);
	if (r == -EINTR) {
		matrix_clear_later(own.c->view, own.c->name);
		matrix_drop(own.c);
	} else {
		xc_matrix_free(own.c);
	}
	return r;
}

int xc_matrix_crossprod(const struct xc_matrix *a, struct xc_matrix *c, struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct matrix_operation op = { .call = "xc_matrix_crossprod",
				       .sum = SUM_CROSS,
				       .transpose_a = true,
				       .alpha = 1,
				       .a = a,
				       .b = a,
				       .c = c };

	if (!a || !c)
		return error_set(e, -EINVAL, "xc_matrix_crossprod: a or c is NULL");
	if (check_client(op.call, a, c, e) < 0)
		return e->code;
	if (c->rows != a->cols || c->cols != a->cols)
		return error_set(e, -EINVAL,
				 "xc_matrix_crossprod: A has %lld columns, so C must be %lld x "
				 "%lld, not %lld x %lld",
				 (long long)a->cols, (long long)a->cols, (long long)a->cols,
				 (long long)c->rows, (long long)c->cols);
	return is_long(a) ? cross_by_rows(&op, e) : matrix_run(&op, e);
}
