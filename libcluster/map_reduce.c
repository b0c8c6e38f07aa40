/* map_reduce.c: maps whose results become one: from the call to a job, and from nodes to the
 * result. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"
#include "libcluster/reduce/reduce.h"
#include "proto/error.h"

#define DEFAULT_ERROR 0.001
#define LEAST_ERROR   1e-6

struct xci_tree {
	struct tree tree;
	void *result; /* the caller's */
	size_t size;
	xc_combine_fn *combine;
	double *probabilities; /* owned copy */
	int64_t count;
	unsigned char argument[XC_ARGUMENT_MAX]; /* the spec's is this */
	unsigned char packed[REDUCE_SPEC_MAX];	 /* the spec, for the task */
};

/* ---- What may be asked for --------------------------------------------------------------- */

static int64_t elements_of(const struct xc_reduction *how)
{
	return how->elements ? how->elements : 1;
}

static bool is_complex(const struct xc_reduction *how)
{
	return how->dtype == XC_C64 || how->dtype == XC_C128;
}

static int check_own(const struct xc_reduction *how, const char *call, struct xc_error *err)
{
	if (!how->combine)
		return error_set(err, -EINVAL, "%s: reduction.combine is NULL, of XC_REDUCE_OWN",
				 call);
	if (how->size < 1 || how->size > REDUCE_STATE_MAX)
		return error_set(err, -EINVAL,
				 "%s: reduction.size must be from 1 to 2^28 bytes, not %zu: give "
				 "sizeof(one result)",
				 call, how->size);
	if (how->argument_size > XC_ARGUMENT_MAX)
		return error_set(
			err, -EINVAL,
			"%s: reduction.argument_size %zu is over %d: push what is larger, or "
			"put it into the results",
			call, how->argument_size, XC_ARGUMENT_MAX);
	if (how->argument_size && !how->argument)
		return error_set(err, -EINVAL,
				 "%s: reduction.argument is NULL, but argument_size is %zu", call,
				 how->argument_size);
	return 0;
}

static int check_elements(const struct xc_reduction *how, const char *call, struct xc_error *err)
{
	size_t element = (unsigned)how->dtype <= XC_C128 ? dtype_size(how->dtype) : 0;

	if (!element)
		return error_set(err, -EINVAL, "%s: reduction.dtype %d is none of enum xc_dtype",
				 call, (int)how->dtype);
	if (how->elements < 0 || (uint64_t)elements_of(how) > REDUCE_STATE_MAX / element)
		return error_set(
			err, -EINVAL,
			"%s: reduction.elements must be from 0 (one) to 2^28 bytes of them, "
			"not %lld",
			call, (long long)how->elements);
	if (how->kind == XC_REDUCE_SUM_EXACT && how->dtype != XC_F64 && how->dtype != XC_F32)
		return error_set(
			err, -EINVAL,
			"%s: reduction.dtype must be XC_F64 or XC_F32 for "
			"XC_REDUCE_SUM_EXACT; sums of integers are exact with XC_REDUCE_SUM",
			call);
	if (how->kind != XC_REDUCE_SUM && is_complex(how))
		return error_set(err, -EINVAL,
				 "%s: reduction.dtype is complex: only XC_REDUCE_SUM takes that",
				 call);
	return 0;
}

static int check_histogram(const struct xc_reduction *how, const char *call, struct xc_error *err)
{
	if (how->bins < 1 || (uint64_t)how->bins > REDUCE_STATE_MAX / 8 - 3)
		return error_set(err, -EINVAL,
				 "%s: reduction.bins must be from 1 to 2^25 - 3, not %lld", call,
				 (long long)how->bins);
	if (!isfinite(how->low) || !isfinite(how->high) || !(how->low < how->high) ||
	    !isfinite(how->high - how->low))
		return error_set(
			err, -EINVAL,
			"%s: reduction.low (%g) and high (%g) must be finite, low below high", call,
			how->low, how->high);
	return 0;
}

