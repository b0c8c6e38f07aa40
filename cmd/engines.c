/* engines.c: xcluster engines: an agent with its engines. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/await.h"
#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/interrupt.h"
#include "cmd/stay.h"
#include "proto/cluster_dir.h"
#include "proto/connection.h"

#define END_TIMEOUT 4.0 /* an agent gives its engines 2 s */

struct engines {
	struct engine_options engines;
	struct stay_options stay;
	const char *cluster_id, *connection;
	bool foreground;
};

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "connection", OPTION_CONNECTION, "FILE", 0,
	  "The cluster's connection file, instead of --cluster-id", 0 },
	{ "foreground", OPTION_FOREGROUND, NULL, 0,
	  "Stay here, log to stderr, and end the engines on Ctrl-C", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct engines *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->engines;
		state->child_inputs[1] = &o->stay;
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
	case ARGP_KEY_END:
		if (o->cluster_id && o->connection)
			argp_error(state, "--connection and --cluster-id: give one of them");
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int wait_for_them(struct await *await)
{
	struct xc_error err = XC_ERROR_INIT;
	int r = await_engines(await, &err);

	if (r == 0) {
		printf("%d engine%s added: %d now\n", await->n, await->n == 1 ? "" : "s",
		       xc_engine_count(await->client));
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

int command_engines(int argc, char **argv)
{
	static const struct argp_child children[] = { { &engine_options_argp, 0, NULL, 0 },
						       { &stay_options_argp, 0, NULL, 0 },
						       { 0 } };
	static const struct argp argp = {
		options,  parse, NULL, "Add engines on this machine to a running cluster.",
		children, NULL,	 NULL
	};
	static struct connection connection;
	struct engines o = { .engines = ENGINE_OPTIONS_INIT, .stay = STAY_OPTIONS_INIT };
	struct xc_error err = XC_ERROR_INIT;
	char path[CLUSTER_PATH_MAX], file[CLUSTER_PATH_MAX + 2] = "";

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	/* A path without '/' would be an id. */
	if (o.connection)
		snprintf(file, sizeof file, "%s%.4095s", strchr(o.connection, '/') ? "" : "./",
			 o.connection);
	o.stay.cluster = o.connection ? file : o.cluster_id;
	if (o.foreground || stay_is_rank(&o.stay))
		return stay_here(&o.stay, &o.engines);
	engine_options_complete(&o.engines);
	if (connection_find(o.connection ? file : o.cluster_id, path, sizeof path, &err) < 0 ||
	    connection_read(path, &connection, &err) < 0)
		return fail(&err);
	return run_in_background(&o, &connection);
}
