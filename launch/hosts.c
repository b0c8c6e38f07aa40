/* hosts.c: lists of hosts: --hosts, duplicates, names of logs. */
#include "launch/hosts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch/host.h"
#include "proto/error.h"

#define NAME_MAX_SIZE 180 /* what remains of a name in that of a log */

/* ---- One host ------------------------------------------------------------- */

void host_fini(struct host *host)
{
	free(host->name);
	free(host->target);
	free(host->log);
	free(host->command);
	free(host->directory);
	for (char **e = host->environment; e && *e; e++)
		free(*e);
	free(host->environment);
	*host = (struct host){ 0 };
}

void hosts_fini(struct hosts *hosts)
{
	for (int i = 0; i < hosts->count; i++)
		host_fini(&hosts->list[i]);
	free(hosts->list);
	*hosts = (struct hosts)HOSTS_INIT;
}

/* A name is given to ssh, whose configuration may give it to a shell. */
static bool is_name(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)name[i];

		if (!isalnum(c) && c < 0x80 && (c == '\0' || !strchr("._-:%+@", c)))
			return false;
	}
	return size > 0 && size < 256 && name[0] != '-';
}

static int not_valid(const char *text, size_t size, const char *why, struct xc_error *err)
{
	return error_set(err, -EINVAL, "\"%.*s\" is no host: %s", size > 80 ? 80 : (int)size, text,
			 why);
}

/* The host's end within the text; *host is where it begins, without a bracket. */
static const char *find_end(const char *end, const char **host, const char **after)
{
	const char *close;

	if (*host < end && **host == '[') {
		close = memchr(*host, ']', (size_t)(end - *host));
		if (!close)
			return NULL;
		(*host)++;
		*after = close + 1;
		return close;
	}
	close = memchr(*host, ':', (size_t)(end - *host));
	*after = close ? close : end;
	return *after;
}

int host_parse(const char *text, size_t size, struct host *host, const char **number, char **error)
{
	const char *end = text + size, *at = memrchr(text, '@', size), *begin = at ? at + 1 : text;
	const char *after, *stop = find_end(end, &begin, &after);

	*number = NULL;
	*error = NULL;
	if (at && !is_name(text, (size_t)(at - text)))
		*error = "the user's name is not valid";
	else if (!stop)
		*error = "the ] is missing";
	else if (after < end && memchr(after + 1, ':', (size_t)(end - after - 1)))
		*error = "an IPv6 address stands in brackets, as in [::1]";
	else if (!is_name(begin, (size_t)(stop - begin)) ||
		 memchr(begin, '@', (size_t)(stop - begin)))
		*error = "a name has letters, digits, '.', '_', '-' and does not begin with '-'";
	else if (after < end && *after != ':')
		*error = "after the name may come ':' and a number";
	if (*error)
		return -EINVAL;
	if (after < end)
		*number = after + 1;
	host->name = strndup(text, size);
	if (asprintf(&host->target, "%.*s%.*s", at ? (int)(at - text) + 1 : 0, text,
		     (int)(stop - begin), begin) < 0)
		host->target = NULL;
	return host->name && host->target ? 0 : -ENOMEM;
}

int host_number(const char *text, size_t size, int max)
{
	char digits[16], *end;
	long value;

	if (size == 0 || size >= sizeof digits || !isdigit((unsigned char)text[0]))
		return -EINVAL;
	memcpy(digits, text, size);
	digits[size] = '\0';
	value = strtol(digits, &end, 10);
	return *end || value < 1 || value > max ? -EINVAL : (int)value;
}

int hosts_add(struct hosts *hosts, struct host *host, struct xc_error *err)
{
	struct host *list;

	if (hosts->count >= HOSTS_MAX)
		return error_set(err, -E2BIG, "more than %d hosts", HOSTS_MAX);
	list = realloc(hosts->list, ((size_t)hosts->count + 1) * sizeof *list);
	if (!list)
		return error_set(err, -ENOMEM, "out of memory");
	hosts->list = list;
	list[hosts->count++] = *host;
	*host = (struct host){ 0 };
	return 0;
}

/* ---- --hosts -------------------------------------------------------------- */

