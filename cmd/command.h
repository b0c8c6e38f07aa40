/* command.h: what the subcommands of xcluster share. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

#include "xcluster.h"

/* How xcluster ends. */
enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_RUNNING = 10, /* a cluster of that id runs already */
	STATUS_NOT_RUNNING = 11,
};

/* One a subcommand, in the file of its name. argv[0] is "xcluster NAME". */
int command_start(int argc, char **argv);
int command_stop(int argc, char **argv);
int command_status(int argc, char **argv);
int command_jobs(int argc, char **argv);
int command_cancel(int argc, char **argv);
int command_purge(int argc, char **argv);
int command_list(int argc, char **argv);
int command_clean(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_engines(int argc, char **argv);
int command_exec(int argc, char **argv);
int command_blas(int argc, char **argv);
int command_controller(int argc, char **argv);
int command_engine(int argc, char **argv);
int command_version(int argc, char **argv);
int command_signal(int argc, char **argv);
int command_threads(int argc, char **argv);
int command_interrupt(int argc, char **argv);
int command_settle(int argc, char **argv);
int command_tunnels(int argc, char **argv);
int command_scale(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_supervise(int argc, char **argv);

/* Prints "xcluster: text" and a line end on stderr. */
void complain(const char *format, ...) XC_PRINTF(1, 2);

/* Prints the error; the exit status that belongs to its code. */
int fail(const struct xc_error *err);

/* CLOCK_MONOTONIC in seconds. */
double now_seconds(void);

/* ---- Options ------------------------------------------------------------ */

enum {
	OPTION_CLUSTER_ID = 0x100,
	OPTION_CONNECTION,
	OPTION_JSON,
	OPTION_FOREGROUND,
	OPTION_ENGINE_TIMEOUT,
	OPTION_HEARTBEAT_TIMEOUT,
	OPTION_THREADS,
	OPTION_BIND,
	OPTION_STORE_LIMIT,
	OPTION_LIFELINE,
	OPTION_READY,
	OPTION_ALL,
	OPTION_TIMEOUT,
	OPTION_FORCE,
	OPTION_ENGINE,
	OPTION_LINES,
	OPTION_AGENT_FD,
	OPTION_ENGINES,
	OPTION_CFLAGS,
	OPTION_COMPILER,
	OPTION_FILE,
	OPTION_CACHE,
	OPTION_NOW,
	OPTION_HISTORY,
	OPTION_KEPT_LIMIT,
	OPTION_LABEL,
	OPTION_STATE,
	OPTION_SINCE,
	OPTION_RUNNING,
	OPTION_LAUNCHER_FD,
	OPTION_STAY,
	OPTION_HOSTS,
	OPTION_HOSTFILE,
	OPTION_REQUIRE,
	OPTION_TUNNEL,
	OPTION_REMOTE_COMMAND,
	OPTION_DEPLOY,
	OPTION_SSH,
	OPTION_IP,
	OPTION_PORT,
	OPTION_LOCATION,
	OPTION_REUSE,
	OPTION_CONTROLLER_TIMEOUT,
	OPTION_WAIT_FOR_CONTROLLER,
	OPTION_ENDS_AT,
	OPTION_WALLTIME,
	OPTION_DRAIN,
	OPTION_NO_RANKS,
	OPTION_LAUNCH_INFO,
	OPTION_LAUNCHER,
	OPTION_PARTITION,
	OPTION_ACCOUNT,
	OPTION_QOS,
	OPTION_TIME,
	OPTION_LAUNCHER_OPTION,
	OPTION_SCRIPT_TEMPLATE,
	OPTION_DRY_RUN,
	OPTION_JOBS,
	OPTION_MIN,
	OPTION_MAX,
	OPTION_IDLE_TIMEOUT,
	OPTION_NO_WAIT,
	OPTION_SEED,
	OPTION_REPEAT,
};

#define HISTORY_MAX 1000000

#define CLUSTER_ID_OPTION                                                                          \
	{                                                                                          \
		"cluster-id", OPTION_CLUSTER_ID, "ID", 0, "The cluster's name (default: default)", \
			0                                                                          \
	}
#define ENGINES_OPTION                                                                             \
	{                                                                                          \
		"engines", OPTION_ENGINES, "LIST", 0, "Only these engines, as in 0,2-5", 0         \
	}
#define JSON_OPTION                                                                                \
	{                                                                                          \
		"json", OPTION_JSON, NULL, 0, "Print JSON", 0                                      \
	}

/* The values of options; what is not valid ends the program with a sentence and
 * STATUS_USAGE. */
const char *option_cluster_id(struct argp_state *state, char *arg);
int option_int(struct argp_state *state, const char *name, const char *arg, int min, int max);
double option_seconds(struct argp_state *state, const char *name, const char *arg);
double option_heartbeat(struct argp_state *state, const char *arg);
size_t option_size(struct argp_state *state, const char *name, const char *arg);
int option_fd(struct argp_state *state, const char *name, const char *arg);

/* What `start` and `engines` say about the engines to start. */
struct engine_options {
	int n;		    /* 0: not given */
	int threads;	    /* 0: not given */
	bool threads_yield; /* nobody has given it: the environment counts for more */
	bool bind;
	size_t store_limit;
	double timeout;
	const char *launch_info;   /* free text; NULL: none */
	double controller_timeout; /* 0: not given */
	/* What the remote half of a launcher gives its agent; 0: nothing. */
	int launcher_fd, connection_fd, log_fd;
};
#define ENGINE_OPTIONS_INIT                                                                        \
	{                                                                                          \
		.timeout = 60                                                                      \
	}

/* What `start` and `controller` say about the network. */
struct network_options {
	char *ip;	/* with commas; owned; NULL: none */
	char *location; /* the same */
	int port_first, port_last;
	bool reuse;
};

/* An argp child; its input is a struct network_options. */
extern const struct argp network_options_argp;
/* Ends the program if they do not go together. */
void network_options_complete(struct argp_state *state, const struct network_options *options);

/* An argp child; its input is a struct engine_options. */
extern const struct argp engine_options_argp;
void engine_options_complete(struct engine_options *options);

#endif
