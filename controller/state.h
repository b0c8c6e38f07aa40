/* state.h: what the controller knows; which part of it does what stands in parts.h. */
#ifndef CONTROLLER_STATE_H
#define CONTROLLER_STATE_H

#include <limits.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <uthash.h>

#include "controller/certificates.h"
#include "controller/controller.h"
#include "controller/intervals.h"
#include "controller/note.h"
#include "libcluster/ledger.h"
#include "libcluster/wire.h"
#include "proto/connection.h"
#include "proto/job.h"
#include "proto/task.h"

#define LOST_ATTEMPTS  3		   /* runs of an item whose engine went away */
#define ENGINE_SLICES  2		   /* in the hands of an engine */
#define WINDOW_BYTES   (UINT64_C(4) << 20) /* results sent, not acknowledged */
#define HELD_BYTES_MAX (UINT64_C(8) << 20) /* results kept; above, no new slices */
#define FRAME_COPY_MAX 2048		   /* see frame_keep */

#define LOG_HOST_SIZE  64
#define DEATH_GRACE_NS 200000000 /* from a process's end, for what it had said */

struct state;
struct client;
struct engine;
struct agent;

/* Something in the epoll set. */
struct source {
	void (*on_ready)(struct state *state, struct source *source);
	int fd; /* -1: none */
};

/* Who is behind a routing id. */
struct peer {
	unsigned char route[ROUTE_SIZE];
	enum role role;
	bool is_remote; /* came over the network, with a key */
	union {
		struct client *client;
		struct agent *agent;
		struct engine *engine;
	} is; /* borrowed */
	UT_hash_handle hh;
};

/* Measured times of a function, kept between jobs. */
struct measure {
	void *frame; /* the task frame, owned: the key */
	size_t size;
	double busy_ns, items; /* decayed sums */
	int64_t largest;       /* slice measured */
	int users;
	UT_hash_handle hh;
};

/* The bytes of a job's items, shared with messages on their way. */
struct payload {
	zmq_msg_t message;
	_Atomic int refs;
};

/* Items that run again, with the number of their next attempt. */
struct rerun {
	int64_t first, count;
	int attempt;
	struct rerun *prev, *next;
};

/* A client that hears of a job under a number of its own. */
struct attachment {
	uint64_t number;
	struct client *client; /* borrowed */
	struct job *job;
	struct attachment *prev, *next; /* of the job */
	UT_hash_handle hh;		/* of the client */
};

struct job {
	struct client *client; /* NULL: the controller's own, for the everywhere-log */
	uint64_t id;
	bool pinned, cancelled;
	bool is_stopped;  /* cancelled by its own failure */
	bool is_left;	  /* its client hears of it no more */
	bool is_finished; /* in the history, or kept */
	bool is_kept;	  /* finished, and nobody has had its results */
	bool is_dropped;  /* some of its results are not there any more */
	bool is_purged;	  /* nobody finds it any more; it goes once it is finished */
	bool has_object;  /* its program, held in the stores */
	bool has_combine; /* the program that combines its results, held as well */
	unsigned char object[OBJECT_SIZE], combine[OBJECT_SIZE];
	int64_t items, chunk;
	uint64_t form, in_size, out_size, flags;
	int max_attempts;
	char label[64];
	char *name; /* in the everywhere-log; owned, NULL: none */
	int64_t priority;
	bool *only;		/* balanced over some engines: by id; owned. NULL: over all */
	int only_count, shares; /* room of it; engines in it */
	zmq_msg_t task, targets;
	struct payload *payload;    /* NULL: it is not there any more */
	struct measure *measure;    /* NULL for a single item */
	struct intervals remaining; /* balanced, first attempt */
	struct intervals unwanted;  /* cancelled, while others are not; some may have ended */
	struct rerun *reruns;	    /* balanced */
	int64_t ended, failed;
	uint64_t output_bytes; /* passed on of what its items printed */
	int slices;	       /* in flight */
	int queued;	       /* entries of it in engines' lists of pinned items */
	bool is_runnable;
	uint64_t submitted_ns, started_ns, finished_ns;
	struct parcel *results; /* that somebody has had, or nobody is there to have */
	uint64_t told, had;	/* parcels made; of them, acknowledged by somebody */
	int64_t unacked;	/* parcels in outboxes that point here */
	uint64_t result_bytes;	/* of all results there were */
	uint64_t cost;		/* of what is kept of it in bytes, see history.c */
	struct attachment *attachments;
	struct job *prev, *next; /* of the client's runnable jobs; of the history */
	UT_hash_handle hh;	 /* of the client's jobs */
};

