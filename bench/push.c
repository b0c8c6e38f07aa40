/* push.c: row push_1g: an array to all engines of a host, against a memcpy into tmpfs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/bench.h"

enum { ENGINES = 4, PAGE = 4096 };

static double time_memcpy(const void *data, size_t size)
{
	char path[] = "/dev/shm/xcbench-XXXXXX";
	int fd = mkstemp(path);
	double begin, wall;
	void *copy;

	if (fd < 0)
		bench_die("push_1g: %s: %s", path, strerror(errno));
	unlink(path);
	begin = bench_now();
	if (ftruncate(fd, (off_t)size) < 0)
		bench_die("push_1g: ftruncate: %s", strerror(errno));
	copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (copy == MAP_FAILED)
		bench_die("push_1g: mmap: %s", strerror(errno));
	memcpy(copy, data, size);
	wall = bench_now() - begin;
	munmap(copy, size);
	close(fd);
	return wall;
}

static uint64_t sum_of_pages(const uint64_t *data, int64_t n)
{
	uint64_t sum = data[n - 1];

	for (int64_t i = 0; i < n; i += PAGE / (int64_t)sizeof(*data))
		sum = 31 * sum + data[i];
	return sum;
}

static int sum_task(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *big = xc_task_array(task, "big");

	(void)in;
	if (!big)
		return XC_TASK_FAILED;
	*(uint64_t *)out = sum_of_pages(big->data, xc_array_count(big));
	return 0;
}

static double time_push(struct xc_client *client, const struct xc_array *array)
{
	struct xc_error err = XC_ERROR_INIT;
	uint64_t expected = sum_of_pages(array->data, xc_array_count(array));
	uint64_t sums[ENGINES];
	double begin = bench_now();
	double wall;

	if (xc_push(xc_all(client), "big", array, &err) < 0)
		bench_die("%s", err.text);
	wall = bench_now() - begin;
	if (xc_apply(xc_all(client), sum_task, NULL, 0, sums, sizeof(sums[0]), NULL, &err) < 0)
		bench_die("%s", err.text);
	for (int i = 0; i < ENGINES; i++)
		if (sums[i] != expected)
			bench_die("push_1g: engine %d of the view reads something else", i);
	return wall;
}

static int64_t shared_memory(void)
{
	char line[128];
	long long kilobytes = 0;
	FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Shmem: %lld", &kilobytes) == 1)
			break;
	if (file)
		fclose(file);
	return 1024 * (int64_t)kilobytes;
}

void row_push_1g(struct bench *bench)
{
	int rounds = (int)bench_pick(bench, 3, 5);
	int64_t n = (int64_t)1 << 27;
	size_t size = (size_t)n * sizeof(uint64_t);
	uint64_t *data = malloc(size);
	struct xc_error err = XC_ERROR_INIT;
	double copies[BENCH_MAX_ROUNDS];
	double pushes[BENCH_MAX_ROUNDS];
	double ratios[BENCH_MAX_ROUNDS];
	int64_t before, held = INT64_MAX;

	if (!data)
		bench_die("push_1g: no memory for 1 GiB");
	for (int64_t i = 0; i < n; i++)
		data[i] = (uint64_t)i * 0x9e3779b97f4a7c15u;
	bench_open(bench, ENGINES);
	before = shared_memory();
	time_memcpy(data, size);
	for (int i = 0; i < rounds; i++) {
		copies[i] = time_memcpy(data, size);
		pushes[i] = time_push(bench->client, XC_ARRAY_U64(data, n));
		ratios[i] = pushes[i] / copies[i];
		/* The least: other programs of this machine may add to it. */
		if (shared_memory() - before < held)
			held = shared_memory() - before;
		if (xc_clear(xc_all(bench->client), "big", &err) < 0)
			bench_die("%s", err.text);
	}
	bench_report("push_1g", bench_median(pushes, rounds), bench_median(copies, rounds),
		     bench_median(ratios, rounds));
	bench_note("shared memory of the machine grew by %.2f GiB with the array on %d engines",
		   (double)held / (double)(1 << 30), ENGINES);
	bench_close(bench);
	free(data);
}
