/* away.h: clients on other hosts that end without a word. */
#ifndef CONTROLLER_AWAY_H
#define CONTROLLER_AWAY_H

#include "controller/state.h"

/* Gives up those that have had no connection for too long. */
void clients_look(struct state *state, uint64_t now);

/* A message of it has come. */
void client_heard(const struct state *state, struct client *client);

bool client_is_given_up(const struct state *state, const void *session);
void given_up_free(struct state *state);

#endif
