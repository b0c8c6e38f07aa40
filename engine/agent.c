/* agent.c: the agent's loop and its talk with the controller. */
#include "engine/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utlist.h>

#include "engine/host.h"
#include "engine/transfer.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/log.h"

#define TICK_MS		 100
#define STOP_LIMIT_NS	 UINT64_C(2000000000)
#define GRACE_NS	 UINT64_C(1000000000)
#define BYE_LINGER_MS	 1000
#define DESCRIPTOR_FLOOR 10 /* ours stay above those that engines get */

int agent_watch(struct agent *agent, struct source *source)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	return epoll_ctl(agent->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

void agent_stop(struct agent *agent)
{
	if (agent->stopping)
		return;
	agent->stopping = true;
	agent->kill_ns = now_ns() + STOP_LIMIT_NS;
	slots_end(agent);
}

/* ---- Messages of the controller ------------------------------------------ */

static int on_welcome(struct agent *agent, struct message *m)
{
	struct msg_welcome_agent welcome;
	int r = msg_welcome_agent_get(&m->fields, &welcome);

	if (r < 0)
		return r;
	uplink_welcome(agent, welcome.taken);
	if (agent->welcomed) {
		transfers_resume(agent);
		drain_tell(agent); /* it may have been lost */
		return 0;
	}
	agent->welcomed = true;
	agent->first_engine = welcome.first_engine;
	agent->heartbeat_timeout = welcome.heartbeat_timeout;
	if (agent->options->welcomed)
		*agent->options->welcomed = true;
	drain_tell(agent);
	log_line("starting %d engines, from number %llu", agent->options->n,
		 (unsigned long long)agent->first_engine);
	dataport_open(agent, m);
	objects_tell(agent);
	slots_start(agent);
	launcher_tell_welcome(agent);
	return 0;
}

static int on_refused(struct agent *agent, struct message *m)
{
	struct msg_refused refused;
	char text[200];
	int r = msg_refused_get(&m->fields, &refused);

	if (r < 0)
		return r;
	span_copy(text, sizeof text, refused.text);
	snprintf(agent->gone, sizeof agent->gone, "the controller refused this agent: %s", text);
	agent_stop(agent);
	return 0;
}

static int on_beat(struct agent *agent, struct message *m)
{
	struct msg_beat beat;
	int r = msg_beat_get(&m->fields, &beat);

	if (r < 0)
		return r;
	ledger_had(&agent->ledger, beat.taken);
	agent->beats_heard++;
	service_answer_deferred(agent);
	return 0;
}

static int on_take(struct agent *agent, struct message *m)
{
	struct msg_take take;
	struct slot *slot;
	int r = msg_take_get(&m->fields, &take);

	if (r < 0)
		return r;
	slot = slot_find(agent, take.slot, take.epoch);
	if (!slot || take.count < 1 || take.count > SLICE_ITEMS_MAX)
		return 0;
	return AGENT_SEND(agent, taken, .slot = take.slot, .epoch = take.epoch, .slice = take.slice,
			  .end = claim_take(slot->page, take.slice, take.count, take.all));
}

static int interrupt_items(struct slot *slot, const struct msg_interrupt *m)
{
	if (m->first < 0 || m->first > SLICE_ITEMS_MAX || m->count > SLICE_ITEMS_MAX)
		return XC_EPROTO;
	return slot_cancel_items(slot, &(struct unwanted){ .slice = m->slice,
							   .first = m->first,
							   .end = m->first + m->count,
							   .kill = m->kill != INTERRUPT_ASK });
}

static int on_interrupt(struct agent *agent, struct message *m)
{
	struct msg_interrupt interrupt;
	struct slot *slot;
	uint64_t at;
	int r = msg_interrupt_get(&m->fields, &interrupt);

	if (r < 0)
		return r;
	slot = slot_find(agent, interrupt.slot, interrupt.epoch);
	if (!slot)
		return 0;
	if (interrupt.count > 0)
		return interrupt_items(slot, &interrupt);
	at = interrupt.slice % PAGE_CLAIMS;
	slot->page->cancel[at] = interrupt.slice;
	if (interrupt.kill == INTERRUPT_KILL && slot->page->piece.slice == interrupt.slice)
		slot_kill(slot, DOWN_CANCELLED);
	if (interrupt.kill != INTERRUPT_ASK) {
		/* Also for KILL: between two pieces the page names no slice. */
		slot->condemned[at] = interrupt.slice;
		slot->condemned_ns[at] =
			now_ns() + (interrupt.kill == INTERRUPT_KILL_LATER ? GRACE_NS : 0);
	}
	return 0;
}

static int on_kill(struct agent *agent, struct message *m)
{
	struct msg_kill order;
	struct slot *slot;
	int r = msg_kill_get(&m->fields, &order);

	if (r < 0 || order.signal < 1 || order.signal > SIGRTMAX)
		return r < 0 ? r : XC_EPROTO;
	slot = slot_find(agent, order.slot, order.epoch);
	if (!slot)
		return 0;
	log_line("engine %llu (pid %d): sending it signal %lld (%s), as a client says",
		 (unsigned long long)agent->first_engine + order.slot, (int)slot->pid,
		 (long long)order.signal, strsignal((int)order.signal));
	slot->signalled = true;
	kill(slot->pid, (int)order.signal);
	return 0;
}

static int on_retire(struct agent *agent, struct message *m)
{
	struct msg_retire order;
	int r = msg_retire_get(&m->fields, &order);

	if (r < 0 || order.slot >= (uint64_t)agent->options->n)
		return r < 0 ? r : XC_EPROTO;
	log_line("engine %llu: shutting it down",
		 (unsigned long long)agent->first_engine + order.slot);
	slot_retire(&agent->slots[order.slot], order.how == CANCEL_HOW_RUNNING);
	return 0;
}

static void peers_clear(struct agent *agent)
{
	for (int i = 0; i < agent->peer_count; i++)
		free(agent->peers[i]);
	free(agent->peers);
	agent->peers = NULL;
	agent->peer_count = 0;
}

static int on_peers(struct agent *agent, struct message *m)
{
	struct msg_peers peers;
	struct reader list;
	int r = msg_peers_get(&m->fields, &peers);

	if (r < 0)
		return r;
	peers_clear(agent);
	if (peers.count > 65536 || !(agent->peers = calloc(peers.count + 1, sizeof(char *))))
		return -ENOMEM;
	reader_init(&list, zmq_msg_data(&m->frames[0]), zmq_msg_size(&m->frames[0]));
	for (uint64_t i = 0; i < peers.count; i++) {
		struct span path = get_str(&list);
		char *copy = strndup(path.data ? path.data : "", path.size);

		if (!copy)
			return -ENOMEM;
		if (list.bad || strcmp(copy, agent->store_path) == 0)
			free(copy);
		else
			agent->peers[agent->peer_count++] = copy;
	}
	return list.bad ? XC_EPROTO : 0;
}

static int on_stop(struct agent *agent, struct message *m)
{
	(void)m;
	log_line("the controller says stop");
	agent_stop(agent);
	return 0;
}

static int on_stale(struct agent *agent, struct message *m)
{
	(void)m;
	log_line("the controller had given this host up; beginning anew");
	agent->stale = true;
	agent_stop(agent);
	return 0;
}

static const struct route {
	enum message_type type;
	int (*handler)(struct agent *agent, struct message *m);
} routes[] = {
	{ MSG_WELCOME_AGENT, on_welcome },
	{ MSG_REFUSED, on_refused },
	{ MSG_BEAT, on_beat },
	{ MSG_TAKE, on_take },
	{ MSG_INTERRUPT, on_interrupt },
	{ MSG_HOLD, objects_on_hold },
	{ MSG_DROP, objects_on_drop },
	{ MSG_PEERS, on_peers },
	{ MSG_STOP, on_stop },
	{ MSG_KILL, on_kill },
	{ MSG_RETIRE, on_retire },
	{ MSG_STALE, on_stale },
	{ MSG_LOCATED, objects_on_located },
	{ MSG_FETCH, objects_on_fetch },
	{ MSG_PIECE, objects_on_piece },
};

static void dispatch(struct agent *agent, struct message *m)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (routes[i].type != m->type)
			continue;
		if (routes[i].handler(agent, m) < 0)
			log_line("a message of type %s could not be read",
				 message_info(m->type)->name);
		return;
	}
	log_line("ignored a message that is not for an agent (type %llu)",
		 (unsigned long long)m->type);
}

