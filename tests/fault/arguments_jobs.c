/* arguments_jobs.c: wrong arguments of calls about results, jobs by id, and engines. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/fault/arguments.h"
#include "tests/fault/rows.h"
#include "tests/support/support.h"

#define ENGINES 2

static struct xc_client *client;
static struct xc_error *const err = &row_error;
static int64_t out[8];

/* ---- Results -------------------------------------------------------------------------- */

static void try_no_result(void)
{
	char id[XC_JOB_ID_SIZE];
	struct xc_failure failure;
	struct xc_array array;
	int64_t item;
	size_t size;

	ROW(xc_wait(NULL, 0, err), -EINVAL, "result");
	ROW_VALUE(xc_is_ready(NULL), 0);
	ROW_VALUE(xc_result_progress(NULL).items, 0);
	ROW_VALUE(xc_result_elapsed(NULL) == 0, 1);
	ROW_VALUE(xc_result_serial_time(NULL) == 0, 1);
	ROW_VALUE(xc_result_speedup(NULL) == 0, 1);
	ROW_VALUE(xc_failure_count(NULL), 0);
	ROW_VALUE(xc_failure(NULL, 0, &failure), -EINVAL);
	ROW_VALUE(xc_failure_summary(NULL, NULL, 0), -EINVAL);
	ROW(xc_next(NULL, XC_ANY_ORDER, 0, &item, err), -EINVAL, "result");
	ROW_VALUE(xc_item_state(NULL, 0), -EINVAL);
	ROW_VALUE(xc_result_item(NULL, 0, &size) == NULL, 1);
	ROW_VALUE(xc_output(NULL, 0, &size) == NULL, 1);
	ROW_VALUE(xc_output_next(NULL, -1), -1);
	ROW_VALUE(xc_result_engines(NULL, NULL, NULL, 0), 0);
	ROW(xc_cancel(NULL, XC_CANCEL_QUEUED, err), -EINVAL, "result");
	ROW_TAKEN(xc_result_destroy(NULL));
	ROW(xc_result_array(NULL, 0, &array, err), -EINVAL, "result");
	ROW(xc_result_gather(NULL, &array, err), -EINVAL, "result");
	ROW_VALUE(xc_result_id(NULL, id), -EINVAL);
}

static void try_result(void)
{
	struct xc_result *r =
		xc_map_range_async(xc_balanced(client), idle_task, 8, out, 8, NULL, NULL);
	struct xc_failure failure;
	struct xc_array array;
	int64_t item;

	ck_assert_int_eq(xc_wait(r, LIMIT, NULL), 0);
	ROW(xc_wait(r, NAN, err), -EINVAL, "timeout");
	ROW_VALUE(xc_failure(r, 0, &failure), -EINVAL);
	ROW_VALUE(xc_failure(r, -1, &failure), -EINVAL);
	ROW_VALUE(xc_failure(r, 0, NULL), -EINVAL);
	ROW_VALUE(xc_failure_summary(r, NULL, 8), -EINVAL);
	ROW(xc_next(r, (enum xc_order)9, 0, &item, err), -EINVAL, "order");
	ROW(xc_next(r, XC_IN_ORDER, 0, NULL, err), -EINVAL, "item");
	ROW(xc_next(r, XC_IN_ORDER, NAN, &item, err), -EINVAL, "timeout");
	ROW_VALUE(xc_item_state(r, -1), -EINVAL);
	ROW_VALUE(xc_item_state(r, 8), -EINVAL);
	ROW_VALUE(xc_result_item(r, -1, NULL) == NULL, 1);
	ROW_VALUE(xc_result_item(r, 8, NULL) == NULL, 1);
	ROW_VALUE(xc_output(r, -1, NULL) == NULL, 1);
	ROW_VALUE(xc_output(r, 8, NULL) == NULL, 1);
	ROW_VALUE(xc_output_next(r, INT64_MAX), -1);
	ROW_VALUE(xc_result_engines(r, NULL, NULL, -1) > 0, 1);
	ROW(xc_cancel(r, (enum xc_cancel)9, err), -EINVAL, "how");
	ROW(xc_result_array(r, 0, NULL, err), -EINVAL, "array");
	ROW(xc_result_array(r, 0, &array, err), -EINVAL, "part 0");
	ROW(xc_result_array(r, -1, &array, err), -EINVAL, "part -1");
	ROW(xc_result_gather(r, NULL, err), -EINVAL, "array");
	ROW(xc_result_gather(r, &array, err), -EINVAL, "part 0");
	ROW_VALUE(xc_result_id(r, NULL), -EINVAL);
	xc_result_destroy(r);
}

