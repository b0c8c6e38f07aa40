/* store.h: the objects of a host, in its agent. */
#ifndef ENGINE_STORE_H
#define ENGINE_STORE_H

#include <uthash.h>

#include "proto/message.h"
#include "xcluster.h"

/* An immutable sealed memfd. Lives while it has references. */
struct object {
	unsigned char id[OBJECT_SIZE];
	int fd; /* owned */
	uint64_t size;
	bool borrowed; /* another agent of this host counts its bytes */
	int refs;
	struct body *body; /* for other hosts; owned, NULL: none has asked */
	UT_hash_handle hh;
};

struct store {
	uint64_t limit;
	uint64_t used; /* bytes of objects that are not borrowed, and of those to come */
	struct object *objects;
	/* Called when an object has come, or before it goes; NULL: nobody listens. */
	void (*on_change)(struct store *store, const struct object *object, bool is_there);
};

void store_init(struct store *store, uint64_t limit);
void store_fini(struct store *store);

struct object *store_find(struct store *store, const void *id);
/* Room for `size` more? 0, or XC_ESTORE with asked, used and limit. */
int store_check_room(const struct store *store, uint64_t size, struct xc_error *err);
/* Adds an object with one reference, which is the caller's. Takes `fd` on
 * success only. An object of this id that is there already gets the reference
 * instead. Refuses what is not a memfd of that size sealed against change. */
int store_put(struct store *store, const void *id, int fd, uint64_t size, bool borrowed,
	      struct object **object, struct xc_error *err);
void object_ref(struct object *object);
void object_unref(struct store *store, struct object *object);

/* An engine slot's variables; they outlive its processes. */
struct variable {
	char name[256];
	void *frame; /* array frame, owned */
	size_t frame_size;
	struct object *object; /* one reference; NULL: the bytes are in the frame */
	UT_hash_handle hh;
};

int variable_set(struct store *store, struct variable **table, struct span name, struct span frame,
		 struct xc_error *err);
/* Empty name: all. With is_prefix, those whose names begin with it. */
void variable_unset(struct store *store, struct variable **table, struct span name, bool is_prefix);
/* Is this one of them? */
bool variable_is_meant(const char *variable, const char *name, bool is_prefix);
struct variable *variable_at(struct variable *table, uint64_t index);

#endif
