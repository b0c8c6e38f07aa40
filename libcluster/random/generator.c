/* generator.c: generators as the program holds them: made, copied, moved on, and their state
 * taken out and put back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/random/rng.h"
#include "proto/error.h"

/* ---- From and to nothing ---- */

static bool is_bitgen(enum xc_bitgen bitgen)
{
	return bitgen == XC_PCG64 || bitgen == XC_PCG64DXSM || bitgen == XC_PHILOX;
}

static int no_bitgen(enum xc_bitgen bitgen, struct xc_error *err)
{
	return error_set(err, -EINVAL,
			 "there is no bit generator %d: say XC_PCG64, XC_PCG64DXSM or XC_PHILOX",
			 (int)bitgen);
}

/* A copy of `source` on the heap. */
static int give(struct xc_rng **rng, const struct xc_rng *source, struct xc_error *err)
{
	/* N.B. as the state has integers of 128 bits, which malloc aligns to on this host. */
	struct xc_rng *new = malloc(sizeof *new);

	if (!new)
		return error_set(err, -ENOMEM, "no memory for a random generator");
	*new = *source;
	*rng = new;
	return 0;
}

XC_API int xc_rng_from(struct xc_rng **rng, enum xc_bitgen bitgen, const struct xc_seedseq *seq,
		       struct xc_error *err)
{
	struct xc_rng made;
	const uint32_t *pool;
	uint32_t pool_size;

	if (!rng)
		return error_set(err, -EINVAL, "a random generator needs a place: `rng` is NULL");
	if (!seq)
		return error_set(err, -EINVAL,
				 "a random generator needs a seed sequence: `seq` is NULL");
	if (!is_bitgen(bitgen))
		return no_bitgen(bitgen, err);
	pool = seedseq_pool(seq, &pool_size);
	rng_seed_pool(&made, bitgen, pool, pool_size);
	return give(rng, &made, err);
}

XC_API int xc_rng_new(struct xc_rng **rng, enum xc_bitgen bitgen, uint64_t seed,
		      struct xc_error *err)
{
	struct xc_seedseq *seq;
	int r = xc_seedseq_of(&seq, seed, err);

	if (r)
		return r;
	r = xc_rng_from(rng, bitgen, seq, err);
	xc_seedseq_free(seq);
	return r;
}

XC_API int xc_rng_philox(struct xc_rng **rng, const uint64_t counter[4], const uint64_t key[2],
			 struct xc_error *err)
{
	struct xc_rng made;

	if (!rng)
		return error_set(err, -EINVAL, "a random generator needs a place: `rng` is NULL");
	memset(&made, 0, sizeof made);
	made.bitgen = XC_PHILOX;
	made.philox.position = 4;
	if (counter)
		memcpy(made.philox.counter, counter, sizeof made.philox.counter);
	if (key)
		memcpy(made.philox.key, key, sizeof made.philox.key);
	return give(rng, &made, err);
}

static int check_copy(struct xc_rng *const *copy, const struct xc_rng *rng, struct xc_error *err)
{
	if (!rng)
		return error_set(err, -EINVAL, "there is no generator to copy: `rng` is NULL");
	if (!copy)
		return error_set(err, -EINVAL,
				 "a copy of a generator needs a place: `copy` is NULL");
	return 0;
}

XC_API int xc_rng_copy(struct xc_rng **copy, const struct xc_rng *rng, struct xc_error *err)
{
	int r = check_copy(copy, rng, err);

	return r ? r : give(copy, rng, err);
}

XC_API void xc_rng_free(struct xc_rng *rng)
{
	free(rng);
}

/* ---- Moving on ---- */

XC_API int xc_rng_advance(struct xc_rng *rng, const uint64_t *delta, size_t n, struct xc_error *err)
{
	if (!rng)
		return error_set(err, -EINVAL, "there is no generator to advance: `rng` is NULL");
	if (n && !delta)
		return error_set(err, -EINVAL,
				 "a distance of %zu words was announced, but `delta` is NULL", n);
	rng_advance(rng, delta, n);
	return 0;
}

