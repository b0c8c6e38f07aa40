/* memory_matrix.c: distributed matrices, without memory: a call that fails changes nothing. */
#include "tests/fault/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/fault.h"
#include "tests/support/support.h"

#define N 60 /* blocks of more than a message takes */

static double numbers[N * N];

static struct xc_matrix *make(void)
{
	const struct xc_matrix_layout by_rows = { .grid_cols = 1, .room = 1 };
	struct xc_error err = XC_ERROR_INIT;
	struct xc_matrix *m = NULL;

	for (int i = 0; i < N * N; i++)
		numbers[i] = i % 17;
	assert_ok(
		xc_matrix_scatter(&m, xc_all(client), XC_ARRAY_F64(numbers, N, N), &by_rows, &err),
		err);
	return m;
}

static void check(const struct xc_matrix *m, const double *expected)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_array whole;

	assert_ok(xc_matrix_gather(m, &whole, &err), err);
	ck_assert_int_eq(memcmp(whole.data, expected, N * N * sizeof *expected), 0);
	xc_array_free(&whole);
}

static int scatter(struct xc_error *err)
{
	struct xc_matrix *m = NULL;
	int r;

	xc_matrix_free(make()); /* fills in the numbers */
	r = FAULTY(xc_matrix_scatter(&m, xc_all(client), XC_ARRAY_F64(numbers, N, N), NULL, err));
	ck_assert((r == 0) == (m != NULL));
	if (m)
		check(m, numbers);
	xc_matrix_free(m);
	return r;
}

static int gather(struct xc_error *err)
{
	struct xc_matrix *m = make();
	struct xc_array whole = { .data = NULL };
	int r = FAULTY(xc_matrix_gather(m, &whole, err));

	if (r == 0)
		ck_assert_int_eq(memcmp(whole.data, numbers, sizeof numbers), 0);
	xc_array_free(&whole);
	xc_matrix_free(m);
	return r;
}

/* C = A A: as it was, or done. */
static int multiply(struct xc_error *err)
{
	static double product[N * N];
	struct xc_matrix *m;
	int r;

	if (!getenv("XCLUSTER_BLAS"))
		return 0; /* it was not built, as there is no OpenBLAS here */
	m = make();
	r = FAULTY(xc_matrix_gemm(false, false, 1, m, m, 0, m, err));
	for (int i = 0; i < N * N; i++) {
		product[i] = 0;
		for (int k = 0; k < N; k++)
			product[i] += numbers[i / N * N + k] * numbers[k * N + i % N];
	}
	check(m, r == 0 ? product : numbers);
	xc_matrix_free(m);
	return r;
}

const struct scenario matrix_scenarios[] = {
	{ "xc_matrix_scatter", scatter, 0 },
	{ "xc_matrix_gather", gather, 0 },
	{ "xc_matrix_gemm", multiply, 0 },
};
const int matrix_scenario_count = sizeof matrix_scenarios / sizeof matrix_scenarios[0];
