/* holders.h: the live processes of a cluster on this host, known by the locks
 * that they hold, and ending them. */
#ifndef PROTO_HOLDERS_H
#define PROTO_HOLDERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "xcluster.h"

struct holder {
	pid_t pid;
	int pidfd;	 /* owned */
	bool controller; /* else an agent, its engine, the launcher, or who keeps tunnels */
};

struct holders {
	struct holder *list; /* owned */
	int count;
};
#define HOLDERS_INIT                                                                               \
	{                                                                                          \
		0                                                                                  \
	}

/* Fills in those who hold controller.lock, launcher.lock, agent-K.lock and tunnel-K.lock of
 * the directory.
 * 0, also when it does not exist; -errno. */
int holders_find(struct holders *holders, const char *dir);
void holders_fini(struct holders *holders);

bool holders_have_controller(const struct holders *holders);

/* Waits until all have ended, or until `extra_fd` (-1: none) can be read:
 * true when all have ended. */
bool holders_wait(const struct holders *holders, double timeout, int extra_fd);

/* Waits up to `timeout` seconds for those who are ending by themselves, then sends
 * SIGTERM, 3 s later SIGKILL, to agents' engines and what these started, too.
 * -ETIMEDOUT names a process that not even that ends. */
int holders_finish(const struct holders *holders, double timeout, struct xc_error *err);

/* Finds and finishes until the directory has no holders. N.B. a process that has
 * given its lock back and is about to exit is not found: who wants it gone finds
 * the holders first, and finishes them. */
int holders_end(const char *dir, double timeout, struct xc_error *err);

#endif
