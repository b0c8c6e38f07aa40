/* test_vectors.c: random numbers against numpy's, bit for bit, through the public calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/random/ziggurat.h"
#include "tests/unit/unit.h"
#include "tests/unit/vectors.h"

/* ---- Seed sequences ---- */

static void expect_words(const char *name, json_t *kase, const struct xc_seedseq *seq)
{
	json_t *expected = vectors_list(kase, name);
	size_t n = json_array_size(expected);
	uint32_t *words = vectors_room(n, sizeof *words);

	xc_seedseq_generate32(seq, words, n);
	vectors_expect_u32(name, expected, words, n);
}

static void expect_wide_words(const char *name, json_t *kase, const struct xc_seedseq *seq)
{
	json_t *expected = vectors_list(kase, name);
	size_t n = json_array_size(expected);
	uint64_t *words = vectors_room(n, sizeof *words);

	xc_seedseq_generate64(seq, words, n);
	vectors_expect_u64(name, expected, words, n);
}

/* `kase`: pool and words of a sequence. */
static void check_seedseq(json_t *kase, const struct xc_seedseq *seq)
{
	size_t n = xc_seedseq_pool(seq, NULL, 0);
	uint32_t *pool = vectors_room(n, sizeof *pool);

	xc_seedseq_pool(seq, pool, n);
	vectors_expect_u32("pool", vectors_member(kase, "pool"), pool, n);
	expect_words("u32", kase, seq);
	expect_wide_words("u64", kase, seq);
	expect_words("u32_19", kase, seq);
}

static const char **paths;
static struct xc_seedseq **nodes;
static size_t node_count, node_room;

static struct xc_seedseq *find_node(const char *path)
{
	for (size_t i = 0; i < node_count; i++)
		if (strcmp(paths[i], path) == 0)
			return nodes[i];
	ck_abort_msg("there is no node %s", path);
	return NULL;
}

static void spawn_children(json_t *call)
{
	json_t *children = vectors_member(call, "children");
	size_t n = json_array_size(children);

	ck_assert_uint_le(node_count + n, node_room);
	ck_assert_int_eq(xc_seedseq_spawn(find_node(vectors_text(call, "node")), n,
					  nodes + node_count, NULL),
			 0);
	for (size_t i = 0; i < n; i++)
		paths[node_count++] = json_string_value(json_array_get(children, i));
}

/* The child is had without its relatives, too: the last number of the path from the node
 * above. */
static void check_lone_child(json_t *node, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);
	struct xc_seedseq *child;

	ck_assert_ptr_nonnull(parent);
	ck_assert_int_eq(xc_seedseq_child(find_node(parent),
					  strtoull(slash ? slash + 1 : path, NULL, 10), &child,
					  NULL),
			 0);
	check_seedseq(node, child);
	xc_seedseq_free(child);
	free(parent);
}

static void check_node(json_t *node)
{
	const char *path = vectors_text(node, "path");
	size_t words = xc_seedseq_spawn_key(find_node(path), NULL, 0);
	uint32_t *key = vectors_room(words, sizeof *key);

	xc_seedseq_spawn_key(find_node(path), key, words);
	vectors_expect_u32("spawn_key", vectors_member(node, "spawn_key"), key, words);
	check_seedseq(node, find_node(path));
	if (*path)
		check_lone_child(node, path);
}

static void check_tree(json_t *kase)
{
	json_t *calls = vectors_member(kase, "calls"), *list = vectors_list(kase, "nodes");

	node_room = json_array_size(list);
	nodes = vectors_room(node_room, sizeof *nodes);
	paths = vectors_room(node_room, sizeof *paths);
	nodes[0] = vectors_seedseq(vectors_member(kase, "entropy"), NULL,
				   vectors_member(kase, "pool_size"));
	paths[0] = "";
	node_count = 1;
	for (size_t i = 0; i < json_array_size(calls); i++)
		spawn_children(json_array_get(calls, i));
	ck_assert_uint_eq(json_array_size(list), node_count);
	for (size_t i = 0; i < json_array_size(list); i++)
		check_node(json_array_get(list, i));
	while (node_count)
		xc_seedseq_free(nodes[--node_count]);
}

