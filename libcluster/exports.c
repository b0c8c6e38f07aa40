/* exports.c: what the library exports beside its own objects: sizes of arrays,
 * which proto/ defines. */
#include "xcluster.h"

/* Keeps array.c of the static proto library in the shared one. */
extern const void *const xci_exports[];
const void *const xci_exports[] = {
	(const void *)&xc_array_count,
	(const void *)&xc_array_size,
	(const void *)&xc_array_free,
};
