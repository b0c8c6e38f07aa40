/* blas.c: the library of linear algebra is loaded when one of its tasks is named. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcluster/client.h"
#include "proto/error.h"

#define PREFIX "xc_blas_"
#define NAME   "libxcluster-blas.so"

/* Beside this library, or where it is built. */
static bool find_beside(char path[PATH_MAX])
{
	static const char *const folders[] = { "", "blas/" };
	char own[PATH_MAX];
	Dl_info info;
	char *slash;

	if (!dladdr((const void *)(uintptr_t)xci_blas_find, &info) ||
	    !realpath(info.dli_fname, own))
		return false;
	slash = strrchr(own, '/');
	slash[1] = 0;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		int n = snprintf(path, PATH_MAX, "%s%s" NAME, own, folders[i]);

		if (n > 0 && n < PATH_MAX && access(path, R_OK) == 0)
			return true;
	}
	return false;
}

static int find_path(char path[PATH_MAX], const char *said, struct xc_error *err)
{
	if (said && *said) {
		snprintf(path, PATH_MAX, "%s", said);
		return 0;
	}
	if (find_beside(path))
		return 0;
	return error_set(err, XC_ECODE,
			 NAME
			 " is not beside libxcluster: build xcluster where OpenBLAS is (package "
			 "libopenblas-dev), or say in XCLUSTER_BLAS where the library is");
}

int xci_blas_find(struct xc_client *client, const char *function, const char *library,
		  struct xci_shipped **found, struct xc_error *err)
{
	const char *said = getenv("XCLUSTER_BLAS");
	struct xc_error why = XC_ERROR_INIT;
	struct xci_image *image;
	char path[PATH_MAX];
	bool is_new;
	int r;

	if (strncmp(function, PREFIX, strlen(PREFIX)) != 0 ||
	    (library && strcmp(library, NAME) != 0))
		return 0;
	r = find_path(path, said, &why);
	if (r == 0)
		r = xci_image_load(path, &image, &why);
	if (r < 0)
		return error_set(err, r, "%s%.480s", said && *said ? "XCLUSTER_BLAS: " : "",
				 why.text);
	*found = xci_ship_library(client, image, path, &is_new, err);
	return *found ? 0 : err ? err->code : XC_ECODE;
}
