/* hostfile.c: host files: a host a line, with options.
 *
 *	[user@]host[:port] [slots=N] [command=PATH] [directory=DIR] [env=NAME=VALUE]... [ip=4|6]
 *
 * Blanks separate; a value with blanks stands in double quotes, as a whole or in part,
 * within which \ takes the next character as it is; # begins a comment where a word
 * could begin. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/host.h"
#include "proto/error.h"

#define FILE_MAX	(4 << 20)
#define WORD_MAX	4096
#define PIPE_TIMEOUT_MS 30000

struct line {
	const char *at, *end;
	const char *path;
	int number;
	struct host host;
	struct xc_error *err;
};

static int bad(const struct line *line, const char *format, ...) XC_PRINTF(2, 3);

static int bad(const struct line *line, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return error_set(line->err, -EINVAL, "%s:%d: %s", line->path, line->number, text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word: 1; 0: there is none; or an error. */
static int next_word(struct line *line, char *word)
{
	size_t n = 0;
	bool quoted = false;

	while (line->at < line->end && is_blank(*line->at))
		line->at++;
	if (line->at == line->end || *line->at == '#')
		return 0;
	for (; line->at < line->end && (quoted || !is_blank(*line->at)); line->at++) {
		char c = *line->at;

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && line->at + 1 < line->end)
			c = *++line->at;
		if ((unsigned char)c < ' ' || c == 0x7f)
			return bad(line, "a control character (%d)", c);
		if (n + 1 >= WORD_MAX)
			return bad(line, "a word of more than %d characters", WORD_MAX - 1);
		word[n++] = c;
	}
	word[n] = '\0';
	return quoted ? bad(line, "the closing \" is missing") : 1;
}

/* ---- Options ---------------------------------------------------------------- */

static int set_text(struct line *line, char **text, const char *name, const char *value)
{
	if (*text)
		return bad(line, "%s= is given twice", name);
	if (!*value)
		return bad(line, "%s= is empty", name);
	*text = strdup(value);
	return *text ? 0 : error_set(line->err, -ENOMEM, "out of memory");
}

static int set_slots(struct line *line, const char *value)
{
	if (line->host.engines)
		return bad(line, "slots= is given twice");
	line->host.engines = host_number(value, strlen(value), HOST_ENGINES_MAX);
	return line->host.engines < 0
		       ? bad(line, "slots must be a number from 1 to %d, not \"%.80s\"",
			     HOST_ENGINES_MAX, value)
		       : 0;
}

static int set_command(struct line *line, const char *value)
{
	return set_text(line, &line->host.command, "command", value);
}

static int set_directory(struct line *line, const char *value)
{
	return set_text(line, &line->host.directory, "directory", value);
}

static bool is_variable(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return n > 0 && !isdigit((unsigned char)text[0]) && text[n] == '=';
}

static int set_variable(struct line *line, const char *value)
{
	size_t n = 0;
	char **list;

	if (!is_variable(value))
		return bad(line, "env: \"%.80s\" is not NAME=VALUE", value);
	while (line->host.environment && line->host.environment[n])
		n++;
	list = realloc(line->host.environment, (n + 2) * sizeof *list);
	if (!list)
		return error_set(line->err, -ENOMEM, "out of memory");
	line->host.environment = list;
	list[n] = strdup(value);
	list[n + 1] = NULL;
	return list[n] ? 0 : error_set(line->err, -ENOMEM, "out of memory");
}

static int set_family(struct line *line, const char *value)
{
	if (strcmp(value, "4") != 0 && strcmp(value, "6") != 0)
		return bad(line, "ip must be 4 or 6, not \"%.80s\"", value);
	line->host.family = value[0] - '0';
	return 0;
}

static const struct setter {
	const char *name;
	int (*set)(struct line *line, const char *value);
} setters[] = {
	{ "slots", set_slots },	 { "command", set_command }, { "directory", set_directory },
	{ "env", set_variable }, { "ip", set_family },
};

