/* log.h: the daemons' log: one line an event, on stderr. */
#ifndef PROTO_LOG_H
#define PROTO_LOG_H

#include <stddef.h>

#include "xcluster.h"

/* Sets the name that stands on each line; `who` is borrowed. Without it nothing is
 * written: the library is quiet in programs of others. */
void log_open(const char *who);
/* Lines go to this descriptor, not to stderr, from now on. */
void log_redirect(int fd);

/* Each line, with its line end, is given to `copy` as well. NULL: no more. */
void log_copy(void (*copy)(void *argument, const char *line, size_t size), void *argument);

/* Writes "2026-11-22T14:30:00.123 controller: text" in one write(2), so that
 * lines of processes that share a file do not mix. Cut at 2000 bytes; line ends
 * within the text become spaces. Keeps errno. */
void log_line(const char *format, ...) XC_PRINTF(1, 2);

#endif
