/* ssh.c: starting agents on hosts over ssh: many at a time, up to a limit. */
#include "launch/ssh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "launch/remote.h"
#include "proto/error.h"

#define POLL_PER_REMOTE 3
#define PAUSE_MAX	0.5 /* s; between two looks at the time */

struct ssh {
	const struct ssh_options *options;
	struct remote *remotes;
	int count;
	struct pollfd *fds; /* POLL_PER_REMOTE a remote, and those of the caller */
	int extra_room;
	double end; /* of the time for all */
	bool is_ending;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

int ssh_open(struct ssh **ssh, const struct hosts *hosts, const struct ssh_options *options,
	     struct xc_error *err)
{
	struct ssh *opened = calloc(1, sizeof *opened);

	if (opened)
		opened->remotes = calloc((size_t)hosts->count, sizeof *opened->remotes);
	if (!opened || !opened->remotes) {
		free(opened);
		return error_set(err, -ENOMEM, "out of memory");
	}
	opened->options = options;
	opened->count = hosts->count;
	opened->end = now() + options->timeout;
	for (int i = 0; i < hosts->count; i++)
		remote_init(&opened->remotes[i], &hosts->list[i], options);
	*ssh = opened;
	return 0;
}

/* ---- Counting ------------------------------------------------------------------ */

int ssh_count(const struct ssh *ssh)
{
	return ssh->count;
}

int ssh_count_in(const struct ssh *ssh, enum ssh_state state)
{
	int count = 0;

	for (int i = 0; i < ssh->count; i++)
		count += ssh->remotes[i].state == state;
	return count;
}

bool ssh_is_hopeful(const struct ssh *ssh)
{
	return ssh->count - ssh_count_in(ssh, SSH_FAILED) >= ssh->options->required;
}

static bool is_settled(const struct remote *remote)
{
	return remote->pid == 0 &&
	       !(remote->has_greeted && (remote->was_killed || remote->is_broken));
}

struct ssh_host ssh_host(const struct ssh *ssh, int index)
{
	const struct remote *remote = &ssh->remotes[index];
	struct ssh_host host = { .host = remote->host,
				 .state = remote->state,
				 .first = remote->first,
				 .engines = remote->engines,
				 .reason = remote->reason,
				 .is_settled = is_settled(remote) };

