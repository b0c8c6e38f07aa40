/* test_task.c: task frames, failure runs and array frames, and what is none. */
#include <string.h>

#include "proto/task.h"
#include "tests/unit/unit.h"

static unsigned char bytes[TASK_FRAME_MAX];
static unsigned char id[OBJECT_SIZE] = { 1, 2, 3 };
static const unsigned char pool[4 * POOL_WORDS_MAX + 4] = { 4, 5, 6 };

static struct task_frame good_task(void)
{
	return (struct task_frame){ .kind = FUNCTION_OFFSET,
				    .number = 0x1234,
				    .object = { id, OBJECT_SIZE },
				    .program = span_of("loo"),
				    .symbol = span_of("fit"),
				    .form = FORM_STRIDED,
				    .in_size = 24,
				    .start = -5,
				    .step = INT64_MIN,
				    .out_size = UINT64_C(1) << 40,
				    .time_limit_ns = UINT64_MAX,
				    .name = span_of("X") };
}

static int parse(const struct task_frame *t)
{
	struct task_frame out;
	size_t size = task_frame_pack(bytes, sizeof bytes, t);

	ck_assert_uint_gt(size, 0);
	return task_frame_parse(&out, bytes, size);
}

START_TEST(test_task_round_trip)
{
	struct task_frame in = good_task(), out;
	size_t size = task_frame_pack(bytes, sizeof bytes, &in);

	ck_assert_int_eq(task_frame_parse(&out, bytes, size), 0);
	ck_assert_uint_eq(out.kind, in.kind);
	ck_assert_uint_eq(out.number, in.number);
	ck_assert_mem_eq(out.object.data, id, OBJECT_SIZE);
	ck_assert_mem_eq(out.program.data, "loo", 3);
	ck_assert_mem_eq(out.symbol.data, "fit", 3);
	ck_assert_uint_eq(out.form, in.form);
	ck_assert_uint_eq(out.in_size, in.in_size);
	ck_assert_int_eq(out.start, in.start);
	ck_assert_int_eq(out.step, in.step);
	ck_assert_uint_eq(out.out_size, in.out_size);
	ck_assert_uint_eq(out.time_limit_ns, in.time_limit_ns);
	ck_assert_uint_eq(out.name.size, 1);
}
END_TEST

START_TEST(test_task_cut_anywhere)
{
	struct task_frame in = good_task(), out;
	size_t size = task_frame_pack(bytes, sizeof bytes, &in);

	for (size_t n = 0; n < size; n++) {
		unsigned char *copy = malloc(n ? n : 1);

		memcpy(copy, bytes, n);
		memset(&out, 0x5a, sizeof out);
		ck_assert_int_eq(task_frame_parse(&out, copy, n), XC_EPROTO);
		free(copy);
	}
	bytes[size] = 0;
	ck_assert_int_eq(task_frame_parse(&out, bytes, size + 1), XC_EPROTO);
	ck_assert_uint_eq(task_frame_pack(bytes, size - 1, &in), 0);
}
END_TEST

/* N.B. who gets a refusal goes on to look at sizes: they must not be a stranger's. */
START_TEST(test_task_refused_leaves_output)
{
	struct task_frame in = good_task(), out, before;
	size_t size;

	in.out_size = UINT64_MAX;
	size = task_frame_pack(bytes, sizeof bytes, &in);
	memset(&out, 0, sizeof out);
	memset(&before, 0, sizeof before);
	ck_assert_int_eq(task_frame_parse(&out, bytes, size), XC_EPROTO);
	ck_assert_mem_eq(&out, &before, sizeof out);
}
END_TEST

START_TEST(test_task_that_cannot_be)
{
	struct task_frame t = good_task();

	ck_assert_int_eq(parse(&t), 0);
	t.kind = FUNCTION_SYMBOL + 1;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t = good_task();
	t.form = FORM_SAME + 1;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t = good_task();
	t.in_size = (UINT64_C(1) << 40) + 1;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t = good_task();
	t.out_size = (UINT64_C(1) << 40) + 1;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t = good_task();
	t.object.size = OBJECT_SIZE - 1;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t.kind = FUNCTION_SYMBOL;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t.kind = FUNCTION_BUILTIN; /* those need none */
	ck_assert_int_eq(parse(&t), 0);
}
END_TEST

static struct task_frame seeded_task(void)
{
	struct task_frame t = good_task();

