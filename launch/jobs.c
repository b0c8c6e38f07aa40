/* jobs.c: the jobs of a launcher: the list, what to say of it, its file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "launch/launcher.h"
#include "proto/cluster_dir.h"
#include "proto/error.h"

double launch_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

int launch_open(struct launch *launch, const struct launch_request *request, const char *cluster_id,
		const char *dir, struct xc_error *err)
{
	struct launch opened = { .request = request, .cluster_id = cluster_id, .dir = dir };
	char path[CLUSTER_PATH_MAX];
	int r = template_find(request->launcher, path, sizeof path, err);

	if (r == 0)
		r = template_read(path, request->launcher, &opened.template, err);
	if (r < 0)
		return r;
	if (request->script_template[0])
		r = template_read_script(&opened.template, request->script_template, err);
	if (r < 0) {
		template_fini(&opened.template);
		return r;
	}
	opened.ops = opened.template.keys[KEY_RUN] ? &direct_ops : &batch_ops;
	*launch = opened;
	return 0;
}

void launch_fini(struct launch *launch)
{
	for (int i = 0; i < launch->count; i++)
		if (launch->jobs[i].pidfd >= 0)
			close(launch->jobs[i].pidfd);
	free(launch->jobs);
	template_fini(&launch->template);
	*launch = (struct launch){ .ops = NULL };
}

/* ---- The list ---------------------------------------------------------------------- */

struct launch_job *launch_job_add(struct launch *launch, int engines)
{
	struct launch_job *jobs;

	if (launch->count >= LAUNCH_JOBS_MAX)
		return NULL;
	jobs = realloc(launch->jobs, ((size_t)launch->count + 1) * sizeof *jobs);
	if (!jobs)
		return NULL;
	launch->jobs = jobs;
	jobs[launch->count] = (struct launch_job){ .number = ++launch->last_number,
						   .engines = engines,
						   .since = launch_now(),
						   .pidfd = -1 };
	return &jobs[launch->count++];
}

void launch_job_drop(struct launch *launch)
{
	launch->count--;
	launch->last_number--;
}

void launch_job_end(struct launch_job *job, const char *why)
{
	if (job->state == LAUNCH_ENDED)
		return;
	job->state = LAUNCH_ENDED;
	job->since = launch_now();
	if (!job->word[0])
		snprintf(job->word, sizeof job->word, "%s", why);
}

void launch_forget(struct launch *launch, int keep)
{
	int ended = launch_count(launch, LAUNCH_ENDED), to = 0;

	for (int i = 0; i < launch->count; i++) {
		struct launch_job *job = &launch->jobs[i];

		if (job->state == LAUNCH_ENDED && ended > keep) {
			ended--;
			if (job->pidfd >= 0)
				close(job->pidfd);
			continue;
		}
		launch->jobs[to++] = *job;
	}
	launch->count = to;
}

int launch_count(const struct launch *launch, enum launch_job_state state)
{
	int n = 0;

	for (int i = 0; i < launch->count; i++)
		n += launch->jobs[i].state == state;
	return n;
}

int launch_engines(const struct launch *launch, enum launch_job_state state)
{
	int n = 0;

	for (int i = 0; i < launch->count; i++)
		if (launch->jobs[i].state == state)
			n += launch->jobs[i].engines;
	return n;
}

int launch_cancel_all(struct launch *launch, struct xc_error *err)
{
	struct launch_job **jobs = calloc((size_t)launch->count + 1, sizeof *jobs);
	int count = 0, r = 0;

	if (!jobs)
		return error_set(err, -ENOMEM, "out of memory");
	for (int i = 0; i < launch->count; i++)
		if (launch->jobs[i].state != LAUNCH_ENDED)
			jobs[count++] = &launch->jobs[i];
	if (count > 0)
		r = launch->ops->cancel(launch, jobs, count, err);
	free(jobs);
	return r;
}

int launch_share(int engines, int jobs, int i)
{
	return engines / jobs + (i < engines % jobs);
}

/* ---- What there is to say ------------------------------------------------------------- */

static const char *const words[] = {
	[LAUNCH_PENDING] = "pending", [LAUNCH_RUNNING] = "running", [LAUNCH_ENDED] = "ended"
};

