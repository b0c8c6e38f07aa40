/* progress.c: one line on a terminal, redrawn while a job runs.
 *
 * The size of the terminal is asked for at each redraw. One that has become narrower
 * has wrapped the line that stands there: that is cleared from its first row on. */
#include "libcluster/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libcluster/client.h"

#define DRAW_NS	      100000000
#define BAR_MIN	      10
#define BAR_MAX	      40
#define COLUMNS_GUESS 80	 /* of a terminal that does not tell */
#define RECENT_NS     1000000000 /* an engine that has sent a result since is busy */

struct line {
	char text[300];
	int length;
};

static void say(struct line *line, const char *format, ...) XC_PRINTF(2, 3);
static void say(struct line *line, const char *format, ...)
{
	size_t room = sizeof line->text - (size_t)line->length;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line->text + line->length, room, format, ap);
	va_end(ap);
	line->length += n < 0 ? 0 : (size_t)n < room ? n : (int)room - 1;
}

/* Of the terminal; 0: it does not tell. */
static int columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

/* Nobody tells the client which engines have work: one that has sent results lately has,
 * and before the first results all have; but no more than there are items left. */
static int64_t busy_engines(const struct xc_client *client, const struct xci_standing *s,
			    uint64_t now)
{
	uint64_t recent = RECENT_NS + (uint64_t)(4e9 * s->item_s);
	int64_t n = 0;

	for (int i = 0; i < client->engine_count; i++) {
		const struct xci_engine *engine = &client->engines[i];

		n += engine->state == XCI_UP && (s->done == 0 || now - engine->heard_ns < recent);
	}
	return n < s->left ? n : s->left;
}

static void say_duration(struct line *line, double seconds, const char *end)
{
	if (seconds < 120)
		say(line, "  %.3g s%s", seconds < 10 ? seconds : (double)(int64_t)seconds, end);
	else if (seconds < 7200)
		say(line, "  %.0f min%s", seconds / 60, end);
	else
		say(line, "  %.1f h%s", seconds / 3600, end);
}

static void say_facts(struct line *line, const struct xc_client *client,
		      const struct xci_standing *s, uint64_t now, bool last)
{
	double elapsed = (double)(now - s->start_ns) / 1e9;
	double rate = elapsed > 0 ? (double)s->done / elapsed : 0;
	const char *unit = s->unit ? s->unit : "items";

	if (s->items < 0)
		say(line, "%lld %s", (long long)s->done, unit);
	else
		say(line, "%lld/%lld %s", (long long)s->done, (long long)s->items, unit);
	if (s->failed)
		say(line, "  %lld failed", (long long)s->failed);
	say(line, rate < 100 ? "  %.3g/s" : "  %.0f/s", rate);
	if (last)
		say_duration(line, elapsed, "");
	else if (s->items >= 0 && rate > 0)
		say_duration(line, (double)(s->items - s->done) / rate, " left");
	if (!last && client && !s->unit)
		say(line, "  %lld/%d engines busy", (long long)busy_engines(client, s, now),
		    client->up);
}

/* "[####......] " in front, if there is room. */
static void say_bar(struct line *line, const struct xci_standing *s, int room)
{
	int width = room - 3 < BAR_MAX ? room - 3 : BAR_MAX, full;
	double part = s->items > 0 ? (double)s->done / (double)s->items : 1;

	if (width < BAR_MIN || s->items < 0)
		return;
	full = (int)(part * width);
	say(line, "[");
	for (int i = 0; i < width; i++)
		say(line, i < full ? "#" : ".");
	say(line, "] ");
}

/* To where the line begins that stands there, with nothing behind it. */
static void clear(const struct xci_meter *meter, int width)
{
	int wraps =
		meter->is_open && width > 0 && meter->length > 0 ? (meter->length - 1) / width : 0;

	if (wraps > 0)
		fprintf(stderr, "\r\033[%dA\033[J", wraps);
	else
		fputs("\r\033[K", stderr);
}

void xci_meter_draw(struct xci_meter *meter, struct xc_client *client,
		    const struct xci_standing *standing, bool last)
{
	uint64_t now = now_ns();
	struct line facts = { .length = 0 }, line = { .length = 0 };
	int width, room;

	if (meter->is_final || (!last && now - meter->drawn_ns < DRAW_NS))
		return;
	meter->drawn_ns = now;
	meter->is_final = last;
	if (!isatty(STDERR_FILENO))
		return;
	width = columns();
	room = (width > 0 ? width : COLUMNS_GUESS) - 1; /* the last column would wrap */
	say_facts(&facts, client, standing, last && standing->end_ns ? standing->end_ns : now,
		  last);
	if (width > 0)
		say_bar(&line, standing, room - facts.length);
	say(&line, "%s", facts.text);
	if (line.length > room)
		line.length = room;
	clear(meter, width);
	fprintf(stderr, "%.*s%s", line.length, line.text, last ? "\n" : "");
	fflush(stderr);
	meter->length = line.length;
	meter->is_open = !last;
	if (client)
		client->is_drawn = !last;
}

void xci_meter_close(struct xci_meter *meter)
{
	if (!meter->is_open)
		return;
	meter->is_open = false;
	fputc('\n', stderr);
	fflush(stderr);
}

void xci_progress_show(struct xc_result *result)
{
	struct xci_standing standing = { .items = result->items,
					 .done = result->done,
					 .failed = result->failed,
					 .left = result->items - result->done,
					 .start_ns = result->start_ns,
					 .end_ns = result->end_ns };

	if (!result->progress)
		return;
	if (result->done > 0)
		standing.item_s = (double)result->busy_ns / 1e9 / (double)result->done;
	xci_meter_draw(&result->meter, result->client, &standing, result->is_ready);
}
