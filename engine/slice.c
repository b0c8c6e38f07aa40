/* slice.c: running the items of a slice. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/runner.h"
#include "proto/error.h"
#include "proto/input.h"
#include "proto/log.h"

#define PIECE_BYTES   (UINT64_C(1) << 20)
#define CLAIM_MAX     256
#define CLAIM_LONG_NS 20000 /* a claim aims at this much work */

/* ---- What the task handle does --------------------------------------------- */

static const struct xc_array *on_array(struct xc_task *task, const char *name)
{
	const struct xc_array *array = names_get(task->runner, name);
	char known[600];

	if (!array) {
		names_list(task->runner, known, sizeof known);
		xc_task_fail(task, TASK_NO_VARIABLE, name, task->engine, known);
	}
	return array;
}

static int on_set(struct xc_task *task, const char *name, const struct xc_array *array)
{
	struct xc_error err = XC_ERROR_INIT;
	int r = names_set_array(task->runner, name, array, &err);

	if (r < 0)
		xc_task_fail(task, TASK_NOT_SET, name, err.text);
	return r;
}

/* A result of any length: its size (u64, little-endian), then its bytes. */
static int on_give(struct xc_task *task, const void *data, size_t size)
{
	struct engine *e = task->runner;
	uint64_t length = size;
	char *room;

	if (e->now.task.out_size) {
		xc_task_fail(task, TASK_FIXED_SIZE, (unsigned long long)e->now.task.out_size);
		return -EINVAL;
	}
	room = size > ARENA_SIZE / 2 ? NULL : piece_reserve(e, size + sizeof length);
	if (!room) {
		xc_task_fail(task, TASK_NO_ROOM, size);
		return -ENOMEM;
	}
	memcpy(room, &length, sizeof length);
	if (size)
		memcpy(room + sizeof length, data, size);
	e->given = size + sizeof length;
	e->piece_gave = true;
	return 0;
}

static int on_cleanup(struct xc_task *task, void (*fn)(void *argument), void *argument)
{
	int r = cleanup_add(task->runner, fn, argument);

	if (r < 0)
		xc_task_fail(task, TASK_NO_CLEANUP);
	return r;
}

const struct xc_task_ops task_ops = {
	.array = on_array, .set = on_set, .give = on_give, .cleanup = on_cleanup
};

/* ---- The function ----------------------------------------------------------- */

static int resolve_function(struct engine *e)
{
	struct resolved *now = &e->now;
	struct program *program;

	if (now->task.kind == FUNCTION_BUILTIN) {
		now->fn = builtin_find(now->task.number);
		return now->fn ? 0 : error_set(&now->err, XC_EPROTO, "no such built-in task");
	}
	/* A function that stands in the client's own program needs no xc_load. */
	program = programs_get(e, now->task.object, now->task.program,
			       now->task.kind == FUNCTION_OFFSET, &now->err);
	if (!program)
		return now->err.code;
	now->program = program;
	if (now->task.kind == FUNCTION_OFFSET) {
		*(void **)&now->fn = program_function(program, now->task.number, &now->err);
	} else {
		char symbol[256];

		span_copy(symbol, sizeof symbol, now->task.symbol);
		*(void **)&now->fn = program_symbol(program, symbol, &now->err);
	}
	return now->fn ? 0 : now->err.code;
}

static void resolve(struct engine *e)
{
	if (resolve_function(e) == 0 && e->now.task.reduce.size > 0 && fold_resolve(e) < 0)
		e->now.fn = NULL;
}

static void resolve_frame(struct engine *e, zmq_msg_t *frame)
{
	struct resolved *now = &e->now;
	size_t size = zmq_msg_size(frame);

	if (now->fn && now->size == size && memcmp(now->frame, zmq_msg_data(frame), size) == 0)
		return;
	free(now->frame);
	reduce_fini(&now->reduce);
	memset(now, 0, sizeof *now);
	now->want = 1;
	now->frame = malloc(size + 1);
	if (!now->frame) {
		error_set(&now->err, -ENOMEM, "out of memory");
		return;
	}
	memcpy(now->frame, zmq_msg_data(frame), size);
	now->size = size;
	if (task_frame_parse(&now->task, now->frame, size) < 0)
		error_set(&now->err, XC_EPROTO, "the task frame is not valid");
	else
		resolve(e);
}

