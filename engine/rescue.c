/* rescue.c: what a dead engine had finished, from the memory it shared. All of
 * it is taken for a stranger's bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/host.h"
#include "libcluster/task.h"
#include "proto/error.h"
#include "proto/log.h"
#include "proto/task.h"

/* What the arena holds of [offset, offset + size) as a frame. `left`: bytes that
 * it can hold beside those taken already, as pieces do not overlap. */
static int arena_frame(const struct slot *slot, uint64_t offset, uint64_t size, uint64_t *left,
		       zmq_msg_t *frame)
{
	size_t got = 0;

	if (size > *left || offset > ARENA_SIZE - size || zmq_msg_init_size(frame, size) < 0) {
		zmq_msg_init(frame);
		return -EINVAL;
	}
	*left -= size;
	while (got < size) {
		ssize_t n = pread(slot->arena_fd, (char *)zmq_msg_data(frame) + got, size - got,
				  (off_t)(offset + got));

		if (n <= 0) {
			zmq_msg_close(frame);
			zmq_msg_init(frame);
			return -EIO;
		}
		got += (size_t)n;
	}
	return 0;
}

static bool failures_are_valid(zmq_msg_t *frame)
{
	struct failure_run run;
	struct reader r;
	int n;

	reader_init(&r, zmq_msg_data(frame), zmq_msg_size(frame));
	while ((n = failure_run_next(&r, &run)) > 0)
		;
	return n == 0;
}

/* The same with the output of the item that was running behind it. */
static void add_output(zmq_msg_t *failures, const struct failure_run *output)
{
	size_t size = zmq_msg_size(failures);
	zmq_msg_t both;

	if (zmq_msg_init_size(&both, size + output->text.size + FAILURE_RUN_MAX) < 0)
		return;
	memcpy(zmq_msg_data(&both), zmq_msg_data(failures), size);
	size += failure_run_pack((char *)zmq_msg_data(&both) + size, zmq_msg_size(&both) - size,
				 output);
	zmq_msg_close(failures);
	frame_copy(failures, zmq_msg_data(&both), size);
	zmq_msg_close(&both);
}

/* `output`: of the item that was running; its text is taken. NULL: none. */
static void send_record(struct slot *slot, const struct record *record, uint64_t *left,
			const struct failure_run *output)
{
	unsigned char header[HEADER_MAX];
	struct msg_done done = { .slot = (uint64_t)slot->index,
				 .epoch = slot->epoch,
				 .record = record->record,
				 .slice = record->slice,
				 .first = record->first,
				 .count = record->count,
				 .busy_ns = record->busy_ns,
				 .waited_ns = record->waited_ns,
				 .last = record->last };
	zmq_msg_t frames[2];

	if (record->first < 0 || record->count < 0 || record->count > SLICE_ITEMS_MAX)
		return;
	if (arena_frame(slot, record->failures, record->failures_size, left, &frames[0]) < 0 ||
	    !failures_are_valid(&frames[0])) {
		log_line("engine %llu left a record that cannot be read; its items run again",
			 (unsigned long long)slot->agent->first_engine + (unsigned)slot->index);
		zmq_msg_close(&frames[0]);
		return;
	}
	if (arena_frame(slot, record->payload, record->payload_size, left, &frames[1]) < 0) {
		zmq_msg_close(&frames[0]);
		return;
	}
	if (output)
		add_output(&frames[0], output);
	agent_send(slot->agent, header, msg_done_pack(header, sizeof header, &done), frames, 2);
}

static void send_records(struct slot *slot, const struct page *page)
{
	uint64_t last = page->written, first = page->acked + 1, left;
	struct failure_run output;
	struct record piece;
	bool has_output;
	struct stat st;

	if (last - page->acked > PAGE_RECORDS || fstat(slot->arena_fd, &st) < 0)
		return;			     /* overwritten: nothing here can be trusted */
	left = (uint64_t)st.st_blocks * 512; /* the file is sparse: no more was written */
	for (uint64_t i = first; i != last + 1; i++) {
		const struct record *record = &page->records[i % PAGE_RECORDS];

		if (record->record == i)
			send_record(slot, record, &left, NULL);
	}
	if (page->piece.slice == 0)
		return;
	has_output = sink_rest(slot, page, &output);
	if (page->piece.done <= 0 && page->piece.printed == 0 && !has_output)
		return;
	piece = (struct record){ .record = last + 1,
				 .slice = page->piece.slice,
				 .first = page->piece.first,
				 .count = page->piece.done,
				 .payload = page->piece.payload,
				 .payload_size = page->piece.payload_used,
				 .failures = page->piece.failures,
				 .failures_size = page->piece.failures_used };
	if (page->piece.out_size)
		piece.payload_size = (uint64_t)piece.count * page->piece.out_size;
	if (piece.count == 0)
		piece.payload_size = 0;
	send_record(slot, &piece, &left, has_output ? &output : NULL);
	if (has_output)
		free((void *)(uintptr_t)output.text.data);
}

