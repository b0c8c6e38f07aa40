/* elf_dynamic.c: what the dynamic section of an ELF image says. */
#include <elf.h>
#include <string.h>

#include "proto/elf_view.h"
#include "proto/error.h"

/* What the dynamic section points to, as file offsets. */
struct dynamic {
	uint64_t strings;
	uint64_t strings_size;
	uint64_t symbols;
	size_t symbol_count;
};

static const struct {
	enum elf_sanitizer kind;
	const char *library;
	const char *symbol;
	const char *text;
} sanitizers[] = {
	{ ELF_SANITIZER_ADDRESS, "libasan", "__asan_init", "AddressSanitizer" },
	{ ELF_SANITIZER_THREAD, "libtsan", "__tsan_init", "ThreadSanitizer" },
	{ ELF_SANITIZER_MEMORY, "libmsan", "__msan_init", "MemorySanitizer" },
	{ ELF_SANITIZER_LEAK, "liblsan", "__lsan_init", "LeakSanitizer" },
	{ ELF_SANITIZER_UNDEFINED, "libubsan", "__ubsan_handle_", "UndefinedBehaviorSanitizer" },
};
#define SANITIZERS (sizeof sanitizers / sizeof sanitizers[0])

/* Entry i of the dynamic section, false at its end. */
static bool get_entry(const struct elf_view *v, const ElfW(Phdr) *s, size_t i, ElfW(Dyn) *entry)
{
	if (i >= s->p_filesz / sizeof *entry)
		return false;
	memcpy(entry, v->bytes + s->p_offset + i * sizeof *entry, sizeof *entry);
	return entry->d_tag != DT_NULL;
}

static uint64_t value_offset(const ElfW(Phdr) *s, size_t i)
{
	return s->p_offset + i * sizeof(ElfW(Dyn)) + offsetof(ElfW(Dyn), d_un);
}

static int read_dynamic(const struct elf_view *v, const ElfW(Phdr) *s, struct elf_info *info,
			struct dynamic *dynamic, bool *has_debug, struct xc_error *err)
{
	uint64_t address = 0, symbols = 0, left;
	ElfW(Dyn) entry;

	for (size_t i = 0; get_entry(v, s, i, &entry); i++) {
		if (entry.d_tag == DT_STRTAB)
			address = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_STRSZ)
			dynamic->strings_size = entry.d_un.d_val;
		else if (entry.d_tag == DT_SYMTAB)
			symbols = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_DEBUG)
			*has_debug = true;
		else if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_PIE))
			info->pie_flag_offset = value_offset(s, i);
	}
	if (!dynamic->strings_size)
		return 0;
	if (!elf_find_offset(v, address, &dynamic->strings, &left) || dynamic->strings_size > left)
		return elf_damaged(err, "string table");
	info->strings_address = address;
	if (symbols && !elf_find_offset(v, symbols, &dynamic->symbols, &left))
		return elf_damaged(err, "symbol table");
	/* N.B. ELF does not say how many there are; linkers place the names behind them. */
	if (symbols && dynamic->strings > dynamic->symbols) {
		uint64_t room = dynamic->strings - dynamic->symbols;

		dynamic->symbol_count = (room < left ? room : left) / sizeof(ElfW(Sym));
	}
	return 0;
}

/* gcc's libasan.so.8, clang's libclang_rt.asan-x86_64.so. */
static bool is_runtime(const char *name, const char *library)
{
	size_t length = strlen(library);

	if (strncmp(name, library, length) == 0 && name[length] == '.')
		return true;
	length = strlen(library + 3);
	return strncmp(name, "libclang_rt.", 12) == 0 &&
	       strncmp(name + 12, library + 3, length) == 0;
}

/* An image may bring several; the order of the table says which one matters. */
static bool outranks(size_t k, const struct elf_info *info)
{
	return !info->sanitizer || sanitizers[k].kind < info->sanitizer;
}

static void note_runtime(struct elf_info *info, const char *name, uint64_t offset)
{
	for (size_t k = 0; k < SANITIZERS; k++) {
		if (!outranks(k, info) || !is_runtime(name, sanitizers[k].library))
			continue;
		info->sanitizer = sanitizers[k].kind;
		info->sanitizer_name = offset;
	}
}

