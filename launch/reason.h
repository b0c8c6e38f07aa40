/* reason.h: why a host did not come up, from what ssh and its shell have said. */
#ifndef LAUNCH_REASON_H
#define LAUNCH_REASON_H

#include <stdbool.h>
#include <stddef.h>

#define REASON_SIZE 600

/* Of an ssh that ended with `status` (as of waitpid) before xcluster had said anything.
 * `text`: what it printed. Writes one line. True: another attempt may do. */
bool reason_of_end(int status, const char *text, const char *name, char *reason, size_t size);

/* Stands before lines of stdout in a host's log: more often than those of stderr they are
 * words of welcome. */
#define REASON_STDOUT "> "

/* The last line of the text that says something, of stdout only if there is no other,
 * without a leading "xcluster: "; "": none. Control characters are blanks. */
void reason_last_line(const char *text, char *line, size_t size);

#endif
