/* extremes.c: the least and the greatest value, and whose it is. */
#include <math.h>
#include <string.h>

#include "libcluster/reduce/reduce.h"

enum number { SIGNED, UNSIGNED, FLOATING };

static enum number number_of(const struct reduce *r)
{
	switch (r->spec.dtype) {
	case XC_I8:
	case XC_I16:
	case XC_I32:
	case XC_I64:
		return SIGNED;
	case XC_U8:
	case XC_U16:
	case XC_U32:
	case XC_U64:
		return UNSIGNED;
	default:
		return FLOATING;
	}
}

static void lift(const struct reduce *r, void *state, const void *leaf, int64_t item)
{
	struct xc_extreme *e = state;

	for (size_t i = 0; i < r->spec.elements; i++) {
		e[i].index = item;
		if (r->spec.dtype == XC_I64)
			e[i].value.i = ((const int64_t *)leaf)[i];
		else if (r->spec.dtype == XC_U64)
			e[i].value.u = ((const uint64_t *)leaf)[i];
		else if (number_of(r) == SIGNED)
			e[i].value.i = (int64_t)reduce_value(r, leaf, i);
		else if (number_of(r) == UNSIGNED)
			e[i].value.u = (uint64_t)reduce_value(r, leaf, i);
		else
			e[i].value.f = reduce_value(r, leaf, i);
	}
}

/* Does b, of later items, go before a? */
static bool goes_before(const struct reduce *r, const struct xc_extreme *a,
			const struct xc_extreme *b)
{
	bool is_max = r->spec.kind == XC_REDUCE_MAX;

	switch (number_of(r)) {
	case SIGNED:
		return is_max ? b->value.i > a->value.i : b->value.i < a->value.i;
	case UNSIGNED:
		return is_max ? b->value.u > a->value.u : b->value.u < a->value.u;
	default:
		if (isnan(a->value.f) || isnan(b->value.f))
			return !isnan(a->value.f);
		return is_max ? b->value.f > a->value.f : b->value.f < a->value.f;
	}
}

static void merge(const struct reduce *r, void *left, const void *right)
{
	struct xc_extreme *a = left;
	const struct xc_extreme *b = right;

	for (size_t i = 0; i < r->spec.elements; i++)
		if (goes_before(r, &a[i], &b[i]))
			a[i] = b[i];
}

static void finish(const struct reduce *r, const void *state, void *result)
{
	struct xc_extreme *e = result;

	if (state)
		memcpy(e, state, r->state_size);
	for (size_t i = 0; !state && i < r->spec.elements; i++)
		e[i].index = -1;
}

const struct reduce_kind reduce_extreme = {
	.element_size = sizeof(struct xc_extreme), .lift = lift, .merge = merge, .finish = finish
};
