/* inline_tasks.h: the tasks of inline.c: what an item can be given, can do and say. */
#ifndef TESTS_INTEGRATION_INLINE_TASKS_H
#define TESTS_INTEGRATION_INLINE_TASKS_H

#include <string.h>

#include "tests/support/support.h"

/* Fails at multiples of 7; leaves some results as they were. */
static inline int square(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	if (i % 7 == 3)
		return xc_task_fail(task, "not %lld", (long long)(i % 2));
	if (i % 5)
		*(int64_t *)out = i * i;
	return 0;
}

static inline int negative(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)out;
	return *(const int64_t *)in == 2 ? -5 : 0;
}

/* Well at the third attempt. */
static inline int third_time(struct xc_task *task, const void *in, void *out)
{
	*(int *)out = xc_task_attempt(task);
	return *(const int64_t *)in % 3 == 0 && xc_task_attempt(task) < 3 ? 9 : 0;
}

static inline int facts(struct xc_task *task, const void *in, void *out)
{
	int64_t *fact = out;

	fact[0] = xc_task_index(task);
	fact[1] = (int64_t)xc_task_in_size(task);
	fact[2] = xc_task_is_cancelled(task);
	fact[3] = in ? ((const char *)in)[0] : -1;
	fact[4] = ((uintptr_t)in | (uintptr_t)out) % 8 == 0;
	return 0;
}

static inline int engine_of(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(int *)out = xc_task_engine(task);
	return 0;
}

/* As many bytes as the item's number; none for every eleventh. */
static inline int some_bytes(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;
	char text[256];

	(void)out;
	memset(text, (int)i, sizeof text);
	if (i % 11 == 5)
		return 0;
	xc_task_return(task, "replaced", 8);
	return xc_task_return(task, text, (size_t)(i % 200));
}

static inline int returns_too_much(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return xc_task_return(task, "x", 1) < 0 ? XC_TASK_FAILED : 0;
}

static inline int upper(struct xc_task *task, const void *in, void *out)
{
	size_t size = xc_task_in_size(task);
	char text[64];

	(void)out;
	if (size == 3)
		return xc_task_fail(task, "three");
	for (size_t i = 0; i < size; i++)
		text[i] = (char)(((const char *)in)[i] ^ 32);
	return xc_task_return(task, text, size);
}

static inline int sum_of_part(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *part = xc_task_array(task, "part");
	struct xc_array sum = { .dtype = XC_F64, .data = out };

	(void)in;
	if (!part)
		return XC_TASK_FAILED;
	for (int64_t i = 0; i < xc_array_count(part); i++)
		*(double *)out += ((const double *)part->data)[i];
	return xc_task_set(task, "sum", &sum) < 0 ? XC_TASK_FAILED : 0;
}

static inline int nap(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)out;
	task_sleep(*(const double *)in);
	return 0;
}

static inline int nap_at_two(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)out;
	if (*(const int64_t *)in == 2)
		task_sleep(0.5);
	return 0;
}

#endif
