/* cost.c: what a task costs each process of a cluster: messages, wake-ups, system
 * calls, allocations. Run by cost.sh, which preloads libbenchcount.so. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/count.h"

enum process { CLIENT, CONTROLLER, AGENT, ENGINE, PROCESSES };
enum { WAKE_UPS = COUNTS, SYSTEM_CALLS, FIGURES };

static const char *const process_names[] = { "client", "controller", "agent", "engine" };
static const char *const figure_names[] = {
	"messages sent",	 "parts of them", "allocations",
	"allocations of libzmq", "wake-ups",	  "system calls"
};

struct figures {
	double of[PROCESSES][FIGURES];
};

static struct tally *tallies;
static pid_t pids[PROCESSES];

static int increment(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(int64_t *)out = *(const int64_t *)in + 1;
	return 0;
}

/* ---- The three ways to submit --------------------------------------------------- */

static void run_alone(struct xc_client *client, int64_t n)
{
	struct xc_error err = XC_ERROR_INIT;
	int64_t out;

	for (int64_t i = 0; i < n; i++)
		if (xc_apply(xc_balanced(client), increment, &i, sizeof i, &out, sizeof out, NULL,
			     &err) < 0)
			bench_die("%s", err.text);
}

static void run_in_flight(struct xc_client *client, int64_t n)
{
	struct xc_result **results = calloc((size_t)n, sizeof(struct xc_result *));
	int64_t *out = calloc((size_t)n, sizeof(int64_t));
	struct xc_error err = XC_ERROR_INIT;

	if (!results || !out)
		bench_die("no memory for %lld results", (long long)n);
	for (int64_t i = 0; i < n; i++) {
		results[i] = xc_apply_async(xc_balanced(client), increment, &i, sizeof i, &out[i],
					    sizeof out[i], NULL, &err);
		if (!results[i])
			bench_die("%s", err.text);
	}
	for (int64_t i = 0; i < n; i++) {
		if (xc_wait(results[i], -1, &err) < 0)
			bench_die("%s", err.text);
		xc_result_destroy(results[i]);
	}
	free(results);
	free(out);
}

static void run_map(struct xc_client *client, int64_t n)
{
	struct xc_error err = XC_ERROR_INIT;
	int64_t *out = calloc((size_t)n, sizeof(int64_t));

	if (!out || xc_map_range(xc_balanced(client), increment, n, out, sizeof *out, NULL, &err))
		bench_die("%s", out ? err.text : "no memory");
	free(out);
}

static const struct way {
	const char *name;
	void (*run)(struct xc_client *client, int64_t n);
	int64_t tasks;
} ways[] = {
	{ "alone: xc_apply, one after the other", run_alone, 2000 },
	{ "in flight: xc_apply_async, then waited for", run_in_flight, 100000 },
	{ "item of a map: xc_map_range", run_map, 10000000 },
};

/* ---- Reading what was counted ----------------------------------------------------- */

static double wake_ups(pid_t pid)
{
	char pattern[64], line[128];
	long long total = 0, n;
	glob_t found;

	snprintf(pattern, sizeof pattern, "/proc/%d/task/*/status", (int)pid);
	if (glob(pattern, 0, NULL, &found) != 0)
		bench_die("no file %s", pattern);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *file = fopen(found.gl_pathv[i], "re");

		while (file && fgets(line, sizeof line, file))
			if (sscanf(line, "voluntary_ctxt_switches: %lld", &n) == 1)
				total += n;
		if (file)
			fclose(file);
	}
	globfree(&found);
	return (double)total;
}

static void look(struct figures *now)
{
	memset(now, 0, sizeof *now);
	for (int p = 0; p < PROCESSES; p++) {
		for (int i = 0; i < TALLIES; i++)
			for (int c = 0; tallies[i].pid == pids[p] && c < COUNTS; c++)
				now->of[p][c] = (double)tallies[i].counts[c];
		now->of[p][WAKE_UPS] = wake_ups(pids[p]);
	}
}

