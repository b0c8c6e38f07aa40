/* inline_items.c: running items within the client, as an engine would. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/inline.h"
#include "libcluster/threads.h"
#include "proto/error.h"
#include "proto/input.h"

#define PIECE_NS    10000000 /* after which the client is heard again */
#define PIECE_BYTES (UINT64_C(1) << 20)

/* Bytes that grow. */
struct buffer {
	char *data;
	size_t size, room;
};

/* Consecutive items that one engine runs at a stretch, and what becomes of them. */
struct piece {
	struct xci_inline *in;
	struct inline_job *job;
	struct inline_engine *engine;
	int64_t first, done; /* done: whose end, or next attempt, it tells */
	int attempt;
	struct streams streams; /* of the job's items */
	struct buffer payload, failures;
	struct failure_run last; /* failure: grows while items end alike */
	size_t last_at;
	char last_text[FAILURE_TEXT_MAX + 1];
	bool gave;	    /* an item has a result of any length */
	size_t given;	    /* bytes of the running item's */
	struct stack stack; /* of a reduction; reduce is NULL: it is none */
	int64_t failed, again;
	bool is_late; /* the item after these was over its time limit */
};

static void *buffer_reserve(struct buffer *b, size_t size)
{
	size_t room = b->size + size + b->room;
	char *data;

	if (size <= b->room - b->size)
		return b->data + b->size;
	data = realloc(b->data, room);
	if (!data)
		return NULL;
	b->data = data;
	b->room = room;
	return b->data + b->size;
}

static void buffer_free(void *data, void *hint)
{
	(void)hint;
	free(data);
}

/* Its bytes without a copy. */
static int buffer_move(struct buffer *b, zmq_msg_t *frame)
{
	int r = 0;

	if (!b->size || (r = zmq_msg_init_data(frame, b->data, b->size, buffer_free, NULL)) < 0) {
		free(b->data);
		zmq_msg_init(frame);
	}
	*b = (struct buffer){ 0 };
	return r;
}

/* ---- What the task handle does ------------------------------------------------------ */

static const struct xc_array *on_array(struct xc_task *task, const char *name)
{
	struct piece *piece = task->runner;
	const struct xc_array *array = inline_get(piece->engine, name);
	char known[600];

	if (!array) {
		inline_list(piece->engine, known, sizeof known);
		xc_task_fail(task, TASK_NO_VARIABLE, name, task->engine, known);
	}
	return array;
}

static int on_set(struct xc_task *task, const char *name, const struct xc_array *array)
{
	struct piece *piece = task->runner;
	struct xc_error err = XC_ERROR_INIT;
	struct inline_value *value = inline_value_new(array);
	int r = value ? inline_set(piece->engine, name, value, &err)
		      : error_set(&err, -ENOMEM, "out of memory");

	inline_value_unref(value);
	if (r < 0)
		xc_task_fail(task, TASK_NOT_SET, name, err.text);
	return r;
}

/* Room for a result: its size (u64, little-endian), then its bytes. */
static char *give(struct piece *piece, uint64_t size)
{
	char *room = buffer_reserve(&piece->payload, size + sizeof size);

	if (!room)
		return NULL;
	memcpy(room, &size, sizeof size);
	piece->given = size + sizeof size;
	piece->gave = true;
	return room + sizeof size;
}

static int on_give(struct xc_task *task, const void *data, size_t size)
{
	struct piece *piece = task->runner;
	char *room;

	if (piece->job->task.out_size) {
		xc_task_fail(task, TASK_FIXED_SIZE, (unsigned long long)piece->job->task.out_size);
		return -EINVAL;
	}
	room = size > SIZE_MAX / 2 ? NULL : give(piece, size);
	if (!room) {
		xc_task_fail(task, TASK_NO_ROOM, size);
		return -ENOMEM;
	}
	if (size)
		memcpy(room, data, size);
	return 0;
}

