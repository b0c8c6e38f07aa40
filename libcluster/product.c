/* product.c: sums of products of distributed matrices: blocks to where they are needed, the
 * tasks that multiply them, and nothing left of either. */
#include "libcluster/product.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"

#define ATTEMPTS 3 /* an engine may crash; nothing that is run again is there already */

void borrowed_name(const struct xc_matrix *m, int block, char name[BLOCK_NAME_MAX])
{
	snprintf(name, BLOCK_NAME_MAX, "%.80s@%d", m->name, block);
}

static const struct xc_matrix *operand(const struct run *run, int which)
{
	return which ? run->op->b : run->op->a;
}

/* ---- Jobs ---------------------------------------------------------------------------------- */

/* Takes the result, which may be NULL: then `err` says why. */
static int keep(struct run *run, struct xc_result *result, struct xc_error *err)
{
	struct xc_result **more;

	if (!result)
		return err->code;
	if (run->count == run->room) {
		more = realloc(run->results, (size_t)(2 * run->room + 8) * sizeof *more);
		if (!more) {
			xc_result_destroy(result);
			return error_set(err, -ENOMEM, "out of memory");
		}
		run->results = more;
		run->room = 2 * run->room + 8;
	}
	run->results[run->count++] = result;
	return 0;
}

static struct xc_result *submit_builtin(const struct xc_view *view, enum builtin number,
					const char *name, const void *in, size_t size,
					struct xc_error *err)
{
	static const struct xc_map_options options = { .max_attempts = ATTEMPTS };
	struct xci_submission s = xci_builtin(view, number, name);

	s.options = &options;
	s.task.in_size = size;
	if (size && frame_copy(&s.payload, in, size) < 0) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	return xci_submit(&s, err);
}

/* What names the blocks of the operands to others. */
static int refer(struct run *run, struct xc_error *err)
{
	int r = 0;

	for (int which = 0; which < 2; which++) {
		const struct xc_matrix *m = operand(run, which);

		if (!m || (which && m == run->op->a) || run->op->sum == SUM_OWN)
			continue;
		run->referred[which] =
			submit_builtin(m->view, BUILTIN_REFER, m->name, NULL, 0, err);
		if (!run->referred[which])
			return err->code;
	}
	for (int which = 0; r == 0 && which < 2; which++)
		if (run->referred[which])
			r = xc_wait(run->referred[which], -1, err);
	return r;
}

/* The engines that need the block, by their ids; `ids` has room for all. */
static int who_needs(const struct run *run, int which, int block, int flag, uint32_t *ids)
{
	int n = 0;

	for (int e = 0; e < matrix_blocks(run->op->c); e++)
		if (*run_need(run, which, block, e) & flag)
			ids[n++] = run->op->c->view->ids[e];
	return n;
}

/* Calls `visit` for each block that others need. */
static int each_needed(struct run *run, int flag,
		       int (*visit)(struct run *run, int which, int block,
				    const struct xc_view *view, struct xc_error *err),
		       struct xc_error *err)
{
	uint32_t *ids = calloc((size_t)matrix_blocks(run->op->c), sizeof *ids);
	int r = ids ? 0 : error_set(err, -ENOMEM, "out of memory");

	for (int which = 0; which < 2; which++) {
		const struct xc_matrix *m = operand(run, which);

		for (int b = 0; r == 0 && m && b < matrix_blocks(m); b++) {
			struct xc_view view = { .client = m->client,
						.kind = VIEW_LIST,
						.ids = ids };

			view.count = who_needs(run, which, b, flag, ids);
			if (view.count > 0)
				r = visit(run, which, b, &view, err);
		}
	}
	free(ids);
	return r;
}

static int lend(struct run *run, int which, int block, const struct xc_view *view,
		struct xc_error *err)
{
	char name[BLOCK_NAME_MAX];
	size_t size = 0;
	const void *frame = xc_result_item(run->referred[which], block, &size);

