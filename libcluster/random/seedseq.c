/* seedseq.c: seed sequences: entropy and spawn keys mixed into a pool of words, from which
 * generators are seeded. numpy's SeedSequence, after M. E. O'Neill's alternative to
 * std::seed_seq. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "libcluster/random/rng.h"
#include "proto/error.h"

#define POOL_DEFAULT 4
/* Mixing takes time in the square of it. */
#define POOL_LIMIT 4096

#define INIT_A 0x43b0d7e5u
#define MULT_A 0x931e8875u
#define INIT_B 0x8b51f9ddu
#define MULT_B 0x58f38dedu
#define MIX_L  0xca01f9ddu
#define MIX_R  0x4973f715u

struct xc_seedseq {
	uint64_t children; /* spawned so far */
	uint32_t pool_size;
	uint32_t hash; /* the running constant after all words */
	size_t entropy_words, key_words;
	uint32_t *entropy, *key, *pool; /* within this allocation */
};

static uint32_t hashmix(uint32_t *hash, uint32_t value)
{
	value ^= *hash;
	*hash *= MULT_A;
	value *= *hash;
	return value ^ value >> 16;
}

static uint32_t mix(uint32_t x, uint32_t y)
{
	uint32_t mixed = MIX_L * x - MIX_R * y;

	return mixed ^ mixed >> 16;
}

/* A word beyond the pool's size. */
static void mix_word(uint32_t *pool, uint32_t pool_size, uint32_t *hash, uint32_t word)
{
	for (uint32_t i = 0; i < pool_size; i++)
		pool[i] = mix(pool[i], hashmix(hash, word));
}

/* The first `count` words, at most the pool's size. */
static void mix_first(uint32_t *pool, uint32_t pool_size, uint32_t *hash, const uint32_t *words,
		      size_t count)
{
	for (uint32_t i = 0; i < pool_size; i++)
		pool[i] = hashmix(hash, i < count ? words[i] : 0);
	for (uint32_t s = 0; s < pool_size; s++)
		for (uint32_t d = 0; d < pool_size; d++)
			if (d != s)
				pool[d] = mix(pool[d], hashmix(hash, pool[s]));
}

/* N.B. entropy shorter than the pool is as if it ended in zeros, also before a key. */
static void fill_pool(struct xc_seedseq *seq)
{
	size_t first = seq->entropy_words < seq->pool_size ? seq->entropy_words : seq->pool_size;

	seq->hash = INIT_A;
	mix_first(seq->pool, seq->pool_size, &seq->hash, seq->entropy, first);
	for (size_t i = first; i < seq->entropy_words; i++)
		mix_word(seq->pool, seq->pool_size, &seq->hash, seq->entropy[i]);
	for (size_t i = 0; i < seq->key_words; i++)
		mix_word(seq->pool, seq->pool_size, &seq->hash, seq->key[i]);
}

/* The words of a child's number: digits to the base of 2^32, at least one. */
static size_t child_words(uint64_t j, uint32_t words[2])
{
	words[0] = (uint32_t)j;
	words[1] = (uint32_t)(j >> 32);
	return words[1] ? 2 : 1;
}

/* Without its pool filled in; NULL without memory. */
static struct xc_seedseq *allocate(size_t entropy_words, size_t key_words, uint32_t pool_size)
{
	struct xc_seedseq *seq;
	size_t words;

	if (__builtin_add_overflow(entropy_words, key_words, &words) ||
	    __builtin_add_overflow(words, pool_size, &words) ||
	    words > (SIZE_MAX / 2 - sizeof *seq) / sizeof *seq->pool)
		return NULL;
	seq = malloc(sizeof *seq + words * sizeof *seq->pool);
	if (!seq)
		return NULL;
	*seq = (struct xc_seedseq){ .pool_size = pool_size,
				    .entropy_words = entropy_words,
				    .key_words = key_words };
	seq->pool = (uint32_t *)(seq + 1);
	seq->entropy = seq->pool + pool_size;
	seq->key = seq->entropy + entropy_words;
	return seq;
}

static void copy_words(uint32_t *to, const uint32_t *from, size_t words)
{
	if (words)
		memcpy(to, from, words * sizeof *to);
}

