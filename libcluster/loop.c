/* loop.c: a client in an event loop of the program's own.
 *
 * The socket's own descriptor tells of commands between threads, not of messages:
 * any call on the socket, also one that sends, may take its signal away while
 * messages remain. So the descriptor given out is an epoll of three: the socket's,
 * for what arrives while nobody calls; the controller's process; and a timer, which
 * every such call makes due at once, and which else fires once a second to see
 * whether a silent controller still answers. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "libcluster/client.h"
#include "proto/error.h"

static void set_timer(struct xc_client *client, bool now)
{
	struct itimerspec in = { .it_interval.tv_sec = 1 };

	in.it_value = now ? (struct timespec){ .tv_nsec = 1 } : in.it_interval;
	timerfd_settime(client->timer, 0, &in, NULL);
}

void xci_loop_stir(struct xc_client *client)
{
	if (client->loop >= 0)
		set_timer(client, true);
}

void xci_loop_free(struct xc_client *client)
{
	if (client->loop >= 0)
		close(client->loop);
	if (client->timer >= 0)
		close(client->timer);
}

static int watch(struct xc_client *client, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(client->loop, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int xc_fd(struct xc_client *client)
{
	int r;

	if (!client)
		return -EINVAL;
	if (client->loop >= 0)
		return client->loop;
	client->loop = epoll_create1(EPOLL_CLOEXEC);
	client->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	r = client->loop < 0 || client->timer < 0 ? -errno : 0;
	if (r == 0)
		r = watch(client, client->dealer_fd);
	if (r == 0)
		r = watch(client, client->timer);
	if (r == 0 && client->pidfd >= 0)
		r = watch(client, client->pidfd);
	if (r < 0) {
		xci_loop_free(client);
		client->loop = client->timer = -1;
		return r;
	}
	set_timer(client, true); /* what has come before */
	return client->loop;
}

int xc_process(struct xc_client *client, struct xc_error *err)
{
	int r;

	if (!client)
		return error_set(err, -EINVAL, "xc_process: client is NULL");
	/* The last of these finds nothing, and after it nothing is sent: what comes
	 * then makes the socket's descriptor readable. */
	do
		r = xci_pump(client, 0);
	while (r > 0);
	if (r == 0) {
		uint64_t pinged = client->pinged_ns;

		xci_check_counters(client);
		if (client->is_lost)
			r = XC_ELOST;
		else if (client->loop >= 0)
			set_timer(client, client->pinged_ns != pinged);
	}
	return r < 0 ? xci_wait_failed(client, "xc_process", r, err) : 0;
}
