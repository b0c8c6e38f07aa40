/* tail.h: the last lines of a log. */
#ifndef CMD_TAIL_H
#define CMD_TAIL_H

#include <stdio.h>
#include <sys/types.h>

/* Where the last `lines` lines of the file begin; 0 when it has no more. */
off_t tail_offset(int fd, int lines);

/* Prints "PATH ends with:" and its last lines, each after `prefix`; or that it is
 * empty, or not there. */
void tail_print(FILE *out, const char *path, int lines, const char *prefix);

#endif
