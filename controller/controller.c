/* controller.c: the controller's start, loop and end. */
#include "controller/controller.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "controller/guard.h"
#include "controller/state.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/log.h"

#define BATCH	       256 /* messages taken in before work is handed out */
#define CALM	       2   /* while no more come at a time, each is answered at once */
#define RECHECK_MS     1
#define TICK_NS	       UINT64_C(100000000)
#define IGNORED_LOGGED 20		    /* in ten seconds */
#define STOP_LIMIT_NS  UINT64_C(5000000000) /* for agents to end */

int state_watch(struct state *state, struct source *source)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	return epoll_ctl(state->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

void state_stop(struct state *state, const char *why)
{
	struct agent *agent;

	if (state->stop_ns)
		return;
	log_line("stopping: %s", why);
	state->stop_ns = now_ns();
	DL_FOREACH (state->agents, agent) {
		SEND_PEER(state, agent->peer, stop, .id = 0);
	}
}

static int on_shutdown(struct state *state, struct peer *peer, struct message *m)
{
	unsigned char header[HEADER_MAX];
	struct msg_shutdown order;
	struct msg_report answer;
	zmq_msg_t empty;
	int r = msg_shutdown_get(&m->fields, &order);

	if (r < 0)
		return r;
	answer.id = order.id;
	zmq_msg_init(&empty);
	message_send(state->router, peer->route, header,
		     msg_report_pack(header, sizeof header, &answer), &empty, 1);
	state_stop(state, "a client says so");
	return 0;
}

/* ---- Dispatch -------------------------------------------------------------------- */

static const struct route {
	enum message_type type;
	int (*handler)(struct state *state, struct peer *peer, struct message *m);
} routes[] = {
	{ MSG_HELLO_CLIENT, on_hello_client },
	{ MSG_HELLO_AGENT, on_hello_agent },
	{ MSG_HELLO_ENGINE, on_hello_engine },
	{ MSG_SUBMIT, on_submit },
	{ MSG_ACK, on_ack },
	{ MSG_CANCEL, on_cancel },
	{ MSG_PING, on_ping },
	{ MSG_RESEND, on_resend },
	{ MSG_QUERY, on_query },
	{ MSG_SHUTDOWN, on_shutdown },
	{ MSG_SIGNAL, on_signal },
	{ MSG_SHUT, on_shut },
	{ MSG_BYE, on_bye },
	{ MSG_DONE, on_done },
	{ MSG_TAKEN, on_taken },
	{ MSG_DOWN, on_down },
	{ MSG_BEAT, on_beat },
	{ MSG_ATTACH, on_attach },
	{ MSG_DETACH, on_detach },
	{ MSG_JOBS, on_jobs },
	{ MSG_MANAGE, on_manage },
	{ MSG_OUTPUT, on_output },
	{ MSG_LOG, on_log },
	{ MSG_OFFER, on_offer },
	{ MSG_RELEASE, on_release },
	{ MSG_LOCATE, on_locate },
	{ MSG_FETCH, on_fetch },
	{ MSG_PIECE, on_piece },
	{ MSG_STORED, on_stored },
	{ MSG_FREED, on_freed },
	{ MSG_DATAPORT, on_dataport },
	{ MSG_NOTE, on_note },
	{ MSG_DRAIN, on_drain },
	{ MSG_THREADS, on_threads },
};

static const struct route *route_of(uint64_t type)
{
	static const struct route *table[64];

	if (!table[MSG_HELLO_CLIENT])
		for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
			table[routes[i].type] = &routes[i];
	return type < 64 ? table[type] : NULL;
}

static struct peer *peer_of(struct state *state, zmq_msg_t *route)
{
	struct peer *peer;

	HASH_FIND(hh, state->peers, zmq_msg_data(route), ROUTE_SIZE, peer);
	return peer;
}

static struct peer *peer_new(struct state *state, zmq_msg_t *route, bool is_remote)
{
	struct peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		return NULL;
	memcpy(peer->route, zmq_msg_data(route), ROUTE_SIZE);
	peer->role = ROLE_NEW;
	peer->is_remote = is_remote;
	HASH_ADD(hh, state->peers, route, ROUTE_SIZE, peer);
	return peer;
}

static bool is_hello(uint64_t type)
{
	return type == MSG_HELLO_CLIENT || type == MSG_HELLO_AGENT || type == MSG_HELLO_ENGINE;
}

/* Garbage must not fill the log. */
static void log_ignored(struct state *state, const char *format, ...)
{
	char text[200];
	va_list ap;

	if (state->ignored++ >= IGNORED_LOGGED)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	log_line("ignored %s", text);
}

static void forgive_ignored(struct state *state)
{
	if (state->ignored > IGNORED_LOGGED)
		log_line("ignored %d more messages", state->ignored - IGNORED_LOGGED);
	state->ignored = 0;
}

static void on_unknown(struct state *state, struct message *m)
{
	/* A host that we had given up beats again: it is to begin anew. */
	if (m->type == MSG_BEAT)
		SEND_SIMPLE(state->router, zmq_msg_data(&m->route), stale, .id = 0);
}

/* May the key that the connection has shown send this? Looked at in each message, as the
 * owner of another key might take a routing id over. */
static bool is_allowed(const struct message *m, const char *role, const struct peer *peer)
{
	if (peer && peer->is_remote != (role != NULL))
		return false;
	return !role || (message_info(m->type)->senders & certificates_roles(role) &&
			 (!peer || peer->role & certificates_roles(role)));
}

/* Hellos are all from new peers, but only one fits a key. */
static bool is_hello_of(uint64_t type, const char *role)
{
	return !role || (type == MSG_HELLO_CLIENT) == (strcmp(role, "client") == 0);
}

/* Who has just come is told what the key is for; others have no business to know. */
static void turn_away(struct state *state, struct message *m, const struct peer *peer,
		      const char *role)
{
	const char *whose = !role			  ? "no key, on this host"
			    : strcmp(role, "client") == 0 ? "the key of a client"
							  : "the key of an engine";
	char text[128];

	log_ignored(state, "%s from a connection with %s", message_info(m->type)->name, whose);
	if (peer || !role || !is_hello(m->type))
		return;
	snprintf(text, sizeof text, "the connection file has %s, which lets nobody else in", whose);
	SEND_SIMPLE(state->router, zmq_msg_data(&m->route), refused, .code = -EACCES,
		    .text = span_of(text));
}

static void dispatch(struct state *state, struct message *m)
{
	const struct route *route = route_of(m->type);
	const char *role;
	struct peer *peer;
	int r;

	if (zmq_msg_size(&m->route) != ROUTE_SIZE || !route) {
		log_ignored(state, "a message that cannot be read (%zu bytes)",
			    zmq_msg_size(&m->header));
		return;
	}
	peer = peer_of(state, &m->route);
	role = state->has_network ? zmq_msg_gets(&m->header, CERTIFICATE_ROLE) : NULL;
	if (!is_allowed(m, role, peer) || (is_hello(m->type) && !is_hello_of(m->type, role))) {
		turn_away(state, m, peer, role);
		return;
	}
	if (!peer) {
		if (!is_hello(m->type)) {
			on_unknown(state, m);
			return;
		}
		peer = peer_new(state, &m->route, role != NULL);
		if (!peer)
			return;
	}
	if (!(message_info(m->type)->senders & peer->role)) {
		log_ignored(state, "%s from a peer that may not send it",
			    message_info(m->type)->name);
		return;
	}
	if (peer->role == ROLE_AGENT)
		ledger_take(&peer->is.agent->ledger, m->type);
	r = route->handler(state, peer, m);
	if (r == XC_EPROTO)
		log_ignored(state, "a %s with fields that cannot be", message_info(m->type)->name);
	/* A peer whose hello was refused is none. */
	peer = is_hello(m->type) ? peer_of(state, &m->route) : NULL;
	if (peer && peer->role == ROLE_NEW) {
		HASH_DEL(state->peers, peer);
		free(peer);
	}
}

/* ---- Loop -------------------------------------------------------------------------- */

static void on_signals(struct state *state, struct source *source)
{
	struct signalfd_siginfo info;

	while (read(source->fd, &info, sizeof info) == sizeof info)
		state_stop(state, strsignal((int)info.ssi_signo));
}

static void on_lifeline(struct state *state, struct source *source)
{
	char byte;

	if (read(source->fd, &byte, 1) != 1)
		state_stop(state, "whoever started this cluster is gone");
	epoll_ctl(state->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	close(source->fd);
	source->fd = -1;
}

static int timeout_ms(const struct state *state)
{
	double tick = state->heartbeat_timeout / 5;

	if (state->recheck)
		return RECHECK_MS;
	return state->stop_ns || state->dying || state->guard.strangers
		       ? 100
		       : (int)(1000 * (tick < 1 ? tick : 1)) + 1;
}

static void hand_out(struct state *state)
{
	schedule(state);
	roster_send(state);
}

/* How many there were; `calm`: work is handed out after each. */
static int take_messages(struct state *state, struct message *m, bool calm)
{
	int n = 0;

	while (n < BATCH && message_receive(state->router, m, true, false) > 0) {
		dispatch(state, m);
		n++;
		if (calm && n <= CALM)
			hand_out(state);
	}
	return n;
}

static void take_events(struct state *state)
{
	struct epoll_event events[64];
	/* A handler may remove the source of a later event: one at a time is safe. */
	int n = epoll_wait(state->epoll, events, 1, 0);

	for (int i = 0; i < n; i++) {
		struct source *source = events[i].data.ptr;

		source->on_ready(state, source);
	}
}

static bool is_over(const struct state *state)
{
	return state->stop_ns && (!state->agents || now_ns() - state->stop_ns > STOP_LIMIT_NS);
}

/* Nobody finds a cluster whose directory was removed: it ends with its last client. */
static void check_place(struct state *state)
{
	struct stat st;

	if (!state->clients && fstat(state->lock, &st) == 0 && st.st_nlink == 0)
		state_stop(state, "its directory has been removed");
}

/* True if there was something to do. Only when all messages were read: a BEAT may
 * be among them. */
static bool tick(struct state *state)
{
	if (now_ns() - state->last_tick_ns <= TICK_NS)
		return false;
	state->last_tick_ns = now_ns();
	peers_tick(state);
	guard_tick(state);
	check_place(state);
	if (++state->ticks % 100 == 0)
		forgive_ignored(state);
	return true;
}

/* The socket's descriptor tells of what arrives while nobody calls: any call on the
 * socket, also one that sends, may take its signal away. So nothing is sent between
 * the receive that finds nothing and this. */
static bool sleep_until_event(struct state *state, int socket_fd)
{
	struct pollfd fds[2] = { { .fd = socket_fd, .events = POLLIN },
				 { .fd = state->epoll, .events = POLLIN } };

	poll(fds, 2, timeout_ms(state));
	return fds[1].revents != 0;
}

static void loop(struct state *state)
{
	struct message m;
	size_t size = sizeof(int);
	bool is_calm = true, events = false;
	int socket_fd = -1;

	zmq_getsockopt(state->router, ZMQ_FD, &socket_fd, &size);
	message_init(&m);
	while (!is_over(state)) {
		int n = take_messages(state, &m, is_calm);
		bool todo = n > CALM || (n > 0 && !is_calm) || events;

		is_calm = n <= CALM;
		if (n < BATCH)
			todo |= tick(state);
		if (events)
			take_events(state); /* after what the dead had to say */
		events = !todo && sleep_until_event(state, socket_fd);
		if (todo || state->recheck)
			hand_out(state);
	}
	message_fini(&m);
}

/* ---- Start and end -------------------------------------------------------------------- */

static int watch_signals(struct state *state)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	state->signals =
		(struct source){ on_signals, signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC) };
	return state->signals.fd < 0 ? -errno : state_watch(state, &state->signals);
}

