/* poll.c: what a batch system says of jobs, line by line. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch/launcher.h"

#define LINE_SIZE 4096

/* What is in the first parentheses that took part; false when the line does not match. */
static bool match(const regex_t *regex, const char *line, char *to, size_t size)
{
	regmatch_t found[10];
	size_t n = 0, i = 1;

	if (regexec(regex, line, 10, found, 0) != 0)
		return false;
	while (i < 9 && i < regex->re_nsub && found[i].rm_so < 0)
		i++;
	if (found[i].rm_so >= 0)
		n = (size_t)(found[i].rm_eo - found[i].rm_so);
	snprintf(to, size, "%.*s", (int)(n < size ? n : size - 1),
		 found[i].rm_so >= 0 ? line + found[i].rm_so : "");
	for (char *c = to; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return true;
}

static bool is_among(const char *word, const char *patterns)
{
	char pattern[64];

	while (patterns && *patterns) {
		size_t size = strcspn(patterns, " \t");

		snprintf(pattern, sizeof pattern, "%.*s", (int)size, patterns);
		if (size && fnmatch(pattern, word, 0) == 0)
			return true;
		patterns += size;
		patterns += strspn(patterns, " \t");
	}
	return false;
}

static enum launch_job_state state_of(const struct template *t, const char *word)
{
	if (is_among(word, t->keys[KEY_PENDING]))
		return LAUNCH_PENDING;
	return is_among(word, t->keys[KEY_RUNNING]) ? LAUNCH_RUNNING : LAUNCH_ENDED;
}

static struct launch_job *job_of(struct launch *launch, const char *id)
{
	for (int i = 0; i < launch->count; i++) {
		size_t size = strlen(id), own = strlen(launch->jobs[i].id);

		/* "12" is also "12.server", as systems leave the server out at times. */
		if (strcmp(launch->jobs[i].id, id) == 0 ||
		    (own > size && launch->jobs[i].id[size] == '.' &&
		     strncmp(launch->jobs[i].id, id, size) == 0) ||
		    (size > own && id[own] == '.' && strncmp(launch->jobs[i].id, id, own) == 0))
			return &launch->jobs[i];
	}
	return NULL;
}

/* What is said of a job: an array has several lines; one that runs makes it run. */
struct said {
	bool any;
	enum launch_job_state state;
	char word[64], reason[200];
};

static void say_state(struct said *said, enum launch_job_state state, const char *word)
{
	static const int rank[] = {
		[LAUNCH_ENDED] = 0, [LAUNCH_PENDING] = 1, [LAUNCH_RUNNING] = 2
	};

	if (said->any && rank[said->state] >= rank[state])
		return;
	said->any = true;
	said->state = state;
	snprintf(said->word, sizeof said->word, "%s", word);
}

/* A word of poor manners for "there is no reason". */
static bool is_reason(const char *text)
{
	static const char *const none[] = { "", "None", "(null)", "-", "undefined" };

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		if (strcmp(text, none[i]) == 0)
			return false;
	return true;
}

static void take_line(struct launch *launch, const char *line, struct said *said,
		      struct launch_job *only, struct launch_job **at)
{
	const struct template *t = &launch->template;
	char text[200];

	if (t->has_poll_job && match(&t->poll_job, line, text, sizeof text))
		*at = job_of(launch, text);
	if (only && *at != only && t->has_poll_job)
		return;
	if (!*at)
		return;
	said += *at - launch->jobs;
	if (t->has_poll_state && match(&t->poll_state, line, text, sizeof text))
		say_state(said, state_of(t, text), text);
	if (t->has_poll_reason && match(&t->poll_reason, line, text, sizeof text) &&
	    is_reason(text))
		snprintf(said->reason, sizeof said->reason, "%s", text);
}

static void settle(struct launch_job *job, const struct said *said)
{
	if (!said->any)
		return;
	job->was_seen = job->is_heard = true;
	snprintf(job->word, sizeof job->word, "%s", said->word);
	snprintf(job->reason, sizeof job->reason, "%s", said->reason);
	if (said->state == LAUNCH_ENDED)
		launch_job_end(job, said->word);
	else
		job->state = said->state;
}

/* Without poll-job the whole output is of `only`, and without poll-state each line that
 * says something means that it runs. */
int launch_take_poll(struct launch *launch, const char *output, struct launch_job *only)
{
	struct said *said = calloc((size_t)launch->count + 1, sizeof *said);
	struct launch_job *at = only;
	char line[LINE_SIZE];
	int seen = 0;

	if (!said)
		return -1;
	while (*output) {
		size_t size = strcspn(output, "\n");

		snprintf(line, sizeof line, "%.*s", (int)(size < LINE_SIZE ? size : LINE_SIZE - 1),
			 output);
		line[strcspn(line, "\r")] = '\0';
		take_line(launch, line, said, only, &at);
		if (at && line[0] && !launch->template.has_poll_state)
			say_state(&said[at - launch->jobs], LAUNCH_RUNNING, "");
		output += size + (output[size] == '\n');
	}
	for (int i = 0; i < launch->count; i++) {
		if (launch->jobs[i].state != LAUNCH_ENDED)
			settle(&launch->jobs[i], &said[i]);
		seen += said[i].any;
	}
	free(said);
	return seen;
}
