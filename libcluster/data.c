/* data.c: variables on engines: push, pull, scatter, gather, clear; load and unload. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "libcluster/threads.h"
#include "proto/error.h"

static const struct xc_map_options no_options = XC_MAP_OPTIONS_INIT;

int xci_data_check(const struct xc_view *view, const char *call, const char *name,
		   struct xc_error *err)
{
	if (!view)
		return error_set(err, -EINVAL, "%s: view is NULL", call);
	if (view->kind == VIEW_BALANCED)
		return error_set(
			err, -EINVAL,
			"%s: a load-balanced view has no engines of its own; use xc_all or "
			"xc_engines",
			call);
	if (name && (!*name || strlen(name) > 255))
		return error_set(err, -EINVAL, "%s: a variable's name must have 1 to 255 bytes",
				 call);
	return 0;
}

static int check_array(const char *call, const struct xc_array *array, struct xc_error *err)
{
	int64_t size = array ? xc_array_size(array) : -1;

	if (size < 0)
		return error_set(err, -EINVAL,
				 "%s: the array is NULL, or its dtype or shape is not valid", call);
	if (size > 0 && !array->data)
		return error_set(err, -EINVAL, "%s: the array has no data", call);
	return 0;
}

struct xci_submission xci_builtin(const struct xc_view *view, enum builtin number, const char *name)
{
	struct xci_submission s = { .view = view, .options = &no_options, .name = name };

	s.task = (struct task_frame){ .kind = FUNCTION_BUILTIN,
				      .number = number,
				      .form = FORM_SAME,
				      .step = 1,
				      .name = span_of(name) };
	s.items = xc_view_size(view);
	zmq_msg_init(&s.payload);
	return s;
}

/* No engines are an error, and not a job without items. */
static struct xc_result *submit(struct xci_submission *s, struct xc_error *err)
{
	if (s->items == 0) {
		xci_no_engine(s->view, err);
		zmq_msg_close(&s->payload);
		return NULL;
	}
	return xci_submit(s, err);
}

/* The array's frame: with its elements when small, else they go to the store. After
 * a failure it is empty, and nothing is in the store. */
static int array_payload(struct xc_client *client, const struct xc_array *array, bool everywhere,
			 zmq_msg_t *frame, unsigned char *object, bool *is_object,
			 struct xc_error *err)
{
	uint64_t size = (uint64_t)xc_array_size(array);
	int r;

	*is_object = size > CHANNEL_INLINE_MAX && !client->inside;
	if (zmq_msg_init_size(frame, ARRAY_HEADER_SIZE + (*is_object ? 0 : size)) < 0) {
		zmq_msg_init(frame);
		return error_set(err, -ENOMEM, "no memory for an array of %llu bytes",
				 (unsigned long long)size);
	}
	if (*is_object) {
		r = xci_object_put(client, array->data, size, everywhere, object, err);
		if (r < 0) {
			zmq_msg_close(frame);
			zmq_msg_init(frame);
			return r;
		}
		size = 0;
	}
	array_header_write(zmq_msg_data(frame), array, *is_object ? object : NULL);
	if (size)
		memcpy((char *)zmq_msg_data(frame) + ARRAY_HEADER_SIZE, array->data, size);
	return 0;
}

/* ---- Push ------------------------------------------------------------------------ */

struct xc_result *xc_push_async(const struct xc_view *view, const char *name,
				const struct xc_array *array, struct xc_error *err)
{
	unsigned char(*object)[OBJECT_SIZE];
	struct xci_submission s;
	struct xc_result *result;
	bool is_object;

	if (xci_data_check(view, "xc_push", name ? name : "", err) < 0 ||
	    check_array("xc_push", array, err) < 0)
		return NULL;
	object = malloc(sizeof *object);
	if (!object) {
		error_set(err, -ENOMEM, "xc_push: out of memory");
		return NULL;
	}
	s = xci_builtin(view, BUILTIN_PUSH, name);
	if (array_payload(view->client, array, view->kind == VIEW_ALL, &s.payload, *object,
			  &is_object, err) < 0) {
		free(object);
		return NULL;
	}
	s.task.in_size = zmq_msg_size(&s.payload);
	if (view->kind == VIEW_ALL)
		s.flags = JOB_EVERYWHERE | JOB_VARIABLE;
	if (is_object)
		s.object = *object;
	result = submit(&s, err);
	if (result && is_object) {
		/* Its job uses it: it is let go of when that ends. */
		result->objects = object;
		result->object_count = 1;
		return result;
	}
	if (is_object)
		xci_object_release(view->client, *object);
	free(object);
	return result;
}

