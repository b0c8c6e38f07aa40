/* scale.c: xcluster scale: another number of engines. */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/await.h"
#include "cmd/census.h"
#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/interrupt.h"
#include "cmd/kept_hosts.h"
#include "launch/request.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"

#define END_TIMEOUT 4.0
#define LOOK_MS	    50
#define SCALE_MAX   100000

struct scale {
	const char *id;
	int n; /* -1: not given */
	double timeout;
	bool no_wait;
	int interrupt; /* readable once a signal has come */
	struct connection connection;
	struct xc_client *client;
};

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "engine-timeout", OPTION_ENGINE_TIMEOUT, "S", 0,
	  "Seconds until there must be so many (default: 60)", 0 },
	{ "no-wait", OPTION_NO_WAIT, NULL, 0, "Do not wait until there are so many", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct scale *s = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		s->id = option_cluster_id(state, arg);
		return 0;
	case OPTION_ENGINE_TIMEOUT:
		s->timeout = option_seconds(state, "--engine-timeout", arg);
		return 0;
	case OPTION_NO_WAIT:
		s->no_wait = true;
		return 0;
	case ARGP_KEY_ARG:
		if (s->n >= 0)
			argp_error(state, "\"%s\" is not expected", arg);
		s->n = option_int(state, "the number of engines", arg, 0, SCALE_MAX);
		return 0;
	case ARGP_KEY_END:
		if (s->n < 0)
			argp_error(state, "how many engines? As in `xcluster scale 8`");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int look(struct scale *s, struct census *census, struct xc_error *err)
{
	char *text = NULL;
	json_t *status;
	int r = xc_status_json(s->client, &text, err);

	if (r < 0)
		return r;
	status = json_loads(text, 0, NULL);
	free(text);
	if (!status)
		return error_set(err, XC_EPROTO, "the controller's status cannot be read");
	r = census_take(census, status, now_seconds());
	json_decref(status);
	return r < 0 ? error_set(err, r, "out of memory") : 0;
}

/* ---- By the supervisor --------------------------------------------------------------- */

static int ask_supervisor(struct scale *s, struct xc_error *err)
{
	struct launch_request request = LAUNCH_REQUEST_INIT;
	char path[CLUSTER_PATH_MAX];
	json_t *wish;
	int r = launch_request_read(&request, s->connection.dir, err);

	if (r == 0 && request.max > 0 && (s->n < request.min || s->n > request.max))
		r = error_set(err, -EINVAL,
			      "%d engines are not between --min %d and --max %d that the cluster "
			      "was started with",
			      s->n, request.min, request.max);
	launch_request_fini(&request);
	if (r < 0)
		return r;
	if (cluster_file(s->connection.dir, path, sizeof path, CLUSTER_LAUNCHER_SCALE) < 0)
		return error_set(err, -ENAMETOOLONG, "the path is too long");
	wish = json_pack("{s:i}", "engines", s->n);
	r = launch_write_json(path, wish, err);
	json_decref(wish);
	return r;
}

/* What the launcher says is behind the ';' of the library's own words. */
static int late(struct scale *s, const struct census *census, struct xc_error *err)
{
	struct xc_error last = XC_ERROR_INIT;
	const char *why = NULL;

	if (census->up < s->n && xc_wait_for_engines(s->client, s->n, 0, &last) < 0)
		why = strchr(last.text, ';');
	return error_set(err, -ETIMEDOUT, "%d engines are up after %g s, not %d%s%s", census->up,
			 s->timeout, s->n, why ? "; " : "", why ? why + 2 : "");
}

static int wait_for_number(struct scale *s, struct xc_error *err)
{
	double end = now_seconds() + s->timeout;
	struct census census = CENSUS_INIT;
	int r;

	while ((r = look(s, &census, err)) == 0 && (census.up != s->n || census.count != s->n)) {
		if (interrupt_signal())
			interrupt_die();
		if (now_seconds() >= end) {
			r = late(s, &census, err);
			break;
		}
		poll(NULL, 0, LOOK_MS);
	}
	census_fini(&census);
	return r;
}

/* ---- Without one: agents on this host -------------------------------------------------- */

static int add_engines(struct scale *s, const struct census *census, struct xc_error *err)
{
	struct engine_options engines = ENGINE_OPTIONS_INIT;
	struct daemon agent = DAEMON_INIT;
	struct await await = { .client = s->client,
			       .agent = &agent,
			       .n = s->n - census->count,
			       .first = -1,
			       .others = census->up,
			       .timeout = s->timeout };
	int r;

	engines.n = await.n;
	engine_options_complete(&engines);
	r = daemon_start_agent(&agent, &s->connection, &engines, err);
	if (r == 0 && !s->no_wait) {
		r = await_engines(&await, err);
		if (r < 0) {
			await_explain(&await);
			daemon_end(&agent, END_TIMEOUT);
		}
	}
	daemon_fini(&agent);
	return r;
}

/* On the hosts that the cluster was started on. Says itself what has failed: 1 then. */
static int add_on_hosts(struct scale *s, const struct census *census, struct host_options *hosts)
{
	struct engine_options engines = ENGINE_OPTIONS_INIT;
	struct xc_error err = XC_ERROR_INIT;
	char path[CLUSTER_PATH_MAX];
	struct host_start start = { .options = hosts,
				    .engines = &engines,
				    .dir = s->connection.dir,
				    .connection = path,
				    .controller = s->connection.pid,
				    .client = s->client,
				    .interrupt = s->interrupt };
	int r;

	engines.timeout = s->timeout;
	if (cluster_file(s->connection.dir, path, sizeof path, CLUSTER_ENGINES) < 0)
		return 1;
	kept_hosts_share(&hosts->hosts, s->n - census->count);
	if (hosts_complete(&hosts->hosts, 0, &err) < 0) {
		complain("%s", err.text);
		return 1;
	}
	r = host_start_run(&start);
	if (r == STATUS_OK)
		r = host_start_leave(&start);
	if (r != STATUS_OK)
		host_start_undo(&start);
	host_start_fini(&start);
	return r == STATUS_OK ? 0 : 1;
}

static int add_more(struct scale *s, const struct census *census, struct xc_error *err)
{
	struct host_options hosts = HOST_OPTIONS_INIT;
	json_t *keeper = NULL;
	int r = kept_hosts_read(s->connection.dir, &hosts, &keeper, err);

	if (r == -ENOENT)
		return add_engines(s, census, err);
	if (r == 0)
		r = add_on_hosts(s, census, &hosts);
	hosts_fini(&hosts.hosts);
	json_decref(keeper);
	return r > 0 ? error_set(err, -EIO, "not all engines could be started") : r;
}

static int remove_engines(struct scale *s, const struct census *census, struct xc_error *err)
{
	int count = census->count - s->n, r = 0;
	int *ids = calloc((size_t)count, sizeof *ids);
	const struct xc_view *view;

	if (!ids)
		return error_set(err, -ENOMEM, "out of memory");
	count = census_choose(census, count, -1, ids);
	r = xc_engines(s->client, ids, count, &view, err);
	if (r == 0)
		r = xc_engines_stop(view, XC_CANCEL_QUEUED, err);
	free(ids);
	return r;
}

static int scale_here(struct scale *s, struct xc_error *err)
{
	struct census census = CENSUS_INIT;
	char host[256] = "";
	int r = look(s, &census, err);

	gethostname(host, sizeof host - 1);
	if (r == 0 && s->n > census.count && strcmp(host, s->connection.host) != 0)
		r = error_set(err, -EINVAL,
			      "the cluster is on %s: run `xcluster scale` there, or add engines "
			      "of this host with `xcluster engines`",
			      s->connection.host);
	else if (r == 0 && s->n > census.count)
		r = add_more(s, &census, err);
	else if (r == 0 && s->n < census.count)
		r = remove_engines(s, &census, err);
	census_fini(&census);
	return r;
}

/* ---- Both -------------------------------------------------------------------------------- */

static bool has_supervisor(const struct scale *s)
{
	char path[CLUSTER_PATH_MAX];

	return cluster_file(s->connection.dir, path, sizeof path, CLUSTER_LAUNCHER_LOCK) == 0 &&
	       cluster_lock_holder(path) != 0;
}

static int run(struct scale *s, struct xc_error *err)
{
	char path[CLUSTER_PATH_MAX];
	int r = connection_find(s->id, path, sizeof path, err);

	if (r >= 0)
		r = connection_read(path, &s->connection, err);
	if (r >= 0)
		r = xc_open(&s->client, path, err);
	if (r < 0)
		return r;
	if (!has_supervisor(s))
		return scale_here(s, err);
	r = ask_supervisor(s, err);
	return r == 0 && !s->no_wait ? wait_for_number(s, err) : r;
}

int command_scale(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"N",
		"Bring a running cluster to N engines: more are started as the first ones were, "
		"by its launcher or on this machine; or some are shut down, idle ones first, "
		"when what they run has ended.",
		NULL,
		NULL,
		NULL
	};
	static struct scale s = { .n = -1, .timeout = 60 };
	struct xc_error err = XC_ERROR_INIT;
	int r;

	argp_parse(&argp, argc, argv, 0, NULL, &s);
	signal(SIGPIPE, SIG_IGN);
	s.interrupt = interrupt_catch();
	r = run(&s, &err);
	if (r >= 0)
		printf("%d engines are %s\n", s.n, s.no_wait ? "asked for" : "up");
	xc_close(s.client);
	return r < 0 ? fail(&err) : STATUS_OK;
}
