/* single.c: rows rtt and single_rate: tasks one by one, against libzmq alone. */
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/raw_zmq.h"

static int increment(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(uint64_t *)out = *(const uint64_t *)in + 1;
	return 0;
}

static double time_raw_roundtrips(struct raw *raw, int64_t n)
{
	double begin = bench_now();

	for (int64_t i = 0; i < n; i++)
		raw_roundtrip(raw, (uint64_t)i);
	return (bench_now() - begin) / (double)n;
}

static double time_roundtrips(struct xc_client *client, int64_t n)
{
	const struct xc_view *view = xc_balanced(client);
	struct xc_error err = XC_ERROR_INIT;
	double begin = bench_now();

	for (uint64_t i = 0; i < (uint64_t)n; i++) {
		uint64_t out = 0;

		if (xc_apply(view, increment, &i, sizeof(i), &out, sizeof(out), NULL, &err) < 0)
			bench_die("%s", err.text);
		if (out != i + 1)
			bench_die("rtt: a wrong result");
	}
	return (bench_now() - begin) / (double)n;
}

void row_rtt(struct bench *bench)
{
	int rounds = (int)bench_pick(bench, 7, 41);
	int64_t n = 1000;
	double raws[BENCH_MAX_ROUNDS];
	double ours[BENCH_MAX_ROUNDS];
	double value, baseline;
	struct raw raw;

	raw_start(&raw, bench->dir, RAW_FORWARDER, 1);
	bench_open(bench, 1);
	raw_connect(&raw);
	time_roundtrips(bench->client, n / 10);
	for (int i = 0; i < rounds; i++) {
		raws[i] = 1e6 * time_raw_roundtrips(&raw, n);
		ours[i] = 1e6 * time_roundtrips(bench->client, n);
	}
	value = bench_median(ours, rounds);
	baseline = bench_median(raws, rounds);
	bench_report("rtt", value, baseline, value / baseline);
	raw_stop(&raw);
	bench_close(bench);
}

struct stream {
	struct xc_result **results; /* a ring of `window` */
	uint64_t *out;
	int64_t window;
};

static void stream_finish(struct stream *stream, int64_t i)
{
	struct xc_error err = XC_ERROR_INIT;

	if (xc_wait(stream->results[i % stream->window], -1, &err) < 0)
		bench_die("%s", err.text);
	if (stream->out[i % stream->window] != (uint64_t)i + 1)
		bench_die("single_rate: task %lld has a wrong result", (long long)i);
	xc_result_destroy(stream->results[i % stream->window]);
}

static double stream_rate(struct stream *stream, struct xc_client *client, int64_t n)
{
	const struct xc_view *view = xc_balanced(client);
	struct xc_error err = XC_ERROR_INIT;
	double begin = bench_now();

	for (int64_t i = 0; i < n + stream->window; i++) {
		int64_t slot = i % stream->window;

		if (i >= stream->window)
			stream_finish(stream, i - stream->window);
		if (i >= n)
			continue;
		stream->results[slot] =
			xc_apply_async(view, increment, &i, sizeof(i), &stream->out[slot],
				       sizeof(stream->out[0]), NULL, &err);
		if (!stream->results[slot])
			bench_die("%s", err.text);
	}
	return (double)n / (bench_now() - begin);
}

static double raw_rate(struct raw *raw, int64_t n, int64_t window)
{
	double begin = bench_now();

	raw_stream(raw, n, window);
	return (double)n / (bench_now() - begin);
}

void row_single_rate(struct bench *bench)
{
	int rounds = (int)bench_pick(bench, 3, 9);
	int64_t n = bench_pick(bench, 50000, 200000);
	struct stream stream = { .window = 20000 };
	double raws[BENCH_MAX_ROUNDS];
	double ours[BENCH_MAX_ROUNDS];
	double value, baseline;
	struct raw raw;

	stream.results = calloc((size_t)stream.window, sizeof(*stream.results));
	stream.out = calloc((size_t)stream.window, sizeof(*stream.out));
	if (!stream.results || !stream.out)
		bench_die("single_rate: no memory");
	raw_start(&raw, bench->dir, RAW_PROXY, 2);
	bench_open(bench, 2);
	raw_connect(&raw);
	stream_rate(&stream, bench->client, stream.window);
	for (int i = 0; i < rounds; i++) {
		raws[i] = raw_rate(&raw, n, stream.window);
		ours[i] = stream_rate(&stream, bench->client, n);
	}
	value = bench_median(ours, rounds);
	baseline = bench_median(raws, rounds);
	bench_report("single_rate", value, baseline, value / baseline);
	raw_stop(&raw);
	bench_close(bench);
	free(stream.results);
	free(stream.out);
}