/* Every item has ended and its client is told so; engines may not have said their last
 * word on slices of it that were cancelled, so that it need not be finished. */
static inline bool job_has_ended(const struct job *job)
{
	return job->is_finished || job->ended == job->items;
}

/* Items of a job for one engine. */
struct pinned {
	struct job *job;
	int64_t first, count;
	int attempt;
	struct pinned *prev, *next;
};

struct slice {
	uint64_t number; /* of the engine and epoch */
	struct job *job;
	struct engine *engine;
	int64_t first, count;
	int64_t size;  /* count when it was sent */
	int64_t done;  /* items reported, from the first */
	bool finished; /* the engine has said its last word on it */
	bool take_pending;
	bool take_all; /* that take is of all that has not begun */
	bool keep;     /* nothing to take any more */
	int attempt;
	uint64_t sent_ns;
	struct slice *prev, *next; /* of the engine, in order */
};

enum engine_state {
	ENGINE_STARTING,
	ENGINE_UP,
	ENGINE_DOWN, /* its next process is being started */
	ENGINE_GONE,
	ENGINE_CLOSING, /* being shut down: gets nothing more */
	ENGINE_SHUT,	/* N.B. these two are the last: see charge */
};

struct engine {
	int id;
	struct agent *agent; /* NULL: gone */
	uint64_t slot, epoch;
	enum engine_state state;
	struct peer *peer;	/* while up */
	struct peer *next_peer; /* its successor, whose hello overtook the DOWN */
	uint64_t next_epoch;
	pid_t next_pid;
	double next_started;
	pid_t pid;
	double started; /* Unix time */
	struct slice *slices;
	int slice_count;
	int level; /* list it is on: slices in flight; -1: not up */
	uint64_t last_slice, last_record, acked_record;
	struct pinned *pinned;
	bool is_waiting; /* on the list of engines with pinned items to send */
	bool has_log;	 /* got the everywhere-log */
	bool is_short;	 /* idle, as nothing that there is would end in its time */
	double speed;	 /* 1: as the mean */
	int64_t items_run;
	int threads, next_threads; /* that its libraries may use; next: of next_peer */
	int restarts;
	char log_host[LOG_HOST_SIZE]; /* in the names of logs; empty: it is on our host */
	char reason[256];
	uint64_t version;			    /* of the roster, when it changed last */
	struct engine *prev, *next;		    /* of its level */
	struct engine *waiting_prev, *waiting_next; /* of state->waiting */
	struct engine *changed_prev, *changed_next; /* of state->changed */
	bool counts_as_starting;		    /* in state->engines_starting */
};

struct agent {
	struct source pidfd;
	struct peer *peer;
	struct ledger ledger;
	unsigned char session[SESSION_SIZE];
	int index;
	char host[256], store[PATH_MAX], log[PATH_MAX];
	bool is_remote; /* on another host */
	char log_host[LOG_HOST_SIZE];
	bool log_failed;  /* it could not be written of late */
	char launch[256]; /* what has started it, for people */
	pid_t pid;
	uint64_t slots, first_engine, store_limit, store_used;
	uint64_t cores, usable; /* of its host, and of them those that it may use */
	uint64_t heard_ns;
	uint64_t died_ns;		       /* its process has ended; 0: it has not */
	uint64_t beats_ns[2];		       /* when its last BEAT came, and the one before */
	char data_endpoint[256], data_key[41]; /* its data port; empty: it has none */
	char near[64];			       /* our address for it; empty: not over a network */
	uint64_t ends_ns;		       /* when its time is up; 0: not known, or it was */
	double drain_margin;		       /* s before: it drains */
	bool is_draining;
	struct agent *prev, *next;
};

/* A RESULT kept until acknowledged. */
struct parcel {
	uint64_t seq;
	unsigned char header[160];
	size_t header_size;
	zmq_msg_t frames[2];
	uint64_t bytes;
	struct job *job; /* that is to hear of its acknowledgement; NULL: none */
	uint64_t index;	 /* of the parcels of that, from 1 */
	bool is_copy;	 /* for a client that is attached */
	struct parcel *prev, *next;
};

