/* wire.h: whole messages over ZeroMQ sockets. */
#ifndef LIBCLUSTER_WIRE_H
#define LIBCLUSTER_WIRE_H

#include <zmq.h>

#include "proto/message.h"

/* A received message. All zmq_msg_t are always initialised; frames[] may be
 * moved out with zmq_msg_move or zmq_msg_copy. */
struct message {
	uint64_t type;	      /* 0: malformed */
	struct reader fields; /* at the first field */
	int count;	      /* frames after the header */
	zmq_msg_t route;      /* of a ROUTER */
	zmq_msg_t header;
	zmq_msg_t frames[MESSAGE_FRAMES_MAX];
};

void message_init(struct message *m);
void message_fini(struct message *m);
/* Moves the frames into `to` (initialised here); `from` stays initialised, empty. */
void message_move(struct message *to, struct message *from);

/* Takes one message if there is one: 1; 0 when there is none; -errno. Waits for
 * one only if `wait`. A message with the wrong number of frames or an unknown type comes
 * with type 0. `routed`: the socket is a ROUTER. */
int message_receive(void *socket, struct message *m, bool routed, bool wait);

/* Sends header and frames; never waits. Frames are consumed in any case.
 * `route` NULL: not a ROUTER. 0 or -errno (-EHOSTUNREACH: no such peer). */
int message_send(void *socket, const void *route, const void *header, size_t header_size,
		 zmq_msg_t *frames, int count);

/* Our address, as in tcp://ADDRESS:PORT, of the connection by which a message came. False: it
 * came by no network, or by the loopback interface. */
bool message_address(struct message *m, char *host, size_t size);

/* A frame with a copy of the bytes; -ENOMEM and an empty frame when memory is
 * out. */
int frame_copy(zmq_msg_t *frame, const void *data, size_t size);

/* Packs and sends a message without frames. */
#define SEND_SIMPLE(socket, route, lower, ...)                                                     \
	({                                                                                         \
		unsigned char header_[HEADER_MAX];                                                 \
		size_t size_ = msg_##lower##_pack(header_, sizeof header_,                         \
						  &(struct msg_##lower){ __VA_ARGS__ });           \
		message_send(socket, route, header_, size_, NULL, 0);                              \
	})

/* A 17-byte routing id: role letter and session. */
void route_make(unsigned char route[ROUTE_SIZE], char letter, const void *session);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

#endif
