/* build.h: source text compiled on this host. */
#ifndef LIBCLUSTER_BUILD_H
#define LIBCLUSTER_BUILD_H

#include <stdint.h>

#include "xcluster.h"

/* If the object in `fd` is source text, `fd` becomes that of the library made of it,
 * from the cache or by the compiler, waiting for both; else it stays. The old one is
 * closed then; on failure it is still the caller's. XC_ECODE with the compiler's words;
 * -errno. */
int build_open(int *fd, uint64_t size, struct xc_error *err);

#endif
