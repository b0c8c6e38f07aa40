/* programs.c: programs that this engine has loaded, by their hash. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/runner.h"
#include "engine/source.h"
#include "proto/error.h"
#include "proto/log.h"

struct program *programs_get(struct engine *e, struct span id, struct span name,
			     struct xc_error *err)
{
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
	if (loaded)
		return loaded->program;
	span_copy(text, sizeof text, name);
	fd = object_fetch(e, id.data, &size, &shared, err);
	if (fd < 0)
		return NULL;
	if (source_open(&fd, size, err) < 0) {
		log_line("cannot compile %s: %s", text, err ? err->text : "");
		close(fd);
		return NULL;
	}
	loaded = calloc(1, sizeof *loaded);
	if (!loaded) {
		error_set(err, -ENOMEM, "out of memory");
		close(fd);
		return NULL;
	}
	r = program_open(&loaded->program, fd, id.data, text, err);
	if (r < 0) {
		log_line("cannot load %s: %s", text, err ? err->text : "");
		close(fd);
		free(loaded);
		return NULL;
	}
	memcpy(loaded->id, id.data, OBJECT_SIZE);
	HASH_ADD(hh, e->programs, id, OBJECT_SIZE, loaded);
	return loaded->program;
}
