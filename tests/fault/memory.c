/* memory.c: every call on a real cluster with every allocation failing once, and
 * from then on; afterwards the same client works. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/fault.h"
#include "tests/fault/memory.h"
#include "tests/support/support.h"

#define MANY  1100 /* each half more than one batch */
#define LARGE 5000

struct xc_client *client;
static double numbers[LARGE];

/* ---- Tasks ------------------------------------------------------------------------ */

int square(struct xc_task *task, const void *in, void *out)
{
	int64_t i;

	(void)task;
	memcpy(&i, in, sizeof i); /* packed ones are not aligned */
	*(int64_t *)out = i * i;
	return 0;
}

static int text(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	(void)out;
	return xc_task_return(task, &i, sizeof i);
}

static int odd_fail(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	*(int64_t *)out = i;
	return i % 2 ? xc_task_fail(task, "item %d is odd", (int)i) : 0;
}

int nap(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	for (int i = 0; i < 1000 && !xc_task_is_cancelled(task); i++)
		task_sleep(0.01);
	return 0;
}

/* ---- Before and after ----------------------------------------------------------------- */

static void connect_client(void)
{
	for (int i = 0; i < LARGE; i++)
		numbers[i] = i;
	client = open_client(ENGINES);
}

static void close_client(void)
{
	xc_close(client);
}

void check_squares(const int64_t *out)
{
	for (int64_t i = 0; i < ITEMS; i++)
		if (out[i] != i * i)
			ck_abort_msg("item %d is %lld", (int)i, (long long)out[i]);
}

/* The client is as good as before. */
static void still_works(void)
{
	struct xc_error err = XC_ERROR_INIT;
	int64_t out[ITEMS] = { 0 };

	assert_ok(xc_map_range(xc_balanced(client), square, ITEMS, out, sizeof out[0], NULL, &err),
		  err);
	check_squares(out);
	ck_assert_int_ge(xc_engine_count(client), ENGINES);
}

int wait_patiently(struct xc_result *result, struct xc_error *err)
{
	int r = FAULTY(xc_wait(result, LIMIT, err));

	while (r == -ENOMEM) {
		ck_assert(fault_hit() && err->code == r && err->text[0]);
		r = xc_wait(result, LIMIT, err);
	}
	return r;
}

/* ---- Opening ----------------------------------------------------------------------------- */

static int open_and_close(struct xc_error *err)
{
	struct xc_client *other = NULL;
	int r = FAULTY(xc_open(&other, NULL, err));

	ck_assert(r == 0 || !other);
	xc_close(other);
	return r;
}

static int wait_for_engines(struct xc_error *err)
{
	return FAULTY(xc_wait_for_engines(client, ENGINES, LIMIT, err));
}

/* Everything is sent anew by a client of its own: image, store, first job. */
static int first_map(struct xc_error *err)
{
	int64_t out[ITEMS] = { 0 };
	struct xc_client *own = open_client(ENGINES);
	int r = FAULTY(xc_map_range(xc_all(own), square, ITEMS, out, sizeof out[0], NULL, err));

	if (r == 0)
		check_squares(out);
	else
		assert_ok(xc_map_range(xc_all(own), square, ITEMS, out, sizeof out[0], NULL,
				       &(struct xc_error){ 0 }),
			  *err);
	xc_close(own);
	return r;
}

/* ---- Maps -------------------------------------------------------------------------------- */

static int map_range(struct xc_error *err)
{
	const struct xc_map_options options = { .seed = 7 };
	int64_t out[ITEMS] = { 0 };
	int r = FAULTY(xc_map_range(xc_balanced(client), square, ITEMS, out, sizeof out[0],
				    &options, err));

	if (r == 0)
		check_squares(out);
	return r;
}

static int map_strided(struct xc_error *err)
{
	int64_t in[ITEMS], out[ITEMS] = { 0 };
	int r;

	for (int i = 0; i < ITEMS; i++)
		in[i] = i;
	r = FAULTY(xc_map(xc_all(client), square, in, sizeof in[0], ITEMS, out, sizeof out[0], NULL,
			  err));
	if (r == 0)
		check_squares(out);
	return r;
}

static int map_packed(struct xc_error *err)
{
	int64_t in[ITEMS], out[ITEMS] = { 0 };
	struct xc_bytes items[ITEMS];
	int r;

	for (int i = 0; i < ITEMS; i++) {
		in[i] = i;
		items[i] = (struct xc_bytes){ &in[i], sizeof in[i] };
	}
	r = FAULTY(xc_map_packed(xc_balanced(client), square, items, ITEMS, out, sizeof out[0],
				 NULL, err));
	if (r == 0)
		check_squares(out);
	return r;
}

