/* connection.h: the file that says how to reach a controller. */
#ifndef PROTO_CONNECTION_H
#define PROTO_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "xcluster.h"

#define CONNECTION_ID_MAX	 64
#define CONNECTION_PATH_MAX	 4096
#define CONNECTION_SIZE_MAX	 65536 /* of the file */
#define CONNECTION_ADDRESSES_MAX 32
#define CONNECTION_ADDRESS_MAX	 280
#define CONNECTION_KEY_SIZE	 41 /* Z85, with its zero byte */

/* Whom the file lets in. */
enum connection_role { CONNECTION_CLIENT, CONNECTION_ENGINE };

/* All texts are filled in and hold no control characters; the keys are empty in a
 * cluster without addresses, which is of one host. */
struct connection {
	char id[CONNECTION_ID_MAX];
	char version[32];		/* of the xcluster that the controller is of */
	char host[256];			/* where the controller runs */
	char endpoint[128];		/* ZeroMQ endpoint: ipc://... */
	char dir[CONNECTION_PATH_MAX];	/* the cluster's directory on that host */
	char path[CONNECTION_PATH_MAX]; /* of the file read; not in the file */
	int pid;			/* the controller's */
	enum connection_role role;
	double heartbeat_timeout; /* seconds */
	/* tcp://HOST:PORT: what is to be dialled from other hosts, in this order. */
	char addresses[CONNECTION_ADDRESSES_MAX][CONNECTION_ADDRESS_MAX];
	int address_count;
	char server_key[CONNECTION_KEY_SIZE]; /* CURVE: of the controller, public */
	char public_key[CONNECTION_KEY_SIZE], secret_key[CONNECTION_KEY_SIZE]; /* of the role */
};

/* Is `text` tcp://HOST:PORT, HOST a name, an IPv4 address or an IPv6 one in brackets? */
bool connection_is_address(const char *text);

/* Reads the file at `path`. Errors: XC_ENOCLUSTER when there is none; -EACCES
 * when it belongs to another user or when others can read or write it; XC_EPROTO
 * when its content is not valid (the text names file and field) or it is of
 * another major version. */
int connection_read(const char *path, struct connection *connection, struct xc_error *err);

/* The same from the file's bytes; `path` stands in the error texts and goes to
 * connection->path. */
int connection_parse(const char *text, size_t size, const char *path, struct connection *connection,
		     struct xc_error *err);

/* The file's bytes in one line, without a line end; to be given to free(). NULL: out of
 * memory, or a field is no UTF-8. N.B. it holds the secret key. */
char *connection_line(const struct connection *connection);

/* Writes the file, readable by the user alone. Who reads meanwhile sees the old
 * file or the new one. connection->path is ignored. */
int connection_write(const char *path, const struct connection *connection, struct xc_error *err);

#endif
