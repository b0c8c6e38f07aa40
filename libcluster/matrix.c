/* matrix.c: distributed matrices: their blocks, to the engines and back. */
#include "libcluster/matrix.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"

#define ROOM_DEFAULT ((size_t)1 << 30)
#define LENGTH_MAX   (INT64_C(1) << 46)
#define OWNER_BYTES  6 /* of the session, in names */

int matrix_failed(const char *call, struct xc_error *err)
{
	char text[sizeof err->text];

	snprintf(text, sizeof text, "%s", err->text);
	return error_set(err, err->code, "%s: %.450s", call, text);
}

int matrix_check(const char *call, const struct xc_matrix *matrix, struct xc_error *err)
{
	struct xc_client *client = matrix->client;

	if (client->is_lost)
		return xci_lost(client, err);
	for (int i = 0; i < matrix_blocks(matrix); i++) {
		uint32_t id = matrix->view->ids[i];
		const struct xci_engine *engine =
			id < (uint32_t)client->engine_count ? &client->engines[id] : NULL;

		if (engine && engine->state != XCI_GONE && engine->state != XCI_SHUT)
			continue;
		return error_set(err, XC_ENOENGINE,
				 "%s: engine %u %s, and its block of %lld x %lld doubles is lost: "
				 "scatter the matrix again",
				 call, id,
				 engine && engine->state == XCI_SHUT ? "was shut down"
								     : "has failed for good",
				 (long long)matrix_block_rows(matrix, i),
				 (long long)matrix_block_cols(matrix, i));
	}
	return 0;
}

/* ---- Layout ------------------------------------------------------------------------------ */

/* The most square grid of `engines` blocks, with no more columns than rows. */
static void square(int engines, int *rows, int *cols)
{
	*cols = 1;
	for (int c = 2; c * c <= engines; c++)
		if (engines % c == 0)
			*cols = c;
	*rows = engines / *cols;
}

static int choose_grid(const struct xc_matrix_layout *layout, int engines, int *rows, int *cols,
		       const char *call, struct xc_error *err)
{
	*rows = layout->grid_rows;
	*cols = layout->grid_cols;
	if (*rows < 0 || *cols < 0)
		return error_set(err, -EINVAL, "%s: a grid of %d x %d is not possible", call, *rows,
				 *cols);
	if (*rows == 0 && *cols == 0)
		square(engines, rows, cols);
	else if (*rows == 0)
		*rows = engines / *cols;
	else if (*cols == 0)
		*cols = engines / *rows;
	if (*rows > 0 && *cols > 0 && (int64_t)*rows * *cols <= engines)
		return 0;
	return error_set(err, -EINVAL,
			 "%s: a grid of %d x %d blocks needs an engine for each, but the view has "
			 "%d",
			 call, layout->grid_rows ? layout->grid_rows : 1,
			 layout->grid_cols ? layout->grid_cols : 1, engines);
}

/* The beginnings of `parts` parts of n, as even as possible, larger ones first. */
static int64_t *divide(int64_t n, int parts)
{
	int64_t *at = calloc((size_t)parts + 1, sizeof *at);

	for (int i = 0; at && i < parts; i++)
		at[i + 1] = at[i] + n / parts + (i < n % parts);
	return at;
}

void matrix_name(const struct xc_matrix *matrix, uint64_t version, char name[BLOCK_NAME_MAX])
{
	snprintf(name, BLOCK_NAME_MAX, "%s.%llu", matrix->base, (unsigned long long)version);
}

/* What the names of all variables of the client's matrices begin with, and no others. */
static size_t write_prefix(const struct xc_client *client, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "xc_matrix_");

	for (int i = 0; i < OWNER_BYTES; i++)
		used += (size_t)snprintf(text + used, size - used, "%02x", client->session[i]);
	return used + (size_t)snprintf(text + used, size - used, "_");
}

/* No two matrices of the cluster have the same. */
static void choose_base(struct xc_matrix *m)
{
	size_t used = write_prefix(m->client, m->base, sizeof m->base);

	snprintf(m->base + used, sizeof m->base - used, "%llu",
		 (unsigned long long)++m->client->last_matrix);
	matrix_name(m, m->version, m->name);
}

