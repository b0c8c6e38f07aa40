/* inline_status.c: the report of a cluster within the client, with the members of a
 * controller's. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#include "libcluster/inline.h"
#include "libcluster/threads.h"
#include "proto/memory.h"

static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_string("(not UTF-8)");
}

static int64_t items_of(const struct inline_run *runs)
{
	const struct inline_run *run;
	int64_t n = 0;

	DL_FOREACH (runs, run) {
		n += run->count;
	}
	return n;
}

int inline_threads(const struct xci_inline *in, const struct inline_engine *engine)
{
	int threads = engine->threads ? engine->threads : threads_of_environment();

	return threads > 0 ? threads : in->cores;
}

/* Nothing runs while this is asked: busy is who has been given items of its own. */
static json_t *engine_json(const struct xci_inline *in, const struct inline_engine *engine,
			   const char *host)
{
	const struct inline_run *run = engine->pinned;
	bool is_up = !engine->is_shut;

	return json_pack(
		"{s:i,s:s,s:o,s:i,s:i,s:I,s:i,s:i,s:f,s:i,s:I,s:s,s:s,s:o,s:I,s:I,s:i,s:I,s:I}",
		"id", engine->id, "state",
		!is_up ? "stopped"
		: run  ? "busy"
		       : "idle",
		"host", text_json(host), "pid", is_up ? (int)getpid() : 0, "agent", -1, "slot",
		(json_int_t)engine->id, "cores", (int)sysconf(_SC_NPROCESSORS_ONLN), "threads",
		is_up ? inline_threads(in, engine) : 0, "started", is_up ? in->started : 0.0,
		"restarts", 0, "items", (json_int_t)engine->items, "reason", engine->reason, "log",
		"", "label", text_json(run ? run->job->label : ""), "first_item",
		run ? (json_int_t)run->first : -1, "item_count", run ? (json_int_t)run->count : 0,
		"slices", 0, "queued", (json_int_t)items_of(engine->pinned), "running",
		(json_int_t)0);
}

/* Engines take turns, so one alone must have too many. */
static json_t *warnings_json(const struct xci_inline *in, const char *host)
{
	json_t *list = json_array();
	int most = 0;
	char text[512], each[16];

	for (int i = 0; i < in->count; i++)
		if (!in->engines[i].is_shut && inline_threads(in, &in->engines[i]) > most)
			most = inline_threads(in, &in->engines[i]);
	if (most <= in->cores)
		return list;
	snprintf(each, sizeof each, "%d", most);
	snprintf(text, sizeof text, THREADS_TOO_MANY, host, 1LL, each, (long long)most,
		 (unsigned long long)in->cores);
	json_array_append_new(list, text_json(text));
	return list;
}

static json_t *engines_json(const struct xci_inline *in, const char *host)
{
	json_t *list = json_array();

	for (int i = 0; i < in->count; i++)
		json_array_append_new(list, engine_json(in, &in->engines[i], host));
	return list;
}

struct queue {
	json_int_t items, unassigned, inputs;
};

static json_t *jobs_json(const struct xci_inline *in, struct queue *queue)
{
	json_t *list = json_array();
	struct inline_job *job, *next;

	HASH_ITER (hh, in->jobs, job, next) {
		queue->items += job->items - job->ended;
		queue->unassigned += items_of(job->rest) + items_of(job->reruns);
		queue->inputs += (json_int_t)job->input.size;
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
	struct queue queue = { 0 };
	json_t *jobs = jobs_json(in, &queue), *root;
	char host[256] = "", *text;

	gethostname(host, sizeof host - 1);
	root = json_pack("{s:s,s:o,s:i,s:s,s:f,s:s,s:I,s:o,s:[],s:n,s:i,s:o,s:o,s:{s:I,s:i,s:I},"
			 "s:{s:I,s:i,s:I}}",
			 "id", "inline", "host", text_json(host), "pid", (int)getpid(), "version",
			 XC_VERSION, "uptime", (double)(now_ns() - in->started_ns) / 1e9,
			 "connection", "", "rss", (json_int_t)memory_resident_bytes(), "engines",
			 engines_json(in, host), "agents", "launcher", "clients", 1, "warnings",
			 warnings_json(in, host), "jobs", jobs, "queue", "items", queue.items,
			 "slices", 0, "unassigned", queue.unassigned, "memory", "inputs",
			 queue.inputs, "results", 0, "history",
			 (json_int_t)(in->history_bytes + in->kept_bytes));
	if (!root)
		return NULL;
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}