static void check_text(struct xc_result *result, int64_t i, int64_t expected)
{
	size_t size = 0;
	const void *data = xc_result_item(result, i, &size);

	ck_assert_msg(data && size == sizeof expected && memcmp(data, &expected, size) == 0,
		      "item %d ended well, and has no result", (int)expected);
}

static int map_texts(struct xc_error *err)
{
	struct xc_result *result =
		FAULTY(xc_map_range_async(xc_balanced(client), text, ITEMS, NULL, 0, NULL, err));
	int r;

	if (!result)
		return err->code;
	r = wait_patiently(result, err);
	for (int64_t i = 0; r == 0 && i < ITEMS; i++)
		check_text(result, i, i);
	xc_result_destroy(result);
	return r;
}

static int next_items(struct xc_error *err)
{
	int64_t out[ITEMS], item, count = 0;
	struct xc_result *result = FAULTY(xc_map_range_async(xc_balanced(client), square, ITEMS,
							     out, sizeof out[0], NULL, err));
	int r;

	if (!result)
		return err->code;
	do {
		r = FAULTY(xc_next(result, XC_IN_ORDER, LIMIT, &item, err));
		ck_assert(r != 1 || (item == count && out[item] == item * item));
		count += r == 1;
	} while (r == 1);
	ck_assert(r < 0 || count == ITEMS);
	xc_result_destroy(result);
	return r;
}

static int failures(struct xc_error *err)
{
	int64_t out[ITEMS];
	char words[1000];
	struct xc_result *result = FAULTY(xc_map_range_async(xc_balanced(client), odd_fail, ITEMS,
							     out, sizeof out[0], NULL, err));
	int r;

	if (!result)
		return err->code;
	r = wait_patiently(result, err);
	ck_assert_int_eq(r, XC_EFAILED);
	ck_assert_int_eq(xc_result_progress(result).failed, ITEMS / 2);
	r = FAULTY(xc_failure_summary(result, words, sizeof words));
	ck_assert(r > 0 || r == -ENOMEM);
	xc_result_destroy(result);
	return 0;
}

static int cancel(struct xc_error *err)
{
	struct xc_result *result =
		FAULTY(xc_map_range_async(xc_balanced(client), nap, 4, NULL, 0, NULL, err));
	int r;

	if (!result)
		return err->code;
	r = FAULTY(xc_cancel(result, XC_CANCEL_QUEUED, err));
	if (r < 0)
		ck_assert_int_eq(xc_cancel(result, XC_CANCEL_QUEUED, NULL), 0);
	ck_assert_int_eq(xc_wait(result, LIMIT, NULL), XC_EFAILED);
	xc_result_destroy(result);
	return r;
}

/* ---- Apply and streams ------------------------------------------------------------------------
 */

static int apply_to_all(struct xc_error *err)
{
	int64_t in = 7, out[ENGINES] = { 0 };
	int r = FAULTY(
		xc_apply(xc_all(client), square, &in, sizeof in, out, sizeof out[0], NULL, err));

	for (int i = 0; r == 0 && i < ENGINES; i++)
		ck_assert_int_eq(out[i], 49);
	return r;
}

static int apply_one(struct xc_error *err)
{
	const struct xc_map_options options = { .label = "one", .seed = 7 };
	int64_t in = 7, out = 0;
	int r = FAULTY(xc_apply(xc_balanced(client), square, &in, sizeof in, &out, sizeof out,
				&options, err));

	ck_assert(r < 0 || out == 49);
	return r;
}

/* Those that were taken end, each with its own result. */
static int apply_many(struct xc_error *err)
{
	static struct xc_result *results[MANY];
	int failed = 0;

	for (int64_t i = 0; i < MANY; i++) {
		const struct xc_map_options options = { .label = i < MANY / 2 ? "first" : "last",
							.seed = 7 };

		results[i] = FAULTY(xc_apply_async(xc_balanced(client), text, &i, sizeof i, NULL, 0,
						   &options, err));
		if (!results[i]) {
			ck_assert_int_eq(err->code, -ENOMEM);
			failed++;
		}
	}
	for (int64_t i = 0; i < MANY; i++) {
		if (!results[i])
			continue;
		ck_assert_int_eq(wait_patiently(results[i], err), 0);
		check_text(results[i], 0, i);
		xc_result_destroy(results[i]);
	}
	if (failed == 0)
		return 0;
	err->code = -ENOMEM;
	return -ENOMEM;
}

struct flow {
	int64_t taken, given, failed;
};

static int next(void *argument, struct xc_bytes *item)
{
	struct flow *flow = argument;

	if (flow->taken == ITEMS)
		return 0;
	*item = (struct xc_bytes){ &flow->taken, sizeof flow->taken };
	flow->taken++;
	return 1;
}

