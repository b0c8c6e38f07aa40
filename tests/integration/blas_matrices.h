/* blas_matrices.h: small matrices, here by plain loops and on engines by the tasks of linear
 * algebra; for the tests of these. */
#ifndef TESTS_INTEGRATION_BLAS_MATRICES_H
#define TESTS_INTEGRATION_BLAS_MATRICES_H

#include "tests/support/support.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENGINES	  2
#define TOLERANCE 1e-11
#define LARGEST	  32 /* rows and columns */

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

struct matrix {
	int64_t rows, cols;
	double at[LARGEST * LARGEST];
};

static inline double *element(struct matrix *m, int64_t i, int64_t j)
{
	return &m->at[i * m->cols + j];
}

static inline struct matrix normals(uint64_t seed, int64_t rows, int64_t cols)
{
	struct matrix m = { rows, cols, { 0 } };
	struct xc_rng *rng;

	assert_ok(xc_rng_new(&rng, XC_PCG64, seed, &err), err);
	xc_standard_normal_fill(rng, m.at, (size_t)(rows * cols));
	xc_rng_free(rng);
	return m;
}

static inline struct matrix turned(struct matrix a)
{
	struct matrix m = { a.cols, a.rows, { 0 } };

	for (int64_t i = 0; i < a.rows; i++)
		for (int64_t j = 0; j < a.cols; j++)
			*element(&m, j, i) = *element(&a, i, j);
	return m;
}

static inline struct matrix product(struct matrix a, struct matrix b)
{
	struct matrix m = { a.rows, b.cols, { 0 } };

	ck_assert_int_eq(a.cols, b.rows);
	for (int64_t i = 0; i < a.rows; i++)
		for (int64_t j = 0; j < b.cols; j++)
			for (int64_t k = 0; k < a.cols; k++)
				*element(&m, i, j) += *element(&a, i, k) * *element(&b, k, j);
	return m;
}

static inline void assert_same(struct matrix a, struct matrix b)
{
	ck_assert_int_eq(a.rows, b.rows);
	ck_assert_int_eq(a.cols, b.cols);
	for (int64_t i = 0; i < a.rows * a.cols; i++)
		if (!(fabs(a.at[i] - b.at[i]) < TOLERANCE))
			ck_abort_msg("element %lld: %g and %g", (long long)i, a.at[i], b.at[i]);
}

static inline void push(const char *name, struct matrix m)
{
	assert_ok(xc_push(xc_all(client), name, XC_ARRAY_F64(m.at, m.rows, m.cols), &err), err);
}

static inline struct matrix pull(const char *name)
{
	struct xc_array arrays[ENGINES];
	struct matrix m = { 0 };

	assert_ok(xc_pull(xc_all(client), name, arrays, &err), err);
	m.rows = arrays[0].shape[0];
	m.cols = arrays[0].ndim == 2 ? arrays[0].shape[1] : 1;
	ck_assert_int_le(m.rows * m.cols, LARGEST * LARGEST);
	memcpy(m.at, arrays[0].data, (size_t)(m.rows * m.cols) * sizeof *m.at);
	for (int i = 0; i < xc_view_size(xc_all(client)); i++) {
		ck_assert_mem_eq(arrays[i].data, m.at, (size_t)(m.rows * m.cols) * sizeof *m.at);
		xc_array_free(&arrays[i]);
	}
	return m;
}

static inline int run(const char *task, const struct xc_blas_args *args,
		      struct xc_blas_report *reports)
{
	struct xc_map_options how = { .function = task };

	return xc_apply(xc_all(client), NULL, args, sizeof *args, reports, sizeof *reports, &how,
			&err);
}

/* Runs it on all engines; the first one's report. */
static inline struct xc_blas_report done(const char *task, struct xc_blas_args args)
{
	struct xc_blas_report reports[ENGINES] = { 0 };
	int ids[ENGINES];

	assert_ok(run(task, &args, reports), err);
	xc_view_ids(xc_all(client), ids, ENGINES);
	for (int i = 0; i < xc_view_size(xc_all(client)); i++) {
		ck_assert_int_eq(reports[i].engine, ids[i]);
		ck_assert_msg(reports[i].residual < 1e-14, "%s: %g", task, reports[i].residual);
		ck_assert_int_ge(reports[i].threads, 1);
		ck_assert_int_ge(reports[i].threads_used, 1);
		ck_assert(reports[i].seconds >= 0 && reports[i].gflops >= 0);
		ck_assert_ptr_nonnull(strstr(reports[i].library, "OpenBLAS"));
	}
	return reports[0];
}

#endif
