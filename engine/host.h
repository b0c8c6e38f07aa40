/* host.h: the agent's state, shared by its parts: agent.c (loop, controller), uplink.c (its
 * connection), forward.c (logs that are sent), place.c (its files),
 * slot.c (engine processes), sink.c (what they print), cancel.c (items of theirs to
 * be stopped), retire.c (their end in order), rescue.c (what a dead one left),
 * service.c (store connections), transfer.c and others (objects of other hosts: see
 * transfer.h). */
#ifndef ENGINE_HOST_H
#define ENGINE_HOST_H

#include <limits.h>
#include <sys/types.h>

#include "engine/agent.h"
#include "engine/page.h"
#include "engine/store.h"
#include "libcluster/channel.h"
#include "libcluster/dial.h"
#include "libcluster/ledger.h"
#include "libcluster/wire.h"
#include "proto/connection.h"
#include "proto/task.h"

struct agent;
struct connection_refs; /* service.c */

/* Something in the agent's epoll set. */
struct source {
	void (*on_ready)(struct source *source);
	int fd;
};

enum slot_state {
	SLOT_EMPTY,    /* no process */
	SLOT_STARTING, /* has not asked for its configuration */
	SLOT_RUNNING,
	SLOT_FAILED,  /* died at start too often */
	SLOT_RETIRED, /* shut down for good */
};

/* Items of a slice that were cancelled, while others of it were not. */
struct unwanted {
	uint64_t slice;
	int64_t first, end;
	bool kill; /* the engine, if it runs one of them */
};

/* Where goes what an engine prints: see sink.c. Offsets are of the output. */
struct sink {
	int fd;		 /* the output, as the engine has it; -1 */
	int log;	 /* the engine's log; -1 */
	uint64_t logged; /* is in the log up to here */
	uint64_t freed;	 /* of what was before, the memory is free */
	uint64_t told;	 /* the controller knows of the running item's up to here */
	uint64_t slice, written;
	int64_t item; /* that `told` is of */
};

struct slot {
	struct agent *agent; /* borrowed */
	int index;
	enum slot_state state;
	pid_t pid;
	uint64_t epoch; /* of the process, from 1 */
	int threads;	/* that its libraries may use, by an order; 0: none has come */
	struct source channel;
	int arena_fd;
	struct sink sink;
	struct page *page;	      /* mapped, shared with the engine */
	struct variable *variables;   /* outlive the process */
	struct connection_refs *refs; /* of the process */
	uint64_t started_ns;	      /* when the process was */
	int quick_deaths;	      /* before it could run a task, in a row */
	bool killed;		      /* by us, for `cause` */
	enum down_cause cause;
	/* slices to be killed, and when; an engine has several in hand */
	uint64_t condemned[PAGE_CLAIMS], condemned_ns[PAGE_CLAIMS];
	uint64_t stopped_ns;	   /* since when it is stopped by a signal; 0: is not */
	struct unwanted *unwanted; /* owned */
	size_t unwanted_count;
	bool judging;	     /* stopped by us, to see what it runs */
	bool signalled;	     /* by KILL: its death says nothing of it */
	bool retired;	     /* no process after this one */
	bool retire_now;     /* whatever it runs */
	uint64_t retired_ns; /* since when it runs nothing more; 0: it may */
	int64_t forwarded;   /* bytes of its log that the controller was sent */
};

struct visitor;
struct lingering;
struct transfer;
struct link;

/* A RESERVE that there was no room for. */
struct deferred {
	int fd; /* borrowed: of the channel */
	uint64_t size, beat;
	struct deferred *next;
};

/* Lines of the agent's log that the controller is still to get. */
struct forward {
	char *text; /* owned */
	size_t size;
};

struct agent {
	const struct agent_options *options;
	struct connection connection;
	unsigned char session[SESSION_SIZE];
	bool is_remote;		/* not on the controller's host */
	void *context, *dealer; /* dealer: of `dial` */
	struct dial dial;
	struct ledger ledger;
	uint64_t heard_ns;   /* of the controller */
	uint64_t probed_ns;  /* when its port was tried last, */
	uint64_t refused_ns; /* and since when nobody listens there; 0: somebody does */
	struct forward forward;
	int epoll, lock;
	struct source signals, listener, controller; /* controller: its pidfd */
	struct source launcher;
	char dir[PATH_MAX]; /* of what it keeps in files */
	char store_path[PATH_MAX], log_path[PATH_MAX], lock_path[PATH_MAX];
	struct store store;
	struct connection_refs *holds; /* of the controller */
	struct visitor *visitors;      /* connections to the store */
	struct lingering *lingering;   /* references of some that have gone, oldest first */
	struct slot *slots;
	bool welcomed;
	bool has_to_start; /* more engines than were started in one go */
	uint64_t first_engine;
	double heartbeat_timeout;
	uint64_t last_beat_ns, beats_sent, beats_heard;
	uint64_t sunk_ns; /* when what engines print was looked after */
	struct deferred *deferred;
	struct transfer *transfers; /* objects on their way here, by id */
	struct link *links;	    /* to data ports of others */
	void *port, *zap;	    /* our data port, and who may come; NULL: there is none */
	/* of all agents: who has these may come to data ports; empty: there are none */
	char engine_public[CONNECTION_KEY_SIZE], engine_secret[CONNECTION_KEY_SIZE];
	char **peers; /* other stores of this host, owned */
	int peer_count;
	bool stopping;
	uint64_t kill_ns; /* when stopping: SIGKILL from then on */
	bool done;
	bool stale; /* the controller has given us up: begin anew */
	struct source parent, clock;
	double ends; /* Unix time at which our time is up; 0: not known */
	double drain_margin;
	char gone[256]; /* why it ends, when that is not in order */
};

