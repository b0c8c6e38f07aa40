/* sealed.h: bytes written whole, to a file or to memory that nobody can change. */
#ifndef PROTO_SEALED_H
#define PROTO_SEALED_H

#include "proto/pack.h"

/* write(2) until all is written. 0 or -errno. */
int write_whole(int fd, struct span bytes);

/* A sealed memfd of the parts, one after the other; the caller's. -errno. */
int sealed_create(const char *name, const struct span *parts, size_t count);

#endif
