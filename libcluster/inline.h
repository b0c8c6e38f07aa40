/* inline.h: XCLUSTER=inline: what stands in for controller, agent and engines within
 * the client's own process and thread. Shared by its parts: inline.c (messages),
 * inline_jobs.c (jobs and their order), inline_items.c (running items),
 * inline_names.c (variables and libraries), inline_cleanup.c (what tasks leave to be
 * done), inline_status.c (its report).
 *
 * The client says to it what it would say to a controller, and takes in what it
 * answers by the same handlers. Items run when the client pumps, a piece at a time. */
#ifndef LIBCLUSTER_INLINE_H
#define LIBCLUSTER_INLINE_H

#define HASH_NONFATAL_OOM 1 /* without memory, an entry is not added: hh.tbl is NULL */
#include <uthash.h>

#include "libcluster/task.h"
#include "libcluster/wire.h"
#include "proto/elf.h"
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

/* A library that the client has named, loaded once xc_load gets to it. */
struct inline_library {
	unsigned char id[OBJECT_SIZE];
	struct elf_info info;
	char *path;   /* owned */
	void *handle; /* owned; NULL: not loaded */
	UT_hash_handle hh;
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
};

struct inline_job {
	uint64_t id;
	bool pinned, cancelled;
	int64_t items, ended, failed, chunk, priority;
	uint64_t flags;
	int max_attempts;
	char label[64];
	zmq_msg_t frame, payload; /* owned */
	struct task_frame task;	  /* points into frame */
	void *aligned;		  /* owned: the payload where its place would not do, or
				     room for one packed item */
	struct span input;	  /* the payload, where it is */
	bool *only;		  /* owned; by engine; NULL: all */
	xc_task_fn *fn;
	bool is_resolved;
	struct xc_error err;		  /* why fn is NULL */
	struct inline_value *value;	  /* of a push that brings all engines the same */
	_Atomic uint64_t cancel;	  /* as its tasks see it: 1 when cancelled */
	struct inline_run *reruns, *rest; /* owned; of a balanced job */
	bool is_runnable;
	struct inline_job *prev, *next; /* of those with work to hand out */
	UT_hash_handle hh;
};

struct inline_message {
	struct message message;
	struct inline_message *prev, *next;
};

struct xci_inline {
	struct inline_engine *engines; /* owned */
	int count, turn;	       /* turn: the engine that is asked first */
	struct inline_job *jobs;       /* owned, by id, as submitted */
	struct inline_job *runnable;   /* by priority, then as submitted */
	struct inline_job *running;    /* while one of its items does */
	struct inline_message *queue;  /* owned: to the client */
	struct inline_library *libraries;
	struct inline_cleanup *cleanups; /* owned */
	bool is_down;			 /* by SHUTDOWN */
	bool is_starved;		 /* memory was out for what cannot be done again */
	uint64_t received, sent;	 /* last numbers of the client's, and of ours */
	uint64_t started_ns;
};

/* inline.c */
struct xci_inline *xci_inline_new(int engines);
void xci_inline_free(struct xci_inline *in);
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

/* inline_jobs.c */
int inline_on_submit(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);
int inline_on_cancel(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames);
void inline_job_free(struct xci_inline *in, struct inline_job *job);
bool inline_may_rerun(const struct inline_job *job, int attempt);
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
/* Frees a job that has ended and does not run. */
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
/* Which file a library is; -ENOMEM. */
int xci_inline_library(struct xci_inline *in, const unsigned char *id, const struct elf_info *info,
		       const char *path);
int inline_load(struct xci_inline *in, struct span id, struct span name, struct xc_error *err);
void *inline_symbol(struct xci_inline *in, const struct task_frame *task, struct xc_error *err);
void inline_libraries_free(struct xci_inline *in);

/* inline_cleanup.c: 0, or -ENOMEM. */
int inline_cleanup_add(struct xci_inline *in, void (*fn)(void *argument), void *argument);
/* Calls what was registered of a library (NULL: all), the last first. */
void inline_cleanup_run(struct xci_inline *in, const struct inline_library *library);
/* Closes a library, for all engines, as they share it; a task that names it opens it
 * again. */
int inline_unload(struct xci_inline *in, struct span id, struct xc_error *err);

/* inline_status.c: to be freed; NULL when memory is out. */
char *inline_status(const struct xci_inline *in);

#endif
