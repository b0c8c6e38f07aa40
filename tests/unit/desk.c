/* desk.c: a controller without its loop. */
#include "tests/unit/desk.h"

#include <check.h>
#include <dlfcn.h>
#include <stdio.h>
#include <sys/socket.h>

#include "controller/controller.c"

#define PEERS_MAX 64

struct state desk;

static const struct controller_options options = { .cluster_id = "desk" };
static struct desk_peer *peers[PEERS_MAX];
static int peer_count;
static int connection[2]; /* the unix connection that all peers seem to come by */

const char *desk_key;
static int tcp; /* and this one with a key */

/* In place of libzmq's: within a process there is no connection to ask for. */
const char *zmq_msg_gets(const zmq_msg_t *message, const char *property)
{
	(void)message;
	return strcmp(property, CERTIFICATE_ROLE) == 0 ? desk_key : NULL;
}

int zmq_msg_get(const zmq_msg_t *message, int property)
{
	int (*next)(const zmq_msg_t *message, int property);

	if (property == ZMQ_SRCFD)
		return desk_key ? tcp : connection[0];
	*(void **)&next = dlsym(RTLD_NEXT, "zmq_msg_get");
	return next(message, property);
}

void desk_open(void)
{
	memset(&desk, 0, sizeof desk);
	desk.options = &options;
	desk.heartbeat_timeout = 5;
	desk.started_ns = desk.last_tick_ns = now_ns();
	desk.roster_version = desk.agents_version = 1;
	desk.epoll = epoll_create1(EPOLL_CLOEXEC);
	desk.lock = desk.signals.fd = desk.lifeline.fd = -1;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, connection), 0);
	tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(tcp, 0);
	desk.has_network = true;
	desk_key = NULL;
	desk.context = zmq_ctx_new();
	desk.router = zmq_socket(desk.context, ZMQ_ROUTER);
	zmq_setsockopt(desk.router, ZMQ_ROUTER_MANDATORY, &(int){ 1 }, sizeof(int));
	zmq_setsockopt(desk.router, ZMQ_SNDHWM, &(int){ 0 }, sizeof(int));
	zmq_setsockopt(desk.router, ZMQ_RCVHWM, &(int){ 0 }, sizeof(int));
	zmq_setsockopt(desk.router, ZMQ_ROUTER_HANDOVER, &(int){ 1 }, sizeof(int));
	zmq_setsockopt(desk.router, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
	ck_assert_int_eq(zmq_bind(desk.router, "inproc://controller"), 0);
	snprintf(desk.connection.id, sizeof desk.connection.id, "desk");
	peer_count = 0;
}

void desk_close(void)
{
	for (int i = 0; i < peer_count; i++) {
		message_fini(&peers[i]->m);
		zmq_close(peers[i]->socket);
		free(peers[i]);
	}
	peer_count = 0;
	desk.has_network = false; /* there is nothing of it to be closed */
	close_all(&desk);
	close(tcp);
	close(connection[0]);
	close(connection[1]);
}

struct desk_peer *desk_join(char letter)
{
	struct desk_peer *peer = calloc(1, sizeof *peer);
	unsigned char route[ROUTE_SIZE];

	ck_assert_int_lt(peer_count, PEERS_MAX);
	memset(peer->session, peer_count + 1, SESSION_SIZE);
	route_make(route, letter, peer->session);
	message_init(&peer->m);
	peer->socket = zmq_socket(desk.context, ZMQ_DEALER);
	zmq_setsockopt(peer->socket, ZMQ_ROUTING_ID, route, sizeof route);
	zmq_setsockopt(peer->socket, ZMQ_RCVHWM, &(int){ 0 }, sizeof(int));
	zmq_setsockopt(peer->socket, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
	ck_assert_int_eq(zmq_connect(peer->socket, "inproc://controller"), 0);
	peers[peer_count++] = peer;
	return peer;
}

void desk_run(void)
{
	struct message m;

	message_init(&m);
	while (take_messages(&desk, &m, false) == BATCH)
		;
	message_fini(&m);
	schedule(&desk);
	roster_send(&desk);
}

void desk_dispatch(struct message *m)
{
	dispatch(&desk, m);
}

bool desk_has_route(uint64_t type)
{
	return route_of(type) != NULL;
}

void desk_send(struct desk_peer *peer, const void *header, size_t size, const struct span *spans,
	       int count)
{
	zmq_msg_t frames[MESSAGE_FRAMES_MAX + 1];

	for (int i = 0; i < count; i++)
		frame_copy(&frames[i], spans[i].data, spans[i].size);
	ck_assert_int_eq(message_send(peer->socket, NULL, header, size, frames, count), 0);
	desk_run();
}

uint64_t desk_receive(struct desk_peer *peer)
{
	return message_receive(peer->socket, &peer->m, false, false) == 1 ? peer->m.type : 0;
}

uint64_t desk_next(struct desk_peer *peer)
{
	uint64_t type;

	do
		type = desk_receive(peer);
	while (type == MSG_ROSTER || type == MSG_PEERS || type == MSG_WELCOME_CLIENT ||
	       type == MSG_WELCOME_AGENT || type == MSG_WELCOME_ENGINE);
	return type;
}

struct desk_peer *desk_client(void)
{
	struct desk_peer *peer = desk_join('c');

