/* tunnels.c: xcluster tunnels, internal: keeps the ssh connections through which agents
 * reach the controller. They end with the controller, and with whoever keeps them: the
 * other end of a host's stdin, without which its agent ends, is here alone. */
#include "cmd/tunnels.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/interrupt.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/log.h"

#define END_TIMEOUT 6.0 /* an agent gives its engines 2 s */
#define WORD_SIZE   320
#define LOCKS	    10000

struct tunnel {
	char name[256]; /* of its log */
	int in, out, pidfd, log;
};

struct keeper {
	const char *dir;
	struct tunnel *tunnels;
	int count;
	int controller; /* its pidfd */
	int interrupt;
	int lock;
	char lock_path[CLUSTER_PATH_MAX];
};

/* ---- Handing over ------------------------------------------------------------------- */

struct handover {
	char (*words)[WORD_SIZE];
	const char **argv;
	int *keep;
	int count, kept;
};

static void handover_fini(struct handover *h)
{
	for (int i = 0; i < h->kept; i++)
		close(h->keep[i]);
	free(h->words);
	free(h->argv);
	free(h->keep);
}

static int handover_init(struct handover *h, int hosts)
{
	*h = (struct handover){ .words = calloc((size_t)hosts, sizeof *h->words),
				.argv = calloc((size_t)hosts + 5, sizeof *h->argv),
				.keep = calloc((size_t)hosts * 3 + 1, sizeof *h->keep) };
	return h->words && h->argv && h->keep ? 0 : -ENOMEM;
}

static void handover_take(struct handover *h, struct ssh *ssh, int index)
{
	struct ssh_host host = ssh_host(ssh, index);
	int fds[3];

	if (ssh_give(ssh, index, fds) < 0)
		return;
	snprintf(h->words[h->count], WORD_SIZE, "%d,%d,%d,%.250s", fds[0], fds[1], fds[2],
		 host.host->log);
	h->argv[4 + h->count] = h->words[h->count];
	h->count++;
	for (int k = 0; k < 3; k++)
		h->keep[h->kept++] = fds[k];
}

static int free_log(const char *dir, char *path, size_t size)
{
	for (int k = 0; k < LOCKS; k++) {
		if (cluster_file(dir, path, size, CLUSTER_TUNNEL_LOCK, k) < 0)
			return -ENAMETOOLONG;
		if (cluster_lock_holder(path) == 0)
			return cluster_file(dir, path, size, CLUSTER_TUNNEL_LOG, k);
	}
	return -EMFILE;
}

int tunnels_keep(struct ssh *ssh, const char *dir, int pid, struct xc_error *err)
{
	char log[CLUSTER_PATH_MAX], controller[16];
	struct daemon keeper = DAEMON_INIT;
	struct handover h;
	int r = handover_init(&h, ssh_count(ssh));

	if (r == 0)
		r = free_log(dir, log, sizeof log);
	if (r < 0) {
		handover_fini(&h);
		return error_set(err, r, "cannot keep the tunnels: %s", strerror(-r));
	}
	snprintf(controller, sizeof controller, "%d", pid);
	h.argv[0] = "xcluster";
	h.argv[1] = "tunnels";
	h.argv[2] = dir;
	h.argv[3] = controller;
	for (int i = 0; i < ssh_count(ssh); i++)
		handover_take(&h, ssh, i);
	h.keep[h.kept] = -1;
	r = h.count == 0 ? 0 : daemon_start(&keeper, h.argv, log, h.keep, err);
	handover_fini(&h);
	daemon_fini(&keeper); /* it lives without us */
	return r;
}

/* ---- Keeping ---------------------------------------------------------------------------- */

static bool take_words(struct keeper *k, int argc, char **argv)
{
	k->tunnels = calloc((size_t)argc, sizeof *k->tunnels);
	for (int i = 3; k->tunnels && i < argc; i++) {
		struct tunnel *t = &k->tunnels[k->count++];
		char path[CLUSTER_PATH_MAX];

		if (sscanf(argv[i], "%d,%d,%d,%255s", &t->in, &t->out, &t->pidfd, t->name) != 4 ||
		    fcntl(t->in, F_GETFD) < 0 || fcntl(t->out, F_GETFD) < 0 ||
		    fcntl(t->pidfd, F_GETFD) < 0)
			return false;
		fcntl(t->out, F_SETFL, O_NONBLOCK);
		t->log = -1;
		if (cluster_file(k->dir, path, sizeof path, "%s", t->name) == 0)
			t->log = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	}
	return k->tunnels && k->count > 0;
}

