/* event_loop.c: a cluster within a program's own event loop: one epoll waits for
 * the cluster and for a clock at the same time, and no call blocks. */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <xcluster.h>

#define ITEMS 200

static int step(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	usleep(10000);
	*(int64_t *)out = *(const int64_t *)in * 2;
	return 0;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Shows the items that have ended since; 0 when it was the last. */
static int take(struct xc_result *result, const int64_t *out, int64_t *sum, struct xc_error *err)
{
	int64_t item;
	int r;

	while ((r = xc_next(result, XC_ANY_ORDER, 0, &item, err)) == 1)
		*sum += out[item];
	return r;
}

static int loop(struct xc_client *client, struct xc_result *result, const int64_t *out,
		struct xc_error *err)
{
	const struct itimerspec each = { { 0, 200000000 }, { 0, 200000000 } };
	int epoll = epoll_create1(EPOLL_CLOEXEC), clock = timerfd_create(CLOCK_MONOTONIC, 0);
	int fd = xc_fd(client), r = -1;
	int64_t sum = 0;

	timerfd_settime(clock, 0, &each, NULL);
	watch(epoll, clock);
	watch(epoll, fd);
	while (r != 0) {
		struct epoll_event event;
		uint64_t ticks;

		if (epoll_wait(epoll, &event, 1, -1) < 1)
			continue;
		if (event.data.fd == clock && read(clock, &ticks, sizeof ticks) > 0)
			printf("tick: %lld of %d items\n",
			       (long long)xc_result_progress(result).done, ITEMS);
		if (event.data.fd != fd)
			continue;
		if (xc_process(client, err) < 0)
			break;
		r = take(result, out, &sum, err);
	}
	if (r == 0)
		printf("sum %lld\n", (long long)sum);
	close(clock);
	close(epoll);
	return r;
}

int main(void)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client = NULL;
	struct xc_result *result = NULL;
	int64_t out[ITEMS];
	int r = xc_open(&client, NULL, &err);

	if (r == 0)
		r = xc_wait_for_engines(client, 1, 30, &err);
	if (r == 0)
		result = xc_map_range_async(xc_balanced(client), step, ITEMS, out, sizeof *out,
					    NULL, &err);
	r = result ? loop(client, result, out, &err) : -1;
	if (r < 0)
		fprintf(stderr, "event_loop: %s\n", err.text);
	xc_result_destroy(result);
	xc_close(client);
	return r < 0 ? 1 : 0;
}
