/* launcher_options.c: options of `xcluster start` about launchers, and how they fit. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/launched.h"
#include "launch/launcher.h"
#include "launch/walltime.h"
#include "proto/cluster_dir.h"

#define ENGINES_MAX 100000

static const struct argp_option options[] = {
	{ "launcher", OPTION_LAUNCHER, "NAME", 0,
	  "Start the engines by slurm, pbs, sge, lsf, htcondor, mpi, or a launcher file of yours",
	  0 },
	{ "partition", OPTION_PARTITION, "P", 0, "Partition or queue of the batch system", 0 },
	{ "account", OPTION_ACCOUNT, "A", 0, "Account or project", 0 },
	{ "qos", OPTION_QOS, "Q", 0, "Quality of service", 0 },
	{ "time", OPTION_TIME, "T", 0, "How long jobs may run: 90 (minutes), 1:30:00, 2-0, 45m",
	  0 },
	{ "launcher-option", OPTION_LAUNCHER_OPTION, "OPT", 0,
	  "A line more for the head of the script, or an option of mpiexec; may be given again",
	  0 },
	{ "script-template", OPTION_SCRIPT_TEMPLATE, "FILE", 0,
	  "The script to submit, with {n}, {command} and so on", 0 },
	{ "dry-run", OPTION_DRY_RUN, NULL, 0, "Print the script and start nothing", 0 },
	{ "jobs", OPTION_JOBS, "K", 0, "Ask for the engines in K jobs (default: 1)", 0 },
	{ "min", OPTION_MIN, "N", 0, "Never fewer engines (with --max)", 0 },
	{ "max", OPTION_MAX, "N", 0, "Start more engines, up to N, while items wait", 0 },
	{ "idle-timeout", OPTION_IDLE_TIMEOUT, "S", 0,
	  "Shut engines above --min down when idle for so long (default: 60)", 0 },
	{ "no-wait", OPTION_NO_WAIT, NULL, 0,
	  "Return when the jobs are submitted; engines come as jobs start", 0 },
	{ 0 },
};

static void take_word(struct argp_state *state, const char *name, char *to, const char *arg)
{
	bool is_valid = *arg && strlen(arg) < LAUNCH_WORD_MAX;

	for (const char *c = arg; *c; c++)
		is_valid &= (unsigned char)*c > ' ' && *c != 0x7f;
	if (!is_valid)
		argp_error(state, "%s must be a word, not \"%.80s\"", name, arg);
	snprintf(to, LAUNCH_WORD_MAX, "%s", arg);
}

static void take_launcher(struct argp_state *state, struct launch_request *request, const char *arg)
{
	if (!template_name_is_valid(arg))
		argp_error(state, "--launcher: \"%.80s\" is no name of a launcher", arg);
	snprintf(request->launcher, sizeof request->launcher, "%s", arg);
}

static void take_time(struct argp_state *state, struct launch_request *request, const char *arg)
{
	if (walltime_parse(arg, &request->walltime) < 0)
		argp_error(state,
			   "--time must be minutes, [D-]HH:MM:SS, or a number with s, m, h or d, "
			   "not \"%.80s\"",
			   arg);
}

static void take_option(struct argp_state *state, struct launch_request *request, const char *arg)
{
	int r = *arg ? launch_request_option(request, arg) : -EINVAL;

	if (r == -E2BIG)
		argp_error(state, "--launcher-option: more than %d", LAUNCH_OPTIONS_MAX);
	if (r < 0)
		argp_error(state, "--launcher-option must be one line, not \"%.80s\"", arg);
}

/* The supervisor works elsewhere. */
static void take_script(struct argp_state *state, struct launch_request *request, const char *arg)
{
	char path[PATH_MAX];

	if (!realpath(arg, path) || access(path, R_OK) < 0)
		argp_error(state, "--script-template: cannot read %.200s: %s", arg,
			   strerror(errno));
	snprintf(request->script_template, sizeof request->script_template, "%s", path);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct launcher_options *o = state->input;
	struct launch_request *request = &o->request;

	o->has_job_options |= key == OPTION_PARTITION || key == OPTION_ACCOUNT ||
			      key == OPTION_QOS || key == OPTION_TIME ||
			      key == OPTION_LAUNCHER_OPTION || key == OPTION_SCRIPT_TEMPLATE ||
			      key == OPTION_DRY_RUN || key == OPTION_JOBS || key == OPTION_NO_WAIT;
	switch (key) {
	case OPTION_LAUNCHER:
		take_launcher(state, request, arg);
		return 0;
	case OPTION_PARTITION:
		take_word(state, "--partition", request->partition, arg);
		return 0;
	case OPTION_ACCOUNT:
		take_word(state, "--account", request->account, arg);
		return 0;
	case OPTION_QOS:
		take_word(state, "--qos", request->qos, arg);
		return 0;
	case OPTION_TIME:
		take_time(state, request, arg);
		return 0;
	case OPTION_LAUNCHER_OPTION:
		take_option(state, request, arg);
		return 0;
	case OPTION_SCRIPT_TEMPLATE:
		take_script(state, request, arg);
		return 0;
	case OPTION_DRY_RUN:
		o->dry_run = true;
		return 0;
	case OPTION_JOBS:
		request->jobs = option_int(state, "--jobs", arg, 1, 10000);
		return 0;
	case OPTION_MIN:
		request->min = option_int(state, "--min", arg, 1, ENGINES_MAX);
		return 0;
	case OPTION_MAX:
		request->max = option_int(state, "--max", arg, 1, ENGINES_MAX);
		return 0;
	case OPTION_IDLE_TIMEOUT:
		request->idle_timeout = option_seconds(state, "--idle-timeout", arg);
		return 0;
	case OPTION_NO_WAIT:
		o->no_wait = true;
		return 0;
	case ARGP_KEY_END:
		if (o->has_job_options && !request->launcher[0])
			argp_error(state,
				   "--partition, --account, --qos, --time, --launcher-option, "
				   "--script-template, --dry-run, --jobs and --no-wait go with "
				   "--launcher only");
		if (request->min > 0 && request->max == 0)
			argp_error(state, "--min goes with --max only");
		if (request->max > 0 && request->min > request->max)
			argp_error(state, "--min %d is above --max %d", request->min, request->max);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp launcher_options_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

static int usage(const char *format, int a, int b)
{
	complain(format, a, b);
	return STATUS_USAGE;
}

/* Before anything is started. */
static int check_launcher(const struct launch_request *request)
{
	struct xc_error err = XC_ERROR_INIT;
	struct text script = TEXT_INIT, command = TEXT_INIT;
	struct launch launch;
	int r = launch_open(&launch, request, "check", "/", &err);

	if (r < 0)
		return fail(&err);
	r = launch_render(&launch, 1, request->n, &script, &command, &err);
	text_fini(&script);
	text_fini(&command);
	launch_fini(&launch);
	return r < 0 ? fail(&err) : STATUS_OK;
}

int launcher_complete(struct launcher_options *o, struct engine_options *engines)
{
	struct launch_request *request = &o->request;

	if (!launcher_is_wanted(o))
		return STATUS_OK;
	if (request->max > 0 && request->min == 0)
		request->min = 1;
	if (engines->n == 0 && request->min > 0)
		engines->n = request->min;
	if (engines->n == 0) {
		complain("-n is missing: a launcher does not know how many engines are wanted; "
			 "see `xcluster start --help`");
		return STATUS_USAGE;
	}
	if (request->max > 0 && (engines->n < request->min || engines->n > request->max)) {
		complain("-n %d is not between --min %d and --max %d; see `xcluster start "
			 "--help`",
			 engines->n, request->min, request->max);
		return STATUS_USAGE;
	}
	if (request->jobs > engines->n)
		return usage("--jobs %d is more than the %d engines; see `xcluster start --help`",
			     request->jobs, engines->n);
	request->n = engines->n;
	request->threads = engines->threads;
	request->bind = engines->bind;
	request->store_limit = engines->store_limit;
	if (!request->launcher[0])
		snprintf(request->launcher, sizeof request->launcher, "local");
	return launcher_is_local(o) ? STATUS_OK : check_launcher(request);
}
