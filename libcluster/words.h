/* words.h: a command line as a list of words. */
#ifndef LIBCLUSTER_WORDS_H
#define LIBCLUSTER_WORDS_H

#include "proto/pack.h"

struct words {
	char **list; /* owned; ends with NULL once it has any */
	size_t count;
};

/* Adds a copy of the text as one word. -ENOMEM. */
int words_add(struct words *words, const char *text);

/* Adds the words of `text`: blanks divide them, '...' and "..." keep them together,
 * \ takes the next character as it is. -EINVAL: a quote is not closed; -ENOMEM. */
int words_split(struct words *words, struct span text);

void words_free(struct words *words);

#endif
