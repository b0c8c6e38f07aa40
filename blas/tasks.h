/* tasks.h: the tasks of the library, by name. */
#ifndef BLAS_TASKS_H
#define BLAS_TASKS_H

#include "xcluster.h"

XC_API int xc_blas_crossprod(struct xc_task *task, const void *in, void *out);

/* Of distributed matrices: libcluster/blocks.h. */
XC_API int xc_blas_block_update(struct xc_task *task, const void *in, void *out);

#endif
