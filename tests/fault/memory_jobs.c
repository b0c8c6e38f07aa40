/* memory_jobs.c: jobs by id, and orders for engines, without memory. */
#include "tests/fault/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/fault.h"
#include "tests/support/support.h"

/* ---- Jobs by id ---------------------------------------------------------------------- */

/* A job with its id; it may be running still. */
static struct xc_result *begin(int64_t *out, char id[XC_JOB_ID_SIZE])
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_result *result = xc_map_range_async(xc_balanced(client), square, ITEMS, out,
						      sizeof *out, NULL, &err);

	ck_assert_msg(result && xc_result_id(result, id) == 0, "%s", err.text);
	return result;
}

/* The id of a job that has ended. */
static void make_job(char id[XC_JOB_ID_SIZE])
{
	int64_t out[ITEMS];
	struct xc_result *result = begin(out, id);

	ck_assert_int_eq(xc_wait(result, LIMIT, NULL), 0);
	xc_result_destroy(result);
}

static int end(struct xc_result *result, const int64_t *out, struct xc_error *err)
{
	int r;

	if (!result)
		return err->code;
	r = wait_patiently(result, err);
	if (r == 0)
		check_squares(out);
	xc_result_destroy(result);
	return r;
}

static int attach_to_running(struct xc_error *err)
{
	int64_t own[ITEMS] = { 0 }, out[ITEMS] = { 0 };
	char id[XC_JOB_ID_SIZE];
	struct xc_result *first = begin(own, id);
	int r = end(FAULTY(xc_attach(client, id, out, sizeof out, err)), out, err);

	ck_assert_int_eq(xc_wait(first, LIMIT, NULL), 0);
	check_squares(own);
	xc_result_destroy(first);
	return r;
}

static int attach_to_ended(struct xc_error *err)
{
	int64_t out[ITEMS] = { 0 };
	char id[XC_JOB_ID_SIZE];

	make_job(id);
	return end(FAULTY(xc_attach(client, id, out, sizeof out, err)), out, err);
}

/* One of those that went together. */
static int attach_to_member(struct xc_error *err)
{
	int64_t in = 7, own = 0, out = 0;
	char id[XC_JOB_ID_SIZE] = "";
	struct xc_result *result, *again = xc_apply_async(xc_balanced(client), square, &in,
							  sizeof in, &own, sizeof own, NULL, err);
	int r;

	ck_assert_ptr_nonnull(again);
	r = FAULTY(xc_result_id(again, id));
	if (r == -ENOMEM)
		ck_assert_int_eq(xc_result_id(again, id), 0);
	result = FAULTY(xc_attach(client, id, &out, sizeof out, err));
	ck_assert_int_eq(xc_wait(again, LIMIT, NULL), 0);
	r = result ? wait_patiently(result, err) : err->code;
	ck_assert(own == 49 && (r < 0 || out == 49));
	xc_result_destroy(result);
	xc_result_destroy(again);
	return r;
}

static int resubmit(struct xc_error *err)
{
	int64_t out[ITEMS] = { 0 };
	char id[XC_JOB_ID_SIZE];

	make_job(id);
	return end(FAULTY(xc_resubmit(client, id, out, sizeof out, err)), out, err);
}

static int keep(struct xc_error *err)
{
	const struct xc_map_options options = { .on_disconnect = XC_DISCONNECT_KEEP };
	int64_t out[ITEMS] = { 0 };
	char id[XC_JOB_ID_SIZE] = "";
	struct xc_result *result = FAULTY(xc_map_range_async(xc_balanced(client), square, ITEMS,
							     out, sizeof *out, &options, err));
	int r;

	if (result)
		ck_assert_int_eq(xc_result_id(result, id), 0);
	r = end(result, out, err);
	if (id[0])
		ck_assert_int_eq(xc_purge(client, id, NULL), 1);
	return r;
}

static int jobs(struct xc_error *err)
{
	const struct xc_job_query query = { .label = "*", .max = 10 };
	struct xc_job_info *list = NULL;
	int count = -1, r = FAULTY(xc_jobs(client, &query, &list, &count, err));

	ck_assert((list != NULL) == (r == 0) && (count >= 0) == (r == 0));
	free(list);
	return r;
}

static int purge(struct xc_error *err)
{
	char id[XC_JOB_ID_SIZE];
	int r, again;

	make_job(id);
	r = FAULTY(xc_purge(client, id, err));
	again = xc_purge(client, id, NULL);
	ck_assert(r < 0 ? again == 1 || again == -ENOENT : r == 1 && again == -ENOENT);
	return r < 0 ? r : 0;
}

static int cancel_by_id(struct xc_error *err)
{
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), nap, 4, NULL, 0, NULL, err);
	char id[XC_JOB_ID_SIZE];
	int r;

	ck_assert(result && xc_result_id(result, id) == 0);
	r = FAULTY(xc_job_cancel(client, id, XC_CANCEL_QUEUED, err));
	if (r < 0)
		ck_assert_int_eq(xc_cancel(result, XC_CANCEL_QUEUED, NULL), 0);
	ck_assert_int_eq(xc_wait(result, LIMIT, NULL), XC_EFAILED);
	xc_result_destroy(result);
	return r;
}

static int queue_status(struct xc_error *err)
{
	struct xc_queue queues[ENGINES] = { { .engine = -1 } };
	int64_t unassigned = -1;
	int r = FAULTY(xc_queue_status(client, queues, ENGINES, &unassigned, err));

	ck_assert_int_eq(queues[0].engine, r < 0 ? -1 : 0);
	ck_assert_int_eq(unassigned, r < 0 ? -1 : 0);
	return r < 0 ? r : 0;
}

