/* client.c: messages of a session with the controller: taking in, sending, waiting. */
#include "libcluster/client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "proto/error.h"

#define ACK_RESULTS   64
#define ACK_BYTES     (UINT64_C(1) << 20)
#define PING_AFTER_NS UINT64_C(1000000000)
#define PINGS_MAX     60 /* without an answer, one a second */
#define REFUSALS_MAX  3	 /* of the controller's port, a second apart */
#define LAST_WORDS_MS 20 /* for what a controller that has ended had sent */

/* ---- Messages ----------------------------------------------------------------- */

static void send_again(struct xc_client *client, uint64_t from)
{
	struct xci_sent *sent;

	DL_FOREACH (client->sent, sent) {
		zmq_msg_t frames[3];

		if (sent->seq < from)
			continue;
		for (int i = 0; i < sent->count; i++) {
			zmq_msg_init(&frames[i]);
			zmq_msg_copy(&frames[i], &sent->frames[i]);
		}
		xci_post(client, sent->header, sent->header_size, frames, sent->count);
	}
}

static int on_welcome(struct xc_client *client, struct message *m)
{
	struct msg_welcome_client welcome;
	int r = msg_welcome_client_get(&m->fields, &welcome);

	if (r < 0 || welcome.controller.size != SESSION_SIZE)
		return XC_EPROTO;
	if (client->is_welcome &&
	    memcmp(client->controller, welcome.controller.data, SESSION_SIZE) != 0) {
		client->is_lost = true; /* another one has its place, and knows nothing of us */
		return 0;
	}
	memcpy(client->controller, welcome.controller.data, SESSION_SIZE);
	client->credit = welcome.credit;
	if (client->is_welcome) { /* again, after a break */
		xci_sent_free(client, welcome.received);
		send_again(client, welcome.received + 1);
	}
	client->is_welcome = true;
	return 0;
}

static int on_refused(struct xc_client *client, struct message *m)
{
	struct msg_refused refused;
	int r = msg_refused_get(&m->fields, &refused);

	if (r < 0)
		return r;
	client->refused_code = refused.code < 0 ? (int)refused.code : XC_EPROTO;
	span_copy(client->refused, sizeof client->refused, refused.text);
	client->is_lost |= client->is_welcome; /* it had let us in, before a break */
	return 0;
}

static int on_report(struct xc_client *client, struct message *m)
{
	struct msg_report report;
	int r = msg_report_get(&m->fields, &report);

	if (r < 0)
		return r;
	free(client->report);
	client->report = strndup(zmq_msg_data(&m->frames[0]), zmq_msg_size(&m->frames[0]));
	client->reported = report.id; /* without a text: xc_status_json says so */
	return 0;
}

/* Comes after all that was sent on this connection: a counter that is ahead of
 * ours means that something was lost with an earlier one. */
static int on_pong(struct xc_client *client, struct message *m)
{
	struct msg_pong pong;
	int r = msg_pong_get(&m->fields, &pong);

	if (r < 0)
		return r;
	xci_sent_free(client, pong.received);
	if (pong.received < client->sent_seq)
		send_again(client, pong.received + 1);
	if (pong.sent > client->received)
		POST(client, resend, .from = client->received + 1);
	return 0;
}

static int on_resend(struct xc_client *client, struct message *m)
{
	struct msg_resend resend;
	int r = msg_resend_get(&m->fields, &resend);

	if (r == 0)
		send_again(client, resend.from);
	return r;
}

static const struct route {
	enum message_type type;
	int (*handler)(struct xc_client *client, struct message *m);
} routes[] = {
	{ MSG_RESULT, xci_on_result },	    { MSG_ROSTER, xci_on_roster },
	{ MSG_WELCOME_CLIENT, on_welcome }, { MSG_REFUSED, on_refused },
	{ MSG_REPORT, on_report },	    { MSG_PONG, on_pong },
	{ MSG_RESEND, on_resend },	    { MSG_ATTACHED, xci_on_attached },
	{ MSG_ANSWER, xci_on_answer },	    { MSG_FETCH, xci_on_fetch },
	{ MSG_NOTE, xci_on_note },
};

