/* seeds.c: random streams of items: the same bits on any number of engines, in any pieces,
 * at each attempt, again, in streams, batches and without a cluster; and numpy's. */
#include "tests/support/support.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENGINES 7
#define N	300

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;
static const int sizes[] = { 1, 2, 3, ENGINES };
#define SIZES ((int)(sizeof sizes / sizeof sizes[0]))

/* The same tests on a cluster and without one. */
static const char *const places[] = { NULL, "inline:7" };

static void connect_client(void)
{
	client = open_client(ENGINES);
}

static void close_client(void)
{
	xc_close(client);
	client = NULL;
}

static void open_at(const char *place)
{
	if (!place) {
		connect_client();
		return;
	}
	setenv("XCLUSTER", place, 1);
	assert_ok(xc_open(&client, NULL, &err), err);
	unsetenv("XCLUSTER");
}

/* ---- Draws -------------------------------------------------------------------------- */

/* Of each kind of word, with a half one kept in between. */
struct drawn {
	uint64_t half, normal, word, other_half;
};

static void draw_from(struct xc_rng *rng, struct drawn *drawn)
{
	double normal;

	drawn->half = xc_rng_next32(rng);
	normal = xc_standard_normal(rng);
	memcpy(&drawn->normal, &normal, sizeof normal);
	drawn->word = xc_rng_next64(rng);
	drawn->other_half = xc_rng_next32(rng);
}

static int draw(struct xc_task *task, const void *in, void *out)
{
	struct xc_rng *rng = xc_task_rng(task);

	(void)in;
	if (!rng)
		return XC_TASK_FAILED;
	draw_from(rng, out);
	return 0;
}

static int draw_and_return(struct xc_task *task, const void *in, void *out)
{
	struct drawn drawn;

	(void)out;
	return draw(task, in, &drawn) || xc_task_return(task, &drawn, sizeof drawn) < 0;
}

/* All draws of the last attempt are those of the first. */
static int draw_at_third(struct xc_task *task, const void *in, void *out)
{
	int r = draw(task, in, out);

	if (r == 0 && xc_task_attempt(task) < 3 && xc_task_index(task) % 3 == 0)
		return 7;
	if (r == 0 && xc_task_attempt(task) == 1 && xc_task_index(task) % 150 == 1)
		raise(SIGKILL);
	return r;
}

/* A second call goes on where the first one is. */
static int draw_in_calls(struct xc_task *task, const void *in, void *out)
{
	struct drawn *drawn = out;
	double normal;

	(void)in;
	drawn->half = xc_rng_next32(xc_task_rng(task));
	normal = xc_standard_normal(xc_task_rng(task));
	memcpy(&drawn->normal, &normal, sizeof normal);
	drawn->word = xc_rng_next64(xc_task_rng(task));
	drawn->other_half = xc_rng_next32(xc_task_rng(task));
	return 0;
}

static int draw_if_odd(struct xc_task *task, const void *in, void *out)
{
	return xc_task_index(task) % 2 ? draw(task, in, out) : 0;
}

/* What items 0 to n - 1 are to draw, one by one. */
static const struct drawn *expected(const struct xc_map_options *o, int64_t n)
{
	static struct drawn drawn[10 * N];
	struct xc_seedseq *seq = NULL, *child = NULL;
	struct xc_rng *rng, *base = NULL;

	ck_assert_int_le(n, 10 * N);
	assert_ok(xc_seedseq_of(&seq, o->seed, &err), err);
	assert_ok(xc_rng_from(&base, o->bitgen, o->seed_sequence ? o->seed_sequence : seq, &err),
		  err);
	for (int64_t i = 0; i < n; i++) {
		uint64_t j = (uint64_t)i;
		int r;

		if (o->streams == XC_JUMPED) {
			r = xc_rng_jumped(&rng, base, j, &err);
		} else {
			r = xc_seedseq_child(o->seed_sequence ? o->seed_sequence : seq, j, &child,
					     &err);
			r = r < 0 ? r : xc_rng_from(&rng, o->bitgen, child, &err);
			xc_seedseq_free(child);
			child = NULL;
		}
		assert_ok(r, err);
		draw_from(rng, &drawn[i]);
		xc_rng_free(rng);
	}
	xc_rng_free(base);
	xc_seedseq_free(seq);
	return drawn;
}

