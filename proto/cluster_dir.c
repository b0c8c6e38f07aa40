/* cluster_dir.c: the directory of a cluster, its locks, and finding a cluster. */
#include "proto/cluster_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/error.h"

/* ---- Paths --------------------------------------------------------------- */

bool cluster_id_is_valid(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t n = strlen(id);

	return n > 0 && n < CONNECTION_ID_MAX && strspn(id, allowed) == n && id[0] != '.' &&
	       id[0] != '-';
}

static int fit(char *path, size_t size, int n, const char *what, struct xc_error *err)
{
	if (n >= 0 && (size_t)n < size)
		return 0;
	path[0] = '\0';
	return error_set(err, -ENAMETOOLONG, "the path given by %s is too long", what);
}

int cluster_base(char *path, size_t size, struct xc_error *err)
{
	const char *dir = getenv("XCLUSTER_DIR"), *home = getenv("HOME");
	char cwd[CLUSTER_PATH_MAX];

	if (dir && dir[0] == '/')
		return fit(path, size, snprintf(path, size, "%s", dir), "XCLUSTER_DIR", err);
	if (dir && dir[0]) {
		if (!getcwd(cwd, sizeof cwd))
			return error_set(err, -errno, "cannot tell the working directory: %s",
					 strerror(errno));
		return fit(path, size, snprintf(path, size, "%s/%s", cwd, dir), "XCLUSTER_DIR",
			   err);
	}
	if (!home || home[0] != '/')
		return error_set(err, -ENOENT,
				 "no directory for clusters: set HOME or XCLUSTER_DIR");
	return fit(path, size, snprintf(path, size, "%s/.xcluster", home), "HOME", err);
}

int cluster_dir(const char *id, char *path, size_t size, struct xc_error *err)
{
	char base[CLUSTER_PATH_MAX];
	int r;

	if (!cluster_id_is_valid(id))
		return error_set(err, -EINVAL,
				 "\"%.80s\" is no cluster id: 1 to 63 letters, digits, '.', '_' "
				 "and '-', not beginning with '.' or '-'",
				 id);
	r = cluster_base(base, sizeof base, err);
	if (r < 0)
		return r;
	return fit(path, size, snprintf(path, size, "%s/%s", base, id), "XCLUSTER_DIR", err);
}

static int vfile(const char *dir, char *path, size_t size, const char *name, va_list ap)
{
	int n = snprintf(path, size, "%s/", dir), m;

	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	m = vsnprintf(path + n, size - (size_t)n, name, ap);
	return m < 0 || (size_t)m >= size - (size_t)n ? -ENAMETOOLONG : 0;
}

int cluster_file(const char *dir, char *path, size_t size, const char *name, ...)
{
	va_list ap;
	int r;

	va_start(ap, name);
	r = vfile(dir, path, size, name, ap);
	va_end(ap);
	return r;
}

int cluster_socket(const char *dir, char *path, size_t size, struct xc_error *err, const char *name,
		   ...)
{
	size_t limit = sizeof((struct sockaddr_un *)0)->sun_path;
	va_list ap;
	int r;

	va_start(ap, name);
	r = vfile(dir, path, size, name, ap);
	va_end(ap);
	if (r < 0 || strlen(path) >= limit)
		return error_set(err, -ENAMETOOLONG,
				 "%.200s/%s: the path of a unix socket may have %zu bytes: set "
				 "XCLUSTER_DIR to a shorter directory",
				 dir, name, limit - 1);
	return 0;
}

/* ---- Directories --------------------------------------------------------- */

