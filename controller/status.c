/* status.c: the controller's report, as JSON. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/memory.h"

static const char *engine_word(const struct engine *engine)
{
	switch (engine->state) {
	case ENGINE_STARTING:
		return "starting";
	case ENGINE_DOWN:
		return "down";
	case ENGINE_GONE:
		return "failed";
	case ENGINE_CLOSING:
		return "stopping";
	case ENGINE_SHUT:
		return "stopped";
	default:
		if (engine->agent && engine->agent->is_draining)
			return "draining";
		return engine->slices ? "busy" : "idle";
	}
}

/* Texts of clients may be any bytes. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_string("(not UTF-8)");
}

/* Items in the engine's hands, of the job (NULL: of all). */
static int64_t running_at(const struct engine *engine, const struct job *job)
{
	const struct slice *slice;
	int64_t n = 0;

	DL_FOREACH (engine->slices, slice) {
		if (!job || slice->job == job)
			n += slice->count - slice->done;
	}
	return n;
}

static int64_t queued_at(const struct engine *engine)
{
	const struct pinned *pinned;
	int64_t n = 0;

	DL_FOREACH (engine->pinned, pinned) {
		n += pinned->count;
	}
	return n;
}

static int64_t unassigned(const struct job *job)
{
	const struct rerun *rerun;
	int64_t n = job->remaining.total;

	DL_FOREACH (job->reruns, rerun) {
		n += rerun->count;
	}
	return n;
}

static json_t *engine_json(const struct state *state, const struct engine *engine)
{
	const struct slice *slice = engine->slices; /* that it runs, or is about to */
	bool is_alive = engine->peer != NULL;
	char log[PATH_MAX + 64];

	log_path(state, engine->agent, engine, log, sizeof log);
	return json_pack(
		"{s:i,s:s,s:o,s:i,s:i,s:I,s:i,s:i,s:f,s:i,s:I,s:o,s:o,s:o,s:I,s:I,s:i,s:I,s:I}",
		"id", engine->id, "state", engine_word(engine), "host",
		text_json(engine->agent ? engine->agent->host : ""), "pid",
		is_alive ? (int)engine->pid : 0, "agent", engine->agent ? engine->agent->index : -1,
		"slot", (json_int_t)engine->slot, "cores",
		engine->agent ? (int)engine->agent->cores : 0, "threads",
		is_alive ? engine->threads : 0, "started", is_alive ? engine->started : 0.0,
		"restarts", engine->restarts, "items", (json_int_t)engine->items_run, "reason",
		text_json(engine->reason), "log", text_json(log), "label",
		text_json(slice ? slice->job->label : ""), "first_item",
		slice ? (json_int_t)(slice->first + slice->done) : -1, "item_count",
		slice ? (json_int_t)(slice->count - slice->done) : 0, "slices", engine->slice_count,
		"queued", (json_int_t)queued_at(engine), "running",
		(json_int_t)running_at(engine, NULL));
}

static json_t *engines_json(const struct state *state)
{
	json_t *list = json_array();

	for (int i = 0; i < state->engine_count; i++)
		json_array_append_new(list, engine_json(state, state->engines[i]));
	return list;
}

/* Seconds until the agent's time is up; null: nobody knows. */
static json_t *ends_json(const struct agent *agent)
{
	uint64_t now = now_ns();

	if (!agent->ends_ns)
		return agent->is_draining ? json_real(0) : json_null();
	return json_real(agent->ends_ns > now ? (double)(agent->ends_ns - now) / 1e9 : 0);
}

/* Of the supervisor: null without one. */
static json_t *launcher_json(const struct state *state)
{
	json_t *jobs = state->note.details ? json_loads(state->note.details, 0, NULL) : NULL;

	if (!state->note.version)
		return json_null();
	return json_pack("{s:o,s:I,s:o}", "note", text_json(state->note.text), "coming",
			 (json_int_t)state->note.coming, "jobs", jobs ? jobs : json_array());
}

static json_t *agent_json(const struct state *state, const struct agent *agent)
{
	char log[PATH_MAX + 64], session[2 * SESSION_SIZE + 1];

	log_path(state, agent, NULL, log, sizeof log);
	for (int i = 0; i < SESSION_SIZE; i++)
		snprintf(session + 2 * i, 3, "%02x", agent->session[i]);
	return json_pack("{s:i,s:o,s:i,s:s,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "id", agent->index,
			 "host", text_json(agent->host), "pid", (int)agent->pid, "session", session,
			 "engines", (json_int_t)agent->slots, "cores", (json_int_t)agent->cores,
			 "usable", (json_int_t)agent->usable, "store_used",
			 (json_int_t)agent->store_used, "store_limit",
			 (json_int_t)agent->store_limit, "log", text_json(log), "launch",
			 text_json(agent->launch), "ends_in", ends_json(agent));
}

