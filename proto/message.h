/* message.h: every message on the wire, once.
 *
 * A message is a ZeroMQ multipart message. Frame 0 is the header: a msgpack
 * array [type, field, field, ...] of scalars. What follows are raw frames; their
 * number is fixed for a type. docs/protocol.md says what each field means. */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include "proto/pack.h"

#define PROTOCOL_VERSION 1

#define SESSION_SIZE 16
#define OBJECT_SIZE  32
#define ROUTE_SIZE   (1 + SESSION_SIZE) /* routing id: role letter, session */

/* A header never needs more than this: at most one text of 1000 bytes and a few
 * names of 255. */
#define HEADER_MAX 4096

#define CREDIT_BYTES (UINT64_C(256) << 20) /* WELCOME_CLIENT.credit */

enum role {
	ROLE_NEW = 1, /* has not said hello */
	ROLE_CLIENT = 2,
	ROLE_AGENT = 4,
	ROLE_ENGINE = 8,
	ROLE_CONTROLLER = 16,
};

/* clang-format off */
/* Fields of each message: F(type, name), type one of u64 i64 f64 str bin. */
#define FIELDS_HELLO_CLIENT(F)                                                                     \
	F(u64, protocol) F(bin, session) F(i64, pid) F(str, host) F(str, name) F(u64, received)    \
		F(u64, again)
#define FIELDS_HELLO_AGENT(F)                                                                      \
	F(u64, protocol)                                                                           \
	F(bin, session) F(i64, pid) F(str, host) F(u64, slots) F(u64, cores) F(str, store)         \
		F(u64, store_limit) F(str, machine) F(str, libc) F(str, log)       \
		F(str, launch) F(u64, again) F(u64, taken) F(u64, usable)
#define FIELDS_HELLO_ENGINE(F)                                                                     \
	F(u64, protocol)                                                                           \
	F(bin, session) F(bin, agent) F(u64, slot) F(u64, epoch) F(i64, pid) F(f64, started)       \
		F(u64, again) F(u64, slice) F(u64, threads)
#define FIELDS_WELCOME_CLIENT(F) F(bin, controller) F(u64, received) F(u64, credit)
#define FIELDS_WELCOME_AGENT(F)	 F(bin, controller) F(u64, first_engine)                   \
	F(f64, heartbeat_timeout) F(u64, taken)
#define FIELDS_WELCOME_ENGINE(F) F(u64, engine) F(u64, ack)
#define FIELDS_REFUSED(F)	 F(i64, code) F(str, text)
#define FIELDS_ROSTER(F)	 F(u64, starting)
#define FIELDS_SUBMIT(F)                                                                           \
	F(u64, seq)                                                                                \
	F(u64, ack)                                                                                \
	F(u64, job) F(u64, pinned) F(i64, items) F(u64, form) F(u64, in_size) F(u64, out_size)     \
		F(i64, chunk) F(u64, max_attempts) F(u64, flags) F(i64, priority)       \
		F(f64, weight) F(str, label) F(str, name)                                           \
			F(bin, object)
#define FIELDS_RESULT(F)                                                                           \
	F(u64, seq)                                                                                \
	F(u64, received)                                                                           \
	F(u64, job) F(i64, first) F(i64, count) F(i64, engine) F(u64, busy_ns) F(u64, final)
#define FIELDS_ACK(F)	   F(u64, seq)
#define FIELDS_CANCEL(F)   F(u64, seq) F(u64, job) F(i64, first) F(i64, count) F(u64, how)
#define FIELDS_PING(F)	   F(u64, received)
#define FIELDS_PONG(F)	   F(u64, received) F(u64, sent)
#define FIELDS_RESEND(F)   F(u64, from)
#define FIELDS_QUERY(F)	   F(u64, id)
#define FIELDS_REPORT(F)   F(u64, id)
#define FIELDS_SHUTDOWN(F) F(u64, id)
#define FIELDS_BYE(F)	   F(u64, id)
#define FIELDS_SLICE(F)	   F(u64, slice) F(u64, ack) F(i64, first) F(i64, count) F(u64, attempt)
#define FIELDS_DONE(F)                                                                             \
	F(u64, slot)                                                                               \
	F(u64, epoch)                                                                              \
	F(u64, record) F(u64, slice) F(i64, first) F(i64, count) F(u64, busy_ns) F(u64, waited_ns) \
		F(u64, last)
