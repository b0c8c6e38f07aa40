/* stream.c: maps over items of unknown number: windows, orders, ends. */
#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENGINES 3

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
}

static void close_client(void)
{
	xc_close(client);
}

/* A source of `n` numbers (-1: endless) and what came back. */
struct flow {
	int64_t n, taken, given, most; /* most: in flight */
	int64_t stop_at;	       /* items given; 0: never */
	int error;		       /* of the source's end */
	bool in_order;
	int64_t states[XC_LOST + 1];
	bool *seen;
	char *padding;
	size_t size; /* of each item */
	int64_t value;
};

static int next(void *argument, struct xc_bytes *item)
{
	struct flow *f = argument;

	if (f->n >= 0 && f->taken == f->n)
		return f->error;
	f->value = f->taken++;
	if (f->taken - f->given > f->most)
		f->most = f->taken - f->given;
	*item = (struct xc_bytes){ &f->value, sizeof f->value };
	if (f->padding) {
		memcpy(f->padding, &f->value, sizeof f->value);
		*item = (struct xc_bytes){ f->padding, f->size };
	}
	return 1;
}

static int give(void *argument, int64_t index, enum xc_state state, const void *data, size_t size)
{
	struct flow *f = argument;
	int64_t value = 0;

	if (f->in_order && index != f->given)
		ck_abort_msg("item %lld comes at %lld", (long long)index, (long long)f->given);
	if (f->seen && f->seen[index])
		ck_abort_msg("item %lld comes twice", (long long)index);
	if (f->seen)
		f->seen[index] = true;
	f->states[state]++;
	if (state == XC_OK && size == sizeof value)
		memcpy(&value, data, sizeof value);
	if (state == XC_OK ? value != index * index : data != NULL || size != 0)
		ck_abort_msg("item %lld: %lld, %zu bytes", (long long)index, (long long)value,
			     size);
	return ++f->given == f->stop_at;
}

static int return_square(struct xc_task *task, const void *in, void *out)
{
	int64_t i;

	memcpy(&i, in, sizeof i);
	if (out || xc_task_index(task) != 0)
		return 2;
	i *= i;
	return xc_task_return(task, &i, sizeof i) < 0;
}

static int square(struct xc_task *task, const void *in, void *out)
{
	int64_t i;

	memcpy(&i, in, sizeof i);
	if (i == 1000)
		return xc_task_fail(task, "the thousandth");
	*(int64_t *)out = i * i;
	return 0;
}

static int run(struct flow *f, xc_task_fn *fn, const struct xc_stream_options *stream,
	       const struct xc_map_options *options)
{
	int r;

	f->in_order = stream && stream->order == XC_IN_ORDER;
	if (f->n > 0)
		f->seen = calloc((size_t)f->n, 1);
	err = (struct xc_error)XC_ERROR_INIT;
	r = xc_map_stream(xc_balanced(client), fn, next, give, f, stream, options, &err);
	free(f->seen);
	f->seen = NULL;
	return r;
}

START_TEST(all_items_once)
{
	static const int64_t counts[] = { 0, 1, 5, 101, 30000 };
	struct xc_stream_options stream = { .order = (enum xc_order)_i };

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		struct flow f = { .n = counts[i] };

		assert_ok(run(&f, return_square, &stream, NULL), err);
		ck_assert_int_eq(f.given, counts[i]);
		ck_assert_int_eq(f.states[XC_OK], counts[i]);
		ck_assert_int_le(f.most, 4096);
	}
}
END_TEST

START_TEST(the_window_holds)
{
	static const int64_t windows[] = { 1, 2, 7, 64, 1000 };
	struct xc_stream_options stream = { .order = (enum xc_order)(_i % 2),
					    .window_items = windows[_i / 2] };
	struct flow f = { .n = 2000 };

	assert_ok(run(&f, return_square, &stream, NULL), err);
	ck_assert_int_eq(f.given, 2000);
	ck_assert_int_le(f.most, windows[_i / 2]);
}
END_TEST

START_TEST(the_window_of_bytes_holds)
{
	struct xc_stream_options stream = { .window_bytes = 1 << 20, .out_size = 8 };
	struct flow f = { .n = 300, .size = 100000 };

	f.padding = calloc(1, f.size);
	assert_ok(run(&f, square, &stream, NULL), err);
	ck_assert_int_le(f.most, 11);
	/* Each larger than the window. */
	stream.window_bytes = 1000;
	f = (struct flow){ .n = 10, .size = f.size, .padding = f.padding };
	assert_ok(run(&f, square, &stream, NULL), err);
	ck_assert_int_eq(f.given, 10);
	ck_assert_int_eq(f.most, 1);
	free(f.padding);
}
END_TEST

