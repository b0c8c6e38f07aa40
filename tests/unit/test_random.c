/* test_random.c: what holds of random numbers whatever they are: many draws are so many
 * single ones, distances add up, states come back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/random/rng.h"
#include "tests/unit/unit.h"

#define MAX 3000

static const enum xc_bitgen bitgens[] = { XC_PCG64, XC_PCG64DXSM, XC_PHILOX };

static struct xc_rng *new_rng(enum xc_bitgen bitgen, uint64_t seed)
{
	struct xc_rng *rng;

	ck_assert_int_eq(xc_rng_new(&rng, bitgen, seed, NULL), 0);
	return rng;
}

static struct xc_rng *copy_of(const struct xc_rng *rng)
{
	struct xc_rng *copy;

	ck_assert_int_eq(xc_rng_copy(&copy, rng, NULL), 0);
	return copy;
}

/* The next numbers are the same; both are freed. */
static void expect_same(struct xc_rng *rng, struct xc_rng *other)
{
	struct xc_rng_state state, state_of_other;

	ck_assert_int_eq(xc_rng_get_state(rng, &state, NULL), 0);
	ck_assert_int_eq(xc_rng_get_state(other, &state_of_other, NULL), 0);
	ck_assert_mem_eq(&state, &state_of_other, sizeof state);
	xc_rng_free(rng);
	xc_rng_free(other);
}

/* ---- Many draws and single ones ---- */

static void fill_uniform(struct xc_rng *rng, double *out, size_t n)
{
	ck_assert_int_eq(xc_uniform_fill(rng, -3, 8.5, out, n, NULL), 0);
}

static double draw_uniform(struct xc_rng *rng)
{
	return xc_uniform(rng, -3, 8.5);
}

static void fill_normal(struct xc_rng *rng, double *out, size_t n)
{
	ck_assert_int_eq(xc_normal_fill(rng, 0.1, 3.7, out, n, NULL), 0);
}

static double draw_normal(struct xc_rng *rng)
{
	return xc_normal(rng, 0.1, 3.7);
}

static void fill_exponential(struct xc_rng *rng, double *out, size_t n)
{
	ck_assert_int_eq(xc_exponential_fill(rng, 0.3, out, n, NULL), 0);
}

static double draw_exponential(struct xc_rng *rng)
{
	return xc_exponential(rng, 0.3);
}

static void fill_floats(struct xc_rng *rng, double *out, size_t n)
{
	static float floats[MAX];

	xc_random_f32_fill(rng, floats, n);
	for (size_t i = 0; i < n; i++)
		out[i] = floats[i];
}

static double draw_float(struct xc_rng *rng)
{
	return xc_random_f32(rng);
}

static void fill_raw(struct xc_rng *rng, double *out, size_t n)
{
	static uint64_t words[MAX];

	xc_rng_fill(rng, words, n);
	memcpy(out, words, n * sizeof *words);
}

static double draw_raw(struct xc_rng *rng)
{
	uint64_t word = xc_rng_next64(rng);
	double value;

	memcpy(&value, &word, sizeof value);
	return value;
}

/* Of a range that one word of 32 bits holds, and of one that needs 64. */
static void fill_integers(struct xc_rng *rng, double *out, size_t n)
{
	int64_t *place = (int64_t *)out;

	ck_assert_int_eq(xc_integers_fill(rng, XC_I64, -5, 6000, true, place, n, NULL), 0);
}

static double draw_integer(struct xc_rng *rng)
{
	union {
		int64_t integer;
		double value;
	} out;

	ck_assert_int_eq(xc_integer(rng, -5, 6000, true, &out.integer, NULL), 0);
	return out.value;
}

static void fill_large_integers(struct xc_rng *rng, double *out, size_t n)
{
	int64_t *place = (int64_t *)out;

	ck_assert_int_eq(xc_integers_fill(rng, XC_I64, -5, INT64_MAX - 9, false, place, n, NULL),
			 0);
}

static double draw_large_integer(struct xc_rng *rng)
{
	union {
		int64_t integer;
		double value;
	} out;

	ck_assert_int_eq(xc_integer(rng, -5, INT64_MAX - 9, false, &out.integer, NULL), 0);
	return out.value;
}

