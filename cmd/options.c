/* options.c: values of the options that several subcommands take. */
#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/cores.h"
#include "libcluster/threads.h"
#include "proto/cluster_dir.h"

#define ENGINES_MAX   4096
#define HEARTBEAT_MIN 0.1 /* s; with less, agents would be taken for lost */

const char *option_cluster_id(struct argp_state *state, char *arg)
{
	if (!cluster_id_is_valid(arg))
		argp_error(state,
			   "--cluster-id: \"%.80s\" is no cluster id: 1 to 63 letters, digits, "
			   "'.', '_' and '-', "
			   "not beginning with '.' or '-'",
			   arg);
	return arg;
}

int option_int(struct argp_state *state, const char *name, const char *arg, int min, int max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(arg, &end, 10);
	if (end == arg || *end || errno || value < min || value > max)
		argp_error(state, "%s must be a number from %d to %d, not \"%.80s\"", name, min,
			   max, arg);
	return (int)value;
}

double option_seconds(struct argp_state *state, const char *name, const char *arg)
{
	char *end;
	double value = strtod(arg, &end);

	if (end == arg || *end || !isfinite(value) || value < 0 || value > 1e6)
		argp_error(state, "%s must be a number of seconds, not \"%.80s\"", name, arg);
	return value;
}

double option_heartbeat(struct argp_state *state, const char *arg)
{
	double value = option_seconds(state, "--heartbeat-timeout", arg);

	if (value < HEARTBEAT_MIN)
		argp_error(state, "--heartbeat-timeout must be at least %g s, not \"%.80s\"",
			   HEARTBEAT_MIN, arg);
	return value;
}

static int shift_of(const char *unit)
{
	static const char *const units[] = { "", "K", "M", "G", "T" };

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strcasecmp(unit, units[i]) == 0)
			return (int)i * 10;
	return -1;
}

size_t option_size(struct argp_state *state, const char *name, const char *arg)
{
	char *end;
	double value = strtod(arg, &end);
	int shift = shift_of(end);

	if (end == arg || shift < 0 || !isfinite(value) || value <= 0 ||
	    ldexp(value, shift) >= (double)(SIZE_MAX / 2))
		argp_error(state, "%s must be a size in bytes, or with K, M, G, T, not \"%.80s\"",
			   name, arg);
	return (size_t)ldexp(value, shift < 0 ? 0 : shift);
}

int option_fd(struct argp_state *state, const char *name, const char *arg)
{
	int fd = option_int(state, name, arg, 0, INT_MAX);

	if (fcntl(fd, F_GETFD) < 0)
		argp_error(state, "%s: %d is no open descriptor", name, fd);
	return fd;
}

static const struct argp_option engine_option_list[] = {
	{ NULL, 'n', "N", 0, "Engines (default: the cores that this process may use)", 0 },
	{ "threads-per-engine", OPTION_THREADS, "T", 0,
	  "Threads an engine's libraries may use (default: cores / N)", 0 },
	{ "bind", OPTION_BIND, NULL, 0, "Pin each engine to a core", 0 },
	{ "store-limit", OPTION_STORE_LIMIT, "SIZE", 0,
	  "Memory for pushed data; K, M, G as usual (default: half of the memory)", 0 },
	{ "engine-timeout", OPTION_ENGINE_TIMEOUT, "S", 0,
	  "Seconds until all engines must be up (default: 60)", 0 },
	{ 0 },
};

static error_t parse_engine_option(int key, char *arg, struct argp_state *state)
{
	struct engine_options *options = state->input;

	switch (key) {
	case 'n':
		options->n = option_int(state, "-n", arg, 1, ENGINES_MAX);
		return 0;
	case OPTION_THREADS:
		options->threads = option_int(state, "--threads-per-engine", arg, 1, 65536);
		return 0;
	case OPTION_BIND:
		options->bind = true;
		return 0;
	case OPTION_STORE_LIMIT:
		options->store_limit = option_size(state, "--store-limit", arg);
		return 0;
	case OPTION_ENGINE_TIMEOUT:
		options->timeout = option_seconds(state, "--engine-timeout", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp engine_options_argp = {
	engine_option_list, parse_engine_option, NULL, NULL, NULL, NULL, NULL
};

void engine_options_complete(struct engine_options *options)
{
	int cores = cores_usable();

	if (options->n == 0)
		options->n = cores;
	if (options->threads > 0)
		return;
	/* OpenMP's own variable counts for the other libraries, too, as most of them take it. */
	options->threads_yield = true;
	options->threads = threads_of_text(getenv("OMP_NUM_THREADS"));
	if (options->threads == 0)
		options->threads = cores > options->n ? cores / options->n : 1;
}
