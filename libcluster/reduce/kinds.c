/* kinds.c: kinds of reductions: a function of the program, sums, moments, histograms. */
#include <math.h>
#include <string.h>

#include "libcluster/reduce/reduce.h"

double reduce_value(const struct reduce *r, const void *leaf, size_t i)
{
	switch (r->spec.dtype) {
	case XC_I8:
		return ((const int8_t *)leaf)[i];
	case XC_U8:
		return ((const uint8_t *)leaf)[i];
	case XC_I16:
		return ((const int16_t *)leaf)[i];
	case XC_U16:
		return ((const uint16_t *)leaf)[i];
	case XC_I32:
		return ((const int32_t *)leaf)[i];
	case XC_U32:
		return ((const uint32_t *)leaf)[i];
	case XC_I64:
		return (double)((const int64_t *)leaf)[i];
	case XC_U64:
		return (double)((const uint64_t *)leaf)[i];
	case XC_F32:
		return ((const float *)leaf)[i];
	default:
		return ((const double *)leaf)[i];
	}
}

/* ---- A function of the program --------------------------------------------------------- */

static void own_merge(const struct reduce *r, void *left, const void *right)
{
	r->combine(left, right, r->spec.argument.size ? r->argument : NULL);
	if (r->combined)
		r->combined();
}

const struct reduce_kind reduce_own = { .merge = own_merge };

/* ---- Sums -------------------------------------------------------------------------------- */

/* Integers are added as unsigned ones, which wrap around. */
#define ADD(type)                                                                                  \
	do {                                                                                       \
		type *a_ = left;                                                                   \
		const type *b_ = right;                                                            \
                                                                                                   \
		for (size_t i = 0; i < n; i++)                                                     \
			a_[i] = (type)(a_[i] + b_[i]);                                             \
	} while (0)

static void sum_merge(const struct reduce *r, void *left, const void *right)
{
	size_t n = r->spec.elements;

	switch (r->spec.dtype) {
	case XC_C128:
		n *= 2; /* fall through */
	case XC_F64:
		ADD(double);
		break;
	case XC_C64:
		n *= 2; /* fall through */
	case XC_F32:
		ADD(float);
		break;
	case XC_I64:
	case XC_U64:
		ADD(uint64_t);
		break;
	case XC_I32:
	case XC_U32:
		ADD(uint32_t);
		break;
	case XC_I16:
	case XC_U16:
		ADD(uint16_t);
		break;
	default:
		ADD(uint8_t);
		break;
	}
}

const struct reduce_kind reduce_sum = { .merge = sum_merge };

/* ---- Moments ------------------------------------------------------------------------------- */

static void moments_lift(const struct reduce *r, void *state, const void *leaf, int64_t item)
{
	struct xc_moments *m = state;

	(void)item;
	for (size_t i = 0; i < r->spec.elements; i++)
		m[i] = (struct xc_moments){ .count = 1, .mean = reduce_value(r, leaf, i) };
}

/* Chan, Golub and LeVeque 1979. */
static void moments_merge(const struct reduce *r, void *left, const void *right)
{
	struct xc_moments *a = left;
	const struct xc_moments *b = right;

	for (size_t i = 0; i < r->spec.elements; i++) {
		double m = (double)a[i].count, n = (double)b[i].count;
		double delta = b[i].mean - a[i].mean;

		a[i].m2 = a[i].m2 + b[i].m2 + delta * delta * (m * n / (m + n));
		a[i].mean = a[i].mean + delta * (n / (m + n));
		a[i].count += b[i].count;
	}
}

static void moments_finish(const struct reduce *r, const void *state, void *result)
{
	struct xc_moments *m = result;

	if (state)
		memcpy(m, state, r->state_size);
	for (size_t i = 0; i < r->spec.elements; i++)
		m[i].variance = m[i].count > 1 ? m[i].m2 / (double)(m[i].count - 1) : (double)NAN;
}

static bool moments_valid(const struct reduce *r, const void *state, size_t size, int64_t items)
{
	const struct xc_moments *m = state;

	if (size != r->state_size)
		return false;
	for (size_t i = 0; i < r->spec.elements; i++)
		if (m[i].count != items)
			return false;
	return true;
}

const struct reduce_kind reduce_moments = { .element_size = sizeof(struct xc_moments),
					    .lift = moments_lift,
					    .merge = moments_merge,
					    .is_valid = moments_valid,
					    .finish = moments_finish };

/* ---- Histograms ------------------------------------------------------------------------------ */

static double edge(const struct reduce_spec *spec, int64_t i)
{
	return (uint64_t)i == spec->bins
		       ? spec->high
		       : (double)i * ((spec->high - spec->low) / (double)spec->bins) + spec->low;
}

/* As numpy.histogram: what rounding has put beside its edge is moved. */
static int64_t bin_of(const struct reduce_spec *spec, double value)
{
	int64_t bins = (int64_t)spec->bins;
	int64_t i = (int64_t)((value - spec->low) / (spec->high - spec->low) * (double)bins);

	if (i >= bins)
		i = bins - 1;
	if (i > 0 && value < edge(spec, i))
		i--;
	if (i < bins - 1 && value >= edge(spec, i + 1))
		i++;
	return i;
}

static void histogram_lift(const struct reduce *r, void *state, const void *leaf, int64_t item)
{
	const struct reduce_spec *spec = &r->spec;
	int64_t *counts = state;

	(void)item;
	memset(counts, 0, r->state_size);
	for (size_t i = 0; i < spec->elements; i++) {
		double value = reduce_value(r, leaf, i);

		if (isnan(value))
			counts[spec->bins + 2]++;
		else if (value < spec->low)
			counts[spec->bins]++;
		else if (value > spec->high)
			counts[spec->bins + 1]++;
		else
			counts[bin_of(spec, value)]++;
	}
}

static void histogram_merge(const struct reduce *r, void *left, const void *right)
{
	uint64_t *a = left;
	const uint64_t *b = right;

	for (uint64_t i = 0; i < r->spec.bins + 3; i++)
		a[i] += b[i];
}

const struct reduce_kind reduce_histogram = { .lift = histogram_lift, .merge = histogram_merge };
