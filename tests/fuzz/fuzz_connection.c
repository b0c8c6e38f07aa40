/* fuzz_connection.c: connection_parse on any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/cluster_dir.h"
#include "proto/connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct connection connection;
	struct xc_error err = XC_ERROR_INIT;

	if (connection_parse((const char *)data, size, "file", &connection, &err) < 0) {
		if (!err.text[0] || !memchr(err.text, 0, sizeof err.text))
			abort();
		return 0;
	}
	if (!cluster_id_is_valid(connection.id) || connection.dir[0] != '/' || connection.pid < 1 ||
	    !memchr(connection.host, 0, sizeof connection.host) ||
	    !memchr(connection.endpoint, 0, sizeof connection.endpoint))
		abort();
	return 0;
}
