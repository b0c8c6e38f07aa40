/* crash.c: row crash_requeue: from an engine's death to its items on another engine. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/work.h"

enum { ENGINES = 2, ITEMS = 20000, CHUNK = 50, VICTIM = ITEMS / 2 + 10, PATH_SIZE = 128 };

/* Each attempt of an item leaves its mark in a file that this process maps, too. */
struct mark {
	double when; /* CLOCK_MONOTONIC */
	int64_t pid;
};

struct item {
	int64_t steps;
	char path[PATH_SIZE];
};

static struct mark *map_marks(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *marks = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, ITEMS * sizeof(struct mark)) == 0)
		marks = mmap(NULL, ITEMS * sizeof(struct mark), PROT_READ | PROT_WRITE, MAP_SHARED,
			     fd, 0);
	if (fd >= 0)
		close(fd);
	return marks == MAP_FAILED ? NULL : marks;
}

static int crash_task(struct xc_task *task, const void *in, void *out)
{
	static struct mark *marks; /* mapped once in the life of an engine process */
	const struct item *item = in;
	int64_t index = xc_task_index(task);
	struct timespec ts;

	if (!marks)
		marks = map_marks(item->path);
	if (!marks)
		return xc_task_fail(task, "%s: %s", item->path, strerror(errno));
	clock_gettime(CLOCK_MONOTONIC, &ts);
	marks[index].when = (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
	marks[index].pid = getpid();
	if (index == VICTIM)
		kill(getpid(), SIGKILL);
	*(uint64_t *)out = work_spin((uint64_t)index, item->steps);
	return 0;
}

static void check_failures(struct xc_result *result)
{
	struct xc_failure failure;

	if (xc_failure_count(result) != 1 || xc_failure(result, 0, &failure) < 0)
		bench_die("crash_requeue: %lld runs of failures, not 1",
			  (long long)xc_failure_count(result));
	if (failure.first != VICTIM || failure.count != 1 || failure.state != XC_CRASHED ||
	    failure.code != SIGKILL)
		bench_die("crash_requeue: item %lld %s (%s), expected item %d to crash",
			  (long long)failure.first, xc_state_name(failure.state), failure.text,
			  VICTIM);
}

/* The earliest item of the victim's slice behind it that another process ran.
 * Nobody takes back a slice while whole ones remain, so these were requeued. */
static double first_elsewhere(const struct mark *marks)
{
	double first = 0;

	for (int i = VICTIM + 1; i < VICTIM - VICTIM % CHUNK + CHUNK; i++) {
		if (marks[i].pid == marks[VICTIM].pid)
			bench_die("crash_requeue: item %d ran in the process that was dead", i);
		if (marks[i].when < marks[VICTIM].when)
			bench_die("crash_requeue: item %d ran before the crash", i);
		if (first == 0 || marks[i].when < first)
			first = marks[i].when;
	}
	return first - marks[VICTIM].when;
}

static double crash_round(struct bench *bench, const struct item *items, struct mark *marks,
			  const uint64_t *expected, uint64_t *out)
{
	struct xc_map_options options = { .chunk = CHUNK };
	struct xc_error err = XC_ERROR_INIT;
	struct xc_result *result;

	memset(marks, 0, ITEMS * sizeof(*marks));
	memset(out, 0, ITEMS * sizeof(*out));
	result = xc_map_async(xc_balanced(bench->client), crash_task, items, sizeof(*items), ITEMS,
			      out, sizeof(*out), &options, &err);
	if (!result || xc_wait(result, 60, &err) != XC_EFAILED)
		bench_die("crash_requeue: %s", err.text[0] ? err.text : "no failure seen");
	check_failures(result);
	for (int i = 0; i < ITEMS; i++)
		if (i != VICTIM && out[i] != expected[i])
			bench_die("crash_requeue: item %d has a wrong result", i);
	xc_result_destroy(result);
	if (xc_wait_for_engines(bench->client, ENGINES, 10, &err) < 0)
		bench_die("%s", err.text);
	return 1e3 * first_elsewhere(marks);
}

void row_crash_requeue(struct bench *bench)
{
	int rounds = (int)bench_pick(bench, 3, 15);
	int64_t steps = (int64_t)(20e-6 * work_steps_per_second());
	struct item *items = calloc(ITEMS, sizeof(*items));
	uint64_t *expected = calloc(ITEMS, sizeof(*expected));
	uint64_t *out = calloc(ITEMS, sizeof(*out));
	double delays[BENCH_MAX_ROUNDS];
	double worst = 0;
	struct mark *marks;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/marks", bench->dir);
	marks = map_marks(path);
	if (!items || !expected || !out || !marks)
		bench_die("crash_requeue: no memory");
	for (int i = 0; i < ITEMS; i++) {
		items[i].steps = steps;
		memcpy(items[i].path, path, sizeof(path));
		expected[i] = work_spin((uint64_t)i, steps);
	}
	bench_open(bench, ENGINES);
	for (int i = 0; i < rounds; i++) {
		delays[i] = crash_round(bench, items, marks, expected, out);
		worst = delays[i] > worst ? delays[i] : worst;
	}
	bench_report_limit("crash_requeue", bench_median(delays, rounds), 20);
	bench_note("longest of %d: %.2f ms", rounds, worst);
	bench_close(bench);
	free(items);
	free(expected);
	free(out);
}