static void check_seedseq_case(json_t *file, json_t *kase)
{
	struct xc_seedseq *seq;

	(void)file;
	if (strcmp(vectors_text(kase, "kind"), "spawn") == 0) {
		check_tree(kase);
		return;
	}
	seq = vectors_seedseq(vectors_member(kase, "entropy"), vectors_member(kase, "spawn_key"),
			      vectors_member(kase, "pool_size"));
	check_seedseq(kase, seq);
	xc_seedseq_free(seq);
}

START_TEST(seed_sequences_and_their_children_give_the_words_of_numpys)
{
	vectors_run("seedseq.json", check_seedseq_case);
}
END_TEST

/* ---- Bit generators ---- */

static struct xc_rng *copy_of(const struct xc_rng *rng)
{
	struct xc_rng *copy;

	ck_assert_int_eq(xc_rng_copy(&copy, rng, NULL), 0);
	return copy;
}

static void expect_raw(const char *what, json_t *expected, struct xc_rng *rng)
{
	size_t n = json_array_size(expected);
	uint64_t *words = vectors_room(n, sizeof *words);

	xc_rng_fill(rng, words, n);
	vectors_expect_u64(what, expected, words, n);
}

static void expect_next32(const char *what, json_t *expected, struct xc_rng *rng)
{
	size_t n = json_array_size(expected);
	uint32_t *words = vectors_room(n, sizeof *words);

	for (size_t i = 0; i < n; i++)
		words[i] = xc_rng_next32(rng);
	vectors_expect_u32(what, expected, words, n);
}

static void check_outputs(json_t *kase, const struct xc_rng *start)
{
	json_t *reals = vectors_list(kase, "random");
	size_t n = json_array_size(reals);
	double *values = vectors_room(n, sizeof *values);
	struct xc_rng *rng = copy_of(start);

	expect_raw("raw", vectors_list(kase, "raw"), rng);
	vectors_expect_state("after_raw", vectors_member(kase, "after_raw"), rng);
	xc_rng_free(rng);
	rng = copy_of(start);
	xc_random_fill(rng, values, n);
	vectors_expect_doubles("random", reals, values, n);
	xc_rng_free(rng);
	rng = copy_of(start);
	expect_next32("next_uint32", vectors_list(kase, "next_uint32"), rng);
	vectors_expect_state("after_next_uint32", vectors_member(kase, "after_next_uint32"), rng);
	xc_rng_free(rng);
}

static void advance(struct xc_rng *rng, json_t *move)
{
	uint64_t delta[VECTORS_WORDS];

	vectors_number(vectors_text(move, "delta"), delta);
	ck_assert_int_eq(xc_rng_advance(rng, delta, VECTORS_WORDS, NULL), 0);
}

static void check_advances(json_t *moves, const struct xc_rng *start)
{
	for (size_t i = 0; i < json_array_size(moves); i++) {
		json_t *move = json_array_get(moves, i);
		struct xc_rng *rng = copy_of(start);

		advance(rng, move);
		vectors_expect_state("advance", vectors_member(move, "after"), rng);
		expect_raw("raw after advance", vectors_list(move, "raw"), rng);
		xc_rng_free(rng);
	}
}

static void check_advance_buffered(json_t *move, const struct xc_rng *start)
{
	bool philox = json_object_get(move, "pre_raw") != NULL;
	struct xc_rng *rng = copy_of(start);

	if (philox)
		expect_raw("pre_raw", vectors_list(move, "pre_raw"), rng);
	else
		expect_next32("next_uint32", vectors_list(move, "next_uint32"), rng);
	vectors_expect_state("before", vectors_member(move, "before"), rng);
	advance(rng, move);
	vectors_expect_state("advance_buffered", vectors_member(move, "after"), rng);
	if (philox)
		expect_raw("raw", vectors_list(move, "raw"), rng);
	else
		expect_next32("then_uint32", vectors_list(move, "then_uint32"), rng);
	xc_rng_free(rng);
}

