/* tracker.h: which agents have which objects, for tracker.c, holders.c and offers.c. */
#ifndef CONTROLLER_TRACKER_H
#define CONTROLLER_TRACKER_H

#include "controller/state.h"

/* An agent that has an object, or is fetching it. */
struct holder {
	struct agent *agent; /* borrowed */
	bool is_complete;
	struct holder *source; /* fetches from; NULL: a client, or nobody */
	struct client *client; /* fetches from this one; NULL: no client */
	int children;	       /* that fetch from it */
	uint64_t round;	       /* of the search that `depth` is of */
	int depth;
	struct holder *prev, *next;
};

/* A LOCATE that waits. */
struct want {
	struct agent *agent; /* borrowed */
	int64_t avoid;
	bool is_apart; /* the stores of its host were of no use */
	uint64_t since_ns;
	struct want *prev, *next;
};

/* A client that has an object to give. */
struct offer {
	struct tracked *of;
	struct client *client; /* borrowed */
	uint64_t size;
	uint64_t asked;	      /* id of its last OFFER; 0: it has been answered */
	unsigned char *tried; /* by index of agents: those that could not take it; owned */
	int tried_count;
	struct offer *prev, *next;		 /* of the object */
	struct offer *client_prev, *client_next; /* of the client */
};

struct tracked {
	unsigned char object[OBJECT_SIZE];
	uint64_t size; /* 0 until somebody has said it */
	struct holder *holders;
	struct want *wants;
	struct offer *offers;
	char lost[256]; /* host that was lost with it */
	uint64_t lost_ns;
	UT_hash_handle hh;
};

/* NULL: nothing is known of it (`make`: or memory is out). */
struct tracked *tracked_find(struct state *state, const void *object, bool make);

/* holders.c */
struct holder *holder_find(const struct tracked *tracked, const struct agent *agent);
struct holder *holder_add(struct tracked *tracked, struct agent *agent);
struct holder *holder_complete(const struct tracked *tracked);
void holder_set_source(struct holder *holder, struct holder *source, struct client *client);
/* Has it a source that may still bring it everything? */
bool holder_is_fed(const struct holder *holder);
/* The one from whom the agent would have all of it first; NULL: none will have it, or only by
 * the agent itself. `avoid`: agent that is named only if there is no other. */
struct holder *holder_choose(struct state *state, const struct tracked *tracked,
			     const struct agent *agent, int64_t avoid);
/* One on the host of the agent: that needs no second copy. */
struct holder *holder_neighbour(const struct tracked *tracked, const struct agent *agent);
bool holder_is_on_host_of(const struct tracked *tracked, const struct agent *agent);
bool agents_share_host(const struct agent *a, const struct agent *b);

/* tracker.c */
/* Answers what can be answered now, and forgets it if nobody has or wants it any more. */
void tracked_settle(struct state *state, struct tracked *tracked);
/* Has all hosts fetch it that do not have it: each an agent. */
void tracked_spread(struct state *state, struct tracked *tracked);
/* Tells the agent where its object is. */
void located_send(struct state *state, const struct tracked *tracked, struct holder *holder);

/* offers.c: what has become of it, for those who offer it */
void offers_answer(struct state *state, struct tracked *tracked);
/* The agent could not take it: the next one, or the client is told. */
void offers_failed(struct state *state, struct tracked *tracked, struct agent *agent, int code,
		   const char *text);
/* Agents or clients have changed: sees that somebody takes what is offered. */
void offers_place(struct state *state, struct tracked *tracked);

#endif
