/* dataport.c: the TCP port at which other agents fetch objects. Only who has the key of the
 * cluster's engines is let in: a ZAP handler (rfc.zeromq.org 27) in the agent's own loop. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/transfer.h"
#include "proto/cluster_dir.h"
#include "proto/log.h"

#define ZAP_FRAMES_MAX 16
#define ZAP_KEY_FRAME  6
#define AT_A_TIME      64
#define HANDSHAKE_MS   10000 /* for a connection to show its key */

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
	       zmq_z85_decode(key, agent->engine_public) &&
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
	const char *public = agent->engine_public, *secret = agent->engine_secret;

	if (!public[0] || zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, key, strlen(key) + 1) < 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public, strlen(public) + 1) < 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, strlen(secret) + 1) < 0)
		return -1;
	return 0;
}

/* All engines' agents have these in common. On the controller's host an agent may have been
 * given the keys of clients: those of engines are beside them. */
static bool find_keys(struct agent *agent)
{
	struct connection *beside = malloc(sizeof *beside);
	const struct connection *c = &agent->connection;
	const char *slash = strrchr(c->path, '/');
	char path[CONNECTION_PATH_MAX];

	if (c->role != CONNECTION_ENGINE && beside && slash) {
		snprintf(path, sizeof path, "%.*s" CLUSTER_ENGINES, (int)(slash + 1 - c->path),
			 c->path);
		if (connection_read(path, beside, NULL) == 0)
			c = beside;
	}
	if (c->role == CONNECTION_ENGINE) {
		memcpy(agent->engine_public, c->public_key, CONNECTION_KEY_SIZE);
		memcpy(agent->engine_secret, c->secret_key, CONNECTION_KEY_SIZE);
	}
	free(beside);
	return agent->engine_public[0] != '\0';
}

static bool is_number(const char *host)
{
	unsigned char bytes[16];
	char bare[CONNECTION_ADDRESS_MAX];

	snprintf(bare, sizeof bare, "%s", host);
	if (bare[0] != '[')
		return inet_pton(AF_INET, bare, bytes) == 1;
	bare[strcspn(bare, "]")] = '\0';
	return inet_pton(AF_INET6, bare + 1, bytes) == 1;
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0 ||
	       strcmp(host, "localhost") == 0;
}

/* On the controller's own host: where that listens. False: not to a network. */
static bool controllers_address(const struct connection *connection, char *host, size_t size)
{
	int found = 0;

	for (int i = 0; i < connection->address_count; i++) {
		const char *from = connection->addresses[i] + strlen("tcp://");
		const char *end = strrchr(from, ':');
		char own[CONNECTION_ADDRESS_MAX];

		if (!end)
			continue;
		snprintf(own, sizeof own, "%.*s", (int)(end - from), from);
		if (is_loopback(own))
			continue;
		snprintf(host, size, "%s", found++ || !is_number(own) ? "*" : own);
	}
	return found > 0;
}

/* Stays when the port is closed: its name is not free again at once. */
static int open_zap(struct agent *agent)
{
	int none = 0;

	agent->zap = zmq_socket(agent->context, ZMQ_REP);
	if (!agent->zap)
		return -1;
	zmq_setsockopt(agent->zap, ZMQ_LINGER, &none, sizeof none);
	return zmq_bind(agent->zap, "inproc://zeromq.zap.01");
}

static int listen_at(struct agent *agent, const char *host, const char *secret)
{
	int none = 0, yes = 1, handshake_ms = HANDSHAKE_MS;
	char endpoint[300];

	if (!agent->zap && open_zap(agent) < 0)
		return -1;
	agent->port = zmq_socket(agent->context, ZMQ_ROUTER);
	if (!agent->port)
		return -1;
	zmq_setsockopt(agent->port, ZMQ_LINGER, &none, sizeof none);
	zmq_setsockopt(agent->port, ZMQ_SNDHWM, &none, sizeof none);
	zmq_setsockopt(agent->port, ZMQ_RCVHWM, &none, sizeof none);
	zmq_setsockopt(agent->port, ZMQ_IPV6, &yes, sizeof yes);
	/* Who was cut off comes again by the same routing id, while his first connection may
	 * still seem to be there; those of hosts that were lost go. */
	zmq_setsockopt(agent->port, ZMQ_ROUTER_HANDOVER, &yes, sizeof yes);
	zmq_setsockopt(agent->port, ZMQ_HANDSHAKE_IVL, &handshake_ms, sizeof handshake_ms);
	dial_watch_for_breaks(agent->port, agent->heartbeat_timeout);
	zmq_setsockopt(agent->port, ZMQ_MAXMSGSIZE, &(int64_t){ 2 * HEADER_MAX }, sizeof(int64_t));
	zmq_setsockopt(agent->port, ZMQ_CURVE_SERVER, &yes, sizeof yes);
	zmq_setsockopt(agent->port, ZMQ_CURVE_SECRETKEY, secret, strlen(secret) + 1);
	zmq_setsockopt(agent->port, ZMQ_ZAP_DOMAIN, "data", 4);
	snprintf(endpoint, sizeof endpoint, "tcp://%s:0", host);
	return zmq_bind(agent->port, endpoint);
}

/* N.B. what other hosts call this one an agent on the controller's host does not know: the
 * controller puts the address for the `*` by which they reach it. */
static void announce(struct agent *agent, const char *host, const char *public)
{
	char endpoint[256], told[400];
	size_t size = sizeof endpoint;

	if (zmq_getsockopt(agent->port, ZMQ_LAST_ENDPOINT, endpoint, &size) < 0)
		return;
	snprintf(told, sizeof told, "tcp://%s%s", agent->is_remote ? host : "*",
		 strrchr(endpoint, ':'));
	log_line("other hosts fetch objects at %s", told);
	AGENT_SEND(agent, dataport, .endpoint = span_of(told), .key = span_of(public));
}

void dataport_open(struct agent *agent, struct message *m)
{
	char public[CONNECTION_KEY_SIZE], secret[CONNECTION_KEY_SIZE];
	char host[CONNECTION_ADDRESS_MAX];

	if (agent->port || agent->connection.address_count == 0 || !find_keys(agent))
		return;
	if (agent->is_remote ? !message_address(m, host, sizeof host)
			     : !controllers_address(&agent->connection, host, sizeof host))
		return;
	if (zmq_curve_keypair(public, secret) < 0 || listen_at(agent, host, secret) < 0) {
		log_line("cannot open a data port on %s: %s; objects come and go by the controller",
			 host, zmq_strerror(zmq_errno()));
		dataport_close(agent);
	} else {
		announce(agent, host, public);
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
	agent->port = NULL;
}

void dataport_fini(struct agent *agent)
{
	dataport_close(agent);
	if (agent->zap)
		zmq_close(agent->zap);
	agent->zap = NULL;
}