static int dispatch(struct xc_client *client, struct message *m)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		if (routes[i].type == m->type)
			return routes[i].handler(client, m);
	return 0;
}

/* ---- Sending ---------------------------------------------------------------------- */

void xci_sent_free(struct xc_client *client, uint64_t received)
{
	while (client->sent && client->sent->seq <= received) {
		struct xci_sent *sent = client->sent;

		DL_DELETE(client->sent, sent);
		for (int i = 0; i < sent->count; i++)
			zmq_msg_close(&sent->frames[i]);
		free(sent);
	}
}

/* N.B. in a child made by fork ZeroMQ says for ever that a signal has come. */
static int judge(struct xc_client *client, int r)
{
	if (r != -EINTR || client->pid == getpid())
		return r;
	client->is_lost = client->is_inherited = true;
	return XC_ELOST;
}

int xci_post(struct xc_client *client, const void *header, size_t size, zmq_msg_t *frames,
	     int count)
{
	if (client->inside)
		return xci_inline_post(client->inside, header, size, frames, count);
	return judge(client, message_send(client->dealer, NULL, header, size, frames, count));
}

int xci_send(struct xc_client *client, uint64_t seq, const void *header, size_t size,
	     zmq_msg_t *frames, int count)
{
	struct xci_sent *sent = malloc(sizeof *sent);
	int r;

	if (!sent || size > sizeof sent->header) {
		free(sent);
		for (int i = 0; i < count; i++)
			zmq_msg_close(&frames[i]);
		return -ENOMEM;
	}
	sent->seq = client->sent_seq = seq;
	memcpy(sent->header, header, size);
	sent->header_size = size;
	sent->count = count;
	for (int i = 0; i < count; i++) {
		zmq_msg_init(&sent->frames[i]);
		zmq_msg_copy(&sent->frames[i], &frames[i]);
	}
	r = xci_post(client, header, size, frames, count);
	if (r < 0) { /* the number goes to the next one */
		client->sent_seq = seq - 1;
		for (int i = 0; i < count; i++)
			zmq_msg_close(&sent->frames[i]);
		free(sent);
		return r;
	}
	DL_APPEND(client->sent, sent);
	xci_loop_stir(client);
	return 0;
}

int xci_job_add(struct xc_client *client, struct xci_job *job)
{
	HASH_ADD(hh, client->jobs, id, sizeof job->id, job);
	if (!job->hh.tbl)
		return -ENOMEM;
	client->input_bytes += job->input_bytes;
	return 0;
}

void xci_acked(struct xc_client *client)
{
	client->acked = client->received;
	client->unacked_bytes = 0;
}

void xci_ack(struct xc_client *client)
{
	if (client->received == client->acked)
		return;
	if (client->received - client->acked < ACK_RESULTS && client->unacked_bytes < ACK_BYTES)
		return;
	if (POST(client, ack, .seq = client->received) == 0)
		xci_acked(client);
}

/* ---- Pumping ------------------------------------------------------------------------ */

/* A handler that lacks memory has changed nothing that doing it again would not; the
 * messages behind it wait, as their order matters. */
static bool try_held(struct xc_client *client)
{
	struct reader fields = client->held.fields;

	if (!client->is_held)
		return true;
	if (dispatch(client, &client->held) == -ENOMEM) {
		client->held.fields = fields; /* read, as far as it went */
		return false;
	}
	message_fini(&client->held);
	client->is_held = false;
	return true;
}

static int receive(struct xc_client *client, struct message *m)
{
	if (client->inside)
		return xci_inline_receive(client->inside, m);
	return message_receive(client->dealer, m, false, false);
}

/* At most `most` of those that have arrived. */
static int take_messages(struct xc_client *client, int most)
{
	bool was_held = client->is_held;
	struct message m;
	int n = 0, r = 0;

	if (!try_held(client))
		return -ENOMEM;
	n = was_held;
	message_init(&m);
	while (n < most && !client->is_held && (r = receive(client, &m)) > 0) {
		n++;
		if (dispatch(client, &m) != -ENOMEM)
			continue;
		message_move(&client->held, &m);
		client->is_held = true;
	}
	message_fini(&m);
	judge(client, r);
	if (n > 0) {
		xci_loop_stir(client);
		client->heard_ns = now_ns();
		client->pings = 0;
		xci_ack(client);
	}
	return n;
}