static int check_quantiles(const struct xc_reduction *how, const char *call, struct xc_error *err)
{
	if (how->count < 1 || how->count > 1 << 20 || !how->probabilities)
		return error_set(
			err, -EINVAL,
			"%s: reduction.probabilities is NULL, or count (%lld) not from 1 to "
			"2^20",
			call, (long long)how->count);
	for (int64_t i = 0; i < how->count; i++)
		if (!(how->probabilities[i] >= 0 && how->probabilities[i] <= 1))
			return error_set(err, -EINVAL,
					 "%s: reduction.probabilities[%lld] is %g, not from 0 to 1",
					 call, (long long)i, how->probabilities[i]);
	if (how->rank_error != 0 && !(how->rank_error >= LEAST_ERROR && how->rank_error < 1))
		return error_set(
			err, -EINVAL,
			"%s: reduction.rank_error must be from %g to 1, or 0 for %g, not %g", call,
			LEAST_ERROR, DEFAULT_ERROR, how->rank_error);
	return 0;
}

static int check(const struct xc_reduction *how, const char *call, struct xc_error *err)
{
	int r;

	if (!how)
		return error_set(err, -EINVAL, "%s: how is NULL", call);
	if (how->kind < XC_REDUCE_OWN || how->kind > XC_REDUCE_QUANTILES)
		return error_set(err, -EINVAL, "%s: reduction.kind %d is none of enum xc_reduce",
				 call, (int)how->kind);
	if (how->kind == XC_REDUCE_OWN)
		return check_own(how, call, err);
	r = check_elements(how, call, err);
	if (r == 0 && how->kind == XC_REDUCE_HISTOGRAM)
		r = check_histogram(how, call, err);
	if (r == 0 && how->kind == XC_REDUCE_QUANTILES)
		r = check_quantiles(how, call, err);
	return r;
}

static int64_t size_of(const struct xc_reduction *how)
{
	switch (how->kind) {
	case XC_REDUCE_OWN:
		return (int64_t)how->size;
	case XC_REDUCE_SUM:
		return elements_of(how) * (int64_t)dtype_size(how->dtype);
	case XC_REDUCE_SUM_EXACT:
		return elements_of(how) * (int64_t)sizeof(double);
	case XC_REDUCE_MOMENTS:
		return elements_of(how) * (int64_t)sizeof(struct xc_moments);
	case XC_REDUCE_HISTOGRAM:
		return (how->bins + 3) * (int64_t)sizeof(int64_t);
	case XC_REDUCE_QUANTILES:
		return how->count * (int64_t)sizeof(double);
	default:
		return elements_of(how) * (int64_t)sizeof(struct xc_extreme);
	}
}

int64_t xc_reduction_size(const struct xc_reduction *how, struct xc_error *err)
{
	int r = check(how, "xc_reduction_size", err);

	return r < 0 ? r : size_of(how);
}

/* ---- The reduction of a call -------------------------------------------------------------- */

static int plan(struct reduce_spec *spec, const struct xc_reduction *how, int64_t n,
		const char *call, struct xc_error *err)
{
	double error = how->rank_error != 0 ? how->rank_error : DEFAULT_ERROR;

	*spec = (struct reduce_spec){ .kind = how->kind,
				      .dtype = how->dtype,
				      .elements = (uint64_t)elements_of(how),
				      .size = how->size };
	if (how->kind == XC_REDUCE_OWN)
		*spec = (struct reduce_spec){ .kind = how->kind, .elements = 1, .size = how->size };
	else
		spec->size = 0;
	if (how->kind == XC_REDUCE_HISTOGRAM) {
		spec->bins = (uint64_t)how->bins;
		spec->low = how->low;
		spec->high = how->high;
	}
	if (how->kind != XC_REDUCE_QUANTILES)
		return 0;
	if (!sketch_plan((double)n * (double)elements_of(how), error, &spec->bins, &spec->levels))
		return error_set(err, -EINVAL,
				 "%s: reduction.rank_error %g of %lld items takes over 2^28 bytes: "
				 "give a larger one",
				 call, error, (long long)n);
	return 0;
}

static int build(struct xci_tree *tree, const struct xc_reduction *how, int64_t n, const char *call,
		 struct xc_error *err)
{
	struct reduce_spec spec;
	int r = plan(&spec, how, n, call, err);

