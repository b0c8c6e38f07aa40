/* log.c: the daemons' log. */
#include "proto/log.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_SIZE 2048

static const char *name; /* NULL: nothing is logged, as in a program of others */
static int descriptor = STDERR_FILENO;
static void (*copy_to)(void *argument, const char *line, size_t size);
static void *copy_argument;

void log_open(const char *who)
{
	name = who;
}

void log_redirect(int fd)
{
	descriptor = fd;
}

void log_copy(void (*copy)(void *argument, const char *line, size_t size), void *argument)
{
	copy_to = copy;
	copy_argument = argument;
}

static size_t put_prefix(char *line, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;
	int m;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
	m = snprintf(line + n, size - n, ".%03d %.32s: ", (int)(now.tv_nsec / 1000000), name);
	return n + (size_t)m;
}

void log_line(const char *format, ...)
{
	int saved = errno;
	char line[LINE_MAX_SIZE];
	va_list ap;
	size_t n;
	int m;

	if (!name)
		return;
	n = put_prefix(line, sizeof line);
	va_start(ap, format);
	m = vsnprintf(line + n, sizeof line - n, format, ap);
	va_end(ap);
	for (size_t end = n + (m < 0 ? 0 : (size_t)m); n < end && n < sizeof line - 1; n++)
		if (line[n] == '\n')
			line[n] = ' ';
	line[n++] = '\n';
	while (write(descriptor, line, n) < 0 && errno == EINTR)
		;
	if (copy_to)
		copy_to(copy_argument, line, n);
	errno = saved;
}
