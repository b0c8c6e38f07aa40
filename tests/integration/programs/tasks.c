/* tasks.c: a library of tasks; VERSION and what it needs are set when it is
 * compiled. */
#include <math.h>
#include <xcluster.h>

#ifdef NEEDS
int needed(void);
#endif

static _Thread_local int calls;
int table[1000] = { VERSION };

int version(struct xc_task *task, const void *in, void *out);
int count_calls(struct xc_task *task, const void *in, void *out);
int root(struct xc_task *task, const void *in, void *out);

int version(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
#ifdef NEEDS
	*(int *)out = needed();
#else
	*(int *)out = table[0];
#endif
	return 0;
}

/* Thread-local data is all right in a library. */
int count_calls(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(int *)out = ++calls;
	return 0;
}

int root(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(double *)out = sqrt((double)*(const int64_t *)in);
	return 0;
}