static json_t *agents_json(const struct state *state)
{
	json_t *list = json_array();
	struct agent *agent;

	DL_FOREACH (state->agents, agent) {
		json_array_append_new(list, agent_json(state, agent));
	}
	return list;
}

static int64_t running(const struct job *job, const struct state *state)
{
	int64_t n = 0;

	for (int i = 0; job->slices > 0 && i < state->engine_count; i++)
		n += running_at(state->engines[i], job);
	return n;
}

/* As clients name it. */
static char *job_text(const struct job *job, char text[XC_JOB_ID_SIZE])
{
	for (int i = 0; i < OWNER_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", job->client->session[i]);
	snprintf(text + 2 * OWNER_SIZE, XC_JOB_ID_SIZE - 2 * OWNER_SIZE, "-%llu",
		 (unsigned long long)job->id);
	return text;
}

struct queue {
	json_int_t items, slices, unassigned;
};

static void add_jobs(const struct state *state, struct client *clients, json_t *list,
		     struct queue *queue)
{
	struct client *client;
	struct job *job, *next;

	DL_FOREACH (clients, client) {
		HASH_ITER (hh, client->jobs, job, next) {
			int64_t now = running(job, state);
			char text[XC_JOB_ID_SIZE];

			queue->items += job->items - job->ended - now;
			queue->slices += job->slices;
			queue->unassigned += unassigned(job);
			if (job->is_purged)
				continue;
			json_array_append_new(
				list,
				json_pack("{s:I,s:s,s:o,s:o,s:I,s:I,s:I,s:I,s:s}", "id",
					  (json_int_t)job->id, "job", job_text(job, text), "client",
					  text_json(client->name), "label", text_json(job->label),
					  "items", (json_int_t)job->items, "done",
					  (json_int_t)job->ended, "failed", (json_int_t)job->failed,
					  "running", (json_int_t)now, "state",
					  job->cancelled ? "cancelled" : "running"));
		}
	}
}

static void add_warning(void *list, const char *text)
{
	json_array_append_new(list, text_json(text));
}

static char *report(struct state *state)
{
	json_int_t inputs = 0, results = 0;
	struct queue queue = { 0 };
	struct client *client;
	int clients = 0;
	json_t *jobs = json_array(), *warnings = json_array(), *root;
	char *text;

	add_jobs(state, state->clients, jobs, &queue);
	add_jobs(state, state->departed, jobs, &queue);
	threads_warn(state, add_warning, warnings);

	DL_FOREACH (state->clients, client) {
		clients++;
		inputs += (json_int_t)client->input_bytes;
		results += (json_int_t)client->held_bytes;
	}
	root = json_pack(
		"{s:s,s:o,s:i,s:s,s:f,s:o,s:I,s:o,s:o,s:o,s:i,s:o,s:o,s:{s:I,s:I,s:I},s:{s:I,s:I,s:"
		"I}}",
		"id", state->connection.id, "host", text_json(state->connection.host), "pid",
		(int)getpid(), "version", XC_VERSION, "uptime",
		(double)(now_ns() - state->started_ns) / 1e9, "connection",
		text_json(state->connection.path), "rss", (json_int_t)memory_resident_bytes(),
		"engines", engines_json(state), "agents", agents_json(state), "launcher",
		launcher_json(state), "clients", clients, "warnings", warnings, "jobs", jobs,
		"queue", "items", queue.items, "slices", queue.slices, "unassigned",
		queue.unassigned, "memory", "inputs", inputs, "results", results, "history",
		(json_int_t)(state->history.bytes + state->history.kept_bytes));
	if (!root)
		return NULL;
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

int on_query(struct state *state, struct peer *peer, struct message *m)
{
	unsigned char header[HEADER_MAX];
	struct msg_report answer;
	struct msg_query query;
	zmq_msg_t frame;
	char *text;
	int r = msg_query_get(&m->fields, &query);

	if (r < 0)
		return r;
	text = report(state);
	if (!text)
		return -ENOMEM;
	frame_copy(&frame, text, strlen(text));
	free(text);
	answer.id = query.id;
	return message_send(state->router, peer->route, header,
			    msg_report_pack(header, sizeof header, &answer), &frame, 1);
}
