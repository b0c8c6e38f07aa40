/* engine.c: the engine process: its start and its loop. */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "engine/runner.h"
#include "libcluster/threads.h"
#include "proto/error.h"
#include "proto/log.h"

static int on_welcome(struct engine *e, struct message *m)
{
	struct msg_welcome_engine welcome;
	int r = msg_welcome_engine_get(&m->fields, &welcome);

	if (r < 0)
		return r;
	e->id = (int)welcome.engine;
	if (e->is_resuming)
		pieces_send_again(e, welcome.ack);
	e->is_resuming = false;
	return 0;
}

static int on_refused(struct engine *e, struct message *m)
{
	struct msg_refused refused;
	char text[256];
	int r = msg_refused_get(&m->fields, &refused);

	if (r < 0)
		return r;
	span_copy(text, sizeof text, refused.text);
	log_line("the controller refused this engine: %s", text);
	e->stopping = true;
	return 0;
}

static int on_slice(struct engine *e, struct message *m)
{
	struct pending *p = calloc(1, sizeof *p);
	struct reader fields = m->fields;
	struct msg_slice header;

	if (!p)
		return -ENOMEM;
	if (msg_slice_get(&fields, &header) == 0) {
		if (header.slice <= e->last_slice) { /* sent again after a break */
			free(p);
			return 0;
		}
		e->last_slice = header.slice;
		if (header.ack > e->page->acked)
			e->page->acked = header.ack;
	}
	message_move(&p->message, m);
	DL_APPEND(e->pending, p);
	return 0;
}

static int on_ack(struct engine *e, struct message *m)
{
	struct msg_ack ack;
	int r = msg_ack_get(&m->fields, &ack);

	if (r < 0 || ack.seq <= e->page->acked)
		return r;
	e->page->acked = ack.seq;
	arena_trim(e);
	return 0;
}

static const struct route {
	enum message_type type;
	int (*handler)(struct engine *e, struct message *m);
} routes[] = {
	{ MSG_SLICE, on_slice },
	{ MSG_ACK, on_ack },
	{ MSG_WELCOME_ENGINE, on_welcome },
	{ MSG_REFUSED, on_refused },
};

static int say_hello(struct engine *e, const void *session)
{
	return SEND_SIMPLE(e->dealer, NULL, hello_engine, .protocol = PROTOCOL_VERSION,
			   .session = { session, SESSION_SIZE },
			   .agent = { e->agent, SESSION_SIZE }, .slot = e->slot, .epoch = e->epoch,
			   .pid = getpid(), .started = e->started, .again = e->id >= 0,
			   .slice = e->last_slice, .threads = (uint64_t)e->threads);
}

static int dial(struct engine *e, const char *endpoint, struct xc_error *err)
{
	unsigned char session[SESSION_SIZE], route[ROUTE_SIZE];
	int r;

	randombytes_buf(session, sizeof session);
	route_make(route, 'e', session);
	r = dial_endpoint(&e->dial, e->context, &e->keys, endpoint, route, true, err);
	e->dealer = e->dial.socket;
	return r < 0 ? r : say_hello(e, session);
}

/* Another connection takes the place of one that broke: what is in it is in order and
 * whole. */
static int redial(struct engine *e)
{
	unsigned char session[SESSION_SIZE], route[ROUTE_SIZE];
	struct xc_error err = XC_ERROR_INIT;
	int r;

	if (e->dial.is_up)
		log_line("the connection to the controller broke; dialling %s again",
			 e->dial.endpoint);
	e->is_resuming = e->id >= 0;
	randombytes_buf(session, sizeof session);
	route_make(route, 'e', session);
	r = dial_again(&e->dial, e->context, &e->keys, route, &err);
	e->dealer = e->dial.socket;
	return r < 0 ? r : say_hello(e, session);
}

/* Over the network, where a break is news, too. */
static int receive_remote(struct engine *e, struct message *m)
{
	for (;;) {
		zmq_pollitem_t items[2] = { { .socket = e->dealer, .events = ZMQ_POLLIN },
					    { .socket = e->dial.monitor, .events = ZMQ_POLLIN } };
		enum dial_event event = dial_event(&e->dial);
		int r = event == DIAL_NOTHING && dial_is_due(&e->dial) ? redial(e) : 0;

		if (r < 0)
			return r;
		if (event == DIAL_REFUSED)
			return -EACCES;
		if (event != DIAL_NOTHING)
			continue; /* nothing is taken from a connection before its news are */
		items[0].socket = e->dealer;
		items[1].socket = e->dial.monitor;
		r = message_receive(e->dealer, m, false, false);
		if (r != 0)
			return r;
		if (zmq_poll(items, 2, dial_wait_ms(&e->dial)) < 0 && errno == EINTR)
			return -EINTR;
	}
}

static int receive(struct engine *e, struct message *m)
{
	return e->dial.monitor ? receive_remote(e, m) : message_receive(e->dealer, m, false, true);
}

