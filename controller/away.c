/* away.c: clients on other hosts that end without a word. Nothing tells of the end of a
 * process there, but its connection goes with it: so clients that say nothing are sent
 * something at times, which fails when there is no connection. */
#include "controller/away.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "proto/log.h"

#define AWAY_TIMEOUTS 12 /* of the heartbeat: a client itself waits as long for us, by default */

/* A session that was given up: whoever has it is told so when it comes back, as its jobs
 * are cancelled and must not be submitted again. */
struct given_up {
	unsigned char session[SESSION_SIZE];
	UT_hash_handle hh;
};

bool client_is_given_up(const struct state *state, const void *session)
{
	struct given_up *found;

	HASH_FIND(hh, state->given_up, session, SESSION_SIZE, found);
	return found;
}

static void give_up(struct state *state, struct client *client)
{
	struct given_up *session = calloc(1, sizeof *session);

	if (!session) /* at the next look */
		return;
	memcpy(session->session, client->session, SESSION_SIZE);
	HASH_ADD(hh, state->given_up, session, SESSION_SIZE, session);
	log_line("client %s on %s (pid %d) does not come back; its jobs are cancelled, but for "
		 "those to be kept",
		 client->name, client->host, (int)client->pid);
	client_remove(state, client);
}

static bool is_connected(struct state *state, const struct client *client)
{
	return SEND_SIMPLE(state->router, client->peer->route, beat, .store_used = 0) !=
	       -EHOSTUNREACH;
}

static void look(struct state *state, struct client *client, uint64_t now, uint64_t timeout)
{
	if (now - client->looked_ns < timeout)
		return;
	client->looked_ns = now;
	if (is_connected(state, client)) {
		client->away_ns = 0;
	} else if (!client->away_ns) {
		client->away_ns = now;
		log_line("client %s on %s (pid %d) has no connection any more", client->name,
			 client->host, (int)client->pid);
	} else if (now - client->away_ns >= AWAY_TIMEOUTS * timeout) {
		give_up(state, client);
	}
}

void clients_look(struct state *state, uint64_t now)
{
	uint64_t timeout = (uint64_t)(state->heartbeat_timeout * 1e9);
	struct client *client, *next;

	DL_FOREACH_SAFE (state->clients, client, next) {
		if (client->peer->is_remote && now > client->looked_ns)
			look(state, client, now, timeout);
	}
}

void client_heard(const struct state *state, struct client *client)
{
	client->looked_ns = state->last_tick_ns;
	client->away_ns = 0;
}

void given_up_free(struct state *state)
{
	struct given_up *session, *next;

	HASH_ITER (hh, state->given_up, session, next) {
		HASH_DEL(state->given_up, session);
		free(session);
	}
}