/* ---- Inputs ------------------------------------------------------------------ */

/* Do the frames hold what the header says? */
static int input_check(const struct input *in, uint64_t count)
{
	const struct task_frame *task = in->task;
	uint64_t base;

	switch (task->form) {
	case FORM_RANGE:
		return 0;
	case FORM_SAME:
		return in->payload.size == task->in_size ? 0 : XC_EPROTO;
	case FORM_STRIDED:
		return in->payload.size == count * task->in_size ? 0 : XC_EPROTO;
	default:
		break;
	}
	if (in->offsets.size != 8 * (count + 1))
		return XC_EPROTO;
	base = input_offset(in, 0);
	for (uint64_t i = 0; i < count; i++)
		if (input_offset(in, (int64_t)i) > input_offset(in, (int64_t)i + 1))
			return XC_EPROTO;
	return input_offset(in, (int64_t)count) - base == in->payload.size ? 0 : XC_EPROTO;
}

static int scratch_reserve(struct engine *e, size_t size)
{
	if (e->scratch_size >= size)
		return 0;
	free(e->scratch);
	e->scratch_size = 0;
	e->scratch = aligned_alloc(64, (size + 63) & ~(size_t)63);
	if (!e->scratch)
		return -ENOMEM;
	e->scratch_size = size;
	return 0;
}

/* ZeroMQ hands out bytes at any address; elements need their alignment. Inputs that
 * were submitted one by one are aligned like any, also when they came packed. */
static int input_align(struct engine *e, struct input *in, int64_t count)
{
	if (in->task->form == FORM_PACKED && in->task->apart) {
		if (scratch_reserve(e, input_largest(in, count)) < 0)
			return -ENOMEM;
		in->scratch = e->scratch;
		return 0;
	}
	if ((uintptr_t)in->payload.data % input_alignment(in->task) == 0 || in->payload.size == 0)
		return 0;
	if (scratch_reserve(e, in->payload.size) < 0)
		return -ENOMEM;
	memcpy(e->scratch, in->payload.data, in->payload.size);
	in->payload.data = e->scratch;
	return 0;
}

/* ---- Items --------------------------------------------------------------------- */

/* A result of no bytes: what an item without one leaves in a packed payload. */
static void give_nothing(struct engine *e)
{
	uint64_t none = UINT64_MAX;
	void *room = piece_reserve(e, sizeof none);

	if (room) {
		memcpy(room, &none, sizeof none);
		e->given = sizeof none;
	}
}

static void run_item(struct engine *e, struct xc_task *task, const struct input *in, int64_t i)
{
	struct page *page = e->page;
	uint64_t out_size = e->now.task.out_size;
	int64_t number;
	const void *input = input_at(in, i, &number, &task->in_size);
	void *out = NULL;
	int code;

	if (fold_is_on(e))
		out = stack_leaf(&e->stack);
	else if (out_size)
		out = e->arena + page->piece.payload + (uint64_t)(i - page->piece.first) * out_size;
	task->item = in->first + i;
	task->index = e->now.task.apart ? 0 : task->item;
	task->has_rng = false;
	task->cancel_item = e->cancel_base | (uint64_t)i;
	task->has_text = false;
	e->given = 0;
	code = e->now.fn(task, input, out);
	if (e->is_child)
		child_end();
	if (code == 0 && fold_is_on(e))
		fold_item(e, in->first + i);
	else if (fold_is_on(e))
		fold_skip(e);
	if (code != 0)
		e->given = 0;
	/* Negative codes are ours: say that an item could not run at all. */
	if (code < 0 && e->now.task.kind != FUNCTION_BUILTIN)
		code = code == INT_MIN ? INT_MAX : -code;
	/* N.B. this may begin a new piece, which the failure then belongs to. */
	if (!out_size && !e->given)
		give_nothing(e);
	if (output_is_new(e))
		output_take(e, in->first + i, task->attempt);
	if (code != 0 && e->interrupted == task->cancel_item)
		piece_interrupt(e, in->first + i, task->attempt);
	else if (code != 0)
		piece_fail(e, in->first + i, 1, code, task->attempt,
			   task->has_text ? task->text : "");
	piece_commit(e);
}

