/* guard.c: who has not shown a key yet may not cost memory. libzmq has one limit for the
 * size of a message, and takes in as much of a stranger's first one; so connections that
 * have not shaken hands are looked at, and ended when they say more than a handshake has.
 *
 * N.B. libzmq does not tell which connection's handshake succeeded, but TCP tells what it
 * has sent there: to a stranger no more than a greeting (64 bytes), WELCOME (170) and ERROR;
 * READY, which ends the handshake, follows when the key is known. */
#include "controller/guard.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <utlist.h>

#include "proto/log.h"

#define MONITOR	     "inproc://xcluster-guard"
#define STRANGER_GOT 280   /* bytes at most */
#define STRANGER_MAX 16384 /* a handshake has some hundreds */

struct stranger {
	int fd; /* borrowed: of libzmq, which may close it */
	ino_t inode;
	struct stranger *prev, *next;
};

static ino_t inode_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static void add(struct guard *guard, int fd)
{
	struct stranger *stranger = calloc(1, sizeof *stranger);

	if (!stranger)
		return;
	*stranger = (struct stranger){ .fd = fd, .inode = inode_of(fd) };
	DL_APPEND(guard->strangers, stranger);
}

static void take_events(struct guard *guard)
{
	unsigned char event[6];
	char address[16];

	while (guard->monitor &&
	       zmq_recv(guard->monitor, event, sizeof event, ZMQ_DONTWAIT) == sizeof event) {
		uint32_t fd;

		memcpy(&fd, event + 2, sizeof fd);
		zmq_recv(guard->monitor, address, sizeof address, ZMQ_DONTWAIT);
		add(guard, (int)fd);
	}
}

static void on_events(struct state *state, struct source *source)
{
	(void)source;
	take_events(&state->guard);
}

int guard_open(struct state *state)
{
	struct guard *guard = &state->guard;
	size_t size = sizeof guard->source.fd;
	int none = 0;

	guard->source = (struct source){ on_events, -1 };
	if (zmq_socket_monitor(state->router, MONITOR, ZMQ_EVENT_ACCEPTED) < 0)
		return -errno;
	guard->monitor = zmq_socket(state->context, ZMQ_PAIR);
	if (!guard->monitor || zmq_setsockopt(guard->monitor, ZMQ_LINGER, &none, sizeof none) < 0 ||
	    zmq_connect(guard->monitor, MONITOR) < 0 ||
	    zmq_getsockopt(guard->monitor, ZMQ_FD, &guard->source.fd, &size) < 0)
		return -errno;
	return state_watch(state, &guard->source);
}

/* False: there is nothing more to be looked at. */
static bool look(const struct stranger *stranger)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof info;

	if (!stranger->inode || inode_of(stranger->fd) != stranger->inode ||
	    getsockopt(stranger->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
	    info.tcpi_bytes_acked > STRANGER_GOT)
		return false;
	if (info.tcpi_bytes_received <= STRANGER_MAX)
		return true;
	shutdown(stranger->fd, SHUT_RDWR);
	log_line("ended a connection that said much, and showed no key");
	return false;
}

void guard_tick(struct state *state)
{
	struct guard *guard = &state->guard;
	struct stranger *stranger, *next;

	take_events(guard);
	DL_FOREACH_SAFE (guard->strangers, stranger, next) {
		if (look(stranger))
			continue;
		DL_DELETE(guard->strangers, stranger);
		free(stranger);
	}
}

void guard_close(struct state *state)
{
	struct guard *guard = &state->guard;

	while (guard->strangers) {
		struct stranger *stranger = guard->strangers;

		DL_DELETE(guard->strangers, stranger);
		free(stranger);
	}
	if (guard->monitor) {
		zmq_socket_monitor(state->router, NULL, 0);
		zmq_close(guard->monitor);
	}
	guard->monitor = NULL;
}
