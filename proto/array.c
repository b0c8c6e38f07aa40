/* array.c: sizes of arrays. Part of proto/ and exported by the library. */
#include "proto/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t dtype_size(unsigned dtype)
{
	static const unsigned char sizes[] = {
#define SIZE(name, bytes, code) [name] = bytes,
		XC_DTYPES(SIZE)
#undef SIZE
	};

	return dtype < sizeof sizes ? sizes[dtype] : 0;
}

int64_t xc_array_count(const struct xc_array *array)
{
	int64_t count = 1;

	if (!array || array->ndim < 0 || array->ndim > XC_MAX_DIMS)
		return -EINVAL;
	for (int i = 0; i < array->ndim; i++) {
		if (array->shape[i] < 0 || __builtin_mul_overflow(count, array->shape[i], &count))
			return -EINVAL;
	}
	return count;
}

int64_t xc_array_size(const struct xc_array *array)
{
	int64_t count = xc_array_count(array), size;
	size_t element;

	if (count < 0)
		return count;
	element = dtype_size(array->dtype);
	if (!element || __builtin_mul_overflow(count, (int64_t)element, &size))
		return -EINVAL;
	return size;
}

void xc_array_free(struct xc_array *array)
{
	if (!array)
		return;
	free((void *)(uintptr_t)array->data);
	memset(array, 0, sizeof *array);
}
