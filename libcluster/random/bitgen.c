/* bitgen.c: the bit generators: seeding, advancing, jumping. PCG64 and PCG64DXSM after
 * M. E. O'Neill, with F. Brown's jump ahead; Philox4x64-10 after J. K. Salmon et al.,
 * "Parallel random numbers: as easy as 1, 2, 3" (2011). */
#include <string.h>

#include "libcluster/random/rng.h"

/* ---- PCG ---- */

/* N.B. PCG64DXSM, too, is seeded with the multiplier of PCG64, as in numpy. */
static void pcg64_seed(struct pcg64 *pcg, const uint64_t words[4])
{
	uint128 initial = (uint128)words[0] << 64 | words[1];
	uint128 sequence = (uint128)words[2] << 64 | words[3];

	pcg->inc = sequence << 1 | 1;
	pcg->state = pcg->inc + initial;
	pcg->state = pcg->state * PCG64_MULTIPLIER + pcg->inc;
}

static void pcg64_advance(struct pcg64 *pcg, uint128 multiplier, uint128 delta)
{
	uint128 product = 1, sum = 0, increment = pcg->inc;

	for (; delta; delta >>= 1) {
		if (delta & 1) {
			product *= multiplier;
			sum = sum * multiplier + increment;
		}
		increment *= multiplier + 1;
		multiplier *= multiplier;
	}
	pcg->state = product * pcg->state + sum;
}

/* ---- Philox ---- */

static void philox_add(uint64_t counter[4], const uint64_t delta[4])
{
	unsigned int carry = 0;

	for (int i = 0; i < 4; i++) {
		uint128 sum = (uint128)counter[i] + delta[i] + carry;

		counter[i] = (uint64_t)sum;
		carry = (unsigned int)(sum >> 64);
	}
}

static void philox_block(const uint64_t counter[4], const uint64_t key[2], uint64_t out[4])
{
	uint64_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
	uint64_t k0 = key[0], k1 = key[1];

	for (int round = 0; round < 10; round++) {
		uint128 p0 = (uint128)0xd2e7470ee14c6c93u * x0;
		uint128 p1 = (uint128)0xca5a826395121157u * x2;

		x0 = (uint64_t)(p1 >> 64) ^ x1 ^ k0;
		x1 = (uint64_t)p1;
		x2 = (uint64_t)(p0 >> 64) ^ x3 ^ k1;
		x3 = (uint64_t)p0;
		k0 += 0x9e3779b97f4a7c15u;
		k1 += 0xbb67ae8584caa73bu;
	}
	out[0] = x0;
	out[1] = x1;
	out[2] = x2;
	out[3] = x3;
}

/* N.B. the counter moves first: the first block is that of counter + 1. */
void philox_refill(struct philox *philox)
{
	for (int i = 0; i < 4 && !++philox->counter[i]; i++)
		;
	philox_block(philox->counter, philox->key, philox->buffer);
}

/* ---- All ---- */

void rng_seed_pool(struct xc_rng *rng, enum xc_bitgen bitgen, const uint32_t *pool,
		   uint32_t pool_size)
{
	uint64_t words[4];

	memset(rng, 0, sizeof *rng);
	rng->bitgen = bitgen;
	if (bitgen == XC_PHILOX) {
		seedseq_generate64(pool, pool_size, rng->philox.key, 2);
		rng->philox.position = 4;
		return;
	}
	seedseq_generate64(pool, pool_size, words, 4);
	pcg64_seed(&rng->pcg, words);
}

static uint64_t delta_word(const uint64_t *delta, size_t words, size_t i)
{
	if (i < words)
		return delta[i];
	return words && delta[words - 1] >> 63 ? UINT64_MAX : 0;
}

/* What is buffered is dropped, also for a delta of 0. */
void rng_advance(struct xc_rng *rng, const uint64_t *delta, size_t words)
{
	uint64_t wide[4];

	for (size_t i = 0; i < 4; i++)
		wide[i] = delta_word(delta, words, i);
	rng->has_half = false;
	rng->half = 0;
	if (rng->bitgen == XC_PHILOX) {
		philox_add(rng->philox.counter, wide);
		rng->philox.position = 4;
		return;
	}
	pcg64_advance(&rng->pcg,
		      rng->bitgen == XC_PCG64 ? PCG64_MULTIPLIER : (uint128)PCG64DXSM_MULTIPLIER,
		      (uint128)wide[1] << 64 | wide[0]);
}

/* The golden ratio's share of the period of PCG, 2^128 blocks of Philox. */
void rng_jump(struct xc_rng *rng, uint64_t jumps)
{
	const uint128 stride = (uint128)0x9e3779b97f4a7c15u << 64 | 0xf39cc0605cedc835u;
	uint64_t delta[4] = { 0, 0, jumps, 0 };

	if (rng->bitgen != XC_PHILOX) {
		uint128 distance = stride * jumps;

		delta[0] = (uint64_t)distance;
		delta[1] = (uint64_t)(distance >> 64);
		delta[2] = 0;
	}
	rng_advance(rng, delta, 4);
}
