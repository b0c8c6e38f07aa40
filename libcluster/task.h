/* task.h: the task handle, filled in by whoever runs tasks. */
#ifndef LIBCLUSTER_TASK_H
#define LIBCLUSTER_TASK_H

#include <stdatomic.h>

#include "libcluster/streams.h"
#include "xcluster.h"

/* What tasks are told, wherever they run. */
#define TASK_NO_VARIABLE "no variable \"%s\" on engine %d: %s"
#define TASK_NOT_SET	 "xc_task_set \"%s\": %s"
#define TASK_FIXED_SIZE	 "xc_task_return: this job's results have a fixed size, %llu"
#define TASK_NO_ROOM	 "xc_task_return: no room for %zu bytes"
#define TASK_CHANGED	 "\"%s\" was set or cleared while it was pulled"
#define TASK_NO_PULL	 "no room for %llu bytes of \"%s\""
#define TASK_NO_CLEANUP	 "xc_task_cleanup: out of memory"
#define TASK_NO_STREAMS                                                                            \
	"xc_task_rng: this job has no random streams: set options.seed (0 is none) or "            \
	"options.seed_sequence where it is submitted"
#define TASK_OVER_TIME "ran past its time limit of %g s"

struct xc_task_ops {
	const struct xc_array *(*array)(struct xc_task *task, const char *name);
	int (*set)(struct xc_task *task, const char *name, const struct xc_array *array);
	int (*give)(struct xc_task *task, const void *data, size_t size);
	int (*cleanup)(struct xc_task *task, void (*fn)(void *argument), void *argument);
};

struct xc_task {
	const struct xc_task_ops *ops;
	void *runner;			/* borrowed: of ops */
	const struct task_frame *frame; /* borrowed */
	struct streams *streams;	/* borrowed: of that frame */
	int64_t item;			/* in its job; index: as the task is told */
	int64_t index;
	size_t in_size, out_size;
	int engine;
	int attempt;
	int threads;		  /* that libraries may use; 0: nobody has said */
	_Atomic uint64_t *cancel; /* cancelled when it is one of these two */
	uint64_t cancel_value;	  /* for all items of the slice */
	uint64_t cancel_item;	  /* for the running one */
	bool has_rng;		  /* rng is of the running item */
	struct xc_rng rng;
	bool has_text;
	char text[1001];
};

#endif
