/* arguments_reduce.c: wrong arguments of maps whose results become one. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/fault/arguments.h"
#include "tests/fault/rows.h"
#include "tests/support/support.h"

static struct xc_error *const err = &row_error;

static void add(void *left, const void *right, const void *argument)
{
	(void)argument;
	*(double *)left += *(const double *)right;
}

static const struct xc_reduction sum = { .kind = XC_REDUCE_SUM, .dtype = XC_F64 };
static const double halves[] = { 0.5, 1.5, NAN };

/* `how` of every call. */
static void try_hows(const struct xc_view *v)
{
	char argument[XC_ARGUMENT_MAX + 1] = "";
	const struct {
		struct xc_reduction how;
		const char *part;
	} wrong[] = {
		{ { .dtype = XC_F64 }, "kind" },
		{ { .kind = (enum xc_reduce)99, .dtype = XC_F64 }, "kind" },
		{ { .kind = XC_REDUCE_SUM, .dtype = (enum xc_dtype)99 }, "dtype" },
		{ { .kind = XC_REDUCE_SUM, .dtype = XC_F64, .elements = -1 }, "elements" },
		{ { .kind = XC_REDUCE_SUM, .dtype = XC_F64, .elements = INT64_MAX }, "elements" },
		{ { .kind = XC_REDUCE_SUM_EXACT, .dtype = XC_I64 }, "dtype" },
		{ { .kind = XC_REDUCE_MOMENTS, .dtype = XC_C128 }, "complex" },
		{ { .kind = XC_REDUCE_MIN, .dtype = XC_C64 }, "complex" },
		{ { .kind = XC_REDUCE_OWN, .size = 8 }, "combine" },
		{ { .kind = XC_REDUCE_OWN, .combine = add }, "size" },
		{ { .kind = XC_REDUCE_OWN, .combine = add, .size = SIZE_MAX }, "size" },
		{ { .kind = XC_REDUCE_OWN,
		    .combine = add,
		    .size = 8,
		    .argument = argument,
		    .argument_size = sizeof argument },
		  "argument_size" },
		{ { .kind = XC_REDUCE_OWN, .combine = add, .size = 8, .argument_size = 1 },
		  "argument is NULL" },
		{ { .kind = XC_REDUCE_HISTOGRAM, .dtype = XC_F64, .high = 1 }, "bins" },
		{ { .kind = XC_REDUCE_HISTOGRAM, .dtype = XC_F64, .high = 1, .bins = INT64_MAX },
		  "bins" },
		{ { .kind = XC_REDUCE_HISTOGRAM, .dtype = XC_F64, .bins = 3 }, "low" },
		{ { .kind = XC_REDUCE_HISTOGRAM, .dtype = XC_F64, .bins = 3, .high = NAN },
		  "high" },
		{ { .kind = XC_REDUCE_HISTOGRAM,
		    .dtype = XC_F64,
		    .bins = 3,
		    .low = -1e308,
		    .high = 1e308 },
		  "finite" },
		{ { .kind = XC_REDUCE_QUANTILES, .dtype = XC_F64, .count = 1 }, "probabilities" },
		{ { .kind = XC_REDUCE_QUANTILES, .dtype = XC_F64, .probabilities = halves },
		  "count" },
		{ { .kind = XC_REDUCE_QUANTILES,
		    .dtype = XC_F64,
		    .probabilities = halves,
		    .count = 2 },
		  "probabilities[1]" },
		{ { .kind = XC_REDUCE_QUANTILES,
		    .dtype = XC_F64,
		    .probabilities = halves + 2,
		    .count = 1 },
		  "probabilities[0]" },
		{ { .kind = XC_REDUCE_QUANTILES,
		    .dtype = XC_F64,
		    .probabilities = halves,
		    .count = 1,
		    .rank_error = 1e-7 },
		  "rank_error" },
		{ { .kind = XC_REDUCE_QUANTILES,
		    .dtype = XC_F64,
		    .probabilities = halves,
		    .count = 1,
		    .rank_error = NAN },
		  "rank_error" },
	};
	double out[8];

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const struct xc_reduction *how = &wrong[i].how;

		ROW(xc_reduction_size(how, err), -EINVAL, wrong[i].part);
		ROW(xc_map_reduce(v, idle_task, 1, how, out, 8, NULL, err), -EINVAL, wrong[i].part);
		ROW(xc_map_reduce_array(v, idle_task, out, 8, 1, how, out, 8, NULL, err), -EINVAL,
		    wrong[i].part);
	}
}

static void try_limits(const struct xc_view *v)
{
	struct xc_reduction exact = { .kind = XC_REDUCE_SUM_EXACT,
				      .dtype = XC_F64,
				      .elements = 1 << 20 };
	struct xc_reduction fine = { .kind = XC_REDUCE_QUANTILES,
				     .dtype = XC_F64,
				     .probabilities = halves,
				     .count = 1,
				     .rank_error = 1e-6 };
	static double out[1 << 20];

	ROW(xc_map_reduce(v, idle_task, 1, &exact, out, sizeof out, NULL, err), -EINVAL,
	    "elements");
	ROW(xc_map_reduce(v, idle_task, INT64_C(1) << 50, &fine, out, 8, NULL, err), -EINVAL,
	    "rank_error");
}

