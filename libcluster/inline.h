/* inline.h: XCLUSTER=inline: what stands in for controller, agent and engines within
 * the client's own process and thread. Shared by its parts: inline.c (messages),
 * inline_jobs.c (jobs and their order), inline_items.c (running items),
 * inline_names.c (variables), inline_libraries.c (code), inline_history.c (jobs that
 * have ended, and results for who asks again), inline_records.c (what is known of
 * jobs), inline_control.c (orders for engines), inline_status.c (its report).
 *
 * The client says to it what it would say to a controller, and takes in what it
 * answers by the same handlers. Items run when the client pumps, a piece at a time. */
#ifndef LIBCLUSTER_INLINE_H
#define LIBCLUSTER_INLINE_H

#define HASH_NONFATAL_OOM 1 /* without memory, an entry is not added: hh.tbl is NULL */
#include <uthash.h>

#include "libcluster/image.h"
#include "libcluster/reduce/reduce.h"
#include "libcluster/task.h"
#include "libcluster/wire.h"
#include "proto/job.h"
#include "proto/task.h"

/* An array that variables hold, of several engines if they were given the same. */
struct inline_value {
	int refs;
	struct xc_array array; /* data is owned */
};

struct inline_variable {
	char name[256];
	struct inline_value *value; /* a reference */
	UT_hash_handle hh;
};

enum library_use { LIBRARY_NEW, LIBRARY_LOADED, LIBRARY_UNLOADED };

/* A library or source that the client has named. It is loaded once for all engines
 * that use it. */
struct inline_library {
	unsigned char id[OBJECT_SIZE];
	struct elf_info info; /* of a source: once it is compiled */
	char *path;	      /* owned; NULL: a source that was not compiled */
	int fd;		      /* owned: the source, then what was made of it; -1: a file */
	void *handle;	      /* owned; NULL: not loaded */
	struct link_map *map;
	bool lingers;	    /* unloaded, but the loader has it still */
	unsigned char *use; /* owned: enum library_use, by engine */
	int users;	    /* engines to which it is loaded */
	uint64_t tried;	    /* the job for which it could not be compiled, and why: */
	struct xc_error why;
	UT_hash_handle hh;
};

/* A function to be called when its library is unloaded, or its engine ends. */
struct inline_cleanup {
	void (*fn)(void *argument);
	void *argument;
	const struct inline_library *library; /* borrowed; NULL: of the program itself */
	struct inline_cleanup *prev, *next;
};

/* A RESULT, for who asks for it again. */
struct inline_parcel {
	struct msg_result head;
	zmq_msg_t frames[2];
	struct inline_parcel *prev, *next;
};

/* Another result of a job, to which the client has given a number of its own. */
struct inline_attachment {
	uint64_t number;
	struct inline_attachment *prev, *next;
};

struct inline_job;

/* Items that have not begun. */
struct inline_run {
	struct inline_job *job; /* borrowed */
	int64_t first, count;
	int attempt;
	struct inline_run *prev, *next;
};

struct inline_engine {
	int id;
	struct inline_variable *names; /* owned */
	struct inline_run *pinned;     /* owned; they go before balanced ones */
	int64_t items;		       /* that it has run */
	int threads;		       /* by an order; 0: none has come */
	bool is_shut;
	char reason[64];
	struct inline_cleanup *cleanups; /* owned; in the order of their registration */
};

struct inline_job {
	uint64_t id;
	bool pinned, cancelled;
	bool is_stopped;  /* cancelled by its own failure */
	bool is_finished; /* in the history */
	bool is_left;	  /* it is to be kept, and nobody has all of its results */
	bool is_dropped;  /* some of its results are not there any more */
	bool has_inputs;
	int64_t items, ended, failed, chunk, priority;
	uint64_t flags;
	int max_attempts;
	char label[64];
	zmq_msg_t frame, targets, payload; /* owned */
	struct task_frame task;		   /* points into frame */
	struct reduce reduce;		   /* with task.reduce */
	void *nodes;			   /* owned: room for its stack; NULL: no reduction */
	void *aligned;			   /* owned: the payload where its place would not do, or
					      room for one packed item */
	struct span input;		   /* the payload, where it is */
	bool *only;			   /* owned; by engine; NULL: all */
	xc_task_fn *fn;
	struct inline_library *library;	  /* borrowed: that fn is of; NULL: none that is loaded */
	uint64_t resolved;		  /* `loads` when it was; 0: not yet */
	struct xc_error err;		  /* why fn is NULL */
	struct inline_value *value;	  /* of a push that brings all engines the same */
	_Atomic uint64_t cancel;	  /* as its tasks see it: 1 when cancelled */
	struct inline_run *reruns, *rest; /* owned; of a balanced job */
	bool is_runnable;
	uint64_t submitted_ns, started_ns, finished_ns;
	struct inline_parcel *results;	       /* owned */
	uint64_t result_bytes;		       /* of all results there were */
	uint64_t cost;			       /* of what is kept of it in bytes */
	struct inline_attachment *attachments; /* owned */
	struct inline_job *prev, *next;	       /* of those with work to hand out; of the history */
	UT_hash_handle hh;
};

