/* jobs.c: what tests of launchers ask of a cluster on the hosts of a bed. */
#include "tests/hosts/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *cluster_status(const struct bed *bed, const char *place)
{
	static struct output output;

	bed_run(bed, place, LIMIT, &output, "xcluster status --json");
	return output.status == 0 ? json_loads(output.out, 0, NULL) : NULL;
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int cluster_engines(const struct bed *bed, const char *place)
{
	json_t *status = cluster_status(bed, place), *engine;
	size_t i;
	int n = 0;

	json_array_foreach (json_object_get(status, "engines"), i, engine)
		n += strcmp(text_at(engine, "state"), "idle") == 0 ||
		     strcmp(text_at(engine, "state"), "busy") == 0;
	json_decref(status);
	return n;
}

int cluster_agents(const struct bed *bed, const char *place)
{
	json_t *status = cluster_status(bed, place);
	int n = (int)json_array_size(json_object_get(status, "agents"));

	json_decref(status);
	return n;
}

bool cluster_has_launch(const struct bed *bed, const char *place, const char *host,
			const char *text)
{
	json_t *status = cluster_status(bed, place), *agent;
	bool has = false;
	size_t i;

	json_array_foreach (json_object_get(status, "agents"), i, agent)
		has |= strcmp(text_at(agent, "host"), host) == 0 &&
		       strstr(text_at(agent, "launch"), text) != NULL;
	json_decref(status);
	return has;
}

struct wish {
	const struct bed *bed;
	const char *place, *text;
	int n;
};

static bool has_engines(void *arg)
{
	const struct wish *wish = arg;

	return cluster_engines(wish->bed, wish->place) == wish->n;
}

bool cluster_wait_engines(const struct bed *bed, const char *place, int n, double limit)
{
	struct wish wish = { .bed = bed, .place = place, .n = n };

	return wait_until(has_engines, &wish, limit);
}

static bool says(void *arg)
{
	static struct output output;
	const struct wish *wish = arg;

	bed_run(wish->bed, wish->place, LIMIT, &output, "xcluster status");
	return output.status == 0 && strstr(output.out, wish->text);
}

bool cluster_wait_text(const struct bed *bed, const char *place, const char *text, double limit)
{
	struct wish wish = { .bed = bed, .place = place, .text = text };

	return wait_until(says, &wish, limit);
}

void cluster_assert_nothing_left(const struct bed *bed, double limit)
{
	char host[16] = "ctl";

	for (int i = 0; i <= bed->nodes; i++) {
		ck_assert_msg(bed_wait_processes(bed, host, "xcluster", 0, limit),
			      "processes are left on %s", host);
		snprintf(host, sizeof host, "node%d", i + 1);
	}
}

void cluster_stop(const struct bed *bed, const char *place)
{
	bed_ok(bed, place, "xcluster stop");
	cluster_assert_nothing_left(bed, 5);
}
