/* routes_client.c: which types the client handles. */
#include "tests/unit/routes.h"

#include "libcluster/client.c"

bool client_handles(uint64_t type)
{
	return ROUTES_COUNT(type) == 1;
}
