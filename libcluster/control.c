/* control.c: orders for the engines of a view: signals, and the end for good. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "libcluster/client.h"
#include "proto/error.h"

/* The engines that an order is for; the call waits until they have ended. */
struct targets {
	const struct xc_client *client;
	uint32_t *ids; /* owned */
	int count;
};

static int find_targets(const struct xc_view *view, const char *call, struct targets *targets,
			struct xc_error *err)
{
	if (!view)
		return error_set(err, -EINVAL, "%s: view is NULL", call);
	if (view->kind == VIEW_BALANCED)
		return error_set(
			err, -EINVAL,
			"%s: a load-balanced view has no engines of its own; use xc_all or "
			"xc_engines",
			call);
	xci_pump(view->client, 0); /* sends what is held back, too */
	targets->client = view->client;
	return xci_view_targets(view, &targets->ids, &targets->count, err);
}

/* Sends the order with its targets, and waits for the answer. */
static int give_order(struct xc_client *client, const struct targets *targets, const char *call,
		      const void *header, size_t size, struct xc_error *err)
{
	zmq_msg_t frame;
	int r = xci_check_question(client, call, err);

	if (r < 0)
		return r;
	r = frame_copy(&frame, targets->ids, (size_t)targets->count * sizeof *targets->ids);
	if (r < 0)
		return error_set(err, r, "%s: out of memory", call);
	r = xci_post(client, header, size, &frame, 1);
	if (r < 0)
		return xci_wait_failed(client, call, r, err);
	return xci_await_answer(client, call, NULL, err);
}

static int send_signal(const struct xc_view *view, const char *call, int signal,
		       struct xc_error *err)
{
	struct targets targets = { 0 };
	unsigned char header[HEADER_MAX];
	struct msg_signal m = { .signal = signal };
	size_t size;
	int r;

	if (signal < 1 || signal > SIGRTMAX)
		return error_set(err, -EINVAL, "%s: there is no signal %d", call, signal);
	r = find_targets(view, call, &targets, err);
	if (r < 0)
		return r;
	m.id = ++view->client->last_query;
	size = msg_signal_pack(header, sizeof header, &m);
	r = give_order(view->client, &targets, call, header, size, err);
	free(targets.ids);
	return r;
}

int xc_signal(const struct xc_view *view, int signal, struct xc_error *err)
{
	return send_signal(view, "xc_signal", signal, err);
}

int xc_interrupt(const struct xc_view *view, struct xc_error *err)
{
	return send_signal(view, "xc_interrupt", SIGINT, err);
}

static bool have_ended(void *argument)
{
	const struct targets *targets = argument;

	for (int i = 0; i < targets->count; i++) {
		enum xci_engine_state state = targets->client->engines[targets->ids[i]].state;

		if (state != XCI_SHUT && state != XCI_GONE)
			return false;
	}
	return true;
}

static int wait_for_end(struct xc_client *client, struct targets *targets, struct xc_error *err)
{
	int r = xci_wait(client, -1, have_ended, targets);

	if (r == XC_ELOST)
		return xci_lost(client, err);
	if (r == -EINTR)
		return error_set(
			err, r,
			"xc_engines_stop: interrupted by a signal; the engines end all the "
			"same");
	return r < 0 ? error_set(err, r, "xc_engines_stop: %s", error_text(r)) : 0;
}

int xc_engines_stop(const struct xc_view *view, enum xc_cancel how, struct xc_error *err)
{
	struct targets targets = { 0 };
	unsigned char header[HEADER_MAX];
	struct msg_shut m = { .how = how == XC_CANCEL_RUNNING ? CANCEL_HOW_RUNNING
							      : CANCEL_HOW_QUEUED };
	size_t size;
	int r;

	if (how != XC_CANCEL_QUEUED && how != XC_CANCEL_RUNNING)
		return error_set(err, -EINVAL, "xc_engines_stop: how is not valid");
	r = find_targets(view, "xc_engines_stop", &targets, err);
	if (r < 0)
		return r;
	m.id = ++view->client->last_query;
	size = msg_shut_pack(header, sizeof header, &m);
	r = give_order(view->client, &targets, "xc_engines_stop", header, size, err);
	if (r == 0)
		r = wait_for_end(view->client, &targets, err);
	free(targets.ids);
	return r;
}
