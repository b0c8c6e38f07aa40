/* threads.c: how many threads engines may use, and where that is more than there are cores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"
#include "libcluster/threads.h"

int threads_checked(uint64_t threads)
{
	return threads > THREADS_MAX ? 0 : (int)threads;
}

int on_threads(struct state *state, struct peer *peer, struct message *m)
{
	struct engine *engine = peer->is.engine;
	struct msg_threads said;
	int r = msg_threads_get(&m->fields, &said);

	(void)state;
	if (r < 0)
		return r;
	if (peer == engine->next_peer)
		engine->next_threads = threads_checked(said.threads);
	else
		engine->threads = threads_checked(said.threads);
	return 0;
}

/* ---- Too many ---------------------------------------------------------------------------- */

struct host {
	uint64_t usable, cores;
	int64_t engines, threads;
	int least, most; /* threads of one engine */
};

static void add_engine(struct host *host, const struct engine *engine)
{
	int threads = engine->threads > 0 ? engine->threads : 1;

	if (!engine->peer)
		return;
	if (!host->engines || threads < host->least)
		host->least = threads;
	if (threads > host->most)
		host->most = threads;
	host->engines++;
	host->threads += threads;
}

static void look_at(struct state *state, const struct agent *first, struct host *host)
{
	const struct agent *agent;

	DL_FOREACH (state->agents, agent) {
		if (strcmp(agent->host, first->host) != 0)
			continue;
		host->usable += agent->usable;
		host->cores = agent->cores > host->cores ? agent->cores : host->cores;
		for (uint64_t i = 0; i < agent->slots; i++)
			add_engine(host, engine_at(state, agent, i));
	}
	if (host->usable > host->cores)
		host->usable = host->cores; /* two agents may have the same ones */
}

static bool is_first_of_host(const struct state *state, const struct agent *agent)
{
	const struct agent *first;

	DL_FOREACH (state->agents, first) {
		if (strcmp(first->host, agent->host) == 0)
			return first == agent;
	}
	return false;
}

void threads_warn(struct state *state, void (*tell)(void *argument, const char *text),
		  void *argument)
{
	const struct agent *agent;

	DL_FOREACH (state->agents, agent) {
		struct host host = { 0 };
		char text[512], each[32];

		if (!is_first_of_host(state, agent))
			continue;
		look_at(state, agent, &host);
		if (host.threads <= (int64_t)host.usable)
			continue;
		snprintf(each, sizeof each, host.least == host.most ? "%d" : "%d to %d", host.least,
			 host.most);
		snprintf(text, sizeof text, THREADS_TOO_MANY, agent->host, (long long)host.engines,
			 each, (long long)host.threads, (unsigned long long)host.usable);
		tell(argument, text);
	}
}
