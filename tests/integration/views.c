/* views.c: engines of a view by index and slice, and what is known of an engine. */
#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENGINES 5

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

/* The ids of a view as digits. */
static const char *digits(const struct xc_view *view)
{
	static char text[ENGINES + 1];
	int ids[ENGINES], n = xc_view_ids(view, ids, ENGINES);

	ck_assert_int_le(n, ENGINES);
	ck_assert_int_eq(n, xc_view_size(view));
	for (int i = 0; i < n; i++)
		text[i] = (char)('0' + ids[i]);
	text[n] = '\0';
	return text;
}

static const struct xc_view *shuffled(void)
{
	const int ids[ENGINES] = { 3, 0, 4, 1, 2 };
	const struct xc_view *view = NULL;

	assert_ok(xc_engines(client, ids, ENGINES, &view, &err), err);
	return view;
}

static int tell_engine(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(int *)out = xc_task_engine(task);
	return 0;
}

START_TEST(ids_of_views)
{
	int ids[2] = { -1, -1 };

	ck_assert_str_eq(digits(xc_all(client)), "01234");
	ck_assert_str_eq(digits(xc_balanced(client)), "01234");
	ck_assert_str_eq(digits(shuffled()), "30412");
	ck_assert_int_eq(xc_view_ids(shuffled(), ids, 1), ENGINES);
	ck_assert(ids[0] == 3 && ids[1] == -1);
	ck_assert_int_eq(xc_view_ids(xc_all(client), NULL, 0), ENGINES);
	ck_assert_int_eq(xc_view_ids(NULL, ids, 2), 0);
}
END_TEST

START_TEST(one_engine)
{
	static const int order[ENGINES] = { 3, 0, 4, 1, 2 };
	const struct xc_view *one, *again;
	int engine = -1;

	for (int i = -ENGINES; i < ENGINES; i++) {
		assert_ok(xc_view_at(shuffled(), i, &one, &err), err);
		ck_assert_int_eq(xc_view_size(one), 1);
		assert_ok(xc_apply(one, tell_engine, NULL, 0, &engine, sizeof engine, NULL, &err),
			  err);
		ck_assert_int_eq(engine, order[(i + ENGINES) % ENGINES]);
	}
	assert_ok(xc_view_at(xc_all(client), 4, &one, &err), err);
	assert_ok(xc_view_at(xc_all(client), -1, &again, &err), err);
	ck_assert_ptr_eq(one, again);
}
END_TEST

START_TEST(index_out_of_range)
{
	static const int bad[] = { ENGINES, -ENGINES - 1, INT32_MAX, INT32_MIN };
	const struct xc_view *none = NULL, *one;
	char index[16];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(index, sizeof index, "%d", bad[i]);
		assert_error(xc_view_at(xc_all(client), bad[i], &none, &err), XC_ENOENGINE, &err,
			     index);
		ck_assert_ptr_nonnull(strstr(err.text, "5 engines"));
	}
	assert_ok(xc_view_at(xc_all(client), 0, &one, &err), err);
	assert_error(xc_view_at(one, 1, &none, &err), XC_ENOENGINE, &err, "1 engine");
	assert_error(xc_view_at(xc_balanced(client), 0, &none, &err), -EINVAL, &err, "order");
	assert_error(xc_view_at(NULL, 0, &none, &err), -EINVAL, &err, "view");
	assert_error(xc_view_at(xc_all(client), 0, NULL, &err), -EINVAL, &err, "one");
	ck_assert_ptr_null(none);
}
END_TEST

/* What Python says of range(5)[start:stop:step]. */
static const struct {
	int start, stop, step;
	const char *expected;
} slices[] = {
	{ XC_END, XC_END, 1, "01234" },
	{ XC_END, XC_END, -1, "43210" },
	{ 1, XC_END, 1, "1234" },
	{ XC_END, -1, 1, "0123" },
	{ -2, XC_END, 1, "34" },
	{ XC_END, XC_END, 2, "024" },
	{ XC_END, XC_END, -2, "420" },
	{ 1, 3, 1, "12" },
	{ 3, 1, -1, "32" },
	{ -1, -4, -1, "432" },
	{ -1, -6, -1, "43210" },
	{ -100, 100, 1, "01234" },
	{ 100, -100, -1, "43210" },
	{ 2, XC_END, -1, "210" },
	{ XC_END, 2, -1, "43" },
	{ 0, -1, 3, "03" },
	{ -4, -1, 2, "13" },
	{ XC_END, XC_END, INT32_MAX, "0" },
	{ XC_END, XC_END, INT32_MIN, "4" },
	{ 4, 0, -2, "42" },
	{ 3, 3, 1, "" },
	{ 1, 3, -1, "" },
	{ 5, XC_END, 1, "" },
	{ -100, -50, 1, "" },
};
#define SLICES ((int)(sizeof slices / sizeof slices[0]))

