/* link.h: a small client for the supervisor: it asks, says and orders, and waits for
 * nothing but an answer to what it has asked. */
#ifndef CMD_LINK_H
#define CMD_LINK_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/connection.h"
#include "xcluster.h"

struct link {
	void *context, *dealer;
	int pidfd; /* readable when the controller has ended; -1: it has */
	uint64_t last_id;
	bool has_news; /* a ROSTER has come */
};
#define LINK_INIT                                                                                  \
	{                                                                                          \
		.pidfd = -1                                                                        \
	}

/* To be given to link_close in any case. */
int link_open(struct link *link, const struct connection *connection, struct xc_error *err);
void link_close(struct link *link);

/* Waits until engines come or go, the controller ends, one of the descriptors can be read,
 * or the time is up. True if engines have come or gone. */
bool link_wait(struct link *link, const int *fds, int count, int timeout_ms);

/* The controller's status, to be given to json_decref. -ETIMEDOUT; XC_ELOST. */
int link_status(struct link *link, double timeout, json_t **status, struct xc_error *err);
/* NOTE; `details` NULL: none. */
void link_note(struct link *link, const char *text, int coming, const json_t *details);
/* SHUT: these engines end when what they run has ended. Does not wait. */
void link_shut(struct link *link, const int *ids, int count);

#endif