#define FIELDS_TAKE(F)	    F(u64, slot) F(u64, epoch) F(u64, slice) F(i64, count) F(u64, all)
#define FIELDS_TAKEN(F)	    F(u64, slot) F(u64, epoch) F(u64, slice) F(i64, end)
#define FIELDS_INTERRUPT(F)                                                                        \
	F(u64, slot) F(u64, epoch) F(u64, slice) F(u64, kill) F(i64, first) F(i64, count)
#define FIELDS_DOWN(F)                                                                             \
	F(u64, slot)                                                                               \
	F(u64, epoch)                                                                              \
	F(u64, cause) F(i64, code) F(u64, slice) F(i64, item) F(u64, restarting) F(str, text)
#define FIELDS_BEAT(F)	F(u64, store_used) F(u64, taken)
#define FIELDS_STALE(F) F(u64, id)
#define FIELDS_STOP(F)	F(u64, id)
#define FIELDS_HOLD(F)	F(bin, object)
#define FIELDS_DROP(F)	F(bin, object)
#define FIELDS_PEERS(F) F(u64, count)
#define FIELDS_ATTACH(F)                                                                           \
	F(u64, seq)                                                                                \
	F(u64, job) F(bin, owner) F(u64, number) F(i64, index) F(u64, again) F(u64, out)           \
		F(u64, out_bytes)
#define FIELDS_ATTACHED(F)                                                                         \
	F(u64, seq) F(u64, received) F(u64, job) F(i64, code) F(i64, items) F(u64, out_size)       \
	F(u64, flags)
#define FIELDS_DETACH(F) F(u64, seq) F(u64, job)
#define FIELDS_JOBS(F)                                                                             \
	F(u64, id) F(str, label) F(str, state) F(f64, since) F(f64, until) F(u64, max)
#define FIELDS_MANAGE(F)                                                                           \
	F(u64, id) F(u64, what) F(bin, owner) F(u64, number) F(i64, index)
#define FIELDS_ANSWER(F) F(u64, id) F(i64, code) F(u64, count) F(str, text)
#define FIELDS_SIGNAL(F) F(u64, id) F(i64, signal)
#define FIELDS_SHUT(F)	 F(u64, id) F(u64, how)
#define FIELDS_KILL(F)	 F(u64, slot) F(u64, epoch) F(i64, signal)
#define FIELDS_RETIRE(F) F(u64, slot) F(u64, how)
#define FIELDS_OUTPUT(F)                                                                           \
	F(u64, slot) F(u64, epoch) F(u64, record) F(u64, slice) F(i64, item) F(i64, offset)
#define FIELDS_OFFER(F)	  F(u64, id) F(bin, object) F(u64, size) F(u64, everywhere)
#define FIELDS_RELEASE(F) F(u64, seq) F(bin, object)
#define FIELDS_LOCATE(F)  F(bin, object) F(i64, avoid) F(u64, apart)
#define FIELDS_LOCATED(F)                                                                          \
	F(bin, object)                                                                             \
	F(u64, size) F(u64, kind) F(i64, holder) F(str, host) F(str, endpoint) F(str, key)         \
		F(i64, code) F(str, text)
#define FIELDS_FETCH(F) F(bin, object) F(u64, offset) F(i64, peer)
#define FIELDS_PIECE(F)                                                                            \
	F(bin, object)                                                                             \
	F(u64, offset) F(u64, size) F(bin, hash) F(i64, peer) F(i64, code) F(str, text)
#define FIELDS_STORED(F)   F(bin, object) F(u64, size)
#define FIELDS_FREED(F)	   F(bin, object) F(i64, code) F(str, text)
#define FIELDS_DATAPORT(F) F(str, endpoint) F(str, key)

#define FIELDS_LOG(F) F(i64, slot)
#define FIELDS_NOTE(F)	F(str, text) F(u64, coming)
#define FIELDS_DRAIN(F) F(f64, left) F(f64, margin)
#define FIELDS_THREADS(F) F(u64, threads)

