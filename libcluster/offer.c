/* offer.c: objects of a client that has no store on its host: an agent elsewhere fetches
 * them, piece by piece, while the call waits. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define AGAIN_NS    UINT64_C(2000000000)  /* without news we say again what we offer */
#define LIMIT_NS    UINT64_C(60000000000) /* then nobody is going to take it */
#define PROGRESS_MB 8			  /* smaller ones are there before one looks */

/* What is being given away; on the stack of the call that waits. */
struct xci_offer {
	const unsigned char *object;
	const char *data;
	uint64_t size;
	uint64_t given;	   /* bytes, up to the furthest piece */
	uint64_t heard_ns; /* when something was asked for last */
	uint64_t said_ns;
	uint64_t start_ns;
	bool everywhere;
	bool progress;
	struct xci_meter meter;
};

/* That the controller holds for us. */
struct xci_offered {
	unsigned char object[OBJECT_SIZE];
	int count;
	struct xci_offered *prev, *next;
};

static int send_piece(struct xc_client *client, const struct msg_fetch *fetch,
		      struct xci_offer *offer)
{
	uint64_t size = offer ? piece_size(offer->size, fetch->offset) : 0;
	unsigned char header[HEADER_MAX], hash[HASH_SIZE];
	struct msg_piece piece = { .object = fetch->object,
				   .offset = fetch->offset,
				   .peer = fetch->peer };
	zmq_msg_t frame;

	zmq_msg_init(&frame);
	if (size == 0) {
		piece.code = -ENOENT;
		piece.text = span_of("the client does not offer it any more");
	} else {
		/* A copy: the caller's buffer may go before ZeroMQ has sent it. */
		if (frame_copy(&frame, offer->data + fetch->offset, size) < 0)
			return -ENOMEM;
		crypto_generichash(hash, HASH_SIZE, zmq_msg_data(&frame), size, NULL, 0);
		piece.size = offer->size;
		piece.hash = (struct span){ hash, HASH_SIZE };
		offer->heard_ns = now_ns();
		if (fetch->offset + size > offer->given)
			offer->given = fetch->offset + size;
	}
	return xci_post(client, header, msg_piece_pack(header, sizeof header, &piece), &frame, 1);
}

int xci_on_fetch(struct xc_client *client, struct message *m)
{
	struct xci_offer *offer = client->offer;
	struct msg_fetch fetch;
	int r = msg_fetch_get(&m->fields, &fetch);

	if (r < 0 || fetch.object.size != OBJECT_SIZE)
		return XC_EPROTO;
	if (offer && memcmp(offer->object, fetch.object.data, OBJECT_SIZE) != 0)
		offer = NULL;
	r = send_piece(client, &fetch, offer);
	return r == -ENOMEM ? r : 0;
}

/* ---- The call that waits -------------------------------------------------------------- */

static int say(struct xc_client *client, struct xci_offer *offer)
{
	offer->said_ns = now_ns();
	return POST(client, offer, .id = client->last_query,
		    .object = { offer->object, OBJECT_SIZE }, .size = offer->size,
		    .everywhere = offer->everywhere);
}

static bool is_answered(void *argument)
{
	const struct xc_client *client = argument;

	return client->answer.id == client->last_query;
}

static void show(struct xc_client *client, struct xci_offer *offer, bool last)
{
	struct xci_standing standing = { .items = (int64_t)(offer->size >> 20),
					 .done = (int64_t)(offer->given >> 20),
					 .unit = "MiB sent",
					 .start_ns = offer->start_ns };

	if (offer->progress && standing.items >= PROGRESS_MB)
		xci_meter_draw(&offer->meter, client, &standing, last);
}