/* agent.c */
int agent_watch(struct agent *agent, struct source *source);
void agent_stop(struct agent *agent);
/* Sends a BEAT; the controller answers each. */
void agent_beat(struct agent *agent);

/* launcher.c: whoever started this agent, until it lets it go */
int launcher_watch(struct agent *agent);
/* Without having let it go. */
bool launcher_is_gone(const struct agent *agent);
void launcher_tell_welcome(struct agent *agent);
void launcher_fini(struct agent *agent);
/* uplink.c: the connection to the controller */
int uplink_open(struct agent *agent, struct xc_error *err);
/* The controller knows us, and has taken so many of our messages. */
void uplink_welcome(struct agent *agent, uint64_t taken);
/* Sees to breaks, and to a controller that is silent for too long. */
void uplink_tick(struct agent *agent);
void uplink_close(struct agent *agent, int linger_ms);
/* A message that must not be lost with a connection, or any other; frames are consumed. */
int agent_send(struct agent *agent, const void *header, size_t size, zmq_msg_t *frames, int count);

#define AGENT_SEND(agent, lower, ...)                                                              \
	({                                                                                         \
		unsigned char header_[HEADER_MAX];                                                 \
		size_t size_ = msg_##lower##_pack(header_, sizeof header_,                         \
						  &(struct msg_##lower){ __VA_ARGS__ });           \
		agent_send(agent, header_, size_, NULL, 0);                                        \
	})

/* forward.c: logs, to the controller */
void forward_open(struct agent *agent);
void forward_tick(struct agent *agent);
/* Of an engine that has died, whose log is complete. */
void forward_rest(struct slot *slot);
void forward_close(struct agent *agent);

/* place.c: its files */
int place_take(struct agent *agent, struct xc_error *err);
void place_leave(struct agent *agent);

/* slot.c */
int slots_create(struct agent *agent);
void slots_destroy(struct agent *agent);
void slots_start(struct agent *agent);
/* Takes in deaths, stops and continuations of children. */
void slots_reap(struct agent *agent);
/* Time limits, stopped engines; and when stopping, SIGKILL. */
void slots_tick(struct agent *agent);
bool slots_any_alive(const struct agent *agent);
struct slot *slot_find(struct agent *agent, uint64_t index, uint64_t epoch);
void slot_kill(struct slot *slot, enum down_cause cause);

/* cancel.c */
int slot_cancel_items(struct slot *slot, const struct unwanted *unwanted);
/* Looks whether it runs an item that was cancelled. */
void slot_watch_cancelled(struct slot *slot);
/* It has been stopped, so that the item that runs stays the same. */
void slot_judge(struct slot *slot);
void slot_forget_cancelled(struct slot *slot);

/* retire.c: the end of engines in order */
/* Asks it to end as soon as its item has; one that runs none is woken. */
void slot_end(struct slot *slot);
void slots_end(struct agent *agent);
/* The end for good. */
void slot_retire(struct slot *slot, bool now);
/* What is left to be done for one that was asked. */
void slot_watch_end(struct slot *slot, uint64_t now);
/* Was it the last one? Then the agent ends. */
void slots_check_retired(struct agent *agent);

/* ends.c: signals, and the ends of others that end this agent */
int ends_watch(struct agent *agent, struct xc_error *err);

/* drain.c: the end of this host's time */
int drain_open(struct agent *agent);
/* Tells the controller, if there is something to tell. */
void drain_tell(struct agent *agent);

/* sink.c: what engines print, to their logs and to the controller */
/* Makes the output of a new process; 0 or -errno. */
int sink_open(struct slot *slot, const char *log);
void sink_close(struct slot *slot);
/* Of all slots, ten times a second. */
void sinks_tick(struct agent *agent);
/* Brings to the log what is not there yet. */
void sink_log(struct slot *slot);
/* What the running item has printed as a run, the text to be given to free(); false:
 * nothing. */
bool sink_rest(struct slot *slot, const struct page *page, struct failure_run *run);

/* rescue.c: sends what the dead engine had finished, then DOWN. `status` as
 * from wait. */
void slot_rescue(struct slot *slot, int status, bool restarting);

/* service.c */
int service_listen(struct agent *agent, struct xc_error *err);
void service_fini(struct agent *agent);
/* Lets go of references whose time has come. */
void service_tick(struct agent *agent, uint64_t now);
/* Answers one request of an engine; false when the channel is at its end. */
bool service_engine(struct slot *slot);
/* Requests that waited for a BEAT; forgets those of a channel that closes. */
void service_answer_deferred(struct agent *agent);
void service_forget(struct agent *agent, int fd);
/* Answers an OP_FETCH: 0, the object is in the store; else the code. */
void service_answer_fetch(struct agent *agent, struct slot *slot, int fd, const void *id, int code,
			  const char *text);
void hold_object(struct agent *agent, struct span id);
void drop_object(struct agent *agent, struct span id);
void refs_clear(struct store *store, struct connection_refs **refs);

#endif