	t.streams = STREAMS_JUMPED;
	t.bitgen = XC_PHILOX;
	t.stream_first = INT64_MAX;
	t.stream_step = 1;
	t.pool_hash = UINT32_MAX;
	t.pool = (struct span){ pool, 4 * POOL_WORDS_MAX };
	return t;
}

START_TEST(test_streams_round_trip)
{
	struct task_frame in = seeded_task(), out;
	size_t size = task_frame_pack(bytes, sizeof bytes, &in);

	ck_assert_int_eq(task_frame_parse(&out, bytes, size), 0);
	ck_assert_uint_eq(out.streams, STREAMS_JUMPED);
	ck_assert_uint_eq(out.bitgen, XC_PHILOX);
	ck_assert_int_eq(out.stream_first, INT64_MAX);
	ck_assert_uint_eq(out.stream_step, 1);
	ck_assert_uint_eq(out.pool_hash, UINT32_MAX);
	ck_assert_uint_eq(out.pool.size, 4 * POOL_WORDS_MAX);
	ck_assert_mem_eq(out.pool.data, pool, out.pool.size);
}
END_TEST

START_TEST(test_streams_that_cannot_be)
{
	struct task_frame t = seeded_task();

	t.streams = STREAMS_JUMPED + 1;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t = seeded_task();
	t.bitgen = XC_PHILOX + 1;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t = seeded_task();
	t.stream_first = -1;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t = seeded_task();
	t.stream_step = 2;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t = seeded_task();
	t.pool_hash = UINT64_C(1) << 32;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t = seeded_task();
	t.pool.size = 4 * POOL_WORDS_MIN;
	ck_assert_int_eq(parse(&t), 0);
	t.pool.size--;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t.pool.size = 4 * POOL_WORDS_MIN - 4;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t.pool.size = 4 * POOL_WORDS_MAX + 4;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
	t = seeded_task(); /* of no streams nothing is said */
	t.streams = STREAMS_NONE;
	ck_assert_int_eq(parse(&t), XC_EPROTO);
}
END_TEST

/* As in docs/protocol.md. */
START_TEST(test_documented_task)
{
	static const unsigned char head[] = { 0xdc, 0x00, 0x14, 0x02, 0x00, 0xc4, 0x20 };
	static const unsigned char tail[] = { 0xac, 'l',  'i',	'b',  's',  'q',  'u',	'a',
					      'r',  'e',  '.',	's',  'o',  0xa6, 's',	'q',
					      'u',  'a',  'r',	'e',  0x00, 0x00, 0x00, 0x01,
					      0x08, 0x00, 0x00, 0xa0, 0x00, 0x00, 0x00, 0x00,
					      0x00, 0xc4, 0x00, 0xc4, 0x00 };
	struct task_frame t = { .kind = FUNCTION_SYMBOL,
				.object = { id, OBJECT_SIZE },
				.program = span_of("libsquare.so"),
				.symbol = span_of("square"),
				.step = 1,
				.out_size = 8 };
	size_t size = task_frame_pack(bytes, sizeof bytes, &t);

	ck_assert_uint_eq(size, 76);
	ck_assert_mem_eq(bytes, head, sizeof head);
	ck_assert_mem_eq(bytes + sizeof head, id, OBJECT_SIZE);
	ck_assert_mem_eq(bytes + sizeof head + OBJECT_SIZE, tail, sizeof tail);
}
END_TEST

START_TEST(test_longest_task_fits)
{
	struct task_frame t = seeded_task();
	static unsigned char reduce[REDUCE_SPEC_MAX];
	char text[255];

	memset(text, 'x', sizeof text);
	t.program = t.symbol = t.name = (struct span){ text, sizeof text };
	t.number = t.in_size = t.out_size = UINT64_C(1) << 40;
	t.reduce = (struct span){ reduce, sizeof reduce };
	t.start = INT64_MIN;
	ck_assert_int_eq(parse(&t), 0);
}
END_TEST

/* ---- Failure runs ------------------------------------------------------------------- */

static int read_run(const struct failure_run *in, struct failure_run *out)
{
	struct reader r;

	reader_init(&r, bytes, failure_run_pack(bytes, sizeof bytes, in));
	return failure_run_next(&r, out);
}

