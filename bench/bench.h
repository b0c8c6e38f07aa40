/* What the rows of the bench share: clock, medians, a cluster of their own, and
 * the words in which they report. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "xcluster.h"

enum { BENCH_MAX_ROUNDS = 64, BENCH_MAX_ENGINES = 256 };

struct bench {
	bool quick;   /* fewer and smaller rounds */
	char dir[64]; /* a temporary directory of this process */
	struct xc_cluster *cluster;
	struct xc_client *client;
};

/* Ends the program with a line on stderr: something broke, or a result is
 * wrong. A private cluster ends with the program. */
_Noreturn void bench_die(const char *format, ...) XC_PRINTF(1, 2);

/* Prints a line of explanation that belongs to the row being measured. */
void bench_note(const char *format, ...) XC_PRINTF(1, 2);

/* Prints a row: `ratio` is what the row's bar speaks of. */
void bench_report(const char *name, double value, double baseline, double ratio);
/* The same for a row whose bar is an absolute figure: value / limit. */
void bench_report_limit(const char *name, double value, double limit);

/* `quick` rounds or sizes if asked for, else `full`. */
int64_t bench_pick(const struct bench *bench, int64_t quick, int64_t full);

double bench_now(void);
double bench_median(const double *values, int n);

/* Looks for 0.3 s at what else runs here, and says so if it is much. */
void bench_warn_if_busy(void);

/* Starts a cluster of n engines and opens a client of it; and ends both. */
void bench_open(struct bench *bench, int n);
void bench_close(struct bench *bench);

/* Processes of the cluster that bench_open has started. */
pid_t bench_controller(const struct bench *bench);
int bench_engines(const struct bench *bench, pid_t *pids, int max);

/* A line of /proc/PID/FILE that starts with `key`, in bytes (the file has kB). */
int64_t bench_memory(pid_t pid, const char *file, const char *key);

/* The rows, one or several a function. */
void row_start_4(struct bench *bench);
void row_start_64(struct bench *bench);
void row_rtt(struct bench *bench);
void row_single_rate(struct bench *bench);
void row_map_10m(struct bench *bench);
void row_omp_10us(struct bench *bench);
void row_uneven(struct bench *bench);
void row_push_1g(struct bench *bench);
void row_rss_engine(struct bench *bench);
void row_rss_controller(struct bench *bench);
void row_bytes_per_task(struct bench *bench);
void row_crash_requeue(struct bench *bench);
void row_seeds(struct bench *bench);
void row_gemm_2x1(struct bench *bench);
void row_gemm_2x2(struct bench *bench);
void row_reduce(struct bench *bench);
/* The xcluster side of `run.sh --peers`. */
void row_peer_map(struct bench *bench);

#endif
