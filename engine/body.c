/* body.c: the bytes of an object as they cross hosts. */
#include "engine/body.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* N.B. by a descriptor that cannot write: a memfd is not sealed while a mapping of it could
 * be made writable. */
static const unsigned char *map(int fd, uint64_t size)
{
	char path[64];
	void *bytes;
	int own;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	own = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return NULL;
	bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, own, 0);
	close(own);
	return bytes == MAP_FAILED ? NULL : bytes;
}

struct body *body_new(int fd, uint64_t size)
{
	struct body *body = calloc(1, sizeof *body);

	if (!body)
		return NULL;
	atomic_init(&body->refs, 1);
	body->size = size;
	body->count = piece_count(size);
	body->known = calloc(body->count + 1, sizeof *body->known);
	body->hashes = calloc(body->count + 1, sizeof *body->hashes);
	if (body->known && body->hashes && (size == 0 || (body->bytes = map(fd, size))))
		return body;
	body_unref(body);
	return NULL;
}

void body_unref(struct body *body)
{
	if (!body || atomic_fetch_sub(&body->refs, 1) > 1)
		return;
	if (body->bytes)
		munmap((void *)(uintptr_t)body->bytes, body->size);
	free(body->known);
	free(body->hashes);
	free(body);
}

void piece_hash(const void *bytes, uint64_t size, unsigned char hash[HASH_SIZE])
{
	crypto_generichash(hash, HASH_SIZE, bytes, size, NULL, 0);
}

void body_know(struct body *body, uint64_t index)
{
	uint64_t offset = index * PIECE_SIZE;

	if (body->known[index])
		return;
	piece_hash(body->bytes + offset, piece_size(body->size, offset), body->hashes[index]);
	body->known[index] = true;
}

static void release(void *data, void *hint)
{
	(void)data;
	body_unref(hint);
}

int body_frame(struct body *body, uint64_t index, zmq_msg_t *frame)
{
	uint64_t offset = index * PIECE_SIZE;
	void *bytes = (void *)(uintptr_t)(body->bytes + offset);

	atomic_fetch_add(&body->refs, 1);
	if (zmq_msg_init_data(frame, bytes, piece_size(body->size, offset), release, body) == 0)
		return 0;
	body_unref(body);
	zmq_msg_init(frame);
	return -ENOMEM;
}
