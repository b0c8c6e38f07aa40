/* guest.h: a client without a session: what the controller says is made up. */
#ifndef TESTS_UNIT_GUEST_H
#define TESTS_UNIT_GUEST_H

#include "libcluster/client.h"

extern struct xc_client *guest;

/* Called, unless NULL, before and after the client's own part of taking a message. */
extern void (*guest_around)(bool before);

void guest_open(void);
/* Gives it to xc_close. */
void guest_close(void);

/* A job on its way whose results go to `result`, or to `n` members. */
struct xci_job *guest_job(struct xc_result *result, struct xc_result **members, int64_t n);

/* Takes in a RESULT with the next number; what xci_on_result returns. */
int guest_result(struct msg_result head, struct span failures, struct span payload);
int guest_roster(uint64_t starting, struct span engines, struct span agents);

/* Frames under construction. */
struct guest_frame {
	unsigned char bytes[65536];
	size_t size;
};
void guest_add_run(struct guest_frame *frame, int64_t first, int64_t count, uint64_t state,
		   const char *text);
void guest_add_engine(struct guest_frame *frame, uint64_t id, uint64_t state, const char *reason);
void guest_add_agent(struct guest_frame *frame, const char *host, const char *store, int session);
struct span guest_span(const struct guest_frame *frame);

/* The controller's end of its socket. */
void *guest_far(void);

/* Next message that the client has sent: 0 if there is none. */
uint64_t guest_sent(struct message *m);

#endif
