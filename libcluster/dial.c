/* dial.c: finding the controller, and a DEALER to it. */
#include "libcluster/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "libcluster/probe.h"
#include "proto/error.h"

#define HANDSHAKE_LIMIT_MS 3000
#define RETRY_MIN_MS	   100 /* between two rounds over all addresses */
#define RETRY_MAX_MS	   500
#define REFUSAL_LIMIT_NS   UINT64_C(200000000)
#define RECONNECT_MS	   50 /* doubled again and again */
#define RECONNECT_MAX_MS   2000
#define TRY_MIN_MS	   500	 /* for one connection */
#define STUCK_MS	   15000 /* without an event: it is tried again */

bool dial_is_local(const struct connection *connection)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = connection->endpoint + strlen("ipc://");
	char host[256] = "";
	bool is_there;
	int fd;

	gethostname(host, sizeof host - 1);
	if (connection->address_count == 0)
		return true; /* there is no other way to it */
	if (strcmp(host, connection->host) != 0 || strlen(path) >= sizeof address.sun_path)
		return false;
	/* Host names need not be unique: the socket is. */
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	is_there = fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
			       errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	return is_there;
}

/* N.B. not ZMTP's heartbeats, whose answer has to wait behind a large message: they would
 * end a connection that is at work. */
void dial_watch_for_breaks(void *socket, double s)
{
	int yes = 1, seconds = s < 2 ? 1 : s > 60 ? 30 : (int)(s / 2), count = 3;
	int limit_ms = s < 2 ? 2000 : s > 60 ? 60000 : (int)(s * 1000);

	zmq_setsockopt(socket, ZMQ_TCP_KEEPALIVE, &yes, sizeof yes);
	zmq_setsockopt(socket, ZMQ_TCP_KEEPALIVE_IDLE, &seconds, sizeof seconds);
	zmq_setsockopt(socket, ZMQ_TCP_KEEPALIVE_INTVL, &seconds, sizeof seconds);
	zmq_setsockopt(socket, ZMQ_TCP_KEEPALIVE_CNT, &count, sizeof count);
	zmq_setsockopt(socket, ZMQ_TCP_MAXRT, &limit_ms, sizeof limit_ms);
}

static int set_keys(void *socket, const struct connection *connection)
{
	int r = zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, connection->server_key,
			       CONNECTION_KEY_SIZE);

	if (r == 0)
		r = zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, connection->public_key,
				   CONNECTION_KEY_SIZE);
	if (r == 0)
		r = zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, connection->secret_key,
				   CONNECTION_KEY_SIZE);
	return r < 0 ? -errno : 0;
}

/* Often enough to be back before one is taken for lost. */
static int longest_pause(const struct connection *connection)
{
	int ms = (int)(connection->heartbeat_timeout * 1000 / 4);

	return ms < RECONNECT_MS ? RECONNECT_MS : ms > RECONNECT_MAX_MS ? RECONNECT_MAX_MS : ms;
}

/* N.B. of random(), whose sequence is the program's, nothing is taken. */
static int random_ms(int most)
{
	unsigned ms = 0;

	if (getrandom(&ms, sizeof ms, GRND_NONBLOCK) < 0)
		ms = (unsigned)now_ns();
	return (int)(ms % (unsigned)most);
}

static void set_due(struct dial *dial, int ms)
{
	dial->due_ns = now_ns() + (uint64_t)ms * 1000000;
}

static int open_monitor(struct dial *dial, void *context)
{
	static _Atomic unsigned last;
	char name[64];
	size_t size = sizeof dial->monitor_fd;
	int none = 0;

	snprintf(name, sizeof name, "inproc://xcluster-dial-%u", ++last);
	if (zmq_socket_monitor(dial->socket, name,
			       ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
				       ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
				       ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
				       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
				       (dial->is_once ? ZMQ_EVENT_CLOSED : 0)) < 0)
		return -errno;
	dial->monitor = zmq_socket(context, ZMQ_PAIR);
	if (!dial->monitor || zmq_setsockopt(dial->monitor, ZMQ_LINGER, &none, sizeof none) < 0 ||
	    zmq_connect(dial->monitor, name) < 0 ||
	    zmq_getsockopt(dial->monitor, ZMQ_FD, &dial->monitor_fd, &size) < 0)
		return -errno;
	return 0;
}

