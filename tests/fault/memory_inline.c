/* memory_inline.c: programs without a cluster, without memory: what has become of items
 * is true, or the client is lost and says so. */
#include "tests/fault/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/fault.h"
#include "tests/support/support.h"

static int odd_fail_twice(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	*(int64_t *)out = i * i;
	if (i % 2 == 0 || xc_task_attempt(task) > 1)
		return 0;
	return xc_task_fail(task, "item %d is odd, and this is its first attempt", (int)i);
}

static int always_fail(struct xc_task *task, const void *in, void *out)
{
	(void)out;
	return xc_task_fail(task, "item %d fails, and says so at some length",
			    (int)*(const int64_t *)in);
}

static int text(struct xc_task *task, const void *in, void *out)
{
	(void)out;
	/* One that does not look whether it could. */
	xc_task_return(task, in, sizeof(int64_t));
	return 0;
}

static int keep_array(struct xc_task *task, const void *in, void *out)
{
	const double numbers[3] = { 1, 2, 3 };

	(void)in;
	(void)out;
	return xc_task_set(task, "kept", XC_ARRAY_F64(numbers, 3)) < 0 ? 9 : 0;
}

static struct xc_client *open_inside(void)
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *inside = NULL;

	setenv("XCLUSTER", "inline:2", 1);
	assert_ok(xc_open(&inside, NULL, &err), err);
	unsetenv("XCLUSTER");
	return inside;
}

static int opened(struct xc_error *err)
{
	struct xc_client *inside = NULL;
	int r;

	setenv("XCLUSTER", "inline:2", 1);
	r = FAULTY(xc_open(&inside, NULL, err));
	unsetenv("XCLUSTER");
	ck_assert_int_eq(inside != NULL, r == 0);
	xc_close(inside);
	return r;
}

static int dirichlets(struct xc_error *err)
{
	const double alpha[] = { 0.05, 0.01, 0.02 };
	double out[6] = { 0 };
	struct xc_rng *rng;
	int r;

	assert_ok(xc_rng_new(&rng, XC_PCG64, 1, err), *err);
	r = FAULTY(xc_dirichlet_fill(rng, alpha, 3, out, 2, err));
	ck_assert_int_eq(out[3] + out[4] + out[5] > 0, r == 0);
	xc_rng_free(rng);
	return r;
}

/* Those that fail go again, and none is taken for well that was not. */
static int map_with_retries(struct xc_error *err)
{
	const struct xc_map_options options = { .max_attempts = 2, .chunk = 7 };
	struct xc_client *inside = open_inside();
	int64_t out[ITEMS] = { 0 };
	int r = FAULTY(xc_map_range(xc_balanced(inside), odd_fail_twice, ITEMS, out, sizeof *out,
				    &options, err));

	if (r == 0)
		check_squares(out);
	xc_close(inside);
	return r;
}

static int map_pinned(struct xc_error *err)
{
	struct xc_client *inside = open_inside();
	int64_t out[ITEMS] = { 0 };
	int r = FAULTY(xc_map_range(xc_all(inside), square, ITEMS, out, sizeof *out, NULL, err));

	if (r == 0)
		check_squares(out);
	xc_close(inside);
	return r;
}

static int failures(struct xc_error *err)
{
	const struct xc_map_options options = { .on_failure = XC_STOP, .chunk = 3 };
	struct xc_client *inside = open_inside();
	int r = FAULTY(
		xc_map_range(xc_balanced(inside), always_fail, ITEMS, NULL, 0, &options, err));

	ck_assert_int_ne(r, 0);
	xc_close(inside);
	return r == XC_EFAILED ? 0 : r;
}

static int texts(struct xc_error *err)
{
	struct xc_client *inside = open_inside();
	struct xc_result *result =
		FAULTY(xc_map_range_async(xc_all(inside), text, ITEMS, NULL, 0, NULL, err));
	int r = result ? wait_patiently(result, err) : err->code;

	for (int64_t i = 0; r == 0 && i < ITEMS; i++) {
		size_t size = 0;
		const void *data = xc_result_item(result, i, &size);

		/* N.B. the task had no memory for it, and did not say so. */
		ck_assert(fault_hit() || (data && size == sizeof i && memcmp(data, &i, size) == 0));
	}
	xc_result_destroy(result);
	xc_close(inside);
	return r;
}

