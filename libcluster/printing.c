/* printing.c: what items print, line by line on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"

struct page {
	FILE *to;
	int engine;
	int64_t item;
};

static void print_line(const struct page *page, const char *line, size_t size)
{
	fprintf(page->to, "[engine %d, item %lld] ", page->engine, (long long)page->item);
	fwrite(line, 1, size, page->to);
	fputc('\n', page->to);
}

/* The complete lines; with `all` also one without an end. Returns the bytes that
 * they have. */
static size_t print_lines(const struct page *page, const char *text, size_t size, bool all)
{
	size_t done = 0;

	while (done < size) {
		const char *line = text + done, *end = memchr(line, '\n', size - done);

		if (!end && !all)
			break;
		print_line(page, line, end ? (size_t)(end - line) : size - done);
		done = end ? (size_t)(end - text) + 1 : size;
	}
	return done;
}

/* Returns up to where it is shown now. */
static uint64_t print_from(const struct page *page, uint64_t at, const struct xci_parts *parts,
			   bool last)
{
	size_t head = parts->head.size, skip;
	uint64_t behind = head + parts->cut;
	char notice[64];
	int n;

	if (at < head) {
		struct span rest = { (const char *)parts->head.data + at, head - (size_t)at };
		bool all = last || parts->cut;

		if (parts->cut)
			rest.size = xci_text_whole(rest);
		at += print_lines(page, rest.data, rest.size, all);
		if (!parts->cut)
			return at;
		at = head;
	}
	if (at < behind) {
		n = snprintf(notice, sizeof notice, "[... %llu bytes cut ...]",
			     (unsigned long long)(behind - at));
		print_line(page, notice, (size_t)n);
		skip = xci_text_skip(parts->tail);
		at = behind + skip;
	}
	if (parts->tail.size > at - behind)
		at += print_lines(page, (const char *)parts->tail.data + (at - behind),
				  parts->tail.size - (size_t)(at - behind), last);
	return at;
}

void xci_print(struct xc_result *result, struct xci_output *output, const struct xci_parts *parts,
	       bool last)
{
	struct page page = { .engine = output->engine,
			     .item = result->output_first + output->item };
	char *text = NULL;
	size_t size = 0;

	page.to = open_memstream(&text, &size);
	if (!page.to)
		return;
	output->shown = print_from(&page, output->shown, parts, last);
	if (fclose(page.to) == 0 && size > 0) {
		if (result->client && result->client->is_drawn)
			fputs("\r\033[K", stderr); /* the progress comes back below */
		fwrite(text, 1, size, stderr);
		fflush(stderr);
	}
	free(text);
}
