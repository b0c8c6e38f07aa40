/* arguments.h: the parts of the test of every wrong argument. Each tries its rows
 * (rows.h) with a client of a cluster of two engines. */
#ifndef TESTS_FAULT_ARGUMENTS_H
#define TESTS_FAULT_ARGUMENTS_H

#include "xcluster.h"

/* arguments_data.c: variables, libraries and sources */
void try_data(struct xc_client *client);
void try_data_lost(struct xc_client *client);
/* arguments_distributions.c: further draws of random numbers */
void try_distributions(void);
/* arguments_jobs.c: results, jobs by id, orders for engines */
void try_jobs(struct xc_client *client);
void try_jobs_lost(struct xc_client *client);
/* arguments_blas.c: linear algebra */
void try_blas(struct xc_client *client);
/* arguments_random.c: random numbers, without a client */
void try_random(void);

/* arguments_matrix.c: distributed matrices */
void try_matrices(struct xc_client *client);
void try_matrices_lost(struct xc_client *client);

/* arguments_reduce.c: maps whose results become one */
void try_reduce(struct xc_client *client);

/* A task that does nothing. */
int idle_task(struct xc_task *task, const void *in, void *out);

#endif
