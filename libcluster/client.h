/* client.h: the client's state, shared by the library's parts: client.c
 * (pump, sending), session.c (opening, closing), query.c (questions), roster.c, view.c, ship.c
 * (functions and objects), offer.c (objects without a store on this host), library.c (functions by
 * name), source.c (source text), submit.c, batch.c, result.c, incoming.c (results arriving),
 * ended.c (which items have ended), output.c and printing.c (what items print), stream.c, data.c,
 * pull.c, progress.c, loop.c (event loops of others), attach.c and jobs.c (jobs by id), control.c
 * (orders for engines), inline*.c (no cluster at all). */
#ifndef LIBCLUSTER_CLIENT_H
#define LIBCLUSTER_CLIENT_H

/* A hash table that cannot grow is an error of the call, not the end of the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "libcluster/channel.h"
#include "libcluster/dial.h"
#include "libcluster/image.h"
#include "libcluster/inline.h"
#include "libcluster/progress.h"
#include "libcluster/streams.h"
#include "libcluster/wire.h"
#include "proto/connection.h"
#include "proto/task.h"

#define XCI_OPEN_LIMIT_S    10 /* for the controller's word at once */
#define FAILURES_KEPT	    10000
#define XCI_LOOK_NS	    UINT64_C(1000000) /* between looks whether a peer's process lives */
#define XCI_BATCH_INPUT_MAX 1024	      /* larger inputs are submitted by themselves */

enum xci_engine_state { XCI_STARTING, XCI_UP, XCI_DOWN, XCI_GONE, XCI_CLOSING, XCI_SHUT };

struct xci_engine {
	enum xci_engine_state state;
	char *reason;	   /* owned, or NULL */
	int agent;	   /* index, -1 if it is gone */
	char *host;	   /* owned; NULL: not known yet */
	uint64_t heard_ns; /* of it, by a RESULT */
};

struct xci_agent {
	int index;
	char host[256], store[CONNECTION_PATH_MAX];
	unsigned char session[SESSION_SIZE];
};

enum view_kind { VIEW_ALL, VIEW_BALANCED, VIEW_LIST };

struct xc_view {
	struct xc_client *client; /* borrowed */
	enum view_kind kind;
	uint32_t *ids; /* VIEW_LIST, or balanced over some; owned */
	int count;
	struct xc_view *next;
};

/* An image that tasks come from, and whether the store has it from us. */
struct xci_shipped {
	uintptr_t key; /* 0: a library loaded by path */
	char *path;    /* that was given for it last; owned, or NULL */
	struct xci_image *image;
	bool is_put;
	bool is_offered; /* to the controller: this host has no store */
	struct xci_shipped *prev, *next;
};

/* What was sent and may have to be sent again. */
struct xci_sent {
	uint64_t seq;
	unsigned char header[512];
	size_t header_size;
	zmq_msg_t frames[3];
	int count;
	struct xci_sent *prev, *next;
};

/* The answer to an ATTACH, awaited. */
struct xci_attach {
	const char *call;
	struct xc_result *result;
	int64_t index; /* item of the job; -1: all */
	void *out;
	size_t out_bytes;		/* room there */
	const struct xc_reduction *how; /* borrowed; NULL: results are not combined */
	bool again;
	bool may_run; /* that job has been asked for, and not only whether it would be one */
	bool is_answered, is_refused;
	int code;
	char text[400];
};

/* A job on the wire: of one result, or of many that were submitted apart. */
struct xci_job {
	uint64_t id;
	bool is_attached;	   /* another's, or one that had another number before */
	struct xci_attach *attach; /* borrowed; NULL: none is awaited */
	uint64_t input_bytes;
	struct xc_result *single;   /* borrowed; NULL when it was destroyed */
	struct xc_result **members; /* owned list of borrowed, holes NULL */
	int64_t count;		    /* of members */
	int64_t outputs_taken;	    /* of the message held: runs of output before memory was out */
	UT_hash_handle hh;
};

struct xci_failure {
	struct xc_failure failure;
	struct xci_failure *next;
	char text[];
};

struct xci_share {
	int engine;
	int64_t items;
};

/* Items that ended, in one way. */
struct xci_run {
	int64_t first, end;
	enum xc_state state;
};

/* Which items have ended: a log as they did, for which nobody pays who does not ask;
 * and, once somebody asks, the same sorted by item. */
