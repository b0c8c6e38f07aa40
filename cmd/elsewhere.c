/* elsewhere.c: clusters that run on another host, and what can only be done there. */
#include "cmd/elsewhere.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd/command.h"
#include "libcluster/dial.h"
#include "proto/connection.h"

bool is_elsewhere(const struct connection *connection)
{
	/* Hosts may share a file system. */
	return !dial_is_local(connection) && access(connection->dir, W_OK) < 0;
}

void complain_of_elsewhere(const char *command)
{
	static struct connection connection;
	struct xc_error err = XC_ERROR_INIT;
	const char *path = getenv("XCLUSTER_CONNECTION");

	if (path && *path && connection_read(path, &connection, &err) == 0 &&
	    is_elsewhere(&connection))
		complain("the cluster of XCLUSTER_CONNECTION is of the host %s: run `%s` there",
			 connection.host, command);
}
