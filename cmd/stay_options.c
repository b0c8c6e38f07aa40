/* stay_options.c: what agents in jobs are told of their time and place. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/stay.h"

#define LAUNCH_INFO_MAX 200

static const struct argp_option options[] = {
	{ "wait-for-controller", OPTION_WAIT_FOR_CONTROLLER, "S", 0,
	  "Seconds that the controller and its connection file may be late (default: 60 in a Slurm "
	  "step or MPI job, else 0)",
	  0 },
	{ "walltime", OPTION_WALLTIME, "S", 0,
	  "The time of this host ends in so many seconds (default: what Slurm says)", 0 },
	{ "ends-at", OPTION_ENDS_AT, "UNIXTIME", 0, "The time of this host ends then", 0 },
	{ "drain", OPTION_DRAIN, "S", 0,
	  "So long before that the engines get only what can end in time (default: 30)", 0 },
	{ "controller-timeout", OPTION_CONTROLLER_TIMEOUT, "S", 0,
	  "On another host than the controller's: end when nothing was heard of it for so long "
	  "(default: 60)",
	  0 },
	{ "launch-info", OPTION_LAUNCH_INFO, "TEXT", 0,
	  "What has started this, shown in the status", 0 },
	{ "no-ranks", OPTION_NO_RANKS, NULL, 0,
	  "Do not share the engines of this host with other ranks of a Slurm step or MPI job", 0 },
	{ 0 },
};

static double option_unix_time(struct argp_state *state, const char *arg)
{
	char *end;
	double value = strtod(arg, &end);

	if (end == arg || *end || !isfinite(value) || value < 1 || value > 1e11)
		argp_error(state,
			   "--ends-at must be a Unix time, as `date +%%s` prints it, not \"%.80s\"",
			   arg);
	return value;
}

static const char *option_launch_info(struct argp_state *state, const char *arg)
{
	bool is_valid = strlen(arg) <= LAUNCH_INFO_MAX;

	for (const char *c = arg; *c; c++)
		is_valid &= (unsigned char)*c >= ' ' && *c != 0x7f;
	if (!is_valid)
		argp_error(state,
			   "--launch-info must be one line of at most %d characters, not \"%.80s\"",
			   LAUNCH_INFO_MAX, arg);
	return arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stay_options *o = state->input;

	switch (key) {
	case OPTION_WAIT_FOR_CONTROLLER:
		o->wait = option_seconds(state, "--wait-for-controller", arg);
		return 0;
	case OPTION_WALLTIME:
		o->walltime = option_seconds(state, "--walltime", arg);
		return 0;
	case OPTION_ENDS_AT:
		o->ends_at = option_unix_time(state, arg);
		return 0;
	case OPTION_DRAIN:
		o->drain = option_seconds(state, "--drain", arg);
		return 0;
	case OPTION_CONTROLLER_TIMEOUT:
		o->controller_timeout = option_seconds(state, "--controller-timeout", arg);
		return 0;
	case OPTION_LAUNCH_INFO:
		o->launch_info = option_launch_info(state, arg);
		return 0;
	case OPTION_NO_RANKS:
		o->no_ranks = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp stay_options_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };
