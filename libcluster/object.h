/* object.h: the ELF objects that this process has loaded. */
#ifndef LIBCLUSTER_OBJECT_H
#define LIBCLUSTER_OBJECT_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/elf.h"
#include "xcluster.h"

struct xci_object {
	const char *name; /* as the loader has it; borrowed from the loader */
	uintptr_t base;
	const ElfW(Phdr) *segments; /* borrowed from the object */
	size_t segment_count;
	bool is_program;
	const void *address; /* the one it was found by */
};

/* Finds the object whose code `fn` points to. Errors: XC_ECODE for what is not
 * code, and for code of the C library or the kernel. */
int xci_object_find(const void *fn, struct xci_object *object, struct xc_error *err);

/* Opens the file that the object comes from, as far as names tell: ask
 * xci_object_is_file. `path` is filled in for messages and the file's name. */
int xci_object_open(const struct xci_object *object, char *path, size_t size, int *fd,
		    struct xc_error *err);

/* True when the file with this info is the one that was loaded: by the build-id
 * in memory, without any by the file's number. */
bool xci_object_is_file(const struct xci_object *object, const struct elf_info *info, int fd);

#endif