/* X(NAME, number, who may send it, raw frames after the header) */
#define MESSAGES(X)                                                                                \
	X(HELLO_CLIENT, 1, ROLE_NEW | ROLE_CLIENT, 0)                                              \
	X(HELLO_AGENT, 2, ROLE_NEW | ROLE_AGENT, 0)                                                \
	X(HELLO_ENGINE, 3, ROLE_NEW | ROLE_ENGINE, 0)                                              \
	X(WELCOME_CLIENT, 4, ROLE_CONTROLLER, 0)                                                   \
	X(WELCOME_AGENT, 5, ROLE_CONTROLLER, 0)                                                    \
	X(WELCOME_ENGINE, 6, ROLE_CONTROLLER, 0)                                                   \
	X(REFUSED, 7, ROLE_CONTROLLER, 0)                                                          \
	X(ROSTER, 8, ROLE_CONTROLLER, 2)                                                           \
	X(SUBMIT, 9, ROLE_CLIENT, 3)                                                               \
	X(RESULT, 10, ROLE_CONTROLLER, 2)                                                          \
	X(ACK, 11, ROLE_CLIENT | ROLE_CONTROLLER, 0)                                               \
	X(CANCEL, 12, ROLE_CLIENT, 0)                                                              \
	X(PING, 13, ROLE_CLIENT, 0)                                                                \
	X(PONG, 14, ROLE_CONTROLLER, 0)                                                            \
	X(RESEND, 15, ROLE_CLIENT | ROLE_CONTROLLER, 0)                                            \
	X(QUERY, 16, ROLE_CLIENT, 0)                                                               \
	X(REPORT, 17, ROLE_CONTROLLER, 1)                                                          \
	X(SHUTDOWN, 18, ROLE_CLIENT, 0)                                                            \
	X(BYE, 19, ROLE_CLIENT | ROLE_AGENT, 0)                                                    \
	X(SLICE, 20, ROLE_CONTROLLER, 3)                                                           \
	X(DONE, 21, ROLE_ENGINE | ROLE_AGENT, 2)                                                   \
	X(TAKE, 22, ROLE_CONTROLLER, 0)                                                            \
	X(TAKEN, 23, ROLE_AGENT, 0)                                                                \
	X(INTERRUPT, 24, ROLE_CONTROLLER, 0)                                                       \
	X(DOWN, 25, ROLE_AGENT, 0)                                                                 \
	X(BEAT, 26, ROLE_AGENT | ROLE_CONTROLLER, 0)                                               \
	X(STALE, 27, ROLE_CONTROLLER, 0)                                                           \
	X(STOP, 28, ROLE_CONTROLLER, 0)                                                            \
	X(HOLD, 29, ROLE_CONTROLLER, 0)                                                            \
	X(DROP, 30, ROLE_CONTROLLER, 0)                                                            \
	X(PEERS, 31, ROLE_CONTROLLER, 1)                                                           \
	X(ATTACH, 32, ROLE_CLIENT, 0)                                                              \
	X(ATTACHED, 33, ROLE_CONTROLLER, 2)                                                        \
	X(DETACH, 34, ROLE_CLIENT, 0)                                                              \
	X(JOBS, 35, ROLE_CLIENT, 0)                                                                \
	X(MANAGE, 36, ROLE_CLIENT, 0)                                                              \
	X(ANSWER, 37, ROLE_CONTROLLER, 1)                                                          \
	X(SIGNAL, 38, ROLE_CLIENT, 1)                                                              \
	X(SHUT, 39, ROLE_CLIENT, 1)                                                                \
	X(KILL, 40, ROLE_CONTROLLER, 0)                                                            \
	X(RETIRE, 41, ROLE_CONTROLLER, 0)                                                          \
	X(OUTPUT, 42, ROLE_AGENT, 1)                                                               \
	X(LOG, 43, ROLE_AGENT, 1)                                                                   \
	X(OFFER, 50, ROLE_CLIENT, 0)                                                               \
	X(RELEASE, 51, ROLE_CLIENT, 0)                                                             \
	X(LOCATE, 52, ROLE_AGENT, 0)                                                               \
	X(LOCATED, 53, ROLE_CONTROLLER, 0)                                                         \
	X(FETCH, 54, ROLE_AGENT | ROLE_CONTROLLER, 0)                                              \
	X(PIECE, 55, ROLE_CLIENT | ROLE_AGENT | ROLE_CONTROLLER, 1)                                \
	X(STORED, 56, ROLE_AGENT, 0)                                                               \
	X(FREED, 57, ROLE_AGENT, 0)                                                                \
	X(DATAPORT, 58, ROLE_AGENT, 0)                                                           \
	X(NOTE, 60, ROLE_CLIENT | ROLE_CONTROLLER, 1)                                              \
	X(DRAIN, 61, ROLE_AGENT, 0)                                                                \
	X(THREADS, 62, ROLE_ENGINE, 0)
