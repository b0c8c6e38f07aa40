/* task.c: task frames, failure runs and arrays as bytes. */
#include "proto/task.h"

#include <string.h>

#define PUT(type, name)	  put_##type(&w, t->name);
#define GET(type, name)	  t->name = get_##type(&r);
#define COUNT(type, name) +1

#define SIZE_LIMIT (UINT64_C(1) << 40)

size_t task_frame_pack(void *buffer, size_t size, const struct task_frame *t)
{
	struct writer w;

	writer_init(&w, buffer, size);
	put_array(&w, 0 TASK_FIELDS(COUNT));
	TASK_FIELDS(PUT)
	return w.bad ? 0 : w.used;
}

/* Nothing is said of streams where there are none. */
static bool has_valid_streams(const struct task_frame *t)
{
	if (t->streams == STREAMS_NONE)
		return !t->bitgen && !t->stream_first && !t->stream_step && !t->pool_hash &&
		       !t->pool.size;
	return t->streams <= STREAMS_JUMPED && t->bitgen <= XC_PHILOX && t->stream_first >= 0 &&
	       t->stream_step <= 1 && t->pool_hash <= UINT32_MAX && t->pool.size % 4 == 0 &&
	       t->pool.size >= 4 * POOL_WORDS_MIN && t->pool.size <= 4 * POOL_WORDS_MAX;
}

int task_frame_parse(struct task_frame *out, const void *frame, size_t size)
{
	struct task_frame task, *t = &task;
	struct reader r;

	reader_init(&r, frame, size);
	if (get_array(&r) != 0 TASK_FIELDS(COUNT))
		return XC_EPROTO;
	TASK_FIELDS(GET)
	if (!reader_is_done(&r) || t->kind > FUNCTION_SYMBOL || t->form > FORM_SAME ||
	    t->in_size > SIZE_LIMIT || t->out_size > SIZE_LIMIT)
		return XC_EPROTO;
	if (t->kind != FUNCTION_BUILTIN && t->object.size != OBJECT_SIZE)
		return XC_EPROTO;
	if (!has_valid_streams(t) || t->reduce.size > REDUCE_SPEC_MAX)
		return XC_EPROTO;
	*out = task;
	return 0;
}

#undef PUT
#undef GET
#define PUT(type, name) put_##type(&w, spec->name);
#define GET(type, name) out.name = get_##type(&r);

size_t reduce_spec_pack(void *buffer, size_t size, const struct reduce_spec *spec)
{
	struct writer w;

	writer_init(&w, buffer, size);
	put_array(&w, 0 REDUCE_FIELDS(COUNT));
	REDUCE_FIELDS(PUT)
	return w.bad ? 0 : w.used;
}

int reduce_spec_parse(struct reduce_spec *spec, struct span bytes)
{
	struct reduce_spec out;
	struct reader r;

	reader_init(&r, bytes.data, bytes.size);
	if (get_array(&r) != 0 REDUCE_FIELDS(COUNT))
		return XC_EPROTO;
	REDUCE_FIELDS(GET)
	if (!reader_is_done(&r))
		return XC_EPROTO;
	*spec = out;
	return 0;
}

#undef PUT
#undef GET
#define PUT(type, name) put_##type(&w, f->name);
#define GET(type, name) f->name = get_##type(r);

size_t failure_run_pack(void *buffer, size_t size, const struct failure_run *f)
{
	struct writer w;

	writer_init(&w, buffer, size);
	FAILURE_NUMBERS(PUT)
	if (run_is_output(f))
		put_bin(&w, f->text);
	else
		put_str(&w, f->text);
	return w.bad ? 0 : w.used;
}

int failure_run_next(struct reader *r, struct failure_run *f)
{
	if (reader_is_done(r))
		return 0;
	FAILURE_NUMBERS(GET)
	f->text = run_is_output(f) ? get_bin(r) : get_str(r);
	if (r->bad || f->first < 0 || f->count < 1 || f->count > INT64_MAX - f->first)
		return XC_EPROTO;
	if (run_is_output(f))
		return f->count == 1 && f->code >= 0 ? 1 : XC_EPROTO;
	return f->state <= XC_LOST || f->state == FAILURE_RETRY ? 1 : XC_EPROTO;
}

/* magic "xcar", dtype, ndim, is_object, zero, shape[8], object[32], zero[8] */
static void put_le(unsigned char *p, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get_le(const unsigned char *p, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value |= (uint64_t)p[i] << 8 * i;
	return value;
}

void array_header_write(void *header, const struct xc_array *array, const unsigned char *object)
{
	unsigned char *p = header;

	memset(p, 0, ARRAY_HEADER_SIZE);
	memcpy(p, "xcar", 4);
	p[4] = (unsigned char)array->dtype;
	p[5] = (unsigned char)array->ndim;
	p[6] = object ? 1 : 0;
	for (int i = 0; i < array->ndim; i++)
		put_le(p + 8 + 8 * i, (uint64_t)array->shape[i], 8);
	if (object)
		memcpy(p + 72, object, OBJECT_SIZE);
}

int array_frame_parse(struct array_frame *a, const void *frame, size_t size)
{
	const unsigned char *p = frame;
	struct array_frame out = { .array = { .dtype = 0 } };
	int64_t bytes;

	if (size < ARRAY_HEADER_SIZE || memcmp(p, "xcar", 4) != 0 || !dtype_size(p[4]) ||
	    p[5] > XC_MAX_DIMS || p[6] > 1)
		return XC_EPROTO;
	out.array.dtype = (enum xc_dtype)p[4];
	out.array.ndim = p[5];
	out.is_object = p[6];
	for (int i = 0; i < out.array.ndim; i++)
		out.array.shape[i] = (int64_t)get_le(p + 8 + 8 * i, 8);
	memcpy(out.object, p + 72, OBJECT_SIZE);
	bytes = xc_array_size(&out.array);
	if (bytes < 0)
		return XC_EPROTO;
	if (out.is_object ? size != ARRAY_HEADER_SIZE : (uint64_t)bytes != size - ARRAY_HEADER_SIZE)
		return XC_EPROTO;
	if (!out.is_object)
		out.array.data = p + ARRAY_HEADER_SIZE;
	*a = out;
	return 0;
}
