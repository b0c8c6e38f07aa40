/* fuzz_message.c: any bytes as a header; what is read back is packed to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A span of a message must lie within its header. */
static void use_str(struct span span, const uint8_t *data, size_t size)
{
	const uint8_t *p = span.data;

	if (span.size && (p < data || p > data + size || span.size > (size_t)(data + size - p)))
		abort();
}

#define use_bin		     use_str
#define use_u64(value, d, s) ((void)(value))
#define use_i64(value, d, s) ((void)(value))
#define use_f64(value, d, s) ((void)(value))
#define USE(type, name)	     use_##type(m.name, data, size);
#define PACKED_MAX	     (2 * HEADER_MAX)

/* Reading what was packed again gives the same bytes again. */
#define CASE(upper, lower)                                                                         \
	case MSG_##upper: {                                                                        \
		static unsigned char first[PACKED_MAX], second[PACKED_MAX];                        \
		struct msg_##lower m;                                                              \
		struct reader again;                                                               \
		size_t n;                                                                          \
                                                                                                   \
		if (msg_##lower##_get(&r, &m) < 0)                                                 \
			break;                                                                     \
		FIELDS_##upper(USE);                                                               \
		n = msg_##lower##_pack(first, sizeof first, &m);                                   \
		if (!n)                                                                            \
			break;                                                                     \
		if (message_type(&again, first, n) != MSG_##upper ||                               \
		    msg_##lower##_get(&again, &m) < 0 ||                                           \
		    msg_##lower##_pack(second, sizeof second, &m) != n ||                          \
		    memcmp(first, second, n) != 0)                                                 \
			abort();                                                                   \
		break;                                                                             \
	}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r;

	switch (message_type(&r, data, size)) {
		MESSAGE_STRUCTS(CASE)
	default:
		break;
	}
	return 0;
}
