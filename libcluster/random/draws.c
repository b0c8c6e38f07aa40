/* draws.c: words and real numbers drawn, one by one and many at once. */
#include "libcluster/random/distributions.h"
#include "libcluster/random/ziggurat.h"

/* ---- Words ---- */

XC_API uint64_t xc_rng_next64(struct xc_rng *rng)
{
	return rng ? rng_next64(rng) : 0;
}

XC_API uint32_t xc_rng_next32(struct xc_rng *rng)
{
	return rng ? rng_next32(rng) : 0;
}

/* Loops are called with a constant `dxsm`, so that there is one for each generator, whose
 * state is in registers meanwhile. */
INLINE void fill_words(struct xc_rng *rng, bool dxsm, uint64_t *out, size_t n)
{
	struct pcg64 pcg = rng->pcg;

	for (size_t i = 0; i < n; i++)
		out[i] = pcg_next(&pcg, dxsm);
	rng->pcg = pcg;
}

XC_API void xc_rng_fill(struct xc_rng *rng, uint64_t *out, size_t n)
{
	if (!rng || !out)
		return;
	if (rng->bitgen == XC_PCG64) {
		fill_words(rng, false, out, n);
	} else if (rng->bitgen == XC_PCG64DXSM) {
		fill_words(rng, true, out, n);
	} else {
		for (size_t i = 0; i < n; i++)
			out[i] = philox_next(&rng->philox);
	}
}

/* ---- Many reals at once ---- */

/* What a word gives; false: what the other one makes of it, with more draws. */
typedef bool settle_fn(uint64_t word, double *x);
typedef double rest_fn(struct xc_rng *rng, uint64_t word);

INLINE void fill_pcg(struct xc_rng *rng, bool dxsm, settle_fn *settle, rest_fn *rest, double *out,
		     size_t n)
{
	struct pcg64 pcg = rng->pcg;

	for (size_t i = 0; i < n; i++) {
		uint64_t word = pcg_next(&pcg, dxsm);

		if (__builtin_expect(settle(word, &out[i]), true))
			continue;
		rng->pcg = pcg;
		out[i] = rest(rng, word);
		pcg = rng->pcg;
	}
	rng->pcg = pcg;
}

INLINE void fill_philox(struct xc_rng *rng, settle_fn *settle, rest_fn *rest, double *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t word = philox_next(&rng->philox);

		if (!settle(word, &out[i]))
			out[i] = rest(rng, word);
	}
}

INLINE void fill(struct xc_rng *rng, settle_fn *settle, rest_fn *rest, double *out, size_t n)
{
	if (!rng || !out)
		return;
	if (rng->bitgen == XC_PCG64)
		fill_pcg(rng, false, settle, rest, out, n);
	else if (rng->bitgen == XC_PCG64DXSM)
		fill_pcg(rng, true, settle, rest, out, n);
	else
		fill_philox(rng, settle, rest, out, n);
}

/* Of a standard draw; in place while it is in the processor's caches. */
#define BLOCK 512

typedef void fill_fn(struct xc_rng *rng, double *out, size_t n);

INLINE void fill_scaled(struct xc_rng *rng, fill_fn *standard, double offset, double factor,
			double *out, size_t n)
{
	while (n) {
		size_t count = n < BLOCK ? n : BLOCK;

		standard(rng, out, count);
		for (size_t i = 0; i < count; i++)
			out[i] = offset + factor * out[i];
		out += count;
		n -= count;
	}
}

/* ---- Uniform ---- */

static inline bool settle_uniform(uint64_t word, double *x)
{
	*x = (double)(word >> 11) * 0x1p-53;
	return true;
}

XC_API double xc_random(struct xc_rng *rng)
{
	return rng ? rng_double(rng) : NAN;
}

XC_API void xc_random_fill(struct xc_rng *rng, double *out, size_t n)
{
	fill(rng, settle_uniform, NULL, out, n);
}

XC_API float xc_random_f32(struct xc_rng *rng)
{
	return rng ? rng_float(rng) : NAN;
}

XC_API void xc_random_f32_fill(struct xc_rng *rng, float *out, size_t n)
{
	if (!rng || !out)
		return;
	for (size_t i = 0; i < n; i++)
		out[i] = rng_float(rng);
}

static bool is_range(double low, double high)
{
	return high >= low && isfinite(high - low);
}

XC_API double xc_uniform(struct xc_rng *rng, double low, double high)
{
	if (!rng || !is_range(low, high))
		return NAN;
	return low + (high - low) * rng_double(rng);
}

XC_API int xc_uniform_fill(struct xc_rng *rng, double low, double high, double *out, size_t n,
			   struct xc_error *err)
{
	int r = places_check("uniform", rng, out, n, err);

	if (r)
		return r;
	if (!is_range(low, high))
		return error_set(
			err, -EINVAL,
			"no uniform draws from %g to %g: `high` must not be below `low`, and "
			"their distance must be finite",
			low, high);
	fill_scaled(rng, xc_random_fill, low, high - low, out, n);
	return 0;
}

/* ---- Normal ---- */

XC_API double xc_standard_normal(struct xc_rng *rng)
{
	return rng ? rng_standard_normal(rng) : NAN;
}

XC_API void xc_standard_normal_fill(struct xc_rng *rng, double *out, size_t n)
{
	fill(rng, ziggurat_normal, ziggurat_normal_rest, out, n);
}

XC_API double xc_normal(struct xc_rng *rng, double mean, double deviation)
{
	if (!rng || !(deviation >= 0))
		return NAN;
	return mean + deviation * rng_standard_normal(rng);
}

XC_API int xc_normal_fill(struct xc_rng *rng, double mean, double deviation, double *out, size_t n,
			  struct xc_error *err)
{
	int r = places_check("normal", rng, out, n, err);

	if (r)
		return r;
	if (!(deviation >= 0))
		return error_set(err, -EINVAL,
				 "no normal draws with a standard deviation of %g: it must not be "
				 "below 0",
				 deviation);
	fill_scaled(rng, xc_standard_normal_fill, mean, deviation, out, n);
	return 0;
}

/* ---- Exponential ---- */

XC_API double xc_standard_exponential(struct xc_rng *rng)
{
	return rng ? rng_standard_exponential(rng) : NAN;
}

XC_API void xc_standard_exponential_fill(struct xc_rng *rng, double *out, size_t n)
{
	fill(rng, ziggurat_exponential, ziggurat_exponential_rest, out, n);
}

XC_API double xc_exponential(struct xc_rng *rng, double scale)
{
	if (!rng || !(scale >= 0))
		return NAN;
	return scale * rng_standard_exponential(rng);
}

XC_API int xc_exponential_fill(struct xc_rng *rng, double scale, double *out, size_t n,
			       struct xc_error *err)
{
	int r = places_check("exponential", rng, out, n, err);

	if (r)
		return r;
	if (!(scale >= 0))
		return error_set(err, -EINVAL,
				 "no exponential draws with a mean of %g: it must not be below 0",
				 scale);
	/* The sum with 0 changes no bits: a draw is not negative. */
	fill_scaled(rng, xc_standard_exponential_fill, 0, scale, out, n);
	return 0;
}
