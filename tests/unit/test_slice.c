/* test_slice.c: running the items of a slice: inputs, results, failures, and the
 * built-in tasks. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "engine/runner.h"
#include "tests/unit/rig.h"
#include "tests/unit/unit.h"

static struct engine *e;
static int64_t seen[1000];
static int runs;
static uint64_t slices;

static void begin(void)
{
	rig_open();
	rig_serve();
	e = rig.engine;
	runs = 0;
	slices = 0;
}

/* From now on slices with this frame run `fn`. */
static size_t use(unsigned char *frame, xc_task_fn *fn, struct task_frame task)
{
	static unsigned char object[OBJECT_SIZE];
	size_t size;

	if (fn) {
		task.kind = FUNCTION_OFFSET;
		task.object = (struct span){ object, OBJECT_SIZE };
	}
	size = task_frame_pack(frame, TASK_FRAME_MAX, &task);
	if (fn) {
		free(e->now.frame);
		e->now.frame = malloc(size + 1);
		memcpy(e->now.frame, frame, size);
		e->now.size = size;
		e->now.fn = fn;
		e->now.want = 1;
		ck_assert_int_eq(task_frame_parse(&e->now.task, e->now.frame, size), 0);
	}
	return size;
}

static void run(xc_task_fn *fn, struct task_frame task, int64_t first, int64_t count,
		struct span offsets, struct span payload)
{
	unsigned char frame[TASK_FRAME_MAX], header[HEADER_MAX];
	struct msg_slice slice = {
		.slice = ++slices, .first = first, .count = count, .attempt = 2
	};
	struct message m;

	message_init(&m);
	frame_copy(&m.header, header, msg_slice_pack(header, sizeof header, &slice));
	m.type = message_type(&m.fields, zmq_msg_data(&m.header), zmq_msg_size(&m.header));
	frame_copy(&m.frames[0], frame, use(frame, fn, task));
	frame_copy(&m.frames[1], offsets.data, offsets.size);
	frame_copy(&m.frames[2], payload.data, payload.size);
	slice_run(e, &m);
	message_fini(&m);
}

static const struct span none;

/* The pieces that were sent: items, failures (first of each run), result bytes. */
struct told {
	int64_t items, failed, pieces;
	bool last;
	char text[300];
	int64_t code;
	uint64_t state;
	char bytes[100000];
	size_t size;
};

static struct told *listen(void)
{
	static struct told told;

	memset(&told, 0, sizeof told);
	while (rig_next(rig.from_engine) == MSG_DONE) {
		struct msg_done done;
		struct failure_run f;
		struct reader r;
		int n;

		ck_assert_int_eq(msg_done_get(&rig.m.fields, &done), 0);
		ck_assert(!told.last);
		ck_assert_int_eq(done.first, told.items);
		told.items += done.count;
		told.last = done.last;
		told.pieces++;
		reader_init(&r, rig_frame(0), rig_frame_size(0));
		while ((n = failure_run_next(&r, &f)) > 0) {
			told.failed += f.count;
			told.code = f.code;
			told.state = f.state;
			span_copy(told.text, sizeof told.text, f.text);
		}
		ck_assert_int_eq(n, 0);
		if (told.size + rig_frame_size(1) <= sizeof told.bytes)
			memcpy(told.bytes + told.size, rig_frame(1), rig_frame_size(1));
		told.size += rig_frame_size(1);
		/* as the controller does now and then */
		if (done.record % 16 == 0)
			rig.page->acked = done.record;
	}
	ck_assert(told.last);
	return &told;
}

static int note(struct xc_task *task, const void *in, void *out)
{
	seen[runs++] = in ? *(const int64_t *)in : -1;
	if (out)
		*(int64_t *)out = 2 * xc_task_index(task);
	return 0;
}

/* ---- Inputs --------------------------------------------------------------------------- */