static int next_number(void *argument, struct xc_bytes *item)
{
	static int64_t number;
	int r = next(argument, item);

	number = ((struct flow *)argument)->taken - 1;
	item->data = &number;
	return r;
}

static int give(void *argument, int64_t index, enum xc_state state, const void *data, size_t size)
{
	struct flow *flow = argument;
	int64_t value = -1;

	if (size == sizeof value)
		memcpy(&value, data, size);
	flow->failed += state != XC_OK || value != index * index;
	flow->given++;
	return 0;
}

static int stream(struct xc_error *err)
{
	const struct xc_stream_options window = { .order = XC_IN_ORDER,
						  .window_items = 8,
						  .out_size = sizeof(int64_t) };
	struct flow flow = { 0 };
	int r = FAULTY(xc_map_stream(xc_balanced(client), square, next_number, give, &flow, &window,
				     NULL, err));

	ck_assert_int_eq(flow.failed, 0);
	ck_assert(r < 0 || flow.given == ITEMS);
	return r;
}

/* ---- Data ------------------------------------------------------------------------------------ */

static int push(struct xc_error *err)
{
	return FAULTY(xc_push(xc_all(client), "x", XC_ARRAY_F64(numbers, 10), err));
}

static int push_large(struct xc_error *err)
{
	return FAULTY(xc_push(xc_all(client), "large", XC_ARRAY_F64(numbers, LARGE), err));
}

static int scatter(struct xc_error *err)
{
	return FAULTY(xc_scatter(xc_all(client), "part", XC_ARRAY_F64(numbers, LARGE), err));
}

static int pull(struct xc_error *err)
{
	struct xc_array arrays[ENGINES] = { { .ndim = 0 } };
	int r = FAULTY(xc_pull(xc_all(client), "x", arrays, err));

	for (int i = 0; i < ENGINES; i++) {
		ck_assert_int_eq(arrays[i].data != NULL, r == 0);
		if (r == 0)
			ck_assert_mem_eq(arrays[i].data, numbers, 10 * sizeof numbers[0]);
		xc_array_free(&arrays[i]);
	}
	return r;
}

static int gather(struct xc_error *err)
{
	struct xc_array array = { .ndim = 0 };
	int r = FAULTY(xc_gather(xc_all(client), "part", &array, err));

	ck_assert_int_eq(array.data != NULL, r == 0);
	if (r == 0)
		ck_assert_mem_eq(array.data, numbers, sizeof numbers);
	xc_array_free(&array);
	return r;
}

static int clear(struct xc_error *err)
{
	return FAULTY(xc_clear(xc_all(client), "x", err));
}

static int load(struct xc_error *err)
{
	const struct xc_map_options options = { .function = "fault_answer" };
	struct xc_client *own = open_client(ENGINES);
	int64_t out[ENGINES] = { 0 };
	int r = FAULTY(xc_load(xc_all(own), XC_TEST_LIBRARY, err));

	if (r == 0)
		r = FAULTY(xc_apply(xc_all(own), NULL, NULL, 0, out, sizeof out[0], &options, err));
	ck_assert(r < 0 || out[0] == 42);
	xc_close(own);
	return r;
}

/* ---- Questions and views --------------------------------------------------------------------- */

static int status(struct xc_error *err)
{
	char *json = NULL;
	int r = FAULTY(xc_status_json(client, &json, err));

	ck_assert_int_eq(json != NULL, r == 0);
	free(json);
	return r;
}

static int engine_info(struct xc_error *err)
{
	struct xc_engine_info info = { .id = -1 };
	int r = FAULTY(xc_engine_info(client, 1, &info, err));

	ck_assert_int_eq(info.id, r == 0 ? 1 : -1);
	return r;
}

static int views(struct xc_error *err)
{
	struct xc_client *own = open_client(ENGINES);
	const struct xc_view *view = NULL, *one = NULL;
	int ids[ENGINES] = { 0, 1 };
	int r = FAULTY(xc_engines(own, ids, ENGINES, &view, err));

	if (r == 0)
		r = FAULTY(xc_balanced_over(own, ids, 1, &one, err));
	if (r == 0)
		r = FAULTY(xc_view_at(view, -1, &one, err));
	if (r == 0)
		r = FAULTY(xc_view_slice(view, XC_END, XC_END, -1, &one, err));
	if (r == 0 && FAULTY(xc_view_ids(one, ids, ENGINES)) == -ENOMEM)
		r = err->code = -ENOMEM, strcpy(err->text, "it has no err");
	else if (r == 0)
		ck_assert_int_eq(ids[0], 1);
	xc_close(own);
	return r;
}

