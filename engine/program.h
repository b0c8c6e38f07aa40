/* program.h: a client's program or library, loaded into this engine. */
#ifndef ENGINE_PROGRAM_H
#define ENGINE_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "xcluster.h"

#define PROGRAM_HASH_SIZE 32

struct program;

/* Loads the image in the sealed memfd `fd` (see libcluster/image.h), running its
 * constructors. `name` is for messages. Owns `fd` on success and keeps it open:
 * dlopen compares names first, so a reused descriptor would find the old program.
 * Errors: XC_ECODE with what does not fit this engine (architecture, C library,
 * sanitizer, a missing library) or the loader's words; -errno. */
int program_open(struct program **program, int fd, const unsigned char hash[PROGRAM_HASH_SIZE],
		 const char *name, struct xc_error *err);

/* The hash and name given to program_open; borrowed. */
const unsigned char *program_hash(const struct program *program);
const char *program_name(const struct program *program);

/* The function at `offset` of the image; NULL with XC_ECODE when that is not in
 * an executable segment. */
void *program_function(struct program *program, uint64_t offset, struct xc_error *err);

/* The function that the image exports as `symbol`; NULL with XC_ECODE. */
void *program_symbol(struct program *program, const char *symbol, struct xc_error *err);

/* Does the address lie in it? */
bool program_holds(const struct program *program, const void *address);

/* Unloads it: its destructors and atexit handlers run. NULL is taken. */
void program_close(struct program *program);

#endif
