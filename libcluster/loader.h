/* loader.h: what engines, and XCLUSTER=inline in their place, ask the dynamic loader. */
#ifndef LIBCLUSTER_LOADER_H
#define LIBCLUSTER_LOADER_H

#include "proto/elf.h"

#define LIBRARY_WAS_UNLOADED                                                                       \
	"%s was unloaded by xc_unload: call xc_load before its functions are used again"

struct link_map;

/* Sanitizers that replace the heap must be there from the start of a process: XC_ECODE
 * for the image (mapped at `bytes`) if its one is not; 0 if it is, or that is not known. */
int loader_check_sanitizer(const struct elf_info *info, const void *bytes, const char *name,
			   struct xc_error *err);
int loader_refuse_sanitizer(const struct elf_info *info, const char *name, struct xc_error *err);

/* Why dlopen has refused the library `name` at `path`, by its words: XC_ECODE. */
int loader_refused(const char *path, const char *name, const char *words, struct xc_error *err);

/* The function that the library itself exports as `symbol`; NULL with XC_ECODE. */
void *loader_symbol(void *handle, const struct link_map *map, const struct elf_info *info,
		    const char *name, const char *symbol, struct xc_error *err);

#endif
