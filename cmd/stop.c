/* stop.c: xcluster stop. */
#include "cmd/command.h"
#include "cmd/teardown.h"
#include "proto/cluster_dir.h"

struct stop {
	const char *id; /* NULL: the default one */
	bool all;
	double timeout;
};

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "all", OPTION_ALL, NULL, 0, "Stop all clusters of this user on this machine", 0 },
	{ "timeout", OPTION_TIMEOUT, "S", 0,
	  "Seconds until SIGTERM is sent, then SIGKILL (default: 10)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stop *o = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		o->id = option_cluster_id(state, arg);
		return 0;
	case OPTION_ALL:
		o->all = true;
		return 0;
	case OPTION_TIMEOUT:
		o->timeout = option_seconds(state, "--timeout", arg);
		return 0;
	case ARGP_KEY_END:
		if (o->all && o->id)
			argp_error(state, "--all and --cluster-id: give one of them");
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int stop_one(const char *id, double timeout, bool must_run)
{
	struct xc_error err = XC_ERROR_INIT;
	char dir[CLUSTER_PATH_MAX];
	int r = cluster_dir(id, dir, sizeof dir, &err);

	if (r == 0)
		r = teardown(dir, timeout, true, &err);
	if (r < 0)
		return fail(&err);
	if (r > 0 || !must_run)
		return STATUS_OK;
	complain("the cluster \"%s\" is not running (looked in %s)", id, dir);
	return STATUS_NOT_RUNNING;
}

static int stop_all(double timeout)
{
	struct xc_error err = XC_ERROR_INIT;
	char **ids = NULL;
	int status = STATUS_OK;

	if (cluster_ids(&ids, &err) < 0)
		return fail(&err);
	for (char **id = ids; *id; id++)
		if (stop_one(*id, timeout, false) != STATUS_OK)
			status = STATUS_FAILED;
	cluster_ids_free(ids);
	return status;
}

int command_stop(int argc, char **argv)
{
	static const struct argp argp = { options,
					  parse,
					  NULL,
					  "Stop a cluster: its controller, agents and engines on "
					  "this machine. Logs stay until "
					  "the next start, or `xcluster clean`.",
					  NULL,
					  NULL,
					  NULL };
	struct stop o = { .timeout = 10 };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return o.all ? stop_all(o.timeout)
		     : stop_one(o.id ? o.id : CLUSTER_DEFAULT_ID, o.timeout, true);
}
