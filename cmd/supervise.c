/* supervise.c: xcluster supervise: the launcher of a cluster at work, in the background: it
 * starts what was asked for, looks what becomes of it, says so to the controller, and
 * cancels what is left when the cluster ends. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "cmd/local_launcher.h"
#include "cmd/supervisor.h"
#include "proto/error.h"
#include "proto/log.h"

#define TICK_MS	       500
#define REST_MS	       100
#define STATUS_TIMEOUT 5.0
#define POLL_FIRST     0.5 /* s between polls while something is new, */
#define POLL_SLOW      5.0 /* and later */
#define NEW_TIME       15.0
#define KEEP_ENDED     20    /* jobs that are told of after their end */
#define NOTE_AGAIN     10.0  /* s: numbers in it may have changed */
#define UNHAPPY_TIME   20.0  /* s without an answer of the batch system until that is said */
#define QUICK_TIME     120.0 /* s: a job that ends before, without an engine, has failed */

/* ---- Jobs ------------------------------------------------------------------------ */

/* K jobs at first; later ones are of the same size. */
int supervisor_start(struct supervisor *s, int engines, struct xc_error *err)
{
	int unit = launch_share(s->request.n, s->request.jobs, 0);
	int jobs = s->launch.count == 0 && engines == s->request.n ? s->request.jobs
								   : (engines + unit - 1) / unit;
	int r = 0;

	for (int i = 0; i < jobs && r == 0; i++) {
		r = s->launch.ops->start(&s->launch, launch_share(engines, jobs, i), err);
		s->coming += r == 0 ? launch_share(engines, jobs, i) : 0;
	}
	s->next_poll = 0;
	return r;
}

static int cancel_pending(struct supervisor *s, int engines)
{
	struct launch_job **jobs = calloc((size_t)s->launch.count + 1, sizeof *jobs);
	struct xc_error err = XC_ERROR_INIT;
	int count = 0, dropped = 0;

	for (int i = s->launch.count - 1; jobs && i >= 0; i--) {
		struct launch_job *job = &s->launch.jobs[i];

		if (job->state != LAUNCH_PENDING || job->engines > engines - dropped)
			continue;
		jobs[count++] = job;
		dropped += job->engines;
	}
	if (count > 0 && s->launch.ops->cancel(&s->launch, jobs, count, &err) < 0) {
		log_line("cannot cancel pending jobs: %s", err.text);
		snprintf(s->trouble, sizeof s->trouble, "%.390s", err.text);
	}
	free(jobs);
	return dropped;
}

void supervisor_drop(struct supervisor *s, int engines)
{
	int left = engines - cancel_pending(s, engines), count;
	int *ids = left > 0 ? calloc((size_t)left, sizeof *ids) : NULL;

	if (!ids)
		return;
	count = census_choose(&s->census, left, -1, ids);
	if (count > 0)
		link_shut(&s->link, ids, count);
	log_line("shutting %d engines down", count);
	free(ids);
}

/* ---- Looking ----------------------------------------------------------------------- */

static void say_end(struct supervisor *s, const struct launch_job *job, double now)
{
	log_line("%s: job %s has ended: %s%s%s", s->launch.template.keys[KEY_TITLE], job->id,
		 job->word[0] ? job->word : "nothing is said of why", job->reason[0] ? ": " : "",
		 job->reason);
	if (!job->is_cancelled && now - job->since < QUICK_TIME && s->census.count == 0)
		s->quick_ends++;
	else
		s->quick_ends = 0;
}

static bool is_any_new(const struct supervisor *s, double now)
{
	for (int i = 0; i < s->launch.count; i++)
		if (s->launch.jobs[i].state != LAUNCH_ENDED &&
		    now - s->launch.jobs[i].since < NEW_TIME)
			return true;
	return false;
}

/* What has ended since. */
static void tell_ends(struct supervisor *s, const enum launch_job_state *before, int count,
		      double now)
{
	bool changed = false;

	for (int i = 0; i < count; i++) {
		changed |= before[i] != s->launch.jobs[i].state;
		if (before[i] != LAUNCH_ENDED && s->launch.jobs[i].state == LAUNCH_ENDED)
			say_end(s, &s->launch.jobs[i], now);
	}
	if (changed)
		launch_save(&s->launch, NULL);
}

