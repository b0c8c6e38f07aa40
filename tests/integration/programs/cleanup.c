/* cleanup.c: a library of tasks that leaves word when it is unloaded. */
#include <stdio.h>
#include <stdlib.h>
#include <xcluster.h>

int note(struct xc_task *task, const void *in, void *out);

static void say(void *text)
{
	printf("LIBRARY %s\n", (const char *)text);
	fflush(stdout);
}

static void at_exit(void)
{
	say("exit handler");
}

__attribute__((destructor)) static void destroy(void)
{
	say("destructor");
}

int note(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(int *)out = atexit(at_exit);
	if (xc_task_cleanup(task, say, "first") < 0 || xc_task_cleanup(task, say, "second") < 0)
		return XC_TASK_FAILED;
	return 0;
}
