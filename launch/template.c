/* template.c: launcher files: reading them. */
#include "launch/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/cluster_dir.h"
#include "proto/error.h"

static const char *const names[KEY_COUNT] = {
	[KEY_TITLE] = "title",
	[KEY_SUBMIT] = "submit",
	[KEY_JOB_ID] = "job-id",
	[KEY_POLL] = "poll",
	[KEY_POLL_JOB] = "poll-job",
	[KEY_POLL_STATE] = "poll-state",
	[KEY_POLL_REASON] = "poll-reason",
	[KEY_PENDING] = "pending",
	[KEY_RUNNING] = "running",
	[KEY_GONE] = "gone",
	[KEY_DELETE] = "delete",
	[KEY_RUN] = "run",
};

/* A number, or a word with one in it: of "12345", "12345.server", "Submitted batch job
 * 12345", "Job <12345> is submitted". */
#define DEFAULT_JOB_ID "([0-9]+[^[:space:]>]*)"
#define DEFAULT_GONE                                                                               \
	"(unknown|invalid|not exist|not found|no such|no matching|not in queue|has finished)"

bool template_name_is_valid(const char *name)
{
	return cluster_id_is_valid(name);
}

static enum template_key key_of(const char *word, size_t size)
{
	int key = 0;

	while (key < KEY_COUNT && (strlen(names[key]) != size || strncmp(names[key], word, size)))
		key++;
	return (enum template_key)key;
}

static char *trimmed(const char *text, size_t size)
{
	while (size > 0 && strchr(" \t", *text)) {
		text++;
		size--;
	}
	while (size > 0 && strchr(" \t\r", text[size - 1]))
		size--;
	return strndup(text, size);
}

/* One line above the script: "key = value". */
static int parse_line(struct template *t, const char *line, size_t size, int number,
		      struct xc_error *err)
{
	const char *equals = memchr(line, '=', size);
	size_t word = equals ? (size_t)(equals - line) : 0;
	enum template_key key;

	while (word > 0 && strchr(" \t", line[word - 1]))
		word--;
	key = key_of(line, word);
	if (!equals || key == KEY_COUNT)
		return error_set(err, XC_EPROTO,
				 "%s:%d: \"%.*s\" is no line of a launcher file: KEY = VALUE with "
				 "one of title, submit, job-id, poll, poll-job, poll-state, "
				 "poll-reason, pending, running, gone, delete, run; then --- and "
				 "the script",
				 t->path, number, (int)(size > 60 ? 60 : size), line);
	if (t->keys[key])
		return error_set(err, XC_EPROTO, "%s:%d: %s is given twice", t->path, number,
				 names[key]);
	t->keys[key] = trimmed(equals + 1, size - (size_t)(equals + 1 - line));
	if (!t->keys[key])
		return error_set(err, -ENOMEM, "out of memory");
	if (!t->keys[key][0])
		return error_set(err, XC_EPROTO, "%s:%d: %s has no value", t->path, number,
				 names[key]);
	return 0;
}

static int parse_lines(struct template *t, const char *text, struct xc_error *err)
{
	int r = 0;

	for (int number = 1; *text && r == 0; number++) {
		size_t size = strcspn(text, "\n"), used = strspn(text, " \t");
		const char *next = text + size + (text[size] == '\n');

		if (size >= 3 && strncmp(text, "---", 3) == 0 && strspn(text, "-") == size) {
			t->script = strdup(next);
			return t->script ? 0 : error_set(err, -ENOMEM, "out of memory");
		}
		if (used < size && text[used] != '#' && text[used] != '\r')
			r = parse_line(t, text + used, size - used, number, err);
		text = next;
	}
	return r;
}

static int compile(struct template *t, enum template_key key, const char *fallback, regex_t *regex,
		   bool *has, struct xc_error *err)
{
	const char *pattern = t->keys[key] ? t->keys[key] : fallback;
	int flags = REG_EXTENDED | (key == KEY_GONE ? REG_ICASE : 0), r;
	char why[100];

	if (!pattern)
		return 0;
	r = regcomp(regex, pattern, flags);
	if (r != 0) {
		regerror(r, regex, why, sizeof why);
		return error_set(err, XC_EPROTO, "%s: %s = %s: %s", t->path, names[key], pattern,
				 why);
	}
	*has = true;
	if (key != KEY_GONE && regex->re_nsub < 1)
		return error_set(err, XC_EPROTO,
				 "%s: %s = %s: the part that is meant must stand in parentheses",
				 t->path, names[key], pattern);
	return 0;
}

