/* hello.c: every engine says who it is. */
#include <stdio.h>
#include <unistd.h>
#include <xcluster.h>

struct greeting {
	int engine, pid;
	char host[65];
};

static int greet(struct xc_task *task, const void *in, void *out)
{
	struct greeting *greeting = out; /* zeroed */

	(void)in;
	greeting->engine = xc_task_engine(task);
	greeting->pid = (int)getpid();
	return gethostname(greeting->host, sizeof greeting->host - 1);
}

static int hello(struct xc_client *client, struct xc_error *err)
{
	int n = xc_view_size(xc_all(client));
	struct greeting greetings[n];
	int r = xc_apply(xc_all(client), greet, NULL, 0, greetings, sizeof *greetings, NULL, err);

	for (int i = 0; r == 0 && i < n; i++)
		printf("engine %d: process %d on %s\n", greetings[i].engine, greetings[i].pid,
		       greetings[i].host);
	return r;
}

int main(void)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	bool ok = xc_open(&client, NULL, &err) == 0 &&
		  xc_wait_for_engines(client, 1, 30, &err) == 0 && hello(client, &err) == 0;

	if (!ok)
		fprintf(stderr, "hello: %s\n", err.text);
	xc_close(client);
	return ok ? 0 : 1;
}
