/* view.c: which engines a call goes to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "proto/error.h"
#include "proto/job.h"

const struct xc_view *xc_all(struct xc_client *client)
{
	return client ? &client->all : NULL;
}

const struct xc_view *xc_balanced(struct xc_client *client)
{
	return client ? &client->balanced : NULL;
}

static bool is_covered(const struct xc_client *client, int id)
{
	return id >= 0 && id < client->engine_count &&
	       (client->engines[id].state == XCI_UP || client->engines[id].state == XCI_DOWN);
}

static bool was_shut(const struct xc_client *client, int id)
{
	return id >= 0 && id < client->engine_count &&
	       (client->engines[id].state == XCI_SHUT || client->engines[id].state == XCI_CLOSING);
}

static int check_ids(struct xc_client *client, const int *ids, int n, struct xc_error *err)
{
	if (!ids)
		return error_set(err, -EINVAL, "ids is NULL: a view needs a list of engines");
	if (n < 1)
		return error_set(err, -EINVAL, "a view needs at least one engine");
	for (int i = 0; i < n; i++) {
		if (was_shut(client, ids[i]))
			return error_set(err, XC_ENOENGINE, ENGINE_WAS_SHUT, ids[i]);
		if (!is_covered(client, ids[i]))
			return error_set(
				err, XC_ENOENGINE,
				"engine %d is not up; xcluster status lists those that are",
				ids[i]);
		for (int k = 0; k < i; k++)
			if (ids[k] == ids[i])
				return error_set(err, -EINVAL, "engine %d is twice in the view",
						 ids[i]);
	}
	return 0;
}

/* A view of these engines that there is already. */
static const struct xc_view *find(const struct xc_client *client, const int *ids, int n,
				  enum view_kind kind)
{
	const struct xc_view *view;

	for (view = client->views; view; view = view->next) {
		int i = 0;

		while (view->kind == kind && view->count == n && i < n &&
		       view->ids[i] == (uint32_t)ids[i])
			i++;
		if (i == n)
			return view;
	}
	return NULL;
}

static int view_new(struct xc_client *client, const int *ids, int n, enum view_kind kind,
		    const struct xc_view **out, struct xc_error *err)
{
	const struct xc_view *same;
	struct xc_view *view;
	int r;

	if (!client || !out)
		return error_set(err, -EINVAL, "%s: client or view is NULL",
				 kind == VIEW_LIST ? "xc_engines" : "xc_balanced_over");
	xci_pump(client, 0);
	if (client->is_lost) /* what it last heard of its engines says nothing any more */
		return xci_lost(client, err);
	r = check_ids(client, ids, n, err);
	if (r < 0)
		return r;
	same = find(client, ids, n, kind);
	if (same) {
		*out = same;
		return 0;
	}
	view = calloc(1, sizeof *view);
	if (!view || !(view->ids = calloc((size_t)n, sizeof *view->ids))) {
		free(view);
		return error_set(err, -ENOMEM, "out of memory");
	}
	view->client = client;
	view->kind = kind;
	view->count = n;
	for (int i = 0; i < n; i++)
		view->ids[i] = (uint32_t)ids[i];
	view->next = client->views;
	client->views = view;
	*out = view;
	return 0;
}

int xc_engines(struct xc_client *client, const int *ids, int n, const struct xc_view **out,
	       struct xc_error *err)
{
	return view_new(client, ids, n, VIEW_LIST, out, err);
}

int xc_balanced_over(struct xc_client *client, const int *ids, int n, const struct xc_view **out,
		     struct xc_error *err)
{
	return view_new(client, ids, n, VIEW_BALANCED, out, err);
}

/* Takes nothing in: a caller that has sized its outputs by this number may rely
 * on it until its next call that waits or asks. */
int xc_view_size(const struct xc_view *view)
{
	if (!view)
		return 0;
	return view->count ? view->count : view->client->covered;
}

int xci_no_engine(const struct xc_view *view, struct xc_error *err)
{
	if (view->client->is_lost)
		return xci_lost(view->client, err);
	return error_set(err, XC_ENOENGINE,
			 "no engine is up yet: call xc_wait_for_engines first, or add some with "
			 "xcluster engines -n");
}

int xci_view_targets(const struct xc_view *view, uint32_t **out, int *count, struct xc_error *err)
{
	struct xc_client *client = view->client;
	int n = xc_view_size(view), used = 0;
	uint32_t *ids;

	if (n == 0)
		return xci_no_engine(view, err);
	ids = calloc((size_t)n, sizeof *ids);
	if (!ids)
		return error_set(err, -ENOMEM, "out of memory");
	if (view->count)
		memcpy(ids, view->ids, (size_t)n * sizeof *ids);
	else
		for (int i = 0; i < client->engine_count && used < n; i++)
			if (is_covered(client, i))
				ids[used++] = (uint32_t)i;
	*out = ids;
	*count = n;
	return 0;
}
