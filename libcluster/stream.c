/* stream.c: a map over items that come from a callback, as jobs of bounded size. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define WINDOW_ITEMS INT64_C(4096)
#define WINDOW_BYTES (UINT64_C(64) << 20)
#define JOBS	     4 /* that the window is divided into: engines find the next */

/* A job of some items. */
struct part {
	struct xc_result *result;
	char *out;     /* owned; NULL: results of any length */
	int64_t first; /* its first item in the stream */
	int64_t count, given;
	size_t bytes; /* of inputs */
	struct part *prev, *next;
};

/* Items gathered for the next job. */
struct gathered {
	struct xc_bytes *items;
	int64_t count, room;
	char *bytes;
	size_t size, bytes_room;
};

struct stream {
	const struct xc_view *view;
	struct xc_client *client;
	xc_task_fn *fn;
	xc_next_fn *next;
	xc_give_fn *give;
	void *argument;
	struct xc_stream_options window;
	const struct xc_map_options *options;
	struct gathered gathered;
	struct part *parts; /* in the order of their items */
	int64_t taken;	    /* from next */
	int64_t open_items; /* taken and not given */
	size_t open_bytes;  /* of parts that there are */
	bool has_ended;	    /* nothing more is taken */
	int ended_code;	    /* what next returned then */
	int64_t failed;
	uint64_t start_ns;
	struct xci_meter meter;	 /* if progress was asked for */
	struct xc_failure first; /* of the failures; its text is not kept */
	char first_text[400];
};

/* ---- Gathering ---------------------------------------------------------------------- */

static int gathered_add(struct gathered *g, const struct xc_bytes *item)
{
	if (g->count == g->room) {
		int64_t room = g->room ? 2 * g->room : 64;
		struct xc_bytes *items = realloc(g->items, (size_t)room * sizeof *items);

		if (!items)
			return -ENOMEM;
		g->items = items;
		g->room = room;
	}
	if (item->size > g->bytes_room - g->size) {
		size_t room = g->size + item->size + g->bytes_room;
		char *bytes = realloc(g->bytes, room);

		if (!bytes)
			return -ENOMEM;
		g->bytes = bytes;
		g->bytes_room = room;
	}
	if (item->size)
		memcpy(g->bytes + g->size, item->data, item->size);
	g->items[g->count++].size = item->size; /* .data: once the bytes stay put */
	g->size += item->size;
	return 0;
}

/* Items for the next job: few while little is in flight, so that the first results
 * come soon, and more the more there is to do meanwhile. */
static int64_t batch_size(const struct stream *s)
{
	int64_t n = s->open_items / 2, most = s->window.window_items / JOBS;

	if (n < s->client->up)
		n = s->client->up;
	if (n > most)
		n = most;
	return n > 0 ? n : 1;
}

static bool can_take(const struct stream *s)
{
	return !s->has_ended && s->open_bytes < s->window.window_bytes &&
	       s->window.window_items - s->open_items >= batch_size(s);
}

/* Asks for items until the job is full or there are no more. */
static int gather(struct stream *s, struct xc_error *err)
{
	int64_t limit = batch_size(s);
	struct gathered *g = &s->gathered;

	g->count = 0;
	g->size = 0;
	while (g->count < limit && g->size < s->window.window_bytes / JOBS &&
	       s->open_bytes + g->size < s->window.window_bytes) {
		struct xc_bytes item = { NULL, 0 };
		int r = s->next(s->argument, &item);

		if (r <= 0) {
			s->has_ended = true;
			s->ended_code = r;
			break;
		}
		if (!item.data && item.size)
			return error_set(err, -EINVAL, "xc_map_stream: item %lld has no data",
					 (long long)(s->taken + g->count));
		if (gathered_add(g, &item) < 0)
			return error_set(err, -ENOMEM,
					 "xc_map_stream: no memory for the %zu bytes of item %lld",
					 item.size, (long long)(s->taken + g->count));
	}
	return 0;
}

/* ---- Jobs ----------------------------------------------------------------------------- */

static void part_free(struct stream *s, struct part *part)
{
	DL_DELETE(s->parts, part);
	s->open_bytes -= part->bytes;
	xc_result_destroy(part->result);
	free(part->out);
	free(part);
}

