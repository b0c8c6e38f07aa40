/* elf_view.h: an ELF image while it is inspected; for proto/elf*.c only. */
#ifndef PROTO_ELF_VIEW_H
#define PROTO_ELF_VIEW_H

#include <link.h>

#include "proto/elf.h"

struct elf_view {
	const uint8_t *bytes;
	size_t size;
	ElfW(Ehdr) header; /* its program header table lies within the image */
};

static inline bool elf_fits(uint64_t size, uint64_t offset, uint64_t length)
{
	return offset <= size && length <= size - offset;
}

/* Fills in err and returns XC_ECODE. */
int elf_damaged(struct xc_error *err, const char *what);

/* Reads the header of v->bytes into `v`, and what it says into `info`. */
int elf_read_header(struct elf_view *v, struct elf_info *info, struct xc_error *err);

void elf_get_segment(const struct elf_view *v, size_t i, ElfW(Phdr) *segment);

/* File offset of a virtual address, or false when no segment of the file
 * provides it. `*left` is how many bytes follow there. */
bool elf_find_offset(const struct elf_view *v, uint64_t address, uint64_t *offset, uint64_t *left);

/* The segment of the dynamic section, which may lie outside; false: none. */
bool elf_find_dynamic(const struct elf_view *v, ElfW(Phdr) *s);

/* Reads the dynamic section in segment `s`, which lies within the image. */
int elf_read_dynamic(const struct elf_view *v, const ElfW(Phdr) *s, struct elf_info *info,
		     bool *has_debug, struct xc_error *err);

#endif
