/* matrix.h: distributed matrices as the library sees them. */
#ifndef LIBCLUSTER_MATRIX_H
#define LIBCLUSTER_MATRIX_H

#include "libcluster/blocks.h"
#include "libcluster/client.h"

struct xc_matrix {
	struct xc_client *client;   /* borrowed */
	const struct xc_view *view; /* of its engines; the client's */
	int64_t rows, cols;
	int grid_rows, grid_cols;
	int64_t *row_at, *col_at; /* where each part begins, and the end; owned */
	size_t room;
	char base[BLOCK_NAME_MAX - 48]; /* of the names of its variables, among all clients' */
	uint64_t version;
	char name[BLOCK_NAME_MAX]; /* of this version */
};

static inline int matrix_blocks(const struct xc_matrix *m)
{
	return m->grid_rows * m->grid_cols;
}

static inline int64_t matrix_block_rows(const struct xc_matrix *m, int i)
{
	int row = i / m->grid_cols;

	return m->row_at[row + 1] - m->row_at[row];
}

static inline int64_t matrix_block_cols(const struct xc_matrix *m, int i)
{
	int col = i % m->grid_cols;

	return m->col_at[col + 1] - m->col_at[col];
}

/* ---- matrix.c ---- */

/* One whose variables are not there yet, for the caller to free by matrix_drop. */
int matrix_make(struct xc_matrix **matrix, const char *call, const struct xc_view *view,
		int64_t rows, int64_t cols, const struct xc_matrix_layout *layout,
		struct xc_error *err);
/* Frees the struct alone. */
void matrix_drop(struct xc_matrix *matrix);
/* The name of another version of its variables. */
void matrix_name(const struct xc_matrix *matrix, uint64_t version, char name[BLOCK_NAME_MAX]);
/* Removes a variable from engines; those that do not have it are content. */
void matrix_clear(const struct xc_view *view, const char *name);
/* The same without waiting for it, after a signal: what the engines run may take long. */
void matrix_clear_later(const struct xc_view *view, const char *name);
/* XC_ENOENGINE: one of its engines has gone for good, as far as has arrived. */
int matrix_check(const char *call, const struct xc_matrix *matrix, struct xc_error *err);
/* The call's name before the text. */
int matrix_failed(const char *call, struct xc_error *err);

/* ---- product.c ---- */

/* What is to be added up. */
enum matrix_sum {
	SUM_PRODUCT, /* alpha op(A) op(B) */
	SUM_CROSS,   /* A'A by parts that A and C have in common: as product, but of blocks on
			the diagonal only what is not below it */
	SUM_OWN,     /* A'A of each block of A for itself: C has as many blocks below each
			other */
	SUM_STACK,   /* A's blocks, which are below each other and have C's size each */
};

struct matrix_operation {
	const char *call;
	enum matrix_sum sum;
	bool transpose_a, transpose_b;
	double alpha, beta;
	const struct xc_matrix *a, *b; /* NULL: nothing is added */
	struct xc_matrix *c;
};
int matrix_run(const struct matrix_operation *operation, struct xc_error *err);

#endif
