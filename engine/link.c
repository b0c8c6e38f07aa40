/* link.c: connections to the data ports of other agents. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include <sodium.h>

#include "engine/transfer.h"
#include "proto/log.h"

#define IDLE_NS	  UINT64_C(30000000000) /* then it is closed; or tried again */
#define AT_A_TIME 64			/* messages of one, before others have their turn */

static void *dial(const struct agent *agent, const char *endpoint, const char *key)
{
	unsigned char session[SESSION_SIZE], route[ROUTE_SIZE];
	void *socket = zmq_socket(agent->context, ZMQ_DEALER);
	int64_t most = PIECE_SIZE + HEADER_MAX; /* N.B. of the encrypted frame */
	int none = 0;

	if (!socket)
		return NULL;
	randombytes_buf(session, sizeof session);
	route_make(route, 'd', session);
	zmq_setsockopt(socket, ZMQ_ROUTING_ID, route, sizeof route);
	zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none);
	zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none);
	zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
	zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
	zmq_setsockopt(socket, ZMQ_IPV6, &(int){ 1 }, sizeof(int));
	dial_watch_for_breaks(socket, agent->heartbeat_timeout);
	if (dataport_dial(agent, socket, key) == 0 && zmq_connect(socket, endpoint) == 0)
		return socket;
	zmq_close(socket);
	return NULL;
}

struct link *link_get(struct agent *agent, const char *endpoint, const char *key)
{
	struct link *link;

	DL_FOREACH (agent->links, link) {
		if (strcmp(link->endpoint, endpoint) == 0 && strcmp(link->key, key) == 0)
			break;
	}
	if (!link) {
		link = calloc(1, sizeof *link);
		if (!link)
			return NULL;
		strncpy(link->endpoint, endpoint, sizeof link->endpoint - 1);
		strncpy(link->key, key, sizeof link->key - 1);
		link->dialled_ns = now_ns();
		link->socket = dial(agent, endpoint, key);
		DL_APPEND(agent->links, link);
	}
	link->used_ns = now_ns();
	return link->socket ? link : NULL;
}

/* It stays on the list without a socket, so that it is not tried again at once. */
void link_drop(struct agent *agent, struct link *link)
{
	zmq_close(link->socket);
	link->socket = NULL;
	link->dialled_ns = now_ns();
	transfers_unlink(agent, link);
}

static void receive(struct agent *agent, struct link *link, struct message *m)
{
	for (int i = 0; i < AT_A_TIME && link->socket; i++) {
		if (message_receive(link->socket, m, false, false) <= 0)
			return;
		link->is_reached = true;
		link->used_ns = now_ns();
		if (m->type == MSG_PIECE)
			transfer_piece(agent, link, m);
	}
}

void links_receive(struct agent *agent)
{
	struct link *link, *next;
	struct message m;

	message_init(&m);
	DL_FOREACH_SAFE (agent->links, link, next) {
		if (link->socket)
			receive(agent, link, &m);
	}
	message_fini(&m);
}

static bool is_used(const struct agent *agent, const struct link *link)
{
	struct transfer *transfer, *next;

	HASH_ITER (hh, agent->transfers, transfer, next) {
		if (transfer->link == link)
			return true;
	}
	return false;
}

static void forget(struct agent *agent, struct link *link)
{
	if (link->socket)
		zmq_close(link->socket);
	DL_DELETE(agent->links, link);
	free(link);
}

void links_tick(struct agent *agent, uint64_t now)
{
	struct link *link, *next;

	DL_FOREACH_SAFE (agent->links, link, next) {
		if (link->socket && !link->is_reached && now - link->dialled_ns > REACH_LIMIT_NS) {
			log_line("the data port %s does not answer: objects come by the controller",
				 link->endpoint);
			link_drop(agent, link);
		}
		if (now - (link->socket ? link->used_ns : link->dialled_ns) > IDLE_NS &&
		    !is_used(agent, link))
			forget(agent, link);
	}
}

void links_free(struct agent *agent)
{
	while (agent->links)
		forget(agent, agent->links);
}
