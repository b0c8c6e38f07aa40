/* await.c: waiting for the engines of an agent just started. */
#include "cmd/await.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/interrupt.h"
#include "cmd/tail.h"
#include "proto/error.h"

#define SLICE	  0.1 /* seconds between looks at agent and signals: success does not wait */
#define LOG_LINES 5
#define EXPLAINED 10 /* engines, of each kind */

/* ---- The agent's engines, as the controller sees them ----------------------- */

static json_t *get_status(struct xc_client *client)
{
	char *text = NULL;
	json_t *status;

	if (xc_status_json(client, &text, NULL) < 0)
		return NULL;
	status = json_loads(text, 0, NULL);
	free(text);
	return status;
}

/* The id of the agent with this pid, borrowed from `status`. */
static const json_t *find_agent(const json_t *status, pid_t pid)
{
	const json_t *agents = json_object_get(status, "agents");
	json_t *agent;
	size_t i;

	json_array_foreach (agents, i, agent)
		if (json_integer_value(json_object_get(agent, "pid")) == pid)
			return json_object_get(agent, "id");
	return NULL;
}

static bool is_of(const json_t *engine, const json_t *agent)
{
	return agent && json_equal(json_object_get(engine, "agent"), agent);
}

static const char *state_of(const json_t *engine)
{
	const char *state = json_string_value(json_object_get(engine, "state"));

	return state ? state : "unknown";
}

static bool is_up(const json_t *engine)
{
	return strcmp(state_of(engine), "idle") == 0 || strcmp(state_of(engine), "busy") == 0;
}

struct census {
	int up, failed, known;
};

static struct census count_engines(const struct await *await)
{
	json_t *status = get_status(await->client), *engine;
	const json_t *agent = find_agent(status, await->agent->pid);
	struct census census = { 0, 0, 0 };
	size_t i;

	json_array_foreach (json_object_get(status, "engines"), i, engine) {
		if (!is_of(engine, agent))
			continue;
		census.known++;
		census.up += is_up(engine);
		census.failed += strcmp(state_of(engine), "failed") == 0;
	}
	json_decref(status);
	return census;
}

/* ---- Waiting ------------------------------------------------------------------ */

static void show_progress(const struct await *await)
{
	int up = xc_engine_count(await->client) - await->others;

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rengines %d/%d\033[K", up < 0 ? 0 : up, await->n);
}

static void hide_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* When others' engines come and go, the number of all says nothing: 1 when all of
 * the agent are up, 0 when not yet, XC_ENOENGINE. */
static int look_closer(const struct await *await, struct xc_error *err)
{
	struct pollfd fd = { .fd = await->agent->pidfd, .events = POLLIN };
	struct census census = count_engines(await);

	if (census.up >= await->n)
		return 1;
	if (census.failed > 0)
		return error_set(err, XC_ENOENGINE, "%d of %d engines could not be started",
				 census.failed, await->n);
	poll(&fd, 1, 20);
	return 0;
}

int await_engines(const struct await *await, struct xc_error *err)
{
	double end = now_seconds() + await->timeout;
	int r;

	for (;;) {
		double left = end - now_seconds();

		r = xc_wait_for_engines(await->client, await->others + await->n,
					left < 0       ? 0
					: left < SLICE ? left
						       : SLICE,
					err);
		if (r == 0 && await->others == 0)
			break;
		if (interrupt_signal()) {
			r = error_set(err, -EINTR, "interrupted");
			break;
		}
		if (daemon_has_ended(await->agent)) {
			r = error_set(err, -ECHILD, "the agent has ended: %s",
				      daemon_end_text(await->agent));
			break;
		}
		/* Engines may have failed before we began to wait, or be others'. */
		if (r == XC_ENOENGINE || (r == -ETIMEDOUT && left > SLICE) ||
		    (r == 0 && await->others > 0)) {
			r = look_closer(await, err);
			if (r != 0)
				break;
			r = -ETIMEDOUT;
		}
		if (r != -ETIMEDOUT && r != -EINTR)
			break;
		if (left <= 0) {
			r = error_set(err, -ETIMEDOUT, "not all engines are up after %g s",
				      await->timeout);
			break;
		}
		show_progress(await);
	}
	hide_progress();
	return r > 0 ? 0 : r;
}

/* ---- Explaining --------------------------------------------------------------- */

static void explain_engine(const json_t *engine)
{
	const char *reason = json_string_value(json_object_get(engine, "reason"));
	const char *log = json_string_value(json_object_get(engine, "log"));

	complain("engine %lld is not up: %s%s%s",
		 (long long)json_integer_value(json_object_get(engine, "id")), state_of(engine),
		 reason && reason[0] ? ": " : "", reason ? reason : "");
	if (log)
		tail_print(stderr, log, LOG_LINES, "  ");
}

/* Those that the controller has never heard of. */
static void explain_unknown(const struct await *await, int known)
{
	for (int i = known; i < await->n && i < known + EXPLAINED; i++) {
		if (await->first >= 0)
			complain("engine %d is not up: its agent has not announced it",
				 await->first + i);
		else
			complain("an engine is not up: its agent has not announced it");
	}
	if (await->n > known + EXPLAINED)
		complain("... and %d more", await->n - known - EXPLAINED);
	if (known < await->n)
		tail_print(stderr, await->agent->log, LOG_LINES, "  ");
}

int await_explain(const struct await *await)
{
	json_t *status = get_status(await->client), *engine;
	const json_t *agent = find_agent(status, await->agent->pid);
	int known = 0, missing = 0;
	size_t i;

	json_array_foreach (json_object_get(status, "engines"), i, engine) {
		if (!is_of(engine, agent))
			continue;
		known++;
		if (is_up(engine))
			continue;
		if (missing++ < EXPLAINED)
			explain_engine(engine);
	}
	json_decref(status);
	if (missing > EXPLAINED)
		complain("... and %d more; see xcluster status", missing - EXPLAINED);
	explain_unknown(await, known);
	return missing + (known < await->n ? await->n - known : 0);
}
