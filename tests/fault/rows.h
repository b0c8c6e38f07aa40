/* rows.h: tables of wrong arguments. A row is a call and what must come of it; all
 * rows are tried, and what is wrong with them is said together, by rows_judge. */
#ifndef TESTS_FAULT_ROWS_H
#define TESTS_FAULT_ROWS_H

#include <math.h>
#include <stdbool.h>

#include "xcluster.h"

/* Where the calls of rows put their errors. */
extern struct xc_error row_error;

/* The call, with `err`, returns `expected`, and its text contains `part`. */
#define ROW(call, expected, part) row_code((row_begin(#call), (call)), expected, part)
/* The same of a call that returns a pointer. */
#define ROW_NULL(call, expected, part)                                                             \
	row_code((row_begin(#call), (call)) == NULL ? row_error.code : 0, expected, part)
/* A call without an error text returns `value`. */
#define ROW_VALUE(call, value) row_value((row_begin(#call), (int64_t)(call)), value)
/* It returns NaN. */
#define ROW_NAN(call) row_value((row_begin(#call), isnan(call) != 0), 1)
/* A text that contains `part`. */
#define ROW_TEXT(call, part) row_text((row_begin(#call), (call)), part)
/* It does nothing. */
#define ROW_TAKEN(call) (row_begin(#call), (call))

void row_begin(const char *call);
void row_code(int r, int code, const char *part);
void row_value(int64_t r, int64_t value);
void row_text(const char *text, const char *part);
void row_fail(const char *format, ...) XC_PRINTF(1, 2);
/* There was a row of a function of this name. */
bool row_exists(const char *function);
/* Fails the test if any row did. */
void rows_judge(void);

#endif
