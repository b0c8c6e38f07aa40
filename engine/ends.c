/* ends.c: what ends an agent from outside: signals, and the ends of the controller and of
 * what has started it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/host.h"
#include "proto/error.h"
#include "proto/log.h"

#define JOB_END_NS UINT64_C(100000000) /* between SIGTERMs to the processes of a job */

static void take_signals(struct agent *agent)
{
	struct signalfd_siginfo info;

	while (read(agent->signals.fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		log_line("%s: stopping", strsignal((int)info.ssi_signo));
		agent->stale = false;
		agent_stop(agent);
	}
}

/* N.B. when a batch system ends a job, an engine may hear of it just before its agent. */
static void await_own_end(struct agent *agent)
{
	struct pollfd fd = { .fd = agent->signals.fd, .events = POLLIN };
	siginfo_t info = { .si_pid = 0 };
	uint64_t end = now_ns() + JOB_END_NS;

	if (agent->stopping || !agent->options->launch_info ||
	    waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
	    info.si_code != CLD_KILLED || info.si_status != SIGTERM)
		return;
	while (!agent->stopping && now_ns() < end) {
		poll(&fd, 1, (int)((end - now_ns()) / 1000000) + 1);
		take_signals(agent);
	}
}

static void on_signals(struct source *source)
{
	struct agent *agent = (struct agent *)((char *)source - offsetof(struct agent, signals));

	take_signals(agent);
	await_own_end(agent);
	slots_reap(agent);
}

static void on_controller_gone(struct source *source)
{
	struct agent *agent = (struct agent *)((char *)source - offsetof(struct agent, controller));

	epoll_ctl(agent->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	if (!agent->stopping)
		log_line("the controller is gone: ending");
	agent->stale = false;
	agent_stop(agent);
}

static void on_parent_gone(struct source *source)
{
	struct agent *agent = (struct agent *)((char *)source - offsetof(struct agent, parent));

	epoll_ctl(agent->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	log_line("what has started this agent is gone: ending");
	agent->stale = false;
	agent_stop(agent);
}

static int watch_parent(struct agent *agent)
{
	if (agent->options->parent_fd <= 0)
		return 0;
	agent->parent = (struct source){ on_parent_gone, agent->options->parent_fd };
	return agent_watch(agent, &agent->parent);
}

static int watch_signals(struct agent *agent)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored by who started us, children vanish unheard */
	agent->signals =
		(struct source){ on_signals, signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC) };
	return agent->signals.fd < 0 ? -errno : agent_watch(agent, &agent->signals);
}

/* On its host the end of its process is an event. */
static int watch_controller(struct agent *agent, struct xc_error *err)
{
	if (agent->is_remote)
		return 0;
	agent->controller =
		(struct source){ on_controller_gone, pidfd_open(agent->connection.pid, 0) };
	if (agent->controller.fd < 0 || agent_watch(agent, &agent->controller) < 0)
		return error_set(err, XC_ENOCLUSTER, "the controller (pid %d) is not running",
				 agent->connection.pid);
	return 0;
}

int ends_watch(struct agent *agent, struct xc_error *err)
{
	if (watch_signals(agent) < 0 || watch_parent(agent) < 0)
		return error_set(err, -errno, "cannot watch for events: %s", strerror(errno));
	return watch_controller(agent, err);
}
