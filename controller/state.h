/* state.h: what the controller knows, and which part of it does what. */
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

#define LOG_HOST_SIZE 64

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
	bool has_object;  /* its program, held in the stores */
	unsigned char object[OBJECT_SIZE];
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
	uint64_t slots, first_engine, cores, store_limit, store_used;
	uint64_t heard_ns;
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

struct state {
	const struct controller_options *options;
	struct connection connection;	  /* as clients are told */
	struct certificates certificates; /* of what listens on the network */
	bool has_network;
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
	int dying;	/* clients */
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

/* controller.c */
int state_watch(struct state *state, struct source *source);
void state_stop(struct state *state, const char *why);

/* listen.c: the socket, and the files that tell of it */
/* Fills in where the cluster is. */
int listen_name(struct state *state, struct xc_error *err);
int listen_start(struct state *state, struct xc_error *err);
/* Writes the connection files. */
int listen_announce(struct state *state, struct xc_error *err);
/* Closes the socket; removes the files. */
void listen_end(struct state *state);
void listen_forget(struct state *state);

/* clients.c: clients: coming and going */
int on_hello_client(struct state *state, struct peer *peer, struct message *m);
void client_remove(struct state *state, struct client *client);
/* Forgets those that are gone with all their jobs. */
void clients_sweep(struct state *state);
/* Removes those whose process has ended a while ago. */
void clients_bury(struct state *state, uint64_t now);
/* The same of those on other hosts that have had no connection for too long. */
void clients_look(struct state *state, uint64_t now);

/* peers.c: agents, engines: coming and going; and what is the same for clients */
int on_hello_agent(struct state *state, struct peer *peer, struct message *m);
int on_hello_engine(struct state *state, struct peer *peer, struct message *m);
int on_bye(struct state *state, struct peer *peer, struct message *m);
int on_beat(struct state *state, struct peer *peer, struct message *m);
int on_down(struct state *state, struct peer *peer, struct message *m);
/* Is a hello as it must be? Else REFUSED is sent, or it needs no answer: negative. `pid`:
 * of the process as the unix connection tells it; 0 of one on another host. `is_again`: the
 * session may be one that had another routing id. */
int peer_check_hello(struct state *state, struct peer *peer, struct message *m, uint64_t protocol,
		     struct span session, bool is_again, pid_t *pid);
int peer_refuse(struct state *state, struct peer *peer, int code, const char *text);
void peer_remove(struct state *state, struct peer *peer);
/* False if the process has ended already. */
bool source_watch_pid(struct state *state, struct source *source, pid_t pid);
void source_unwatch(struct state *state, struct source *source);
void agent_remove(struct state *state, struct agent *agent, const char *why);
void peers_tick(struct state *state);
void peers_free(struct state *state);
struct engine *engine_at(struct state *state, const struct agent *agent, uint64_t slot);
/* May it run what is handed out from now on, sooner or later? */
bool engine_has_future(const struct engine *engine);
/* The end for good: no new slices, and what has not begun goes to others. */
void engine_shut(struct state *state, struct engine *engine, uint64_t how);

/* logs.c: logs of agents and engines on other hosts */
int on_log(struct state *state, struct peer *peer, struct message *m);
/* A host's name as it stands in names of files. */
void log_host(char *to, size_t size, const char *host);
/* Where the log of an engine, or of the agent itself (NULL), is. */
void log_path(const struct state *state, const struct agent *agent, const struct engine *engine,
	      char *path, size_t size);

/* The end for pinned items that have not begun. */
void engine_fail_pinned(struct state *state, struct engine *engine);
/* May pinned items be handed to it from now on? */
bool engine_takes_pinned(const struct engine *engine);

/* control.c: orders of clients for engines */
int on_signal(struct state *state, struct peer *peer, struct message *m);
int on_shut(struct state *state, struct peer *peer, struct message *m);

/* roster.c */
/* To be called whenever what clients are told of it is another. */
void engine_changed(struct state *state, struct engine *engine);
void roster_send(struct state *state);
/* To the agents on the host. */
void peers_send(struct state *state, const char *host);

/* jobs.c: jobs until the end of their last item */
int on_cancel(struct state *state, struct peer *peer, struct message *m);
void job_free(struct state *state, struct job *job);
/* Gives up what only a job that runs needs. */
void job_retire(struct state *state, struct job *job);
/* Ends what has not been handed out, as no engine is left. */
void job_lose(struct state *state, struct job *job, const char *why);
void job_cancel(struct state *state, struct job *job, enum interrupt how);
/* All of it, or items of a job that others share. */
void job_cancel_items(struct state *state, struct job *job, int64_t first, int64_t count,
		      enum interrupt how);
void job_orphan(struct state *state, struct job *job);
/* Are its results more than those who should take them can? */
bool job_is_paused(const struct state *state, const struct job *job);
/* One slice less; the job may be gone afterwards. */
void job_release(struct state *state, struct job *job);
/* Items that have ended: reports them, ends the job if they were the last.
 * `count` items from `first` are covered by the payload; failures may lie
 * outside. Frames are consumed. The job may be gone afterwards. */
void job_report(struct state *state, struct job *job, int64_t first, int64_t count, int engine,
		uint64_t busy_ns, int64_t ended, int64_t failed, zmq_msg_t *failures,
		zmq_msg_t *payload);
/* Ends a run of items in one state. */
void job_end_items(struct state *state, struct job *job, int64_t first, int64_t count,
		   enum xc_state how, int code, int attempts, int engine, const char *text);
/* Puts items back to be run. `to` NULL: any engine. */
void job_requeue(struct state *state, struct job *job, int64_t first, int64_t count, int attempt,
		 struct engine *to);
/* May the engine run items of the job, as far as its view goes? */
bool job_allows(const struct job *job, const struct engine *engine);
/* Was this item cancelled, while others of its job were not? */
bool job_is_unwanted(const struct job *job, int64_t item);
bool job_may_rerun(const struct job *job, int attempt, bool lost);
void job_update_runnable(struct state *state, struct job *job);
void payload_unref(struct payload *payload);

/* Is it the next message of the session? One that was sent again is not; a gap is
 * asked for. */
bool client_is_next(struct state *state, struct client *client, uint64_t seq);

/* Empty for those that are not of the everywhere-log. */
static inline const char *job_name(const struct job *job)
{
	return job->name ? job->name : "";
}

/* A frame that stays. A small one shares the buffer in which it came,
 * which would stay as long as it does: it is copied. `from` is
 * empty then. */
void frame_keep(zmq_msg_t *to, zmq_msg_t *from);

/* submit.c: from a SUBMIT to a job */
int on_submit(struct state *state, struct peer *peer, struct message *m);
/* Item `index` of a job that has ended (-1: all) as a new job of the client, to be
 * begun; NULL when memory is out. */
struct job *job_again(struct state *state, struct client *client, const struct job *old,
		      uint64_t id, int64_t index);
/* Hands out its items. The job may be gone afterwards. */
void job_begin(struct state *state, struct job *job);
/* A job of the controller's own with one item, made like another. */
struct job *job_internal(struct state *state, const char *name, zmq_msg_t *task,
			 zmq_msg_t *payload);

/* slices.c: slices in the hands of engines */
/* Those after number `had` once more: they may be lost with a connection. */
void slices_send_again(struct state *state, struct engine *engine, uint64_t had);
int on_done(struct state *state, struct peer *peer, struct message *m);
int on_taken(struct state *state, struct peer *peer, struct message *m);
void slice_send(struct state *state, struct engine *engine, struct job *job, int64_t first,
		int64_t count, int attempt);
/* The engine died: `item` (-1: none) of slice `number` was running. */
void slices_lost(struct state *state, struct engine *engine, enum down_cause cause, int code,
		 uint64_t number, int64_t item, const char *text, bool certain);
void slice_take(struct state *state, struct slice *slice, bool all);
/* NULL: the engine has none of this number. */
struct slice *slice_find(struct engine *engine, uint64_t number);
void engine_set_level(struct state *state, struct engine *engine, int level);
void pinned_add(struct state *state, struct engine *engine, struct job *job, int64_t first,
		int64_t count, int attempt, bool front);
void pinned_remove(struct engine *engine, struct pinned *pinned);
void engine_update_waiting(struct state *state, struct engine *engine);

/* schedule.c: who gets what */
void schedule(struct state *state);

/* measure.c */
struct measure *measure_get(struct state *state, const void *frame, size_t size);
void measure_put(struct state *state, struct measure *measure);
void measure_add(struct measure *measure, struct engine *engine, int64_t items, uint64_t busy_ns);
double measure_item_ns(const struct measure *measure);

/* history.c: jobs that have ended, and results that were delivered */
/* The job may be gone afterwards. */
void job_finish(struct state *state, struct job *job);
/* Tells all who want to hear of it. Frames are consumed. */
void job_tell(struct state *state, struct job *job, struct msg_result *result, zmq_msg_t *failures,
	      zmq_msg_t *payload);
/* A client has it, or is gone; takes the parcel. The job may be gone afterwards. */
void parcel_acknowledged(struct state *state, struct parcel *parcel);
void parcel_orphaned(struct state *state, struct parcel *parcel);
/* Its client hears of it no more, from now on. */
void job_leave(struct state *state, struct job *job);
/* Before it is freed. */
void history_remove(struct state *state, struct job *job);
void history_free(struct state *state);

/* attach.c: clients that hear of jobs of others */
int on_attach(struct state *state, struct peer *peer, struct message *m);
int on_detach(struct state *state, struct peer *peer, struct message *m);
struct attachment *attachment_find(struct client *client, uint64_t number);
void attachment_free(struct state *state, struct attachment *attachment);
/* Copies to all that are attached. */
void attachments_tell(struct state *state, struct job *job, const struct msg_result *result,
		      zmq_msg_t *failures, zmq_msg_t *payload);
/* The job of a client with this begin of its session; NULL. */
struct job *job_find(struct state *state, struct span owner, uint64_t number);

/* records.c: what there is to know of jobs, and orders about them */
int on_jobs(struct state *state, struct peer *peer, struct message *m);
int on_manage(struct state *state, struct peer *peer, struct message *m);
/* The frame is consumed. */
int answer_send(struct state *state, struct peer *peer, const struct msg_answer *m,
		zmq_msg_t *frame);

/* holds.c: objects that must not go with the client that brought them */
void hold_add(struct state *state, const unsigned char *object);
void hold_drop(struct state *state, const unsigned char *object);
bool hold_is_held(const struct state *state, const unsigned char *object);
void holds_free(struct state *state);

/* tracker.c: which agents have which objects, and from whom others fetch them */
struct tracked;
int on_stored(struct state *state, struct peer *peer, struct message *m);
int on_freed(struct state *state, struct peer *peer, struct message *m);
int on_locate(struct state *state, struct peer *peer, struct message *m);
int on_dataport(struct state *state, struct peer *peer, struct message *m);
/* It has gone, or has nothing of what it had. */
void tracker_forget_agent(struct state *state, const struct agent *agent);
/* The client does not give the object any more. */
void tracker_forget_source(struct state *state, struct tracked *tracked,
			   const struct client *client);
void tracker_tick(struct state *state);
void tracker_free(struct state *state);

/* offers.c: objects that clients without a store give */
int on_offer(struct state *state, struct peer *peer, struct message *m);
int on_release(struct state *state, struct peer *peer, struct message *m);
void offers_forget_client(struct state *state, struct client *client);

/* relay.c: pieces of objects on their way through us */
int on_fetch(struct state *state, struct peer *peer, struct message *m);
int on_piece(struct state *state, struct peer *peer, struct message *m);

/* outbox.c: results on their way to clients */
/* NULL when memory is out. Frames are consumed. */
struct parcel *outbox_add(struct state *state, struct client *client, struct msg_result *result,
			  zmq_msg_t *failures, zmq_msg_t *payload);
/* The answer to an ATTACH. */
void outbox_answer(struct state *state, struct client *client, struct msg_attached *attached,
		   const char *text);
/* The same that nobody gets for now. */
struct parcel *parcel_make(struct state *state, const struct msg_result *result,
			   zmq_msg_t *failures, zmq_msg_t *payload);
void parcel_head(const struct parcel *parcel, struct msg_result *result);
/* Frames that share the bytes. */
void parcel_share(struct parcel *parcel, zmq_msg_t *frames);
void parcel_free(struct state *state, struct parcel *parcel);
void outbox_ack(struct state *state, struct client *client, uint64_t seq);
int outbox_resend(struct state *state, struct client *client, uint64_t from);
void outbox_clear(struct state *state, struct client *client);
int on_ack(struct state *state, struct peer *peer, struct message *m);
int on_ping(struct state *state, struct peer *peer, struct message *m);
int on_resend(struct state *state, struct peer *peer, struct message *m);

/* output.c: what items print */
int on_output(struct state *state, struct peer *peer, struct message *m);
/* Is it of an item in [at, end)? If so, makes it fit for the job's client. */
bool output_settle(struct slice *slice, struct failure_run *run, int64_t at, int64_t end);

/* everywhere.c */
/* Logs the job; engines that have joined unknown to the client (they are not
 * among the targets) get it, too. */
void everywhere_submit(struct state *state, struct job *job, struct span object,
		       zmq_msg_t *targets);
/* The job ends: what no engine has taken is not brought to later ones. */
void everywhere_end(struct state *state, const struct job *job);
void everywhere_replay(struct state *state, struct engine *engine);
void everywhere_free(struct state *state);

/* status.c */
int on_query(struct state *state, struct peer *peer, struct message *m);

#endif
