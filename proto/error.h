/* error.h: filling in a struct xc_error. */
#ifndef PROTO_ERROR_H
#define PROTO_ERROR_H

#include "xcluster.h"

/* Writes code and text (cut to fit, always one line) into err, unless NULL.
 * Returns code, so that a caller can `return error_set(...)`. */
int error_set(struct xc_error *err, int code, const char *format, ...) XC_PRINTF(3, 4);

/* Takes a UTF-8 character that has begun and not ended off the end of a text, to be
 * called where one was cut. */
void text_trim(char *text);

/* Text of a code: of XC_ERRORS, or of -errno. Never NULL. */
const char *error_text(int code);

#endif