START_TEST(test_runs)
{
	static const uint64_t states[] = { XC_FAILED, XC_LOST, FAILURE_RETRY };
	struct failure_run run;
	struct reader r;
	size_t used = 0;

	for (int i = 0; i < 3; i++) {
		run = (struct failure_run){ .first = 10 * i,
					    .count = i + 1,
					    .state = states[i],
					    .code = -i,
					    .attempts = 2,
					    .text = span_of("why not") };
		used += failure_run_pack(bytes + used, sizeof bytes - used, &run);
	}
	reader_init(&r, bytes, used);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(failure_run_next(&r, &run), 1);
		ck_assert_int_eq(run.first, 10 * i);
		ck_assert_int_eq(run.count, i + 1);
		ck_assert_uint_eq(run.state, states[i]);
		ck_assert_int_eq(run.code, -i);
		ck_assert_uint_eq(run.attempts, 2);
		ck_assert_mem_eq(run.text.data, "why not", 7);
	}
	ck_assert_int_eq(failure_run_next(&r, &run), 0);
	ck_assert_int_eq(failure_run_next(&r, &run), 0);
}
END_TEST

START_TEST(test_runs_cut)
{
	struct failure_run run = { .first = 1, .count = 1, .text = span_of("text") };
	size_t size = failure_run_pack(bytes, sizeof bytes, &run);
	struct reader r;

	for (size_t n = 1; n < size; n++) {
		reader_init(&r, bytes, n);
		ck_assert_int_eq(failure_run_next(&r, &run), XC_EPROTO);
	}
}
END_TEST

START_TEST(test_runs_that_cannot_be)
{
	struct failure_run out, run = { .first = 0, .count = 1, .state = XC_FAILED };

	ck_assert_int_eq(read_run(&run, &out), 1);
	run.first = -1;
	ck_assert_int_eq(read_run(&run, &out), XC_EPROTO);
	run.first = INT64_MAX - 1;
	ck_assert_int_eq(read_run(&run, &out), 1);
	run.count = 2;
	ck_assert_int_eq(read_run(&run, &out), XC_EPROTO);
	run.first = 0;
	run.count = 0;
	ck_assert_int_eq(read_run(&run, &out), XC_EPROTO);
	run.count = 1;
	run.state = XC_LOST + 1;
	ck_assert_int_eq(read_run(&run, &out), XC_EPROTO);
	run.state = OUTPUT_LIVE + 1;
	ck_assert_int_eq(read_run(&run, &out), XC_EPROTO);
}
END_TEST

/* As in docs/protocol.md. */
START_TEST(test_output)
{
	static const unsigned char documented[] = { 0x02, 0x01, 0x65, 0x00, 0x01,
						    0xc4, 0x03, 0x68, 0x69, 0x0a };
	struct failure_run out, run = { .first = 2,
					.count = 1,
					.state = OUTPUT_WHOLE,
					.attempts = 1,
					.text = span_of("hi\n") };

	ck_assert_int_eq(read_run(&run, &out), 1);
	ck_assert_mem_eq(bytes, documented, sizeof documented);
	ck_assert(run_is_output(&out));
	ck_assert_uint_eq(out.text.size, 3);
	bytes[5] = 0xa3; /* a text, without the length that follows */
	bytes[6] = 'x';
	ck_assert_int_eq(failure_run_next(&(struct reader){ (char *)bytes, 10, 0, false }, &out),
			 XC_EPROTO);
	run.state = OUTPUT_LIVE;
	run.code = -1;
	ck_assert_int_eq(read_run(&run, &out), XC_EPROTO);
	run.code = INT64_MAX;
	ck_assert_int_eq(read_run(&run, &out), 1);
	run.count = 2;
	ck_assert_int_eq(read_run(&run, &out), XC_EPROTO);
}
END_TEST

START_TEST(test_longest_run_fits)
{
	char text[FAILURE_TEXT_MAX];
	struct failure_run out, run = { .first = INT64_MAX / 2,
					.count = INT64_MAX / 2,
					.state = FAILURE_RETRY,
					.code = INT64_MIN,
					.attempts = UINT64_MAX,
					.text = { text, sizeof text } };

	memset(text, 'x', sizeof text);
	ck_assert_uint_gt(failure_run_pack(bytes, FAILURE_RUN_MAX, &run), 0);
	ck_assert_int_eq(read_run(&run, &out), 1);
	ck_assert_uint_eq(out.text.size, sizeof text);
}
END_TEST