/* The source is let go. */
static struct xc_rng *jumped(struct xc_rng *rng, json_t *jumps)
{
	struct xc_rng *copy;

	ck_assert_int_eq(xc_rng_jumped(&copy, rng, vectors_u64(jumps), NULL), 0);
	xc_rng_free(rng);
	return copy;
}

static void check_jumps(json_t *moves, const struct xc_rng *start)
{
	for (size_t i = 0; i < json_array_size(moves); i++) {
		json_t *move = json_array_get(moves, i);
		struct xc_rng *rng = jumped(copy_of(start), vectors_member(move, "jumps"));

		vectors_expect_state("jumped", vectors_member(move, "after"), rng);
		expect_raw("raw after jumped", vectors_list(move, "raw"), rng);
		xc_rng_free(rng);
	}
}

static void check_jumped_buffered(json_t *move, const struct xc_rng *start)
{
	json_t *chain = vectors_member(move, "chain"), *pre = json_object_get(move, "pre");
	struct xc_rng *rng = copy_of(start), *original;

	for (int i = 0; i < (pre ? json_integer_value(pre) : 3); i++) {
		if (pre)
			xc_rng_next64(rng);
		else
			xc_rng_next32(rng);
	}
	original = copy_of(rng);
	for (size_t i = 0; i < json_array_size(chain); i++)
		rng = jumped(rng, json_array_get(chain, i));
	vectors_expect_state("original", vectors_member(move, "original"), original);
	vectors_expect_state("jumped_buffered", vectors_member(move, "after"), rng);
	expect_raw("raw", vectors_list(move, "raw"), rng);
	xc_rng_free(original);
	xc_rng_free(rng);
}

/* Philox by its key and counter. */
static struct xc_rng *keyed_generator(json_t *kase)
{
	uint64_t counter[VECTORS_WORDS], key[VECTORS_WORDS];
	struct xc_rng *rng;

	vectors_number(vectors_text(kase, "counter"), counter);
	vectors_number(vectors_text(kase, "key"), key);
	ck_assert_int_eq(xc_rng_philox(&rng, counter, key, NULL), 0);
	return rng;
}

static void check_seed_words(json_t *kase)
{
	json_t *seed = vectors_member(kase, "seed");
	struct xc_seedseq *seq =
		vectors_seedseq(vectors_member(seed, "entropy"), vectors_member(seed, "spawn_key"),
				vectors_member(seed, "pool_size"));

	expect_wide_words("seed_words", kase, seq);
	xc_seedseq_free(seq);
}

static void check_bitgen(json_t *file, json_t *kase)
{
	struct xc_rng *start;

	(void)file;
	start = json_object_get(kase, "key") ? keyed_generator(kase) : vectors_generator(kase);
	if (json_object_get(kase, "seed_words"))
		check_seed_words(kase);
	vectors_expect_state("initial", vectors_member(kase, "initial"), start);
	check_outputs(kase, start);
	check_advances(vectors_list(kase, "advance"), start);
	check_advance_buffered(vectors_member(kase, "advance_buffered"), start);
	check_jumps(vectors_list(kase, "jumped"), start);
	check_jumped_buffered(vectors_member(kase, "jumped_buffered"), start);
	vectors_expect_state("initial, at the end", vectors_member(kase, "initial"), start);
	xc_rng_free(start);
}

START_TEST(bit_generators_draw_advance_and_jump_as_numpys)
{
	static const char *const files[] = { "pcg64.json", "pcg64dxsm.json", "philox.json" };

	vectors_run(files[_i], check_bitgen);
}
END_TEST

/* ---- Ziggurats ---- */

