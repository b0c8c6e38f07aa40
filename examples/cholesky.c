/* cholesky.c: linear algebra in threads, on one engine: a random matrix x of N rows and
 * columns, x'x, and the Cholesky factor of that, with one number of threads after another.
 * The matrices stay on the engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xcluster.h>

static const char usage[] = "Usage: cholesky [N [THREADS...]]\n"
			    "N: rows and columns (default: 5000)\n"
			    "THREADS: how many (default: as many as the engine has)\n";

enum { NORMAL, CROSSPROD, CHOLESKY, STEPS };

/* Each step works on what the one before has left. */
static const struct {
	const char *task, *in, *out;
} steps[STEPS] = {
	[NORMAL] = { "xc_blas_normal", "", "x" },
	[CROSSPROD] = { "xc_blas_crossprod", "x", "xx" },
	[CHOLESKY] = { "xc_blas_cholesky", "xx", "factor" },
};

static int run(const struct xc_view *engine, int64_t n, int threads, struct xc_error *err)
{
	struct xc_blas_report reports[STEPS];
	int r = 0;

	for (int i = 0; r == 0 && i < STEPS; i++) {
		struct xc_map_options options = { .function = steps[i].task };
		struct xc_blas_args args = { .n = n, .seed = 1, .threads = threads };

		strcpy(args.a, steps[i].in);
		strcpy(args.out, steps[i].out);
		r = xc_apply(engine, NULL, &args, sizeof args, &reports[i], sizeof reports[i],
			     &options, err);
	}
	if (r == 0)
		printf("threads %d: normal %.3f s, crossprod %.3f s (%.1f GFLOPS), Cholesky %.3f s "
		       "(%.1f GFLOPS), residual %.1e\n",
		       reports[CHOLESKY].threads, reports[NORMAL].seconds,
		       reports[CROSSPROD].seconds, reports[CROSSPROD].gflops,
		       reports[CHOLESKY].seconds, reports[CHOLESKY].gflops,
		       reports[CHOLESKY].residual);
	for (int i = 0; i < STEPS; i++)
		xc_clear(engine, steps[i].out, NULL);
	return r;
}

/* A positive number, or the end of the program. */
static int number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < 1 || value > 1000000) {
		fputs(usage, stderr);
		exit(2);
	}
	return (int)value;
}

int main(int argc, char **argv)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	const struct xc_view *engine;
	int n = argc > 1 ? number(argv[1]) : 5000;
	int r;

	for (int i = 2; i < argc; i++)
		number(argv[i]);
	r = xc_open(&client, NULL, &err);
	if (r == 0)
		r = xc_wait_for_engines(client, 1, 30, &err);
	if (r == 0)
		r = xc_view_at(xc_all(client), 0, &engine, &err);
	if (r == 0)
		printf("%d x %d\n", n, n);
	if (r == 0 && argc < 3)
		r = run(engine, n, 0, &err);
	for (int i = 2; r == 0 && i < argc; i++)
		r = run(engine, n, number(argv[i]), &err);
	if (r < 0)
		fprintf(stderr, "cholesky: %s\n", err.text);
	xc_close(client);
	return r < 0 ? 1 : 0;
}
