/* tasks.h: the tasks of the library, by name, as xcluster.h tells of them. */
#ifndef BLAS_TASKS_H
#define BLAS_TASKS_H

#include "xcluster.h"

XC_API int xc_blas_normal(struct xc_task *task, const void *in, void *out);
XC_API int xc_blas_crossprod(struct xc_task *task, const void *in, void *out);
XC_API int xc_blas_gemm(struct xc_task *task, const void *in, void *out);
XC_API int xc_blas_cholesky(struct xc_task *task, const void *in, void *out);
XC_API int xc_blas_solve(struct xc_task *task, const void *in, void *out);
XC_API int xc_blas_lstsq(struct xc_task *task, const void *in, void *out);
XC_API int xc_blas_svd(struct xc_task *task, const void *in, void *out);

struct blas_matrix;
/* c = A'A, all of it. */
void blas_crossprod(const struct blas_matrix *a, double *c);

/* Of distributed matrices: libcluster/blocks.h. */
XC_API int xc_blas_block_update(struct xc_task *task, const void *in, void *out);

#endif