static void check_table(json_t *file, json_t *kase)
{
	bool normal = strcmp(vectors_text(kase, "name"), "normal") == 0;
	const struct ziggurat_layer *layers =
		normal ? ziggurat_normal_layers : ziggurat_exponential_layers;
	uint64_t k[256];
	double w[256];

	(void)file;
	for (int i = 0; i < 256; i++) {
		k[i] = layers[i].k;
		w[i] = layers[i].w;
	}
	vectors_expect_u64("k", vectors_member(kase, "k"), k, 256);
	vectors_expect_doubles("w", vectors_member(kase, "w"), w, 256);
	vectors_expect_doubles("f", vectors_member(kase, "f"),
			       normal ? ziggurat_normal_edges : ziggurat_exponential_edges, 256);
}

START_TEST(tables_of_the_ziggurats_are_numpys)
{
	vectors_run("ziggurat_tables.json", check_table);
}
END_TEST

struct checksum {
	uint64_t n, sum, xor, poly;
};

static void sum_up(struct checksum *checksum, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	checksum->n++;
	checksum->sum += bits;
	checksum->xor ^= bits;
	checksum->poly = checksum->poly * 6364136223846793005u + bits;
}

static void expect_checksum(const char *what, json_t *expected, const struct checksum *checksum)
{
	if ((uint64_t)json_integer_value(vectors_member(expected, "n")) != checksum->n ||
	    vectors_u64(vectors_member(expected, "sum")) != checksum->sum ||
	    vectors_u64(vectors_member(expected, "xor")) != checksum->xor ||
	    vectors_u64(vectors_member(expected, "poly")) != checksum->poly)
		vectors_fail("the checksum of %s differs", what);
}

struct tails {
	struct checksum all, body;
	json_t *expected;
	double start;
	size_t count;
};

static void take_draw(struct tails *tails, double value)
{
	json_t *tail;

	sum_up(&tails->all, value);
	if (value <= tails->start && value >= -tails->start) {
		sum_up(&tails->body, value);
		return;
	}
	tail = json_array_get(tails->expected, tails->count++);
	if (!tail)
		return;
	vectors_expect_double("tail", vectors_member(tail, "value"), value);
	if ((uint64_t)json_integer_value(vectors_member(tail, "index")) + 1 != tails->all.n)
		vectors_fail("a draw of the tail came at %llu",
			     (unsigned long long)tails->all.n - 1);
}

/* Draws on to each of the numbers of draws in turn. */
static void check_checksums(json_t *kase, json_t *checksums, double start,
			    double (*draw)(struct xc_rng *))
{
	struct tails tails = { .start = start, .expected = vectors_member(kase, "tail") };
	struct xc_rng *rng = vectors_generator(kase);

	for (size_t i = 0; i < json_array_size(checksums); i++) {
		json_t *sums = json_array_get(checksums, i);

		while ((json_int_t)tails.all.n < json_integer_value(vectors_member(sums, "draws")))
			take_draw(&tails, draw(rng));
		expect_checksum("all", vectors_member(sums, "all"), &tails.all);
		expect_checksum("body", vectors_member(sums, "body"), &tails.body);
		if ((size_t)json_integer_value(vectors_member(sums, "tail_count")) != tails.count)
			vectors_fail("%zu draws are of the tail", tails.count);
		vectors_expect_state("checksums", vectors_member(sums, "after"), rng);
	}
	xc_rng_free(rng);
}

static void check_draws(json_t *file, json_t *kase)
{
	bool normal = strcmp(vectors_text(kase, "dist"), "standard_normal") == 0;
	json_t *expected = vectors_list(kase, "values");
	json_t *checksums = json_object_get(kase, "checksums");
	double (*draw)(struct xc_rng *) = normal ? xc_standard_normal : xc_standard_exponential;
	size_t n = json_array_size(expected);
	struct xc_rng *rng = vectors_generator(kase);
	double *values = vectors_room(n, sizeof *values);

	if (normal)
		xc_standard_normal_fill(rng, values, n);
	else
		xc_standard_exponential_fill(rng, values, n);
	vectors_expect_doubles("values", expected, values, n);
	vectors_expect_state("after_values", vectors_member(kase, "after_values"), rng);
	xc_rng_free(rng);
	if (checksums)
		check_checksums(kase, checksums, strtod(vectors_text(file, "tail_start"), NULL),
				draw);
}