	borrowed_name(operand(run, which), block, name);
	return keep(run, submit_builtin(view, BUILTIN_PUSH, name, frame, size, err), err);
}

static int take_back(struct run *run, int which, int block, const struct xc_view *view,
		     struct xc_error *err)
{
	char name[BLOCK_NAME_MAX];

	borrowed_name(operand(run, which), block, name);
	return keep(run, submit_builtin(view, BUILTIN_CLEAR, name, NULL, 0, err), err);
}

/* The same as a call of its own, after an error. */
static void undo_one(const struct run *run, const struct xc_view *view, const char *name)
{
	if (run->is_interrupted)
		matrix_clear_later(view, name);
	else
		matrix_clear(view, name);
}

static int take_back_now(struct run *run, int which, int block, const struct xc_view *view,
			 struct xc_error *err)
{
	char name[BLOCK_NAME_MAX];

	(void)err;
	borrowed_name(operand(run, which), block, name);
	undo_one(run, view, name);
	return 0;
}

/* ---- Steps --------------------------------------------------------------------------------- */

static int begin_inputs(struct run *run)
{
	const struct matrix_operation *op = run->op;
	struct block_update head = { .alpha = op->alpha, .beta = run->steps ? 1 : op->beta };
	uint64_t version = op->c->version + (uint64_t)run->steps;

	if (head.beta != 0)
		matrix_name(op->c, version, head.from);
	matrix_name(op->c, version + 1, head.to);
	for (int e = 0; e < matrix_blocks(op->c); e++) {
		struct list *list = &run->inputs[e];
		int row = e / op->c->grid_cols, col = e % op->c->grid_cols;

		head.rows = matrix_block_rows(op->c, e);
		head.cols = matrix_block_cols(op->c, e);
		head.is_symmetric =
			op->sum == SUM_OWN || (op->sum == SUM_CROSS && head.rows == head.cols &&
					       op->c->row_at[row] == op->c->col_at[col]);
		if (list->room < sizeof head) {
			list->data = malloc(2 * sizeof head);
			if (!list->data)
				return -ENOMEM;
			list->room = 2 * sizeof head;
		}
		memcpy(list->data, &head, sizeof head);
		list->size = sizeof head;
	}
	return 0;
}

static int submit_update(struct run *run, struct xc_error *err)
{
	static const struct xc_map_options options = { .function = BLOCK_UPDATE,
						       .library = BLOCK_LIBRARY,
						       .max_attempts = ATTEMPTS };
	struct xc_map_options named = options;
	int n = matrix_blocks(run->op->c), r;
	struct xc_bytes *items = calloc((size_t)n, sizeof *items);

	if (!items)
		return error_set(err, -ENOMEM, "out of memory");
	named.label = run->op->call;
	for (int e = 0; e < n; e++) {
		struct list *list = &run->inputs[e];
		uint64_t terms =
			(list->size - sizeof(struct block_update)) / sizeof(struct block_term);

		memcpy(list->data + offsetof(struct block_update, terms), &terms, sizeof terms);
		items[e] = (struct xc_bytes){ list->data, list->size };
	}
	r = keep(run, xc_map_packed_async(run->op->c->view, NULL, items, n, NULL, 0, &named, err),
		 err);
	free(items);
	return r;
}

/* The blocks of this step to those who need them, the task, and all that is not needed any
 * more: what each engine gets it does in this order. */
static int submit_step(struct run *run, struct xc_error *err)
{
	const struct xc_matrix *c = run->op->c;
	char name[BLOCK_NAME_MAX];
	int r = each_needed(run, NEEDED_NOW, lend, err);

	if (r == 0)
		r = submit_update(run, err);
	if (r == 0)
		r = each_needed(run, NEEDED_NOW, take_back, err);
	if (r == 0 && run->steps > 0) {
		matrix_name(c, c->version + (uint64_t)run->steps, name);
		r = keep(run, submit_builtin(c->view, BUILTIN_CLEAR, name, NULL, 0, err), err);
	}
	run->steps++;
	return r;
}