/* Nobody listens any more where the controller did: it has ended. */
static void look_for_controller(struct xc_client *client, uint64_t now)
{
	if (now - client->probed_ns < PING_AFTER_NS)
		return;
	client->probed_ns = now;
	client->refusals = dial_is_refused(client->dial.endpoint) ? client->refusals + 1 : 0;
	client->is_lost |= client->refusals >= REFUSALS_MAX;
}

/* News of a connection over the network. After a break the controller is told what we
 * have, and tells all that has changed. */
static void check_connection(struct xc_client *client, uint64_t now)
{
	enum dial_event event;

	while ((event = dial_event(&client->dial)) != DIAL_NOTHING) {
		if (event == DIAL_DOWN && !client->down_ns)
			client->down_ns = now;
		if (event == DIAL_UP || event == DIAL_AGAIN) {
			client->down_ns = 0;
			client->refusals = 0;
		}
		if (event == DIAL_AGAIN)
			xci_say_hello(client);
		client->is_lost |= event == DIAL_REFUSED;
	}
	if (client->down_ns)
		look_for_controller(client, now);
}

void xci_check_counters(struct xc_client *client)
{
	uint64_t now = now_ns();

	if (client->dial.monitor)
		check_connection(client, now);
	if (!client->is_welcome || now - client->heard_ns < PING_AFTER_NS ||
	    now - client->pinged_ns < PING_AFTER_NS)
		return;
	client->pinged_ns = now;
	if (++client->pings > PINGS_MAX) {
		client->is_lost = true;
		return;
	}
	POST(client, ping, .received = client->received);
}

/* The controller has ended: what it had sent may still be on its way. */
static int last_words(struct xc_client *client)
{
	struct pollfd dealer = { .fd = client->dealer_fd, .events = POLLIN };
	int n = 0;

	while (poll(&dealer, 1, LAST_WORDS_MS) > 0 && n == 0)
		n = take_messages(client, INT_MAX);
	if (n > 0)
		return n;
	client->is_lost = true;
	return XC_ELOST;
}

/* Looks at the controller's process, but not at each call. */
static int look(struct xc_client *client)
{
	struct pollfd controller = { .fd = client->pidfd, .events = POLLIN };
	uint64_t now = now_ns();

	if (now - client->looked_ns < XCI_LOOK_NS)
		return 0;
	client->looked_ns = now;
	return client->pidfd >= 0 && poll(&controller, 1, 0) == 1 ? last_words(client) : 0;
}

/* Without work nothing is ever to come: who waits for it is told so. */
static int pump_inside(struct xc_client *client, int timeout_ms)
{
	if (xci_inline_is_busy(client->inside))
		return -EDEADLK;
	if (xci_inline_run(client->inside) && !client->inside->is_starved)
		return take_messages(client, INT_MAX);
	if (client->inside->is_starved) {
		client->is_lost = true;
		return XC_ELOST;
	}
	return timeout_ms == 0 ? 0 : -ENOTSUP;
}

/* N.B. the dealer's descriptor tells of what arrives while nobody calls: any call on
 * the socket, also one that sends, may take its signal away. So nothing is sent
 * between the receive that found nothing and the poll. */
static int pump(struct xc_client *client, int timeout_ms, int most)
{
	struct pollfd fds[3] = { { .fd = client->dealer_fd, .events = POLLIN },
				 { .fd = client->pidfd, .events = POLLIN },
				 { .fd = client->dial.monitor_fd, .events = POLLIN } };
	int n, r;

	if (client->batch.count)
		xci_batch_flush(client);
	n = take_messages(client, most);
	if (n != 0 || client->is_lost)
		return n != 0 ? n : XC_ELOST;
	if (client->inside)
		return pump_inside(client, timeout_ms);
	if (timeout_ms == 0)
		return look(client);
	if (timeout_ms < 0 || timeout_ms > 1000)
		timeout_ms = 1000;
	r = poll(fds, 3, timeout_ms) < 0 ? -errno : 0;
	if (r < 0) {
		xci_check_counters(client); /* a timer of the program must not keep us from it */
		return client->is_lost ? XC_ELOST : r;
	}
	n = take_messages(client, most);
	if (n != 0)
		return n;
	if (client->pidfd >= 0 && fds[1].revents)
		return last_words(client);
	xci_check_counters(client);
	return client->is_lost ? XC_ELOST : 0;
}