int xc_push(const struct xc_view *view, const char *name, const struct xc_array *array,
	    struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;

	e->code = 0;
	return xci_finish(xc_push_async(view, name, array, e), e);
}

/* ---- Scatter ----------------------------------------------------------------------- */

struct part {
	struct xc_array array;
	zmq_msg_t frame;
	unsigned char object[OBJECT_SIZE];
	bool is_object;
};

/* Part i of k: as even as possible, larger ones first. */
static struct xc_array part_of(const struct xc_array *array, int i, int k)
{
	int64_t rows = array->shape[0], each = rows / k, more = rows % k;
	int64_t first = i * each + (i < more ? i : more);
	struct xc_array part = *array;
	int64_t row_size;

	part.shape[0] = 1;
	row_size = xc_array_size(&part);
	part.shape[0] = each + (i < more);
	part.data = (const char *)array->data + first * row_size;
	return part;
}

static int join_parts(struct part *parts, int k, zmq_msg_t *payload)
{
	uint64_t table = 8 * ((uint64_t)k + 1), total = 0;
	char *data;

	for (int i = 0; i < k; i++)
		total += zmq_msg_size(&parts[i].frame);
	if (zmq_msg_init_size(payload, table + total) < 0)
		return -ENOMEM;
	data = zmq_msg_data(payload);
	total = 0;
	for (int i = 0; i < k; i++) {
		size_t size = zmq_msg_size(&parts[i].frame);

		memcpy(data + 8 * i, &total, 8);
		memcpy(data + table + total, zmq_msg_data(&parts[i].frame), size);
		total += size;
	}
	memcpy(data + 8 * k, &total, 8);
	return 0;
}

/* The objects go to the result, whose job uses them, in `objects`, which it takes. */
static void hand_over(struct xc_client *client, struct xc_result *result, struct part *parts,
		      int count, unsigned char (*objects)[OBJECT_SIZE])
{
	int n = 0;

	for (int i = 0; i < count; i++) {
		zmq_msg_close(&parts[i].frame);
		if (!parts[i].is_object)
			continue;
		if (result)
			memcpy(objects[n++], parts[i].object, OBJECT_SIZE);
		else
			xci_object_release(client, parts[i].object);
	}
	if (n == 0) {
		free(objects);
		return;
	}
	result->objects = objects;
	result->object_count = n;
}

/* `array`: to be divided, or NULL: `each` has the arrays themselves. */
static struct xc_result *scatter(const struct xc_view *view, const char *name,
				 const struct xc_array *array, const struct xc_array *each, int k,
				 struct xc_error *err)
{
	struct xci_submission s = xci_builtin(view, BUILTIN_PUSH, name);
	struct part *parts = calloc((size_t)k, sizeof *parts);
	unsigned char(*objects)[OBJECT_SIZE] = malloc((size_t)k * sizeof *objects);
	struct xc_result *result = NULL;
	int made = 0, r = 0;

	if (!parts || !objects)
		r = error_set(err, -ENOMEM, "xc_scatter: no memory for %d parts", k);

	for (; r == 0 && made < k; made++) {
		struct part *p = &parts[made];

		p->array = array ? part_of(array, made, k) : each[made];
		r = array_payload(view->client, &p->array, false, &p->frame, p->object,
				  &p->is_object, err);
		if (r < 0)
			break;
	}
	if (r == 0 && join_parts(parts, k, &s.payload) < 0)
		r = error_set(err, -ENOMEM, "out of memory");
	if (r == 0) {
		s.task.form = FORM_PACKED;
		s.items = k;
		result = submit(&s, err);
	}
	hand_over(view->client, result, parts, made, objects);
	free(parts);
	return result;
}