struct client {
	struct source pidfd;
	struct peer *peer; /* NULL: gone, but of its jobs there are some */
	unsigned char session[SESSION_SIZE];
	char host[256], name[64];
	pid_t pid;
	uint64_t died_ns; /* its process has ended, but messages may be on their way */
	int fd;		  /* over the network: of the connection of its last hello, */
	ino_t inode;	  /* and what tells it from another of that number */
	uint64_t away_ns; /* since when it has no connection; 0: it has one */
	uint64_t probed_ns;
	uint64_t last_job;	/* highest number of its jobs */
	uint64_t received;	/* last message taken */
	uint64_t made;		/* last parcel made */
	struct parcel *parcels; /* not acknowledged, in order */
	struct parcel *unsent;	/* first of them not sent; NULL: all are */
	uint64_t held_bytes, window_bytes;
	uint64_t input_bytes;
	struct job *jobs;		/* that have not ended, by id */
	int records;			/* its jobs that have ended */
	struct attachment *attachments; /* by number */
	struct offer *offers;		/* objects that it has given, or wants to */
	struct job *runnable;
	bool in_ring;
	zmq_msg_t will; /* task frame, see wills.c */
	bool has_will;
	double weight; /* of its share of the engines */
	double pass;   /* work handed out to it, divided by its weight */
	uint64_t roster_version, agents_version, note_version;
	struct client *prev, *next;	      /* of all */
	struct client *ring_prev, *ring_next; /* of those with runnable jobs */
};

/* An entry of the everywhere-log. */
struct everywhere {
	char name[256];
	bool is_variable;
	const struct job *job; /* borrowed; NULL: it has ended */
	zmq_msg_t task, payload;
	bool has_object;
	unsigned char object[OBJECT_SIZE];
	struct everywhere *prev, *next;
};

/* An object that agents hold for us. */
struct hold {
	unsigned char object[OBJECT_SIZE];
	int count;
	UT_hash_handle hh;
};

/* Jobs that have ended. */
struct history {
	struct job *jobs;	       /* that may be forgotten, oldest first */
	struct job *fat;	       /* the first of them that may have bytes to give up */
	struct job *kept;	       /* that asked for it, and nobody has had their results */
	int count, max;		       /* of jobs */
	uint64_t bytes;		       /* cost of all but those of JOB_KEEP */
	uint64_t kept_bytes, kept_max; /* cost of those */
};

/* Of connections without a key yet: see guard.c. */
struct guard {
	struct source source;
	void *monitor; /* NULL: nothing listens on the network */
	struct stranger *strangers;
};

struct state {
	const struct controller_options *options;
	struct connection connection;	  /* as clients are told */
	struct certificates certificates; /* of what listens on the network */
	bool has_network;
	struct guard guard;
	unsigned char session[SESSION_SIZE];
	double heartbeat_timeout;
	void *context, *router;
	int epoll, lock;
	struct source signals, lifeline;
	struct peer *peers;
	struct client *clients, *ring;
	struct client *departed; /* gone, with jobs that are not */
	struct history history;
	zmq_msg_t task; /* frame of the job that came last */
	bool has_task;
	struct hold *holds;
	struct tracked *tracked; /* objects, by id */
	int wants;		 /* LOCATEs that wait */
	uint64_t rounds;	 /* searches for a holder, so far */
	char left[256];		 /* host whose agent has gone last, */
	uint64_t left_ns;	 /* and when */
	struct agent *agents;
	struct engine **engines; /* by id */
	int engine_count, engine_room, engines_up;
	struct engine *levels[ENGINE_SLICES + 1];
	struct engine *waiting;
	struct engine *changed; /* all, by version */
	int engines_starting;	/* or starting again */
	uint64_t roster_ns;	/* no round of ROSTERs before */
	struct measure *measures;
	struct everywhere *log;
	struct note note;
	struct parcel *spare_parcels;
	struct slice *spare_slices;
	uint64_t roster_version, agents_version;
	int agent_count;
	int takes_pending;
	int dying;	/* clients and agents */
	double pass;	/* of the client served last */
	int restricted; /* jobs with `only` */
	int ignored;	/* messages, of late */
	unsigned ticks;
	bool recheck;	      /* idle engines, and work too young to take: look again soon */
	uint64_t deserted_ns; /* since when no engine is left, 0: some are */
	uint64_t started_ns, last_tick_ns;
	uint64_t stop_ns; /* stopping since; 0: not */
};

/* To a peer; what an agent must not lose is kept until it has it. Frames are consumed. */
int peer_send(struct state *state, struct peer *peer, const void *header, size_t size,
	      zmq_msg_t *frames, int count);

#define SEND_PEER(state, to, lower, ...)                                                           \
	({                                                                                         \
		unsigned char header_[HEADER_MAX];                                                 \
		size_t size_ = msg_##lower##_pack(header_, sizeof header_,                         \
						  &(struct msg_##lower){ __VA_ARGS__ });           \
		peer_send(state, to, header_, size_, NULL, 0);                                     \
	})

#include "controller/parts.h"

#endif