static int on_cleanup(struct xc_task *task, void (*fn)(void *argument), void *argument)
{
	struct piece *piece = task->runner;
	int r = inline_cleanup_add(piece->in, piece->engine, piece->job->library, fn, argument);

	if (r < 0)
		xc_task_fail(task, TASK_NO_CLEANUP);
	return r;
}

static const struct xc_task_ops ops = {
	.array = on_array, .set = on_set, .give = on_give, .cleanup = on_cleanup
};

/* ---- Built-in tasks -------------------------------------------------------------------- */

static int fail(struct xc_task *task, int code, const struct xc_error *err)
{
	xc_task_fail(task, "%s", err->text);
	return code;
}

/* All engines share what they are all given. */
static struct inline_value *pushed(struct inline_job *job, const void *in, size_t size)
{
	struct array_frame frame;

	if (job->value)
		job->value->refs++;
	if (job->value || array_frame_parse(&frame, in, size) < 0 || frame.is_object)
		return job->value;
	if (job->task.form != FORM_SAME)
		return inline_value_new(&frame.array);
	job->value = inline_value_new(&frame.array);
	if (job->value)
		job->value->refs++;
	return job->value;
}

static int run_push(struct xc_task *task, const void *in, void *out)
{
	struct piece *piece = task->runner;
	struct inline_value *value = pushed(piece->job, in, task->in_size);
	struct xc_error err = XC_ERROR_INIT;
	char name[256];
	int r;

	(void)out;
	span_copy(name, sizeof name, piece->job->task.name);
	r = value ? inline_set(piece->engine, name, value, &err)
		  : error_set(&err, -ENOMEM, "out of memory");
	inline_value_unref(value);
	return r < 0 ? fail(task, r, &err) : 0;
}

/* The result is an array frame with the elements in it. */
static int run_pull(struct xc_task *task, const void *in, void *out)
{
	struct piece *piece = task->runner;
	const struct xc_array *array;
	char name[256], *room;
	uint64_t size;

	(void)in;
	(void)out;
	span_copy(name, sizeof name, piece->job->task.name);
	array = xc_task_array(task, name);
	if (!array)
		return XC_ENOVAR;
	size = (uint64_t)xc_array_size(array);
	room = give(piece, ARRAY_HEADER_SIZE + size);
	if (!room) {
		xc_task_fail(task, TASK_NO_PULL, (unsigned long long)size, name);
		return -ENOMEM;
	}
	array_header_write(room, array, NULL);
	if (size)
		memcpy(room + ARRAY_HEADER_SIZE, array->data, size);
	return 0;
}

static int run_clear(struct xc_task *task, const void *in, void *out)
{
	struct piece *piece = task->runner;
	char name[256];

	(void)in;
	(void)out;
	span_copy(name, sizeof name, piece->job->task.name);
	inline_unset(piece->engine, name);
	return 0;
}

static int run_load(struct xc_task *task, const void *in, void *out)
{
	struct piece *piece = task->runner;
	struct xc_error err = XC_ERROR_INIT;

	(void)in;
	(void)out;
	if (!inline_load(piece->in, piece->job, piece->engine, true, &err))
		return fail(task, err.code, &err);
	return 0;
}

static int run_unload(struct xc_task *task, const void *in, void *out)
{
	struct piece *piece = task->runner;

	(void)in;
	(void)out;
	inline_unload(piece->in, piece->engine, piece->job->task.object);
	return 0;
}

/* Engines take turns in this process: what one was told counts until another is. */
static int run_threads(struct xc_task *task, const void *in, void *out)
{
	struct piece *piece = task->runner;
	uint64_t threads;
	int r;

	(void)out;
	if (task->in_size != sizeof threads)
		return XC_EPROTO;
	memcpy(&threads, in, sizeof threads);
	r = threads < 1 || threads > THREADS_MAX ? XC_EPROTO : threads_apply((int)threads);
	if (r == 0)
		piece->engine->threads = (int)threads;
	else
		xc_task_fail(task, "%s", error_text(r));
	return r;
}

