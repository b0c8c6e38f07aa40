/* engine_order.c: orders to engines of a running cluster that need one call. */
#include <stddef.h>

#include "cmd/command.h"
#include "cmd/engine_list.h"
#include "proto/cluster_dir.h"

static int give_order(const struct engine_list *list, const char *id, engine_order_fn *order,
		      int number, struct xc_error *err)
{
	const struct xc_view *view = NULL;
	struct xc_client *client = NULL;
	char path[CLUSTER_PATH_MAX];
	int r = connection_find(id, path, sizeof path, err);

	if (r >= 0)
		r = xc_open(&client, path, err);
	if (r == 0)
		r = engine_list_view(list, client, &view, err);
	if (r == 0)
		r = order(view, number, err);
	xc_close(client);
	return r;
}

int engine_list_order(const struct engine_list *list, const char *id, engine_order_fn *order,
		      int number)
{
	struct xc_error err = XC_ERROR_INIT;

	return give_order(list, id, order, number, &err) < 0 ? fail(&err) : STATUS_OK;
}
