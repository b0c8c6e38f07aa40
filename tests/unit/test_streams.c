/* test_streams.c: random streams: from the options through a task frame to an item's
 * generator. */
#include <errno.h>
#include <string.h>

#include "libcluster/task.h"
#include "tests/unit/unit.h"

static struct xc_error err;
static unsigned char bytes[TASK_FRAME_MAX], pool[STREAMS_POOL_BYTES];
static const enum xc_bitgen bitgens[] = { XC_PCG64, XC_PCG64DXSM, XC_PHILOX };
/* The first number of two words, and those after which numbers have two; the last. */
static const int64_t items[] = { 0,
				 1,
				 2,
				 9,
				 1000,
				 INT64_C(0xffffffff),
				 INT64_C(0x100000000),
				 INT64_C(0x123456789abcdef),
				 INT64_MAX / 4 };
#define ITEMS ((int)(sizeof items / sizeof items[0]))

/* The frame of these options as an engine reads it. */
static struct task_frame ask(const struct xc_map_options *o, int64_t first, bool same)
{
	struct task_frame asked = { .kind = FUNCTION_BUILTIN, .form = FORM_RANGE }, frame;
	size_t size;

	ck_assert_int_eq(xci_streams_check(o, &err), 0);
	ck_assert_int_eq(xci_streams_ask(o, first, same, &asked, pool), 0);
	size = task_frame_pack(bytes, sizeof bytes, &asked);
	ck_assert_uint_gt(size, 0);
	ck_assert_int_eq(task_frame_parse(&frame, bytes, size), 0);
	return frame;
}

/* The same by the public calls. */
static struct xc_rng *wanted(const struct xc_seedseq *seq, const struct xc_map_options *o,
			     uint64_t number)
{
	struct xc_seedseq *child = NULL;
	struct xc_rng *rng = NULL, *base = NULL;

	if (o->streams == XC_JUMPED) {
		ck_assert_int_eq(xc_rng_from(&base, o->bitgen, seq, &err), 0);
		ck_assert_int_eq(xc_rng_jumped(&rng, base, number, &err), 0);
		xc_rng_free(base);
		return rng;
	}
	ck_assert_int_eq(xc_seedseq_child(seq, number, &child, &err), 0);
	ck_assert_int_eq(xc_rng_from(&rng, o->bitgen, child, &err), 0);
	xc_seedseq_free(child);
	return rng;
}

static void assert_same(struct xc_rng *a, struct xc_rng *b)
{
	for (int i = 0; i < 9; i++)
		ck_assert_uint_eq(rng_next64(a), rng_next64(b));
	ck_assert_uint_eq(rng_next32(a), rng_next32(b));
	ck_assert_uint_eq(a->has_half, b->has_half);
}

static void assert_streams(const struct xc_seedseq *seq, const struct xc_map_options *o,
			   int64_t first, bool same)
{
	struct task_frame frame = ask(o, first, same);
	struct streams streams = { .is_ready = false };

	/* There and back: items may come in any order. */
	for (int i = 0; i < 2 * ITEMS; i++) {
		int64_t item = items[i < ITEMS ? i : 2 * ITEMS - 1 - i];
		uint64_t number = (uint64_t)(same ? first : first + item);
		struct xc_rng *rng = wanted(seq, o, number), made;

		memset(&made, 0x5a, sizeof made); /* what the item before has left */
		streams_seed(&streams, &frame, item, &made);
		assert_same(&made, rng);
		xc_rng_free(rng);
	}
}

START_TEST(an_item_has_the_stream_that_the_public_calls_make)
{
	struct xc_map_options o = { .seed = 1, .bitgen = bitgens[_i] };
	struct xc_seedseq *seq = NULL;

	for (; o.seed; o.seed <<= 21) {
		ck_assert_int_eq(xc_seedseq_of(&seq, o.seed, &err), 0);
		for (int streams = XC_SPAWNED; streams <= XC_JUMPED; streams++) {
			o.streams = (enum xc_streams)streams;
			assert_streams(seq, &o, 0, false);
			assert_streams(seq, &o, INT64_C(0xfffffff0), false);
			assert_streams(seq, &o, 0, true);
		}
		xc_seedseq_free(seq);
	}
}
END_TEST

START_TEST(a_sequence_of_any_pool_up_to_64_words_travels_whole)
{
	static const size_t sizes[] = { 4, 5, 17, 64 };
	uint32_t words[80];
	struct xc_map_options o = { .bitgen = bitgens[_i] };
	struct xc_seedseq *seq = NULL;

	for (uint32_t i = 0; i < 80; i++)
		words[i] = 2654435761u * (i + 1);
	for (int i = 0; i < 4; i++)
		for (size_t entropy = 0; entropy <= 70; entropy += 35) {
			ck_assert_int_eq(xc_seedseq_new(&seq, words, entropy, words + 70,
							entropy % 2 * 2, sizes[i], &err),
					 0);
			o.seed_sequence = seq;
			for (int streams = XC_SPAWNED; streams <= XC_JUMPED; streams++) {
				o.streams = (enum xc_streams)streams;
				assert_streams(seq, &o, 3, false);
			}
			xc_seedseq_free(seq);
		}
}
END_TEST