static int take_lock(struct state *state, struct xc_error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%.4000s/controller.lock", state->connection.dir);
	state->lock = cluster_lock_take(path, err);
	if (state->lock == -EAGAIN)
		return error_set(err, -EEXIST,
				 "cluster \"%s\" is running already: use it, or end it with "
				 "xcluster stop",
				 state->options->cluster_id);
	return state->lock < 0 ? state->lock : 0;
}

static int open_all(struct state *state, struct xc_error *err)
{
	struct rlimit limit;
	int r = listen_name(state, err);

	if (r == 0)
		r = take_lock(state, err);
	if (r < 0)
		return r;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	state->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (state->epoll < 0 || watch_signals(state) < 0)
		return error_set(err, -errno, "cannot watch for events: %s", strerror(errno));
	r = listen_start(state, err);
	if (r < 0)
		return r;
	if (state->options->lifeline_fd >= 0) {
		fcntl(state->options->lifeline_fd, F_SETFD, FD_CLOEXEC);
		state->lifeline = (struct source){ on_lifeline, state->options->lifeline_fd };
		r = state_watch(state, &state->lifeline);
		if (r < 0)
			return error_set(err, r, "cannot watch the lifeline: %s", strerror(-r));
	}
	r = listen_announce(state, err);
	if (r == 0 && state->options->ready_fd >= 0) {
		if (write(state->options->ready_fd, "1", 1) < 0)
			log_line("nobody waits for this controller to be ready");
		close(state->options->ready_fd);
	}
	return r;
}

