/* source.c: source text as an object of the store. */
#include "proto/source.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *ending;
	enum source_language language;
} endings[] = {
	{ "c", SOURCE_C },	   { "cc", SOURCE_CXX },      { "cpp", SOURCE_CXX },
	{ "cxx", SOURCE_CXX },	   { "C", SOURCE_CXX },	      { "f90", SOURCE_FORTRAN },
	{ "F90", SOURCE_FORTRAN }, { "f95", SOURCE_FORTRAN }, { "f03", SOURCE_FORTRAN },
	{ "f08", SOURCE_FORTRAN }, { "f", SOURCE_FORTRAN },   { "F", SOURCE_FORTRAN },
};

enum source_language source_language(struct span name)
{
	const char *dot = name.size ? memrchr(name.data, '.', name.size) : NULL;
	size_t length;

	if (!dot)
		return SOURCE_UNKNOWN;
	dot++;
	length = name.size - (size_t)(dot - (const char *)name.data);
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
		if (strlen(endings[i].ending) == length &&
		    memcmp(endings[i].ending, dot, length) == 0)
			return endings[i].language;
	return SOURCE_UNKNOWN;
}

bool source_is_line(struct span text)
{
	const unsigned char *bytes = text.data;

	if (text.size > SOURCE_LINE_MAX)
		return false;
	for (size_t i = 0; i < text.size; i++)
		if ((bytes[i] < ' ' && bytes[i] != '\t') || bytes[i] == 0x7f)
			return false;
	return true;
}

static const char *text_of(struct span s)
{
	return s.size ? s.data : "";
}

size_t source_header(void *buffer, size_t size, const struct source *s)
{
	int n;

	if (!source_is_line(s->name) || !source_is_line(s->compiler) || !source_is_line(s->flags) ||
	    !source_is_line(s->directory))
		return 0;
	n = snprintf(buffer, size,
		     SOURCE_MAGIC "name %.*s\ncompiler %.*s\nflags %.*s\ndirectory %.*s\n"
				  "limit %llu\n\n",
		     (int)s->name.size, text_of(s->name), (int)s->compiler.size,
		     text_of(s->compiler), (int)s->flags.size, text_of(s->flags),
		     (int)s->directory.size, text_of(s->directory),
		     (unsigned long long)s->limit_ms);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* Takes the line "key value" off `rest`. */
static bool take_line(struct span *rest, const char *key, struct span *value)
{
	size_t length = strlen(key);
	const char *at = rest->data, *end = memchr(at, '\n', rest->size);

	if (!end || (size_t)(end - at) <= length || memcmp(at, key, length) != 0 ||
	    at[length] != ' ')
		return false;
	*value = (struct span){ at + length + 1, (size_t)(end - at) - length - 1 };
	rest->size -= (size_t)(end + 1 - at);
	rest->data = end + 1;
	return source_is_line(*value);
}

static bool read_number(struct span digits, uint64_t *number)
{
	const char *at = digits.data;

	*number = 0;
	for (size_t i = 0; i < digits.size; i++) {
		if (at[i] < '0' || at[i] > '9' || *number > UINT32_MAX)
			return false;
		*number = *number * 10 + (uint64_t)(at[i] - '0');
	}
	return digits.size > 0;
}

/* It becomes the name of a file. */
static bool is_name(struct span name)
{
	return name.size > 0 && name.size <= 255 && !memchr(name.data, '/', name.size) &&
	       source_language(name) != SOURCE_UNKNOWN && *(const char *)name.data != '-' &&
	       *(const char *)name.data != '.';
}

int source_parse(struct source *s, const void *bytes, size_t size)
{
	size_t magic = strlen(SOURCE_MAGIC);
	struct span rest, limit;

	if (size < magic || memcmp(bytes, SOURCE_MAGIC, magic) != 0)
		return 0;
	rest = (struct span){ (const char *)bytes + magic, size - magic };
	if (!take_line(&rest, "name", &s->name) || !take_line(&rest, "compiler", &s->compiler) ||
	    !take_line(&rest, "flags", &s->flags) ||
	    !take_line(&rest, "directory", &s->directory) || !take_line(&rest, "limit", &limit) ||
	    !read_number(limit, &s->limit_ms) || !is_name(s->name) || rest.size == 0 ||
	    *(const char *)rest.data != '\n' || rest.size - 1 > SOURCE_TEXT_MAX)
		return XC_EPROTO;
	s->text = (struct span){ (const char *)rest.data + 1, rest.size - 1 };
	return 1;
}