START_TEST(without_a_seed_the_frame_says_nothing)
{
	struct xc_map_options o = XC_MAP_OPTIONS_INIT;
	struct task_frame frame = ask(&o, 77, false);

	ck_assert_uint_eq(frame.streams, STREAMS_NONE);
	ck_assert_int_eq(frame.stream_first, 0);
	ck_assert_uint_eq(frame.pool.size, 0);
}
END_TEST

static void assert_refused(const struct xc_map_options *o, const char *part)
{
	err.text[0] = '\0';
	ck_assert_int_eq(xci_streams_check(o, &err), -EINVAL);
	ck_assert_int_eq(err.code, -EINVAL);
	ck_assert_msg(strstr(err.text, part) != NULL, "'%s' is not in '%s'", part, err.text);
}

START_TEST(options_that_do_not_go_together_are_refused)
{
	struct xc_map_options o = { .seed = 1, .bitgen = (enum xc_bitgen)3 };
	struct xc_seedseq *seq = NULL;

	assert_refused(&o, "options.bitgen");
	o.bitgen = (enum xc_bitgen) - 1;
	assert_refused(&o, "options.bitgen");
	o = (struct xc_map_options){ .seed = 1, .streams = (enum xc_streams)2 };
	assert_refused(&o, "options.streams");
	o = (struct xc_map_options){ .streams = XC_JUMPED };
	assert_refused(&o, "xc_seedseq_of");
	o = (struct xc_map_options){ .bitgen = XC_PHILOX };
	assert_refused(&o, "options.bitgen is given");
	ck_assert_int_eq(xc_seedseq_new(&seq, NULL, 0, NULL, 0, 65, &err), 0);
	o = (struct xc_map_options){ .seed = 1, .seed_sequence = seq };
	assert_refused(&o, "both");
	o.seed = 0;
	assert_refused(&o, "64");
	xc_seedseq_free(seq);
}
END_TEST

/* What the batch asks: may this go together with what is held back? */
START_TEST(frames_are_told_apart_by_all_that_seeds_them)
{
	struct xc_map_options o = { .streams = XC_JUMPED };
	struct xc_seedseq *seqs[3];
	struct task_frame frame = { .kind = FUNCTION_BUILTIN };

	ck_assert_int_eq(xc_seedseq_of(&seqs[0], 1, &err), 0);
	ck_assert_int_eq(xc_seedseq_of(&seqs[1], 2, &err), 0);
	ck_assert_int_eq(xc_seedseq_new(&seqs[2], (uint32_t[]){ 1 }, 1, NULL, 0, 5, &err), 0);
	o.seed_sequence = seqs[0];
	ck_assert_int_eq(xci_streams_ask(&o, 0, true, &frame, pool), 0);
	ck_assert(xci_streams_are(&frame, &o));
	for (int i = 1; i < 3; i++) {
		o.seed_sequence = seqs[i];
		ck_assert(!xci_streams_are(&frame, &o));
	}
	o.seed_sequence = NULL;
	o.seed = 1;
	ck_assert(xci_streams_are(&frame, &o));
	o.bitgen = XC_PHILOX;
	ck_assert(!xci_streams_are(&frame, &o));
	o.bitgen = XC_PCG64;
	o.streams = XC_SPAWNED;
	ck_assert(!xci_streams_are(&frame, &o));
	for (int i = 0; i < 3; i++)
		xc_seedseq_free(seqs[i]);
}
END_TEST

START_TEST(a_task_gets_one_generator_an_item_or_a_text)
{
	struct xc_map_options o = { .seed = 4 };
	struct task_frame frame = ask(&o, 0, false), none = { .streams = STREAMS_NONE };
	struct streams streams = { .is_ready = false };
	struct xc_task task = { .frame = &frame, .streams = &streams, .item = 6 };
	struct xc_rng *rng = xc_task_rng(&task), *same;
	uint64_t first = rng_next64(rng);

	same = xc_task_rng(&task);
	ck_assert_ptr_eq(rng, same);
	ck_assert_uint_ne(rng_next64(same), first);
	task.has_rng = false; /* the next attempt */
	ck_assert_uint_eq(rng_next64(xc_task_rng(&task)), first);
	task.has_rng = false;
	task.item = 7;
	ck_assert_uint_ne(rng_next64(xc_task_rng(&task)), first);
	task = (struct xc_task){ .frame = &none, .streams = &streams };
	ck_assert_ptr_null(xc_task_rng(&task));
	ck_assert(task.has_text);
	ck_assert_ptr_nonnull(strstr(task.text, "options.seed"));
	ck_assert_ptr_null(xc_task_rng(NULL));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("streams");

	tcase_add_loop_test(tests, an_item_has_the_stream_that_the_public_calls_make, 0, 3);
	tcase_add_loop_test(tests, a_sequence_of_any_pool_up_to_64_words_travels_whole, 0, 3);
	tcase_add_test(tests, without_a_seed_the_frame_says_nothing);
	tcase_add_test(tests, options_that_do_not_go_together_are_refused);
	tcase_add_test(tests, frames_are_told_apart_by_all_that_seeds_them);
	tcase_add_test(tests, a_task_gets_one_generator_an_item_or_a_text);
	return unit_run(tests);
}