/* So that `stop` knows of us. The directory may be gone again: then so is the controller. */
static void take_lock(struct keeper *k)
{
	struct xc_error err = XC_ERROR_INIT;

	k->lock = -EAGAIN;
	for (int i = 0; i < LOCKS && k->lock == -EAGAIN; i++)
		if (cluster_file(k->dir, k->lock_path, sizeof k->lock_path, CLUSTER_TUNNEL_LOCK,
				 i) == 0)
			k->lock = cluster_lock_take(k->lock_path, &err);
	if (k->lock < 0)
		log_line("cannot take the lock %s: %s", k->lock_path, err.text);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void drain(struct tunnel *t)
{
	char block[4096];
	ssize_t n;

	while ((n = read(t->out, block, sizeof block)) > 0)
		if (t->log >= 0 && write(t->log, block, (size_t)n) < 0)
			close_fd(&t->log);
	if (n == 0)
		close_fd(&t->out);
}

static void on_end(struct tunnel *t, bool in_order)
{
	log_line("%s: the ssh connection of a tunnel has ended%s", t->name,
		 in_order ? "" : ": engines of that host end, too");
	if (t->out >= 0)
		drain(t);
	close_fd(&t->in);
	close_fd(&t->out);
	close_fd(&t->pidfd);
	close_fd(&t->log);
}

static int fill(const struct keeper *k, struct pollfd *fds, bool ending)
{
	int n = 0, alive = 0;

	fds[n++] = (struct pollfd){ .fd = ending ? -1 : k->controller, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = ending ? -1 : k->interrupt, .events = POLLIN };
	for (int i = 0; i < k->count; i++) {
		fds[n++] = (struct pollfd){ .fd = k->tunnels[i].pidfd, .events = POLLIN };
		fds[n++] = (struct pollfd){ .fd = k->tunnels[i].out, .events = POLLIN };
		alive += k->tunnels[i].pidfd >= 0;
	}
	return alive;
}

/* Waits and sees to what comes: the connections that are left. */
static int turn(struct keeper *k, struct pollfd *fds, bool ending, double timeout)
{
	int alive = fill(k, fds, ending);

	if (alive == 0)
		return 0;
	poll(fds, (nfds_t)(2 + 2 * k->count), timeout < 0 ? -1 : (int)(timeout * 1e3) + 1);
	for (int i = 0; i < k->count; i++) {
		if (fds[3 + 2 * i].revents)
			drain(&k->tunnels[i]);
		if (fds[2 + 2 * i].revents)
			on_end(&k->tunnels[i], ending);
	}
	return alive;
}

static void end_all(struct keeper *k, struct pollfd *fds)
{
	double end = now_seconds() + END_TIMEOUT;

	for (int i = 0; i < k->count; i++)
		close_fd(&k->tunnels[i].in);
	while (now_seconds() < end && turn(k, fds, true, end - now_seconds()) > 0)
		;
	for (int i = 0; i < k->count; i++) {
		if (k->tunnels[i].pidfd < 0)
			continue;
		log_line("%s: does not end: killing ssh", k->tunnels[i].name);
		syscall(SYS_pidfd_send_signal, k->tunnels[i].pidfd, SIGKILL, NULL, 0);
	}
}

static void keep(struct keeper *k, struct pollfd *fds)
{
	fds[0].revents = fds[1].revents = 0;
	while (turn(k, fds, false, -1) > 0) {
		if (interrupt_signal())
			log_line("%s: ending", strsignal(interrupt_signal()));
		else if (fds[0].revents)
			log_line("the controller has ended: ending");
		else
			continue;
		end_all(k, fds);
		return;
	}
}

int command_tunnels(int argc, char **argv)
{
	struct keeper k = { .controller = -1 };
	struct pollfd *fds;

	if (argc < 4 || !(k.dir = argv[1])) {
		complain("tunnels: this command is internal");
		return STATUS_USAGE;
	}
	log_open("tunnel");
	signal(SIGPIPE, SIG_IGN);
	k.interrupt = interrupt_catch();
	fds = calloc((size_t)argc * 2 + 2, sizeof *fds);
	if (!fds || !take_words(&k, argc, argv)) {
		complain("tunnels: this command is internal");
		return STATUS_USAGE;
	}
	k.controller = (int)syscall(SYS_pidfd_open, atoi(argv[2]), 0);
	take_lock(&k);
	log_line("keeping the ssh connections of %d hosts", k.count);
	if (k.controller >= 0)
		keep(&k, fds);
	else
		end_all(&k, fds);
	if (k.lock >= 0)
		unlink(k.lock_path);
	free(k.tunnels);
	free(fds);
	return STATUS_OK;
}
