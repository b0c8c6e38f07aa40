/* dataport.c: the TCP port at which other agents fetch objects. Only who has the key of the
 * cluster's engines is let in: a ZAP handler (rfc.zeromq.org 27) in the agent's own loop. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/transfer.h"
#include "proto/log.h"

#define ZAP_FRAMES_MAX 16
#define ZAP_KEY_FRAME  6
#define AT_A_TIME      64

/* ---- Who may come -------------------------------------------------------------------------- */

/* Frames of one request; how many there are, 0: none waits. Those beyond the most are
 * dropped. */
static int zap_request(void *socket, zmq_msg_t *frames)
{
	int n = 0, more = 1;

	while (more) {
		zmq_msg_t frame;

		zmq_msg_init(&frame);
		if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&frame);
			return n;
		}
		more = zmq_msg_more(&frame);
		if (n == ZAP_FRAMES_MAX) {
			zmq_msg_close(&frame);
			continue;
		}
		frames[n] = frame;
		n++;
	}
	return n;
}

static bool is_engine_key(const struct agent *agent, zmq_msg_t *frames, int n)
{
	unsigned char key[32];

	return n == ZAP_KEY_FRAME + 1 && zmq_msg_size(&frames[5]) == 5 &&
	       memcmp(zmq_msg_data(&frames[5]), "CURVE", 5) == 0 &&
	       zmq_msg_size(&frames[ZAP_KEY_FRAME]) == sizeof key &&
	       zmq_z85_decode(key, agent->connection.public_key) &&
	       memcmp(zmq_msg_data(&frames[ZAP_KEY_FRAME]), key, sizeof key) == 0;
}

static void zap_answer(void *socket, zmq_msg_t *id, bool may)
{
	zmq_send(socket, "1.0", 3, ZMQ_SNDMORE | ZMQ_DONTWAIT);
	zmq_send(socket, zmq_msg_data(id), zmq_msg_size(id), ZMQ_SNDMORE | ZMQ_DONTWAIT);
	zmq_send(socket, may ? "200" : "400", 3, ZMQ_SNDMORE | ZMQ_DONTWAIT);
	zmq_send(socket, may ? "OK" : "no engine's key", may ? 2 : 15, ZMQ_SNDMORE | ZMQ_DONTWAIT);
	zmq_send(socket, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT);
	zmq_send(socket, "", 0, ZMQ_DONTWAIT);
}

static bool zap_handle(const struct agent *agent)
{
	zmq_msg_t frames[ZAP_FRAMES_MAX];
	int n = zap_request(agent->zap, frames);

	if (n == 0)
		return false;
	if (n > 1)
		zap_answer(agent->zap, &frames[1], is_engine_key(agent, frames, n));
	for (int i = 0; i < n; i++)
		zmq_msg_close(&frames[i]);
	return true;
}

/* ---- The port ------------------------------------------------------------------------------- */

int dataport_dial(const struct agent *agent, void *socket, const char *key)
{
	const struct connection *c = &agent->connection;

	if (zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, key, strlen(key) + 1) < 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, c->public_key, strlen(c->public_key) + 1) <
		    0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, c->secret_key, strlen(c->secret_key) + 1) <
		    0)
		return -1;
	return 0;
}

/* The host part of tcp://HOST:PORT for the address that a connection of ours has on our
 * side; false: others could not reach us there. */
static bool local_address(int fd, char *host, size_t size)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t length = sizeof address;
	char text[INET6_ADDRSTRLEN];

	if (fd < 0 || getsockname(fd, &address.any, &length) < 0)
		return false;
	if (address.any.sa_family == AF_INET &&
	    (ntohl(address.v4.sin_addr.s_addr) >> 24) != IN_LOOPBACKNET) {
		inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text);
		snprintf(host, size, "%s", text);
		return true;
	}
	if (address.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)) {
		const unsigned char *v4 = address.v6.sin6_addr.s6_addr + 12;

		snprintf(host, size, "%u.%u.%u.%u", v4[0], v4[1], v4[2], v4[3]);
		return v4[0] != IN_LOOPBACKNET;
	}
	if (address.any.sa_family == AF_INET6 && !IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr) &&
	    !IN6_IS_ADDR_LINKLOCAL(&address.v6.sin6_addr)) {
		inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof text);
		snprintf(host, size, "[%s]", text);
		return true;
	}
	return false;
}

