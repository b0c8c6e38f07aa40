/* wait.c: xcluster wait: until a cluster is there and has engines, for scripts. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "cmd/command.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"

#define LOOK_MS	    50
#define ENGINES_MAX 100000

struct wait {
	const char *id;
	int n;
	double timeout;
};

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ NULL, 'n', "N", 0, "Until so many engines are up (default: 1)", 0 },
	{ "timeout", OPTION_TIMEOUT, "S", 0, "Seconds at most (default: 60)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct wait *o = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		o->id = option_cluster_id(state, arg);
		return 0;
	case 'n':
		o->n = option_int(state, "-n", arg, 0, ENGINES_MAX);
		return 0;
	case OPTION_TIMEOUT:
		o->timeout = option_seconds(state, "--timeout", arg);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What a cluster that is not there yet, or is of a dead controller, may answer. */
static bool may_wait(int code)
{
	return code == XC_ENOCLUSTER || code == XC_ELOST || code == -ETIMEDOUT ||
	       code == -ECONNREFUSED || code == -EHOSTUNREACH;
}

int command_wait(int argc, char **argv)
{
	static const struct argp argp = { options,
					  parse,
					  NULL,
					  "Wait until the cluster is there and N of its engines "
					  "can run tasks.",
					  NULL,
					  NULL,
					  NULL };
	struct wait o = { .n = 1, .timeout = 60 };
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	char path[CLUSTER_PATH_MAX];
	double end;
	int r;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	end = now_seconds() + o.timeout;
	for (;;) {
		r = connection_find(o.id, path, sizeof path, &err);
		if (r == 0)
			r = xc_open(&client, path, &err);
		if (r == 0 || !may_wait(r) || now_seconds() >= end)
			break;
		poll(NULL, 0, LOOK_MS);
	}
	if (r == 0) {
		double left = end - now_seconds();

		r = xc_wait_for_engines(client, o.n, left > 0 ? left : 0, &err);
	}
	xc_close(client);
	return r < 0 ? fail(&err) : STATUS_OK;
}