START_TEST(test_range)
{
	struct told *told;

	run(note,
	    (struct task_frame){ .form = FORM_RANGE, .start = 100, .step = -3, .out_size = 8 }, 10,
	    5, none, none);
	told = listen();
	ck_assert_int_eq(told->items, 5);
	ck_assert_uint_eq(told->size, 40);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(seen[i], 100 - 3 * (10 + i));
		ck_assert_int_eq(((int64_t *)(void *)told->bytes)[i], 2 * (10 + i));
	}
	ck_assert_int_eq(rig.page->item, -1);
}
END_TEST

/* Whatever the address that the bytes arrive at. */
START_TEST(test_strided)
{
	int64_t in[5] = { 5, 4, 3, 2, 1 };

	run(note, (struct task_frame){ .form = FORM_STRIDED, .in_size = 8 }, 0, 5, none,
	    (struct span){ in, sizeof in });
	listen();
	ck_assert_mem_eq(seen, in, sizeof in);
}
END_TEST

START_TEST(test_same)
{
	int64_t in = 77;

	run(note, (struct task_frame){ .form = FORM_SAME, .in_size = 8 }, 0, 3, none,
	    (struct span){ &in, sizeof in });
	listen();
	ck_assert_int_eq(runs, 3);
	ck_assert_int_eq(seen[2], 77);
}
END_TEST

static int note_size(struct xc_task *task, const void *in, void *out)
{
	(void)out;
	seen[runs++] = (int64_t)xc_task_in_size(task);
	ck_assert(xc_task_in_size(task) == 0 || ((const char *)in)[0] == 'a' + runs);
	return 0;
}

START_TEST(test_packed)
{
	uint64_t offsets[] = { 1000, 1003, 1003, 1004 }; /* of the whole payload */

	run(note_size, (struct task_frame){ .form = FORM_PACKED }, 7, 3,
	    (struct span){ offsets, sizeof offsets }, span_of("bbbd"));
	listen();
	ck_assert_int_eq(seen[0], 3);
	ck_assert_int_eq(seen[1], 0);
	ck_assert_int_eq(seen[2], 1);
}
END_TEST

static int note_place(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)out;
	seen[runs++] = (uintptr_t)in % 16 == 0 ? ((const char *)in)[0] : -1;
	return 0;
}

/* What was submitted one by one is aligned, though the bytes came packed. */
START_TEST(test_packed_apart)
{
	uint64_t offsets[] = { 0, 3, 6, 9 };

	run(note_place, (struct task_frame){ .form = FORM_PACKED, .apart = 1 }, 0, 3,
	    (struct span){ offsets, sizeof offsets }, span_of("abcdefghi"));
	listen();
	ck_assert_int_eq(seen[0], 'a');
	ck_assert_int_eq(seen[1], 'd');
	ck_assert_int_eq(seen[2], 'g');
}
END_TEST

/* Bytes that do not fit the job: every item fails, none runs. */
START_TEST(test_inputs_that_cannot_be)
{
	static const uint64_t tables[][3] = { { 0, 5, 4 }, { 0, 2, 3 }, { 0, UINT64_MAX, 4 } };
	struct task_frame task = { .form = FORM_STRIDED, .in_size = 8 };
	struct span offsets = none;
	struct told *told;

	if (_i == 1)
		task.form = FORM_SAME;
	if (_i == 2)
		task.form = FORM_PACKED;
	if (_i > 2) {
		task.form = FORM_PACKED;
		offsets = (struct span){ tables[_i - 3], sizeof tables[0] };
	}
	run(note, task, 0, 2, offsets, span_of("abcd"));
	told = listen();
	ck_assert_int_eq(told->failed, 2);
	ck_assert_int_eq(told->items, 2);
	ck_assert_int_eq(told->code, XC_EPROTO);
	ck_assert_int_eq(runs, 0);
}
END_TEST

/* ---- Results ----------------------------------------------------------------------------- */

static int give(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	if (xc_task_index(task) % 3 == 1)
		return 0;
	return xc_task_return(task, "0123456789", (size_t)xc_task_index(task));
}

START_TEST(test_any_length)
{
	struct told *told;
	size_t at = 0;
	uint64_t size;

	run(give, (struct task_frame){ .form = FORM_RANGE }, 0, 6, none, none);
	told = listen();
	for (uint64_t i = 0; i < 6; i++) {
		memcpy(&size, told->bytes + at, 8);
		ck_assert_uint_eq(size, i % 3 == 1 ? UINT64_MAX : i);
		at += 8 + (i % 3 == 1 ? 0 : i);
	}
	ck_assert_uint_eq(told->size, at);
}
END_TEST

