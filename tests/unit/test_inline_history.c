/* test_inline_history.c: a cluster within the client: what it keeps of jobs, and for how
 * long; what it does at the end of engines. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcluster/client.h"
#include "tests/unit/unit.h"

static struct xc_client *client;
static struct xc_error err;

static void begin(void)
{
	setenv("XCLUSTER", "inline:3", 1);
	ck_assert_msg(xc_open(&client, NULL, &err) == 0, "%s", err.text);
}

static void end(void)
{
	xc_close(client);
	unsetenv("XCLUSTER");
}

static int give(struct xc_task *task, const void *in, void *out)
{
	static char text[1 << 20];

	(void)out;
	return xc_task_return(task, text, (size_t) * (const int64_t *)in);
}

/* A job whose result has so many bytes; its id. */
static void run_job(int64_t bytes, enum xc_on_disconnect how, char *id)
{
	struct xc_map_options options = { .start = bytes, .on_disconnect = how };
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), give, 1, NULL, 0, &options, &err);

	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(xc_wait(result, -1, &err), 0);
	ck_assert_int_eq(xc_result_id(result, id), 0);
	xc_result_destroy(result);
}

static int attach(const char *id)
{
	struct xc_result *result = xc_attach(client, id, NULL, 0, &err);
	int r;

	if (!result)
		return err.code;
	r = xc_wait(result, -1, &err);
	xc_result_destroy(result);
	return r;
}

START_TEST(test_a_thousand_jobs)
{
	char first[XC_JOB_ID_SIZE], last[XC_JOB_ID_SIZE];

	run_job(10, XC_DISCONNECT_CANCEL, first);
	ck_assert_int_eq(attach(first), 0);
	for (int i = 1; i < HISTORY_JOBS; i++)
		run_job(10, XC_DISCONNECT_CANCEL, last);
	ck_assert_int_eq(client->inside->history_count, HISTORY_JOBS);
	ck_assert_int_eq(attach(first), 0);
	run_job(10, XC_DISCONNECT_CANCEL, last);
	ck_assert_int_eq(client->inside->history_count, HISTORY_JOBS);
	ck_assert_int_eq(attach(first), -ENOENT);
	ck_assert_int_eq(attach(last), 0);
	ck_assert_int_eq(xc_purge(client, NULL, &err), HISTORY_JOBS);
	ck_assert_uint_eq(client->inside->history_bytes, 0);
	ck_assert_int_eq(attach(last), -ENOENT);
}
END_TEST

/* The oldest give up theirs first; jobs that are to be kept do not. */
START_TEST(test_bytes_of_results)
{
	char ids[10][XC_JOB_ID_SIZE], kept[XC_JOB_ID_SIZE];

	run_job(1 << 20, XC_DISCONNECT_KEEP, kept);
	for (int i = 0; i < 10; i++)
		run_job(1 << 20, XC_DISCONNECT_CANCEL, ids[i]);
	ck_assert_uint_le(client->inside->history_bytes, HISTORY_BYTES);
	ck_assert_int_eq(attach(ids[0]), -ENODATA);
	ck_assert_int_eq(attach(ids[9]), 0);
	ck_assert_int_eq(attach(kept), 0);
	ck_assert_ptr_null(xc_resubmit(client, ids[0], NULL, 0, &err));
	ck_assert_int_eq(err.code, -ENODATA);
	ck_assert_int_eq(xc_purge(client, NULL, &err), 11);
	ck_assert_uint_eq(client->inside->history_bytes + client->inside->kept_bytes, 0);
}
END_TEST

/* More than all may have together: nothing of it is kept, and its client has it all. */
START_TEST(test_results_over_the_bound)
{
	enum { N = 20 };
	struct xc_map_options options = { .start = 1 << 20, .step = -1 };
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), give, N, NULL, 0, &options, &err);
	char id[XC_JOB_ID_SIZE];
	size_t size;

	ck_assert_int_eq(xc_wait(result, -1, &err), 0);
	for (int64_t i = 0; i < N; i++) {
		ck_assert_ptr_nonnull(xc_result_item(result, i, &size));
		ck_assert_uint_eq(size, (1 << 20) - (size_t)i);
	}
	ck_assert_int_eq(xc_result_id(result, id), 0);
	xc_result_destroy(result);
	ck_assert_uint_le(client->inside->history_bytes, HISTORY_BYTES);
	ck_assert_int_eq(attach(id), -ENODATA);
}
END_TEST