/* So that no block outlives its client, however that ends. Inline the engines go with it. */
static int leave_will(struct xc_client *client, struct xc_error *err)
{
	char prefix[BLOCK_NAME_MAX];
	struct xci_submission s;
	int r;

	if (client->has_will || client->inside)
		return 0;
	write_prefix(client, prefix, sizeof prefix);
	s = xci_builtin(xc_all(client), BUILTIN_SWEEP, prefix);
	s.items = 0;
	s.flags = JOB_WILL;
	r = xci_finish(xci_submit(&s, err), err);
	client->has_will = r == 0;
	return r;
}

/* The first so many of the view's engines, which stay the same. */
static int choose_view(struct xc_matrix *m, const struct xc_view *view, struct xc_error *err)
{
	uint32_t *ids;
	int n, r = xci_view_targets(view, &ids, &n, err);

	if (r < 0)
		return r;
	if (n < matrix_blocks(m))
		r = error_set(err, XC_ENOENGINE, "the view has only %d engines now", n);
	else
		r = xc_engines(m->client, (const int *)ids, matrix_blocks(m), &m->view, err);
	free(ids);
	return r;
}

static int check_size(const char *call, int64_t rows, int64_t cols, struct xc_error *err)
{
	if (rows >= 1 && cols >= 1 && rows <= LENGTH_MAX && cols <= LENGTH_MAX &&
	    rows <= INT64_MAX / 8 / cols)
		return 0;
	return error_set(err, -EINVAL, "%s: a matrix of %lld x %lld is not possible", call,
			 (long long)rows, (long long)cols);
}

int matrix_make(struct xc_matrix **matrix, const char *call, const struct xc_view *view,
		int64_t rows, int64_t cols, const struct xc_matrix_layout *layout,
		struct xc_error *err)
{
	static const struct xc_matrix_layout standard = XC_MATRIX_LAYOUT_INIT;
	struct xc_matrix *m;
	int grid_rows, grid_cols, r = xci_data_check(view, call, NULL, err);

	if (r == 0)
		r = check_size(call, rows, cols, err);
	if (r < 0)
		return r;
	if (xc_view_size(view) == 0)
		return xci_no_engine(view, err);
	layout = layout ? layout : &standard;
	r = choose_grid(layout, xc_view_size(view), &grid_rows, &grid_cols, call, err);
	if (r < 0)
		return r;
	if ((rows - 1) / grid_rows >= INT_MAX || (cols - 1) / grid_cols >= INT_MAX)
		return error_set(err, -EINVAL,
				 "%s: the blocks of %lld x %lld in a grid of %d x %d are too large "
				 "for BLAS",
				 call, (long long)rows, (long long)cols, grid_rows, grid_cols);
	m = calloc(1, sizeof *m);
	if (!m)
		return error_set(err, -ENOMEM, "%s: out of memory", call);
	m->client = view->client;
	m->rows = rows;
	m->cols = cols;
	m->grid_rows = grid_rows;
	m->grid_cols = grid_cols;
	m->room = layout->room ? layout->room : ROOM_DEFAULT;
	m->row_at = divide(rows, grid_rows);
	m->col_at = divide(cols, grid_cols);
	choose_base(m);
	r = m->row_at && m->col_at ? choose_view(m, view, err)
				   : error_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = leave_will(m->client, err);
	if (r < 0) {
		matrix_drop(m);
		return matrix_failed(call, err);
	}
	*matrix = m;
	return 0;
}

void matrix_drop(struct xc_matrix *matrix)
{
	free(matrix->row_at);
	free(matrix->col_at);
	free(matrix);
}

void matrix_clear_later(const struct xc_view *view, const char *name)
{
	/* It is done even if this client closes now. */
	static const struct xc_map_options options = { .on_disconnect = XC_DISCONNECT_KEEP };
	struct xci_submission s;

	if (view->client->inside) { /* where nothing runs unless one waits for it */
		xc_clear(view, name, NULL);
		return;
	}
	s = xci_builtin(view, BUILTIN_CLEAR, name);
	s.options = &options;
	xc_result_destroy(xci_submit(&s, NULL));
}

void matrix_clear(const struct xc_view *view, const char *name)
{
	if (xc_clear(view, name, NULL) == -EINTR)
		matrix_clear_later(view, name);
}

int xc_matrix_new(struct xc_matrix **matrix, const struct xc_view *view, int64_t rows, int64_t cols,
		  const struct xc_matrix_layout *layout, struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct matrix_operation zeros = { .call = "xc_matrix_new" };
	int r;

	if (!matrix)
		return error_set(e, -EINVAL, "xc_matrix_new: matrix is NULL");
	r = matrix_make(&zeros.c, "xc_matrix_new", view, rows, cols, layout, e);
	if (r < 0)
		return r;
	r = matrix_run(&zeros, e);
	if (r < 0)
		matrix_drop(zeros.c);
	else
		*matrix = zeros.c;
	return r;
}

