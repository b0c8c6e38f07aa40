/* image.c: finds the ELF image that holds a task and copies it for shipping. */
#include "libcluster/image.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcluster/object.h"
#include "proto/error.h"

#define IN_LIBRARY "put the tasks into a shared library (cc -shared -fPIC)"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The absolute folder of a file; what $ORIGIN means in it. */
static bool find_folder(const char *path, char folder[PATH_MAX])
{
	char copy[PATH_MAX];
	size_t length = (size_t)(base_name(path) - path);

	if (length >= sizeof copy)
		return false;
	snprintf(copy, sizeof copy, "%.*s", (int)length, length ? path : "");
	return realpath(length ? copy : ".", folder) != NULL;
}

static bool same_file_state(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Copies the file `from` into a new memfd. */
static int copy_file(int from, const char *path, struct xci_image *image, struct xc_error *err)
{
	struct stat before, after;
	off_t at = 0;

	if (fstat(from, &before) < 0)
		return error_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISREG(before.st_mode))
		return error_set(err, XC_ECODE, "%s is not a file", path);
	image->fd = memfd_create(image->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (image->fd < 0)
		return error_set(err, -errno, "cannot make a copy of %s: %s", path,
				 strerror(errno));
	while (at < before.st_size) {
		ssize_t n = sendfile(image->fd, from, &at, (size_t)(before.st_size - at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, -errno, "cannot copy %s: %s", path, strerror(errno));
		if (n == 0)
			break;
	}
	if (fstat(from, &after) < 0 || at < before.st_size || !same_file_state(&before, &after))
		return error_set(err, XC_ECODE,
				 "%s changes while it is read: try again when "
				 "its build has ended",
				 path);
	image->size = (size_t)before.st_size;
	return 0;
}

static int check_kind(const struct xci_image *image, struct xc_error *err)
{
	switch (image->info.kind) {
	case ELF_LIBRARY:
	case ELF_PIE:
		return 0;
	case ELF_FIXED:
		return error_set(err, XC_ECODE,
				 "program %s is built for fixed addresses (-no-pie), so engines "
				 "cannot load it: rebuild it with -fPIE -pie, or " IN_LIBRARY,
				 image->name);
	case ELF_STATIC:
		return error_set(err, XC_ECODE,
				 "program %s is linked statically, so engines cannot load it: "
				 "link it without -static, or " IN_LIBRARY " and use xc_load",
				 image->name);
	case ELF_OTHER:
		break;
	}
	return error_set(err, XC_ECODE,
			 "%s is neither a shared library nor a program: build a shared library of "
			 "it (cc -shared -fPIC)",
			 image->name);
}

static int check_machine(const struct xci_image *image, struct xc_error *err)
{
	const struct elf_info *info = &image->info;
	char theirs[32], ours[32];

	if (info->machine != elf_own_machine())
		return error_set(err, XC_ECODE,
				 "%s is built for another architecture (%s, here it is %s): "
				 "rebuild it for this one",
				 image->name, elf_machine_name(info->machine, theirs),
				 elf_machine_name(elf_own_machine(), ours));
	if (info->foreign)
		return error_set(err, XC_ECODE,
				 "%s is built for another architecture (word size or byte order): "
				 "rebuild it for this one",
				 image->name);
	return 0;
}

/* Programs have rules of their own, as the linker has fixed what a library
 * leaves to the loader. */
static int check_program(const struct xci_image *image, struct xc_error *err)
{
	const struct elf_info *info = &image->info;

	if (info->sanitizer_inside &&
	    (info->sanitizer != ELF_SANITIZER_UNDEFINED || info->tls_size))
		return error_set(
			err, XC_ECODE,
			"program %s contains the runtime of %s, which a process can have "
			"only once: rebuild it without, with -shared-libsan, or " IN_LIBRARY,
			image->name, elf_sanitizer_text(info->sanitizer));
	if (info->tls_size)
		return error_set(
			err, XC_ECODE,
			"program %s has thread-local data of its own (_Thread_local, "
			"threadprivate; %llu bytes), whose place is fixed in a program: " IN_LIBRARY
			", where it works",
			image->name, (unsigned long long)info->tls_size);
	return 0;
}

static int check_shippable(const struct xci_image *image, struct xc_error *err)
{
	int r;

	r = check_machine(image, err);
	if (r < 0)
		return r;
	r = check_kind(image, err);
	if (r < 0)
		return r;
	return image->info.kind == ELF_PIE ? check_program(image, err) : 0;
}

static int map_copy(const struct xci_image *image, const char *path, void **bytes,
		    struct xc_error *err)
{
	void *mapped;

	if (image->size == 0)
		return error_set(err, XC_ECODE, "%s is empty", path);
	mapped = mmap(NULL, image->size, PROT_READ | PROT_WRITE, MAP_SHARED, image->fd, 0);
	if (mapped == MAP_FAILED)
		return error_set(err, -errno, "cannot map a copy of %s: %s", path, strerror(errno));
	*bytes = mapped;
	return 0;
}

static int inspect(struct xci_image *image, const char *path, size_t *size, char *origin,
		   struct xc_error *err)
{
	struct xc_error why = XC_ERROR_INIT;
	void *bytes = NULL;
	int r;

	r = map_copy(image, path, &bytes, err);
	if (r < 0)
		return r;
	*size = image->size;
	r = elf_inspect(bytes, image->size, &image->info, &why);
	if (r < 0)
		error_set(err, r, "%s: %s", path, why.text);
	else
		r = check_shippable(image, err);
	if (r == 0 && image->info.origin_path_count && find_folder(path, origin))
		*size = elf_origin_size(bytes, image->size, &image->info, origin);
	munmap(bytes, image->size);
	return r;
}

/* Makes the copy what dlopen takes, and names it. */
static int change(struct xci_image *image, const char *path, size_t size, const char *origin,
		  struct xc_error *err)
{
	size_t old_size = image->size;
	void *bytes = NULL;
	int r;

	if (size > old_size && ftruncate(image->fd, (off_t)size) < 0)
		return error_set(err, -errno, "cannot make a copy of %s: %s", path,
				 strerror(errno));
	image->size = size;
	r = map_copy(image, path, &bytes, err);
	if (r < 0)
		return r;
	if (size > old_size)
		elf_expand_origin(bytes, old_size, &image->info, origin);
	elf_clear_pie(bytes, &image->info);
	crypto_generichash(image->hash, sizeof image->hash, bytes, size, NULL, 0);
	munmap(bytes, size);
	return 0;
}

static int prepare(struct xci_image *image, const char *path, struct xc_error *err)
{
	char origin[PATH_MAX];
	size_t size;
	int r;

	r = inspect(image, path, &size, origin, err);
	if (r < 0)
		return r;
	r = change(image, path, size, origin, err);
	if (r < 0)
		return r;
	if (fcntl(image->fd, F_ADD_SEALS,
		  F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return error_set(err, -errno, "cannot seal a copy of %s: %s", path,
				 strerror(errno));
	return 0;
}

static int image_create(struct xci_image **image, int from, const char *path, struct xc_error *err)
{
	struct xci_image *made;
	int r;

	if (sodium_init() < 0)
		return error_set(err, -EIO, "libsodium cannot be initialised");
	made = calloc(1, sizeof *made);
	if (!made)
		return error_set(err, -ENOMEM, "out of memory");
	made->fd = -1;
	snprintf(made->name, sizeof made->name, "%.200s", base_name(path));
	r = copy_file(from, path, made, err);
	if (r < 0)
		goto fail;
	r = prepare(made, path, err);
	if (r < 0)
		goto fail;
	*image = made;
	return 0;
fail:
	xci_image_destroy(made);
	return r;
}

int xci_image_load(const char *path, struct xci_image **image, struct xc_error *err)
{
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, XC_ECODE, "cannot open library %s: %s", path,
				 strerror(errno));
	r = image_create(image, fd, path, err);
	close(fd);
	return r;
}

static int check_is_running_one(const struct xci_object *object, const struct xci_image *image,
				const char *path, int from, struct xc_error *err)
{
	if (xci_object_is_file(object, &image->info, from))
		return 0;
	if (object->is_program)
		return error_set(err, XC_ECODE,
				 "/proc/self/exe (%s) is not this program: start it directly, not "
				 "through a loader",
				 path);
	return error_set(err, XC_ECODE,
			 "the file %s was rebuilt since this program loaded it: start the program "
			 "again",
			 path);
}

int xci_image_find(const void *fn, struct xci_image **image, uint64_t *offset, struct xc_error *err)
{
	struct xci_image *made = NULL;
	struct xci_object object;
	char path[PATH_MAX];
	int from = -1, r;

	r = xci_object_find(fn, &object, err);
	if (r < 0)
		return r;
	r = xci_object_open(&object, path, sizeof path, &from, err);
	if (r < 0)
		return r;
	r = image_create(&made, from, path, err);
	if (r < 0)
		goto fail;
	r = check_is_running_one(&object, made, path, from, err);
	if (r < 0)
		goto fail;
	if (!object.is_program)
		made->pin = dlopen(object.name, RTLD_LAZY | RTLD_NOLOAD);
	close(from);
	*offset = (uintptr_t)fn - object.base;
	*image = made;
	return 0;
fail:
	xci_image_destroy(made);
	close(from);
	return r;
}

uintptr_t xci_image_key(const void *fn)
{
#if __GLIBC_PREREQ(2, 35)
	struct dl_find_object found;

	/* Unlike dladdr it does not look through the symbols. */
	if (_dl_find_object((void *)(uintptr_t)fn, &found) < 0 || !found.dlfo_link_map)
		return 0;
	return found.dlfo_link_map->l_addr;
#else
	struct link_map *map = NULL;
	Dl_info info;

	if (!dladdr1(fn, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
		return 0;
	return map->l_addr;
#endif
}

void xci_image_destroy(struct xci_image *image)
{
	if (!image)
		return;
	if (image->fd >= 0)
		close(image->fd);
	if (image->pin)
		dlclose(image->pin);
	free(image);
}
