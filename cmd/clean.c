/* clean.c: xcluster clean: removing what dead clusters have left. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/teardown.h"
#include "libcluster/cache.h"
#include "proto/cluster_dir.h"

#define STOP_TIMEOUT 10.0

struct clean {
	const char *id; /* NULL: all */
	bool force;
	bool cache;
};

static const struct argp_option options[] = {
	{ "cluster-id", OPTION_CLUSTER_ID, "ID", 0, "Only this cluster (default: all)", 0 },
	{ "force", OPTION_FORCE, NULL, 0, "Stop live clusters first, and remove them, too", 0 },
	{ "cache", OPTION_CACHE, NULL, 0,
	  "Also what engines have compiled of sources, and keep for the next time", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct clean *o = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		o->id = option_cluster_id(state, arg);
		return 0;
	case OPTION_FORCE:
		o->force = true;
		return 0;
	case OPTION_CACHE:
		o->cache = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int clean_one(const char *id, bool named, bool force)
{
	struct xc_error err = XC_ERROR_INIT;
	char dir[CLUSTER_PATH_MAX];

	if (cluster_dir(id, dir, sizeof dir, &err) < 0)
		return fail(&err);
	if (access(dir, F_OK) < 0)
		return STATUS_OK;
	if (!force && cluster_state(dir) != CLUSTER_DEAD) {
		if (!named)
			return STATUS_OK;
		complain("the cluster \"%s\" is alive: stop it first with `xcluster stop`, or use "
			 "--force",
			 id);
		return STATUS_FAILED;
	}
	if (teardown(dir, STOP_TIMEOUT, false, &err) < 0)
		return fail(&err);
	if (access(dir, F_OK) == 0)
		complain("%s stays: it holds files that are not xcluster's", dir);
	else
		printf("removed %s\n", dir);
	return STATUS_OK;
}

static int clean_all(bool force)
{
	struct xc_error err = XC_ERROR_INIT;
	char **ids = NULL;
	int status = STATUS_OK;

	if (cluster_ids(&ids, &err) < 0)
		return fail(&err);
	for (char **id = ids; *id; id++)
		if (clean_one(*id, false, force) != STATUS_OK)
			status = STATUS_FAILED;
	cluster_ids_free(ids);
	return status;
}

int command_clean(int argc, char **argv)
{
	static const struct argp argp = { options,
					  parse,
					  NULL,
					  "Remove what dead clusters have left on this machine: "
					  "processes, sockets, files and "
					  "logs. Live clusters are left alone.",
					  NULL,
					  NULL,
					  NULL };
	struct clean o = { .id = NULL };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.cache)
		printf("removed %d compiled sources\n", cache_trim(0, 0));
	return o.id ? clean_one(o.id, true, o.force) : clean_all(o.force);
}