/* ---- The function ------------------------------------------------------------------------ */

/* A function by its name, in a library that this engine has loaded or can. */
static void resolve_symbol(struct xci_inline *in, struct inline_job *job,
			   const struct inline_engine *engine)
{
	job->library = inline_load(in, job, engine, false, &job->err);
	if (job->library)
		*(void **)&job->fn = inline_symbol(job->library, &job->task, &job->err);
	job->resolved = in->loads;
}

static void resolve(struct xci_inline *in, struct inline_job *job,
		    const struct inline_engine *engine)
{
	static xc_task_fn *const builtins[] = {
		[BUILTIN_PUSH] = run_push,	 [BUILTIN_PULL] = run_pull,
		[BUILTIN_CLEAR] = run_clear,	 [BUILTIN_LOAD] = run_load,
		[BUILTIN_UNLOAD] = run_unload,	 [BUILTIN_LOOK] = run_pull, /* it is here */
		[BUILTIN_THREADS] = run_threads, [BUILTIN_REFER] = run_pull,
	};
	bool by_name = job->task.kind == FUNCTION_SYMBOL;

	if (job->fn &&
	    (!by_name || (job->resolved == in->loads && inline_is_loaded(job->library, engine))))
		return;
	job->fn = NULL;
	if (by_name)
		resolve_symbol(in, job, engine);
	else if (job->task.kind == FUNCTION_OFFSET)
		*(void **)&job->fn = (void *)(uintptr_t)job->task.number;
	else if (job->task.number < sizeof builtins / sizeof builtins[0])
		job->fn = builtins[job->task.number];
	else
		error_set(&job->err, XC_EPROTO, "no such built-in task");
}

/* ---- Items ----------------------------------------------------------------------------------- */

static void add_failure(struct piece *piece, int64_t item, int64_t count, int code,
			const char *text)
{
	bool again = inline_may_rerun(piece->job, piece->attempt);
	struct failure_run *last = &piece->last;
	size_t length = strnlen(text, FAILURE_TEXT_MAX);
	void *room;

	*(again ? &piece->again : &piece->failed) += count;
	if (last->count && last->first + last->count == item && last->code == code &&
	    last->text.size == length && memcmp(piece->last_text, text, length) == 0) {
		last->count += count;
		piece->failures.size = piece->last_at;
	} else {
		memcpy(piece->last_text, text, length);
		*last = (struct failure_run){ .first = item,
					      .count = count,
					      .state = again ? FAILURE_RETRY : XC_FAILED,
					      .code = code,
					      .attempts = (uint64_t)piece->attempt,
					      .text = { piece->last_text, length } };
		piece->last_at = piece->failures.size;
	}
	room = buffer_reserve(&piece->failures, FAILURE_RUN_MAX);
	if (room)
		piece->failures.size += failure_run_pack(room, FAILURE_RUN_MAX, last);
	else
		inline_starve(piece->in);
}

/* A result of no bytes: what an item without one leaves in a packed payload. */
static void give_nothing(struct piece *piece)
{
	uint64_t none = UINT64_MAX;
	void *room = buffer_reserve(&piece->payload, sizeof none);

	if (!room) {
		inline_starve(piece->in);
		return;
	}
	memcpy(room, &none, sizeof none);
	piece->given = sizeof none;
}

/* Its result goes into those of the items before it. */
static void fold(struct piece *piece, bool is_well)
{
	if (is_well)
		stack_push(&piece->stack, piece->done, piece->first + piece->done);
	else
		stack_skip(&piece->stack, piece->done);
}

