/* channel.h: requests to an agent's store over a unix SOCK_SEQPACKET socket.
 *
 * Each packet is a msgpack array of six scalars; a descriptor may ride along.
 * Requests are answered in order, one reply each. */
#ifndef LIBCLUSTER_CHANNEL_H
#define LIBCLUSTER_CHANNEL_H

#include <errno.h>

#include "proto/message.h"
#include "xcluster.h"

enum channel_op {
	OP_HELLO = 1,	/* number: protocol. reply: object = agent's session */
	OP_HAVE = 2,	/* object. reply 0, and the connection holds a reference; -ENOENT */
	OP_RESERVE = 3, /* number: bytes to be put soon. XC_ESTORE when over the limit */
	OP_PUT = 4,	/* object, number: bytes, descriptor: a sealed memfd */
	OP_GET = 5,	/* object. reply: descriptor, number: bytes; or -ENOENT */
	OP_RELEASE = 6, /* object: the connection's reference goes */
	/* engines only: */
	OP_CONFIG = 7, /* reply: name = endpoint, object = agent's session, number = epoch,
			  text = slot, data = heartbeat time-out and keys, for TCP */
	OP_NEXT = 8,   /* number: i. reply: i-th variable: name, data = array frame, and the
			  descriptor of an object; -ENOENT past the last */
	OP_SET = 9,    /* name, data = array frame */
	OP_UNSET = 10, /* name; empty: all; number 1: all whose names begin with it */
	OP_SHARE = 11, /* object, number, descriptor got from another agent: keep it, too */
	OP_PEERS = 12, /* number: i. reply: text = i-th other store of this host; -ENOENT */
	/* all: */
	OP_LINGER = 13, /* the connection's references outlive it by half a minute */
	/* engines only: */
	OP_FETCH = 14,	 /* object, which no store of this host has (number 1: that cannot be told).
			    reply, when it has come: as OP_GET, and the connection holds a
			    reference; FETCH_FROM_HOST; or why it does not come */
	OP_THREADS = 15, /* number: that libraries may use, in later processes of the slot, too */
};

/* A reply's code: another store of this host has it now. */
#define FETCH_FROM_HOST (-EEXIST)

#define CHANNEL_MAX	   65536
#define CHANNEL_INLINE_MAX 16384 /* larger arrays are objects */

#define CHANNEL_FIELDS(F)                                                                          \
	F(i64, code) F(str, text) F(u64, number) F(bin, object) F(str, name) F(bin, data)

struct channel_packet {
	CHANNEL_FIELDS(MESSAGE_FIELD)
	int fd; /* rides along; -1: none */
};

/* Connects to the store at `path` and checks that it is the agent `session`
 * (NULL: any). Returns a descriptor or a negative code. */
int channel_connect(const char *path, const void *session, struct xc_error *err);

/* Sends one packet; p->fd stays the caller's. Waits for room. */
int channel_send(int fd, const struct channel_packet *p);

/* Takes one packet into `buffer` (CHANNEL_MAX bytes), to which p's spans point;
 * p->fd, if not -1, is the caller's. 1; 0 at the end of the stream; -EAGAIN;
 * XC_EPROTO; -errno. Waits unless `flags` has MSG_DONTWAIT. */
int channel_receive(int fd, struct channel_packet *p, void *buffer, int flags);

/* Sends a request and waits (30 s at most) for its reply. Returns the reply's
 * code if that is negative, filling err with its text; else 0 with the reply,
 * pointing into `buffer`. */
int channel_call(int fd, const struct channel_packet *request, struct channel_packet *reply,
		 void *buffer, struct xc_error *err);

/* Puts an object: the bytes into a sealed memfd, or a sealed memfd there is
 * already. The connection then holds a reference. Reserves room first, so that a
 * full store is an error: XC_ESTORE. */
int channel_put_bytes(int fd, const void *id, const void *data, uint64_t size,
		      struct xc_error *err);
int channel_put_file(int fd, const void *id, int file, uint64_t size, struct xc_error *err);

#endif
