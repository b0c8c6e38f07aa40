/* namespace.c: an engine's variables, and objects from the host's store. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/runner.h"
#include "engine/store.h"
#include "proto/error.h"

static void entry_free(struct entry *entry)
{
	if (entry->mapping)
		munmap(entry->mapping, entry->size);
	else
		free((void *)(uintptr_t)entry->array.data);
	free(entry);
}

const struct entry *names_entry(struct engine *e, const char *name)
{
	struct entry *entry;

	HASH_FIND_STR(e->names, name, entry);
	return entry;
}

const struct xc_array *names_get(struct engine *e, const char *name)
{
	const struct entry *entry = names_entry(e, name);

	return entry ? &entry->array : NULL;
}

/* Random at first, then counted: no other engine, nor an earlier process, has had it. */
static void next_value(struct engine *e, unsigned char *value)
{
	if (sodium_is_zero(e->value, OBJECT_SIZE))
		randombytes_buf(e->value, OBJECT_SIZE);
	sodium_increment(e->value, OBJECT_SIZE);
	memcpy(value, e->value, OBJECT_SIZE);
}

void names_list(struct engine *e, char *text, size_t size)
{
	struct entry *entry, *next;
	size_t used = (size_t)snprintf(text, size, e->names ? "it has" : "it has none");

	HASH_ITER (hh, e->names, entry, next) {
		if (used >= size)
			return;
		used += (size_t)snprintf(text + used, size - used, "%s \"%s\"",
					 entry == e->names ? "" : ",", entry->name);
	}
}

static int call(struct engine *e, const struct channel_packet *request,
		struct channel_packet *reply, char *buffer, struct xc_error *err)
{
	return channel_call(e->channel, request, reply, buffer, err);
}

/* Asks the other agents of this host; tells ours what was found. -ENOENT: none has it. */
static int fetch_from_peers(struct engine *e, const void *id, uint64_t *size, struct xc_error *err)
{
	struct channel_packet get = { .code = OP_GET, .object = { id, OBJECT_SIZE }, .fd = -1 };
	struct channel_packet reply, share;
	char buffer[CHANNEL_MAX], path[4096];

	for (uint64_t i = 0;; i++) {
		struct channel_packet ask = { .code = OP_PEERS, .number = i, .fd = -1 };
		int peer;

		if (call(e, &ask, &reply, buffer, NULL) < 0)
			return -ENOENT;
		span_copy(path, sizeof path, reply.text);
		peer = channel_connect(path, NULL, NULL);
		if (peer < 0)
			continue;
		if (channel_call(peer, &get, &reply, buffer, NULL) < 0)
			reply.fd = -1;
		close(peer);
		if (reply.fd < 0)
			continue;
		*size = reply.number;
		share = (struct channel_packet){ .code = OP_SHARE,
						 .object = { id, OBJECT_SIZE },
						 .number = *size,
						 .fd = reply.fd };
		if (call(e, &share, &reply, buffer, err) < 0) {
			close(share.fd);
			return err->code;
		}
		return share.fd;
	}
}

int object_fetch(struct engine *e, const void *id, uint64_t *size, bool *shared,
		 struct xc_error *err)
{
	struct channel_packet get = { .code = OP_GET, .object = { id, OBJECT_SIZE }, .fd = -1 };
	struct channel_packet fetch = { .code = OP_FETCH, .object = { id, OBJECT_SIZE }, .fd = -1 };
	struct channel_packet reply;
	char buffer[CHANNEL_MAX];
	int r = call(e, &get, &reply, buffer, err);

	*shared = r == -ENOENT;
	while (r == -ENOENT || r == FETCH_FROM_HOST) {
		bool is_there = r == FETCH_FROM_HOST;

		r = fetch_from_peers(e, id, size, err);
		if (r != -ENOENT)
			return r;
		fetch.number = is_there; /* but we cannot get it there */
		r = call(e, &fetch, &reply, buffer, err);
		if (r == -ENOENT)
			return r;
	}
	if (r < 0)
		return r;
	*size = reply.number;
	return reply.fd;
}

static void release(struct engine *e, const void *id)
{
	struct channel_packet request = { .code = OP_RELEASE,
					  .object = { id, OBJECT_SIZE },
					  .fd = -1 };
	struct channel_packet reply;
	char buffer[CHANNEL_MAX];

	call(e, &request, &reply, buffer, NULL);
}

/* Puts the variable into our own table. `fd`: of the object, if it is one. */
static int enter(struct engine *e, struct span name, const struct array_frame *frame, int fd,
		 struct xc_error *err)
{
	int64_t size = xc_array_size(&frame->array);
	struct entry *entry = calloc(1, sizeof *entry), *old;
	void *data = NULL;