static int make_dir(const char *path, bool own, struct xc_error *err)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "cannot make the directory %s: %s", path,
				 strerror(errno));
	if (stat(path, &st) < 0)
		return error_set(err, -errno, "cannot use the directory %s: %s", path,
				 strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return error_set(err, -ENOTDIR, "%s is not a directory", path);
	if (st.st_uid != geteuid() && (own || st.st_uid != 0))
		return error_set(err, -EACCES, "%s belongs to another user (uid %u): not used",
				 path, (unsigned)st.st_uid);
	if (st.st_mode & 022 && (own || !(st.st_mode & S_ISVTX)))
		return error_set(err, -EACCES,
				 "others can write to %s (mode %04o): not used; run `chmod 700` on "
				 "it",
				 path, (unsigned)st.st_mode & 07777);
	return 0;
}

int cluster_dir_create(const char *id, char *path, size_t size, struct xc_error *err)
{
	char base[CLUSTER_PATH_MAX], dir[CLUSTER_PATH_MAX];
	int r = cluster_dir(id, dir, sizeof dir, err);

	if (r == 0)
		r = cluster_base(base, sizeof base, err);
	if (r == 0)
		r = make_dir(base, false, err);
	if (r == 0)
		r = make_dir(dir, true, err);
	return r < 0 ? r : fit(path, size, snprintf(path, size, "%s", dir), "XCLUSTER_DIR", err);
}

int cluster_cache_create(char *path, size_t size, struct xc_error *err)
{
	char base[CLUSTER_PATH_MAX], dir[CLUSTER_PATH_MAX];
	int r = cluster_base(base, sizeof base, err);

	if (r == 0)
		r = make_dir(base, false, err);
	if (r == 0)
		r = fit(dir, sizeof dir, snprintf(dir, sizeof dir, "%s/.cache", base),
			"XCLUSTER_DIR", err);
	if (r == 0)
		r = make_dir(dir, true, err);
	if (r == 0)
		r = fit(path, size, snprintf(path, size, "%s/.cache/source", base), "XCLUSTER_DIR",
			err);
	return r < 0 ? r : make_dir(path, true, err);
}

static bool matches(const char *name, const char *const *patterns)
{
	for (; *patterns; patterns++)
		if (fnmatch(*patterns, name, 0) == 0)
			return true;
	return false;
}

static bool is_log(const char *name)
{
	static const char *const logs[] = { CLUSTER_LOG,	  CLUSTER_LAUNCHER_LOG,
					    "agent-[0-9]*.log",	  "engine-[0-9]*.log",
					    "*-agent-[0-9]*.log", "*-engine-[0-9]*.log",
					    "tunnel-[0-9]*.log",  "*-ssh.log",
					    "job-[0-9]*.log",	  NULL };

	return matches(name, logs);
}

static bool is_of_live(const char *name)
{
	static const char *const files[] = { CLUSTER_CONNECTION, CLUSTER_ENGINES, CLUSTER_SOCKET,
					     "agent-[0-9]*.sock", NULL };

	return matches(name, files);
}

static bool is_of_any(const char *name)
{
	static const char *const files[] = { CLUSTER_CONNECTION ".??????",
					     CLUSTER_ENGINES ".??????",
					     CLUSTER_LOCK,
					     "agent-[0-9]*.lock",
					     "tunnel-[0-9]*.lock",
					     CLUSTER_LAUNCH,
					     CLUSTER_LAUNCH ".new",
					     CLUSTER_HOSTS,
					     CLUSTER_HOSTS ".new",
					     "launcher-*.json",
					     "launcher-*.json.new",
					     CLUSTER_LAUNCHER_LOCK,
					     "job-[0-9]*.sh",
					     "job-[0-9]*.run",
					     NULL };

	return is_of_live(name) || matches(name, files);
}

static int remove_files(const char *path, bool logs, bool start_lock)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (!is_of_any(name) && !(logs && is_log(name)) &&
		    !(start_lock && strcmp(name, CLUSTER_START_LOCK) == 0))
			continue;
		if (unlinkat(dirfd(dir), name, 0) < 0 && errno != ENOENT)
			r = -errno;
	}
	closedir(dir);
	return r;
}

