/* tasks.c: a library for xc_load. */
#include "xcluster.h"

XC_API int fault_answer(struct xc_task *task, const void *in, void *out);
/* As if of the library of linear algebra. */
XC_API int xc_blas_fault(struct xc_task *task, const void *in, void *out);

int fault_answer(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(int64_t *)out = 42;
	return 0;
}

int xc_blas_fault(struct xc_task *task, const void *in, void *out)
{
	return fault_answer(task, in, out);
}
