/* ledger.h: messages between agent and controller that a break must not lose.
 *
 * Over the network each side counts the messages of such types (message_is_counted) that
 * it has sent and taken, and keeps those that the other has not said to have. A connection
 * is one ordered stream: after a break the agent makes another one, with another routing
 * id; each says how many it has taken, and is sent the rest. On a unix socket nothing
 * breaks, and nothing is kept. */
#ifndef LIBCLUSTER_LEDGER_H
#define LIBCLUSTER_LEDGER_H

#include "libcluster/wire.h"

struct ledger_message; /* ledger.c */

struct ledger {
	bool is_kept;		     /* over the network */
	bool is_broken;		     /* what is sent waits for the next connection */
	uint64_t sent;		     /* counted, from the first */
	uint64_t taken;		     /* of the other side */
	uint64_t had;		     /* of ours, by the other side's word */
	struct ledger_message *kept; /* those of ours that it may not have, in order */
};

/* As message_send. What is counted and cannot be kept, as memory is out, is an error and is
 * not sent. */
int ledger_send(struct ledger *ledger, void *socket, const void *route, const void *header,
		size_t header_size, zmq_msg_t *frames, int count);

/* The other side has taken so many: they need not be kept. */
void ledger_had(struct ledger *ledger, uint64_t taken);

/* The next connection is there: sends what is kept. */
void ledger_resume(struct ledger *ledger, void *socket, const void *route, uint64_t taken);

/* To be called for each message that has come. */
void ledger_take(struct ledger *ledger, uint64_t type);

void ledger_fini(struct ledger *ledger);

#endif
