/* logs.c: xcluster logs: showing and following the logs of a cluster. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/elsewhere.h"
#include "cmd/tail.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/holders.h"

#define END_TIMEOUT 4.0 /* agents end after the controller */

#define NAME_SIZE 128

struct logs {
	const char *id;
	bool follow;
	int engine; /* -1: all */
	int lines;  /* of each log; -1: all */
	char dir[CLUSTER_PATH_MAX];
	struct log *first; /* owned list */
};

struct log {
	struct log *next;
	char name[NAME_SIZE]; /* without .log */
	int fd;
	char *rest; /* a line whose end has not been written */
	size_t rest_size;
};

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "follow", 'f', NULL, 0, "Go on until the cluster ends", 0 },
	{ "engine", OPTION_ENGINE, "I", 0, "Only the log of engine I", 0 },
	{ "lines", OPTION_LINES, "N", 0, "Only the last N lines of each log", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct logs *o = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		o->id = option_cluster_id(state, arg);
		return 0;
	case 'f':
		o->follow = true;
		return 0;
	case OPTION_ENGINE:
		o->engine = option_int(state, "--engine", arg, 0, INT_MAX);
		return 0;
	case OPTION_LINES:
		o->lines = option_int(state, "--lines", arg, 0, INT_MAX);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- One log ------------------------------------------------------------------ */

static int keep_rest(struct log *log, const char *text, size_t size)
{
	char *rest = realloc(log->rest, log->rest_size + size + 1);

	if (!rest)
		return -ENOMEM;
	memcpy(rest + log->rest_size, text, size);
	log->rest = rest;
	log->rest_size += size;
	return 0;
}

static void print_line(struct log *log, const char *text, size_t size)
{
	printf("%s | ", log->name);
	fwrite(log->rest ? log->rest : "", 1, log->rest_size, stdout);
	fwrite(text, 1, size, stdout);
	putchar('\n');
	log->rest_size = 0;
}

/* One that was too long begins anew. */
static void check_size(struct log *log)
{
	struct stat st;

	if (fstat(log->fd, &st) == 0 && st.st_size < lseek(log->fd, 0, SEEK_CUR))
		lseek(log->fd, 0, SEEK_SET);
}

/* Prints what has been written since; lines without an end only if `last`. */
static void print_news(struct log *log, bool last)
{
	char block[16384];
	ssize_t n;

	check_size(log);
	while ((n = read(log->fd, block, sizeof block)) > 0) {
		const char *line = block, *end = block + n, *stop;

		while ((stop = memchr(line, '\n', (size_t)(end - line)))) {
			print_line(log, line, (size_t)(stop - line));
			line = stop + 1;
		}
		if (line < end && keep_rest(log, line, (size_t)(end - line)) < 0)
			print_line(log, line, (size_t)(end - line));
	}
	if (last && log->rest_size > 0)
		print_line(log, "", 0);
}

/* ---- All logs ----------------------------------------------------------------- */

static bool is_wanted(const struct logs *o, const char *name)
{
	char wanted[64], elsewhere[64];

	if (o->engine < 0)
		return fnmatch("*.log", name, 0) == 0 && strlen(name) < NAME_SIZE;
	snprintf(wanted, sizeof wanted, CLUSTER_ENGINE_LOG, o->engine);
	snprintf(elsewhere, sizeof elsewhere, "*-" CLUSTER_ENGINE_LOG, o->engine);
	return strcmp(name, wanted) == 0 || fnmatch(elsewhere, name, 0) == 0;
}

static struct log *find(const struct logs *o, const char *name)
{
	struct log *log = o->first;

	while (log && (strncmp(log->name, name, strlen(name) - 4) != 0 ||
		       log->name[strlen(name) - 4] != '\0'))
		log = log->next;
	return log;
}

/* Opens a log that is not open yet; new ones are shown from their beginning. */
static void add(struct logs *o, const char *name, bool new)
{
	struct log **end = &o->first, *log;
	char path[CLUSTER_PATH_MAX];

	if (!is_wanted(o, name) || find(o, name) ||
	    cluster_file(o->dir, path, sizeof path, "%s", name) < 0)
		return;
	log = calloc(1, sizeof *log);
	if (!log)
		return;
	log->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (log->fd < 0) {
		free(log);
		return;
	}
	snprintf(log->name, sizeof log->name, "%.*s", (int)strlen(name) - 4, name);
	if (!new && o->lines >= 0)
		lseek(log->fd, o->lines == 0 ? 0 : tail_offset(log->fd, o->lines),
		      o->lines == 0 ? SEEK_END : SEEK_SET);
	while (*end)
		end = &(*end)->next;
	*end = log;
}

static int is_log(const struct dirent *entry)
{
	return fnmatch("*.log", entry->d_name, 0) == 0;
}

static int add_all(struct logs *o, bool new)
{
	struct dirent **entries = NULL;
	int n = scandir(o->dir, &entries, is_log, versionsort);

	for (int i = 0; i < n; i++) {
		add(o, entries[i]->d_name, new);
		free(entries[i]);
	}
	free(entries);
	return n;
}

static void print_all(struct logs *o, bool last)
{
	for (struct log *log = o->first; log; log = log->next)
		print_news(log, last);
	fflush(stdout);
}

static void fini(struct logs *o)
{
	while (o->first) {
		struct log *log = o->first;

		o->first = log->next;
		close(log->fd);
		free(log->rest);
		free(log);
	}
}

/* ---- Following ---------------------------------------------------------------- */

/* Prints what comes until one of the holders ends, or for `timeout` seconds if
 * that is not negative. */
static void follow_holder(struct logs *o, int inotify, int pidfd, double timeout)
{
	struct pollfd fds[2] = { { .fd = inotify, .events = POLLIN },
				 { .fd = pidfd, .events = POLLIN } };
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	double end = now_seconds() + timeout;

	while (!fds[1].revents && (timeout < 0 || now_seconds() < end) && !ferror(stdout)) {
		double left = end - now_seconds();

		poll(fds, 2, timeout < 0 ? -1 : left > 0 ? (int)(left * 1e3) + 1 : 0);
		while (read(inotify, events, sizeof events) > 0)
			;
		add_all(o, true);
		print_all(o, false);
	}
}

static int follow(struct logs *o)
{
	struct holders holders = HOLDERS_INIT;
	int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (inotify < 0 || inotify_add_watch(inotify, o->dir, IN_CREATE | IN_MODIFY) < 0) {
		complain("cannot follow the logs in %s: %s", o->dir, strerror(errno));
		close(inotify);
		return STATUS_FAILED;
	}
	add_all(o, true);
	print_all(o, false);
	if (holders_find(&holders, o->dir) == 0) {
		for (int i = 0; i < holders.count; i++)
			if (holders.list[i].controller)
				follow_holder(o, inotify, holders.list[i].pidfd, -1);
		holders_fini(&holders);
	}
	/* Agents that have joined meanwhile are there, too. */
	if (holders_find(&holders, o->dir) == 0) {
		for (int i = 0; i < holders.count; i++)
			follow_holder(o, inotify, holders.list[i].pidfd, END_TIMEOUT);
		holders_fini(&holders);
	}
	close(inotify);
	return STATUS_OK;
}

int command_logs(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		NULL,
		"Show the logs of a cluster: of its controller, its agents, and its engines with "
		"what tasks print. Also of one that has ended.",
		NULL,
		NULL,
		NULL
	};
	struct logs o = { .id = CLUSTER_DEFAULT_ID, .engine = -1, .lines = -1 };
	struct xc_error err = XC_ERROR_INIT;
	int status = STATUS_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (cluster_dir(o.id, o.dir, sizeof o.dir, &err) < 0)
		return fail(&err);
	if (add_all(&o, false) <= 0) {
		complain("the cluster \"%s\" is not running and has left no logs (looked in %s)",
			 o.id, o.dir);
		complain_of_elsewhere("xcluster logs");
		return STATUS_NOT_RUNNING;
	}
	if (!o.first) {
		complain("there is no log of engine %d in %s", o.engine, o.dir);
		return STATUS_FAILED;
	}
	print_all(&o, !o.follow);
	if (o.follow)
		status = follow(&o);
	print_all(&o, true);
	fini(&o);
	return status;
}
