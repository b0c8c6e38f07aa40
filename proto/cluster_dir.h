/* cluster_dir.h: where the files of clusters are, and whose locks are held. */
#ifndef PROTO_CLUSTER_DIR_H
#define PROTO_CLUSTER_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/connection.h"
#include "xcluster.h"

#define CLUSTER_DEFAULT_ID "default"
#define CLUSTER_PATH_MAX   CONNECTION_PATH_MAX

/* Files of a cluster's directory. */
#define CLUSTER_CONNECTION  "connection.json"
#define CLUSTER_ENGINES	    "engines.json" /* as connection.json, for agents */
#define CLUSTER_KEYS	    "keys"	   /* folder: what `--reuse` keeps */
#define CLUSTER_CERTS	    "certs"	   /* folder: who is let in */
#define CLUSTER_LOCK	    "controller.lock"
#define CLUSTER_SOCKET	    "controller.sock"
#define CLUSTER_LOG	    "controller.log"
#define CLUSTER_START_LOCK  "start.lock" /* held by an `xcluster start` at work */
#define CLUSTER_AGENT_LOCK  "agent-%d.lock"
#define CLUSTER_AGENT_SOCK  "agent-%d.sock"
#define CLUSTER_AGENT_LOG   "agent-%d.log"
#define CLUSTER_ENGINE_LOG  "engine-%d.log"
#define CLUSTER_TUNNEL_LOCK "tunnel-%d.lock" /* held by who keeps ssh connections */
#define CLUSTER_TUNNEL_LOG  "tunnel-%d.log"
/* Of a launcher (see launch/). */
#define CLUSTER_LAUNCH	       "launch.json"	     /* what was asked of it */
#define CLUSTER_LAUNCHER_JOBS  "launcher-jobs.json"  /* what it has started */
#define CLUSTER_LAUNCHER_SCALE "launcher-scale.json" /* what is asked of it now */
#define CLUSTER_LAUNCHER_LOCK  "launcher.lock"	     /* held by `xcluster supervise` */
#define CLUSTER_LAUNCHER_LOG   "launcher.log"
#define CLUSTER_HOSTS	       "hosts.json" /* of a cluster on other hosts */
#define CLUSTER_JOB_SCRIPT     "job-%d.sh"
#define CLUSTER_JOB_RUNNER     "job-%d.run"
#define CLUSTER_JOB_LOG	       "job-%d.log"

/* 1 to 63 of [A-Za-z0-9._-], the first no '.' and no '-'. */
bool cluster_id_is_valid(const char *id);

/* The directory of all clusters: $XCLUSTER_DIR, else $HOME/.xcluster; absolute. */
int cluster_base(char *path, size_t size, struct xc_error *err);

/* The directory of cluster `id`; neither looks nor makes. -EINVAL: no valid id. */
int cluster_dir(const char *id, char *path, size_t size, struct xc_error *err);

/* The same, and makes it (0700), and its parent, if it is not there. -EACCES when
 * it belongs to another user or others can write to it. */
int cluster_dir_create(const char *id, char *path, size_t size, struct xc_error *err);

/* Where engines keep what they have compiled: `.cache/source` beside the clusters;
 * makes it as cluster_dir_create does. */
int cluster_cache_create(char *path, size_t size, struct xc_error *err);

/* "dir/name" of the formatted name. -ENAMETOOLONG. */
int cluster_file(const char *dir, char *path, size_t size, const char *name, ...) XC_PRINTF(4, 5);

/* The same of a unix socket, whose path may have 107 bytes: the error names
 * XCLUSTER_DIR. */
int cluster_socket(const char *dir, char *path, size_t size, struct xc_error *err, const char *name,
		   ...) XC_PRINTF(5, 6);

/* Removes a dead cluster's files, the logs unless `keep_logs`, and then the
 * directory if it is empty. Files that are not a cluster's stay. 0, also when
 * there is nothing; -errno. */
int cluster_dir_remove(const char *dir, bool keep_logs);

/* The same for who holds start.lock: that and the directory stay. */
int cluster_dir_reset(const char *dir);

/* Removes a folder of it with the files in it; 0, also when there is none. */
int cluster_folder_remove(const char *dir, const char *folder);

/* True if the directory holds what a cluster removes when it ends in order. */
bool cluster_dir_has_leftovers(const char *dir);

/* Ids that have a directory, sorted; *ids to be given to cluster_ids_free.
 * Returns their number. */
int cluster_ids(char ***ids, struct xc_error *err);
void cluster_ids_free(char **ids);

/* Takes the write lock on the file at `path`, made if it is not there, for this
 * process's life or until the descriptor that is returned is closed. -EAGAIN
 * when another process holds it.
 * N.B. such a lock goes when the process closes any descriptor of that file: the
 * holder must not call cluster_lock_holder or connection_find for it. */
int cluster_lock_take(const char *path, struct xc_error *err);

/* The process that holds the lock; 0 when none does; -1 when one does that is
 * not of this pid namespace. */
pid_t cluster_lock_holder(const char *path);

/* Path of the connection file of a running cluster, `cluster` being as in
 * xc_open. XC_ENOCLUSTER when it is not there, or when it is a local cluster
 * whose controller has ended. */
int connection_find(const char *cluster, char *path, size_t size, struct xc_error *err);

#endif
