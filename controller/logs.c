/* logs.c: logs of agents and engines on other hosts, kept beside ours. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/state.h"
#include "proto/cluster_dir.h"
#include "proto/log.h"

#define LOG_MAX	 (INT64_C(64) << 20) /* then it begins anew */
#define PART_MAX 65536

/* A host's name in that of a file: it comes from the host. */
void log_host(char *to, size_t size, const char *host)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	snprintf(to, size, "%.*s", (int)size - 1, host);
	for (char *c = to; *c; c++)
		if (!strchr(allowed, *c))
			*c = '_';
	if (to[0] == '.' || to[0] == '-')
		to[0] = '_';
}

void log_path(const struct state *state, const struct agent *agent, const struct engine *engine,
	      char *path, size_t size)
{
	const char *dir = state->connection.dir;

	if (engine)
		snprintf(path, size, "%.4000s/%s%s" CLUSTER_ENGINE_LOG, dir, engine->log_host,
			 engine->log_host[0] ? "-" : "", engine->id);
	else if (agent->is_remote)
		snprintf(path, size, "%.4000s/%s-" CLUSTER_AGENT_LOG, dir, agent->log_host,
			 agent->index);
	else
		snprintf(path, size, "%s", agent->log);
}

static int append(const char *path, const void *text, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600), r = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_size > LOG_MAX && ftruncate(fd, 0) < 0)
		r = -errno;
	if (r == 0 && write(fd, text, size) < 0)
		r = -errno;
	close(fd);
	return r;
}

int on_log(struct state *state, struct peer *peer, struct message *m)
{
	struct agent *agent = peer->is.agent;
	struct engine *engine = NULL;
	struct msg_log log;
	char path[PATH_MAX + 64];
	int r = msg_log_get(&m->fields, &log);

	if (r < 0)
		return r;
	if (log.slot >= 0)
		engine = engine_at(state, agent, (uint64_t)log.slot);
	if (!agent->is_remote || zmq_msg_size(&m->frames[0]) > PART_MAX ||
	    (log.slot >= 0 && !engine))
		return XC_EPROTO;
	log_path(state, agent, engine, path, sizeof path);
	r = append(path, zmq_msg_data(&m->frames[0]), zmq_msg_size(&m->frames[0]));
	if (r < 0 && !agent->log_failed)
		log_line("cannot write %s: %s; what agent %d prints is lost", path, strerror(-r),
			 agent->index);
	agent->log_failed = r < 0;
	return 0;
}