static void poll_jobs(struct supervisor *s, double now)
{
	int count = s->launch.count;
	enum launch_job_state *before;
	struct xc_error err = XC_ERROR_INIT;

	if (now < s->next_poll || launch_count(&s->launch, LAUNCH_ENDED) == s->launch.count)
		return;
	before = calloc((size_t)count + 1, sizeof *before);
	if (!before)
		return;
	for (int i = 0; i < count; i++)
		before[i] = s->launch.jobs[i].state;
	if (s->launch.ops->poll(&s->launch, &err) == 0) {
		s->is_unhappy = false;
	} else if (!s->is_unhappy) {
		s->is_unhappy = true;
		s->unhappy_since = now;
		log_line("cannot tell what has become of the jobs: %s", err.text);
	}
	if (s->is_unhappy && now - s->unhappy_since > UNHAPPY_TIME)
		snprintf(s->trouble, sizeof s->trouble, "%.390s", err.text);
	tell_ends(s, before, count, now);
	free(before);
	launch_forget(&s->launch, KEEP_ENDED);
	s->next_poll = now_seconds() + (is_any_new(s, now) ? POLL_FIRST : POLL_SLOW);
}

/* Engines of jobs that have not announced themselves. */
static int count_coming(const struct supervisor *s, const json_t *status)
{
	int coming = 0;

	for (int i = 0; i < s->launch.count; i++) {
		const struct launch_job *job = &s->launch.jobs[i];
		char info[LAUNCH_INFO_SIZE];
		int here;

		if (job->state == LAUNCH_ENDED)
			continue;
		here = census_launched(status, launch_info(&s->launch, job->number, info));
		coming += job->engines > here ? job->engines - here : 0;
	}
	return coming;
}

static void make_note(struct supervisor *s)
{
	int used;

	launch_text(&s->launch, s->note, sizeof s->note);
	used = (int)strlen(s->note);
	if (s->trouble[0] && used < (int)sizeof s->note)
		snprintf(s->note + used, sizeof s->note - (size_t)used, "; %s", s->trouble);
	text_trim(s->note);
}

static void note(struct supervisor *s, double now)
{
	json_t *details;

	make_note(s);
	if (strcmp(s->note, s->noted) == 0 && s->coming == s->noted_coming &&
	    now - s->noted_at < NOTE_AGAIN)
		return;
	snprintf(s->noted, sizeof s->noted, "%s", s->note);
	s->noted_coming = s->coming;
	s->noted_at = now;
	details = launch_json(&s->launch);
	link_note(&s->link, s->note, s->coming, details);
	json_decref(details);
}

static void look(struct supervisor *s)
{
	struct xc_error err = XC_ERROR_INIT;
	double now = now_seconds();
	json_t *status = NULL;

	poll_jobs(s, now);
	if (link_status(&s->link, STATUS_TIMEOUT, &status, &err) < 0)
		return;
	census_take(&s->census, status, now);
	s->coming = count_coming(s, status);
	json_decref(status);
	elastic_take_scale(s);
	elastic_look(s, now);
	note(s, now);
}

/* ---- Start and end ------------------------------------------------------------------ */

static bool is_over(const struct supervisor *s)
{
	struct pollfd fd = { .fd = s->link.pidfd, .events = POLLIN };

	return interrupt_signal() || s->link.pidfd < 0 || poll(&fd, 1, 0) != 0;
}

static void drain_changes(int fd)
{
	char bytes[4096];

	while (fd >= 0 && read(fd, bytes, sizeof bytes) > 0)
		;
}

static void loop(struct supervisor *s)
{
	const int fds[] = { s->interrupt, s->changes };

	while (!is_over(s)) {
		struct pollfd end[2] = { { .fd = s->link.pidfd, .events = POLLIN },
					 { .fd = s->interrupt, .events = POLLIN } };

		look(s);
		poll(end, 2, REST_MS); /* others that come meanwhile are seen in one look */
		if (link_wait(&s->link, fds, 2, TICK_MS))
			s->next_poll = 0;
		drain_changes(s->changes);
	}
}

