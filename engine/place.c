/* place.c: where an agent keeps its lock, its store's socket and its logs: with the
 * controller's files on its host, elsewhere in a directory of its own, which goes with it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/host.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/log.h"

#define AGENTS_MAX 10000

/* The first number whose lock nobody holds. */
static int take_lock(struct agent *agent, struct xc_error *err)
{
	for (int k = 0; k < AGENTS_MAX; k++) {
		if (cluster_file(agent->dir, agent->lock_path, PATH_MAX, CLUSTER_AGENT_LOCK, k) <
			    0 ||
		    cluster_file(agent->dir, agent->store_path, PATH_MAX, CLUSTER_AGENT_SOCK, k) <
			    0 ||
		    cluster_file(agent->dir, agent->log_path, PATH_MAX, CLUSTER_AGENT_LOG, k) < 0)
			return error_set(err, -ENAMETOOLONG, "%s: the path is too long",
					 agent->dir);
		agent->lock = cluster_lock_take(agent->lock_path, err);
		if (agent->lock != -EAGAIN)
			return agent->lock < 0 ? agent->lock : 0;
	}
	return error_set(err, -EMFILE, "too many agents in %s", agent->dir);
}

/* Directory of all such of this user on this host: it must be ours, as others may write
 * where it is. */
static int make_base(char *path, size_t size, struct xc_error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (!runtime || runtime[0] != '/' || access(runtime, W_OK | X_OK) < 0)
		runtime = "/tmp";
	snprintf(path, size, "%.60s/xcluster-%u", runtime, (unsigned)geteuid());
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno,
				 "cannot make the directory %s: %s: set XDG_RUNTIME_DIR to one "
				 "that can be written",
				 path, strerror(errno));
	if (lstat(path, &st) < 0)
		return error_set(err, -errno, "cannot use %s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return error_set(
			err, -EACCES,
			"%s is no directory of this user alone: not used; remove it, or set "
			"XDG_RUNTIME_DIR to one of yours",
			path);
	return 0;
}

/* What agents that were killed have left. */
static void remove_dead(const char *base)
{
	DIR *dir = opendir(base);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[PATH_MAX], lock[PATH_MAX];

		if (entry->d_name[0] == '.' ||
		    cluster_file(base, path, sizeof path, "%s", entry->d_name) < 0 ||
		    cluster_file(path, lock, sizeof lock, CLUSTER_AGENT_LOCK, 0) < 0)
			continue;
		/* N.B. one without a lock file is just being made. */
		if (access(lock, F_OK) == 0 && cluster_lock_holder(lock) == 0)
			cluster_dir_remove(path, false);
	}
	if (dir)
		closedir(dir);
}

static int make_own(struct agent *agent, struct xc_error *err)
{
	char base[128];
	int r = make_base(base, sizeof base, err);

	if (r < 0)
		return r;
	remove_dead(base);
	/* Short, as paths of sockets may not be long. */
	snprintf(agent->dir, sizeof agent->dir, "%s/%.16s.XXXXXX", base, agent->connection.id);
	if (!mkdtemp(agent->dir)) {
		r = error_set(err, -errno, "cannot make a directory in %s: %s", base,
			      strerror(errno));
		agent->dir[0] = '\0';
	}
	return r;
}

int place_take(struct agent *agent, struct xc_error *err)
{
	int r = 0;

	if (agent->is_remote)
		r = make_own(agent, err);
	else
		snprintf(agent->dir, sizeof agent->dir, "%.4000s", agent->connection.dir);
	return r < 0 ? r : take_lock(agent, err);
}

void place_leave(struct agent *agent)
{
	if (agent->lock >= 0)
		unlink(agent->lock_path); /* the lock itself goes with the process */
	if (agent->is_remote && agent->dir[0] && cluster_dir_remove(agent->dir, false) < 0)
		log_line("cannot remove %s: %s", agent->dir, strerror(errno));
}
