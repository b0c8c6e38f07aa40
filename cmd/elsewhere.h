/* elsewhere.h: clusters that run on another host, and what can only be done there. */
#ifndef CMD_ELSEWHERE_H
#define CMD_ELSEWHERE_H

#include <stdbool.h>

#include "proto/connection.h"

/* Of another host, and its directory is not here either. */
bool is_elsewhere(const struct connection *connection);

/* Where XCLUSTER_CONNECTION names such a cluster, says where `command` does it. */
void complain_of_elsewhere(const char *command);

#endif
