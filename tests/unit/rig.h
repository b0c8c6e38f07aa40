/* rig.h: an engine and its agent's slot within one process: the memory that they
 * share, the channel between them, and what each says to the controller. */
#ifndef TESTS_UNIT_RIG_H
#define TESTS_UNIT_RIG_H

#include "engine/host.h"

struct engine;

struct rig {
	struct engine *engine;
	struct agent agent;
	struct slot slot;
	struct page *page; /* of both */
	unsigned char *arena;
	int output; /* what the engine prints; its log is rig.slot.sink.log */
	void *context, *from_engine, *from_agent; /* the controller's ends */
	struct message m;			  /* the last one taken */
};

extern struct rig rig;

void rig_open(void);
void rig_close(void);
/* From now on a thread answers the engine's requests, as the agent does. */
void rig_serve(void);

/* Takes what the engine (or agent) has sent next: its type, 0 if there is none. */
uint64_t rig_next(void *socket);
#define RIG_EXPECT(from, upper, lower)                                                             \
	({                                                                                         \
		struct msg_##lower m_;                                                             \
                                                                                                   \
		ck_assert_uint_eq(rig_next(rig.from), MSG_##upper);                                \
		ck_assert_int_eq(msg_##lower##_get(&rig.m.fields, &m_), 0);                        \
		m_;                                                                                \
	})
size_t rig_frame_size(int i);
const void *rig_frame(int i);

/* A sealed memfd with these bytes. */
int rig_memfd(const void *data, size_t size);

#endif
