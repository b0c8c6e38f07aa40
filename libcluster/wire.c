/* wire.c: whole messages over ZeroMQ sockets. */
#include "libcluster/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define INTERRUPTIONS_MAX 100

void message_init(struct message *m)
{
	m->type = 0;
	m->count = 0;
	zmq_msg_init(&m->route);
	zmq_msg_init(&m->header);
	for (int i = 0; i < MESSAGE_FRAMES_MAX; i++)
		zmq_msg_init(&m->frames[i]);
}

void message_fini(struct message *m)
{
	zmq_msg_close(&m->route);
	zmq_msg_close(&m->header);
	for (int i = 0; i < MESSAGE_FRAMES_MAX; i++)
		zmq_msg_close(&m->frames[i]);
}

void message_move(struct message *to, struct message *from)
{
	message_init(to);
	zmq_msg_move(&to->route, &from->route);
	zmq_msg_move(&to->header, &from->header);
	for (int i = 0; i < MESSAGE_FRAMES_MAX; i++)
		zmq_msg_move(&to->frames[i], &from->frames[i]);
	to->count = from->count;
	/* A short header lies within the zmq_msg_t: the reader must not point there. */
	to->type = message_type(&to->fields, zmq_msg_data(&to->header), zmq_msg_size(&to->header));
	from->type = 0;
	from->count = 0;
}

/* N.B. none of these waits, but all look for news of the socket at times, and a signal
 * that comes in that moment ends the call. Half a message would spoil the next one.
 * In a child made by fork ZeroMQ says EINTR for ever. */
static bool is_to_go_on(int r, int *interruptions)
{
	return r < 0 && errno == EINTR && ++*interruptions < INTERRUPTIONS_MAX;
}

static int send_part(zmq_msg_t *part, void *socket, bool more)
{
	int r, interruptions = 0;

	do
		r = zmq_msg_send(part, socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
	while (is_to_go_on(r, &interruptions));
	return r;
}

static int receive_part(zmq_msg_t *part, void *socket)
{
	int r, interruptions = 0;

	do
		r = zmq_msg_recv(part, socket, ZMQ_DONTWAIT);
	while (is_to_go_on(r, &interruptions));
	return r;
}

static int send_route(const void *route, void *socket)
{
	int r, interruptions = 0;

	do
		r = zmq_send(socket, route, ROUTE_SIZE, ZMQ_DONTWAIT | ZMQ_SNDMORE);
	while (is_to_go_on(r, &interruptions));
	return r;
}

/* Frames beyond what any message has. */
static void drain(void *socket)
{
	zmq_msg_t spare;

	zmq_msg_init(&spare);
	while (receive_part(&spare, socket) >= 0 && zmq_msg_more(&spare))
		;
	zmq_msg_close(&spare);
}

int message_receive(void *socket, struct message *m, bool routed, bool wait)
{
	zmq_msg_t *part = routed ? &m->route : &m->header;
	const struct message_info *info;

	m->type = 0;
	m->count = 0;
	if ((wait ? zmq_msg_recv(part, socket, 0) : receive_part(part, socket)) < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (routed) {
		if (!zmq_msg_more(part))
			return 1;
		part = &m->header;
		if (receive_part(part, socket) < 0)
			return -errno;
	}
	while (zmq_msg_more(part)) {
		if (m->count == MESSAGE_FRAMES_MAX) {
			drain(socket);
			return 1;
		}
		part = &m->frames[m->count];
		if (receive_part(part, socket) < 0)
			return -errno;
		m->count++;
	}
	m->type = message_type(&m->fields, zmq_msg_data(&m->header), zmq_msg_size(&m->header));
	info = message_info(m->type);
	if (info && info->frames != m->count)
		m->type = 0;
	return 1;
}

int message_send(void *socket, const void *route, const void *header, size_t header_size,
		 zmq_msg_t *frames, int count)
{
	zmq_msg_t head;
	/* First what takes memory: half a message would spoil the next one. */
	int r = frame_copy(&head, header, header_size), sent = 0;

	if (r == 0 && route && send_route(route, socket) < 0)
		r = -errno;
	if (r == 0 && send_part(&head, socket, count > 0) < 0)
		r = -errno;
	if (r < 0)
		zmq_msg_close(&head);
	for (; r == 0 && sent < count; sent++)
		if (send_part(&frames[sent], socket, sent + 1 < count) < 0) {
			r = -errno;
			break;
		}
	for (; sent < count; sent++)
		zmq_msg_close(&frames[sent]);
	return r;
}

bool message_address(struct message *m, char *host, size_t size)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	const struct in6_addr *v6 = &address.v6.sin6_addr;
	socklen_t length = sizeof address;
	char text[INET6_ADDRSTRLEN];
	int fd = zmq_msg_get(&m->header, ZMQ_SRCFD);

	if (fd < 0 || getsockname(fd, &address.any, &length) < 0)
		return false;
	if (address.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text);
		snprintf(host, size, "%s", text);
		return strncmp(text, "127.", 4) != 0;
	}
	if (address.any.sa_family != AF_INET6 || IN6_IS_ADDR_LOOPBACK(v6) ||
	    IN6_IS_ADDR_LINKLOCAL(v6))
		return false;
	if (IN6_IS_ADDR_V4MAPPED(v6)) { /* of a socket that takes both */
		inet_ntop(AF_INET, v6->s6_addr + 12, text, sizeof text);
		snprintf(host, size, "%s", text);
		return v6->s6_addr[12] != 127;
	}
	inet_ntop(AF_INET6, v6, text, sizeof text);
	snprintf(host, size, "[%s]", text);
	return true;
}

int frame_copy(zmq_msg_t *frame, const void *data, size_t size)
{
	if (zmq_msg_init_size(frame, size) < 0) {
		zmq_msg_init(frame);
		return -ENOMEM;
	}
	if (size)
		memcpy(zmq_msg_data(frame), data, size);
	return 0;
}

void route_make(unsigned char route[ROUTE_SIZE], char letter, const void *session)
{
	route[0] = (unsigned char)letter;
	memcpy(route + 1, session, SESSION_SIZE);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
