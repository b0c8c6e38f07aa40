/* service.c: the agent's store socket and the engines' channels: one table of
 * requests for both. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#include "engine/host.h"
#include "engine/transfer.h"
#include "libcluster/threads.h"
#include "proto/error.h"
#include "proto/log.h"
#include "proto/task.h"

#define LINGER_NS UINT64_C(30000000000)

/* References that one connection holds. */
struct connection_refs {
	unsigned char id[OBJECT_SIZE];
	struct object *object;
	int count;
	UT_hash_handle hh;
};

/* A client, or another agent's engine, at the store socket. */
struct visitor {
	struct source source;
	struct agent *agent;
	struct connection_refs *refs;
	bool lingers; /* they outlive it by a while */
	struct visitor *prev, *next;
};

struct call {
	struct agent *agent;
	struct slot *slot; /* NULL: a visitor */
	struct visitor *visitor;
	struct connection_refs **refs;
	const struct channel_packet *in;
	int fd;	     /* came along, taken by setting -1 */
	int channel; /* that the request came by */
	bool later;  /* it will be answered */
	struct channel_packet out;
	struct xc_error err;
	char text[PATH_MAX];
	char keys[4 * CONNECTION_KEY_SIZE];
};

static int refs_add(struct connection_refs **refs, struct object *object)
{
	struct connection_refs *entry;

	HASH_FIND(hh, *refs, object->id, OBJECT_SIZE, entry);
	if (!entry) {
		entry = calloc(1, sizeof *entry);
		if (!entry)
			return -ENOMEM;
		memcpy(entry->id, object->id, OBJECT_SIZE);
		entry->object = object;
		HASH_ADD(hh, *refs, id, OBJECT_SIZE, entry);
	}
	entry->count++;
	return 0;
}

static void refs_remove(struct store *store, struct connection_refs **refs, const void *id)
{
	struct connection_refs *entry;

	HASH_FIND(hh, *refs, id, OBJECT_SIZE, entry);
	if (!entry)
		return;
	object_unref(store, entry->object);
	if (--entry->count == 0) {
		HASH_DEL(*refs, entry);
		free(entry);
	}
}

void refs_clear(struct store *store, struct connection_refs **refs)
{
	struct connection_refs *entry, *next;

	HASH_ITER (hh, *refs, entry, next) {
		while (entry->count-- > 0)
			object_unref(store, entry->object);
		HASH_DEL(*refs, entry);
		free(entry);
	}
}

static struct object *find(struct call *c)
{
	if (c->in->object.size != OBJECT_SIZE)
		return NULL;
	return store_find(&c->agent->store, c->in->object.data);
}

static int on_hello(struct call *c)
{
	if (c->in->number != PROTOCOL_VERSION)
		return error_set(&c->err, XC_EPROTO, "this agent speaks protocol %d, not %llu",
				 PROTOCOL_VERSION, (unsigned long long)c->in->number);
	c->out.object = (struct span){ c->agent->session, SESSION_SIZE };
	return 0;
}

static int on_have(struct call *c)
{
	struct object *object = find(c);
	int r;

	if (!object)
		return -ENOENT;
	r = refs_add(c->refs, object);
	if (r == 0)
		object_ref(object);
	return r;
}

/* Objects that the controller has let go of may count still: its DROP comes by
 * another way than this request. Before we refuse we wait for its next BEAT,
 * which comes after all that it had sent. */
static int on_reserve(struct call *c)
{
	int r = store_check_room(&c->agent->store, c->in->number, &c->err);
	struct deferred *deferred;

	if (r == 0 || c->agent->stopping || !c->agent->welcomed)
		return r;
	deferred = calloc(1, sizeof *deferred);
	if (!deferred)
		return r;
	agent_beat(c->agent);
	deferred->fd = c->channel;
	deferred->size = c->in->number;
	deferred->beat = c->agent->beats_sent;
	LL_APPEND(c->agent->deferred, deferred);
	c->later = true;
	return 0;
}