void xc_matrix_free(struct xc_matrix *matrix)
{
	if (!matrix)
		return;
	matrix_clear(matrix->view, matrix->name);
	matrix_drop(matrix);
}

/* ---- Scatter and gather ------------------------------------------------------------------ */

static int check_array(const struct xc_array *array, struct xc_error *err)
{
	if (!array || xc_array_size(array) < 0 || (!array->data && xc_array_size(array) > 0))
		return error_set(err, -EINVAL,
				 "xc_matrix_scatter: the array is NULL, has no data, or its dtype "
				 "or shape is not valid");
	if (array->dtype != XC_F64)
		return error_set(err, -EINVAL,
				 "xc_matrix_scatter: a matrix is of doubles (XC_F64); convert the "
				 "array before");
	if (array->ndim != 1 && array->ndim != 2)
		return error_set(err, -EINVAL,
				 "xc_matrix_scatter: an array of %d dimensions is no matrix",
				 array->ndim);
	return 0;
}

static void copy_block(const struct xc_matrix *m, int i, char *whole, char *block, bool to_block)
{
	int64_t rows = matrix_block_rows(m, i), cols = matrix_block_cols(m, i);
	int64_t first_row = m->row_at[i / m->grid_cols], first_col = m->col_at[i % m->grid_cols];

	for (int64_t r = 0; r < rows; r++) {
		char *in_whole = whole + ((first_row + r) * m->cols + first_col) * 8;
		char *in_block = block + r * cols * 8;

		memcpy(to_block ? in_block : in_whole, to_block ? in_whole : in_block,
		       (size_t)cols * 8);
	}
}

/* Block i as an array: in place where it has whole rows, else a copy, which is owned. */
static int cut(const struct xc_matrix *m, int i, const void *data, struct xc_array *block)
{
	int64_t rows = matrix_block_rows(m, i), cols = matrix_block_cols(m, i);
	char *whole = (char *)(uintptr_t)data, *copy;

	*block = (struct xc_array){ .dtype = XC_F64, .ndim = 2, .shape = { rows, cols } };
	if (m->grid_cols == 1) {
		block->data = whole + m->row_at[i] * m->cols * 8;
		return 0;
	}
	copy = malloc((size_t)(rows * cols) * 8 + 1);
	if (!copy)
		return -ENOMEM;
	copy_block(m, i, whole, copy, true);
	block->data = copy;
	return 0;
}

static struct xc_view part_of_view(const struct xc_matrix *m, int first, int count)
{
	return (struct xc_view){
		.client = m->client, .kind = VIEW_LIST, .ids = m->view->ids + first, .count = count
	};
}

static int send_part(const struct xc_matrix *m, int first, int count, const void *data,
		     struct xc_error *err)
{
	struct xc_view view = part_of_view(m, first, count);
	struct xc_array *blocks = calloc((size_t)count, sizeof *blocks);
	int r = blocks ? 0 : -ENOMEM;

	for (int i = 0; r == 0 && i < count; i++)
		r = cut(m, first + i, data, &blocks[i]);
	if (r < 0)
		error_set(err, r, "no memory for %d blocks of %lld x %lld doubles", count,
			  (long long)matrix_block_rows(m, first),
			  (long long)matrix_block_cols(m, first));
	else
		r = xci_finish(xci_push_each(&view, m->name, blocks, err), err);
	for (int i = 0; blocks && m->grid_cols > 1 && i < count; i++)
		free((void *)(uintptr_t)blocks[i].data);
	free(blocks);
	return r;
}

/* All that need not be copied; else one row of the grid at a time, so that little more than
 * the matrix itself is needed. */
static int send_blocks(const struct xc_matrix *m, const void *data, struct xc_error *err)
{
	int count = m->grid_cols == 1 ? matrix_blocks(m) : m->grid_cols, r = 0;

	for (int first = 0; r == 0 && first < matrix_blocks(m); first += count)
		r = send_part(m, first, count, data, err);
	return r;
}

