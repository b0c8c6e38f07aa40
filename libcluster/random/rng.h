/* rng.h: seed sequences, bit generators and draws as the library's own parts see them.
 *
 * All is numpy's, bit for bit; tests/vectors/README.md is the specification. The state is
 * plain memory: a generator may be copied by assignment, and lives where its user says. */
#ifndef LIBCLUSTER_RANDOM_RNG_H
#define LIBCLUSTER_RANDOM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcluster.h"

typedef unsigned __int128 uint128;

/* For loops that are called with constants. */
#define INLINE static inline __attribute__((always_inline))

/* ---- Seed sequences ---- */

/* The largest pool that a map's streams take; a sequence by itself may have a larger one. */
#define SEEDSEQ_POOL_MAX 64

/* A sequence's entropy and spawn key mixed in, ready for the number of a child. */
struct seedseq_prefix {
	uint32_t pool[SEEDSEQ_POOL_MAX];
	uint32_t pool_size;
	uint32_t hash;
};

/* 0, or -EINVAL when the sequence's pool is larger than SEEDSEQ_POOL_MAX. */
int seedseq_prefix(struct seedseq_prefix *prefix, const struct xc_seedseq *seq);

/* The pool of child j, of prefix->pool_size words. O(pool). */
void seedseq_prefix_child(const struct seedseq_prefix *prefix, uint64_t j, uint32_t *pool);

/* The sequence's own pool, borrowed, and its size. */
const uint32_t *seedseq_pool(const struct xc_seedseq *seq, uint32_t *pool_size);

/* generate_state of a pool. */
void seedseq_generate32(const uint32_t *pool, uint32_t pool_size, uint32_t *out, size_t n);
void seedseq_generate64(const uint32_t *pool, uint32_t pool_size, uint64_t *out, size_t n);

/* ---- Bit generators ---- */

struct pcg64 {
	uint128 state;
	uint128 inc;
};

struct philox {
	uint64_t counter[4]; /* least significant word first */
	uint64_t key[2];
	uint64_t buffer[4];
	int position; /* of the next output in buffer; 4: it is empty */
};

struct xc_rng {
	enum xc_bitgen bitgen;
	bool has_half;
	uint32_t half; /* the high half of a word whose low half next32 gave */
	union {
		struct pcg64 pcg;
		struct philox philox;
	};
};

/* Seeds from a pool of a seed sequence; any number is fine but for `bitgen`, which must be
 * one of the enum. */
void rng_seed_pool(struct xc_rng *rng, enum xc_bitgen bitgen, const uint32_t *pool,
		   uint32_t pool_size);

/* As child j of the sequence: what item j of a map draws from. */
static inline void rng_seed_child(struct xc_rng *rng, enum xc_bitgen bitgen,
				  const struct seedseq_prefix *prefix, uint64_t j)
{
	uint32_t pool[SEEDSEQ_POOL_MAX];

	seedseq_prefix_child(prefix, j, pool);
	rng_seed_pool(rng, bitgen, pool, prefix->pool_size);
}

/* numpy's jumped(jumps), in place. O(log). */
void rng_jump(struct xc_rng *rng, uint64_t jumps);

/* Forward by a number of `words` words in two's complement, least significant first, which
 * is extended by its sign; of PCG in steps, of Philox in blocks of four outputs. */
void rng_advance(struct xc_rng *rng, const uint64_t *delta, size_t words);

#define PCG64_MULTIPLIER     (((uint128)0x2360ed051fc65da4u << 64) | 0x4385df649fccf645u)
#define PCG64DXSM_MULTIPLIER 0xda942042e4dd58b5u

/* Output of the state after the step. */
static inline uint64_t pcg64_next(struct pcg64 *pcg)
{
	uint64_t x;
	unsigned int rotation;

	pcg->state = pcg->state * PCG64_MULTIPLIER + pcg->inc;
	x = (uint64_t)(pcg->state >> 64) ^ (uint64_t)pcg->state;
	rotation = (unsigned int)(pcg->state >> 122);
	return x >> rotation | x << (-rotation & 63);
}

/* Output of the state before the step. */
static inline uint64_t pcg64dxsm_next(struct pcg64 *pcg)
{
	uint64_t high = (uint64_t)(pcg->state >> 64);
	uint64_t low = (uint64_t)pcg->state | 1;

	high ^= high >> 32;
	high *= PCG64DXSM_MULTIPLIER;
	high ^= high >> 48;
	high *= low;
	pcg->state = pcg->state * PCG64DXSM_MULTIPLIER + pcg->inc;
	return high;
}

INLINE uint64_t pcg_next(struct pcg64 *pcg, bool dxsm)
{
	return dxsm ? pcg64dxsm_next(pcg) : pcg64_next(pcg);
}

/* The next block of outputs into the buffer; position is left alone. */
void philox_refill(struct philox *philox);

static inline uint64_t philox_next(struct philox *philox)
{
	if (philox->position < 4)
		return philox->buffer[philox->position++];
	philox_refill(philox);
	philox->position = 1;
	return philox->buffer[0];
}

static inline uint64_t rng_next64(struct xc_rng *rng)
{
	if (rng->bitgen == XC_PCG64)
		return pcg64_next(&rng->pcg);
	if (rng->bitgen == XC_PCG64DXSM)
		return pcg64dxsm_next(&rng->pcg);
	return philox_next(&rng->philox);
}

static inline uint32_t rng_next32(struct xc_rng *rng)
{
	uint64_t word;

	if (rng->has_half) {
		rng->has_half = false;
		return rng->half;
	}
	word = rng_next64(rng);
	rng->has_half = true;
	rng->half = (uint32_t)(word >> 32);
	return (uint32_t)word;
}

/* In [0, 1), a multiple of 2^-53. */
static inline double rng_double(struct xc_rng *rng)
{
	return (double)(rng_next64(rng) >> 11) * 0x1p-53;
}

static inline float rng_float(struct xc_rng *rng)
{
	return (float)(rng_next32(rng) >> 8) * 0x1p-24f;
}

/* ---- Draws ---- */

/* 0 <= result <= max, by masked rejection, as shuffle draws. */
static inline uint64_t rng_interval(struct xc_rng *rng, uint64_t max)
{
	uint64_t mask, value;

	if (!max)
		return 0;
	mask = UINT64_MAX >> __builtin_clzll(max);
	do {
		value = (max <= UINT32_MAX ? rng_next32(rng) : rng_next64(rng)) & mask;
	} while (value > max);
	return value;
}

/* 0 <= result <= max, by Lemire's method, as integers of 64 bits draws; nothing is drawn
 * for max 0. */
uint64_t rng_bounded(struct xc_rng *rng, uint64_t max);

/* By the ziggurat. */
double rng_standard_normal(struct xc_rng *rng);
double rng_standard_exponential(struct xc_rng *rng);

/* log1p with the same bits on every host, for arguments in (-1, 0]: that of the C library
 * differs between versions and processors in the last place. */
double random_log1p(double x);

#endif