static const struct {
	void (*fill)(struct xc_rng *rng, double *out, size_t n);
	double (*draw)(struct xc_rng *rng);
} draws[] = {
	{ xc_random_fill, xc_random },
	{ xc_standard_normal_fill, xc_standard_normal },
	{ xc_standard_exponential_fill, xc_standard_exponential },
	{ fill_uniform, draw_uniform },
	{ fill_normal, draw_normal },
	{ fill_exponential, draw_exponential },
	{ fill_floats, draw_float },
	{ fill_raw, draw_raw },
	{ fill_integers, draw_integer },
	{ fill_large_integers, draw_large_integer },
};

#define DRAWS (sizeof draws / sizeof *draws)

/* In parts of random lengths, some of them 0, with a half word waiting or not. */
START_TEST(draws_of_many_in_any_parts_are_so_many_single_draws)
{
	static double filled[MAX], drawn[MAX];
	enum xc_bitgen bitgen = bitgens[_i % 3];

	for (size_t d = 0; d < DRAWS; d++) {
		struct xc_rng *rng = new_rng(bitgen, (uint64_t)_i), *other;
		struct xc_rng *parts = new_rng(XC_PCG64, (uint64_t)_i + 1000);

		if (_i & 1)
			xc_rng_next32(rng);
		other = copy_of(rng);
		for (size_t done = 0, n; done < MAX; done += n) {
			n = rng_interval(parts, 700);
			n = n < MAX - done ? n : MAX - done;
			draws[d].fill(rng, filled + done, n);
		}
		for (size_t i = 0; i < MAX; i++)
			drawn[i] = draws[d].draw(other);
		ck_assert_mem_eq(filled, drawn, sizeof drawn);
		expect_same(rng, other);
		xc_rng_free(parts);
	}
}
END_TEST

/* Elements of any size go the way of those of 8 bytes, for which there is a loop of its own. */
START_TEST(elements_of_any_size_are_shuffled_alike)
{
	static const size_t sizes[] = { 1, 4, 7, 8, 64, 65, 200 };
	enum xc_bitgen bitgen = bitgens[_i % 3];
	static uint8_t items[200 * 200];
	int64_t order[200];

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		struct xc_rng *rng = new_rng(bitgen, (uint64_t)_i), *other;
		size_t n = _i < 8 ? (size_t)_i : 200;

		if (_i & 1)
			xc_rng_next32(rng);
		other = copy_of(rng);
		for (size_t i = 0; i < n; i++)
			memset(items + i * sizes[s], (int)i, sizes[s]);
		xc_shuffle(rng, items, n, sizes[s]);
		xc_permutation(other, order, n);
		for (size_t i = 0; i < n * sizes[s]; i++)
			ck_assert_uint_eq(items[i], (uint64_t)order[i / sizes[s]]);
		expect_same(rng, other);
	}
}
END_TEST

/* ---- Moving on ---- */

START_TEST(an_advance_is_so_many_draws_and_its_negative_goes_back)
{
	enum xc_bitgen bitgen = bitgens[_i % 3];
	struct xc_rng *rng = new_rng(bitgen, 7), *other = copy_of(rng);
	uint64_t forward = 1000, back = -forward;
	int a_step = bitgen == XC_PHILOX ? 4 : 1;

	for (int i = 0; i < 1000 * a_step; i++)
		xc_rng_next64(rng);
	ck_assert_int_eq(xc_rng_advance(other, &forward, 1, NULL), 0);
	ck_assert_uint_eq(xc_rng_next64(rng), xc_rng_next64(other));
	xc_rng_free(rng);
	rng = new_rng(bitgen, 7);
	xc_rng_free(other);
	other = copy_of(rng);
	ck_assert_int_eq(xc_rng_advance(rng, &forward, 1, NULL), 0);
	ck_assert_int_eq(xc_rng_advance(rng, &back, 1, NULL), 0);
	expect_same(rng, other);
}
END_TEST

