/* vectors_sequence.c: sequences of operations on one generator, each compared with its
 * expected output and the state that it leaves. A scalar operation ("size": null) is done by
 * a scalar call. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vectors.h"

/* Of the running operation, as what it draws. */
static union {
	double *reals;
	float *floats;
	int64_t *integers;
	uint64_t *words;
	int32_t *i32;
	uint32_t *u32;
	int16_t *i16;
	uint16_t *u16;
	int8_t *i8;
	uint8_t *u8;
	bool *bools;
} out;

static void make_room(size_t n)
{
	out.words = vectors_room(n, sizeof *out.words);
}

static bool is_scalar(json_t *step)
{
	return json_is_null(vectors_member(step, "size"));
}

static size_t size_of(json_t *step)
{
	return is_scalar(step) ? 1 : vectors_count(step, "size");
}

/* What a call that may fail returned. */
static void expect_ok(int r, const struct xc_error *err)
{
	if (r)
		vectors_fail("%s", err->text);
}

static double real_of(json_t *step, const char *name)
{
	return strtod(vectors_text(step, name), NULL);
}

static void expect_reals(json_t *step)
{
	vectors_expect_doubles(vectors_text(step, "op"), vectors_member(step, "out"), out.reals,
			       size_of(step));
}

/* ---- Words and reals ---- */

static void do_raw(struct xc_rng **rng, json_t *step)
{
	if (is_scalar(step))
		out.words[0] = xc_rng_next64(*rng);
	else
		xc_rng_fill(*rng, out.words, size_of(step));
	vectors_expect_u64("raw", vectors_member(step, "out"), out.words, size_of(step));
}

static void do_random(struct xc_rng **rng, json_t *step)
{
	if (is_scalar(step))
		out.reals[0] = xc_random(*rng);
	else
		xc_random_fill(*rng, out.reals, size_of(step));
	expect_reals(step);
}

static void do_random_f32(struct xc_rng **rng, json_t *step)
{
	size_t n = size_of(step);
	double *wide = vectors_room(n, sizeof *wide);

	if (is_scalar(step))
		out.floats[0] = xc_random_f32(*rng);
	else
		xc_random_f32_fill(*rng, out.floats, n);
	for (size_t i = 0; i < n; i++)
		wide[i] = out.floats[i];
	vectors_expect_doubles("random_f32", vectors_member(step, "out"), wide, n);
}

static void do_uniform(struct xc_rng **rng, json_t *step)
{
	struct xc_error err = XC_ERROR_INIT;
	double low = real_of(step, "low"), high = real_of(step, "high");

	if (is_scalar(step))
		out.reals[0] = xc_uniform(*rng, low, high);
	else
		expect_ok(xc_uniform_fill(*rng, low, high, out.reals, size_of(step), &err), &err);
	expect_reals(step);
}

static void do_normal(struct xc_rng **rng, json_t *step)
{
	struct xc_error err = XC_ERROR_INIT;
	double loc = real_of(step, "loc"), scale = real_of(step, "scale");

	if (is_scalar(step))
		out.reals[0] = xc_normal(*rng, loc, scale);
	else
		expect_ok(xc_normal_fill(*rng, loc, scale, out.reals, size_of(step), &err), &err);
	expect_reals(step);
}

static void do_exponential(struct xc_rng **rng, json_t *step)
{
	struct xc_error err = XC_ERROR_INIT;
	double scale = real_of(step, "scale");

	if (is_scalar(step))
		out.reals[0] = xc_exponential(*rng, scale);
	else
		expect_ok(xc_exponential_fill(*rng, scale, out.reals, size_of(step), &err), &err);
	expect_reals(step);
}

static void do_standard_normal(struct xc_rng **rng, json_t *step)
{
	if (is_scalar(step))
		out.reals[0] = xc_standard_normal(*rng);
	else
		xc_standard_normal_fill(*rng, out.reals, size_of(step));
	expect_reals(step);
}

static void do_standard_exponential(struct xc_rng **rng, json_t *step)
{
	if (is_scalar(step))
		out.reals[0] = xc_standard_exponential(*rng);
	else
		xc_standard_exponential_fill(*rng, out.reals, size_of(step));
	expect_reals(step);
}

