/* main.c: the table of subcommands. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary; /* NULL: not for users */
} commands[] = {
	{ "start", command_start, "start a cluster on this machine" },
	{ "stop", command_stop, "stop a cluster, or some of its engines" },
	{ "status", command_status, "show engines, jobs, queue and memory of a cluster" },
	{ "jobs", command_jobs, "list the jobs of a cluster, pending and ended" },
	{ "cancel", command_cancel, "cancel jobs" },
	{ "purge", command_purge, "forget jobs that have ended" },
	{ "list", command_list, "list the clusters of this user" },
	{ "clean", command_clean, "remove what dead clusters have left" },
	{ "logs", command_logs, "show the logs of a cluster" },
	{ "engines", command_engines, "add engines to a running cluster" },
	{ "scale", command_scale, "bring a cluster to another number of engines" },
	{ "wait", command_wait, "wait until a cluster is there and has engines" },
	{ "exec", command_exec, "run C statements on the engines of a cluster" },
	{ "blas", command_blas, "linear algebra on engines: how fast, on how many threads" },
	{ "signal", command_signal, "send a signal to engines" },
	{ "interrupt", command_interrupt, "interrupt what runs on engines" },
	{ "threads", command_threads, "set how many threads engines use" },
	{ "controller", command_controller, "run a controller in the foreground" },
	{ "engine", command_engine, NULL },
	{ "settle", command_settle, NULL },
	{ "tunnels", command_tunnels, NULL },
	{ "supervise", command_supervise, NULL },
	{ "version", command_version, "print the version" },
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void print_help(FILE *file)
{
	fprintf(file, "Usage: xcluster COMMAND [OPTION...]\n"
		      "Run your own C functions on every core you can reach.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].summary)
			fprintf(file, "  %-12s%s\n", commands[i].name, commands[i].summary);
	fprintf(file,
		"\n`xcluster COMMAND --help` tells more. Clusters live in $XCLUSTER_DIR, else "
		"~/.xcluster.\n"
		"Exit status: 0; 1 failure; 2 bad usage; 10 already running; 11 not running.\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* A text that has got lost is a failure; that nobody wants one is not. */
static int finish(int status)
{
	bool is_lost = ferror(stdout); /* some of it, earlier */
	bool is_flushed = fflush(stdout) == 0;

	if (is_flushed && !is_lost)
		return status;
	complain("cannot write the output: %s",
		 is_flushed ? "an earlier part of it is lost" : strerror(errno));
	return status == STATUS_OK ? STATUS_FAILED : status;
}

static int run(const struct command *command, int argc, char **argv)
{
	static char name[64];

	snprintf(name, sizeof name, "xcluster %s", command->name);
	argv[0] = name;
	/* Else getopt's sentences would say "xcluster" only. */
	program_invocation_name = program_invocation_short_name = name;
	return finish(command->run(argc, argv));
}

static int help(int argc, char **argv)
{
	char option[] = "--help";
	char *help_argv[] = { NULL, option, NULL };
	const struct command *command = argc > 1 ? find(argv[1]) : NULL;

	if (argc > 1 && !command) {
		complain("there is no command \"%s\": see `xcluster --help`", argv[1]);
		return STATUS_USAGE;
	}
	if (command)
		return run(command, 2, help_argv);
	print_help(stdout);
	return STATUS_OK;
}

/* Or else what we open would be taken for them. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct command *command;

	fill_standard_descriptors();
	argp_err_exit_status = STATUS_USAGE;
	if (argc < 2) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		return help(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0)
		return command_version(1, argv);
	command = find(argv[1]);
	if (!command) {
		complain("there is no command \"%s\": see `xcluster --help`", argv[1]);
		return STATUS_USAGE;
	}
	return run(command, argc - 1, argv + 1);
}
