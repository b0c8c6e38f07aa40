/* memory.h: what this process holds. */
#ifndef PROTO_MEMORY_H
#define PROTO_MEMORY_H

#include <stdint.h>

/* Bytes of it that are in memory; 0 if that cannot be told. */
int64_t memory_resident_bytes(void);

#endif
