/* inline_notes.h: what one program sees on a cluster and without one is written down, and
 * compared line by line. */
#ifndef TESTS_INTEGRATION_INLINE_NOTES_H
#define TESTS_INTEGRATION_INLINE_NOTES_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

#define ENGINES 4

static struct xc_error err = XC_ERROR_INIT;
static struct xc_client *client;
static FILE *notes; /* what a run of the program has seen */

static inline void note(const char *format, ...) XC_PRINTF(1, 2);
static inline void note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(notes, format, ap);
	va_end(ap);
	fputc('\n', notes);
}

static inline void open_as(const char *where)
{
	setenv("XCLUSTER", where, 1);
	client = NULL;
	assert_ok(xc_open(&client, NULL, &err), err);
	unsetenv("XCLUSTER");
}

/* ---- What is noted of results ------------------------------------------------------ */

/* Each item by itself, as runs are cut differently; engines only where they are chosen. */
static inline void note_items(struct xc_result *result, int64_t n, bool engines)
{
	for (int64_t i = 0; i < n; i++) {
		struct xc_failure f;

		if (xc_item_state(result, i) == XC_OK)
			continue;
		f = failure_of(result, i);
		note("  item %lld: %s, code %d, %d attempts, engine %d: %s", (long long)i,
		     xc_state_name(f.state), f.code, f.attempts, engines ? f.engine : 0, f.text);
	}
}

static inline void note_end(const char *what, struct xc_result *result, bool engines)
{
	struct xc_progress p;
	char text[2000];
	int r, length;

	ck_assert_msg(result != NULL, "%s: %s", what, err.text);
	err.text[0] = '\0';
	r = xc_wait(result, LIMIT, &err);
	p = xc_result_progress(result);
	note("%s: %d, %lld items, %lld done, %lld failed, ready %d", what, r, (long long)p.items,
	     (long long)p.done, (long long)p.failed, xc_is_ready(result));
	note_items(result, p.items, engines);
	length = xc_failure_summary(result, text, sizeof text);
	if (engines && p.failed <= 1)
		note("  error: %s\n  summary of %d: %s", r ? err.text : "", length, text);
	else /* which of several comes first is by chance */
		note("  error: %.*s\n  summary: %.*s", (int)strcspn(r ? err.text : "", ";"),
		     err.text, (int)strcspn(text, "("), text);
}

static inline void note_bytes(const char *what, const void *data, size_t size)
{
	uint64_t sum = 14695981039346656037u;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ ((const unsigned char *)data)[i]) * 1099511628211u;
	note("  %s: %zu bytes, %016llx", what, size, (unsigned long long)sum);
}

/* ---- Comparing --------------------------------------------------------------------- */

/* Fails with the first line that differs. */
static inline void compare(const char *cluster, const char *within)
{
	const char *line = cluster;
	size_t i = 0;

	for (; cluster[i] && cluster[i] == within[i]; i++)
		if (cluster[i] == '\n')
			line = cluster + i + 1;
	ck_assert_msg(!cluster[i] && !within[i], "on a cluster:\n%.*s\ninline:\n%.*s",
		      (int)strcspn(line, "\n"), line, (int)strcspn(within + (line - cluster), "\n"),
		      within + (line - cluster));
}

/* Runs the program, which closes its client. */
static inline char *run_program(const char *where, void (*program)(void))
{
	size_t size;
	char *text;

	notes = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(notes);
	open_as(where);
	program();
	fclose(notes);
	return text;
}

/* `least`: bytes of notes. */
static inline void compare_programs(void (*program)(void), size_t least)
{
	char *cluster = run_program("local:4", program), *within;

	assert_nothing_left(0);
	within = run_program("inline:4", program);
	ck_assert_uint_gt(strlen(cluster), least);
	compare(cluster, within);
	free(cluster);
	free(within);
}

#endif