static int give_and_fail(struct xc_task *task, const void *in, void *out)
{
	static char bytes[10000];

	(void)in;
	(void)out;
	xc_task_return(task, bytes, sizeof bytes);
	return xc_task_index(task) % 5 == 4 ? xc_task_fail(task, "item %d", 1) : 0;
}

/* Pieces fill up with results while items fail: each failure is of its piece. */
START_TEST(test_many_pieces)
{
	struct told *told;

	run(give_and_fail, (struct task_frame){ .form = FORM_RANGE }, 0, 1000, none, none);
	told = listen();
	ck_assert_int_eq(told->items, 1000);
	ck_assert_int_eq(told->failed, 200);
	ck_assert_int_gt(told->pieces, 5);
}
END_TEST

START_TEST(test_fixed_size_has_no_return)
{
	struct told *told;

	run(give, (struct task_frame){ .form = FORM_RANGE, .out_size = 8 }, 2, 1, none, none);
	told = listen();
	ck_assert_int_eq(told->failed, 1);
	ck_assert_ptr_nonnull(strstr(told->text, "fixed size"));
}
END_TEST

/* ---- Failures ------------------------------------------------------------------------------ */

static int fail_with_long_text(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return xc_task_fail(task, "%0900d", (int)xc_task_index(task));
}

/* More texts than a piece has room for: none is lost. */
START_TEST(test_many_failures)
{
	struct told *told;

	run(fail_with_long_text, (struct task_frame){ .form = FORM_RANGE, .out_size = _i ? 8 : 0 },
	    0, 3000, none, none);
	told = listen();
	ck_assert_int_eq(told->items, 3000);
	ck_assert_int_eq(told->failed, 3000);
	ck_assert_int_eq(told->code, XC_TASK_FAILED);
}
END_TEST

static int fail_sometimes(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return xc_task_index(task) % 4 == 3 ? 42 : 0;
}

START_TEST(test_codes)
{
	struct told *told;

	run(fail_sometimes, (struct task_frame){ .form = FORM_RANGE }, 0, 100, none, none);
	told = listen();
	ck_assert_int_eq(told->failed, 25);
	ck_assert_int_eq(told->code, 42);
	ck_assert_str_eq(told->text, "");
}
END_TEST

/* A frame that is none, and sizes in it that nobody has. */
START_TEST(test_frame_that_cannot_be)
{
	struct told *told;

	run(NULL,
	    (struct task_frame){ .kind = FUNCTION_BUILTIN,
				 .number = BUILTIN_PUSH,
				 .form = FORM_RANGE,
				 .out_size = UINT64_MAX },
	    0, 3, none, none);
	told = listen();
	ck_assert_int_eq(told->failed, 3);
	ck_assert_int_eq(told->code, XC_EPROTO);
	run(NULL, (struct task_frame){ .kind = FUNCTION_BUILTIN, .number = 99 }, 0, 3, none, none);
	told = listen();
	ck_assert_int_eq(told->failed, 3);
	ck_assert_str_eq(told->text, "no such built-in task");
}
END_TEST

/* ---- Taken and cancelled --------------------------------------------------------------------- */

static int take_the_rest(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	runs++;
	if (xc_task_index(task) == 2)
		claim_take(rig.page, slices, 10, true);
	return 0;
}

START_TEST(test_taken)
{
	run(take_the_rest, (struct task_frame){ .form = FORM_RANGE }, 0, 10, none, none);
	ck_assert_int_eq(listen()->items, runs);
	ck_assert_int_lt(runs, 10);
	ck_assert_int_ge(runs, 3);
}
END_TEST

static int is_cancelled(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	if (xc_task_index(task) == 1)
		rig.page->cancel[slices % PAGE_CLAIMS] = slices;
	seen[runs++] = xc_task_is_cancelled(task);
	return 0;
}