static int variables(struct xc_error *err)
{
	static double numbers[100];
	struct xc_client *inside = open_inside();
	struct xc_array arrays[ENGINES] = { { .ndim = 0 } };
	const struct xc_view *all = xc_all(inside);
	int r = FAULTY(xc_push(all, "x", XC_ARRAY_F64(numbers, 100), err));

	if (r == 0)
		r = FAULTY(xc_pull(all, "x", arrays, err));
	for (int i = 0; i < ENGINES; i++) {
		ck_assert(r < 0 || xc_array_count(&arrays[i]) == 100);
		xc_array_free(&arrays[i]);
	}
	if (r == 0)
		r = FAULTY(xc_apply(all, keep_array, NULL, 0, NULL, 0, NULL, err));
	xc_close(inside);
	/* The task's own word for it. */
	ck_assert(r != XC_EFAILED || (fault_hit() && strstr(err->text, "out of memory")));
	return r == XC_EFAILED ? err->code = -ENOMEM : r;
}

static int library(struct xc_error *err)
{
	const struct xc_map_options options = { .function = "fault_answer" };
	struct xc_client *inside = open_inside();
	int64_t out[ENGINES] = { 0 };
	int r = FAULTY(xc_load(xc_all(inside), XC_TEST_LIBRARY, err));

	if (r == 0)
		r = FAULTY(
			xc_apply(xc_all(inside), NULL, NULL, 0, out, sizeof *out, &options, err));
	ck_assert(r < 0 || out[1] == 42);
	if (r == 0)
		r = FAULTY(xc_unload(xc_all(inside), XC_TEST_LIBRARY, err));
	xc_close(inside);
	return r;
}

static int status(struct xc_error *err)
{
	struct xc_client *inside = open_inside();
	struct xc_queue queues[ENGINES];
	int r = FAULTY(xc_queue_status(inside, queues, ENGINES, NULL, err));

	xc_close(inside);
	return r < 0 ? r : 0;
}

static int cancel(struct xc_error *err)
{
	struct xc_client *inside = open_inside();
	struct xc_result *result = xc_map_range_async(xc_all(inside), square, ITEMS,
						      (int64_t[ITEMS]){ 0 }, 8, NULL, err);
	int r = FAULTY(xc_cancel(result, XC_CANCEL_QUEUED, err)), waited;

	waited = xc_wait(result, LIMIT, r < 0 ? NULL : err);
	ck_assert(waited == XC_EFAILED || (fault_hit() && (waited == XC_ELOST || waited == 0)));
	xc_result_destroy(result);
	xc_close(inside);
	return r < 0 ? r : waited == XC_ELOST ? waited : 0;
}

static void make_job(struct xc_client *inside, const struct xc_view *view, char *id)
{
	struct xc_error err = XC_ERROR_INIT;
	int64_t out[ITEMS];
	struct xc_result *result =
		xc_map_range_async(view, square, ITEMS, out, sizeof *out, NULL, &err);

	ck_assert(inside && result && xc_result_id(result, id) == 0);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
}

static int end(struct xc_client *inside, struct xc_result *result, const int64_t *out,
	       struct xc_error *err)
{
	int r = result ? wait_patiently(result, err) : err->code;

	if (r == 0)
		check_squares(out);
	xc_result_destroy(result);
	xc_close(inside);
	return r;
}

static int attach(struct xc_error *err)
{
	struct xc_client *inside = open_inside();
	int64_t out[ITEMS] = { 0 };
	char id[XC_JOB_ID_SIZE];

	make_job(inside, xc_balanced(inside), id);
	return end(inside, FAULTY(xc_attach(inside, id, out, sizeof out, err)), out, err);
}