static void assert_drawn(const struct drawn *drawn, const struct drawn *wanted, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (memcmp(&drawn[i], &wanted[i], sizeof drawn[i]) != 0)
			ck_abort_msg("item %lld of %lld has drawn %llx, not %llx", (long long)i,
				     (long long)n, (unsigned long long)drawn[i].word,
				     (unsigned long long)wanted[i].word);
}

/* ---- Maps ---------------------------------------------------------------------------- */

static void run_maps(const struct xc_view *view, struct xc_map_options o)
{
	static struct drawn out[N];
	struct xc_bytes items[N] = { { NULL, 0 } };
	const struct drawn *wanted = expected(&o, N);

	memset(out, 0, sizeof out);
	assert_ok(xc_map_range(view, draw, N, out, sizeof out[0], &o, &err), err);
	assert_drawn(out, wanted, N);
	o.start = 1000;
	o.step = -3;
	o.chunk = 7;
	memset(out, 0, sizeof out);
	assert_ok(xc_map_range(view, draw_in_calls, N, out, sizeof out[0], &o, &err), err);
	assert_drawn(out, wanted, N);
	o.chunk = 1;
	memset(out, 0, sizeof out);
	assert_ok(xc_map(view, draw, wanted, sizeof *wanted, N, out, sizeof out[0], &o, &err), err);
	assert_drawn(out, wanted, N);
	o.chunk = 100;
	memset(out, 0, sizeof out);
	assert_ok(xc_map_packed(view, draw, items, N, out, sizeof out[0], &o, &err), err);
	assert_drawn(out, wanted, N);
}

START_TEST(every_item_draws_from_its_own_child_however_many_engines_there_are)
{
	struct xc_map_options o = { .seed = UINT64_C(0x123456789abcdef0) };
	const struct xc_view *view;
	int ids[ENGINES];

	open_at(places[_i]);
	ck_assert_int_eq(xc_engine_ids(client, ids, ENGINES), ENGINES);
	for (int i = 0; i < SIZES; i++) {
		assert_ok(xc_balanced_over(client, ids, sizes[i], &view, &err), err);
		run_maps(view, o);
		assert_ok(xc_engines(client, ids, sizes[i], &view, &err), err);
		run_maps(view, o);
	}
	close_client();
}
END_TEST

START_TEST(every_generator_can_be_spawned_and_jumped)
{
	static const enum xc_bitgen bitgens[] = { XC_PCG64, XC_PCG64DXSM, XC_PHILOX };
	struct xc_map_options o = { .seed = 3 };

	open_at(places[_i]);
	for (int b = 0; b < 3; b++)
		for (int streams = XC_SPAWNED; streams <= XC_JUMPED; streams++) {
			o.bitgen = bitgens[b];
			o.streams = (enum xc_streams)streams;
			run_maps(xc_balanced(client), o);
		}
	close_client();
}
END_TEST

START_TEST(seed_sequences_of_any_entropy_key_and_pool_seed_a_map)
{
	static const uint32_t entropy[] = { 1, 2, 3, 4, 5, 6, 7, 0, 9 }, key[] = { 8, 0, 1 };
	static const size_t pools[] = { 0, 4, 5, 64 };
	struct xc_seedseq *seq = NULL, *children[2];
	struct xc_map_options o = { .bitgen = XC_PCG64 };

	open_at(places[_i]);
	for (size_t words = 0; words <= 9; words += 3)
		for (int p = 0; p < 4; p++) {
			assert_ok(xc_seedseq_new(&seq, entropy, words, key, p % 4, pools[p], &err),
				  err);
			/* Having spawned makes no difference. */
			assert_ok(xc_seedseq_spawn(seq, 2, children, &err), err);
			o.seed_sequence = seq;
			o.streams = p % 2 ? XC_JUMPED : XC_SPAWNED;
			run_maps(xc_balanced(client), o);
			o.seed_sequence = children[1];
			run_maps(xc_balanced(client), o);
			for (int i = 0; i < 2; i++)
				xc_seedseq_free(children[i]);
			xc_seedseq_free(seq);
		}
	close_client();
}
END_TEST

/* The generator of the item before is not handed on. */
START_TEST(items_that_do_not_ask_change_nothing)
{
	static struct drawn out[N];
	struct xc_map_options o = { .seed = 11 };
	const struct drawn *wanted = expected(&o, N), none = { 0 };

	open_at(places[_i]);
	assert_ok(xc_map_range(xc_balanced(client), draw_if_odd, N, out, sizeof out[0], &o, &err),
		  err);
	for (int i = 0; i < N; i++)
		assert_drawn(&out[i], i % 2 ? &wanted[i] : &none, 1);
	close_client();
}
END_TEST

