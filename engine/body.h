/* body.h: the bytes of an object as they cross hosts: in pieces, each with its hash. */
#ifndef ENGINE_BODY_H
#define ENGINE_BODY_H

#include <stdatomic.h>

#include <zmq.h>

#include "proto/message.h"

/* Of a whole object, or of one that is being fetched. Lives on while messages with its
 * bytes are being sent, by ZeroMQ's thread. */
struct body {
	_Atomic int refs;
	uint64_t size, count;
	const unsigned char *bytes; /* mapping of the memfd, read-only; owned */
	bool *known;		    /* by piece: its hash stands below; owned */
	unsigned char (*hashes)[HASH_SIZE];
};

/* NULL with errno. */
struct body *body_new(int fd, uint64_t size);
void body_unref(struct body *body);

void piece_hash(const void *bytes, uint64_t size, unsigned char hash[HASH_SIZE]);
/* Makes the piece's hash if it is not known: only of what was never fetched. */
void body_know(struct body *body, uint64_t index);
/* A frame with the piece's bytes in place. */
int body_frame(struct body *body, uint64_t index, zmq_msg_t *frame);

#endif
