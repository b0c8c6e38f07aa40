/* await.h: waiting for the engines of an agent just started. */
#ifndef CMD_AWAIT_H
#define CMD_AWAIT_H

#include "cmd/daemon.h"

struct await {
	struct xc_client *client;
	struct daemon *agent;
	int n;		/* engines that the agent is to have */
	int first;	/* id of its first engine, -1 if not known */
	int others;	/* engines of other agents when it was started */
	double timeout; /* seconds */
};

/* Waits until the agent's n engines can run tasks, and shows progress on a
 * terminal. 0; -EINTR when a signal came (see interrupt.h); -ECHILD when the agent
 * has ended; -ETIMEDOUT; XC_ENOENGINE when engines have failed; XC_ELOST. */
int await_engines(const struct await *await, struct xc_error *err);

/* Tells on stderr for each engine that is not up why, with the end of its log;
 * returns their number. */
int await_explain(const struct await *await);

#endif
