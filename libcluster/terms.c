/* terms.c: what each engine of a distributed product adds up, and which blocks it needs
 * for that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/product.h"

/* The block of an operand, as op has it. */
struct place {
	const struct xc_matrix *m;
	bool transpose;
	int row, col;
};

static const int64_t *op_rows(const struct xc_matrix *m, bool transpose, int *parts)
{
	*parts = transpose ? m->grid_cols : m->grid_rows;
	return transpose ? m->col_at : m->row_at;
}

static const int64_t *op_cols(const struct xc_matrix *m, bool transpose, int *parts)
{
	return op_rows(m, !transpose, parts);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Where A's columns or B's rows are divided, once each. */
int segments_find(struct run *run)
{
	const struct matrix_operation *op = run->op;
	const int64_t *a_at, *b_at;
	int a_parts, b_parts, used = 0, count;

	if (!op->a || op->sum == SUM_OWN || op->sum == SUM_STACK) {
		run->segments = !op->a ? 0 : op->sum == SUM_STACK ? op->a->grid_rows : 1;
		return 0;
	}
	a_at = op_cols(op->a, op->transpose_a, &a_parts);
	b_at = op_rows(op->b, op->transpose_b, &b_parts);
	count = a_parts + b_parts + 2;
	run->cuts = malloc((size_t)count * sizeof *run->cuts);
	if (!run->cuts)
		return -ENOMEM;
	memcpy(run->cuts, a_at, (size_t)(a_parts + 1) * sizeof *a_at);
	memcpy(run->cuts + a_parts + 1, b_at, (size_t)(b_parts + 1) * sizeof *b_at);
	qsort(run->cuts, (size_t)count, sizeof *run->cuts, compare);
	for (int i = 0; i < count; i++)
		if (i == 0 || run->cuts[i] != run->cuts[used - 1])
			run->cuts[used++] = run->cuts[i];
	run->segments = used - 1;
	return 0;
}

/* The part that holds index `i`; empty parts hold none. */
static int part_of(const int64_t *at, int parts, int64_t i)
{
	int low = 0, high = parts - 1;

	while (low < high) {
		int middle = (low + high) / 2;

		if (at[middle + 1] > i)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int block_at(const struct place *p)
{
	return p->transpose ? p->col * p->m->grid_cols + p->row : p->row * p->m->grid_cols + p->col;
}

/* ---- A term ------------------------------------------------------------------------------ */

static int list_add(struct list *list, const void *data, size_t size)
{
	if (list->size + size > list->room) {
		size_t room = 2 * (list->size + size);
		unsigned char *more = realloc(list->data, room);

		if (!more)
			return -ENOMEM;
		list->data = more;
		list->room = room;
	}
	memcpy(list->data + list->size, data, size);
	list->size += size;
	return 0;
}

/* The part of that block from row `row` and column `col` of op on. Notes it as needed if the
 * engine does not have it. */
static void refer(struct run *run, int engine, const struct place *p, int64_t row, int64_t col,
		  struct block_part *part)
{
	int block = block_at(p), which = p->m == run->op->a ? 0 : 1;
	int64_t first_row = p->m->row_at[block / p->m->grid_cols];
	int64_t first_col = p->m->col_at[block % p->m->grid_cols];

	part->rows = matrix_block_rows(p->m, block);
	part->cols = matrix_block_cols(p->m, block);
	part->row = (p->transpose ? col : row) - first_row;
	part->col = (p->transpose ? row : col) - first_col;
	if (p->m->view->ids[block] == run->op->c->view->ids[engine]) {
		memcpy(part->name, p->m->name, sizeof part->name);
		return;
	}
	borrowed_name(p->m, block, part->name);
	*run_need(run, which, block, engine) |= NEEDED_NOW;
}

struct area {
	int64_t row, rows, col, cols;
};

/* The columns or rows [from, to) of C that part i of the operand has, too. */
static bool overlap(const int64_t *at, int i, int64_t from, int64_t to, int64_t *first,
		    int64_t *count)
{
	*first = at[i] > from ? at[i] : from;
	*count = (at[i + 1] < to ? at[i + 1] : to) - *first;
	return *count > 0;
}

static bool is_on_diagonal(const struct run *run, const struct area *c)
{
	return run->op->sum == SUM_CROSS && c->row == c->col && c->rows == c->cols;
}

static int add_product(struct run *run, int engine, const struct area *c, const struct area *own,
		       int64_t from, int64_t count, struct place *a, struct place *b)
{
	struct block_term t = { .kind = BLOCK_GEMM,
				.transpose_a = a->transpose,
				.transpose_b = b->transpose,
				.row = own->row - c->row,
				.col = own->col - c->col,
				.m = own->rows,
				.n = own->cols,
				.k = count };

	if (is_on_diagonal(run, c)) {
		if (own->row > own->col)
			return 0;
		if (own->row == own->col)
			t.kind = BLOCK_SYRK;
	}
	refer(run, engine, a, own->row, from, &t.a);
	if (t.kind == BLOCK_GEMM)
		refer(run, engine, b, from, own->col, &t.b);
	return list_add(&run->inputs[engine], &t, sizeof t);
}

/* All products of the rows or columns [from, from + count) that the operands share. */
static int add_products(struct run *run, int engine, const struct area *c, int64_t from,
			int64_t count)
{
	const struct matrix_operation *op = run->op;
	struct place a = { .m = op->a, .transpose = op->transpose_a };
	struct place b = { .m = op->b, .transpose = op->transpose_b };
	int a_rows, a_cols, b_rows, b_cols, r = 0;
	const int64_t *rows = op_rows(op->a, op->transpose_a, &a_rows);
	const int64_t *cols = op_cols(op->b, op->transpose_b, &b_cols);
	const int64_t *a_at = op_cols(op->a, op->transpose_a, &a_cols);
	const int64_t *b_at = op_rows(op->b, op->transpose_b, &b_rows);
	struct area own;

	a.col = part_of(a_at, a_cols, from);
	b.row = part_of(b_at, b_rows, from);
	for (a.row = 0; r == 0 && a.row < a_rows; a.row++) {
		if (!overlap(rows, a.row, c->row, c->row + c->rows, &own.row, &own.rows))
			continue;
		for (b.col = 0; r == 0 && b.col < b_cols; b.col++)
			if (overlap(cols, b.col, c->col, c->col + c->cols, &own.col, &own.cols))
				r = add_product(run, engine, c, &own, from, count, &a, &b);
	}
	return r;
}

static int add_own(struct run *run, int engine, const struct area *c)
{
	struct block_term t = { .kind = BLOCK_SYRK, .transpose_a = 1, .m = c->cols, .n = c->cols };
	struct place a = { .m = run->op->a, .row = engine };

	t.k = matrix_block_rows(a.m, engine);
	refer(run, engine, &a, a.m->row_at[engine], 0, &t.a);
	return list_add(&run->inputs[engine], &t, sizeof t);
}

static int add_of_stack(struct run *run, int engine, const struct area *c, int segment)
{
	struct block_term t = { .kind = BLOCK_ADD, .m = c->rows, .n = c->cols };
	struct place a = { .m = run->op->a, .row = segment };

	refer(run, engine, &a, a.m->row_at[segment] + c->row, c->col, &t.a);
	return list_add(&run->inputs[engine], &t, sizeof t);
}

static int add_segment(struct run *run, int engine, int segment)
{
	const struct xc_matrix *m = run->op->c;
	struct area c = { .row = m->row_at[engine / m->grid_cols],
			  .rows = matrix_block_rows(m, engine),
			  .col = m->col_at[engine % m->grid_cols],
			  .cols = matrix_block_cols(m, engine) };

	if (c.rows == 0 || c.cols == 0)
		return 0;
	if (run->op->sum == SUM_OWN)
		return add_own(run, engine, &c);
	if (run->op->sum == SUM_STACK)
		return add_of_stack(run, engine, &c, segment);
	return add_products(run, engine, &c, run->cuts[segment],
			    run->cuts[segment + 1] - run->cuts[segment]);
}

/* ---- A step ------------------------------------------------------------------------------ */

/* What the engine takes from others. */
static size_t bytes_needed(const struct run *run, int engine)
{
	size_t bytes = 0;

	for (int which = 0; which < 2; which++) {
		const struct xc_matrix *m = which ? run->op->b : run->op->a;

		for (int b = 0; m && b < matrix_blocks(m); b++)
			if (*run_need(run, which, b, engine) & NEEDED_NOW)
				bytes += (size_t)(matrix_block_rows(m, b) *
						  matrix_block_cols(m, b)) *
					 8;
	}
	return bytes;
}

static bool has_room(const struct run *run)
{
	for (int e = 0; e < matrix_blocks(run->op->c); e++)
		if (bytes_needed(run, e) >= run->op->c->room)
			return false;
	return true;
}

int terms_add(struct run *run, int segment)
{
	int r = 0;

	for (int e = 0; r == 0 && e < matrix_blocks(run->op->c); e++)
		r = add_segment(run, e, segment);
	return r < 0 ? r : has_room(run);
}
