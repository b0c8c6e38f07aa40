/* tracker.c: which agents have which objects, and who is told where to fetch them. */
#include "controller/tracker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "proto/error.h"
#include "proto/log.h"

#define FORGET_NS UINT64_C(60000000000)

struct tracked *tracked_find(struct state *state, const void *object, bool make)
{
	struct tracked *tracked;

	HASH_FIND(hh, state->tracked, object, OBJECT_SIZE, tracked);
	if (tracked || !make)
		return tracked;
	tracked = calloc(1, sizeof *tracked);
	if (!tracked)
		return NULL;
	memcpy(tracked->object, object, OBJECT_SIZE);
	HASH_ADD(hh, state->tracked, object, OBJECT_SIZE, tracked);
	return tracked;
}

/* Where the holder's data port is for another agent. One on our own host is where that agent
 * reaches us. */
static void endpoint_for(const struct agent *holder, const struct agent *to, char *endpoint,
			 size_t size)
{
	bool is_here = strncmp(holder->data_endpoint, "tcp://*:", 8) == 0;

	if (!is_here)
		snprintf(endpoint, size, "%s", holder->data_endpoint);
	else if (to->near[0])
		snprintf(endpoint, size, "tcp://%s:%s", to->near, holder->data_endpoint + 8);
	else
		endpoint[0] = '\0';
}

void located_send(struct state *state, const struct tracked *tracked, struct holder *holder)
{
	const struct agent *source = holder->source ? holder->source->agent : NULL;
	struct msg_located located = { .object = { tracked->object, OBJECT_SIZE },
				       .size = tracked->size,
				       .kind = source ? HOLDER_AGENT : HOLDER_CLIENT,
				       .holder = -1 };
	unsigned char header[HEADER_MAX];
	char endpoint[400];

	if (source) {
		endpoint_for(source, holder->agent, endpoint, sizeof endpoint);
		located.holder = source->index;
		located.host = span_of(source->host);
		located.endpoint = span_of(endpoint);
		located.key = span_of(source->data_key);
	} else if (holder->client) {
		located.host = span_of(holder->client->host);
	}
	peer_send(state, holder->agent->peer, header,
		  msg_located_pack(header, sizeof header, &located), NULL, 0);
	if (hold_is_held(state, tracked->object))
		SEND_PEER(state, holder->agent->peer, hold,
			  .object = { tracked->object, OBJECT_SIZE });
}

/* N.B. an agent that is killed may take with it the word of what it had. */
static void refuse(struct state *state, const struct tracked *tracked, const struct agent *agent)
{
	uint64_t passed = now_ns() - state->left_ns;
	char text[600];

	if (tracked->lost[0])
		snprintf(text, sizeof text,
			 "an object that the task needs was lost with host %s, which alone had it: "
			 "push it again",
			 tracked->lost);
	else if (state->left[0] && passed < FORGET_NS)
		snprintf(text, sizeof text,
			 "an object that the task needs is in no store of the cluster any more; an "
			 "agent of host %s has gone %d s ago: push it again",
			 state->left, (int)(passed / 1000000000));
	else
		snprintf(text, sizeof text,
			 "an object that the task needs is in no store of the cluster any more "
			 "(has the client that put it there ended?)");
	SEND_PEER(state, agent->peer, located, .object = { tracked->object, OBJECT_SIZE },
		  .holder = -1, .code = -ENOENT, .text = span_of(text));
}

/* STORED and SUBMIT come by two ways. When two BEATs of an agent have come since the LOCATE,
 * all has come that it had said before. The stores of its host the engine has asked. */
static bool may_be_told(const struct state *state, const struct want *want)
{
	struct agent *agent;

	DL_FOREACH (state->agents, agent) {
		if (agent->beats_ns[1] < want->since_ns &&
		    (want->is_apart ? agent != want->agent
				    : !agents_share_host(agent, want->agent)))
			return true;
	}
	return false;
}

static bool assign(struct state *state, struct tracked *tracked, const struct want *want,
		   struct holder *source, struct client *client)
{
	struct holder *holder = holder_add(tracked, want->agent);

	if (!holder)
		return false;
	holder->is_complete = false; /* else it would not ask */
	holder_set_source(holder, source, client);
	located_send(state, tracked, holder);
	return true;
}

static void want_free(struct state *state, struct tracked *tracked, struct want *want)
{
	DL_DELETE(tracked->wants, want);
	free(want);
	state->wants--;
}

static void holder_free(struct tracked *tracked, struct holder *holder)
{
	holder_set_source(holder, NULL, NULL);
	DL_DELETE(tracked->holders, holder);
	free(holder);
}

