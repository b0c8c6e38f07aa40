/* arena.c: pieces: results of consecutive items in the memory shared with the
 * agent, and their sending. A piece that was sent stays until acknowledged, so
 * that ZeroMQ can send from it and the agent can send it again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/runner.h"
#include "proto/log.h"

#define ARENA_SOFT    (UINT64_C(8) << 20) /* reused from its start beyond this */
#define PIECE_MAX_NS  UINT64_C(200000000)
#define RECORDS_TIGHT (PAGE_RECORDS - 8)
#define ALIGNMENT     64

static uint64_t align_up(uint64_t n)
{
	return (n + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

static uint64_t record_end(const struct record *record)
{
	uint64_t payload = record->payload + record->payload_size;
	uint64_t failures = record->failures + record->failures_size;

	return record->failures_size && failures > payload ? failures : payload;
}

void arena_give_back(struct engine *e, uint64_t from, uint64_t end)
{
	if (end > from)
		fallocate(e->arena_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
			  (off_t)(end - from));
}

/* Gives memory back when nothing of it is in use and much was. */
void arena_trim(struct engine *e)
{
	if (e->page->acked < e->page->written || e->arena_touched <= ARENA_SOFT)
		return;
	arena_give_back(e, ARENA_SOFT, e->arena_touched);
	e->arena_touched = ARENA_SOFT;
	e->arena_next = 0;
}

/* Where `size` bytes overlap no piece that may still be read. */
static int arena_place(struct engine *e, uint64_t size, uint64_t *place)
{
	struct page *page = e->page;
	uint64_t at = e->arena_next, highest = 0, lowest = UINT64_MAX;
	bool overlaps = false;

	if (size > ARENA_SIZE)
		return -ENOMEM;
	arena_trim(e);
	if (at + size > ARENA_SOFT)
		at = 0;
	for (uint64_t i = page->acked + 1; i <= page->written; i++) {
		const struct record *record = &page->records[i % PAGE_RECORDS];
		uint64_t end = align_up(record_end(record));

		if (record->payload < at + size && end > at)
			overlaps = true;
		if (end > highest)
			highest = end;
		if (record->payload < lowest)
			lowest = record->payload;
	}
	/* Large pieces go up behind each other as long as one of them is not acknowledged. */
	if (highest > ARENA_SOFT)
		arena_give_back(e, ARENA_SOFT, lowest);
	if (overlaps)
		at = highest;
	if (at > ARENA_SIZE - size)
		return -ENOMEM;
	*place = at;
	if (at + size > e->arena_touched)
		e->arena_touched = at + size;
	return 0;
}

/* Nanoseconds that this thread was ready to run and had no core (see
 * proc_pid_schedstat in the kernel's documentation). */
static uint64_t run_delay(const struct engine *e)
{
	char text[100];
	unsigned long long delay = 0;
	ssize_t n = pread(e->schedstat, text, sizeof text - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return sscanf(text, "%*u %llu", &delay) == 1 ? delay : 0;
}

/* Asked for long items only: it costs as much as a short one. */
static uint64_t waited(const struct engine *e)
{
	uint64_t busy = now_ns() - e->piece_start_ns, delay;

	if (e->piece_delay_ns == UINT64_MAX)
		return 0;
	delay = run_delay(e) - e->piece_delay_ns;
	return delay < busy ? delay : busy;
}

int piece_begin(struct engine *e, uint64_t slice, int64_t base, int64_t first, int64_t items,
		uint64_t room)
{
	struct piece *piece = &e->page->piece;
	uint64_t place;
	int r;

	while (e->page->written - e->page->acked >= RECORDS_TIGHT)
		if (engine_receive(e) < 0)
			return -EIO;
	r = arena_place(e, align_up(room) + FAILURES_ROOM, &place);
	if (r < 0)
		return r;
	piece->slice = 0; /* not to be read while it changes */
	piece->first = first;
	piece->done = 0;
	piece->payload = place;
	piece->payload_used = 0;
	piece->failures = place + align_up(room);
	piece->failures_used = 0;
	piece->printed = 0;
	piece->base = base;
	/* the bytes of nodes are told by payload_used */
	piece->out_size = e->now.task.reduce.size ? 0 : e->now.task.out_size;
	piece->slice = slice;
	e->piece_items = items;
	e->piece_room = room;
	e->piece_start_ns = now_ns();
	e->piece_delay_ns = e->now.want == 1 ? run_delay(e) : UINT64_MAX;
	e->last_failure.count = 0;
	e->given = 0;
	e->piece_gave = false;
	return 0;
}

bool piece_can_fail(const struct engine *e)
{
	return e->page->piece.failures_used <= FAILURES_ROOM - FAILURE_RUN_MAX - OUTPUT_RUN_MAX;
}

bool piece_is_full(const struct engine *e)
{
	const struct piece *piece = &e->page->piece;

	/* What was printed is shown at once where items are long. */
	return piece->done >= e->piece_items || (piece->printed && e->now.want == 1) ||
	       now_ns() - e->piece_start_ns > PIECE_MAX_NS;
}

static void record_send(struct engine *e, const struct record *record)
{
	struct msg_done done = { .slot = e->slot,
				 .epoch = e->epoch,
				 .record = record->record,
				 .slice = record->slice,
				 .first = record->first,
				 .count = record->count,
				 .busy_ns = record->busy_ns,
				 .waited_ns = record->waited_ns,
				 .last = record->last };
	unsigned char header[HEADER_MAX];
	zmq_msg_t frames[2];

	zmq_msg_init_data(&frames[0], e->arena + record->failures, record->failures_size, NULL,
			  NULL);
	zmq_msg_init_data(&frames[1], e->arena + record->payload, record->payload_size, NULL, NULL);
	message_send(e->dealer, NULL, header, msg_done_pack(header, sizeof header, &done), frames,
		     2);
}

void piece_send(struct engine *e, bool last)
{
	struct page *page = e->page;
	struct piece *piece = &page->piece;
	uint64_t number = page->written + 1;
	struct record *record = &page->records[number % PAGE_RECORDS];

	*record = (struct record){ .record = number,
				   .slice = piece->slice,
				   .first = piece->first,
				   .count = piece->done,
				   .busy_ns = now_ns() - e->piece_start_ns,
				   .waited_ns = waited(e),
				   .last = last,
				   .payload = piece->payload,
				   .payload_size = piece->payload_used,
				   .failures = piece->failures,
				   .failures_size = piece->failures_used };
	if (fold_is_on(e))
		fold_pack(e, record);
	else if (piece->out_size)
		record->payload_size = (uint64_t)piece->done * piece->out_size;
	else if (!e->piece_gave)
		record->payload_size = 0;
	page->written = number;
	piece->slice = 0;
	e->arena_next = align_up(record_end(record));
	if (fold_is_on(e))
		fold_sent(e);
	record_send(e, record);
}

void pieces_send_again(struct engine *e, uint64_t had)
{
	struct page *page = e->page;

	if (had > page->acked && had <= page->written)
		page->acked = had;
	for (uint64_t i = page->acked + 1; i <= page->written; i++)
		record_send(e, &page->records[i % PAGE_RECORDS]);
}

static void add_failure(struct engine *e, int64_t item, int64_t count, enum xc_state state,
			int code, int attempt, const char *text)
{
	struct piece *piece = &e->page->piece;
	struct failure_run *run = &e->last_failure;
	unsigned char *failures = e->arena + piece->failures;
	size_t length = strnlen(text, FAILURE_TEXT_MAX), n;

	if (run->count && run->first + run->count == item && run->state == state &&
	    run->code == code && run->text.size == length &&
	    memcmp(e->last_text, text, length) == 0) {
		run->count += count;
	} else {
		memcpy(e->last_text, text, length);
		*run = (struct failure_run){ .first = item,
					     .count = count,
					     .state = state,
					     .code = code,
					     .attempts = (uint64_t)attempt,
					     .text = { e->last_text, length } };
		e->last_failure_at = piece->failures_used;
	}
	n = failure_run_pack(failures + e->last_failure_at, FAILURES_ROOM - e->last_failure_at,
			     run);
	piece->failures_used = e->last_failure_at + n;
}

void piece_fail(struct engine *e, int64_t item, int64_t count, int code, int attempt,
		const char *text)
{
	add_failure(e, item, count, XC_FAILED, code, attempt, text);
}

void piece_interrupt(struct engine *e, int64_t item, int attempt)
{
	add_failure(e, item, 1, XC_CANCELLED, 0, attempt, "interrupted");
}

void piece_print(struct engine *e, const struct failure_run *output)
{
	struct piece *piece = &e->page->piece;
	size_t n = failure_run_pack(e->arena + piece->failures + piece->failures_used,
				    FAILURES_ROOM - piece->failures_used, output);

	e->last_failure.count = 0; /* it cannot grow any more */
	piece->failures_used += n;
	piece->printed++;
}

void *piece_reserve(struct engine *e, uint64_t size)
{
	struct piece *piece = &e->page->piece;
	uint64_t slice = piece->slice;
	int64_t at = piece->first + piece->done, left = e->piece_items - piece->done;

	if (size <= e->piece_room - piece->payload_used)
		return e->arena + piece->payload + piece->payload_used;
	if (piece->done > 0)
		piece_send(e, false);
	if (piece_begin(e, slice, piece->base, at, left,
			size > e->piece_room ? align_up(size) : e->piece_room) < 0) {
		/* There is no piece to go on with: the item that asked for it pays. */
		log_line("no memory for a result of %llu bytes: ending", (unsigned long long)size);
		piece->first = at;
		piece->done = 0;
		piece->slice = slice;
		exit(1);
	}
	return e->arena + piece->payload;
}

void piece_commit(struct engine *e)
{
	struct piece *piece = &e->page->piece;

	/* The agent reads these only after our death: plain stores do. */
	if (e->given)
		atomic_store_explicit(&piece->payload_used, piece->payload_used + e->given,
				      memory_order_relaxed);
	e->given = 0;
	atomic_store_explicit(&piece->done,
			      atomic_load_explicit(&piece->done, memory_order_relaxed) + 1,
			      memory_order_release);
}
