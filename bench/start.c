/* start.c: rows start_4 and start_64: `xcluster start -n N` until it returns. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bench/bench.h"

extern char **environ;

static void run_command(char *const argv[])
{
	const char *command = getenv("XCLUSTER_COMMAND");
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(&pid, command ? command : "xcluster", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		bench_die("%s: %s", command ? command : "xcluster", strerror(r));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			bench_die("waitpid: %s", strerror(errno));
	if (status != 0)
		bench_die("`xcluster %s` ended with status %#x", argv[1], status);
}

static int no_operation(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	return 0;
}

/* `start` has promised that n engines can run a task: hold it to that. */
static void check_engines(int n)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client;

	if (xc_open(&client, NULL, &err) < 0)
		bench_die("%s", err.text);
	if (xc_engine_count(client) != n)
		bench_die("start -n %d returned with %d engines", n, xc_engine_count(client));
	if (xc_apply(xc_all(client), no_operation, NULL, 0, NULL, 0, NULL, &err) < 0)
		bench_die("%s", err.text);
	xc_close(client);
}

static void measure_start(const char *name, int n, int rounds, double limit)
{
	char count[16];
	char *start[] = { "xcluster", "start", "-n", count, NULL };
	char *stop[] = { "xcluster", "stop", NULL };
	double starts[BENCH_MAX_ROUNDS];
	double stops[BENCH_MAX_ROUNDS];

	snprintf(count, sizeof(count), "%d", n);
	for (int i = 0; i < rounds; i++) {
		double begin = bench_now();

		run_command(start);
		starts[i] = bench_now() - begin;
		check_engines(n);
		begin = bench_now();
		run_command(stop);
		stops[i] = bench_now() - begin;
	}
	bench_report_limit(name, bench_median(starts, rounds), limit);
	bench_note("stop of %d engines: %.3f s", n, bench_median(stops, rounds));
}

void row_start_4(struct bench *bench)
{
	measure_start("start_4", 4, (int)bench_pick(bench, 3, 9), 0.25);
}

void row_start_64(struct bench *bench)
{
	measure_start("start_64", 64, (int)bench_pick(bench, 1, 5), 1.5);
}
