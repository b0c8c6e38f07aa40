/* start_hosts.h: engines on other hosts, over ssh: for `start`, `engines` and `scale`. */
#ifndef CMD_START_HOSTS_H
#define CMD_START_HOSTS_H

#include <stdbool.h>

#include "cmd/command.h"
#include "launch/hosts.h"
#include "launch/ssh.h"
#include "proto/connection.h"

/* What the options say. */
struct host_options {
	struct hosts hosts;
	const char *ssh, *command;
	int required; /* hosts; 0: all */
	bool deploy, tunnel;
	bool has_others; /* options that need hosts */
};
#define HOST_OPTIONS_INIT                                                                          \
	{                                                                                          \
		.ssh = "ssh", .command = "xcluster"                                                \
	}

/* An argp child; its input is a struct host_options. */
extern const struct argp host_options_argp;

/* Checks them together, once all are read; `n`: engines of a host without a number, 0 for
 * its cores. What is not valid ends the program with a sentence and STATUS_USAGE. */
void host_options_complete(struct argp_state *state, struct host_options *options, int n);

/* A start at work. */
struct host_start {
	const struct host_options *options;
	const struct engine_options *engines;
	const char *dir;	  /* the cluster's */
	int controller;		  /* its pid */
	const char *connection;	  /* path of the file for engines */
	struct xc_client *client; /* borrowed */
	int interrupt;		  /* readable when a signal has come */
	int n;			  /* engines that are up, at the end */

	struct ssh *ssh;
	struct ssh_options launch;
	struct bundle bundle;
	char *text, *forward;
	const char *args[16];
	char threads[16], store[32], silence[32];
	int others; /* engines that were there before */
	double end;
	double looked;
	char shown[80]; /* on a terminal */
};

/* Starts the agents and waits until as many hosts as are required are up, and for all
 * others what becomes of them; says on stderr which did not come up, and why. 0, or the
 * exit status of the command: then host_start_undo is to follow. */
int host_start_run(struct host_start *start);

/* From here on the agents live without us, with tunnels beside a process that keeps
 * these. 0, or the exit status. */
int host_start_leave(struct host_start *start);

/* Ends what there is on the hosts, and names those that may have left something. */
void host_start_undo(struct host_start *start);

void host_start_fini(struct host_start *start);

#endif
