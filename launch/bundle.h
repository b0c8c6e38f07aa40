/* bundle.h: this executable and the libraries that it needs, as a tar stream. */
#ifndef LAUNCH_BUNDLE_H
#define LAUNCH_BUNDLE_H

#include <stddef.h>

#include "xcluster.h"

#define BUNDLE_HASH_SIZE 33 /* hexadecimal, with its end */

struct bundle {
	char *data; /* owned */
	size_t size;
	char hash[BUNDLE_HASH_SIZE]; /* of data: the same files, the same hash */
};

/* Packs the executable that runs, as `xcluster`, and the libraries that it has loaded, as
 * `lib/NAME`, where its DT_RPATH looks for them; libc and its parts stay out. */
int bundle_make(struct bundle *bundle, struct xc_error *err);
void bundle_fini(struct bundle *bundle);

#endif
