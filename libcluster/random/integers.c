/* integers.c: integers in a range, without bias, by the method of D. Lemire, "Fast random
 * integer generation in an interval" (2019); coins and bytes. */
#include <endian.h>
#include <string.h>

#include "libcluster/random/distributions.h"

/* ---- One of 64 bits ---- */

static inline uint32_t lemire32(struct xc_rng *rng, uint32_t n)
{
	uint64_t product = (uint64_t)rng_next32(rng) * n;

	if ((uint32_t)product < n) {
		uint32_t threshold = -n % n;

		while ((uint32_t)product < threshold)
			product = (uint64_t)rng_next32(rng) * n;
	}
	return (uint32_t)(product >> 32);
}

static inline uint64_t lemire64(struct xc_rng *rng, uint64_t n)
{
	uint128 product = (uint128)rng_next64(rng) * n;

	if ((uint64_t)product < n) {
		uint64_t threshold = -n % n;

		while ((uint64_t)product < threshold)
			product = (uint128)rng_next64(rng) * n;
	}
	return (uint64_t)(product >> 64);
}

static inline uint32_t bounded32(struct xc_rng *rng, uint32_t max)
{
	if (max == 0)
		return 0;
	return max == UINT32_MAX ? rng_next32(rng) : lemire32(rng, max + 1);
}

/* N.B. half a word does for a range of up to 2^32. */
uint64_t rng_bounded(struct xc_rng *rng, uint64_t max)
{
	if (max <= UINT32_MAX)
		return bounded32(rng, (uint32_t)max);
	return max == UINT64_MAX ? rng_next64(rng) : lemire64(rng, max + 1);
}

/* ---- Pieces of half words, for types of 8 and 16 bits ---- */

/* They belong to one call: what is left of them is thrown away. */
struct pieces {
	struct xc_rng *rng;
	unsigned int width;
	unsigned int left;
	uint32_t word;
};

static inline uint32_t piece_next(struct pieces *pieces)
{
	if (!pieces->left) {
		pieces->word = rng_next32(pieces->rng);
		pieces->left = 32 / pieces->width;
	} else {
		pieces->word >>= pieces->width;
	}
	pieces->left--;
	return pieces->word & ((1u << pieces->width) - 1);
}

/* All in 32 bits: products of two pieces have at most that. */
static uint32_t piece_bounded(struct pieces *pieces, uint32_t max)
{
	uint32_t all = (1u << pieces->width) - 1, n = max + 1, product, threshold;

	if (max == 0)
		return 0;
	if (max == all)
		return piece_next(pieces);
	product = piece_next(pieces) * n;
	if ((product & all) < n) {
		threshold = (all + 1 - n) % n;
		while ((product & all) < threshold)
			product = piece_next(pieces) * n;
	}
	return product >> pieces->width;
}

/* ---- Many ---- */

static void fill64(struct xc_rng *rng, uint64_t low, uint64_t max, uint64_t *out, size_t n)
{
	if (max && max < UINT32_MAX) {
		for (size_t i = 0; i < n; i++)
			out[i] = low + lemire32(rng, (uint32_t)max + 1);
		return;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = low + rng_bounded(rng, max);
}

static void fill32(struct xc_rng *rng, uint32_t low, uint32_t max, uint32_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = low + bounded32(rng, max);
}

static void fill16(struct xc_rng *rng, uint32_t low, uint32_t max, uint16_t *out, size_t n)
{
	struct pieces pieces = { .rng = rng, .width = 16 };

	for (size_t i = 0; i < n; i++)
		out[i] = (uint16_t)(low + piece_bounded(&pieces, max));
}

static void fill8(struct xc_rng *rng, uint32_t low, uint32_t max, uint8_t *out, size_t n)
{
	struct pieces pieces = { .rng = rng, .width = 8 };

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(low + piece_bounded(&pieces, max));
}

/* Types of which all values, or all up to INT64_MAX, are in these bounds. */
static const struct integer_type {
	enum xc_dtype dtype;
	unsigned int size;
	int64_t low, high;
} types[] = {
	{ XC_I8, 1, INT8_MIN, INT8_MAX },    { XC_U8, 1, 0, UINT8_MAX },
	{ XC_I16, 2, INT16_MIN, INT16_MAX }, { XC_U16, 2, 0, UINT16_MAX },
	{ XC_I32, 4, INT32_MIN, INT32_MAX }, { XC_U32, 4, 0, UINT32_MAX },
	{ XC_I64, 8, INT64_MIN, INT64_MAX }, { XC_U64, 8, 0, INT64_MAX },
};

static const struct integer_type *find_type(enum xc_dtype dtype)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].dtype == dtype)
			return &types[i];
	return NULL;
}