static int listen_at(struct agent *agent, const char *host, const char *secret)
{
	int none = 0, yes = 1;
	char endpoint[300];

	agent->zap = zmq_socket(agent->context, ZMQ_REP);
	agent->port = zmq_socket(agent->context, ZMQ_ROUTER);
	if (!agent->zap || !agent->port || zmq_bind(agent->zap, "inproc://zeromq.zap.01") < 0)
		return -1;
	zmq_setsockopt(agent->zap, ZMQ_LINGER, &none, sizeof none);
	zmq_setsockopt(agent->port, ZMQ_LINGER, &none, sizeof none);
	zmq_setsockopt(agent->port, ZMQ_SNDHWM, &none, sizeof none);
	zmq_setsockopt(agent->port, ZMQ_RCVHWM, &none, sizeof none);
	zmq_setsockopt(agent->port, ZMQ_IPV6, &yes, sizeof yes);
	zmq_setsockopt(agent->port, ZMQ_MAXMSGSIZE, &(int64_t){ HEADER_MAX }, sizeof(int64_t));
	zmq_setsockopt(agent->port, ZMQ_CURVE_SERVER, &yes, sizeof yes);
	zmq_setsockopt(agent->port, ZMQ_CURVE_SECRETKEY, secret, strlen(secret) + 1);
	zmq_setsockopt(agent->port, ZMQ_ZAP_DOMAIN, "data", 4);
	snprintf(endpoint, sizeof endpoint, "tcp://%s:0", host);
	return zmq_bind(agent->port, endpoint);
}

void dataport_open(struct agent *agent, struct message *m)
{
	char public[CONNECTION_KEY_SIZE], secret[CONNECTION_KEY_SIZE], host[64], endpoint[256];
	size_t size = sizeof endpoint;

	if (agent->port || !agent->connection.public_key[0] ||
	    !local_address(zmq_msg_get(&m->header, ZMQ_SRCFD), host, sizeof host))
		return;
	if (zmq_curve_keypair(public, secret) < 0 || listen_at(agent, host, secret) < 0 ||
	    zmq_getsockopt(agent->port, ZMQ_LAST_ENDPOINT, endpoint, &size) < 0) {
		log_line("cannot open a data port on %s: %s; objects come and go by the controller",
			 host, zmq_strerror(zmq_errno()));
		dataport_close(agent);
	} else {
		log_line("other hosts fetch objects at %s", endpoint);
		SEND_SIMPLE(agent->dealer, NULL, dataport, .endpoint = span_of(endpoint),
			    .key = span_of(public));
	}
	memset(secret, 0, sizeof secret);
}

static void answer_fetch(struct agent *agent, struct message *m)
{
	struct asker asker = { .is_direct = true };
	struct msg_fetch fetch;

	if (m->type != MSG_FETCH || zmq_msg_size(&m->route) != ROUTE_SIZE ||
	    msg_fetch_get(&m->fields, &fetch) < 0)
		return;
	memcpy(asker.route, zmq_msg_data(&m->route), ROUTE_SIZE);
	asker.offset = fetch.offset;
	asker.peer = fetch.peer;
	serve_fetch(agent, &fetch, &asker);
}

void dataport_receive(struct agent *agent)
{
	struct message m;

	if (!agent->port)
		return;
	while (zap_handle(agent))
		;
	message_init(&m);
	for (int i = 0; i < AT_A_TIME && message_receive(agent->port, &m, true, false) > 0; i++)
		answer_fetch(agent, &m);
	message_fini(&m);
}

void dataport_close(struct agent *agent)
{
	if (agent->port)
		zmq_close(agent->port);
	if (agent->zap)
		zmq_close(agent->zap);
	agent->port = agent->zap = NULL;
}
