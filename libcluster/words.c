/* words.c: a command line as a list of words. */
#include "libcluster/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int words_add(struct words *words, const char *text)
{
	char **grown = realloc(words->list, (words->count + 2) * sizeof *grown);

	if (!grown)
		return -ENOMEM;
	words->list = grown;
	words->list[words->count] = strdup(text);
	if (!words->list[words->count])
		return -ENOMEM;
	words->list[++words->count] = NULL;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Moves one word from `at` to `word`; where it ends, or NULL. */
static const char *take_word(const char *at, const char *end, char *word)
{
	char quote = 0;

	for (; at < end && (quote || !is_blank(*at)); at++) {
		if (quote && *at == quote)
			quote = 0;
		else if (!quote && (*at == '\'' || *at == '"'))
			quote = *at;
		else if (*at == '\\' && quote != '\'' && at + 1 < end)
			*word++ = *++at;
		else
			*word++ = *at;
	}
	*word = '\0';
	return quote ? NULL : at;
}

int words_split(struct words *words, struct span text)
{
	const char *at = text.data, *end = at + text.size;
	char *word = malloc(text.size + 1);
	int r = word ? 0 : -ENOMEM;

	while (r == 0) {
		while (at < end && is_blank(*at))
			at++;
		if (at == end)
			break;
		at = take_word(at, end, word);
		r = at ? words_add(words, word) : -EINVAL;
	}
	free(word);
	return r;
}

void words_free(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->list[i]);
	free(words->list);
	*words = (struct words){ 0 };
}
