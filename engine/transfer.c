/* transfer.c: fetches objects from other hosts, several at once, each by a window of
 * pieces; goes on elsewhere when a holder fails. */
#include "engine/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utlist.h>

#include "proto/error.h"
#include "proto/log.h"

struct transfer *transfer_find(struct agent *agent, const void *id)
{
	struct transfer *transfer;

	HASH_FIND(hh, agent->transfers, id, OBJECT_SIZE, transfer);
	return transfer;
}

static struct transfer *transfer_new(struct agent *agent, const void *id)
{
	struct transfer *transfer = calloc(1, sizeof *transfer);

	if (!transfer)
		return NULL;
	memcpy(transfer->id, id, OBJECT_SIZE);
	transfer->agent = agent;
	transfer->fd = -1;
	transfer->holder = -1;
	transfer->heard_ns = transfer->ticked_ns = now_ns();
	HASH_ADD(hh, agent->transfers, id, OBJECT_SIZE, transfer);
	return transfer;
}

/* ---- Its end ---------------------------------------------------------------------------- */

static void answer_waiters(struct transfer *transfer, int code, const char *text)
{
	while (transfer->waiters) {
		struct waiter *waiter = transfer->waiters;

		LL_DELETE(transfer->waiters, waiter);
		service_answer_fetch(transfer->agent, waiter->slot, waiter->fd, transfer->id, code,
				     text);
		free(waiter);
	}
}

static void transfer_free(struct transfer *transfer, int code, const char *text)
{
	struct agent *agent = transfer->agent;

	HASH_DEL(agent->transfers, transfer);
	answer_waiters(transfer, code, text);
	serve_none(transfer, code < 0 ? code : -ENOENT, text);
	if (transfer->is_located)
		agent->store.used -= transfer->size;
	if (transfer->fd >= 0)
		close(transfer->fd);
	body_unref(transfer->body);
	free(transfer->pieces);
	free(transfer);
}

/* The controller and those who wait are told why. */
static void transfer_fail(struct transfer *transfer, int code, const char *text)
{
	struct agent *agent = transfer->agent;

	log_line("an object is not fetched: %s", text);
	AGENT_SEND(agent, freed, .object = { transfer->id, OBJECT_SIZE }, .code = code,
		   .text = span_of(text));
	transfer_free(transfer, code, text);
}

