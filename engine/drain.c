/* drain.c: the end of this host's time: a batch job's limit, or what the user has said. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "engine/host.h"
#include "proto/log.h"

#define RESERVE 5.0 /* s for our own end: engines have 2 s, the controller must hear of it */

static double unix_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* N.B. short times: of one that is all margin nothing would be left to work in. */
static void learn(struct agent *agent, double ends)
{
	double left = ends - unix_time(), margin = agent->options->drain;

	if (ends == agent->ends)
		return;
	agent->ends = ends;
	agent->drain_margin = margin < left / 4 ? margin : left > 0 ? left / 4 : 0;
	if (ends > 0)
		log_line("the time of this host ends in %.0f s", left);
	drain_tell(agent);
}

void drain_tell(struct agent *agent)
{
	double margin = agent->drain_margin, reserve = margin / 2 < RESERVE ? margin / 2 : RESERVE;

	if (!agent->welcomed || !agent->dealer || agent->ends <= 0)
		return;
	SEND_SIMPLE(agent->dealer, NULL, drain, .left = agent->ends - unix_time() - reserve,
		    .margin = margin - reserve);
}

static void on_clock(struct source *source)
{
	struct agent *agent = (struct agent *)((char *)source - offsetof(struct agent, clock));
	char text[512], *last;
	ssize_t n = read(source->fd, text, sizeof text - 1);

	if (n <= 0) {
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		epoll_ctl(agent->epoll, EPOLL_CTL_DEL, source->fd, NULL);
		return;
	}
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	last = strrchr(text, '\n');
	learn(agent, strtod(last ? last + 1 : text, NULL));
}

int drain_open(struct agent *agent)
{
	if (agent->options->clock_fd <= 0)
		return 0;
	agent->clock = (struct source){ on_clock, agent->options->clock_fd };
	fcntl(agent->clock.fd, F_SETFL, O_NONBLOCK);
	return agent_watch(agent, &agent->clock);
}
