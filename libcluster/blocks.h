/* blocks.h: what the client tells the tasks of libxcluster-blas that work on the blocks of
 * distributed matrices. */
#ifndef LIBCLUSTER_BLOCKS_H
#define LIBCLUSTER_BLOCKS_H

#include <stdint.h>

#define BLOCK_NAME_MAX 96

#define BLOCK_LIBRARY "libxcluster-blas.so"
#define BLOCK_UPDATE  "xc_blas_block_update"

/* The input of xc_blas_block_update: this, and then `terms` of struct block_term. The
 * variable `to` becomes beta times `from`, with all terms added in their order. */
struct block_update {
	char from[BLOCK_NAME_MAX]; /* empty, if beta is 0: zeros */
	char to[BLOCK_NAME_MAX];
	int64_t rows, cols;
	double alpha, beta;
	uint64_t terms;
	uint64_t is_symmetric; /* only what is on or above the diagonal is in the terms */
};

enum block_kind {
	BLOCK_GEMM, /* alpha op(A) op(B): m x k by k x n */
	BLOCK_SYRK, /* alpha op(A) op(A)', n x n, the upper triangle: m = n, B is not looked at */
	BLOCK_ADD,  /* alpha A: m x n */
};

/* A part of a block: at row `row` and column `col` of the variable, which has this shape. */
struct block_part {
	char name[BLOCK_NAME_MAX];
	int64_t rows, cols;
	int64_t row, col;
};

struct block_term {
	uint64_t kind;
	struct block_part a, b;
	uint64_t transpose_a, transpose_b;
	int64_t row, col; /* of the result, where it is added */
	int64_t m, n, k;
};

#endif
