/* local.c: XCLUSTER=local:N, a private cluster for a program that names none, and
 * XCLUSTER=inline:N, none at all. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define ENGINES_MAX 4096

/* The number after `word` and a colon; `alone` without; -EINVAL. */
static int parse(const char *value, const char *word, int alone)
{
	size_t length = strlen(word);
	unsigned long n;
	char *end;

	if (strcmp(value, word) == 0)
		return alone;
	if (strncmp(value, word, length) != 0 || value[length] != ':' ||
	    !isdigit((unsigned char)value[length + 1]))
		return -EINVAL;
	n = strtoul(value + length + 1, &end, 10);
	return *end || n < 1 || n > ENGINES_MAX ? -EINVAL : (int)n;
}

int xci_local_open(struct xc_client *client, char *path, size_t size, struct xc_error *err)
{
	const char *value = getenv("XCLUSTER");
	int n, r;

	if (!value || !*value)
		return 0;
	n = parse(value, "inline", 1);
	if (n > 0) {
		randombytes_buf(client->session, sizeof client->session);
		client->inside = xci_inline_new(n, client->session);
		return client->inside ? 0 : error_set(err, -ENOMEM, "out of memory");
	}
	n = parse(value, "local", 0);
	if (n < 0)
		return error_set(
			err, -EINVAL,
			"XCLUSTER=\"%s\" is not understood: set it to local:N for a private "
			"cluster of N engines (1 to %d), to local for one engine a core, to "
			"inline:N to run tasks within the program, or unset it",
			value, ENGINES_MAX);
	r = xc_cluster_start(&client->own, n, NULL, err);
	if (r < 0)
		return r;
	snprintf(path, size, "%s", xc_cluster_connection(client->own));
	return 1;
}
