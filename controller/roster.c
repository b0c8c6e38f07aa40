/* roster.c: which engines and agents there are, told to clients and agents when
 * it changes. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"

#define ENGINE_BYTES 300 /* an entry at most */

/* Clients leave out those that are about to go. */
static enum engine_state told_state(const struct engine *engine)
{
	bool is_draining = engine->agent && engine->agent->is_draining;

	return is_draining && engine_has_future(engine) ? ENGINE_CLOSING : engine->state;
}

/* Engines changed since `since`: id, state, agent, reason each. */
static int engines_frame(struct state *state, uint64_t since, zmq_msg_t *frame)
{
	size_t count = 0, room;
	struct writer w;
	unsigned char *bytes;

	for (int i = 0; i < state->engine_count; i++)
		count += state->engines[i]->version > since;
	room = count * ENGINE_BYTES;
	bytes = malloc(room + 1);
	if (!bytes)
		return -1;
	writer_init(&w, bytes, room);
	for (int i = 0; i < state->engine_count; i++) {
		const struct engine *engine = state->engines[i];

		if (engine->version <= since)
			continue;
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

static uint64_t starting(const struct state *state)
{
	uint64_t n = 0;

	for (int i = 0; i < state->engine_count; i++)
		n += state->engines[i]->state == ENGINE_STARTING ||
		     state->engines[i]->state == ENGINE_DOWN;
	return n;
}

void roster_send(struct state *state)
{
	struct client *client;

	DL_FOREACH (state->clients, client) {
		unsigned char header[HEADER_MAX];
		struct msg_roster roster;
		zmq_msg_t frames[2];

		if (client->roster_version == state->roster_version &&
		    client->agents_version == state->agents_version)
			continue;
		if (engines_frame(state, client->roster_version, &frames[0]) < 0)
			return;
		if (agents_frame(state, &frames[1]) < 0) {
			zmq_msg_close(&frames[0]);
			return;
		}
		roster.starting = starting(state);
		message_send(state->router, client->peer->route, header,
			     msg_roster_pack(header, sizeof header, &roster), frames, 2);
		client->roster_version = state->roster_version;
		client->agents_version = state->agents_version;
	}
}

/* To each agent, the stores of the agents on its host. */
void peers_send(struct state *state)
{
	struct agent *to, *agent;

	DL_FOREACH (state->agents, to) {
		unsigned char header[HEADER_MAX];
		struct msg_peers peers = { 0 };
		size_t room = 1;
		struct writer w;
		unsigned char *bytes;
		zmq_msg_t frame;

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
