/* relay.c: pieces of objects on their way through us: between agents that cannot reach each
 * other, and from clients. Frames move by pointer. */
#include <errno.h>
#include <utlist.h>

#include "controller/tracker.h"
#include "proto/error.h"

static struct agent *agent_at(const struct state *state, int64_t index)
{
	struct agent *agent;

	DL_FOREACH (state->agents, agent) {
		if (agent->index == index)
			return agent;
	}
	return NULL;
}

/* Who gives the object to this agent; NULL: he has gone. */
static struct peer *giver(struct state *state, const struct msg_fetch *fetch,
			  const struct agent *to)
{
	struct tracked *tracked = tracked_find(state, fetch->object.data, false);
	struct holder *holder = tracked ? holder_find(tracked, to) : NULL;
	struct agent *agent;

	if (fetch->peer < 0)
		return holder && holder->client ? holder->client->peer : NULL;
	agent = agent_at(state, fetch->peer);
	return agent && agent != to ? agent->peer : NULL;
}

int on_fetch(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_fetch fetch;
	struct peer *from;
	int r = msg_fetch_get(&m->fields, &fetch);

	if (r < 0 || fetch.object.size != OBJECT_SIZE)
		return XC_EPROTO;
	from = giver(state, &fetch, peer->is.agent);
	if (!from) {
		unsigned char header[HEADER_MAX];
		struct msg_piece none = { .object = fetch.object,
					  .offset = fetch.offset,
					  .peer = fetch.peer,
					  .code = -EHOSTUNREACH,
					  .text = span_of("who had the object has gone") };
		zmq_msg_t frame;

		zmq_msg_init(&frame);
		return message_send(state->router, peer->route, header,
				    msg_piece_pack(header, sizeof header, &none), &frame, 1);
	}
	return SEND_PEER(state, from, fetch, .object = fetch.object, .offset = fetch.offset,
			 .peer = peer->is.agent->index);
}

static bool is_giver(struct state *state, const struct msg_piece *piece, const struct agent *to,
		     const struct client *client)
{
	struct tracked *tracked = tracked_find(state, piece->object.data, false);
	struct holder *holder = tracked ? holder_find(tracked, to) : NULL;

	return holder && holder->client == client;
}

int on_piece(struct state *state, struct peer *peer, struct message *m)
{
	unsigned char header[HEADER_MAX];
	struct msg_piece piece;
	struct agent *to;
	int r = msg_piece_get(&m->fields, &piece);

	if (r < 0 || piece.object.size != OBJECT_SIZE || piece.text.size > 1000 ||
	    zmq_msg_size(&m->frames[0]) > PIECE_SIZE)
		return XC_EPROTO;
	if (peer->role == ROLE_AGENT)
		peer->is.agent->heard_ns = now_ns(); /* a BEAT may be waiting behind it */
	to = agent_at(state, piece.peer);
	if (!to || (peer->role == ROLE_CLIENT && !is_giver(state, &piece, to, peer->is.client)))
		return 0;
	piece.peer = peer->role == ROLE_AGENT ? peer->is.agent->index : -1;
	r = message_send(state->router, to->peer->route, header,
			 msg_piece_pack(header, sizeof header, &piece), m->frames, 1);
	zmq_msg_init(&m->frames[0]);
	return r;
}
