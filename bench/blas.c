/* blas.c: Cholesky's factor on engines against the same OpenBLAS called in a plain program,
 * in turns; and one engine with two threads against two engines with one. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"

enum { ENGINES = 2 };

/* The program of blas_plain.c. */
struct plain {
	FILE *in, *out;
	char kernels[64];
};

static void plain_start(struct plain *plain, const char *path, int n)
{
	int in[2], out[2];
	char size[16];

	snprintf(size, sizeof size, "%d", n);
	signal(SIGPIPE, SIG_IGN);
	if (pipe(in) < 0 || pipe(out) < 0)
		bench_die("no pipe");
	switch (fork()) {
	case -1:
		bench_die("no process");
	case 0:
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execl(path, path, size, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	plain->in = fdopen(in[1], "w");
	plain->out = fdopen(out[0], "r");
	if (!fgets(plain->kernels, sizeof plain->kernels, plain->out))
		bench_die("%s does not work", path);
	plain->kernels[strcspn(plain->kernels, "\n")] = 0;
}

static double plain_run(struct plain *plain, int threads)
{
	char line[64];
	double seconds;

	fprintf(plain->in, "%d\n", threads);
	fflush(plain->in);
	if (!fgets(line, sizeof line, plain->out) || (seconds = atof(line)) <= 0)
		bench_die("the plain program has failed");
	return seconds;
}

static void run(const struct xc_view *view, const char *task, struct xc_blas_args args,
		struct xc_blas_report *reports)
{
	struct xc_map_options how = { .function = task };
	struct xc_error err = XC_ERROR_INIT;

	if (xc_apply(view, NULL, &args, sizeof args, reports, sizeof *reports, &how, &err) < 0)
		bench_die("%s", err.text);
}

/* On engines of the view at once: their GFLOPS together, by the time of the slowest. */
static double engines_run(const struct xc_view *view, int threads, int *used)
{
	struct xc_blas_report reports[ENGINES] = { 0 };
	int count = xc_view_size(view);
	double slowest = 0, work = 0;

	run(view, "xc_blas_cholesky", (struct xc_blas_args){ .a = "A", .threads = threads },
	    reports);
	*used = 0;
	for (int i = 0; i < count; i++) {
		slowest = reports[i].seconds > slowest ? reports[i].seconds : slowest;
		work += reports[i].gflops * reports[i].seconds;
		*used += reports[i].threads_used;
		if (!(reports[i].residual < 1e-12))
			bench_die("engine %d has a residual of %g", reports[i].engine,
				  reports[i].residual);
	}
	return work / slowest;
}

static void compare_with_plain(const struct xc_view *one, struct plain *plain, int n, int threads,
			       int rounds)
{
	double engine[BENCH_MAX_ROUNDS], alone[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
	double work = ((double)n * n * n / 3 + (double)n * n / 2 + n / 6.0) * 1e-9;
	int used;

	for (int i = 0; i < rounds; i++) {
		for (int turn = 0; turn < 2; turn++) {
			if (turn == i % 2)
				engine[i] = engines_run(one, threads, &used);
			else
				alone[i] = work / plain_run(plain, threads);
		}
		ratios[i] = engine[i] / alone[i];
	}
	printf("  %d thread%s   engine %7.2f GFLOPS (%d used)   plain program %7.2f   ratio %.3f\n",
	       threads, threads == 1 ? " " : "s", bench_median(engine, rounds), used,
	       bench_median(alone, rounds), bench_median(ratios, rounds));
	fflush(stdout);
}

static void compare_shapes(const struct xc_view *one, const struct xc_view *both, int rounds)
{
	double alone[BENCH_MAX_ROUNDS], wide[BENCH_MAX_ROUNDS], two[BENCH_MAX_ROUNDS];
	int used;

	for (int i = 0; i < rounds; i++) {
		alone[i] = engines_run(one, 1, &used);
		wide[i] = engines_run(one, 2, &used);
		two[i] = engines_run(both, 1, &used);
	}
	printf("\n| engines x threads | GFLOPS together | against 1 x 1 |\n|---|---|---|\n");
	printf("| 1 x 1 | %.2f | 1 |\n", bench_median(alone, rounds));
	printf("| 1 x 2 | %.2f | %.2f |\n", bench_median(wide, rounds),
	       bench_median(wide, rounds) / bench_median(alone, rounds));
	printf("| 2 x 1 | %.2f | %.2f |\n", bench_median(two, rounds),
	       bench_median(two, rounds) / bench_median(alone, rounds));
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[2]) : 5000, rounds = argc > 3 ? atoi(argv[3]) : 7;
	struct xc_blas_report reports[ENGINES];
	struct xc_error err = XC_ERROR_INIT;
	struct bench bench = { 0 };
	const struct xc_view *one;
	struct plain plain;

	if (argc < 2 || n < 1 || rounds < 1 || rounds > BENCH_MAX_ROUNDS)
		bench_die("usage: blas PLAIN [N [ROUNDS]]");
	bench_warn_if_busy();
	plain_start(&plain, argv[1], n);
	bench_open(&bench, ENGINES);
	if (xc_view_at(xc_all(bench.client), 0, &one, &err) < 0)
		bench_die("%s", err.text);
	run(xc_all(bench.client), "xc_blas_crossprod",
	    (struct xc_blas_args){ .n = n, .seed = 1, .out = "A" }, reports);
	printf("Cholesky, n = %d, medians of %d; kernels of %s\n%s\n", n, rounds, plain.kernels,
	       reports[0].library);
	for (int threads = 1; threads <= 2; threads++)
		compare_with_plain(one, &plain, n, threads, rounds);
	compare_shapes(one, xc_all(bench.client), rounds);
	bench_close(&bench);
	fclose(plain.in);
	fclose(plain.out);
	return 0;
}