/* File offset of the string that a dynamic entry names; 0: not in the table. */
static uint64_t find_string(const struct elf_view *v, const struct dynamic *dynamic,
			    const ElfW(Dyn) *entry)
{
	uint64_t at = entry->d_un.d_val;

	if (at >= dynamic->strings_size ||
	    !memchr(v->bytes + dynamic->strings + at, 0, dynamic->strings_size - at))
		return 0;
	return dynamic->strings + at;
}

static int read_needed(const struct elf_view *v, const struct dynamic *dynamic,
		       const ElfW(Dyn) *entry, struct elf_info *info, struct xc_error *err)
{
	uint64_t offset = find_string(v, dynamic, entry);

	if (!offset)
		return elf_damaged(err, "name of a needed library");
	note_runtime(info, (const char *)v->bytes + offset, offset);
	if (info->needed_count < ELF_MAX_NEEDED)
		info->needed[info->needed_count++] = offset;
	return 0;
}

/* What elf_expand_origin has replaced lies outside of the table. */
static void read_path(const struct elf_view *v, const struct dynamic *dynamic,
		      const ElfW(Dyn) *entry, uint64_t value, struct elf_info *info)
{
	uint64_t text = find_string(v, dynamic, entry);

	if (text && elf_find_origin((const char *)v->bytes + text) && info->origin_path_count < 2)
		info->origin_paths[info->origin_path_count++] =
			(struct elf_origin_path){ value, text };
}

static int read_strings(const struct elf_view *v, const ElfW(Phdr) *s,
			const struct dynamic *dynamic, struct elf_info *info, struct xc_error *err)
{
	ElfW(Dyn) entry;
	int r = 0;

	for (size_t i = 0; r == 0 && get_entry(v, s, i, &entry); i++) {
		if (entry.d_tag == DT_NEEDED)
			r = read_needed(v, dynamic, &entry, info, err);
		else if (entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH)
			read_path(v, dynamic, &entry, value_offset(s, i), info);
	}
	return r;
}

/* True when the name at `offset` of the string table begins with `text`. */
static bool name_begins(const struct elf_view *v, const struct dynamic *dynamic, uint64_t offset,
			const char *text)
{
	size_t length = strlen(text);

	return elf_fits(dynamic->strings_size, offset, length) &&
	       memcmp(v->bytes + dynamic->strings + offset, text, length) == 0;
}

static void note_symbol(const struct elf_view *v, const struct dynamic *dynamic, const ElfW(Sym) *s,
			struct elf_info *info)
{
	for (size_t k = 0; k < SANITIZERS; k++) {
		if (!outranks(k, info) ||
		    !name_begins(v, dynamic, s->st_name, sanitizers[k].symbol))
			continue;
		info->sanitizer = sanitizers[k].kind;
		info->sanitizer_inside = s->st_shndx != SHN_UNDEF;
	}
}

/* A runtime that is linked in shows as a defined symbol, one that the program is
 * expected to bring as an undefined one (weak: works without, too). */
static void find_sanitizer_symbol(const struct elf_view *v, const struct dynamic *dynamic,
				  struct elf_info *info)
{
	for (size_t i = 0; i < dynamic->symbol_count; i++) {
		ElfW(Sym) s;

		memcpy(&s, v->bytes + dynamic->symbols + i * sizeof s, sizeof s);
		if (s.st_shndx == SHN_UNDEF && ELF64_ST_BIND(s.st_info) == STB_WEAK)
			continue;
		if (name_begins(v, dynamic, s.st_name, "__"))
			note_symbol(v, dynamic, &s, info);
	}
}

int elf_read_dynamic(const struct elf_view *v, const ElfW(Phdr) *s, struct elf_info *info,
		     bool *has_debug, struct xc_error *err)
{
	struct dynamic dynamic = { 0 };
	int r;

	r = read_dynamic(v, s, info, &dynamic, has_debug, err);
	if (r < 0)
		return r;
	r = read_strings(v, s, &dynamic, info, err);
	if (r < 0)
		return r;
	if (!info->sanitizer)
		find_sanitizer_symbol(v, &dynamic, info);
	return 0;
}

const char *elf_sanitizer_text(enum elf_sanitizer sanitizer)
{
	for (size_t k = 0; k < SANITIZERS; k++)
		if (sanitizers[k].kind == sanitizer)
			return sanitizers[k].text;
	return NULL;
}
