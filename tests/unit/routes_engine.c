/* routes_engine.c: which types the engine handles. */
#include "tests/unit/routes.h"

#include "engine/engine.c"

bool engine_handles(uint64_t type)
{
	return ROUTES_COUNT(type) == 1;
}
