/* image.h: the ELF image that holds a task, ready to be shipped. */
#ifndef LIBCLUSTER_IMAGE_H
#define LIBCLUSTER_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/elf.h"
#include "xcluster.h"

#define XCI_HASH_SIZE 32

struct xci_image {
	/* BLAKE2b-256 of the file as it was; with $ORIGIN replaced if it names it. */
	unsigned char hash[XCI_HASH_SIZE];
	char name[256]; /* of the file, without its folder */
	int fd;		/* sealed memfd with a copy that dlopen accepts; owned */
	size_t size;	/* of that copy */
	struct elf_info info;
	bool is_source; /* text, see proto/source.h: `info` is empty */
	void *pin;	/* keeps a library loaded, so that its key stays its own; owned */
};

/* Finds the object of this process that holds the function `fn`, static or not,
 * and copies the image that runs: a file rebuilt since is never taken for it.
 * `offset` is where in the image the function stands. Reads a file; see
 * xci_image_key. Errors: XC_ECODE with what cannot be shipped, why, and what to
 * do; -errno. */
int xci_image_find(const void *fn, struct xci_image **image, uint64_t *offset,
		   struct xc_error *err);

/* The same for the shared library at `path`, loaded here or not. */
int xci_image_load(const char *path, struct xci_image **image, struct xc_error *err);

/* Load address of the object that holds `fn`, 0 if there is none. No system
 * call. Equal for all functions of an image, and a function's offset is its
 * address less the key. A library's key is its own while its image exists. */
uintptr_t xci_image_key(const void *fn);

void xci_image_destroy(struct xci_image *image);

#endif