/* Every item of a slice that cannot run fails with the reason. */
static void refuse_items(struct engine *e, const struct msg_slice *header,
			 const struct xc_error *err)
{
	int64_t first, n;

	while ((n = claim_next(e->page, header->slice, SLICE_ITEMS_MAX, &first)) > 0) {
		piece_fail(e, header->first + first, n, err->code, (int)header->attempt, err->text);
		e->page->piece.done += n;
	}
	fold_off(e);
	e->page->piece.payload_used = 0;
	e->page->piece.out_size = 0;
}

static int64_t learn(int64_t want, uint64_t took_ns)
{
	if (took_ns < CLAIM_LONG_NS && want < CLAIM_MAX)
		return want * 2;
	if (took_ns > 4 * CLAIM_LONG_NS && want > 1)
		return want / 2;
	return want;
}

static int64_t piece_capacity(const struct engine *e, int64_t left)
{
	uint64_t out_size = e->now.task.reduce.size ? 0 : e->now.task.out_size;
	int64_t fit = out_size ? (int64_t)(PIECE_BYTES / out_size) : left;

	if (fit < 1)
		fit = 1;
	return fit < left ? fit : left;
}

static int next_piece(struct engine *e, const struct msg_slice *header, int64_t first)
{
	int64_t items = piece_capacity(e, header->count - first);
	uint64_t out_size = e->now.task.out_size;
	bool folds = e->now.fn && e->now.task.reduce.size > 0;
	int r;

	fold_off(e);
	if (folds)
		r = piece_begin(e, header->slice, header->first, first, items > 0 ? items : 1,
				fold_room(e));
	else
		r = piece_begin(e, header->slice, header->first, first, items > 0 ? items : 1,
				out_size ? (uint64_t)(items > 0 ? items : 1) * out_size
					 : PIECE_BYTES);
	if (r == 0 && folds)
		fold_begin(e);
	return r;
}

/* Where items are long, a call of the system is little: nothing printed is missed. */
static void end_piece(struct engine *e, const struct msg_slice *header, bool last)
{
	const struct piece *piece = &e->page->piece;

	if (e->now.want == 1 && piece->done > 0 && piece_can_fail(e) && output_has_moved(e))
		output_take(e, header->first + piece->first + piece->done - 1,
			    (int)header->attempt);
	piece_send(e, last);
}

/* Ends the piece and begins the next one at item `at`. */
static void renew_piece(struct engine *e, const struct msg_slice *header, int64_t at)
{
	end_piece(e, header, false);
	if (next_piece(e, header, at) < 0) {
		log_line("no memory for results: ending");
		exit(1);
	}
}

static void clear_results(struct engine *e, int64_t first, int64_t end)
{
	const struct piece *piece = &e->page->piece;
	uint64_t out_size = piece->out_size;

	if (out_size)
		memset(e->arena + piece->payload + (uint64_t)(first - piece->first) * out_size, 0,
		       (uint64_t)(end - first) * out_size);
}

static bool is_ending(const struct engine *e)
{
	return atomic_load_explicit(&e->page->ending, memory_order_relaxed) != ENDING_NOT;
}

static uint64_t run_claim(struct engine *e, struct xc_task *task, const struct msg_slice *header,
			  const struct input *in, int64_t first, int64_t n, uint64_t start)
{
	struct page *page = e->page;
	bool limited = e->now.task.time_limit_ns != 0;

	/* Before the memory is touched: there may be none, and then the item pays. */
	atomic_store_explicit(&page->item, first, memory_order_relaxed);
	clear_results(e, first, first + n);
	for (int64_t i = first; i < first + n && !is_ending(e); i++) {
		if (!piece_can_fail(e) || (fold_is_on(e) && stack_is_full(&e->stack))) {
			renew_piece(e, header, i);
			atomic_store_explicit(&page->item, i, memory_order_relaxed);
			clear_results(e, i, first + n);
		}
		if (limited)
			atomic_store_explicit(&page->item_start_ns, i == first ? start : now_ns(),
					      memory_order_relaxed);
		atomic_store_explicit(&page->item, i, memory_order_relaxed);
		run_item(e, task, in, i);
	}
	return now_ns();
}

