/* batch.c: launchers that submit scripts, by the commands of a launcher file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/command.h"
#include "launch/launcher.h"
#include "launch/places.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"
#include "proto/log.h"

#define SUBMIT_TIMEOUT 60.0
#define POLL_TIMEOUT   30.0
#define DELETE_TIMEOUT 30.0
#define NEW_JOB_TIME   15.0 /* until then one that the system does not know is still new */

/* ---- Submitting -------------------------------------------------------------------- */

static int write_script(const char *path, const char *text, struct xc_error *err)
{
	int fd, r = 0;
	size_t size = strlen(text), used = 0;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0700);
	if (fd < 0)
		return error_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
	while (used < size && r == 0) {
		ssize_t n = write(fd, text + used, size - used);

		if (n < 0 && errno != EINTR)
			r = error_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
		used += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return r;
}

/* A program of its own, for systems that take no script. */
static int write_runner(const struct places *places, struct xc_error *err)
{
	struct text text = TEXT_INIT;
	int r;

	text_puts(&text, "#!/bin/sh\nexec ");
	text_puts(&text, places->command.data);
	text_puts(&text, " \"$@\"\n");
	r = text.failed ? error_set(err, -ENOMEM, "out of memory")
			: write_script(places->runner, text.data, err);
	text_fini(&text);
	return r;
}

static int render(const struct launch *launch, const struct places *places, struct text *script,
		  struct text *command, struct xc_error *err)
{
	const struct template *t = &launch->template;
	const char *const *options = (const char *const *)launch->request->options;
	int r = 0;

	if (t->keys[KEY_RUN])
		return template_command(t, KEY_RUN, places->list, options, command, err);
	r = template_script(t, places->list, options, script, err);
	return r < 0 ? r : template_command(t, KEY_SUBMIT, places->list, options, command, err);
}

int launch_render(const struct launch *launch, int number, int engines, struct text *script,
		  struct text *command, struct xc_error *err)
{
	struct places places;
	int r = places_fill(&places, launch, number, engines, err);

	if (r == 0)
		r = render(launch, &places, script, command, err);
	places_fini(&places);
	return r;
}

static int take_id(const struct launch *launch, const struct outcome *outcome,
		   struct launch_job *job, const char *command, struct xc_error *err)
{
	regmatch_t found[2];
	int n;

	if (outcome->status != 0)
		return error_set(err, XC_EPROTO, "`%.300s` has failed (exit status %d): %s",
				 command, outcome->status, outcome_words(outcome));
	if (regexec(&launch->template.job_id, outcome->out.data, 2, found, 0) != 0 ||
	    found[1].rm_so < 0 || found[1].rm_eo == found[1].rm_so)
		return error_set(err, XC_EPROTO,
				 "`%.300s` has printed no id of a job that job-id in %s would "
				 "find: %s",
				 command, launch->template.path, outcome_words(outcome));
	n = (int)(found[1].rm_eo - found[1].rm_so);
	snprintf(job->id, sizeof job->id, "%.*s", n < 127 ? n : 127,
		 outcome->out.data + found[1].rm_so);
	return 0;
}

static int submit(struct launch *launch, struct launch_job *job, const struct places *places,
		  struct xc_error *err)
{
	struct text script = TEXT_INIT, command = TEXT_INIT;
	struct outcome outcome = { .status = 0 };
	int r = render(launch, places, &script, &command, err);

	if (r == 0)
		r = write_script(places->script, script.data, err);
	if (r == 0 && (strstr(script.data, places->runner) || strstr(command.data, places->runner)))
		r = write_runner(places, err);
	if (r == 0)
		r = command_run(command.data, SUBMIT_TIMEOUT, &outcome, err);
	if (r == 0)
		r = take_id(launch, &outcome, job, command.data, err);
	outcome_fini(&outcome);
	text_fini(&script);
	text_fini(&command);
	return r;
}

static int start_one(struct launch *launch, int engines, struct xc_error *err)
{
	struct launch_job *job = launch_job_add(launch, engines);
	struct places places;
	int r;

	if (!job)
		return error_set(err, -ENOMEM, "no room for another job");
	r = places_fill(&places, launch, job->number, engines, err);
	if (r == 0)
		r = submit(launch, job, &places, err);
	places_fini(&places);
	if (r < 0) {
		launch_job_drop(launch);
		return r;
	}
	log_line("%s job %s for %d engines is submitted", launch->template.keys[KEY_TITLE], job->id,
		 engines);
	return launch_save(launch, err);
}

static int batch_start(struct launch *launch, int engines, struct xc_error *err)
{
	return start_one(launch, engines, err);
}

/* ---- Asking -------------------------------------------------------------------------- */

