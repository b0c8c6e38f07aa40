/* dial.h: a DEALER that is connected to the controller, wherever that is. */
#ifndef LIBCLUSTER_DIAL_H
#define LIBCLUSTER_DIAL_H

#include <stdbool.h>

#include "libcluster/probe.h"
#include "libcluster/wire.h"
#include "proto/connection.h"

#define DIAL_LIMIT_S 10.0 /* for the search of an address that answers */

struct dial {
	void *socket;	/* the DEALER; owned */
	void *monitor;	/* tells of breaks; owned; NULL: a unix socket, which has none */
	int monitor_fd; /* readable when dial_event may have news; -1: no monitor */
	char endpoint[CONNECTION_ADDRESS_MAX]; /* that it is connected to */
	bool is_up;			       /* has been, since it was made */
	bool is_refused;		       /* the keys are not known there */
	bool is_once;			       /* see dial_endpoint */
	bool is_down;			       /* it broke, or did not come about */
	uint64_t due_ns;		       /* then dial_again is to be called; 0: not */
	int pause_ms;			       /* before that, when it does not come about */
};

#define DIAL_INIT                                                                                  \
	{                                                                                          \
		.monitor_fd = -1                                                                   \
	}

enum dial_event {
	DIAL_NOTHING,
	DIAL_UP,      /* connected for the first time */
	DIAL_AGAIN,   /* connected again, after a break: messages may be lost */
	DIAL_DOWN,    /* the connection broke */
	DIAL_FAILED,  /* there was none, and this try has come to nothing */
	DIAL_REFUSED, /* the keys are not known there */
};

/* Does the controller run here, so that its unix socket is to be used? Looks by
 * connecting to it. */
bool dial_is_local(const struct connection *connection);

/* Connects: by the unix socket if the controller is of this host, else by the first
 * address that answers, found within `limit` seconds (an address is believed when it has
 * shown, by CURVE, that it has the controller's key). `route`: the 17 bytes of the
 * routing id. `once`: see dial_endpoint. Errors: XC_ENOCLUSTER or -ETIMEDOUT, the text names each
 * address and what came of it; -EACCES: the keys are not known there; -EINTR: `stop` (NULL: none)
 * wanted the end. */
int dial_controller(struct dial *dial, void *context, const struct connection *connection,
		    const void *route, bool once, double limit, const struct wait_end *stop,
		    struct xc_error *err);

/* The same to an endpoint that is known to be right; does not wait. After a break ZeroMQ
 * dials again by itself; with `once` it does not: what is sent then gets nowhere, and
 * nothing comes, until dial_again. */
int dial_endpoint(struct dial *dial, void *context, const struct connection *connection,
		  const char *endpoint, const void *route, bool once, struct xc_error *err);

/* Is it time for dial_again? And in how many ms is it to be asked at the latest; -1: by
 * events only. */
bool dial_is_due(const struct dial *dial);
int dial_wait_ms(const struct dial *dial);

/* Another connection to the same endpoint takes the place of this one, once more. While
 * none comes about the pauses grow. After an error it is to be called again when due. */
int dial_again(struct dial *dial, void *context, const struct connection *connection,
	       const void *route, struct xc_error *err);

/* A break of TCP connections is to be noticed: idle ones are probed, and what is not
 * acknowledged within the time-out ends them. For what is connected or bound after this. */
void dial_watch_for_breaks(void *socket, double heartbeat_timeout);

/* What has become of the connection since the last call; never waits. */
enum dial_event dial_event(struct dial *dial);

/* Does nobody listen at tcp://HOST:PORT? Waits for 0.2 s at most. */
bool dial_is_refused(const char *address);

/* Closes; what was sent has `linger_ms` to leave. */
void dial_close(struct dial *dial, int linger_ms);

#endif
