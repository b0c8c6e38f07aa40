/* pull.c: variables from engines into memory of the caller: small ones at once, large ones
 * piece by piece to where they belong. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define AT_ONCE	  (UINT64_C(1) << 20) /* bytes: more than this goes in parts */
#define PART	  PIECE_SIZE
#define PART_RUN  4 /* of them, in one slice: 1 MiB */
#define TRIES_MAX 3 /* of a variable that is set again and again */

/* A pull from engines that stay the same for all its jobs. */
struct pull {
	struct xc_view view; /* of those engines */
	const char *name;
	struct xc_result *look;	    /* owned */
	struct array_frame *frames; /* by engine, in that result; owned */
	struct xc_result **parts;   /* two jobs an engine at most; owned */
	int part_count;
};

static struct xc_result *submit_look(struct pull *pull, struct xc_error *err)
{
	struct xci_submission s = xci_builtin(&pull->view, BUILTIN_LOOK, pull->name);
	uint64_t limit = AT_ONCE;

	s.task.in_size = sizeof limit;
	if (frame_copy(&s.payload, &limit, sizeof limit) < 0) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	return xci_submit(&s, err);
}

/* `count` parts of `size` bytes each from `offset` on. */
static int submit_parts(struct pull *pull, int engine, uint64_t offset, uint64_t size,
			uint64_t count, char *to, struct xc_error *err)
{
	struct xc_map_options options = XC_MAP_OPTIONS_INIT;
	struct xc_view one = { .client = pull->view.client,
			       .kind = VIEW_LIST,
			       .ids = &pull->view.ids[engine],
			       .count = 1 };
	struct xci_submission s = xci_builtin(&one, BUILTIN_PART, pull->name);

	options.chunk = PART_RUN;
	options.on_failure = XC_STOP;
	s.options = &options;
	s.items = (int64_t)count;
	s.out = to + offset;
	s.task.form = FORM_RANGE;
	s.task.start = (int64_t)offset;
	s.task.step = (int64_t)size;
	s.task.out_size = size;
	s.task.object = (struct span){ pull->frames[engine].object, OBJECT_SIZE };
	pull->parts[pull->part_count] = xci_submit(&s, err);
	return pull->parts[pull->part_count++] ? 0 : err->code;
}

/* Brings the elements of engine `i` of the view to `to`. */
static int bring(struct pull *pull, int i, char *to, struct xc_error *err)
{
	const struct array_frame *frame = &pull->frames[i];
	uint64_t size = (uint64_t)xc_array_size(&frame->array), whole = size / PART * PART;
	int r = 0;

	if (!frame->is_object) {
		memcpy(to, frame->array.data, size);
		return 0;
	}
	if (whole > 0)
		r = submit_parts(pull, i, 0, PART, whole / PART, to, err);
	if (r == 0 && size > whole)
		r = submit_parts(pull, i, whole, size - whole, 1, to, err);
	return r;
}

/* All that is on its way. */
static int await_parts(struct pull *pull, struct xc_error *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < pull->part_count; i++)
		r = xc_wait(pull->parts[i], -1, err);
	return r;
}

/* What has not ended does not write to the caller's memory any more. */
static void end_attempt(struct pull *pull)
{
	for (int i = 0; i < pull->part_count; i++)
		xc_result_destroy(pull->parts[i]);
	pull->part_count = 0;
	xc_result_destroy(pull->look);
	pull->look = NULL;
}

static int look(struct pull *pull, struct xc_error *err)
{
	int r;

	pull->look = submit_look(pull, err);
	r = pull->look ? xc_wait(pull->look, -1, err) : err->code;
	return r < 0 ? r : xci_result_frames(pull->look, pull->frames, err);
}

static int pull_begin(struct pull *pull, const struct xc_view *view, const char *call,
		      const char *name, struct xc_error *err)
{
	int r = xci_data_check(view, call, name ? name : "", err);

	*pull = (struct pull){ .name = name };
	if (r < 0)
		return r;
	pull->view = (struct xc_view){ .client = view->client, .kind = VIEW_LIST };
	r = xci_view_targets(view, &pull->view.ids, &pull->view.count, err);
	if (r < 0)
		return r;
	pull->frames = calloc((size_t)pull->view.count, sizeof *pull->frames);
	pull->parts = calloc(2 * (size_t)pull->view.count, sizeof *pull->parts);
	if (!pull->frames || !pull->parts)
		return error_set(err, -ENOMEM, "%s: out of memory", call);
	return 0;
}

static void pull_end(struct pull *pull)
{
	end_attempt(pull);
	free(pull->view.ids);
	free(pull->frames);
	free(pull->parts);
}

