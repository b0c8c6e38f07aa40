/* sink.c: what engines print: from the memory that they write it to, into their
 * logs and, of the item that runs, to the controller; the memory is given back
 * behind it. Nothing is told by the engine: a tick looks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/host.h"
#include "proto/log.h"

#define LOG_MAX	 (INT64_C(64) << 20)
#define TICK_MAX (UINT64_C(8) << 20) /* brought to a log at a time; more is cut */
#define PAGE	 UINT64_C(4096)
#define TICK_NS	 UINT64_C(100000000)

int sink_open(struct slot *slot, const char *log)
{
	struct sink *sink = &slot->sink;

	*sink = (struct sink){ .item = -1 };
	sink->log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	sink->fd = memfd_create("xcluster-output", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	/* Who opens it by name (/dev/stdout) may not truncate it. */
	if (sink->log < 0 || sink->fd < 0 || ftruncate(sink->fd, (off_t)OUTPUT_SIZE) < 0 ||
	    fcntl(sink->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return 0;
}

void sink_close(struct slot *slot)
{
	if (slot->sink.fd >= 0)
		close(slot->sink.fd);
	if (slot->sink.log >= 0)
		close(slot->sink.log);
	slot->sink.fd = slot->sink.log = -1;
}

/* A stream that a task has opened to append would do so at the memory's end. */
static void forbid_append(const struct sink *sink)
{
	int flags = fcntl(sink->fd, F_GETFL);

	if (flags >= 0 && flags & O_APPEND)
		fcntl(sink->fd, F_SETFL, flags & ~O_APPEND);
}

/* Up to where has been printed. A task may have rewound it, or moved it to its end,
 * where nothing can be written: then it goes on behind what is known. */
static uint64_t position(const struct slot *slot)
{
	const struct sink *sink = &slot->sink;
	off_t at = sink->fd < 0 ? -1 : lseek(sink->fd, 0, SEEK_CUR);
	uint64_t known = slot->page ? slot->page->output : 0;

	if (at >= 0 && (uint64_t)at >= sink->logged && (uint64_t)at < OUTPUT_SIZE)
		return (uint64_t)at;
	if (at >= 0)
		lseek(sink->fd,
		      (off_t)(known > sink->logged && known < OUTPUT_SIZE ? known : sink->logged),
		      SEEK_SET);
	return sink->logged;
}

/* ---- Into the log ------------------------------------------------------------------- */

static void copy(struct sink *sink, uint64_t from, uint64_t to)
{
	static char block[65536];

	while (from < to) {
		size_t want = to - from < sizeof block ? (size_t)(to - from) : sizeof block;
		ssize_t n = pread(sink->fd, block, want, (off_t)from);

		if (n <= 0 || write(sink->log, block, (size_t)n) != n)
			return; /* the disk may be full: what items print is kept with them */
		from += (uint64_t)n;
	}
}

/* A log that is too long begins anew, in the same file, as others have it open. */
static void limit_log(struct sink *sink)
{
	struct stat st;

	if (fstat(sink->log, &st) < 0 || st.st_size <= LOG_MAX || ftruncate(sink->log, 0) < 0)
		return;
	dprintf(sink->log, "[... %lld bytes cut: the log had reached its limit ...]\n",
		(long long)st.st_size);
}

static void bring_to_log(struct sink *sink, uint64_t at)
{
	uint64_t size = at - sink->logged;

	limit_log(sink);
	if (size > TICK_MAX) {
		copy(sink, sink->logged, sink->logged + TICK_MAX / 2);
		dprintf(sink->log, "\n[... %llu bytes cut ...]\n",
			(unsigned long long)(size - TICK_MAX));
		copy(sink, at - TICK_MAX / 2, at);
	} else {
		copy(sink, sink->logged, at);
	}
	sink->logged = at;
}

void sink_log(struct slot *slot)
{
	uint64_t at = position(slot);

	if (at > slot->sink.logged)
		bring_to_log(&slot->sink, at);
}

/* ---- To the controller --------------------------------------------------------------- */

/* Where the running item's output begins: the page may say anything. */
static uint64_t begin(const struct page *page, uint64_t at)
{
	uint64_t output = page->output;

	return output < at ? output : at;
}

/* The part to be told next, of what lies between `from` and `at`: the middle of a
 * long output is not kept. */
static uint64_t next_part(struct sink *sink, uint64_t from, uint64_t at)
{
	uint64_t end = at;

	if (at - from > OUTPUT_MAX) {
		if (sink->told < from + OUTPUT_HALF)
			end = from + OUTPUT_HALF;
		else if (sink->told < at - OUTPUT_HALF)
			sink->told = at - OUTPUT_HALF;
	}
	return end - sink->told > OUTPUT_LIVE_MAX ? sink->told + OUTPUT_LIVE_MAX : end;
}

/* N.B. the engine runs on meanwhile: what is sent must be of the item that is named. */
static void tell(struct slot *slot, uint64_t at)
{
	struct sink *sink = &slot->sink;
	struct page *page = slot->page;
	uint64_t written = page->written, slice = page->piece.slice, from = begin(page, at), end;
	int64_t item = page->item;
	unsigned char header[HEADER_MAX];
	struct msg_output m;
	zmq_msg_t text;

	if (slice != sink->slice || item != sink->item || sink->told < from) {
		sink->slice = slice;
		sink->item = item;
		sink->told = from;
	}
	end = next_part(sink, from, at);
	if (end <= sink->told || zmq_msg_init_size(&text, end - sink->told) < 0)
		return;
	if (pread(sink->fd, zmq_msg_data(&text), end - sink->told, (off_t)sink->told) !=
		    (ssize_t)(end - sink->told) ||
	    page->item != item || page->piece.slice != slice || page->written != written ||
	    begin(page, at) != from) {
		zmq_msg_close(&text);
		return;
	}
	m = (struct msg_output){ .slot = (uint64_t)slot->index,
				 .epoch = slot->epoch,
				 .record = written,
				 .slice = slice,
				 .item = item,
				 .offset = (int64_t)(sink->told - from) };
	agent_send(slot->agent, header, msg_output_pack(header, sizeof header, &m), &text, 1);
	sink->told = end;
}

/* The output of items before it in the same piece is not on its way yet; and what
 * was only just sent may be overtaken. */
static bool can_tell(const struct slot *slot)
{
	const struct page *page = slot->page;

	return page->piece.slice != 0 && page->item >= 0 && page->item <= SLICE_ITEMS_MAX &&
	       page->item == page->piece.first + page->piece.done && !page->piece.printed &&
	       page->written == slot->sink.written;
}

/* ---- Memory --------------------------------------------------------------------------- */

static void punch(const struct sink *sink, uint64_t from, uint64_t to)
{
	from = (from + PAGE - 1) & ~(PAGE - 1);
	to &= ~(PAGE - 1);
	if (from < to)
		fallocate(sink->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
			  (off_t)(to - from));
}

/* Of the running item its beginning and its end are still to be read. */
static void give_back(struct slot *slot, uint64_t at)
{
	struct sink *sink = &slot->sink;
	uint64_t from = begin(slot->page, at) & ~(PAGE - 1);

	if (from > sink->freed) {
		punch(sink, sink->freed, from);
		sink->freed = from;
	}
	if (at - from > OUTPUT_MAX + PAGE)
		punch(sink, from + OUTPUT_HALF + PAGE, at - OUTPUT_HALF);
}

static void sink_tick(struct slot *slot)
{
	struct sink *sink = &slot->sink;
	uint64_t at = position(slot);
	bool is_new = at > sink->logged;

	if (is_new)
		bring_to_log(sink, at);
	if (can_tell(slot))
		tell(slot, at);
	sink->written = slot->page->written;
	forbid_append(sink);
	if (is_new || begin(slot->page, at) >= sink->freed + PAGE)
		give_back(slot, at);
}

void sinks_tick(struct agent *agent)
{
	uint64_t now = now_ns();

	if (now - agent->sunk_ns < TICK_NS)
		return;
	agent->sunk_ns = now;
	for (int i = 0; i < agent->options->n; i++)
		if (agent->slots[i].pid)
			sink_tick(&agent->slots[i]);
}

/* ---- After a death ---------------------------------------------------------------------- */

/* The last thing that the engine wrote to its list of the piece may be just this. */
static bool is_recorded(const struct slot *slot, const struct page *page, int64_t item)
{
	uint64_t size = page->piece.failures_used;
	unsigned char *list = size <= 2 * OUTPUT_RUN_MAX ? malloc(size + 1) : NULL;
	struct failure_run run = { 0 };
	struct reader r;
	bool found = false;

	if (!list ||
	    pread(slot->arena_fd, list, size, (off_t)page->piece.failures) != (ssize_t)size)
		size = 0;
	reader_init(&r, list, size);
	while (failure_run_next(&r, &run) > 0)
		found |= run.state == OUTPUT_WHOLE && run.first == item;
	free(list);
	return found;
}

bool sink_rest(struct slot *slot, const struct page *page, struct failure_run *run)
{
	uint64_t at = position(slot), from = begin(page, at), cut;
	int64_t item = page->piece.first + page->piece.done;
	char *text;

	if (page->item != item || from == at ||
	    __builtin_add_overflow(page->piece.base, item, &item) || item < 0 ||
	    is_recorded(slot, page, item))
		return false;
	*run = (struct failure_run){ .first = item, .count = 1, .state = OUTPUT_WHOLE };
	run->text.size = output_read(slot->sink.fd, from, at, &text, &cut);
	run->text.data = text;
	run->code = (int64_t)cut;
	return true;
}
