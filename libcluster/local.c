/* local.c: XCLUSTER=local:N, a private cluster for a program that names none. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define ENGINES_MAX 4096

/* The number in "local:N"; 0 for "local"; -EINVAL. */
static int parse(const char *value)
{
	unsigned long n;
	char *end;

	if (strcmp(value, "local") == 0)
		return 0;
	if (strncmp(value, "local:", 6) != 0 || !isdigit((unsigned char)value[6]))
		return -EINVAL;
	n = strtoul(value + 6, &end, 10);
	return *end || n < 1 || n > ENGINES_MAX ? -EINVAL : (int)n;
}

int xci_local_open(struct xc_cluster **own, char *path, size_t size, struct xc_error *err)
{
	const char *value = getenv("XCLUSTER");
	int n, r;

	if (!value || !*value)
		return 0;
	n = parse(value);
	if (n < 0)
		return error_set(
			err, -EINVAL,
			"XCLUSTER=\"%s\" is not understood: set it to local:N for a private "
			"cluster of N engines (1 to %d), to local for one engine a core, or "
			"unset it",
			value, ENGINES_MAX);
	r = xc_cluster_start(own, n, NULL, err);
	if (r < 0)
		return r;
	snprintf(path, size, "%s", xc_cluster_connection(*own));
	return 1;
}
