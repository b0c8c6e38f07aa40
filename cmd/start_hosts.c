/* start_hosts.c: engines on other hosts: starting them, waiting for them, undoing it. */
#include "cmd/start_hosts.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/interrupt.h"
#include "cmd/tunnels.h"

#define PARALLEL      16
#define END_TIMEOUT   6.0 /* an agent gives its engines 2 s */
#define LEAVE_TIMEOUT 10.0
#define GRACE	      1.0  /* for hosts still at work when it has failed: what becomes of them */
#define LOOK	      0.05 /* s; between two looks at the cluster's status */

/* ---- Beginning --------------------------------------------------------------------- */

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, CONNECTION_SIZE_MAX + 1);

	if (file && text && fread(text, 1, CONNECTION_SIZE_MAX, file) == 0) {
		free(text);
		text = NULL;
	}
	if (file)
		fclose(file);
	else
		free(text);
	return file ? text : NULL;
}

static bool is_loopback(const char *address)
{
	static const char *const names[] = { "tcp://127.", "tcp://[::1]:", "tcp://localhost:" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strncmp(address, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* Other hosts would dial themselves. */
static bool has_only_loopback(const char *text)
{
	json_t *json = json_loads(text, 0, NULL), *address;
	bool only = true;
	size_t i;

	json_array_foreach (json_object_get(json, "addresses"), i, address)
		only &= is_loopback(json_string_value(address) ? json_string_value(address) : "");
	json_decref(json);
	return only;
}

/* HOST:PORT of the controller as this host dials it; NULL: it has none. */
static char *find_forward(const char *text)
{
	static const char scheme[] = "tcp://";
	json_t *json = json_loads(text, 0, NULL);
	const char *address =
		json_string_value(json_array_get(json_object_get(json, "addresses"), 0));
	char *forward = NULL;

	if (address && strncmp(address, scheme, sizeof scheme - 1) == 0)
		forward = strdup(address + sizeof scheme - 1);
	json_decref(json);
	return forward;
}

static void fill_args(struct host_start *s)
{
	int n = 0;

	if (s->engines->threads) {
		snprintf(s->threads, sizeof s->threads, "%d", s->engines->threads);
		s->args[n++] = "--threads-per-engine";
		s->args[n++] = s->threads;
	}
	if (s->engines->bind)
		s->args[n++] = "--bind";
	if (s->engines->store_limit) {
		snprintf(s->store, sizeof s->store, "%zu", s->engines->store_limit);
		s->args[n++] = "--store-limit";
		s->args[n++] = s->store;
	}
	if (s->engines->controller_timeout > 0) {
		snprintf(s->silence, sizeof s->silence, "%g", s->engines->controller_timeout);
		s->args[n++] = "--controller-timeout";
		s->args[n++] = s->silence;
	}
	s->args[n] = NULL;
}

static int begin(struct host_start *s)
{
	const struct host_options *o = s->options;
	struct xc_error err = XC_ERROR_INIT;

	s->text = read_text(s->connection);
	if (!s->text) {
		complain("cannot read %s: %s", s->connection, strerror(errno));
		return STATUS_FAILED;
	}
	s->forward = find_forward(s->text);
	if (!s->forward) {
		complain("the controller listens on this host alone: other hosts need a cluster "
			 "that was started with --hosts, or with --ip");
		return STATUS_FAILED;
	}
	if (!o->tunnel && has_only_loopback(s->text)) {
		complain("the controller listens at %s, which other hosts cannot reach: give "
			 "--ip '*' to `xcluster start`, or --tunnel",
			 s->forward);
		return STATUS_FAILED;
	}
	if (o->deploy && bundle_make(&s->bundle, &err) < 0)
		return fail(&err);
	fill_args(s);
	s->launch = (struct ssh_options){ .ssh = o->ssh,
					  .command = o->command,
					  .connection = s->text,
					  .dir = s->dir,
					  .args = s->args,
					  .bundle = o->deploy ? &s->bundle : NULL,
					  .tunnel = o->tunnel ? s->forward : NULL,
					  .parallel = PARALLEL,
					  .required = o->required ? o->required : o->hosts.count,
					  .timeout = s->engines->timeout };
	s->end = now_seconds() + s->engines->timeout;
	s->others = xc_engine_count(s->client);
	return ssh_open(&s->ssh, &o->hosts, &s->launch, &err) < 0 ? fail(&err) : STATUS_OK;
}

/* ---- Engines, as the controller sees them --------------------------------------------- */

static json_t *get_status(struct xc_client *client)
{
	char *text = NULL;
	json_t *status = NULL;

	if (xc_status_json(client, &text, NULL) == 0)
		status = json_loads(text, 0, NULL);
	free(text);
	return status;
}

/* Engines of a host that are up. One that has failed is the end of the host. */
static int count_up(struct host_start *s, int index, const json_t *status)
{
	struct ssh_host host = ssh_host(s->ssh, index);
	json_t *engine;
	int up = 0;
	size_t i;

	json_array_foreach (json_object_get(status, "engines"), i, engine) {
		json_int_t id = json_integer_value(json_object_get(engine, "id"));
		const char *state = json_string_value(json_object_get(engine, "state"));
		const char *reason = json_string_value(json_object_get(engine, "reason"));
		char text[512];

		if (id < host.first || id >= host.first + host.engines || !state)
			continue;
		up += strcmp(state, "idle") == 0 || strcmp(state, "busy") == 0;
		if (strcmp(state, "failed") != 0)
			continue;
		snprintf(text, sizeof text, "engine %lld could not be started%s%s", (long long)id,
			 reason && *reason ? ": " : "", reason ? reason : "");
		ssh_fail(s->ssh, index, text);
	}
	return up;
}

static int expected(const struct host_start *s)
{
	int n = 0;

	for (int i = 0; i < ssh_count(s->ssh); i++) {
		struct ssh_host host = ssh_host(s->ssh, i);

		n += host.state == SSH_READY || host.state == SSH_LEFT ? host.engines : 0;
	}
	return n;
}

/* True when all engines of the hosts that are ready are up. */
static bool look(struct host_start *s)
{
	json_t *status;
	int up = 0;

	/* The number says it where nobody else's engines come and go. */
	if (s->others == 0 && xc_engine_count(s->client) == expected(s))
		return true;
	if (now_seconds() < s->looked + LOOK)
		return false;
	s->looked = now_seconds();
	status = get_status(s->client);
	for (int i = 0; status && i < ssh_count(s->ssh); i++)
		if (ssh_host(s->ssh, i).state == SSH_READY)
			up += count_up(s, i, status);
	json_decref(status);
	return up == expected(s);
}

/* ---- Waiting ---------------------------------------------------------------------------- */

static void show_progress(struct host_start *s)
{
	int up = xc_engine_count(s->client) - s->others;
	char line[80];

	snprintf(line, sizeof line, "hosts %d/%d, engines %d", ssh_count_in(s->ssh, SSH_READY),
		 ssh_count(s->ssh), up < 0 ? 0 : up);
	if (!isatty(STDERR_FILENO) || strcmp(line, s->shown) == 0)
		return;
	strcpy(s->shown, line);
	fprintf(stderr, "\r%s\033[K", line);
}

static void hide_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static void give_up_engines(struct host_start *s)
{
	json_t *status = get_status(s->client);

	for (int i = 0; i < ssh_count(s->ssh); i++) {
		struct ssh_host host = ssh_host(s->ssh, i);
		char text[128];
		int up;

		if (host.state != SSH_READY)
			continue;
		up = count_up(s, i, status);
		snprintf(text, sizeof text, "time-out: %d of its %d engines are up after %g s", up,
			 host.engines, s->engines->timeout);
		if (up < host.engines)
			ssh_fail(s->ssh, i, text);
	}
	json_decref(status);
}

/* 0 when all hosts are up or have failed; -EINTR; or the client's error. */
static int await_hosts(struct host_start *s, struct xc_error *err)
{
	const int fds[2] = { xc_fd(s->client), s->interrupt };
	double hopeless = 0;
	int r;

	for (;;) {
		bool at_work = ssh_turn(s->ssh, LOOK, fds, 2);

		if (interrupt_signal())
			return -EINTR;
		r = xc_process(s->client, err);
		if (r < 0)
			return r;
		show_progress(s);
		if (!at_work && now_seconds() > s->end)
			give_up_engines(s);
		if (!ssh_is_hopeful(s->ssh) && hopeless == 0)
			hopeless = now_seconds();
		if (hopeless > 0 && (!at_work || now_seconds() > hopeless + GRACE))
			return 0;
		if (!at_work && look(s))
			return 0;
	}
}

static int report(struct host_start *s)
{
	int failed = 0, count = ssh_count(s->ssh);

	for (int i = 0; i < count; i++) {
		struct ssh_host host = ssh_host(s->ssh, i);

		if (host.state != SSH_FAILED)
			continue;
		failed++;
		complain("host %s has not come up: %s", host.host->name, host.reason);
	}
	s->n = expected(s);
	if (count - failed >= s->launch.required)
		return STATUS_OK;
	if (s->launch.required == count)
		complain("%d of %d hosts failed, and all are required (see --require); what they "
			 "printed is shown by `xcluster logs`",
			 failed, count);
	else
		complain("%d of %d hosts failed, and %d are required (--require); what they "
			 "printed is shown by `xcluster logs`",
			 failed, count, s->launch.required);
	return STATUS_FAILED;
}

int host_start_run(struct host_start *s)
{
	struct xc_error err = XC_ERROR_INIT;
	int status = begin(s), r;

	if (status != STATUS_OK)
		return status;
	r = await_hosts(s, &err);
	hide_progress();
	if (r == -EINTR)
		return STATUS_FAILED;
	return r < 0 ? fail(&err) : report(s);
}

/* ---- The ends ------------------------------------------------------------------------------ */

int host_start_leave(struct host_start *s)
{
	struct xc_error err = XC_ERROR_INIT;

	if (s->options->tunnel && tunnels_keep(s->ssh, s->dir, s->controller, &err) < 0)
		return fail(&err);
	ssh_leave(s->ssh, LEAVE_TIMEOUT);
	return ssh_is_hopeful(s->ssh) ? STATUS_OK : report(s);
}

void host_start_undo(struct host_start *s)
{
	if (!s->ssh)
		return;
	ssh_end(s->ssh, END_TIMEOUT);
	for (int i = 0; i < ssh_count(s->ssh); i++) {
		struct ssh_host host = ssh_host(s->ssh, i);

		if (!host.is_settled)
			complain("host %s could not be told to end: engines may run there until "
				 "they miss the controller",
				 host.host->name);
	}
}

void host_start_fini(struct host_start *s)
{
	ssh_close(s->ssh);
	s->ssh = NULL;
	bundle_fini(&s->bundle);
	if (s->text)
		explicit_bzero(s->text, strlen(s->text));
	free(s->text);
	free(s->forward);
	s->text = s->forward = NULL;
}
