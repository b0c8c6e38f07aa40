/* memory.h: what the parts of the test of calls without memory share. */
#ifndef TESTS_FAULT_MEMORY_H
#define TESTS_FAULT_MEMORY_H

#include <stdbool.h>

#include "xcluster.h"

#define ENGINES 2
#define ITEMS	20

/* A call, and what it may return beside 0 and -ENOMEM (0: nothing). */
struct scenario {
	const char *name;
	int (*run)(struct xc_error *err);
	int other;
};

/* Of the cluster of ENGINES, or more, that each test has. */
extern struct xc_client *client;

/* memory_jobs.c: jobs by id, and orders for engines */
extern const struct scenario job_scenarios[];
extern const int job_scenario_count;
/* memory_matrix.c: distributed matrices */
extern const struct scenario matrix_scenarios[];
extern const int matrix_scenario_count;
/* memory_code.c: output, libraries and sources */
extern const struct scenario code_scenarios[];
extern const int code_scenario_count;

/* memory_inline.c: no cluster at all */
extern const struct scenario inline_scenarios[];
extern const int inline_scenario_count;

int square(struct xc_task *task, const void *in, void *out);
/* Ends when it is cancelled. */
int nap(struct xc_task *task, const void *in, void *out);
void check_squares(const int64_t *out);
/* Waits as a patient program does: what memory was missing for is not lost. */
int wait_patiently(struct xc_result *result, struct xc_error *err);
/* memory_jobs.c: a sum of squares by the id of its job: of others, or once more. */
int reduce_by_id(struct xc_client *of, bool again, struct xc_error *err);

#endif
