/* residual.c: how far a result is from right. Products with a vector show it in the time of
 * reading the matrices; a second product of matrices would take as long as the first. */
#include <cblas.h>
#include <math.h>

#include "blas/blas.h"

double blas_norm(const double *data, int64_t rows, int64_t cols)
{
	double norm = 0;

	for (int64_t i = 0; i < rows; i++)
		norm = hypot(norm, cblas_dnrm2((int)cols, data + i * cols, 1));
	return norm;
}

int blas_finite(struct blas_run *run, const char *name, const struct blas_matrix *matrix,
		double *norm)
{
	*norm = blas_norm(matrix->data, matrix->rows, matrix->cols);
	if (isfinite(*norm))
		return 0;
	return xc_task_fail(run->task, "%s: \"%s\" has elements that are not finite", run->name,
			    name);
}

/* By splitmix64. With magnitudes that differ, columns that change places show, which with
 * ones alone half of them would not. */
double *blas_probe(struct blas_run *run, int64_t count)
{
	double *probe = blas_room(run, count, 1);
	uint64_t state = 0;

	for (int64_t i = 0; probe && i < count; i++) {
		uint64_t z = state += 0x9e3779b97f4a7c15;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		z ^= z >> 31;
		probe[i] = 0.5 + (double)(z >> 12) * 0x1p-52;
		probe[i] = z & 1 ? probe[i] : -probe[i];
	}
	return probe;
}

void blas_apply(const struct blas_matrix *a, bool transpose, double alpha, const double *x,
		double beta, double *y)
{
	cblas_dgemv(CblasRowMajor, transpose ? CblasTrans : CblasNoTrans, (int)a->rows,
		    (int)a->cols, alpha, a->data, (int)a->cols, x, 1, beta, y, 1);
}

double blas_ratio(const double *y, int64_t count, double size)
{
	double norm = cblas_dnrm2((int)count, y, 1);

	return norm == 0 ? 0 : norm / size;
}