/* ---- Loop ------------------------------------------------------------------ */

void agent_beat(struct agent *agent)
{
	agent->last_beat_ns = now_ns();
	agent->beats_sent++;
	SEND_SIMPLE(agent->dealer, NULL, beat, .store_used = agent->store.used,
		    .taken = agent->ledger.taken);
}

static void beat(struct agent *agent)
{
	uint64_t now = now_ns();

	if (!agent->welcomed || agent->ledger.is_broken ||
	    now - agent->last_beat_ns < (uint64_t)(agent->heartbeat_timeout / 5 * 1e9))
		return;
	agent_beat(agent);
}

static void take_messages(struct agent *agent)
{
	struct message m;

	message_init(&m);
	while (message_receive(agent->dealer, &m, false, false) > 0) {
		agent->heard_ns = now_ns();
		ledger_take(&agent->ledger, m.type);
		dispatch(agent, &m);
	}
	message_fini(&m);
}

/* All that the loop waits for; to be given to free(). */
static zmq_pollitem_t *poll_items(const struct agent *agent, int *count)
{
	zmq_pollitem_t *items;
	struct link *link;
	int n = 0, links;

	DL_COUNT(agent->links, link, links);
	items = calloc((size_t)links + 5, sizeof *items);
	if (!items)
		return NULL;
	items[n++] = (zmq_pollitem_t){ .fd = agent->epoll, .events = ZMQ_POLLIN };
	if (agent->dealer)
		items[n++] = (zmq_pollitem_t){ .socket = agent->dealer, .events = ZMQ_POLLIN };
	if (agent->dial.monitor)
		items[n++] =
			(zmq_pollitem_t){ .socket = agent->dial.monitor, .events = ZMQ_POLLIN };
	if (agent->port) {
		items[n++] = (zmq_pollitem_t){ .socket = agent->port, .events = ZMQ_POLLIN };
		items[n++] = (zmq_pollitem_t){ .socket = agent->zap, .events = ZMQ_POLLIN };
	}
	DL_FOREACH (agent->links, link) {
		if (link->socket)
			items[n++] =
				(zmq_pollitem_t){ .socket = link->socket, .events = ZMQ_POLLIN };
	}
	*count = n;
	return items;
}

