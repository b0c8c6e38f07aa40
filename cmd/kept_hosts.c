/* kept_hosts.c: the hosts that a cluster was started on, in its directory. */
#include "cmd/kept_hosts.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/host.h"
#include "launch/launcher.h"
#include "launch/request.h"
#include "launch/text.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"

/* As a host file has it: a word with all of it in quotes. */
static void add_word(struct text *text, const char *key, const char *value)
{
	text_puts(text, " ");
	text_puts(text, key);
	text_puts(text, "\"");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			text_puts(text, "\\");
		text_add(text, value, 1);
	}
	text_puts(text, "\"");
}

static void add_host(struct text *text, const struct host *host)
{
	text_puts(text, host->name);
	if (host->command)
		add_word(text, "command=", host->command);
	if (host->directory)
		add_word(text, "directory=", host->directory);
	for (char **entry = host->environment; entry && *entry; entry++)
		add_word(text, "env=", *entry);
	if (host->family)
		text_puts(text, host->family == 4 ? " ip=4" : " ip=6");
	text_puts(text, "\n");
}

int kept_hosts_write(const char *dir, const struct host_options *options, struct xc_error *err)
{
	struct text text = TEXT_INIT;
	char path[CLUSTER_PATH_MAX];
	json_t *root = NULL;
	int r;

	for (int i = 0; i < options->hosts.count; i++)
		add_host(&text, &options->hosts.list[i]);
	if (!text.failed && text.data)
		root = json_pack("{s:s, s:s, s:b, s:b, s:s}", "ssh", options->ssh, "command",
				 options->command, "deploy", options->deploy, "tunnel",
				 options->tunnel, "hosts", text.data);
	if (!root || cluster_file(dir, path, sizeof path, CLUSTER_HOSTS) < 0)
		r = error_set(err, -EINVAL, "cannot write down the hosts in %s", dir);
	else
		r = launch_write_json(path, root, err);
	json_decref(root);
	text_fini(&text);
	return r;
}

static int take(const char *path, const json_t *root, struct host_options *options,
		struct xc_error *err)
{
	const char *ssh = json_string_value(json_object_get(root, "ssh"));
	const char *command = json_string_value(json_object_get(root, "command"));
	const char *hosts = json_string_value(json_object_get(root, "hosts"));

	if (!ssh || !command || !hosts)
		return error_set(err, XC_EPROTO, "%s: not a list of hosts", path);
	options->ssh = ssh;
	options->command = command;
	options->deploy = json_is_true(json_object_get(root, "deploy"));
	options->tunnel = json_is_true(json_object_get(root, "tunnel"));
	return hosts_parse_file(&options->hosts, hosts, strlen(hosts), path, err);
}

int kept_hosts_read(const char *dir, struct host_options *options, json_t **keeper,
		    struct xc_error *err)
{
	struct host_options read = HOST_OPTIONS_INIT;
	char path[CLUSTER_PATH_MAX];
	json_t *root;
	int r = cluster_file(dir, path, sizeof path, CLUSTER_HOSTS);

	if (r < 0)
		return error_set(err, r, "%s: the path is too long", dir);
	if (access(path, F_OK) < 0)
		return error_set(err, -ENOENT, "the cluster in %s was not started on hosts", dir);
	root = json_load_file(path, 0, NULL);
	r = take(path, root, &read, err);
	if (r < 0) {
		hosts_fini(&read.hosts);
		json_decref(root);
		return r;
	}
	*options = read;
	*keeper = root;
	return 0;
}

void kept_hosts_share(struct hosts *hosts, int engines)
{
	int count = hosts->count, to = 0;

	for (int i = 0; i < count; i++) {
		struct host host = hosts->list[i];

		host.engines = launch_share(engines, count, i);
		host.times = 0;
		if (host.engines > 0)
			hosts->list[to++] = host;
		else
			host_fini(&host);
	}
	hosts->count = to;
}
