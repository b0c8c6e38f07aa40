/* outbox.c: results on their way to clients: kept until acknowledged, sent
 * within a window of bytes, sent again after a break. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/log.h"

static struct parcel *parcel_new(struct state *state)
{
	struct parcel *parcel = state->spare_parcels;

	if (parcel) {
		LL_DELETE(state->spare_parcels, parcel);
		return parcel;
	}
	return malloc(sizeof *parcel);
}

void parcel_free(struct state *state, struct parcel *parcel)
{
	zmq_msg_close(&parcel->frames[0]);
	zmq_msg_close(&parcel->frames[1]);
	LL_PREPEND(state->spare_parcels, parcel);
}

void parcel_head(const struct parcel *parcel, struct msg_result *result)
{
	struct reader r;

	message_type(&r, parcel->header, parcel->header_size);
	msg_result_get(&r, result);
}

void parcel_share(struct parcel *parcel, zmq_msg_t *frames)
{
	for (int i = 0; i < 2; i++) {
		zmq_msg_init(&frames[i]);
		zmq_msg_copy(&frames[i], &parcel->frames[i]);
	}
}

static void send_parcel(struct state *state, struct client *client, struct parcel *parcel)
{
	zmq_msg_t frames[2];

	parcel_share(parcel, frames);
	/* A client that is away asks for what it missed when it is back. */
	message_send(state->router, client->peer->route, parcel->header, parcel->header_size,
		     frames, 2);
	client->window_bytes += parcel->bytes;
}

static void flush(struct state *state, struct client *client)
{
	while (client->unsent && client->window_bytes < WINDOW_BYTES) {
		struct parcel *parcel = client->unsent;

		client->unsent = parcel->next;
		send_parcel(state, client, parcel);
	}
}

/* Frames are consumed. */
static struct parcel *wrap(struct state *state, zmq_msg_t *failures, zmq_msg_t *payload)
{
	struct parcel *parcel = parcel_new(state);

	if (!parcel) {
		zmq_msg_close(failures);
		zmq_msg_close(payload);
		return NULL;
	}
	frame_keep(&parcel->frames[0], failures);
	frame_keep(&parcel->frames[1], payload);
	parcel->bytes = sizeof *parcel + zmq_msg_size(&parcel->frames[0]) +
			zmq_msg_size(&parcel->frames[1]);
	parcel->job = NULL;
	parcel->next = NULL;
	return parcel;
}

static void post(struct state *state, struct client *client, struct parcel *parcel)
{
	client->held_bytes += parcel->bytes;
	DL_APPEND(client->parcels, parcel);
	if (!client->unsent)
		client->unsent = parcel;
	flush(state, client);
}

struct parcel *outbox_add(struct state *state, struct client *client, struct msg_result *result,
			  zmq_msg_t *failures, zmq_msg_t *payload)
{
	struct parcel *parcel = wrap(state, failures, payload);

	if (!parcel) {
		log_line("out of memory: a result of %s is lost", client->name);
		return NULL;
	}
	result->seq = parcel->seq = ++client->made;
	result->received = client->received;
	parcel->header_size = msg_result_pack(parcel->header, sizeof parcel->header, result);
	post(state, client, parcel);
	return parcel;
}

void outbox_answer(struct state *state, struct client *client, struct msg_attached *attached,
		   const char *text, struct span reduction)
{
	struct parcel *parcel;
	zmq_msg_t frames[2];

	frame_copy(&frames[0], text, strlen(text));
	frame_copy(&frames[1], reduction.data, reduction.size);
	parcel = wrap(state, &frames[0], &frames[1]);
	if (!parcel) {
		log_line("out of memory: %s gets no answer", client->name);
		return;
	}
	attached->seq = parcel->seq = ++client->made;
	attached->received = client->received;
	parcel->header_size = msg_attached_pack(parcel->header, sizeof parcel->header, attached);
	post(state, client, parcel);
}

struct parcel *parcel_make(struct state *state, const struct msg_result *result,
			   zmq_msg_t *failures, zmq_msg_t *payload)
{
	struct parcel *parcel = wrap(state, failures, payload);

	if (!parcel) {
		log_line("out of memory: a result that is to be kept is lost");
		return NULL;
	}
	parcel->header_size = msg_result_pack(parcel->header, sizeof parcel->header, result);
	return parcel;
}

/* It can take results again. */
static void resume(struct state *state, struct client *client)
{
	struct attachment *attachment, *next_attachment;
	struct job *job, *next;

	HASH_ITER (hh, client->jobs, job, next) {
		job_update_runnable(state, job);
	}
	HASH_ITER (hh, client->attachments, attachment, next_attachment) {
		job_update_runnable(state, attachment->job);
	}
}

void outbox_ack(struct state *state, struct client *client, uint64_t seq)
{
	bool was_full = client->held_bytes > HELD_BYTES_MAX;

	while (client->parcels && client->parcels->seq <= seq) {
		struct parcel *parcel = client->parcels;

		if (parcel == client->unsent) /* to be sent again, but it has it */
			client->unsent = parcel->next;
		else
			client->window_bytes -= parcel->bytes;
		DL_DELETE(client->parcels, parcel);
		client->held_bytes -= parcel->bytes;
		parcel_acknowledged(state, parcel);
	}
	flush(state, client);
	if (was_full && client->held_bytes <= HELD_BYTES_MAX)
		resume(state, client);
}

int outbox_resend(struct state *state, struct client *client, uint64_t from)
{
	struct parcel *parcel = client->parcels;

	while (parcel && parcel->seq < from)
		parcel = parcel->next;
	client->window_bytes = 0;
	for (struct parcel *p = client->parcels; p && p != parcel; p = p->next)
		client->window_bytes += p->bytes;
	client->unsent = parcel;
	flush(state, client);
	return 0;
}

void outbox_clear(struct state *state, struct client *client)
{
	struct parcel *parcel, *next;

	DL_FOREACH_SAFE (client->parcels, parcel, next) {
		DL_DELETE(client->parcels, parcel);
		parcel_orphaned(state, parcel);
	}
	client->unsent = NULL;
	client->held_bytes = client->window_bytes = 0;
}

int on_ack(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_ack ack;
	int r = msg_ack_get(&m->fields, &ack);

	if (r == 0)
		outbox_ack(state, peer->is.client, ack.seq);
	return r;
}

int on_ping(struct state *state, struct peer *peer, struct message *m)
{
	struct client *client = peer->is.client;
	struct msg_ping ping;
	uint64_t sent;
	int r = msg_ping_get(&m->fields, &ping);

	if (r < 0)
		return r;
	outbox_ack(state, client, ping.received);
	sent = client->unsent ? client->unsent->seq - 1 : client->made;
	return SEND_PEER(state, peer, pong, .received = client->received, .sent = sent);
}

int on_resend(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_resend resend;
	int r = msg_resend_get(&m->fields, &resend);

	return r < 0 ? r : outbox_resend(state, peer->is.client, resend.from);
}
