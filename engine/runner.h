/* runner.h: an engine's state, shared by its parts: engine.c (loop), slice.c
 * (running items), fold.c (combining them), arena.c (results in shared memory), output.c (what
 * items print), namespace.c (variables), builtin.c, programs.c (code), cleanup.c (what runs at its
 * end), signals.c. */
#ifndef ENGINE_RUNNER_H
#define ENGINE_RUNNER_H

#include <stdio_ext.h>
#include <string.h>
#include <uthash.h>

#include "engine/engine.h"
#include "engine/page.h"
#include "engine/program.h"
#include "libcluster/channel.h"
#include "libcluster/dial.h"
#include "libcluster/reduce/reduce.h"
#include "libcluster/task.h"
#include "libcluster/wire.h"
#include "proto/task.h"

/* A variable as tasks see it. */
struct entry {
	char name[256];
	struct xc_array array;
	void *mapping; /* of an object; NULL: array.data is heap memory */
	size_t size;
	unsigned char object[OBJECT_SIZE]; /* of the mapping */
	unsigned char value[OBJECT_SIZE];  /* another one each time that it is set */
	UT_hash_handle hh;
};

struct loaded {
	unsigned char id[OBJECT_SIZE];
	struct program *program; /* NULL: unloaded */
	UT_hash_handle hh;
};

/* The task frame that was resolved last: most slices repeat it. */
struct resolved {
	void *frame; /* owned copy */
	size_t size;
	struct task_frame task; /* points into frame */
	struct streams streams; /* of its items */
	xc_task_fn *fn;
	struct program *program; /* that fn is of; borrowed, NULL: built in */
	struct reduce reduce;	 /* with task.reduce; its spec points into frame */
	struct xc_error err;	 /* why fn is NULL */
	int64_t want;		 /* items to claim at once, learnt */
};

/* A function to be called when its program is unloaded, or the engine ends. */
struct cleanup {
	void (*fn)(void *argument);
	void *argument;
	const struct program *program; /* that holds it; borrowed */
	struct cleanup *prev, *next;
};

struct pending {
	struct message message;
	struct pending *prev, *next;
};

/* What is printed, as the engine sees it: see output.c. */
struct output {
	int fd;
	unsigned char *window;	   /* read-only view of it from `base` on */
	const unsigned char *next; /* in it: where the next byte comes */
	uint64_t base, at;	   /* `at`: what is before has been taken */
};

struct engine {
	void *context, *dealer; /* dealer: of `dial` */
	struct dial dial;
	struct connection keys;		   /* for dialling */
	unsigned char agent[SESSION_SIZE]; /* its session */
	bool is_resuming;		   /* the controller is to say what it has */
	uint64_t last_slice;		   /* that has come */
	int channel;
	int arena_fd;
	struct output output;
	int schedstat; /* /proc file of the main thread */
	struct page *page;
	unsigned char *arena;
	uint64_t arena_next;	/* where the next piece may begin */
	uint64_t arena_touched; /* highest offset used */
	uint64_t slot, epoch;
	double started; /* Unix time */
	int id;		/* engine number; -1 before the welcome */
	int threads;	/* that libraries may use; 0: nobody has said */
	struct entry *names;
	unsigned char value[OBJECT_SIZE]; /* of the variable set last */
	struct loaded *programs;
	struct resolved now;
	struct pending *pending; /* slices that came while we waited for room */
	void *scratch;		 /* aligned copy of inputs */
	size_t scratch_size;
	bool stopping;
	bool is_child;		       /* made by fork in a task */
	struct xc_task *volatile task; /* of the slice that runs; for signal handlers */
	_Atomic uint64_t interrupted;  /* cancel_word of the item that a SIGINT hit */
	uint64_t cancel_base;	       /* cancel_word of item 0 of the slice that runs */
	struct cleanup *cleanups;      /* in the order of their registration */

	/* the piece in progress */
	int64_t piece_items; /* it may hold */
	uint64_t piece_room; /* bytes of payload */
	uint64_t piece_start_ns;
	uint64_t piece_delay_ns; /* run_delay at its start; all ones: not asked */
	struct failure_run last_failure;
	uint64_t last_failure_at;
	char last_text[FAILURE_TEXT_MAX + 1];
	bool piece_gave;    /* an item of it has a result of any length */
	struct stack stack; /* its nodes, of a reduction; reduce is NULL: there are none */
	uint64_t given;	    /* payload bytes of the running item, not yet committed */
};

