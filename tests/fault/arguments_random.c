/* arguments_random.c: wrong arguments of calls about random numbers. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "tests/fault/arguments.h"
#include "tests/fault/rows.h"
#include "tests/support/support.h"

static struct xc_error *const err = &row_error;
static struct xc_seedseq *seq;
static struct xc_rng *rng;
static double reals[4];
static int64_t integers[4];

static void try_seedseq(void)
{
	struct xc_seedseq *other = NULL;
	uint32_t words[4] = { 0 };
	uint64_t wide[4] = { 0 };

	ROW(xc_seedseq_new(NULL, words, 1, NULL, 0, 0, err), -EINVAL, "`seq` is NULL");
	ROW(xc_seedseq_new(&other, NULL, 1, NULL, 0, 0, err), -EINVAL, "`entropy` is NULL");
	ROW(xc_seedseq_new(&other, words, 1, NULL, 2, 0, err), -EINVAL, "`spawn_key` is NULL");
	ROW(xc_seedseq_new(&other, words, 1, NULL, 0, 3, err), -EINVAL, "pool of 3 words");
	ROW(xc_seedseq_new(&other, words, 1, NULL, 0, 4097, err), -EINVAL, "pool of 4097 words");
	ROW(xc_seedseq_of(NULL, 1, err), -EINVAL, "`seq` is NULL");
	ROW(xc_seedseq_fresh(NULL, err), -EINVAL, "`seq` is NULL");
	ROW(xc_seedseq_spawn(NULL, 1, &other, err), -EINVAL, "`seq` is NULL");
	ROW(xc_seedseq_spawn(seq, 1, NULL, err), -EINVAL, "`children` is NULL");
	ROW(xc_seedseq_spawn(seq, SIZE_MAX, &other, err), -ENOMEM, "children");
	ROW(xc_seedseq_child(NULL, 1, &other, err), -EINVAL, "`seq` is NULL");
	ROW(xc_seedseq_child(seq, 1, NULL, err), -EINVAL, "`child` is NULL");
	ROW_VALUE(other == NULL, 1);
	ROW_VALUE(xc_seedseq_entropy(NULL, words, 4), 0);
	ROW_VALUE(xc_seedseq_entropy(seq, NULL, 4), 1);
	ROW_VALUE(xc_seedseq_spawn_key(NULL, words, 4), 0);
	ROW_VALUE(xc_seedseq_spawn_key(seq, NULL, 4), 0);
	ROW_VALUE(xc_seedseq_pool(NULL, words, 4), 0);
	ROW_VALUE(xc_seedseq_pool(seq, NULL, 4), 4);
	ROW_TAKEN(xc_seedseq_generate32(NULL, words, 4));
	ROW_TAKEN(xc_seedseq_generate32(seq, NULL, 4));
	ROW_TAKEN(xc_seedseq_generate64(NULL, wide, 4));
	ROW_TAKEN(xc_seedseq_generate64(seq, NULL, 4));
	ROW_TAKEN(xc_seedseq_free(NULL));
}

static void try_rng(void)
{
	const enum xc_bitgen strange = (enum xc_bitgen)9;
	struct xc_rng *other = NULL;

	ROW(xc_rng_new(NULL, XC_PCG64, 1, err), -EINVAL, "`rng` is NULL");
	ROW(xc_rng_new(&other, strange, 1, err), -EINVAL, "no bit generator 9");
	ROW(xc_rng_from(NULL, XC_PCG64, seq, err), -EINVAL, "`rng` is NULL");
	ROW(xc_rng_from(&other, XC_PCG64, NULL, err), -EINVAL, "`seq` is NULL");
	ROW(xc_rng_from(&other, strange, seq, err), -EINVAL, "no bit generator 9");
	ROW(xc_rng_philox(NULL, NULL, NULL, err), -EINVAL, "`rng` is NULL");
	ROW(xc_rng_copy(NULL, rng, err), -EINVAL, "`copy` is NULL");
	ROW(xc_rng_copy(&other, NULL, err), -EINVAL, "`rng` is NULL");
	ROW(xc_rng_jumped(NULL, rng, 1, err), -EINVAL, "`copy` is NULL");
	ROW(xc_rng_jumped(&other, NULL, 1, err), -EINVAL, "`rng` is NULL");
	ROW_VALUE(other == NULL, 1);
	ROW(xc_rng_advance(NULL, NULL, 0, err), -EINVAL, "`rng` is NULL");
	ROW(xc_rng_advance(rng, NULL, 1, err), -EINVAL, "`delta` is NULL");
	ROW_VALUE(xc_rng_next64(NULL), 0);
	ROW_VALUE(xc_rng_next32(NULL), 0);
	ROW_TAKEN(xc_rng_fill(NULL, NULL, 4));
	ROW_TAKEN(xc_rng_fill(rng, NULL, 4));
	ROW_TAKEN(xc_rng_free(NULL));
}

static void try_states(void)
{
	struct xc_rng_state state;
	const struct xc_rng_state strange = { .bitgen = (enum xc_bitgen)9 };
	const struct xc_rng_state even = { .increment = { 2 } };
	const struct xc_rng_state position = { .bitgen = XC_PHILOX, .position = 5 };
	const struct xc_rng_state negative = { .bitgen = XC_PHILOX, .position = -1 };
	const struct xc_rng_state half = { .increment = { 1 }, .has_uint32 = 2 };

	ROW(xc_rng_get_state(NULL, &state, err), -EINVAL, "`rng` is NULL");
	ROW(xc_rng_get_state(rng, NULL, err), -EINVAL, "`state` is NULL");
	ROW(xc_rng_set_state(NULL, &even, err), -EINVAL, "`rng` is NULL");
	ROW(xc_rng_set_state(rng, NULL, err), -EINVAL, "`state` is NULL");
	ROW(xc_rng_set_state(rng, &strange, err), -EINVAL, "no bit generator 9");
	ROW(xc_rng_set_state(rng, &even, err), -EINVAL, "even");
	ROW(xc_rng_set_state(rng, &position, err), -EINVAL, "`position` is 5");
	ROW(xc_rng_set_state(rng, &negative, err), -EINVAL, "`position` is -1");
	ROW(xc_rng_set_state(rng, &half, err), -EINVAL, "`has_uint32` is 2");
}

static void try_reals(void)
{
	float floats[4];

	ROW_NAN(xc_random(NULL));
	ROW_TAKEN(xc_random_fill(NULL, reals, 4));
	ROW_TAKEN(xc_random_fill(rng, NULL, 4));
	ROW_NAN(xc_random_f32(NULL));
	ROW_TAKEN(xc_random_f32_fill(NULL, floats, 4));
	ROW_TAKEN(xc_random_f32_fill(rng, NULL, 4));
	ROW_NAN(xc_uniform(NULL, 0, 1));
	ROW_NAN(xc_uniform(rng, 1, 0));
	ROW(xc_uniform_fill(NULL, 0, 1, reals, 4, err), -EINVAL, "`rng` is NULL");
	ROW(xc_uniform_fill(rng, 0, 1, NULL, 4, err), -EINVAL, "`out` is NULL");
	ROW(xc_uniform_fill(rng, 1, 0, reals, 4, err), -EINVAL, "from 1 to 0");
	ROW(xc_uniform_fill(rng, 0, INFINITY, reals, 4, err), -EINVAL, "finite");
	ROW(xc_uniform_fill(rng, NAN, 1, reals, 4, err), -EINVAL, "from nan to 1");
	ROW_NAN(xc_standard_normal(NULL));
	ROW_TAKEN(xc_standard_normal_fill(NULL, reals, 4));
	ROW_TAKEN(xc_standard_normal_fill(rng, NULL, 4));
	ROW_NAN(xc_normal(NULL, 0, 1));
	ROW_NAN(xc_normal(rng, 0, -1));
	ROW(xc_normal_fill(NULL, 0, 1, reals, 4, err), -EINVAL, "`rng` is NULL");
	ROW(xc_normal_fill(rng, 0, 1, NULL, 4, err), -EINVAL, "`out` is NULL");
	ROW(xc_normal_fill(rng, 0, -1, reals, 4, err), -EINVAL, "deviation of -1");
	ROW(xc_normal_fill(rng, 0, NAN, reals, 4, err), -EINVAL, "deviation of nan");
	ROW_NAN(xc_standard_exponential(NULL));
	ROW_TAKEN(xc_standard_exponential_fill(NULL, reals, 4));
	ROW_TAKEN(xc_standard_exponential_fill(rng, NULL, 4));
	ROW_NAN(xc_exponential(NULL, 1));
	ROW_NAN(xc_exponential(rng, -1));
	ROW(xc_exponential_fill(NULL, 1, reals, 4, err), -EINVAL, "`rng` is NULL");
	ROW(xc_exponential_fill(rng, 1, NULL, 4, err), -EINVAL, "`out` is NULL");
	ROW(xc_exponential_fill(rng, -1, reals, 4, err), -EINVAL, "mean of -1");
	ROW_NAN(xc_mean(NULL, 4));
	ROW_NAN(xc_mean(reals, 0));
	ROW_NAN(xc_std(NULL, 4));
	ROW_NAN(xc_std(reals, 0));
}

static void try_integers(void)
{
	uint64_t words[4];
	bool bools[4];

	ROW(xc_integer(NULL, 0, 1, false, integers, err), -EINVAL, "`rng` is NULL");
	ROW(xc_integer(rng, 0, 1, false, NULL, err), -EINVAL, "`out` is NULL");
	ROW(xc_integer(rng, 1, 1, false, integers, err), -EINVAL, "from 1 to 1 without its end");
	ROW(xc_integer(rng, 1, 0, true, integers, err), -EINVAL, "from 1 to 0: `low`");
	ROW(xc_integers_fill(NULL, XC_I64, 0, 1, false, integers, 4, err), -EINVAL, "`rng`");
	ROW(xc_integers_fill(rng, XC_I64, 0, 1, false, NULL, 4, err), -EINVAL, "`out`");
	ROW(xc_integers_fill(rng, XC_F64, 0, 1, false, integers, 4, err), -EINVAL, "dtype");
	ROW(xc_integers_fill(rng, XC_I8, 0, 129, false, integers, 4, err), -EINVAL, "-128 to 127");
	ROW(xc_integers_fill(rng, XC_U8, -1, 9, false, integers, 4, err), -EINVAL, "0 to 255");
	ROW(xc_integers_fill(rng, XC_U64, -1, 9, false, integers, 4, err), -EINVAL, "do not fit");
	ROW(xc_integers_fill(rng, XC_I32, 0, INT64_MAX, true, integers, 4, err), -EINVAL,
	    "do not fit");
	ROW(xc_integers_u64_fill(NULL, 0, 1, false, words, 4, err), -EINVAL, "`rng`");
	ROW(xc_integers_u64_fill(rng, 0, 1, false, NULL, 4, err), -EINVAL, "`out`");
	ROW(xc_integers_u64_fill(rng, 7, 7, false, words, 4, err), -EINVAL, "from 7 to 7");
	ROW(xc_integers_u64_fill(rng, 7, 6, true, words, 4, err), -EINVAL, "from 7 to 6");
	ROW_TAKEN(xc_bools_fill(NULL, bools, 4));
	ROW_TAKEN(xc_bools_fill(rng, NULL, 4));
	ROW_TAKEN(xc_random_bytes(NULL, words, 4));
	ROW_TAKEN(xc_random_bytes(rng, NULL, 4));
}

static void try_orders(void)
{
	const double negative[4] = { 0.5, -0.5, 0.5, 0.5 }, half[4] = { 0.5 };
	const double one[4] = { 1, 0, 0, 0 }, none[4] = { 0, NAN, 0, 1 };
	const struct xc_choice_options without = { .without_replacement = true };
	const struct xc_choice_options below = { .p = negative }, little = { .p = half };
	const struct xc_choice_options nan = { .p = none };
	const struct xc_choice_options few = { .p = one, .without_replacement = true };

	ROW_TAKEN(xc_shuffle(NULL, integers, 4, 8));
	ROW_TAKEN(xc_shuffle(rng, NULL, 4, 8));
	ROW_TAKEN(xc_shuffle(rng, integers, 4, 0));
	ROW_TAKEN(xc_permutation(NULL, integers, 4));
	ROW_TAKEN(xc_permutation(rng, NULL, 4));
	ROW(xc_choice(NULL, 4, integers, 4, NULL, err), -EINVAL, "`rng` is NULL");
	ROW(xc_choice(rng, 4, NULL, 4, NULL, err), -EINVAL, "`out` is NULL");
	ROW(xc_choice(rng, -1, integers, 4, NULL, err), -EINVAL, "population of -1");
	ROW(xc_choice(rng, 0, integers, 4, NULL, err), -EINVAL, "population of 0");
	ROW(xc_choice(rng, 3, integers, 4, &without, err), -EINVAL, "4 cannot be chosen");
	ROW(xc_choice(rng, 4, integers, 4, &below, err), -EINVAL, "probability 1 is -0.5");
	ROW(xc_choice(rng, 4, integers, 4, &nan, err), -EINVAL, "probability 1 is nan");
	ROW(xc_choice(rng, 4, integers, 4, &little, err), -EINVAL, "sum is 0.5");
	ROW(xc_choice(rng, 4, integers, 2, &few, err), -EINVAL, "only 1 have a probability");
	ROW(xc_choice(rng, INT64_MAX, integers, 4, &below, err), -EINVAL, "cannot be");
}

void try_random(void)
{
	assert_ok(xc_seedseq_of(&seq, 1, err), *err);
	assert_ok(xc_rng_from(&rng, XC_PCG64, seq, err), *err);
	try_seedseq();
	try_rng();
	try_states();
	try_reals();
	try_integers();
	try_orders();
	xc_rng_free(rng);
	xc_seedseq_free(seq);
}
