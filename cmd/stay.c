/* stay.c: an agent in the foreground. */
#include "cmd/stay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/clock.h"
#include "proto/cores.h"
#include "cmd/interrupt.h"
#include "cmd/ranks.h"
#include "engine/agent.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/log.h"

#define WAIT_IN_RANKS 60.0
#define LOOK_MS	      50 /* between looks for the connection file */
#define MEET_TIMEOUT  30.0

bool stay_is_rank(const struct stay_options *options)
{
	struct rank rank;

	rank_of_environment(&rank);
	return !options->no_ranks && rank.kind != RANK_NONE;
}

/* Can it become better by itself? */
static bool may_wait(int code)
{
	return code != -EACCES && code != -EINVAL && code != -ENOMEM && code != -ENAMETOOLONG;
}

/* The file may not be there yet, or be of a cluster that has ended. */
static int find_controller(const char *cluster, double end, char *path, size_t size,
			   struct xc_error *err)
{
	static struct connection connection;
	int r;

	for (;;) {
		r = connection_find(cluster, path, size, err);
		if (r >= 0)
			r = connection_read(path, &connection, err);
		if (r >= 0 || !may_wait(r) || now_seconds() >= end || interrupt_signal())
			return r;
		poll(NULL, 0, LOOK_MS);
	}
}

/* An agent that could not begin has blocked them. */
static void hear_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int run(const struct stay_options *o, struct agent_options *agent, double wait)
{
	double end = now_seconds() + wait;
	char path[CLUSTER_PATH_MAX];
	struct xc_error err = XC_ERROR_INIT;
	bool welcomed = false;
	int r;

	agent->connection_path = path;
	agent->welcomed = &welcomed;
	do {
		r = find_controller(o->cluster, end, path, sizeof path, &err);
		if (r >= 0)
			r = agent_run(agent, &err);
		hear_signals();
	} while (r < 0 && !welcomed && may_wait(r) && !interrupt_signal() && now_seconds() < end &&
		 poll(NULL, 0, LOOK_MS) == 0);
	if (r == 0 || (interrupt_signal() && !welcomed))
		return STATUS_OK;
	if (wait > 0 && !welcomed)
		error_set(&err, err.code, "%.900s (waited %g s for it)", err.text, wait);
	return fail(&err);
}

static void fill(struct agent_options *agent, const struct stay_options *o,
		 const struct engine_options *engines)
{
	int fd = clock_open(o->ends_at, o->walltime);

	*agent = (struct agent_options){ .n = engines->n,
					 .threads_per_engine = engines->threads,
					 .threads_yield = engines->threads_yield,
					 .cores = cores_usable(),
					 .bind = engines->bind,
					 .store_limit = engines->store_limit,
					 .clock_fd = fd > 0 ? fd : 0,
					 .launch_info = o->launch_info,
					 .launcher_fd = engines->launcher_fd,
					 .controller_timeout = o->controller_timeout,
					 .drain = o->drain };
	if (fd < 0)
		log_line("cannot tell when the time of this host ends: %s", strerror(-fd));
}

static int stay_alone(const struct stay_options *o, struct engine_options *engines)
{
	struct agent_options agent;

	engine_options_complete(engines);
	fill(&agent, o, engines);
	return run(o, &agent, o->wait > 0 ? o->wait : 0);
}

/* ---- In a step or job ------------------------------------------------------------- */

static int lead(const struct stay_options *o, struct engine_options *engines, struct ranks *ranks)
{
	struct agent_options agent;
	char text[512];
	int parent, used;

	if (engines->n == 0)
		engines->n = ranks->count;
	ranks_take_cores(ranks);
	engine_options_complete(engines);
	used = o->launch_info ? snprintf(text, sizeof text, "%s, ", o->launch_info) : 0;
	ranks_text(ranks, text + used, sizeof text - (size_t)used);
	log_line("%s: %d engines", text, engines->n);
	fill(&agent, o, engines);
	agent.launch_info = text;
	if (ranks_are_bound(ranks)) {
		agent.masks = ranks->cores;
		agent.mask_count = ranks->count;
	}
	/* mpiexec that is killed leaves its ranks behind. */
	parent = (int)syscall(SYS_pidfd_open, getppid(), 0);
	if (parent >= 0) {
		fcntl(parent, F_SETFD, FD_CLOEXEC);
		agent.parent_fd = parent;
	}
	return run(o, &agent, o->wait >= 0 ? o->wait : WAIT_IN_RANKS);
}

static int stay_with_others(const struct stay_options *o, struct engine_options *engines,
			    const struct rank *rank)
{
	struct xc_error err = XC_ERROR_INIT;
	struct ranks ranks;
	int r;

	interrupt_catch();
	log_open("agent");
	r = ranks_meet(&ranks, rank, MEET_TIMEOUT, &err);
	if (r < 0)
		return fail(&err);
	if (!ranks.is_agent)
		return ranks_wait(&ranks);
	r = lead(o, engines, &ranks);
	ranks_end(&ranks, r);
	return r;
}

int stay_here(const struct stay_options *o, struct engine_options *engines)
{
	struct rank rank;

	rank_of_environment(&rank);
	if (o->no_ranks || rank.kind == RANK_NONE)
		return stay_alone(o, engines);
	return stay_with_others(o, engines, &rank);
}
