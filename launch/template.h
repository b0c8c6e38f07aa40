/* template.h: launcher files: the commands of a batch system, how to read what they print,
 * and the script to submit. docs/launchers.md tells the format. */
#ifndef LAUNCH_TEMPLATE_H
#define LAUNCH_TEMPLATE_H

#include <regex.h>
#include <stdbool.h>

#include "launch/text.h"
#include "xcluster.h"

#define TEMPLATE_NAME_MAX 64
#define TEMPLATE_SIZE_MAX (1U << 20) /* of a file */

enum template_key {
	KEY_TITLE,
	KEY_SUBMIT,
	KEY_JOB_ID,
	KEY_POLL,
	KEY_POLL_JOB,
	KEY_POLL_STATE,
	KEY_POLL_REASON,
	KEY_PENDING,
	KEY_RUNNING,
	KEY_GONE,
	KEY_DELETE,
	KEY_RUN,
	KEY_COUNT,
};

struct template
{
	char name[TEMPLATE_NAME_MAX];
	char *path;	       /* owned: of the file */
	char *keys[KEY_COUNT]; /* owned; NULL: not given */
	char *script;	       /* owned; NULL: none */
	regex_t job_id, poll_job, poll_state, poll_reason, gone;
	bool has_job_id, has_poll_job, has_poll_state, has_poll_reason, has_gone;
};

/* What stands for {name}. */
struct place {
	const char *name;
	const char *value; /* NULL: not given: lines that need it are left out */
};

/* Reads the file at `path`. XC_EPROTO names file, line and what is wrong; -errno. */
int template_read(const char *path, const char *name, struct template *template,
		  struct xc_error *err);
/* The same of its bytes, which end with '\0'. */
int template_parse(const char *text, const char *path, const char *name, struct template *template,
		   struct xc_error *err);
/* Takes another script, from a file (--script-template). */
int template_read_script(struct template *template, const char *path, struct xc_error *err);
void template_fini(struct template *template);

/* Adds the script with its places filled in to `out`. Places end with a name of NULL;
 * {option} stands for each of the options in turn. */
int template_script(const struct template *template, const struct place *places,
		    const char *const *options, struct text *out, struct xc_error *err);

/* The same of a command: values are quoted for the shell, an unknown or missing place is
 * an error; {options} are all options, as they were given. */
int template_command(const struct template *template, enum template_key key,
		     const struct place *places, const char *const *options, struct text *out,
		     struct xc_error *err);

/* The path of launcher `name`: the first of $XCLUSTER_LAUNCHERS (folders between colons),
 * ~/.config/xcluster/launchers, the build tree that this executable is of, and the place
 * where it is installed. -ENOENT lists the folders and the launchers there
 * are. */
int template_find(const char *name, char *path, size_t size, struct xc_error *err);

/* 1 to 63 of [A-Za-z0-9._-], the first no '.' and no '-'. */
bool template_name_is_valid(const char *name);

#endif
