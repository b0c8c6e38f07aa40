/* store.c: objects and variables, in the agent. */
#include "engine/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/body.h"
#include "proto/error.h"
#include "proto/task.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

void store_init(struct store *store, uint64_t limit)
{
	*store = (struct store){ .limit = limit };
}

static void object_free(struct store *store, struct object *object)
{
	HASH_DEL(store->objects, object);
	body_unref(object->body);
	close(object->fd);
	free(object);
}

void store_fini(struct store *store)
{
	struct object *object, *next;

	HASH_ITER (hh, store->objects, object, next) {
		object_free(store, object);
	}
}

struct object *store_find(struct store *store, const void *id)
{
	struct object *object;

	HASH_FIND(hh, store->objects, id, OBJECT_SIZE, object);
	return object;
}

int store_check_room(const struct store *store, uint64_t size, struct xc_error *err)
{
	if (size <= store->limit && store->used <= store->limit - size)
		return 0;
	return error_set(err, XC_ESTORE,
			 "the object store of this host cannot take %llu bytes: %llu of its "
			 "limit of %llu are in use; clear variables or start with a larger "
			 "--store-limit",
			 (unsigned long long)size, (unsigned long long)store->used,
			 (unsigned long long)store->limit);
}

static bool is_sealed(int fd, uint64_t size)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 &&
	       (uint64_t)st.st_size == size;
}

int store_put(struct store *store, const void *id, int fd, uint64_t size, bool borrowed,
	      struct object **out, struct xc_error *err)
{
	struct object *object = store_find(store, id);
	int r;

	if (object) {
		object->refs++;
		close(fd);
		*out = object;
		return 0;
	}
	if (!is_sealed(fd, size))
		return error_set(err, -EINVAL,
				 "an object must be a memfd of the stated size, sealed");
	r = borrowed ? 0 : store_check_room(store, size, err);
	if (r < 0)
		return r;
	object = calloc(1, sizeof *object);
	if (!object)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(object->id, id, OBJECT_SIZE);
	object->fd = fd;
	object->size = size;
	object->borrowed = borrowed;
	object->refs = 1;
	HASH_ADD(hh, store->objects, id, OBJECT_SIZE, object);
	if (!borrowed)
		store->used += size;
	if (store->on_change)
		store->on_change(store, object, true);
	*out = object;
	return 0;
}

void object_ref(struct object *object)
{
	object->refs++;
}

void object_unref(struct store *store, struct object *object)
{
	if (!object || --object->refs > 0)
		return;
	if (store->on_change)
		store->on_change(store, object, false);
	if (!object->borrowed)
		store->used -= object->size;
	object_free(store, object);
}

static void variable_free(struct store *store, struct variable *variable)
{
	object_unref(store, variable->object);
	free(variable->frame);
	free(variable);
}

int variable_set(struct store *store, struct variable **table, struct span name, struct span frame,
		 struct xc_error *err)
{
	struct variable *variable, *old;
	struct array_frame array;

	if (name.size == 0 || name.size > 255 || array_frame_parse(&array, frame.data, frame.size))
		return error_set(err, XC_EPROTO, "the variable's name or array is not valid");
	variable = calloc(1, sizeof *variable);
	if (!variable || !(variable->frame = malloc(frame.size)))
		goto nomem;
	span_copy(variable->name, sizeof variable->name, name);
	memcpy(variable->frame, frame.data, frame.size);
	variable->frame_size = frame.size;
	if (array.is_object) {
		variable->object = store_find(store, array.object);
		if (!variable->object) {
			error_set(err, -ENOENT, "the array of variable \"%s\" is not in the store",
				  variable->name);
			variable_free(store, variable);
			return -ENOENT;
		}
		object_ref(variable->object);
		if (variable->object->size != (uint64_t)xc_array_size(&array.array)) {
			error_set(err, XC_EPROTO, "variable \"%s\" does not fit its object",
				  variable->name);
			variable_free(store, variable);
			return XC_EPROTO;
		}
	}
	HASH_FIND_STR(*table, variable->name, old);
	if (old) {
		HASH_DEL(*table, old);
		variable_free(store, old);
	}
	HASH_ADD_STR(*table, name, variable);
	return 0;
nomem:
	free(variable);
	return error_set(err, -ENOMEM, "out of memory");
}

bool variable_is_meant(const char *variable, const char *name, bool is_prefix)
{
	if (is_prefix)
		return strncmp(variable, name, strlen(name)) == 0;
	return !*name || strcmp(variable, name) == 0;
}

void variable_unset(struct store *store, struct variable **table, struct span name, bool is_prefix)
{
	struct variable *variable, *next;
	char text[256];

	span_copy(text, sizeof text, name);
	HASH_ITER (hh, *table, variable, next) {
		if (!variable_is_meant(variable->name, text, is_prefix))
			continue;
		HASH_DEL(*table, variable);
		variable_free(store, variable);
	}
}

struct variable *variable_at(struct variable *table, uint64_t index)
{
	while (table && index--)
		table = table->hh.next;
	return table;
}