	if (r < 0)
		return r;
	if (how->kind == XC_REDUCE_OWN) {
		tree->combine = how->combine;
		if (how->argument_size)
			memcpy(tree->argument, how->argument, how->argument_size);
		spec.argument = (struct span){ tree->argument, how->argument_size };
	}
	if (how->kind == XC_REDUCE_QUANTILES) {
		tree->count = how->count;
		tree->probabilities = malloc((size_t)how->count * sizeof(double));
		if (!tree->probabilities)
			return error_set(err, -ENOMEM, "%s: out of memory", call);
		memcpy(tree->probabilities, how->probabilities,
		       (size_t)how->count * sizeof(double));
	}
	r = tree_init(&tree->tree, &spec, n);
	if (r == XC_EPROTO)
		return error_set(
			err, -EINVAL,
			"%s: what is kept of each part of the items takes over 2^28 bytes: "
			"reduction.elements is too large",
			call);
	tree->tree.reduce.combine = tree->combine;
	return r < 0 ? error_set(err, r, "%s: out of memory", call) : 0;
}

void xci_tree_free(struct xci_tree *tree)
{
	if (!tree)
		return;
	tree_fini(&tree->tree);
	free(tree->probabilities);
	free(tree);
}

int xci_reduction_check(const struct xc_reduction *how, const void *result, size_t size,
			const char *call, struct xc_error *err)
{
	int r = check(how, call, err);

	if (r < 0)
		return r;
	if (!result)
		return error_set(err, -EINVAL, "%s: result is NULL", call);
	if ((int64_t)size != size_of(how))
		return error_set(err, -EINVAL,
				 "%s: result_size is %zu, but this reduction gives %lld bytes "
				 "(xc_reduction_size)",
				 call, size, (long long)size_of(how));
	return 0;
}

static struct xci_tree *tree_new(const struct xc_reduction *how, void *result, size_t size,
				 int64_t items, const char *call, struct xc_error *err)
{
	struct xci_tree *tree = calloc(1, sizeof *tree);

	if (!tree) {
		error_set(err, -ENOMEM, "%s: out of memory", call);
		return NULL;
	}
	tree->result = result;
	tree->size = size;
	if (build(tree, how, items, call, err) < 0) {
		xci_tree_free(tree);
		return NULL;
	}
	return tree;
}

/* Fills in the call; NULL: it is wrong. */
static struct xci_tree *prepare(struct xci_call *c, const struct xc_reduction *how, void *result,
				size_t size, struct xc_error *err)
{
	if (xci_reduction_check(how, result, size, c->name, err) < 0)
		return NULL;
	c->tree = tree_new(how, result, size, c->n < 0 ? 0 : c->n, c->name, err);
	if (c->tree)
		c->out_size = c->tree->tree.reduce.leaf_size;
	return c->tree;
}

/* What two jobs have not in common; NULL: their nodes can be combined. Where the function is
 * may differ. */
static const char *difference(const struct reduce_spec *a, const struct reduce_spec *b)
{
	if (a->kind != b->kind)
		return "kind";
	if (a->dtype != b->dtype)
		return "dtype";
	if (a->elements != b->elements)
		return "elements";
	if (a->size != b->size)
		return "size";
	if (a->bins != b->bins || a->levels != b->levels)
		return a->kind == XC_REDUCE_QUANTILES ? "rank_error" : "bins";
	if (a->low != b->low || a->high != b->high)
		return a->low != b->low ? "low" : "high";
	if (a->argument.size != b->argument.size ||
	    (a->argument.size && memcmp(a->argument.data, b->argument.data, a->argument.size)))
		return "argument";
	return NULL;
}

struct xci_tree *xci_tree_again(const struct xc_reduction *how, void *result, size_t size,
				int64_t items, struct span packed, struct xc_error *err)
{
	struct reduce_spec spec;
	struct xci_tree *tree;
	const char *other;

	if (reduce_spec_parse(&spec, packed) < 0) {
		error_set(err, XC_EPROTO, "how its results are combined cannot be read");
		return NULL;
	}
	tree = tree_new(how, result, size, items, "the reduction", err);
	other = tree ? difference(&tree->tree.reduce.spec, &spec) : NULL;
	if (!other)
		return tree;
	error_set(err, -EINVAL, "it was submitted with another reduction.%s", other);
	xci_tree_free(tree);
	return NULL;
}

int xci_ship_reduction(const struct xci_call *c, struct task_frame *task, struct xc_error *err)
{
	static const struct xc_map_options none = XC_MAP_OPTIONS_INIT;
	struct reduce_spec spec = c->tree->tree.reduce.spec;
	unsigned char *packed = c->tree->packed;
	struct task_frame of_combine = { 0 };
	xc_task_fn *fn;
	int r = 0;

	if (spec.kind == XC_REDUCE_OWN) {
		*(void **)&fn = *(void **)&c->tree->combine; /* only its place counts */
		r = xci_ship(c->view->client, fn, &none, &of_combine, err);
		spec.object = of_combine.object;
		spec.program = of_combine.program;
		spec.number = of_combine.number;
	}
	if (r < 0)
		return r;
	task->reduce = (struct span){ packed, reduce_spec_pack(packed, REDUCE_SPEC_MAX, &spec) };
	return 0;
}

