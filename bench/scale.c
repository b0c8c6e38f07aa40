/* scale.c: what a cluster of many engines costs: joining, idle, a task, a map. A client of
 * a running cluster that prints lines of a table; run by scale.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

static int increment(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(int64_t *)out = *(const int64_t *)in + 1;
	return 0;
}

/* Seconds that the process has had of a processor. */
static double processor_time(pid_t pid)
{
	unsigned long long user = 0, kernel = 0;
	char path[64], line[1024];
	const char *at = NULL;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file && fgets(line, sizeof line, file))
		at = strrchr(line, ')');
	if (file)
		fclose(file);
	if (!at || sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
			  &kernel) != 2)
		bench_die("%s cannot be read", path);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static double roundtrip_us(struct xc_client *client)
{
	enum { ROUNDS = 5, TASKS = 200 };
	struct xc_error err = XC_ERROR_INIT;
	double rounds[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		double begin = bench_now();

		for (int64_t i = 0; i < TASKS; i++) {
			int64_t out = 0;

			if (xc_apply(xc_balanced(client), increment, &i, sizeof i, &out, sizeof out,
				     NULL, &err) < 0)
				bench_die("%s", err.text);
			if (out != i + 1)
				bench_die("a wrong result");
		}
		rounds[round] = 1e6 * (bench_now() - begin) / TASKS;
	}
	return bench_median(rounds, ROUNDS);
}

static void check(const int64_t *out, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (out[i] != i + 1)
			bench_die("item %lld has a wrong result", (long long)i);
}

/* Items of a map; with `chunk` 1 each is a slice, two messages, of its own. */
static double map_rate(struct xc_client *client, int64_t n, int64_t chunk)
{
	enum { ROUNDS = 3 };
	struct xc_map_options options = XC_MAP_OPTIONS_INIT;
	struct xc_error err = XC_ERROR_INIT;
	double rounds[ROUNDS];
	int64_t *out = calloc((size_t)n, sizeof *out);

	if (!out)
		bench_die("no memory for %lld results", (long long)n);
	options.chunk = chunk;
	for (int round = 0; round < ROUNDS; round++) {
		double begin = bench_now();

		memset(out, 0, (size_t)n * sizeof *out);
		if (xc_map_range(xc_balanced(client), increment, n, out, sizeof *out, &options,
				 &err) < 0)
			bench_die("%s", err.text);
		rounds[round] = (double)n / (bench_now() - begin);
		check(out, n);
	}
	free(out);
	return bench_median(rounds, ROUNDS);
}

enum { BULK_BYTES = 1 << 20, BULK_ITEMS = 64 };

static int copy(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	memcpy(out, in, BULK_BYTES);
	return 0;
}

/* MB/s of input and output together. */
static double bulk_rate(struct xc_client *client)
{
	enum { ROUNDS = 5 };
	size_t size = (size_t)BULK_BYTES * BULK_ITEMS;
	struct xc_error err = XC_ERROR_INIT;
	char *in = malloc(size), *out = malloc(size);
	double rounds[ROUNDS];

	if (!in || !out)
		bench_die("no memory for %zu bytes", 2 * size);
	for (int round = 0; round < ROUNDS; round++) {
		double begin;

		for (size_t i = 0; i < size; i++)
			in[i] = (char)(i * 31 + (size_t)round);
		memset(out, 0, size);
		begin = bench_now();
		if (xc_map(xc_balanced(client), copy, in, BULK_BYTES, BULK_ITEMS, out, BULK_BYTES,
			   NULL, &err) < 0)
			bench_die("%s", err.text);
		rounds[round] = 2 * (double)size / 1e6 / (bench_now() - begin);
		if (memcmp(in, out, size) != 0)
			bench_die("bulk: wrong bytes");
	}
	free(in);
	free(out);
	return bench_median(rounds, ROUNDS);
}

static double seconds_since(const char *begin_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - atoll(begin_ns)) / 1e9;
}

static void do_joined(struct xc_client *client, int n, char **argv)
{
	(void)client;
	printf("joined\t%d\t%.3f\n", n, seconds_since(argv[4]));
}

static void do_idle(struct xc_client *client, int n, char **argv)
{
	const struct timespec span = { .tv_sec = 5 };
	pid_t pid = atoi(argv[4]);
	double before = processor_time(pid);

	(void)client;
	nanosleep(&span, NULL);
	printf("idle\t%d\t%.1f\t%.2f\n", n, (double)bench_memory(pid, "status", "VmRSS") / 1e6,
	       100 * (processor_time(pid) - before) / (double)span.tv_sec);
}

/* One task on every engine, in ms. The first brings the program to each. */
static double all_ms(struct xc_client *client, int n)
{
	enum { ROUNDS = 5 };
	struct xc_error err = XC_ERROR_INIT;
	int64_t *out = calloc((size_t)n, sizeof *out), in = 41;
	double rounds[ROUNDS];

	if (!out)
		bench_die("no memory for %d results", n);
	for (int round = -1; round < ROUNDS; round++) {
		double begin = bench_now();

		if (xc_apply(xc_all(client), increment, &in, sizeof in, out, sizeof *out, NULL,
			     &err) < 0)
			bench_die("%s", err.text);
		if (round >= 0)
			rounds[round] = 1e3 * (bench_now() - begin);
		for (int i = 0; i < n; i++)
			if (out[i] != in + 1)
				bench_die("engine %d has a wrong result", i);
	}
	free(out);
	return bench_median(rounds, ROUNDS);
}

static void do_cost(struct xc_client *client, int n, char **argv)
{
	enum { SINGLES = 100000, ITEMS = 1000000 };
	pid_t pid = atoi(argv[4]);
	double all = all_ms(client, n), roundtrip, single, map, before, each;

	roundtrip = roundtrip_us(client);
	before = processor_time(pid);
	single = map_rate(client, SINGLES, 1);
	each = 1e6 * (processor_time(pid) - before) / (3.0 * SINGLES);
	map = map_rate(client, ITEMS, 0);
	printf("cost\t%d\t%.0f\t%.0f\t%.1f\t%.3f\t%.1f\n", n, roundtrip, single, each, ITEMS / map,
	       all);
}

static void do_link(struct xc_client *client, int n, char **argv)
{
	(void)n;
	printf("link\t%s\t%.0f\t%.0f\t%.0f\n", argv[4], roundtrip_us(client),
	       map_rate(client, 30000, 1), bulk_rate(client));
}

static const struct {
	const char *name;
	void (*run)(struct xc_client *client, int n, char **argv);
} modes[] = {
	{ "joined", do_joined }, /* BEGIN: nanoseconds of the clock */
	{ "idle", do_idle },	 /* PID of the controller */
	{ "cost", do_cost },	 /* the same */
	{ "link", do_link },	 /* its name */
};

int main(int argc, char **argv)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client;
	int n;

	if (argc != 5)
		bench_die("usage: scale joined|idle|cost|link CONNECTION N TEXT");
	n = atoi(argv[3]);
	if (xc_open(&client, argv[2], &err) < 0 || xc_wait_for_engines(client, n, 120, &err) < 0)
		bench_die("%s", err.text);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (strcmp(modes[i].name, argv[1]) == 0)
			modes[i].run(client, n, argv);
	fflush(stdout);
	xc_close(client);
	return 0;
}
