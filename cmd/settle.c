/* settle.c: xcluster settle FROM TO, internal: a deployed xcluster takes its place in the
 * cache. That it runs shows that it can be used on this host. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"

#define DESCRIPTORS 8

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int command_settle(int argc, char **argv)
{
	if (argc != 3) {
		complain("settle: FROM and TO are missing");
		return STATUS_USAGE;
	}
	/* One of several hosts that share a home directory is first. */
	if (rename(argv[1], argv[2]) == 0)
		return STATUS_OK;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return nftw(argv[1], remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS) == 0
			       ? STATUS_OK
			       : STATUS_FAILED;
	complain("cannot rename %s to %s: %s", argv[1], argv[2], strerror(errno));
	return STATUS_FAILED;
}
