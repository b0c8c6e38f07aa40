/* support.h: what the integration tests stand on: a cluster directory of their
 * own, commands with a time limit, waits for events, and the certainty that
 * nothing is left behind. All of it fails the running test by itself. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "xcluster.h"

/* No command and no wait of a test may take longer; the tests that expect
 * haste say so themselves. */
#define LIMIT 40.0

/* Runs the suite in a directory of its own, removes what is left, returns the
 * exit code for main. */
int run_tests(Suite *suite);

/* A test case whose tests have a time limit and share the clusters that they
 * start; the two tests that stand first and last in most cases: `xcluster
 * start -n ENGINES`, and `xcluster stop` that leaves nothing. */
TCase *shared_case(Suite *suite, const char *name);
void add_cluster_start(TCase *tests, int engines);
void add_cluster_stop(TCase *tests);

/* A test case each of whose tests begins with an empty cluster directory. */
TCase *separate_case(Suite *suite, const char *name);

/* ---- Places ------------------------------------------------------------ */

/* A directory for files of the test, here and on the engines. */
const char *test_dir(void);
/* "DIR/NAME" of the formatted name, in one of a few static buffers. */
const char *test_path(const char *format, ...) XC_PRINTF(1, 2);
/* The same below XCLUSTER_DIR. */
const char *cluster_path(const char *format, ...) XC_PRINTF(1, 2);
/* The xcluster command under test. */
const char *xcluster_command(void);

void write_file(const char *path, const void *data, size_t size);
/* The file's text, to be given to free(); NULL when there is none. */
char *read_file(const char *path);

/* ---- Commands ---------------------------------------------------------- */

struct output {
	int status; /* exit code, or 128 + signal */
	double elapsed;
	char out[1 << 16];
	char err[1 << 14];
};

/* Runs a command and waits until it has ended and nobody holds its output. */
void run_command(struct output *output, const char *const argv[]);
void run_command_within(struct output *output, double limit, const char *const argv[]);
#define RUN(output, ...)      run_command(output, (const char *const[]){ __VA_ARGS__, NULL })
#define XCLUSTER(output, ...) RUN(output, xcluster_command(), __VA_ARGS__)

/* Compiles SOURCE of tests/integration/programs to PROGRAM in the test's directory, as
 * the engines are built. */
void compile(const char *program, const char *source, const char *flags);

/* `xcluster ... --json`, expected to succeed; to be given to json_decref. */
json_t *xcluster_json(const char *const argv[]);
#define XCLUSTER_JSON(...)                                                                         \
	xcluster_json((const char *const[]){ xcluster_command(), __VA_ARGS__, NULL })

/* A program in the background, leader of a process group of its own, with
 * pipes to its stdin and from its stdout. */
struct program {
	pid_t pid;
	int in, out;
};
void program_start(struct program *program, const char *const argv[]);
#define PROGRAM(program, ...) program_start(program, (const char *const[]){ __VA_ARGS__, NULL })
void program_tell(struct program *program, const char *line);
/* Reads the next line (without its end) of the program's output. */
void program_line(struct program *program, char *line, size_t size);
/* Closes the pipes, waits for the end: exit code or 128 + signal. */
int program_end(struct program *program);

/* Waits for a child: exit code or 128 + signal. */
int child_end(pid_t pid);

/* ---- Clusters ---------------------------------------------------------- */

void start_cluster(int engines);
/* Stops the default cluster and asserts that nothing is left. */
void stop_cluster(void);
/* A client of the default cluster with at least so many engines up. */
struct xc_client *open_client(int engines);
/* For wait_until, with a client: it knows of one engine only; it is the only client that the
 * controller has. */
bool has_one_engine(void *client);
bool is_only_client(void *client);

/* Pids of controller and agents, from the locks that they hold; 0 if none. */
pid_t lock_holder(const char *path);
pid_t controller_pid(void);

/* ---- Waiting and processes --------------------------------------------- */

double now(void);
/* True once the condition holds; false after `limit` seconds. Only for what
 * gives no event. */
bool wait_until(bool (*condition)(void *arg), void *arg, double limit);
/* True when the process ends within the limit; any process. */
bool process_ends(pid_t pid, double limit);
/* Processes that carry our XCLUSTER_DIR. */
int cluster_processes(pid_t *pids, int max);
/* No process, no socket, no shared memory of any of our clusters is left, at
 * the latest after `limit` seconds. */
void assert_nothing_left(double limit);
/* Ends and removes whatever is there. */
void clear_away(void);

/* ---- Stage: how tests and running tasks meet ---------------------------- */

/* Tasks announce themselves and wait at a gate that the test opens. */
struct news {
	int64_t item;
	int engine;
	int attempt;
	pid_t pid;
};
void stage_open(void);
void stage_close(void);
/* Next announcement; fails the test when there is none within LIMIT. */
struct news stage_news(void);
/* True if one comes within the limit. */
bool stage_has_news(double limit);
/* Lets all tasks through the gate, now and later. */
void stage_release(void);

/* For tasks, on the engines. */
void task_announce(const struct xc_task *task);
void task_wait_at_gate(void);
void task_sleep(double seconds);

/* ---- Assertions -------------------------------------------------------- */

/* Fails the test with the error's text unless code is 0. */
#define assert_ok(code, error)                                                                     \
	do {                                                                                       \
		int code_ = (code);                                                                \
		ck_assert_msg(code_ == 0, "%s: %d: %s", #code, code_, (error).text);               \
	} while (0)

/* The error is `expected`, in the code returned and in the struct, with a
 * text of one line that contains `part`. */
void assert_error(int code, int expected, const struct xc_error *error, const char *part);

/* Every item from 0 to n - 1 that is not ok stands in exactly one failure;
 * states[i] is filled in. */
void collect_states(struct xc_result *result, int64_t n, enum xc_state *states);
/* The failure that item i is part of; fails the test if there is none. */
struct xc_failure failure_of(struct xc_result *result, int64_t item);

#endif
