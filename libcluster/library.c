/* library.c: which of the libraries and sources that this client has loaded a function
 * is of that is given by name. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <utlist.h>

#include "libcluster/client.h"
#include "proto/error.h"
#include "proto/source.h"

/* ---- Text --------------------------------------------------------------------------- */

enum mention { NOT_MENTIONED, MENTIONED, DEFINED };

static bool is_part(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Past a comment or a literal that begins here; `at` itself if none does. */
static const char *skip_dead(const char *at, const char *end)
{
	const char *start = at;

	if (end - at >= 2 && at[0] == '/' && at[1] == '/') {
		while (at < end && *at != '\n')
			at++;
	} else if (end - at >= 2 && at[0] == '/' && at[1] == '*') {
		at = memmem(at + 2, (size_t)(end - at - 2), "*/", 2);
		return at ? at + 2 : end;
	} else if (*at == '"' || *at == '\'') {
		for (at++; at < end && *at != *start && *at != '\n'; at++)
			at += *at == '\\' && at + 1 < end;
		at += at < end;
	}
	return at;
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end) {
		const char *next = isspace((unsigned char)*at) ? at + 1
				   : *at == '/'		       ? skip_dead(at, end)
							       : at;

		if (next == at)
			break;
		at = next;
	}
	return at;
}

/* Past the parenthesis that closes the one at `at`. */
static const char *skip_parentheses(const char *at, const char *end)
{
	int deep = 0;

	while (at < end) {
		const char *next = skip_dead(at, end);

		if (next > at) {
			at = next;
			continue;
		}
		deep += *at == '(' ? 1 : *at == ')' ? -1 : 0;
		at++;
		if (deep == 0)
			break;
	}
	return at;
}

static enum mention judge(const char *at, const char *end)
{
	at = skip_blanks(at, end);
	if (at == end || *at != '(')
		return NOT_MENTIONED;
	at = skip_blanks(skip_parentheses(at, end), end);
	return at < end && *at == '{' ? DEFINED : MENTIONED;
}

/* A function is defined where its name, (...) and { follow each other. A macro may do
 * it otherwise: so a name followed by ( is better than nothing. */
static enum mention find_in_c(struct span text, const char *name)
{
	const char *at = text.data, *end = at + text.size, *word;
	enum mention best = NOT_MENTIONED, found;
	size_t length = strlen(name);

	while (at < end && best != DEFINED) {
		word = at;
		at = skip_dead(at, end);
		if (at > word)
			continue;
		while (at < end && (is_part(*at) || (isdigit((unsigned char)*word) && *at == '\'')))
			at++;
		if (at == word) {
			at++;
			continue;
		}
		if ((size_t)(at - word) != length || memcmp(word, name, length) != 0)
			continue;
		found = judge(at, end);
		best = found > best ? found : best;
	}
	return best;
}

/* Its name for C may stand in a text: bind(c, name="f"). */
static enum mention find_in_fortran(struct span text, const char *name)
{
	const char *at = text.data, *end = at + text.size;
	size_t length = strlen(name);

	for (; (size_t)(end - at) >= length; at++)
		if (strncasecmp(at, name, length) == 0 &&
		    (at == (const char *)text.data || !is_part(at[-1])) &&
		    (at + length == end || !is_part(at[length])))
			return DEFINED;
	return NOT_MENTIONED;
}

static enum mention find_in_source(const void *bytes, size_t size, const char *name)
{
	struct source source;

	if (source_parse(&source, bytes, size) != 1)
		return NOT_MENTIONED;
	return source_language(source.name) == SOURCE_FORTRAN ? find_in_fortran(source.text, name)
							      : find_in_c(source.text, name);
}

/* ---- Libraries ------------------------------------------------------------------------ */

static enum mention find_in(const struct xci_image *image, const char *name)
{
	enum mention found = NOT_MENTIONED;
	void *bytes = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE, image->fd, 0);

	if (bytes == MAP_FAILED)
		return found;
	if (image->is_source)
		found = find_in_source(bytes, image->size, name);
	else if (elf_defines(bytes, image->size, name))
		found = DEFINED;
	munmap(bytes, image->size);
	return found;
}

/* The library loaded before this one; of NULL: the last. */
static struct xci_shipped *before(struct xc_client *client, struct xci_shipped *shipped)
{
	struct xci_shipped *head = client->shipped;

	if (!head || shipped == head)
		return NULL;
	do
		shipped = shipped ? shipped->prev : head->prev;
	while (shipped->key && shipped != head);
	return shipped->key ? NULL : shipped;
}

static struct xci_shipped *find_defining(struct xc_client *client, const char *function)
{
	struct xci_shipped *best = NULL;
	enum mention best_mention = NOT_MENTIONED;

	for (struct xci_shipped *s = before(client, NULL); s; s = before(client, s)) {
		enum mention mention = find_in(s->image, function);

		if (mention > best_mention) {
			best = s;
			best_mention = mention;
		}
	}
	return best;
}

/* "loaded are a.so, b.c" */
static void list(struct xc_client *client, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "loaded are");
	const char *glue = " ";

	for (struct xci_shipped *s = before(client, NULL); s && used < size;
	     s = before(client, s)) {
		used += (size_t)snprintf(text + used, size - used, "%s%s", glue, s->image->name);
		glue = ", ";
	}
}

static struct xci_shipped *find_named(struct xc_client *client, const char *library)
{
	for (struct xci_shipped *s = before(client, NULL); s; s = before(client, s))
		if (strcmp(s->image->name, library) == 0)
			return s;
	return NULL;
}

struct xci_shipped *xci_library_find(struct xc_client *client, const char *function,
				     const char *library, struct xc_error *err)
{
	struct xci_shipped *found;
	char loaded[300];

	if (!library && client->named.of && strcmp(client->named.function, function) == 0)
		return client->named.of;
	found = library ? find_named(client, library) : find_defining(client, function);
	if (!found) {
		if (xci_blas_find(client, function, library, &found, err) < 0)
			return NULL;
		if (!library && found)
			found = find_defining(client, function);
	}
	if (!before(client, NULL)) {
		error_set(err, XC_ECODE,
			  "function \"%.100s\": no library was loaded by this client; call xc_load "
			  "or xc_load_source first",
			  function);
		return NULL;
	}
	list(client, loaded, sizeof loaded);
	if (!found && library)
		error_set(err, XC_ECODE,
			  "function \"%.60s\": this client has loaded no library \"%.60s\": %s",
			  function, library, loaded);
	else if (!found)
		error_set(err, XC_ECODE,
			  "function \"%.100s\": no library that this client has loaded defines it "
			  "for others (not static, not hidden): %s",
			  function, loaded);
	if (found && !library && strlen(function) < sizeof client->named.function) {
		memcpy(client->named.function, function, strlen(function) + 1);
		client->named.of = found;
	}
	return found;
}
