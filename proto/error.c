/* error.c: error codes and their texts. */
#include "proto/error.h"

#include <stdio.h>
#include <string.h>

void text_trim(char *text)
{
	size_t size = strlen(text), rest = 0, needed;
	unsigned char lead;

	while (rest < size && rest < 3 && ((unsigned char)text[size - 1 - rest] & 0xC0) == 0x80)
		rest++;
	lead = rest < size ? (unsigned char)text[size - 1 - rest] : 0;
	needed = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
	if (rest < needed)
		text[size - 1 - rest] = '\0';
}

int error_set(struct xc_error *err, int code, const char *format, ...)
{
	va_list ap;
	int n;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, format);
	n = vsnprintf(err->text, sizeof err->text, format, ap);
	va_end(ap);
	if (n >= (int)sizeof err->text)
		text_trim(err->text);
	for (char *p = err->text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return code;
}

const char *error_text(int code)
{
	switch (code) {
	case 0:
		return "success";
#define CASE(name, number, text)                                                                   \
	case number:                                                                               \
		return text;
		XC_ERRORS(CASE)
#undef CASE
	default:
		return strerror(code < 0 ? -code : code);
	}
}
