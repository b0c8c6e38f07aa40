/* bench.c: the table of rows with their bars; runs those named, or all. */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

struct row {
	const char *name;
	void (*run)(struct bench *bench);
	const char *unit;
	double bar; /* of the ratio */
	bool least; /* the ratio must be at least the bar, not at most */
};

static const struct row rows[] = {
	{ "start_4", row_start_4, "s", 1, false },
	{ "start_64", row_start_64, "s", 1, false },
	{ "rtt", row_rtt, "us", 1.2, false },
	{ "single_rate", row_single_rate, "tasks/s", 1, true },
	{ "map_10m", row_map_10m, "s", 1, false },
	{ "omp_10us", row_omp_10us, "s", 0.97, true },
	{ "uneven", row_uneven, "s", 1.05, false },
	{ "push_1g", row_push_1g, "s", 1.3, false },
	{ "rss_engine", row_rss_engine, "MB", 1, false },
	{ "rss_controller", row_rss_controller, "MB", 1, false },
	{ "bytes_per_task", row_bytes_per_task, "B", 1, false },
	{ "crash_requeue", row_crash_requeue, "ms", 1, false },
	{ "seeds", row_seeds, "s", 1.02, false },
	{ "gemm_2x1", row_gemm_2x1, "s", 0.9, true },
	{ "gemm_2x2", row_gemm_2x2, "s", 0.85, true },
	{ "reduce", row_reduce, "s", 0, false },
	{ "peer_map", row_peer_map, "items/s", 0, true },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static const struct row *row_find(const char *name)
{
	for (int i = 0; i < ROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static const char *verdict(const struct row *row, double ratio)
{
	double excess = row->least ? row->bar / ratio : ratio / row->bar;

	if (row->bar == 0)
		return "-";
	if (excess <= 1)
		return "met";
	return excess <= 2 ? "within 2x" : "short";
}

void bench_report(const char *name, double value, double baseline, double ratio)
{
	const struct row *row = row_find(name);

	printf("row\t%s\t%.6g\t%s\t%.6g\t%.4g\t%s %g\t%s\n", name, value, row->unit, baseline,
	       ratio, row->least ? ">=" : "<=", row->bar, verdict(row, ratio));
	fflush(stdout);
}

void bench_report_limit(const char *name, double value, double limit)
{
	bench_report(name, value, limit, value / limit);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Waits with Ctrl-C ignored: it ends the row, then this process cleans up. */
static bool ends_well(pid_t pid)
{
	int status = 1;

	signal(SIGINT, SIG_IGN);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			break;
	signal(SIGINT, SIG_DFL);
	return pid > 0 && status == 0;
}

/* Each row has a process of its own, so that none inherits the heap, the open
 * files or the cluster of another. */
static int run_row(const struct row *row, bool quick)
{
	struct bench bench = { .quick = quick, .dir = "/tmp/xcbench-XXXXXX" };
	pid_t pid;
	bool well;

	if (!mkdtemp(bench.dir)) {
		perror("bench: mkdtemp");
		return 1;
	}
	setenv("XCLUSTER_DIR", bench.dir, 1);
	unsetenv("XCLUSTER_CONNECTION");
	unsetenv("XCLUSTER");
	bench_warn_if_busy();
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		row->run(&bench);
		exit(0);
	}
	well = ends_well(pid);
	if (!well) {
		printf("broken\t%s\n", row->name);
		fflush(stdout);
		if (system("\"${XCLUSTER_COMMAND:-xcluster}\" stop --all >/dev/null 2>&1") != 0)
			fprintf(stderr, "bench: `xcluster stop --all` failed\n");
	}
	nftw(bench.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return !well;
}

int main(int argc, char **argv)
{
	bool quick = false;
	int broken = 0;
	int first = 1;

	if (argc > 1 && strcmp(argv[1], "--quick") == 0) {
		quick = true;
		first = 2;
	}
	if (first == argc) {
		fprintf(stderr, "usage: bench [--quick] ROW...\nrows:");
		for (int i = 0; i < ROWS; i++)
			fprintf(stderr, " %s", rows[i].name);
		fprintf(stderr, "\n");
		return 2;
	}
	for (int i = first; i < argc; i++) {
		const struct row *row = row_find(argv[i]);

		if (!row) {
			fprintf(stderr, "bench: no row is named %s\n", argv[i]);
			return 2;
		}
		broken |= run_row(row, quick);
	}
	return broken;
}
