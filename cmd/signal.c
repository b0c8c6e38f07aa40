/* signal.c: xcluster signal, and xcluster interrupt. */
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd/command.h"
#include "cmd/engine_list.h"

struct order {
	const char *id;
	struct engine_list engines;
	int signal; /* 0: not given yet */
	bool takes_signal;
};

static const struct argp_option options[] = { CLUSTER_ID_OPTION, ENGINES_OPTION, { 0 } };

/* By number, or by name with or without "SIG"; 0 if there is none. */
static int signal_of(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	char *end;
	long number = strtol(text, &end, 10);

	if (isdigit((unsigned char)*text))
		return *end || number < 1 || number > SIGRTMAX ? 0 : (int)number;
	for (int signal = 1; signal < SIGRTMIN; signal++) {
		const char *known = sigabbrev_np(signal);

		if (known && strcasecmp(known, name) == 0)
			return signal;
	}
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct order *o = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		o->id = option_cluster_id(state, arg);
		return 0;
	case OPTION_ENGINES:
		option_engines(state, &o->engines, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (!o->takes_signal || o->signal)
			argp_error(state, "\"%s\" is not expected", arg);
		o->signal = signal_of(arg);
		if (!o->signal)
			argp_error(state, "there is no signal \"%.80s\"; kill -l lists them", arg);
		return 0;
	case ARGP_KEY_END:
		if (!o->signal)
			argp_error(state, "which signal? Give its name or number, as in "
					  "`xcluster signal USR1`");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int run(const struct argp *argp, int argc, char **argv, struct order *o)
{
	int status;

	argp_parse(argp, argc, argv, 0, NULL, o);
	status = engine_list_order(&o->engines, o->id, xc_signal, o->signal);
	engine_list_fini(&o->engines);
	return status;
}

int command_signal(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"SIGNAL",
		"Send a signal, by name or number, to engines of a running cluster. INT interrupts "
		"the items that run; KILL restarts the engines.",
		NULL,
		NULL,
		NULL
	};
	struct order o = { .takes_signal = true };

	return run(&argp, argc, argv, &o);
}

int command_interrupt(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		NULL,
		"Interrupt the items that run on engines of a running cluster; the engines live "
		"on.",
		NULL,
		NULL,
		NULL
	};
	struct order o = { .signal = SIGINT };

	return run(&argp, argc, argv, &o);
}
