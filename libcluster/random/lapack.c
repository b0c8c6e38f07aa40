/* lapack.c: finds LAPACK: OpenBLAS's, else whatever the system has. */
#include "libcluster/random/lapack.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "proto/error.h"

static struct {
	pthread_once_t once;
	struct lapack lapack;
	bool is_there;
	char why[256]; /* what the loader said of the first one */
} found = { .once = PTHREAD_ONCE_INIT };

static bool take(void *handle, const char *name, void *function)
{
	void *symbol = dlsym(handle, name);

	memcpy(function, &symbol, sizeof symbol);
	return symbol != NULL;
}

static bool take_all(void *handle)
{
	struct lapack *l = &found.lapack;

	return take(handle, "dgesdd_", &l->dgesdd) && take(handle, "dsyevd_", &l->dsyevd) &&
	       take(handle, "dpotrf_", &l->dpotrf) && take(handle, "dgemm_", &l->dgemm);
}

static void find(void)
{
	static const char *const names[] = { "libopenblas.so.0", "liblapack.so.3" };

	for (size_t i = 0; i < sizeof names / sizeof *names && !found.is_there; i++) {
		void *handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
		const char *why = handle ? NULL : dlerror();

		found.is_there = handle && take_all(handle);
		if (i == 0 && why)
			snprintf(found.why, sizeof found.why, "%s", why);
		if (handle && !found.is_there)
			dlclose(handle);
	}
}

const struct lapack *lapack_get(struct xc_error *err)
{
	pthread_once(&found.once, find);
	if (found.is_there)
		return &found.lapack;
	error_set(err, -ENOENT,
		  "no LAPACK on this host, such as OpenBLAS: install it (package libopenblas0 on "
		  "Debian and Ubuntu, openblas elsewhere)%s%s",
		  found.why[0] ? ": " : "", found.why);
	return NULL;
}
