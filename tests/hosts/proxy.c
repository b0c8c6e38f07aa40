/* proxy.c: a process on a host that passes ZMTP connections on, frame by frame, and does a
 * deed to some. */
#include "tests/hosts/proxy.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS	    32
#define GREETING    64 /* bytes before the first frame */
#define FRAME	    5  /* of a connection: after handshake and hello */
#define DEEDS	    3
#define BREAK_LIMIT 5.0
#define LATER_LIMIT 15.0

/* One direction of a connection. */
struct flow {
	int from, to;
	unsigned char *bytes; /* not passed on yet */
	size_t used, room;
	size_t greeted; /* bytes of the greeting passed on */
	int frames;	/* the same after it */
	bool is_bad;	/* the deed has been done to it */
};

struct link {
	struct flow up, down; /* from the client, to it */
	unsigned char *said;  /* all that went up, if it is to be repeated */
	size_t said_size;
	bool is_open;
};

struct relay {
	struct link links[LINKS];
	const char *target;
	int target_port, listener, control;
	enum proxy_deed deed;
	bool to_client;
	struct proxy_report report;
};

static int connect_to(const char *host, int port)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	char service[16];
	int fd;

	snprintf(service, sizeof service, "%d", port);
	if (getaddrinfo(host, service, &hints, &found) != 0)
		return -1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, found->ai_addr, found->ai_addrlen) < 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

static bool put(int fd, const unsigned char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
	}
	return true;
}

/* ---- Frames ------------------------------------------------------------------ */

/* Size of the whole frame at `bytes`; 0: not all of its head is there. `head`: of what is
 * not encrypted. */
static size_t frame_size(const unsigned char *bytes, size_t used, size_t *head)
{
	uint64_t size = 0;

	if (used < 2)
		return 0;
	if (!(bytes[0] & 2)) {
		*head = 2;
		return 2 + (size_t)bytes[1];
	}
	if (used < 9)
		return 0;
	for (int i = 1; i <= 8; i++)
		size = size << 8 | bytes[i];
	*head = 9;
	return 9 + (size_t)size;
}

static void record(struct link *link, const unsigned char *bytes, size_t size)
{
	link->said = realloc(link->said, link->said_size + size);
	ck_assert_ptr_nonnull(link->said);
	memcpy(link->said + link->said_size, bytes, size);
	link->said_size += size;
}

static bool is_for_deed(const struct relay *relay, const struct link *link, const struct flow *flow)
{
	return relay->deed != PROXY_REPEATS_LATER && flow->frames == FRAME &&
	       flow == (relay->to_client ? &link->down : &link->up) && relay->report.deeds < DEEDS;
}

/* Passes one frame on. */
static bool pass_frame(struct relay *relay, struct link *link, struct flow *flow, size_t size,
		       size_t head)
{
	bool repeats = false;

	if (is_for_deed(relay, link, flow)) {
		if (relay->deed == PROXY_ALTERS)
			flow->bytes[head + (size - head) / 2] ^= 0x10;
		repeats = relay->deed == PROXY_REPEATS;
		flow->is_bad = true;
		relay->report.deeds++;
	}
	flow->frames++;
	return put(flow->to, flow->bytes, size) && (!repeats || put(flow->to, flow->bytes, size));
}

static void forget(struct flow *flow, size_t size)
{
	flow->used -= size;
	memmove(flow->bytes, flow->bytes + size, flow->used);
}

/* N.B. greetings are passed on as they come: each side waits for parts of the other's. */
static bool pass_greeting(struct flow *flow)
{
	size_t left = GREETING - flow->greeted, size = flow->used < left ? flow->used : left;

	if (!put(flow->to, flow->bytes, size))
		return false;
	flow->greeted += size;
	forget(flow, size);
	return true;
}

static bool pass_on(struct relay *relay, struct link *link, struct flow *flow)
{
	size_t size, head = 0;

	if (!pass_greeting(flow))
		return false;
	while ((size = frame_size(flow->bytes, flow->used, &head)) > 0 && size <= flow->used) {
		if (!pass_frame(relay, link, flow, size, head))
			return false;
		forget(flow, size);
	}
	return true;
}

/* ---- Connections ------------------------------------------------------------- */

static void close_link(struct link *link)
{
	close(link->up.from);
	close(link->up.to);
	free(link->up.bytes);
	free(link->down.bytes);
	free(link->said);
	*link = (struct link){ .is_open = false };
}

static bool take(struct relay *relay, struct link *link, struct flow *flow)
{
	ssize_t n;

	if (flow->room < flow->used + 65536)
		flow->bytes = realloc(flow->bytes, flow->room = 2 * flow->room + 65536);
	ck_assert_ptr_nonnull(flow->bytes);
	n = recv(flow->from, flow->bytes + flow->used, 65536, 0);
	if (n <= 0)
		return false;
	if (flow == &link->up && relay->deed == PROXY_REPEATS_LATER)
		record(link, flow->bytes + flow->used, (size_t)n);
	flow->used += (size_t)n;
	return pass_on(relay, link, flow);
}

