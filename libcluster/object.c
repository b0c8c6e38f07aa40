/* object.c: the ELF objects that this process has loaded. */
#include "libcluster/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/error.h"

#define DELETED " (deleted)"

struct search {
	uintptr_t address;
	struct xci_object *object;
	int seen;
	bool found;
	bool is_code;
};

static bool segment_holds(const ElfW(Phdr) *s, uintptr_t address)
{
	return s->p_type == PT_LOAD && address >= s->p_vaddr && address - s->p_vaddr < s->p_memsz;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;
	bool first = search->seen++ == 0;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *s = &info->dlpi_phdr[i];

		if (!segment_holds(s, search->address - info->dlpi_addr))
			continue;
		search->found = true;
		search->is_code = s->p_flags & PF_X;
		*search->object = (struct xci_object){
			.name = info->dlpi_name,
			.base = info->dlpi_addr,
			.segments = info->dlpi_phdr,
			.segment_count = info->dlpi_phnum,
			.is_program = first,
			.address = (const void *)search->address,
		};
		return 1;
	}
	return 0;
}

static bool search_object(const void *address, struct search *search, struct xci_object *object)
{
	*search = (struct search){ .address = (uintptr_t)address, .object = object };
	dl_iterate_phdr(look_at, search);
	return search->found;
}

/* Every process has these of its own: a second C library would not share its
 * heap and files with the first. */
static bool is_of_system(const struct xci_object *object)
{
	struct xci_object libc;
	struct search search;

	if (object->is_program)
		return false;
	if (object->base == getauxval(AT_BASE) || object->base == getauxval(AT_SYSINFO_EHDR))
		return true;
	return search_object((const void *)(uintptr_t)getauxval, &search, &libc) &&
	       libc.base == object->base;
}

int xci_object_find(const void *fn, struct xci_object *object, struct xc_error *err)
{
	struct xci_object found;
	struct search search;

	if (!fn)
		return error_set(err, XC_ECODE,
				 "the task function is NULL: give a function of this "
				 "program, or name one of a library given to xc_load");
	if (!search_object(fn, &search, &found))
		return error_set(err, XC_ECODE,
				 "%p is not a function of this program or of a library that it has "
				 "loaded: code made at run time cannot be shipped",
				 fn);
	if (!search.is_code)
		return error_set(err, XC_ECODE,
				 "%p points to data of %s, not to a function: give the task "
				 "function itself",
				 fn, found.is_program ? "this program" : found.name);
	if (is_of_system(&found))
		return error_set(err, XC_ECODE,
				 "the function at %p belongs to %s, of which every process has its "
				 "own: call it from a task of yours",
				 fn, found.name);
	*object = found;
	return 0;
}

/* The file mapped at an address, with its number; "" if none is. */
static void find_mapping(const void *address, char *path, size_t size, ino_t *number)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t line_size = 0;
	char *line = NULL;

	path[0] = 0;
	*number = 0;
	while (maps && getline(&line, &line_size, maps) > 0) {
		unsigned long start, end, inode;
		int at = 0;

		if (sscanf(line, "%lx-%lx %*s %*s %*s %lu %n", &start, &end, &inode, &at) < 3 ||
		    (uintptr_t)address < start || (uintptr_t)address >= end)
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(path, size, "%s", line + at);
		*number = inode;
		break;
	}
	free(line);
	if (maps)
		fclose(maps);
}

static void strip_deleted(char *path)
{
	size_t length = strlen(path), mark = strlen(DELETED);

	if (length > mark && !strcmp(path + length - mark, DELETED))
		path[length - mark] = 0;
}

int xci_object_open(const struct xci_object *object, char *path, size_t size, int *fd,
		    struct xc_error *err)
{
	ino_t number;
	ssize_t n;

	if (object->is_program) {
		n = readlink("/proc/self/exe", path, size - 1);
		path[n < 0 ? 0 : n] = 0;
	} else if (object->name[0] == '/') {
		snprintf(path, size, "%s", object->name);
	} else {
		/* A relative name is of the folder that was current then. */
		find_mapping(object->address, path, size, &number);
	}
	strip_deleted(path);
	*fd = open(object->is_program ? "/proc/self/exe" : path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return error_set(err, XC_ECODE, "cannot read the file of the loaded %s %s: %s",
				 object->is_program ? "program" : "library", path, strerror(errno));
	return 0;
}

/* The build-id as it was loaded. */
static size_t read_build_id(const struct xci_object *object, uint8_t id[ELF_MAX_BUILD_ID])
{
	for (size_t i = 0; i < object->segment_count; i++) {
		const ElfW(Phdr) *s = &object->segments[i];
		size_t length;

		if (s->p_type != PT_NOTE)
			continue;
		length = elf_build_id((const void *)(object->base + s->p_vaddr), s->p_memsz, id);
		if (length)
			return length;
	}
	return 0;
}

bool xci_object_is_file(const struct xci_object *object, const struct elf_info *info, int fd)
{
	uint8_t id[ELF_MAX_BUILD_ID];
	char path[4096];
	struct stat st;
	ino_t number;
	size_t size;

	size = read_build_id(object, id);
	if (size != info->build_id_size)
		return false;
	if (size)
		return memcmp(id, info->build_id, size) == 0;
	if (object->is_program)
		return true;
	find_mapping(object->address, path, sizeof path, &number);
	/* N.B. not the device: overlayfs and btrfs show another one in maps. */
	return fstat(fd, &st) == 0 && st.st_ino == number;
}
