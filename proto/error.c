/* error.c: error codes and their texts. */
#include "proto/error.h"

#include <stdio.h>
#include <string.h>

int error_set(struct xc_error *err, int code, const char *format, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, format);
	vsnprintf(err->text, sizeof err->text, format, ap);
	va_end(ap);
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
