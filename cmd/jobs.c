/* jobs.c: xcluster jobs. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/command.h"
#include "cmd/format.h"
#include "proto/cluster_dir.h"

#define LABEL_MAX 255 /* bytes of a pattern */

struct jobs {
	const char *id;
	struct xc_job_query query;
	bool json;
};

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "label", OPTION_LABEL, "L", 0, "Only jobs of this label; may have *, ? and [...]", 0 },
	{ "state", OPTION_STATE, "S", 0,
	  "Only these: queued, running, cancelling, done, failed, cancelled", 0 },
	{ "since", OPTION_SINCE, "T", 0,
	  "Only those submitted since: so many seconds ago, or a local time as "
	  "2026-11-23T15:04:05",
	  0 },
	JSON_OPTION,
	{ 0 },
};

static const char *option_state(struct argp_state *state, const char *arg)
{
	static const char *const states[] = { "queued", "running", "cancelling",
					      "done",	"failed",  "cancelled" };

	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
		if (strcmp(arg, states[i]) == 0)
			return arg;
	argp_error(state,
		   "--state must be queued, running, cancelling, done, failed or cancelled, not "
		   "\"%.80s\"",
		   arg);
	return NULL;
}

/* Seconds since 1970 of a local date, with or without a time. */
static bool read_date(const char *text, double *when)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
					       "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		struct tm local = { .tm_isdst = -1 };
		const char *end = strptime(text, formats[i], &local);
		time_t seconds;

		if (!end || *end)
			continue;
		seconds = mktime(&local);
		*when = (double)seconds;
		return seconds != (time_t)-1;
	}
	return false;
}

static double option_since(struct argp_state *state, const char *arg)
{
	char *end;
	double value = strtod(arg, &end);

	if (end != arg && !*end && isfinite(value) && value >= 0 && value <= 1e10)
		return (double)time(NULL) - value;
	if (!read_date(arg, &value))
		argp_error(state,
			   "--since must be a number of seconds, or a local time as 2026-11-23 or "
			   "2026-11-23T15:04:05, not \"%.80s\"",
			   arg);
	return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct jobs *o = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		o->id = option_cluster_id(state, arg);
		return 0;
	case OPTION_LABEL:
		if (strlen(arg) > LABEL_MAX)
			argp_error(state, "--label must have at most %d bytes, not \"%.80s\"",
				   LABEL_MAX, arg);
		o->query.label = arg;
		return 0;
	case OPTION_STATE:
		o->query.state = option_state(state, arg);
		return 0;
	case OPTION_SINCE:
		o->query.since = option_since(state, arg);
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

/* Texts of clients may be any bytes. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_string("(not UTF-8)");
}

/* Of times, those that are known. */
static json_t *job_json(const struct xc_job_info *job)
{
	json_t *json = json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:i, s:f, s:I, s:b, s:b}",
				 "id", job->id, "client", text_json(job->client), "label",
				 text_json(job->label), "state", job->state, "items",
				 (json_int_t)job->items, "done", (json_int_t)job->done, "failed",
				 (json_int_t)job->failed, "priority", job->priority, "submitted",
				 job->submitted, "result_bytes", (json_int_t)job->result_bytes,
				 "has_results", job->has_results, "has_inputs", job->has_inputs);

	if (job->started > 0)
		json_object_set_new(json, "started", json_real(job->started));
	if (job->finished > 0) {
		json_object_set_new(json, "finished", json_real(job->finished));
		json_object_set_new(json, "seconds", json_real(job->finished - job->submitted));
	}
	return json;
}

static char *format_local(char *text, size_t size, double seconds)
{
	time_t when = (time_t)seconds;
	struct tm local;

	if (!localtime_r(&when, &local) || !strftime(text, size, "%Y-%m-%dT%H:%M:%S", &local))
		snprintf(text, size, "?");
	return text;
}

static void print_table(const json_t *list)
{
	static const struct column columns[] = {
		{ "ID", "id", NULL },
		{ "CLIENT", "client", NULL },
		{ "LABEL", "label", NULL },
		{ "STATE", "state", NULL },
		{ "ITEMS", "items", NULL },
		{ "DONE", "done", NULL },
		{ "FAILED", "failed", NULL },
		{ "SUBMITTED", "submitted", format_local },
		{ "TOOK", "seconds", format_time },
		{ "RESULTS", "result_bytes", format_size },
		{ NULL, NULL, NULL },
	};

	if (json_array_size(list) > 0)
		format_table(list, columns);
	else
		puts("no such jobs");
}

static int list_jobs(const struct jobs *o, struct xc_client *client, struct xc_error *err)
{
	struct xc_job_info *jobs;
	json_t *list = json_array();
	int count, r = xc_jobs(client, &o->query, &jobs, &count, err);

	if (r < 0) {
		json_decref(list);
		return r;
	}
	for (int i = 0; i < count; i++)
		json_array_append_new(list, job_json(&jobs[i]));
	free(jobs);
	if (o->json) {
		json_dumpf(list, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(16));
		putchar('\n');
	} else {
		print_table(list);
	}
	json_decref(list);
	return 0;
}

int command_jobs(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse,
		NULL,	 "List the jobs of all clients, pending and ended, the newest first.",
		NULL,	 NULL,
		NULL
	};
	struct jobs o = { .id = NULL };
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	char path[CLUSTER_PATH_MAX];
	int r;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	r = connection_find(o.id, path, sizeof path, &err);
	if (r >= 0)
		r = xc_open(&client, path, &err);
	if (r == 0)
		r = list_jobs(&o, client, &err);
	xc_close(client);
	return r < 0 ? fail(&err) : STATUS_OK;
}