START_TEST(test_cancelled)
{
	run(is_cancelled, (struct task_frame){ .form = FORM_RANGE }, 0, 3, none, none);
	listen();
	ck_assert_int_eq(seen[0], 0);
	ck_assert_int_eq(seen[1], 1);
}
END_TEST

static int interrupt_third(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	if (runs++ == 2)
		raise(SIGINT);
	seen[runs] = xc_task_is_cancelled(task);
	return seen[runs] && e->now.task.step == 2 ? 7 : 0;
}

/* It hits the running item alone, which ends as cancelled if it does not end well. */
START_TEST(test_interrupted)
{
	struct told *told;

	signals_catch(e);
	raise(SIGINT); /* nothing runs */
	run(interrupt_third, (struct task_frame){ .form = FORM_RANGE, .step = _i + 1 }, 0, 5, none,
	    none);
	told = listen();
	ck_assert_int_eq(told->items, 5);
	ck_assert_int_eq(told->failed, _i);
	ck_assert_str_eq(told->text, _i ? "interrupted" : "");
	ck_assert_uint_eq(told->state, _i ? XC_CANCELLED : 0);
	for (int i = 1; i <= 5; i++)
		ck_assert_int_eq(seen[i], i == 3);
	raise(SIGINT);
	ck_assert_uint_eq(rig.page->cancel[slices % PAGE_CLAIMS], cancel_word(slices, 2));
}
END_TEST

static int end_at_third(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	if (++runs == 3)
		rig.page->ending = ENDING_ASKED;
	return 0;
}

/* The item ends, and the rest goes back. */
START_TEST(test_ending)
{
	struct msg_done done;

	run(end_at_third, (struct task_frame){ .form = FORM_RANGE, .step = 1 }, 0, 100, none, none);
	done = RIG_EXPECT(from_engine, DONE, done);
	ck_assert_int_eq(done.count, 3);
	ck_assert_uint_eq(done.last, 0);
	ck_assert_int_eq(runs, 3);
	ck_assert_uint_eq(rig.page->piece.slice, 0);
	ck_assert_int_eq(rig.page->item, -1);
}
END_TEST

static char order[10];

static void add_letter(void *letter)
{
	strcat(order, letter);
}

static int clean_up(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return xc_task_cleanup(task, add_letter, "a") | xc_task_cleanup(task, add_letter, "b") |
	       (xc_task_cleanup(task, NULL, "c") == -EINVAL ? 0 : 1);
}

START_TEST(test_cleanups)
{
	run(clean_up, (struct task_frame){ .form = FORM_RANGE, .step = 1 }, 0, 2, none, none);
	ck_assert_int_eq(listen()->failed, 0);
	ck_assert_str_eq(order, "");
	cleanup_run(e, NULL);
	ck_assert_str_eq(order, "baba");
	cleanup_run(e, NULL);
	ck_assert_str_eq(order, "baba");
}
END_TEST

static int note_limits(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	seen[runs++] = rig.page->item_start_ns && rig.page->limit_ns == 5000000000 &&
		       rig.page->item == xc_task_index(task) - 10 && xc_task_attempt(task) == 2;
	return 0;
}

/* What the agent watches. */
START_TEST(test_progress_page)
{
	run(note_limits, (struct task_frame){ .form = FORM_RANGE, .time_limit_ns = 5000000000 }, 10,
	    3, none, none);
	listen();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(seen[i], 1);
	ck_assert_uint_eq(rig.page->item_start_ns, 0);
	ck_assert_uint_eq(rig.page->limit_ns, 0);
}
END_TEST

/* ---- Built-in tasks -----------------------------------------------------------------------------
 */

static struct told *run_builtin(enum builtin number, const char *name, struct span in)
{
	run(NULL,
	    (struct task_frame){ .kind = FUNCTION_BUILTIN,
				 .number = number,
				 .form = FORM_SAME,
				 .in_size = in.size,
				 .name = span_of(name) },
	    0, 1, none, in);
	return listen();
}

static int use_variable(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *x = xc_task_array(task, "X");
	double twice[2];

	(void)in;
	(void)out;
	if (!x)
		return XC_ENOVAR;
	for (int i = 0; i < 2; i++)
		twice[i] = 2 * ((const double *)x->data)[i];
	return xc_task_set(task, "Y", XC_ARRAY_F64(twice, 2));
}