int xci_pump(struct xc_client *client, int timeout_ms)
{
	return pump(client, timeout_ms, INT_MAX);
}

int xci_lost(struct xc_client *client, struct xc_error *err)
{
	if (client->inside && client->inside->is_starved)
		return error_set(
			err, XC_ELOST,
			"XCLUSTER=inline had no memory for what has become of items, and what had "
			"not ended is lost; close the client and open another");
	if (client->inside)
		return error_set(
			err, XC_ELOST,
			"the cluster of XCLUSTER=inline was ended by xc_shutdown, and with "
			"it what had not ended; close the client and open another");
	if (client->is_inherited)
		return error_set(err, XC_ELOST,
				 "the client was opened by process %d, of which this one is a "
				 "child: it needs an xc_open of its own",
				 (int)client->pid);
	if (client->refused_code < 0)
		return error_set(
			err, XC_ELOST,
			"the controller of cluster \"%s\" has given this client up: %s; open "
			"another",
			client->connection.id, client->refused);
	if (client->pings > PINGS_MAX)
		return error_set(err, XC_ELOST,
				 "the controller of cluster \"%s\" (pid %d on %s) has not answered "
				 "for %d s; end it with xcluster stop, and start the cluster again",
				 client->connection.id, client->connection.pid,
				 client->connection.host, PINGS_MAX);
	return error_set(
		err, XC_ELOST,
		"the controller of cluster \"%s\" (pid %d on %s) is gone, and with it what "
		"had not ended; start the cluster again",
		client->connection.id, client->connection.pid, client->connection.host);
}

int xci_wait_failed(struct xc_client *client, const char *call, int r, struct xc_error *err)
{
	if (r == XC_ELOST)
		return xci_lost(client, err);
	if (r == -EINTR)
		return error_set(err, r, "%s: interrupted by a signal", call);
	if (r == -ENOTSUP && client->inside)
		return error_set(err, r,
				 "%s: XCLUSTER=inline cannot do this, as there is no controller: "
				 "unset it, or set it to local:N for a private cluster",
				 call);
	return error_set(err, r, "%s: %s", call, r == -ENOMEM ? "out of memory" : error_text(r));
}

int xci_wait(struct xc_client *client, double timeout, bool (*done)(void *argument), void *argument)
{
	uint64_t limit = UINT64_MAX;

	if (timeout >= 0 && timeout < 1e9)
		limit = now_ns() + (uint64_t)(timeout * 1e9);
	while (!done(argument)) {
		uint64_t now = limit == UINT64_MAX ? 0 : now_ns();
		int left, r;

		if (now >= limit) { /* what has arrived counts, also with no time at all */
			r = xci_pump(client, 0);
			return done(argument) ? 0 : r < 0 ? r : -ETIMEDOUT;
		}
		left = limit == UINT64_MAX || limit - now > UINT64_C(1000000000)
			       ? 1000
			       : (int)((limit - now + 999999) / 1000000);
		r = pump(client, left, 1); /* to be back as soon as it is there */
		if (r < 0)
			return done(argument) ? 0 : r;
	}
	return 0;
}

int xci_wait_through(struct xc_client *client, double timeout, bool (*done)(void *argument),
		     void *argument)
{
	uint64_t limit = now_ns() + (uint64_t)(timeout * 1e9), now;
	int r;

	do {
		now = now_ns();
		r = xci_wait(client, now < limit ? (double)(limit - now) / 1e9 : 0, done, argument);
	} while (r == -EINTR);
	return r;
}
