/* inline_names.c: variables of engines within the client. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/inline.h"
#include "proto/error.h"

/* ---- Variables ------------------------------------------------------------------- */

struct inline_value *inline_value_new(const struct xc_array *array)
{
	size_t size = (size_t)xc_array_size(array);
	struct inline_value *value = malloc(sizeof *value);
	void *data = aligned_alloc(64, (size + 64) & ~(size_t)63);

	if (!value || !data) {
		free(value);
		free(data);
		return NULL;
	}
	if (size)
		memcpy(data, array->data, size);
	value->refs = 1;
	value->array = *array;
	value->array.data = data;
	return value;
}

void inline_value_unref(struct inline_value *value)
{
	if (!value || --value->refs > 0)
		return;
	free((void *)(uintptr_t)value->array.data);
	free(value);
}

static struct inline_variable *find(const struct inline_engine *engine, const char *name)
{
	struct inline_variable *variable;

	HASH_FIND_STR(engine->names, name, variable);
	return variable;
}

const struct xc_array *inline_get(const struct inline_engine *engine, const char *name)
{
	const struct inline_variable *variable = find(engine, name);

	return variable ? &variable->value->array : NULL;
}

void inline_list(const struct inline_engine *engine, char *text, size_t size)
{
	struct inline_variable *variable, *next;
	size_t used = (size_t)snprintf(text, size, engine->names ? "it has" : "it has none");

	HASH_ITER (hh, engine->names, variable, next) {
		if (used >= size)
			return;
		used += (size_t)snprintf(text + used, size - used, "%s \"%s\"",
					 variable == engine->names ? "" : ",", variable->name);
	}
}

static void drop(struct inline_engine *engine, struct inline_variable *variable)
{
	HASH_DEL(engine->names, variable);
	inline_value_unref(variable->value);
	free(variable);
}

int inline_set(struct inline_engine *engine, const char *name, struct inline_value *value,
	       struct xc_error *err)
{
	struct inline_variable *variable, *old;

	if (!*name || strlen(name) >= sizeof variable->name)
		return error_set(err, XC_EPROTO, "the variable's name or array is not valid");
	variable = calloc(1, sizeof *variable);
	if (!variable)
		return error_set(err, -ENOMEM, "out of memory");
	strcpy(variable->name, name);
	variable->value = value;
	old = find(engine, name);
	HASH_ADD_STR(engine->names, name, variable);
	if (!variable->hh.tbl) {
		free(variable);
		return error_set(err, -ENOMEM, "out of memory");
	}
	value->refs++;
	if (old)
		drop(engine, old);
	return 0;
}

void inline_unset(struct inline_engine *engine, const char *name)
{
	struct inline_variable *variable, *next;

	HASH_ITER (hh, engine->names, variable, next) {
		if (!*name || strcmp(variable->name, name) == 0)
			drop(engine, variable);
	}
}
