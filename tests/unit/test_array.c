/* test_array.c: counts and sizes of arrays, and shapes that are none. */
#include <errno.h>
#include <string.h>

#include "proto/task.h"
#include "tests/unit/unit.h"

START_TEST(test_element_sizes)
{
#define CHECK(name, bytes, code)                                                                   \
	ck_assert_uint_eq(dtype_size(name), bytes);                                                \
	ck_assert_int_eq(xc_array_size(XC_ARRAY(name, NULL, 3, 5)), 15 * bytes);
	XC_DTYPES(CHECK)
#undef CHECK
	ck_assert_uint_eq(dtype_size(XC_C128 + 1), 0);
	ck_assert_uint_eq(dtype_size(UINT32_MAX), 0);
}
END_TEST

START_TEST(test_counts)
{
	ck_assert_int_eq(xc_array_count(XC_SCALAR(XC_I8, NULL)), 1);
	ck_assert_int_eq(xc_array_count(XC_ARRAY_F64(NULL, 0)), 0);
	ck_assert_int_eq(xc_array_count(XC_ARRAY_F64(NULL, 442, 10)), 4420);
	ck_assert_int_eq(xc_array_count(XC_ARRAY_I32(NULL, 2, 2, 2, 2, 2, 2, 2, 2)), 256);
	ck_assert_int_eq(xc_array_count(XC_ARRAY_BYTES(NULL, INT64_MAX)), INT64_MAX);
}
END_TEST

START_TEST(test_overflow)
{
	ck_assert_int_eq(xc_array_count(XC_ARRAY_BYTES(NULL, INT64_MIN)), -EINVAL);
	ck_assert_int_eq(xc_array_count(XC_ARRAY_I32(NULL, 3, -1)), -EINVAL);
	ck_assert_int_eq(xc_array_count(XC_ARRAY_I32(NULL, 1ll << 32, 1ll << 31)), -EINVAL);
	ck_assert_int_eq(xc_array_size(XC_ARRAY_F64(NULL, 1ll << 60)), -EINVAL);
	ck_assert_int_eq(xc_array_size(XC_ARRAY_F64(NULL, (1ll << 60) - 1)), INT64_MAX - 7);
}
END_TEST

START_TEST(test_no_array)
{
	struct xc_array array = { .dtype = XC_F64, .ndim = XC_MAX_DIMS + 1 };

	ck_assert_int_eq(xc_array_count(&array), -EINVAL);
	array.ndim = -1;
	ck_assert_int_eq(xc_array_count(&array), -EINVAL);
	array.ndim = 0;
	array.dtype = (enum xc_dtype)99;
	ck_assert_int_eq(xc_array_count(&array), 1);
	ck_assert_int_eq(xc_array_size(&array), -EINVAL);
	ck_assert_int_eq(xc_array_size(NULL), -EINVAL);
}
END_TEST

START_TEST(test_free)
{
	struct xc_array array = { .dtype = XC_U8, .ndim = 1, .shape = { 9 }, .data = malloc(9) };

	xc_array_free(&array);
	ck_assert_ptr_null(array.data);
	ck_assert_int_eq(array.ndim, 0);
	xc_array_free(&array); /* again, and nothing, are allowed */
	xc_array_free(NULL);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("array");

	tcase_add_test(tests, test_element_sizes);
	tcase_add_test(tests, test_counts);
	tcase_add_test(tests, test_overflow);
	tcase_add_test(tests, test_no_array);
	tcase_add_test(tests, test_free);
	return unit_run(tests);
}