/* One that nobody waits for goes on, and is there for who comes. */
START_TEST(test_left)
{
	struct xc_map_options options = { .start = 5, .on_disconnect = XC_DISCONNECT_KEEP };
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), give, 100, NULL, 0, &options, &err);
	char id[XC_JOB_ID_SIZE];
	size_t size;

	ck_assert_int_eq(xc_result_id(result, id), 0);
	xc_result_destroy(result);
	ck_assert_ptr_nonnull(client->inside->jobs);
	result = xc_attach(client, id, NULL, 0, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	ck_assert_int_eq(xc_wait(result, -1, &err), 0);
	ck_assert_ptr_nonnull(xc_result_item(result, 99, &size));
	ck_assert_uint_eq(size, 104);
	xc_result_destroy(result);
}
END_TEST

/* Who is attached may leave; or cancel. */
START_TEST(test_attached)
{
	struct xc_result *own =
		xc_map_range_async(xc_balanced(client), give, 10, NULL, 0, NULL, &err);
	struct xc_result *others[2];
	char id[XC_JOB_ID_SIZE];

	ck_assert_int_eq(xc_result_id(own, id), 0);
	for (int i = 0; i < 2; i++) {
		others[i] = xc_attach(client, id, NULL, 0, &err);
		ck_assert_msg(others[i] != NULL, "%s", err.text);
	}
	xc_result_destroy(others[0]);
	ck_assert_int_eq(xc_cancel(others[1], XC_CANCEL_QUEUED, &err), 0);
	ck_assert_int_eq(xc_wait(own, -1, &err), XC_EFAILED);
	ck_assert_int_eq(xc_wait(others[1], -1, &err), XC_EFAILED);
	ck_assert_int_eq(xc_result_progress(others[1]).failed, xc_result_progress(own).failed);
	xc_result_destroy(others[1]);
	xc_result_destroy(own);
}
END_TEST

static int sum(struct xc_task *task, const void *in, void *out)
{
	int64_t n = 0;

	for (size_t i = 0; i < xc_task_in_size(task); i++)
		n += ((const char *)in)[i];
	*(int64_t *)out = n;
	return 0;
}

/* One of several sizes that went together. */
START_TEST(test_member_again)
{
	struct xc_result *results[10], *again;
	int64_t out[10] = { 0 }, other = 0;
	char id[XC_JOB_ID_SIZE];

	for (size_t i = 0; i < 10; i++) {
		results[i] = xc_apply_async(xc_balanced(client), sum, "abcdefghij", i, &out[i],
					    sizeof out[i], NULL, &err);
		ck_assert_msg(results[i] != NULL, "%s", err.text);
	}
	ck_assert_int_eq(xc_result_id(results[7], id), 0);
	for (size_t i = 0; i < 10; i++) {
		ck_assert_int_eq(xc_wait(results[i], -1, &err), 0);
		xc_result_destroy(results[i]);
	}
	again = xc_resubmit(client, id, &other, sizeof other, &err);
	ck_assert_msg(again != NULL, "%s", err.text);
	ck_assert_int_eq(xc_wait(again, -1, &err), 0);
	ck_assert_int_eq(other, out[7]);
	ck_assert_int_gt(other, 6 * 'a');
	xc_result_destroy(again);
}
END_TEST

/* ---- Engines --------------------------------------------------------------------------- */

static int said[10], said_count, refused;

static void say(void *number)
{
	char *text;

	said[said_count++] = *(int *)number;
	refused += xc_status_json(client, &text, NULL) == -EDEADLK;
	refused += xc_apply(xc_balanced(client), sum, NULL, 0, NULL, 0, NULL, NULL) == -EDEADLK;
	xc_close(client); /* does nothing */
}

