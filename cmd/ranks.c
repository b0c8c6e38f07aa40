/* ranks.c: how the ranks on a host meet: at a unix socket in a directory of the user's
 * own, where one listens, and is the agent, and the others tell it their cores. The
 * connections stay, so that its end is known at once. */
#include "cmd/ranks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "proto/error.h"
#include "proto/log.h"

#define CONNECT_MS   10	 /* between attempts at a socket that is not there yet */
#define QUIET_TIME   0.5 /* where nobody knows how many there are: none has come for so long */
#define QUIET_LIMIT  5.0 /* and at most this */
#define SIGNAL_LIMIT 5.0 /* for the agent to end before us: it gives its engines 2 s */
#define HELLO_MAGIC  0x7863726bU

struct hello {
	uint32_t magic;
	int32_t rank, local;
	cpu_set_t cores;
};

/* ---- The place ------------------------------------------------------------------- */

static bool is_ours(const char *dir, bool private)
{
	struct stat st;

	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       (!private || (st.st_mode & 077) == 0);
}

/* N.B. srun hands on XDG_RUNTIME_DIR of the login host, which may not be here. */
static int find_place(struct ranks *ranks, char *lock, size_t size, struct xc_error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char dir[128];

	if (!runtime || runtime[0] != '/' || strlen(runtime) > 60 || !is_ours(runtime, true))
		runtime = "/tmp";
	snprintf(dir, sizeof dir, "%s/xcluster-%u", runtime, (unsigned)geteuid());
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "cannot make %s: %s", dir, strerror(errno));
	if (!is_ours(dir, true))
		return error_set(err, -EACCES,
				 "%s is not a directory of this user alone: not used; remove it",
				 dir);
	/* The name of a socket may have 107 bytes. */
	snprintf(ranks->path, sizeof ranks->path, "%s/%.*s.sock", dir, (int)(100 - strlen(dir)),
		 ranks->self->key);
	snprintf(lock, size, "%s/%.*s.lock", dir, (int)(100 - strlen(dir)), ranks->self->key);
	return 0;
}

static struct sockaddr_un address_of(const struct ranks *ranks)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%.107s", ranks->path);
	return address;
}

/* The lowest rank here is the agent; where none knows its place, who comes first. The
 * lock goes with the process. */
static int choose(struct ranks *ranks, const char *lock, struct xc_error *err)
{
	int fd;

	if (ranks->self->local >= 0) {
		ranks->is_agent = ranks->self->local == 0;
		return 0;
	}
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, -errno, "cannot open %s: %s", lock, strerror(errno));
	ranks->is_agent = flock(fd, LOCK_EX | LOCK_NB) == 0;
	if (!ranks->is_agent)
		close(fd);
	return 0;
}

/* ---- The agent's side ---------------------------------------------------------------- */

