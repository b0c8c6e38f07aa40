/* engine.c: xcluster engine: what agents start; not for users. */
#include "engine/engine.h"

#include "cmd/command.h"

static const struct argp_option options[] = {
	{ "agent-fd", OPTION_AGENT_FD, "FD", 0, "The socket to the agent", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	int *fd = state->input;

	switch (key) {
	case OPTION_AGENT_FD:
		*fd = option_fd(state, "--agent-fd", arg);
		return 0;
	case ARGP_KEY_END:
		if (*fd < 0)
			argp_error(state, "engines are started by `xcluster engines` only");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int command_engine(int argc, char **argv)
{
	static const struct argp argp = { options, parse,
					  NULL,	   "An engine; started by `xcluster engines` only.",
					  NULL,	   NULL,
					  NULL };
	int fd = -1;

	argp_parse(&argp, argc, argv, 0, NULL, &fd);
	return engine_run(fd);
}