static int submit(struct stream *s, struct part *part, struct xc_error *err)
{
	struct gathered *g = &s->gathered;
	struct xci_submission job = { .view = s->view,
				      .items = part->count,
				      .out = part->out,
				      .options = s->options,
				      .stream_first = part->first };
	const char *at = g->bytes;
	int r;

	/* An item's place in its job says nothing to the task. */
	job.task = (struct task_frame){ .form = FORM_PACKED,
					.out_size = s->window.out_size,
					.step = 1,
					.apart = 1,
					.time_limit_ns = (uint64_t)(s->options->time_limit * 1e9) };
	/* For each job: the store may have lost the program meanwhile. */
	r = xci_ship(s->client, s->fn, s->options, &job.task, err);
	if (r < 0)
		return r;
	for (int64_t i = 0; i < g->count; i++) {
		g->items[i].data = at;
		at += g->items[i].size;
	}
	r = xci_pack_items(s->client, g->items, g->count, &job.payload, err);
	if (r < 0)
		return r;
	part->result = xci_submit(&job, err);
	if (!part->result)
		return err->code;
	part->result->output_first = part->first;
	return 0;
}

static int send_gathered(struct stream *s, struct xc_error *err)
{
	struct gathered *g = &s->gathered;
	struct part *part;
	int r;

	if (g->count == 0)
		return 0;
	part = calloc(1, sizeof *part);
	if (part && s->window.out_size)
		part->out = calloc((size_t)g->count, s->window.out_size);
	if (!part || (s->window.out_size && !part->out)) {
		free(part);
		return error_set(err, -ENOMEM, "xc_map_stream: no memory for %lld results",
				 (long long)g->count);
	}
	part->first = s->taken;
	part->count = g->count;
	part->bytes = g->size;
	DL_APPEND(s->parts, part);
	s->open_bytes += part->bytes;
	r = submit(s, part, err);
	if (r < 0) {
		part_free(s, part);
		return r;
	}
	s->taken += g->count;
	s->open_items += g->count;
	return 0;
}

/* ---- Giving ----------------------------------------------------------------------------- */

static void stop(struct stream *s)
{
	struct part *part;

	s->has_ended = true;
	DL_FOREACH (s->parts, part) {
		xc_cancel(part->result, XC_CANCEL_QUEUED, NULL);
	}
}

static const struct xc_failure *failure_of(const struct part *part, int64_t i)
{
	const struct xci_failure *f = part->result->failures;

	while (f && (i < f->failure.first || i >= f->failure.first + f->failure.count))
		f = f->next;
	return f ? &f->failure : NULL;
}

static void note_failure(struct stream *s, const struct part *part, int64_t i)
{
	/* One that says more than that an item was cancelled. */
	bool is_wanted = s->failed == 0 || s->first.state == XC_CANCELLED;
	const struct xc_failure *f = is_wanted ? failure_of(part, i) : NULL;

	if (f && (s->failed == 0 || f->state != XC_CANCELLED)) {
		s->first = *f;
		xci_failure_describe(f, part->first + i, s->first_text, sizeof s->first_text);
	}
	s->failed++;
	if (s->options->on_failure == XC_STOP && !s->has_ended)
		stop(s);
}

static int give_item(struct stream *s, struct part *part, int64_t i)
{
	int state = xc_item_state(part->result, i);
	const void *data = NULL;
	size_t size = 0;

	if (state < 0)
		return state;
	if (state != XC_OK) {
		note_failure(s, part, i);
	} else if (part->out) {
		data = part->out + (size_t)i * s->window.out_size;
		size = s->window.out_size;
	} else {
		data = xc_result_item(part->result, i, &size);
	}
	part->given++;
	s->open_items--;
	return s->give(s->argument, part->first + i, (enum xc_state)state, data, size) ? -ECANCELED
										       : 0;
}

/* Gives what has arrived; the number given. */
static int64_t give(struct stream *s, struct xc_error *err)
{
	int64_t given = 0, i;
	struct part *part, *next;

	DL_FOREACH_SAFE (s->parts, part, next) {
		int r;

		while ((r = xci_next(part->result, s->window.order, &i)) == 1) {
			r = give_item(s, part, i);
			given++;
			if (r == -ECANCELED)
				return error_set(err, r,
						 "xc_map_stream: ended by give, at item %lld",
						 (long long)(part->first + i));
			if (r < 0)
				break;
		}
		if (r == -ENOMEM)
			return error_set(err, r, "xc_map_stream: out of memory");
		if (part->given == part->count)
			part_free(s, part);
		else if (s->window.order == XC_IN_ORDER)
			break;
	}
	return given;
}

/* ---- All of it ----------------------------------------------------------------------------- */

