/* pack.h: writing and reading flat sequences of msgpack scalars.
 *
 * Both work on memory that the caller owns, allocate nothing, and keep their
 * first failure (`bad`), so that a run of puts or gets is checked once. */
#ifndef PROTO_PACK_H
#define PROTO_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes. */
struct span {
	const void *data;
	size_t size;
};

struct writer {
	unsigned char *data;
	size_t size; /* room */
	size_t used;
	bool bad; /* it did not fit */
};

void writer_init(struct writer *w, void *data, size_t size);
void put_array(struct writer *w, uint32_t count);
void put_u64(struct writer *w, uint64_t value);
void put_i64(struct writer *w, int64_t value);
void put_f64(struct writer *w, double value);
void put_str(struct writer *w, struct span text);
void put_bin(struct writer *w, struct span bytes);

struct reader {
	const char *data;
	size_t size;
	size_t used;
	bool bad; /* truncated, of another type or out of range */
};

void reader_init(struct reader *r, const void *data, size_t size);
bool reader_is_done(const struct reader *r);
/* Once bad, every get returns 0 or an empty span. Spans point into the bytes
 * read. get_array returns the element count. */
uint32_t get_array(struct reader *r);
uint64_t get_u64(struct reader *r);
int64_t get_i64(struct reader *r);
double get_f64(struct reader *r);
struct span get_str(struct reader *r);
struct span get_bin(struct reader *r);

/* Copies a span as a string into a buffer, cut to fit. */
void span_copy(char *text, size_t size, struct span from);
struct span span_of(const char *text);

#endif
