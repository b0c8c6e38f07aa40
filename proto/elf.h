/* elf.h: what an ELF image is, read without trusting a byte of it. */
#ifndef PROTO_ELF_H
#define PROTO_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcluster.h"

#define ELF_MAX_NEEDED	   128
#define ELF_MAX_EXECUTABLE 16
#define ELF_MAX_BUILD_ID   64

enum elf_kind {
	ELF_LIBRARY, /* shared library */
	ELF_PIE,     /* position-independent program */
	ELF_FIXED,   /* program with fixed addresses (ET_EXEC) */
	ELF_STATIC,  /* program that no dynamic linker loads, static PIE included */
	ELF_OTHER,   /* .o file, core dump ... */
};

enum elf_sanitizer {
	ELF_SANITIZER_NONE,
	ELF_SANITIZER_ADDRESS,
	ELF_SANITIZER_THREAD,
	ELF_SANITIZER_MEMORY,
	ELF_SANITIZER_LEAK,
	ELF_SANITIZER_UNDEFINED,
};

struct elf_range {
	uint64_t start; /* virtual addresses as in the file, [start, end) */
	uint64_t end;
};

/* A search path of DT_RUNPATH or DT_RPATH that names $ORIGIN, as file offsets. */
struct elf_origin_path {
	uint64_t value; /* of the entry's value */
	uint64_t text;
};

/* Plain data: no pointers into the image. `foreign` images have another word
 * size or byte order than this process; of them only kind (as far as the header
 * tells), machine and type are filled in. */
struct elf_info {
	bool foreign;
	enum elf_kind kind;
	uint16_t machine;
	uint16_t type;
	bool has_dynamic;
	uint64_t pie_flag_offset; /* of the DT_FLAGS_1 value that holds DF_1_PIE; 0: none */
	uint64_t tls_size;	  /* of PT_TLS; 0: no thread-local data */
	struct elf_range relro;	  /* read-only once relocated; empty if none */
	char interp[256];	  /* of PT_INTERP; "" if none */
	uint8_t build_id[ELF_MAX_BUILD_ID];
	size_t build_id_size; /* 0: none */
	enum elf_sanitizer sanitizer;
	bool sanitizer_inside;	 /* its runtime is linked into the image */
	uint64_t sanitizer_name; /* offset of the runtime's name in DT_NEEDED; 0: not needed */
	uint64_t needed[ELF_MAX_NEEDED]; /* offsets of names; checked to end within the image */
	size_t needed_count;		 /* more than ELF_MAX_NEEDED are left out */
	struct elf_range executable[ELF_MAX_EXECUTABLE];
	size_t executable_count;
	struct elf_origin_path origin_paths[2];
	size_t origin_path_count;
	uint64_t strings_address; /* of the dynamic string table, as in the file */
};

/* Fills in `info` from the `size` bytes of a file. Errors: XC_ECODE with what is
 * wrong (not ELF, cut short, offsets that lead outside). */
int elf_inspect(const void *bytes, size_t size, struct elf_info *info, struct xc_error *err);

/* True when `address`, as in the file, lies in an executable segment. */
bool elf_is_executable(const struct elf_info *info, uint64_t address);

/* True when the image defines the function `name` for others: neither static nor
 * hidden. Takes any bytes. */
bool elf_defines(const void *bytes, size_t size, const char *name);

/* Makes a copy of the image acceptable to dlopen, which refuses DF_1_PIE. */
void elf_clear_pie(void *bytes, const struct elf_info *info);

/* $ORIGIN in a search path means the folder of the file, which a copy does not
 * know. elf_origin_size tells how long the image becomes with $ORIGIN replaced by
 * the folder `origin` (`size` when there is nothing to replace);
 * elf_expand_origin does it in `bytes` of that length, the first `size` filled,
 * the others zero. */
const char *elf_find_origin(const char *path); /* the first $ORIGIN, or NULL */
size_t elf_origin_size(const void *bytes, size_t size, const struct elf_info *info,
		       const char *origin);
void elf_expand_origin(void *bytes, size_t size, const struct elf_info *info, const char *origin);

/* Name i of DT_NEEDED; borrowed from the image that `info` was read from. */
const char *elf_needed(const void *bytes, const struct elf_info *info, size_t i);

/* Finds the build-id in a PT_NOTE segment of `size` bytes, in a file or in
 * memory. Returns its length, at most ELF_MAX_BUILD_ID; 0 when there is none. */
size_t elf_build_id(const void *notes, size_t size, uint8_t id[ELF_MAX_BUILD_ID]);

/* The architecture of this process (EM_*), and the name of any. */
uint16_t elf_own_machine(void);
const char *elf_machine_name(uint16_t machine, char text[32]);

/* "AddressSanitizer", ...; NULL for ELF_SANITIZER_NONE. */
const char *elf_sanitizer_text(enum elf_sanitizer sanitizer);

#endif