static int finish(struct supervisor *s)
{
	struct xc_error err = XC_ERROR_INIT;
	int r;

	log_line(interrupt_signal() ? "%s: cancelling what is left" : "the cluster has ended: %s",
		 interrupt_signal() ? strsignal(interrupt_signal()) : "cancelling what is left");
	s->launch.ops->poll(&s->launch, &err);
	r = strcmp(s->request.launcher, "local") ? launch_cancel_all(&s->launch, &err) : 0;
	if (r < 0)
		log_line("not all jobs could be cancelled: %s", err.text);
	launch_save(&s->launch, NULL);
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static int take_place(struct supervisor *s, struct xc_error *err)
{
	char path[CLUSTER_PATH_MAX];
	int r = cluster_dir(s->id, s->dir, sizeof s->dir, err);

	if (r == 0)
		r = cluster_file(s->dir, path, sizeof path, CLUSTER_LAUNCHER_LOCK);
	if (r == 0)
		r = cluster_lock_take(path, err);
	return r < 0 ? r : 0;
}

static int open_all(struct supervisor *s, struct xc_error *err)
{
	char path[CLUSTER_PATH_MAX];
	int r = take_place(s, err);

	if (r == 0)
		r = launch_request_read(&s->request, s->dir, err);
	if (r == 0 && strcmp(s->request.launcher, "local") == 0)
		r = local_open(&s->launch, &s->request, s->id, s->dir, err);
	else if (r == 0)
		r = launch_open(&s->launch, &s->request, s->id, s->dir, err);
	if (r == 0)
		r = cluster_file(s->dir, path, sizeof path, CLUSTER_CONNECTION);
	if (r == 0)
		r = connection_read(path, &s->connection, err);
	if (r == 0)
		r = link_open(&s->link, &s->connection, err);
	if (r < 0)
		return r;
	s->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->changes >= 0)
		inotify_add_watch(s->changes, s->dir, IN_MOVED_TO);
	/* Engines on this host are there already, started by whoever started us. */
	if (strcmp(s->request.launcher, "local") != 0)
		r = supervisor_start(s, s->request.n, err);
	return r;
}

/* Whoever has started us hears "ok", or why not. */
static void tell_starter(struct supervisor *s, const char *text)
{
	if (s->ready < 0)
		return;
	if (write(s->ready, text, strlen(text)) < 0)
		log_line("who has started this is gone");
	close(s->ready);
	s->ready = -1;
}

static int run(struct supervisor *s)
{
	struct xc_error err = XC_ERROR_INIT;
	int r = open_all(s, &err), status;

	if (r < 0) {
		log_line("%s", err.text);
		tell_starter(s, err.text);
	} else {
		look(s);
		tell_starter(s, "ok");
		loop(s);
	}
	status = s->launch.ops ? finish(s) : STATUS_OK;
	link_close(&s->link);
	census_fini(&s->census);
	if (s->launch.ops)
		launch_fini(&s->launch);
	launch_request_fini(&s->request);
	return r < 0 ? STATUS_FAILED : status;
}

static const struct argp_option options[] = {
	CLUSTER_ID_OPTION,
	{ "ready-fd", OPTION_READY, "FD", 0, "Write \"ok\" to this descriptor, or why not", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct supervisor *s = state->input;

	switch (key) {
	case OPTION_CLUSTER_ID:
		s->id = option_cluster_id(state, arg);
		return 0;
	case OPTION_READY:
		s->ready = option_fd(state, "--ready-fd", arg);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int command_supervise(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL, "The launcher of a cluster at work; for internal use.",
		NULL,	 NULL,	NULL
	};
	static struct supervisor s = { .id = CLUSTER_DEFAULT_ID,
				       .request = LAUNCH_REQUEST_INIT,
				       .link = LINK_INIT,
				       .ready = -1,
				       .changes = -1 };

	argp_parse(&argp, argc, argv, 0, NULL, &s);
	log_open("launcher");
	signal(SIGPIPE, SIG_IGN);
	s.interrupt = interrupt_catch();
	if (s.ready >= 0)
		fcntl(s.ready, F_SETFD, FD_CLOEXEC);
	return run(&s);
}
