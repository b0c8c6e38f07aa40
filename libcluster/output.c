/* output.c: what items print, kept for those who ask: the runs of an item that have
 * ended, in full but for a limit, and what is known so far of the one now. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"

#define ITEMS_KEPT 100000
#define LIVE_SLACK (OUTPUT_MAX / 4) /* by which a live text grows before it is cut */

/* ---- Text --------------------------------------------------------------------------- */

/* Room for so many more, and a zero byte. */
static int text_reserve(struct xci_text *text, size_t size)
{
	if (size >= text->room - text->size) {
		size_t room = text->size + size + 1 > 2 * text->room ? text->size + size + 1
								     : 2 * text->room;
		char *bytes = realloc(text->bytes, room);

		if (!bytes)
			return -ENOMEM;
		text->bytes = bytes;
		text->room = room;
	}
	return 0;
}

static int text_add(struct xci_text *text, const void *data, size_t size)
{
	int r = text_reserve(text, size);

	if (r < 0)
		return r;
	if (size)
		memcpy(text->bytes + text->size, data, size);
	text->size += size;
	text->bytes[text->size] = '\0';
	return 0;
}

static void text_clear(struct xci_text *text)
{
	free(text->bytes);
	*text = (struct xci_text){ 0 };
}

static bool is_inner(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

size_t xci_text_whole(struct span bytes)
{
	const unsigned char *p = bytes.data;
	size_t n = bytes.size, back = 0, need;

	while (back < 3 && back < n && is_inner(p[n - 1 - back]))
		back++;
	if (back == n)
		return n;
	need = p[n - 1 - back] >= 0xf0 ? 3 : p[n - 1 - back] >= 0xe0 ? 2 : p[n - 1 - back] >= 0xc0;
	return back < need ? n - 1 - back : n;
}

size_t xci_text_skip(struct span bytes)
{
	const unsigned char *p = bytes.data;
	size_t n = 0;

	while (n < 3 && n < bytes.size && is_inner(p[n]))
		n++;
	return n;
}

/* Adds it as a person reads it; all of it or, without memory, nothing. */
static int text_join(struct xci_text *text, const struct xci_parts *parts)
{
	size_t whole = xci_text_whole(parts->head), skip = xci_text_skip(parts->tail);
	const char *tail = parts->tail.data;
	char notice[80];
	int n, r;

	if (!parts->cut)
		return text_add(text, parts->head.data, parts->head.size);
	r = text_reserve(text, whole + sizeof notice + parts->tail.size);
	if (r < 0)
		return r;
	text_add(text, parts->head.data, whole);
	n = snprintf(notice, sizeof notice, "%s[... %llu bytes cut ...]\n",
		     whole && text->bytes[text->size - 1] != '\n' ? "\n" : "",
		     (unsigned long long)(parts->cut + parts->head.size - whole + skip));
	text_add(text, notice, (size_t)n);
	if (parts->tail.size)
		text_add(text, tail + skip, parts->tail.size - skip);
	return 0;
}

/* ---- The run now --------------------------------------------------------------------- */

static uint64_t live_end(const struct xci_text *live)
{
	return live->size + live->cut;
}

static struct xci_parts live_parts(const struct xci_text *live)
{
	size_t head = live->cut ? live->head : live->size;

	return (struct xci_parts){
		.head = { live->bytes, head },
		.tail = { live->bytes ? live->bytes + head : NULL, live->size - head },
		.cut = live->cut,
	};
}

/* Bytes up to `offset` are missing: so that there is one gap, what is behind an
 * earlier one goes, too. */
static void live_skip(struct xci_text *live, uint64_t offset)
{
	if (!live->cut)
		live->head = live->size;
	live->size = live->head;
	live->cut = offset - live->size;
}

static int live_add(struct xci_text *live, struct span text)
{
	size_t drop;

	if (text_add(live, text.data, text.size) < 0)
		return -ENOMEM;
	if (live->size <= OUTPUT_MAX + LIVE_SLACK)
		return 0;
	drop = live->size - OUTPUT_MAX;
	if (!live->cut)
		live->head = OUTPUT_HALF;
	memmove(live->bytes + live->head, live->bytes + live->head + drop,
		live->size - live->head - drop);
	live->size -= drop;
	live->cut += drop;
	return 0;
}

/* ---- Items ----------------------------------------------------------------------------- */

/* Index of the first item not below this one. */
static int64_t place_of(const struct xci_outputs *outputs, int64_t item)
{
	int64_t low = 0, high = outputs->count;

	while (low < high) {
		int64_t middle = low + (high - low) / 2;

		if (outputs->list[middle]->item < item)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct xci_output *find(const struct xc_result *result, int64_t item)
{
	const struct xci_outputs *outputs = result->outputs;
	int64_t at = outputs ? place_of(outputs, item) : 0;

	return outputs && at < outputs->count && outputs->list[at]->item == item ? outputs->list[at]
										 : NULL;
}

static struct xci_output *add(struct xc_result *result, int64_t item)
{
	struct xci_outputs *outputs = result->outputs;
	struct xci_output *output;
	int64_t at;

	if (!outputs && !(outputs = result->outputs = calloc(1, sizeof *outputs)))
		return NULL;
	if (outputs->count == outputs->room) {
		size_t room = outputs->room ? 2 * (size_t)outputs->room : 4;
		struct xci_output **list = realloc(outputs->list, room * sizeof(*list));

		if (!list)
			return NULL;
		outputs->list = list;
		outputs->room = (int64_t)room;
	}
	output = calloc(1, sizeof *output);
	if (!output)
		return NULL;
	output->item = item;
	at = place_of(outputs, item);
	memmove(outputs->list + at + 1, outputs->list + at,
		(size_t)(outputs->count - at) * sizeof(*outputs->list));
	outputs->list[at] = output;
	outputs->count++;
	return output;
}

/* A run has ended, with this output; -ENOMEM: as if it had not. */
static int end_run(struct xc_result *result, struct xci_output *output, struct xci_parts parts)
{
	struct xci_parts kept = parts;
	size_t before = output->done.size;

	if (result->outputs->bytes + parts.head.size + parts.tail.size > OUTPUT_JOB_MAX)
		kept = (struct xci_parts){ .cut = parts.cut + parts.head.size + parts.tail.size };
	if (text_join(&output->done, &kept) < 0)
		return -ENOMEM;
	if (result->output)
		xci_print(result, output, &parts, true);
	result->outputs->bytes += output->done.size - before;
	text_clear(&output->live);
	text_clear(&output->both);
	output->shown = 0;
	return 0;
}

static int add_live(struct xc_result *result, struct xci_output *output, int engine,
		    const struct failure_run *run)
{
	struct xci_parts parts = live_parts(&output->live);
	uint64_t offset = (uint64_t)run->code;

	/* Of the one before its engine could not tell the end. */
	if (offset < live_end(&output->live) && end_run(result, output, parts) < 0)
		return -ENOMEM;
	output->engine = engine;
	if (offset > live_end(&output->live))
		live_skip(&output->live, offset);
	if (live_add(&output->live, run->text) < 0)
		return -ENOMEM;
	parts = live_parts(&output->live);
	if (result->output)
		xci_print(result, output, &parts, false);
	return 0;
}

int xci_output_add(struct xc_result *result, int64_t item, int engine,
		   const struct failure_run *run)
{
	struct xci_output *output = find(result, item);
	struct xci_parts parts = { .head = run->text, .cut = (uint64_t)run->code };

	if (!output && result->outputs && result->outputs->count >= ITEMS_KEPT)
		return 0;
	if (!output && !(output = add(result, item)))
		return -ENOMEM;
	if (run->state == OUTPUT_LIVE)
		return add_live(result, output, engine, run);
	output->engine = engine;
	if (parts.cut) {
		parts.head.size = run->text.size / 2;
		parts.tail.data = (const char *)run->text.data + parts.head.size;
		parts.tail.size = run->text.size - parts.head.size;
	}
	return end_run(result, output, parts);
}

/* N.B. without memory a text stays as it is, and is handed out so. */
void xci_output_end(struct xc_result *result)
{
	for (int64_t i = 0; i < result->outputs->count; i++) {
		struct xci_output *output = result->outputs->list[i];

		if (live_end(&output->live) > 0)
			end_run(result, output, live_parts(&output->live));
	}
}

void xci_outputs_free(struct xci_outputs *outputs)
{
	for (int64_t i = 0; outputs && i < outputs->count; i++) {
		text_clear(&outputs->list[i]->done);
		text_clear(&outputs->list[i]->live);
		text_clear(&outputs->list[i]->both);
		free(outputs->list[i]);
	}
	if (outputs)
		free(outputs->list);
	free(outputs);
}

/* ---- For those who ask -------------------------------------------------------------------- */

const char *xc_output(struct xc_result *result, int64_t item, size_t *size)
{
	const struct xci_text *text;
	struct xci_output *output;
	struct xci_parts parts;

	if (!result)
		return NULL;
	if (!result->is_ready && result->client)
		xci_pump(result->client, 0);
	output = find(result, item);
	if (!output)
		return NULL;
	text = &output->done;
	if (live_end(&output->live) > 0) {
		parts = live_parts(&output->live);
		if (parts.cut)
			parts.tail.size = xci_text_whole(parts.tail);
		else
			parts.head.size = xci_text_whole(parts.head);
		text_clear(&output->both);
		if (text_add(&output->both, output->done.bytes, output->done.size) < 0 ||
		    text_join(&output->both, &parts) < 0)
			return NULL;
		text = &output->both;
	}
	if (size)
		*size = text->size;
	return text->size ? text->bytes : NULL;
}

int64_t xc_output_next(struct xc_result *result, int64_t after)
{
	const struct xci_outputs *outputs = result ? result->outputs : NULL;
	int64_t at;

	if (!outputs || after == INT64_MAX)
		return -1;
	at = place_of(outputs, after + 1);
	return at < outputs->count ? outputs->list[at]->item : -1;
}