	memcpy(host.node, remote->node, sizeof host.node);
	return host;
}

/* ---- A turn ---------------------------------------------------------------------- */

static bool is_at_work(const struct remote *remote)
{
	return remote->state < SSH_READY;
}

static void start_some(struct ssh *ssh)
{
	int running = ssh_count_in(ssh, SSH_CONNECTING);
	double t = now();

	for (int i = 0; i < ssh->count && running < ssh->options->parallel; i++) {
		struct remote *remote = &ssh->remotes[i];

		if (remote->state != SSH_WAITING || remote->due > t || ssh->is_ending)
			continue;
		remote_start(remote, t);
		running += remote->state == SSH_CONNECTING;
	}
}

static void check_time(struct ssh *ssh)
{
	static const char *const texts[] = {
		[SSH_WAITING] = "its turn has not come",
		[SSH_CONNECTING] = "ssh has got no answer from it",
		[SSH_COPYING] = "xcluster was still being copied there",
		[SSH_STARTING] = "its agent was not yet up",
	};
	double t = now();

	for (int i = 0; i < ssh->count; i++) {
		struct remote *remote = &ssh->remotes[i];

		remote_tick(remote, t);
		if (t < ssh->end || !is_at_work(remote))
			continue;
		if (remote->state == SSH_WAITING && remote->reason[0])
			remote->state = SSH_FAILED; /* the reason is that of the last attempt */
		else
			remote_give_up(remote, "time-out after %g s: %s", ssh->options->timeout,
				       texts[remote->state]);
	}
}

static bool make_room(struct ssh *ssh, int extra)
{
	size_t size = (size_t)ssh->count * POLL_PER_REMOTE + (size_t)extra;
	struct pollfd *fds;

	if (ssh->fds && extra <= ssh->extra_room)
		return true;
	fds = realloc(ssh->fds, size * sizeof *fds);
	if (!fds)
		return false;
	ssh->fds = fds;
	ssh->extra_room = extra;
	return true;
}

static void fill(struct ssh *ssh, const int *extra, int count)
{
	struct pollfd *fds = ssh->fds;

	for (int i = 0; i < ssh->count; i++, fds += POLL_PER_REMOTE) {
		const struct remote *remote = &ssh->remotes[i];

		fds[0] = (struct pollfd){ .fd = remote->out, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = remote->letter.data ? remote->in : -1,
					  .events = POLLOUT };
		fds[2] = (struct pollfd){ .fd = remote->pidfd, .events = POLLIN };
	}
	for (int i = 0; i < count; i++)
		fds[i] = (struct pollfd){ .fd = extra[i], .events = POLLIN };
}

static int pause_ms(const struct ssh *ssh, double timeout)
{
	double t = now(), pause = timeout < PAUSE_MAX ? timeout : PAUSE_MAX;

	for (int i = 0; i < ssh->count; i++) {
		const struct remote *remote = &ssh->remotes[i];

		if (remote->state == SSH_WAITING && remote->due > t && remote->due - t < pause)
			pause = remote->due - t;
	}
	if (ssh->end > t && ssh->end - t < pause)
		pause = ssh->end - t;
	return pause > 0 ? (int)(pause * 1e3) + 1 : 0;
}

static void see_to(struct ssh *ssh)
{
	const struct pollfd *fds = ssh->fds;
	double t = now();

	for (int i = 0; i < ssh->count; i++, fds += POLL_PER_REMOTE) {
		struct remote *remote = &ssh->remotes[i];

		if (fds[0].revents && remote->out == fds[0].fd)
			remote_on_output(remote, t);
		if (fds[1].revents && remote->in == fds[1].fd && remote->letter.data)
			remote_on_room(remote, t);
		if (fds[2].revents && remote->pidfd == fds[2].fd)
			remote_on_exit(remote, t);
	}
}

static void turn(struct ssh *ssh, double timeout, const int *extra, int count)
{
	if (!make_room(ssh, count))
		return;
	fill(ssh, extra, count);
	if (poll(ssh->fds, (nfds_t)(ssh->count * POLL_PER_REMOTE + count), pause_ms(ssh, timeout)) >
	    0)
		see_to(ssh);
}

bool ssh_turn(struct ssh *ssh, double timeout, const int *extra, int count)
{
	bool at_work = false;

	start_some(ssh);
	turn(ssh, timeout, extra, count);
	check_time(ssh);
	for (int i = 0; i < ssh->count; i++)
		at_work |= is_at_work(&ssh->remotes[i]);
	return at_work;
}

/* ---- The ends ----------------------------------------------------------------------- */

void ssh_fail(struct ssh *ssh, int index, const char *reason)
{
	remote_fail(&ssh->remotes[index], "%s", reason);
}

static bool any_runs(const struct ssh *ssh)
{
	for (int i = 0; i < ssh->count; i++)
		if (ssh->remotes[i].pid > 0)
			return true;
	return false;
}

static void kill_rest(struct ssh *ssh)
{
	for (int i = 0; i < ssh->count; i++)
		remote_kill(&ssh->remotes[i]);
	while (any_runs(ssh))
		turn(ssh, PAUSE_MAX, NULL, 0);
}

static void wait_for_ends(struct ssh *ssh, double timeout)
{
	double end = now() + timeout;

	ssh->is_ending = true;
	ssh->end = end;
	while (any_runs(ssh) && now() < end)
		turn(ssh, end - now(), NULL, 0);
	kill_rest(ssh);
}

void ssh_end(struct ssh *ssh, double timeout)
{
	for (int i = 0; i < ssh->count; i++)
		remote_give_up(&ssh->remotes[i], "the start was ended");
	wait_for_ends(ssh, timeout);
}

void ssh_leave(struct ssh *ssh, double timeout)
{
	for (int i = 0; i < ssh->count; i++)
		remote_leave(&ssh->remotes[i]);
	wait_for_ends(ssh, timeout);
	for (int i = 0; i < ssh->count; i++)
		if (ssh->remotes[i].state == SSH_LEFT && ssh->remotes[i].was_killed)
			remote_fail(&ssh->remotes[i],
				    "xcluster there did not answer when it was to be left alone");
}

int ssh_give(struct ssh *ssh, int index, int fds[3])
{
	struct remote *remote = &ssh->remotes[index];

	if (remote->state != SSH_READY || remote->pid <= 0)
		return -1;
	fds[0] = remote->in;
	fds[1] = remote->out;
	fds[2] = remote->pidfd;
	remote->in = remote->out = remote->pidfd = -1;
	remote->pid = 0;
	remote->state = SSH_LEFT;
	return 0;
}

void ssh_close(struct ssh *ssh)
{
	if (!ssh)
		return;
	kill_rest(ssh);
	for (int i = 0; i < ssh->count; i++)
		remote_fini(&ssh->remotes[i]);
	free(ssh->remotes);
	free(ssh->fds);
	free(ssh);
}