struct xci_ended {
	struct xci_run *log, *sorted; /* owned */
	size_t count, room;	      /* of the log */
	size_t taken;		      /* runs of it that are in `sorted` in full */
	int64_t taken_end;	      /* end of the last one taken when it was */
	size_t sorted_count;
	bool is_short;	  /* memory was out: something is missing */
	size_t at;	  /* XC_ANY_ORDER: run of the log, ... */
	int64_t offset;	  /* ... and items of it handed out */
	int64_t next;	  /* XC_IN_ORDER: item */
	int64_t next_end; /* known to have ended up to here */
};

/* What was printed: `cut` bytes are missing between head and tail. */
struct xci_parts {
	struct span head, tail;
	uint64_t cut;
};

/* Bytes that grow, with a zero byte behind; with `cut`, bytes are missing behind
 * the first `head`. */
struct xci_text {
	char *bytes; /* owned */
	size_t size, room, head;
	uint64_t cut;
};

/* What an item has printed. */
struct xci_output {
	int64_t item;
	struct xci_text done; /* by runs of it that have ended */
	struct xci_text live; /* by the one now */
	int engine;	      /* of that */
	uint64_t shown;	      /* of that: is on the terminal up to here */
	struct xci_text both; /* as handed out */
};

struct xci_outputs {
	struct xci_output **list; /* by item; owned */
	int64_t count, room;
	uint64_t bytes; /* of `done` in all */
};

/* A packed payload that items point into. */
struct xci_blob {
	zmq_msg_t message;
	struct xci_blob *next;
};

struct xci_tree;

struct xc_result {
	struct xc_client *client;	 /* borrowed; NULL after xc_close */
	struct xci_job *job;		 /* NULL before it is sent, and once it has ended */
	int64_t index;			 /* within the job, for a member */
	unsigned char owner[OWNER_SIZE]; /* with the number: of the job, for its id */
	uint64_t number;		 /* 0: not known before it is sent */
	bool is_kept;			 /* goes on without us */
	int64_t items, done, failed;
	bool is_ready, is_single; /* is_single: a member of a batch */
	bool progress, output;
	struct xci_meter meter;	     /* that shows the progress */
	struct xci_outputs *outputs; /* owned; NULL: nothing was printed */
	int64_t output_first;	     /* what item 0 is called on the terminal */
	void *out;
	size_t out_size;
	struct xci_tree *tree;	  /* owned: of a reduction; NULL */
	bool is_without_payloads; /* by the id of a job that is a reduction */
	bool is_broken;		  /* its nodes do not fit together */
	uint64_t start_ns, end_ns, busy_ns;
	struct xci_failure *failures, *last_failure;
	int64_t failure_runs;
	struct xci_failure *cursor; /* the one asked for last */
	int64_t cursor_index;
	struct xci_share *shares; /* owned, ascending by engine */
	int share_count;
	struct xci_share share; /* for one engine, without allocation */
	struct span *packed;	/* owned: result of each item */
	struct xci_blob *blobs;
	struct xci_ended ended;
	unsigned char (*objects)[OBJECT_SIZE]; /* owned; released at the end */
	int object_count;
	struct xc_result *prev, *next; /* of the client */
};

/* Submissions of one item each, held back to go as one job. */
struct xci_batch {
	struct task_frame task; /* its texts are those of the options and the image */
	unsigned char pool[STREAMS_POOL_BYTES]; /* of the task */
	unsigned char frame[TASK_FRAME_MAX];
	size_t frame_size; /* 0: to be made */
	struct msg_submit submit;
	xc_task_fn *fn; /* what the task was made of */
	size_t out_size;
	struct xc_map_options options;
	unsigned char object[OBJECT_SIZE]; /* program of tasks that are to be kept */
	bool is_open;			   /* the fields above are valid */
	unsigned char *inputs;
	uint64_t *offsets; /* of the inputs, and where the next one goes */
	bool is_uneven;	   /* inputs differ in size */
	struct xc_result **members;
	int64_t count;
	uint64_t since_ns;
};

/* The ANSWER that came last. */
struct xci_answer {
	uint64_t id;
	int code;
	uint64_t count;
	char text[400];
	void *bytes; /* owned */
	size_t size;
};