int dial_endpoint(struct dial *dial, void *context, const struct connection *connection,
		  const char *endpoint, const void *route, bool once, struct xc_error *err)
{
	int first = once ? -1 : RECONNECT_MS, most = longest_pause(connection);
	int try = most < TRY_MIN_MS / 2 ? TRY_MIN_MS : 2 * most;
	int none = 0, linger = 0, yes = 1, r = 0;
	bool is_tcp = strncmp(endpoint, "tcp://", strlen("tcp://")) == 0;

	*dial = (struct dial)DIAL_INIT;
	snprintf(dial->endpoint, sizeof dial->endpoint, "%s", endpoint);
	dial->socket = context ? zmq_socket(context, ZMQ_DEALER) : NULL;
	if (!dial->socket)
		return error_set(err, -errno, "cannot make a socket: %s", zmq_strerror(errno));
	zmq_setsockopt(dial->socket, ZMQ_ROUTING_ID, route, ROUTE_SIZE);
	zmq_setsockopt(dial->socket, ZMQ_SNDHWM, &none, sizeof none);
	zmq_setsockopt(dial->socket, ZMQ_RCVHWM, &none, sizeof none);
	zmq_setsockopt(dial->socket, ZMQ_LINGER, &linger, sizeof linger);
	if (is_tcp) {
		dial->is_once = once;
		dial->pause_ms = RECONNECT_MS;
		if (once)
			set_due(dial, STUCK_MS);
		zmq_setsockopt(dial->socket, ZMQ_IPV6, &yes, sizeof yes);
		zmq_setsockopt(dial->socket, ZMQ_RECONNECT_IVL, &first, sizeof first);
		zmq_setsockopt(dial->socket, ZMQ_RECONNECT_IVL_MAX, &most, sizeof most);
		zmq_setsockopt(dial->socket, ZMQ_CONNECT_TIMEOUT, &try, sizeof try);
		dial_watch_for_breaks(dial->socket, connection->heartbeat_timeout);
		r = set_keys(dial->socket, connection);
		if (r == 0)
			r = open_monitor(dial, context);
	}
	if (r == 0 && zmq_connect(dial->socket, endpoint) < 0)
		r = -errno;
	if (r < 0) {
		dial_close(dial, 0);
		return error_set(err, r, "cannot reach the controller at %s: %s", endpoint,
				 zmq_strerror(-r));
	}
	return 0;
}

/* The first event of a break counts: others of the same one may follow. */
static void note_down(struct dial *dial)
{
	if (!dial->is_once || dial->is_down)
		return;
	dial->is_down = true;
	set_due(dial, dial->is_up ? 0 : dial->pause_ms / 2 + random_ms(dial->pause_ms));
}

static enum dial_event take_event(struct dial *dial, unsigned event)
{
	bool was_up = dial->is_up;

	switch (event) {
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		dial->is_up = true;
		dial->due_ns = 0;
		return was_up ? DIAL_AGAIN : DIAL_UP;
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
		dial->is_refused = true;
		return DIAL_REFUSED;
	case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
		/* Not of the handshake alone: what came was altered, or came twice. ZeroMQ
		 * does not dial again by itself after that. */
		note_down(dial);
		if (was_up && !dial->is_once) {
			zmq_disconnect(dial->socket, dial->endpoint);
			zmq_connect(dial->socket, dial->endpoint);
		}
		return DIAL_DOWN;
	case ZMQ_EVENT_DISCONNECTED:
	case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
		note_down(dial);
		return DIAL_DOWN;
	case ZMQ_EVENT_CLOSED:
		note_down(dial);
		return DIAL_FAILED;
	default:
		return DIAL_NOTHING;
	}
}

/* An event is two frames: number (16 bits) and value (32), then the address. */
enum dial_event dial_event(struct dial *dial)
{
	enum dial_event event = DIAL_NOTHING;
	unsigned char bytes[6];
	char address[16];

	while (event == DIAL_NOTHING && dial->monitor &&
	       zmq_recv(dial->monitor, bytes, sizeof bytes, ZMQ_DONTWAIT) == sizeof bytes) {
		uint16_t number;

		memcpy(&number, bytes, sizeof number);
		zmq_recv(dial->monitor, address, sizeof address, ZMQ_DONTWAIT);
		event = take_event(dial, number);
	}
	return event;
}

