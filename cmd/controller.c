/* controller.c: xcluster controller: the controller, in the foreground. */
#include "controller/controller.h"

#include <stdlib.h>

#include "cmd/command.h"
#include "proto/cluster_dir.h"
#include "proto/job.h"

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "heartbeat-timeout", OPTION_HEARTBEAT_TIMEOUT, "S", 0,
	  "Seconds of silence until a host is lost (default: 5)", 0 },
	{ "history", OPTION_HISTORY, "N", 0, "Jobs that are known after their end (default: 1000)",
	  0 },
	{ "kept-limit", OPTION_KEPT_LIMIT, "SIZE", 0,
	  "Memory for results of jobs that are to be kept; K, M, G as usual (default: 1G)", 0 },
	{ "lifeline", OPTION_LIFELINE, "FD", 0,
	  "End the cluster when this pipe ends before a byte has come", 0 },
	{ "ready-fd", OPTION_READY, "FD", 0, "Write a byte to this descriptor when ready", 0 },
	{ 0 },
};

struct input {
	struct controller_options options;
	struct network_options network;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *input = state->input;
	struct controller_options *o = &input->options;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &input->network;
		return 0;
	case ARGP_KEY_END:
		network_options_complete(state, &input->network);
		return 0;
	case OPTION_CLUSTER_ID:
		o->cluster_id = option_cluster_id(state, arg);
		return 0;
	case OPTION_HEARTBEAT_TIMEOUT:
		o->heartbeat_timeout = option_heartbeat(state, arg);
		return 0;
	case OPTION_HISTORY:
		o->history = option_int(state, "--history", arg, 0, HISTORY_MAX);
		return 0;
	case OPTION_KEPT_LIMIT:
		o->kept_bytes = option_size(state, "--kept-limit", arg);
		return 0;
	case OPTION_LIFELINE:
		o->lifeline_fd = option_fd(state, "--lifeline", arg);
		return 0;
	case OPTION_READY:
		o->ready_fd = option_fd(state, "--ready-fd", arg);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int command_controller(int argc, char **argv)
{
	static const struct argp_child children[] = { { &network_options_argp, 0, NULL, 0 },
						      { 0 } };
	static const struct argp argp = {
		options,
		parse,
		NULL,
		"Run the controller of a cluster in the foreground; its log goes to stderr. "
		"`xcluster start` does this and adds engines.",
		children,
		NULL,
		NULL
	};
	struct input o = { .options = { .cluster_id = CLUSTER_DEFAULT_ID,
					.history = HISTORY_JOBS,
					.lifeline_fd = -1,
					.ready_fd = -1 } };
	struct xc_error err = XC_ERROR_INIT;
	int r;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	o.options.ip = o.network.ip;
	o.options.location = o.network.location;
	o.options.port_first = o.network.port_first;
	o.options.port_last = o.network.port_last;
	o.options.reuse = o.network.reuse;
	r = controller_run(&o.options, &err);
	free(o.network.ip);
	free(o.network.location);
	return r < 0 ? fail(&err) : STATUS_OK;
}