/* ---- Integers ---- */

struct bounds {
	uint64_t low, high; /* both within, as words */
};

/* `high` without its end may be 2^64, beyond any type. */
static struct bounds bounds_of(json_t *step)
{
	uint64_t low[VECTORS_WORDS], high[VECTORS_WORDS];
	bool endpoint = json_is_true(vectors_member(step, "endpoint"));

	vectors_number(vectors_text(step, "low"), low);
	vectors_number(vectors_text(step, "high"), high);
	return (struct bounds){ low[0], high[0] - !endpoint };
}

/* With its end only where the type has no number above. */
static int fill_signed(struct xc_rng *rng, enum xc_dtype dtype, struct bounds bounds, json_t *step,
		       struct xc_error *err)
{
	int64_t low = (int64_t)bounds.low, high = (int64_t)bounds.high;
	bool endpoint = json_is_true(vectors_member(step, "endpoint")) || high == INT64_MAX;

	if (is_scalar(step) && dtype == XC_I64)
		return xc_integer(rng, low, high + !endpoint, endpoint, out.integers, err);
	return xc_integers_fill(rng, dtype, low, high + !endpoint, endpoint, out.words,
				size_of(step), err);
}

static int fill_u64(struct xc_rng *rng, struct bounds bounds, json_t *step, struct xc_error *err)
{
	bool endpoint = json_is_true(vectors_member(step, "endpoint")) || bounds.high == UINT64_MAX;

	return xc_integers_u64_fill(rng, bounds.low, bounds.high + !endpoint, endpoint, out.words,
				    size_of(step), err);
}

static void widen(enum xc_dtype dtype, size_t n)
{
	for (size_t i = n; i-- > 0;) {
		int64_t value = dtype == XC_I32	  ? out.i32[i]
				: dtype == XC_U32 ? out.u32[i]
				: dtype == XC_I16 ? out.i16[i]
				: dtype == XC_U16 ? out.u16[i]
				: dtype == XC_I8  ? out.i8[i]
				: dtype == XC_U8  ? out.u8[i]
						  : out.integers[i];
		out.integers[i] = value;
	}
}

/* A range of one value draws nothing; there is no call for that. */
static void fill_bools(struct xc_rng *rng, struct bounds bounds, size_t n)
{
	if (bounds.low != bounds.high)
		xc_bools_fill(rng, out.bools, n);
	for (size_t i = n; i-- > 0;)
		out.words[i] = bounds.low == bounds.high ? bounds.low : out.bools[i];
}

static const struct {
	const char *name;
	enum xc_dtype dtype;
} dtypes[] = {
	{ "int8", XC_I8 },   { "uint8", XC_U8 },   { "int16", XC_I16 }, { "uint16", XC_U16 },
	{ "int32", XC_I32 }, { "uint32", XC_U32 }, { "int64", XC_I64 },
};

static enum xc_dtype dtype_of(const char *name)
{
	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
		if (strcmp(dtypes[i].name, name) == 0)
			return dtypes[i].dtype;
	ck_abort_msg("there is no type %s", name);
	return XC_I64;
}

static void do_integers(struct xc_rng **rng, json_t *step)
{
	const char *name = vectors_text(step, "dtype");
	struct bounds bounds = bounds_of(step);
	struct xc_error err = XC_ERROR_INIT;
	size_t n = size_of(step);

	if (strcmp(name, "uint64") == 0) {
		expect_ok(fill_u64(*rng, bounds, step, &err), &err);
	} else if (strcmp(name, "bool") == 0) {
		fill_bools(*rng, bounds, n);
	} else {
		expect_ok(fill_signed(*rng, dtype_of(name), bounds, step, &err), &err);
		widen(dtype_of(name), n);
	}
	vectors_expect_u64(name, vectors_member(step, "out"), out.words, n);
}