int engine_receive(struct engine *e)
{
	struct message m;
	int r;

	message_init(&m);
	do
		r = receive(e, &m);
	while (r == 0 || (r == -EINTR && e->page->ending == ENDING_NOT));
	if (r == -EINTR)
		r = 0;
	for (size_t i = 0; r > 0 && i < sizeof routes / sizeof routes[0]; i++)
		if (routes[i].type == m.type) {
			r = routes[i].handler(e, &m);
			break;
		}
	message_fini(&m);
	return r < 0 ? r : 0;
}

static int loop(struct engine *e)
{
	while (!e->stopping && e->page->ending == ENDING_NOT) {
		struct pending *p = e->pending;
		int r;

		if (!p) {
			r = engine_receive(e);
			if (r < 0)
				return r;
			continue;
		}
		DL_DELETE(e->pending, p);
		slice_run(e, &p->message);
		message_fini(&p->message);
		free(p);
	}
	return 0;
}

/* For the network; empty for a unix socket. */
static int take_keys(struct connection *connection, struct span keys)
{
	struct reader r;

	if (keys.size == 0)
		return 0;
	reader_init(&r, keys.data, keys.size);
	connection->heartbeat_timeout = get_f64(&r);
	span_copy(connection->server_key, CONNECTION_KEY_SIZE, get_str(&r));
	span_copy(connection->public_key, CONNECTION_KEY_SIZE, get_str(&r));
	span_copy(connection->secret_key, CONNECTION_KEY_SIZE, get_str(&r));
	return reader_is_done(&r) ? 0 : XC_EPROTO;
}

static int map_shared(struct engine *e, struct xc_error *err)
{
	e->page =
		mmap(NULL, sizeof *e->page, PROT_READ | PROT_WRITE, MAP_SHARED, ENGINE_PAGE_FD, 0);
	e->arena_fd = ENGINE_ARENA_FD;
	e->schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	e->arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			ENGINE_ARENA_FD, 0);
	if (e->page == MAP_FAILED || e->arena == MAP_FAILED)
		return error_set(err, -errno, "cannot map the memory shared with the agent: %s",
				 strerror(errno));
	madvise(e->arena, ARENA_SIZE, MADV_DONTDUMP);
	close(ENGINE_PAGE_FD);
	if (output_open(e, ENGINE_OUTPUT_FD) < 0)
		return error_set(err, -errno, "cannot map the memory for output: %s",
				 strerror(errno));
	return 0;
}

static int configure(struct engine *e, struct xc_error *err)
{
	struct channel_packet request = { .code = OP_CONFIG, .fd = -1 }, reply;
	char buffer[CHANNEL_MAX], endpoint[512], slot[32];
	int r;

	signals_catch(e);
	r = channel_call(e->channel, &request, &reply, buffer, err);

	if (r < 0)
		return r;
	if (reply.object.size != SESSION_SIZE || take_keys(&e->keys, reply.data) < 0)
		return error_set(err, XC_EPROTO, "the agent's configuration is not valid");
	memcpy(e->agent, reply.object.data, SESSION_SIZE);
	span_copy(endpoint, sizeof endpoint, reply.name);
	span_copy(slot, sizeof slot, reply.text);
	e->slot = strtoull(slot, NULL, 10);
	e->epoch = reply.number;
	r = names_load(e, err);
	e->context = r < 0 ? NULL : zmq_ctx_new();
	return r < 0 ? r : dial(e, endpoint, err);
}

static double clock_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int engine_run(int channel_fd)
{
	static struct engine e; /* signal handlers look at it to the last */
	struct xc_error err = XC_ERROR_INIT;
	int r;

	e = (struct engine){ .channel = channel_fd,
			     .id = -1,
			     .now.want = 1,
			     .started = clock_seconds(),
			     .threads = threads_of_environment() };
	/* With the agent gone, nobody watches this process. A death before this
	 * call shows as the end of the channel. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(channel_fd, F_SETFD, FD_CLOEXEC); /* not for what tasks start */
	fcntl(ENGINE_ARENA_FD, F_SETFD, FD_CLOEXEC);
	fcntl(ENGINE_OUTPUT_FD, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_NAME, "xcluster-engine");
	log_open("engine");
	if (fcntl(ENGINE_LOG_FD, F_SETFD, FD_CLOEXEC) == 0) /* else no agent has started us */
		log_redirect(ENGINE_LOG_FD);
	setvbuf(stdout, NULL, _IOLBF, 0);
	r = sodium_init() < 0 ? error_set(&err, -EIO, "libsodium cannot be used") : 0;
	if (r == 0 && (r = child_watch(&e)) < 0)
		error_set(&err, r, "cannot watch for children: %s", strerror(-r));
	if (r == 0)
		r = map_shared(&e, &err);
	if (r == 0)
		r = configure(&e, &err);
	if (r == 0)
		r = loop(&e);
	if (r < 0)
		log_line("ending: %s", err.text[0] ? err.text : error_text(r));
	if (r < 0)
		return 1;
	/* Destructors and atexit handlers of programs run at exit. */
	e.page->ending = ENDING_BEGUN;
	cleanup_run(&e, NULL);
	return 0;
}
