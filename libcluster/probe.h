/* probe.h: which of several TCP addresses has a ZeroMQ socket behind it. */
#ifndef LIBCLUSTER_PROBE_H
#define LIBCLUSTER_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/connection.h"

struct addrinfo;

struct probe {
	const char *address;		      /* tcp://HOST:PORT; borrowed */
	int fd;				      /* being tried; -1: not */
	char numeric[CONNECTION_ADDRESS_MAX]; /* the same, without a name to be looked up */
	struct addrinfo *found, *next;	      /* addresses of its name; owned; those left */
	bool is_connected;
	bool is_open;	   /* there is a ZeroMQ socket */
	bool is_refused;   /* by the host, at each address of it: nobody listens */
	bool is_other;	   /* some address of it came to nothing in another way */
	bool is_over;	   /* it has been tried, and `text` says what came of it */
	uint64_t start_ns; /* when it is, or was, its turn */
	unsigned char got; /* bytes of the greeting */
	char text[96];
};

/* Whoever waits may be told to end: asked ten times a second. */
struct wait_end {
	bool (*is_wanted)(void *argument);
	void *argument;
};

struct probes {
	const struct wait_end *end; /* borrowed; NULL: none */
	struct probe list[CONNECTION_ADDRESSES_MAX];
	int count;
};

/* Begins: one address after the other, a quarter of a second apart. */
void probes_start(struct probes *probes, const struct connection *connection);

/* Waits until one that was not open is, and returns it; NULL: all are over, `end_ns`
 * has come, or the end is wanted. */
struct probe *probes_next(struct probes *probes, uint64_t end_ns);

/* False for NULL. */
bool wait_end_is_wanted(const struct wait_end *end);
#define WAIT_END_MS 100 /* between two questions */

void probes_stop(struct probes *probes);

#endif