static int resubmit(struct xc_error *err)
{
	struct xc_client *inside = open_inside();
	int64_t out[ITEMS] = { 0 };
	char id[XC_JOB_ID_SIZE];

	make_job(inside, xc_all(inside), id);
	return end(inside, FAULTY(xc_resubmit(inside, id, out, sizeof out, err)), out, err);
}

static int jobs(struct xc_error *err)
{
	struct xc_client *inside = open_inside();
	struct xc_job_info *list = NULL;
	char id[XC_JOB_ID_SIZE];
	int count = -1, r;

	make_job(inside, xc_all(inside), id);
	r = FAULTY(xc_jobs(inside, NULL, &list, &count, err));
	ck_assert((list != NULL) == (r == 0) && (count == 1) == (r == 0));
	free(list);
	xc_close(inside);
	return r;
}

/* What is for an engine that has gone is lost, and so told. */
static int shut_down(struct xc_error *err)
{
	struct xc_client *inside = open_inside();
	const struct xc_view *second;
	int64_t out[ITEMS] = { 0 };
	int id = 1, r;

	assert_ok(xc_engines(inside, &id, 1, &second, err), *err);
	r = FAULTY(xc_engines_stop(second, XC_CANCEL_QUEUED, err));
	if (r == 0) {
		r = FAULTY(xc_map_range(second, square, ITEMS, out, sizeof *out, NULL, err));
		ck_assert_int_ne(r, 0);
	}
	xc_close(inside);
	return r == XC_EFAILED ? 0 : r;
}

static int execute(struct xc_error *err)
{
	struct xc_client *inside = open_inside();
	int r = FAULTY(xc_execute(xc_all(inside), "int fault = 1; (void)fault;", NULL, err));

	xc_close(inside);
	ck_assert(r != XC_EFAILED || (fault_hit() && strstr(err->text, "memory")));
	return r == XC_EFAILED ? err->code = -ENOMEM : r;
}

static int reduce(struct xc_error *err)
{
	const struct xc_reduction how = { .kind = XC_REDUCE_SUM, .dtype = XC_I64 };
	const struct xc_map_options options = { .max_attempts = 2, .chunk = 7 };
	struct xc_client *inside = open_inside();
	int64_t sum = 0;
	int r = FAULTY(xc_map_reduce(xc_balanced(inside), odd_fail_twice, ITEMS, &how, &sum,
				     sizeof sum, &options, err));

	if (r == 0)
		ck_assert_int_eq(sum, (ITEMS - 1) * ITEMS * (2 * ITEMS - 1) / 6);
	xc_close(inside);
	return r;
}

static int reduce_inside(bool again, struct xc_error *err)
{
	struct xc_client *inside = open_inside();
	int r = reduce_by_id(inside, again, err);

	xc_close(inside);
	return r;
}

static int attach_reduce(struct xc_error *err)
{
	return reduce_inside(false, err);
}

static int resubmit_reduce(struct xc_error *err)
{
	return reduce_inside(true, err);
}

const struct scenario inline_scenarios[] = {
	{ "xc_open", opened, 0 },
	{ "a map with retries", map_with_retries, XC_ELOST },
	{ "a map in blocks", map_pinned, XC_ELOST },
	{ "failures", failures, XC_ELOST },
	{ "results of any length", texts, XC_ELOST },
	{ "variables", variables, XC_ELOST },
	{ "a library", library, XC_ELOST },
	{ "xc_map_reduce", reduce, XC_ELOST },
	{ "xc_attach_reduce", attach_reduce, XC_ELOST },
	{ "xc_resubmit_reduce", resubmit_reduce, XC_ELOST },
	{ "xc_queue_status", status, 0 },
	{ "xc_cancel", cancel, XC_ELOST },
	{ "xc_attach", attach, XC_ELOST },
	{ "xc_resubmit", resubmit, XC_ELOST },
	{ "xc_jobs", jobs, 0 },
	{ "xc_engines_stop", shut_down, XC_ELOST },
	{ "xc_execute", execute, XC_ELOST },
	{ "xc_dirichlet_fill", dirichlets, 0 },
};
const int inline_scenario_count = sizeof inline_scenarios / sizeof inline_scenarios[0];