int cluster_folder_remove(const char *path, const char *folder)
{
	char name[CLUSTER_PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int r;

	if (cluster_file(path, name, sizeof name, "%s", folder) < 0)
		return -ENAMETOOLONG;
	dir = opendir(name);
	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	r = rmdir(name) < 0 ? -errno : 0;
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

int cluster_dir_reset(const char *path)
{
	int r = cluster_folder_remove(path, CLUSTER_CERTS);

	return r < 0 ? r : remove_files(path, true, false);
}

int cluster_dir_remove(const char *path, bool keep_logs)
{
	int r = cluster_folder_remove(path, CLUSTER_CERTS);

	if (r == 0 && !keep_logs)
		r = cluster_folder_remove(path, CLUSTER_KEYS);
	if (r == 0)
		r = remove_files(path, !keep_logs, true);

	if (rmdir(path) < 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST && r == 0)
		r = -errno;
	return r;
}

bool cluster_dir_has_leftovers(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = is_of_live(entry->d_name);
	if (dir)
		closedir(dir);
	return found;
}

static int is_cluster(const struct dirent *entry)
{
	return cluster_id_is_valid(entry->d_name) &&
	       (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN);
}

int cluster_ids(char ***ids, struct xc_error *err)
{
	char base[CLUSTER_PATH_MAX];
	struct dirent **entries = NULL;
	int n, r = cluster_base(base, sizeof base, err);
	char **list;

	if (r < 0)
		return r;
	n = scandir(base, &entries, is_cluster, alphasort);
	if (n < 0 && errno != ENOENT)
		return error_set(err, -errno, "cannot read %s: %s", base, strerror(errno));
	n = n < 0 ? 0 : n;
	list = calloc((size_t)n + 1, sizeof *list);
	r = list ? n : -ENOMEM;
	for (int i = 0; i < n; i++) {
		/* A hole would be taken for the end of the list. */
		if (r >= 0 && !(list[i] = strdup(entries[i]->d_name)))
			r = -ENOMEM;
		free(entries[i]);
	}
	free(entries);
	if (r < 0) {
		cluster_ids_free(list);
		return error_set(err, r, "out of memory");
	}
	*ids = list;
	return n;
}

void cluster_ids_free(char **ids)
{
	for (char **id = ids; id && *id; id++)
		free(*id);
	free(ids);
}

/* ---- Locks --------------------------------------------------------------- */

int cluster_lock_take(const char *path, struct xc_error *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat ours, theirs;
	int fd, r;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return error_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
		if (fcntl(fd, F_SETLK, &lock) < 0)
			break;
		/* The holder before us may have removed the file meanwhile. */
		if (fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 &&
		    ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev)
			return fd;
		close(fd);
	}
	r = errno == EACCES ? -EAGAIN : -errno;
	close(fd);
	return error_set(err, r, "cannot lock %s: %s", path,
			 r == -EAGAIN ? "another process holds it" : strerror(-r));
}

/* 0, or -errno when it cannot be known. */
static int find_holder(const char *path, pid_t *holder)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r;

	*holder = 0;
	if (fd < 0)
		return -errno;
	r = fcntl(fd, F_GETLK, &lock) < 0 ? -errno : 0;
	close(fd);
	if (r == 0 && lock.l_type != F_UNLCK)
		*holder = lock.l_pid > 0 ? lock.l_pid : -1;
	return r;
}

pid_t cluster_lock_holder(const char *path)
{
	pid_t holder;

	find_holder(path, &holder);
	return holder;
}

/* ---- Finding a cluster ------------------------------------------------------ */

/* 1, 0, or a negative code when this process is short of what it takes to know. */
static int is_running(const char *dir, struct xc_error *err)
{
	char lock[CLUSTER_PATH_MAX];
	pid_t holder;
	int r;

	if (cluster_file(dir, lock, sizeof lock, CLUSTER_LOCK) < 0)
		return 0;
	r = find_holder(lock, &holder);
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EACCES)
		return error_set(err, r, "cannot open %s: %s", lock, strerror(-r));
	return holder != 0;
}

