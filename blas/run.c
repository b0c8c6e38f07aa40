/* run.c: what all tasks of the library begin and end with: arguments, threads, memory,
 * the report. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blas/blas.h"

#define THREADS_MAX 1024

static int check(struct blas_run *run, const void *in, const void *out)
{
	const struct xc_blas_args *args = in;
	size_t in_size = xc_task_in_size(run->task), out_size = xc_task_out_size(run->task);

	if (!in || in_size != sizeof *args)
		return xc_task_fail(run->task,
				    "%s takes a struct xc_blas_args (%zu bytes) as its input, not "
				    "%zu bytes",
				    run->name, sizeof *args, in_size);
	if (out && out_size != sizeof run->report)
		return xc_task_fail(run->task,
				    "%s gives a struct xc_blas_report (%zu bytes): out_size must "
				    "be that or 0, not %zu",
				    run->name, sizeof run->report, out_size);
	memcpy(&run->args, args, sizeof run->args);
	args = &run->args;
	for (int i = 0; i < 4; i++) {
		const char *name = (const char *[]){ args->a, args->b, args->c, args->out }[i];

		if (!memchr(name, 0, sizeof args->a))
			return xc_task_fail(run->task, "%s: the name \"%.20s...\" has no end",
					    run->name, name);
	}
	if (args->threads < 0 || args->threads > THREADS_MAX)
		return xc_task_fail(run->task, "%s: threads must be from 0 to %d, not %d",
				    run->name, THREADS_MAX, args->threads);
	return 0;
}

/* OpenBLAS takes its oldest kernels for processors that are younger than it is, and is then
 * several times slower than it could be. */
static const char *better_kernels(const char *kernels)
{
#ifdef __x86_64__
	if (strcmp(kernels, "Prescott") != 0)
		return NULL;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl"))
		return "SkylakeX";
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "Haswell" : NULL;
#else
	(void)kernels;
	return NULL;
#endif
}

static void describe(char *text, size_t size)
{
	const char *kernels = openblas_get_corename(), *better = better_kernels(kernels);
	int used = snprintf(text, size, "%s; kernels of %s", openblas_get_config(), kernels);

	if (better && used > 0 && (size_t)used < size)
		snprintf(text + used, size - (size_t)used,
			 ", as it does not know this processor: "
			 "OPENBLAS_CORETYPE=%s in the engines' environment is faster",
			 better);
}

int blas_begin(struct blas_run *run, struct xc_task *task, const char *name, const void *in,
	       void *out)
{
	int r;

	memset(run, 0, sizeof *run);
	run->task = task;
	run->name = name;
	run->out = out;
	r = check(run, in, out);
	run->threads_before = openblas_get_num_threads();
	if (r == 0 && run->args.threads > 0)
		openblas_set_num_threads(run->args.threads);
	run->report.engine = xc_task_engine(task);
	run->report.threads = openblas_get_num_threads();
	describe(run->report.library, sizeof run->report.library);
	run->began = blas_now();
	return r;
}

int blas_end(struct blas_run *run, int r)
{
	openblas_set_num_threads(run->threads_before);
	for (int i = 0; i < run->buffer_count; i++)
		free(run->buffers[i]);
	free(run->cpus);
	xc_rng_free(run->own_rng);
	if (r == 0 && run->out)
		memcpy(run->out, &run->report, sizeof run->report);
	return r;
}

/* The system may promise more than it has, and end who takes it. */
static bool fits(size_t size)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	return pages <= 0 || page <= 0 || size / (size_t)page <= (size_t)pages;
}

double *blas_room(struct blas_run *run, int64_t rows, int64_t cols)
{
	size_t count, size;
	void *room = NULL;

	if (run->buffer_count < BLAS_BUFFERS &&
	    !__builtin_mul_overflow((size_t)rows, (size_t)cols, &count) &&
	    !__builtin_mul_overflow(count ? count : 1, sizeof(double), &size) && fits(size))
		room = aligned_alloc(64, (size + 63) & ~(size_t)63);
	if (room)
		run->buffers[run->buffer_count++] = room;
	else
		xc_task_fail(run->task, "%s: no memory for a matrix of %lld x %lld", run->name,
			     (long long)rows, (long long)cols);
	return room;
}

void blas_free(struct blas_run *run, void *buffer)
{
	for (int i = 0; i < run->buffer_count; i++) {
		if (run->buffers[i] != buffer)
			continue;
		free(buffer);
		run->buffers[i] = run->buffers[--run->buffer_count];
		return;
	}
}

/* Where it is all about the figures, as the matrices are of no use to anybody. */
static bool is_measurement(const struct blas_run *run)
{
	const struct xc_blas_args *args = &run->args;

	return run->out && !args->a[0] && !args->b[0] && !args->c[0] && !args->out[0] &&
	       !args->item_stream;
}

void blas_start(struct blas_run *run)
{
	run->report.prepare_seconds = blas_now() - run->began;
	free(run->cpus);
	run->cpus =
		is_measurement(run) ? blas_quiet(&run->cpu_count) : blas_threads(&run->cpu_count);
	run->op_began = blas_now();
}

void blas_stop(struct blas_run *run, double operations)
{
	struct xc_blas_report *report = &run->report;
	struct blas_thread *after;
	int count;

	report->seconds = blas_now() - run->op_began;
	after = blas_threads(&count);
	report->threads_used =
		blas_threads_used(run->cpus, run->cpu_count, after, count, &report->cpu_seconds);
	free(after);
	if (report->seconds > 0)
		report->gflops = operations / report->seconds * 1e-9;
}