/* We kill an engine on what its page says; it may have gone on to another item
 * in that moment, which must not pay for it. */
static bool was_over_limit(const struct page *page)
{
	return page->limit_ns && page->item_start_ns &&
	       now_ns() - page->item_start_ns >= page->limit_ns;
}

/* Has nothing but us written there? Not for certain, but as far as it shows. */
static bool is_plausible(const struct page *page)
{
	int64_t first = page->piece.first, done = page->piece.done;

	return page->magic == PAGE_MAGIC && page->written < UINT64_C(1) << 56 &&
	       page->acked <= page->written && page->written - page->acked <= PAGE_RECORDS &&
	       first >= 0 && done >= 0 && first <= SLICE_ITEMS_MAX && done <= SLICE_ITEMS_MAX;
}

/* A batch system that ends a job sends SIGTERM to all its processes, the agent too, which
 * kills what does not end: items are not to pay for that. */
static bool is_of_a_job_that_ends(const struct slot *slot, int status)
{
	return slot->agent->stopping && slot->agent->options->launch_info && WIFSIGNALED(status) &&
	       (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL);
}

void slot_rescue(struct slot *slot, int status, bool restarting)
{
	struct page page = { 0 };
	char text[300];
	enum down_cause cause = slot->cause;
	int code = 0;

	if (slot->page)
		memcpy(&page, (void *)slot->page, sizeof page);
	if (!is_plausible(&page)) {
		memset((void *)&page, 0, sizeof page);
		page.item = DOWN_ITEM_UNKNOWN;
	} else {
		send_records(slot, &page);
	}
	if (page.piece.slice && page.item != page.piece.first + page.piece.done)
		page.item = -1; /* it died between two items */
	if (slot->killed && cause == DOWN_TIME && !was_over_limit(&page))
		cause = DOWN_CANCELLED;
	if (!slot->killed)
		cause = is_of_a_job_that_ends(slot, status)	       ? DOWN_CANCELLED
			: slot->agent->stopping			       ? DOWN_LOST
			: WIFSIGNALED(status)			       ? DOWN_SIGNAL
			: slot->retired && page.ending == ENDING_BEGUN ? DOWN_SHUT
								       : DOWN_EXIT;
	if (WIFSIGNALED(status)) {
		code = WTERMSIG(status);
		snprintf(text, sizeof text, "killed by signal %d (%s)", code, strsignal(code));
	} else {
		code = WEXITSTATUS(status);
		snprintf(text, sizeof text, "exited with status %d", code);
	}
	if (cause == DOWN_TIME)
		snprintf(text, sizeof text, TASK_OVER_TIME, (double)page.limit_ns / 1e9);
	else if (cause == DOWN_STOPPED)
		snprintf(text, sizeof text, "the engine was stopped by a signal for over 1 s");
	if (cause == DOWN_SHUT)
		snprintf(text, sizeof text, "it was shut down");
	if (!restarting && !slot->agent->stopping && !slot->retired)
		snprintf(text + strlen(text), sizeof text - strlen(text),
			 ", too often before it could run a task");
	log_line("engine %llu (pid %d): %s; %s",
		 (unsigned long long)slot->agent->first_engine + (unsigned)slot->index,
		 (int)slot->pid, text, restarting ? "starting it again" : "it stays down");
	AGENT_SEND(slot->agent, down, .slot = (uint64_t)slot->index, .epoch = slot->epoch,
		   .cause = cause, .code = code, .slice = page.piece.slice, .item = page.item,
		   .restarting = restarting, .text = span_of(text));
}
