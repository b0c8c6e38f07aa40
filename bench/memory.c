/* memory.c: rows rss_engine, rss_controller and bytes_per_task. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"

enum { ENGINES = 4, BLOCKED = 2, PATH_SIZE = 128 };

static double megabytes(pid_t pid, const char *file, const char *key)
{
	return 1e-6 * (double)bench_memory(pid, file, key);
}

/* Engines that have never run a task. */
void row_rss_engine(struct bench *bench)
{
	pid_t pids[BENCH_MAX_ENGINES];
	double rss[BENCH_MAX_ENGINES];
	double pss[BENCH_MAX_ENGINES];
	double mine[BENCH_MAX_ENGINES];
	int n;

	bench_open(bench, ENGINES);
	n = bench_engines(bench, pids, BENCH_MAX_ENGINES);
	if (n != ENGINES)
		bench_die("rss_engine: found %d engines of %d", n, ENGINES);
	for (int i = 0; i < n; i++) {
		rss[i] = megabytes(pids[i], "status", "VmRSS");
		pss[i] = megabytes(pids[i], "smaps_rollup", "Pss");
		mine[i] = megabytes(pids[i], "smaps_rollup", "Private_Dirty");
	}
	bench_report_limit("rss_engine", bench_median(rss, n), 8);
	bench_note("of which proportional (PSS) %.2f MB, private and dirty %.2f MB",
		   bench_median(pss, n), bench_median(mine, n));
	bench_close(bench);
}

void row_rss_controller(struct bench *bench)
{
	pid_t pid;

	bench_open(bench, ENGINES);
	pid = bench_controller(bench);
	bench_report_limit("rss_controller", megabytes(pid, "status", "VmRSS"), 16);
	bench_note("with %d engines and a client; PSS %.2f MB", ENGINES,
		   megabytes(pid, "smaps_rollup", "Pss"));
	bench_close(bench);
}

/* Two FIFOs: an engine says on `held` that it is busy, and is so until someone
 * opens `release` for writing. */
struct hold {
	char held[PATH_SIZE];
	char release[PATH_SIZE];
};

