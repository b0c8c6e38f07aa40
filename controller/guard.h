/* guard.h: connections that have not shown a key yet. */
#ifndef CONTROLLER_GUARD_H
#define CONTROLLER_GUARD_H

#include "controller/state.h"

/* Watches the router, before it listens on the network. 0 or -errno. */
int guard_open(struct state *state);

/* Ends connections that say too much; to be called ten times a second while there are
 * some to be looked at. */
void guard_tick(struct state *state);
void guard_close(struct state *state);

#endif