	if (!entry)
		return error_set(err, -ENOMEM, "out of memory");
	span_copy(entry->name, sizeof entry->name, name);
	entry->array = frame->array;
	entry->size = (size_t)size;
	if (frame->is_object && size > 0) {
		data = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
		if (data == MAP_FAILED) {
			free(entry);
			return error_set(err, -errno, "cannot map %lld bytes: %s", (long long)size,
					 strerror(errno));
		}
		entry->mapping = data;
		memcpy(entry->object, frame->object, OBJECT_SIZE);
	} else {
		data = aligned_alloc(64, ((size_t)size + 64) & ~(size_t)63);
		if (!data) {
			free(entry);
			return error_set(err, -ENOMEM, "out of memory");
		}
		if (size > 0)
			memcpy(data, frame->array.data, (size_t)size);
	}
	entry->array.data = data;
	next_value(e, entry->value);
	HASH_FIND_STR(e->names, entry->name, old);
	if (old) {
		HASH_DEL(e->names, old);
		entry_free(old);
	}
	HASH_ADD_STR(e->names, name, entry);
	return 0;
}

int names_set(struct engine *e, struct span name, struct span frame, struct xc_error *err)
{
	struct channel_packet set = { .code = OP_SET, .name = name, .data = frame, .fd = -1 };
	struct channel_packet reply;
	struct array_frame array;
	char buffer[CHANNEL_MAX];
	uint64_t size = 0;
	bool shared = false;
	int fd = -1, r;

	if (name.size == 0 || name.size > 255 || array_frame_parse(&array, frame.data, frame.size))
		return error_set(err, XC_EPROTO, "the variable's name or array is not valid");
	if (array.is_object) {
		fd = object_fetch(e, array.object, &size, &shared, err);
		if (fd < 0)
			return fd;
		if (size != (uint64_t)xc_array_size(&array.array)) {
			close(fd);
			return error_set(err, XC_EPROTO, "the object has %llu bytes, not %lld",
					 (unsigned long long)size,
					 (long long)xc_array_size(&array.array));
		}
	}
	/* The agent's table first: what we show to tasks must survive us. */
	r = call(e, &set, &reply, buffer, err);
	if (shared)
		release(e, array.object);
	if (r == 0)
		r = enter(e, name, &array, fd, err);
	if (fd >= 0)
		close(fd);
	return r;
}

int names_set_array(struct engine *e, const char *name, const struct xc_array *array,
		    struct xc_error *err)
{
	int64_t size = xc_array_size(array);
	unsigned char frame[ARRAY_HEADER_SIZE + CHANNEL_INLINE_MAX];
	unsigned char id[OBJECT_SIZE];
	int r;

	if (size <= CHANNEL_INLINE_MAX) {
		array_header_write(frame, array, NULL);
		if (size > 0)
			memcpy(frame + ARRAY_HEADER_SIZE, array->data, (size_t)size);
		return names_set(e, span_of(name),
				 (struct span){ frame, ARRAY_HEADER_SIZE + (size_t)size }, err);
	}
	randombytes_buf(id, sizeof id);
	r = channel_put_bytes(e->channel, id, array->data, (uint64_t)size, err);
	if (r < 0)
		return r;
	array_header_write(frame, array, id);
	r = names_set(e, span_of(name), (struct span){ frame, ARRAY_HEADER_SIZE }, err);
	release(e, id); /* the variable holds it now */
	return r;
}

int names_unset(struct engine *e, struct span name, bool is_prefix, struct xc_error *err)
{
	struct channel_packet request = {
		.code = OP_UNSET, .name = name, .number = is_prefix, .fd = -1
	};
	struct channel_packet reply;
	struct entry *entry, *next;
	char buffer[CHANNEL_MAX], text[256];
	int r = call(e, &request, &reply, buffer, err);

	if (r < 0)
		return r;
	span_copy(text, sizeof text, name);
	HASH_ITER (hh, e->names, entry, next) {
		if (!variable_is_meant(entry->name, text, is_prefix))
			continue;
		HASH_DEL(e->names, entry);
		entry_free(entry);
	}
	return 0;
}

int names_load(struct engine *e, struct xc_error *err)
{
	struct channel_packet reply;
	char buffer[CHANNEL_MAX];
	int r;

	for (uint64_t i = 0;; i++) {
		struct channel_packet next = { .code = OP_NEXT, .number = i, .fd = -1 };
		struct array_frame array;

		r = call(e, &next, &reply, buffer, NULL);
		if (r == -ENOENT)
			return 0;
		if (r < 0)
			return error_set(err, r, "the agent does not hand over the variables");
		r = array_frame_parse(&array, reply.data.data, reply.data.size);
		if (r == 0)
			r = enter(e, reply.name, &array, reply.fd, err);
		if (reply.fd >= 0)
			close(reply.fd);
		if (r < 0)
			return r;
	}
}
