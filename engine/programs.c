/* programs.c: programs that this engine has loaded, by their hash. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/runner.h"
#include "libcluster/build.h"
#include "libcluster/loader.h"
#include "proto/error.h"
#include "proto/log.h"

static struct loaded *loaded_new(struct engine *e, struct span id)
{
	struct loaded *loaded = calloc(1, sizeof *loaded);

	if (!loaded)
		return NULL;
	memcpy(loaded->id, id.data, OBJECT_SIZE);
	HASH_ADD(hh, e->programs, id, OBJECT_SIZE, loaded);
	return loaded;
}

/* Code is named by its hash, and may have come by other hosts: nobody is to be able to put
 * other code in its place. */
static int check_hash(int fd, uint64_t size, struct span id, const char *name, struct xc_error *err)
{
	unsigned char hash[OBJECT_SIZE];
	void *bytes = size ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : NULL;

	if (bytes == MAP_FAILED)
		return error_set(err, -errno, "cannot map %s: %s", name, strerror(errno));
	crypto_generichash(hash, sizeof hash, bytes, size, NULL, 0);
	if (bytes)
		munmap(bytes, size);
	if (memcmp(hash, id.data, sizeof hash) == 0)
		return 0;
	return error_set(err, XC_ECODE,
			 "%s is not what its hash says, so it is not loaded: the host that it came "
			 "from has changed it",
			 name);
}

struct program *programs_get(struct engine *e, struct span id, struct span name, bool again,
			     struct xc_error *err)
{
	struct program *program;
	struct loaded *loaded;
	char text[256];
	uint64_t size;
	bool shared;
	int fd, r;

	if (id.size != OBJECT_SIZE) {
		error_set(err, XC_EPROTO, "a program's hash must have %d bytes", OBJECT_SIZE);
		return NULL;
	}
	HASH_FIND(hh, e->programs, id.data, OBJECT_SIZE, loaded);
	if (loaded && loaded->program)
		return loaded->program;
	span_copy(text, sizeof text, name);
	if (loaded && !again) {
		error_set(err, XC_ECODE, LIBRARY_WAS_UNLOADED, text);
		return NULL;
	}
	fd = object_fetch(e, id.data, &size, &shared, err);
	if (fd < 0)
		return NULL;
	if (check_hash(fd, size, id, text, err) < 0) {
		log_line("cannot load %s: %s", text, err ? err->text : "");
		close(fd);
		return NULL;
	}
	if (build_open(&fd, size, err) < 0) {
		log_line("cannot compile %s: %s", text, err ? err->text : "");
		close(fd);
		return NULL;
	}
	r = program_open(&program, fd, id.data, text, err);
	if (r < 0) {
		log_line("cannot load %s: %s", text, err ? err->text : "");
		close(fd);
		return NULL;
	}
	loaded = loaded ? loaded : loaded_new(e, id);
	if (!loaded) {
		error_set(err, -ENOMEM, "out of memory");
		program_close(program);
		return NULL;
	}
	loaded->program = program;
	return program;
}

/* N.B. nothing of it is in use: what was resolved last is the task that unloads it. */
int programs_unload(struct engine *e, struct span id)
{
	struct program *program;
	struct loaded *loaded;

	if (id.size != OBJECT_SIZE)
		return XC_EPROTO;
	HASH_FIND(hh, e->programs, id.data, OBJECT_SIZE, loaded);
	loaded = loaded ? loaded : loaded_new(e, id);
	if (!loaded)
		return -ENOMEM;
	program = loaded->program;
	if (!program)
		return 0;
	cleanup_run(e, program);
	loaded->program = NULL;
	program_close(program);
	return 0;
}
