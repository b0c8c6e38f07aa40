/* work.c: busy work of a fixed number of instructions. Also built as a shared
 * library for the peers, which call it through their own means. */
#include <time.h>

#include "bench/work.h"

uint64_t work_spin(uint64_t seed, int64_t steps)
{
	uint64_t x = seed;

	for (int64_t i = 0; i < steps; i++)
		x = x * 6364136223846793005u + 1442695040888963407u;
	return x;
}

double work_steps_per_second(void)
{
	const int64_t steps = 1000000;
	volatile uint64_t sink = 1;
	double best = 1e9;

	for (int i = 0; i < 100; i++) {
		struct timespec a, b;
		double seconds;

		clock_gettime(CLOCK_MONOTONIC, &a);
		sink = work_spin(sink, steps);
		clock_gettime(CLOCK_MONOTONIC, &b);
		seconds = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
		best = seconds < best ? seconds : best;
	}
	return (double)steps / best;
}
