/* copies.c: data that a program took over from its libraries.
 *
 * A program that names a variable of a library (`extern int gsl_check_range`)
 * has room for it in its own data, the library uses that room, too, and the
 * loader copies the initial value there. For a program loaded by dlopen the loader
 * finds the room itself when it looks for the initial value, and the variable
 * stays zero. So we copy. What comes from libraries that the engine itself has
 * (libc) the loader finds before the program and copies rightly; but std::cout, as
 * any that is zero until a constructor of the program has it made, is to be copied
 * after that.
 * N.B. constructors of such libraries have run by then; what they have set stays.
 * N.B. a library that two builds of a program need is loaded once and uses the room
 * of the first; the second has the initial values only. */
#include "engine/copies.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#define COPY_TYPE R_X86_64_COPY
#elif defined(__aarch64__)
#define COPY_TYPE R_AARCH64_COPY
#elif defined(__riscv)
#define COPY_TYPE R_RISCV_COPY
#elif defined(__powerpc64__)
#define COPY_TYPE R_PPC64_COPY
#elif defined(__s390x__)
#define COPY_TYPE R_390_COPY
#endif

#ifdef COPY_TYPE

struct relocations {
	const Elf64_Rela *first;
	size_t count;
	const Elf64_Sym *symbols;
	const char *strings;
};

/* The dynamic linker has made these pointers addresses where it uses them. */
static const void *at_address(const struct link_map *map, Elf64_Addr pointer)
{
	return (const void *)(pointer < map->l_addr ? map->l_addr + pointer : pointer);
}

static struct relocations find_relocations(const struct link_map *map)
{
	struct relocations found = { 0 };

	for (const Elf64_Dyn *d = map->l_ld; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_RELA)
			found.first = at_address(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_RELASZ)
			found.count = d->d_un.d_val / sizeof *found.first;
		else if (d->d_tag == DT_SYMTAB)
			found.symbols = at_address(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_STRTAB)
			found.strings = at_address(map, d->d_un.d_ptr);
	}
	if (!found.first || !found.symbols || !found.strings)
		found.count = 0;
	return found;
}

/* The variable `name` of the engine's libraries, or of those that the program
 * needs; NULL when there is none. `*size` is how long it is there. */
static const void *find_original(const char *name, const void *bytes, const struct elf_info *info,
				 size_t *size)
{
	const void *found = dlsym(RTLD_DEFAULT, name);
	const Elf64_Sym *symbol = NULL;
	Dl_info where;

	for (size_t i = 0; i < info->needed_count && !found; i++) {
		void *library = dlopen(elf_needed(bytes, info, i), RTLD_LAZY | RTLD_NOLOAD);

		if (!library)
			continue;
		found = dlsym(library, name);
		dlclose(library);
	}
	if (!found || !dladdr1(found, &where, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
		return NULL;
	*size = symbol->st_size;
	return found;
}

static bool is_zero(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static void fill(char *room, size_t room_size, const char *name, const void *bytes,
		 const struct elf_info *info)
{
	const void *original;
	size_t size;

	if (!is_zero(room, room_size))
		return;
	original = find_original(name, bytes, info, &size);
	if (original && original != room)
		memcpy(room, original, size < room_size ? size : room_size);
}

static void fill_all(struct link_map *program, const void *bytes, const struct elf_info *info)
{
	struct relocations r = find_relocations(program);

	for (size_t i = 0; i < r.count; i++) {
		const Elf64_Sym *symbol;

		if (ELF64_R_TYPE(r.first[i].r_info) != COPY_TYPE)
			continue;
		symbol = &r.symbols[ELF64_R_SYM(r.first[i].r_info)];
		fill((char *)program->l_addr + r.first[i].r_offset, symbol->st_size,
		     r.strings + symbol->st_name, bytes, info);
	}
}

/* Constants are among them; the loader has made those pages read-only. It takes
 * whole pages only. */
static void protect(struct link_map *program, const struct elf_info *info, int protection)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = (program->l_addr + info->relro.start) & ~(page - 1);
	uintptr_t end = (program->l_addr + info->relro.end) & ~(page - 1);

	if (start < end)
		mprotect((void *)start, end - start, protection);
}

void copies_fill(struct link_map *program, const void *bytes, const struct elf_info *info)
{
	protect(program, info, PROT_READ | PROT_WRITE);
	fill_all(program, bytes, info);
	protect(program, info, PROT_READ);
}

#else

void copies_fill(struct link_map *program, const void *bytes, const struct elf_info *info)
{
	(void)program;
	(void)bytes;
	(void)info;
}

#endif