START_TEST(jumps_add_up_and_jumps_in_place_are_those_of_copies)
{
	enum xc_bitgen bitgen = bitgens[_i % 3];
	struct xc_rng *rng = new_rng(bitgen, 7), *other = copy_of(rng), *copy;
	uint64_t far = UINT64_C(3) << 61;

	xc_rng_next32(rng);
	ck_assert_int_eq(xc_rng_jumped(&copy, rng, far, NULL), 0);
	xc_rng_free(rng);
	ck_assert_int_eq(xc_rng_jumped(&rng, copy, 12345, NULL), 0);
	xc_rng_free(copy);
	rng_jump(other, far + 12345);
	if (bitgen != XC_PHILOX) {
		/* A draw before the jumps is a step behind them. */
		uint64_t one = 1;

		ck_assert_int_eq(xc_rng_advance(other, &one, 1, NULL), 0);
		expect_same(rng, other);
		return;
	}
	ck_assert_mem_eq(rng->philox.key, other->philox.key, sizeof rng->philox.key);
	ck_assert_uint_eq(rng->philox.counter[0], other->philox.counter[0] + 1);
	ck_assert_mem_eq(rng->philox.counter + 1, other->philox.counter + 1,
			 3 * sizeof rng->philox.counter[0]);
	xc_rng_free(rng);
	xc_rng_free(other);
}
END_TEST

START_TEST(a_state_taken_up_goes_on_with_the_same_numbers)
{
	enum xc_bitgen bitgen = bitgens[_i % 3];
	struct xc_rng *rng = new_rng(bitgen, 7), *other = new_rng(bitgens[(_i + 1) % 3], 8);
	struct xc_rng_state state;

	xc_rng_next64(rng);
	xc_rng_next32(rng);
	ck_assert_int_eq(xc_rng_get_state(rng, &state, NULL), 0);
	ck_assert_int_eq(xc_rng_set_state(other, &state, NULL), 0);
	for (int i = 0; i < 20; i++) {
		ck_assert_uint_eq(xc_rng_next32(rng), xc_rng_next32(other));
		ck_assert_uint_eq(xc_rng_next64(rng), xc_rng_next64(other));
	}
	expect_same(rng, other);
}
END_TEST

START_TEST(states_that_go_on_alike_are_equal_whatever_was_before)
{
	enum xc_bitgen bitgen = bitgens[_i % 3];
	struct xc_rng *rng = new_rng(bitgen, 7), *other = copy_of(rng);
	uint64_t back = -UINT64_C(1);

	/* Two half words of one, and in Philox of one block. */
	xc_rng_next32(rng);
	xc_rng_next32(rng);
	ck_assert_int_eq(xc_rng_advance(rng, &back, 1, NULL), 0);
	expect_same(rng, other);
	rng = new_rng(bitgen, 7);
	other = copy_of(rng);
	xc_rng_next32(rng);
	xc_rng_next32(rng);
	xc_rng_next64(other);
	expect_same(rng, other);
}
END_TEST

/* ---- Seed sequences ---- */

START_TEST(children_of_a_prefix_are_the_children_of_its_sequence)
{
	static const uint64_t numbers[] = { 0, 1, 4294967295, 4294967296, UINT64_MAX };
	static const size_t pools[] = { 4, 5, 64 };
	const uint32_t entropy[] = { 1, 2, 3, 4, 5, 6 }, key[] = { 9, 8 };
	struct xc_seedseq *seq, *child;

	for (int i = 0; i < 3 * 7 * 3 * 5; i++) {
		uint64_t j = numbers[i % 5];
		struct seedseq_prefix prefix;
		struct xc_rng streamed;
		struct xc_rng *rng;

		ck_assert_int_eq(xc_seedseq_new(&seq, entropy, (size_t)i / 5 % 7, key,
						(size_t)i / 35 % 3, pools[i / 105], NULL),
				 0);
		ck_assert_int_eq(seedseq_prefix(&prefix, seq), 0);
		rng_seed_child(&streamed, XC_PCG64, &prefix, j);
		ck_assert_int_eq(xc_seedseq_child(seq, j, &child, NULL), 0);
		ck_assert_int_eq(xc_rng_from(&rng, XC_PCG64, child, NULL), 0);
		ck_assert_uint_eq(rng_next64(&streamed), xc_rng_next64(rng));
		ck_assert_uint_eq(rng_next64(&streamed), xc_rng_next64(rng));
		xc_rng_free(rng);
		xc_seedseq_free(child);
		xc_seedseq_free(seq);
	}
}
END_TEST

