/* input.h: the input of one item, out of the bytes of a run of them. */
#ifndef PROTO_INPUT_H
#define PROTO_INPUT_H

#include <string.h>

#include "proto/task.h"

/* Inputs of the items from `first` on, counted in their job; for packed ones
 * `offsets` has one more than there are items. */
struct input {
	const struct task_frame *task; /* borrowed, as the bytes are */
	struct span offsets, payload;
	int64_t first;
	void *scratch; /* borrowed: aligned room for any of them, if packed but submitted
			  one by one: then they are aligned like any */
};

static inline uint64_t input_offset(const struct input *in, int64_t i)
{
	uint64_t offset;

	memcpy(&offset, (const char *)in->offsets.data + 8 * i, sizeof offset);
	return offset;
}

/* What the elements of strided items need, as far as their size tells. */
static inline size_t input_alignment(const struct task_frame *task)
{
	size_t size = task->in_size ? task->in_size : 1, alignment = size & (~size + 1);

	if (task->form != FORM_STRIDED && task->form != FORM_SAME)
		return 1;
	return alignment < 64 ? alignment : 64;
}

/* The most bytes that one of so many packed items has. */
static inline size_t input_largest(const struct input *in, int64_t count)
{
	size_t largest = 0;

	for (int64_t i = 0; i < count; i++) {
		uint64_t size = input_offset(in, i + 1) - input_offset(in, i);

		largest = size > largest ? size : largest;
	}
	return largest;
}

/* Input of the i-th item of these, and its size; NULL if it has none. `number`:
 * room for that of a range. */
static inline const void *input_at(const struct input *in, int64_t i, int64_t *number, size_t *size)
{
	const struct task_frame *task = in->task;
	const char *payload = in->payload.data;
	uint64_t offset;

	switch (task->form) {
	case FORM_RANGE:
		*number = (int64_t)((uint64_t)task->start +
				    (uint64_t)(in->first + i) * (uint64_t)task->step);
		*size = sizeof *number;
		return number;
	case FORM_STRIDED:
		*size = task->in_size;
		return task->in_size ? payload + (size_t)i * task->in_size : NULL;
	case FORM_SAME:
		*size = task->in_size;
		return task->in_size ? payload : NULL;
	default:
		offset = input_offset(in, i) - input_offset(in, 0);
		*size = (size_t)(input_offset(in, i + 1) - input_offset(in, i));
		if (!*size)
			return NULL;
		return task->apart ? memcpy(in->scratch, payload + offset, *size)
				   : payload + offset;
	}
}

#endif