/* slice.c */
void slice_run(struct engine *e, struct message *m);

/* output.c */
/* Maps the output; 0 or -errno. */
int output_open(struct engine *e, int fd);
void output_close(struct engine *e);
/* Has anything been printed since it was taken last? Two loads, without a system
 * call, whoever wrote it; misses what begins with eight zero bytes. */
static inline bool output_is_new(const struct engine *e)
{
	uint64_t word;

	memcpy(&word, e->output.next, sizeof word);
	return word != 0 || __fpending(stdout) > 0;
}
/* The same for certain. */
bool output_has_moved(const struct engine *e);
/* What was printed since belongs to this item, `item` of the job ... */
void output_take(struct engine *e, int64_t item, int attempt);
/* ... or to none. */
void output_skip(struct engine *e);
/* arena.c */
#define FAILURES_ROOM (65536 + OUTPUT_RUN_MAX)
/* Gives memory back that acknowledged pieces took. */
void arena_trim(struct engine *e);
int piece_begin(struct engine *e, uint64_t slice, int64_t base, int64_t first, int64_t items,
		uint64_t room);
/* After a break: those that the controller lacks, `had` being the last that it has. */
void pieces_send_again(struct engine *e, uint64_t had);
void piece_send(struct engine *e, bool last);
void piece_fail(struct engine *e, int64_t item, int64_t count, int code, int attempt,
		const char *text);
bool piece_is_full(const struct engine *e);
/* The item ends as cancelled, by a SIGINT. */
void piece_interrupt(struct engine *e, int64_t item, int attempt);
void piece_print(struct engine *e, const struct failure_run *output);
/* Is there room for the failure and the output of one more item? */
bool piece_can_fail(const struct engine *e);
/* Room for `size` bytes more of the running item's result, or NULL. */
void *piece_reserve(struct engine *e, uint64_t size);
void piece_commit(struct engine *e);

/* fold.c: results that are combined */
int fold_resolve(struct engine *e);
/* Is the piece in progress one of a reduction? */
bool fold_is_on(const struct engine *e);
uint64_t fold_room(const struct engine *e);
void fold_begin(struct engine *e);
void fold_off(struct engine *e);
/* The next item has ended well, its result is at stack_leaf; or it has not. */
void fold_item(struct engine *e, int64_t item);
void fold_skip(struct engine *e);
/* Puts what the piece has made into the record. */
void fold_pack(struct engine *e, struct record *record);

/* engine.c: takes in one message, waiting for it, or for the order to end. Slices
 * are queued. */
int engine_receive(struct engine *e);

/* namespace.c */
const struct xc_array *names_get(struct engine *e, const char *name);
/* The same with what tells this value of it from any other; NULL: there is none. */
const struct entry *names_entry(struct engine *e, const char *name);
/* `frame`: array frame; a copy is kept. */
int names_set(struct engine *e, struct span name, struct span frame, struct xc_error *err);
int names_set_array(struct engine *e, const char *name, const struct xc_array *array,
		    struct xc_error *err);
int names_unset(struct engine *e, struct span name, bool is_prefix, struct xc_error *err);
/* Takes the slot's table from the agent. */
int names_load(struct engine *e, struct xc_error *err);
void names_list(struct engine *e, char *text, size_t size);
/* An object of this host: its descriptor (the caller's), or a negative code. */
int object_fetch(struct engine *e, const void *id, uint64_t *size, bool *shared,
		 struct xc_error *err);

/* programs.c: `again`: also one that was unloaded */
struct program *programs_get(struct engine *e, struct span id, struct span name, bool again,
			     struct xc_error *err);
/* Runs its cleanups and closes it, if it is loaded. */
int programs_unload(struct engine *e, struct span id);

/* cleanup.c */
int cleanup_add(struct engine *e, void (*fn)(void *argument), void *argument);
/* Calls and forgets those of the program (NULL: all), the latest first. */
void cleanup_run(struct engine *e, const struct program *program);

/* signals.c: handlers of SIGINT and SIGTERM, for this engine. */
void signals_catch(struct engine *e);

/* child.c: is_child will be true in processes that tasks fork; 0 or -errno. */
int child_watch(struct engine *e);
/* The end of such a process, without what else is done at exit. */
void child_end(void) __attribute__((noreturn));
/* Does that, if this is one. */
void child_check(void);

/* builtin.c */
xc_task_fn *builtin_find(uint64_t number);

extern const struct xc_task_ops task_ops; /* slice.c */

#endif
