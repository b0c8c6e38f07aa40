/* sealed.c: bytes written whole, to a file or to memory that nobody can change. */
#include "proto/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int write_whole(int fd, struct span bytes)
{
	const char *at = bytes.data, *end = at + bytes.size;

	while (at < end) {
		ssize_t n = write(fd, at, (size_t)(end - at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
	}
	return 0;
}

int sealed_create(const char *name, const struct span *parts, size_t count)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), r = 0;

	if (fd < 0)
		return -errno;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = write_whole(fd, parts[i]);
	if (r == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}