START_TEST(normals_and_exponentials_are_numpys_also_in_the_tails)
{
	static const char *const files[] = { "normal.json", "exponential.json" };

	vectors_run(files[_i], check_draws);
}
END_TEST

/* ---- Sequences of operations ---- */

static const char *const sequences[] = {
	"integers.json", "reals.json", "permute.json", "bytes.json", "mixed.json",
};

START_TEST(sequences_of_draws_are_numpys_and_leave_the_same_state)
{
	vectors_run(sequences[_i], vectors_check_sequence);
}
END_TEST

/* ---- The tutorial's streams ---- */

/* A child of the sequence, or the generator of the sequence, jumped. */
static struct xc_rng *stream(json_t *kase)
{
	struct xc_seedseq *seq = vectors_seedseq(vectors_member(kase, "entropy"), NULL, NULL),
			  *child;
	bool spawned = strcmp(vectors_text(kase, "variant"), "spawn") == 0;
	uint64_t index = vectors_count(kase, "index");
	struct xc_rng *rng;

	if (spawned) {
		ck_assert_int_eq(xc_seedseq_child(seq, index, &child, NULL), 0);
		xc_seedseq_free(seq);
		seq = child;
	}
	ck_assert_int_eq(xc_rng_from(&rng, XC_PCG64, seq, NULL), 0);
	xc_seedseq_free(seq);
	return spawned ? rng : jumped(rng, vectors_member(kase, "jumps"));
}

static void check_tutorial(json_t *file, json_t *kase)
{
	json_t *first = vectors_list(kase, "first"), *last = vectors_list(kase, "last");
	size_t n = vectors_count(file, "size");
	double *values = vectors_room(n, sizeof *values);
	struct xc_rng *rng = stream(kase);
	struct checksum bits = { .n = 0 };

	ck_assert_uint_ge(n, json_array_size(first) + json_array_size(last));
	vectors_expect_state("initial", vectors_member(kase, "initial"), rng);
	xc_standard_normal_fill(rng, values, n);
	vectors_expect_doubles("first", first, values, json_array_size(first));
	vectors_expect_doubles("last", last, values + n - json_array_size(last),
			       json_array_size(last));
	for (size_t i = 0; i < n; i++)
		sum_up(&bits, values[i]);
	expect_checksum("bits", vectors_member(kase, "bits"), &bits);
	vectors_expect_double("mean", vectors_member(vectors_member(kase, "mean"), "hex"),
			      xc_mean(values, n));
	vectors_expect_double("std", vectors_member(vectors_member(kase, "std"), "hex"),
			      xc_std(values, n));
	vectors_expect_state("after", vectors_member(kase, "after"), rng);
	xc_rng_free(rng);
}

START_TEST(streams_of_the_tutorial_have_its_means_and_deviations)
{
	vectors_run("tutorial.json", check_tutorial);
}
END_TEST

/* N.B. all in this process, where the cases are counted. */
int main(void)
{
	TCase *tcase = tcase_create("vectors");
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	setenv("CK_FORK", "no", 1);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, seed_sequences_and_their_children_give_the_words_of_numpys);
	tcase_add_loop_test(tcase, bit_generators_draw_advance_and_jump_as_numpys, 0, 3);
	tcase_add_test(tcase, tables_of_the_ziggurats_are_numpys);
	tcase_add_loop_test(tcase, normals_and_exponentials_are_numpys_also_in_the_tails, 0, 2);
	tcase_add_loop_test(tcase, sequences_of_draws_are_numpys_and_leave_the_same_state, 0, 5);
	tcase_add_test(tcase, streams_of_the_tutorial_have_its_means_and_deviations);
	failed = unit_run(tcase);
	return vectors_total() ? failed : EXIT_FAILURE;
}
