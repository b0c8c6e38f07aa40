/* text.c: text that grows, and words that a shell is to read back. */
#include "launch/text.h"

#include <stdlib.h>
#include <string.h>

void text_add(struct text *text, const char *data, size_t size)
{
	if (text->failed)
		return;
	if (text->size + size + 1 > text->room) {
		size_t room = 2 * (text->size + size) + 64;
		char *grown = realloc(text->data, room);

		if (!grown) {
			text->failed = true;
			return;
		}
		text->data = grown;
		text->room = room;
	}
	memcpy(text->data + text->size, data, size);
	text->size += size;
	text->data[text->size] = '\0';
}

void text_puts(struct text *text, const char *words)
{
	text_add(text, words, strlen(words));
}

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./=:,@+%";

	return *word && strspn(word, plain) == strlen(word);
}

void text_quote(struct text *text, const char *word)
{
	if (is_plain(word)) {
		text_puts(text, word);
		return;
	}
	text_puts(text, "'");
	for (; *word; word++) {
		if (*word == '\'')
			text_puts(text, "'\\''");
		else
			text_add(text, word, 1);
	}
	text_puts(text, "'");
}

void text_fini(struct text *text)
{
	free(text->data);
	*text = (struct text)TEXT_INIT;
}