/* Of a client that is closed. */
static void try_orphan(void)
{
	struct xc_client *other = open_client(ENGINES);
	struct xc_result *r = xc_map_range_async(xc_all(other), idle_task, 8, out, 8, NULL, NULL);
	int64_t item;
	struct xc_result *held =
		xc_apply_async(xc_balanced(other), idle_task, NULL, 0, NULL, 0, NULL, NULL);
	char id[XC_JOB_ID_SIZE];

	xc_close(other);
	ROW_VALUE(xc_result_id(r, id), 0);
	ROW(xc_wait(held, -1, err), XC_ELOST, "closed");
	xc_result_destroy(held);
	ROW(xc_wait(r, -1, err), XC_ELOST, "closed");
	ROW(xc_next(r, XC_ANY_ORDER, -1, &item, err), XC_ELOST, "closed");
	ROW(xc_cancel(r, XC_CANCEL_QUEUED, err), XC_ELOST, "connection");
	ROW_VALUE(xc_is_ready(r), 1);
	ROW_VALUE(xc_item_state(r, 0), -EAGAIN);
	xc_result_destroy(r);
}

/* ---- Jobs by id ------------------------------------------------------------------------- */

static const char *const no_ids[] = {
	"",
	"x",
	"12",
	"0123456789abcdef",
	"0123456789abcdef-",
	"0123456789ABCDEF-1",
	"0123456789abcdef-1x",
	"0123456789abcdef--1",
	"0123456789abcdef-1.",
	"0123456789abcdef-1.-2",
	"0123456789abcdef-99999999999999999999",
	"0123456789abcdef-1.9999999999999999999",
};

static void try_no_ids(void)
{
	for (size_t i = 0; i < sizeof no_ids / sizeof no_ids[0]; i++) {
		const char *id = no_ids[i];

		ROW_NULL(xc_attach(client, id, NULL, 0, err), -EINVAL, "xcluster jobs");
		ROW_NULL(xc_resubmit(client, id, NULL, 0, err), -EINVAL, "xcluster jobs");
		ROW(xc_job_cancel(client, id, XC_CANCEL_QUEUED, err), -EINVAL, "xcluster jobs");
		ROW(xc_purge(client, id, err), -EINVAL, "xcluster jobs");
	}
	ROW_NULL(xc_attach(client, NULL, NULL, 0, err), -EINVAL, "no id");
	ROW_NULL(xc_resubmit(client, NULL, NULL, 0, err), -EINVAL, "no id");
	ROW(xc_job_cancel(client, NULL, XC_CANCEL_QUEUED, err), -EINVAL, "no id");
}

static void try_unknown_job(void)
{
	const char *id = "0123456789abcdef-12";

	ROW_NULL(xc_attach(NULL, id, NULL, 0, err), -EINVAL, "client");
	ROW_NULL(xc_attach(client, id, NULL, 8, err), -EINVAL, "out is NULL");
	ROW_NULL(xc_attach(client, id, NULL, 0, err), -ENOENT, id);
	ROW_NULL(xc_resubmit(NULL, id, NULL, 0, err), -EINVAL, "client");
	ROW_NULL(xc_resubmit(client, id, NULL, 8, err), -EINVAL, "out is NULL");
	ROW_NULL(xc_resubmit(client, id, NULL, 0, err), -ENOENT, id);
	ROW(xc_job_cancel(NULL, id, XC_CANCEL_QUEUED, err), -EINVAL, "client");
	ROW(xc_job_cancel(client, id, (enum xc_cancel)9, err), -EINVAL, "how");
	ROW(xc_job_cancel(client, id, XC_CANCEL_RUNNING, err), -ENOENT, id);
	ROW(xc_purge(NULL, id, err), -EINVAL, "client");
	ROW(xc_purge(NULL, NULL, err), -EINVAL, "client");
	ROW(xc_purge(client, id, err), -ENOENT, id);
}

