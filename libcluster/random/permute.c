/* permute.c: things put in random order. */
#include <string.h>

#include "libcluster/random/rng.h"

#define INLINE static inline __attribute__((always_inline))

/* Bytes swapped at once. */
#define CHUNK 64

INLINE void swap(uint8_t *a, uint8_t *b, size_t size)
{
	uint8_t kept[CHUNK];

	memcpy(kept, a, size);
	memmove(a, b, size);
	memcpy(b, kept, size);
}

static void swap_large(uint8_t *a, uint8_t *b, size_t size)
{
	for (; size > CHUNK; size -= CHUNK, a += CHUNK, b += CHUNK)
		swap(a, b, CHUNK);
	swap(a, b, size);
}

/* Called with constant sizes, which swap in registers. */
INLINE void shuffle(struct xc_rng *rng, uint8_t *base, size_t n, size_t size)
{
	for (size_t i = n; i-- > 1;)
		swap_large(base + i * size, base + rng_interval(rng, i) * size, size);
}

XC_API void xc_shuffle(struct xc_rng *rng, void *base, size_t n, size_t size)
{
	if (!rng || !base)
		return;
	if (size == 8)
		shuffle(rng, base, n, 8);
	else if (size == 4)
		shuffle(rng, base, n, 4);
	else
		shuffle(rng, base, n, size);
}

XC_API void xc_permutation(struct xc_rng *rng, int64_t *out, size_t n)
{
	if (!rng || !out)
		return;
	for (size_t i = 0; i < n; i++)
		out[i] = (int64_t)i;
	xc_shuffle(rng, out, n, sizeof *out);
}
