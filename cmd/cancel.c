/* cancel.c: xcluster cancel and xcluster purge: orders about jobs by their ids. */
#include <stdio.h>

#include "cmd/command.h"
#include "proto/cluster_dir.h"

struct orders {
	const char *id;
	bool running, all;
	bool is_purge;
	char **jobs;
	int count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct orders *o = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		o->id = option_cluster_id(state, arg);
		return 0;
	case OPTION_RUNNING:
		o->running = true;
		return 0;
	case OPTION_ALL:
		o->all = true;
		return 0;
	case ARGP_KEY_ARGS:
		o->jobs = state->argv + state->next;
		o->count = state->argc - state->next;
		return 0;
	case ARGP_KEY_END:
		if (o->all && o->count)
			argp_error(state, "--all and ids of jobs exclude each other");
		if (!o->all && !o->count)
			argp_error(state, "no id of a job is given; xcluster jobs lists them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int order(const struct orders *o, struct xc_client *client, const char *job,
		 struct xc_error *err)
{
	if (o->is_purge)
		return xc_purge(client, job, err);
	return xc_job_cancel(client, job, o->running ? XC_CANCEL_RUNNING : XC_CANCEL_QUEUED, err);
}

/* Goes on after one that does not go; the status of the last that did not. */
static int give(const struct orders *o, struct xc_client *client)
{
	struct xc_error err = XC_ERROR_INIT;
	int status = STATUS_OK, n;

	if (o->all) {
		n = xc_purge(client, NULL, &err);
		if (n < 0)
			return fail(&err);
		printf("%d jobs purged\n", n);
		return STATUS_OK;
	}
	for (int i = 0; i < o->count; i++)
		if (order(o, client, o->jobs[i], &err) < 0)
			status = fail(&err);
	return status;
}

static int run(struct orders *o, const struct argp *argp, int argc, char **argv)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	char path[CLUSTER_PATH_MAX];
	int status;

	argp_parse(argp, argc, argv, 0, NULL, o);
	if (connection_find(o->id, path, sizeof path, &err) < 0 || xc_open(&client, path, &err) < 0)
		return fail(&err);
	status = give(o, client);
	xc_close(client);
	return status;
}

int command_cancel(int argc, char **argv)
{
	static const struct argp_option options[] = {
		CLUSTER_ID_OPTION,
		{ "running", OPTION_RUNNING, NULL, 0, "Kill engines that still run its items, too",
		  0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "JOB...", "Cancel jobs, of whatever client, by their ids.",
		NULL,	 NULL,	NULL
	};
	struct orders o = { .is_purge = false };

	return run(&o, &argp, argc, argv);
}

int command_purge(int argc, char **argv)
{
	static const struct argp_option options[] = {
		CLUSTER_ID_OPTION,
		{ "all", OPTION_ALL, NULL, 0, "All jobs that have ended", 0 },
		{ 0 },
	};
	static const struct argp argp = { options,
					  parse,
					  "JOB...\n--all",
					  "Forget jobs that have ended, with their results.",
					  NULL,
					  NULL,
					  NULL };
	struct orders o = { .is_purge = true };

	return run(&o, &argp, argc, argv);
}
