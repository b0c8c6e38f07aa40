/* render.c: filling in the places of scripts and commands. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "launch/template.h"
#include "proto/error.h"

static const char not_known[] = "?";

/* The value of a place; not_known when there is none of this name. */
static const char *value_of(const struct place *places, const char *name, size_t size)
{
	for (; places->name; places++)
		if (strlen(places->name) == size && strncmp(places->name, name, size) == 0)
			return places->value;
	return not_known;
}

/* The length of a name in braces at `at`; 0 if none stands there. ${name} is the
 * shell's. */
static size_t name_at(const char *begin, const char *at, const char *end)
{
	const char *c = at + 1;

	if (*at != '{' || (at > begin && at[-1] == '$'))
		return 0;
	while (c < end && (islower((unsigned char)*c) || *c == '-' || *c == '_'))
		c++;
	return c < end && *c == '}' && c > at + 1 ? (size_t)(c - at - 1) : 0;
}

static bool is_option(const char *name, size_t size)
{
	return size == strlen("option") && strncmp(name, "option", size) == 0;
}

/* Is there a place in the line that is known and has no value? Does {option} stand
 * there? */
static void look(const char *line, const char *end, const struct place *places, bool *is_missing,
		 bool *has_option)
{
	*is_missing = *has_option = false;
	for (const char *at = line; at < end; at++) {
		size_t size = name_at(line, at, end);

		if (size == 0)
			continue;
		*has_option |= is_option(at + 1, size);
		*is_missing |= value_of(places, at + 1, size) == NULL;
	}
}

static void add_line(const char *line, const char *end, const struct place *places,
		     const char *option, struct text *out)
{
	const char *from = line;

	for (const char *at = line; at < end; at++) {
		size_t size = name_at(line, at, end);
		const char *value;

		if (size == 0)
			continue;
		value = is_option(at + 1, size) ? option : value_of(places, at + 1, size);
		if (value == not_known || !value)
			continue;
		text_add(out, from, (size_t)(at - from));
		text_puts(out, value);
		from = at + size + 2;
		at = from - 1;
	}
	text_add(out, from, (size_t)(end - from));
	text_puts(out, "\n");
}

int template_script(const struct template *template, const struct place *places,
		    const char *const *options, struct text *out, struct xc_error *err)
{
	const char *line = template->script;

	if (!line)
		return error_set(err, XC_EPROTO,
				 "%s: it has no script: write one below a line ---, or give "
				 "--script-template",
				 template->path);
	while (*line) {
		const char *end = line + strcspn(line, "\n");
		bool is_missing, has_option;

		look(line, end, places, &is_missing, &has_option);
		if (!is_missing && has_option)
			for (const char *const *option = options; *option; option++)
				add_line(line, end, places, *option, out);
		else if (!is_missing)
			add_line(line, end, places, "", out);
		line = end + (*end == '\n');
	}
	return out->failed ? error_set(err, -ENOMEM, "out of memory") : 0;
}

/* Words of their own, each to be quoted; {command} is a command already. */
static bool is_shell(const char *name, size_t size)
{
	return (size == 7 && strncmp(name, "command", size) == 0) ||
	       (size == 3 && strncmp(name, "ids", size) == 0);
}

int template_command(const struct template *template, enum template_key key,
		     const struct place *places, const char *const *options, struct text *out,
		     struct xc_error *err)
{
	const char *text = template->keys[key], *end = text + strlen(text), *from = text;

	for (const char *at = text; at < end; at++) {
		size_t size = name_at(text, at, end);
		const char *value;

		if (size == 0)
			continue;
		text_add(out, from, (size_t)(at - from));
		from = at + size + 2;
		value = value_of(places, at + 1, size);
		if (size == 7 && strncmp(at + 1, "options", size) == 0) {
			for (const char *const *option = options; *option; option++) {
				text_puts(out, option == options ? "" : " ");
				text_puts(out, *option);
			}
		} else if (!value || value == not_known) {
			return error_set(err, XC_EPROTO, "%s: {%.*s} in \"%s\" %s", template->path,
					 (int)size, at + 1, text,
					 value ? "is no place" : "has no value here");
		} else if (is_shell(at + 1, size)) {
			text_puts(out, value);
		} else {
			text_quote(out, value);
		}
		at = from - 1;
	}
	text_add(out, from, (size_t)(end - from));
	return out->failed ? error_set(err, -ENOMEM, "out of memory") : 0;
}