struct xc_result *xc_scatter_async(const struct xc_view *view, const char *name,
				   const struct xc_array *array, struct xc_error *err)
{
	int k;

	if (xci_data_check(view, "xc_scatter", name ? name : "", err) < 0 ||
	    check_array("xc_scatter", array, err) < 0)
		return NULL;
	if (array->ndim < 1) {
		error_set(err, -EINVAL, "xc_scatter: a scalar cannot be divided");
		return NULL;
	}
	k = xc_view_size(view);
	if (k == 0) {
		xci_no_engine(view, err);
		return NULL;
	}
	return scatter(view, name, array, NULL, k, err);
}

struct xc_result *xci_push_each(const struct xc_view *view, const char *name,
				const struct xc_array *arrays, struct xc_error *err)
{
	return scatter(view, name, NULL, arrays, xc_view_size(view), err);
}

int xc_scatter(const struct xc_view *view, const char *name, const struct xc_array *array,
	       struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;

	e->code = 0;
	return xci_finish(xc_scatter_async(view, name, array, e), e);
}

/* ---- Results of pulls ------------------------------------------------------------------- */

struct xc_result *xc_pull_async(const struct xc_view *view, const char *name, struct xc_error *err)
{
	struct xci_submission s;

	if (xci_data_check(view, "xc_pull", name ? name : "", err) < 0)
		return NULL;
	s = xci_builtin(view, BUILTIN_PULL, name);
	return submit(&s, err);
}

static int frame_of(struct xc_result *result, int64_t i, struct array_frame *frame,
		    struct xc_error *err)
{
	size_t size;
	const void *bytes = xc_result_item(result, i, &size);

	if (!result || !result->is_ready || !bytes)
		return error_set(
			err, -EINVAL,
			"part %lld of this result is no array: it is not of xc_pull_async, "
			"not ready, or has failed",
			(long long)i);
	if (array_frame_parse(frame, bytes, size) < 0)
		return error_set(err, XC_EPROTO, "engine %lld sent an array that cannot be read",
				 (long long)i);
	return 0;
}

int xc_result_array(struct xc_result *result, int64_t i, struct xc_array *array,
		    struct xc_error *err)
{
	struct array_frame frame;
	int64_t size;
	void *data;
	int r = array ? frame_of(result, i, &frame, err)
		      : error_set(err, -EINVAL, "xc_result_array: array is NULL");

	if (r < 0)
		return r;
	if (frame.is_object)
		return error_set(err, XC_EPROTO, "engine %lld sent no elements", (long long)i);
	size = xc_array_size(&frame.array);
	data = malloc((size_t)size + 1);
	if (!data)
		return error_set(err, -ENOMEM, "no memory for %lld bytes", (long long)size);
	memcpy(data, frame.array.data, (size_t)size);
	*array = frame.array;
	array->data = data;
	return 0;
}