struct inline_message {
	struct message message;
	struct inline_message *prev, *next;
};

struct xci_inline {
	struct inline_engine *engines; /* owned */
	int cores;		       /* that this process may use, as it began */
	int count, turn;	       /* turn: the engine that is asked first */
	struct inline_job *jobs;       /* owned, by id, as submitted */
	struct inline_job *runnable;   /* by priority, then as submitted */
	struct inline_job *running;    /* while one of its items does */
	struct inline_message *queue;  /* owned: to the client */
	struct inline_library *libraries;
	uint64_t loads; /* goes up with each that is loaded or unloaded; from 1 */
	unsigned char owner[OWNER_SIZE];
	struct inline_job *history; /* owned: that have ended, oldest first */
	int history_count;
	uint64_t history_bytes, kept_bytes; /* cost of them all, those of JOB_KEEP apart */
	bool is_cleaning;		    /* while a cleanup runs */
	uint64_t last_job;		    /* highest number of one */
	bool is_down;			    /* by SHUTDOWN */
	bool is_starved;		    /* memory was out for what cannot be done again */
	uint64_t received, sent;	    /* last numbers of the client's, and of ours */
	uint64_t started_ns;
	double started; /* Unix time */
};

/* inline.c */
/* `session`: of the client. */
struct xci_inline *xci_inline_new(int engines, const unsigned char *session);
void xci_inline_free(struct xci_inline *in);
/* Does a task or a cleanup run, which may be who calls? */
bool xci_inline_is_busy(const struct xci_inline *in);
/* Takes a message of the client's; frames are consumed. 0 or a negative code. */
int xci_inline_post(struct xci_inline *in, const void *header, size_t size, zmq_msg_t *frames,
		    int count);
/* The next message for the client: 1, or 0. `m` is initialised. */
int xci_inline_receive(struct xci_inline *in, struct message *m);
/* Memory was out for what has become of items: nothing is said from now on, as it would
 * not be true, and the client is lost. */
void inline_starve(struct xci_inline *in);
/* Runs some items, for a hundredth of a second or one item if that takes longer;
 * false when there is nothing to run. */
bool xci_inline_run(struct xci_inline *in);
bool xci_inline_has_work(const struct xci_inline *in);
/* -EDEADLK: a task calls the client that runs it. */
int xci_inline_check(const struct xci_inline *in, const char *call, struct xc_error *err);
/* Queues a message; frames are consumed. */
int inline_send(struct xci_inline *in, const void *header, size_t size, zmq_msg_t *frames,
		int count);
/* Tells the client how it stands with this engine. */
int inline_roster(struct xci_inline *in, const struct inline_engine *engines, int count);
int inline_answer(struct xci_inline *in, const struct msg_answer *m, zmq_msg_t *frame);

/* inline_jobs.c */
int inline_on_submit(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);
int inline_on_cancel(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);
void inline_job_free(struct xci_inline *in, struct inline_job *job);
/* `frames`: as of SUBMIT; they are taken. NULL: no memory. */
struct inline_job *inline_job_new(struct xci_inline *in, const struct msg_submit *s,
				  zmq_msg_t *frames);
void inline_job_begin(struct xci_inline *in, struct inline_job *job);
/* Some items of it; all: cancels the job. */
void inline_job_cancel(struct xci_inline *in, struct inline_job *job, int64_t first, int64_t count);
/* Ends what has no engine to run on. */
void inline_check_engines(struct xci_inline *in);
bool inline_may_rerun(const struct inline_job *job, int attempt);
/* What of its own has not begun, of an engine that was shut down. */
void inline_lose_pinned(struct xci_inline *in, struct inline_engine *engine);
/* Puts items back; cancelled if their job is. */
void inline_requeue(struct xci_inline *in, struct inline_job *job, int64_t first, int64_t count,
		    int attempt, struct inline_engine *engine);
