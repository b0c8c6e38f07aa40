/* pack.c: flat sequences of msgpack scalars on the caller's memory. */
#include "proto/pack.h"

#include <msgpack.h>
#include <string.h>

#include "proto/error.h"

void writer_init(struct writer *w, void *data, size_t size)
{
	*w = (struct writer){ .data = data, .size = size };
}

static int append(void *into, const char *bytes, size_t size)
{
	struct writer *w = into;

	if (w->bad || size > w->size - w->used) {
		w->bad = true;
		return -1;
	}
	memcpy(w->data + w->used, bytes, size);
	w->used += size;
	return 0;
}

static msgpack_packer packer(struct writer *w)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, w, append);
	return pk;
}

void put_array(struct writer *w, uint32_t count)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_array(&pk, count);
}

void put_u64(struct writer *w, uint64_t value)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_uint64(&pk, value);
}

void put_i64(struct writer *w, int64_t value)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_int64(&pk, value);
}

void put_f64(struct writer *w, double value)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_double(&pk, value);
}

void put_str(struct writer *w, struct span text)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_str(&pk, text.size);
	if (text.size)
		msgpack_pack_str_body(&pk, text.data, text.size);
}

void put_bin(struct writer *w, struct span bytes)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_bin(&pk, bytes.size);
	if (bytes.size)
		msgpack_pack_bin_body(&pk, bytes.data, bytes.size);
}

void reader_init(struct reader *r, const void *data, size_t size)
{
	*r = (struct reader){ .data = data, .size = size };
}

bool reader_is_done(const struct reader *r)
{
	return !r->bad && r->used == r->size;
}

static void fail(struct reader *r)
{
	r->bad = true;
	r->used = r->size;
}

/* Only numbers are handed to msgpack-c: for a hostile array or map it would
 * reserve as many elements as that claims to have. */
static bool is_number(unsigned char byte)
{
	return byte <= 0x7f || byte >= 0xe0 || (byte >= 0xca && byte <= 0xd3);
}

static msgpack_object next(struct reader *r, msgpack_object_type type)
{
	msgpack_object object = { 0 };

	if (r->bad || r->used >= r->size || !is_number((unsigned char)r->data[r->used])) {
		fail(r);
		return object;
	}
	switch (msgpack_unpack(r->data, r->size, &r->used, NULL, &object)) {
	case MSGPACK_UNPACK_SUCCESS:
	case MSGPACK_UNPACK_EXTRA_BYTES:
		break;
	default:
		fail(r);
		return (msgpack_object){ 0 };
	}
	if (object.type != type) {
		if (type == MSGPACK_OBJECT_NIL) /* any number */
			return object;
		fail(r);
		return (msgpack_object){ 0 };
	}
	return object;
}

uint32_t get_array(struct reader *r)
{
	const unsigned char *p = (const unsigned char *)r->data + r->used;
	size_t left = r->size - r->used;

	if (!r->bad && left >= 1 && (*p & 0xf0) == 0x90) {
		r->used += 1;
		return *p & 0x0f;
	}
	if (!r->bad && left >= 3 && *p == 0xdc) {
		r->used += 3;
		return (uint32_t)p[1] << 8 | p[2];
	}
	if (!r->bad && left >= 5 && *p == 0xdd) {
		r->used += 5;
		return (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	}
	fail(r);
	return 0;
}

uint64_t get_u64(struct reader *r)
{
	return next(r, MSGPACK_OBJECT_POSITIVE_INTEGER).via.u64;
}

int64_t get_i64(struct reader *r)
{
	msgpack_object object = next(r, MSGPACK_OBJECT_NIL);

	if (r->bad)
		return 0;
	if (object.type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		return object.via.i64;
	if (object.type == MSGPACK_OBJECT_POSITIVE_INTEGER && object.via.u64 <= INT64_MAX)
		return (int64_t)object.via.u64;
	fail(r);
	return 0;
}

double get_f64(struct reader *r)
{
	msgpack_object object = next(r, MSGPACK_OBJECT_NIL);

	if (r->bad)
		return 0;
	switch (object.type) {
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return object.via.f64;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		return (double)object.via.u64;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return (double)object.via.i64;
	default:
		fail(r);
		return 0;
	}
}

/* Big-endian length of `bytes` bytes that follows the type byte. */
static struct span take_bytes(struct reader *r, int bytes)
{
	const unsigned char *p = (const unsigned char *)r->data + r->used;
	struct span span = { NULL, 0 };
	size_t left = r->size - r->used;

	if (left < 1 + (size_t)bytes) {
		fail(r);
		return span;
	}
	if (bytes == 0)
		span.size = *p & 0x1f;
	for (int i = 1; i <= bytes; i++)
		span.size = span.size << 8 | p[i];
	if (span.size > left - 1 - (size_t)bytes) {
		fail(r);
		return (struct span){ NULL, 0 };
	}
	span.data = p + 1 + bytes;
	r->used += 1 + (size_t)bytes + span.size;
	return span;
}

/* N.B. msgpack_unpack would allocate a zone for each text, though it stores
 * nothing in it. */
struct span get_str(struct reader *r)
{
	unsigned char type = r->used < r->size ? (unsigned char)r->data[r->used] : 0;

	if (!r->bad && type >= 0xa0 && type <= 0xbf)
		return take_bytes(r, 0);
	if (!r->bad && type >= 0xd9 && type <= 0xdb)
		return take_bytes(r, 1 << (type - 0xd9));
	fail(r);
	return (struct span){ NULL, 0 };
}

struct span get_bin(struct reader *r)
{
	unsigned char type = r->used < r->size ? (unsigned char)r->data[r->used] : 0;

	if (!r->bad && type >= 0xc4 && type <= 0xc6)
		return take_bytes(r, 1 << (type - 0xc4));
	fail(r);
	return (struct span){ NULL, 0 };
}

void span_copy(char *text, size_t size, struct span from)
{
	size_t n = from.size < size - 1 ? from.size : size - 1;

	if (n)
		memcpy(text, from.data, n);
	text[n] = '\0';
	if (n < from.size)
		text_trim(text);
}

struct span span_of(const char *text)
{
	return (struct span){ text, text ? strlen(text) : 0 };
}
