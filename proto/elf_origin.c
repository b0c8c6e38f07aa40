/* elf_origin.c: replaces $ORIGIN in the search paths of an ELF image.
 *
 * The longer paths need room that is mapped, so the image gets one segment more,
 * at its end. It also holds the program header table, which cannot grow where it
 * is. */
#include "proto/elf.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#define ALIGNMENT 0x10000 /* no page is larger */

/* Where the new segment goes. */
struct place {
	ElfW(Ehdr) header;
	uint64_t offset; /* in the file */
	uint64_t address;
	uint64_t table_size;
};

const char *elf_find_origin(const char *path)
{
	for (const char *p = strchr(path, '$'); p; p = strchr(p + 1, '$'))
		if (!strncmp(p, "$ORIGIN", 7) || !strncmp(p, "${ORIGIN}", 9))
			return p;
	return NULL;
}

static uint64_t align(uint64_t value)
{
	return (value + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

/* Returns false when there is nothing to do, or no room for it. */
static bool find_place(const uint8_t *bytes, size_t size, const struct elf_info *info,
		       struct place *place)
{
	uint64_t end = 0;

	if (!info->origin_path_count)
		return false;
	memcpy(&place->header, bytes, sizeof place->header);
	for (size_t i = 0; i < place->header.e_phnum; i++) {
		ElfW(Phdr) s;
		uint64_t segment_end;

		memcpy(&s, bytes + place->header.e_phoff + i * sizeof s, sizeof s);
		if (s.p_type != PT_LOAD)
			continue;
		if (__builtin_add_overflow((uint64_t)s.p_vaddr, (uint64_t)s.p_memsz, &segment_end))
			return false;
		end = segment_end > end ? segment_end : end;
	}
	place->offset = align(size);
	place->address = align(end);
	place->table_size = (place->header.e_phnum + 1u) * sizeof(ElfW(Phdr));
	return end <= UINTPTR_MAX / 2 && place->header.e_phnum < PN_XNUM - 1;
}

/* Writes the path with its end; `to` NULL only measures. Returns the length. */
static size_t expand(char *to, const char *path, const char *origin)
{
	size_t used = 0;

	for (const char *at; (at = elf_find_origin(path)) != NULL;) {
		size_t before = (size_t)(at - path), length = strlen(origin);

		if (to) {
			memcpy(to + used, path, before);
			memcpy(to + used + before, origin, length);
		}
		used += before + length;
		path = at + (at[1] == '{' ? 9 : 7);
	}
	if (to)
		memcpy(to + used, path, strlen(path) + 1);
	return used + strlen(path) + 1;
}

static size_t tail_size(const uint8_t *bytes, const struct elf_info *info,
			const struct place *place, const char *origin)
{
	size_t total = place->table_size;

	for (size_t i = 0; i < info->origin_path_count; i++)
		total += expand(NULL, (const char *)bytes + info->origin_paths[i].text, origin);
	return total;
}

size_t elf_origin_size(const void *bytes, size_t size, const struct elf_info *info,
		       const char *origin)
{
	struct place place;

	if (!find_place(bytes, size, info, &place))
		return size;
	return place.offset + tail_size(bytes, info, &place, origin);
}

/* Writes the program header table into its new place. */
static void move_table(uint8_t *bytes, struct place *place, size_t length)
{
	ElfW(Phdr) extra = {
		.p_type = PT_LOAD,
		.p_flags = PF_R,
		.p_offset = place->offset,
		.p_vaddr = place->address,
		.p_paddr = place->address,
		.p_filesz = length,
		.p_memsz = length,
		.p_align = ALIGNMENT,
	};
	uint8_t *table = bytes + place->offset;
	size_t old_size = place->table_size - sizeof extra;

	memcpy(table, bytes + place->header.e_phoff, old_size);
	memcpy(table + old_size, &extra, sizeof extra);
	for (size_t i = 0; i < place->header.e_phnum; i++) {
		ElfW(Phdr) s;

		memcpy(&s, table + i * sizeof s, sizeof s);
		if (s.p_type != PT_PHDR)
			continue;
		s.p_offset = place->offset;
		s.p_vaddr = s.p_paddr = place->address;
		s.p_filesz = s.p_memsz = place->table_size;
		memcpy(table + i * sizeof s, &s, sizeof s);
	}
	place->header.e_phoff = place->offset;
	place->header.e_phnum++;
	memcpy(bytes, &place->header, sizeof place->header);
}

void elf_expand_origin(void *bytes, size_t size, const struct elf_info *info, const char *origin)
{
	struct place place;
	ElfW(Addr) values[2];
	size_t at;

	if (!find_place(bytes, size, info, &place))
		return;
	at = place.table_size;
	/* All is read before any of it is changed: damaged images overlap. */
	for (size_t i = 0; i < info->origin_path_count; i++) {
		/* Names are offsets from the string table; the loader knows no end of it. */
		values[i] = place.address + at - info->strings_address;
		at += expand((char *)bytes + place.offset + at,
			     (const char *)bytes + info->origin_paths[i].text, origin);
	}
	for (size_t i = 0; i < info->origin_path_count; i++)
		memcpy((uint8_t *)bytes + info->origin_paths[i].value, &values[i],
		       sizeof values[i]);
	move_table(bytes, &place, at);
}
