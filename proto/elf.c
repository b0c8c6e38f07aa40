/* elf.c: what an ELF image is, read without trusting a byte of it. */
#include "proto/elf.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "proto/elf_view.h"
#include "proto/error.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OWN_DATA ELFDATA2LSB
#else
#define OWN_DATA ELFDATA2MSB
#endif
#define OWN_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

/* Provided by the linker. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

void elf_get_segment(const struct elf_view *v, size_t i, ElfW(Phdr) *segment)
{
	memcpy(segment, v->bytes + v->header.e_phoff + i * sizeof *segment, sizeof *segment);
}

int elf_damaged(struct xc_error *err, const char *what)
{
	return error_set(err, XC_ECODE, "damaged ELF file: its %s does not lie within the file",
			 what);
}

/* File offset of a virtual address, or false when no segment of the file
 * provides it. `*left` is how many bytes follow there. */
bool elf_find_offset(const struct elf_view *v, uint64_t address, uint64_t *offset, uint64_t *left)
{
	for (size_t i = 0; i < v->header.e_phnum; i++) {
		ElfW(Phdr) s;

		elf_get_segment(v, i, &s);
		if (s.p_type != PT_LOAD || !elf_fits(v->size, s.p_offset, s.p_filesz) ||
		    address < s.p_vaddr || address - s.p_vaddr >= s.p_filesz)
			continue;
		*offset = s.p_offset + (address - s.p_vaddr);
		*left = s.p_filesz - (address - s.p_vaddr);
		return true;
	}
	return false;
}

int elf_read_header(struct elf_view *v, struct elf_info *info, struct xc_error *err)
{
	if (v->size < EI_NIDENT || memcmp(v->bytes, ELFMAG, SELFMAG) != 0)
		return error_set(
			err, XC_ECODE,
			"not an ELF file: give a library, as of cc -shared -fPIC; sources are "
			"for xc_load_source");
	/* Type and machine stand at the same place in all classes. */
	if (!elf_fits(v->size, offsetof(ElfW(Ehdr), e_type), 4))
		return elf_damaged(err, "header");
	info->foreign = v->bytes[EI_CLASS] != OWN_CLASS || v->bytes[EI_DATA] != OWN_DATA;
	memcpy(&info->type, v->bytes + offsetof(ElfW(Ehdr), e_type), 2);
	memcpy(&info->machine, v->bytes + offsetof(ElfW(Ehdr), e_machine), 2);
	if (v->bytes[EI_DATA] != OWN_DATA) {
		info->type = __builtin_bswap16(info->type);
		info->machine = __builtin_bswap16(info->machine);
	}
	info->kind = info->type == ET_DYN    ? ELF_LIBRARY
		     : info->type == ET_EXEC ? ELF_FIXED
					     : ELF_OTHER;
	if (info->foreign)
		return 0;
	if (v->size < sizeof v->header)
		return elf_damaged(err, "header");
	memcpy(&v->header, v->bytes, sizeof v->header);
	if (v->header.e_phnum &&
	    (v->header.e_phentsize != sizeof(ElfW(Phdr)) ||
	     !elf_fits(v->size, v->header.e_phoff, v->header.e_phnum * sizeof(ElfW(Phdr)))))
		return elf_damaged(err, "program header table");
	return 0;
}

static int add_executable(struct elf_info *info, const ElfW(Phdr) *s, struct xc_error *err)
{
	uint64_t end;

	if (!(s->p_flags & PF_X) || s->p_memsz == 0)
		return 0;
	if (info->executable_count == ELF_MAX_EXECUTABLE)
		return error_set(err, XC_ECODE, "ELF file has more than %d executable segments",
				 ELF_MAX_EXECUTABLE);
	if (__builtin_add_overflow((uint64_t)s->p_vaddr, (uint64_t)s->p_memsz, &end))
		return elf_damaged(err, "executable segment");
	info->executable[info->executable_count++] = (struct elf_range){ s->p_vaddr, end };
	return 0;
}

static int read_interp(const struct elf_view *v, const ElfW(Phdr) *s, struct elf_info *info,
		       struct xc_error *err)
{
	const void *end;

	if (!elf_fits(v->size, s->p_offset, s->p_filesz))
		return elf_damaged(err, "interpreter name");
	end = memchr(v->bytes + s->p_offset, 0, s->p_filesz);
	if (!end || s->p_filesz > sizeof info->interp)
		return elf_damaged(err, "interpreter name");
	memcpy(info->interp, v->bytes + s->p_offset, s->p_filesz);
	return 0;
}

