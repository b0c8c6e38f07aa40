/* routes.h: who handles which type; each table is static in its file. */
#ifndef TESTS_UNIT_ROUTES_H
#define TESTS_UNIT_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

bool agent_handles(uint64_t type);
bool engine_handles(uint64_t type);
bool client_handles(uint64_t type);

/* How often a type stands in the table before this. */
#define ROUTES_COUNT(type)                                                                         \
	({                                                                                         \
		int n_ = 0;                                                                        \
                                                                                                   \
		for (size_t i_ = 0; i_ < sizeof routes / sizeof routes[0]; i_++)                   \
			n_ += routes[i_].type == (type);                                           \
		n_;                                                                                \
	})

#endif
