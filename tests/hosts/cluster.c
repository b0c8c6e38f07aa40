/* cluster.c: clusters of several hosts of a bed. */
#include "tests/hosts/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bed_copy(const struct bed *bed, const char *place, const char *file, const char *host,
	      const char *name)
{
	bed_ok(bed, place, "scp -qp %s %s:%s", file, host, name);
}

json_t *bed_json(const struct bed *bed, const char *host, const char *path)
{
	char *text = bed_read(bed, host, path);
	json_t *json;

	ck_assert_msg(text != NULL, "there is no %s on %s", path, host);
	json = json_loads(text, 0, NULL);
	ck_assert_msg(json != NULL, "%s is not JSON: %s", path, text);
	free(text);
	return json;
}

struct engines {
	const struct bed *bed;
	const char *place;
	int n;
};

static bool has_engines(void *arg)
{
	static struct output output;
	const struct engines *wanted = arg;
	json_t *status, *engine;
	size_t i;
	int up = 0;

	bed_run(wanted->bed, wanted->place, LIMIT, &output, "xcluster status --json");
	status = output.status == 0 ? json_loads(output.out, 0, NULL) : NULL;
	json_array_foreach (json_object_get(status, "engines"), i, engine) {
		const char *state = json_string_value(json_object_get(engine, "state"));

		up += state && (strcmp(state, "idle") == 0 || strcmp(state, "busy") == 0);
	}
	json_decref(status);
	return up == wanted->n;
}

bool bed_wait_engines(const struct bed *bed, const char *place, int n, double limit)
{
	struct engines wanted = { bed, place, n };

	return wait_until(has_engines, &wanted, limit);
}

void bed_stop_cluster(const struct bed *bed, const char *place)
{
	const char *at = strchr(place, '@');

	bed_ok(bed, place, "xcluster stop");
	ck_assert(bed_wait_processes(bed, at ? at + 1 : place, "xcluster", 0, 5));
}

void bed_clear(const struct bed *bed)
{
	static struct output output;
	char host[16] = "ctl";

	for (int i = 0; i <= bed->nodes; i++) {
		if (i > 0)
			snprintf(host, sizeof host, "node%d", i);
		bed_run(bed, host, LIMIT, &output,
			"nft flush ruleset; pkill -9 -x xcluster; "
			"rm -rf /root/.xcluster /home/tester/.xcluster /tmp/xcluster-*");
		ck_assert(bed_wait_processes(bed, host, "xcluster", 0, 5));
	}
}

int bed_count_jobs(const struct bed *bed, const char *place)
{
	static struct output output;
	json_t *list;
	int n;

	bed_run(bed, place, LIMIT, &output, "xcluster jobs --json");
	ck_assert_msg(output.status == 0, "xcluster jobs: %s", output.err);
	list = json_loads(output.out, 0, NULL);
	ck_assert(json_is_array(list) || json_is_array(json_object_get(list, "jobs")));
	n = (int)json_array_size(json_is_array(list) ? list : json_object_get(list, "jobs"));
	json_decref(list);
	return n;
}

const char *bed_example(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", getenv("XC_TEST_EXAMPLES"), name);
	return path;
}

int count_engines_on(const char *text, const char *host)
{
	char end[64];
	int n = 0;

	snprintf(end, sizeof end, " on %s", host);
	for (; (text = strstr(text, end)); text += strlen(end))
		n++;
	return n;
}
