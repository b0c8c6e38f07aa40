/* walltime.c: how long jobs may run, as users and batch systems write it. */
#include "launch/walltime.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits only; -1 when there are none or too many. */
static long number(const char **at)
{
	char *end;
	long value;

	if (!isdigit((unsigned char)**at))
		return -1;
	value = strtol(*at, &end, 10);
	if (end - *at > 9)
		return -1;
	*at = end;
	return value;
}

/* Up to `max` numbers between colons, to the end of the text; how many, or -1. */
static int fields(const char *at, long *values, int max)
{
	int n = 0;

	for (;; at++) {
		if (n == max || (values[n++] = number(&at)) < 0)
			return -1;
		if (*at != ':')
			return *at ? -1 : n;
	}
}

static double with_unit(const char *text)
{
	static const struct {
		char letter;
		double seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const char *at = text;
	long value = number(&at);

	for (size_t i = 0; value >= 0 && i < sizeof units / sizeof units[0]; i++)
		if (at[0] == units[i].letter && !at[1])
			return (double)value * units[i].seconds;
	return -1;
}

static double with_colons(const char *text)
{
	const char *dash = strchr(text, '-'), *at = text;
	long v[3] = { 0 }, days = dash ? number(&at) : 0;
	int n = fields(dash ? dash + 1 : text, v, 3);

	if (n < 0 || days < 0 || (dash && at != dash))
		return -1;
	if (dash) /* hours come first */
		return 86400.0 * (double)days + 3600.0 * (double)v[0] + 60.0 * (double)v[1] +
		       (double)v[2];
	if (n == 1)
		return 60.0 * (double)v[0];
	if (n == 2)
		return 60.0 * (double)v[0] + (double)v[1];
	return 3600.0 * (double)v[0] + 60.0 * (double)v[1] + (double)v[2];
}

int walltime_parse(const char *text, double *seconds)
{
	double value = with_unit(text);

	if (value < 0)
		value = with_colons(text);
	if (!(value > 0) || value > WALLTIME_MAX)
		return -EINVAL;
	*seconds = value;
	return 0;
}

char *walltime_format(char *text, size_t size, double seconds)
{
	long s = lround(ceil(seconds));

	snprintf(text, size, "%02ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
	return text;
}