static int set_option(struct line *line, const char *word)
{
	size_t size = strcspn(word, "=");

	for (size_t i = 0; word[size] && i < sizeof setters / sizeof setters[0]; i++)
		if (strlen(setters[i].name) == size && memcmp(setters[i].name, word, size) == 0)
			return setters[i].set(line, word + size + 1);
	return bad(line, "\"%.80s\" is no option: slots=, command=, directory=, env=, ip=", word);
}

/* ---- Lines ------------------------------------------------------------------ */

static int set_host(struct line *line, const char *word)
{
	const char *number;
	char *why;
	int r = host_parse(word, strlen(word), &line->host, &number, &why);

	if (r == -EINVAL)
		return bad(line, "\"%.80s\" is no host: %s", word, why);
	if (r < 0)
		return error_set(line->err, r, "out of memory");
	if (number) {
		line->host.port = host_number(number, strlen(number), 65535);
		if (line->host.port < 0)
			return bad(line,
				   "\"%.80s\": the port must be from 1 to 65535 (engines are "
				   "given by slots=)",
				   word);
	}
	return 0;
}

static int parse_line(struct hosts *hosts, struct line *line)
{
	static char word[WORD_MAX];
	int r = next_word(line, word);

	if (r <= 0)
		return r;
	line->host.line = line->number;
	r = set_host(line, word);
	while (r == 0 && (r = next_word(line, word)) > 0)
		r = set_option(line, word);
	line->host.times = !line->host.engines;
	if (r == 0)
		r = hosts_add(hosts, &line->host, line->err);
	host_fini(&line->host); /* what was not taken */
	return r;
}

int hosts_parse_file(struct hosts *hosts, const char *text, size_t size, const char *path,
		     struct xc_error *err)
{
	static const char mark[] = "\xef\xbb\xbf"; /* some editors begin UTF-8 with it */
	const char *end = text + size;
	int r = 0;

	if (size >= sizeof mark - 1 && memcmp(text, mark, sizeof mark - 1) == 0)
		text += sizeof mark - 1;
	for (int number = 1; text < end && r == 0; number++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct line line = { .at = text,
				     .end = stop ? stop : end,
				     .path = path,
				     .number = number,
				     .err = err };

		r = parse_line(hosts, &line);
		text = line.end + 1;
	}
	return r;
}

/* It may be a pipe, to which nobody writes. */
static ssize_t read_some(int fd, char *text, size_t size)
{
	struct pollfd event = { .fd = fd, .events = POLLIN };

	if (poll(&event, 1, PIPE_TIMEOUT_MS) == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return read(fd, text, size);
}

int hosts_add_file(struct hosts *hosts, const char *path, struct xc_error *err)
{
	int before = hosts->count, r = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text = malloc(FILE_MAX + 1);
	size_t size = 0;
	ssize_t n = 0;

	if (fd < 0)
		r = error_set(err, -errno, "cannot read the host file %s: %s", path,
			      strerror(errno));
	else if (!text)
		r = error_set(err, -ENOMEM, "out of memory");
	while (r == 0 && size <= FILE_MAX &&
	       (n = read_some(fd, text + size, FILE_MAX + 1 - size)) > 0)
		size += (size_t)n;
	if (r == 0 && n < 0)
		r = error_set(err, -errno, "cannot read the host file %s: %s", path,
			      strerror(errno));
	else if (r == 0 && size > FILE_MAX)
		r = error_set(err, -EFBIG, "the host file %s is larger than %d MiB", path,
			      FILE_MAX >> 20);
	if (r == 0)
		r = hosts_parse_file(hosts, text, size, path, err);
	if (r == 0 && hosts->count == before)
		r = error_set(err, -EINVAL, "the host file %s names no host", path);
	free(text);
	if (fd >= 0)
		close(fd);
	return r;
}
