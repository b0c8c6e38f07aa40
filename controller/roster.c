/* roster.c: which engines and agents there are, told to clients and agents when
 * it changes. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"

#define ENGINE_BYTES   300     /* an entry at most */
#define ROSTER_DEAR_NS 2000000 /* a round of them that takes longer */
#define ROSTER_SHARE   5       /* is a fifth of the time at most */

/* Clients leave out those that are about to go. */
static enum engine_state told_state(const struct engine *engine)
{
	bool is_draining = engine->agent && engine->agent->is_draining;

	return is_draining && engine_has_future(engine) ? ENGINE_CLOSING : engine->state;
}

static bool is_waiting_to_be_up(const struct engine *engine)
{
	return engine->state == ENGINE_STARTING || engine->state == ENGINE_DOWN;
}

void engine_changed(struct state *state, struct engine *engine)
{
	bool waits = is_waiting_to_be_up(engine);

	if (engine->version)
		DL_DELETE2(state->changed, engine, changed_prev, changed_next);
	DL_APPEND2(state->changed, engine, changed_prev, changed_next);
	engine->version = ++state->roster_version;
	state->engines_starting += waits - engine->counts_as_starting;
	engine->counts_as_starting = waits;
}

/* The first of those that have changed since `since`, and how many they are. */
static struct engine *changed_since(const struct state *state, uint64_t since, size_t *count)
{
	struct engine *at = state->changed ? state->changed->changed_prev : NULL, *first = NULL;

	*count = 0;
	while (at && at->version > since) {
		first = at;
		(*count)++;
		at = at == state->changed ? NULL : at->changed_prev;
	}
	return first;
}

/* Engines changed since `since`: id, state, agent, reason each. */
static int engines_frame(struct state *state, uint64_t since, zmq_msg_t *frame)
{
	const struct engine *engine;
	size_t count, room;
	struct writer w;
	unsigned char *bytes;

	engine = changed_since(state, since, &count);
	room = count * ENGINE_BYTES;
	bytes = malloc(room + 1);
	if (!bytes)
		return -1;
	writer_init(&w, bytes, room);
	for (; engine; engine = engine->changed_next) {
		put_u64(&w, (uint64_t)engine->id);
		put_u64(&w, told_state(engine));
		put_i64(&w, engine->agent ? engine->agent->index : -1);
		put_str(&w, span_of(engine->reason));
	}
	frame_copy(frame, bytes, w.used);
	free(bytes);
	return 0;
}

/* All agents: index, host, store, session each. */
static int agents_frame(struct state *state, zmq_msg_t *frame)
{
	size_t room = 1;
	struct agent *agent;
	struct writer w;
	unsigned char *bytes;

	DL_FOREACH (state->agents, agent) {
		room += strlen(agent->host) + strlen(agent->store) + 64;
	}
	bytes = malloc(room);
	if (!bytes)
		return -1;
	writer_init(&w, bytes, room);
	DL_FOREACH (state->agents, agent) {
		put_i64(&w, agent->index);
		put_str(&w, span_of(agent->host));
		put_str(&w, span_of(agent->store));
		put_bin(&w, (struct span){ agent->session, SESSION_SIZE });
	}
	frame_copy(frame, bytes, w.used);
	free(bytes);
	return 0;
}

static bool is_to_be_told(const struct state *state, const struct client *client, bool late)
{
	if (client->roster_version == state->roster_version &&
	    client->agents_version == state->agents_version)
		return false;
	return !late || client->roster_version == 0;
}

static bool is_any_behind(const struct state *state)
{
	const struct client *client;

	DL_FOREACH (state->clients, client) {
		if (client->roster_version != state->roster_version ||
		    client->agents_version != state->agents_version)
			return true;
	}
	return false;
}

/* When many engines come one by one, each change would cost as much as all agents and
 * clients together: large ones take a part of the time at most, the rest is told together. */
void roster_send(struct state *state)
{
	uint64_t begin, cost;
	bool late, told = false;
	struct client *client;

	if (!is_any_behind(state))
		return;
	begin = now_ns();
	late = begin < state->roster_ns;
	DL_FOREACH (state->clients, client) {
		unsigned char header[HEADER_MAX];
		struct msg_roster roster;
		zmq_msg_t frames[2];

		if (!is_to_be_told(state, client, late)) {
			state->recheck |= client->roster_version != state->roster_version ||
					  client->agents_version != state->agents_version;
			continue;
		}
		if (engines_frame(state, client->roster_version, &frames[0]) < 0)
			return;
		if (agents_frame(state, &frames[1]) < 0) {
			zmq_msg_close(&frames[0]);
			return;
		}
		roster.starting = (uint64_t)state->engines_starting;
		message_send(state->router, client->peer->route, header,
			     msg_roster_pack(header, sizeof header, &roster), frames, 2);
		client->roster_version = state->roster_version;
		client->agents_version = state->agents_version;
		told = true;
	}
	cost = told ? now_ns() - begin : 0;
	if (cost > ROSTER_DEAR_NS)
		state->roster_ns = begin + ROSTER_SHARE * cost;
}

/* To each agent on the host, the stores of the others there. */
void peers_send(struct state *state, const char *host)
{
	struct agent *to, *agent;

	DL_FOREACH (state->agents, to) {
		unsigned char header[HEADER_MAX];
		struct msg_peers peers = { 0 };
		size_t room = 1;
		struct writer w;
		unsigned char *bytes;
		zmq_msg_t frame;

		if (strcmp(to->host, host) != 0)
			continue;
		DL_FOREACH (state->agents, agent) {
			room += strlen(agent->store) + 8;
		}
		bytes = malloc(room);
		if (!bytes)
			return;
		writer_init(&w, bytes, room);
		DL_FOREACH (state->agents, agent) {
			if (agent == to || strcmp(agent->host, to->host) != 0)
				continue;
			put_str(&w, span_of(agent->store));
			peers.count++;
		}
		frame_copy(&frame, bytes, w.used);
		free(bytes);
		peer_send(state, to->peer, header, msg_peers_pack(header, sizeof header, &peers),
			  &frame, 1);
	}
}