/* clang-format on */

enum message_type {
#define MESSAGE_ENUM(name, number, senders, frames) MSG_##name = number,
	MESSAGES(MESSAGE_ENUM)
#undef MESSAGE_ENUM
};

#define MESSAGE_FRAMES_MAX 3

/* Facts of a type; NULL for a number that is none. */
struct message_info {
	const char *name;
	unsigned senders;
	int frames;
};
const struct message_info *message_info(uint64_t type);

/* Is it one that a break between agent and controller must not lose? Both count them:
 * docs/protocol.md, 2.10. */
bool message_is_counted(uint64_t type);

/* Type of a header; 0 if it is not one. Leaves the reader at the first field. */
uint64_t message_type(struct reader *r, const void *header, size_t size);

/* struct msg_submit and the like, with one member a field; spans point into the
 * header read. msg_submit_pack returns the bytes written, 0 if they did not fit.
 * msg_submit_get reads the fields after message_type: 0, or XC_EPROTO. */
typedef uint64_t field_u64;
typedef int64_t field_i64;
typedef double field_f64;
typedef struct span field_str;
typedef struct span field_bin;

#define MESSAGE_FIELD(type, name) field_##type name;
#define MESSAGE_DECLARE(upper, lower)                                                              \
	struct msg_##lower {                                                                       \
		FIELDS_##upper(MESSAGE_FIELD)                                                      \
	};                                                                                         \
	size_t msg_##lower##_pack(void *buffer, size_t size, const struct msg_##lower *m);         \
	int msg_##lower##_get(struct reader *r, struct msg_##lower *m);

#define MESSAGE_STRUCTS(X)                                                                         \
	X(HELLO_CLIENT, hello_client)                                                              \
	X(HELLO_AGENT, hello_agent)                                                                \
	X(HELLO_ENGINE, hello_engine)                                                              \
	X(WELCOME_CLIENT, welcome_client)                                                          \
	X(WELCOME_AGENT, welcome_agent)                                                            \
	X(WELCOME_ENGINE, welcome_engine)                                                          \
	X(REFUSED, refused)                                                                        \
	X(ROSTER, roster)                                                                          \
	X(SUBMIT, submit)                                                                          \
	X(RESULT, result)                                                                          \
	X(ACK, ack)                                                                                \
	X(CANCEL, cancel)                                                                          \
	X(PING, ping)                                                                              \
	X(PONG, pong)                                                                              \
	X(RESEND, resend)                                                                          \
	X(QUERY, query)                                                                            \
	X(REPORT, report)                                                                          \
	X(SHUTDOWN, shutdown)                                                                      \
	X(BYE, bye)                                                                                \
	X(SLICE, slice)                                                                            \
	X(DONE, done)                                                                              \
	X(TAKE, take)                                                                              \
	X(TAKEN, taken)                                                                            \
	X(INTERRUPT, interrupt)                                                                    \
	X(DOWN, down)                                                                              \
	X(BEAT, beat)                                                                              \
	X(STALE, stale)                                                                            \
	X(STOP, stop)                                                                              \
	X(HOLD, hold)                                                                              \
	X(DROP, drop)                                                                              \
	X(PEERS, peers)                                                                            \
	X(ATTACH, attach)                                                                          \
	X(ATTACHED, attached)                                                                      \
	X(DETACH, detach)                                                                          \
	X(JOBS, jobs)                                                                              \
	X(MANAGE, manage)                                                                          \
	X(ANSWER, answer)                                                                          \
	X(SIGNAL, signal)                                                                          \
	X(SHUT, shut)                                                                              \
	X(KILL, kill)                                                                              \
	X(RETIRE, retire)                                                                          \
	X(OUTPUT, output)                                                                          \
	X(LOG, log)                                                                                \
	X(OFFER, offer)                                                                            \
	X(RELEASE, release)                                                                        \
	X(LOCATE, locate)                                                                          \
	X(LOCATED, located)                                                                        \
	X(FETCH, fetch)                                                                            \
	X(PIECE, piece)                                                                            \
	X(STORED, stored)                                                                          \
	X(FREED, freed)                                                                            \
	X(DATAPORT, dataport)                                                                      \
	X(NOTE, note)                                                                              \
	X(DRAIN, drain)                                                                            \
	X(THREADS, threads)

