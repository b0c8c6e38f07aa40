/* blas_plain.c: the baseline of blas.c: Cholesky's factor by the same OpenBLAS, called in a
 * program of its own. For each line of its input, a number of threads, it takes the same
 * matrix apart once more, and says how many seconds that took. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "xcluster.h"

void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t length);

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static double *room(int n)
{
	double *matrix =
		aligned_alloc(64, ((size_t)n * (size_t)n * sizeof *matrix + 63) & ~(size_t)63);

	if (!matrix) {
		fprintf(stderr, "blas_plain: no memory for %d x %d\n", n, n);
		exit(1);
	}
	return matrix;
}

/* X'X of normals of seed 1, as the engines make it. */
static double *make(int n)
{
	double *x = room(n), *a = room(n);
	struct xc_rng *rng;

	if (xc_rng_new(&rng, XC_PCG64, 1, NULL) < 0)
		exit(1);
	xc_standard_normal_fill(rng, x, (size_t)n * (size_t)n);
	xc_rng_free(rng);
	cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, n, n, 1, x, n, 0, a, n);
	free(x);
	return a;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 5000, threads, info;
	double *a = make(n), *l, start;
	char line[32];

	printf("%s\n", openblas_get_corename());
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		threads = atoi(line);
		openblas_set_num_threads(threads);
		l = room(n);
		memcpy(l, a, (size_t)n * (size_t)n * sizeof *l);
		start = now();
		dpotrf_("U", &n, l, &n, &info, 1);
		printf("%.9f\n", info == 0 ? now() - start : -1);
		fflush(stdout);
		free(l);
	}
	free(a);
	return 0;
}
