/* fuzz_task.c: any bytes as a task frame, as runs of failures, and as an array. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/streams.h"
#include "proto/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the frame says of streams, an item gets a generator. */
static void seed_items(const struct task_frame *task)
{
	static const int64_t items[] = { 0, 1, INT64_MAX, 5 };
	struct streams streams = { .is_ready = false };
	struct xc_rng rng;

	for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
		streams_seed(&streams, task, items[i], &rng);
		rng_next64(&rng);
	}
}

static void read_task(const uint8_t *data, size_t size)
{
	unsigned char packed[2 * TASK_FRAME_MAX];
	struct task_frame task, again;
	size_t n;

	if (task_frame_parse(&task, data, size) < 0)
		return;
	if (task.in_size > UINT64_C(1) << 40 || task.out_size > UINT64_C(1) << 40)
		abort();
	if (task.streams != STREAMS_NONE)
		seed_items(&task);
	n = task_frame_pack(packed, sizeof packed, &task);
	if (n && (task_frame_parse(&again, packed, n) < 0 || again.start != task.start ||
		  again.name.size != task.name.size))
		abort();
}

static void read_runs(const uint8_t *data, size_t size)
{
	struct failure_run run;
	struct reader r;

	reader_init(&r, data, size);
	while (failure_run_next(&r, &run) > 0)
		if (run.first < 0 || run.count < 1 || run.first + run.count < run.first ||
		    (run.state > XC_LOST && run.state != FAILURE_RETRY && !run_is_output(&run)) ||
		    (run_is_output(&run) && (run.count != 1 || run.code < 0)) ||
		    run.text.size > size)
			abort();
}

static void read_array(const uint8_t *data, size_t size)
{
	unsigned char header[ARRAY_HEADER_SIZE];
	struct array_frame array, again;
	int64_t bytes;
	int sum = 0;

	if (array_frame_parse(&array, data, size) < 0)
		return;
	bytes = xc_array_size(&array.array);
	if (bytes < 0 || (array.array.data != NULL) == array.is_object)
		abort();
	for (int64_t i = 0; array.array.data && i < bytes; i++)
		sum += ((const uint8_t *)array.array.data)[i];
	if (sum < 0)
		abort();
	array_header_write(header, &array.array, array.object);
	if (array_frame_parse(&again, header, sizeof header) < 0 ||
	    xc_array_size(&again.array) != bytes)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_task(data, size);
	read_runs(data, size);
	read_array(data, size);
	return 0;
}