START_TEST(test_push_use_pull_clear)
{
	unsigned char frame[ARRAY_HEADER_SIZE + 16];
	double values[2] = { 1.5, 2.5 };
	struct array_frame array;
	struct told *told;

	run(use_variable, (struct task_frame){ .form = FORM_RANGE }, 0, 1, none, none);
	told = listen();
	ck_assert_int_eq(told->code, -XC_ENOVAR); /* negative ones are not a task's */
	ck_assert_str_eq(told->text, "no variable \"X\" on engine 7: it has none");
	array_header_write(frame, XC_ARRAY_F64(values, 2), NULL);
	memcpy(frame + ARRAY_HEADER_SIZE, values, 16);
	ck_assert_int_eq(
		run_builtin(BUILTIN_PUSH, "X", (struct span){ frame, sizeof frame })->failed, 0);
	run(use_variable, (struct task_frame){ .form = FORM_RANGE }, 0, 1, none, none);
	ck_assert_int_eq(listen()->failed, 0);
	told = run_builtin(BUILTIN_PULL, "Y", none);
	ck_assert_int_eq(told->failed, 0);
	ck_assert_uint_eq(told->size, 8 + ARRAY_HEADER_SIZE + 16);
	ck_assert_int_eq(array_frame_parse(&array, told->bytes + 8, told->size - 8), 0);
	ck_assert_double_eq(((const double *)array.array.data)[1], 5);
	ck_assert_int_eq(run_builtin(BUILTIN_SWEEP, "YY", none)->failed, 0);
	ck_assert_int_eq(run_builtin(BUILTIN_PULL, "Y", none)->failed, 0);
	ck_assert_int_eq(
		run_builtin(BUILTIN_PUSH, "YY", (struct span){ frame, sizeof frame })->failed, 0);
	ck_assert_int_eq(run_builtin(BUILTIN_SWEEP, "YY", none)->failed, 0);
	ck_assert_int_eq(run_builtin(BUILTIN_PULL, "YY", none)->code, XC_ENOVAR);
	ck_assert_int_eq(run_builtin(BUILTIN_CLEAR, "Y", none)->failed, 0);
	told = run_builtin(BUILTIN_PULL, "Y", none);
	ck_assert_int_eq(told->failed, 1);
	ck_assert_int_eq(told->code, XC_ENOVAR);
}
END_TEST

START_TEST(test_push_of_nothing)
{
	struct told *told = run_builtin(BUILTIN_PUSH, "X", span_of("no array"));

	ck_assert_int_eq(told->failed, 1);
	ck_assert_int_eq(told->code, XC_EPROTO);
	told = run_builtin(BUILTIN_LOAD, "X", none);
	ck_assert_int_eq(told->code, XC_EPROTO);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("slice");

	tcase_add_checked_fixture(tests, begin, rig_close);
	tcase_add_test(tests, test_range);
	tcase_add_test(tests, test_strided);
	tcase_add_test(tests, test_same);
	tcase_add_test(tests, test_packed);
	tcase_add_test(tests, test_packed_apart);
	tcase_add_loop_test(tests, test_inputs_that_cannot_be, 0, 6);
	tcase_add_test(tests, test_any_length);
	tcase_add_test(tests, test_many_pieces);
	tcase_add_test(tests, test_fixed_size_has_no_return);
	tcase_add_loop_test(tests, test_many_failures, 0, 2);
	tcase_add_test(tests, test_codes);
	tcase_add_test(tests, test_frame_that_cannot_be);
	tcase_add_test(tests, test_taken);
	tcase_add_test(tests, test_cancelled);
	tcase_add_loop_test(tests, test_interrupted, 0, 2);
	tcase_add_test(tests, test_ending);
	tcase_add_test(tests, test_cleanups);
	tcase_add_test(tests, test_progress_page);
	tcase_add_test(tests, test_push_use_pull_clear);
	tcase_add_test(tests, test_push_of_nothing);
	return unit_run(tests);
}