int xci_result_frames(struct xc_result *result, struct array_frame *frames, struct xc_error *err)
{
	for (int64_t i = 0; i < result->items; i++) {
		int r = frame_of(result, i, &frames[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int xc_result_gather(struct xc_result *result, struct xc_array *array, struct xc_error *err)
{
	struct array_frame *frames;
	char *data;
	int r;

	if (!result || !array)
		return error_set(err, -EINVAL, "xc_result_gather: result or array is NULL");
	frames = calloc((size_t)result->items + 1, sizeof *frames);
	if (!frames)
		return error_set(err, -ENOMEM, "out of memory");
	r = result->items > 0 ? xci_result_frames(result, frames, err)
			      : frame_of(result, 0, frames, err);
	if (r == 0)
		r = xci_gather_room("xc_result_gather", frames, result->items, array, err);
	data = r == 0 ? (char *)(uintptr_t)array->data : NULL;
	for (int64_t i = 0; r == 0 && i < result->items; i++) {
		int64_t size = xc_array_size(&frames[i].array);

		memcpy(data, frames[i].array.data, (size_t)size);
		data += size;
	}
	free(frames);
	return r;
}

/* ---- Clear and load ------------------------------------------------------------------------ */

int xc_clear(const struct xc_view *view, const char *name, struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct xci_submission s;

	if (xci_data_check(view, "xc_clear", name, e) < 0)
		return e->code;
	s = xci_builtin(view, BUILTIN_CLEAR, name ? name : "");
	if (view->kind == VIEW_ALL)
		s.flags = JOB_FORGET | JOB_VARIABLE;
	return xci_finish(submit(&s, e), e);
}

int xci_load(const struct xc_view *view, const char *call, const char *path,
	     struct xci_image *image, struct xc_error *err)
{
	struct xci_shipped *shipped;
	struct xci_submission s;
	bool is_new;
	int r = xci_data_check(view, call, NULL, err);

	if (r < 0) {
		xci_image_destroy(image);
		return r;
	}
	shipped = xci_ship_library(view->client, image, path, &is_new, err);
	if (!shipped)
		return err->code;
	s = xci_builtin(view, BUILTIN_LOAD, shipped->image->name);
	s.task.object = (struct span){ shipped->image->hash, OBJECT_SIZE };
	s.task.program = span_of(shipped->image->name);
	if (view->kind == VIEW_ALL) {
		s.flags = JOB_EVERYWHERE;
		s.object = shipped->image->hash;
	}
	r = xci_finish(submit(&s, err), err);
	if (r == 0)
		xci_ship_last(view->client, shipped);
	else if (is_new)
		xci_ship_forget(view->client, shipped);
	return r;
}

int xc_load(const struct xc_view *view, const char *path, struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct xci_image *image;

	if (xci_data_check(view, "xc_load", NULL, e) < 0)
		return e->code;
	if (!path || !*path)
		return error_set(e, -EINVAL, "xc_load: path is NULL or empty");
	if (xci_image_load(path, &image, e) < 0)
		return e->code;
	return xci_load(view, "xc_load", path, image, e);
}

int xc_unload(const struct xc_view *view, const char *path, struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct xci_shipped *shipped;
	struct xci_submission s;
	bool is_new;
	int r;

	if (xci_data_check(view, "xc_unload", NULL, e) < 0)
		return e->code;
	if (!path || !*path)
		return error_set(e, -EINVAL, "xc_unload: path is NULL or empty");
	shipped = xci_ship_find(view->client, path, &is_new, e);
	if (!shipped)
		return e->code;
	s = xci_builtin(view, BUILTIN_UNLOAD, shipped->image->name);
	s.task.object = (struct span){ shipped->image->hash, OBJECT_SIZE };
	s.task.program = span_of(shipped->image->name);
	if (view->kind == VIEW_ALL)
		s.flags = JOB_FORGET;
	r = xci_finish(submit(&s, e), e);
	if (is_new || (r == 0 && view->kind == VIEW_ALL))
		xci_ship_forget(view->client, shipped);
	return r;
}

/* ---- Threads ------------------------------------------------------------------------------- */

int xc_set_threads(const struct xc_view *view, int threads, struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct xci_submission s;
	uint64_t number = (uint64_t)threads;

	if (xci_data_check(view, "xc_set_threads", NULL, e) < 0)
		return e->code;
	if (threads < 1 || threads > THREADS_MAX)
		return error_set(e, -EINVAL, "xc_set_threads: %d is not from 1 to %d", threads,
				 THREADS_MAX);
	/* N.B. no library has this name, as it is no file's. */
	s = xci_builtin(view, BUILTIN_THREADS, "threads/engine");
	if (frame_copy(&s.payload, &number, sizeof number) < 0)
		return error_set(e, -ENOMEM, "xc_set_threads: out of memory");
	s.task.in_size = sizeof number;
	if (view->kind == VIEW_ALL)
		s.flags = JOB_EVERYWHERE;
	return xci_finish(submit(&s, e), e);
}
