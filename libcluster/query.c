/* query.c: questions to the controller. */
#include <errno.h>
#include <stdlib.h>

#include "libcluster/client.h"
#include "proto/error.h"

static bool is_reported(void *argument)
{
	struct xc_client *client = argument;

	return client->reported == client->last_query;
}

int xci_check_question(struct xc_client *client, const char *call, struct xc_error *err)
{
	if (client->is_lost)
		return xci_lost(client, err);
	return xci_inline_check(client->inside, call, err);
}

int xci_wait_for_report(struct xc_client *client, struct xc_error *err)
{
	int r = xci_wait_through(client, XCI_OPEN_LIMIT_S, is_reported, client);

	if (r == -ETIMEDOUT)
		return error_set(err, r, "the controller did not answer within %d s",
				 XCI_OPEN_LIMIT_S);
	return r < 0 ? xci_wait_failed(client, "waiting for the controller's report", r, err) : 0;
}

int xc_status_json(struct xc_client *client, char **json, struct xc_error *err)
{
	int r;

	if (!client || !json)
		return error_set(err, -EINVAL, "xc_status_json: client or json is NULL");
	r = xci_check_question(client, "xc_status_json", err);
	if (r < 0)
		return r;
	r = POST(client, query, .id = ++client->last_query);
	r = r < 0 ? xci_wait_failed(client, "xc_status_json", r, err)
		  : xci_wait_for_report(client, err);
	if (r < 0)
		return r;
	if (!client->report)
		return error_set(err, -ENOMEM, "out of memory");
	*json = client->report;
	client->report = NULL;
	return 0;
}

int xc_shutdown(struct xc_client *client, struct xc_error *err)
{
	int r;

	if (!client)
		return error_set(err, -EINVAL, "xc_shutdown: client is NULL");
	r = xci_check_question(client, "xc_shutdown", err);
	if (r < 0)
		return r;
	r = POST(client, shutdown, .id = ++client->last_query);
	r = r < 0 ? xci_wait_failed(client, "xc_shutdown", r, err)
		  : xci_wait_for_report(client, err);
	client->is_lost |= r == 0; /* it is ending: nothing more is to come */
	return r;
}