static void wait_for_events(struct agent *agent)
{
	zmq_pollitem_t few[2] = { { .socket = agent->dealer, .events = ZMQ_POLLIN },
				  { .fd = agent->epoll, .events = ZMQ_POLLIN } };
	zmq_pollitem_t *items = NULL;
	int count = 2;

	if (agent->is_remote || agent->port || agent->links)
		items = poll_items(agent, &count);
	zmq_poll(items ? items : few, items ? count : 2, agent->has_to_start ? 0 : TICK_MS);
	free(items);
}

static void loop(struct agent *agent)
{
	struct epoll_event events[64];

	while (!(agent->stopping && !slots_any_alive(agent))) {
		int n;

		wait_for_events(agent);
		uplink_tick(agent);
		if (agent->dealer)
			take_messages(agent);
		dataport_receive(agent);
		links_receive(agent);
		n = epoll_wait(agent->epoll, events, 64, 0);
		for (int i = 0; i < n; i++) {
			struct source *source = events[i].data.ptr;

			source->on_ready(source);
		}
		if (agent->has_to_start && !agent->stopping)
			slots_start(agent);
		slots_tick(agent);
		service_tick(agent, now_ns());
		transfers_tick(agent, now_ns());
		links_tick(agent, now_ns());
		sinks_tick(agent);
		forward_tick(agent);
		beat(agent);
	}
}

/* ---- Set-up ---------------------------------------------------------------- */

/* So that spawn's dup2 onto 3 to 7 cannot hit a descriptor in use. */
static void reserve_descriptors(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDONLY)) >= 0 && fd < DESCRIPTOR_FLOOR)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (fd >= 0)
		close(fd);
}