MESSAGE_STRUCTS(MESSAGE_DECLARE)

/* SUBMIT.form: what the payload frame holds. */
enum item_form {
	FORM_RANGE,   /* nothing: the item's input is a number */
	FORM_STRIDED, /* items of in_size bytes each */
	FORM_PACKED,  /* items + 1 offsets (u64, little-endian), then the bytes */
	FORM_SAME,    /* the same bytes for every item */
};

/* SUBMIT.flags */
enum {
	JOB_STOP_ON_FAILURE = 1,
	JOB_AT_MOST_ONCE = 2,
	JOB_EVERYWHERE = 4, /* goes into the everywhere-log under `name` */
	JOB_FORGET = 8,	    /* removes `name` from it (empty: all variables) */
	JOB_VARIABLE = 16,  /* the log entry is a variable, else a program */
	JOB_KEEP = 32,	    /* goes on without its client; `object`: its program */
	JOB_APART = 64,	    /* its items were submitted one by one, and can be named so */
	JOB_REDUCE = 128,   /* its results are combined: payloads are nodes */
	JOB_WILL = 256,	    /* no items: its task is for all engines when the client has gone */
};

/* ATTACH.again */
enum attach_again {
	AGAIN_NOT,     /* its results */
	AGAIN_RUN,     /* it is run as a new job */
	AGAIN_WHETHER, /* the same answer, and nothing is run */
};

/* ATTACH.out: what the results are to become. */
enum attach_out {
	OUT_NOTHING,
	OUT_ARRAY,    /* of fixed size each, in `out_bytes` */
	OUT_COMBINED, /* one, of a job with JOB_REDUCE */
};

/* DOWN.cause */
enum down_cause {
	DOWN_SIGNAL,	/* code: the signal */
	DOWN_EXIT,	/* code: the exit status */
	DOWN_TIME,	/* killed by the agent: over the time limit */
	DOWN_STOPPED,	/* killed by the agent: stopped for too long */
	DOWN_CANCELLED, /* killed by the agent: INTERRUPT */
	DOWN_LOST,	/* with its agent or host */
	DOWN_SHUT,	/* RETIRE: in order */
};

/* DOWN.item: what ran cannot be told: the engine's page was overwritten. */
#define DOWN_ITEM_UNKNOWN -2

/* INTERRUPT.kill: what happens to the running item, if it is one of those named */
enum interrupt {
	INTERRUPT_ASK,	      /* it may ask xc_task_is_cancelled */
	INTERRUPT_KILL,	      /* its engine is killed */
	INTERRUPT_KILL_LATER, /* after a second, if it runs still */
};

/* Objects cross hosts in pieces: each but the last has this many bytes, and begins at a
 * multiple of it. A hash goes along with each, made where the object came from. */
#define PIECE_SIZE (UINT64_C(1) << 18)
#define HASH_SIZE  32
#define OBJECT_MAX (UINT64_C(1) << 38)

static inline uint64_t piece_count(uint64_t size)
{
	return (size + PIECE_SIZE - 1) / PIECE_SIZE;
}

/* Bytes of the piece at `offset`; 0: there is none. */
static inline uint64_t piece_size(uint64_t size, uint64_t offset)
{
	if (offset >= size || offset % PIECE_SIZE != 0)
		return 0;
	return size - offset < PIECE_SIZE ? size - offset : PIECE_SIZE;
}

/* LOCATED.kind */
enum holder_kind {
	HOLDER_NONE,   /* code and text say why */
	HOLDER_CLIENT, /* a client that offers it */
	HOLDER_AGENT,
	HOLDER_HOST, /* another agent of the same host: by the stores' sockets */
};

/* CANCEL.how, SHUT.how, RETIRE.how */
enum { CANCEL_HOW_QUEUED, CANCEL_HOW_RUNNING };

/* MANAGE.what */
enum manage { MANAGE_PURGE, MANAGE_PURGE_ALL, MANAGE_CANCEL, MANAGE_CANCEL_RUNNING };

/* Of a session, names it in the ids of jobs. */
#define OWNER_SIZE 8

#endif