XC_API int xc_rng_jumped(struct xc_rng **copy, const struct xc_rng *rng, uint64_t jumps,
			 struct xc_error *err)
{
	struct xc_rng moved;
	int r = check_copy(copy, rng, err);

	if (r)
		return r;
	moved = *rng;
	rng_jump(&moved, jumps);
	return give(copy, &moved, err);
}

/* ---- State ---- */

static void get_pcg64(const struct pcg64 *pcg, struct xc_rng_state *state)
{
	state->state[0] = (uint64_t)pcg->state;
	state->state[1] = (uint64_t)(pcg->state >> 64);
	state->increment[0] = (uint64_t)pcg->inc;
	state->increment[1] = (uint64_t)(pcg->inc >> 64);
}

static void set_pcg64(struct pcg64 *pcg, const struct xc_rng_state *state)
{
	pcg->state = (uint128)state->state[1] << 64 | state->state[0];
	pcg->inc = (uint128)state->increment[1] << 64 | state->increment[0];
}

/* N.B. without what was given out already: states that go on alike are to be equal. */
static void get_philox(const struct philox *philox, struct xc_rng_state *state)
{
	memcpy(state->state, philox->counter, sizeof philox->counter);
	memcpy(state->increment, philox->key, sizeof philox->key);
	for (int i = philox->position; i < 4; i++)
		state->buffer[i] = philox->buffer[i];
	state->position = philox->position;
}

static void set_philox(struct philox *philox, const struct xc_rng_state *state)
{
	memcpy(philox->counter, state->state, sizeof philox->counter);
	memcpy(philox->key, state->increment, sizeof philox->key);
	memcpy(philox->buffer, state->buffer, sizeof philox->buffer);
	philox->position = state->position;
}

XC_API int xc_rng_get_state(const struct xc_rng *rng, struct xc_rng_state *state,
			    struct xc_error *err)
{
	if (!rng)
		return error_set(err, -EINVAL, "there is no generator to ask: `rng` is NULL");
	if (!state)
		return error_set(err, -EINVAL,
				 "a generator's state needs a place: `state` is NULL");
	memset(state, 0, sizeof *state);
	state->bitgen = rng->bitgen;
	state->has_uint32 = rng->has_half;
	state->uinteger = rng->has_half ? rng->half : 0;
	if (rng->bitgen == XC_PHILOX)
		get_philox(&rng->philox, state);
	else
		get_pcg64(&rng->pcg, state);
	return 0;
}

static int check_state(const struct xc_rng_state *state, struct xc_error *err)
{
	if (!is_bitgen(state->bitgen))
		return no_bitgen(state->bitgen, err);
	if (state->has_uint32 > 1)
		return error_set(err, -EINVAL,
				 "no state of a generator: `has_uint32` is %u, neither 0 nor 1",
				 (unsigned int)state->has_uint32);
	if (state->bitgen == XC_PHILOX && (state->position < 0 || state->position > 4))
		return error_set(err, -EINVAL,
				 "no state of Philox: `position` is %d, not in 0 to 4",
				 state->position);
	if (state->bitgen != XC_PHILOX && !(state->increment[0] & 1))
		return error_set(err, -EINVAL,
				 "no state of a PCG: `increment` is even, so that numbers would "
				 "soon repeat");
	return 0;
}

XC_API int xc_rng_set_state(struct xc_rng *rng, const struct xc_rng_state *state,
			    struct xc_error *err)
{
	int r;

	if (!rng)
		return error_set(err, -EINVAL, "there is no generator to set: `rng` is NULL");
	if (!state)
		return error_set(err, -EINVAL, "there is no state to set: `state` is NULL");
	r = check_state(state, err);
	if (r)
		return r;
	memset(rng, 0, sizeof *rng);
	rng->bitgen = state->bitgen;
	rng->has_half = state->has_uint32;
	rng->half = state->uinteger;
	if (rng->bitgen == XC_PHILOX)
		set_philox(&rng->philox, state);
	else
		set_pcg64(&rng->pcg, state);
	return 0;
}
