/* inline_cleanup.c: functions that tasks within the client have registered, and the
 * closing of libraries. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "libcluster/inline.h"
#include "proto/error.h"

struct inline_cleanup {
	void (*fn)(void *argument);
	void *argument;
	struct inline_cleanup *prev, *next;
};

int inline_cleanup_add(struct xci_inline *in, void (*fn)(void *argument), void *argument)
{
	struct inline_cleanup *cleanup = malloc(sizeof *cleanup);

	if (!cleanup)
		return -ENOMEM;
	*cleanup = (struct inline_cleanup){ .fn = fn, .argument = argument };
	DL_APPEND(in->cleanups, cleanup);
	return 0;
}

static bool holds(const struct inline_library *library, void (*fn)(void *argument))
{
	struct link_map *map = NULL, *own = NULL;
	Dl_info info;

	return dlinfo(library->handle, RTLD_DI_LINKMAP, &own) == 0 &&
	       dladdr1(*(void **)&fn, &info, (void **)&map, RTLD_DL_LINKMAP) != 0 && map == own;
}

void inline_cleanup_run(struct xci_inline *in, const struct inline_library *library)
{
	struct inline_cleanup *cleanup = in->cleanups ? in->cleanups->prev : NULL;

	while (cleanup) {
		struct inline_cleanup *before = cleanup == in->cleanups ? NULL : cleanup->prev;

		if (!library || holds(library, cleanup->fn)) {
			DL_DELETE(in->cleanups, cleanup);
			cleanup->fn(cleanup->argument);
			free(cleanup);
		}
		cleanup = before;
	}
}

/* Jobs that have found their function in it look again. */
static void forget(struct xci_inline *in, const struct inline_library *library)
{
	struct inline_job *job, *next;

	HASH_ITER (hh, in->jobs, job, next) {
		if (job->task.object.size == OBJECT_SIZE &&
		    memcmp(job->task.object.data, library->id, OBJECT_SIZE) == 0 &&
		    job != in->running)
			job->is_resolved = false;
	}
}

int inline_unload(struct xci_inline *in, struct span id, struct xc_error *err)
{
	struct inline_library *library = NULL;

	if (id.size == OBJECT_SIZE)
		HASH_FIND(hh, in->libraries, id.data, OBJECT_SIZE, library);
	if (!library || !library->handle)
		return 0;
	inline_cleanup_run(in, library);
	forget(in, library);
	dlerror();
	if (dlclose(library->handle) != 0)
		return error_set(err, XC_ECODE, "cannot close %s: %s", library->path, dlerror());
	library->handle = NULL;
	return 0;
}
