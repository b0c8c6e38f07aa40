/* ssh.h: starting agents on hosts over ssh, one connection a host. */
#ifndef LAUNCH_SSH_H
#define LAUNCH_SSH_H

#include <poll.h>
#include <stdbool.h>

#include "launch/bundle.h"
#include "launch/hosts.h"

struct ssh_options {
	const char *ssh;	     /* the command, with arguments of its own; "ssh" */
	const char *command;	     /* of xcluster on the hosts; "xcluster" */
	const char *connection;	     /* for engines: the text of the connection file */
	const char *dir;	     /* for the logs */
	const char *const *args;     /* more options of `xcluster engines`, ended by NULL */
	const struct bundle *bundle; /* to be copied where xcluster is missing; NULL: nothing */
	const char *tunnel; /* HOST:PORT of the controller, as dialled here; NULL: no tunnels */
	int parallel;	    /* connections being made at a time */
	int required;	    /* hosts that must come up */
	double timeout;	    /* seconds, for all */
};

enum ssh_state {
	SSH_WAITING,	/* for its turn, or to try again */
	SSH_CONNECTING, /* nothing of xcluster has been heard */
	SSH_COPYING,	/* the bundle */
	SSH_STARTING,	/* xcluster runs there, and has the connection */
	SSH_READY,	/* the controller knows the agent */
	SSH_LEFT,	/* the agent lives without us */
	SSH_FAILED,
};

/* One of the hosts, as it is now. */
struct ssh_host {
	const struct host *host; /* borrowed */
	enum ssh_state state;
	int first, engines; /* when ready: the first engine's number; how many */
	char node[256];	    /* its own name, when it has said hello */
	const char *reason; /* why it has failed; borrowed */
	bool is_settled;    /* nothing of ours can run there any more */
};

struct ssh;

/* `hosts` and what `options` points to are borrowed until ssh_close. N.B. SIGPIPE must be
 * ignored. */
int ssh_open(struct ssh **ssh, const struct hosts *hosts, const struct ssh_options *options,
	     struct xc_error *err);

/* Goes on: waits up to `timeout` seconds for an event, or for one of `extra` (`count` of
 * them), and sees to it. False: every host is ready, left, or has failed. */
bool ssh_turn(struct ssh *ssh, double timeout, const int *extra, int count);

int ssh_count(const struct ssh *ssh);
int ssh_count_in(const struct ssh *ssh, enum ssh_state state);
struct ssh_host ssh_host(const struct ssh *ssh, int index);

/* As many as are required can still come up. */
bool ssh_is_hopeful(const struct ssh *ssh);

/* From outside: the host has failed for this reason, and is told to end what it has. */
void ssh_fail(struct ssh *ssh, int index, const char *reason);

/* No attempt more, what runs on hosts ends; with a limit. What is not settled then may
 * have left something. */
void ssh_end(struct ssh *ssh, double timeout);

/* Lets the agents of hosts that are ready live without us; with a limit. Those that
 * did not take it have failed. */
void ssh_leave(struct ssh *ssh, double timeout);

/* With tunnels the connections stay: gives the pipe to the host's stdin, the one from its
 * stdout, and its process (pidfd) away, to be closed by the caller: 0; -1: there are none. */
int ssh_give(struct ssh *ssh, int index, int fds[3]);

/* Whatever still runs here is killed. */
void ssh_close(struct ssh *ssh);

#endif