static int read_segment(const struct elf_view *v, const ElfW(Phdr) *s, struct elf_info *info,
			struct xc_error *err)
{
	switch (s->p_type) {
	case PT_LOAD:
		if (!elf_fits(v->size, s->p_offset, s->p_filesz))
			return elf_damaged(err, "segment");
		return add_executable(info, s, err);
	case PT_INTERP:
		return read_interp(v, s, info, err);
	case PT_TLS:
		info->tls_size = s->p_memsz;
		return 0;
	case PT_GNU_RELRO:
		if (__builtin_add_overflow((uint64_t)s->p_vaddr, (uint64_t)s->p_memsz,
					   &info->relro.end))
			return elf_damaged(err, "read-only data");
		info->relro.start = s->p_vaddr;
		return 0;
	case PT_DYNAMIC:
		info->has_dynamic = true;
		return elf_fits(v->size, s->p_offset, s->p_filesz)
			       ? 0
			       : elf_damaged(err, "dynamic section");
	case PT_NOTE:
		if (!elf_fits(v->size, s->p_offset, s->p_filesz))
			return elf_damaged(err, "note segment");
		if (!info->build_id_size)
			info->build_id_size =
				elf_build_id(v->bytes + s->p_offset, s->p_filesz, info->build_id);
		return 0;
	default:
		return 0;
	}
}

bool elf_find_dynamic(const struct elf_view *v, ElfW(Phdr) *s)
{
	for (size_t i = 0; i < v->header.e_phnum; i++) {
		elf_get_segment(v, i, s);
		if (s->p_type == PT_DYNAMIC)
			return true;
	}
	return false;
}

static enum elf_kind classify(const struct elf_info *info, bool has_debug)
{
	if (info->type != ET_DYN && info->type != ET_EXEC)
		return ELF_OTHER;
	if (info->type == ET_EXEC)
		return info->interp[0] ? ELF_FIXED : ELF_STATIC;
	if (info->pie_flag_offset)
		return info->interp[0] ? ELF_PIE : ELF_STATIC;
	/* A copy whose flag is cleared; only programs have DT_DEBUG. */
	return info->interp[0] && has_debug ? ELF_PIE : ELF_LIBRARY;
}

static int inspect(struct elf_view *v, struct elf_info *info, struct xc_error *err)
{
	bool has_debug = false;
	ElfW(Phdr) s;
	int r;

	r = elf_read_header(v, info, err);
	if (r < 0 || info->foreign)
		return r;
	for (size_t i = 0; i < v->header.e_phnum; i++) {
		elf_get_segment(v, i, &s);
		r = read_segment(v, &s, info, err);
		if (r < 0)
			return r;
	}
	if (elf_find_dynamic(v, &s)) {
		r = elf_read_dynamic(v, &s, info, &has_debug, err);
		if (r < 0)
			return r;
	}
	info->kind = classify(info, has_debug);
	return 0;
}

int elf_inspect(const void *bytes, size_t size, struct elf_info *info, struct xc_error *err)
{
	struct elf_view v = { .bytes = bytes, .size = size };
	struct elf_info found;
	int r;

	memset(&found, 0, sizeof found);
	r = inspect(&v, &found, err);
	if (r < 0)
		return r;
	*info = found;
	return 0;
}

bool elf_is_executable(const struct elf_info *info, uint64_t address)
{
	for (size_t i = 0; i < info->executable_count; i++)
		if (address >= info->executable[i].start && address < info->executable[i].end)
			return true;
	return false;
}

void elf_clear_pie(void *bytes, const struct elf_info *info)
{
	ElfW(Addr) flags; /* as wide as d_un.d_val */

	if (!info->pie_flag_offset)
		return;
	memcpy(&flags, (uint8_t *)bytes + info->pie_flag_offset, sizeof flags);
	flags &= ~(ElfW(Addr))DF_1_PIE;
	memcpy((uint8_t *)bytes + info->pie_flag_offset, &flags, sizeof flags);
}

const char *elf_needed(const void *bytes, const struct elf_info *info, size_t i)
{
	return (const char *)bytes + info->needed[i];
}

size_t elf_build_id(const void *notes, size_t size, uint8_t id[ELF_MAX_BUILD_ID])
{
	const uint8_t *p = notes;
	size_t at = 0;
	ElfW(Nhdr) n;

	while (elf_fits(size, at, sizeof n)) {
		uint64_t name, data;

		memcpy(&n, p + at, sizeof n);
		at += sizeof n;
		name = ((uint64_t)n.n_namesz + 3) & ~3ull;
		data = ((uint64_t)n.n_descsz + 3) & ~3ull;
		if (!elf_fits(size, at, name) || !elf_fits(size, at + name, n.n_descsz))
			return 0;
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && !memcmp(p + at, "GNU", 4) &&
		    n.n_descsz > 0 && n.n_descsz <= ELF_MAX_BUILD_ID) {
			memcpy(id, p + at + name, n.n_descsz);
			return n.n_descsz;
		}
		if (!elf_fits(size, at + name, data))
			return 0;
		at += name + data;
	}
	return 0;
}

uint16_t elf_own_machine(void)
{
	return __ehdr_start.e_machine;
}

const char *elf_machine_name(uint16_t machine, char text[32])
{
	static const struct {
		uint16_t machine;
		const char *name;
	} names[] = {
		{ EM_X86_64, "x86-64" }, { EM_386, "i386" },	 { EM_AARCH64, "aarch64" },
		{ EM_ARM, "arm" },	 { EM_RISCV, "risc-v" }, { EM_PPC64, "ppc64" },
		{ EM_S390, "s390x" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].machine == machine)
			return names[i].name;
	snprintf(text, 32, "machine %u", machine);
	return text;
}