/* Into the store. Its one reference is ours until those who want it have theirs. */
static void transfer_finish(struct transfer *transfer)
{
	struct agent *agent = transfer->agent;
	struct xc_error err = XC_ERROR_INIT;
	struct object *object;
	int r = 0;

	if (fcntl(transfer->fd, F_ADD_SEALS,
		  F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		r = error_set(&err, -errno, "cannot seal shared memory: %s", strerror(errno));
	agent->store.used -= transfer->size; /* reserved until now */
	transfer->is_located = false;
	if (r == 0)
		r = store_put(&agent->store, transfer->id, transfer->fd, transfer->size, false,
			      &object, &err);
	if (r < 0) {
		transfer_fail(transfer, r, err.text);
		return;
	}
	transfer->fd = -1;
	if (!object->body) {
		object->body = transfer->body;
		transfer->body = NULL;
	}
	if (transfer->is_held)
		hold_object(agent, (struct span){ transfer->id, OBJECT_SIZE });
	answer_waiters(transfer, 0, "");
	transfer_free(transfer, -ENOENT, "the holder has no such piece");
	object_unref(&agent->store, object);
}

/* ---- Asking ------------------------------------------------------------------------------ */

static void search(struct transfer *transfer, int64_t avoid)
{
	if (transfer->is_searching)
		return;
	transfer->is_searching = true;
	transfer->heard_ns = now_ns();
	AGENT_SEND(transfer->agent, locate, .object = { transfer->id, OBJECT_SIZE }, .avoid = avoid,
		   .apart = transfer->is_apart);
}

static void ask_for(struct transfer *transfer, uint64_t index)
{
	unsigned char header[HEADER_MAX];
	struct msg_fetch fetch = { .object = { transfer->id, OBJECT_SIZE },
				   .offset = index * PIECE_SIZE,
				   .peer = transfer->holder };
	size_t size = msg_fetch_pack(header, sizeof header, &fetch);

	transfer->pieces[index] = PIECE_ASKED;
	transfer->asked++;
	if (transfer->link)
		message_send(transfer->link->socket, NULL, header, size, NULL, 0);
	else
		agent_send(transfer->agent, header, size, NULL, 0);
}

static void ask_more(struct transfer *transfer)
{
	uint64_t most = transfer->link ? PIECES_DIRECT : PIECES_RELAYED;
	uint64_t count = piece_count(transfer->size), index;

	while (transfer->lowest < count && transfer->pieces[transfer->lowest] == PIECE_HERE)
		transfer->lowest++;
	index = transfer->lowest;
	for (; transfer->asked < most && index < count && index < transfer->lowest + 2 * most;
	     index++)
		if (transfer->pieces[index] == PIECE_MISSING)
			ask_for(transfer, index);
}

/* What was asked for does not come. */
static void unask(struct transfer *transfer)
{
	uint64_t count = transfer->pieces ? piece_count(transfer->size) : 0;

	for (uint64_t i = transfer->lowest; i < count && transfer->asked > 0; i++)
		if (transfer->pieces[i] == PIECE_ASKED) {
			transfer->pieces[i] = PIECE_MISSING;
			transfer->asked--;
		}
	transfer->asked = 0;
}

static void look_elsewhere(struct transfer *transfer)
{
	unask(transfer);
	search(transfer, transfer->holder);
}

/* ---- The controller's word ---------------------------------------------------------------- */

static int make_room(struct transfer *transfer, uint64_t size, struct xc_error *err)
{
	struct agent *agent = transfer->agent;
	int r = store_check_room(&agent->store, size, err);

	if (r < 0)
		return r;
	transfer->fd = memfd_create("xcluster-object", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (transfer->fd < 0 || ftruncate(transfer->fd, (off_t)size) < 0)
		return error_set(err, -errno, "cannot make shared memory: %s", strerror(errno));
	transfer->pieces = calloc(piece_count(size) + 1, 1);
	transfer->body = transfer->pieces ? body_new(transfer->fd, size) : NULL;
	if (!transfer->body)
		return error_set(err, -ENOMEM, "no memory for an object of %llu bytes",
				 (unsigned long long)size);
	transfer->size = size;
	transfer->is_located = true;
	agent->store.used += size;
	return 0;
}

static void begin(struct transfer *transfer, const struct msg_located *located)
{
	struct agent *agent = transfer->agent;
	char endpoint[256], key[CONNECTION_KEY_SIZE];

	span_copy(endpoint, sizeof endpoint, located->endpoint);
	span_copy(key, sizeof key, located->key);
	span_copy(transfer->host, sizeof transfer->host, located->host);
	unask(transfer);
	transfer->is_searching = false;
	transfer->holder = located->kind == HOLDER_AGENT ? located->holder : -1;
	transfer->link = located->kind == HOLDER_AGENT && endpoint[0]
				 ? link_get(agent, endpoint, key)
				 : NULL;
	transfer->heard_ns = now_ns();
	if (transfer->got == piece_count(transfer->size))
		transfer_finish(transfer);
	else
		ask_more(transfer);
}

static void refused(struct transfer *transfer, const struct msg_located *located)
{
	char text[600];

	span_copy(text, sizeof text, located->text);
	transfer_fail(transfer, located->code < 0 ? (int)located->code : XC_EPROTO,
		      text[0] ? text : "nobody has the object");
}

int transfer_located(struct agent *agent, const struct msg_located *located)
{
	struct transfer *transfer;
	struct xc_error err = XC_ERROR_INIT;
	char text[600], host[65] = "";
	int r;

	if (located->object.size != OBJECT_SIZE || located->size > OBJECT_MAX ||
	    located->kind > HOLDER_HOST)
		return XC_EPROTO;
	transfer = transfer_find(agent, located->object.data);
	if (!transfer && store_find(&agent->store, located->object.data))
		return 0;
	if (!transfer && (located->kind == HOLDER_NONE || agent->stopping))
		return 0;
	if (!transfer)
		transfer = transfer_new(agent, located->object.data);
	if (!transfer)
		return -ENOMEM;
	if (located->kind == HOLDER_NONE) {
		refused(transfer, located);
		return 0;
	}
	if (located->kind == HOLDER_HOST) {
		transfer_free(transfer, FETCH_FROM_HOST, "another agent of the host has it");
		return 0;
	}
	if (transfer->is_located && transfer->size != located->size) {
		transfer_fail(transfer, XC_EPROTO, "an object has two sizes");
		return 0;
	}
	r = transfer->is_located ? 0 : make_room(transfer, located->size, &err);
	if (r == 0) {
		begin(transfer, located);
		return 0;
	}
	gethostname(host, sizeof host - 1);
	snprintf(text, sizeof text, "on %s: %s", host, err.text);
	transfer_fail(transfer, r, text);
	return 0;
}

void transfer_hold(struct agent *agent, const void *id, bool hold)
{
	struct transfer *transfer = transfer_find(agent, id);

	if (transfer)
		transfer->is_held = hold;
}

/* ---- Pieces ------------------------------------------------------------------------------- */

static bool is_whole(const struct msg_piece *piece, zmq_msg_t *frame)
{
	unsigned char hash[HASH_SIZE];

	piece_hash(zmq_msg_data(frame), zmq_msg_size(frame), hash);
	return memcmp(hash, piece->hash.data, HASH_SIZE) == 0;
}

/* write(2): a memory that is full is an error and not a signal. */
static int put(struct transfer *transfer, uint64_t offset, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = pwrite(transfer->fd, data, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno == ENOSPC ? XC_ESTORE : -errno;
		data += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static void damaged(struct transfer *transfer, uint64_t offset)
{
	char text[400];

	snprintf(text, sizeof text, "the piece at %llu of an object came damaged from host %.100s",
		 (unsigned long long)offset, transfer->host);
	if (++transfer->damaged >= DAMAGED_MAX) {
		transfer_fail(transfer, XC_EPROTO, text);
		return;
	}
	log_line("%s: asking for another holder", text);
	look_elsewhere(transfer);
}

static void take(struct transfer *transfer, const struct msg_piece *piece, zmq_msg_t *frame)
{
	uint64_t index = piece->offset / PIECE_SIZE;
	char text[200];
	int r;

	if (!is_whole(piece, frame)) {
		damaged(transfer, piece->offset);
		return;
	}
	r = put(transfer, piece->offset, zmq_msg_data(frame), zmq_msg_size(frame));
	if (r < 0) {
		snprintf(text, sizeof text, "no room in this host's shared memory: %s",
			 error_text(r));
		transfer_fail(transfer, r, text);
		return;
	}
	memcpy(transfer->body->hashes[index], piece->hash.data, HASH_SIZE);
	transfer->body->known[index] = true;
	if (transfer->pieces[index] == PIECE_ASKED)
		transfer->asked--;
	transfer->pieces[index] = PIECE_HERE;
	transfer->got++;
	transfer->stalled_ns = 0;
	transfer->refusals = 0;
	serve_come(transfer, index);
	if (transfer->got == piece_count(transfer->size))
		transfer_finish(transfer);
	else if (!transfer->is_searching)
		ask_more(transfer);
}

static void not_given(struct transfer *transfer, const struct msg_piece *piece)
{
	char reason[300], text[600];

	if (piece->code == -EAGAIN) { /* it is still to come */
		transfer->stalled_ns = 0;
		return;
	}
	span_copy(reason, sizeof reason, piece->text);
	if (++transfer->refusals < REFUSALS_MAX) {
		look_elsewhere(transfer);
		return;
	}
	snprintf(text, sizeof text, "host %.100s does not give an object: %s", transfer->host,
		 reason[0] ? reason : error_text((int)piece->code));
	transfer_fail(transfer, (int)piece->code, text);
}

/* N.B. what comes late from a holder given up is as good as any. */
int transfer_piece(struct agent *agent, struct link *link, struct message *m)
{
	struct transfer *transfer;
	struct msg_piece piece;
	bool is_ours;
	int r = msg_piece_get(&m->fields, &piece);

	if (r < 0 || piece.object.size != OBJECT_SIZE)
		return XC_EPROTO;
	transfer = transfer_find(agent, piece.object.data);
	if (!transfer || !transfer->is_located)
		return 0;
	is_ours = transfer->link == link && (link || transfer->holder == piece.peer) &&
		  !transfer->is_searching;
	if (is_ours)
		transfer->heard_ns = now_ns();
	if (piece.code < 0 && is_ours)
		not_given(transfer, &piece);
	if (piece.code < 0)
		return 0;
	if (piece.hash.size != HASH_SIZE || piece.size != transfer->size ||
	    piece_size(transfer->size, piece.offset) == 0 ||
	    piece_size(transfer->size, piece.offset) != zmq_msg_size(&m->frames[0]))
		return XC_EPROTO;
	if (transfer->pieces[piece.offset / PIECE_SIZE] != PIECE_HERE)
		take(transfer, &piece, &m->frames[0]);
	return 0;
}

void transfers_unlink(struct agent *agent, struct link *link)
{
	struct transfer *transfer, *next;

	HASH_ITER (hh, agent->transfers, transfer, next) {
		if (transfer->link != link)
			continue;
		transfer->link = NULL;
		unask(transfer);
		transfer->heard_ns = now_ns();
		if (!transfer->is_searching)
			ask_more(transfer);
	}
}

/* ---- For engines -------------------------------------------------------------------------- */

int transfer_fetch(struct agent *agent, struct slot *slot, int fd, const void *id, bool apart)
{
	struct transfer *transfer = transfer_find(agent, id);
	struct waiter *waiter = malloc(sizeof *waiter);
	bool is_new = !transfer;

	if (waiter && is_new)
		transfer = transfer_new(agent, id);
	if (!waiter || !transfer) {
		free(waiter);
		return -ENOMEM;
	}
	*waiter = (struct waiter){ .fd = fd, .slot = slot };
	LL_APPEND(transfer->waiters, waiter);
	transfer->is_apart |= apart;
	if (is_new)
		search(transfer, -1);
	return 0;
}

void transfer_forget(struct agent *agent, int fd)
{
	struct transfer *transfer, *next;
	struct waiter *waiter, *next_waiter;

	HASH_ITER (hh, agent->transfers, transfer, next) {
		LL_FOREACH_SAFE (transfer->waiters, waiter, next_waiter) {
			if (waiter->fd != fd)
				continue;
			LL_DELETE(transfer->waiters, waiter);
			free(waiter);
		}
	}
}

/* ---- Time ---------------------------------------------------------------------------------- */

static bool is_wanted(const struct transfer *transfer)
{
	return transfer->waiters || transfer->askers || transfer->is_held;
}

static void give_up(struct transfer *transfer)
{
	char text[400];

	snprintf(text, sizeof text, "nothing more of an object has come from host %.100s for %d s",
		 transfer->host, (int)(STALLED_NS / 1000000000));
	transfer_fail(transfer, -ETIMEDOUT, text);
}

static void tick(struct transfer *transfer, uint64_t now)
{
	uint64_t passed = now - transfer->ticked_ns;

	transfer->ticked_ns = now;
	transfer->unwanted_ns = is_wanted(transfer) ? 0 : transfer->unwanted_ns + passed;
	if (transfer->unwanted_ns > PATIENCE_NS) {
		transfer_fail(transfer, -ECANCELED, "nobody wants it any more");
		return;
	}
	/* The controller answers a LOCATE when it can. */
	transfer->stalled_ns += transfer->is_searching ? 0 : passed;
	if (transfer->stalled_ns > STALLED_NS) {
		give_up(transfer);
		return;
	}
	serve_tick(transfer, now);
	if (transfer->is_searching || now - transfer->heard_ns < SILENCE_NS)
		return;
	log_line("nothing heard from host %s of an object (%llu of %llu pieces are here): asking "
		 "for another holder",
		 transfer->host, (unsigned long long)transfer->got,
		 (unsigned long long)piece_count(transfer->size));
	if (transfer->link)
		link_drop(transfer->agent, transfer->link);
	look_elsewhere(transfer);
}

void transfers_tick(struct agent *agent, uint64_t now)
{
	struct transfer *transfer, *next;

	HASH_ITER (hh, agent->transfers, transfer, next) {
		tick(transfer, now);
	}
}

void transfers_welcome(struct agent *agent)
{
	struct transfer *transfer, *next;

	HASH_ITER (hh, agent->transfers, transfer, next) {
		if (!transfer->is_searching)
			continue;
		transfer->is_searching = false;
		search(transfer, -1);
	}
}

void transfers_resume(struct agent *agent)
{
	struct transfer *transfer, *next;

	HASH_ITER (hh, agent->transfers, transfer, next) {
		if (transfer->link || transfer->is_searching || !transfer->is_located)
			continue;
		unask(transfer);
		ask_more(transfer);
	}
}

void transfers_free(struct agent *agent)
{
	struct transfer *transfer, *next;

	HASH_ITER (hh, agent->transfers, transfer, next) {
		transfer_free(transfer, XC_ELOST, "the agent ends");
	}
}
