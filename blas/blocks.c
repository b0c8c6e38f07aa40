/* blocks.c: products of blocks of distributed matrices, on the engine that has the result. */
#include <cblas.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "blas/blas.h"
#include "blas/tasks.h"
#include "libcluster/blocks.h"

#define TASK BLOCK_UPDATE

struct update {
	struct xc_task *task;
	struct block_update head;
	const unsigned char *terms;
	double *c; /* owned */
};

static int bad(struct update *u)
{
	return xc_task_fail(u->task, TASK ": its input is not valid");
}

static bool is_name(const char *name)
{
	return memchr(name, 0, BLOCK_NAME_MAX) != NULL;
}

static bool is_length(int64_t n)
{
	return n >= 0 && n <= INT_MAX;
}

static int take_input(struct update *u, const void *in)
{
	size_t size = xc_task_in_size(u->task);

	if (size < sizeof u->head)
		return bad(u);
	memcpy(&u->head, in, sizeof u->head);
	u->terms = (const unsigned char *)in + sizeof u->head;
	if (!is_name(u->head.from) || !is_name(u->head.to) || !is_length(u->head.rows) ||
	    !is_length(u->head.cols) || (u->head.is_symmetric && u->head.rows != u->head.cols) ||
	    u->head.terms != (size - sizeof u->head) / sizeof(struct block_term) ||
	    (size - sizeof u->head) % sizeof(struct block_term) != 0)
		return bad(u);
	return 0;
}

/* The variable, which must have this shape: NULL, and the failure's text says why. */
static const double *block(struct update *u, const char *name, int64_t rows, int64_t cols)
{
	const struct xc_array *array = xc_task_array(u->task, name);

	if (!array)
		return NULL;
	if (array->dtype == XC_F64 && array->ndim == 2 && array->shape[0] == rows &&
	    array->shape[1] == cols)
		return array->data;
	xc_task_fail(u->task,
		     "\"%s\" is not the block of %lld x %lld doubles that it was: somebody "
		     "has set it to something else",
		     name, (long long)rows, (long long)cols);
	return NULL;
}

/* beta * from. */
static int begin(struct update *u)
{
	size_t count = (size_t)u->head.rows * (size_t)u->head.cols;
	const double *from = NULL;

	if (u->head.beta != 0) {
		from = block(u, u->head.from, u->head.rows, u->head.cols);
		if (!from)
			return XC_TASK_FAILED;
	}
	u->c = count < SIZE_MAX / 16 ? aligned_alloc(64, (count * sizeof *u->c + 64) & ~(size_t)63)
				     : NULL;
	if (!u->c)
		return xc_task_fail(u->task, "no memory for a block of %lld x %lld doubles",
				    (long long)u->head.rows, (long long)u->head.cols);
	if (!from)
		memset(u->c, 0, count * sizeof *u->c);
	for (size_t i = 0; from && i < count; i++)
		u->c[i] = u->head.beta * from[i];
	return 0;
}

/* Where the part begins that has so many rows and columns. */
static const double *part(struct update *u, const struct block_part *p, int64_t rows, int64_t cols)
{
	const double *data;

	if (!is_name(p->name) || !is_length(p->rows) || !is_length(p->cols) || p->row < 0 ||
	    p->col < 0 || rows > p->rows - p->row || cols > p->cols - p->col) {
		bad(u);
		return NULL;
	}
	data = block(u, p->name, p->rows, p->cols);
	return data ? data + p->row * p->cols + p->col : NULL;
}

static void add(struct update *u, const struct block_term *t, const double *a, double *c)
{
	for (int64_t i = 0; i < t->m; i++)
		cblas_daxpy((int)t->n, u->head.alpha, a + i * t->a.cols, 1, c + i * u->head.cols,
			    1);
}

static int add_term(struct update *u, const struct block_term *t)
{
	bool ta = t->transpose_a, tb = t->transpose_b;
	int64_t k = t->kind == BLOCK_ADD ? t->n : t->k;
	const double *a, *b;
	double *c;

	if (t->kind > BLOCK_ADD || t->m < 1 || t->n < 1 || t->k < 0 || t->row < 0 || t->col < 0 ||
	    t->m > u->head.rows - t->row || t->n > u->head.cols - t->col ||
	    (t->kind == BLOCK_SYRK && t->m != t->n))
		return bad(u);
	c = u->c + t->row * u->head.cols + t->col;
	a = part(u, &t->a, ta ? k : t->m, ta ? t->m : k);
	if (!a)
		return XC_TASK_FAILED;
	if (t->kind == BLOCK_ADD) {
		add(u, t, a, c);
		return 0;
	}
	if (t->kind == BLOCK_SYRK) {
		cblas_dsyrk(CblasRowMajor, CblasUpper, ta ? CblasTrans : CblasNoTrans, (int)t->n,
			    (int)k, u->head.alpha, a, (int)t->a.cols, 1, c, (int)u->head.cols);
		return 0;
	}
	b = part(u, &t->b, tb ? t->n : k, tb ? k : t->n);
	if (!b)
		return XC_TASK_FAILED;
	cblas_dgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
		    (int)t->m, (int)t->n, (int)k, u->head.alpha, a, (int)t->a.cols, b,
		    (int)t->b.cols, 1, c, (int)u->head.cols);
	return 0;
}

static int update(struct update *u)
{
	int r = begin(u);

	for (uint64_t i = 0; r == 0 && i < u->head.terms; i++) {
		struct block_term term;

		memcpy(&term, u->terms + i * sizeof term, sizeof term);
		r = xc_task_is_cancelled(u->task) ? xc_task_fail(u->task, "cancelled")
						  : add_term(u, &term);
	}
	if (r == 0 && u->head.is_symmetric)
		blas_mirror(u->c, u->head.rows);
	if (r == 0 &&
	    xc_task_set(u->task, u->head.to, XC_ARRAY_F64(u->c, u->head.rows, u->head.cols)) < 0)
		r = XC_TASK_FAILED;
	free(u->c);
	return r;
}

int xc_blas_block_update(struct xc_task *task, const void *in, void *out)
{
	struct update u = { .task = task };
	int r = take_input(&u, in);

	(void)out;
	return r ? r : update(&u);
}