START_TEST(a_later_attempt_draws_the_same_numbers)
{
	static struct drawn out[N];
	struct xc_map_options o = { .seed = 5, .max_attempts = 3 };

	connect_client();
	for (int streams = XC_SPAWNED; streams <= XC_JUMPED; streams++) {
		o.streams = (enum xc_streams)streams;
		memset(out, 0, sizeof out);
		assert_ok(xc_map_range(xc_balanced(client), draw_at_third, N, out, sizeof out[0],
				       &o, &err),
			  err);
		assert_drawn(out, expected(&o, N), N);
	}
	close_client();
}
END_TEST

START_TEST(without_a_seed_a_task_is_told_how_to_give_one)
{
	static struct drawn out[N];
	struct xc_result *result;
	struct xc_failure f;

	open_at(places[_i]);
	result = xc_map_range_async(xc_balanced(client), draw, N, out, sizeof out[0], NULL, &err);
	ck_assert_ptr_nonnull(result);
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "options.seed_sequence");
	f = failure_of(result, N - 1);
	ck_assert_int_eq(f.state, XC_FAILED);
	ck_assert_ptr_nonnull(strstr(f.text, "this job has no random streams"));
	xc_result_destroy(result);
	close_client();
}
END_TEST

/* ---- Apply --------------------------------------------------------------------------- */

START_TEST(an_apply_on_a_direct_view_draws_by_its_engines_place)
{
	struct drawn out[ENGINES];
	struct xc_map_options o = { .seed = 17 };

	open_at(places[_i]);
	assert_ok(xc_apply(xc_all(client), draw, NULL, 0, out, sizeof out[0], &o, &err), err);
	assert_drawn(out, expected(&o, ENGINES), ENGINES);
	close_client();
}
END_TEST

/* However they go together, each is item 0 of its own job. */
START_TEST(each_of_many_applies_draws_from_child_0_of_its_own_seed)
{
	static struct drawn out[N];
	static struct xc_result *results[N];
	struct xc_seedseq *seq = NULL;

	open_at(places[_i]);
	for (int i = 0; i < N; i++) {
		struct xc_map_options o = { .seed = 1 + (uint64_t)(i / 20) };

		if (i >= N / 2) { /* N.B. often the same address, whatever is in it */
			assert_ok(xc_seedseq_of(&seq, o.seed, &err), err);
			o.seed = 0;
			o.seed_sequence = seq;
		}
		results[i] = xc_apply_async(xc_balanced(client), draw, &i, i % 3 ? sizeof i : 0,
					    &out[i], sizeof out[i], &o, &err);
		ck_assert_msg(results[i] != NULL, "%s", err.text);
		xc_seedseq_free(seq);
		seq = NULL;
	}
	for (int i = 0; i < N; i++) {
		struct xc_map_options o = { .seed = 1 + (uint64_t)(i / 20) };

		assert_ok(xc_wait(results[i], LIMIT, &err), err);
		xc_result_destroy(results[i]);
		assert_drawn(&out[i], expected(&o, 1), 1);
	}
	close_client();
}
END_TEST

/* ---- Jobs by id ----------------------------------------------------------------------- */

