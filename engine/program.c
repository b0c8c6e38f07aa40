/* program.c: a client's program or library, loaded into this engine. */
#include "engine/program.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/copies.h"
#include "libcluster/loader.h"
#include "proto/elf.h"
#include "proto/error.h"

struct program {
	unsigned char hash[PROGRAM_HASH_SIZE];
	char name[256];
	char path[32]; /* by which dlopen knows it */
	int fd;	       /* owned */
	void *handle;  /* owned */
	struct link_map *map;
	struct elf_info info;
};

struct image {
	const void *bytes;
	size_t size;
};

static int image_map(struct image *image, int fd, const char *name, struct xc_error *err)
{
	struct stat st;
	int seals;

	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || !(seals & F_SEAL_WRITE))
		return error_set(err, -EINVAL, "the image of %s is not a sealed memfd", name);
	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "cannot read the image of %s: %s", name,
				 strerror(errno));
	if (st.st_size == 0)
		return error_set(err, XC_ECODE, "the image of %s is empty", name);
	image->size = (size_t)st.st_size;
	image->bytes = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image->bytes == MAP_FAILED)
		return error_set(err, -errno, "cannot map the image of %s: %s", name,
				 strerror(errno));
	return 0;
}

static int check_machine(const struct program *p, struct xc_error *err)
{
	char theirs[32], ours[32];

	if (p->info.machine != elf_own_machine())
		return error_set(err, XC_ECODE,
				 "%s is built for another architecture (%s, this engine is %s): "
				 "rebuild it for the engines' one",
				 p->name, elf_machine_name(p->info.machine, theirs),
				 elf_machine_name(elf_own_machine(), ours));
	if (p->info.foreign)
		return error_set(err, XC_ECODE,
				 "%s is built for another architecture (word size or byte order): "
				 "rebuild it for the engines' one",
				 p->name);
	return 0;
}

/* Why the loader could not take it, or NULL. Clients say more, before. */
static const char *find_obstacle(const struct elf_info *info)
{
	if (info->kind == ELF_FIXED)
		return "is built for fixed addresses (-no-pie)";
	if (info->kind == ELF_STATIC)
		return "is linked statically";
	if (info->kind == ELF_OTHER)
		return "is neither a program nor a shared library";
	if (!info->has_dynamic)
		return "has no dynamic section";
	if (info->kind == ELF_PIE && info->tls_size)
		return "has thread-local data of its own";
	if (info->pie_flag_offset)
		return "still has its DF_1_PIE flag";
	return NULL;
}

static int check_kind(const struct program *p, struct xc_error *err)
{
	const char *obstacle = find_obstacle(&p->info);

	if (!obstacle)
		return 0;
	return error_set(err, XC_ECODE,
			 "%s %s, so engines cannot load it: put the tasks into a shared library "
			 "(cc -shared -fPIC)",
			 p->name, obstacle);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int read_interp(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char **interp = arg;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			*interp = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return 1; /* the program itself comes first */
}

/* Names are compared without folders: distributions place one libc differently. */
static int check_libc(const struct program *p, struct xc_error *err)
{
	const char *own = NULL;

	dl_iterate_phdr(read_interp, &own);
	if (!own || p->info.kind != ELF_PIE ||
	    strcmp(base_name(own), base_name(p->info.interp)) == 0)
		return 0;
	return error_set(
		err, XC_ECODE,
		"%s is built for another C library (%s, this engine has %s): rebuild it on "
		"a system like the engines' one",
		p->name, p->info.interp, own);
}

static int check(struct program *p, const struct image *image, struct xc_error *err)
{
	struct xc_error why = XC_ERROR_INIT;
	int r;

	if (elf_inspect(image->bytes, image->size, &p->info, &why) < 0)
		return error_set(err, why.code, "%s: %s", p->name, why.text);
	r = check_machine(p, err);
	if (r < 0)
		return r;
	r = loader_check_sanitizer(&p->info, image->bytes, p->name, err);
	if (r < 0)
		return r;
	r = check_kind(p, err);
	if (r < 0)
		return r;
	return check_libc(p, err);
}

static int refuse_load(const struct program *p, const char *words, struct xc_error *err)
{
	if (p->info.sanitizer && !p->info.sanitizer_name && strstr(words, "undefined symbol: __"))
		return loader_refuse_sanitizer(&p->info, p->name, err);
	return loader_refused(p->path, p->name, words, err);
}

static int load(struct program *p, const struct image *image, struct xc_error *err)
{
	dlerror();
	p->handle = dlopen(p->path, RTLD_NOW | RTLD_LOCAL);
	if (!p->handle)
		return refuse_load(p, dlerror(), err);
	if (dlinfo(p->handle, RTLD_DI_LINKMAP, &p->map) < 0)
		return error_set(err, XC_ECODE, "cannot load %s: %s", p->name, dlerror());
	if (p->info.kind == ELF_PIE)
		copies_fill(p->map, image->bytes, &p->info);
	return 0;
}

int program_open(struct program **program, int fd, const unsigned char hash[PROGRAM_HASH_SIZE],
		 const char *name, struct xc_error *err)
{
	struct image image = { 0 };
	struct program *p;
	int r;

	p = calloc(1, sizeof *p);
	if (!p)
		return error_set(err, -ENOMEM, "out of memory");
	p->fd = -1;
	memcpy(p->hash, hash, sizeof p->hash);
	snprintf(p->name, sizeof p->name, "%s", name);
	snprintf(p->path, sizeof p->path, "/proc/self/fd/%d", fd);
	r = image_map(&image, fd, name, err);
	if (r < 0)
		goto fail;
	r = check(p, &image, err);
	if (r == 0)
		r = load(p, &image, err);
	munmap((void *)(uintptr_t)image.bytes, image.size);
	if (r < 0)
		goto fail;
	p->fd = fd;
	*program = p;
	return 0;
fail:
	program_close(p);
	return r;
}

const unsigned char *program_hash(const struct program *program)
{
	return program->hash;
}

const char *program_name(const struct program *program)
{
	return program->name;
}

void *program_function(struct program *program, uint64_t offset, struct xc_error *err)
{
	if (!elf_is_executable(&program->info, offset)) {
		error_set(err, XC_ECODE, "offset 0x%llx of %s is not in its code",
			  (unsigned long long)offset, program->name);
		return NULL;
	}
	return (void *)(program->map->l_addr + offset);
}

void *program_symbol(struct program *program, const char *symbol, struct xc_error *err)
{
	return loader_symbol(program->handle, program->map, &program->info, program->name, symbol,
			     err);
}

bool program_holds(const struct program *program, const void *address)
{
	struct link_map *map = NULL;
	Dl_info info;

	return dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) && map == program->map;
}

void program_close(struct program *program)
{
	void *still;

	if (!program)
		return;
	if (program->handle)
		dlclose(program->handle);
	still = program->fd < 0 ? NULL : dlopen(program->path, RTLD_LAZY | RTLD_NOLOAD);
	if (still)
		dlclose(still); /* it cannot be unloaded: its descriptor must stay */
	else if (program->fd >= 0)
		close(program->fd);
	free(program);
}