/* How an item ended, that took so long. */
static void end_item(struct piece *piece, struct xc_task *task, int code, uint64_t took_ns)
{
	const struct task_frame *frame = &piece->job->task;

	if (frame->time_limit_ns && took_ns >= frame->time_limit_ns) {
		piece->is_late = true; /* a cluster would have killed it */
		return;
	}
	if (code != 0)
		piece->given = 0;
	/* Negative codes are ours: say that an item could not run at all. */
	if (code < 0 && frame->kind != FUNCTION_BUILTIN)
		code = code == INT_MIN ? INT_MAX : -code;
	if (!frame->out_size && !piece->given)
		give_nothing(piece);
	if (piece->stack.reduce)
		fold(piece, code == 0);
	else
		piece->payload.size += frame->out_size ? frame->out_size : piece->given;
	if (code != 0)
		add_failure(piece, piece->first + piece->done, 1, code,
			    task->has_text ? task->text : "");
	piece->done++;
}

/* The client is heard again, nothing more is to run, or the results are many. */
static bool is_over(const struct piece *piece, uint64_t start, uint64_t now)
{
	return piece->is_late || piece->job->cancelled || piece->in->is_starved ||
	       now - start > PIECE_NS || piece->payload.size >= PIECE_BYTES ||
	       (piece->stack.reduce && stack_is_full(&piece->stack)) ||
	       (piece->failed && (piece->job->flags & JOB_STOP_ON_FAILURE));
}

static uint64_t run_items(struct piece *piece, struct input *in, int64_t count)
{
	struct inline_job *job = piece->job;
	uint64_t start = now_ns(), began = start, now = start;
	struct xc_task task = { .ops = &ops,
				.runner = piece,
				.frame = &job->task,
				.streams = &piece->streams,
				.engine = piece->engine->id,
				.threads = inline_threads(piece->in, piece->engine),
				.out_size = job->task.out_size,
				.attempt = piece->attempt,
				.cancel = &job->cancel,
				.cancel_value = 1 };
	int64_t number;

	for (int64_t i = 0; i < count && !is_over(piece, start, now); i++, began = now) {
		const void *input = input_at(in, i, &number, &task.in_size);
		void *out = NULL;
		int code;

		if (piece->stack.reduce) {
			out = stack_leaf(&piece->stack);
		} else if (job->task.out_size) {
			out = piece->payload.data + piece->payload.size;
			memset(out, 0, job->task.out_size);
		}
		task.item = piece->first + i;
		task.index = job->task.apart ? 0 : task.item;
		task.has_rng = false;
		task.has_text = false;
		piece->given = 0;
		code = job->fn(&task, input, out);
		now = now_ns();
		end_item(piece, &task, code, now - began);
	}
	return now - start;
}

/* Inputs of the items from `first` on. */
static struct input inputs_of(const struct inline_job *job, int64_t first)
{
	struct input in = { .task = &job->task, .payload = job->input, .first = first };
	const char *data = job->input.data;
	uint64_t begin;

	if (job->task.form == FORM_STRIDED)
		in.payload.data = data + (size_t)first * job->task.in_size;
	if (job->task.form != FORM_PACKED)
		return in;
	in.scratch = job->aligned;
	memcpy(&begin, data + 8 * first, 8);
	in.offsets.data = data + 8 * first;
	in.payload.data = data + 8 * ((size_t)job->items + 1) + begin;
	return in;
}

/* Room for the results of so many items, as aligned as an engine's; fewer if they are
 * large. 0: there is no memory. */
static int64_t make_room(struct piece *piece, int64_t count)
{
	size_t out_size = piece->job->nodes ? 0 : piece->job->task.out_size;
	int64_t most = out_size ? (int64_t)(PIECE_BYTES / out_size) : count;

	if (most < 1)
		most = 1;
	if (count > most)
		count = most;
	if (!out_size)
		return count;
	piece->payload.room = ((size_t)count * out_size + 63) & ~(size_t)63;
	piece->payload.data = aligned_alloc(64, piece->payload.room);
	return piece->payload.data ? count : 0;
}