START_TEST(a_job_that_runs_again_draws_the_same_numbers)
{
	static struct drawn out[N];
	char map[XC_JOB_ID_SIZE], single[XC_JOB_ID_SIZE];
	struct xc_map_options o = { .seed = 23, .streams = XC_JUMPED };
	struct xc_result *result;

	open_at(places[_i]);
	result = xc_map_range_async(xc_balanced(client), draw, N, out, sizeof out[0], &o, &err);
	ck_assert_ptr_nonnull(result);
	ck_assert_int_eq(xc_result_id(result, map), 0);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	result = xc_apply_async(xc_balanced(client), draw, NULL, 0, out, sizeof out[0], &o, &err);
	ck_assert_ptr_nonnull(result);
	ck_assert_int_eq(xc_result_id(result, single), 0);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	memset(out, 0, sizeof out);
	result = xc_resubmit(client, map, out, sizeof out, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	assert_drawn(out, expected(&o, N), N);
	memset(out, 0, sizeof out);
	result = xc_resubmit(client, single, out, sizeof out, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	assert_drawn(out, expected(&o, 1), 1);
	close_client();
}
END_TEST

START_TEST(a_job_that_outlives_its_client_draws_the_same_numbers)
{
	static struct drawn out[N];
	char id[XC_JOB_ID_SIZE];
	struct xc_seedseq *seq = NULL;
	struct xc_map_options o = { .on_disconnect = XC_DISCONNECT_KEEP };
	struct xc_result *result;

	connect_client();
	assert_ok(xc_seedseq_of(&seq, 0, &err), err);
	o.seed_sequence = seq;
	result = xc_map_range_async(xc_balanced(client), draw, N, out, sizeof out[0], &o, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(xc_result_id(result, id), 0);
	xc_result_destroy(result);
	close_client();
	connect_client();
	memset(out, 0, sizeof out);
	result = xc_attach(client, id, out, sizeof out, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	assert_drawn(out, expected(&o, N), N);
	xc_seedseq_free(seq);
	close_client();
}
END_TEST

/* ---- Streams of items -------------------------------------------------------------------- */

struct flow {
	int64_t left, given;
	const struct drawn *wanted;
};

static int next_item(void *argument, struct xc_bytes *item)
{
	struct flow *flow = argument;

	*item = (struct xc_bytes){ "some bytes", (size_t)(flow->left % 10) };
	return --flow->left >= 0;
}

static int give_item(void *argument, int64_t index, enum xc_state state, const void *data,
		     size_t size)
{
	struct flow *flow = argument;

	if (state != XC_OK || size != sizeof(struct drawn))
		ck_abort_msg("item %lld: state %d, %zu bytes", (long long)index, state, size);
	if (memcmp(data, &flow->wanted[index], size) != 0)
		ck_abort_msg("item %lld has drawn other numbers", (long long)index);
	flow->given++;
	return 0;
}

START_TEST(items_of_a_stream_draw_by_their_place_in_all_of_it)
{
	struct xc_map_options o = { .seed = 29 };
	struct xc_stream_options stream = { .window_items = 40 };

	open_at(places[_i]);
	for (int streams = XC_SPAWNED; streams <= XC_JUMPED; streams++) {
		o.streams = (enum xc_streams)streams;
		for (int direct = 0; direct < 2; direct++) {
			struct flow flow = { .left = 10 * N, .wanted = expected(&o, 10 * N) };

			stream.out_size = direct ? sizeof(struct drawn) : 0;
			assert_ok(xc_map_stream(direct ? xc_all(client) : xc_balanced(client),
						direct ? draw : draw_and_return, next_item,
						give_item, &flow, &stream, &o, &err),
				  err);
			ck_assert_int_eq(flow.given, 10 * N);
		}
	}
	close_client();
}
END_TEST

/* ---- Reductions ------------------------------------------------------------------------- */

static int draw_real(struct xc_task *task, const void *in, void *out)
{
	struct drawn drawn;
	int r = draw(task, in, &drawn);

	if (r == 0)
		memcpy(out, &drawn.normal, sizeof drawn.normal);
	return r;
}

/* Of the normals that items 0 to n - 1 draw, in the order of a reduction. */
static double tree_sum(const struct drawn *drawn, int64_t n)
{
	int64_t half = 1;
	double value;

	if (n == 1) {
		memcpy(&value, &drawn->normal, sizeof value);
		return value;
	}
	while (2 * half < n)
		half *= 2;
	return tree_sum(drawn, half) + tree_sum(drawn + half, n - half);
}

static void assert_sums(const struct xc_view *view, const struct xc_map_options *o, xc_task_fn *fn)
{
	struct xc_reduction words = { XC_REDUCE_SUM, .dtype = XC_U64, .elements = 4 };
	struct xc_reduction reals = { XC_REDUCE_SUM, .dtype = XC_F64 };
	const struct drawn *drawn = expected(o, N);
	struct drawn sums = { 0 }, wanted = { 0 };
	double sum = 0;

	for (int64_t i = 0; i < N; i++) {
		wanted.half += drawn[i].half;
		wanted.normal += drawn[i].normal;
		wanted.word += drawn[i].word;
		wanted.other_half += drawn[i].other_half;
	}
	assert_ok(xc_map_reduce(view, fn, N, &words, &sums, sizeof sums, o, &err), err);
	assert_drawn(&sums, &wanted, 1);
	assert_ok(xc_map_reduce(view, draw_real, N, &reals, &sum, sizeof sum, o, &err), err);
	ck_assert(sum == tree_sum(drawn, N));
}

START_TEST(results_that_become_one_are_of_the_items_own_streams)
{
	struct xc_map_options o = { .seed = 31, .max_attempts = 3 };
	const struct xc_view *view;
	int ids[ENGINES];

	open_at(places[_i]);
	ck_assert_int_eq(xc_engine_ids(client, ids, ENGINES), ENGINES);
	for (int streams = XC_SPAWNED; streams <= XC_JUMPED; streams++)
		for (int i = 0; i < SIZES; i++) {
			o.streams = (enum xc_streams)streams;
			o.chunk = i * 5;
			assert_ok(xc_balanced_over(client, ids, sizes[i], &view, &err), err);
			assert_sums(view, &o, draw);
		}
	if (!places[_i])
		assert_sums(xc_balanced(client), &o, draw_at_third);
	close_client();
}
END_TEST

/* ---- The examples -------------------------------------------------------------------------- */

/* What the example must print, by numpy. */
static void wanted_lines(const char *variant, char *text, size_t size)
{
	char path[4096];
	json_error_t error;
	json_t *vectors, *item;
	size_t i, used = 0, lines = 0;

	snprintf(path, sizeof path, "%s/../vectors/tutorial.json", getenv("XC_TEST_SOURCES"));
	vectors = json_load_file(path, 0, &error);
	ck_assert_msg(vectors != NULL, "%s: %s", path, error.text);
	json_array_foreach (json_object_get(vectors, "cases"), i, item) {
		const char *of = "", *mean = "", *std = "";
		int index = -1;

		ck_assert_int_eq(json_unpack(item, "{s:s, s:i, s:{s:s}, s:{s:s}}", "variant", &of,
					     "index", &index, "mean", "dec", &mean, "std", "dec",
					     &std),
				 0);
		if (strcmp(of, variant) != 0)
			continue;
		lines++;
		used += (size_t)snprintf(text + used, size - used, "item %d: mean %s, std %s\n",
					 index, mean, std);
		ck_assert_uint_lt(used, size);
	}
	ck_assert_uint_eq(lines, 10);
	json_decref(vectors);
}

START_TEST(the_tutorials_two_programs_print_numpys_numbers_to_the_last_digit)
{
	static const char *const variants[][2] = { { "spawn", "random_spawn" },
						   { "jumped", "random_jumped" } };
	char wanted[2000], path[4096];
	struct output output;

	for (int i = 0; i < 2; i++) {
		wanted_lines(variants[i][0], wanted, sizeof wanted);
		snprintf(path, sizeof path, "%s/%s", getenv("XC_TEST_EXAMPLES"), variants[i][1]);
		if (places[_i])
			setenv("XCLUSTER", places[_i], 1);
		RUN(&output, path);
		unsetenv("XCLUSTER");
		ck_assert_msg(output.status == 0, "%s: %s", path, output.err);
		ck_assert_str_eq(output.out, wanted);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seeds");
	TCase *tests = shared_case(suite, "seeds");

	add_cluster_start(tests, ENGINES);
#define ADD(test) tcase_add_loop_test(tests, test, 0, 2)
	ADD(every_item_draws_from_its_own_child_however_many_engines_there_are);
	ADD(every_generator_can_be_spawned_and_jumped);
	ADD(seed_sequences_of_any_entropy_key_and_pool_seed_a_map);
	ADD(items_that_do_not_ask_change_nothing);
	ADD(without_a_seed_a_task_is_told_how_to_give_one);
	ADD(an_apply_on_a_direct_view_draws_by_its_engines_place);
	ADD(each_of_many_applies_draws_from_child_0_of_its_own_seed);
	ADD(a_job_that_runs_again_draws_the_same_numbers);
	ADD(items_of_a_stream_draw_by_their_place_in_all_of_it);
	ADD(results_that_become_one_are_of_the_items_own_streams);
	ADD(the_tutorials_two_programs_print_numpys_numbers_to_the_last_digit);
	tcase_add_test(tests, a_later_attempt_draws_the_same_numbers);
	tcase_add_test(tests, a_job_that_outlives_its_client_draws_the_same_numbers);
	add_cluster_stop(tests);
	return run_tests(suite);
}
