/* control.c: what clients order for single engines: signals, and the end for good. */
#include <stdio.h>
#include <string.h>

#include "controller/state.h"
#include "proto/error.h"
#include "proto/log.h"

/* The i-th engine of a list of targets; NULL if there is none of that id. */
static struct engine *target(struct state *state, zmq_msg_t *targets, size_t i, uint32_t *id)
{
	memcpy(id, (char *)zmq_msg_data(targets) + 4 * i, 4);
	return *id < (uint32_t)state->engine_count ? state->engines[*id] : NULL;
}

static bool is_up(const struct engine *engine)
{
	return engine->state == ENGINE_UP;
}

/* Can the order be carried out for each of them? If not, says for which it cannot. */
static int check(struct state *state, zmq_msg_t *targets, bool (*fits)(const struct engine *engine),
		 struct xc_error *err)
{
	size_t count = zmq_msg_size(targets) / 4;
	const struct engine *last = NULL;
	struct bad_targets bad = { .count = 0 };
	uint32_t id;

	for (size_t i = 0; i < count; i++) {
		const struct engine *engine = target(state, targets, i, &id);

		if (engine && fits(engine))
			continue;
		last = engine;
		bad_targets_add(&bad, id);
	}
	return bad_targets_error(
		&bad, last && (last->state == ENGINE_CLOSING || last->state == ENGINE_SHUT), err);
}

static int answer(struct state *state, struct peer *peer, uint64_t id, const struct xc_error *err)
{
	struct msg_answer m = { .id = id, .code = err->code, .text = span_of(err->text) };
	zmq_msg_t none;

	zmq_msg_init(&none);
	return answer_send(state, peer, &m, &none);
}

static bool targets_are_valid(zmq_msg_t *targets)
{
	return zmq_msg_size(targets) > 0 && zmq_msg_size(targets) % 4 == 0;
}

int on_signal(struct state *state, struct peer *peer, struct message *m)
{
	struct xc_error err = XC_ERROR_INIT;
	zmq_msg_t *targets = &m->frames[0];
	struct msg_signal order;
	uint32_t id;
	int r = msg_signal_get(&m->fields, &order);

	if (r < 0 || !targets_are_valid(targets) || order.signal < 1 || order.signal > 64)
		return r < 0 ? r : XC_EPROTO;
	r = check(state, targets, is_up, &err);
	for (size_t i = 0; r == 0 && i < zmq_msg_size(targets) / 4; i++) {
		struct engine *engine = target(state, targets, i, &id);

		SEND_PEER(state, engine->agent->peer, kill, .slot = engine->slot,
			  .epoch = engine->epoch, .signal = order.signal);
	}
	return answer(state, peer, order.id, &err);
}

int on_shut(struct state *state, struct peer *peer, struct message *m)
{
	struct xc_error err = XC_ERROR_INIT;
	zmq_msg_t *targets = &m->frames[0];
	struct msg_shut order;
	uint32_t id;
	int r = msg_shut_get(&m->fields, &order);

	if (r < 0 || !targets_are_valid(targets) || order.how > CANCEL_HOW_RUNNING)
		return r < 0 ? r : XC_EPROTO;
	r = check(state, targets, engine_has_future, &err);
	for (size_t i = 0; r == 0 && i < zmq_msg_size(targets) / 4; i++) {
		struct engine *engine = target(state, targets, i, &id);

		if (!engine_has_future(engine))
			continue; /* named twice */
		log_line("engine %d: shutting it down, as client %s says", engine->id,
			 peer->is.client->name);
		engine_shut(state, engine, order.how);
	}
	return answer(state, peer, order.id, &err);
}