/* One that has been set meanwhile is pulled anew: nobody gets a mix. */
static bool is_again(int r, int *tries)
{
	return r == -ESTALE && ++*tries < TRIES_MAX;
}

/* ---- Pull --------------------------------------------------------------------------- */

static int pull_all(struct pull *pull, struct xc_array *arrays, struct xc_error *err)
{
	int r = look(pull, err);

	for (int i = 0; r == 0 && i < pull->view.count; i++) {
		const struct xc_array *array = &pull->frames[i].array;
		int64_t size = xc_array_size(array);
		void *data = malloc((size_t)size + 1);

		if (!data)
			return error_set(err, -ENOMEM, "no memory for %lld bytes", (long long)size);
		arrays[i] = *array;
		arrays[i].data = data;
		r = bring(pull, i, data, err);
	}
	return r < 0 ? r : await_parts(pull, err);
}

int xc_pull(const struct xc_view *view, const char *name, struct xc_array *arrays,
	    struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct xc_array *out = NULL;
	struct pull pull;
	int r, tries = 0;

	if (!arrays)
		return error_set(e, -EINVAL, "xc_pull: arrays is NULL");
	r = pull_begin(&pull, view, "xc_pull", name, e);
	if (r == 0 && !(out = calloc((size_t)pull.view.count, sizeof *out)))
		r = error_set(e, -ENOMEM, "xc_pull: out of memory");
	while (r == 0) {
		r = pull_all(&pull, out, e);
		if (r == 0)
			break;
		end_attempt(&pull);
		for (int i = 0; i < pull.view.count; i++)
			xc_array_free(&out[i]);
		if (is_again(r, &tries))
			r = 0;
	}
	if (r == 0)
		memcpy(arrays, out, (size_t)pull.view.count * sizeof *out);
	free(out);
	pull_end(&pull);
	return r;
}

/* ---- Gather ------------------------------------------------------------------------- */

static bool same_rows(const struct xc_array *a, const struct xc_array *b)
{
	if (a->dtype != b->dtype || a->ndim != b->ndim || a->ndim < 1)
		return false;
	for (int i = 1; i < a->ndim; i++)
		if (a->shape[i] != b->shape[i])
			return false;
	return true;
}

int xci_gather_room(const char *what, const struct array_frame *frames, int64_t n,
		    struct xc_array *array, struct xc_error *err)
{
	struct xc_array whole = frames[0].array;
	int64_t rows = 0, size;
	void *data;

	for (int64_t i = 0; i < n; i++) {
		if (!same_rows(&whole, &frames[i].array))
			return error_set(err, -EINVAL,
					 "%s: part %lld differs from the first in dtype or in a "
					 "dimension other than the first, or is a scalar",
					 what, (long long)i);
		if (__builtin_add_overflow(rows, frames[i].array.shape[0], &rows))
			return error_set(err, XC_EPROTO, "%s: too many rows", what);
	}
	whole.shape[0] = rows;
	size = xc_array_size(&whole);
	data = size < 0 ? NULL : malloc((size_t)size + 1);
	if (!data)
		return error_set(err, -ENOMEM, "no memory for the gathered array");
	whole.data = data;
	*array = whole;
	return 0;
}

static int gather_all(struct pull *pull, const char *what, struct xc_array *array,
		      struct xc_error *err)
{
	int r = look(pull, err);
	char *at;

	if (r == 0)
		r = xci_gather_room(what, pull->frames, pull->view.count, array, err);
	if (r < 0)
		return r;
	at = (char *)(uintptr_t)array->data;
	for (int i = 0; r == 0 && i < pull->view.count; i++) {
		r = bring(pull, i, at, err);
		at += xc_array_size(&pull->frames[i].array);
	}
	return r < 0 ? r : await_parts(pull, err);
}

int xc_gather(const struct xc_view *view, const char *name, struct xc_array *array,
	      struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct xc_array whole = { .data = NULL };
	struct pull pull;
	char what[300];
	int r, tries = 0;

	if (!array)
		return error_set(e, -EINVAL, "xc_gather: array is NULL");
	r = pull_begin(&pull, view, "xc_gather", name, e);
	snprintf(what, sizeof what, "xc_gather \"%s\"", name ? name : "");
	while (r == 0) {
		r = gather_all(&pull, what, &whole, e);
		if (r == 0)
			break;
		end_attempt(&pull);
		xc_array_free(&whole);
		if (is_again(r, &tries))
			r = 0;
	}
	if (r == 0)
		*array = whole;
	pull_end(&pull);
	return r;
}
