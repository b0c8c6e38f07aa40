/* streams.c: which random stream an item draws from: said by the client, made where the
 * item runs. */
#include "libcluster/streams.h"

#include <errno.h>
#include <string.h>

#include "proto/error.h"

_Static_assert(SEEDSEQ_POOL_MAX == POOL_WORDS_MAX, "a frame has room for any such pool");

/* ---- Where the job is submitted --------------------------------------------------- */

int xci_streams_check(const struct xc_map_options *o, struct xc_error *err)
{
	struct seedseq_prefix prefix;

	if (o->bitgen != XC_PCG64 && o->bitgen != XC_PCG64DXSM && o->bitgen != XC_PHILOX)
		return error_set(err, -EINVAL,
				 "options.bitgen is neither XC_PCG64, XC_PCG64DXSM nor XC_PHILOX");
	if (o->streams != XC_SPAWNED && o->streams != XC_JUMPED)
		return error_set(err, -EINVAL,
				 "options.streams is neither XC_SPAWNED nor XC_JUMPED");
	if (o->seed && o->seed_sequence)
		return error_set(err, -EINVAL,
				 "both options.seed and options.seed_sequence are given: set one "
				 "to zero");
	if (!o->seed && !o->seed_sequence && (o->bitgen != XC_PCG64 || o->streams != XC_SPAWNED))
		return error_set(err, -EINVAL,
				 "options.%s is given, but neither options.seed (0 is none: for "
				 "seed 0 use xc_seedseq_of) nor options.seed_sequence",
				 o->streams != XC_SPAWNED ? "streams" : "bitgen");
	if (o->seed_sequence && seedseq_prefix(&prefix, o->seed_sequence) < 0)
		return error_set(err, -EINVAL,
				 "options.seed_sequence has a pool of more than %d words: make it "
				 "with a pool_size up to that",
				 POOL_WORDS_MAX);
	return 0;
}

static void put_word(unsigned char *bytes, uint32_t word)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(word >> 8 * i);
}

static uint32_t get_word(const unsigned char *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* Of the sequence that the options name: 0 or -ENOMEM. */
static int prefix_of(const struct xc_map_options *o, struct seedseq_prefix *prefix)
{
	struct xc_seedseq *own = NULL;
	int r = o->seed_sequence ? 0 : xc_seedseq_of(&own, o->seed, NULL);

	if (r == 0)
		r = seedseq_prefix(prefix, own ? own : o->seed_sequence);
	xc_seedseq_free(own);
	return r;
}

int xci_streams_ask(const struct xc_map_options *o, int64_t first, bool same,
		    struct task_frame *task, unsigned char *pool)
{
	struct seedseq_prefix prefix;
	int r;

	if (!o->seed && !o->seed_sequence)
		return 0;
	r = prefix_of(o, &prefix);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < prefix.pool_size; i++)
		put_word(pool + 4 * i, prefix.pool[i]);
	task->streams = o->streams == XC_JUMPED ? STREAMS_JUMPED : STREAMS_SPAWNED;
	task->bitgen = o->bitgen;
	task->stream_first = first;
	task->stream_step = !same;
	task->pool_hash = prefix.hash;
	task->pool = (struct span){ pool, 4 * (size_t)prefix.pool_size };
	return 0;
}

bool xci_streams_are(const struct task_frame *task, const struct xc_map_options *o)
{
	unsigned char pool[STREAMS_POOL_BYTES];
	struct task_frame asked = { .pool = { NULL, 0 } };

	return xci_streams_ask(o, task->stream_first, !task->stream_step, &asked, pool) == 0 &&
	       asked.streams == task->streams && asked.bitgen == task->bitgen &&
	       asked.pool_hash == task->pool_hash && asked.pool.size == task->pool.size &&
	       memcmp(pool, task->pool.data, asked.pool.size) == 0;
}

/* ---- Where the item runs ------------------------------------------------------------ */

static bool is_pcg(const struct streams *streams)
{
	return streams->base.bitgen != XC_PHILOX;
}

static void find_jump(struct streams *streams)
{
	struct xc_rng zero = streams->base, one = streams->base;

	streams->at = 0;
	streams->origin = streams->base.pcg.state;
	zero.pcg.state = 0;
	one.pcg.state = 1;
	rng_jump(&zero, 1);
	rng_jump(&one, 1);
	streams->jump_c = zero.pcg.state;
	streams->jump_a = one.pcg.state - zero.pcg.state;
}

static void begin(struct streams *streams, const struct task_frame *task)
{
	struct seedseq_prefix *prefix = &streams->prefix;

	prefix->pool_size = (uint32_t)(task->pool.size / 4);
	prefix->hash = (uint32_t)task->pool_hash;
	for (uint32_t i = 0; i < prefix->pool_size; i++)
		prefix->pool[i] = get_word((const unsigned char *)task->pool.data + 4 * i);
	streams->is_ready = true;
	if (task->streams != STREAMS_JUMPED)
		return;
	rng_seed_pool(&streams->base, (enum xc_bitgen)task->bitgen, prefix->pool,
		      prefix->pool_size);
	if (is_pcg(streams))
		find_jump(streams);
}

/* Moves the base to stream `number`: in a step for each digit of the number of jumps, where
 * rng_jump takes one for each of the distance's 128. */
static void move_base(struct streams *streams, uint64_t number)
{
	uint128 a = streams->jump_a, c = streams->jump_c, state = streams->base.pcg.state;

	if (number < streams->at) {
		state = streams->origin;
		streams->at = 0;
	}
	for (uint64_t jumps = number - streams->at; jumps; jumps >>= 1) {
		if (jumps & 1)
			state = a * state + c;
		c *= a + 1;
		a *= a;
	}
	streams->base.pcg.state = state;
	streams->at = number;
}

void streams_seed(struct streams *streams, const struct task_frame *task, int64_t item,
		  struct xc_rng *rng)
{
	uint64_t number =
		(uint64_t)task->stream_first + (uint64_t)item * (uint64_t)task->stream_step;

	if (!streams->is_ready)
		begin(streams, task);
	if (task->streams == STREAMS_SPAWNED) {
		rng_seed_child(rng, (enum xc_bitgen)task->bitgen, &streams->prefix, number);
		return;
	}
	if (is_pcg(streams))
		move_base(streams, number);
	*rng = streams->base;
	if (!is_pcg(streams))
		rng_jump(rng, number);
}