static struct xc_result *finish(struct xc_result *result, struct xci_tree *tree)
{
	if (!result)
		xci_tree_free(tree);
	return result;
}

/* ---- From nodes to the result -------------------------------------------------------------- */

int xci_tree_take(struct xci_tree *tree, struct span payload, int64_t first, int64_t count,
		  int64_t good)
{
	return tree_take(&tree->tree, payload, first, count, good);
}

void xci_tree_drop(struct xci_tree *tree)
{
	tree_drop(&tree->tree);
}

bool xci_tree_end(struct xci_tree *tree, bool is_well)
{
	const struct reduce *r = &tree->tree.reduce;
	const void *state = tree_root(&tree->tree);

	if (!is_well)
		return true;
	if (!state && tree->tree.items > 0)
		return false;
	memset(tree->result, 0, tree->size);
	if (tree->probabilities)
		sketch_quantiles(r, state, tree->probabilities, tree->count, tree->result);
	else if (r->kind->finish)
		r->kind->finish(r, state, tree->result);
	else if (state)
		memcpy(tree->result, state, tree->size);
	return true;
}

/* ---- The calls --------------------------------------------------------------------------------
 */

struct xc_result *xc_map_reduce_async(const struct xc_view *view, xc_task_fn *fn, int64_t n,
				      const struct xc_reduction *how, void *result,
				      size_t result_size, const struct xc_map_options *options,
				      struct xc_error *err)
{
	struct xci_call c = { "xc_map_reduce", view, fn, n, NULL, 0, options, NULL };
	struct xci_tree *tree = prepare(&c, how, result, result_size, err);

	return tree ? finish(xci_map_range(&c, err), tree) : NULL;
}

struct xc_result *xc_map_reduce_array_async(const struct xc_view *view, xc_task_fn *fn,
					    const void *in, size_t in_size, int64_t n,
					    const struct xc_reduction *how, void *result,
					    size_t result_size,
					    const struct xc_map_options *options,
					    struct xc_error *err)
{
	struct xci_call c = { "xc_map_reduce_array", view, fn, n, NULL, 0, options, NULL };
	struct xci_tree *tree = prepare(&c, how, result, result_size, err);

	return tree ? finish(xci_map_strided(&c, in, in_size, err), tree) : NULL;
}

struct xc_result *xc_map_reduce_packed_async(const struct xc_view *view, xc_task_fn *fn,
					     const struct xc_bytes *items, int64_t n,
					     const struct xc_reduction *how, void *result,
					     size_t result_size,
					     const struct xc_map_options *options,
					     struct xc_error *err)
{
	struct xci_call c = { "xc_map_reduce_packed", view, fn, n, NULL, 0, options, NULL };
	struct xci_tree *tree = prepare(&c, how, result, result_size, err);

	return tree ? finish(xci_map_packed(&c, items, err), tree) : NULL;
}

int xc_map_reduce(const struct xc_view *view, xc_task_fn *fn, int64_t n,
		  const struct xc_reduction *how, void *result, size_t result_size,
		  const struct xc_map_options *options, struct xc_error *err)
{
	BLOCKING(err, xc_map_reduce_async(view, fn, n, how, result, result_size, options, e));
}

int xc_map_reduce_array(const struct xc_view *view, xc_task_fn *fn, const void *in, size_t in_size,
			int64_t n, const struct xc_reduction *how, void *result, size_t result_size,
			const struct xc_map_options *options, struct xc_error *err)
{
	BLOCKING(err, xc_map_reduce_array_async(view, fn, in, in_size, n, how, result, result_size,
						options, e));
}

int xc_map_reduce_packed(const struct xc_view *view, xc_task_fn *fn, const struct xc_bytes *items,
			 int64_t n, const struct xc_reduction *how, void *result,
			 size_t result_size, const struct xc_map_options *options,
			 struct xc_error *err)
{
	BLOCKING(err, xc_map_reduce_packed_async(view, fn, items, n, how, result, result_size,
						 options, e));
}