void dial_close(struct dial *dial, int linger_ms)
{
	if (dial->monitor) {
		zmq_socket_monitor(dial->socket, NULL, 0);
		zmq_close(dial->monitor);
	}
	if (dial->socket) {
		zmq_setsockopt(dial->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
		zmq_close(dial->socket);
	}
	*dial = (struct dial)DIAL_INIT;
}

bool dial_is_due(const struct dial *dial)
{
	return dial->due_ns && now_ns() >= dial->due_ns;
}

int dial_wait_ms(const struct dial *dial)
{
	uint64_t now = now_ns();

	if (!dial->due_ns)
		return -1;
	return now >= dial->due_ns ? 0 : (int)((dial->due_ns - now) / 1000000) + 1;
}

int dial_again(struct dial *dial, void *context, const struct connection *connection,
	       const void *route, struct xc_error *err)
{
	int most = longest_pause(connection),
	    pause = dial->is_up ? RECONNECT_MS : 2 * dial->pause_ms;
	char endpoint[CONNECTION_ADDRESS_MAX];
	int r;

	strcpy(endpoint, dial->endpoint);
	dial_close(dial, 0);
	r = dial_endpoint(dial, context, connection, endpoint, route, true, err);
	dial->pause_ms = pause < most ? pause : most;
	if (r < 0) {
		strcpy(dial->endpoint, endpoint);
		set_due(dial, dial->pause_ms);
	}
	return r;
}

bool dial_is_refused(const char *address)
{
	struct connection *connection = calloc(1, sizeof *connection);
	struct probes probes;
	bool is_refused;

	if (!connection)
		return false;
	snprintf(connection->addresses[0], sizeof connection->addresses[0], "%s", address);
	connection->address_count = 1;
	probes_start(&probes, connection);
	probes_next(&probes, now_ns() + REFUSAL_LIMIT_NS);
	is_refused = probes.list[0].is_refused;
	probes_stop(&probes);
	free(connection);
	return is_refused;
}

/* ---- The search ------------------------------------------------------------------ */

/* Who listens there shows that it has the controller's key, and that it knows ours. */
static bool shakes_hands(struct dial *dial, const struct wait_end *stop, char *text, size_t size)
{
	uint64_t end = now_ns() + HANDSHAKE_LIMIT_MS * UINT64_C(1000000), now;

	while ((now = now_ns()) < end && !wait_end_is_wanted(stop)) {
		zmq_pollitem_t item = { .socket = dial->monitor, .events = ZMQ_POLLIN };

		switch (dial_event(dial)) {
		case DIAL_UP:
		case DIAL_AGAIN:
			return true;
		case DIAL_FAILED:
			snprintf(text, size, "the connection came to nothing");
			return false;
		case DIAL_REFUSED:
			snprintf(text, size, "it does not know the keys of the connection file");
			return false;
		case DIAL_DOWN:
			snprintf(text, size,
				 "it is another cluster's controller, or another "
				 "start's: its key is not the connection file's");
			return false;
		case DIAL_NOTHING:
			zmq_poll(&item, 1, stop ? WAIT_END_MS : (long)((end - now) / 1000000) + 1);
		}
	}
	snprintf(text, size, "no handshake within %d s", HANDSHAKE_LIMIT_MS / 1000);
	return false;
}

struct search {
	struct dial *dial;
	void *context;
	const struct connection *connection;
	const void *route;
	bool once;
	const struct wait_end *stop;
	struct probes probes;
	bool is_refused; /* by one that does not know the keys */
};

/* One round over all addresses. */
static bool search(struct search *s, uint64_t end_ns)
{
	struct xc_error err = XC_ERROR_INIT;
	struct probe *probe;

	probes_start(&s->probes, s->connection);
	s->probes.end = s->stop;
	while ((probe = probes_next(&s->probes, end_ns))) {
		if (dial_endpoint(s->dial, s->context, s->connection, probe->numeric, s->route,
				  s->once, &err) < 0) {
			snprintf(probe->text, sizeof probe->text, "%.90s", err.text);
			continue;
		}
		if (shakes_hands(s->dial, s->stop, probe->text, sizeof probe->text)) {
			probes_stop(&s->probes);
			return true;
		}
		s->is_refused |= s->dial->is_refused;
		dial_close(s->dial, 0);
	}
	probes_stop(&s->probes);
	return false;
}

/* Nobody listens: that does not pass by itself. */
static bool is_hopeless(const struct search *s)
{
	for (int i = 0; i < s->probes.count; i++)
		if (!s->probes.list[i].is_refused)
			return s->is_refused;
	return true;
}

static int explain(const struct search *s, struct xc_error *err)
{
	char text[400];
	size_t used = 0;

	text[0] = '\0';
	for (int i = 0; i < s->probes.count && used < sizeof text - 1; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s: %s", i ? "; " : "",
					 s->probes.list[i].address + strlen("tcp://"),
					 s->probes.list[i].text);
	return error_set(err, s->is_refused ? -EACCES : XC_ENOCLUSTER,
			 "cannot reach the controller of cluster \"%s\" on %s: %s%s",
			 s->connection->id, s->connection->host, text,
			 used >= sizeof text - 1 ? " ..." : "");
}

/* Many may have been turned away at the same time. */
static void pause_at_random(void)
{
	int ms = RETRY_MIN_MS + random_ms(RETRY_MAX_MS - RETRY_MIN_MS);
	struct timespec ts = { .tv_nsec = (long)ms * 1000000 };

	nanosleep(&ts, NULL);
}

int dial_controller(struct dial *dial, void *context, const struct connection *connection,
		    const void *route, bool once, double limit, const struct wait_end *stop,
		    struct xc_error *err)
{
	struct search s = { .dial = dial,
			    .context = context,
			    .connection = connection,
			    .route = route,
			    .once = once,
			    .stop = stop };
	uint64_t end = now_ns() + (uint64_t)(limit * 1e9);

	if (dial_is_local(connection))
		return dial_endpoint(dial, context, connection, connection->endpoint, route, once,
				     err);
	*dial = (struct dial)DIAL_INIT;
	while (!search(&s, end)) {
		if (wait_end_is_wanted(stop))
			return error_set(err, -EINTR,
					 "told to end while it looked for the controller");
		if (is_hopeless(&s) || now_ns() + RETRY_MAX_MS * UINT64_C(1000000) > end)
			return explain(&s, err);
		pause_at_random();
	}
	return 0;
}