struct xc_client {
	struct connection connection;
	unsigned char session[SESSION_SIZE];
	unsigned char controller[SESSION_SIZE];
	void *context, *dealer; /* dealer: of `dial` */
	struct dial dial;
	uint64_t down_ns;   /* since when the connection is broken; 0: it is not */
	uint64_t probed_ns; /* when the controller's port was tried last */
	int refusals;	    /* of it, in a row */
	int dealer_fd;	    /* ZeroMQ's, edge-triggered: see xci_pump */
	int pidfd;	    /* of the controller, -1 if it cannot be watched */
	bool is_welcome, is_lost;
	bool is_drawn;	   /* a line of progress stands on the terminal */
	bool is_inherited; /* by a child made by fork: lost to it */
	pid_t pid;	   /* of the process that opened it */
	int refused_code;
	char refused[256];
	uint64_t credit, input_bytes;
	double weight;
	uint64_t sent_seq, received, acked, unacked_bytes;
	uint64_t heard_ns, pinged_ns;
	uint64_t looked_ns; /* at the controller's process */
	int pings;	    /* without an answer */
	struct xci_sent *sent;
	uint64_t last_job, last_query, last_object, last_matrix;
	bool has_will;	   /* the controller knows what is to be cleared after us */
	uint64_t reported; /* id of the REPORT that came last */
	char *report;	   /* its text, owned */
	struct xci_answer answer;
	struct xci_engine *engines;
	int engine_count, up, covered; /* covered: up, or starting again */
	uint64_t starting;
	uint64_t coming; /* engines that a launcher has asked for, and are not here yet */
	char note[512];	 /* what it has to say; empty: there is none */
	struct xci_agent *agents;
	int agent_count;
	struct xc_view all, balanced, *views;
	int store; /* connection to the agent's store; -1 */
	uint64_t store_looked_ns;
	bool store_lingers; /* what it holds outlives it by a while */
	unsigned char store_session[SESSION_SIZE];
	struct xci_offer *offer;     /* that is being given; borrowed, NULL: none */
	struct xci_offered *offered; /* objects that the controller holds for us */
	bool offer_progress;	     /* whoever waits wants to see how far it is */
	struct xci_shipped *shipped;
	struct {
		char function[256];
		struct xci_shipped *of; /* borrowed; NULL: nothing is known */
	} named;			/* looked up last */
	struct xci_job *jobs;
	struct xc_result *results;
	struct message held; /* taken in, but memory was out: to be tried again */
	bool is_held;	     /* held is valid */
	struct xci_batch batch;
	int64_t singles;	/* in flight */
	int loop, timer;	/* what xc_fd returns, and its timer; -1 */
	struct xc_cluster *own; /* of XCLUSTER=local; ends with the client */
	/* XCLUSTER=inline: in place of a controller; owned. There is no socket then. */
	struct xci_inline *inside;
};

/* client.c */
/* Sends what is held back, takes in what has arrived; waits up to timeout_ms
 * (-1: no limit) for something if there is nothing. Returns the number of
 * messages, -EINTR, XC_ELOST, or -ENOMEM: a message waits for memory. */
int xci_pump(struct xc_client *client, int timeout_ms);
/* Takes messages in until `done(argument)` or the time-out. */
int xci_wait(struct xc_client *client, double timeout, bool (*done)(void *argument),
	     void *argument);
/* The same, whatever signals come. */
int xci_wait_through(struct xc_client *client, double timeout, bool (*done)(void *argument),
		     void *argument);
/* A numbered message was the next one of the controller, and is done with. */
void xci_taken(struct xc_client *client, uint64_t seq, uint64_t received, size_t size);
int xci_lost(struct xc_client *client, struct xc_error *err);
/* The error of a wait that ended with `r`, in the name of `call`. */
int xci_wait_failed(struct xc_client *client, const char *call, int r, struct xc_error *err);
void xci_ack(struct xc_client *client);
/* A message that says what has been received is on its way. */
void xci_acked(struct xc_client *client);
/* Puts a job on the list: 0, or -ENOMEM. */
int xci_job_add(struct xc_client *client, struct xci_job *job);
/* Says, or says again, who we are, and what we have. */
int xci_say_hello(struct xc_client *client);
/* Hands a message to the controller, or to what stands in for it; frames are consumed. */
int xci_post(struct xc_client *client, const void *header, size_t size, zmq_msg_t *frames,
	     int count);