static int leave(struct xc_task *task, const void *in, void *out)
{
	static int numbers[] = { 0, 1, 2, 10, 11, 12 };

	(void)in;
	(void)out;
	return xc_task_cleanup(task, say, &numbers[xc_task_engine(task)]) < 0 ||
	       xc_task_cleanup(task, say, &numbers[3 + xc_task_engine(task)]) < 0;
}

/* At the end of an engine, and at that of all; the latest first. */
START_TEST(test_cleanups)
{
	const struct xc_view *one;

	ck_assert_int_eq(xc_apply(xc_all(client), leave, NULL, 0, NULL, 0, NULL, &err), 0);
	ck_assert_int_eq(xc_engines(client, (const int[]){ 1 }, 1, &one, &err), 0);
	ck_assert_int_eq(said_count, 0);
	ck_assert_int_eq(xc_engines_stop(one, XC_CANCEL_RUNNING, &err), 0);
	ck_assert_mem_eq(said, ((int[]){ 11, 1 }), 2 * sizeof said[0]);
	if (_i)
		ck_assert_int_eq(xc_shutdown(client, &err), 0);
	xc_close(client);
	ck_assert_int_eq(said_count, 6);
	ck_assert_mem_eq(said, ((int[]){ 11, 1, 10, 0, 12, 2 }), 6 * sizeof said[0]);
	ck_assert_int_eq(refused, 12);
	begin();
}
END_TEST

static int nap(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	usleep(1000);
	return 0;
}

/* With the last engine goes what waits for any. N.B. some run within the calls. */
START_TEST(test_no_engine_left)
{
	struct xc_result *before =
		xc_map_range_async(xc_balanced(client), nap, 10000, NULL, 0, NULL, &err);
	struct xc_result *after;
	struct xc_failure failure;

	ck_assert_int_eq(xc_engines_stop(xc_all(client), XC_CANCEL_QUEUED, &err), 0);
	ck_assert_int_eq(xc_engine_count(client), 0);
	ck_assert_int_eq(xc_wait(before, -1, &err), XC_EFAILED);
	after = xc_map_range_async(xc_balanced(client), give, 10, NULL, 0, NULL, &err);
	ck_assert_int_eq(xc_wait(after, -1, &err), XC_EFAILED);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(xc_failure(i ? after : before, 0, &failure), 0);
		ck_assert_int_eq(failure.state, XC_LOST);
		ck_assert_int_eq(failure.first + failure.count, i ? 10 : 10000);
		ck_assert_str_eq(failure.text,
				 "no engine is left; the last one: engine 2 was shut down");
	}
	xc_result_destroy(before);
	xc_result_destroy(after);
	ck_assert_int_eq(xc_apply(xc_all(client), sum, NULL, 0, NULL, 0, NULL, &err), XC_ENOENGINE);
}
END_TEST

START_TEST(test_signals)
{
	ck_assert_int_eq(xc_interrupt(xc_all(client), &err), 0);
	ck_assert_int_eq(xc_signal(xc_all(client), SIGTERM, &err), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "xc_signal: "));
	ck_assert_ptr_nonnull(strstr(err.text, "XCLUSTER=local:N"));
	ck_assert_int_eq(xc_engine_count(client), 3);
}
END_TEST

static int speak(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	puts("spoken");
	return 0;
}

/* What is printed appears, and is not kept. */
START_TEST(test_output)
{
	struct xc_map_options options = { .output = true };
	struct xc_result *result =
		xc_apply_async(xc_all(client), speak, NULL, 0, NULL, 0, &options, &err);
	size_t size;

	ck_assert_int_eq(xc_wait(result, -1, &err), 0);
	ck_assert_ptr_null(xc_output(result, 0, &size));
	ck_assert_int_eq(xc_output_next(result, -1), -1);
	xc_result_destroy(result);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("inline history");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_a_thousand_jobs);
	tcase_add_test(tests, test_bytes_of_results);
	tcase_add_test(tests, test_results_over_the_bound);
	tcase_add_test(tests, test_left);
	tcase_add_test(tests, test_attached);
	tcase_add_test(tests, test_member_again);
	tcase_add_loop_test(tests, test_cleanups, 0, 2);
	tcase_add_test(tests, test_no_engine_left);
	tcase_add_test(tests, test_signals);
	tcase_add_test(tests, test_output);
	return unit_run(tests);
}
