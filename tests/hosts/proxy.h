/* proxy.h: somebody in the middle, who alters or repeats what goes through. */
#ifndef TESTS_HOSTS_PROXY_H
#define TESTS_HOSTS_PROXY_H

#include "tests/hosts/bed.h"

enum proxy_deed {
	PROXY_ALTERS,	     /* a bit of a frame of each connection, up to three connections */
	PROXY_REPEATS,	     /* the same, a whole frame */
	PROXY_REPEATS_LATER, /* all of a connection, over a new one, when it has ended */
};

struct proxy_report {
	int deeds;	  /* alterations, repetitions */
	int breaks;	  /* connections that who got it ended at once */
	int64_t answered; /* bytes that came back from a repeated connection */
};

struct proxy {
	pid_t pid;
	int fd;
};

/* Listens on a host's port, and passes on to HOST:PORT what clients say, and back. The deed
 * is done to what comes from the client, or to it. */
void proxy_start(const struct bed *bed, struct proxy *proxy, const char *host, int port,
		 const char *target, int target_port, enum proxy_deed deed, bool to_client);
struct proxy_report proxy_end(struct proxy *proxy);

#endif
