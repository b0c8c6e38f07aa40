/* listen.c: the controller's socket, and the files that tell how to reach it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/guard.h"
#include "controller/network.h"
#include "controller/state.h"
#include "libcluster/dial.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/log.h"

#define LISTEN_BACKLOG 4096
#define HANDSHAKE_MS   10000 /* for a connection to show its key */

int listen_name(struct state *state, struct xc_error *err)
{
	struct connection *c = &state->connection;
	const char *id = state->options->cluster_id;
	char socket[PATH_MAX];
	int r = cluster_dir_create(id, c->dir, sizeof c->dir, err);

	if (r < 0)
		return r;
	r = snprintf(socket, sizeof socket, "%s/controller.sock", c->dir);
	if (r >= 107)
		return error_set(err, -ENAMETOOLONG,
				 "the path of the controller's socket is too long: %s; set "
				 "XCLUSTER_DIR to a shorter folder",
				 socket);
	snprintf(c->id, sizeof c->id, "%s", id);
	snprintf(c->version, sizeof c->version, "%s", XC_VERSION);
	gethostname(c->host, sizeof c->host - 1);
	snprintf(c->endpoint, sizeof c->endpoint, "ipc://%.110s", socket);
	snprintf(c->path, sizeof c->path, "%.4000s/connection.json", c->dir);
	c->pid = getpid();
	c->heartbeat_timeout = state->heartbeat_timeout;
	return 0;
}

static int bind_router(struct state *state, struct xc_error *err)
{
	int none = 0, yes = 1, linger = 200;
	int64_t largest = INT64_C(1) << 38; /* or garbage would have libzmq allocate any size */
	mode_t mask;
	int r;

	state->context = state->has_network ? certificates_context() : zmq_ctx_new();
	state->router = state->context ? zmq_socket(state->context, ZMQ_ROUTER) : NULL;
	if (!state->router)
		return error_set(err, -errno, "cannot make a socket: %s", zmq_strerror(errno));
	zmq_setsockopt(state->router, ZMQ_SNDHWM, &none, sizeof none);
	zmq_setsockopt(state->router, ZMQ_RCVHWM, &none, sizeof none);
	zmq_setsockopt(state->router, ZMQ_LINGER, &linger, sizeof linger);
	zmq_setsockopt(state->router, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
	zmq_setsockopt(state->router, ZMQ_ROUTER_MANDATORY, &yes, sizeof yes);
	zmq_setsockopt(state->router, ZMQ_ROUTER_HANDOVER, &yes, sizeof yes);
	unlink(state->connection.endpoint + strlen("ipc://"));
	mask = umask(0177);
	r = zmq_bind(state->router, state->connection.endpoint);
	umask(mask);
	if (r < 0)
		return error_set(err, -errno, "cannot listen on %s: %s", state->connection.endpoint,
				 zmq_strerror(errno));
	return 0;
}

/* The port of the last start, 0: none is kept. */
static int kept_port(const struct state *state)
{
	char path[PATH_MAX];
	int port = 0;
	FILE *file;

	snprintf(path, sizeof path, "%.4000s/" CLUSTER_KEYS "/port", state->connection.dir);
	file = fopen(path, "re");
	if (file && fscanf(file, "%d", &port) != 1)
		port = 0;
	if (file)
		fclose(file);
	return port > 0 && port < 65536 ? port : 0;
}

static void keep_port(const struct state *state, int port)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof path, "%.4000s/" CLUSTER_KEYS "/port", state->connection.dir);
	file = fopen(path, "we");
	if (file)
		fprintf(file, "%d\n", port);
	if (!file || fclose(file) != 0)
		log_line("cannot keep the port in %s: %s", path, strerror(errno));
}

static void set_key(char *to, const char *key)
{
	memcpy(to, key, CONNECTION_KEY_SIZE);
}

/* One port, encrypted. N.B. after the unix socket, which is bound without a key: options
 * are for what is bound after them. */
static int bind_network(struct state *state, struct xc_error *err)
{
	const struct controller_options *o = state->options;
	int first = o->port_first, last = o->port_last, backlog = LISTEN_BACKLOG;
	int handshake_ms = HANDSHAKE_MS, r;
	struct network network;

	if (o->reuse && !first)
		first = last = kept_port(state);
	r = network_parse(&network, o->ip, err);
	if (r == 0)
		r = certificates_check(&state->certificates, state->connection.dir, err);
	if (r < 0)
		return r;
	zmq_setsockopt(state->router, ZMQ_BACKLOG, &backlog, sizeof backlog);
	zmq_setsockopt(state->router, ZMQ_HANDSHAKE_IVL, &handshake_ms, sizeof handshake_ms);
	dial_watch_for_breaks(state->router, state->heartbeat_timeout);
	r = guard_open(state);
	if (r == 0)
		r = certificates_apply(&state->certificates, state->router);
	if (r < 0)
		return error_set(err, r, "cannot encrypt: %s", zmq_strerror(-r));
	r = network_bind(&network, state->router, first, last, err);
	if (r == 0)
		r = network_addresses(&network, o->location, &state->connection, err);
	if (r < 0)
		return r;
	if (o->reuse)
		keep_port(state, network.port);
	set_key(state->connection.server_key, state->certificates.server.public_key);
	log_line("cluster %s: listening on port %d", state->connection.id, network.port);
	for (int i = 0; i < state->connection.address_count; i++)
		log_line("to be reached at %s", state->connection.addresses[i]);
	return 0;
}

/* Two files, as clients may do more than engines. */
int listen_announce(struct state *state, struct xc_error *err)
{
	struct connection *c = &state->connection;
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof path, "%.4000s/" CLUSTER_ENGINES, c->dir);
	c->role = CONNECTION_ENGINE;
	set_key(c->public_key, state->certificates.engine.public_key);
	set_key(c->secret_key, state->certificates.engine.secret_key);
	r = connection_write(path, c, err);
	c->role = CONNECTION_CLIENT;
	set_key(c->public_key, state->certificates.client.public_key);
	set_key(c->secret_key, state->certificates.client.secret_key);
	return r < 0 ? r : connection_write(c->path, c, err);
}

int listen_start(struct state *state, struct xc_error *err)
{
	int r = 0;

	if (state->options->ip) {
		r = certificates_make(&state->certificates, state->connection.dir,
				      state->options->reuse, err);
		state->has_network = r == 0;
	}
	if (r == 0)
		r = bind_router(state, err);
	return r == 0 && state->has_network ? bind_network(state, err) : r;
}

void listen_end(struct state *state)
{
	guard_close(state);
	if (state->router)
		zmq_close(state->router);
	if (state->has_network)
		certificates_fini(&state->certificates);
	else if (state->context)
		zmq_ctx_term(state->context);
}

void listen_forget(struct state *state)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%.4000s/" CLUSTER_ENGINES, state->connection.dir);
	unlink(path);
	unlink(state->connection.path);
	cluster_folder_remove(state->connection.dir, CLUSTER_CERTS);
	if (state->router)
		unlink(state->connection.endpoint + strlen("ipc://"));
}
