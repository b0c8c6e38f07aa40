/* version.c: xcluster version. */
#include <stdio.h>

#include "cmd/command.h"

int command_version(int argc, char **argv)
{
	static const struct argp argp = { NULL, NULL, NULL, "Print the version of xcluster.",
					  NULL, NULL, NULL };

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	printf("xcluster %s\n", xc_version());
	return STATUS_OK;
}
