/* source.h: source text as an object of the store: a magic line, header lines, an
 * empty line, and the text. */
#ifndef PROTO_SOURCE_H
#define PROTO_SOURCE_H

#include "proto/pack.h"
#include "xcluster.h"

#define SOURCE_MAGIC	  "#!xcluster-source 1\n"
#define SOURCE_LINE_MAX	  4095 /* of what stands in a header line */
#define SOURCE_HEADER_MAX (4 * (SOURCE_LINE_MAX + 16) + 64)
#define SOURCE_TEXT_MAX	  (UINT64_C(64) << 20)

/* Spans point into the object. */
struct source {
	struct span name;      /* of the file, without its folder */
	struct span compiler;  /* empty: the engine's own */
	struct span flags;     /* may be empty */
	struct span directory; /* for #include "..."; may be empty */
	uint64_t limit_ms;     /* that the compiler may take */
	struct span text;
};

enum source_language { SOURCE_C, SOURCE_CXX, SOURCE_FORTRAN, SOURCE_UNKNOWN };

/* By the ending of the file's name. */
enum source_language source_language(struct span name);

/* May stand in a header line: is short enough, and has no control characters. */
bool source_is_line(struct span text);

/* Writes all that stands before the text; the bytes written. 0 when it does not fit
 * or a line holds a control character. */
size_t source_header(void *buffer, size_t size, const struct source *s);

/* 1; 0: this is no source; XC_EPROTO: one that cannot be read. */
int source_parse(struct source *s, const void *bytes, size_t size);

#endif