/* A job by its id: no id, no job, no reduction of it. */
static void try_ids(struct xc_client *client)
{
	const char *id = "0123456789abcdef-12";
	double out[2];

	ROW_NULL(xc_attach_reduce(NULL, id, &sum, out, 8, err), -EINVAL, "client");
	ROW_NULL(xc_attach_reduce(client, "x", &sum, out, 8, err), -EINVAL, "xcluster jobs");
	ROW_NULL(xc_attach_reduce(client, NULL, &sum, out, 8, err), -EINVAL, "no id");
	ROW_NULL(xc_attach_reduce(client, id, NULL, out, 8, err), -EINVAL, "how");
	ROW_NULL(xc_attach_reduce(client, id, &sum, NULL, 8, err), -EINVAL, "result is NULL");
	ROW_NULL(xc_attach_reduce(client, id, &sum, out, 16, err), -EINVAL, "gives 8 bytes");
	ROW_NULL(xc_attach_reduce(client, id, &sum, out, 8, err), -ENOENT, id);
	ROW_NULL(xc_resubmit_reduce(NULL, id, &sum, out, 8, err), -EINVAL, "client");
	ROW_NULL(xc_resubmit_reduce(client, "x", &sum, out, 8, err), -EINVAL, "xcluster jobs");
	ROW_NULL(xc_resubmit_reduce(client, id, NULL, out, 8, err), -EINVAL, "how");
	ROW_NULL(xc_resubmit_reduce(client, id, &sum, NULL, 8, err), -EINVAL, "result is NULL");
	ROW_NULL(xc_resubmit_reduce(client, id, &sum, out, 16, err), -EINVAL, "gives 8 bytes");
	ROW_NULL(xc_resubmit_reduce(client, id, &sum, out, 8, err), -ENOENT, id);
}

void try_reduce(struct xc_client *client)
{
	const struct xc_view *v = xc_balanced(client);
	const struct xc_map_options negative = { .chunk = -1 };
	struct xc_reduction code = { .kind = XC_REDUCE_OWN, .size = 8 };
	struct xc_bytes item = { "x", 1 }, none = { NULL, 1 };
	double out[2] = { 0 };

	ROW(xc_reduction_size(NULL, err), -EINVAL, "how");
	ROW_VALUE(xc_reduction_size(&sum, err), 8);
	try_hows(v);
	try_limits(v);
	try_ids(client);
	ROW(xc_map_reduce(NULL, idle_task, 1, &sum, out, 8, NULL, err), -EINVAL, "view");
	ROW(xc_map_reduce(v, NULL, 1, &sum, out, 8, NULL, err), -EINVAL, "fn");
	ROW(xc_map_reduce(v, idle_task, -1, &sum, out, 8, NULL, err), -EINVAL, "n must");
	ROW(xc_map_reduce(v, idle_task, 1, NULL, out, 8, NULL, err), -EINVAL, "how");
	ROW(xc_map_reduce(v, idle_task, 1, &sum, NULL, 8, NULL, err), -EINVAL, "result is NULL");
	ROW(xc_map_reduce(v, idle_task, 1, &sum, out, 16, NULL, err), -EINVAL, "gives 8 bytes");
	ROW(xc_map_reduce(v, idle_task, 1, &sum, out, 8, &negative, err), -EINVAL, "chunk");
	code.combine = (xc_combine_fn *)(uintptr_t)8;
	ROW(xc_map_reduce(v, idle_task, 1, &code, out, 8, NULL, err), XC_ECODE, "not a function");
	ROW(xc_map_reduce_array(v, idle_task, NULL, 8, 1, &sum, out, 8, NULL, err), -EINVAL,
	    "in is NULL");
	ROW(xc_map_reduce_array(v, idle_task, out, 0, 1, &sum, out, 8, NULL, err), -EINVAL,
	    "in_size");
	ROW(xc_map_reduce_packed(v, idle_task, NULL, 1, &sum, out, 8, NULL, err), -EINVAL,
	    "items is NULL");
	ROW(xc_map_reduce_packed(v, idle_task, &none, 1, &sum, out, 8, NULL, err), -EINVAL,
	    "item 0");
	ROW_NULL(xc_map_reduce_async(NULL, idle_task, 1, &sum, out, 8, NULL, err), -EINVAL, "view");
	ROW_NULL(xc_map_reduce_array_async(v, idle_task, out, 8, 1, NULL, out, 8, NULL, err),
		 -EINVAL, "how");
	ROW_NULL(xc_map_reduce_packed_async(v, idle_task, &item, 1, &sum, out, 4, NULL, err),
		 -EINVAL, "result_size");
	row_error.code = 0; /* no harm is done */
	assert_ok(xc_map_reduce_packed(v, idle_task, &item, 1, &sum, out, 8, NULL, err), *err);
}
