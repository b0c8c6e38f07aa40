/* local_launcher.c: the launcher "local": agents on this host. They are daemons: they go on
 * without the supervisor. */
#include "cmd/local_launcher.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/daemon.h"
#include "proto/error.h"
#include "proto/log.h"

static int local_start(struct launch *launch, int engines, struct xc_error *err)
{
	const struct launch_request *request = launch->request;
	struct engine_options options = ENGINE_OPTIONS_INIT;
	struct launch_job *job = launch_job_add(launch, engines);
	struct daemon agent = DAEMON_INIT;
	static struct connection connection;
	char info[LAUNCH_INFO_SIZE];
	int r;

	if (!job)
		return error_set(err, -ENOMEM, "no room for another agent");
	options.n = engines;
	options.threads = request->threads;
	options.bind = request->bind;
	options.launch_info = launch_info(launch, job->number, info);
	options.store_limit = request->store_limit;
	engine_options_complete(&options);
	r = connection_read(request->connection, &connection, err);
	if (r == 0)
		r = daemon_start_agent(&agent, &connection, &options, err);
	if (r < 0) {
		launch_job_drop(launch);
		return r;
	}
	job->pid = agent.pid;
	job->pidfd = agent.pidfd;
	job->state = LAUNCH_RUNNING;
	snprintf(job->id, sizeof job->id, "%d", (int)agent.pid);
	log_line("an agent (pid %d) is to bring %d engines", (int)agent.pid, engines);
	return 0;
}

static int local_poll(struct launch *launch, struct xc_error *err)
{
	(void)err;
	for (int i = 0; i < launch->count; i++) {
		struct launch_job *job = &launch->jobs[i];
		struct daemon agent = { .pid = job->pid, .pidfd = job->pidfd };

		if (job->state == LAUNCH_ENDED || !daemon_has_ended(&agent))
			continue;
		job->pid = 0;
		launch_job_end(job, daemon_end_text(&agent));
	}
	return 0;
}

static int local_cancel(struct launch *launch, struct launch_job *const *jobs, int count,
			struct xc_error *err)
{
	(void)launch;
	(void)err;
	for (int i = 0; i < count; i++) {
		jobs[i]->is_cancelled = true;
		if (jobs[i]->pid > 0)
			kill(jobs[i]->pid, SIGTERM);
	}
	return 0;
}

static const struct launcher_ops local_ops = { local_start, local_poll, local_cancel };

int local_open(struct launch *launch, const struct launch_request *request, const char *cluster_id,
	       const char *dir, struct xc_error *err)
{
	static const char text[] = "title = this host\nrun = xcluster engines\n";

	*launch = (struct launch){
		.ops = &local_ops, .request = request, .cluster_id = cluster_id, .dir = dir
	};
	return template_parse(text, "(local)", "local", &launch->template, err);
}
