/* list.c: xcluster list: the clusters of this user on this machine. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/format.h"
#include "cmd/query.h"
#include "cmd/teardown.h"
#include "proto/cluster_dir.h"

#define TIMEOUT 2.0

static const struct argp_option options[] = { JSON_OPTION, { 0 } };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	switch (key) {
	case OPTION_JSON:
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static json_t *describe_running(const char *id, const char *dir)
{
	char path[CLUSTER_PATH_MAX];
	json_t *status = NULL, *entry;
	struct xc_error err = XC_ERROR_INIT;

	if (cluster_file(dir, path, sizeof path, CLUSTER_CONNECTION) == 0)
		query_status(path, TIMEOUT, &status, &err);
	entry = json_pack("{s:s, s:s}", "id", id, "state", "running");
	/* One that does not answer has only these two. */
	for (const char *const *key = (const char *const[]){ "pid", "host", "uptime", "version",
							     "connection", NULL };
	     status && *key; key++)
		json_object_set(entry, *key, json_object_get(status, *key));
	if (status)
		json_object_set_new(entry, "engines",
				    json_integer((json_int_t)json_array_size(
					    json_object_get(status, "engines"))));
	else
		json_object_set_new(entry, "reason", json_string(err.text));
	json_decref(status);
	return entry;
}

/* NULL when there is nothing of a cluster but logs. */
static json_t *describe(const char *id)
{
	char dir[CLUSTER_PATH_MAX];

	if (cluster_dir(id, dir, sizeof dir, NULL) < 0)
		return NULL;
	switch (cluster_state(dir)) {
	case CLUSTER_RUNNING:
		return describe_running(id, dir);
	case CLUSTER_STARTING:
		return json_pack("{s:s, s:s}", "id", id, "state", "starting");
	default:
		if (!cluster_dir_has_leftovers(dir))
			return NULL;
		return json_pack("{s:s, s:s}", "id", id, "state", "dead");
	}
}

static void print_list(const json_t *list)
{
	static const struct column columns[] = {
		{ "ID", "id", NULL },
		{ "STATE", "state", NULL },
		{ "ENGINES", "engines", NULL },
		{ "PID", "pid", NULL },
		{ "UPTIME", "uptime", format_time },
		{ "HOST", "host", NULL },
		{ NULL, NULL, NULL },
	};

	if (json_array_size(list) > 0)
		format_table(list, columns);
	else
		puts("no clusters: start one with `xcluster start`");
}

int command_list(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		NULL,
		"List the clusters of this user on this machine: running, "
		"starting, or dead (see `xcluster clean`).",
		NULL,
		NULL,
		NULL
	};
	struct xc_error err = XC_ERROR_INIT;
	json_t *list = json_array(), *entry;
	bool json = false;
	char **ids = NULL;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	if (cluster_ids(&ids, &err) < 0) {
		json_decref(list);
		return fail(&err);
	}
	for (char **id = ids; *id; id++)
		if ((entry = describe(*id)))
			json_array_append_new(list, entry);
	cluster_ids_free(ids);
	if (json) {
		json_dumpf(list, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else {
		print_list(list);
	}
	json_decref(list);
	return STATUS_OK;
}
