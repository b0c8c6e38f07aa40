/* probe.c: looks which addresses of a controller answer, all at a time. */
#include "libcluster/probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcluster/wire.h"

#define STAGGER_NS	UINT64_C(250000000)
#define TRY_LIMIT_NS	UINT64_C(5000000000) /* for one address */
#define SIGNATURE_SIZE	10		     /* of ZMTP: 0xff, eight bytes, 0x7f */
#define SIGNATURE_FIRST 0xff

static void over(struct probe *probe, const char *text)
{
	if (probe->fd >= 0) {
		probe->is_refused = false; /* what comes of that one is not known */
		close(probe->fd);
	}
	if (probe->found)
		freeaddrinfo(probe->found);
	probe->found = probe->next = NULL;
	probe->is_refused &= !probe->is_other;
	probe->fd = -1;
	probe->is_over = true;
	snprintf(probe->text, sizeof probe->text, "%s", text);
}

/* HOST and PORT of tcp://HOST:PORT, without the brackets. */
static void split(const char *address, char *host, size_t size, const char **port)
{
	const char *begin = address + strlen("tcp://"), *colon = strrchr(address, ':');
	int length = (int)(colon - begin);

	if (*begin == '[') {
		begin++;
		length -= 2;
	}
	snprintf(host, size, "%.*s", length, begin);
	*port = colon + 1;
}

static void note_numeric(struct probe *probe, const struct addrinfo *at, const char *port)
{
	char host[NI_MAXHOST];
	bool is_bare = at->ai_family != AF_INET6;

	if (getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) !=
		    0 ||
	    strlen(host) + strlen(port) + strlen("tcp://[]:") >= sizeof probe->numeric)
		strcpy(probe->numeric, probe->address);
	else
		sprintf(probe->numeric, is_bare ? "tcp://%s:%s" : "tcp://[%s]:%s", host, port);
}

static void note_failure(struct probe *probe, int code)
{
	if (code == ECONNREFUSED)
		probe->is_refused = true;
	else
		probe->is_other = true;
}

/* The first of those left that can be dialled; else 0, or what the last one said. */
static int dial_next(struct probe *probe)
{
	int code = 0;

	while (probe->next && probe->fd < 0) {
		const struct addrinfo *at = probe->next;

		probe->next = at->ai_next;
		probe->fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (probe->fd >= 0 && (connect(probe->fd, at->ai_addr, at->ai_addrlen) == 0 ||
				       errno == EINPROGRESS)) {
			note_numeric(probe, at, strrchr(probe->address, ':') + 1);
			return 0;
		}
		code = errno;
		note_failure(probe, code);
		if (probe->fd >= 0)
			close(probe->fd);
		probe->fd = -1;
	}
	return code;
}

/* A name may have an address that leads nowhere, and another one. */
static void failed(struct probe *probe, int reason, const char *text)
{
	int code;

	note_failure(probe, reason);
	close(probe->fd);
	probe->fd = -1;
	probe->is_connected = false;
	probe->got = 0;
	probe->start_ns = now_ns();
	code = dial_next(probe);
	if (probe->fd < 0)
		over(probe, code ? strerror(code) : text);
}

static void start(struct probe *probe)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char host[CONNECTION_ADDRESS_MAX];
	const char *port;
	int r, code;

	split(probe->address, host, sizeof host, &port);
	r = getaddrinfo(host, port, &hints, &probe->found);
	if (r != 0) {
		probe->found = NULL;
		over(probe, r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return;
	}
	probe->next = probe->found;
	code = dial_next(probe);
	if (probe->fd < 0)
		over(probe, strerror(code));
}

static void look_at_connection(struct probe *probe)
{
	int code = 0;
	socklen_t size = sizeof code;

	getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &code, &size);
	probe->is_connected = code == 0;
	if (code != 0)
		failed(probe, code, strerror(code));
}

