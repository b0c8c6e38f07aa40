/* rows.c: judging rows of tables of wrong arguments. */
#include "tests/fault/rows.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct xc_error row_error;

static const char *calls[4096]; /* their texts */
static int count, failed;
static char complaints[1 << 16];
static size_t used;

void row_begin(const char *call)
{
	if (count < (int)(sizeof calls / sizeof calls[0]))
		calls[count++] = call;
	row_error = (struct xc_error){ .text = "" };
}

void row_fail(const char *format, ...)
{
	size_t left = sizeof complaints - used;
	va_list ap;
	int n;

	failed++;
	va_start(ap, format);
	n = vsnprintf(complaints + used, left, format, ap);
	va_end(ap);
	used += (size_t)n < left - 2 ? (size_t)n : left - 2;
	used += (size_t)snprintf(complaints + used, 2, "\n");
}

void row_code(int r, int code, const char *part)
{
	const char *call = calls[count - 1], *text = row_error.text;

	if (r != code || (code < 0 && row_error.code != code))
		row_fail("%s: %d, and %d in the error, not %d: %s", call, r, row_error.code, code,
			 text);
	else if (code < 0 && (!text[0] || strchr(text, '\n') || !strstr(text, part)))
		row_fail("%s: the text does not say \"%s\": %s", call, part, text);
}

void row_value(int64_t r, int64_t value)
{
	if (r != value)
		row_fail("%s: %lld, not %lld", calls[count - 1], (long long)r, (long long)value);
}

void row_text(const char *text, const char *part)
{
	if (!text || !text[0] || !strstr(text, part))
		row_fail("%s: \"%s\"", calls[count - 1], text ? text : "NULL");
}

bool row_exists(const char *function)
{
	size_t size = strlen(function);

	for (int i = 0; i < count; i++)
		if (strncmp(calls[i], function, size) == 0 && calls[i][size] == '(')
			return true;
	return false;
}

void rows_judge(void)
{
	ck_assert_msg(failed == 0, "%d of %d rows:\n%s", failed, count, complaints);
}
