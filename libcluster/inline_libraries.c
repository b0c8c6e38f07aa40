/* inline_libraries.c: code within the client: libraries by their own path, sources by
 * what a compiler has made of them; and which engine has loaded what. */
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

#include "libcluster/build.h"
#include "libcluster/inline.h"
#include "libcluster/loader.h"
#include "proto/error.h"

/* ---- Which there are --------------------------------------------------------------- */

static struct inline_library *find(struct xci_inline *in, struct span id)
{
	struct inline_library *library = NULL;

	if (id.size == OBJECT_SIZE)
		HASH_FIND(hh, in->libraries, id.data, OBJECT_SIZE, library);
	return library;
}

static void library_free(struct inline_library *library)
{
	if (library->handle)
		dlclose(library->handle);
	if (library->fd >= 0)
		close(library->fd);
	free(library->path);
	free(library->use);
	free(library);
}

static int no_memory(struct xc_error *err)
{
	return error_set(err, -ENOMEM, "out of memory");
}

int xci_inline_image(struct xci_inline *in, const struct xci_image *image, const char *path,
		     struct xc_error *err)
{
	struct inline_library *library = find(in, (struct span){ image->hash, OBJECT_SIZE });
	int r = 0;

	if (library)
		return 0;
	library = calloc(1, sizeof *library);
	if (!library)
		return no_memory(err);
	library->fd = -1;
	library->use = calloc((size_t)in->count, sizeof *library->use);
	memcpy(library->id, image->hash, OBJECT_SIZE);
	library->info = image->info;
	if (!library->use) {
		r = no_memory(err);
	} else if (image->is_source) {
		library->fd = fcntl(image->fd, F_DUPFD_CLOEXEC, 3);
		if (library->fd < 0)
			r = error_set(err, -errno, "cannot keep %s: %s", image->name,
				      strerror(errno));
	} else if (!(library->path = realpath(path, NULL))) {
		r = error_set(err, -errno, "cannot load %s: %s", path, strerror(errno));
	}
	if (r < 0) {
		library_free(library);
		return r;
	}
	HASH_ADD(hh, in->libraries, id, OBJECT_SIZE, library);
	if (library->hh.tbl)
		return 0;
	library_free(library);
	return no_memory(err);
}

void inline_libraries_free(struct xci_inline *in)
{
	struct inline_library *library, *next;

	HASH_ITER (hh, in->libraries, library, next) {
		HASH_DEL(in->libraries, library);
		library_free(library);
	}
}

/* ---- Sources ------------------------------------------------------------------------- */

static int inspect(struct inline_library *library, const char *name, struct xc_error *err)
{
	struct xc_error why = XC_ERROR_INIT;
	struct stat st;
	void *bytes;
	int r;

	if (fstat(library->fd, &st) < 0)
		return error_set(err, -errno, "cannot load %s: %s", name, strerror(errno));
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, library->fd, 0);
	if (bytes == MAP_FAILED)
		return error_set(err, -errno, "cannot load %s: %s", name, strerror(errno));
	r = elf_inspect(bytes, (size_t)st.st_size, &library->info, &why);
	if (r < 0)
		error_set(err, why.code, "%s: %s", name, why.text);
	else
		r = loader_check_sanitizer(&library->info, bytes, name, err);
	munmap(bytes, (size_t)st.st_size);
	return r;
}

/* By the path under which others see it, too: such as a debugger. */
static int name_file(struct inline_library *library)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), library->fd);
	library->path = strdup(path);
	return library->path ? 0 : -ENOMEM;
}

/* Each engine of a cluster shares a failure with those that try at the same time. */
static int compile(struct inline_library *library, const struct inline_job *job, const char *name,
		   struct xc_error *err)
{
	struct xc_error why = XC_ERROR_INIT;
	struct stat st;
	int r = 0;

	if (library->tried == job->id)
		return error_set(err, library->why.code, "%s", library->why.text);
	if (fstat(library->fd, &st) < 0)
		r = error_set(&why, -errno, "cannot read %s: %s", name, strerror(errno));
	if (r == 0)
		r = build_open(&library->fd, (uint64_t)st.st_size, &why);
	if (r == 0 && name_file(library) < 0)
		r = no_memory(&why);
	if (r == 0) {
		r = inspect(library, name, &why);
		if (r < 0) {
			free(library->path);
			library->path = NULL;
		}
	}
	if (r == 0)
		return 0;
	library->tried = job->id;
	library->why = why;
	return error_set(err, why.code, "%s", why.text);
}