/* Item 8 of 8; too little room; one that has ended, and one that has not. */
static void try_known_job(void)
{
	struct xc_result *r =
		xc_map_range_async(xc_balanced(client), idle_task, 8, out, 8, NULL, err);
	struct xc_result *text =
		xc_map_range_async(xc_balanced(client), idle_task, 8, NULL, 0, NULL, err);
	char id[XC_JOB_ID_SIZE], item[XC_JOB_ID_SIZE + 2], texts[XC_JOB_ID_SIZE];
	int64_t room[8];

	ck_assert(r && text && xc_wait(r, LIMIT, err) == 0 && xc_wait(text, LIMIT, err) == 0);
	ck_assert_int_eq(xc_result_id(r, id), 0);
	ck_assert_int_eq(xc_result_id(text, texts), 0);
	snprintf(item, sizeof item, "%s.8", id);
	ROW_NULL(xc_attach(client, item, NULL, 0, err), -EINVAL, "without \".8\"");
	ROW_NULL(xc_resubmit(client, item, NULL, 0, err), -EINVAL, "without \".8\"");
	ROW_NULL(xc_attach(client, id, room, 63, err), -EMSGSIZE, "8 * 8 bytes");
	ROW_NULL(xc_resubmit(client, id, room, 63, err), -EMSGSIZE, "8 * 8 bytes");
	ROW_NULL(xc_attach(client, id, room, 0, err), -EMSGSIZE, "8 * 8 bytes");
	ROW_NULL(xc_attach(client, texts, room, 64, err), -EINVAL, "out");
	ROW_NULL(xc_resubmit(client, texts, room, 64, err), -EINVAL, "out");
	ROW(xc_job_cancel(client, id, XC_CANCEL_QUEUED, err), -EALREADY, id);
	xc_result_destroy(r);
	xc_result_destroy(text);
	ROW(xc_purge(client, id, err), 1, "");
	ROW_NULL(xc_attach(client, id, room, sizeof room, err), -ENOENT, id);
}

static int wait_for_cancel(struct xc_task *task, const void *in, void *result)
{
	(void)in;
	(void)result;
	while (!xc_task_is_cancelled(task))
		task_sleep(0.01);
	return 0;
}

static void try_unfinished_job(void)
{
	struct xc_result *r =
		xc_map_range_async(xc_balanced(client), wait_for_cancel, 8, NULL, 0, NULL, err);
	char id[XC_JOB_ID_SIZE];

	ck_assert(r && xc_result_id(r, id) == 0);
	ROW_NULL(xc_resubmit(client, id, NULL, 0, err), -EBUSY, id);
	ROW(xc_purge(client, id, err), -EBUSY, id);
	ROW(xc_job_cancel(client, id, XC_CANCEL_QUEUED, err), 0, "");
	ck_assert_int_eq(xc_wait(r, LIMIT, err), XC_EFAILED);
	xc_result_destroy(r);
}

