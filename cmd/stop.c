/* stop.c: xcluster stop. */
#include "cmd/command.h"
#include "cmd/elsewhere.h"
#include "cmd/engine_list.h"
#include "cmd/teardown.h"
#include "proto/cluster_dir.h"

struct stop {
	const char *id; /* NULL: the default one */
	bool all, now;
	bool has_timeout;
	double timeout;
	struct engine_list engines;
};

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "all", OPTION_ALL, NULL, 0, "Stop all clusters of this user on this machine", 0 },
	{ "timeout", OPTION_TIMEOUT, "S", 0,
	  "Seconds until SIGTERM is sent, then SIGKILL (default: 10)", 0 },
	{ "engines", OPTION_ENGINES, "LIST", 0,
	  "Shut only these engines down for good, as in 0,2-5; waits until what they run has ended",
	  0 },
	{ "now", OPTION_NOW, NULL, 0,
	  "With --engines: kill those that run something; that runs elsewhere", 0 },
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
		o->has_timeout = true;
		return 0;
	case OPTION_ENGINES:
		option_engines(state, &o->engines, arg);
		return 0;
	case OPTION_NOW:
		o->now = true;
		return 0;
	case ARGP_KEY_END:
		if (o->all && o->id)
			argp_error(state, "--all and --cluster-id: give one of them");
		if (o->engines.ids && (o->all || o->has_timeout))
			argp_error(state, "--engines goes with neither --all nor --timeout");
		if (o->now && !o->engines.ids)
			argp_error(state, "--now goes with --engines only");
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
	complain_of_elsewhere("xcluster stop");
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

static int order_stop(const struct xc_view *view, int how, struct xc_error *err)
{
	return xc_engines_stop(view, (enum xc_cancel)how, err);
}

static int stop_engines(const struct stop *o)
{
	return engine_list_order(&o->engines, o->id, order_stop,
				 o->now ? XC_CANCEL_RUNNING : XC_CANCEL_QUEUED);
}

int command_stop(int argc, char **argv)
{
	static const struct argp argp = { options,
					  parse,
					  NULL,
					  "Stop a cluster: its controller, agents and engines on "
					  "this machine; or some of its engines. Logs stay until "
					  "the next start, or `xcluster clean`.",
					  NULL,
					  NULL,
					  NULL };
	struct stop o = { .timeout = 10 };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.engines.ids) {
		int status = stop_engines(&o);

		engine_list_fini(&o.engines);
		return status;
	}
	return o.all ? stop_all(o.timeout)
		     : stop_one(o.id ? o.id : CLUSTER_DEFAULT_ID, o.timeout, true);
}
