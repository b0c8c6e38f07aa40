/* engines.c: xcluster engines: an agent with its engines. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd/await.h"
#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/elsewhere.h"
#include "cmd/engines_stdin.h"
#include "cmd/interrupt.h"
#include "cmd/start_hosts.h"
#include "cmd/stay.h"
#include "proto/cluster_dir.h"
#include "proto/connection.h"

#define END_TIMEOUT 4.0 /* an agent gives its engines 2 s */

struct engines {
	struct engine_options engines;
	struct host_options hosts;
	struct stay_options stay;
	const char *cluster_id, *connection;
	bool foreground, is_tied;
};

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "connection", OPTION_CONNECTION, "FILE", 0,
	  "The cluster's connection file, instead of --cluster-id; -: it comes through stdin", 0 },
	{ "foreground", OPTION_FOREGROUND, NULL, 0,
	  "Stay here, log to stderr, and end the engines on Ctrl-C", 0 },
	{ "stay", OPTION_STAY, NULL, 0, "With --connection=-: the engines end with stdin", 0 },
	{ "launcher-fd", OPTION_LAUNCHER_FD, "FD", OPTION_HIDDEN, NULL, 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct engines *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->engines;
		state->child_inputs[1] = &o->hosts;
		state->child_inputs[2] = &o->stay;
		return 0;
	case OPTION_CLUSTER_ID:
		o->cluster_id = option_cluster_id(state, arg);
		return 0;
	case OPTION_CONNECTION:
		o->connection = arg;
		if (!*arg)
			argp_error(state, "--connection: the name of the file is empty");
		return 0;
	case OPTION_FOREGROUND:
		o->foreground = true;
		return 0;
	case OPTION_STAY:
		o->is_tied = true;
		return 0;
	case OPTION_LAUNCHER_FD:
		o->engines.launcher_fd = option_fd(state, "--launcher-fd", arg);
		return 0;
	case ARGP_KEY_END:
		if (o->is_tied && (!o->connection || strcmp(o->connection, "-") != 0))
			argp_error(state, "--stay goes with --connection=- only");
		if (o->cluster_id && o->connection)
			argp_error(state, "--connection and --cluster-id: give one of them");
		if (o->hosts.hosts.count && (o->foreground || o->connection))
			argp_error(state, "--hosts and --hostfile go with neither --foreground nor "
					  "--connection");
		host_options_complete(state, &o->hosts, o->engines.n);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void say_added(int n, struct xc_client *client)
{
	printf("%d engine%s added: %d now\n", n, n == 1 ? "" : "s", xc_engine_count(client));
}

static int wait_for_them(struct await *await)
{
	struct xc_error err = XC_ERROR_INIT;
	int r = await_engines(await, &err);

	if (r == 0) {
		say_added(await->n, await->client);
		return STATUS_OK;
	}
	if (r != -EINTR) {
		complain("%s", err.text);
		await_explain(await);
	}
	daemon_end(await->agent, END_TIMEOUT);
	if (r == -EINTR)
		interrupt_die();
	return STATUS_FAILED;
}

static int run_in_background(const struct engines *o, const struct connection *connection)
{
	struct xc_error err = XC_ERROR_INIT;
	struct daemon agent = DAEMON_INIT;
	struct await await = {
		.agent = &agent, .n = o->engines.n, .first = -1, .timeout = o->engines.timeout
	};
	int r;

	interrupt_catch();
	if (xc_open(&await.client, connection->path, &err) < 0)
		return fail(&err);
	await.others = xc_engine_count(await.client);
	r = daemon_start_agent(&agent, connection, &o->engines, &err);
	r = r < 0 ? fail(&err) : wait_for_them(&await);
	daemon_fini(&agent);
	xc_close(await.client);
	return r;
}

static int run_on_hosts(const struct engines *o, const struct connection *connection)
{
	struct xc_error err = XC_ERROR_INIT;
	char path[CLUSTER_PATH_MAX];
	struct host_start start = { .options = &o->hosts,
				    .engines = &o->engines,
				    .dir = connection->dir,
				    .connection = path,
				    .controller = connection->pid };
	int r;

	if (cluster_file(connection->dir, path, sizeof path, CLUSTER_ENGINES) < 0) {
		complain("%s: the path is too long", connection->dir);
		return STATUS_FAILED;
	}
	signal(SIGPIPE, SIG_IGN);
	start.interrupt = interrupt_catch();
	if (xc_open(&start.client, connection->path, &err) < 0)
		return fail(&err);
	r = host_start_run(&start);
	if (r == STATUS_OK)
		r = host_start_leave(&start);
	if (r == STATUS_OK)
		say_added(start.n, start.client);
	else
		host_start_undo(&start);
	host_start_fini(&start);
	xc_close(start.client);
	if (interrupt_signal())
		interrupt_die();
	return r;
}

int command_engines(int argc, char **argv)
{
	static const struct argp_child children[] = { { &engine_options_argp, 0, NULL, 0 },
						      { &host_options_argp, 0, NULL, 0 },
						      { &stay_options_argp, 0, NULL, 0 },
						      { 0 } };
	static const struct argp argp = {
		options,  parse,
		NULL,	  "Add engines, on this machine or on other hosts, to a running cluster.",
		children, NULL,
		NULL
	};
	static struct connection connection;
	static struct engines o = { .engines = ENGINE_OPTIONS_INIT,
				    .hosts = HOST_OPTIONS_INIT,
				    .stay = STAY_OPTIONS_INIT };
	struct xc_error err = XC_ERROR_INIT;
	char path[CLUSTER_PATH_MAX], file[CLUSTER_PATH_MAX + 2] = "";

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	o.engines.launch_info = o.stay.launch_info;
	o.engines.controller_timeout = o.stay.controller_timeout;
	if (o.connection && strcmp(o.connection, "-") == 0) {
		engine_options_complete(&o.engines);
		return engines_from_stdin(&o.engines, o.is_tied);
	}
	/* A path without '/' would be an id. */
	if (o.connection)
		snprintf(file, sizeof file, "%s%.4095s", strchr(o.connection, '/') ? "" : "./",
			 o.connection);
	o.stay.cluster = o.connection ? file : o.cluster_id;
	if (o.hosts.hosts.count == 0) {
		if (o.foreground || stay_is_rank(&o.stay))
			return stay_here(&o.stay, &o.engines);
		engine_options_complete(&o.engines);
	}
	if (connection_find(o.connection ? file : o.cluster_id, path, sizeof path, &err) < 0 ||
	    connection_read(path, &connection, &err) < 0)
		return fail(&err);
	if (is_elsewhere(&connection)) {
		complain("the cluster is of the host %s: run `xcluster engines --hosts ...` there; "
			 "or bring its engines.json here, and stay with `xcluster engines "
			 "--foreground --connection=./engines.json`",
			 connection.host);
		return STATUS_FAILED;
	}
	return o.hosts.hosts.count > 0 ? run_on_hosts(&o, &connection)
				       : run_in_background(&o, &connection);
}
