/* text.h: text that grows, and words that a shell is to read back. */
#ifndef LAUNCH_TEXT_H
#define LAUNCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *data; /* owned; ends with '\0' once something was added */
	size_t size, room;
	bool failed; /* memory was out: what is there is not all */
};
#define TEXT_INIT                                                                                  \
	{                                                                                          \
		.data = NULL                                                                       \
	}

void text_add(struct text *text, const char *data, size_t size);
void text_puts(struct text *text, const char *words);
/* As one word of a shell. */
void text_quote(struct text *text, const char *word);
void text_fini(struct text *text);

#endif
