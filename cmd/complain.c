/* complain.c: how the subcommands tell what went wrong. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "cmd/command.h"

void complain(const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, format);
	fputs("xcluster: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
}

int fail(const struct xc_error *err)
{
	complain("%s", err->text);
	switch (err->code) {
	case XC_ENOCLUSTER:
		return STATUS_NOT_RUNNING;
	case -EEXIST:
		return STATUS_RUNNING;
	default:
		return STATUS_FAILED;
	}
}

double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}
