/* script.c: what the shell of a host is told. N.B. all of it is one line. */
#include "launch/script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xcluster.h"

char *script_quote(const char *text)
{
	char *quoted = malloc(strlen(text) * 4 + 3), *at = quoted;

	if (!quoted)
		return NULL;
	*at++ = '\'';
	for (; *text; text++) {
		if (*text == '\'')
			at = stpcpy(at, "'\\''");
		else
			*at++ = *text;
	}
	strcpy(at, "'");
	return quoted;
}

static void put_quoted(FILE *out, const char *text)
{
	char *quoted = script_quote(text);

	if (quoted)
		fputs(quoted, out);
	free(quoted);
}

/* A path in which "~/" stands for the home directory. */
static void put_path(FILE *out, const char *path)
{
	if (strncmp(path, "~/", 2) == 0) {
		fputs("\"$HOME\"/", out);
		path += 2;
	}
	put_quoted(out, path);
}

static void put_check(FILE *out)
{
	fputs("command -v \"$x\" >/dev/null 2>&1 || "
	      "{ echo; echo \"" SCRIPT_MARKER "absent $(uname -m)\"; exit 127; }; ",
	      out);
}

/* N.B. nothing follows the bundle on stdin until xcluster has said hello, so it does no
 * harm when head or tar read further than they must. */
static void put_deployment(FILE *out, const struct bundle *bundle)
{
	fprintf(out, "c=${XDG_CACHE_HOME:-\"$HOME/.cache\"}/xcluster; d=$c/%s; ", bundle->hash);
	fputs("if test \"$(\"$x\" --version 2>/dev/null)\" = 'xcluster " XC_VERSION "'; then :; "
	      "elif test -x \"$d/xcluster\"; then x=$d/xcluster; else "
	      "u=$(umask); umask 077; mkdir -p \"$c\" && t=$(mktemp -d \"$c/.new.XXXXXX\") || "
	      "{ echo; echo '" SCRIPT_MARKER "failed cannot make a directory for the deployed "
	      "xcluster in ~/.cache/xcluster'; exit 1; }; "
	      "echo; echo \"" SCRIPT_MARKER "absent $(uname -m)\"; ",
	      out);
	fprintf(out,
		"if head -c %zu | tar xf - -C \"$t\" && \"$t/xcluster\" settle \"$t\" \"$d\"; "
		"then x=$d/xcluster; else rm -rf \"$t\"; ",
		bundle->size);
	fputs("echo '" SCRIPT_MARKER "failed the deployed xcluster cannot be used there'; exit 1; "
	      "fi; umask \"$u\"; fi; ",
	      out);
}

static void put_place(FILE *out, const struct host *host)
{
	if (host->directory) {
		fputs("cd ", out);
		put_path(out, host->directory);
		fputs(" || { echo; echo '" SCRIPT_MARKER "failed cannot work in '", out);
		put_quoted(out, host->directory);
		fputs("; exit 1; }; ", out);
	}
	for (char **e = host->environment; e && *e; e++) {
		int name = (int)(strchr(*e, '=') - *e);

		fprintf(out, "%.*s=", name, *e);
		put_quoted(out, *e + name + 1);
		fprintf(out, "; export %.*s; ", name, *e);
	}
}

char *script_make(const struct host *host, const char *command, const struct bundle *bundle,
		  const char *const args[])
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("x=", out);
	put_path(out, host->command ? host->command : command);
	fputs("; ", out);
	if (bundle)
		put_deployment(out, bundle);
	else
		put_check(out);
	put_place(out, host);
	fputs("exec \"$x\" engines --connection -", out);
	for (; *args; args++) {
		fputc(' ', out);
		put_quoted(out, *args);
	}
	fputc('\n', out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
