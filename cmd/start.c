/* start.c: xcluster start: a controller and an agent in the background. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/await.h"
#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/interrupt.h"
#include "cmd/kept_hosts.h"
#include "cmd/launched.h"
#include "cmd/start_hosts.h"
#include "cmd/tail.h"
#include "cmd/teardown.h"
#include "proto/cluster_dir.h"
#include "proto/job.h"
#include "proto/connection.h"
#include "proto/error.h"
#include "proto/holders.h"

#define CONTROLLER_TIMEOUT 30.0
#define END_TIMEOUT	   4.0 /* an agent gives its engines 2 s */
#define STOP_TIMEOUT	   10.0
#define LAUNCHER_TIMEOUT   30.0 /* batch systems take their time to cancel */
#define LOG_LINES	   5

struct start {
	const char *id;
	struct engine_options engines;
	struct host_options hosts;
	struct network_options network;
	struct launcher_options launcher;
	double heartbeat_timeout;
	int history;
	size_t kept_bytes; /* 0: not given */
	bool foreground, json;
	int parent_lifeline; /* of --lifeline; -1: none */

	double begin;
	char dir[CLUSTER_PATH_MAX];
	struct connection connection;
	int lock;	 /* start.lock */
	int lifeline[2]; /* ours, unless it is the parent's */
	int ready;	 /* the controller writes a byte */
	int interrupt;	 /* readable once a signal has come */
	struct daemon controller, agent, supervisor;
	struct host_start remote;
	struct xc_client *client; /* while engines start */
};

/* ---- Options ------------------------------------------------------------------ */

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "foreground", OPTION_FOREGROUND, NULL, 0,
	  "Stay here; Ctrl-C, or the end of this process, ends the cluster", 0 },
	{ "heartbeat-timeout", OPTION_HEARTBEAT_TIMEOUT, "S", 0,
	  "Seconds of silence until a host is lost (default: 5)", 0 },
	{ "history", OPTION_HISTORY, "N", 0, "Jobs that are known after their end (default: 1000)",
	  0 },
	{ "kept-limit", OPTION_KEPT_LIMIT, "SIZE", 0,
	  "Memory for results of jobs that are to be kept; K, M, G as usual (default: 1G)", 0 },
	{ "lifeline", OPTION_LIFELINE, "FD", 0, "The cluster lives as long as this pipe is open",
	  0 },
	JSON_OPTION,
	{ 0 },
};