/* strace of a process; the file has its counts once it has ended. */
static pid_t trace(const struct bench *bench, enum process p, char *file, size_t size)
{
	char target[32], line[256];
	int pipes[2];
	pid_t pid;

	snprintf(file, size, "%s/strace-%d", bench->dir, (int)p);
	snprintf(target, sizeof target, "%d", (int)pids[p]);
	if (pipe(pipes) < 0)
		bench_die("pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[0]);
		unsetenv("LD_PRELOAD");
		execlp("strace", "strace", "-f", "-c", "-o", file, "-p", target, NULL);
		_exit(127);
	}
	close(pipes[1]);
	/* "Process N attached": until then nothing is counted. */
	if (pid < 0 || read(pipes[0], line, sizeof line) <= 0)
		bench_die("strace of process %s: %s", target, strerror(errno));
	close(pipes[0]);
	return pid;
}

static double traced_calls(const char *file)
{
	FILE *stream = fopen(file, "re");
	double calls = -1, share, seconds, each;
	char line[256];

	/* The last line: % time, seconds, usecs/call, calls, errors, "total". */
	while (stream && fgets(line, sizeof line, stream))
		if (strstr(line, " total") &&
		    sscanf(line, "%lf %lf %lf %lf", &share, &seconds, &each, &calls) < 4)
			calls = -1;
	if (stream)
		fclose(stream);
	if (calls < 0)
		bench_die("%s has no counts of system calls", file);
	return calls;
}

/* In a second run, as strace would disturb the other figures. */
static void count_calls(struct bench *bench, const struct way *way, int64_t n,
			struct figures *figures)
{
	for (int p = 0; p < PROCESSES; p++) {
		char file[128];
		pid_t tracer = trace(bench, (enum process)p, file, sizeof file);

		way->run(bench->client, n);
		kill(tracer, SIGINT);
		waitpid(tracer, NULL, 0);
		figures->of[p][SYSTEM_CALLS] = traced_calls(file);
	}
}

static void measure(struct bench *bench, const struct way *way)
{
	int64_t n = bench_pick(bench, way->tasks / 10, way->tasks);
	struct figures before, after, calls = { 0 };

	way->run(bench->client, n);
	look(&before);
	way->run(bench->client, n);
	look(&after);
	count_calls(bench, way, n, &calls);
	printf("\n%s (%lld tasks)\n\n", way->name, (long long)n);
	printf("| a task |");
	for (int p = 0; p < PROCESSES; p++)
		printf(" %s |", process_names[p]);
	printf("\n|---|---|---|---|---|\n");
	for (int f = 0; f < FIGURES; f++) {
		printf("| %s |", figure_names[f]);
		for (int p = 0; p < PROCESSES; p++) {
			double value = f == SYSTEM_CALLS ? calls.of[p][f]
							 : after.of[p][f] - before.of[p][f];

			printf(" %.3g |", value / (double)n);
		}
		printf("\n");
	}
	fflush(stdout);
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[128];
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	if (file)
		fclose(file);
	return parent;
}

static void open_tallies(void)
{
	const char *path = getenv("BENCH_COUNT_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		bench_die("BENCH_COUNT_FILE names no file: run bench/cost.sh");
	tallies = mmap(NULL, TALLIES * sizeof *tallies, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (tallies == MAP_FAILED)
		bench_die("%s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
	struct bench bench = { .quick = argc > 1 && strcmp(argv[1], "--quick") == 0 };
	const char *dir = getenv("XCLUSTER_DIR");

	if (!dir)
		bench_die("XCLUSTER_DIR is not set: run bench/cost.sh");
	snprintf(bench.dir, sizeof bench.dir, "%s", dir);
	open_tallies();
	bench_open(&bench, 1);
	pids[CLIENT] = getpid();
	pids[CONTROLLER] = bench_controller(&bench);
	if (bench_engines(&bench, &pids[ENGINE], 1) != 1)
		bench_die("there is not one engine");
	pids[AGENT] = parent_of(pids[ENGINE]);
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		measure(&bench, &ways[i]);
	bench_close(&bench);
	return 0;
}
