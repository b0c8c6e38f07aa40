/* inline_names.c: variables of engines within the client, and libraries. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/inline.h"
#include "libcluster/loader.h"
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

/* ---- Libraries ------------------------------------------------------------------- */

static struct inline_library *library_of(struct xci_inline *in, const void *id)
{
	struct inline_library *library;

	HASH_FIND(hh, in->libraries, id, OBJECT_SIZE, library);
	return library;
}

int xci_inline_library(struct xci_inline *in, const unsigned char *id, const struct elf_info *info,
		       const char *path)
{
	struct inline_library *library = library_of(in, id);

	if (library)
		return 0;
	library = calloc(1, sizeof *library);
	if (!library || !(library->path = realpath(path, NULL))) {
		free(library);
		return -ENOMEM;
	}
	memcpy(library->id, id, OBJECT_SIZE);
	library->info = *info;
	HASH_ADD(hh, in->libraries, id, OBJECT_SIZE, library);
	if (library->hh.tbl)
		return 0;
	free(library->path);
	free(library);
	return -ENOMEM;
}

/* The loader goes by names: a file built anew would be the old one to it. */
static bool is_loaded_otherwise(const struct xci_inline *in, const struct inline_library *library)
{
	struct inline_library *other, *next;

	HASH_ITER (hh, in->libraries, other, next) {
		if (other != library && other->handle && strcmp(other->path, library->path) == 0)
			return true;
	}
	return false;
}

/* By its own path and not by a copy, so that debuggers find its source. */
int inline_load(struct xci_inline *in, struct span id, struct span name, struct xc_error *err)
{
	struct inline_library *library = id.size == OBJECT_SIZE ? library_of(in, id.data) : NULL;
	char text[256];

	span_copy(text, sizeof text, name);
	if (!library)
		return error_set(err, XC_ECODE, "library %s was not loaded", text);
	if (library->handle)
		return 0;
	if (is_loaded_otherwise(in, library))
		return error_set(err, XC_ECODE,
				 "the file %s was rebuilt since this program loaded it, which "
				 "XCLUSTER=inline cannot do twice: start the program again",
				 library->path);
	dlerror();
	library->handle = dlopen(library->path, RTLD_NOW | RTLD_LOCAL);
	return library->handle ? 0 : loader_refused(library->path, text, dlerror(), err);
}

void *inline_symbol(struct xci_inline *in, const struct task_frame *task, struct xc_error *err)
{
	struct link_map *map = NULL;
	struct inline_library *library;
	char name[256], symbol[256];

	if (inline_load(in, task->object, task->program, err) < 0)
		return NULL;
	library = library_of(in, task->object.data);
	span_copy(name, sizeof name, task->program);
	span_copy(symbol, sizeof symbol, task->symbol);
	if (dlinfo(library->handle, RTLD_DI_LINKMAP, &map) < 0) {
		error_set(err, XC_ECODE, "cannot load %s: %s", name, dlerror());
		return NULL;
	}
	return loader_symbol(library->handle, map, &library->info, name, symbol, err);
}

void inline_libraries_free(struct xci_inline *in)
{
	struct inline_library *library, *next;

	HASH_ITER (hh, in->libraries, library, next) {
		HASH_DEL(in->libraries, library);
		if (library->handle)
			dlclose(library->handle);
		free(library->path);
		free(library);
	}
}
