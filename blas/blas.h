/* blas.h: what the tasks of the linear-algebra library share. */
#ifndef BLAS_BLAS_H
#define BLAS_BLAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcluster.h"

#define BLAS_BUFFERS 12

/* One run of a task: between blas_begin and blas_end. */
struct blas_run {
	struct xc_task *task;
	const char *name; /* of the task, for its failures */
	struct xc_blas_args args;
	struct xc_blas_report report;
	void *out;		     /* of the task; NULL: nobody wants the report */
	void *buffers[BLAS_BUFFERS]; /* owned */
	int buffer_count;
	struct xc_rng *rng;	/* what operands are made of; NULL: none was yet */
	struct xc_rng *own_rng; /* the same, owned, unless it is the item's */
	int threads_before;
	double began;		  /* the run, and with it the preparing of operands */
	double op_began;	  /* the operation */
	struct blas_thread *cpus; /* the CPU time of each thread before the operation; owned */
	int cpu_count;
};

/* A dense row-major matrix of doubles. */
struct blas_matrix {
	int64_t rows, cols;
	const double *data;
};

/* ---- run.c ------------------------------------------------------------------- */

/* Takes the arguments and sets the threads. 0, or what the task should return. */
int blas_begin(struct blas_run *run, struct xc_task *task, const char *name, const void *in,
	       void *out);
/* Gives everything back, hands out the report if `r` is 0, and returns what the task
 * should. */
int blas_end(struct blas_run *run, int r);

/* Room for rows x cols doubles until blas_end; NULL: the failure says so. */
double *blas_room(struct blas_run *run, int64_t rows, int64_t cols);
void blas_free(struct blas_run *run, void *buffer);

/* Around the operation itself, of so many additions and multiplications. */
void blas_start(struct blas_run *run);
void blas_stop(struct blas_run *run, double operations);

/* ---- operand.c --------------------------------------------------------------- */

/* The variable `name` as a matrix; a vector is one column. With an empty name rows x cols
 * normals, further ones of the run's seed. 0, or XC_TASK_FAILED. */
int blas_operand(struct blas_run *run, const char *name, int64_t rows, int64_t cols,
		 struct blas_matrix *matrix);
/* A copy to be overwritten, row by row as it is, or column by column. NULL: no memory. */
double *blas_copy(struct blas_run *run, const struct blas_matrix *matrix);
double *blas_turned(struct blas_run *run, const struct blas_matrix *matrix);
/* cols x rows elements of `to` are those of `from`, turned about. */
void blas_turn(double *to, const double *from, int64_t rows, int64_t cols);
/* The lower triangle of c, n x n, is that of the upper one. */
void blas_mirror(double *c, int64_t n);
/* Keeps rows x cols elements as variable `name``suffix`; nothing if the name is empty. */
int blas_keep(struct blas_run *run, const char *name, const char *suffix, int64_t rows,
	      int64_t cols, const double *data);
int blas_keep_vector(struct blas_run *run, const char *name, const char *suffix, int64_t count,
		     const double *data);

/* ---- residual.c -------------------------------------------------------------- */

/* The root of the sum of squares. */
double blas_norm(const double *data, int64_t rows, int64_t cols);
/* The norm of a matrix that the operation can work on: 0, or XC_TASK_FAILED when there are
 * elements that are no numbers. */
int blas_finite(struct blas_run *run, const char *name, const struct blas_matrix *matrix,
		double *norm);
/* A vector of numbers from 0.5 to 1.5, of either sign, always the same: `count` of them. NULL:
 * no memory. */
double *blas_probe(struct blas_run *run, int64_t count);
/* y = alpha op(A) x + beta y */
void blas_apply(const struct blas_matrix *a, bool transpose, double alpha, const double *x,
		double beta, double *y);
/* How far y is from right, if it should be 0, for operands of this size. */
double blas_ratio(const double *y, int64_t count, double size);

/* ---- measure.c --------------------------------------------------------------- */

double blas_now(void);

/* The CPU time that each thread of this process has used: `*count` of them, to be freed. */
struct blas_thread {
	int id;
	double seconds;
};
struct blas_thread *blas_threads(int *count);
/* How many have computed since, the caller's or others, and for how long together. */
int blas_threads_used(const struct blas_thread *before, int before_count,
		      const struct blas_thread *after, int after_count, double *cpu_seconds);
/* Waits until no other thread wants the processor, as OpenBLAS's do for a while after an
 * operation while they wait for the next one; a second at most. The threads as they are then,
 * owned by the caller. */
struct blas_thread *blas_quiet(int *count);

#endif
