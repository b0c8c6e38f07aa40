/* cancel.c: cancelling one of many that were submitted apart, and went as one job. */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N     40 /* submitted behind one that stands at the gate */
#define TEACH 2000

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

/* What an item is to do. */
struct what {
	enum { RETURN, TELL, WAIT_AT_GATE, UNTIL_CANCELLED } how;
	int number;
};

static int act(struct xc_task *task, const void *in, void *out)
{
	const struct what *what = in;

	if (what->how != RETURN)
		task_announce(task);
	if (what->how == WAIT_AT_GATE)
		task_wait_at_gate();
	while (what->how == UNTIL_CANCELLED && !xc_task_is_cancelled(task))
		task_sleep(0.01);
	*(int *)out = xc_task_is_cancelled(task) ? -1 : what->number;
	return 0;
}

static int tell_pid(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(int *)out = getpid();
	return 0;
}

static int pid_of_engine(void)
{
	int pid = 0;

	assert_ok(xc_apply(xc_all(client), tell_pid, NULL, 0, &pid, sizeof pid, NULL, &err), err);
	return pid;
}

static int out[N];
static struct news running; /* the first of them */
static struct xc_result *results[N];

static struct xc_result *submit(const struct what *what, int *to, bool at_most_once)
{
	struct xc_map_options options = { .at_most_once = at_most_once };
	struct xc_result *result;

