/* desk.h: a controller without its loop, and peers that talk to it within the
 * process: what each sends is handled when desk_run is called. */
#ifndef TESTS_UNIT_DESK_H
#define TESTS_UNIT_DESK_H

#include "controller/state.h"

struct desk_peer {
	void *socket;
	unsigned char session[SESSION_SIZE];
	struct message m; /* the last one taken */
	uint64_t first_engine, slot, epoch;
};

extern struct state desk;

/* Role of the key of what comes over the network from now on; NULL: by the unix socket. */
extern const char *desk_key;

void desk_open(void);
/* Frees all that the controller has; leaks are for the sanitizer to find. */
void desk_close(void);

/* A peer that has said nothing yet; `letter` as in routing ids. */
struct desk_peer *desk_join(char letter);
/* Those that are welcome already. */
struct desk_peer *desk_client(void);
struct desk_peer *desk_agent(uint64_t slots);
struct desk_peer *desk_agent_on(const char *host, uint64_t store_limit);
struct desk_peer *desk_engine(const struct desk_peer *agent, uint64_t slot, uint64_t epoch);

/* Takes in what was sent, hands out work, tells the roster. */
void desk_run(void);
/* The same for a message that nobody sent. */
void desk_dispatch(struct message *m);
bool desk_has_route(uint64_t type);

void desk_send(struct desk_peer *peer, const void *header, size_t size, const struct span *frames,
	       int count);

#define DESK_SEND_FRAMES(peer, lower, frames, count, ...)                                          \
	do {                                                                                       \
		unsigned char header_[HEADER_MAX];                                                 \
		size_t size_ = msg_##lower##_pack(header_, sizeof header_,                         \
						  &(struct msg_##lower){ __VA_ARGS__ });           \
		desk_send(peer, header_, size_, frames, count);                                    \
	} while (0)
#define DESK_SEND(peer, lower, ...) DESK_SEND_FRAMES(peer, lower, NULL, 0, __VA_ARGS__)

/* The peer's next message: 0 if it has none. desk_next passes over rosters,
 * lists of stores and welcomes. */
uint64_t desk_receive(struct desk_peer *peer);
uint64_t desk_next(struct desk_peer *peer);

/* Fails unless that is the peer's next message; its fields. */
#define DESK_EXPECT(peer, upper, lower)                                                            \
	({                                                                                         \
		struct msg_##lower m_;                                                             \
		uint64_t type_ = desk_next(peer);                                                  \
                                                                                                   \
		ck_assert_msg(type_ == MSG_##upper, "%s came instead of " #upper,                  \
			      type_ ? message_info(type_)->name : "nothing");                      \
		ck_assert_int_eq(msg_##lower##_get(&(peer)->m.fields, &m_), 0);                    \
		m_;                                                                                \
	})

/* Next failure run of the first frame of the last message, from *at on. */
bool desk_run_at(const struct desk_peer *peer, size_t *at, struct failure_run *run);

/* Submits a job of `items` with its input, the target engines for a pinned one. */
struct desk_job {
	uint64_t job, seq;
	int64_t items, chunk;
	uint64_t form, in_size, out_size, flags, max_attempts;
	const char *name;
	struct span object, payload, task; /* an empty task: any */
	const uint32_t *targets;
	int target_count;
};
void desk_submit(struct desk_peer *client, struct desk_job job);

/* What an engine says of a slice: `count` items from `first` are done. */
void desk_done(struct desk_peer *engine, const struct msg_slice *slice, uint64_t record,
	       int64_t first, int64_t count, bool last);

#endif