static int listen_here(struct ranks *ranks, struct xc_error *err)
{
	struct sockaddr_un address = address_of(ranks);

	unlink(ranks->path);
	ranks->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (ranks->listener < 0 ||
	    bind(ranks->listener, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(ranks->listener, RANKS_MAX) < 0)
		return error_set(err, -errno, "cannot listen at %s: %s", ranks->path,
				 strerror(errno));
	return 0;
}

/* Takes the next one in; false when it is none of ours. */
static bool admit(struct ranks *ranks, struct hello *hellos)
{
	struct hello *hello = &hellos[ranks->count];
	struct timeval limit = { .tv_sec = 1 };
	int fd = accept4(ranks->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (recv(fd, hello, sizeof *hello, 0) != sizeof *hello || hello->magic != HELLO_MAGIC) {
		close(fd);
		return false;
	}
	ranks->others[ranks->count++ - 1] = fd;
	return true;
}

static void gather(struct ranks *ranks, struct hello *hellos, double timeout)
{
	struct pollfd fd = { .fd = ranks->listener, .events = POLLIN };
	int expected = ranks->self->here;
	double begin = now_seconds(), last = begin;

	while (ranks->count < (expected > 0 ? expected : RANKS_MAX) && !interrupt_signal()) {
		double now = now_seconds();
		double left = expected > 0 ? begin + timeout - now : last + QUIET_TIME - now;

		if (expected <= 0 && now - begin > QUIET_LIMIT)
			break;
		if (left <= 0)
			break;
		if (poll(&fd, 1, (int)(left * 1e3) + 1) > 0 && admit(ranks, hellos))
			last = now_seconds();
	}
	if (expected > ranks->count)
		log_line("%d of %d ranks on this host have come within %g s: going on without the "
			 "others",
			 ranks->count, expected, timeout);
}

static int by_rank(const void *a, const void *b)
{
	const struct hello *x = a, *y = b;

	return (x->rank > y->rank) - (x->rank < y->rank);
}

static int be_agent(struct ranks *ranks, const struct hello *own, double timeout,
		    struct xc_error *err)
{
	int room = ranks->self->here > 0 ? ranks->self->here : RANKS_MAX, r;
	struct hello *hellos = calloc((size_t)room, sizeof *hellos);

	ranks->others = calloc((size_t)room, sizeof *ranks->others);
	ranks->cores = calloc((size_t)room, sizeof *ranks->cores);
	if (!hellos || !ranks->others || !ranks->cores) {
		free(hellos);
		return error_set(err, -ENOMEM, "out of memory");
	}
	hellos[0] = *own;
	ranks->count = 1;
	r = room > 1 ? listen_here(ranks, err) : 0;
	if (r == 0 && room > 1)
		gather(ranks, hellos, timeout);
	qsort(hellos, (size_t)ranks->count, sizeof *hellos, by_rank);
	for (int i = 0; i < ranks->count; i++)
		ranks->cores[i] = hellos[i].cores;
	ranks->first = hellos[0].rank;
	ranks->last = hellos[ranks->count - 1].rank;
	free(hellos);
	return r;
}

void ranks_end(struct ranks *ranks, int status)
{
	unsigned char byte = (unsigned char)status;

	for (int i = 0; i < ranks->count - 1; i++) {
		send(ranks->others[i], &byte, 1, MSG_NOSIGNAL);
		close(ranks->others[i]);
	}
	if (ranks->listener >= 0) {
		close(ranks->listener);
		unlink(ranks->path);
	}
	free(ranks->others);
	free(ranks->cores);
	*ranks = (struct ranks){ .listener = -1, .agent = -1 };
}

/* ---- The others' side ------------------------------------------------------------------ */

static int tell_agent(struct ranks *ranks, const struct hello *own, double timeout,
		      struct xc_error *err)
{
	struct sockaddr_un address = address_of(ranks);
	double end = now_seconds() + timeout;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	while (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		int r = -errno;

		if (now_seconds() >= end || interrupt_signal()) {
			close(fd);
			return error_set(err, r,
					 "rank %d cannot reach the rank that is this host's agent, "
					 "at %s: %s",
					 ranks->self->rank, ranks->path, strerror(-r));
		}
		poll(NULL, 0, CONNECT_MS);
	}
	if (send(fd, own, sizeof *own, MSG_NOSIGNAL) != sizeof *own) {
		close(fd);
		return error_set(err, -EPIPE, "the rank that is this host's agent has ended");
	}
	ranks->agent = fd;
	return 0;
}

int ranks_wait(const struct ranks *ranks)
{
	struct pollfd fd = { .fd = ranks->agent, .events = POLLIN };
	double end = 0;
	unsigned char status;

	for (;;) {
		double left = end > 0 ? end - now_seconds() : 1;

		if (interrupt_signal() && end <= 0) {
			end = now_seconds() + SIGNAL_LIMIT;
			continue;
		}
		if (left <= 0)
			return STATUS_FAILED;
		if (poll(&fd, 1, end > 0 ? (int)(left * 1e3) + 1 : 1000) > 0)
			break;
	}
	return recv(ranks->agent, &status, 1, 0) == 1 ? status : STATUS_FAILED;
}

/* ---- Both --------------------------------------------------------------------------------- */

int ranks_meet(struct ranks *ranks, const struct rank *self, double timeout, struct xc_error *err)
{
	struct hello own = { .magic = HELLO_MAGIC, .rank = self->rank, .local = self->local };
	char lock[256];
	int r;

	*ranks = (struct ranks){ .self = self, .listener = -1, .agent = -1 };
	if (sched_getaffinity(0, sizeof own.cores, &own.cores) < 0)
		CPU_ZERO(&own.cores);
	r = find_place(ranks, lock, sizeof lock, err);
	if (r == 0)
		r = choose(ranks, lock, err);
	if (r < 0)
		return r;
	return ranks->is_agent ? be_agent(ranks, &own, timeout, err)
			       : tell_agent(ranks, &own, timeout, err);
}

bool ranks_are_bound(const struct ranks *ranks)
{
	for (int i = 1; i < ranks->count; i++)
		if (!CPU_EQUAL(&ranks->cores[0], &ranks->cores[i]))
			return true;
	return false;
}

void ranks_take_cores(const struct ranks *ranks)
{
	cpu_set_t all;

	CPU_ZERO(&all);
	for (int i = 0; i < ranks->count; i++)
		CPU_OR(&all, &all, &ranks->cores[i]);
	if (CPU_COUNT(&all) > 0 && sched_setaffinity(0, sizeof all, &all) < 0)
		log_line("cannot use the cores of all ranks: %s", strerror(errno));
}

void ranks_text(const struct ranks *ranks, char *text, size_t size)
{
	const struct rank *self = ranks->self;
	int used = snprintf(text, size, "%s", self->job);

	if (self->kind == RANK_SLURM && self->node[0])
		used += snprintf(text + used, size - (size_t)used, " node %.100s", self->node);
	if (ranks->first == ranks->last)
		snprintf(text + used, size - (size_t)used, " rank %d", ranks->first);
	else
		snprintf(text + used, size - (size_t)used, " rank %d-%d", ranks->first,
			 ranks->last);
}
