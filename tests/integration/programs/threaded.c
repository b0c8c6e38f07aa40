/* threaded.c: a library that stands for one with threads, as OpenBLAS: it asks the
 * environment when it is loaded, and can be told later. */
#include <stdlib.h>
#include <xcluster.h>

static int threads;

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("OPENBLAS_NUM_THREADS");

	threads = text ? atoi(text) : -1;
}

void openblas_set_num_threads(int n);

void openblas_set_num_threads(int n)
{
	threads = n;
}

int threads_in_use(struct xc_task *task, const void *in, void *out);

int threads_in_use(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	((int *)out)[0] = threads;
	((int *)out)[1] = xc_task_threads(task);
	return 0;
}
