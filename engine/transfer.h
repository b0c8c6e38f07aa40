/* transfer.h: objects on their way to and from other hosts: transfer.c (fetching),
 * link.c (to the data ports of others), serve.c (giving), dataport.c (our own port). */
#ifndef ENGINE_TRANSFER_H
#define ENGINE_TRANSFER_H

#include "engine/body.h"
#include "engine/host.h"

#define PIECES_DIRECT  16 /* asked for at a time: from a data port, */
#define PIECES_RELAYED 4  /* by the controller: they delay its other messages */
#define REACH_LIMIT_NS UINT64_C(2000000000)
#define SILENCE_NS     UINT64_C(5000000000)  /* then another holder is asked for */
#define STALLED_NS     UINT64_C(60000000000) /* nothing from those asked: it is given up */
#define REFUSALS_MAX   100		     /* in a row: the same */
#define PATIENCE_NS    UINT64_C(1000000000)  /* who waits for a piece hears of it each */
#define DAMAGED_MAX    3		     /* pieces that do not fit their hash */

/* An engine that waits for an object. */
struct waiter {
	int fd; /* borrowed: of its channel */
	struct slot *slot;
	struct waiter *next;
};

/* Who has asked for a piece. */
struct asker {
	bool is_direct; /* at our data port; else by the controller */
	unsigned char route[ROUTE_SIZE];
	int64_t peer;
	uint64_t offset;
	uint64_t told_ns; /* that it is still to come */
	struct asker *prev, *next;
};

/* How we reach the data port of another agent. */
struct link {
	char endpoint[256], key[CONNECTION_KEY_SIZE];
	void *socket;	     /* NULL: it could not be reached */
	uint64_t dialled_ns; /* or when that was found */
	uint64_t used_ns;
	bool is_reached;
	struct link *prev, *next;
};

enum piece_state { PIECE_MISSING, PIECE_ASKED, PIECE_HERE };

/* An object that we fetch. */
struct transfer {
	struct agent *agent; /* borrowed */
	unsigned char id[OBJECT_SIZE];
	bool is_located; /* the fields down to `body` are valid */
	int fd;		 /* memfd, owned */
	uint64_t size;
	unsigned char *pieces; /* enum piece_state of each; owned */
	uint64_t got, asked;   /* pieces */
	uint64_t lowest;       /* first that may be missing */
	struct body *body;     /* owned */
	int64_t holder;	       /* that is asked: agent, -1: client */
	char host[256];	       /* of that */
	struct link *link;     /* borrowed; NULL: by the controller */
	bool is_searching;     /* a LOCATE is on its way */
	uint64_t heard_ns;
	uint64_t stalled_ns;  /* how long those asked have had nothing for us */
	uint64_t unwanted_ns; /* how long nobody has wanted it */
	uint64_t ticked_ns;
	int refusals, damaged;
	bool is_held; /* the controller wants it here */
	bool is_apart;
	struct waiter *waiters;
	struct asker *askers;
	UT_hash_handle hh;
};

/* transfer.c */
struct transfer *transfer_find(struct agent *agent, const void *id);
/* An engine asks for an object that no store of this host has: 0, it is answered later.
 * `apart`: the host's other stores are of no use. */
int transfer_fetch(struct agent *agent, struct slot *slot, int fd, const void *id, bool apart);
int transfer_located(struct agent *agent, const struct msg_located *located);
/* The controller wants it, or not any more. */
void transfer_hold(struct agent *agent, const void *id, bool hold);
/* `link` NULL: by the controller. */
int transfer_piece(struct agent *agent, struct link *link, struct message *m);
/* Those that came by this link are to come by another way. */
void transfers_unlink(struct agent *agent, struct link *link);
void transfer_forget(struct agent *agent, int fd);
void transfers_tick(struct agent *agent, uint64_t now);
/* The controller knows nothing of us yet, or any more: what is searched for is again. */
void transfers_welcome(struct agent *agent);
/* The connection to the controller broke, and with it what came by it. */
void transfers_resume(struct agent *agent);
void transfers_free(struct agent *agent);

/* link.c: NULL when it is known not to be reachable */
struct link *link_get(struct agent *agent, const char *endpoint, const char *key);
void link_drop(struct agent *agent, struct link *link);
void links_receive(struct agent *agent);
void links_tick(struct agent *agent, uint64_t now);
void links_free(struct agent *agent);

/* serve.c: answers a FETCH, now or when the piece is there */
int serve_fetch(struct agent *agent, const struct msg_fetch *fetch, const struct asker *asker);
/* A piece of it has come. */
void serve_come(struct transfer *transfer, uint64_t index);
/* It never comes. */
void serve_none(struct transfer *transfer, int code, const char *text);
void serve_tick(struct transfer *transfer, uint64_t now);

/* objects.c: what the controller says of objects, and what it is told */
int objects_on_located(struct agent *agent, struct message *m);
int objects_on_fetch(struct agent *agent, struct message *m);
int objects_on_piece(struct agent *agent, struct message *m);
void objects_init(struct agent *agent);
void objects_tell(struct agent *agent);
int objects_on_hold(struct agent *agent, struct message *m);
int objects_on_drop(struct agent *agent, struct message *m);

/* dataport.c */
/* Opens it on the address that the connection which brought `m` has here. */
void dataport_open(struct agent *agent, struct message *m);
void dataport_receive(struct agent *agent);
void dataport_close(struct agent *agent);
/* Before the context goes. */
void dataport_fini(struct agent *agent);
/* Keys of ours for a socket that dials the port with this key. */
int dataport_dial(const struct agent *agent, void *socket, const char *key);

#endif