static int want_add(struct state *state, struct tracked *tracked, struct agent *agent,
		    int64_t avoid, bool is_apart, uint64_t since_ns)
{
	struct want *want;

	DL_FOREACH (tracked->wants, want) {
		if (want->agent == agent)
			break;
	}
	if (!want) {
		want = calloc(1, sizeof *want);
		if (!want)
			return -ENOMEM;
		want->agent = agent;
		want->since_ns = since_ns;
		DL_APPEND(tracked->wants, want);
		state->wants++;
	}
	want->avoid = avoid;
	want->is_apart |= is_apart;
	return 0;
}

static void tracked_free(struct state *state, struct tracked *tracked)
{
	HASH_DEL(state->tracked, tracked);
	free(tracked);
}

static bool is_needed(const struct state *state, const struct tracked *tracked)
{
	if (tracked->holders || tracked->wants || tracked->offers)
		return true;
	return tracked->lost[0] &&
	       (now_ns() - tracked->lost_ns < FORGET_NS || hold_is_held(state, tracked->object));
}

/* It can give nothing more: its children get another source. */
static void holder_remove(struct state *state, struct tracked *tracked, struct holder *holder,
			  uint64_t since_ns)
{
	struct holder *child;

	DL_FOREACH (tracked->holders, child) {
		if (child->source != holder)
			continue;
		holder_set_source(child, NULL, NULL);
		if (want_add(state, tracked, child->agent, holder->agent->index, true, since_ns) <
		    0)
			log_line("out of memory: a transfer stops");
	}
	holder_free(tracked, holder);
}

/* What the agent may have of it counts no more. */
static void give_up(struct state *state, struct tracked *tracked, const struct agent *agent,
		    uint64_t since_ns)
{
	struct holder *holder = holder_find(tracked, agent);

	if (holder)
		holder_remove(state, tracked, holder, since_ns);
}

/* False: it has to wait. */
static bool answer(struct state *state, struct tracked *tracked, const struct want *want)
{
	struct holder *near = want->is_apart ? NULL : holder_neighbour(tracked, want->agent);
	struct holder *source;

	if (near && near->is_complete) {
		SEND_PEER(state, want->agent->peer, located,
			  .object = { tracked->object, OBJECT_SIZE }, .size = tracked->size,
			  .kind = HOLDER_HOST, .holder = near->agent->index,
			  .host = span_of(near->agent->host));
		give_up(state, tracked, want->agent, want->since_ns);
		return true;
	}
	if (near)
		return false;
	source = holder_choose(state, tracked, want->agent, want->avoid);
	if (source)
		return assign(state, tracked, want, source, NULL);
	if (tracked->offers) {
		tracked->size = tracked->offers->size;
		return assign(state, tracked, want, NULL, tracked->offers->client);
	}
	if (may_be_told(state, want))
		return false;
	refuse(state, tracked, want->agent);
	give_up(state, tracked, want->agent, want->since_ns);
	return true;
}

/* One answer may make wants of those that had counted on it. */
static void answer_all(struct state *state, struct tracked *tracked)
{
	struct want *want, *next;
	bool any;

	do {
		any = false;
		DL_FOREACH_SAFE (tracked->wants, want, next) {
			if (!answer(state, tracked, want))
				continue;
			want_free(state, tracked, want);
			any = true;
		}
	} while (any && tracked->wants);
}

void tracked_settle(struct state *state, struct tracked *tracked)
{
	offers_place(state, tracked);
	answer_all(state, tracked);
	if (!is_needed(state, tracked))
		tracked_free(state, tracked);
}

void tracked_spread(struct state *state, struct tracked *tracked)
{
	struct agent *agent;

	DL_FOREACH (state->agents, agent) {
		struct want want = { .agent = agent, .avoid = -1 };
		struct holder *source = holder_is_on_host_of(tracked, agent)
						? NULL
						: holder_choose(state, tracked, agent, -1);

		if (source)
			assign(state, tracked, &want, source, NULL);
	}
}

/* ---- What agents say ----------------------------------------------------------------- */

int on_stored(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_stored stored;
	struct tracked *tracked;
	struct holder *holder;
	int r = msg_stored_get(&m->fields, &stored);

	if (r < 0 || stored.object.size != OBJECT_SIZE || stored.size > OBJECT_MAX)
		return XC_EPROTO;
	tracked = tracked_find(state, stored.object.data, true);
	holder = tracked ? holder_add(tracked, peer->is.agent) : NULL;
	if (!holder)
		return -ENOMEM;
	tracked->size = stored.size;
	tracked->lost[0] = '\0';
	holder->is_complete = true;
	holder_set_source(holder, NULL, NULL);
	if (hold_is_held(state, tracked->object))
		SEND_PEER(state, peer, hold, .object = { tracked->object, OBJECT_SIZE });
	offers_answer(state, tracked);
	tracked_settle(state, tracked);
	return 0;
}