	DESK_SEND(peer, hello_client, .protocol = PROTOCOL_VERSION,
		  .session = { peer->session, SESSION_SIZE }, .pid = 1, .host = span_of("here"),
		  .name = span_of("test"));
	ck_assert_uint_eq(desk_receive(peer), MSG_WELCOME_CLIENT);
	return peer;
}

static struct desk_peer *join_agent(uint64_t slots, const char *host, uint64_t store_limit)
{
	struct desk_peer *peer = desk_join('a');
	struct msg_welcome_agent welcome;

	DESK_SEND(peer, hello_agent, .protocol = PROTOCOL_VERSION,
		  .session = { peer->session, SESSION_SIZE }, .pid = 2, .host = span_of(host),
		  .slots = slots, .store = span_of("/run/store"), .store_limit = store_limit);
	ck_assert_uint_eq(desk_receive(peer), MSG_WELCOME_AGENT);
	ck_assert_int_eq(msg_welcome_agent_get(&peer->m.fields, &welcome), 0);
	peer->first_engine = welcome.first_engine;
	return peer;
}

struct desk_peer *desk_agent(uint64_t slots)
{
	return join_agent(slots, "here", 1000);
}

struct desk_peer *desk_agent_on(const char *host, uint64_t store_limit)
{
	return join_agent(1, host, store_limit);
}

struct desk_peer *desk_engine(const struct desk_peer *agent, uint64_t slot, uint64_t epoch)
{
	struct desk_peer *peer = desk_join('e');

	peer->slot = slot;
	peer->epoch = epoch;
	DESK_SEND(peer, hello_engine, .protocol = PROTOCOL_VERSION,
		  .session = { peer->session, SESSION_SIZE },
		  .agent = { agent->session, SESSION_SIZE }, .slot = slot, .epoch = epoch,
		  .pid = 3);
	ck_assert_uint_eq(desk_receive(peer), MSG_WELCOME_ENGINE);
	return peer;
}

bool desk_run_at(const struct desk_peer *peer, size_t *at, struct failure_run *run)
{
	struct reader r;
	int n;

	reader_init(&r, zmq_msg_data((zmq_msg_t *)&peer->m.frames[0]),
		    zmq_msg_size(&peer->m.frames[0]));
	r.used = *at;
	n = failure_run_next(&r, run);
	ck_assert_int_ge(n, 0);
	*at = r.used;
	return n == 1;
}

void desk_submit(struct desk_peer *client, struct desk_job job)
{
	struct span frames[3] = { job.task.size ? job.task : span_of("task"),
				  { job.targets, (size_t)job.target_count * sizeof *job.targets },
				  job.payload };

	DESK_SEND_FRAMES(client, submit, frames, 3, .seq = job.seq, .job = job.job,
			 .pinned = job.target_count > 0, .items = job.items, .form = job.form,
			 .in_size = job.in_size, .out_size = job.out_size, .chunk = job.chunk,
			 .max_attempts = job.max_attempts ? job.max_attempts : 1,
			 .flags = job.flags, .label = span_of("label"), .name = span_of(job.name),
			 .object = job.object);
}

void desk_done(struct desk_peer *engine, const struct msg_slice *slice, uint64_t record,
	       int64_t first, int64_t count, bool last)
{
	struct span frames[2] = { { NULL, 0 }, { NULL, 0 } };

	DESK_SEND_FRAMES(engine, done, frames, 2, .slot = engine->slot, .epoch = engine->epoch,
			 .record = record, .slice = slice->slice, .first = first, .count = count,
			 .busy_ns = (uint64_t)count * 1000, .last = last);
}