static int hold_engine(struct xc_task *task, const void *in, void *out)
{
	const struct hold *hold = in;
	int fd = open(hold->held, O_WRONLY | O_CLOEXEC);

	(void)out;
	if (fd < 0 || write(fd, "h", 1) != 1)
		return xc_task_fail(task, "%s: %s", hold->held, strerror(errno));
	close(fd);
	fd = open(hold->release, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return xc_task_fail(task, "%s: %s", hold->release, strerror(errno));
	close(fd);
	return 0;
}

static int add_one(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(int64_t *)out = *(const int64_t *)in + 1;
	return 0;
}

static struct xc_result *block_engines(struct bench *bench, struct hold *hold)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_result *result;
	char text[BLOCKED];
	int fd;

	snprintf(hold->held, PATH_SIZE, "%s/held", bench->dir);
	snprintf(hold->release, PATH_SIZE, "%s/release", bench->dir);
	if (mkfifo(hold->held, 0600) < 0 || mkfifo(hold->release, 0600) < 0)
		bench_die("bytes_per_task: mkfifo: %s", strerror(errno));
	/* Opened for both, so that neither this open nor a read before the first
	 * engine's meets an end of file. */
	fd = open(hold->held, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		bench_die("bytes_per_task: %s: %s", hold->held, strerror(errno));
	result = xc_apply_async(xc_all(bench->client), hold_engine, hold, sizeof(*hold), NULL, 0,
				NULL, &err);
	if (!result)
		bench_die("%s", err.text);
	xc_is_ready(result);
	for (int got = 0; got < BLOCKED;) {
		ssize_t r = read(fd, text, sizeof(text));

		if (r < 0)
			bench_die("bytes_per_task: %s: %s", hold->held, strerror(errno));
		got += (int)r;
	}
	close(fd);
	return result;
}

static void release_engines(const struct hold *hold, struct xc_result *held)
{
	struct xc_error err = XC_ERROR_INIT;
	int fd = open(hold->release, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		bench_die("bytes_per_task: %s: %s", hold->release, strerror(errno));
	if (xc_wait(held, 30, &err) < 0)
		bench_die("%s", err.text);
	close(fd);
	xc_result_destroy(held);
}

/* A round trip behind everything submitted so far: the controller has it all. */
static void flush(struct xc_client *client)
{
	struct xc_error err = XC_ERROR_INIT;
	char *json;

	if (xc_status_json(client, &json, &err) < 0)
		bench_die("%s", err.text);
	free(json);
}

struct queue {
	struct xc_result **results;
	int64_t *out;
	int64_t n;
};

/* Queues tasks up to number `end`; `apart`: each sent by itself, else as the
 * library likes. Returns how the controller grew. */
static int64_t queue_tasks(struct bench *bench, struct queue *queue, int64_t end, bool apart)
{
	const struct xc_view *view = xc_balanced(bench->client);
	pid_t controller = bench_controller(bench);
	int64_t before = bench_memory(controller, "status", "VmRSS");
	struct xc_error err = XC_ERROR_INIT;

	for (int64_t i = queue->n; i < end; i++) {
		queue->results[i] = xc_apply_async(view, add_one, &i, sizeof(i), &queue->out[i],
						   sizeof(queue->out[i]), NULL, &err);
		if (!queue->results[i])
			bench_die("%s", err.text);
		if (apart || i == end - 1)
			xc_is_ready(queue->results[i]); /* sends what was held back */
	}
	queue->n = end;
	flush(bench->client);
	return bench_memory(controller, "status", "VmRSS") - before;
}

static void finish_queue(struct queue *queue)
{
	struct xc_error err = XC_ERROR_INIT;

	for (int64_t i = 0; i < queue->n; i++) {
		if (xc_wait(queue->results[i], -1, &err) < 0)
			bench_die("%s", err.text);
		if (queue->out[i] != i + 1)
			bench_die("bytes_per_task: task %lld has a wrong result", (long long)i);
		xc_result_destroy(queue->results[i]);
	}
	free(queue->results);
	free(queue->out);
}

/* How the controller grows by a map that waits. */
static int64_t queue_map(struct bench *bench, int64_t items)
{
	pid_t controller = bench_controller(bench);
	int64_t before = bench_memory(controller, "status", "VmRSS");
	struct xc_error err = XC_ERROR_INIT;
	struct xc_result *map =
		xc_map_range_async(xc_balanced(bench->client), add_one, items, NULL, 0, NULL, &err);
	int64_t after;

	if (!map)
		bench_die("%s", err.text);
	flush(bench->client);
	after = bench_memory(controller, "status", "VmRSS");
	if (xc_cancel(map, XC_CANCEL_QUEUED, &err) < 0)
		bench_die("%s", err.text);
	flush(bench->client);
	xc_result_destroy(map);
	return after - before;
}

void row_bytes_per_task(struct bench *bench)
{
	int64_t n = bench_pick(bench, 50000, 200000), apart = n / 10, items = 1000000000;
	struct queue queue = { .results = calloc((size_t)(n + apart), sizeof(*queue.results)),
			       .out = calloc((size_t)(n + apart), sizeof(*queue.out)) };
	int64_t map_bytes, bytes, apart_bytes;
	struct xc_result *held;
	struct hold hold;

	if (!queue.results || !queue.out)
		bench_die("bytes_per_task: no memory");
	bench_open(bench, BLOCKED);
	held = block_engines(bench, &hold);
	flush(bench->client);
	map_bytes = queue_map(bench, items);
	bytes = queue_tasks(bench, &queue, n, false);
	apart_bytes = queue_tasks(bench, &queue, n + apart, true);
	release_engines(&hold, held);
	finish_queue(&queue);
	bench_report_limit("bytes_per_task", (double)bytes / (double)n, 100);
	bench_note(
		"a queued map of %lld items: %lld bytes in all; tasks that the library could not "
		"send together: %.0f bytes each",
		(long long)items, (long long)map_bytes, (double)apart_bytes / (double)apart);
	bench_close(bench);
}
