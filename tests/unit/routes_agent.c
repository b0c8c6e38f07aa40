/* routes_agent.c: which types the agent handles. */
#include "tests/unit/routes.h"

#include "engine/agent.c"

bool agent_handles(uint64_t type)
{
	return ROUTES_COUNT(type) == 1;
}