/* A ZeroMQ socket greets at once. */
static void look_at_greeting(struct probe *probe)
{
	unsigned char bytes[SIGNATURE_SIZE];
	ssize_t n = recv(probe->fd, bytes, sizeof bytes - probe->got, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		over(probe, n == 0 ? "the connection was closed at once" : strerror(errno));
		return;
	}
	if (probe->got == 0 && bytes[0] != SIGNATURE_FIRST) {
		over(probe, "something else than a controller listens there");
		return;
	}
	probe->got = (unsigned char)(probe->got + n);
	if (probe->got < SIGNATURE_SIZE)
		return;
	probe->is_open = true;
	over(probe, "");
}

/* Time until something is to be done without an event, in ms; starts those whose turn
 * it is. */
static int tend(struct probes *probes, uint64_t end_ns)
{
	uint64_t now = now_ns(), next = end_ns;

	for (int i = 0; i < probes->count; i++) {
		struct probe *p = &probes->list[i];

		if (p->is_over)
			continue;
		if (p->fd < 0 && p->start_ns <= now)
			start(p);
		else if (p->fd >= 0 && now - p->start_ns >= TRY_LIMIT_NS)
			failed(p, ETIMEDOUT,
			       p->is_connected ? "it says nothing" : "no answer within 5 s");
		if (!p->is_over) {
			uint64_t due = p->fd < 0 ? p->start_ns : p->start_ns + TRY_LIMIT_NS;

			next = due < next ? due : next;
		}
	}
	now = now_ns();
	return next <= now ? 0 : (int)((next - now) / 1000000) + 1;
}

static struct probe *find_open(struct probes *probes)
{
	for (int i = 0; i < probes->count; i++)
		if (probes->list[i].is_open) {
			probes->list[i].is_open = false; /* handed out once */
			return &probes->list[i];
		}
	return NULL;
}

static bool is_any_left(const struct probes *probes)
{
	for (int i = 0; i < probes->count; i++)
		if (!probes->list[i].is_over)
			return true;
	return false;
}

/* Nobody is waited for that cannot answer any more: then the next has its turn. */
static void hurry(struct probes *probes)
{
	struct probe *first = NULL;

	for (int i = 0; i < probes->count; i++) {
		struct probe *p = &probes->list[i];

		if (!p->is_over && p->fd >= 0)
			return;
		if (!p->is_over && !first)
			first = p;
	}
	if (first)
		first->start_ns = now_ns();
}

void probes_start(struct probes *probes, const struct connection *connection)
{
	uint64_t now = now_ns();

	*probes = (struct probes){ .count = connection->address_count };
	for (int i = 0; i < probes->count; i++)
		probes->list[i] = (struct probe){ .address = connection->addresses[i],
						  .fd = -1,
						  .start_ns = now + (uint64_t)i * STAGGER_NS };
}

bool wait_end_is_wanted(const struct wait_end *end)
{
	return end && end->is_wanted(end->argument);
}

struct probe *probes_next(struct probes *probes, uint64_t end_ns)
{
	struct pollfd fds[CONNECTION_ADDRESSES_MAX];
	struct probe *open;

	while (!(open = find_open(probes)) && is_any_left(probes) && now_ns() < end_ns &&
	       !wait_end_is_wanted(probes->end)) {
		int timeout;

		hurry(probes);
		timeout = tend(probes, end_ns);
		if (probes->end && timeout > WAIT_END_MS)
			timeout = WAIT_END_MS;
		for (int i = 0; i < probes->count; i++)
			fds[i] =
				(struct pollfd){ .fd = probes->list[i].fd,
						 .events = probes->list[i].is_connected ? POLLIN
											: POLLOUT };
		if (poll(fds, (nfds_t)probes->count, timeout) <= 0)
			continue;
		for (int i = 0; i < probes->count; i++) {
			if (!fds[i].revents || probes->list[i].fd < 0)
				continue;
			if (!probes->list[i].is_connected)
				look_at_connection(&probes->list[i]);
			else
				look_at_greeting(&probes->list[i]);
		}
	}
	return open;
}

void probes_stop(struct probes *probes)
{
	for (int i = 0; i < probes->count; i++)
		if (!probes->list[i].is_over)
			over(&probes->list[i], probes->list[i].fd < 0
						       ? "not tried: no time was left"
					       : probes->list[i].is_connected ? "it says nothing"
									      : "no answer");
}
