/* task.c: what a task may call while it runs. */
#include "libcluster/task.h"

#include <errno.h>
#include <stdio.h>

#include "proto/error.h"

int64_t xc_task_index(const struct xc_task *task)
{
	return task ? task->index : 0;
}

size_t xc_task_in_size(const struct xc_task *task)
{
	return task ? task->in_size : 0;
}

size_t xc_task_out_size(const struct xc_task *task)
{
	return task ? task->out_size : 0;
}

int xc_task_engine(const struct xc_task *task)
{
	return task ? task->engine : -1;
}

int xc_task_attempt(const struct xc_task *task)
{
	return task ? task->attempt : 0;
}

int xc_task_threads(const struct xc_task *task)
{
	return task && task->threads > 0 ? task->threads : 1;
}

bool xc_task_is_cancelled(const struct xc_task *task)
{
	uint64_t word = task ? atomic_load_explicit(task->cancel, memory_order_relaxed) : 0;

	return word && (word == task->cancel_value || word == task->cancel_item);
}

const struct xc_array *xc_task_array(struct xc_task *task, const char *name)
{
	if (!task)
		return NULL;
	if (!name) {
		xc_task_fail(task, "xc_task_array: the name is NULL");
		return NULL;
	}
	return task->ops->array(task, name);
}

struct xc_rng *xc_task_rng(struct xc_task *task)
{
	if (!task)
		return NULL;
	if (task->has_rng)
		return &task->rng;
	if (task->frame->streams == STREAMS_NONE) {
		xc_task_fail(task, TASK_NO_STREAMS);
		return NULL;
	}
	streams_seed(task->streams, task->frame, task->item, &task->rng);
	task->has_rng = true;
	return &task->rng;
}

int xc_task_set(struct xc_task *task, const char *name, const struct xc_array *array)
{
	if (!task)
		return -EINVAL;
	if (!name || !array || xc_array_size(array) < 0 ||
	    (!array->data && xc_array_size(array) > 0)) {
		xc_task_fail(task, "xc_task_set: the name is NULL or the array is not valid");
		return -EINVAL;
	}
	return task->ops->set(task, name, array);
}

int xc_task_return(struct xc_task *task, const void *data, size_t size)
{
	if (!task)
		return -EINVAL;
	if (!data && size) {
		xc_task_fail(task, "xc_task_return: no data, but %zu bytes", size);
		return -EINVAL;
	}
	return task->ops->give(task, data, size);
}

int xc_task_cleanup(struct xc_task *task, void (*fn)(void *argument), void *argument)
{
	if (!task)
		return -EINVAL;
	if (!fn) {
		xc_task_fail(task, "xc_task_cleanup: fn is NULL");
		return -EINVAL;
	}
	return task->ops->cleanup(task, fn, argument);
}

int xc_task_fail(struct xc_task *task, const char *format, ...)
{
	va_list ap;
	int n;

	if (!task)
		return XC_TASK_FAILED;
	va_start(ap, format);
	n = format ? vsnprintf(task->text, sizeof task->text, format, ap) : 0;
	if (!format)
		task->text[0] = '\0';
	va_end(ap);
	if (n >= (int)sizeof task->text)
		text_trim(task->text);
	task->has_text = true;
	return XC_TASK_FAILED;
}

int xc_task_fail_text(struct xc_task *task, const char *text)
{
	return xc_task_fail(task, "%s", text ? text : "");
}