static void free_spares(struct state *state)
{
	struct measure *measure, *next_measure;
	struct parcel *parcel, *next_parcel;
	struct slice *slice, *next_slice;

	if (state->has_task)
		zmq_msg_close(&state->task);
	LL_FOREACH_SAFE (state->spare_parcels, parcel, next_parcel) {
		free(parcel);
	}
	LL_FOREACH_SAFE (state->spare_slices, slice, next_slice) {
		free(slice);
	}
	HASH_ITER (hh, state->measures, measure, next_measure) {
		HASH_DEL(state->measures, measure);
		free(measure->frame);
		free(measure);
	}
}

static void close_all(struct state *state)
{
	everywhere_free(state);
	peers_free(state);
	listen_end(state);
	free_spares(state);
	if (state->lock >= 0) /* else the files are another controller's */
		listen_forget(state);
	/* The lock goes with the process: until then the cluster is not over. */
	if (state->signals.fd >= 0)
		close(state->signals.fd);
	if (state->lifeline.fd >= 0)
		close(state->lifeline.fd);
	if (state->epoll >= 0)
		close(state->epoll);
}

int controller_run(const struct controller_options *options, struct xc_error *err)
{
	struct state *state = calloc(1, sizeof *state);
	int r;

	if (!state)
		return error_set(err, -ENOMEM, "out of memory");
	if (sodium_init() < 0) {
		free(state);
		return error_set(err, -EIO, "libsodium cannot be used");
	}
	log_open("controller");
	state->options = options;
	state->heartbeat_timeout = options->heartbeat_timeout > 0 ? options->heartbeat_timeout : 5;
	state->history.max = options->history;
	state->history.kept_max = options->kept_bytes ? options->kept_bytes : HISTORY_KEPT;
	state->started_ns = state->last_tick_ns = now_ns();
	state->roster_version = state->agents_version = 1; /* clients begin at 0 */
	state->epoll = state->lock = state->signals.fd = state->lifeline.fd = -1;
	randombytes_buf(state->session, sizeof state->session);
	r = open_all(state, err);
	if (r == 0) {
		log_line("cluster %s: listening at %s", state->connection.id,
			 state->connection.endpoint);
		loop(state);
		log_line("ended");
	}
	close_all(state);
	free(state);
	return r;
}
