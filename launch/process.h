/* process.h: the process of ssh. */
#ifndef LAUNCH_PROCESS_H
#define LAUNCH_PROCESS_H

#include <stddef.h>

struct remote;

/* Starts ssh for the host, with pipes of its own, its stderr to the log. 0; -errno. */
int process_start(struct remote *remote);

/* Splits a command into words at blanks, as a shell does with ' and "; *words, ended by
 * NULL, is to be given to free(), and so is words[0]. Their number; -EINVAL: a quote is
 * not closed, or there is no word. */
int words_split(const char *command, char ***words);

#endif
