/* certificates.h: the keys of a start, and who is let in with them. */
#ifndef CONTROLLER_CERTIFICATES_H
#define CONTROLLER_CERTIFICATES_H

#include "proto/connection.h"
#include "proto/message.h"

/* Key pairs, as texts (Z85). */
struct key_pair {
	char public_key[CONNECTION_KEY_SIZE], secret_key[CONNECTION_KEY_SIZE];
};

struct certificates {
	struct key_pair server, client, engine;
	void *auth; /* who asks what each connection may do: a zactor; owned */
};

/* New keys; or with `reuse` those kept in `dir`, which are made and kept there if there are
 * none. */
int certificates_make(struct certificates *certificates, const char *dir, bool reuse,
		      struct xc_error *err);

/* The ZeroMQ context in which connections are checked. NULL: errno. */
void *certificates_context(void);

/* From now on sockets of that context let in by CURVE whoever has one of the two keys, and
 * each message says its role (see certificates_role). `dir`: the cluster's. */
int certificates_check(struct certificates *certificates, const char *dir, struct xc_error *err);

/* Makes a socket a server by them, for what it binds after this. */
int certificates_apply(const struct certificates *certificates, void *socket);

/* The property of messages that names a certificate's role: "client" or "engine". */
#define CERTIFICATE_ROLE "role"

/* Roles that the sender of a message may have by its key, `role` being that property. */
unsigned certificates_roles(const char *role);

/* Ends the checking, when all sockets are closed; and the context. */
void certificates_fini(struct certificates *certificates);

#endif
