/* stack.c: the nodes of consecutive items, as a binary counter makes them, so that whoever is
 * killed while at it leaves those of the items that are done. */
#include "libcluster/reduce/reduce.h"

#include <string.h>

#include "proto/error.h"

#define PAGE 4096

static size_t align_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static size_t stride_of(const struct reduce *r)
{
	return align_up(sizeof(struct node) + r->state_size, 64);
}

size_t stack_room(const struct reduce *r)
{
	return sizeof(struct stack_head) + STACK_SLOTS * stride_of(r);
}

static struct stack_head *head(const struct stack *s)
{
	return (struct stack_head *)s->memory;
}

static struct node *slot(const struct stack *s, int i)
{
	return (struct node *)(s->memory + sizeof(struct stack_head) + (size_t)i * s->stride);
}

void stack_begin(struct stack *s, const struct reduce *r, void *memory)
{
	*s = (struct stack){ .reduce = r, .memory = memory, .stride = stride_of(r) };
	*head(s) = (struct stack_head){ .kind = PAYLOAD_STACK, .stride = s->stride };
}

/* A file's memory that was never written to would not be there to be read. */
static void reach(struct stack *s, int i)
{
	volatile char *bytes = (volatile char *)slot(s, i);

	s->reached = i + 1;
	for (size_t at = 0; at < s->stride; at += PAGE)
		bytes[at] = 0;
	bytes[s->stride - 1] = 0;
}

/* One that neither counts nor is among those taken. */
static int free_slot(struct stack *s, uint64_t taken)
{
	int i = __builtin_ctzll(~(s->used | taken));

	if (i >= s->reached)
		reach(s, i);
	return i;
}

void *stack_leaf(struct stack *s)
{
	const struct reduce *r = s->reduce;
	void *leaf;

	s->leaf = free_slot(s, 0);
	leaf = r->kind->lift ? r->leaf : (void *)(slot(s, s->leaf) + 1);
	if (r->leaf_size == sizeof(double)) /* the most frequent: without a call */
		memset(leaf, 0, sizeof(double));
	else
		memset(leaf, 0, r->leaf_size);
	return leaf;
}

/* As one of a level more: it takes in another. */
static void copy(struct stack *s, const struct node *from, int to)
{
	struct node *node = slot(s, to);

	*node = (struct node){ .first = from->first, .level = from->level + 1 };
	if (s->reduce->state_size == sizeof(double)) /* the most frequent: without a call */
		memcpy(node + 1, from + 1, sizeof(double));
	else
		memcpy(node + 1, from + 1, reduce_used(s->reduce, from + 1));
}

/* The new one takes in what stands left of it, as copies: those left ones, `gone` from the
 * new table, count still. */
static int combine(struct stack *s, unsigned char *table, int at, uint64_t *gone)
{
	uint64_t taken = UINT64_C(1) << at;

	while (table[0] > 0) {
		const struct node *left = slot(s, table[table[0]]), *right = slot(s, at);
		int to;

		if (left->level != right->level ||
		    left->first + (INT64_C(1) << left->level) != right->first ||
		    left->first >> left->level & 1)
			break;
		to = free_slot(s, taken);
		copy(s, left, to);
		reduce_merge(s->reduce, slot(s, to) + 1, right + 1);
		taken = UINT64_C(1) << to;
		at = to;
		*gone |= UINT64_C(1) << table[table[0]--];
	}
	return at;
}

static unsigned char *next_table(struct stack *s, int64_t done)
{
	unsigned char *now = head(s)->table[done % 2], *next = head(s)->table[(done + 1) % 2];

	next[now[0]] = now[now[0]]; /* the rest of its entries is the same: see stack_head */
	next[0] = now[0];
	return next;
}

void stack_push(struct stack *s, int64_t done, int64_t item)
{
	const struct reduce *r = s->reduce;
	int at = s->leaf;
	struct node *node = slot(s, at);
	unsigned char *table = next_table(s, done);
	uint64_t gone = 0;

	if (r->kind->lift)
		r->kind->lift(r, node + 1, r->leaf, item);
	*node = (struct node){ .first = item };
	at = combine(s, table, at, &gone);
	slot(s, at)->size = reduce_used(r, slot(s, at) + 1);
	table[++table[0]] = (unsigned char)at;
	s->used = (s->used & ~gone) | UINT64_C(1) << at;
	s->count = table[0];
}

void stack_skip(struct stack *s, int64_t done)
{
	next_table(s, done);
}

size_t stack_size(const struct stack *s)
{
	return sizeof(struct stack_head) + (size_t)s->reached * s->stride;
}

/* ---- Packed --------------------------------------------------------------------------------- */

size_t stack_packed_size(const struct stack *s, int64_t done)
{
	const unsigned char *table = head(s)->table[done % 2];
	size_t size = sizeof(uint64_t);

	for (int i = 1; i <= table[0]; i++)
		size += sizeof(struct node) + align_up(slot(s, table[i])->size, 8);
	return size;
}

size_t stack_pack(const struct stack *s, int64_t done, void *buffer)
{
	const unsigned char *table = head(s)->table[done % 2];
	uint64_t kind = PAYLOAD_NODES;
	char *to = buffer;

	memcpy(to, &kind, sizeof kind);
	to += sizeof kind;
	for (int i = 1; i <= table[0]; i++) {
		const struct node *node = slot(s, table[i]);
		size_t size = align_up(node->size, 8);

		memcpy(to, node, sizeof *node);
		memcpy(to + sizeof *node, node + 1, node->size);
		memset(to + sizeof *node + node->size, 0, size - node->size);
		to += sizeof *node + size;
	}
	return (size_t)(to - (char *)buffer);
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

int node_reader_init(struct node_reader *r, struct span payload, int64_t done)
{
	struct stack_head h;
	uint64_t kind;

	*r = (struct node_reader){ .data = payload.data, .size = payload.size };
	if (payload.size < sizeof kind)
		return XC_EPROTO;
	memcpy(&kind, payload.data, sizeof kind);
	r->at = sizeof kind;
	if (kind == PAYLOAD_NODES)
		return 0;
	if (kind != PAYLOAD_STACK || payload.size < sizeof h)
		return XC_EPROTO;
	memcpy(&h, payload.data, sizeof h);
	r->stride = h.stride;
	r->table = (const unsigned char *)payload.data + offsetof(struct stack_head, table) +
		   (size_t)(done % 2) * sizeof h.table[0];
	r->count = r->table[0];
	return r->count <= STACK_SLOTS && h.stride >= sizeof(struct node) &&
			       h.stride <= payload.size
		       ? 0
		       : XC_EPROTO;
}

static int read_node(struct node_reader *r, size_t at, struct node *node, const void **state)
{
	if (at > r->size || r->size - at < sizeof *node)
		return XC_EPROTO;
	memcpy(node, r->data + at, sizeof *node);
	if (node->size > r->size - at - sizeof *node)
		return XC_EPROTO;
	*state = r->data + at + sizeof *node;
	return 1;
}

int node_reader_next(struct node_reader *r, struct node *node, const void **state)
{
	int n;

	if (r->stride) {
		if (r->next == r->count)
			return 0;
		return read_node(
			r, sizeof(struct stack_head) + (size_t)r->table[++r->next] * r->stride,
			node, state);
	}
	if (r->at == r->size)
		return 0;
	n = read_node(r, r->at, node, state);
	if (n == 1)
		r->at += sizeof *node + align_up(node->size, 8);
	return r->at > r->size ? XC_EPROTO : n;
}
