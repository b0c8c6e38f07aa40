/* fold.c: combining the results of a piece's items, where a job wants one result of all. The
 * stack of nodes lies in the arena, so that a death leaves that of the finished items. */
#include <stdlib.h>
#include <string.h>

#include "engine/runner.h"
#include "proto/error.h"

int fold_resolve(struct engine *e)
{
	struct resolved *now = &e->now;
	struct reduce_spec spec;
	struct program *program;
	int r;

	if (reduce_spec_parse(&spec, now->task.reduce) < 0)
		return error_set(&now->err, XC_EPROTO, "the reduction is not valid");
	r = reduce_init(&now->reduce, &spec);
	if (r == XC_EPROTO)
		return error_set(&now->err, r, "the reduction is not valid");
	if (r < 0)
		return error_set(&now->err, r, "out of memory for a reduction");
	if (now->task.out_size != now->reduce.leaf_size)
		return error_set(&now->err, XC_EPROTO,
				 "the items' results do not fit the reduction");
	if (spec.kind != XC_REDUCE_OWN)
		return 0;
	now->reduce.combined = child_check;
	if (spec.object.size != OBJECT_SIZE)
		return error_set(&now->err, XC_EPROTO, "the reduction names no program");
	program = programs_get(e, spec.object, spec.program, true, &now->err);
	if (!program)
		return now->err.code;
	*(void **)&now->reduce.combine = program_function(program, spec.number, &now->err);
	return now->reduce.combine ? 0 : now->err.code;
}

bool fold_is_on(const struct engine *e)
{
	return e->stack.reduce != NULL;
}

/* Room for nodes as they are sent, and behind it the stack. So the next piece may lie over the
 * stack of this one, which nobody reads any more. */
uint64_t fold_room(const struct engine *e)
{
	return 2 * stack_room(&e->now.reduce);
}

void fold_begin(struct engine *e)
{
	struct piece *piece = &e->page->piece;

	piece->payload += stack_room(&e->now.reduce);
	stack_begin(&e->stack, &e->now.reduce, e->arena + piece->payload);
	piece->payload_used = stack_size(&e->stack);
}

void fold_off(struct engine *e)
{
	e->stack.reduce = NULL;
}

void fold_item(struct engine *e, int64_t item)
{
	struct piece *piece = &e->page->piece;

	stack_push(&e->stack, piece->done, item);
	atomic_store_explicit(&piece->payload_used, stack_size(&e->stack), memory_order_relaxed);
}

void fold_skip(struct engine *e)
{
	stack_skip(&e->stack, e->page->piece.done);
}

/* N.B. until the record is there the agent reads the stack itself. */
void fold_pack(struct engine *e, struct record *record)
{
	const struct piece *piece = &e->page->piece;
	uint64_t at = piece->payload - stack_room(&e->now.reduce);

	record->payload = at;
	record->payload_size =
		piece->done > 0 ? stack_pack(&e->stack, piece->done, e->arena + at) : 0;
}
