/* gemm.c: rows gemm_2x1 and gemm_2x2: a product of matrices in blocks over the engines of
 * this host, against one call of the same OpenBLAS with all cores. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"

/* cblas.h is not asked for: the library is loaded where there is one. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 };
typedef void dgemm_fn(int order, int transpose_a, int transpose_b, int m, int n, int k,
		      double alpha, const double *a, int lda, const double *b, int ldb, double beta,
		      double *c, int ldc);

struct plain {
	dgemm_fn *dgemm;
	int n;
	double *a, *b, *c; /* owned */
};

static dgemm_fn *find_dgemm(void)
{
	void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	void (*set_threads)(int) = NULL;
	dgemm_fn *dgemm = NULL;

	if (!library)
		return NULL;
	*(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
	*(void **)&dgemm = dlsym(library, "cblas_dgemm");
	if (set_threads)
		set_threads((int)sysconf(_SC_NPROCESSORS_ONLN));
	return dgemm;
}

static struct plain plain_new(int n)
{
	size_t count = (size_t)n * (size_t)n;
	struct plain p = { .dgemm = find_dgemm(), .n = n };

	p.a = malloc(count * sizeof *p.a);
	p.b = malloc(count * sizeof *p.b);
	p.c = calloc(count, sizeof *p.c);
	if (!p.a || !p.b || !p.c)
		bench_die("gemm: no memory for matrices of %d x %d", n, n);
	for (size_t i = 0; i < count; i++) {
		p.a[i] = (double)(i % 11) - 5;
		p.b[i] = (double)(i % 13) - 6;
	}
	return p;
}

static void plain_free(struct plain *p)
{
	free(p->a);
	free(p->b);
	free(p->c);
}

static double time_plain(struct plain *p)
{
	double begin = bench_now();

	p->dgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, p->n, p->n, p->n, 1, p->a, p->n, p->b, p->n,
		 0, p->c, p->n);
	return bench_now() - begin;
}

struct divided {
	struct xc_matrix *a, *b, *c;
};

static struct divided divide(struct bench *bench, const struct plain *p, int rows, int cols)
{
	struct xc_matrix_layout layout = { .grid_rows = rows, .grid_cols = cols };
	const struct xc_view *all = xc_all(bench->client);
	struct xc_error err = XC_ERROR_INIT;
	struct divided d;

	if (xc_matrix_scatter(&d.a, all, XC_ARRAY_F64(p->a, p->n, p->n), &layout, &err) < 0 ||
	    xc_matrix_scatter(&d.b, all, XC_ARRAY_F64(p->b, p->n, p->n), &layout, &err) < 0 ||
	    xc_matrix_new(&d.c, all, p->n, p->n, &layout, &err) < 0)
		bench_die("%s", err.text);
	return d;
}

static double time_divided(const struct divided *d)
{
	struct xc_error err = XC_ERROR_INIT;
	double begin = bench_now();

	if (xc_matrix_gemm(false, false, 1, d->a, d->b, 0, d->c, &err) < 0)
		bench_die("%s", err.text);
	return bench_now() - begin;
}

/* Whole numbers: both are exact. */
static void check(const char *name, const struct divided *d, const struct plain *p)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_array whole;

	if (xc_matrix_gather(d->c, &whole, &err) < 0)
		bench_die("%s", err.text);
	if (memcmp(whole.data, p->c, (size_t)p->n * (size_t)p->n * sizeof *p->c) != 0)
		bench_die("%s: the products differ", name);
	xc_array_free(&whole);
}

static void row_gemm(struct bench *bench, const char *name, int rows, int cols)
{
	int rounds = (int)bench_pick(bench, 3, 7);
	double plain[BENCH_MAX_ROUNDS], divided[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
	struct plain p = plain_new((int)bench_pick(bench, 1000, 4000));
	struct divided d;

	if (!p.dgemm) {
		bench_note("%s: skipped, as there is no libopenblas.so.0", name);
		plain_free(&p);
		return;
	}
	bench_open(bench, rows * cols);
	d = divide(bench, &p, rows, cols);
	time_plain(&p);
	time_divided(&d);
	for (int i = 0; i < rounds; i++) {
		plain[i] = time_plain(&p);
		divided[i] = time_divided(&d);
		ratios[i] = plain[i] / divided[i];
	}
	check(name, &d, &p);
	bench_report(name, bench_median(divided, rounds), bench_median(plain, rounds),
		     bench_median(ratios, rounds));
	bench_note("n = %d: %.1f GFLOPS, OpenBLAS alone with all cores %.1f", p.n,
		   2e-9 * p.n * p.n * p.n / bench_median(divided, rounds),
		   2e-9 * p.n * p.n * p.n / bench_median(plain, rounds));
	xc_matrix_free(d.a);
	xc_matrix_free(d.b);
	xc_matrix_free(d.c);
	bench_close(bench);
	plain_free(&p);
}

void row_gemm_2x1(struct bench *bench)
{
	row_gemm(bench, "gemm_2x1", 2, 1);
}

void row_gemm_2x2(struct bench *bench)
{
	row_gemm(bench, "gemm_2x2", 2, 2);
}