/* Engines of other hosts dial; out of memory is noticed where it is missed. */
static void reach_other_hosts(struct start *s)
{
	if (s->network.ip)
		return;
	if (s->hosts.hosts.count > 0)
		s->network.ip = strdup(s->hosts.tunnel ? "127.0.0.1" : "*");
	else if (s->launcher.request.launcher[0])
		s->network.ip = strdup("*");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct start *s = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &s->engines;
		state->child_inputs[1] = &s->network;
		state->child_inputs[2] = &s->hosts;
		state->child_inputs[3] = &s->launcher;
		return 0;
	case ARGP_KEY_END:
		reach_other_hosts(s);
		network_options_complete(state, &s->network);
		host_options_complete(state, &s->hosts, s->engines.n);
		return 0;
	case OPTION_CLUSTER_ID:
		s->id = option_cluster_id(state, arg);
		return 0;
	case OPTION_FOREGROUND:
		s->foreground = true;
		return 0;
	case OPTION_HEARTBEAT_TIMEOUT:
		s->heartbeat_timeout = option_heartbeat(state, arg);
		return 0;
	case OPTION_HISTORY:
		s->history = option_int(state, "--history", arg, 0, HISTORY_MAX);
		return 0;
	case OPTION_KEPT_LIMIT:
		s->kept_bytes = option_size(state, "--kept-limit", arg);
		return 0;
	case OPTION_LIFELINE:
		s->parent_lifeline = option_fd(state, "--lifeline", arg);
		return 0;
	case OPTION_JSON:
		s->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- Steps: each returns 0 or an exit status, having said why ---------------- */

static int already_running(const struct start *s)
{
	complain("the cluster \"%s\" is running already: use it, stop it with `xcluster stop`, or "
		 "start another with --cluster-id",
		 s->id);
	return STATUS_RUNNING;
}

static int too_long(const struct start *s)
{
	complain("%s: the path is too long", s->dir);
	return STATUS_FAILED;
}

/* Makes this the only start at work on the id. */
static int take_place(struct start *s)
{
	struct xc_error err = XC_ERROR_INIT;
	char path[CLUSTER_PATH_MAX];

	if (cluster_file(s->dir, path, sizeof path, CLUSTER_START_LOCK) < 0)
		return too_long(s);
	s->lock = cluster_lock_take(path, &err);
	if (s->lock >= 0)
		return STATUS_OK;
	if (s->lock != -EAGAIN)
		return fail(&err);
	complain("the cluster \"%s\" is being started by process %d", s->id,
		 (int)cluster_lock_holder(path));
	return STATUS_RUNNING;
}

/* Removes what an earlier cluster has left, its logs and agents, too. */
static int clear_place(struct start *s)
{
	struct xc_error err = XC_ERROR_INIT;
	char path[CLUSTER_PATH_MAX];

	/* N.B. not cluster_state, which would drop our lock. */
	if (cluster_file(s->dir, path, sizeof path, CLUSTER_LOCK) < 0)
		return too_long(s);
	if (cluster_lock_holder(path) != 0)
		return already_running(s);
	if (holders_end(s->dir, 0, &err) < 0)
		return fail(&err);
	if (cluster_dir_reset(s->dir) < 0) {
		complain("cannot remove the old files in %s: %s", s->dir, strerror(errno));
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

static int prepare(struct start *s)
{
	struct xc_error err = XC_ERROR_INIT;
	char path[CLUSTER_PATH_MAX];
	int r;

	if (cluster_dir_create(s->id, s->dir, sizeof s->dir, &err) < 0 ||
	    cluster_socket(s->dir, path, sizeof path, &err, CLUSTER_SOCKET) < 0)
		return fail(&err);
	if (cluster_state(s->dir) == CLUSTER_RUNNING)
		return already_running(s);
	r = take_place(s);
	return r == STATUS_OK ? clear_place(s) : r;
}

/* The next start may come. */
static void leave_place(struct start *s)
{
	char path[CLUSTER_PATH_MAX];

	if (cluster_file(s->dir, path, sizeof path, CLUSTER_START_LOCK) == 0)
		unlink(path);
	close(s->lock);
}

static int add_option(const char **argv, int argc, const char *name, const char *value)
{
	argv[argc++] = name;
	argv[argc++] = value;
	return argc;
}

static int start_controller(struct start *s)
{
	char lifeline[16], ready[16], heartbeat[32], history[16], kept[32], ports[32];
	char log[CLUSTER_PATH_MAX];
	const char *argv[32] = { "xcluster",   "controller", "--cluster-id",	    s->id,
				 "--lifeline", lifeline,     "--ready-fd",	    ready,
				 "--history",  history,	     "--heartbeat-timeout", heartbeat };
	int argc = 12;
	struct xc_error err = XC_ERROR_INIT;
	int pipe_fds[2], r;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0 ||
	    (s->parent_lifeline < 0 && pipe2(s->lifeline, O_CLOEXEC) < 0)) {
		complain("cannot make a pipe: %s", strerror(errno));
		return STATUS_FAILED;
	}
	if (s->parent_lifeline >= 0)
		s->lifeline[0] = s->parent_lifeline;
	snprintf(lifeline, sizeof lifeline, "%d", s->lifeline[0]);
	snprintf(ready, sizeof ready, "%d", pipe_fds[1]);
	snprintf(heartbeat, sizeof heartbeat, "%g", s->heartbeat_timeout);
	snprintf(history, sizeof history, "%d", s->history);
	snprintf(kept, sizeof kept, "%zu", s->kept_bytes);
	snprintf(ports, sizeof ports, "%d-%d", s->network.port_first, s->network.port_last);
	if (s->kept_bytes)
		argc = add_option(argv, argc, "--kept-limit", kept);
	if (s->network.ip)
		argc = add_option(argv, argc, "--ip", s->network.ip);
	if (s->network.location)
		argc = add_option(argv, argc, "--location", s->network.location);
	if (s->network.port_first)
		argc = add_option(argv, argc, "--port", ports);
	if (s->network.reuse)
		argv[argc++] = "--reuse";
	r = cluster_file(s->dir, log, sizeof log, CLUSTER_LOG);
	if (r == 0)
		r = daemon_start(&s->controller, argv, log,
				 (const int[]){ s->lifeline[0], pipe_fds[1], -1 }, &err);
	close(pipe_fds[1]);
	close(s->lifeline[0]);
	s->ready = pipe_fds[0];
	return r < 0 ? fail(&err) : STATUS_OK;
}

static int controller_failed(struct start *s)
{
	daemon_end(&s->controller, END_TIMEOUT);
	if (WIFEXITED(s->controller.status) && WEXITSTATUS(s->controller.status) == STATUS_RUNNING)
		return already_running(s);
	complain("the controller could not be started: %s", daemon_end_text(&s->controller));
	tail_print(stderr, s->controller.log, LOG_LINES, "  ");
	return STATUS_FAILED;
}

static int wait_for_controller(struct start *s)
{
	struct pollfd fds[2] = { { .fd = s->ready, .events = POLLIN },
				 { .fd = s->interrupt, .events = POLLIN } };
	double end = now_seconds() + CONTROLLER_TIMEOUT;
	char byte;

	do {
		if (now_seconds() >= end) {
			complain("the controller is not ready after %g s", CONTROLLER_TIMEOUT);
			tail_print(stderr, s->controller.log, LOG_LINES, "  ");
			return STATUS_FAILED;
		}
		poll(fds, 2, (int)(CONTROLLER_TIMEOUT * 1e3));
		if (interrupt_signal())
			return STATUS_FAILED;
	} while (!fds[0].revents);
	return read(s->ready, &byte, 1) == 1 ? STATUS_OK : controller_failed(s);
}

static int start_on_hosts(struct start *s)
{
	static char path[CLUSTER_PATH_MAX];
	struct xc_error err = XC_ERROR_INIT;
	int r;

	if (cluster_file(s->dir, path, sizeof path, CLUSTER_ENGINES) < 0)
		return too_long(s);
	s->remote = (struct host_start){ .options = &s->hosts,
					 .engines = &s->engines,
					 .dir = s->dir,
					 .connection = path,
					 .controller = s->connection.pid,
					 .client = s->client,
					 .interrupt = s->interrupt };
	if (kept_hosts_write(s->dir, &s->hosts, &err) < 0)
		return fail(&err);
	r = host_start_run(&s->remote);
	if (r == STATUS_OK)
		r = host_start_leave(&s->remote);
	s->engines.n = s->remote.n;
	if (r == STATUS_OK)
		host_start_fini(&s->remote);
	return r;
}

static int start_here(struct start *s)
{
	struct xc_error err = XC_ERROR_INIT;
	struct await await = { .agent = &s->agent,
			       .n = s->engines.n,
			       .timeout = s->engines.timeout };
	int r;

	await.client = s->client;
	r = await_engines(&await, &err);
	if (r < 0 && r != -EINTR) {
		complain("%s", err.text);
		/* They may have come up meanwhile. */
		if (await_explain(&await) == 0 && r == -ETIMEDOUT)
			r = 0;
	}
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static int start_engines(struct start *s)
{
	struct xc_error err = XC_ERROR_INIT;
	bool here = s->hosts.hosts.count == 0;
	char path[CLUSTER_PATH_MAX];
	int r = STATUS_OK;

	if (cluster_file(s->dir, path, sizeof path, CLUSTER_CONNECTION) < 0 ||
	    connection_read(path, &s->connection, &err) < 0 ||
	    (here && daemon_start_agent(&s->agent, &s->connection, &s->engines, &err) < 0) ||
	    xc_open(&s->client, path, &err) < 0)
		return fail(&err);
	r = here ? start_here(s) : start_on_hosts(s);
	xc_close(s->client);
	return r;
}

/* The launcher's supervisor; it brings the engines, unless they are of this machine. */
static int start_launcher(struct start *s)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	char path[CLUSTER_PATH_MAX];
	int r;

	if (!launcher_is_wanted(&s->launcher))
		return start_engines(s);
	if (launcher_is_local(&s->launcher) && (r = start_engines(s)) != STATUS_OK)
		return r;
	if (cluster_file(s->dir, path, sizeof path, CLUSTER_CONNECTION) < 0 ||
	    connection_read(path, &s->connection, &err) < 0)
		return fail(&err);
	r = launcher_start(&s->launcher, s->id, s->dir, &s->supervisor, s->interrupt, &err);
	if (r == 0 && !s->launcher.no_wait && !launcher_is_local(&s->launcher))
		r = xc_open(&client, path, &err);
	if (r == 0 && client)
		r = launcher_await(&s->launcher, client, &s->supervisor, s->engines.timeout, &err);
	xc_close(client);
	if (r < 0 && r != -EINTR)
		complain("%s", err.text);
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static void announce(const struct start *s)
{
	json_t *json;

	if (!s->json) {
		puts(s->connection.path);
	} else {
		json = json_pack("{s:s, s:s, s:i, s:i, s:f}", "id", s->id, "connection",
				 s->connection.path, "pid", s->connection.pid, "engines",
				 s->engines.n, "seconds", now_seconds() - s->begin);
		json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(json);
	}
	fflush(stdout);
	clearerr(stdout); /* the cluster runs, whether somebody reads this or not */
}

/* ---- The ends ----------------------------------------------------------------- */

/* Ends what has been started and removes its files; the logs are kept where they
 * explain a failure. */
static void undo(struct start *s)
{
	struct xc_error err = XC_ERROR_INIT;
	bool keep_logs = !interrupt_signal();

	host_start_undo(&s->remote);
	host_start_fini(&s->remote);
	daemon_end(&s->supervisor, LAUNCHER_TIMEOUT);
	daemon_end(&s->agent, END_TIMEOUT);
	daemon_end(&s->controller, END_TIMEOUT);
	if (holders_end(s->dir, 0, &err) < 0 || cluster_dir_remove(s->dir, keep_logs) < 0)
		complain("not all is gone: %s", err.text[0] ? err.text : strerror(errno));
}

/* Until a signal comes or the controller ends. */
static int stay(struct start *s)
{
	struct pollfd fds[2] = { { .fd = s->controller.pidfd, .events = POLLIN },
				 { .fd = s->interrupt, .events = POLLIN } };
	struct xc_error err = XC_ERROR_INIT;
	bool ended;

	while (!(ended = daemon_has_ended(&s->controller)) && !interrupt_signal())
		poll(fds, 2, -1);
	if (teardown(s->dir, STOP_TIMEOUT, true, &err) < 0)
		return fail(&err);
	daemon_end(&s->agent, END_TIMEOUT);
	daemon_end(&s->controller, END_TIMEOUT);
	if (!ended || (WIFEXITED(s->controller.status) && WEXITSTATUS(s->controller.status) == 0))
		return STATUS_OK;
	complain("the controller has ended: %s", daemon_end_text(&s->controller));
	tail_print(stderr, s->controller.log, LOG_LINES, "  ");
	return STATUS_FAILED;
}

/* From here on the cluster lives without us. */
static int let_go(struct start *s)
{
	if (s->parent_lifeline < 0 && write(s->lifeline[1], "x", 1) != 1) {
		complain("the controller has ended; see `xcluster logs`");
		undo(s);
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

static int run(struct start *s)
{
	int r = prepare(s);

	if (r != STATUS_OK)
		return r;
	r = start_controller(s);
	if (r == STATUS_OK)
		r = wait_for_controller(s);
	if (r == STATUS_OK)
		r = start_launcher(s);
	if (r == STATUS_RUNNING)
		return r;
	if (r != STATUS_OK || interrupt_signal()) {
		undo(s);
		if (interrupt_signal())
			interrupt_die();
		return r;
	}
	leave_place(s);
	if (!s->foreground)
		r = let_go(s);
	if (r == STATUS_OK)
		announce(s);
	return s->foreground ? stay(s) : r;
}

int command_start(int argc, char **argv)
{
	static const struct argp_child children[] = { { &engine_options_argp, 0, NULL, 0 },
						      { &network_options_argp, 0, NULL, 0 },
						      { &host_options_argp, 0, NULL, 0 },
						      { &launcher_options_argp, 0, NULL, 0 },
						      { 0 } };
	static const struct argp argp = {
		options,
		parse,
		NULL,
		"Start a cluster: a controller on this machine, and N engines here or on other "
		"hosts, in the background. Returns when all engines can run a task, and prints the "
		"path of the connection "
		"file.",
		children,
		NULL,
		NULL
	};
	static struct start s = { .id = CLUSTER_DEFAULT_ID,
				  .engines = ENGINE_OPTIONS_INIT,
				  .hosts = HOST_OPTIONS_INIT,
				  .heartbeat_timeout = 5,
				  .history = HISTORY_JOBS,
				  .parent_lifeline = -1,
				  .lifeline = { -1, -1 },
				  .controller = DAEMON_INIT,
				  .agent = DAEMON_INIT,
				  .supervisor = DAEMON_INIT,
				  .launcher = LAUNCHER_OPTIONS_INIT };
	int r;

	s.begin = now_seconds();
	argp_parse(&argp, argc, argv, 0, NULL, &s);
	if (s.hosts.hosts.count > 0 && launcher_is_wanted(&s.launcher)) {
		complain("--hosts and --hostfile go with neither --launcher nor --max: give one of "
			 "them");
		return STATUS_USAGE;
	}
	r = launcher_complete(&s.launcher, &s.engines);
	if (r != STATUS_OK)
		return r;
	if (s.launcher.dry_run)
		return launcher_dry_run(&s.launcher, s.id);
	if (s.hosts.hosts.count == 0)
		engine_options_complete(&s.engines);
	signal(SIGPIPE, SIG_IGN); /* the lifeline's other end may be gone */
	s.interrupt = interrupt_catch();
	return run(&s);
}
