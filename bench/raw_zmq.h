/* The baseline of rtt and single_rate: libzmq alone, over the sockets and hops
 * of a cluster, each party a process. */
#ifndef BENCH_RAW_ZMQ_H
#define BENCH_RAW_ZMQ_H

#include <stdint.h>
#include <sys/types.h>

enum { RAW_MAX_ECHOES = 8 };

enum raw_hub {
	RAW_FORWARDER, /* one thread with one ROUTER, as the controller is */
	RAW_PROXY,     /* ROUTER and DEALER joined by zmq_proxy: the faster in bulk */
};

struct raw {
	char dir[64];
	enum raw_hub hub;
	pid_t hub_pid;
	pid_t echoes[RAW_MAX_ECHOES];
	int n_echoes;
	void *context;
	void *socket; /* the client's DEALER */
};

/* Starts the hub and the echoes, each a process: to be called before this one
 * has threads. */
void raw_start(struct raw *raw, const char *dir, enum raw_hub hub, int n_echoes);

/* Connects the client, and warms up. */
void raw_connect(struct raw *raw);

/* One message of 8 bytes there and back. */
void raw_roundtrip(struct raw *raw, uint64_t value);

/* n messages of 8 bytes there and back, at most `window` of them under way. */
void raw_stream(struct raw *raw, int64_t n, int64_t window);

void raw_stop(struct raw *raw);

#endif
