/* threads.h: how many threads the numeric libraries of this process may use. */
#ifndef LIBCLUSTER_THREADS_H
#define LIBCLUSTER_THREADS_H

#define THREADS_MAX 65536

/* host, engines, threads of each, of all, cores */
#define THREADS_TOO_MANY                                                                           \
	"%s: its engines may use more threads than there are cores: %lld x %s, which is %lld, "    \
	"for "                                                                                     \
	"%llu; see `xcluster threads` and --threads-per-engine"

/* Environment variables that libraries ask for it when they are loaded. */
#define THREAD_VARIABLES(X)                                                                        \
	X("OMP_NUM_THREADS")                                                                       \
	X("OPENBLAS_NUM_THREADS")                                                                  \
	X("MKL_NUM_THREADS")                                                                       \
	X("BLIS_NUM_THREADS")
extern const char *const thread_variables[];
extern const int thread_variable_count;

/* What such a variable asks for ("4", or "4,2" for nested regions); 0: nothing valid. */
int threads_of_text(const char *text);

/* The most that the environment allows any library; 0 when it says nothing. */
int threads_of_environment(void);

/* From now on, of this process: the libraries that are loaded are told, and the environment
 * for those to come. 0 or -ENOMEM. */
int threads_apply(int threads);

#endif