static int check_keys(struct template *t, struct xc_error *err)
{
	static const enum template_key needed[] = { KEY_SUBMIT, KEY_POLL, KEY_DELETE };

	if (t->keys[KEY_RUN]) {
		for (int i = KEY_SUBMIT; i <= KEY_DELETE; i++)
			if (t->keys[i])
				return error_set(err, XC_EPROTO,
						 "%s: run = is for a command that stays while its "
						 "engines live; %s = does not go with it",
						 t->path, names[i]);
		return 0;
	}
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
		if (!t->keys[needed[i]])
			return error_set(
				err, XC_EPROTO,
				"%s: the line %s = is missing; a launcher has submit, poll "
				"and delete, or run",
				t->path, names[needed[i]]);
	return 0;
}

static int complete(struct template *t, struct xc_error *err)
{
	int r = check_keys(t, err);

	if (r == 0 && !t->keys[KEY_TITLE] && !(t->keys[KEY_TITLE] = strdup(t->name)))
		r = error_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = compile(t, KEY_JOB_ID, DEFAULT_JOB_ID, &t->job_id, &t->has_job_id, err);
	if (r == 0)
		r = compile(t, KEY_POLL_JOB, NULL, &t->poll_job, &t->has_poll_job, err);
	if (r == 0)
		r = compile(t, KEY_POLL_STATE, NULL, &t->poll_state, &t->has_poll_state, err);
	if (r == 0)
		r = compile(t, KEY_POLL_REASON, NULL, &t->poll_reason, &t->has_poll_reason, err);
	if (r == 0)
		r = compile(t, KEY_GONE, DEFAULT_GONE, &t->gone, &t->has_gone, err);
	return r;
}

int template_parse(const char *text, const char *path, const char *name, struct template *template,
		   struct xc_error *err)
{
	struct template parsed = { .path = strdup(path) };
	int r;

	snprintf(parsed.name, sizeof parsed.name, "%s", name);
	r = parsed.path ? parse_lines(&parsed, text, err)
			: error_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = complete(&parsed, err);
	if (r < 0)
		template_fini(&parsed);
	else
		*template = parsed;
	return r;
}

/* The file's text, to be given to free(). */
static int read_text(const char *path, char **text, struct xc_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t used = 0;
	ssize_t n = 0;
	char *bytes;

	if (fd < 0)
		return error_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > TEMPLATE_SIZE_MAX) {
		close(fd);
		return error_set(err, -EINVAL, "cannot read %s: no file of at most 1 MiB", path);
	}
	bytes = malloc((size_t)st.st_size + 1);
	while (bytes && used < (size_t)st.st_size &&
	       (n = read(fd, bytes + used, (size_t)st.st_size - used)) > 0)
		used += (size_t)n;
	close(fd);
	if (!bytes)
		return error_set(err, -ENOMEM, "out of memory");
	bytes[used] = '\0';
	if (strlen(bytes) != used) {
		free(bytes);
		return error_set(err, XC_EPROTO, "%s: not a text", path);
	}
	*text = bytes;
	return 0;
}

int template_read(const char *path, const char *name, struct template *template,
		  struct xc_error *err)
{
	char *text;
	int r = read_text(path, &text, err);

	if (r < 0)
		return r;
	r = template_parse(text, path, name, template, err);
	free(text);
	return r;
}

int template_read_script(struct template *template, const char *path, struct xc_error *err)
{
	char *text;
	int r;

	if (template->keys[KEY_RUN])
		return error_set(err, -EINVAL,
				 "--script-template: the launcher %s submits no script",
				 template->name);
	r = read_text(path, &text, err);
	if (r < 0)
		return r;
	free(template->script);
	template->script = text;
	return 0;
}

void template_fini(struct template *t)
{
	free(t->path);
	free(t->script);
	for (int i = 0; i < KEY_COUNT; i++)
		free(t->keys[i]);
	if (t->has_job_id)
		regfree(&t->job_id);
	if (t->has_poll_job)
		regfree(&t->poll_job);
	if (t->has_poll_state)
		regfree(&t->poll_state);
	if (t->has_poll_reason)
		regfree(&t->poll_reason);
	if (t->has_gone)
		regfree(&t->gone);
	*t = (struct template){ .path = NULL };
}
