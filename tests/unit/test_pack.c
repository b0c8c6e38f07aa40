/* test_pack.c: flat msgpack scalars: round trips, limits, and bytes that are none. */
#include <math.h>
#include <string.h>

#include "proto/pack.h"
#include "tests/unit/unit.h"

static unsigned char bytes[4096];
static struct writer w;
static struct reader r;

static void begin(void)
{
	writer_init(&w, bytes, sizeof bytes);
}

/* A reader of exactly what was written, on the heap so that sanitizers see a
 * byte read beyond. */
static void reread(size_t size)
{
	static unsigned char *copy;

	free(copy);
	copy = malloc(size ? size : 1);
	memcpy(copy, bytes, size);
	reader_init(&r, copy, size);
}

static const uint64_t unsigned_values[] = { 0,		127,	   128,	       255,
					    256,	65535,	   65536,      UINT32_MAX,
					    1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX };
static const int64_t signed_values[] = { 0,	    -1,	       -32,    -33,	  -128,
					 -129,	    -32768,    -32769, INT32_MIN, INT32_MIN - 1ll,
					 INT64_MIN, INT64_MAX, 127,    128,	  65536 };
static const double float_values[] = { 0, -0.0, 1.5, -1e308, 5e-324, HUGE_VAL, -HUGE_VAL };

START_TEST(test_unsigned)
{
	for (size_t i = 0; i < sizeof unsigned_values / sizeof *unsigned_values; i++)
		put_u64(&w, unsigned_values[i]);
	ck_assert(!w.bad);
	reread(w.used);
	for (size_t i = 0; i < sizeof unsigned_values / sizeof *unsigned_values; i++)
		ck_assert_uint_eq(get_u64(&r), unsigned_values[i]);
	ck_assert(reader_is_done(&r));
}
END_TEST

START_TEST(test_signed)
{
	for (size_t i = 0; i < sizeof signed_values / sizeof *signed_values; i++)
		put_i64(&w, signed_values[i]);
	reread(w.used);
	for (size_t i = 0; i < sizeof signed_values / sizeof *signed_values; i++)
		ck_assert_int_eq(get_i64(&r), signed_values[i]);
	ck_assert(reader_is_done(&r));
}
END_TEST

START_TEST(test_float)
{
	for (size_t i = 0; i < sizeof float_values / sizeof *float_values; i++)
		put_f64(&w, float_values[i]);
	put_f64(&w, NAN);
	reread(w.used);
	for (size_t i = 0; i < sizeof float_values / sizeof *float_values; i++) {
		double value = get_f64(&r);

		ck_assert_mem_eq(&value, &float_values[i], sizeof value);
	}
	ck_assert(isnan(get_f64(&r)));
	ck_assert(reader_is_done(&r));
}
END_TEST

START_TEST(test_integers_as_floats)
{
	put_u64(&w, UINT64_MAX);
	put_i64(&w, -7);
	put_str(&w, span_of("7"));
	reread(w.used);
	ck_assert_double_eq(get_f64(&r), (double)UINT64_MAX);
	ck_assert_double_eq(get_f64(&r), -7);
	ck_assert_double_eq(get_f64(&r), 0);
	ck_assert(r.bad);
}
END_TEST

static const size_t lengths[] = { 0, 1, 31, 32, 255, 256, 1000 };

START_TEST(test_texts_and_bytes)
{
	char text[1000];

	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct span span = { text, lengths[i] }, got;

		begin();
		put_str(&w, span);
		put_bin(&w, span);
		ck_assert(!w.bad);
		reread(w.used);
		got = get_str(&r);
		ck_assert_uint_eq(got.size, lengths[i]);
		ck_assert(!got.size || memcmp(got.data, text, got.size) == 0);
		got = get_bin(&r);
		ck_assert_uint_eq(got.size, lengths[i]);
		ck_assert(reader_is_done(&r));
	}
}
END_TEST

START_TEST(test_array_counts)
{
	static const uint32_t counts[] = { 0, 1, 15, 16, 65535, 65536, UINT32_MAX };

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		put_array(&w, counts[i]);
	reread(w.used);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		ck_assert_uint_eq(get_array(&r), counts[i]);
	ck_assert(reader_is_done(&r));
}
END_TEST

static void put_one_of_each(void)
{
	put_array(&w, 70000);
	put_u64(&w, UINT64_MAX);
	put_i64(&w, INT64_MIN);
	put_f64(&w, 0.1);
	put_str(&w, span_of("a text of more than thirty-one bytes"));
	put_bin(&w, span_of("bytes"));
}

static void get_one_of_each(void)
{
	get_array(&r);
	get_u64(&r);
	get_i64(&r);
	get_f64(&r);
	get_str(&r);
	get_bin(&r);
}