static void try_queries(void)
{
	static char label[300];
	struct xc_job_info *jobs = NULL;
	struct xc_queue queues[ENGINES];
	int64_t unassigned;
	int count = -1;
	const struct {
		struct xc_job_query query;
		const char *part;
	} wrong[] = {
		{ { .label = label }, "label" },    { { .state = "over" }, "\"over\"" },
		{ { .state = "" }, "\"\"" },	    { { .since = NAN }, "since" },
		{ { .until = INFINITY }, "until" }, { { .max = -1 }, "max" },
	};

	memset(label, 'x', sizeof label - 1);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ROW(xc_jobs(client, &wrong[i].query, &jobs, &count, err), -EINVAL, wrong[i].part);
	ROW(xc_jobs(NULL, NULL, &jobs, &count, err), -EINVAL, "client");
	ROW(xc_jobs(client, NULL, NULL, &count, err), -EINVAL, "jobs");
	ROW(xc_jobs(client, NULL, &jobs, NULL, err), -EINVAL, "count");
	ROW_VALUE(jobs == NULL && count == -1, 1);
	ROW(xc_queue_status(NULL, queues, ENGINES, &unassigned, err), -EINVAL, "client");
	ROW(xc_queue_status(client, NULL, 1, &unassigned, err), -EINVAL, "queues");
	ROW(xc_queue_status(client, queues, -1, &unassigned, err), -EINVAL, "max");
	ROW(xc_queue_status(client, NULL, 0, NULL, err), ENGINES, "");
}

/* ---- Orders for engines ------------------------------------------------------------------ */

static void try_orders(void)
{
	const struct xc_view *all = xc_all(client), *balanced = xc_balanced(client);
	const int wrong[] = { 0, -1, INT_MIN, INT_MAX, 65 };

	ROW(xc_signal(NULL, SIGUSR1, err), -EINVAL, "view");
	ROW(xc_signal(balanced, SIGUSR1, err), -EINVAL, "load-balanced");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ROW(xc_signal(all, wrong[i], err), -EINVAL, "no signal");
	ROW(xc_interrupt(NULL, err), -EINVAL, "view");
	ROW(xc_interrupt(balanced, err), -EINVAL, "load-balanced");
	ROW(xc_interrupt(all, err), 0, ""); /* of engines that run nothing */
	ROW(xc_set_threads(NULL, 1, err), -EINVAL, "view");
	ROW(xc_set_threads(balanced, 1, err), -EINVAL, "load-balanced");
	ROW(xc_set_threads(all, 0, err), -EINVAL, "0 is not from 1 to 65536");
	ROW(xc_set_threads(all, -1, err), -EINVAL, "-1");
	ROW(xc_set_threads(all, INT_MAX, err), -EINVAL, "2147483647");
	ROW(xc_engines_stop(NULL, XC_CANCEL_QUEUED, err), -EINVAL, "view");
	ROW(xc_engines_stop(balanced, XC_CANCEL_QUEUED, err), -EINVAL, "load-balanced");
	ROW(xc_engines_stop(all, (enum xc_cancel)9, err), -EINVAL, "how");
}

/* ---- All of them ------------------------------------------------------------------------- */

void try_jobs(struct xc_client *with)
{
	client = with;
	try_no_result();
	try_result();
	try_orphan();
	try_no_ids();
	try_unknown_job();
	try_known_job();
	try_unfinished_job();
	try_queries();
	try_orders();
}

void try_jobs_lost(struct xc_client *with)
{
	const char *id = "0123456789abcdef-12";
	const struct xc_view *all = xc_all(with);
	struct xc_job_info *jobs;
	int count;

	ROW_NULL(xc_attach(with, id, NULL, 0, err), XC_ELOST, "gone");
	ROW_NULL(xc_resubmit(with, id, NULL, 0, err), XC_ELOST, "gone");
	ROW(xc_job_cancel(with, id, XC_CANCEL_QUEUED, err), XC_ELOST, "gone");
	ROW(xc_purge(with, NULL, err), XC_ELOST, "gone");
	ROW(xc_jobs(with, NULL, &jobs, &count, err), XC_ELOST, "gone");
	ROW(xc_queue_status(with, NULL, 0, NULL, err), XC_ELOST, "gone");
	ROW(xc_signal(all, SIGUSR1, err), XC_ELOST, "gone");
	ROW(xc_interrupt(all, err), XC_ELOST, "gone");
	ROW(xc_set_threads(all, 1, err), XC_ELOST, "gone");
	ROW(xc_engines_stop(all, XC_CANCEL_QUEUED, err), XC_ELOST, "gone");
}