/* True when the other side ends the connection within the limit. */
static bool is_ended(struct relay *relay, int fd, double limit)
{
	struct pollfd event = { .fd = fd, .events = POLLIN };
	double end = now() + limit;
	unsigned char bytes[4096];
	ssize_t n = 1;

	while (n > 0 && now() < end) {
		if (poll(&event, 1, 100) <= 0)
			continue;
		n = recv(fd, bytes, sizeof bytes, 0);
		relay->report.answered += n > 0 ? n : 0;
	}
	return n <= 0;
}

/* All of the connection once more: its end must come from there. */
static void repeat(struct relay *relay, const struct link *link)
{
	int fd = connect_to(relay->target, relay->target_port);

	ck_assert_int_ge(fd, 0);
	relay->report.answered = 0;
	put(fd, link->said, link->said_size);
	relay->report.deeds++;
	relay->report.breaks += is_ended(relay, fd, LATER_LIMIT);
	close(fd);
}

/* Who got the bad frame is to end the connection; the other one may have done so before. */
static bool is_broken(struct relay *relay, const struct flow *flow, const struct flow *ended)
{
	return flow->is_bad && (flow != ended || is_ended(relay, flow->to, BREAK_LIMIT));
}

static void end_link(struct relay *relay, struct link *link, const struct flow *ended)
{
	relay->report.breaks +=
		is_broken(relay, &link->up, ended) || is_broken(relay, &link->down, ended);
	/* A connection with work, not a probe. */
	if (link->said && link->up.frames > FRAME && relay->report.deeds == 0)
		repeat(relay, link);
	close_link(link);
}

static void accept_link(struct relay *relay)
{
	int fd = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
	int to = connect_to(relay->target, relay->target_port);

	if (fd < 0 || to < 0) {
		close(fd);
		close(to);
		return;
	}
	for (int i = 0; i < LINKS; i++) {
		struct link *link = &relay->links[i];

		if (link->is_open)
			continue;
		*link = (struct link){ .is_open = true,
				       .up = { .from = fd, .to = to },
				       .down = { .from = to, .to = fd } };
		return;
	}
	ck_abort_msg("more than %d connections through the proxy", LINKS);
}

static void tend_link(struct relay *relay, struct link *link, const struct pollfd *events)
{
	if (events[0].revents && !take(relay, link, &link->up))
		end_link(relay, link, &link->up);
	else if (events[1].revents && !take(relay, link, &link->down))
		end_link(relay, link, &link->down);
}

static bool has_links(const struct relay *relay)
{
	for (int i = 0; i < LINKS; i++)
		if (relay->links[i].is_open)
			return true;
	return false;
}

static void await(struct relay *relay, struct pollfd *events)
{
	for (int i = 0; i < LINKS; i++) {
		const struct link *link = &relay->links[i];

		events[2 * i].fd = link->is_open ? link->up.from : -1;
		events[2 * i + 1].fd = link->is_open ? link->down.from : -1;
		events[2 * i].events = events[2 * i + 1].events = POLLIN;
	}
	events[2 * LINKS] = (struct pollfd){ .fd = relay->listener, .events = POLLIN };
	events[2 * LINKS + 1] = (struct pollfd){ .fd = relay->control, .events = POLLIN };
	ck_assert_int_ge(poll(events, 2 * LINKS + 2, (int)(LIMIT * 1e3)), 0);
}

/* Until it is told to end, and all who were there have gone. */
static void run(struct relay *relay)
{
	struct pollfd events[2 * LINKS + 2];
	bool is_ending = false;

	while (!is_ending || has_links(relay)) {
		await(relay, events);
		for (int i = 0; i < LINKS; i++)
			tend_link(relay, &relay->links[i], &events[2 * i]);
		if (events[2 * LINKS].revents)
			accept_link(relay);
		if (events[2 * LINKS + 1].revents) {
			is_ending = true;
			close(relay->listener);
			relay->listener = relay->control = -1;
		}
	}
}

/* ---- Life -------------------------------------------------------------------- */

static int listen_at(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	return fd;
}

void proxy_start(const struct bed *bed, struct proxy *proxy, const char *host, int port,
		 const char *target, int target_port, enum proxy_deed deed, bool to_client)
{
	static struct relay relay;
	int ends[2];
	char byte = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	proxy->pid = bed_fork(bed, host);
	proxy->fd = ends[0];
	if (proxy->pid > 0) {
		close(ends[1]);
		ck_assert_int_eq(read(proxy->fd, &byte, 1), 1);
		return;
	}
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	relay = (struct relay){ .target = target,
				.target_port = target_port,
				.deed = deed,
				.to_client = to_client,
				.control = ends[1],
				.listener = listen_at(port) };
	ck_assert_int_eq(write(ends[1], &byte, 1), 1);
	run(&relay);
	ck_assert_int_eq(write(ends[1], &relay.report, sizeof relay.report), sizeof relay.report);
	exit(0);
}

struct proxy_report proxy_end(struct proxy *proxy)
{
	struct proxy_report report = { 0 };

	shutdown(proxy->fd, SHUT_WR);
	ck_assert_int_eq(recv(proxy->fd, &report, sizeof report, MSG_WAITALL), sizeof report);
	close(proxy->fd);
	bed_join(proxy->pid);
	return report;
}
