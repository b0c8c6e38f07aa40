/* status.c: xcluster status. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/format.h"
#include "cmd/query.h"
#include "proto/cluster_dir.h"

#define TIMEOUT 5.0

struct status {
	const char *id;
	bool json;
};

static const struct argp_option options[] = { CLUSTER_ID_OPTION, JSON_OPTION, { 0 } };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct status *o = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		o->id = option_cluster_id(state, arg);
		return 0;
	case OPTION_JSON:
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "?";
}

static double number_at(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void print_head(const json_t *status)
{
	char up[32], rss[32];

	printf("cluster %s on %s: up %s, controller pid %.0f, %s, xcluster %s\n",
	       text_at(status, "id"), text_at(status, "host"),
	       format_time(up, sizeof up, number_at(status, "uptime")), number_at(status, "pid"),
	       format_size(rss, sizeof rss, number_at(status, "rss")), text_at(status, "version"));
	printf("connection %s\n", text_at(status, "connection"));
}

static void print_engines(const json_t *status)
{
	static const struct column engines[] = {
		{ "ID", "id", NULL },
		{ "STATE", "state", NULL },
		{ "HOST", "host", NULL },
		{ "PID", "pid", NULL },
		{ "AGENT", "agent", NULL },
		{ "CORES", "cores", NULL },
		{ "THREADS", "threads", NULL },
		{ "ITEMS", "items", NULL },
		{ "RESTARTS", "restarts", NULL },
		{ "RUNS", "label", NULL },
		{ "REASON", "reason", NULL },
		{ NULL, NULL, NULL },
	};
	static const struct column agents[] = {
		{ "ID", "id", NULL },
		{ "HOST", "host", NULL },
		{ "PID", "pid", NULL },
		{ "ENGINES", "engines", NULL },
		{ "STORE", "store_used", format_size },
		{ "LIMIT", "store_limit", format_size },
		{ "STARTED BY", "launch", NULL },
		{ NULL, NULL, NULL },
	};
	const json_t *list = json_object_get(status, "engines");

	printf("\nengines: %zu\n", json_array_size(list));
	if (json_array_size(list) > 0)
		format_table(list, engines);
	list = json_object_get(status, "agents");
	printf("\nagents: %zu\n", json_array_size(list));
	if (json_array_size(list) > 0)
		format_table(list, agents);
}

static void print_warnings(const json_t *status)
{
	const json_t *list = json_object_get(status, "warnings"), *text;
	size_t i;

	json_array_foreach (list, i, text) {
		printf("%swarning: %s\n", i == 0 ? "\n" : "", json_string_value(text));
	}
}

/* What the launcher has asked a batch system for. */
static void print_launcher(const json_t *status)
{
	static const struct column jobs[] = {
		{ "JOB", "id", NULL },		{ "STATE", "state", NULL },
		{ "ENGINES", "engines", NULL }, { "SYSTEM", "word", NULL },
		{ "REASON", "reason", NULL },	{ NULL, NULL, NULL },
	};
	const json_t *launcher = json_object_get(status, "launcher");
	const json_t *list = json_object_get(launcher, "jobs");

	if (!json_is_object(launcher))
		return;
	printf("\nlauncher: %s; %.0f engines to come\n", text_at(launcher, "note"),
	       number_at(launcher, "coming"));
	if (json_array_size(list) > 0)
		format_table(list, jobs);
}

static void print_jobs(const json_t *status)
{
	static const struct column jobs[] = {
		{ "ID", "job", NULL },	      { "CLIENT", "client", NULL },
		{ "LABEL", "label", NULL },   { "STATE", "state", NULL },
		{ "ITEMS", "items", NULL },   { "DONE", "done", NULL },
		{ "FAILED", "failed", NULL }, { "RUNNING", "running", NULL },
		{ NULL, NULL, NULL },
	};
	const json_t *queue = json_object_get(status, "queue");
	const json_t *memory = json_object_get(status, "memory");
	const json_t *list = json_object_get(status, "jobs");
	char inputs[32], results[32];

	printf("\njobs: %zu\nclients: %.0f with this one\n", json_array_size(list),
	       number_at(status, "clients"));
	if (json_array_size(list) > 0)
		format_table(list, jobs);
	printf("\nqueue: %.0f items waiting, %.0f slices at engines\n", number_at(queue, "items"),
	       number_at(queue, "slices"));
	printf("memory: %s of inputs, %s of results\n",
	       format_size(inputs, sizeof inputs, number_at(memory, "inputs")),
	       format_size(results, sizeof results, number_at(memory, "results")));
}

int command_status(int argc, char **argv)
{
	static const struct argp argp = { options,
					  parse,
					  NULL,
					  "Show engines, agents, jobs, queue and memory of a "
					  "running cluster.",
					  NULL,
					  NULL,
					  NULL };
	struct status o = { .id = NULL };
	struct xc_error err = XC_ERROR_INIT;
	char path[CLUSTER_PATH_MAX];
	json_t *status = NULL;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (connection_find(o.id, path, sizeof path, &err) < 0 ||
	    query_status(path, TIMEOUT, &status, &err) < 0)
		return fail(&err);
	if (o.json) {
		json_dumpf(status, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else {
		print_head(status);
		print_engines(status);
		print_warnings(status);
		print_launcher(status);
		print_jobs(status);
	}
	json_decref(status);
	return STATUS_OK;
}
