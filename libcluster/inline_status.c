/* inline_status.c: the report of a cluster within the client, with the members of a
 * controller's. */
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#include "libcluster/inline.h"
#include "proto/memory.h"

static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_string("(not UTF-8)");
}

static json_int_t items_of(const struct inline_run *runs)
{
	const struct inline_run *run;
	json_int_t items = 0;

	DL_FOREACH (runs, run) {
		items += run->count;
	}
	return items;
}

static json_int_t unassigned(const struct xci_inline *in)
{
	const struct inline_job *job;
	json_int_t items = 0;

	DL_FOREACH (in->runnable, job) {
		items += items_of(job->rest) + items_of(job->reruns);
	}
	return items;
}

/* Nothing runs while this is asked: busy is who has been given items of its own. */
static json_t *engines_json(const struct xci_inline *in, const char *host)
{
	json_t *list = json_array();

	for (int i = 0; i < in->count; i++) {
		const struct inline_engine *engine = &in->engines[i];
		const struct inline_run *run = engine->pinned;

		json_array_append_new(
			list, json_pack("{s:i,s:s,s:o,s:i,s:i,s:I,s:i,s:I,s:s,s:s,s:o,s:i,s:I,s:i}",
					"id", engine->id, "state", run ? "busy" : "idle", "host",
					text_json(host), "pid", (int)getpid(), "agent", -1, "slot",
					(json_int_t)i, "restarts", 0, "items",
					(json_int_t)engine->items, "reason", "", "log", "", "label",
					text_json(run ? run->job->label : ""), "slices", 0,
					"queued", items_of(run), "running", 0));
	}
	return list;
}

static json_t *jobs_json(const struct xci_inline *in, json_int_t *items, json_int_t *inputs)
{
	json_t *list = json_array();
	struct inline_job *job, *next;

	HASH_ITER (hh, in->jobs, job, next) {
		*items += job->items - job->ended;
		*inputs += (json_int_t)zmq_msg_size(&job->payload);
		json_array_append_new(
			list,
			json_pack("{s:I,s:s,s:o,s:I,s:I,s:I,s:I,s:s}", "id", (json_int_t)job->id,
				  "client", "", "label", text_json(job->label), "items",
				  (json_int_t)job->items, "done", (json_int_t)job->ended, "failed",
				  (json_int_t)job->failed, "running", (json_int_t)0, "state",
				  job->cancelled ? "cancelled" : "running"));
	}
	return list;
}

char *inline_status(const struct xci_inline *in)
{
	json_int_t items = 0, inputs = 0;
	json_t *jobs = jobs_json(in, &items, &inputs), *root;
	char host[256] = "", *text;

	gethostname(host, sizeof host - 1);
	root = json_pack(
		"{s:s,s:o,s:i,s:s,s:f,s:s,s:I,s:o,s:[],s:i,s:o,s:{s:I,s:i,s:I},s:{s:I,s:i}}", "id",
		"inline", "host", text_json(host), "pid", (int)getpid(), "version", XC_VERSION,
		"uptime", (double)(now_ns() - in->started_ns) / 1e9, "connection", "", "rss",
		(json_int_t)memory_resident_bytes(), "engines", engines_json(in, host), "agents",
		"clients", 1, "jobs", jobs, "queue", "items", items, "slices", 0, "unassigned",
		unassigned(in), "memory", "inputs", inputs, "results", 0);
	if (!root)
		return NULL;
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}
