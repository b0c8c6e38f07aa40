/* start_launcher.c: `xcluster start` with a launcher: its supervisor, and the wait for the
 * engines that it asks for. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/interrupt.h"
#include "cmd/launched.h"
#include "launch/launcher.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"

#define SLICE	       0.1 /* seconds between looks at supervisor and signals: success does not wait */
#define SUBMIT_TIMEOUT 120.0

/* The connection file for engines. */
static int name_connection(struct launch_request *request, const char *dir, struct xc_error *err)
{
	if (cluster_file(dir, request->connection, sizeof request->connection,
			 strcmp(request->launcher, "local") ? CLUSTER_ENGINES
							    : CLUSTER_CONNECTION) < 0)
		return error_set(err, -ENAMETOOLONG, "%s: the path is too long", dir);
	return 0;
}

/* ---- --dry-run ----------------------------------------------------------------------- */

static int print_job(const struct launch *launch, int number, int engines, struct xc_error *err)
{
	struct text script = TEXT_INIT, command = TEXT_INIT;
	int r = launch_render(launch, number, engines, &script, &command, err);

	if (r == 0 && script.size)
		fputs(script.data, stdout);
	if (r == 0)
		fprintf(script.size ? stderr : stdout, "%s\n", command.data);
	text_fini(&script);
	text_fini(&command);
	return r;
}

int launcher_dry_run(struct launcher_options *o, const char *id)
{
	struct launch_request *request = &o->request;
	struct xc_error err = XC_ERROR_INIT;
	char dir[CLUSTER_PATH_MAX];
	struct launch launch;
	int r = cluster_dir(id, dir, sizeof dir, &err);

	if (r == 0)
		r = name_connection(request, dir, &err);
	if (r == 0)
		r = launch_open(&launch, request, id, dir, &err);
	if (r < 0)
		return fail(&err);
	for (int i = 0; i < request->jobs && r == 0; i++)
		r = print_job(&launch, i + 1, launch_share(request->n, request->jobs, i), &err);
	launch_fini(&launch);
	return r < 0 ? fail(&err) : STATUS_OK;
}

/* ---- The supervisor -------------------------------------------------------------------- */

static int hear(int fd, int interrupt, struct xc_error *err)
{
	struct pollfd fds[2] = { { .fd = fd, .events = POLLIN },
				 { .fd = interrupt, .events = POLLIN } };
	double end = now_seconds() + SUBMIT_TIMEOUT;
	char text[1024];
	size_t used = 0;
	ssize_t n;

	for (;;) {
		double left = end - now_seconds();

		if (interrupt_signal())
			return error_set(err, -EINTR, "interrupted");
		if (left <= 0)
			return error_set(err, -ETIMEDOUT, "the launcher has not begun within %g s",
					 SUBMIT_TIMEOUT);
		if (poll(fds, 2, (int)(left * 1e3) + 1) <= 0 || !fds[0].revents)
			continue;
		n = read(fd, text + used, sizeof text - 1 - used);
		if (n > 0)
			used += (size_t)n;
		if (n == 0 || used == sizeof text - 1)
			break;
	}
	text[used] = '\0';
	if (strcmp(text, "ok") == 0)
		return 0;
	return error_set(err, XC_EPROTO, "%s", used ? text : "the launcher has ended at once");
}

int launcher_start(struct launcher_options *o, const char *id, const char *dir,
		   struct daemon *supervisor, int interrupt, struct xc_error *err)
{
	char log[CLUSTER_PATH_MAX], ready[16];
	const char *argv[] = { "xcluster", "supervise", "--cluster-id", id, "--ready-fd",
			       ready,	   NULL };
	int fds[2], r = name_connection(&o->request, dir, err);