static int add_item(struct hosts *hosts, const char *text, size_t size, struct xc_error *err)
{
	struct host host = { 0 };
	const char *number;
	char *why;
	int r = host_parse(text, size, &host, &number, &why);

	if (r == -EINVAL)
		return not_valid(text, size, why, err);
	if (r == 0 && number) {
		host.engines =
			host_number(number, (size_t)(text + size - number), HOST_ENGINES_MAX);
		if (host.engines < 0)
			r = error_set(err, -EINVAL,
				      "\"%.*s\": the number of engines, after ':', must be from 1 "
				      "to %d (a port stands in the ssh configuration, or in a host "
				      "file)",
				      size > 80 ? 80 : (int)size, text, HOST_ENGINES_MAX);
		else
			host.name[number - 1 - text] = '\0';
	}
	host.times = !number;
	if (r == -ENOMEM)
		r = error_set(err, r, "out of memory");
	if (r == 0)
		r = hosts_add(hosts, &host, err);
	host_fini(&host);
	return r;
}

int hosts_add_list(struct hosts *hosts, const char *list, struct xc_error *err)
{
	int r = 0;

	for (const char *at = list; r == 0 && at; at = *at ? at + 1 : NULL) {
		size_t size = strcspn(at, ",");

		if (size == 0)
			return error_set(err, -EINVAL,
					 "\"%.80s\": a host's name is missing; give host[:n],...",
					 list);
		r = add_item(hosts, at, size, err);
		at += size;
		if (!*at)
			break;
	}
	return r;
}

/* ---- All together ---------------------------------------------------------- */

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same_place(const struct host *a, const struct host *b)
{
	return strcmp(a->target, b->target) == 0 && a->port == b->port;
}

static bool has_same_options(const struct host *a, const struct host *b)
{
	char **x = a->environment, **y = b->environment;

	if (a->family != b->family || !is_same_text(a->command, b->command) ||
	    !is_same_text(a->directory, b->directory))
		return false;
	for (; x && *x && y && *y; x++, y++)
		if (strcmp(*x, *y) != 0)
			return false;
	return !(x && *x) && !(y && *y);
}

static int join(struct host *into, const struct host *host, struct xc_error *err)
{
	if (!has_same_options(into, host))
		return error_set(err, -EINVAL, "the host %s stands twice, with other options%s",
				 host->name, into->line && host->line ? " on other lines" : "");
	if (!into->times != !host->times)
		return error_set(err, -EINVAL,
				 "the host %s stands twice, with and without a number of engines",
				 host->name);
	if (into->engines + host->engines > HOST_ENGINES_MAX ||
	    into->times + host->times > HOST_ENGINES_MAX)
		return error_set(err, -EINVAL, "the host %s would have more than %d engines",
				 host->name, HOST_ENGINES_MAX);
	into->engines += host->engines;
	into->times += host->times;
	return 0;
}

static int join_all(struct hosts *hosts, struct xc_error *err)
{
	int kept = 0, r = 0;

	for (int i = 0; i < hosts->count && r == 0; i++) {
		struct host *host = &hosts->list[i];
		int k = 0;

		while (k < kept && !is_same_place(&hosts->list[k], host))
			k++;
		if (k == kept) {
			struct host moved = *host;

			*host = (struct host){ 0 };
			hosts->list[kept++] = moved;
			continue;
		}
		r = join(&hosts->list[k], host, err);
		if (r == 0)
			host_fini(host);
	}
	if (r == 0)
		hosts->count = kept;
	return r;
}

static int name_log(struct hosts *hosts, int index)
{
	struct host *host = &hosts->list[index];
	char name[NAME_MAX_SIZE + 1];
	int r;

	snprintf(name, sizeof name, "%s", host->name);
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '_';
	if (name[0] == '.')
		name[0] = '_';
	r = asprintf(&host->log, "%s-ssh.log", name);
	for (int i = 0; r >= 0 && i < index; i++)
		if (strcmp(hosts->list[i].log, host->log) == 0) {
			free(host->log);
			r = asprintf(&host->log, "%s_%d-ssh.log", name, index);
			break;
		}
	if (r < 0)
		host->log = NULL;
	return r < 0 ? -ENOMEM : 0;
}

int hosts_complete(struct hosts *hosts, int engines, struct xc_error *err)
{
	int r = join_all(hosts, err);

	for (int i = 0; i < hosts->count && r == 0; i++) {
		struct host *host = &hosts->list[i];

		/* As mpiexec counts, so that a batch system's list of nodes will do. */
		if (host->times > 1)
			host->engines = host->times;
		else if (host->times == 1)
			host->engines = engines;
		r = name_log(hosts, i);
		if (r < 0)
			error_set(err, r, "out of memory");
	}
	return r;
}
