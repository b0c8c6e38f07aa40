/* script.h: what the shell of a host is told. */
#ifndef LAUNCH_SCRIPT_H
#define LAUNCH_SCRIPT_H

#include "launch/bundle.h"
#include "launch/hosts.h"

/* The command that ssh is given, whatever shell runs it: it reads a line, the
 * script, from its stdin and runs that. So no text of ours is read by a shell that
 * we do not know, or stands in a list of processes. */
#define SCRIPT_COMMAND "exec sh -c 'IFS= read -r x; eval \"$x\"'"

/* The marker of lines that are for us: all others are noise of start-up files. */
#define SCRIPT_MARKER "@xcluster "

/* A line of POSIX shell, to be given to free(), that runs `xcluster engines` with the
 * options `args` (ended by NULL) on the host; it prints
 *	@xcluster absent MACHINE	there is none; with a bundle it reads that next
 *	@xcluster failed TEXT
 * or what that prints (see cmd/engines_stdin.c). `command`: path of xcluster, unless
 * the host has its own. `bundle`: NULL: copy nothing. NULL: out of memory. */
char *script_make(const struct host *host, const char *command, const struct bundle *bundle,
		  const char *const args[]);

/* The text as one word of a POSIX shell, to be given to free(). */
char *script_quote(const char *text);

#endif
