/* data.c: push, pull, scatter, gather, clear: every type and shape, there and back. */
#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENGINES 4

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
	assert_ok(xc_clear(xc_all(client), NULL, &err), err);
}

static void close_client(void)
{
	xc_close(client);
}

static void fill(void *data, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)data)[i] = (uint8_t)((i * 2654435761u + seed) >> 7);
}

static void assert_same(const struct xc_array *a, const struct xc_array *b)
{
	ck_assert_int_eq(a->dtype, b->dtype);
	ck_assert_int_eq(a->ndim, b->ndim);
	for (int i = 0; i < a->ndim; i++)
		ck_assert_int_eq(a->shape[i], b->shape[i]);
	ck_assert_int_eq(xc_array_size(a), xc_array_size(b));
	if (xc_array_size(a) > 0)
		ck_assert(memcmp(a->data, b->data, (size_t)xc_array_size(a)) == 0);
}

static const struct shape {
	int ndim;
	int64_t shape[XC_MAX_DIMS];
} shapes[] = {
	{ 0, { 0 } },
	{ 1, { 1 } },
	{ 1, { 0 } },
	{ 1, { 1000 } },
	{ 2, { 3, 5 } },
	{ 2, { 0, 7 } },
	{ 3, { 4, 0, 2 } },
	{ 3, { 50, 40, 30 } }, /* past what fits into a message's header */
	{ 8, { 2, 1, 3, 1, 2, 1, 2, 5 } },
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

static struct xc_array make_array(int dtype, const struct shape *shape, void *data)
{
	struct xc_array array = { .dtype = (enum xc_dtype)dtype,
				  .ndim = shape->ndim,
				  .data = data };

	memcpy(array.shape, shape->shape, sizeof array.shape);
	fill(data, (size_t)xc_array_size(&array), (unsigned int)dtype);
	return array;
}

/* Each engine hands its variable back byte by byte. */
static int return_variable(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *array = xc_task_array(task, in);

	(void)out;
	if (!array)
		return XC_TASK_FAILED;
	if (array->data && (uintptr_t)array->data % 8)
		return xc_task_fail(task, "not aligned: %p", array->data);
	return xc_task_return(task, array->data, (size_t)xc_array_size(array)) ? 9 : 0;
}

START_TEST(every_type_and_shape)
{
	static double data[2 * 60000];
	struct xc_array pulled[ENGINES];
	struct xc_result *result;

	for (size_t s = 0; s < SHAPES; s++) {
		struct xc_array array = make_array(_i, &shapes[s], data);
		size_t size = (size_t)xc_array_size(&array);

		assert_ok(xc_push(xc_all(client), "v", &array, &err), err);
		assert_ok(xc_pull(xc_all(client), "v", pulled, &err), err);
		for (int e = 0; e < ENGINES; e++) {
			assert_same(&array, &pulled[e]);
			xc_array_free(&pulled[e]);
			ck_assert_ptr_null(pulled[e].data);
		}
		result = xc_apply_async(xc_all(client), return_variable, "v", 2, NULL, 0, NULL,
					&err);
		assert_ok(xc_wait(result, LIMIT, &err), err);
		for (int e = 0; e < ENGINES && size > 0; e++) {
			size_t returned = 0;
			const void *item = xc_result_item(result, e, &returned);

			ck_assert_uint_eq(returned, size);
			ck_assert(memcmp(item, array.data, size) == 0);
		}
		xc_result_destroy(result);
	}
}
END_TEST

START_TEST(counts_and_sizes)
{
	struct xc_array bad = { .dtype = XC_F64, .ndim = 2, .shape = { 3, -1 } };

	ck_assert_int_eq(xc_array_count(XC_ARRAY_F64(NULL, 442, 10)), 4420);
	ck_assert_int_eq(xc_array_size(XC_ARRAY_F64(NULL, 442, 10)), 35360);
	ck_assert_int_eq(xc_array_count(XC_SCALAR(XC_C128, NULL)), 1);
	ck_assert_int_eq(xc_array_size(XC_SCALAR(XC_C128, NULL)), 16);
	ck_assert_int_eq(xc_array_count(&bad), -EINVAL);
	bad.shape[0] = bad.shape[1] = INT64_C(1) << 31;
	ck_assert_int_eq(xc_array_size(&bad), -EINVAL);
	bad.ndim = XC_MAX_DIMS + 1;
	ck_assert_int_eq(xc_array_count(&bad), -EINVAL);
}
END_TEST

START_TEST(wrong_names_and_arrays)
{
	struct xc_array bad = { .dtype = XC_F64, .ndim = 9, .data = &bad };
	char name[257];
	double x = 1;

	memset(name, 'n', sizeof name);
	name[256] = '\0';
	assert_error(xc_push(xc_all(client), name, XC_SCALAR(XC_F64, &x), &err), -EINVAL, &err, "");
	assert_error(xc_push(xc_all(client), "", XC_SCALAR(XC_F64, &x), &err), -EINVAL, &err, "");
	assert_error(xc_push(xc_all(client), "v", &bad, &err), -EINVAL, &err, "");
	assert_error(xc_push(xc_balanced(client), "v", XC_SCALAR(XC_F64, &x), &err), -EINVAL, &err,
		     "");
	name[255] = '\0';
	assert_ok(xc_push(xc_all(client), name, XC_SCALAR(XC_F64, &x), &err), err);
}
END_TEST

START_TEST(pull_follows_the_view)
{
	const struct xc_view *view = NULL, *one = NULL;
	struct xc_array arrays[3];

	for (int e = 0; e < ENGINES; e++) {
		assert_ok(xc_engines(client, &e, 1, &one, &err), err);
		assert_ok(xc_push(one, "id", XC_SCALAR(XC_I32, &e), &err), err);
	}
	assert_ok(xc_engines(client, (const int[]){ 3, 1, 0 }, 3, &view, &err), err);
	assert_ok(xc_pull(view, "id", arrays, &err), err);
	ck_assert_int_eq(*(const int *)arrays[0].data, 3);
	ck_assert_int_eq(*(const int *)arrays[1].data, 1);
	ck_assert_int_eq(*(const int *)arrays[2].data, 0);
	for (int i = 0; i < 3; i++)
		xc_array_free(&arrays[i]);
}
END_TEST

static const struct split {
	int engines;
	int64_t rows;
	int64_t parts[ENGINES];
} splits[] = {
	{ 4, 101, { 26, 25, 25, 25 } }, { 3, 101, { 34, 34, 33 } }, { 4, 2, { 1, 1, 0, 0 } },
	{ 4, 0, { 0, 0, 0, 0 } },	{ 1, 101, { 101 } },	    { 2, 100000, { 50000, 50000 } },
};

START_TEST(scatter_and_gather)
{
	static int32_t data[100000][3];
	const struct split *split = &splits[_i];
	const struct xc_view *view = NULL;
	struct xc_array parts[ENGINES], whole = { 0 };
	int64_t row = 0;

	fill(data, sizeof data, 1);
	assert_ok(xc_engines(client, (const int[]){ 2, 0, 3, 1 }, split->engines, &view, &err),
		  err);
	assert_ok(xc_scatter(view, "s", XC_ARRAY_I32(data, split->rows, 3), &err), err);
	assert_ok(xc_pull(view, "s", parts, &err), err);
	for (int e = 0; e < split->engines; e++) {
		assert_same(&parts[e], XC_ARRAY_I32(data[row], split->parts[e], 3));
		row += split->parts[e];
		xc_array_free(&parts[e]);
	}
	ck_assert_int_eq(row, split->rows);
	assert_ok(xc_gather(view, "s", &whole, &err), err);
	assert_same(&whole, XC_ARRAY_I32(data, split->rows, 3));
	xc_array_free(&whole);
}
END_TEST

START_TEST(a_scalar_cannot_be_scattered)
{
	double x = 1;

	assert_error(xc_scatter(xc_all(client), "s", XC_SCALAR(XC_F64, &x), &err), -EINVAL, &err,
		     "");
}
END_TEST

static int set_own(struct xc_task *task, const void *in, void *out)
{
	int e = xc_task_engine(task), kind = *(const int *)in;
	double data[12] = { 0 };
	struct xc_array array = *XC_ARRAY_F64(data, e + 1, 2);

	(void)out;
	for (int i = 0; i < 12; i++)
		data[i] = 100 * e + i;
	if (e == 2 && kind == 1)
		array = *XC_ARRAY_F32(data, e + 1, 2);
	if (e == 2 && kind == 2)
		array = *XC_ARRAY_F64(data, e + 1, 3);
	if (e == 2 && kind == 3)
		array = *XC_ARRAY_F64(data, 6);
	if (e == 2 && kind == 4)
		array = *XC_SCALAR(XC_F64, data);
	return xc_task_set(task, "own", &array) ? XC_TASK_FAILED : 0;
}

START_TEST(gather_of_parts_that_do_not_fit)
{
	struct xc_array whole = { .ndim = 77 };
	int r;

	assert_ok(xc_apply(xc_all(client), set_own, &_i, sizeof _i, NULL, 0, NULL, &err), err);
	r = xc_gather(xc_all(client), "own", &whole, &err);
	if (_i > 0) {
		assert_error(r, -EINVAL, &err, "own");
		ck_assert_int_eq(whole.ndim, 77);
		return;
	}
	assert_ok(r, err);
	ck_assert_int_eq(whole.ndim, 2);
	ck_assert_int_eq(whole.shape[0], 1 + 2 + 3 + 4);
	ck_assert_int_eq(whole.shape[1], 2);
	ck_assert_double_eq(((const double *)whole.data)[2], 100);
	ck_assert_double_eq(((const double *)whole.data)[19], 307);
	xc_array_free(&whole);
}
END_TEST

START_TEST(a_missing_variable_names_itself)
{
	struct xc_array arrays[ENGINES], whole;
	const struct xc_view *view = NULL;
	double x = 1;
	int r;

	r = xc_pull(xc_all(client), "no_such", arrays, &err);
	assert_error(r, XC_EFAILED, &err, "no_such");
	r = xc_gather(xc_all(client), "no_such", &whole, &err);
	assert_error(r, XC_EFAILED, &err, "no_such");
	/* On one engine only. */
	assert_ok(xc_engines(client, (const int[]){ 0, 1, 3 }, 3, &view, &err), err);
	assert_ok(xc_push(view, "most", XC_SCALAR(XC_F64, &x), &err), err);
	r = xc_pull(xc_all(client), "most", arrays, &err);
	assert_error(r, XC_EFAILED, &err, "most");
	ck_assert_msg(strstr(err.text, "engine 2") != NULL, "%s", err.text);
}
END_TEST

START_TEST(clear_one_and_all)
{
	struct xc_array arrays[ENGINES];
	double x = 1;

	assert_ok(xc_push(xc_all(client), "a", XC_SCALAR(XC_F64, &x), &err), err);
	assert_ok(xc_push(xc_all(client), "b", XC_SCALAR(XC_F64, &x), &err), err);
	assert_ok(xc_clear(xc_all(client), "a", &err), err);
	ck_assert_int_eq(xc_pull(xc_all(client), "a", arrays, &err), XC_EFAILED);
	assert_ok(xc_pull(xc_all(client), "b", arrays, &err), err);
	for (int e = 0; e < ENGINES; e++)
		xc_array_free(&arrays[e]);
	assert_ok(xc_clear(xc_all(client), NULL, &err), err);
	ck_assert_int_eq(xc_pull(xc_all(client), "b", arrays, &err), XC_EFAILED);
	/* What is not there is clear. */
	assert_ok(xc_clear(xc_all(client), "a", &err), err);
}
END_TEST

static int set_and_look(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *array;
	double x = 5, y = 6;

	(void)in;
	if (xc_task_set(task, "z", XC_SCALAR(XC_F64, &x)) < 0 ||
	    xc_task_set(task, "z", XC_SCALAR(XC_F64, &y)) < 0)
		return xc_task_fail(task, "xc_task_set");
	array = xc_task_array(task, "z");
	if (!array)
		return XC_TASK_FAILED;
	*(double *)out = *(const double *)array->data;
	return 0;
}

START_TEST(a_task_sees_what_it_set)
{
	struct xc_array arrays[ENGINES];
	double out[ENGINES];

	assert_ok(xc_apply(xc_all(client), set_and_look, NULL, 0, out, sizeof out[0], NULL, &err),
		  err);
	assert_ok(xc_pull(xc_all(client), "z", arrays, &err), err);
	for (int e = 0; e < ENGINES; e++) {
		ck_assert_double_eq(out[e], 6);
		ck_assert_double_eq(*(const double *)arrays[e].data, 6);
		xc_array_free(&arrays[e]);
	}
}
END_TEST

static int number(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *array = xc_task_array(task, "n");

	(void)in;
	*(int64_t *)out = array ? *(const int64_t *)array->data : -1;
	return 0;
}

/* Pushes stand in the same queue as tasks; sizes on both sides of what travels
 * in the message. */
START_TEST(pushes_and_tasks_keep_their_order)
{
	enum { N = 60 };
	static int64_t data[20000], out[N][ENGINES];
	struct xc_result *pushes[N], *applies[N], *pull;
	struct xc_array array;

	for (int i = 0; i < N; i++) {
		data[0] = i;
		pushes[i] = xc_push_async(xc_all(client), "n",
					  XC_ARRAY_I64(data, i % 3 ? 1 : 20000), &err);
		applies[i] = xc_apply_async(xc_all(client), number, NULL, 0, out[i],
					    sizeof out[i][0], NULL, &err);
		ck_assert(pushes[i] && applies[i]);
	}
	pull = xc_pull_async(xc_all(client), "n", &err);
	for (int i = 0; i < N; i++) {
		assert_ok(xc_wait(applies[i], LIMIT, &err), err);
		assert_ok(xc_wait(pushes[i], LIMIT, &err), err);
		for (int e = 0; e < ENGINES; e++)
			ck_assert_int_eq(out[i][e], i);
		xc_result_destroy(applies[i]);
		xc_result_destroy(pushes[i]);
	}
	assert_ok(xc_wait(pull, LIMIT, &err), err);
	assert_ok(xc_result_array(pull, ENGINES - 1, &array, &err), err);
	ck_assert_int_eq(*(const int64_t *)array.data, N - 1);
	xc_array_free(&array);
	ck_assert_int_lt(xc_result_array(pull, ENGINES, &array, &err), 0);
	assert_ok(xc_result_gather(pull, &array, &err), err);
	ck_assert_int_eq(xc_array_count(&array), (N - 1) % 3 ? ENGINES : 20000 * ENGINES);
	xc_array_free(&array);
	xc_result_destroy(pull);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("data");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "data"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_loop_test(tests, every_type_and_shape, XC_I8, XC_C128 + 1);
	tcase_add_test(tests, counts_and_sizes);
	tcase_add_test(tests, wrong_names_and_arrays);
	tcase_add_test(tests, pull_follows_the_view);
	tcase_add_loop_test(tests, scatter_and_gather, 0, (int)(sizeof splits / sizeof splits[0]));
	tcase_add_test(tests, a_scalar_cannot_be_scattered);
	tcase_add_loop_test(tests, gather_of_parts_that_do_not_fit, 0, 5);
	tcase_add_test(tests, a_missing_variable_names_itself);
	tcase_add_test(tests, clear_one_and_all);
	tcase_add_test(tests, a_task_sees_what_it_set);
	tcase_add_test(tests, pushes_and_tasks_keep_their_order);
	add_cluster_stop(stop);
	return run_tests(suite);
}
