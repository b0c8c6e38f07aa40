/* holders.c: those who have an object, and which of them an agent is to fetch it from. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/tracker.h"

#define HOP_BYTES     (UINT64_C(64) << 10) /* what one more hop costs, as bytes of a link */
#define AVOIDED_COSTS (UINT64_C(1) << 60)

struct holder *holder_find(const struct tracked *tracked, const struct agent *agent)
{
	struct holder *holder;

	DL_FOREACH (tracked->holders, holder) {
		if (holder->agent == agent)
			return holder;
	}
	return NULL;
}

struct holder *holder_add(struct tracked *tracked, struct agent *agent)
{
	struct holder *holder = holder_find(tracked, agent);

	if (holder)
		return holder;
	holder = calloc(1, sizeof *holder);
	if (!holder)
		return NULL;
	holder->agent = agent;
	DL_APPEND(tracked->holders, holder);
	return holder;
}

struct holder *holder_complete(const struct tracked *tracked)
{
	struct holder *holder;

	DL_FOREACH (tracked->holders, holder) {
		if (holder->is_complete)
			return holder;
	}
	return NULL;
}

void holder_set_source(struct holder *holder, struct holder *source, struct client *client)
{
	if (holder->source)
		holder->source->children--;
	holder->source = source;
	holder->client = client;
	if (source)
		source->children++;
}

/* Hops from a whole one; -1: its row of sources ends at nobody. N.B. no holder is its own
 * source, by whatever way: see depth_for. */
static int depth_of(const struct holder *holder)
{
	int depth = 0;

	for (; !holder->is_complete; holder = holder->source, depth++) {
		if (holder->client)
			return depth + 1;
		if (!holder->source)
			return -1;
	}
	return depth;
}

bool holder_is_fed(const struct holder *holder)
{
	return depth_of(holder) >= 0;
}

bool agents_share_host(const struct agent *a, const struct agent *b)
{
	return strcmp(a->host, b->host) == 0;
}

/* As depth_of, for an agent that asks: -1 also if the holder has its bytes from that one, by
 * whatever way. Each holder is looked at once in a round. */
static int depth_for(struct holder *holder, const struct agent *agent, uint64_t round)
{
	struct holder *end = holder;
	int steps = 0, depth;

	while (end && end->round != round && end->agent != agent && !end->is_complete &&
	       !end->client) {
		end = end->source;
		steps++;
	}
	if (!end || end->agent == agent)
		depth = -1;
	else if (end->round == round)
		depth = end->depth;
	else
		depth = end->is_complete ? 0 : 1;
	for (struct holder *h = holder; h != end; h = h->source, steps--) {
		h->round = round;
		h->depth = depth < 0 ? -1 : depth + steps;
	}
	return holder == end ? depth : holder->depth;
}

/* When the next child of this holder would be done, counted in bytes: the holder's link is
 * shared, and each hop takes a piece more. */
static uint64_t cost_of(const struct holder *holder, int depth, int64_t avoid, uint64_t size)
{
	uint64_t hop = (size < PIECE_SIZE ? size : PIECE_SIZE) + HOP_BYTES;
	uint64_t cost =
		((uint64_t)holder->children + 1) * (size ? size : 1) + (uint64_t)depth * hop;

	return holder->agent->index == avoid ? cost + AVOIDED_COSTS : cost;
}

struct holder *holder_choose(struct state *state, const struct tracked *tracked,
			     const struct agent *agent, int64_t avoid)
{
	struct holder *holder, *best = NULL;
	uint64_t least = UINT64_MAX, round = ++state->rounds;

	DL_FOREACH (tracked->holders, holder) {
		int depth = depth_for(holder, agent, round);
		uint64_t cost;

		if (depth < 0)
			continue;
		cost = cost_of(holder, depth, avoid, tracked->size);
		if (cost < least) {
			least = cost;
			best = holder;
		}
	}
	return best;
}

/* One on the host of the agent that asks: that host needs no copy more. */
struct holder *holder_neighbour(const struct tracked *tracked, const struct agent *agent)
{
	struct holder *holder;

	DL_FOREACH (tracked->holders, holder) {
		if (holder->agent != agent && agents_share_host(holder->agent, agent) &&
		    holder_is_fed(holder))
			return holder;
	}
	return NULL;
}

bool holder_is_on_host_of(const struct tracked *tracked, const struct agent *agent)
{
	struct holder *holder;

	DL_FOREACH (tracked->holders, holder) {
		if (agents_share_host(holder->agent, agent))
			return true;
	}
	return false;
}
