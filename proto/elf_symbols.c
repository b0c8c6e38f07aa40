/* elf_symbols.c: whether an ELF image defines a function, asked of its hash tables
 * as the loader does. */
#include <elf.h>
#include <string.h>

#include "proto/elf_view.h"

/* File offsets; 0: not there. */
struct tables {
	uint64_t strings, strings_size;
	uint64_t symbols, symbols_left;
	uint64_t hash, hash_left;
	uint64_t gnu_hash, gnu_left;
};

static void find_table(const struct elf_view *v, const ElfW(Dyn) *entry, uint64_t *offset,
		       uint64_t *left)
{
	if (!elf_find_offset(v, entry->d_un.d_ptr, offset, left))
		*offset = *left = 0;
}

static bool read_tables(const struct elf_view *v, struct tables *t)
{
	uint64_t left = 0;
	ElfW(Phdr) s;
	ElfW(Dyn) entry;

	if (!elf_find_dynamic(v, &s) || !elf_fits(v->size, s.p_offset, s.p_filesz))
		return false;
	for (size_t i = 0; i < s.p_filesz / sizeof entry; i++) {
		memcpy(&entry, v->bytes + s.p_offset + i * sizeof entry, sizeof entry);
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_STRTAB)
			find_table(v, &entry, &t->strings, &left);
		else if (entry.d_tag == DT_STRSZ)
			t->strings_size = entry.d_un.d_val;
		else if (entry.d_tag == DT_SYMTAB)
			find_table(v, &entry, &t->symbols, &t->symbols_left);
		else if (entry.d_tag == DT_HASH)
			find_table(v, &entry, &t->hash, &t->hash_left);
		else if (entry.d_tag == DT_GNU_HASH)
			find_table(v, &entry, &t->gnu_hash, &t->gnu_left);
	}
	return t->strings && t->symbols && t->strings_size <= left;
}

/* Word i of a table; false beyond its end. */
static bool get_word(const struct elf_view *v, uint64_t table, uint64_t left, uint64_t i,
		     uint32_t *word)
{
	if (i >= left / sizeof *word)
		return false;
	memcpy(word, v->bytes + table + i * sizeof *word, sizeof *word);
	return true;
}

static bool is_function(const struct elf_view *v, const struct tables *t, uint64_t i,
			const char *name)
{
	size_t length = strlen(name) + 1;
	unsigned type, visibility;
	ElfW(Sym) s;

	if (i >= t->symbols_left / sizeof s)
		return false;
	memcpy(&s, v->bytes + t->symbols + i * sizeof s, sizeof s);
	type = ELF64_ST_TYPE(s.st_info);
	visibility = ELF64_ST_VISIBILITY(s.st_other);
	return s.st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC) &&
	       ELF64_ST_BIND(s.st_info) != STB_LOCAL &&
	       (visibility == STV_DEFAULT || visibility == STV_PROTECTED) &&
	       elf_fits(t->strings_size, s.st_name, length) &&
	       memcmp(v->bytes + t->strings + s.st_name, name, length) == 0;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		hash = hash * 33 + *c;
	return hash;
}

/* Four words, a filter, a first symbol for each bucket, then a word for each symbol:
 * its hash, with the lowest bit set in the last of a bucket. */
static bool look_gnu(const struct elf_view *v, const struct tables *t, const char *name)
{
	uint32_t buckets, first, filter, hash = gnu_hash(name), symbol, word;
	uint64_t table;

	if (!get_word(v, t->gnu_hash, t->gnu_left, 0, &buckets) || buckets == 0 ||
	    !get_word(v, t->gnu_hash, t->gnu_left, 1, &first) ||
	    !get_word(v, t->gnu_hash, t->gnu_left, 2, &filter))
		return false;
	table = 4 + (uint64_t)filter * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
	if (!get_word(v, t->gnu_hash, t->gnu_left, table + hash % buckets, &symbol) ||
	    symbol < first)
		return false;
	table += buckets;
	for (;; symbol++) {
		if (!get_word(v, t->gnu_hash, t->gnu_left, table + symbol - first, &word))
			return false;
		if ((word | 1) == (hash | 1) && is_function(v, t, symbol, name))
			return true;
		if ((word & 1) || symbol == UINT32_MAX)
			return false;
	}
}

static uint32_t sysv_hash(const char *name)
{
	uint32_t hash = 0, high;

	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		hash = (hash << 4) + *c;
		high = hash & 0xf0000000;
		hash = (hash ^ (high >> 24)) & ~high;
	}
	return hash;
}

/* Two words, a first symbol for each bucket, then for each symbol the next one. */
static bool look_sysv(const struct elf_view *v, const struct tables *t, const char *name)
{
	uint32_t buckets, symbols, symbol;

	if (!get_word(v, t->hash, t->hash_left, 0, &buckets) || buckets == 0 ||
	    !get_word(v, t->hash, t->hash_left, 1, &symbols) ||
	    !get_word(v, t->hash, t->hash_left, 2 + sysv_hash(name) % buckets, &symbol))
		return false;
	/* A damaged chain may be a ring. */
	for (uint64_t i = 0; symbol != 0 && i < symbols && i < v->size; i++) {
		if (is_function(v, t, symbol, name))
			return true;
		if (!get_word(v, t->hash, t->hash_left, 2 + (uint64_t)buckets + symbol, &symbol))
			return false;
	}
	return false;
}

bool elf_defines(const void *bytes, size_t size, const char *name)
{
	struct elf_view v = { .bytes = bytes, .size = size };
	struct tables t = { 0 };
	struct elf_info info = { 0 };

	if (elf_read_header(&v, &info, NULL) < 0 || info.foreign || !read_tables(&v, &t))
		return false;
	return t.gnu_hash ? look_gnu(&v, &t, name) : t.hash && look_sysv(&v, &t, name);
}