/* ---- Loading ---------------------------------------------------------------------------- */

/* The loader goes by names: a file built anew would be the old one to it. */
static bool is_loaded_otherwise(const struct xci_inline *in, const struct inline_library *library)
{
	struct inline_library *other, *next;

	HASH_ITER (hh, in->libraries, other, next) {
		if (other != library && other->path && (other->handle || other->lingers) &&
		    strcmp(other->path, library->path) == 0)
			return true;
	}
	return false;
}

/* By its own path and not by a copy, so that debuggers find its source. */
static int load(struct xci_inline *in, struct inline_library *library, const struct inline_job *job,
		const char *name, struct xc_error *err)
{
	int r = library->path ? 0 : compile(library, job, name, err);

	if (r < 0)
		return r;
	if (is_loaded_otherwise(in, library))
		return error_set(err, XC_ECODE,
				 "the file %s was rebuilt since this program loaded it, which "
				 "XCLUSTER=inline cannot do twice: start the program again",
				 library->path);
	dlerror();
	library->handle = dlopen(library->path, RTLD_NOW | RTLD_LOCAL);
	if (!library->handle)
		return loader_refused(library->path, name, dlerror(), err);
	if (dlinfo(library->handle, RTLD_DI_LINKMAP, &library->map) == 0)
		return 0;
	r = error_set(err, XC_ECODE, "cannot load %s: %s", name, dlerror());
	dlclose(library->handle);
	library->handle = NULL;
	return r;
}

bool inline_is_loaded(const struct inline_library *library, const struct inline_engine *engine)
{
	return library->use[engine->id] == LIBRARY_LOADED;
}

struct inline_library *inline_load(struct xci_inline *in, const struct inline_job *job,
				   const struct inline_engine *engine, bool again,
				   struct xc_error *err)
{
	struct inline_library *library = find(in, job->task.object);
	char name[256];

	span_copy(name, sizeof name, job->task.program);
	if (!library) {
		error_set(err, XC_ECODE, "library %s was not loaded", name);
		return NULL;
	}
	if (inline_is_loaded(library, engine))
		return library;
	if (library->use[engine->id] == LIBRARY_UNLOADED && !again) {
		error_set(err, XC_ECODE, LIBRARY_WAS_UNLOADED, name);
		return NULL;
	}
	if (!library->handle && load(in, library, job, name, err) < 0)
		return NULL;
	library->use[engine->id] = LIBRARY_LOADED;
	library->users++;
	in->loads++;
	return library;
}

/* What its constructors have started may keep it. */
static void close_library(struct inline_library *library)
{
	void *still;

	dlclose(library->handle);
	library->handle = NULL;
	still = dlopen(library->path, RTLD_LAZY | RTLD_NOLOAD);
	library->lingers = still != NULL;
	if (still)
		dlclose(still);
}

static void unload(struct xci_inline *in, struct inline_engine *engine,
		   struct inline_library *library)
{
	if (inline_is_loaded(library, engine)) {
		inline_clean(in, engine, library);
		if (--library->users == 0)
			close_library(library);
	}
	library->use[engine->id] = LIBRARY_UNLOADED;
	in->loads++;
}

void inline_unload(struct xci_inline *in, struct inline_engine *engine, struct span id)
{
	struct inline_library *library = find(in, id);

	if (library) /* else nobody has named it */
		unload(in, engine, library);
}

void inline_unload_all(struct xci_inline *in, struct inline_engine *engine)
{
	struct inline_library *library, *next;

	HASH_ITER (hh, in->libraries, library, next) {
		unload(in, engine, library);
	}
}

void *inline_symbol(const struct inline_library *library, const struct task_frame *task,
		    struct xc_error *err)
{
	char name[256], symbol[256];

	span_copy(name, sizeof name, task->program);
	span_copy(symbol, sizeof symbol, task->symbol);
	return loader_symbol(library->handle, library->map, &library->info, name, symbol, err);
}