/* Of a cluster on another host only its addresses can tell. */
static bool is_elsewhere(const struct connection *connection)
{
	char host[256] = "";

	gethostname(host, sizeof host - 1);
	return connection->address_count > 0 &&
	       (strcmp(host, connection->host) != 0 || access(connection->dir, F_OK) < 0);
}

/* Its file was brought here, but it does not listen on the network. */
static bool is_out_of_reach(const struct connection *connection)
{
	char host[256] = "";

	gethostname(host, sizeof host - 1);
	return connection->address_count == 0 && strcmp(host, connection->host) != 0 &&
	       access(connection->dir, F_OK) < 0;
}

static int check_running(const struct connection *connection, struct xc_error *err)
{
	if (is_out_of_reach(connection))
		return error_set(err, XC_ENOCLUSTER,
				 "the cluster \"%s\" is to be reached on %s alone: start it with "
				 "--ip for other hosts",
				 connection->id, connection->host);
	return is_elsewhere(connection) ? 1 : is_running(connection->dir, err);
}

static int find_path(const char *path, struct xc_error *err)
{
	struct connection *connection = malloc(sizeof *connection);
	int r;

	if (!connection)
		return error_set(err, -ENOMEM, "out of memory");
	r = connection_read(path, connection, err);
	if (r == 0)
		r = check_running(connection, err);
	if (r == 0)
		r = error_set(err, XC_ENOCLUSTER,
			      "the cluster \"%s\" of %s has ended: start one with `xcluster "
			      "start`",
			      connection->id, path);
	free(connection);
	return r < 0 ? r : 0;
}

/* A directory that hosts share may be of a cluster on another one. */
static int is_id_running(const char *dir, const char *path, struct xc_error *err)
{
	struct connection *connection;
	int r = is_running(dir, err);

	if (r != 0 || access(path, F_OK) < 0)
		return r;
	connection = malloc(sizeof *connection);
	if (!connection)
		return error_set(err, -ENOMEM, "out of memory");
	if (connection_read(path, connection, NULL) == 0)
		r = is_elsewhere(connection);
	free(connection);
	return r;
}

static int find_id(const char *id, char *path, size_t size, struct xc_error *err)
{
	bool is_default = strcmp(id, CLUSTER_DEFAULT_ID) == 0;
	char dir[CLUSTER_PATH_MAX];
	int r = cluster_dir(id, dir, sizeof dir, err);

	if (r == 0)
		r = cluster_file(dir, path, size, CLUSTER_CONNECTION);
	if (r == 0)
		r = is_id_running(dir, path, err);
	if (r < 0)
		return r;
	if (r == 0 || access(path, F_OK) < 0)
		return error_set(err, XC_ENOCLUSTER,
				 "no cluster \"%s\" is running (looked in %s): start one with "
				 "`xcluster start%s%s`",
				 id, dir, is_default ? "" : " --cluster-id ", is_default ? "" : id);
	return 0;
}

int connection_find(const char *cluster, char *path, size_t size, struct xc_error *err)
{
	const char *variable = getenv("XCLUSTER_CONNECTION");
	bool is_path = cluster && strchr(cluster, '/');
	char found[CLUSTER_PATH_MAX];
	int r;

	if (!cluster && variable && variable[0]) {
		cluster = variable;
		is_path = true;
	}
	if (is_path) {
		r = find_path(cluster, err);
		if (r == 0)
			r = fit(found, sizeof found, snprintf(found, sizeof found, "%s", cluster),
				"the caller", err);
	} else {
		r = find_id(cluster ? cluster : CLUSTER_DEFAULT_ID, found, sizeof found, err);
	}
	return r < 0 ? r : fit(path, size, snprintf(path, size, "%s", found), "XCLUSTER_DIR", err);
}
