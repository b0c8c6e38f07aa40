/* network.c: options that say where the controller listens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "controller/network.h"

static const struct argp_option options[] = {
	{ "ip", OPTION_IP, "ADDR|IFACE|*", 0,
	  "Listen on the network, encrypted, too: at this address, on this interface, or '*': at "
	  "all "
	  "addresses; may be given again (default: this machine alone)",
	  0 },
	{ "port", OPTION_PORT, "N|A-B", 0,
	  "The port there, or the first free one of these (default: one that is free)", 0 },
	{ "location", OPTION_LOCATION, "NAME[:PORT]", 0,
	  "What other hosts dial; may be given again (default: the addresses of --ip)", 0 },
	{ "reuse", OPTION_REUSE, NULL, 0,
	  "Keep keys and port for the next start with --reuse, or take those that were kept", 0 },
	{ 0 },
};

static void add_words(struct argp_state *state, const char *name, char **list, const char *arg)
{
	char *longer;

	if (!*arg)
		argp_error(state, "%s: the name is empty", name);
	if (asprintf(&longer, *list ? "%s,%s" : "%s%s", *list ? *list : "", arg) < 0)
		argp_failure(state, STATUS_FAILED, 0, "out of memory");
	free(*list);
	*list = longer;
}

static void parse_ports(struct argp_state *state, struct network_options *o, char *arg)
{
	char *dash = strchr(arg, '-');

	if (dash && dash != arg) {
		*dash = '\0';
		o->port_last = option_int(state, "--port", dash + 1, 1, 65535);
	}
	o->port_first = option_int(state, "--port", arg, 0, 65535);
	if (!dash || dash == arg)
		o->port_last = o->port_first;
	if (o->port_last < o->port_first || (o->port_first == 0 && o->port_last > 0))
		argp_error(state, "--port: %d-%d is no range of ports", o->port_first,
			   o->port_last);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct network_options *o = state->input;

	switch (key) {
	case OPTION_IP:
		add_words(state, "--ip", &o->ip, arg);
		return 0;
	case OPTION_LOCATION:
		add_words(state, "--location", &o->location, arg);
		return 0;
	case OPTION_PORT:
		parse_ports(state, o, arg);
		return 0;
	case OPTION_REUSE:
		o->reuse = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp network_options_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

/* Before anything is started. */
static void check(struct argp_state *state, const struct network_options *o)
{
	static struct connection connection;
	static struct network network;
	struct xc_error err = XC_ERROR_INIT;

	if (network_parse(&network, o->ip, &err) < 0)
		argp_error(state, "%s", err.text);
	network.port = 1; /* whatever it will be */
	if (network_addresses(&network, o->location, &connection, &err) < 0)
		argp_error(state, "%s", err.text);
}

void network_options_complete(struct argp_state *state, const struct network_options *o)
{
	if (!o->ip && (o->location || o->port_first || o->reuse))
		argp_error(state, "%s goes with --ip",
			   o->location	   ? "--location"
			   : o->port_first ? "--port"
					   : "--reuse");
	if (o->ip)
		check(state, o);
}
