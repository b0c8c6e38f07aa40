/* tree.c: the nodes of a reduction that have come, combined as far as they go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "libcluster/reduce/reduce.h"

struct tree_node {
	int64_t first;
	int level;
	struct tree_node *next; /* of the spare ones */
	_Alignas(16) unsigned char state[];
};

int tree_init(struct tree *tree, const struct reduce_spec *spec, int64_t items)
{
	memset(tree, 0, sizeof *tree);
	tree->items = items;
	return reduce_init(&tree->reduce, spec);
}

void tree_drop(struct tree *tree)
{
	struct tree_node *node, *next;

	for (size_t i = 0; i < tree->count; i++)
		free(tree->nodes[i]);
	LL_FOREACH_SAFE (tree->spare, node, next) {
		free(node);
	}
	free(tree->nodes);
	tree->nodes = NULL;
	tree->spare = NULL;
	tree->count = tree->room = tree->spares = 0;
	tree->is_broken = true;
}

void tree_fini(struct tree *tree)
{
	tree_drop(tree);
	reduce_fini(&tree->reduce);
	memset(tree, 0, sizeof *tree);
}

/* Room for so many nodes more. */
static int reserve(struct tree *tree, size_t count)
{
	size_t size = sizeof(struct tree_node) + tree->reduce.state_size;

	if (tree->count + count > tree->room) {
		size_t room = 2 * (tree->count + count);
		struct tree_node **nodes = realloc(tree->nodes, room * sizeof(*nodes));

		if (!nodes)
			return -ENOMEM;
		tree->nodes = nodes;
		tree->room = room;
	}
	for (; tree->spares < count; tree->spares++) {
		struct tree_node *node = malloc((size + 15) & ~(size_t)15);

		if (!node)
			return -ENOMEM;
		LL_PREPEND(tree->spare, node);
	}
	return 0;
}

static struct tree_node *take_spare(struct tree *tree)
{
	struct tree_node *node = tree->spare;

	LL_DELETE(tree->spare, node);
	tree->spares--;
	return node;
}

static void give_spare(struct tree *tree, struct tree_node *node)
{
	LL_PREPEND(tree->spare, node);
	tree->spares++;
}

/* Memory is for nodes that are there, not for those of the busiest moment. */
static void trim(struct tree *tree)
{
	while (tree->spares > tree->count + 2)
		free(take_spare(tree));
}

static int64_t end_of(const struct tree_node *node)
{
	return node->first + (INT64_C(1) << node->level);
}

/* Index of the first node that is not before item `first`. */
static size_t position(const struct tree *tree, int64_t first)
{
	size_t low = 0, high = tree->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (tree->nodes[middle]->first < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void remove_at(struct tree *tree, size_t at)
{
	give_spare(tree, tree->nodes[at]);
	tree->count--;
	memmove(tree->nodes + at, tree->nodes + at + 1, (tree->count - at) * sizeof *tree->nodes);
}

static bool are_halves(const struct tree *tree, size_t left)
{
	const struct tree_node *a, *b;

	if (left + 1 >= tree->count)
		return false;
	a = tree->nodes[left];
	b = tree->nodes[left + 1];
	return a->level == b->level && end_of(a) == b->first && !(a->first >> a->level & 1);
}

static bool is_root(const struct tree *tree, const struct tree_node *node)
{
	return node->first == 0 && end_of(node) >= tree->items;
}

/* What the node at `at` makes possible. */
static void combine(struct tree *tree, size_t at)
{
	while (!is_root(tree, tree->nodes[at])) {
		struct tree_node *node = tree->nodes[at];
		bool is_right = node->first >> node->level & 1;

		if (!is_right && end_of(node) >= tree->items) {
			node->level++; /* its right half would be of no items */
			continue;
		}
		if (is_right && at == 0)
			return;
		at -= is_right;
		if (!are_halves(tree, at))
			return;
		reduce_merge(&tree->reduce, tree->nodes[at]->state, tree->nodes[at + 1]->state);
		tree->nodes[at]->level++;
		remove_at(tree, at + 1);
	}
}

static void add(struct tree *tree, const struct node *from, const void *state)
{
	const struct reduce_kind *kind = tree->reduce.kind;
	size_t at = position(tree, from->first);
	struct tree_node *node = take_spare(tree);

	*node = (struct tree_node){ .first = from->first, .level = (int)from->level };
	memcpy(node->state, state, from->size);
	if ((at > 0 && end_of(tree->nodes[at - 1]) > node->first) ||
	    (at < tree->count && tree->nodes[at]->first < end_of(node)) ||
	    (kind->is_valid &&
	     !kind->is_valid(&tree->reduce, node->state, from->size, INT64_C(1) << from->level))) {
		tree->is_broken = true;
		give_spare(tree, node);
		return;
	}
	memmove(tree->nodes + at + 1, tree->nodes + at, (tree->count - at) * sizeof *tree->nodes);
	tree->nodes[at] = node;
	tree->count++;
	combine(tree, at);
}

/* Can it be one of an engine, of items in [from, end)? */
static bool is_plausible(const struct tree *tree, const struct node *node, int64_t from,
			 int64_t end)
{
	int64_t items;

	if (node->level > 61 || node->first < from || node->first >= end)
		return false;
	items = INT64_C(1) << node->level;
	if (items > end - node->first || node->first & (items - 1))
		return false;
	return tree->reduce.kind->used ? node->size <= tree->reduce.state_size
				       : node->size == tree->reduce.state_size;
}

/* How many nodes it has; -1 when they are not those of `good` items of [first, end). */
static int64_t count_nodes(const struct tree *tree, struct span payload, int64_t first, int64_t end,
			   int64_t good)
{
	int64_t count = 0, items = 0, at = first;
	struct node_reader reader;
	const void *state;
	struct node node;
	int n;

	if (payload.size == 0)
		return good == 0 ? 0 : -1;
	if (node_reader_init(&reader, payload, end - first) < 0)
		return -1;
	while ((n = node_reader_next(&reader, &node, &state)) > 0) {
		if (!is_plausible(tree, &node, at, end))
			return -1;
		at = node.first + (INT64_C(1) << node.level);
		items += INT64_C(1) << node.level;
		count++;
	}
	return n == 0 && items == good ? count : -1;
}

int tree_take(struct tree *tree, struct span payload, int64_t first, int64_t count, int64_t good)
{
	struct node_reader reader;
	const void *state;
	struct node node;
	int64_t nodes;

	if (tree->is_broken)
		return 0;
	nodes = count_nodes(tree, payload, first, first + count, good);
	if (nodes < 0)
		tree_drop(tree);
	if (nodes <= 0)
		return 0;
	if (reserve(tree, (size_t)nodes) < 0)
		return -ENOMEM;
	node_reader_init(&reader, payload, count);
	while (!tree->is_broken && node_reader_next(&reader, &node, &state) > 0)
		add(tree, &node, state);
	if (tree->is_broken)
		tree_drop(tree);
	trim(tree);
	return 0;
}

const void *tree_root(const struct tree *tree)
{
	if (tree->is_broken || tree->count != 1 || !is_root(tree, tree->nodes[0]))
		return NULL;
	return tree->nodes[0]->state;
}