/* ---- Orders for engines --------------------------------------------------------------- */

static int send_signal(struct xc_error *err)
{
	return FAULTY(xc_signal(xc_all(client), SIGINT, err));
}

static int set_threads(struct xc_error *err)
{
	return FAULTY(xc_set_threads(xc_all(client), 1, err));
}

static int interrupt(struct xc_error *err)
{
	return FAULTY(xc_interrupt(xc_all(client), err));
}

static bool has_settled(void *arg)
{
	struct xc_engine_info info;

	ck_assert_int_eq(xc_engine_info(client, *(int *)arg, &info, NULL), 0);
	return strcmp(info.state, "idle") == 0 || strcmp(info.state, "stopped") == 0;
}

/* The last engine; those that the cluster began with stay. */
static int engines_stop(struct xc_error *err)
{
	static struct output output;
	const struct xc_view *view;
	int ids[100], count = xc_engine_ids(client, ids, 100), r;

	if (count <= ENGINES) {
		XCLUSTER(&output, "engines", "-n", "4");
		ck_assert_msg(output.status == 0, "%s", output.err);
		assert_ok(xc_wait_for_engines(client, count + 4, LIMIT, err), *err);
		count = xc_engine_ids(client, ids, 100);
	}
	assert_ok(xc_engines(client, &ids[count - 1], 1, &view, err), *err);
	r = FAULTY(xc_engines_stop(view, XC_CANCEL_QUEUED, err));
	/* The order may have gone out before memory was out. */
	ck_assert(wait_until(has_settled, &ids[count - 1], LIMIT));
	ck_assert(r < 0 || xc_engine_count(client) == count - 1);
	return r;
}

/* ---- Maps whose results become one ---------------------------------------------------------- */

static void add(void *left, const void *right, const void *argument)
{
	(void)argument;
	*(int64_t *)left += *(const int64_t *)right;
}

static int reduce_own(struct xc_error *err)
{
	const struct xc_reduction how = { .kind = XC_REDUCE_OWN,
					  .size = sizeof(int64_t),
					  .combine = add };
	const struct xc_map_options options = { .chunk = 3 };
	int64_t sum = 0;
	int r = FAULTY(xc_map_reduce(xc_balanced(client), square, ITEMS, &how, &sum, sizeof sum,
				     &options, err));

	if (r == 0)
		ck_assert_int_eq(sum, (ITEMS - 1) * ITEMS * (2 * ITEMS - 1) / 6);
	return r;
}

static int reduce_quantiles(struct xc_error *err)
{
	const double half = 0.5;
	const struct xc_reduction how = {
		.kind = XC_REDUCE_QUANTILES, .dtype = XC_I64, .probabilities = &half, .count = 1
	};
	double median = 0;
	struct xc_result *result = FAULTY(xc_map_reduce_async(
		xc_balanced(client), square, ITEMS, &how, &median, sizeof median, NULL, err));
	int r = result ? wait_patiently(result, err) : err->code;

	xc_result_destroy(result);
	if (r == 0)
		ck_assert(median == (ITEMS / 2 - 1) * (ITEMS / 2 - 1));
	return r;
}

int reduce_by_id(struct xc_client *of, bool again, struct xc_error *err)
{
	const struct xc_reduction how = { .kind = XC_REDUCE_SUM, .dtype = XC_I64 };
	int64_t first = 0, sum = 0, expected = 0;
	char id[XC_JOB_ID_SIZE];
	struct xc_result *result = xc_map_reduce_async(xc_balanced(of), square, ITEMS, &how, &first,
						       sizeof first, NULL, err);
	int r;

	ck_assert_msg(result && xc_result_id(result, id) == 0, "%s", err->text);
	ck_assert_int_eq(xc_wait(result, LIMIT, NULL), 0);
	xc_result_destroy(result);
	if (again)
		result = FAULTY(xc_resubmit_reduce(of, id, &how, &sum, sizeof sum, err));
	else
		result = FAULTY(xc_attach_reduce(of, id, &how, &sum, sizeof sum, err));
	r = result ? wait_patiently(result, err) : err->code;
	xc_result_destroy(result);
	for (int64_t i = 0; i < ITEMS; i++)
		expected += i * i;
	ck_assert(first == expected && sum == (r == 0 ? expected : 0));
	return r;
}

static int attach_reduce(struct xc_error *err)
{
	return reduce_by_id(client, false, err);
}

static int resubmit_reduce(struct xc_error *err)
{
	return reduce_by_id(client, true, err);
}

const struct scenario job_scenarios[] = {
	{ "xc_map_reduce", reduce_own, 0 },
	{ "xc_map_reduce_async", reduce_quantiles, 0 },
	{ "xc_attach_reduce", attach_reduce, 0 },
	{ "xc_resubmit_reduce", resubmit_reduce, 0 },
	{ "xc_attach to a job that runs", attach_to_running, 0 },
	{ "xc_attach to one that has ended", attach_to_ended, 0 },
	{ "xc_result_id, xc_attach to one of many", attach_to_member, 0 },
	{ "xc_resubmit", resubmit, 0 },
	{ "a job that is kept", keep, 0 },
	{ "xc_jobs", jobs, 0 },
	{ "xc_purge", purge, 0 },
	{ "xc_job_cancel", cancel_by_id, 0 },
	{ "xc_queue_status", queue_status, 0 },
	{ "xc_signal", send_signal, 0 },
	{ "xc_interrupt", interrupt, 0 },
	{ "xc_set_threads", set_threads, 0 },
	{ "xc_engines_stop", engines_stop, 0 },
};
const int job_scenario_count = sizeof job_scenarios / sizeof job_scenarios[0];