int xc_matrix_scatter(struct xc_matrix **matrix, const struct xc_view *view,
		      const struct xc_array *array, const struct xc_matrix_layout *layout,
		      struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct xc_matrix *m;
	int r;

	e->code = 0;
	if (!matrix)
		return error_set(e, -EINVAL, "xc_matrix_scatter: matrix is NULL");
	r = check_array(array, e);
	if (r == 0)
		r = matrix_make(&m, "xc_matrix_scatter", view, array->shape[0],
				array->ndim == 2 ? array->shape[1] : 1, layout, e);
	if (r < 0)
		return r;
	r = send_blocks(m, array->data, e);
	if (r == 0) {
		*matrix = m;
		return 0;
	}
	matrix_clear(m->view, m->name);
	matrix_drop(m);
	return matrix_failed("xc_matrix_scatter", e);
}

static int take_blocks(const struct xc_matrix *m, int first, struct xc_array *blocks, char *whole,
		       struct xc_error *err)
{
	int r = 0;

	for (int i = 0; i < m->grid_cols; i++) {
		const struct xc_array *b = &blocks[i];

		if (b->dtype != XC_F64 || b->ndim != 2 ||
		    b->shape[0] != matrix_block_rows(m, first + i) ||
		    b->shape[1] != matrix_block_cols(m, first + i))
			r = error_set(err, -ESTALE,
				      "\"%s\" of engine %u is not the block that it was: somebody "
				      "has set it to something else",
				      m->name, m->view->ids[first + i]);
		else
			copy_block(m, first + i, whole, (char *)(uintptr_t)b->data, false);
		xc_array_free(&blocks[i]);
	}
	return r;
}

/* Likewise. */
static int gather(const struct xc_matrix *m, struct xc_array *blocks, char *whole,
		  struct xc_error *err)
{
	int r = 0;

	for (int row = 0; r == 0 && row < m->grid_rows; row++) {
		int first = row * m->grid_cols;
		struct xc_view line = part_of_view(m, first, m->grid_cols);

		r = xc_pull(&line, m->name, blocks, err);
		if (r == 0)
			r = take_blocks(m, first, blocks, whole, err);
	}
	return r;
}

int xc_matrix_gather(const struct xc_matrix *matrix, struct xc_array *array, struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct xc_array *blocks;
	char *whole;
	int r;

	if (!matrix || !array)
		return error_set(e, -EINVAL, "xc_matrix_gather: matrix or array is NULL");
	xci_pump(matrix->client, 0);
	r = matrix_check("xc_matrix_gather", matrix, e);
	if (r < 0)
		return r;
	blocks = calloc((size_t)matrix->grid_cols, sizeof *blocks);
	whole = malloc((size_t)(matrix->rows * matrix->cols) * 8);
	r = blocks && whole ? gather(matrix, blocks, whole, e)
			    : error_set(e, -ENOMEM, "no memory for %lld x %lld doubles",
					(long long)matrix->rows, (long long)matrix->cols);
	free(blocks);
	if (r < 0) {
		free(whole);
		return matrix_failed("xc_matrix_gather", e);
	}
	*array = (struct xc_array){
		.dtype = XC_F64, .ndim = 2, .shape = { matrix->rows, matrix->cols }, .data = whole
	};
	return 0;
}

/* ---- What there is to know --------------------------------------------------------------- */

int xc_matrix_info(const struct xc_matrix *matrix, struct xc_matrix_info *info,
		   struct xc_error *err)
{
	if (!matrix || !info)
		return error_set(err, -EINVAL, "xc_matrix_info: matrix or info is NULL");
	*info = (struct xc_matrix_info){ .rows = matrix->rows,
					 .cols = matrix->cols,
					 .grid_rows = matrix->grid_rows,
					 .grid_cols = matrix->grid_cols,
					 .view = matrix->view,
					 .name = matrix->name };
	return 0;
}

int xc_matrix_block(const struct xc_matrix *matrix, int i, struct xc_matrix_block *block,
		    struct xc_error *err)
{
	if (!matrix || !block)
		return error_set(err, -EINVAL, "xc_matrix_block: matrix or block is NULL");
	if (i < 0 || i >= matrix_blocks(matrix))
		return error_set(err, -EINVAL, "xc_matrix_block: there is no block %d of %d", i,
				 matrix_blocks(matrix));
	*block = (struct xc_matrix_block){ .engine = (int)matrix->view->ids[i],
					   .first_row = matrix->row_at[i / matrix->grid_cols],
					   .first_col = matrix->col_at[i % matrix->grid_cols],
					   .rows = matrix_block_rows(matrix, i),
					   .cols = matrix_block_cols(matrix, i) };
	return 0;
}
