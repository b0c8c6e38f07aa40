/* host_options.c: the options of `start` and `engines` about other hosts. */
#include <string.h>

#include "cmd/start_hosts.h"

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Engines on other hosts, through ssh:", 1 },
	{ "hosts", OPTION_HOSTS, "HOST[:N],...", 0,
	  "An agent on each host, with N engines (default: -n, else the host's cores)", 1 },
	{ "hostfile", OPTION_HOSTFILE, "FILE", 0, "The same from a file, with options a host", 1 },
	{ "require", OPTION_REQUIRE, "all|N", 0, "Hosts that must come up (default: all)", 1 },
	{ "tunnel", OPTION_TUNNEL, NULL, 0,
	  "Hosts reach the controller through the ssh connection, which stays", 1 },
	{ "remote-command", OPTION_REMOTE_COMMAND, "PATH", 0,
	  "The xcluster of the hosts (default: the one in PATH)", 1 },
	{ "deploy", OPTION_DEPLOY, NULL, 0,
	  "Copy this xcluster to hosts without it, into ~/.cache/xcluster", 1 },
	{ "ssh", OPTION_SSH, "COMMAND", 0, "The ssh to use, with arguments (default: ssh)", 1 },
	{ 0 },
};

static void add(struct argp_state *state, struct host_options *o, int key, const char *arg)
{
	struct xc_error err = XC_ERROR_INIT;
	int r = key == OPTION_HOSTS ? hosts_add_list(&o->hosts, arg, &err)
				    : hosts_add_file(&o->hosts, arg, &err);

	if (r < 0)
		argp_error(state, "--%s: %s", key == OPTION_HOSTS ? "hosts" : "hostfile", err.text);
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

static const char *take_text(struct argp_state *state, const char *name, const char *arg)
{
	if (!*arg || has_control(arg))
		argp_error(state, "--%s: it is empty, or has control characters", name);
	return arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct host_options *o = state->input;

	switch (key) {
	case OPTION_HOSTS:
	case OPTION_HOSTFILE:
		add(state, o, key, arg);
		return 0;
	case OPTION_REQUIRE:
		o->required = strcmp(arg, "all") == 0
				      ? 0
				      : option_int(state, "--require", arg, 1, HOSTS_MAX);
		break;
	case OPTION_TUNNEL:
		o->tunnel = true;
		break;
	case OPTION_REMOTE_COMMAND:
		o->command = take_text(state, "remote-command", arg);
		break;
	case OPTION_DEPLOY:
		o->deploy = true;
		break;
	case OPTION_SSH:
		o->ssh = take_text(state, "ssh", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	o->has_others = true;
	return 0;
}

const struct argp host_options_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

void host_options_complete(struct argp_state *state, struct host_options *o, int n)
{
	struct xc_error err = XC_ERROR_INIT;

	if (o->hosts.count == 0) {
		if (o->has_others)
			argp_error(state, "--require, --tunnel, --remote-command, --deploy and "
					  "--ssh go with --hosts or --hostfile");
		return;
	}
	if (hosts_complete(&o->hosts, n, &err) < 0)
		argp_error(state, "--hosts: %s", err.text);
	if (o->required > o->hosts.count)
		argp_error(state, "--require %d: there are %d hosts only", o->required,
			   o->hosts.count);
}
