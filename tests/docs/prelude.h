/* prelude.h: what `c body` blocks of the documents take for given. Declared, not
 * defined: they are compiled, and not linked. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xcluster.h>

#define ROWS	442
#define COLUMNS 10
#define N	1000

struct job {
	int rows;
	double alpha;
};

/* Of a program. */
extern struct xc_client *client;
extern struct xc_cluster *cluster;
extern const struct xc_view *view, *one, *some;
extern struct xc_result *result;
extern struct xc_error err;
extern struct xc_map_options options;
extern struct xc_stream_options stream;
extern xc_task_fn fit, f;
extern xc_next_fn next_line;
extern xc_give_fn print_line;

extern double X[ROWS * COLUMNS], y[ROWS], out[N], value;
extern struct job jobs[N];
extern struct xc_bytes lines[N];
extern struct xc_array array, arrays[64];
extern struct xc_job_query query;
extern struct xc_job_info *list;
extern struct xc_queue queues[64];
extern int64_t unassigned;
extern struct xc_reduction how;
extern struct xc_matrix *matrix, *product;
extern struct xc_moments moments;
extern struct xc_extreme most;
extern struct xc_rng *rng;
extern struct xc_rng_state state;
extern struct xc_seedseq *seq;
extern char id[XC_JOB_ID_SIZE];
extern int count;
extern int r, i, n, ids[64];
extern int64_t item, counts[64];
extern size_t size;
extern char text[1000], *json;

/* Of a task. */
extern struct xc_task *task;
extern const void *in;
