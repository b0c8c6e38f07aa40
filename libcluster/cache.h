/* cache.h: what was compiled on this host, for all clusters of its user: one
 * directory a key, of which the oldest go when there are too many. */
#ifndef LIBCLUSTER_CACHE_H
#define LIBCLUSTER_CACHE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "xcluster.h"

#define CACHE_KEY_SIZE 32
#define CACHE_BYTES    (UINT64_C(256) << 20)
#define CACHE_ENTRIES  1000

struct cache_entry {
	char directory[PATH_MAX - 256];
	int lock;	   /* -1: is_temporary */
	bool is_temporary; /* the cache cannot be used */
};

/* The library of this key in a sealed memfd, the caller's; -ENOENT when there is none,
 * it is damaged, or one of the files that it was made of has changed. */
int cache_load(const unsigned char key[CACHE_KEY_SIZE]);

/* Enters the key alone, waiting for who is in it. Where the cache cannot be used it is
 * a directory of its own, for this time, and the log says why. */
int cache_enter(struct cache_entry *entry, const unsigned char key[CACHE_KEY_SIZE],
		struct xc_error *err);
/* As cache_enter, without the cache. */
int cache_enter_temporary(struct cache_entry *entry, struct xc_error *err);
void cache_leave(struct cache_entry *entry);

/* An empty directory in it to work in; path of PATH_MAX bytes. */
int cache_work(const struct cache_entry *entry, char *path, struct xc_error *err);

/* Makes the library at `path` that of the key, and hands it out as cache_load does.
 * `dependencies`: a file with the rule that compilers write (-MD), or one that is not
 * there. Only what it hands out can fail. */
int cache_keep(const struct cache_entry *entry, const char *path, const char *dependencies,
	       struct xc_error *err);

/* Why it could not be compiled, for those who wait to do the same. cache_failure: what
 * was noted since `since_ns` (CLOCK_REALTIME); false: nothing. */
void cache_note_failure(const struct cache_entry *entry, const struct xc_error *err);
bool cache_failure(const struct cache_entry *entry, uint64_t since_ns, struct xc_error *err);

/* Drops the entries used the longest time ago until no more than so many bytes and
 * entries are left; those in use stay. Returns how many went. */
int cache_trim(uint64_t bytes, int entries);

#endif
