/* reduce.h: results of items that become one: what a reduction is (reduce.c), its kinds
 * (kinds.c, extremes.c, exact.c, sketch.c), the nodes that an engine makes of the items of a piece
 * (stack.c), and what the client makes of those (tree.c).
 *
 * A node is of the 2^level items from `first` on, a multiple of that. */
#ifndef LIBCLUSTER_REDUCE_H
#define LIBCLUSTER_REDUCE_H

#include "proto/task.h"

#define REDUCE_STATE_MAX (UINT64_C(1) << 28)

struct reduce;

struct reduce_kind {
	size_t element_size; /* of the state, where it has so much for each element */
	/* The state of one item; NULL: what the task wrote is it. */
	void (*lift)(const struct reduce *r, void *state, const void *leaf, int64_t item);
	void (*merge)(const struct reduce *r, void *left, const void *right);
	/* Bytes of this state; NULL: all have state_size. */
	size_t (*used)(const struct reduce *r, const void *state);
	/* Can it be the state of so many items? `size` bytes of a stranger, aligned. NULL: any
	 * of state_size can. */
	bool (*is_valid)(const struct reduce *r, const void *state, size_t size, int64_t items);
	/* `state` NULL: there were no items. `result` is zeroed. NULL: it is copied. */
	void (*finish)(const struct reduce *r, const void *state, void *result);
};

struct reduce {
	const struct reduce_kind *kind;
	struct reduce_spec spec; /* spans are borrowed */
	size_t leaf_size, state_size;
	xc_combine_fn *combine; /* XC_REDUCE_OWN; set by who has found it */
	void (*combined)(void); /* called after it, unless it is NULL */
	void *leaf;		/* owned: room for one, where it is no state */
	void *scratch;		/* owned: of a sketch */
	/* A copy of the spec's, which may lie anywhere in a frame. */
	_Alignas(16) unsigned char argument[XC_ARGUMENT_MAX];
};

/* 0; XC_EPROTO for a spec that cannot be, -ENOMEM. reduce_fini takes a zeroed one. */
int reduce_init(struct reduce *r, const struct reduce_spec *spec);
void reduce_fini(struct reduce *r);

static inline void reduce_merge(const struct reduce *r, void *left, const void *right)
{
	r->kind->merge(r, left, right);
}

static inline size_t reduce_used(const struct reduce *r, const void *state)
{
	return r->kind->used ? r->kind->used(r, state) : r->state_size;
}

/* kinds.c, extremes.c, exact.c, sketch.c */
extern const struct reduce_kind reduce_own, reduce_sum, reduce_moments, reduce_histogram;
extern const struct reduce_kind reduce_extreme, reduce_exact, reduce_sketch;
/* Element i as a double. */
double reduce_value(const struct reduce *r, const void *leaf, size_t i);
/* Values a level and levels, for n values and an error; false: they are too many. */
bool sketch_plan(double n, double error, uint64_t *values, uint64_t *levels);
size_t sketch_state_size(uint64_t values, uint64_t levels);
size_t sketch_scratch_size(const struct reduce *r);
/* The values at `count` probabilities. */
void sketch_quantiles(const struct reduce *r, const void *state, const double *probabilities,
		      int64_t count, double *values);

/* A node on the wire, and its state behind it. */
struct node {
	int64_t first;
	uint64_t level;
	uint64_t size; /* of the state */
	uint64_t zero;
};

/* ---- stack.c: the nodes of consecutive items, in memory that outlives who writes it ------- */

#define STACK_SLOTS 63

/* What a payload begins with. */
enum payload_kind {
	PAYLOAD_NODES = 1, /* u64: this; then nodes, each at a multiple of 8 */
	PAYLOAD_STACK,	   /* a stack_head; slots, each a node, at multiples of `stride` */
};

/* table[d % 2] is that after d items: how many slots count, and which, by item. The other one
 * has the same entries but for its last. */
struct stack_head {
	uint64_t kind, stride;
	uint64_t zero[6];
	unsigned char table[2][STACK_SLOTS + 1];
};

struct stack {
	const struct reduce *reduce; /* borrowed; NULL: there is no stack */
	char *memory;		     /* borrowed: stack_room bytes, aligned to 64 */
	size_t stride;		     /* of its slots */
	uint64_t used;		     /* slots of the table that counts */
	int count;		     /* how many these are */
	int leaf;		     /* the slot of stack_leaf */
	int reached;		     /* slots that were ever used */
};

size_t stack_room(const struct reduce *r);
void stack_begin(struct stack *s, const struct reduce *r, void *memory);
/* Zeroed room for the result of the next item. */
void *stack_leaf(struct stack *s);
/* With its result in stack_leaf the item is put on the stack, and combined; without, it is
 * left out. What was there before stays until `done`, items so far, goes up by one. */
void stack_push(struct stack *s, int64_t done, int64_t item);
void stack_skip(struct stack *s, int64_t done);
/* Another item could be one too many: it takes three slots at most, until it is done. */
static inline bool stack_is_full(const struct stack *s)
{
	return s->count >= STACK_SLOTS - 3;
}

/* Bytes of it that are in use. */
size_t stack_size(const struct stack *s);
/* Its nodes as PAYLOAD_NODES, and how many bytes that is. */
size_t stack_packed_size(const struct stack *s, int64_t done);
size_t stack_pack(const struct stack *s, int64_t done, void *buffer);

/* Reads the nodes of a payload, a stranger's bytes, after `done` items. */
struct node_reader {
	const char *data;
	size_t size, at;
	uint64_t stride; /* 0: PAYLOAD_NODES */
	int count, next; /* of the table */
	const unsigned char *table;
};
/* 0, or XC_EPROTO. */
int node_reader_init(struct node_reader *r, struct span payload, int64_t done);
/* 1 with a node and its state, which may lie anywhere; 0 at the end; XC_EPROTO. */
int node_reader_next(struct node_reader *r, struct node *node, const void **state);

/* ---- tree.c: all nodes that have come ------------------------------------------------------ */

struct tree_node;

struct tree {
	struct reduce reduce;
	int64_t items;
	struct tree_node **nodes; /* owned, by their items */
	size_t count, room;
	struct tree_node *spare; /* owned */
	size_t spares;
	bool is_broken; /* what came does not fit together, or there is no result to come */
};

int tree_init(struct tree *tree, const struct reduce_spec *spec, int64_t items);
void tree_fini(struct tree *tree);
/* There will be no result: nodes, also those to come, take no memory any more. */
void tree_drop(struct tree *tree);
/* The payload of a RESULT for `count` items from `first` on, of which `good` have ended well.
 * 0, or -ENOMEM: nothing of it is taken. */
int tree_take(struct tree *tree, struct span payload, int64_t first, int64_t count, int64_t good);
/* The state of all items; NULL: not all are there, or there are none. */
const void *tree_root(const struct tree *tree);

#endif