/* Whether the range has values, and all of them are of the type. N.B. without `endpoint`
 * the end may be one above the type's greatest. */
static int check_range(const struct integer_type *type, int64_t low, int64_t high, bool endpoint,
		       struct xc_error *err)
{
	if (low > high || (low == high && !endpoint))
		return error_set(
			err, -EINVAL,
			"there are no integers from %lld to %lld%s: `low` must be %s `high`",
			(long long)low, (long long)high, endpoint ? "" : " without its end",
			endpoint ? "at most" : "below");
	if (low < type->low || (endpoint ? high : high - 1) > type->high)
		return error_set(
			err, -EINVAL,
			"integers from %lld to %lld%s do not fit the type, of %lld to %lld",
			(long long)low, (long long)high, endpoint ? "" : " without its end",
			(long long)type->low, (long long)type->high);
	return 0;
}

XC_API int xc_integers_fill(struct xc_rng *rng, enum xc_dtype dtype, int64_t low, int64_t high,
			    bool endpoint, void *out, size_t n, struct xc_error *err)
{
	const struct integer_type *type = find_type(dtype);
	int r = places_check("integers", rng, out, n, err);
	uint64_t max;

	if (r)
		return r;
	if (!type)
		return error_set(err, -EINVAL, "dtype %d is none of integers: say XC_I8 to XC_U64",
				 (int)dtype);
	r = check_range(type, low, high, endpoint, err);
	if (r)
		return r;
	max = (uint64_t)high - (uint64_t)low - !endpoint;
	if (type->size == 8)
		fill64(rng, (uint64_t)low, max, out, n);
	else if (type->size == 4)
		fill32(rng, (uint32_t)low, (uint32_t)max, out, n);
	else if (type->size == 2)
		fill16(rng, (uint32_t)low, (uint32_t)max, out, n);
	else
		fill8(rng, (uint32_t)low, (uint32_t)max, out, n);
	return 0;
}

XC_API int xc_integer(struct xc_rng *rng, int64_t low, int64_t high, bool endpoint, int64_t *out,
		      struct xc_error *err)
{
	return xc_integers_fill(rng, XC_I64, low, high, endpoint, out, 1, err);
}

XC_API int xc_integers_u64_fill(struct xc_rng *rng, uint64_t low, uint64_t high, bool endpoint,
				uint64_t *out, size_t n, struct xc_error *err)
{
	int r = places_check("integers", rng, out, n, err);

	if (r)
		return r;
	if (low > high || (low == high && !endpoint))
		return error_set(
			err, -EINVAL,
			"there are no integers from %llu to %llu%s: `low` must be %s `high`",
			(unsigned long long)low, (unsigned long long)high,
			endpoint ? "" : " without its end", endpoint ? "at most" : "below");
	fill64(rng, low, high - low - !endpoint, out, n);
	return 0;
}

XC_API void xc_bools_fill(struct xc_rng *rng, bool *out, size_t n)
{
	struct pieces pieces = { .rng = rng, .width = 1 };

	if (!rng || !out)
		return;
	for (size_t i = 0; i < n; i++)
		out[i] = piece_next(&pieces);
}

XC_API void xc_random_bytes(struct xc_rng *rng, void *out, size_t n)
{
	uint8_t *place = out;

	if (!rng || (n && !out))
		return;
	/* Also for none: numpy draws a word then. */
	do {
		uint32_t word = htole32(rng_next32(rng));
		size_t size = n < sizeof word ? n : sizeof word;

		if (!size)
			return;
		memcpy(place, &word, size);
		place += size;
		n -= size;
	} while (n);
}