static int event_loop(struct xc_error *err)
{
	int64_t out[ITEMS];
	struct xc_result *result;
	int r = 0;

	ck_assert_int_ge(FAULTY(xc_fd(client)), 0);
	result = FAULTY(xc_map_range_async(xc_balanced(client), square, ITEMS, out, sizeof out[0],
					   NULL, err));
	if (!result)
		return err->code;
	for (double start = now(); !xc_is_ready(result) && now() < start + LIMIT;) {
		r = FAULTY(xc_process(client, err));
		ck_assert(r == 0 || (fault_hit() && r == -ENOMEM && err->text[0]));
	}
	ck_assert_int_eq(xc_wait(result, 0, NULL), 0);
	check_squares(out);
	xc_result_destroy(result);
	return 0;
}

/* It ends in any case: the end of this process would see to it, too. */
static int private_cluster(struct xc_error *err)
{
	struct xc_cluster *cluster = NULL;
	int r = FAULTY(xc_cluster_start(&cluster, 1, NULL, err));

	ck_assert_int_eq(cluster != NULL, r == 0);
	return r < 0 ? r : FAULTY(xc_cluster_stop(cluster, err));
}

static const struct scenario scenarios[] = {
	{ "xc_open", open_and_close, 0 },
	{ "xc_wait_for_engines", wait_for_engines, 0 },
	{ "the first map", first_map, 0 },
	{ "xc_map_range", map_range, 0 },
	{ "xc_map", map_strided, 0 },
	{ "xc_map_packed", map_packed, 0 },
	{ "results of any length", map_texts, 0 },
	{ "xc_next", next_items, 0 },
	{ "failures", failures, 0 },
	{ "xc_cancel", cancel, 0 },
	{ "xc_apply to all", apply_to_all, 0 },
	{ "xc_apply", apply_one, 0 },
	{ "many xc_apply_async", apply_many, 0 },
	{ "xc_map_stream", stream, 0 },
	{ "xc_push", push, 0 },
	{ "xc_push of an object", push_large, 0 },
	{ "xc_scatter", scatter, 0 },
	{ "xc_pull", pull, 0 },
	{ "xc_gather", gather, 0 },
	{ "xc_clear", clear, 0 },
	{ "xc_load", load, 0 },
	{ "xc_status_json", status, 0 },
	{ "xc_engine_info", engine_info, 0 },
	{ "views", views, 0 },
	{ "xc_process", event_loop, 0 },
	/* The JSON that the command prints is not read. */
	{ "xc_cluster_start", private_cluster, XC_ENOCLUSTER },
};
#define SCENARIOS ((int)(sizeof scenarios / sizeof scenarios[0]))

static void try_scenario(const struct scenario *scenario)
{
	fault_every(scenario->name, scenario->run, scenario->other, still_works);
}

START_TEST(every_allocation_of_a_call)
{
	/* What the later ones look for. */
	assert_ok(push(&(struct xc_error){ 0 }), (struct xc_error){ 0 });
	assert_ok(scatter(&(struct xc_error){ 0 }), (struct xc_error){ 0 });
	try_scenario(&scenarios[_i]);
}
END_TEST

START_TEST(every_allocation_of_a_call_about_jobs)
{
	try_scenario(&job_scenarios[_i]);
}
END_TEST

START_TEST(every_allocation_of_a_call_about_matrices)
{
	try_scenario(&matrix_scenarios[_i]);
}
END_TEST

START_TEST(every_allocation_without_a_cluster)
{
	const struct scenario *scenario = &inline_scenarios[_i];

	fault_every(scenario->name, scenario->run, scenario->other, NULL);
}
END_TEST

START_TEST(every_allocation_of_a_call_about_code)
{
	try_scenario(&code_scenarios[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fault_memory");
	TCase *tests = shared_case(suite, "cluster"), *calls = shared_case(suite, "calls"),
	      *last = shared_case(suite, "end");

	add_cluster_start(tests, ENGINES);
	tcase_add_checked_fixture(calls, connect_client, close_client);
	tcase_add_loop_test(calls, every_allocation_of_a_call, 0, SCENARIOS);
	tcase_add_loop_test(calls, every_allocation_of_a_call_about_code, 0, code_scenario_count);
	tcase_add_loop_test(calls, every_allocation_of_a_call_about_matrices, 0,
			    matrix_scenario_count);
	tcase_add_loop_test(calls, every_allocation_of_a_call_about_jobs, 0, job_scenario_count);
	tcase_add_loop_test(last, every_allocation_without_a_cluster, 0, inline_scenario_count);
	add_cluster_stop(last);
	return run_tests(suite);
}