/* A number from 2^32 on is two words of the key, or of the entropy. */
START_TEST(large_numbers_of_children_and_seeds_are_two_words)
{
	const uint32_t seed[] = { 7, 1 }, key[] = { 9, 2 };
	struct xc_seedseq *seq, *child, *other;
	uint64_t first, second;

	ck_assert_int_eq(xc_seedseq_of(&seq, UINT64_C(0x100000007), NULL), 0);
	ck_assert_int_eq(xc_seedseq_child(seq, UINT64_C(0x200000009), &child, NULL), 0);
	ck_assert_int_eq(xc_seedseq_new(&other, seed, 2, key, 2, 0, NULL), 0);
	xc_seedseq_generate64(child, &first, 1);
	xc_seedseq_generate64(other, &second, 1);
	ck_assert_uint_eq(first, second);
	xc_seedseq_free(seq);
	xc_seedseq_free(child);
	xc_seedseq_free(other);
}
END_TEST

START_TEST(a_prefix_of_a_pool_that_is_too_large_is_refused)
{
	struct seedseq_prefix prefix;
	struct xc_seedseq *seq;

	ck_assert_int_eq(xc_seedseq_new(&seq, NULL, 0, NULL, 0, SEEDSEQ_POOL_MAX + 1, NULL), 0);
	ck_assert_int_lt(seedseq_prefix(&prefix, seq), 0);
	xc_seedseq_free(seq);
}
END_TEST

START_TEST(fresh_sequences_differ_and_can_be_made_again_from_what_they_tell)
{
	struct xc_seedseq *seq, *other, *again;
	uint32_t words[4], words_of_other[4];
	uint64_t first, second;

	ck_assert_int_eq(xc_seedseq_fresh(&seq, NULL), 0);
	ck_assert_int_eq(xc_seedseq_fresh(&other, NULL), 0);
	ck_assert_uint_eq(xc_seedseq_entropy(seq, words, 4), 4);
	ck_assert_uint_eq(xc_seedseq_entropy(other, words_of_other, 4), 4);
	ck_assert_mem_ne(words, words_of_other, sizeof words);
	ck_assert_int_eq(xc_seedseq_new(&again, words, 4, NULL, 0, 0, NULL), 0);
	xc_seedseq_generate64(seq, &first, 1);
	xc_seedseq_generate64(again, &second, 1);
	ck_assert_uint_eq(first, second);
	xc_seedseq_free(seq);
	xc_seedseq_free(other);
	xc_seedseq_free(again);
}
END_TEST

/* ---- log1p ---- */

/* As glibc's on processors with fused operations, where its others give another last bit. */
START_TEST(logarithms_of_tails_have_the_same_bits_on_every_host)
{
	static const double known[][2] = {
		{ -0x1.308eeaab4822cp-2, -0x1.6977da786d96dp-2 },
		{ -0x1.41106a787282cp-3, -0x1.5d36fd2b83de9p-3 },
		{ -0x1.bd10b5f5598b4p-3, -0x1.f5d101d6d0c8bp-3 },
		{ -0x1.f8f676b59efd8p-3, -0x1.21e7d91044b22p-2 },
		{ -0x1.a96470e3bb9a4p-1, -0x1.c6e54e9b385c2p+0 },
		{ -0x1p-1, -0x1.62e42fefa39efp-1 },
		{ -0x1p-60, -0x1p-60 },
		{ -0x1.fffffffffffffp-1, -0x1.25e4f7b2737fap+5 },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		double value = random_log1p(known[i][0]);

		ck_assert_mem_eq(&value, &known[i][1], sizeof value);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("random");

	tcase_add_loop_test(tcase, draws_of_many_in_any_parts_are_so_many_single_draws, 0, 6);
	tcase_add_loop_test(tcase, elements_of_any_size_are_shuffled_alike, 0, 14);
	tcase_add_loop_test(tcase, an_advance_is_so_many_draws_and_its_negative_goes_back, 0, 3);
	tcase_add_loop_test(tcase, jumps_add_up_and_jumps_in_place_are_those_of_copies, 0, 3);
	tcase_add_loop_test(tcase, a_state_taken_up_goes_on_with_the_same_numbers, 0, 3);
	tcase_add_loop_test(tcase, states_that_go_on_alike_are_equal_whatever_was_before, 0, 3);
	tcase_add_test(tcase, children_of_a_prefix_are_the_children_of_its_sequence);
	tcase_add_test(tcase, large_numbers_of_children_and_seeds_are_two_words);
	tcase_add_test(tcase, a_prefix_of_a_pool_that_is_too_large_is_refused);
	tcase_add_test(tcase, fresh_sequences_differ_and_can_be_made_again_from_what_they_tell);
	tcase_add_test(tcase, logarithms_of_tails_have_the_same_bits_on_every_host);
	return unit_run(tcase);
}
