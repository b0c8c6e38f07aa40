/* permute.c: things put in random order. */
#include <string.h>

#include "libcluster/random/rng.h"

/* Bytes swapped at once. */
#define CHUNK 64

INLINE void swap_chunk(uint8_t *a, uint8_t *b, size_t size)
{
	uint8_t kept[CHUNK];

	memcpy(kept, a, size);
	memmove(a, b, size);
	memcpy(b, kept, size);
}

/* With a constant size at most of a chunk, in registers. */
INLINE void swap(uint8_t *a, uint8_t *b, size_t size)
{
	for (; size > CHUNK; size -= CHUNK, a += CHUNK, b += CHUNK)
		swap_chunk(a, b, CHUNK);
	swap_chunk(a, b, size);
}

/* Swaps item i with that which half a word says, unless it is refused: i, or i - 1 when it was
 * taken. There is no branch, which would be guessed wrong at every other word: what is refused
 * swaps the item with itself. */
INLINE size_t try_swap(uint8_t *base, size_t size, size_t i, uint32_t word)
{
	size_t j = word & (UINT32_MAX >> __builtin_clz((unsigned int)i));
	bool taken = j <= i;

	j = taken ? j : i;
	swap(base + i * size, base + j * size, size);
	return i - taken;
}

/* For up to 2^32 items; called with a constant generator and size. */
INLINE void shuffle_small(struct xc_rng *rng, enum xc_bitgen bitgen, uint8_t *base, size_t n,
			  size_t size)
{
	struct pcg64 pcg = rng->pcg;
	size_t i = n - 1;
	uint64_t word;

	while (i && rng->has_half) {
		rng->has_half = false;
		i = try_swap(base, size, i, rng->half);
	}
	while (i) {
		word = bitgen == XC_PHILOX ? philox_next(&rng->philox)
					   : pcg_next(&pcg, bitgen == XC_PCG64DXSM);
		i = try_swap(base, size, i, (uint32_t)word);
		rng->half = (uint32_t)(word >> 32);
		if (!i)
			rng->has_half = true;
		else
			i = try_swap(base, size, i, rng->half);
	}
	if (bitgen != XC_PHILOX)
		rng->pcg = pcg;
}

INLINE void shuffle_words(struct xc_rng *rng, uint8_t *base, size_t n, size_t size)
{
	if (rng->bitgen == XC_PCG64)
		shuffle_small(rng, XC_PCG64, base, n, size);
	else if (rng->bitgen == XC_PCG64DXSM)
		shuffle_small(rng, XC_PCG64DXSM, base, n, size);
	else
		shuffle_small(rng, XC_PHILOX, base, n, size);
}

static void shuffle_any(struct xc_rng *rng, uint8_t *base, size_t n, size_t size)
{
	for (size_t i = n - 1; i; i--)
		swap(base + i * size, base + rng_interval(rng, i) * size, size);
}

XC_API void xc_shuffle(struct xc_rng *rng, void *base, size_t n, size_t size)
{
	if (!rng || !base || n < 2)
		return;
	if (size == 8 && n - 1 <= UINT32_MAX)
		shuffle_words(rng, base, n, 8);
	else if (size == 4 && n - 1 <= UINT32_MAX)
		shuffle_words(rng, base, n, 4);
	else
		shuffle_any(rng, base, n, size);
}

XC_API void xc_permutation(struct xc_rng *rng, int64_t *out, size_t n)
{
	if (!rng || !out)
		return;
	for (size_t i = 0; i < n; i++)
		out[i] = (int64_t)i;
	xc_shuffle(rng, out, n, sizeof *out);
}
