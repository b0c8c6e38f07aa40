/* link.c: a small client for the supervisor. */
#include "cmd/link.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/command.h"
#include "libcluster/wire.h"
#include "proto/error.h"

#define LINGER_MS 500

static int say_hello(struct link *link, const unsigned char *session, struct xc_error *err)
{
	char host[256] = "";
	int r;

	gethostname(host, sizeof host - 1);
	r = SEND_SIMPLE(link->dealer, NULL, hello_client, .protocol = PROTOCOL_VERSION,
			.session = { session, SESSION_SIZE }, .pid = getpid(),
			.host = span_of(host), .name = span_of("xcluster supervise"));
	return r < 0 ? error_set(err, r, "cannot send to the controller: %s", error_text(r)) : 0;
}

int link_open(struct link *link, const struct connection *connection, struct xc_error *err)
{
	unsigned char session[SESSION_SIZE], route[ROUTE_SIZE];
	int none = 0, linger = LINGER_MS;

	if (sodium_init() < 0)
		return error_set(err, -EIO, "libsodium cannot be used");
	link->pidfd = (int)syscall(SYS_pidfd_open, connection->pid, 0);
	if (link->pidfd < 0)
		return error_set(err, XC_ENOCLUSTER, "the controller (pid %d) is not running",
				 connection->pid);
	fcntl(link->pidfd, F_SETFD, FD_CLOEXEC);
	randombytes_buf(session, sizeof session);
	route_make(route, 'c', session);
	link->context = zmq_ctx_new();
	link->dealer = link->context ? zmq_socket(link->context, ZMQ_DEALER) : NULL;
	if (!link->dealer)
		return error_set(err, -errno, "cannot make a socket: %s", zmq_strerror(errno));
	zmq_setsockopt(link->dealer, ZMQ_ROUTING_ID, route, sizeof route);
	zmq_setsockopt(link->dealer, ZMQ_SNDHWM, &none, sizeof none);
	zmq_setsockopt(link->dealer, ZMQ_RCVHWM, &none, sizeof none);
	zmq_setsockopt(link->dealer, ZMQ_LINGER, &linger, sizeof linger);
	if (zmq_connect(link->dealer, connection->endpoint) < 0)
		return error_set(err, -errno, "cannot reach the controller at %s: %s",
				 connection->endpoint, zmq_strerror(errno));
	return say_hello(link, session, err);
}

void link_close(struct link *link)
{
	if (link->dealer)
		zmq_close(link->dealer);
	if (link->context)
		zmq_ctx_term(link->context);
	if (link->pidfd >= 0)
		close(link->pidfd);
	*link = (struct link)LINK_INIT;
}

/* Takes what has come. 1 when the answer `id` is among it, in *status. */
static int take(struct link *link, uint64_t id, json_t **status)
{
	struct msg_report report;
	struct message m;
	int found = 0;

	message_init(&m);
	while (!found && message_receive(link->dealer, &m, false, false) > 0) {
		link->has_news |= m.type == MSG_ROSTER;
		if (m.type == MSG_REFUSED)
			found = XC_EPROTO;
		if (m.type != MSG_REPORT || msg_report_get(&m.fields, &report) < 0 ||
		    report.id != id)
			continue;
		*status =
			json_loadb(zmq_msg_data(&m.frames[0]), zmq_msg_size(&m.frames[0]), 0, NULL);
		found = *status ? 1 : XC_EPROTO;
	}
	message_fini(&m);
	return found;
}

bool link_wait(struct link *link, const int *fds, int count, int timeout_ms)
{
	zmq_pollitem_t items[8] = { { .socket = link->dealer, .events = ZMQ_POLLIN },
				    { .fd = link->pidfd, .events = ZMQ_POLLIN } };
	json_t *none = NULL;
	bool news;
	int n = 2;

	take(link, 0, &none);
	if (!link->has_news) {
		for (int i = 0; i < count && n < 8; i++)
			if (fds[i] >= 0)
				items[n++] = (zmq_pollitem_t){ .fd = fds[i], .events = ZMQ_POLLIN };
		zmq_poll(items, n, timeout_ms);
		take(link, 0, &none);
	}
	news = link->has_news;
	link->has_news = false;
	return news;
}

int link_status(struct link *link, double timeout, json_t **status, struct xc_error *err)
{
	double end = now_seconds() + timeout;
	uint64_t id = ++link->last_id;
	int r;

	SEND_SIMPLE(link->dealer, NULL, query, .id = id);
	while ((r = take(link, id, status)) == 0) {
		zmq_pollitem_t items[2] = { { .socket = link->dealer, .events = ZMQ_POLLIN },
					    { .fd = link->pidfd, .events = ZMQ_POLLIN } };
		double left = end - now_seconds();

		if (left <= 0)
			return error_set(err, -ETIMEDOUT, "the controller does not answer");
		zmq_poll(items, 2, (long)(left * 1e3) + 1);
		if (items[1].revents)
			return error_set(err, XC_ELOST, "the controller has ended");
	}
	return r < 0 ? error_set(err, r, "the controller's status cannot be read") : 0;
}

void link_note(struct link *link, const char *text, int coming, const json_t *details)
{
	struct msg_note note = { .text = span_of(text), .coming = (uint64_t)coming };
	unsigned char header[HEADER_MAX];
	char *list = details ? json_dumps(details, JSON_COMPACT) : NULL;
	zmq_msg_t frame;

	frame_copy(&frame, list ? list : "", list ? strlen(list) : 0);
	free(list);
	message_send(link->dealer, NULL, header, msg_note_pack(header, sizeof header, &note),
		     &frame, 1);
}

void link_shut(struct link *link, const int *ids, int count)
{
	struct msg_shut order = { .id = ++link->last_id, .how = CANCEL_HOW_QUEUED };
	unsigned char header[HEADER_MAX];
	uint32_t *targets = calloc((size_t)count + 1, sizeof *targets);
	zmq_msg_t frame;

	for (int i = 0; targets && i < count; i++)
		targets[i] = (uint32_t)ids[i];
	if (targets && frame_copy(&frame, targets, 4 * (size_t)count) == 0)
		message_send(link->dealer, NULL, header,
			     msg_shut_pack(header, sizeof header, &order), &frame, 1);
	free(targets);
}