static int check_new(struct xc_seedseq **seq, const uint32_t *entropy, size_t words,
		     const uint32_t *spawn_key, size_t key_words, size_t pool_size,
		     struct xc_error *err)
{
	if (!seq)
		return error_set(err, -EINVAL, "a seed sequence needs a place: `seq` is NULL");
	if (words && !entropy)
		return error_set(err, -EINVAL,
				 "%zu words of entropy were announced, but `entropy` is NULL",
				 words);
	if (key_words && !spawn_key)
		return error_set(err, -EINVAL,
				 "%zu words of a spawn key were announced, but `spawn_key` is NULL",
				 key_words);
	if (pool_size && (pool_size < POOL_DEFAULT || pool_size > POOL_LIMIT))
		return error_set(err, -EINVAL,
				 "a seed sequence cannot have a pool of %zu words: give %d to %d, "
				 "or 0 for %d",
				 pool_size, POOL_DEFAULT, POOL_LIMIT, POOL_DEFAULT);
	return 0;
}

XC_API int xc_seedseq_new(struct xc_seedseq **seq, const uint32_t *entropy, size_t words,
			  const uint32_t *spawn_key, size_t key_words, size_t pool_size,
			  struct xc_error *err)
{
	struct xc_seedseq *new;
	int r = check_new(seq, entropy, words, spawn_key, key_words, pool_size, err);

	if (r)
		return r;
	new = allocate(words, key_words, pool_size ? (uint32_t)pool_size : POOL_DEFAULT);
	if (!new)
		return error_set(err, -ENOMEM, "no memory for a seed sequence of %zu words",
				 words + key_words);
	copy_words(new->entropy, entropy, words);
	copy_words(new->key, spawn_key, key_words);
	fill_pool(new);
	*seq = new;
	return 0;
}

XC_API int xc_seedseq_of(struct xc_seedseq **seq, uint64_t seed, struct xc_error *err)
{
	uint32_t words[2];

	return xc_seedseq_new(seq, words, child_words(seed, words), NULL, 0, 0, err);
}

XC_API int xc_seedseq_fresh(struct xc_seedseq **seq, struct xc_error *err)
{
	uint32_t words[4];

	/* So few bytes come at once or not at all. */
	if (getrandom(words, sizeof words, 0) != (ssize_t)sizeof words)
		return error_set(
			err, errno ? -errno : -EIO,
			"the system gives no random bytes for a seed: give a seed of your own");
	return xc_seedseq_new(seq, words, 4, NULL, 0, 0, err);
}

XC_API void xc_seedseq_free(struct xc_seedseq *seq)
{
	free(seq);
}

/* NULL without memory. */
static struct xc_seedseq *make_child(const struct xc_seedseq *seq, uint64_t j)
{
	struct xc_seedseq *child;
	uint32_t number[2];
	size_t words = child_words(j, number);

	child = allocate(seq->entropy_words, seq->key_words + words, seq->pool_size);
	if (!child)
		return NULL;
	copy_words(child->entropy, seq->entropy, seq->entropy_words);
	copy_words(child->key, seq->key, seq->key_words);
	copy_words(child->key + seq->key_words, number, words);
	copy_words(child->pool, seq->pool, seq->pool_size);
	child->hash = seq->hash;
	for (size_t i = 0; i < words; i++)
		mix_word(child->pool, child->pool_size, &child->hash, number[i]);
	return child;
}

XC_API int xc_seedseq_child(const struct xc_seedseq *seq, uint64_t j, struct xc_seedseq **child,
			    struct xc_error *err)
{
	struct xc_seedseq *new;

	if (!seq || !child)
		return error_set(err, -EINVAL, "a child of a seed sequence needs %s",
				 seq ? "a place: `child` is NULL" : "its parent: `seq` is NULL");
	new = make_child(seq, j);
	if (!new)
		return error_set(err, -ENOMEM, "no memory for a child of a seed sequence");
	*child = new;
	return 0;
}

/* n of them, or none. */
static int make_children(const struct xc_seedseq *seq, size_t n, struct xc_seedseq **children)
{
	for (size_t i = 0; i < n; i++) {
		children[i] = make_child(seq, seq->children + i);
		if (children[i])
			continue;
		while (i--)
			free(children[i]);
		return -ENOMEM;
	}
	return 0;
}