	if (r == 0)
		r = launch_request_write(&o->request, dir, err);
	if (r == 0 && cluster_file(dir, log, sizeof log, CLUSTER_LAUNCHER_LOG) < 0)
		r = error_set(err, -ENAMETOOLONG, "%s: the path is too long", dir);
	if (r < 0)
		return r;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
	snprintf(ready, sizeof ready, "%d", fds[1]);
	r = daemon_start(supervisor, argv, log, (const int[]){ fds[1], -1 }, err);
	close(fds[1]);
	if (r == 0)
		r = hear(fds[0], interrupt, err);
	close(fds[0]);
	return r;
}

/* ---- Waiting ---------------------------------------------------------------------------- */

static void show_progress(struct xc_client *client, int n)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rengines %d/%d\033[K", xc_engine_count(client), n);
}

/* Have all jobs ended, and are no engines to come? */
static bool is_hopeless(struct xc_client *client, int n)
{
	const json_t *jobs, *job;
	json_t *status;
	char *text = NULL;
	bool hopeless;
	size_t i;

	if (xc_status_json(client, &text, NULL) < 0)
		return false;
	status = json_loads(text, 0, NULL);
	free(text);
	jobs = json_object_get(json_object_get(status, "launcher"), "jobs");
	hopeless = json_array_size(jobs) > 0 && xc_engine_count(client) < n;
	json_array_foreach (jobs, i, job) {
		const char *state = json_string_value(json_object_get(job, "state"));

		hopeless &= state && strcmp(state, "ended") == 0;
	}
	json_decref(status);
	return hopeless;
}

/* In the launcher's words, with the time that there really was. */
static int give_up(struct xc_client *client, int n, double waited, int code, struct xc_error *err)
{
	struct xc_error last = XC_ERROR_INIT;
	const char *why;

	xc_wait_for_engines(client, n, 0, &last);
	why = strchr(last.text, ';');
	return error_set(err, code, "%d of %d engines are up after %.1f s%s%s%s",
			 xc_engine_count(client), n, waited, why ? "; " : "", why ? why + 2 : "",
			 code == -ETIMEDOUT ? " (--no-wait does not wait for them)" : "");
}

int launcher_await(const struct launcher_options *o, struct xc_client *client,
		   struct daemon *supervisor, double timeout, struct xc_error *err)
{
	double end = now_seconds() + timeout;
	int n = o->request.min > 0 ? o->request.min : o->request.n, r;

	for (;;) {
		double left = end - now_seconds();

		r = xc_wait_for_engines(client, n, left < SLICE ? (left > 0 ? left : 0) : SLICE,
					err);
		if (interrupt_signal())
			r = error_set(err, -EINTR, "interrupted");
		else if (r != 0 && daemon_has_ended(supervisor))
			r = error_set(err, -ECHILD, "the launcher has ended: %s",
				      daemon_end_text(supervisor));
		if ((r != -ETIMEDOUT && r != -EINTR) || (r == -EINTR && interrupt_signal()))
			break;
		if (left <= 0 || is_hopeless(client, n)) {
			r = give_up(client, n, timeout - left, left <= 0 ? -ETIMEDOUT : -ECHILD,
				    err);
			break;
		}
		show_progress(client, n);
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return r;
}

/* ---- What a dead supervisor has left ------------------------------------------------------ */

int launcher_leftover(const char *dir, struct xc_error *err)
{
	struct launch_request request = LAUNCH_REQUEST_INIT;
	const char *slash = strrchr(dir, '/');
	struct launch launch;
	int r = launch_request_read(&request, dir, err);

	if (r < 0 || strcmp(request.launcher, "local") == 0) {
		launch_request_fini(&request);
		return r == -ENOENT ? 0 : r;
	}
	r = launch_open(&launch, &request, slash ? slash + 1 : dir, dir, err);
	if (r < 0) {
		launch_request_fini(&request);
		return r;
	}
	r = launch_load(&launch, err);
	if (r == 0 && launch.ops == &batch_ops) /* commands that stayed ended with it */
		r = launch_cancel_all(&launch, err);
	launch_fini(&launch);
	launch_request_fini(&request);
	return r;
}
