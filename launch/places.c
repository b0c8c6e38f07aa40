/* places.c: the values that scripts and commands of a launcher ask for. */
#include "launch/places.h"

#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/walltime.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"

void places_add(struct places *places, const char *name, const char *value)
{
	int i = 0;

	while (places->list[i].name && strcmp(places->list[i].name, name) != 0)
		i++;
	if (i < PLACES_MAX - 1)
		places->list[i] = (struct place){ name, value };
}

static void add_text(struct places *places, const char *name, const char *value)
{
	places_add(places, name, value[0] ? value : NULL);
}

static void add_word(struct text *command, const char *word)
{
	text_puts(command, " ");
	text_quote(command, word);
}

static void add_number(struct text *command, const char *option, double value)
{
	char text[64];

	snprintf(text, sizeof text, "%.15g", value);
	add_word(command, option);
	add_word(command, text);
}

char *launch_info(const struct launch *launch, int number, char info[LAUNCH_INFO_SIZE])
{
	snprintf(info, LAUNCH_INFO_SIZE, "%s job #%d", launch->template.name, number);
	return info;
}

/* `xcluster engines` as it is to be run elsewhere. */
static int make_command(struct text *command, const struct launch *launch, int number,
			struct xc_error *err)
{
	const struct launch_request *request = launch->request;
	char own[CLUSTER_PATH_MAX], info[LAUNCH_INFO_SIZE];
	ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);

	if (n <= 0)
		return error_set(err, -errno, "cannot tell where xcluster is: %s", strerror(errno));
	own[n] = '\0';
	text_quote(command, own);
	add_word(command, "engines");
	add_word(command, "--foreground");
	add_word(command, "--connection");
	add_word(command, request->connection);
	add_number(command, "--wait-for-controller", 60);
	add_word(command, "--launch-info");
	add_word(command, launch_info(launch, number, info));
	if (request->threads)
		add_number(command, "--threads-per-engine", request->threads);
	if (request->bind)
		add_word(command, "--bind");
	if (request->store_limit)
		add_number(command, "--store-limit", (double)request->store_limit);
	if (request->walltime > 0)
		add_number(command, "--walltime", request->walltime);
	if (request->drain >= 0)
		add_number(command, "--drain", request->drain);
	return command->failed ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static void add_times(struct places *p, double walltime)
{
	bool has_limit = walltime > 0;

	walltime_format(p->time, sizeof p->time, walltime);
	snprintf(p->minutes, sizeof p->minutes, "%ld", lround(ceil(walltime / 60)));
	snprintf(p->seconds, sizeof p->seconds, "%ld", lround(ceil(walltime)));
	places_add(p, "time", has_limit ? p->time : NULL);
	places_add(p, "minutes", has_limit ? p->minutes : NULL);
	places_add(p, "seconds", has_limit ? p->seconds : NULL);
}

static void add_who(struct places *p)
{
	const struct passwd *user = getpwuid(geteuid());

	snprintf(p->user, sizeof p->user, "%.100s", user ? user->pw_name : "");
	if (!user)
		snprintf(p->user, sizeof p->user, "%u", (unsigned)geteuid());
	if (gethostname(p->host, sizeof p->host - 1) < 0)
		snprintf(p->host, sizeof p->host, "localhost");
	places_add(p, "user", p->user);
	places_add(p, "host", p->host);
}

int places_fill(struct places *p, const struct launch *launch, int number, int engines,
		struct xc_error *err)
{
	const struct launch_request *request = launch->request;

	*p = (struct places){ .command = TEXT_INIT };
	snprintf(p->name, sizeof p->name, "xcluster-%s", launch->cluster_id);
	snprintf(p->number, sizeof p->number, "%d", number);
	snprintf(p->n, sizeof p->n, "%d", engines);
	if (cluster_file(launch->dir, p->script, sizeof p->script, CLUSTER_JOB_SCRIPT, number) <
		    0 ||
	    cluster_file(launch->dir, p->runner, sizeof p->runner, CLUSTER_JOB_RUNNER, number) <
		    0 ||
	    cluster_file(launch->dir, p->log, sizeof p->log, CLUSTER_JOB_LOG, number) < 0)
		return error_set(err, -ENAMETOOLONG, "%s: the path is too long", launch->dir);
	places_add(p, "name", p->name);
	places_add(p, "id", launch->cluster_id);
	places_add(p, "dir", launch->dir);
	places_add(p, "number", p->number);
	places_add(p, "n", p->n);
	places_add(p, "script", p->script);
	places_add(p, "runner", p->runner);
	places_add(p, "log", p->log);
	add_text(p, "connection", request->connection);
	add_text(p, "partition", request->partition);
	add_text(p, "account", request->account);
	add_text(p, "qos", request->qos);
	add_times(p, request->walltime);
	add_who(p);
	if (make_command(&p->command, launch, number, err) < 0)
		return -ENOMEM;
	places_add(p, "command", p->command.data);
	return 0;
}

void places_fini(struct places *places)
{
	text_fini(&places->command);
}