static void answer(int fd, struct channel_packet *out, int r, struct xc_error *err)
{
	if (r < 0)
		*out = (struct channel_packet){ .code = r, .text = span_of(err->text), .fd = -1 };
	/* Whoever does not read its replies must not hold up the others: the
	 * descriptor does not block, and a full one ends the connection. */
	if (channel_send(fd, out) < 0)
		shutdown(fd, SHUT_RDWR);
}

void service_answer_deferred(struct agent *agent)
{
	struct deferred *deferred, *next;

	LL_FOREACH_SAFE (agent->deferred, deferred, next) {
		struct channel_packet out = { .fd = -1 };
		struct xc_error err = XC_ERROR_INIT;

		if (deferred->beat > agent->beats_heard)
			continue;
		answer(deferred->fd, &out, store_check_room(&agent->store, deferred->size, &err),
		       &err);
		LL_DELETE(agent->deferred, deferred);
		free(deferred);
	}
}

void service_forget(struct agent *agent, int fd)
{
	struct deferred *deferred, *next;

	LL_FOREACH_SAFE (agent->deferred, deferred, next) {
		if (deferred->fd != fd)
			continue;
		LL_DELETE(agent->deferred, deferred);
		free(deferred);
	}
	transfer_forget(agent, fd);
}

static int put(struct call *c, bool borrowed)
{
	struct object *object;
	int r;

	if (c->in->object.size != OBJECT_SIZE || c->fd < 0)
		return error_set(&c->err, XC_EPROTO,
				 "an object needs an id of 32 bytes and a descriptor");
	r = store_put(&c->agent->store, c->in->object.data, c->fd, c->in->number, borrowed, &object,
		      &c->err);
	if (r < 0)
		return r;
	c->fd = -1;
	r = refs_add(c->refs, object);
	if (r < 0)
		object_unref(&c->agent->store, object);
	return r;
}

static int on_put(struct call *c)
{
	return put(c, false);
}

static int on_share(struct call *c)
{
	return put(c, true);
}

static int on_get(struct call *c)
{
	struct object *object = find(c);

	if (!object)
		return -ENOENT;
	c->out.fd = object->fd;
	c->out.number = object->size;
	return 0;
}

static int on_release(struct call *c)
{
	if (c->in->object.size != OBJECT_SIZE)
		return XC_EPROTO;
	refs_remove(&c->agent->store, c->refs, c->in->object.data);
	return 0;
}

/* What an engine needs to connect over the network; nothing for the unix socket: there an
 * agent may have the keys of clients. */
static struct span keys_pack(const struct agent *agent, void *room, size_t size)
{
	const struct connection *connection = &agent->connection;
	struct writer w;

	if (!agent->is_remote)
		return (struct span){ 0 };
	writer_init(&w, room, size);
	put_f64(&w, connection->heartbeat_timeout);
	put_str(&w, span_of(connection->server_key));
	put_str(&w, span_of(connection->public_key));
	put_str(&w, span_of(connection->secret_key));
	return (struct span){ room, w.used };
}

static int on_config(struct call *c)
{
	c->out.name = span_of(c->agent->dial.endpoint);
	c->out.data = keys_pack(c->agent, c->keys, sizeof c->keys);
	c->out.object = (struct span){ c->agent->session, SESSION_SIZE };
	c->out.number = c->slot->epoch;
	snprintf(c->text, sizeof c->text, "%d", c->slot->index);
	c->out.text = span_of(c->text);
	c->slot->state = SLOT_RUNNING;
	return 0;
}

static int on_next(struct call *c)
{
	struct variable *variable = variable_at(c->slot->variables, c->in->number);

	if (!variable)
		return -ENOENT;
	c->out.name = span_of(variable->name);
	c->out.data = (struct span){ variable->frame, variable->frame_size };
	if (variable->object)
		c->out.fd = variable->object->fd;
	return 0;
}

static int on_set(struct call *c)
{
	return variable_set(&c->agent->store, &c->slot->variables, c->in->name, c->in->data,
			    &c->err);
}

static int on_unset(struct call *c)
{
	if (c->in->number > 1)
		return XC_EPROTO;
	variable_unset(&c->agent->store, &c->slot->variables, c->in->name, c->in->number == 1);
	return 0;
}

