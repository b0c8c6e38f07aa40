/* reduce.c: a reduction, as described by whoever asked for it. */
#include "libcluster/reduce/reduce.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"

#define ELEMENTS_MAX (UINT64_C(1) << 28)

static const struct reduce_kind *kind_of(uint64_t kind)
{
	switch (kind) {
	case XC_REDUCE_OWN:
		return &reduce_own;
	case XC_REDUCE_SUM:
		return &reduce_sum;
	case XC_REDUCE_SUM_EXACT:
		return &reduce_exact;
	case XC_REDUCE_MOMENTS:
		return &reduce_moments;
	case XC_REDUCE_MIN:
	case XC_REDUCE_MAX:
		return &reduce_extreme;
	case XC_REDUCE_HISTOGRAM:
		return &reduce_histogram;
	case XC_REDUCE_QUANTILES:
		return &reduce_sketch;
	default:
		return NULL;
	}
}

static uint64_t state_size(const struct reduce_spec *spec)
{
	switch (spec->kind) {
	case XC_REDUCE_OWN:
		return spec->size;
	case XC_REDUCE_SUM:
		return spec->elements * dtype_size((unsigned)spec->dtype);
	case XC_REDUCE_HISTOGRAM:
		return 8 * (spec->bins + 3);
	case XC_REDUCE_QUANTILES:
		return sketch_state_size(spec->bins, spec->levels);
	default:
		return spec->elements * kind_of(spec->kind)->element_size;
	}
}

static bool is_valid(const struct reduce_spec *spec)
{
	if (!kind_of(spec->kind) || spec->size > REDUCE_STATE_MAX || spec->elements < 1 ||
	    spec->elements > ELEMENTS_MAX || spec->bins > REDUCE_STATE_MAX || spec->levels > 64 ||
	    spec->argument.size > XC_ARGUMENT_MAX || spec->dtype > XC_C128)
		return false;
	if (spec->kind == XC_REDUCE_QUANTILES && (spec->bins < 1 || spec->levels < 1))
		return false;
	return state_size(spec) >= 1 && state_size(spec) <= REDUCE_STATE_MAX;
}

int reduce_init(struct reduce *r, const struct reduce_spec *spec)
{
	memset(r, 0, sizeof *r);
	if (!is_valid(spec))
		return XC_EPROTO;
	r->kind = kind_of(spec->kind);
	r->spec = *spec;
	if (spec->argument.size)
		memcpy(r->argument, spec->argument.data, spec->argument.size);
	r->state_size = state_size(spec);
	r->leaf_size = spec->kind == XC_REDUCE_OWN
			       ? spec->size
			       : spec->elements * dtype_size((unsigned)spec->dtype);
	if (r->kind->lift && !(r->leaf = aligned_alloc(64, (r->leaf_size + 63) & ~(size_t)63)))
		return -ENOMEM;
	if (spec->kind == XC_REDUCE_QUANTILES && !(r->scratch = malloc(sketch_scratch_size(r)))) {
		reduce_fini(r);
		return -ENOMEM;
	}
	return 0;
}

void reduce_fini(struct reduce *r)
{
	free(r->leaf);
	free(r->scratch);
	memset(r, 0, sizeof *r);
}