/* Packs and posts a message without frames. */
#define POST(client, lower, ...)                                                                   \
	({                                                                                         \
		unsigned char header_[HEADER_MAX];                                                 \
		size_t size_ = msg_##lower##_pack(header_, sizeof header_,                         \
						  &(struct msg_##lower){ __VA_ARGS__ });           \
		xci_post(client, header_, size_, NULL, 0);                                         \
	})
/* Numbers, keeps and sends a message; frames are consumed. After a failure it is as
 * if it had not been called. */
int xci_send(struct xc_client *client, uint64_t seq, const void *header, size_t size,
	     zmq_msg_t *frames, int count);
void xci_sent_free(struct xc_client *client, uint64_t received);

/* Asks whether the counters still agree when nothing has come for a while. */
void xci_check_counters(struct xc_client *client);

/* query.c */
/* Waits for the REPORT or ANSWER to what was asked last. */
int xci_wait_for_report(struct xc_client *client, struct xc_error *err);
/* May the controller be asked something? 0, or the error of the call. */
int xci_check_question(struct xc_client *client, const char *call, struct xc_error *err);

/* info.c: the controller's report, to be given to json_decref; errors in the name of
 * `call`. */
struct json_t;
int xci_report(struct xc_client *client, const char *call, struct json_t **report,
	       struct xc_error *err);

/* loop.c */
/* xc_process has something to do though the socket may not say so. */
void xci_loop_stir(struct xc_client *client);
void xci_loop_free(struct xc_client *client);

/* local.c: what XCLUSTER says: 1: `path` is the connection file to use; 0: nothing, or
 * that the client is its own cluster, which `inside` is then. */
int xci_local_open(struct xc_client *client, char *path, size_t size, struct xc_error *err);

/* roster.c */
int xci_on_roster(struct xc_client *client, struct message *m);
int xci_on_note(struct xc_client *client, struct message *m);
void xci_roster_free(struct xc_client *client);
/* Where the engine is, or was; empty if that is not known. Borrowed. */
const char *xci_engine_host(const struct xc_client *client, int engine);

/* view.c: the error of a call on a view that covers no engine now. */
int xci_no_engine(const struct xc_view *view, struct xc_error *err);
/* Ids of the engines that a direct view covers now, to be freed. */
int xci_view_targets(const struct xc_view *view, uint32_t **ids, int *count, struct xc_error *err);

/* ship.c */
/* Fills in kind, number, object, program, symbol; puts the image into the store
 * if need be. Of the options: function, library. */
int xci_ship(struct xc_client *client, xc_task_fn *fn, const struct xc_map_options *options,
	     struct task_frame *task, struct xc_error *err);
/* The image, which is taken, among the libraries of this client, and in the store. */
struct xci_shipped *xci_ship_library(struct xc_client *client, struct xci_image *image,
				     const char *path, bool *is_new, struct xc_error *err);
/* Into the store, with a reference more. Inline: a source, where it is compiled. */
int xci_image_put(struct xc_client *client, const struct xci_image *image, struct xc_error *err);
/* The library that was loaded last from this path, or else is there now (is_new);
 * NULL when there is none. Puts nothing into the store. */
struct xci_shipped *xci_ship_find(struct xc_client *client, const char *path, bool *is_new,
				  struct xc_error *err);
/* Names are looked up in this library first from now on. */
void xci_ship_last(struct xc_client *client, struct xci_shipped *shipped);
void xci_ship_forget(struct xc_client *client, struct xci_shipped *shipped);
/* Connection to the store of an agent on this host; -ENOENT without an error: there is
 * none, so objects are offered. */
int xci_store(struct xc_client *client, struct xc_error *err);
/* Puts bytes under a new id. */
int xci_object_put(struct xc_client *client, const void *data, uint64_t size, bool everywhere,
		   unsigned char *id, struct xc_error *err);
void xci_object_release(struct xc_client *client, const unsigned char *id);
/* Programs must not go with us before the controller has them held. */
int xci_store_linger(struct xc_client *client, struct xc_error *err);
/* Those that the result's job was sent with. */
void xci_objects_release(struct xc_result *result);
void xci_ship_free(struct xc_client *client);

/* offer.c */
/* Returns when an agent has all of it, and the controller holds it for us. `everywhere`: all
 * hosts are going to need it. */
int xci_offer(struct xc_client *client, const unsigned char *object, const void *data,
	      uint64_t size, bool everywhere, struct xc_error *err);
/* False: it was not offered. */
bool xci_offer_release(struct xc_client *client, const unsigned char *object);
/* Agents have gone. */
void xci_offers_doubt(struct xc_client *client);
void xci_offers_free(struct xc_client *client);
int xci_on_fetch(struct xc_client *client, struct message *m);

/* library.c: the library, or source, that `function` is of: the one named `library`, else
 * the one loaded last that defines it. */
struct xci_shipped *xci_library_find(struct xc_client *client, const char *function,
				     const char *library, struct xc_error *err);

/* blas.c: the linear-algebra library joins those of this client, and is `*found`, if
 * `function` is named as its tasks are, and `library` (NULL: any) as it is, whatever the name
 * of its file. 0 or an error. */
int xci_blas_find(struct xc_client *client, const char *function, const char *library,
		  struct xci_shipped **found, struct xc_error *err);

/* data.c */
/* May the call be made, of a variable of this name (NULL: of none)? */
int xci_data_check(const struct xc_view *view, const char *call, const char *name,
		   struct xc_error *err);
/* An item of a built-in task for each engine of the view. */
struct xci_submission;
struct xci_submission xci_builtin(const struct xc_view *view, enum builtin number,
				  const char *name);
/* As xc_scatter_async, but with an array for each engine of the view, which has engines. */
struct xc_result *xci_push_each(const struct xc_view *view, const char *name,
				const struct xc_array *arrays, struct xc_error *err);
/* The arrays that the items of a result are, in place. */
int xci_result_frames(struct xc_result *result, struct array_frame *frames, struct xc_error *err);
/* pull.c: an array with room for all of these, one behind the other. */
int xci_gather_room(const char *what, const struct array_frame *frames, int64_t n,
		    struct xc_array *array, struct xc_error *err);
/* data.c: has the engines of a direct view load the image, which is taken. */
int xci_load(const struct xc_view *view, const char *call, const char *path,
	     struct xci_image *image, struct xc_error *err);

/* submit.c */
struct xci_submission {
	const struct xc_view *view;
	struct task_frame task; /* form, in_size, out_size are filled in from here */
	int64_t items;
	void *out;
	const struct xc_map_options *options; /* never NULL */
	uint64_t flags;			      /* beside those of the options */
	const char *name;
	const unsigned char *object; /* NULL: none */
	zmq_msg_t payload;	     /* taken */
	struct xci_tree *tree;	     /* of a reduction; goes to the result. NULL */
	int64_t stream_first;	     /* number of item 0's random stream */
};
struct xc_result *xci_submit(struct xci_submission *s, struct xc_error *err);
/* A map, as its caller wants it. */
struct xci_call {
	const char *name; /* of what was called */
	const struct xc_view *view;
	xc_task_fn *fn;
	int64_t n;
	void *out;
	size_t out_size;
	const struct xc_map_options *options;
	struct xci_tree *tree; /* owned by the result, once there is one; NULL: no reduction */
};
struct xc_result *xci_map_range(struct xci_call *c, struct xc_error *err);
struct xc_result *xci_map_strided(struct xci_call *c, const void *in, size_t in_size,
				  struct xc_error *err);
struct xc_result *xci_map_packed(struct xci_call *c, const struct xc_bytes *items,
				 struct xc_error *err);
/* The body of a blocking form. */
#define BLOCKING(err, call)                                                                        \
	struct xc_error local_ = XC_ERROR_INIT;                                                    \
	struct xc_error *e = (err) ? (err) : &local_;                                              \
                                                                                                   \
	e->code = 0;                                                                               \
	return xci_finish(call, e)
int xci_options_check(const struct xc_map_options *options, struct xc_error *err);
/* The payload of packed items. */
int xci_pack_items(const struct xc_client *client, const struct xc_bytes *items, int64_t n,
		   zmq_msg_t *frame, struct xc_error *err);
void xci_submit_fields(struct msg_submit *m, const struct xc_map_options *options);
/* Waits, destroys, and returns what xc_wait said; -EINTR cancels. */
int xci_finish(struct xc_result *result, struct xc_error *err);

/* map_reduce.c: what becomes one result. */
struct xci_tree;
/* Is it one, and has its result this size? */
int xci_reduction_check(const struct xc_reduction *how, const void *result, size_t size,
			const char *call, struct xc_error *err);
/* For the results of a job of so many items that was submitted so, `packed`. NULL: it was
 * submitted otherwise, or memory is out. */
struct xci_tree *xci_tree_again(const struct xc_reduction *how, void *result, size_t size,
				int64_t items, struct span packed, struct xc_error *err);
/* Brings `combine` to the engines, and says so in the task. */
int xci_ship_reduction(const struct xci_call *c, struct task_frame *task, struct xc_error *err);
/* Takes the payload of a RESULT: 0, or -ENOMEM and nothing was taken. */
int xci_tree_take(struct xci_tree *tree, struct span payload, int64_t first, int64_t count,
		  int64_t good);
/* All items have ended: writes the result if they did so well. False: the nodes are not
 * those of all items. */
bool xci_tree_end(struct xci_tree *tree, bool is_well);
/* An item did not end well, so there is no result: memory is not to grow with the nodes. */
void xci_tree_drop(struct xci_tree *tree);
void xci_tree_free(struct xci_tree *tree);

/* batch.c */
struct xc_result *xci_batch_add(struct xc_client *client, xc_task_fn *fn, const void *in,
				size_t in_size, void *out, size_t out_size,
				const struct xc_map_options *options, struct xc_error *err);
int xci_batch_flush(struct xc_client *client);
/* Frees what it knows of its tasks. */
void xci_batch_forget(struct xci_batch *batch);

/* result.c */
struct xc_result *xci_result_new(struct xc_client *client, int64_t items, void *out,
				 size_t out_size);
int xci_result_outcome(struct xc_result *result, struct xc_error *err);
/* "item 3 crashed on engine 1: ..." */
void xci_failure_describe(const struct xc_failure *f, int64_t item, char *text, size_t size);
/* The one to quote: says more than that an item was cancelled, if any does. */
const struct xc_failure *xci_result_first_failure(const struct xc_result *result);
/* Waits until `done(argument)`; the errors of xc_wait, in the name of `call`. */
int xci_result_wait(struct xc_result *result, const char *call, double timeout,
		    bool (*done)(void *argument), void *argument, struct xc_error *err);

/* ended.c */
void xci_ended_add(struct xc_result *result, int64_t first, int64_t count, enum xc_state state);
/* The next item to hand out: 1; 0: all were; -EAGAIN: none yet; -ENOMEM. */
int xci_next(struct xc_result *result, enum xc_order order, int64_t *item);

/* incoming.c */
int xci_on_result(struct xc_client *client, struct message *m);
void xci_result_end(struct xc_result *result, uint64_t now);
/* Takes a job off the list and frees it; results that have not ended do not. */
void xci_job_forget(struct xc_client *client, struct xci_job *job);
/* Ends what has not ended of a job of which no more will come. */
void xci_job_abandon(struct xci_job *job, const char *why);

/* attach.c */
int xci_on_attached(struct xc_client *client, struct message *m);
int xci_on_answer(struct xc_client *client, struct message *m);
/* We hear of it no more, from now on. */
void xci_job_leave(struct xc_client *client, struct xci_job *job);
struct xci_job_name {
	unsigned char owner[OWNER_SIZE];
	uint64_t number;
	int64_t index; /* -1: none */
};
int xci_job_name(struct xci_job_name *name, const char *call, const char *id, struct xc_error *err);
void xci_job_id(char id[XC_JOB_ID_SIZE], const unsigned char *owner, uint64_t number);

/* jobs.c: waits for the ANSWER to the last question: 0, with client->answer; else the
 * error in the name of `call`. `id` NULL: of no job. */
int xci_await_answer(struct xc_client *client, const char *call, const char *id,
		     struct xc_error *err);

/* progress.c: shows on a terminal where a result stands, if that was asked for. */
void xci_progress_show(struct xc_result *result);

/* output.c: what items print */
/* 0, or -ENOMEM: then the run is not taken, and may be given again. */
int xci_output_add(struct xc_result *result, int64_t item, int engine,
		   const struct failure_run *run);
/* Nothing more is to come. */
void xci_output_end(struct xc_result *result);
void xci_outputs_free(struct xci_outputs *outputs);
/* How many of these bytes do not belong to a character (of UTF-8) that is cut at
 * their end, and at their begin. */
size_t xci_text_whole(struct span bytes);
size_t xci_text_skip(struct span bytes);

/* printing.c: lines of it on stderr that were not shown yet; `last`: also one
 * without an end. */
void xci_print(struct xc_result *result, struct xci_output *output, const struct xci_parts *parts,
	       bool last);

#endif
