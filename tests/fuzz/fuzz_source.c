/* fuzz_source.c: source_parse on any bytes; what it takes must be written alike. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_span(const uint8_t *data, size_t size, struct span s)
{
	const uint8_t *at = s.data;

	if (at < data || at > data + size || s.size > (size_t)(data + size - at))
		abort();
}

static bool same(struct span a, struct span b)
{
	return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char header[SOURCE_HEADER_MAX];
	struct source s, again;

	if (source_parse(&s, data, size) != 1)
		return 0;
	check_span(data, size, s.name);
	check_span(data, size, s.compiler);
	check_span(data, size, s.flags);
	check_span(data, size, s.directory);
	check_span(data, size, s.text);
	size = source_header(header, sizeof header, &s);
	if (!size || source_parse(&again, header, size) != 1 || !same(s.name, again.name) ||
	    !same(s.compiler, again.compiler) || !same(s.flags, again.flags) ||
	    !same(s.directory, again.directory) || s.limit_ms != again.limit_ms)
		abort();
	return 0;
}
