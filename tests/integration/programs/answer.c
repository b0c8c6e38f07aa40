/* answer.c: a client program; for each line of its input it has the cluster give
 * ANSWER, a number fixed when it is compiled, and prints it, or the error. */
#include <stdio.h>
#include <xcluster.h>

static int base = ANSWER - 1;
#ifdef WITH_TLS
static _Thread_local int calls;
#endif

static int answer(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
#ifdef WITH_TLS
	calls++;
#endif
	*(int *)out = base + 1;
	return 0;
}

int main(void)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client;
	char line[64];
	int out[10];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (xc_open(&client, NULL, &err) < 0) {
		printf("error %d: %s\n", err.code, err.text);
		return 1;
	}
	while (fgets(line, sizeof line, stdin)) {
		int sum = 0, r;

		r = xc_map_range(xc_balanced(client), answer, 10, out, sizeof out[0], NULL, &err);
		for (int i = 0; i < 10 && r == 0; i++)
			sum += out[i];
		if (r < 0)
			printf("error %d: %s\n", r, err.text);
		else
			printf("%d\n", sum / 10);
	}
	xc_close(client);
	return 0;
}
