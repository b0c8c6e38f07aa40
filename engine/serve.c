/* serve.c: gives pieces of objects to other agents, also of those that are still on their
 * way here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "engine/transfer.h"
#include "proto/error.h"

#define ASKERS_MAX 65536 /* of one object */

static int reply(struct agent *agent, const struct asker *asker, const struct msg_piece *piece,
		 zmq_msg_t *frame)
{
	unsigned char header[HEADER_MAX];
	size_t size = msg_piece_pack(header, sizeof header, piece);

	return asker->is_direct ? message_send(agent->port, asker->route, header, size, frame, 1)
				: agent_send(agent, header, size, frame, 1);
}

/* Without bytes: it never comes, or (-EAGAIN) is still to come. */
static int reply_none(struct agent *agent, const void *id, const struct asker *asker, int code,
		      const char *text)
{
	struct msg_piece piece = { .object = { id, OBJECT_SIZE },
				   .offset = asker->offset,
				   .peer = asker->peer,
				   .code = code,
				   .text = span_of(text) };
	zmq_msg_t frame;

	zmq_msg_init(&frame);
	return reply(agent, asker, &piece, &frame);
}

static int reply_piece(struct agent *agent, const void *id, struct body *body,
		       const struct asker *asker)
{
	uint64_t index = asker->offset / PIECE_SIZE;
	struct msg_piece piece = { .object = { id, OBJECT_SIZE },
				   .offset = asker->offset,
				   .size = body->size,
				   .peer = asker->peer };
	zmq_msg_t frame;

	body_know(body, index);
	piece.hash = (struct span){ body->hashes[index], HASH_SIZE };
	if (body_frame(body, index, &frame) < 0)
		return reply_none(agent, id, asker, -ENOMEM, "the holder is out of memory");
	return reply(agent, asker, &piece, &frame);
}

static int defer(struct transfer *transfer, const struct asker *asker)
{
	struct asker *own, *other;
	int count = 0;

	DL_COUNT(transfer->askers, other, count);
	own = count < ASKERS_MAX ? malloc(sizeof *own) : NULL;
	if (!own)
		return reply_none(transfer->agent, transfer->id, asker, -ENOMEM,
				  "the holder is out of memory");
	*own = *asker;
	own->told_ns = now_ns();
	DL_APPEND(transfer->askers, own);
	return reply_none(transfer->agent, transfer->id, asker, -EAGAIN, "");
}

int serve_fetch(struct agent *agent, const struct msg_fetch *fetch, const struct asker *asker)
{
	struct object *object;
	struct transfer *transfer;
	uint64_t index = fetch->offset / PIECE_SIZE;

	if (fetch->object.size != OBJECT_SIZE)
		return XC_EPROTO;
	object = store_find(&agent->store, fetch->object.data);
	transfer = transfer_find(agent, fetch->object.data);
	if (object && !object->body)
		object->body = body_new(object->fd, object->size);
	if (object && !object->body)
		return reply_none(agent, object->id, asker, -ENOMEM, "the holder is out of memory");
	if (object && piece_size(object->size, fetch->offset) > 0)
		return reply_piece(agent, object->id, object->body, asker);
	if (object || !transfer)
		return reply_none(agent, fetch->object.data, asker, -ENOENT,
				  "the holder has no such piece");
	if (!transfer->is_located)
		return defer(transfer, asker);
	if (piece_size(transfer->size, fetch->offset) == 0)
		return reply_none(agent, transfer->id, asker, -ENOENT,
				  "the holder has no such piece");
	if (transfer->pieces[index] != PIECE_HERE)
		return defer(transfer, asker);
	return reply_piece(agent, transfer->id, transfer->body, asker);
}

static void asker_free(struct transfer *transfer, struct asker *asker)
{
	DL_DELETE(transfer->askers, asker);
	free(asker);
}

void serve_come(struct transfer *transfer, uint64_t index)
{
	struct asker *asker, *next;

	DL_FOREACH_SAFE (transfer->askers, asker, next) {
		if (asker->offset != index * PIECE_SIZE)
			continue;
		reply_piece(transfer->agent, transfer->id, transfer->body, asker);
		asker_free(transfer, asker);
	}
}

void serve_none(struct transfer *transfer, int code, const char *text)
{
	struct asker *asker, *next;

	DL_FOREACH_SAFE (transfer->askers, asker, next) {
		reply_none(transfer->agent, transfer->id, asker, code, text);
		asker_free(transfer, asker);
	}
}

void serve_tick(struct transfer *transfer, uint64_t now)
{
	struct asker *asker;

	DL_FOREACH (transfer->askers, asker) {
		if (now - asker->told_ns < PATIENCE_NS)
			continue;
		asker->told_ns = now;
		reply_none(transfer->agent, transfer->id, asker, -EAGAIN, "");
	}
}