START_TEST(slice)
{
	const struct xc_view *view = NULL;
	int r = xc_view_slice(xc_all(client), slices[_i].start, slices[_i].stop, slices[_i].step,
			      &view, &err);

	if (slices[_i].expected[0]) {
		assert_ok(r, err);
		ck_assert_str_eq(digits(view), slices[_i].expected);
	} else {
		assert_error(r, XC_ENOENGINE, &err, "the view has 5");
		ck_assert_ptr_null(view);
	}
}
END_TEST

START_TEST(slice_of_a_slice)
{
	const struct xc_view *view = NULL;

	assert_ok(xc_view_slice(shuffled(), XC_END, XC_END, -1, &view, &err), err);
	ck_assert_str_eq(digits(view), "21403");
	assert_ok(xc_view_slice(view, 1, -1, 2, &view, &err), err);
	ck_assert_str_eq(digits(view), "10");
	assert_error(xc_view_slice(view, 0, 1, 0, &view, &err), -EINVAL, &err, "step");
	assert_error(xc_view_slice(xc_balanced(client), 0, 1, 1, &view, &err), -EINVAL, &err, "");
}
END_TEST

static int wait_at_gate(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	task_announce(task);
	task_wait_at_gate();
	return 0;
}

static int own_pid(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(int *)out = (int)getpid();
	return 0;
}

START_TEST(info_of_an_engine)
{
	struct xc_map_options options = { .label = "at the gate" };
	struct xc_engine_info info, before;
	const struct xc_view *one;
	struct xc_result *result;
	int pids[ENGINES];
	char host[256] = "";

	gethostname(host, sizeof host - 1);
	assert_ok(xc_apply(xc_all(client), own_pid, NULL, 0, pids, sizeof pids[0], NULL, &err),
		  err);
	assert_ok(xc_engine_info(client, 2, &before, &err), err);
	ck_assert_int_eq(before.id, 2);
	ck_assert_int_eq(before.pid, pids[2]);
	ck_assert_int_eq(before.restarts, 0);
	ck_assert_int_ge(before.items, 1);
	ck_assert_str_eq(before.host, host);
	ck_assert_str_eq(before.state, "idle");
	ck_assert_str_eq(before.label, "");

	stage_open();
	assert_ok(xc_view_at(xc_all(client), 2, &one, &err), err);
	result = xc_apply_async(one, wait_at_gate, NULL, 0, NULL, 0, &options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	stage_news();
	assert_ok(xc_engine_info(client, 2, &info, &err), err);
	ck_assert_str_eq(info.state, "busy");
	ck_assert_str_eq(info.label, "at the gate");
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	assert_ok(xc_engine_info(client, 2, &info, &err), err);
	ck_assert_int_eq(info.items, before.items + 1);
	xc_result_destroy(result);
	stage_close();

	assert_error(xc_engine_info(client, 99, &info, &err), XC_ENOENGINE, &err, "99");
	assert_error(xc_engine_info(client, -1, &info, &err), XC_ENOENGINE, &err, "-1");
	assert_error(xc_engine_info(client, 0, NULL, &err), -EINVAL, &err, "info");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("views");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "views"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_test(tests, ids_of_views);
	tcase_add_test(tests, one_engine);
	tcase_add_test(tests, index_out_of_range);
	tcase_add_loop_test(tests, slice, 0, SLICES);
	tcase_add_test(tests, slice_of_a_slice);
	tcase_add_test(tests, info_of_an_engine);
	add_cluster_stop(stop);
	return run_tests(suite);
}