int on_freed(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_freed freed;
	struct tracked *tracked;
	char text[400];
	int r = msg_freed_get(&m->fields, &freed);

	if (r < 0 || freed.object.size != OBJECT_SIZE)
		return XC_EPROTO;
	tracked = tracked_find(state, freed.object.data, false);
	if (!tracked)
		return 0;
	give_up(state, tracked, peer->is.agent, now_ns());
	if (freed.code < 0) {
		span_copy(text, sizeof text, freed.text);
		offers_failed(state, tracked, peer->is.agent, (int)freed.code, text);
	}
	tracked_settle(state, tracked);
	return 0;
}

int on_locate(struct state *state, struct peer *peer, struct message *m)
{
	struct agent *agent = peer->is.agent;
	struct msg_locate locate;
	struct tracked *tracked;
	struct holder *holder;
	int r = msg_locate_get(&m->fields, &locate);

	if (r < 0 || locate.object.size != OBJECT_SIZE)
		return XC_EPROTO;
	if (!message_address(m, agent->near, sizeof agent->near))
		agent->near[0] = '\0';
	tracked = tracked_find(state, locate.object.data, true);
	if (!tracked)
		return -ENOMEM;
	holder = holder_find(tracked, agent);
	if (holder) { /* what it had is of no use, or it has none */
		holder_set_source(holder, NULL, NULL);
		holder->is_complete = false;
	}
	r = want_add(state, tracked, agent, locate.avoid, locate.apart != 0, now_ns());
	tracked_settle(state, tracked);
	return r;
}

int on_dataport(struct state *state, struct peer *peer, struct message *m)
{
	struct agent *agent = peer->is.agent;
	struct msg_dataport port;
	int r = msg_dataport_get(&m->fields, &port);

	(void)state;
	if (r < 0 || port.endpoint.size >= sizeof agent->data_endpoint ||
	    port.key.size >= sizeof agent->data_key)
		return XC_EPROTO;
	span_copy(agent->data_endpoint, sizeof agent->data_endpoint, port.endpoint);
	span_copy(agent->data_key, sizeof agent->data_key, port.key);
	return 0;
}

/* ---- Those that go ---------------------------------------------------------------------- */

static void forget_agent(struct state *state, struct tracked *tracked, const struct agent *agent)
{
	struct holder *holder = holder_find(tracked, agent);
	struct want *want, *next;
	bool was_complete = holder && holder->is_complete;

	DL_FOREACH_SAFE (tracked->wants, want, next) {
		if (want->agent == agent)
			want_free(state, tracked, want);
	}
	if (holder)
		holder_remove(state, tracked, holder, now_ns());
	if (was_complete && !holder_complete(tracked)) {
		snprintf(tracked->lost, sizeof tracked->lost, "%s", agent->host);
		tracked->lost_ns = now_ns();
	}
	tracked_settle(state, tracked);
}

void tracker_forget_agent(struct state *state, const struct agent *agent)
{
	struct tracked *tracked, *next;

	snprintf(state->left, sizeof state->left, "%s", agent->host);
	state->left_ns = now_ns();
	HASH_ITER (hh, state->tracked, tracked, next) {
		forget_agent(state, tracked, agent);
	}
}

void tracker_forget_source(struct state *state, struct tracked *tracked,
			   const struct client *client)
{
	struct holder *holder;

	DL_FOREACH (tracked->holders, holder) {
		if (holder->client != client)
			continue;
		holder_set_source(holder, NULL, NULL);
		if (want_add(state, tracked, holder->agent, -1, true, now_ns()) < 0)
			log_line("out of memory: a transfer stops");
	}
	tracked_settle(state, tracked);
}

/* What waits for a BEAT; and, at times, what was lost long ago. */
void tracker_tick(struct state *state)
{
	struct tracked *tracked, *next;

	if (!state->wants && state->ticks % 100 != 0)
		return;
	HASH_ITER (hh, state->tracked, tracked, next) {
		if (tracked->wants || !tracked->holders)
			tracked_settle(state, tracked);
	}
}

void tracker_free(struct state *state)
{
	struct tracked *tracked, *next;

	HASH_ITER (hh, state->tracked, tracked, next) {
		while (tracked->wants)
			want_free(state, tracked, tracked->wants);
		while (tracked->holders)
			holder_free(tracked, tracked->holders);
		tracked_free(state, tracked);
	}
}
