/* task.h: the task frame (what to run on an item), failure runs, and arrays on
 * the wire. The controller passes task frames on unread. */
#ifndef PROTO_TASK_H
#define PROTO_TASK_H

#include "proto/message.h"
#include "xcluster.h"

enum function_kind {
	FUNCTION_BUILTIN, /* number: one of enum builtin */
	FUNCTION_OFFSET,  /* number: offset in the object */
	FUNCTION_SYMBOL,  /* symbol of the object */
};

enum builtin {
	BUILTIN_PUSH,	 /* in: array frame; name */
	BUILTIN_PULL,	 /* result: array frame; name */
	BUILTIN_CLEAR,	 /* name, or all */
	BUILTIN_LOAD,	 /* opens the object */
	BUILTIN_UNLOAD,	 /* closes it */
	BUILTIN_LOOK,	 /* as pull, but of what has more bytes than `in` says (u64) the header
			    alone: its object is this value of the variable, for part */
	BUILTIN_PART,	 /* out_size bytes from offset `in` of that value, `object`; name */
	BUILTIN_THREADS, /* in: how many threads libraries may use (u64) */
	BUILTIN_REFER,	 /* as pull, but an object of the store is named in place of its elements:
			    for push to other engines */
	BUILTIN_SWEEP,	 /* all variables whose names begin with name go */
};

/* What items draw from. */
enum stream_kind {
	STREAMS_NONE,
	STREAMS_SPAWNED, /* child j of a seed sequence */
	STREAMS_JUMPED,	 /* its generator, j jumps on */
};
/* Of the pool of a seed sequence, 4 bytes each. */
#define POOL_WORDS_MIN 4
#define POOL_WORDS_MAX 64

/* clang-format off */
/* `apart`: 1 when the items were submitted one by one: each is item 0 to its
 * task. The rest is on random numbers: item i has stream stream_first + i * stream_step;
 * `pool` is that of the seed sequence, `pool_hash` its running constant behind it; and on
 * results that are combined: `reduce`, a reduce_spec, or empty. */
#define TASK_FIELDS(F)                                                                             \
	F(u64, kind)                                                                               \
	F(u64, number)                                                                             \
	F(bin, object)                                                                             \
	F(str, program)                                                                            \
	F(str, symbol)                                                                             \
	F(u64, form)                                                                               \
	F(u64, in_size)                                                                            \
	F(i64, start) F(i64, step) F(u64, out_size) F(u64, time_limit_ns) F(u64, apart)            \
		F(str, name) F(u64, streams) F(u64, bitgen) F(i64, stream_first)                   \
			F(u64, stream_step) F(u64, pool_hash) F(bin, pool) F(bin, reduce)
/* clang-format on */

struct task_frame {
	TASK_FIELDS(MESSAGE_FIELD)
};
#define TASK_FRAME_MAX 4096

size_t task_frame_pack(void *buffer, size_t size, const struct task_frame *t);
/* 0, or XC_EPROTO for what cannot be (a form or kind that is none, a wrong
 * object size, a size over 2^40, no such streams). Spans point into the frame. */
int task_frame_parse(struct task_frame *t, const void *frame, size_t size);

/* How results are combined: see libcluster/reduce/reduce.h. `kind`: enum xc_reduce. `bins`: of
 * a histogram; values a level of a quantile sketch, which has `levels`. For
 * XC_REDUCE_OWN: the function, as object and offset, and its argument. */
/* clang-format off */
#define REDUCE_FIELDS(F)                                                                           \
	F(u64, kind) F(u64, dtype) F(u64, elements) F(u64, size) F(u64, bins) F(u64, levels)       \
	F(f64, low) F(f64, high)                                                                   \
	F(bin, object) F(str, program) F(u64, number) F(bin, argument)
/* clang-format on */

struct reduce_spec {
	REDUCE_FIELDS(MESSAGE_FIELD)
};
#define REDUCE_SPEC_MAX 1024

size_t reduce_spec_pack(void *buffer, size_t size, const struct reduce_spec *spec);
/* 0, or XC_EPROTO. Spans point into `bytes`. */
int reduce_spec_parse(struct reduce_spec *spec, struct span bytes);

/* A run of failures on the wire; a frame holds any number of them, end to end.
 * `state` is an enum xc_state, or FAILURE_RETRY for items that are going to run
 * again and have not ended, or one that says what an item has printed: */
#define FAILURE_RETRY	 100
#define OUTPUT_WHOLE	 101 /* by one run of it; `code` bytes are cut out in the middle of text */
#define OUTPUT_LIVE	 102 /* a part, while it runs; `code` bytes were printed before */
#define FAILURE_TEXT_MAX 1000
/* clang-format off */
#define FAILURE_NUMBERS(F)                                                                         \
	F(i64, first) F(i64, count) F(u64, state) F(i64, code) F(u64, attempts)
/* clang-format on */

/* `text` is bytes (msgpack bin) for output. */
struct failure_run {
	FAILURE_NUMBERS(MESSAGE_FIELD)
	struct span text;
};

/* What is kept of the output of one run of an item: so many bytes, half of them
 * from its beginning, half from its end; and of that of all items of a job. */
#define OUTPUT_MAX	(1 << 20)
#define OUTPUT_HALF	(OUTPUT_MAX / 2)
#define OUTPUT_JOB_MAX	(UINT64_C(16) << 20)
#define OUTPUT_LIVE_MAX 65536 /* in one message */
#define OUTPUT_RUN_MAX	(OUTPUT_MAX + 64)

static inline bool run_is_output(const struct failure_run *f)
{
	return f->state == OUTPUT_WHOLE || f->state == OUTPUT_LIVE;
}

#define FAILURE_RUN_MAX (FAILURE_TEXT_MAX + 64)

size_t failure_run_pack(void *buffer, size_t size, const struct failure_run *f);
/* Reads the next run: 1, 0 at the end, XC_EPROTO. */
int failure_run_next(struct reader *r, struct failure_run *f);

/* An array on the wire: a header of fixed size, then the elements, or nothing
 * where they are an object of the store. */
struct array_frame {
	struct xc_array array; /* data points into the frame, NULL for an object */
	bool is_object;
	unsigned char object[OBJECT_SIZE];
};
#define ARRAY_HEADER_SIZE 112

/* Writes ARRAY_HEADER_SIZE bytes; object NULL: the elements follow. */
void array_header_write(void *header, const struct xc_array *array, const unsigned char *object);
/* 0, or XC_EPROTO; checks that shape and bytes agree. */
int array_frame_parse(struct array_frame *a, const void *frame, size_t size);

/* Bytes of one element; 0 for a dtype that is none. */
size_t dtype_size(unsigned dtype);

#endif
