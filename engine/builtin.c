/* builtin.c: the built-in tasks: variables and programs, in order with the
 * user's own. */
#include <errno.h>
#include <string.h>

#include "engine/runner.h"
#include "proto/error.h"

static int fail(struct xc_task *task, int code, const struct xc_error *err)
{
	xc_task_fail(task, "%s", err->text);
	return code;
}

static int run_push(struct xc_task *task, const void *in, void *out)
{
	struct engine *e = task->runner;
	struct xc_error err = XC_ERROR_INIT;
	int r;

	(void)out;
	r = names_set(e, e->now.task.name, (struct span){ in, task->in_size }, &err);
	return r < 0 ? fail(task, r, &err) : 0;
}

/* The result is an array frame with the elements in it. */
static int run_pull(struct xc_task *task, const void *in, void *out)
{
	struct engine *e = task->runner;
	const struct xc_array *array;
	char name[256], header[ARRAY_HEADER_SIZE];
	uint64_t size;
	char *room;

	(void)in;
	(void)out;
	span_copy(name, sizeof name, e->now.task.name);
	array = xc_task_array(task, name);
	if (!array)
		return XC_ENOVAR;
	array_header_write(header, array, NULL);
	size = ARRAY_HEADER_SIZE + (uint64_t)xc_array_size(array);
	room = piece_reserve(e, size + sizeof size);
	if (!room) {
		xc_task_fail(task, TASK_NO_PULL, (unsigned long long)size, name);
		return -ENOMEM;
	}
	memcpy(room, &size, sizeof size);
	memcpy(room + sizeof size, header, ARRAY_HEADER_SIZE);
	if (size > ARRAY_HEADER_SIZE)
		memcpy(room + sizeof size + ARRAY_HEADER_SIZE, array->data,
		       size - ARRAY_HEADER_SIZE);
	e->given = size + sizeof size;
	e->piece_gave = true;
	return 0;
}

static int run_clear(struct xc_task *task, const void *in, void *out)
{
	struct engine *e = task->runner;
	struct xc_error err = XC_ERROR_INIT;
	int r;

	(void)in;
	(void)out;
	r = names_unset(e, e->now.task.name, &err);
	return r < 0 ? fail(task, r, &err) : 0;
}

static int run_load(struct xc_task *task, const void *in, void *out)
{
	struct engine *e = task->runner;
	struct xc_error err = XC_ERROR_INIT;

	(void)in;
	(void)out;
	if (!programs_get(e, e->now.task.object, e->now.task.program, true, &err))
		return fail(task, err.code ? err.code : XC_ECODE, &err);
	return 0;
}

static int run_unload(struct xc_task *task, const void *in, void *out)
{
	struct engine *e = task->runner;
	int r = programs_unload(e, e->now.task.object);

	(void)in;
	(void)out;
	if (r < 0)
		xc_task_fail(task, "%s", error_text(r));
	return r;
}

xc_task_fn *builtin_find(uint64_t number)
{
	static xc_task_fn *const tasks[] = {
		[BUILTIN_PUSH] = run_push,     [BUILTIN_PULL] = run_pull,
		[BUILTIN_CLEAR] = run_clear,   [BUILTIN_LOAD] = run_load,
		[BUILTIN_UNLOAD] = run_unload,
	};

	return number < sizeof tasks / sizeof tasks[0] ? tasks[number] : NULL;
}