static size_t default_store_limit(void)
{
	return (size_t)sysconf(_SC_PHYS_PAGES) / 2 * (size_t)sysconf(_SC_PAGESIZE);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Tasks that open a cluster get their own. On another host they need the file that lets
 * clients in: it is there if the directory is shared. */
static void own_environment(const struct agent *agent)
{
	char path[PATH_MAX];

	unsetenv("XCLUSTER");
	if (cluster_file(agent->connection.dir, path, sizeof path, CLUSTER_CONNECTION) == 0 &&
	    access(path, R_OK) == 0)
		setenv("XCLUSTER_CONNECTION", path, 1);
	else
		unsetenv("XCLUSTER_CONNECTION");
}

/* The file that lets engines in, beside the one that lets clients in. */
static int read_beside(struct agent *agent)
{
	char path[PATH_MAX];
	const char *slash = strrchr(agent->connection.path, '/');

	snprintf(path, sizeof path, "%.*s" CLUSTER_ENGINES,
		 slash ? (int)(slash + 1 - agent->connection.path) : 0, agent->connection.path);
	return connection_read(path, &agent->connection, NULL);
}

static int read_connection(struct agent *agent, struct xc_error *err)
{
	const struct agent_options *o = agent->options;
	int r = 0;

	if (o->connection)
		agent->connection = *o->connection;
	else
		r = connection_read(o->connection_path, &agent->connection, err);
	if (r < 0)
		return r;
	agent->is_remote = !dial_is_local(&agent->connection);
	if (agent->is_remote && agent->connection.role != CONNECTION_ENGINE &&
	    read_beside(agent) < 0)
		return error_set(err, -EACCES,
				 "%s lets clients in, not engines: use the " CLUSTER_ENGINES
				 " that is beside it",
				 agent->connection.path);
	return 0;
}

static int open_all(struct agent *agent, struct xc_error *err)
{
	int r = read_connection(agent, err);

	if (r == 0)
		r = place_take(agent, err);
	if (r < 0)
		return r;
	own_environment(agent);
	forward_open(agent);
	agent->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (agent->epoll < 0)
		return error_set(err, -errno, "cannot watch for events: %s", strerror(errno));
	r = ends_watch(agent, err);
	if (r < 0)
		return r;
	if (launcher_watch(agent) < 0 || drain_open(agent) < 0)
		return error_set(err, -errno, "cannot watch for events: %s", strerror(errno));
	r = service_listen(agent, err);
	if (r < 0)
		return r;
	if (slots_create(agent) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	agent->context = zmq_ctx_new();
	return uplink_open(agent, err);
}

static void close_all(struct agent *agent)
{
	transfers_free(agent);
	links_free(agent);
	dataport_fini(agent);
	forward_tick(agent);
	if (agent->dealer)
		SEND_SIMPLE(agent->dealer, NULL, bye, .id = 0);
	forward_close(agent);
	uplink_close(agent, BYE_LINGER_MS);
	slots_destroy(agent);
	launcher_fini(agent);
	service_fini(agent);
	store_fini(&agent->store);
	peers_clear(agent);
	if (agent->context)
		zmq_ctx_term(agent->context);
	place_leave(agent);
	for (int *fd = (int[]){ agent->signals.fd, agent->controller.fd, agent->epoll, -2 };
	     *fd != -2; fd++)
		if (*fd >= 0)
			close(*fd);
}

/* After STALE: the old engines have ended; nothing of them counts any more. */
static int begin_anew(struct agent *agent, struct xc_error *err)
{
	agent->stale = agent->stopping = agent->welcomed = agent->has_to_start = false;
	agent->beats_sent = agent->beats_heard = 0;
	transfers_free(agent);
	dataport_close(agent);
	slots_destroy(agent);
	uplink_close(agent, 0);
	if (slots_create(agent) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	return uplink_open(agent, err);
}

int agent_run(const struct agent_options *options, struct xc_error *err)
{
	struct agent agent = { .options = options,
			       .epoll = -1,
			       .lock = -1,
			       .signals.fd = -1,
			       .launcher.fd = -1,
			       .listener.fd = -1,
			       .controller.fd = -1 };
	int r;

	if (options->n < 1)
		return error_set(err, -EINVAL, "an agent needs at least one engine");
	if (sodium_init() < 0)
		return error_set(err, -EIO, "libsodium cannot be used");
	log_open("agent");
	reserve_descriptors();
	raise_descriptor_limit();
	store_init(&agent.store,
		   options->store_limit ? options->store_limit : default_store_limit());
	objects_init(&agent);
	r = open_all(&agent, err);
	while (r == 0) {
		loop(&agent);
		if (!agent.stale)
			break;
		r = begin_anew(&agent, err);
	}
	if (r == 0 && agent.gone[0])
		r = error_set(err, XC_EPROTO, "%s", agent.gone);
	close_all(&agent);
	return r;
}
