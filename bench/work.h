/* Busy work of a fixed number of instructions, for tasks and baselines alike. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <stdint.h>

/* A chain of `steps` dependent multiply-adds; the result depends on all. */
uint64_t work_spin(uint64_t seed, int64_t steps);

/* Steps that take one second on an idle core here: best of several tries. */
double work_steps_per_second(void);

#endif