/* The work to be done next, taken off its list: up to all of a run. */
bool inline_next(struct xci_inline *in, struct inline_run *work, struct inline_engine **engine);
/* A RESULT of [first, first + count), of which, or of others, `ended` have ended and
 * `failed` badly. Frames are consumed. The job may be gone after it. */
void inline_report(struct xci_inline *in, struct inline_job *job, struct msg_result head,
		   int64_t ended, int64_t failed, zmq_msg_t *failures, zmq_msg_t *payload);
void inline_end_items(struct xci_inline *in, struct inline_job *job, const struct failure_run *run,
		      int engine);
/* Puts a job that has ended and does not run into the history. */
void inline_job_settle(struct xci_inline *in, struct inline_job *job);

/* inline_items.c */
void inline_run_items(struct xci_inline *in, struct inline_run *work, struct inline_engine *engine);

/* inline_names.c */
const struct xc_array *inline_get(const struct inline_engine *engine, const char *name);
/* "it has "a", "b"", as engines say it. */
void inline_list(const struct inline_engine *engine, char *text, size_t size);
int inline_set(struct inline_engine *engine, const char *name, struct inline_value *value,
	       struct xc_error *err);
/* The empty name: all. */
void inline_unset(struct inline_engine *engine, const char *name);
/* A copy; NULL when memory is out. The caller has a reference. */
struct inline_value *inline_value_new(const struct xc_array *array);
void inline_value_unref(struct inline_value *value);

/* inline_libraries.c: which library or source this is; `path` NULL for a source. */
int xci_inline_image(struct xci_inline *in, const struct xci_image *image, const char *path,
		     struct xc_error *err);
/* The library that the job names, loaded to this engine; one that was unloaded only
 * with `again`. NULL: it cannot be. */
struct inline_library *inline_load(struct xci_inline *in, const struct inline_job *job,
				   const struct inline_engine *engine, bool again,
				   struct xc_error *err);
void inline_unload(struct xci_inline *in, struct inline_engine *engine, struct span id);
void inline_unload_all(struct xci_inline *in, struct inline_engine *engine);
void *inline_symbol(const struct inline_library *library, const struct task_frame *task,
		    struct xc_error *err);
bool inline_is_loaded(const struct inline_library *library, const struct inline_engine *engine);
void inline_libraries_free(struct xci_inline *in);

/* inline_control.c */
int inline_on_signal(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);
int inline_on_shut(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);
int inline_cleanup_add(struct xci_inline *in, struct inline_engine *engine,
		       const struct inline_library *running, void (*fn)(void *argument),
		       void *argument);
/* Calls and forgets those of the library (NULL: all), the latest first. */
void inline_clean(struct xci_inline *in, struct inline_engine *engine,
		  const struct inline_library *library);
/* The end of all engines. */
void xci_inline_clean_all(struct xci_inline *in);

/* inline_history.c */
struct inline_job *inline_job_find(struct xci_inline *in, struct span owner, uint64_t number);
int inline_on_attach(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);
int inline_on_detach(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);
/* The job that the client has given this number, its own or one it is attached to. */
struct inline_job *inline_job_numbered(struct xci_inline *in, uint64_t number);
/* Sends a RESULT to all who are to have it, and keeps it; frames are consumed. */
void inline_tell(struct xci_inline *in, struct inline_job *job, struct msg_result *head,
		 zmq_msg_t *frames);
/* It has ended: into the history, from which others may go. */
void inline_history_add(struct xci_inline *in, struct inline_job *job);
/* What is kept of its results and who is attached, and the job from the history. */
void inline_history_remove(struct xci_inline *in, struct inline_job *job);

/* inline_records.c */
int inline_on_jobs(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);
int inline_on_manage(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);

/* inline_status.c: threads that libraries may use while its tasks run. */
int inline_threads(const struct xci_inline *in, const struct inline_engine *engine);
/* To be freed; NULL when memory is out. */
char *inline_status(const struct xci_inline *in);

#endif