/* Not in what was printed: it has ended, or the system does not know it yet. */
static void settle_unheard(struct launch_job *job)
{
	if (job->was_seen || launch_now() - job->since > NEW_JOB_TIME)
		launch_job_end(job, "the system does not know it any more");
}

static int ask(struct launch *launch, const struct places *places, struct launch_job *only,
	       struct xc_error *err)
{
	struct text command = TEXT_INIT;
	struct outcome outcome = { .status = 0 };
	bool is_gone, unheard;
	double asked = launch_now();
	int r = template_command(&launch->template, KEY_POLL, places->list,
				 (const char *const *)launch->request->options, &command, err);

	if (r == 0)
		r = command_run(command.data, POLL_TIMEOUT, &outcome, err);
	if (r < 0)
		goto out;
	is_gone = regexec(&launch->template.gone, outcome.err.data, 0, NULL, 0) == 0 ||
		  regexec(&launch->template.gone, outcome.out.data, 0, NULL, 0) == 0;
	if (outcome.status != 0 && !is_gone) {
		r = error_set(err, XC_EPROTO, "`%.300s` has failed (exit status %d): %s",
			      command.data, outcome.status, outcome_words(&outcome));
		goto out;
	}
	for (int i = 0; i < launch->count; i++) {
		struct launch_job *job = &launch->jobs[i];

		job->is_heard = job->state == LAUNCH_ENDED;
	}
	launch_take_poll(launch, outcome.out.data, only);
	for (int i = 0; i < launch->count; i++) {
		struct launch_job *job = &launch->jobs[i];

		unheard = !job->is_heard && job->since <= asked;
		if (unheard && (!only || job == only))
			settle_unheard(job);
	}
out:
	outcome_fini(&outcome);
	text_fini(&command);
	return r;
}

static void add_id(struct text *ids, const struct launch_job *job, const char *between)
{
	text_puts(ids, ids->size ? between : "");
	text_quote(ids, job->id);
}

static int batch_poll(struct launch *launch, struct xc_error *err)
{
	bool each = strstr(launch->template.keys[KEY_POLL], "{job}") != NULL;
	struct text ids = TEXT_INIT;
	struct places places;
	int r = places_fill(&places, launch, 0, 0, err);

	for (int i = 0; i < launch->count && r == 0; i++) {
		struct launch_job *job = &launch->jobs[i];

		if (job->state == LAUNCH_ENDED)
			continue;
		add_id(&ids, job, " ");
		places_add(&places, "job", job->id);
		if (each)
			r = ask(launch, &places, job, err);
	}
	places_add(&places, "job", NULL);
	places_add(&places, "ids", ids.data);
	if (r == 0 && !each && ids.size)
		r = ask(launch, &places, NULL, err);
	text_fini(&ids);
	places_fini(&places);
	return r;
}

/* ---- Cancelling ------------------------------------------------------------------------ */

static int delete (const struct launch *launch, const struct places *places, struct xc_error *err)
{
	struct text command = TEXT_INIT;
	struct outcome outcome = { .status = 0 };
	int r = template_command(&launch->template, KEY_DELETE, places->list,
				 (const char *const *)launch->request->options, &command, err);

	if (r == 0)
		r = command_run(command.data, DELETE_TIMEOUT, &outcome, err);
	if (r == 0 && outcome.status != 0 &&
	    regexec(&launch->template.gone, outcome.err.data, 0, NULL, 0) != 0 &&
	    regexec(&launch->template.gone, outcome.out.data, 0, NULL, 0) != 0)
		r = error_set(err, XC_EPROTO, "`%.300s` has failed (exit status %d): %s",
			      command.data, outcome.status, outcome_words(&outcome));
	outcome_fini(&outcome);
	text_fini(&command);
	return r;
}

static int batch_cancel(struct launch *launch, struct launch_job *const *jobs, int count,
			struct xc_error *err)
{
	bool each = strstr(launch->template.keys[KEY_DELETE], "{job}") != NULL;
	struct text ids = TEXT_INIT;
	struct places places;
	int r = places_fill(&places, launch, 0, 0, err), failed = 0;

	for (int i = 0; i < count && r == 0; i++) {
		jobs[i]->is_cancelled = true;
		add_id(&ids, jobs[i], " ");
		places_add(&places, "job", jobs[i]->id);
		if (each && delete (launch, &places, err) < 0)
			failed++;
		else
			log_line("%s job %s is cancelled", launch->template.keys[KEY_TITLE],
				 jobs[i]->id);
	}
	places_add(&places, "job", NULL);
	places_add(&places, "ids", ids.data);
	if (r == 0 && !each && ids.size)
		r = delete (launch, &places, err);
	text_fini(&ids);
	places_fini(&places);
	return failed ? XC_EPROTO : r;
}

const struct launcher_ops batch_ops = { batch_start, batch_poll, batch_cancel };