static void note_needs(struct run *run)
{
	for (int which = 0; which < 2; which++) {
		const struct xc_matrix *m = operand(run, which);
		size_t count = m ? (size_t)matrix_blocks(m) * (size_t)matrix_blocks(run->op->c) : 0;

		for (size_t i = 0; i < count; i++)
			if (run->needs[which][i])
				run->needs[which][i] = NEEDED_ONCE;
	}
}

static int make_steps(struct run *run, struct xc_error *err)
{
	int segment = 0, r;

	do {
		r = begin_inputs(run);
		for (bool more = true; r == 0 && more && segment < run->segments; segment++) {
			r = terms_add(run, segment);
			more = r > 0;
			r = r > 0 ? 0 : r;
		}
		if (r < 0)
			return error_set(err, r, "out of memory");
		r = submit_step(run, err);
		note_needs(run);
	} while (r == 0 && segment < run->segments);
	return r;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int begin(struct run *run, struct xc_error *err)
{
	size_t engines = (size_t)matrix_blocks(run->op->c);
	int r = segments_find(run);

	run->inputs = calloc(engines, sizeof *run->inputs);
	for (int which = 0; which < 2; which++) {
		const struct xc_matrix *m = operand(run, which);

		run->needs[which] = calloc((m ? (size_t)matrix_blocks(m) : 0) * engines + 1, 1);
		if (!run->needs[which])
			r = -ENOMEM;
	}
	return r < 0 || !run->inputs ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static int await(struct run *run, struct xc_error *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < run->count; i++)
		r = xc_wait(run->results[i], -1, err);
	return r;
}

/* What is on its way is cancelled, and what has come removed: C stays as it was. */
static void undo(struct run *run)
{
	const struct xc_matrix *c = run->op->c;
	char name[BLOCK_NAME_MAX];

	note_needs(run);
	each_needed(run, NEEDED_ONCE, take_back_now, NULL);
	for (int i = 1; i <= run->steps; i++) {
		matrix_name(c, c->version + (uint64_t)i, name);
		undo_one(run, c->view, name);
	}
}

static void commit(struct run *run)
{
	struct xc_matrix *c = run->op->c;

	matrix_clear(c->view, c->name);
	c->version += (uint64_t)run->steps;
	matrix_name(c, c->version, c->name);
}

static void end(struct run *run)
{
	for (int i = 0; i < run->count; i++)
		xc_result_destroy(run->results[i]);
	for (int which = 0; which < 2; which++) {
		xc_result_destroy(run->referred[which]);
		free(run->needs[which]);
	}
	for (int e = 0; run->inputs && e < matrix_blocks(run->op->c); e++)
		free(run->inputs[e].data);
	free(run->inputs);
	free(run->results);
	free(run->cuts);
}

int matrix_run(const struct matrix_operation *operation, struct xc_error *err)
{
	struct run run = { .op = operation };
	int r;

	xci_pump(operation->c->client, 0);
	r = matrix_check(operation->call, operation->c, err);
	for (int which = 0; r == 0 && which < 2; which++)
		if (operand(&run, which))
			r = matrix_check(operation->call, operand(&run, which), err);
	if (r < 0)
		return r;
	r = begin(&run, err);
	if (r < 0) {
		end(&run);
		return matrix_failed(operation->call, err);
	}
	r = refer(&run, err);
	if (r == 0)
		r = make_steps(&run, err);
	if (r == 0)
		r = await(&run, err);
	if (r < 0) {
		run.is_interrupted = r == -EINTR;
		for (int i = 0; i < run.count; i++)
			xc_cancel(run.results[i], XC_CANCEL_QUEUED, NULL);
		undo(&run);
		r = matrix_failed(operation->call, err);
	} else {
		commit(&run);
	}
	end(&run);
	return r;
}
