/* product.h: a distributed product at work. */
#ifndef LIBCLUSTER_PRODUCT_H
#define LIBCLUSTER_PRODUCT_H

#include "libcluster/matrix.h"

struct list {
	unsigned char *data; /* owned */
	size_t size, room;
};

/* Flags of a block and an engine that does not have it. */
enum {
	NEEDED_NOW = 1, /* in the step that is being made */
	NEEDED_ONCE = 2,
};

struct run {
	const struct matrix_operation *op;
	int64_t *cuts; /* where segments of the common dimension begin, and the end; owned */
	int segments;
	unsigned char *needs[2];       /* flags of A's and B's blocks by engine of C; owned */
	struct xc_result *referred[2]; /* array frames of their blocks; owned */
	struct list *inputs;	       /* of this step, by engine of C; owned */
	struct xc_result **results;    /* in the order of their submission; owned */
	int count, room;
	int steps;
	bool is_interrupted;
};

static inline unsigned char *run_need(const struct run *run, int which, int block, int engine)
{
	return &run->needs[which]
			  [(size_t)block * (size_t)matrix_blocks(run->op->c) + (size_t)engine];
}

/* The variable that a block has on engines that it does not belong to. */
void borrowed_name(const struct xc_matrix *m, int block, char name[BLOCK_NAME_MAX]);

/* ---- terms.c ---- */

int segments_find(struct run *run);
/* Adds the terms of a segment to the step: 1; 0 when an engine is to take no more of others'
 * blocks before the step is done; -ENOMEM. */
int terms_add(struct run *run, int segment);

#endif
