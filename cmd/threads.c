/* threads.c: xcluster threads. */
#include <stdlib.h>

#include "cmd/command.h"
#include "cmd/engine_list.h"
#include "libcluster/threads.h"

struct order {
	const char *id;
	struct engine_list engines;
	int threads; /* 0: not given yet */
};

static const struct argp_option options[] = { CLUSTER_ID_OPTION, ENGINES_OPTION, { 0 } };

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
		if (o->threads)
			argp_error(state, "\"%s\" is not expected", arg);
		o->threads = option_int(state, "the number of threads", arg, 1, THREADS_MAX);
		return 0;
	case ARGP_KEY_END:
		if (!o->threads)
			argp_error(state, "how many threads? Give a number, as in "
					  "`xcluster threads 2`");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int command_threads(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"N",
		"Have the numeric libraries in engines of a running cluster use up to N threads "
		"from now on.",
		NULL,
		NULL,
		NULL
	};
	struct order o = { .id = NULL };
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	status = engine_list_order(&o.engines, o.id, xc_set_threads, o.threads);
	engine_list_fini(&o.engines);
	return status;
}