static int on_threads(struct call *c)
{
	if (c->in->number < 1 || c->in->number > THREADS_MAX)
		return XC_EPROTO;
	c->slot->threads = (int)c->in->number;
	return 0;
}

static int on_linger(struct call *c)
{
	if (c->visitor)
		c->visitor->lingers = true;
	return 0;
}

static int on_fetch_request(struct call *c)
{
	struct object *object = find(c);
	int r;

	if (c->in->object.size != OBJECT_SIZE)
		return XC_EPROTO;
	if (object) { /* it has come meanwhile */
		r = on_have(c);
		return r < 0 ? r : on_get(c);
	}
	if (c->agent->stopping || !c->agent->welcomed)
		return error_set(&c->err, -ENOENT, "the agent is ending");
	r = transfer_fetch(c->agent, c->slot, c->channel, c->in->object.data, c->in->number != 0);
	c->later = r == 0;
	return r;
}

void service_answer_fetch(struct agent *agent, struct slot *slot, int fd, const void *id, int code,
			  const char *text)
{
	struct object *object = code < 0 ? NULL : store_find(&agent->store, id);
	struct channel_packet out = { .fd = -1 };
	struct xc_error err = XC_ERROR_INIT;

	if (!object) {
		code = code < 0 ? code : -ENOENT;
		error_set(&err, code, "%s", text);
	} else if (refs_add(&slot->refs, object) < 0) {
		code = error_set(&err, -ENOMEM, "the agent is out of memory");
	} else {
		object_ref(object);
		out.fd = object->fd;
		out.number = object->size;
	}
	answer(fd, &out, code, &err);
}

static int on_peers(struct call *c)
{
	if (c->in->number >= (uint64_t)c->agent->peer_count)
		return -ENOENT;
	c->out.text = span_of(c->agent->peers[c->in->number]);
	return 0;
}

static const struct {
	int (*handler)(struct call *call);
	bool engines_only;
} requests[] = {
	[OP_HELLO] = { on_hello, false },     [OP_HAVE] = { on_have, false },
	[OP_RESERVE] = { on_reserve, false }, [OP_PUT] = { on_put, false },
	[OP_GET] = { on_get, false },	      [OP_RELEASE] = { on_release, false },
	[OP_CONFIG] = { on_config, true },    [OP_NEXT] = { on_next, true },
	[OP_SET] = { on_set, true },	      [OP_UNSET] = { on_unset, true },
	[OP_SHARE] = { on_share, true },      [OP_PEERS] = { on_peers, true },
	[OP_LINGER] = { on_linger, false },   [OP_FETCH] = { on_fetch_request, true },
	[OP_THREADS] = { on_threads, true },
};