static int wait_for_news(struct stream *s, bool wait, struct xc_error *err)
{
	int r = xci_pump(s->client, !wait ? 0 : s->options->progress ? 100 : 1000);

	return r < 0 ? xci_wait_failed(s->client, "xc_map_stream", r, err) : 0;
}

static void show_progress(struct stream *s, bool last)
{
	struct xci_standing standing = { .items = -1,
					 .done = s->taken - s->open_items,
					 .failed = s->failed,
					 .left = s->open_items,
					 .start_ns = s->start_ns };

	if (s->options->progress)
		xci_meter_draw(&s->meter, s->client, &standing, last);
}

static int run(struct stream *s, struct xc_error *err)
{
	int64_t r;

	while (!s->has_ended || s->parts) {
		bool takes = can_take(s);

		r = takes ? gather(s, err) : 0;
		if (r == 0 && takes)
			r = send_gathered(s, err);
		if (r == 0)
			r = give(s, err);
		show_progress(s, false);
		if (r >= 0 && (s->parts || !s->has_ended))
			r = wait_for_news(s, r == 0 && !can_take(s), err);
		if (r < 0)
			return (int)r;
	}
	return 0;
}

static int outcome(const struct stream *s, struct xc_error *err)
{
	int code = XC_EFAILED;

	if (s->ended_code < 0)
		return error_set(err, s->ended_code,
				 "xc_map_stream: next returned %d after %lld items", s->ended_code,
				 (long long)s->taken);
	if (s->failed == 0)
		return 0;
	/* Every item was refused for one reason: that is the error of the call. */
	if (s->failed == s->taken && s->first.state == XC_FAILED && s->first.code < 0 &&
	    s->first.code != XC_ENOVAR)
		code = s->first.code;
	return error_set(err, code, "%lld of %lld items did not end well; first: %s",
			 (long long)s->failed, (long long)s->taken, s->first_text);
}

static int check(struct stream *s, struct xc_error *err)
{
	if (!s->view || !s->next || !s->give)
		return error_set(err, -EINVAL, "xc_map_stream: %s is NULL",
				 !s->view   ? "view"
				 : !s->next ? "next"
					    : "give");
	/* Also of a stream without items. */
	if (!s->fn == !s->options->function)
		return error_set(err, -EINVAL, "xc_map_stream: %s",
				 s->fn ? "both fn and options.function are given: set one to NULL"
				       : "fn and options.function are NULL");
	if (s->window.order != XC_ANY_ORDER && s->window.order != XC_IN_ORDER)
		return error_set(err, -EINVAL, "xc_map_stream: order is not valid");
	if (s->window.window_items < 0 || s->window.out_size > UINT32_MAX)
		return error_set(
			err, -EINVAL,
			"xc_map_stream: window_items (%lld) is negative, or out_size (%zu) "
			"is over 4 GB",
			(long long)s->window.window_items, s->window.out_size);
	if (s->options->on_disconnect != XC_DISCONNECT_CANCEL)
		return error_set(err, -EINVAL,
				 "xc_map_stream: options.on_disconnect is for jobs that others can "
				 "attach to, which a stream is not: leave it 0");
	return xci_options_check(s->options, err);
}

int xc_map_stream(const struct xc_view *view, xc_task_fn *fn, xc_next_fn *next, xc_give_fn *give_fn,
		  void *argument, const struct xc_stream_options *window,
		  const struct xc_map_options *options, struct xc_error *err)
{
	static const struct xc_stream_options no_window = XC_STREAM_OPTIONS_INIT;
	static const struct xc_map_options no_options = XC_MAP_OPTIONS_INIT;
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct stream s = { .view = view,
			    .fn = fn,
			    .next = next,
			    .give = give_fn,
			    .argument = argument,
			    .window = window ? *window : no_window,
			    .options = options ? options : &no_options };
	int r = check(&s, e);

	if (r < 0)
		return r;
	s.client = view->client;
	if (!s.window.window_items)
		s.window.window_items = WINDOW_ITEMS;
	if (!s.window.window_bytes)
		s.window.window_bytes = WINDOW_BYTES;
	s.start_ns = now_ns();
	r = run(&s, e);
	if (r == 0)
		show_progress(&s, true);
	xci_meter_close(&s.meter);
	while (s.parts)
		part_free(&s, s.parts); /* cancels what has not ended */
	free(s.gathered.items);
	free(s.gathered.bytes);
	return r < 0 ? r : outcome(&s, e);
}
