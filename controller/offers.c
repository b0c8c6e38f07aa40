/* offers.c: objects of clients that have no store on their host: an agent takes each, and
 * is told to hold it until the client lets go of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/tracker.h"
#include "proto/error.h"

static void tell(struct state *state, struct offer *offer, int code, const char *text)
{
	struct msg_answer answer = { .id = offer->asked, .code = code, .text = span_of(text) };
	zmq_msg_t frame;

	if (!offer->asked)
		return;
	offer->asked = 0;
	zmq_msg_init(&frame);
	if (offer->client->peer)
		answer_send(state, offer->client->peer, &answer, &frame);
}

static void offer_free(struct offer *offer)
{
	DL_DELETE(offer->of->offers, offer);
	DL_DELETE2(offer->client->offers, offer, client_prev, client_next);
	free(offer->tried);
	free(offer);
}

static struct offer *offer_find(struct client *client, const void *object)
{
	struct offer *offer;

	DL_FOREACH2(client->offers, offer, client_next)
	{
		if (memcmp(offer->of->object, object, OBJECT_SIZE) == 0)
			return offer;
	}
	return NULL;
}

static struct offer *offer_new(struct state *state, struct client *client, const void *object)
{
	struct tracked *tracked = tracked_find(state, object, true);
	struct offer *offer = tracked ? calloc(1, sizeof *offer) : NULL;

	if (!offer)
		return NULL;
	offer->of = tracked;
	offer->client = client;
	DL_APPEND(tracked->offers, offer);
	DL_APPEND2(client->offers, offer, client_prev, client_next);
	hold_add(state, tracked->object);
	return offer;
}

void offers_answer(struct state *state, struct tracked *tracked)
{
	struct offer *offer;

	DL_FOREACH (tracked->offers, offer) {
		tell(state, offer, 0, "");
	}
}

static bool was_tried(const struct offer *offer, const struct agent *agent)
{
	return agent->index < offer->tried_count && offer->tried[agent->index];
}

static int note_tried(struct offer *offer, const struct agent *agent)
{
	if (agent->index >= offer->tried_count) {
		int count = 2 * agent->index + 8;
		unsigned char *tried = realloc(offer->tried, (size_t)count);

		if (!tried)
			return -ENOMEM;
		memset(tried + offer->tried_count, 0, (size_t)(count - offer->tried_count));
		offer->tried = tried;
		offer->tried_count = count;
	}
	offer->tried[agent->index] = 1;
	return 0;
}

static uint64_t room_of(const struct agent *agent)
{
	return agent->store_limit > agent->store_used ? agent->store_limit - agent->store_used : 0;
}

/* The one with most room among those that have not been tried. */
static struct agent *roomiest(const struct state *state, const struct offer *offer)
{
	struct agent *agent, *best = NULL;

	DL_FOREACH (state->agents, agent) {
		if (!was_tried(offer, agent) && (!best || room_of(agent) > room_of(best)))
			best = agent;
	}
	return best;
}

static void place(struct state *state, struct tracked *tracked, struct offer *offer)
{
	struct agent *agent = roomiest(state, offer);
	struct holder *holder;
	char text[400];

	if (!state->agents) {
		tell(state, offer, XC_ENOENGINE,
		     "no agent with engines is up: call xc_wait_for_engines first, or add some "
		     "with `xcluster engines`");
		return;
	}
	if (!agent || room_of(agent) < offer->size) {
		agent = agent ? agent : state->agents;
		snprintf(text, sizeof text,
			 "the object stores of the hosts cannot take %llu bytes: on %.100s, which "
			 "has "
			 "most room, %llu of its limit of %llu are in use; clear variables or "
			 "start with a larger --store-limit",
			 (unsigned long long)offer->size, agent->host,
			 (unsigned long long)agent->store_used,
			 (unsigned long long)agent->store_limit);
		tell(state, offer, XC_ESTORE, text);
		return;
	}
	holder = holder_add(tracked, agent);
	if (!holder) {
		tell(state, offer, -ENOMEM, "the controller is out of memory");
		return;
	}
	tracked->size = offer->size;
	agent->store_used += offer->size; /* until its next BEAT says so */
	holder_set_source(holder, NULL, offer->client);
	located_send(state, tracked, holder);
}

/* Is somebody on the way to have it? */
static bool is_taken(const struct tracked *tracked)
{
	struct holder *holder;

	DL_FOREACH (tracked->holders, holder) {
		if (holder_is_fed(holder))
			return true;
	}
	return false;
}

void offers_place(struct state *state, struct tracked *tracked)
{
	struct offer *offer;

	DL_FOREACH (tracked->offers, offer) {
		/* One that waits goes on with the pieces that it has. */
		if (offer->asked && !tracked->wants && !is_taken(tracked))
			place(state, tracked, offer);
	}
}

void offers_failed(struct state *state, struct tracked *tracked, struct agent *agent, int code,
		   const char *text)
{
	struct offer *offer;

	/* One of those that are to have it, too: its engines are told when they ask. */
	if (is_taken(tracked))
		return;
	DL_FOREACH (tracked->offers, offer) {
		if (!offer->asked)
			continue;
		if (note_tried(offer, agent) < 0 || !roomiest(state, offer))
			tell(state, offer, code, text);
	}
}

int on_offer(struct state *state, struct peer *peer, struct message *m)
{
	struct client *client = peer->is.client;
	struct msg_offer said;
	struct offer *offer;
	int r = msg_offer_get(&m->fields, &said);

	if (r < 0 || said.object.size != OBJECT_SIZE || said.size > OBJECT_MAX || said.id == 0)
		return XC_EPROTO;
	offer = offer_find(client, said.object.data);
	if (!offer)
		offer = offer_new(state, client, said.object.data);
	if (!offer) {
		zmq_msg_t frame;

		zmq_msg_init(&frame);
		return answer_send(state, peer,
				   &(struct msg_answer){ .id = said.id,
							 .code = -ENOMEM,
							 .text = span_of("the controller is out of "
									 "memory") },
				   &frame);
	}
	offer->size = said.size;
	if (offer->asked != said.id)
		offer->tried_count = 0;
	offer->asked = said.id;
	if (holder_complete(offer->of))
		offers_answer(state, offer->of);
	tracked_settle(state, offer->of);
	if (said.everywhere)
		tracked_spread(state, offer->of);
	return 0;
}

static void let_go(struct state *state, struct offer *offer)
{
	struct tracked *tracked = offer->of;
	const struct client *client = offer->client;

	offer_free(offer);
	hold_drop(state, tracked->object);
	tracker_forget_source(state, tracked, client);
}

int on_release(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_release said;
	struct offer *offer;
	int r = msg_release_get(&m->fields, &said);

	if (r < 0 || said.object.size != OBJECT_SIZE)
		return XC_EPROTO;
	if (!client_is_next(state, peer->is.client, said.seq))
		return 0;
	offer = offer_find(peer->is.client, said.object.data);
	if (offer)
		let_go(state, offer);
	return 0;
}

void offers_forget_client(struct state *state, struct client *client)
{
	while (client->offers)
		let_go(state, client->offers);
}
