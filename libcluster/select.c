/* select.c: views of some of the engines of a view. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "libcluster/client.h"
#include "proto/error.h"

int xc_view_ids(const struct xc_view *view, int *ids, int max)
{
	uint32_t *all;
	int n;

	if (!view || xc_view_size(view) == 0)
		return 0;
	if (!ids || max <= 0)
		return xc_view_size(view);
	if (xci_view_targets(view, &all, &n, NULL) < 0)
		return -ENOMEM;
	for (int i = 0; i < n && i < max; i++)
		ids[i] = (int)all[i];
	free(all);
	return n;
}

/* The ids of a direct view, to be freed. */
static int direct_ids(const struct xc_view *view, const char *call, int **ids, int *n,
		      struct xc_error *err)
{
	if (!view)
		return error_set(err, -EINVAL, "%s: view is NULL", call);
	if (view->kind == VIEW_BALANCED)
		return error_set(
			err, -EINVAL,
			"%s: the engines of a load-balanced view have no order; use xc_all "
			"or xc_engines",
			call);
	xci_pump(view->client, 0);
	if (view->client->is_lost)
		return xci_lost(view->client, err);
	*n = xc_view_size(view);
	*ids = calloc((size_t)*n + 1, sizeof **ids);
	if (!*ids || (*n && xc_view_ids(view, *ids, *n) < 0)) {
		free(*ids);
		return error_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

int xc_view_at(const struct xc_view *view, int i, const struct xc_view **one, struct xc_error *err)
{
	int *ids = NULL, n = 0, r;

	if (!one)
		return error_set(err, -EINVAL, "xc_view_at: one is NULL");
	r = direct_ids(view, "xc_view_at", &ids, &n, err);
	if (r < 0)
		return r;
	if (i < -n || i >= n)
		r = error_set(err, XC_ENOENGINE,
			      "xc_view_at: index %d is out of range: the view has %d engine%s", i,
			      n, n == 1 ? "" : "s");
	else
		r = xc_engines(view->client, &ids[i < 0 ? i + n : i], 1, one, err);
	free(ids);
	return r;
}

/* An end of a slice as a position from `low` to `high`. */
static int position(int at, int left_out, int n, int low, int high)
{
	if (at == XC_END)
		return left_out;
	if (at < 0)
		at += n;
	return at < low ? low : at > high ? high : at;
}

/* Writes the positions of view[start:stop:step]; returns how many. */
static int positions(int n, int start, int stop, int step, int *at)
{
	int first, last, count = 0;

	if (step > 0) {
		first = position(start, 0, n, 0, n);
		last = position(stop, n, n, 0, n);
		for (int64_t i = first; i < last; i += step)
			at[count++] = (int)i;
	} else {
		first = position(start, n - 1, n, -1, n - 1);
		last = position(stop, -1, n, -1, n - 1);
		for (int64_t i = first; i > last; i += step)
			at[count++] = (int)i;
	}
	return count;
}

static void end_text(char *text, size_t size, int end)
{
	text[0] = '\0';
	if (end != XC_END)
		snprintf(text, size, "%d", end);
}

int xc_view_slice(const struct xc_view *view, int start, int stop, int step,
		  const struct xc_view **slice, struct xc_error *err)
{
	char from[16], to[16];
	int *ids = NULL, *at, n = 0, count, r;

	if (!slice || step == 0)
		return error_set(err, -EINVAL, "xc_view_slice: %s",
				 slice ? "step is 0" : "slice is NULL");
	r = direct_ids(view, "xc_view_slice", &ids, &n, err);
	if (r < 0)
		return r;
	at = calloc((size_t)n + 1, sizeof *at);
	if (!at) {
		free(ids);
		return error_set(err, -ENOMEM, "out of memory");
	}
	count = positions(n, start, stop, step, at);
	for (int i = 0; i < count; i++)
		at[i] = ids[at[i]];
	end_text(from, sizeof from, start);
	end_text(to, sizeof to, stop);
	if (count)
		r = xc_engines(view->client, at, count, slice, err);
	else
		r = error_set(err, XC_ENOENGINE,
			      "xc_view_slice: [%s:%s:%d] has no engine: the view has %d", from, to,
			      step, n);
	free(ids);
	free(at);
	return r;
}
