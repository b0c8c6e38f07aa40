/* loader.h: what engines, and XCLUSTER=inline in their place, ask the dynamic loader. */
#ifndef LIBCLUSTER_LOADER_H
#define LIBCLUSTER_LOADER_H

#include "proto/elf.h"

struct link_map;

/* Why dlopen has refused the library `name` at `path`, by its words: XC_ECODE. */
int loader_refused(const char *path, const char *name, const char *words, struct xc_error *err);

/* The function that the library itself exports as `symbol`; NULL with XC_ECODE. */
void *loader_symbol(void *handle, const struct link_map *map, const struct elf_info *info,
		    const char *name, const char *symbol, struct xc_error *err);

#endif