START_TEST(endless_until_give_ends_it)
{
	struct xc_stream_options stream = { .order = (enum xc_order)_i };
	struct flow f = { .n = -1, .stop_at = 5000 };

	assert_error(run(&f, return_square, &stream, NULL), -ECANCELED, &err, "give");
	ck_assert_int_eq(f.given, 5000);
	ck_assert_int_le(f.most, 4096);
}
END_TEST

START_TEST(a_failing_source)
{
	struct flow f = { .n = 500, .error = -EIO };

	assert_error(run(&f, return_square, NULL, NULL), -EIO, &err, "500");
	ck_assert_int_eq(f.given, 500);
}
END_TEST

START_TEST(failures_are_given)
{
	struct xc_stream_options stream = { .order = XC_IN_ORDER, .out_size = 8 };
	struct flow f = { .n = 3000 };

	assert_error(run(&f, square, &stream, NULL), XC_EFAILED, &err,
		     "1 of 3000 items did not end well; first: item 1000 failed with code 1");
	ck_assert_ptr_nonnull(strstr(err.text, "the thousandth"));
	ck_assert_int_eq(f.given, 3000);
	ck_assert_int_eq(f.states[XC_FAILED], 1);
}
END_TEST

START_TEST(the_first_failure_stops)
{
	struct xc_stream_options stream = { .order = (enum xc_order)_i, .out_size = 8 };
	struct xc_map_options options = { .on_failure = XC_STOP };
	struct flow f = { .n = -1 };

	assert_error(run(&f, square, &stream, &options), XC_EFAILED, &err, "the thousandth");
	ck_assert_int_eq(f.given, f.taken);
	ck_assert_int_lt(f.taken, 20000);
	ck_assert_int_eq(f.states[XC_FAILED], 1);
	ck_assert_int_eq(f.states[XC_OK] + f.states[XC_CANCELLED] + 1, f.given);
}
END_TEST

static int crash_at_7(struct xc_task *task, const void *in, void *out)
{
	int64_t i;

	memcpy(&i, in, sizeof i);
	if (i == 7)
		abort();
	return square(task, in, out);
}

START_TEST(a_crash_is_one_item)
{
	struct xc_stream_options stream = { .out_size = 8 };
	struct flow f = { .n = 200 };

	assert_error(run(&f, crash_at_7, &stream, NULL), XC_EFAILED, &err, "item 7 crashed");
	ck_assert_int_eq(f.states[XC_OK], 199);
}
END_TEST

/* Uses the client from within a callback. */
static int give_and_ask(void *argument, int64_t index, enum xc_state state, const void *data,
			size_t size)
{
	int64_t value = 9, out = 0;

	if (index % 500 == 0 && xc_apply(xc_balanced(client), square, &value, sizeof value, &out,
					 sizeof out, NULL, &err) < 0)
		return 1;
	return give(argument, index, state, data, size);
}

START_TEST(calls_within_callbacks)
{
	struct flow f = { .n = 3000 };

	assert_ok(xc_map_stream(xc_all(client), return_square, next, give_and_ask, &f, NULL, NULL,
				&err),
		  err);
	ck_assert_int_eq(f.states[XC_OK], 3000);
}
END_TEST

START_TEST(bad_arguments)
{
	struct xc_stream_options stream = { .window_items = -1 };
	struct xc_map_options options = { .max_attempts = -1 };
	const struct xc_view *view = xc_balanced(client);
	struct flow f = { .n = 1 };

	assert_error(xc_map_stream(NULL, square, next, give, &f, NULL, NULL, &err), -EINVAL, &err,
		     "view");
	assert_error(xc_map_stream(view, square, NULL, give, &f, NULL, NULL, &err), -EINVAL, &err,
		     "next");
	assert_error(xc_map_stream(view, square, next, NULL, &f, NULL, NULL, &err), -EINVAL, &err,
		     "give");
	assert_error(xc_map_stream(view, NULL, next, give, &f, NULL, NULL, &err), -EINVAL, &err,
		     "function");
	assert_error(run(&f, square, &stream, NULL), -EINVAL, &err, "window_items");
	stream = (struct xc_stream_options){ .order = (enum xc_order)7 };
	assert_error(run(&f, square, &stream, NULL), -EINVAL, &err, "order");
	assert_error(run(&f, square, NULL, &options), -EINVAL, &err, "max_attempts");
	ck_assert_int_eq(f.given, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "stream"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_loop_test(tests, all_items_once, 0, 2);
	tcase_add_loop_test(tests, the_window_holds, 0, 10);
	tcase_add_test(tests, the_window_of_bytes_holds);
	tcase_add_loop_test(tests, endless_until_give_ends_it, 0, 2);
	tcase_add_test(tests, a_failing_source);
	tcase_add_test(tests, failures_are_given);
	tcase_add_loop_test(tests, the_first_failure_stops, 0, 2);
	tcase_add_test(tests, a_crash_is_one_item);
	tcase_add_test(tests, calls_within_callbacks);
	tcase_add_test(tests, bad_arguments);
	add_cluster_stop(stop);
	return run_tests(suite);
}