XC_API int xc_seedseq_spawn(struct xc_seedseq *seq, size_t n, struct xc_seedseq **children,
			    struct xc_error *err)
{
	struct xc_seedseq **made;

	if (!seq)
		return error_set(err, -EINVAL,
				 "children of a seed sequence need their parent: `seq` is NULL");
	if (!n)
		return 0;
	if (!children)
		return error_set(err, -EINVAL,
				 "%zu children of a seed sequence need a place: `children` is NULL",
				 n);
	made = calloc(n, sizeof(*made));
	if (!made || make_children(seq, n, made)) {
		free(made);
		return error_set(err, -ENOMEM, "no memory for %zu children of a seed sequence", n);
	}
	memcpy(children, made, n * sizeof(*made));
	free(made);
	seq->children += n;
	return 0;
}

/* ---- Words ---- */

static size_t give_words(const uint32_t *words, size_t count, uint32_t *out, size_t max)
{
	if (out)
		copy_words(out, words, count < max ? count : max);
	return count;
}

XC_API size_t xc_seedseq_entropy(const struct xc_seedseq *seq, uint32_t *words, size_t max)
{
	return seq ? give_words(seq->entropy, seq->entropy_words, words, max) : 0;
}

XC_API size_t xc_seedseq_spawn_key(const struct xc_seedseq *seq, uint32_t *words, size_t max)
{
	return seq ? give_words(seq->key, seq->key_words, words, max) : 0;
}

XC_API size_t xc_seedseq_pool(const struct xc_seedseq *seq, uint32_t *words, size_t max)
{
	return seq ? give_words(seq->pool, seq->pool_size, words, max) : 0;
}

struct output {
	const uint32_t *pool;
	uint32_t pool_size, next, hash;
};

static inline uint32_t next_word(struct output *output)
{
	uint32_t value = output->pool[output->next] ^ output->hash;

	output->next = output->next + 1 == output->pool_size ? 0 : output->next + 1;
	output->hash *= MULT_B;
	value *= output->hash;
	return value ^ value >> 16;
}

void seedseq_generate32(const uint32_t *pool, uint32_t pool_size, uint32_t *out, size_t n)
{
	struct output output = { pool, pool_size, 0, INIT_B };

	for (size_t i = 0; i < n; i++)
		out[i] = next_word(&output);
}

void seedseq_generate64(const uint32_t *pool, uint32_t pool_size, uint64_t *out, size_t n)
{
	struct output output = { pool, pool_size, 0, INIT_B };

	for (size_t i = 0; i < n; i++) {
		out[i] = next_word(&output);
		out[i] |= (uint64_t)next_word(&output) << 32;
	}
}

XC_API void xc_seedseq_generate32(const struct xc_seedseq *seq, uint32_t *out, size_t n)
{
	if (seq && out)
		seedseq_generate32(seq->pool, seq->pool_size, out, n);
}

XC_API void xc_seedseq_generate64(const struct xc_seedseq *seq, uint64_t *out, size_t n)
{
	if (seq && out)
		seedseq_generate64(seq->pool, seq->pool_size, out, n);
}

/* ---- Prefixes ---- */

const uint32_t *seedseq_pool(const struct xc_seedseq *seq, uint32_t *pool_size)
{
	*pool_size = seq->pool_size;
	return seq->pool;
}

int seedseq_prefix(struct seedseq_prefix *prefix, const struct xc_seedseq *seq)
{
	if (seq->pool_size > SEEDSEQ_POOL_MAX)
		return -EINVAL;
	memset(prefix, 0, sizeof *prefix);
	copy_words(prefix->pool, seq->pool, seq->pool_size);
	prefix->pool_size = seq->pool_size;
	prefix->hash = seq->hash;
	return 0;
}

void seedseq_prefix_child(const struct seedseq_prefix *prefix, uint64_t j, uint32_t *pool)
{
	uint32_t number[2], hash = prefix->hash;
	size_t words = child_words(j, number);

	copy_words(pool, prefix->pool, prefix->pool_size);
	for (size_t i = 0; i < words; i++)
		mix_word(pool, prefix->pool_size, &hash, number[i]);
}