START_TEST(test_truncated_anywhere)
{
	put_one_of_each();
	for (size_t size = 0; size < w.used; size++) {
		reread(size);
		get_one_of_each();
		ck_assert_msg(r.bad && !reader_is_done(&r), "cut to %zu of %zu bytes", size,
			      w.used);
		ck_assert_uint_eq(get_u64(&r), 0);
		ck_assert_ptr_null(get_str(&r).data);
	}
	reread(w.used);
	get_one_of_each();
	ck_assert(reader_is_done(&r));
}
END_TEST

START_TEST(test_no_room_anywhere)
{
	size_t full;

	put_one_of_each();
	full = w.used;
	for (size_t size = 0; size < full; size++) {
		memset(bytes, 0xaa, sizeof bytes);
		writer_init(&w, bytes, size);
		put_one_of_each();
		ck_assert(w.bad);
		ck_assert_uint_le(w.used, size);
		ck_assert_uint_eq(bytes[size], 0xaa);
	}
}
END_TEST

START_TEST(test_bytes_left_over)
{
	put_u64(&w, 1);
	put_u64(&w, 2);
	reread(w.used);
	get_u64(&r);
	ck_assert(!r.bad && !reader_is_done(&r));
}
END_TEST

/* A container where a scalar is due; its claimed size must not be believed. */
START_TEST(test_containers)
{
	static const unsigned char first[] = { 0x80, 0x8f, 0x90, 0x9f, 0xdc, 0xdd, 0xde, 0xdf };
	unsigned char byte = first[_i / 5];

	memset(bytes, 0xff, 16);
	bytes[0] = byte;
	reread(16);
	switch (_i % 5) {
	case 0:
		get_u64(&r);
		break;
	case 1:
		get_i64(&r);
		break;
	case 2:
		get_f64(&r);
		break;
	case 3:
		get_str(&r);
		break;
	default:
		get_bin(&r);
	}
	ck_assert_msg(r.bad, "0x%02x was taken", byte);
}
END_TEST

START_TEST(test_wrong_types)
{
	/* nil, true, ext, float where integers are due, and the reverse */
	static const struct {
		unsigned char bytes[4];
		size_t size;
	} none[] = { { { 0xc0 }, 1 }, { { 0xc3 }, 1 }, { { 0xd4, 1, 2 }, 3 }, { { 0xc1 }, 1 } };

	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		reader_init(&r, none[i].bytes, none[i].size);
		get_u64(&r);
		ck_assert(r.bad);
		reader_init(&r, none[i].bytes, none[i].size);
		get_i64(&r);
		ck_assert(r.bad);
		reader_init(&r, none[i].bytes, none[i].size);
		get_f64(&r);
		ck_assert(r.bad);
		reader_init(&r, none[i].bytes, none[i].size);
		get_str(&r);
		ck_assert(r.bad);
	}
}
END_TEST

START_TEST(test_out_of_range)
{
	put_i64(&w, -1);
	reread(w.used);
	get_u64(&r);
	ck_assert(r.bad);
	begin();
	put_u64(&w, 1ull << 63);
	reread(w.used);
	get_i64(&r);
	ck_assert(r.bad);
	begin();
	put_str(&w, span_of("text"));
	reread(w.used);
	get_bin(&r);
	ck_assert(r.bad);
	begin();
	put_u64(&w, 3);
	reread(w.used);
	get_array(&r);
	ck_assert(r.bad);
}
END_TEST

START_TEST(test_span_copy)
{
	char text[8] = "-------";

	span_copy(text, 4, span_of("abcdef"));
	ck_assert_str_eq(text, "abc");
	ck_assert_int_eq(text[4], '-');
	span_copy(text, sizeof text, span_of("ab"));
	ck_assert_str_eq(text, "ab");
	span_copy(text, sizeof text, (struct span){ NULL, 0 });
	ck_assert_str_eq(text, "");
	ck_assert_uint_eq(span_of(NULL).size, 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("pack");

	tcase_add_checked_fixture(tests, begin, NULL);
	tcase_add_test(tests, test_unsigned);
	tcase_add_test(tests, test_signed);
	tcase_add_test(tests, test_float);
	tcase_add_test(tests, test_integers_as_floats);
	tcase_add_test(tests, test_texts_and_bytes);
	tcase_add_test(tests, test_array_counts);
	tcase_add_test(tests, test_truncated_anywhere);
	tcase_add_test(tests, test_no_room_anywhere);
	tcase_add_test(tests, test_bytes_left_over);
	tcase_add_loop_test(tests, test_containers, 0, 8 * 5);
	tcase_add_test(tests, test_wrong_types);
	tcase_add_test(tests, test_out_of_range);
	tcase_add_test(tests, test_span_copy);
	return unit_run(tests);
}