/* Takes and answers one request; false at the end of the stream. */
static bool serve(struct agent *agent, struct slot *slot, struct visitor *visitor, int fd)
{
	char buffer[CHANNEL_MAX];
	struct channel_packet in;
	struct call call = { .agent = agent,
			     .slot = slot,
			     .visitor = visitor,
			     .refs = slot ? &slot->refs : &visitor->refs,
			     .in = &in,
			     .channel = fd };
	size_t count = sizeof requests / sizeof requests[0];
	int r = channel_receive(fd, &in, buffer, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return true;
	if (r == 0 || (r < 0 && r != XC_EPROTO))
		return false;
	call.fd = r == 1 ? in.fd : -1;
	call.out.fd = -1;
	if (r == 1) {
		if (in.code < 1 || (size_t)in.code >= count ||
		    (requests[in.code].engines_only && !slot))
			r = error_set(&call.err, XC_EPROTO, "no such request of the store: %lld",
				      (long long)in.code);
		else
			r = requests[in.code].handler(&call);
	}
	if (call.fd >= 0)
		close(call.fd);
	if (!call.later)
		answer(fd, &call.out, r, &call.err);
	return true;
}

bool service_engine(struct slot *slot)
{
	return serve(slot->agent, slot, NULL, slot->channel.fd);
}

/* Those of a visitor that has gone, until the controller's HOLD must have come. */
struct lingering {
	struct connection_refs *refs;
	uint64_t until_ns;
	struct lingering *next;
};

static bool linger(struct agent *agent, struct connection_refs **refs)
{
	struct lingering *l = agent->stopping ? NULL : malloc(sizeof *l);

	if (!l)
		return false;
	*l = (struct lingering){ .refs = *refs, .until_ns = now_ns() + LINGER_NS };
	*refs = NULL;
	LL_APPEND(agent->lingering, l);
	return true;
}

void service_tick(struct agent *agent, uint64_t now)
{
	while (agent->lingering && agent->lingering->until_ns <= now) {
		struct lingering *l = agent->lingering;

		LL_DELETE(agent->lingering, l);
		refs_clear(&agent->store, &l->refs);
		free(l);
	}
}

static void dismiss(struct visitor *visitor)
{
	if (!visitor->lingers || !linger(visitor->agent, &visitor->refs))
		refs_clear(&visitor->agent->store, &visitor->refs);
	service_forget(visitor->agent, visitor->source.fd);
	/* N.B. an engine that is being started may still have a copy of the descriptor
	 * (the kernel lets spawn return before it closes those); closing ours would
	 * then not end its events. */
	epoll_ctl(visitor->agent->epoll, EPOLL_CTL_DEL, visitor->source.fd, NULL);
	close(visitor->source.fd);
	DL_DELETE(visitor->agent->visitors, visitor);
	free(visitor);
}

static void on_visitor(struct source *source)
{
	struct visitor *visitor = (struct visitor *)source;

	if (!serve(visitor->agent, NULL, visitor, source->fd))
		dismiss(visitor);
}

static void on_listener(struct source *source)
{
	struct agent *agent = (struct agent *)((char *)source - offsetof(struct agent, listener));
	struct ucred peer;
	socklen_t size = sizeof peer;
	struct visitor *visitor;
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != geteuid()) {
		log_line("refused a connection of another user to the store");
		close(fd);
		return;
	}
	visitor = calloc(1, sizeof *visitor);
	if (!visitor) {
		close(fd);
		return;
	}
	visitor->agent = agent;
	visitor->source = (struct source){ on_visitor, fd };
	DL_APPEND(agent->visitors, visitor);
	if (agent_watch(agent, &visitor->source) < 0)
		dismiss(visitor);
}

int service_listen(struct agent *agent, struct xc_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(agent->store_path) >= sizeof address.sun_path)
		return error_set(err, -ENAMETOOLONG,
				 "the path of the store's socket is too long: %s; set XCLUSTER_DIR "
				 "to a shorter folder",
				 agent->store_path);
	strcpy(address.sun_path, agent->store_path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	unlink(agent->store_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    chmod(agent->store_path, 0600) < 0 || listen(fd, 128) < 0) {
		int r = error_set(err, -errno, "cannot listen on %s: %s", agent->store_path,
				  strerror(errno));

		close(fd);
		return r;
	}
	agent->listener = (struct source){ on_listener, fd };
	return agent_watch(agent, &agent->listener);
}

void hold_object(struct agent *agent, struct span id)
{
	struct object *object = id.size == OBJECT_SIZE ? store_find(&agent->store, id.data) : NULL;
	struct connection_refs *held = NULL;

	if (object)
		HASH_FIND(hh, agent->holds, object->id, OBJECT_SIZE, held);
	if (object && !held && refs_add(&agent->holds, object) == 0)
		object_ref(object);
	if (!object && id.size == OBJECT_SIZE)
		transfer_hold(agent, id.data, true);
}

void drop_object(struct agent *agent, struct span id)
{
	if (id.size != OBJECT_SIZE)
		return;
	refs_remove(&agent->store, &agent->holds, id.data);
	transfer_hold(agent, id.data, false);
}

void service_fini(struct agent *agent)
{
	struct visitor *visitor, *next;

	DL_FOREACH_SAFE (agent->visitors, visitor, next) {
		dismiss(visitor);
	}
	service_tick(agent, UINT64_MAX);
	refs_clear(&agent->store, &agent->holds);
	if (agent->listener.fd >= 0) {
		close(agent->listener.fd);
		unlink(agent->store_path);
	}
}
