/* launcher.c: whoever started this agent, until it lets it go: the remote half of a
 * launcher, which ends with its connection. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/host.h"
#include "proto/log.h"

static void forget(struct agent *agent)
{
	epoll_ctl(agent->epoll, EPOLL_CTL_DEL, agent->launcher.fd, NULL);
	launcher_fini(agent);
}

/* The launcher had our log until now; from another host it goes to the controller, too. */
static void let_go(const struct agent *agent)
{
	int null = agent->is_remote ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;

	if (null < 0)
		return;
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

static void on_launcher(struct source *source)
{
	struct agent *agent = (struct agent *)((char *)source - offsetof(struct agent, launcher));
	char byte;
	ssize_t n = read(source->fd, &byte, 1);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	forget(agent);
	if (n == 1) {
		let_go(agent);
		return;
	}
	if (!agent->stopping)
		log_line("whoever started this agent is gone: ending");
	agent->stale = false;
	agent_stop(agent);
}

int launcher_watch(struct agent *agent)
{
	int fd = agent->options->launcher_fd;

	if (fd <= 0)
		return 0;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	agent->launcher = (struct source){ on_launcher, fd };
	return agent_watch(agent, &agent->launcher);
}

bool launcher_is_gone(const struct agent *agent)
{
	char byte;

	return agent->launcher.fd >= 0 &&
	       recv(agent->launcher.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void launcher_tell_welcome(struct agent *agent)
{
	/* One that does not read will see its end. */
	if (agent->launcher.fd >= 0 &&
	    dprintf(agent->launcher.fd, "%llu %d\n", (unsigned long long)agent->first_engine,
		    agent->options->n) < 0)
		log_line("whoever started this agent does not hear it");
}

void launcher_fini(struct agent *agent)
{
	if (agent->launcher.fd >= 0)
		close(agent->launcher.fd);
	agent->launcher.fd = -1;
}
