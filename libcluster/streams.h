/* streams.h: the random streams of a job's items: what the client says of them in the
 * task frame, and the generator of one item made of that. */
#ifndef LIBCLUSTER_STREAMS_H
#define LIBCLUSTER_STREAMS_H

#include "libcluster/random/rng.h"
#include "proto/task.h"

#define STREAMS_POOL_BYTES (4 * POOL_WORDS_MAX)

/* What is the same for all items of a task frame. */
struct streams {
	bool is_ready;
	struct seedseq_prefix prefix;
	struct xc_rng base; /* jumped: stream `at`, at its beginning */
	/* of PCG, whose base moves: items come mostly one after the other */
	uint64_t at;
	uint128 origin;		/* state of stream 0 */
	uint128 jump_a, jump_c; /* a jump takes state s to a * s + c */
};

/* 0, or the error of options that do not go together. */
int xci_streams_check(const struct xc_map_options *options, struct xc_error *err);
/* Fills in what the frame says of streams, of which item 0 has number `first`; `pool`:
 * STREAMS_POOL_BYTES that last as long as the frame. With `same` all items have that
 * number. 0, -ENOMEM. */
int xci_streams_ask(const struct xc_map_options *options, int64_t first, bool same,
		    struct task_frame *task, unsigned char *pool);
/* Does the frame say what `options` ask for? */
bool xci_streams_are(const struct task_frame *task, const struct xc_map_options *options);

/* The generator of item `item`, at its beginning. */
void streams_seed(struct streams *streams, const struct task_frame *task, int64_t item,
		  struct xc_rng *rng);

#endif
