/* inline_control.c: orders for engines within the client, and what tasks have asked to be
 * called at their end. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "libcluster/inline.h"
#include "proto/error.h"

/* ---- Cleanups ------------------------------------------------------------------------ */

/* One of a library that another has brought along goes with the one that runs. */
static const struct inline_library *owner_of(const struct xci_inline *in,
					     const struct inline_engine *engine, void *address)
{
	struct inline_library *library, *next;
	struct link_map *map = NULL;
	Dl_info info;

	if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP))
		return NULL;
	HASH_ITER (hh, in->libraries, library, next) {
		if (library->handle && library->map == map && inline_is_loaded(library, engine))
			return library;
	}
	return NULL;
}

int inline_cleanup_add(struct xci_inline *in, struct inline_engine *engine,
		       const struct inline_library *running, void (*fn)(void *argument),
		       void *argument)
{
	struct inline_cleanup *cleanup = malloc(sizeof *cleanup);
	const struct inline_library *owner;

	if (!cleanup)
		return -ENOMEM;
	owner = owner_of(in, engine, *(void **)&fn);
	*cleanup = (struct inline_cleanup){ fn, argument, owner ? owner : running, NULL, NULL };
	DL_APPEND(engine->cleanups, cleanup);
	return 0;
}

void inline_clean(struct xci_inline *in, struct inline_engine *engine,
		  const struct inline_library *library)
{
	struct inline_cleanup *cleanup = engine->cleanups ? engine->cleanups->prev : NULL;

	in->is_cleaning = true; /* they may not call the client */
	while (cleanup) {
		struct inline_cleanup *before = cleanup == engine->cleanups ? NULL : cleanup->prev;

		if (!library || cleanup->library == library) {
			DL_DELETE(engine->cleanups, cleanup);
			cleanup->fn(cleanup->argument);
			free(cleanup);
		}
		cleanup = before;
	}
	in->is_cleaning = false;
}

void xci_inline_clean_all(struct xci_inline *in)
{
	for (int i = 0; in && i < in->count; i++)
		inline_clean(in, &in->engines[i], NULL);
}

/* ---- Orders ------------------------------------------------------------------------------ */

static uint32_t target(zmq_msg_t *targets, size_t i)
{
	uint32_t id;

	memcpy(&id, (char *)zmq_msg_data(targets) + 4 * i, 4);
	return id;
}

static int check(const struct xci_inline *in, zmq_msg_t *targets, struct xc_error *err)
{
	struct bad_targets bad = { .count = 0 };
	bool was_shut = false;

	for (size_t i = 0; i < zmq_msg_size(targets) / 4; i++) {
		uint32_t id = target(targets, i);
		bool is_known = id < (uint32_t)in->count;

		if (is_known && !in->engines[id].is_shut)
			continue;
		bad_targets_add(&bad, id);
		was_shut = is_known;
	}
	return bad_targets_error(&bad, was_shut, err);
}

static int say(struct xci_inline *in, uint64_t id, const struct xc_error *err)
{
	struct msg_answer m = { .id = id, .code = err->code, .text = span_of(err->text) };
	zmq_msg_t none;

	zmq_msg_init(&none);
	return inline_answer(in, &m, &none);
}

/* Nothing runs while this is asked, so there is nothing to interrupt. */
int inline_on_signal(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	struct xc_error err = XC_ERROR_INIT;
	struct msg_signal order;
	int r = msg_signal_get(fields, &order);

	if (r < 0)
		return r;
	if (check(in, &frames[0], &err) == 0 && order.signal != SIGINT)
		error_set(&err, -ENOTSUP,
			  "engines of XCLUSTER=inline are this program itself, which is sent no "
			  "signal: use XCLUSTER=local:N");
	return say(in, order.id, &err);
}

static void shut(struct xci_inline *in, struct inline_engine *engine)
{
	engine->is_shut = true;
	snprintf(engine->reason, sizeof engine->reason, ENGINE_WAS_SHUT, engine->id);
	inline_lose_pinned(in, engine);
	inline_clean(in, engine, NULL);
	inline_unload_all(in, engine);
	inline_unset(engine, "");
	if (inline_roster(in, engine, 1) < 0)
		inline_starve(in);
}

int inline_on_shut(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	struct xc_error err = XC_ERROR_INIT;
	struct msg_shut order;
	int r = msg_shut_get(fields, &order);

	if (r < 0)
		return r;
	r = check(in, &frames[0], &err);
	for (size_t i = 0; r == 0 && i < zmq_msg_size(&frames[0]) / 4; i++) {
		struct inline_engine *engine = &in->engines[target(&frames[0], i)];

		if (!engine->is_shut)
			shut(in, engine);
	}
	inline_check_engines(in);
	return say(in, order.id, &err);
}
