/* network.h: where the controller listens, and what others dial. */
#ifndef CONTROLLER_NETWORK_H
#define CONTROLLER_NETWORK_H

#include "controller/controller.h"
#include "proto/connection.h"

/* Where to bind: texts as ZeroMQ takes them, without the port, and what reaches it. */
struct network {
	char hosts[CONNECTION_ADDRESSES_MAX][CONNECTION_ADDRESS_MAX]; /* "10.0.0.1", "[::1]", "*" */
	int count;
	int port; /* that they all have */
};

/* From `ip` of the options: addresses, names of interfaces, "*". Errors name what is none. */
int network_parse(struct network *network, const char *ip, struct xc_error *err);

/* Binds them all to one port, `first` to `last`, 0: any. */
int network_bind(struct network *network, void *router, int first, int last, struct xc_error *err);

/* What others dial, into connection->addresses: `location`, or what the binds cover. */
int network_addresses(const struct network *network, const char *location,
		      struct connection *connection, struct xc_error *err);

#endif