/* The nodes of a reduction are the payload. */
static void pack(struct piece *piece)
{
	size_t size = piece->done > 0 ? stack_packed_size(&piece->stack, piece->done) : 0;
	void *room = buffer_reserve(&piece->payload, size);

	if (size && room)
		piece->payload.size = stack_pack(&piece->stack, piece->done, room);
	else if (size)
		inline_starve(piece->in);
}

static void send_piece(struct piece *piece, uint64_t busy_ns)
{
	struct msg_result head = { .job = piece->job->id,
				   .first = piece->first,
				   .count = piece->done,
				   .engine = piece->engine->id,
				   .busy_ns = busy_ns };
	zmq_msg_t failures, payload;
	int r;

	if (piece->stack.reduce)
		pack(piece);
	else if (!piece->job->task.out_size && !piece->gave)
		piece->payload.size = 0;
	r = buffer_move(&piece->failures, &failures);
	r |= buffer_move(&piece->payload, &payload);
	if (r < 0)
		inline_starve(piece->in);
	piece->engine->items += piece->done;
	if (piece->done > 0) {
		inline_report(piece->in, piece->job, head, piece->done - piece->again,
			      piece->failed, &failures, &payload);
		return;
	}
	zmq_msg_close(&failures);
	zmq_msg_close(&payload);
}

/* Runs of this piece's failures go again. N.B. before they are told of, as a cancelled
 * job is told at once what becomes of them. */
static void put_back_failures(struct piece *piece)
{
	struct failure_run run;
	struct reader r;

	if (piece->again == 0)
		return;
	reader_init(&r, piece->failures.data, piece->failures.size);
	while (failure_run_next(&r, &run) > 0)
		if (run.state == FAILURE_RETRY)
			inline_requeue(piece->in, piece->job, run.first, run.count,
				       piece->attempt + 1, piece->engine);
}

/* The item that was over its limit pays, or runs again, as if its engine had died. */
static void charge_late(struct piece *piece, int64_t item)
{
	struct inline_job *job = piece->job;
	struct failure_run run = { .first = item,
				   .count = 1,
				   .state = XC_TIMED_OUT,
				   .attempts = (uint64_t)piece->attempt };
	char text[100];

	snprintf(text, sizeof text, TASK_OVER_TIME, (double)job->task.time_limit_ns / 1e9);
	run.text = span_of(text);
	if (inline_may_rerun(job, piece->attempt))
		inline_requeue(piece->in, job, item, 1, piece->attempt + 1, piece->engine);
	else
		inline_end_items(piece->in, job, &run, piece->engine->id);
}

void inline_run_items(struct xci_inline *in, struct inline_run *work, struct inline_engine *engine)
{
	struct inline_job *job = work->job;
	struct piece piece = { .in = in,
			       .job = job,
			       .engine = engine,
			       .first = work->first,
			       .attempt = work->attempt };
	int64_t count = job->chunk && job->chunk < work->count ? job->chunk : work->count, rest;
	struct input inputs;
	uint64_t busy_ns = 0;

	if (!job->started_ns)
		job->started_ns = now_ns();
	resolve(in, job, engine);
	if (job->fn)
		count = make_room(&piece, count);
	if (job->fn && count == 0)
		error_set(&job->err, -ENOMEM, "out of memory for the items' results");
	if (!job->fn || count == 0) { /* every item fails with the reason */
		piece.done = work->count;
		add_failure(&piece, work->first, work->count, job->err.code, job->err.text);
	} else {
		inputs = inputs_of(job, work->first);
		if (job->nodes)
			stack_begin(&piece.stack, &job->reduce, job->nodes);
		busy_ns = run_items(&piece, &inputs, count);
	}
	/* What is put back last runs first. */
	rest = piece.done + piece.is_late;
	inline_requeue(in, job, work->first + rest, work->count - rest, work->attempt, engine);
	put_back_failures(&piece);
	send_piece(&piece, busy_ns);
	if (piece.is_late)
		charge_late(&piece, work->first + piece.done);
}