static void do_bytes(struct xc_rng **rng, json_t *step)
{
	size_t n = vectors_count(step, "n");
	char *text = vectors_room(2 * n + 1, 1);

	make_room(n);
	xc_random_bytes(*rng, out.u8, n);
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", out.u8[i]);
	vectors_expect_text("bytes", json_array_get(vectors_member(step, "out"), 0), text);
}

/* ---- Orders and choices ---- */

static void do_shuffle(struct xc_rng **rng, json_t *step)
{
	size_t n = vectors_count(step, "n");

	make_room(n);
	for (size_t i = 0; i < n; i++)
		out.integers[i] = (int64_t)i;
	xc_shuffle(*rng, out.integers, n, sizeof *out.integers);
	vectors_expect_u64("shuffle", vectors_member(step, "out"), out.words, n);
}

static void do_permutation(struct xc_rng **rng, json_t *step)
{
	size_t n = vectors_count(step, "n");

	make_room(n);
	xc_permutation(*rng, out.integers, n);
	vectors_expect_u64("permutation", vectors_member(step, "out"), out.words, n);
}

static const double *probabilities(json_t *list)
{
	size_t n = json_array_size(list);
	double *p = vectors_room(n, sizeof *p);

	for (size_t i = 0; i < n; i++)
		p[i] = strtod(json_string_value(json_array_get(list, i)), NULL);
	return p;
}

static void do_choice(struct xc_rng **rng, json_t *step)
{
	json_t *list = json_object_get(step, "p");
	size_t n = size_of(step), population = vectors_count(step, "pop");
	struct xc_choice_options options = {
		.without_replacement = json_is_false(vectors_member(step, "replace")),
		.unshuffled = json_is_false(vectors_member(step, "shuffle")),
	};
	struct xc_error err = XC_ERROR_INIT;

	if (json_is_array(list)) {
		ck_assert_uint_eq(json_array_size(list), population);
		options.p = probabilities(list);
	}
	expect_ok(xc_choice(*rng, (int64_t)population, out.integers, n, &options, &err), &err);
	vectors_expect_u64("choice", vectors_member(step, "out"), out.words, n);
}

/* ---- Moving on ---- */

static void do_advance(struct xc_rng **rng, json_t *step)
{
	uint64_t delta[VECTORS_WORDS];

	vectors_number(vectors_text(step, "delta"), delta);
	ck_assert_int_eq(xc_rng_advance(*rng, delta, VECTORS_WORDS, NULL), 0);
}

static void do_jumped(struct xc_rng **rng, json_t *step)
{
	struct xc_rng *copy;

	ck_assert_int_eq(xc_rng_jumped(&copy, *rng, vectors_count(step, "jumps"), NULL), 0);
	xc_rng_free(*rng);
	*rng = copy;
}

static const struct {
	const char *name;
	void (*run)(struct xc_rng **rng, json_t *step);
} operations[] = {
	{ "raw", do_raw },
	{ "random", do_random },
	{ "random_f32", do_random_f32 },
	{ "uniform", do_uniform },
	{ "normal", do_normal },
	{ "exponential", do_exponential },
	{ "standard_normal", do_standard_normal },
	{ "standard_exponential", do_standard_exponential },
	{ "integers", do_integers },
	{ "bytes", do_bytes },
	{ "shuffle", do_shuffle },
	{ "permutation", do_permutation },
	{ "choice", do_choice },
	{ "advance", do_advance },
	{ "jumped", do_jumped },
};

static void run_step(struct xc_rng **rng, json_t *step)
{
	const char *name = vectors_text(step, "op");

	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		if (strcmp(operations[i].name, name) != 0)
			continue;
		if (json_object_get(step, "size"))
			make_room(size_of(step));
		operations[i].run(rng, step);
		vectors_expect_state(name, vectors_member(step, "after"), *rng);
		return;
	}
	ck_abort_msg("there is no operation %s", name);
}

void vectors_check_sequence(json_t *file, json_t *kase)
{
	struct xc_rng *rng = vectors_generator(kase);
	json_t *steps = vectors_list(kase, "steps");

	(void)file;
	for (size_t i = 0; i < json_array_size(steps); i++)
		run_step(&rng, json_array_get(steps, i));
	xc_rng_free(rng);
}
