/* waiting.c: a library with a task whose item 500 writes its process to the file BEGUN and
 * waits at the gate GATE, in its first attempt. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include <xcluster.h>

int root_at_500(struct xc_task *task, const void *in, void *out);

static void wait_at_gate(void)
{
	FILE *file = fopen(BEGUN ".new", "w");

	if (file && fprintf(file, "%d", (int)getpid()) > 0 && fclose(file) == 0 &&
	    rename(BEGUN ".new", BEGUN) == 0)
		open(GATE, O_RDONLY | O_CLOEXEC);
}

int root_at_500(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	if (xc_task_index(task) == 500 && xc_task_attempt(task) == 1)
		wait_at_gate();
	*(double *)out = sqrt((double)xc_task_index(task));
	return 0;
}