static int wait_for_taker(struct xc_client *client, struct xci_offer *offer, struct xc_error *err)
{
	for (;;) {
		int r = xci_wait(client, offer->progress ? 0.1 : 1, is_answered, client);
		uint64_t now = now_ns(), last;

		show(client, offer, r == 0);
		if (r == 0)
			return 0;
		if (r != -ETIMEDOUT)
			return xci_wait_failed(client, "sending data to the cluster", r, err);
		last = offer->heard_ns > offer->said_ns ? offer->heard_ns : offer->said_ns;
		if (now - offer->heard_ns > LIMIT_NS)
			return error_set(err, -ETIMEDOUT,
					 "no agent has taken more of %llu bytes for %d s; see "
					 "xcluster status",
					 (unsigned long long)offer->size,
					 (int)(LIMIT_NS / 1000000000));
		/* It is lost when the connection breaks; said twice it does no harm. */
		if (now - last > AGAIN_NS && (r = say(client, offer)) < 0)
			return xci_wait_failed(client, "sending data to the cluster", r, err);
	}
}

static struct xci_offered *offered_find(struct xc_client *client, const unsigned char *object)
{
	struct xci_offered *offered;

	DL_FOREACH (client->offered, offered) {
		if (memcmp(offered->object, object, OBJECT_SIZE) == 0)
			return offered;
	}
	return NULL;
}

static struct xci_offered *offered_get(struct xc_client *client, const unsigned char *object)
{
	struct xci_offered *offered = offered_find(client, object);

	if (offered)
		return offered;
	offered = calloc(1, sizeof *offered);
	if (!offered)
		return NULL;
	memcpy(offered->object, object, OBJECT_SIZE);
	DL_APPEND(client->offered, offered);
	return offered;
}

static void let_go(struct xc_client *client, struct xci_offered *offered)
{
	unsigned char header[HEADER_MAX];
	struct msg_release m = { .seq = client->sent_seq + 1,
				 .object = { offered->object, OBJECT_SIZE } };

	if (offered->count > 0)
		return;
	if (!client->is_lost)
		xci_send(client, m.seq, header, msg_release_pack(header, sizeof header, &m), NULL,
			 0);
	DL_DELETE(client->offered, offered);
	free(offered);
}

int xci_offer(struct xc_client *client, const unsigned char *object, const void *data,
	      uint64_t size, bool everywhere, struct xc_error *err)
{
	struct xci_offered *offered;
	struct xci_offer offer = { .object = object,
				   .data = data,
				   .size = size,
				   .heard_ns = now_ns(),
				   .everywhere = everywhere,
				   .progress = client->offer_progress };
	int r = xci_check_question(client, "sending data to the cluster", err);

	if (r < 0)
		return r;
	offered = offered_get(client, object);
	if (!offered)
		return error_set(err, -ENOMEM, "out of memory");
	offer.start_ns = offer.heard_ns;
	client->last_query++;
	client->offer = &offer;
	r = say(client, &offer);
	r = r < 0 ? xci_wait_failed(client, "sending data to the cluster", r, err)
		  : wait_for_taker(client, &offer, err);
	client->offer = NULL;
	xci_meter_close(&offer.meter);
	client->is_drawn = false;
	if (r == 0 && client->answer.code < 0)
		r = error_set(err, client->answer.code, "%s", client->answer.text);
	offered->count += r == 0;
	let_go(client, offered); /* after a failure */
	return r;
}

bool xci_offer_release(struct xc_client *client, const unsigned char *object)
{
	struct xci_offered *offered = offered_find(client, object);

	if (!offered)
		return false;
	if (offered->count > 0)
		offered->count--;
	let_go(client, offered);
	return true;
}

/* The agent that took it may have been the one: it is offered again before it is used. N.B.
 * the controller may still hold it for us: nothing is said until that. */
void xci_offers_doubt(struct xc_client *client)
{
	struct xci_shipped *shipped;

	DL_FOREACH (client->shipped, shipped) {
		struct xci_offered *offered;

		if (!shipped->is_offered || !shipped->is_put)
			continue;
		offered = offered_find(client, shipped->image->hash);
		if (offered && offered->count > 0)
			offered->count--;
		shipped->is_put = false;
	}
}

void xci_offers_free(struct xc_client *client)
{
	struct xci_offered *offered, *next;

	DL_FOREACH_SAFE (client->offered, offered, next) {
		DL_DELETE(client->offered, offered);
		free(offered);
	}
}