	result = xc_apply_async(xc_balanced(client), act, what, sizeof *what, to, sizeof *to,
				&options, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	return result;
}

/* The controller learns that such items are short, and so hands out many at a time. */
static void teach(void)
{
	static struct xc_result *lessons[TEACH];
	static int answers[TEACH];

	for (int i = 0; i < TEACH; i++)
		lessons[i] = submit(&(struct what){ RETURN, i }, &answers[i], false);
	for (int i = 0; i < TEACH; i++) {
		assert_ok(xc_wait(lessons[i], LIMIT, &err), err);
		xc_result_destroy(lessons[i]);
	}
}

static int64_t in_hand(void)
{
	struct xc_engine_info info;

	assert_ok(xc_engine_info(client, 0, &info, &err), err);
	return info.item_count;
}

static int nap(struct xc_task *task, const void *in, void *to)
{
	(void)task;
	(void)in;
	(void)to;
	task_sleep(0.05);
	return 0;
}

/* The engine is busy meanwhile, and begins anew to count how many items it takes. */
static void submit_all(int first, bool at_most_once)
{
	struct xc_result *naps[2];

	for (int i = 0; i < 2; i++) {
		naps[i] = xc_apply_async(xc_balanced(client), nap, NULL, 0, NULL, 0, NULL, &err);
		ck_assert_msg(naps[i] != NULL, "%s", err.text);
	}
	memset(out, 0, sizeof out);
	for (int i = 0; i < N; i++)
		results[i] = submit(&(struct what){ i ? TELL : first, i }, &out[i], at_most_once);
	for (int i = 0; i < 2; i++) {
		assert_ok(xc_wait(naps[i], LIMIT, &err), err);
		xc_result_destroy(naps[i]);
	}
}

static bool is_hand_empty(void *arg)
{
	(void)arg;
	return in_hand() <= 0;
}

/* N items that are one slice in the engine's hands, of which the first has begun. */
static void begin(int first, bool at_most_once)
{
	clear_away();
	start_cluster(1);
	client = open_client(1);
	teach();
	for (int i = 0;; i++) {
		stage_open();
		submit_all(first, at_most_once);
		running = stage_news();
		if (in_hand() == N)
			return;
		/* They were not all sent together: this machine was busy. */
		ck_assert_int_lt(i, 50);
		for (int k = 0; k < N; k++)
			xc_result_destroy(results[k]);
		stage_release();
		/* What has begun is not to be heard on the next stage. */
		ck_assert(wait_until(is_hand_empty, NULL, LIMIT));
		stage_close();
	}
}

static void check_state(int i, enum xc_state state)
{
	int r = xc_wait(results[i], LIMIT, &err);

	ck_assert_msg(r == (state == XC_OK ? 0 : XC_EFAILED), "item %d: %s", i, err.text);
	ck_assert_int_eq(xc_item_state(results[i], 0), state);
	ck_assert_int_eq(out[i], state == XC_OK ? i : 0);
}

/* All but those that were cancelled ended well, and each ran once. */
static void finish(uint64_t cancelled, int runs)
{
	for (int i = 0; i < N; i++) {
		check_state(i, cancelled >> i & 1 ? XC_CANCELLED : XC_OK);
		xc_result_destroy(results[i]);
	}
	for (int i = 1; i < runs; i++)
		stage_news();
	ck_assert(!stage_has_news(0));
	stage_close();
	xc_close(client);
	stop_cluster();
}

START_TEST(cancel_one_member_queued)
{
	enum xc_cancel how = _i ? XC_CANCEL_RUNNING : XC_CANCEL_QUEUED;

	begin(WAIT_AT_GATE, _i);
	assert_ok(xc_cancel(results[7], how, &err), err);
	assert_ok(xc_cancel(results[20], how, &err), err);
	assert_ok(xc_cancel(results[20], XC_CANCEL_QUEUED, &err), err);
	assert_ok(xc_cancel(results[21], how, &err), err);
	/* They end though nothing else can. */
	check_state(7, XC_CANCELLED);
	check_state(20, XC_CANCELLED);
	check_state(21, XC_CANCELLED);
	ck_assert(!xc_is_ready(results[8]));
	stage_release();
	check_state(0, XC_OK); /* it was not killed */
	ck_assert_int_eq(pid_of_engine(), running.pid);
	finish(UINT64_C(1) << 7 | UINT64_C(1) << 20 | UINT64_C(1) << 21, N - 3);
}
END_TEST

START_TEST(cancel_one_member_that_runs_by_asking)
{
	begin(UNTIL_CANCELLED, false);
	assert_ok(xc_cancel(results[5], XC_CANCEL_QUEUED, &err), err);
	check_state(5, XC_CANCELLED);
	ck_assert(!xc_is_ready(results[0])); /* it does not feel that */
	assert_ok(xc_cancel(results[0], XC_CANCEL_QUEUED, &err), err);
	assert_ok(xc_wait(results[0], LIMIT, &err), err);
	ck_assert_int_eq(out[0], -1);
	out[0] = 0;
	finish(UINT64_C(1) << 5, N - 1);
}
END_TEST

START_TEST(cancel_one_member_running)
{
	begin(WAIT_AT_GATE, _i);
	assert_ok(xc_cancel(results[0], XC_CANCEL_RUNNING, &err), err);
	check_state(0, XC_CANCELLED);
	ck_assert_int_ne(pid_of_engine(), running.pid);
	finish(UINT64_C(1) << 0, N);
}
END_TEST

START_TEST(destroy_all_but_one)
{
	begin(WAIT_AT_GATE, false);
	for (int i = N - 2; i > 0; i--)
		xc_result_destroy(results[i]);
	assert_ok(xc_cancel(results[0], XC_CANCEL_RUNNING, &err), err);
	check_state(0, XC_CANCELLED);
	ck_assert_str_eq(failure_of(results[0], 0).text, "cancelled");
	check_state(N - 1, XC_OK);
	xc_result_destroy(results[0]);
	xc_result_destroy(results[N - 1]);
	stage_news();
	ck_assert(!stage_has_news(0));
	stage_close();
	xc_close(client);
	stop_cluster();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cancel");
	TCase *tests = separate_case(suite, "cancel one of many");

	tcase_add_loop_test(tests, cancel_one_member_queued, 0, 2);
	tcase_add_test(tests, cancel_one_member_that_runs_by_asking);
	tcase_add_loop_test(tests, cancel_one_member_running, 0, 2);
	tcase_add_test(tests, destroy_all_but_one);
	return run_tests(suite);
}