/* ---- Arrays ---------------------------------------------------------------------------- */

static unsigned char frame[ARRAY_HEADER_SIZE + 4096];
static const double values[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

static size_t write_frame(const struct xc_array *array, const unsigned char *object)
{
	size_t size = object ? 0 : (size_t)xc_array_size(array);

	array_header_write(frame, array, object);
	if (size)
		memcpy(frame + ARRAY_HEADER_SIZE, array->data, size);
	return ARRAY_HEADER_SIZE + size;
}

START_TEST(test_array_round_trip)
{
	const struct xc_array *in = XC_ARRAY_F64(values, 3, 4);
	struct array_frame out;
	size_t size = write_frame(in, NULL);

	ck_assert_int_eq(array_frame_parse(&out, frame, size), 0);
	ck_assert_int_eq(out.array.dtype, XC_F64);
	ck_assert_int_eq(out.array.ndim, 2);
	ck_assert_int_eq(out.array.shape[0], 3);
	ck_assert_int_eq(out.array.shape[1], 4);
	ck_assert(!out.is_object);
	ck_assert_mem_eq(out.array.data, values, sizeof values);
	/* an object: the header alone */
	size = write_frame(in, id);
	ck_assert_uint_eq(size, ARRAY_HEADER_SIZE);
	ck_assert_int_eq(array_frame_parse(&out, frame, size), 0);
	ck_assert(out.is_object);
	ck_assert_mem_eq(out.object, id, OBJECT_SIZE);
	ck_assert_ptr_null(out.array.data);
	/* a scalar, and nothing */
	ck_assert_int_eq(
		array_frame_parse(&out, frame, write_frame(XC_SCALAR(XC_F64, values), NULL)), 0);
	ck_assert_int_eq(out.array.ndim, 0);
	ck_assert_int_eq(array_frame_parse(&out, frame, write_frame(XC_ARRAY_F64(NULL, 0), NULL)),
			 0);
}
END_TEST

START_TEST(test_array_sizes_must_agree)
{
	size_t size = write_frame(XC_ARRAY_F64(values, 12), NULL);
	struct array_frame out = { .is_object = true };

	for (size_t n = 0; n < size; n++)
		ck_assert_int_eq(array_frame_parse(&out, frame, n), XC_EPROTO);
	ck_assert_int_eq(array_frame_parse(&out, frame, size + 1), XC_EPROTO);
	ck_assert(out.is_object); /* untouched */
	size = write_frame(XC_ARRAY_F64(values, 12), id);
	ck_assert_int_eq(array_frame_parse(&out, frame, size + 1), XC_EPROTO);
}
END_TEST

/* One byte of the header at a time. */
START_TEST(test_array_that_cannot_be)
{
	static const struct {
		size_t at;
		unsigned char value;
	} changes[] = {
		{ 0, 'X' },   { 3, 'q' },   { 4, 200 }, { 5, XC_MAX_DIMS + 1 }, { 6, 2 }, { 8, 13 },
		{ 15, 0x80 }, { 15, 0x7f }, { 14, 1 },
	};
	size_t size = write_frame(XC_ARRAY_F64(values, 12), NULL);
	struct array_frame out;

	frame[changes[_i].at] = changes[_i].value;
	ck_assert_int_eq(array_frame_parse(&out, frame, size), XC_EPROTO);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("task");

	tcase_add_test(tests, test_task_round_trip);
	tcase_add_test(tests, test_task_cut_anywhere);
	tcase_add_test(tests, test_task_refused_leaves_output);
	tcase_add_test(tests, test_task_that_cannot_be);
	tcase_add_test(tests, test_streams_round_trip);
	tcase_add_test(tests, test_streams_that_cannot_be);
	tcase_add_test(tests, test_longest_task_fits);
	tcase_add_test(tests, test_documented_task);
	tcase_add_test(tests, test_runs);
	tcase_add_test(tests, test_runs_cut);
	tcase_add_test(tests, test_runs_that_cannot_be);
	tcase_add_test(tests, test_output);
	tcase_add_test(tests, test_longest_run_fits);
	tcase_add_test(tests, test_array_round_trip);
	tcase_add_test(tests, test_array_sizes_must_agree);
	tcase_add_loop_test(tests, test_array_that_cannot_be, 0, 9);
	return unit_run(tests);
}
