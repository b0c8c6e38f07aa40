/* output.c: what items print. stdout and stderr are one open file description of a
 * sparse memfd that the agent has, too: whoever writes (stdio, write(2), child
 * processes), the bytes are in memory at the next offset, and a load tells that
 * they are there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/runner.h"
#include "proto/log.h"

#define WINDOW (UINT64_C(1) << 20)
#define MAPPED (WINDOW + 4096) /* so that eight bytes can be read anywhere in it */

/* Maps the window that `at` is in, and looks there. Once all of the memory is used,
 * what is looked at stays: every item then asks for certain. */
static int move_window(struct output *o)
{
	uint64_t base = o->at & ~(WINDOW - 1);
	void *window;

	if (base > OUTPUT_SIZE - MAPPED)
		base = OUTPUT_SIZE - MAPPED;
	if (!o->window || base != o->base) {
		window = mmap(o->window, MAPPED, PROT_READ,
			      MAP_SHARED | (o->window ? MAP_FIXED : 0), o->fd, (off_t)base);
		if (window == MAP_FAILED)
			return -errno;
		madvise(window, MAPPED, MADV_DONTDUMP);
		o->window = window;
		o->base = base;
	}
	o->next = o->window + (o->at - base < MAPPED - 8 ? o->at - base : MAPPED - 8);
	return 0;
}

int output_open(struct engine *e, int fd)
{
	e->output = (struct output){ .fd = fd };
	return move_window(&e->output);
}

void output_close(struct engine *e)
{
	if (e->output.window)
		munmap(e->output.window, MAPPED);
}

/* Up to where has been printed; also what stdio holds back of a line. */
static uint64_t position(const struct engine *e)
{
	off_t at;

	if (__fpending(stdout) > 0)
		fflush(stdout);
	at = lseek(e->output.fd, 0, SEEK_CUR);
	if (at >= 0 && (uint64_t)at >= e->output.at && (uint64_t)at < OUTPUT_SIZE)
		return (uint64_t)at;
	/* Somebody has rewound it, or moved it to its end, where nothing can be written. */
	lseek(e->output.fd, (off_t)e->output.at, SEEK_SET);
	return e->output.at;
}

bool output_has_moved(const struct engine *e)
{
	return position(e) != e->output.at;
}

static void advance(struct engine *e, uint64_t at)
{
	e->output.at = at;
	e->page->output = at;
	if (move_window(&e->output) < 0) {
		log_line("no memory for a window on the output: ending");
		exit(1);
	}
}

void output_skip(struct engine *e)
{
	advance(e, position(e));
}

size_t output_read(int fd, uint64_t from, uint64_t to, char **text, uint64_t *cut)
{
	uint64_t size = to - from;
	size_t kept = size > OUTPUT_MAX ? OUTPUT_MAX : (size_t)size, got = 0;
	char *bytes = malloc(kept + 1);

	*cut = size;
	*text = NULL;
	if (!bytes)
		return 0;
	while (got < kept) {
		/* The second half stands at the end. */
		bool is_tail = size > OUTPUT_MAX && got >= OUTPUT_HALF;
		uint64_t at = is_tail ? to - (kept - got) : from + got;
		size_t want = size > OUTPUT_MAX && !is_tail ? OUTPUT_HALF - got : kept - got;
		ssize_t n = pread(fd, bytes + got, want, (off_t)at);

		if (n <= 0) {
			free(bytes);
			return 0;
		}
		got += (size_t)n;
	}
	*cut = size - kept;
	*text = bytes;
	return kept;
}

void output_take(struct engine *e, int64_t item, int attempt)
{
	struct failure_run run = {
		.first = item, .count = 1, .state = OUTPUT_WHOLE, .attempts = (uint64_t)attempt
	};
	uint64_t end = position(e), cut;
	char *text;

	if (end > e->output.at) {
		run.text.size = output_read(e->output.fd, e->output.at, end, &text, &cut);
		run.text.data = text;
		run.code = (int64_t)cut;
		piece_print(e, &run);
		free(text);
	}
	advance(e, end);
}
