/* bundle.c: this executable and the libraries that it needs, as a tar stream (ustar).
 * N.B. no times and no owners: the same files give the same hash on every host. */
#include "launch/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/error.h"

#define BLOCK 512

struct packing {
	struct bundle *bundle;
	size_t room;
	struct xc_error *err;
	int r;
	int libraries;
};

/* Of the C library itself, which every host has, and which fits its loader alone. */
static bool is_of_libc(const char *name)
{
	static const char *const names[] = { "ld-",	  "ld64",	   "libc.so",
					     "libm.so",	  "libpthread.so", "libdl.so",
					     "librt.so",  "libresolv.so",  "libutil.so",
					     "libanl.so", "libmvec.so",	   "libnsl.so",
					     "libnss_",	  "linux-" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strncmp(name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static char *add_room(struct packing *p, size_t size)
{
	struct bundle *bundle = p->bundle;

	if (bundle->size + size > p->room) {
		size_t room = (bundle->size + size) * 3 / 2;
		char *data = realloc(bundle->data, room);

		if (!data) {
			p->r = error_set(p->err, -ENOMEM, "out of memory");
			return NULL;
		}
		bundle->data = data;
		p->room = room;
	}
	memset(bundle->data + bundle->size, 0, size);
	bundle->size += size;
	return bundle->data + bundle->size - size;
}

/* ---- Tar -------------------------------------------------------------------- */

static void put_octal(char *field, size_t size, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%0*llo", (int)size - 1, (unsigned long long)value);
	memcpy(field, text, size);
}

static int put_header(struct packing *p, const char *name, mode_t mode, size_t size, char type)
{
	char *header = add_room(p, BLOCK);
	unsigned sum = 0;

	if (!header)
		return p->r;
	if (strlen(name) >= 100)
		return p->r = error_set(p->err, -ENAMETOOLONG, "%s: the name is too long", name);
	memcpy(header, name, strlen(name));
	put_octal(header + 100, 8, mode);
	put_octal(header + 108, 8, 0);
	put_octal(header + 116, 8, 0);
	put_octal(header + 124, 12, size);
	put_octal(header + 136, 12, 0);
	memset(header + 148, ' ', 8);
	header[156] = type;
	memcpy(header + 257,
	       "ustar\0"
	       "00",
	       8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)header[i];
	put_octal(header + 148, 7, sum);
	return 0;
}

static int put_content(struct packing *p, int fd, const char *path, size_t size)
{
	char *data = add_room(p, (size + BLOCK - 1) / BLOCK * BLOCK);
	size_t done = 0;
	ssize_t n = 1;

	if (!data)
		return p->r;
	while (done < size && (n = read(fd, data + done, size - done)) > 0)
		done += (size_t)n;
	if (done < size)
		p->r = error_set(p->err, n < 0 ? -errno : -EIO, "cannot read %s: %s", path,
				 n < 0 ? strerror(errno) : "it has become shorter");
	return p->r;
}

static int put_file(struct packing *p, const char *name, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		p->r = error_set(p->err, -errno, "cannot read %s: %s", path, strerror(errno));
	else if (put_header(p, name, 0755, (size_t)st.st_size, '0') == 0)
		put_content(p, fd, path, (size_t)st.st_size);
	if (fd >= 0)
		close(fd);
	return p->r;
}

/* ---- What is needed ----------------------------------------------------------- */

static int on_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct packing *p = arg;
	const char *slash = strrchr(info->dlpi_name, '/');
	char name[256];

	(void)size;
	/* The executable itself has no name, the kernel's object no path. */
	if (!slash || is_of_libc(slash + 1))
		return 0;
	if (p->libraries++ == 0 && put_header(p, "lib/", 0755, 0, '5') < 0)
		return p->r;
	snprintf(name, sizeof name, "lib/%s", slash + 1);
	return put_file(p, name, info->dlpi_name);
}

static void name_by_hash(struct bundle *bundle)
{
	unsigned char hash[(BUNDLE_HASH_SIZE - 1) / 2];

	crypto_generichash(hash, sizeof hash, (const unsigned char *)bundle->data, bundle->size,
			   NULL, 0);
	sodium_bin2hex(bundle->hash, sizeof bundle->hash, hash, sizeof hash);
}

int bundle_make(struct bundle *bundle, struct xc_error *err)
{
	struct packing p = { .bundle = bundle, .err = err };

	*bundle = (struct bundle){ 0 };
	if (sodium_init() < 0)
		return error_set(err, -EIO, "libsodium cannot be used");
	if (put_file(&p, "xcluster", "/proc/self/exe") == 0)
		dl_iterate_phdr(on_object, &p);
	if (p.r == 0)
		add_room(&p, 2 * BLOCK);
	if (p.r == 0)
		name_by_hash(bundle);
	else
		bundle_fini(bundle);
	return p.r;
}

void bundle_fini(struct bundle *bundle)
{
	free(bundle->data);
	*bundle = (struct bundle){ 0 };
}