static void describe(const struct launch_job *job, char *text, size_t size)
{
	char why[300] = "";

	if (job->state == LAUNCH_ENDED && job->is_cancelled)
		snprintf(why, sizeof why, " (cancelled by xcluster)");
	else if (job->state == LAUNCH_ENDED && job->word[0] && job->reason[0])
		snprintf(why, sizeof why, " (%s: %s)", job->word, job->reason);
	else if (job->state == LAUNCH_ENDED && job->word[0])
		snprintf(why, sizeof why, " (%s)", job->word);
	else if (job->reason[0])
		snprintf(why, sizeof why, " (%s)", job->reason);
	else if (job->state == LAUNCH_PENDING && job->word[0] &&
		 strncasecmp(job->word, "pend", 4) != 0)
		snprintf(why, sizeof why, " (%s)", job->word);
	snprintf(text, size, "job %s %s%s", job->id[0] ? job->id : "(no id)",
		 job->state == LAUNCH_PENDING	? "is pending"
		 : job->state == LAUNCH_RUNNING ? "is running"
						: "has ended",
		 why);
}

/* A job with the same to say is counted, not named again. */
static bool is_alike(const struct launch_job *a, const struct launch_job *b)
{
	return a->state == b->state && a->is_cancelled == b->is_cancelled &&
	       strcmp(a->word, b->word) == 0 && strcmp(a->reason, b->reason) == 0;
}

/* Pending ones come first, as they are what somebody waits for. */
void launch_text(const struct launch *launch, char *text, size_t size)
{
	int used = snprintf(text, size, "%s: ", launch->template.keys[KEY_TITLE]), named = 0;

	for (int state = LAUNCH_PENDING; state <= LAUNCH_ENDED; state++)
		for (int i = launch->count - 1; i >= 0; i--) {
			const struct launch_job *job = &launch->jobs[i];
			char one[500];
			int alike = 0, k;

			if ((int)job->state != state)
				continue;
			for (k = launch->count - 1; k > i && !is_alike(job, &launch->jobs[k]); k--)
				;
			if (k > i)
				continue;
			for (k = 0; k < i; k++)
				alike += is_alike(job, &launch->jobs[k]);
			describe(job, one, sizeof one);
			if (used < (int)size)
				used += snprintf(text + used, size - (size_t)used, "%s%s",
						 named++ ? ", " : "", one);
			if (alike > 0 && used < (int)size)
				used += snprintf(text + used, size - (size_t)used,
						 " and %d more like it", alike);
		}
	if (launch->count == 0 && used < (int)size)
		snprintf(text + used, size - (size_t)used, "no jobs");
}

static json_t *job_json(const struct launch_job *job)
{
	return json_pack("{s:i, s:s, s:i, s:s, s:s, s:s}", "number", job->number, "id", job->id,
			 "engines", job->engines, "state", words[job->state], "word", job->word,
			 "reason", job->is_cancelled ? "cancelled by xcluster" : job->reason);
}

json_t *launch_json(const struct launch *launch)
{
	json_t *list = json_array();

	for (int i = 0; i < launch->count; i++)
		if (json_array_append_new(list, job_json(&launch->jobs[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* ---- The file --------------------------------------------------------------------------- */

int launch_save(const struct launch *launch, struct xc_error *err)
{
	char path[CLUSTER_PATH_MAX];
	json_t *list = launch_json(launch);
	int r = cluster_file(launch->dir, path, sizeof path, CLUSTER_LAUNCHER_JOBS);

	if (r < 0 || !list)
		r = error_set(err, r < 0 ? r : -ENOMEM, "cannot write down the jobs in %s",
			      launch->dir);
	else
		r = launch_write_json(path, list, err);
	json_decref(list);
	return r;
}

static void load_job(struct launch *launch, const json_t *from)
{
	const char *id = json_string_value(json_object_get(from, "id"));
	const char *state = json_string_value(json_object_get(from, "state"));
	struct launch_job *job;

	if (!id || !id[0] || !state || strcmp(state, words[LAUNCH_ENDED]) == 0)
		return;
	job = launch_job_add(launch, (int)json_integer_value(json_object_get(from, "engines")));
	if (!job)
		return;
	snprintf(job->id, sizeof job->id, "%s", id);
	job->state = strcmp(state, words[LAUNCH_RUNNING]) == 0 ? LAUNCH_RUNNING : LAUNCH_PENDING;
}

int launch_load(struct launch *launch, struct xc_error *err)
{
	char path[CLUSTER_PATH_MAX];
	json_error_t error;
	const json_t *job;
	json_t *list;
	size_t i;
	int r = cluster_file(launch->dir, path, sizeof path, CLUSTER_LAUNCHER_JOBS);

	if (r < 0)
		return error_set(err, r, "%s: the path is too long", launch->dir);
	if (access(path, F_OK) < 0)
		return 0;
	list = json_load_file(path, 0, &error);
	if (!json_is_array(list)) {
		json_decref(list);
		return error_set(err, XC_EPROTO, "%s: not a list of jobs: %s", path, error.text);
	}
	json_array_foreach (list, i, job)
		load_job(launch, job);
	json_decref(list);
	return 0;
}