/* False when it was told to end before. */
static bool run_items(struct engine *e, const struct msg_slice *header, struct input *in)
{
	struct page *page = e->page;
	struct xc_task task = { .ops = &task_ops,
				.runner = e,
				.frame = &e->now.task,
				.streams = &e->now.streams,
				.engine = e->id,
				.threads = e->threads,
				.out_size = e->now.task.out_size,
				.attempt = (int)header->attempt,
				.cancel = &page->cancel[header->slice % PAGE_CLAIMS],
				.cancel_value = header->slice };
	uint64_t start = now_ns(), end;
	int64_t first, n, want, room;
	bool complete = false;

	if (output_is_new(e)) /* by constructors of the program */
		output_skip(e);
	page->limit_ns = e->now.task.time_limit_ns;
	e->cancel_base = cancel_word(header->slice, 0);
	e->task = &task;
	while (!is_ending(e)) {
		room = e->piece_items - page->piece.done;
		want = e->now.want < room ? e->now.want : room;
		n = claim_next(page, header->slice, want, &first);
		complete = n == 0;
		if (complete)
			break;
		end = run_claim(e, &task, header, in, first, n, start);
		if (n == e->now.want)
			e->now.want = learn(e->now.want, end - start);
		start = end;
		if (piece_is_full(e)) {
			int64_t at = page->piece.first + page->piece.done;

			complete = at >= header->count;
			if (complete)
				break;
			renew_piece(e, header, at);
		}
	}
	e->task = NULL;
	page->item_start_ns = 0;
	page->limit_ns = 0;
	return complete;
}

/* Loading a program runs code of it: should that kill us, the first item pays, or
 * else the slice would go from engine to engine and end them all. */
static void announce(struct engine *e, const struct msg_slice *header)
{
	struct piece *piece = &e->page->piece;

	if (output_is_new(e))
		output_skip(e);
	piece->slice = 0;
	piece->first = 0;
	piece->done = 0;
	piece->failures_used = 0;
	piece->printed = 0;
	piece->base = header->first;
	piece->slice = header->slice;
	e->page->item = 0;
}

void slice_run(struct engine *e, struct message *m)
{
	struct msg_slice header;
	struct input in = { .task = &e->now.task };
	struct xc_error err = XC_ERROR_INIT;
	bool complete = true;

	if (msg_slice_get(&m->fields, &header) < 0 || header.count < 1 ||
	    header.count > SLICE_ITEMS_MAX || header.first < 0) {
		log_line("a slice that cannot be read: ending");
		exit(1);
	}
	announce(e, &header);
	resolve_frame(e, &m->frames[0]);
	e->page->item = -1;
	if (e->now.task.out_size > ARENA_SIZE / 2) {
		e->now.fn = NULL;
		e->now.task.out_size = 0;
		error_set(&e->now.err, -ENOMEM,
			  "results of over %llu bytes an item are not possible",
			  (unsigned long long)ARENA_SIZE / 2);
	}
	in.first = header.first;
	in.offsets = (struct span){ zmq_msg_data(&m->frames[1]), zmq_msg_size(&m->frames[1]) };
	in.payload = (struct span){ zmq_msg_data(&m->frames[2]), zmq_msg_size(&m->frames[2]) };
	claim_begin(e->page, header.slice, header.count);
	if (next_piece(e, &header, 0) < 0) {
		log_line("no memory for results: ending");
		exit(1);
	}
	if (!e->now.fn)
		err = e->now.err;
	else if (input_check(&in, (uint64_t)header.count) < 0)
		error_set(&err, XC_EPROTO, "the items' bytes do not fit the job");
	else if (input_align(e, &in, header.count) < 0)
		error_set(&err, -ENOMEM, "out of memory for the items' bytes");
	if (err.code)
		refuse_items(e, &header, &err);
	else
		complete = run_items(e, &header, &in);
	e->page->item = -1;
	end_piece(e, &header, complete);
}
