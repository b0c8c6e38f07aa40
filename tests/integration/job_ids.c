/* job_ids.c: jobs by their ids: other clients, clients that are gone, what is known of
 * jobs that have ended. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ENGINES 2
#define N	200

static struct xc_error err = XC_ERROR_INIT;

/* ---- Tasks ------------------------------------------------------------------------ */

static int square(struct xc_task *task, const void *in, void *out)
{
	int64_t x = *(const int64_t *)in;

	(void)task;
	*(int64_t *)out = x * x;
	return 0;
}

/* Some at the end wait for the gate. */
static int gated(struct xc_task *task, const void *in, void *out)
{
	if (xc_task_index(task) >= N - 2) {
		task_announce(task);
		task_wait_at_gate();
	}
	return square(task, in, out);
}

static int gated_long(struct xc_task *task, const void *in, void *out)
{
	(void)out;
	gated(task, in, &(int64_t){ 0 });
	return xc_task_return(task, "0123456789", (size_t)(*(const int64_t *)in % 10));
}

/* All of them wait. */
static int waits(struct xc_task *task, const void *in, void *out)
{
	task_announce(task);
	task_wait_at_gate();
	return square(task, in, out);
}

static int odd_fails(struct xc_task *task, const void *in, void *out)
{
	int64_t x = *(const int64_t *)in;

	if (x % 2)
		return xc_task_fail(task, "%d is odd", (int)x);
	return square(task, in, out);
}

static int large(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	memset(out, (int)(1 + xc_task_index(task) % 100), 100000);
	return 0;
}

/* ---- Helpers ---------------------------------------------------------------------- */

static struct xc_result *must(struct xc_result *result)
{
	ck_assert_msg(result != NULL, "%d: %s", err.code, err.text);
	return result;
}

static void id_of(struct xc_result *result, char id[XC_JOB_ID_SIZE])
{
	ck_assert_int_eq(xc_result_id(result, id), 0);
	ck_assert_uint_gt(strlen(id), 17);
}

static void check_squares(const int64_t *out, int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_msg(out[i] == (int64_t)i * i, "item %d: %lld", i, (long long)out[i]);
}

/* Waits for an attached result, checks its squares, destroys it. */
static void take_squares(struct xc_result *result, const int64_t *out, int n)
{
	assert_ok(xc_wait(result, LIMIT, &err), err);
	check_squares(out, n);
	xc_result_destroy(result);
}

static void save_id(struct xc_result *result)
{
	char id[XC_JOB_ID_SIZE];

	if (xc_result_id(result, id) < 0)
		_exit(9);
	write_file(test_path("id"), id, strlen(id));
}

static void saved_id(char id[XC_JOB_ID_SIZE])
{
	char *text = read_file(test_path("id"));

	ck_assert_ptr_nonnull(text);
	snprintf(id, XC_JOB_ID_SIZE, "%s", text);
	free(text);
}

/* The job as it is listed; false: it is not. */
static bool find_job(struct xc_client *client, const char *id, struct xc_job_info *info)
{
	struct xc_job_info *jobs;
	bool found = false;
	int count;

	assert_ok(xc_jobs(client, NULL, &jobs, &count, &err), err);
	for (int i = 0; i < count; i++)
		if (strcmp(jobs[i].id, id) == 0) {
			*info = jobs[i];
			found = true;
		}
	free(jobs);
	return found;
}

struct awaited {
	struct xc_client *client;
	const char *id, *state;
};

static bool is_in_state(void *arg)
{
	const struct awaited *a = arg;
	struct xc_job_info info;

	return find_job(a->client, a->id, &info) && strcmp(info.state, a->state) == 0;
}

static void await_state(struct xc_client *client, const char *id, const char *state)
{
	struct awaited a = { client, id, state };

	ck_assert_msg(wait_until(is_in_state, &a, LIMIT), "job %s is not %s", id, state);
}

static int ids_listed(struct xc_client *client, const struct xc_job_query *query)
{
	struct xc_job_info *jobs;
	int count;

	assert_ok(xc_jobs(client, query, &jobs, &count, &err), err);
	for (int i = 1; i < count; i++)
		ck_assert_double_ge(jobs[i - 1].submitted, jobs[i].submitted);
	free(jobs);
	return count;
}

/* ---- Other clients ------------------------------------------------------------------ */

START_TEST(another_client_fetches_a_pending_result)
{
	struct xc_map_options options = { .chunk = 10 };
	struct xc_client *owner = open_client(ENGINES), *other = open_client(ENGINES);
	int64_t one, mine[N], theirs[N] = { 0 }, again[N] = { 0 };
	struct xc_result *own, *result, *second;
	char id[XC_JOB_ID_SIZE], same[XC_JOB_ID_SIZE];

	stage_open();
	own = must(xc_map_range_async(xc_balanced(owner), gated, N, mine, sizeof *mine, &options,
				      &err));
	id_of(own, id);
	/* Some results are there already, and acknowledged (by this submission), before it
	 * attaches. */
	while (xc_result_progress(own).done < N - 10)
		ck_assert_int_ne(xc_wait(own, 0.01, NULL), 0);
	assert_ok(xc_map_range(xc_balanced(owner), square, 1, &one, sizeof one, NULL, &err), err);
	result = must(xc_attach(other, id, theirs, sizeof theirs, &err));
	second = must(xc_attach(owner, id, again, sizeof again, &err)); /* its own client */
	id_of(result, same);
	ck_assert_str_eq(id, same);
	ck_assert_int_eq(xc_result_progress(result).items, N);
	ck_assert(!xc_is_ready(result));
	stage_release();
	take_squares(result, theirs, N);
	take_squares(second, again, N);
	take_squares(own, mine, N);
	xc_close(owner);
	xc_close(other);
	stage_close();
}
END_TEST

START_TEST(another_client_fetches_a_finished_result)
{
	struct xc_client *owner = open_client(ENGINES), *other = open_client(ENGINES);
	int64_t mine[N], theirs[N] = { 0 };
	struct xc_result *result;
	char id[XC_JOB_ID_SIZE];
	struct xc_failure failure;
	int64_t item;
	int r, n = 0;

	result = must(xc_map_range_async(xc_balanced(owner), odd_fails, N, mine, sizeof *mine, NULL,
					 &err));
	id_of(result, id);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	if (_i == 1) /* its client is gone in order */
		xc_close(owner);
	xc_result_destroy(result);
	result = must(xc_attach(other, id, theirs, sizeof theirs, &err));
	while ((r = xc_next(result, XC_IN_ORDER, LIMIT, &item, &err)) == 1) {
		ck_assert_int_eq(item, n);
		ck_assert_int_eq(xc_item_state(result, item), n % 2 ? XC_FAILED : XC_OK);
		ck_assert_int_eq(theirs[n], n % 2 ? 0 : (int64_t)n * n);
		n++;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(n, N);
	failure = failure_of(result, 7);
	ck_assert_str_eq(failure.text, "7 is odd");
	xc_result_destroy(result);
	xc_close(other);
	if (_i == 0)
		xc_close(owner);
}
END_TEST

/* Without a fixed size; watched only; too little room. */
START_TEST(what_out_may_be)
{
	struct xc_client *client = open_client(ENGINES);
	int64_t out[N];
	struct xc_result *result, *attached;
	char id[XC_JOB_ID_SIZE];
	size_t size;

	stage_open();
	stage_release();
	result = must(xc_map_range_async(xc_balanced(client), gated_long, N, NULL, 0, NULL, &err));
	id_of(result, id);
	ck_assert_ptr_null(xc_attach(client, id, out, sizeof out, &err));
	assert_error(err.code, -EINVAL, &err, "no fixed size");
	attached = must(xc_attach(client, id, NULL, 0, &err));
	assert_ok(xc_wait(attached, LIMIT, &err), err);
	ck_assert_ptr_nonnull(xc_result_item(attached, 17, &size));
	ck_assert_uint_eq(size, 7);
	xc_result_destroy(attached);
	xc_result_destroy(result);

	result = must(
		xc_map_range_async(xc_balanced(client), square, N, out, sizeof *out, NULL, &err));
	id_of(result, id);
	ck_assert_ptr_null(xc_attach(client, id, out, sizeof out - 1, &err));
	assert_error(err.code, -EMSGSIZE, &err, "need 200 * 8 bytes, but out has 1599");
	attached = must(xc_attach(client, id, NULL, 0, &err));
	assert_ok(xc_wait(attached, LIMIT, &err), err);
	ck_assert_int_eq(xc_result_progress(attached).done, N);
	xc_result_destroy(attached);
	take_squares(result, out, N);
	xc_close(client);
	stage_close();
}
END_TEST

START_TEST(attach_by_id_of_a_batch_member)
{
	enum { CALLS = 300 };
	struct xc_client *owner = open_client(ENGINES), *other = open_client(ENGINES);
	static struct xc_result *results[CALLS];
	static char ids[CALLS][XC_JOB_ID_SIZE];
	int64_t out[CALLS], theirs = 0;
	struct xc_result *result;
	int dots = 0;

	for (int64_t i = 0; i < CALLS; i++)
		results[i] = must(xc_apply_async(xc_balanced(owner), square, &i, sizeof i, &out[i],
						 sizeof out[i], NULL, &err));
	for (int i = 0; i < CALLS; i++) {
		id_of(results[i], ids[i]);
		dots += strcmp(strchr(ids[i], '.'), ".0") != 0;
	}
	ck_assert_int_gt(dots, 0); /* some went together */
	for (int i = 0; i < CALLS; i += 50) {
		result = must(xc_attach(other, ids[i], &theirs, sizeof theirs, &err));
		assert_ok(xc_wait(result, LIMIT, &err), err);
		ck_assert_int_eq(theirs, (int64_t)i * i);
		ck_assert_int_eq(xc_result_progress(result).items, 1);
		xc_result_destroy(result);
	}
	for (int i = 0; i < CALLS; i++) {
		assert_ok(xc_wait(results[i], LIMIT, &err), err);
		ck_assert_int_eq(out[i], (int64_t)i * i);
		xc_result_destroy(results[i]);
	}
	/* One of them alone again. */
	result = must(xc_resubmit(other, ids[CALLS - 1], &theirs, sizeof theirs, &err));
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(theirs, (int64_t)(CALLS - 1) * (CALLS - 1));
	xc_result_destroy(result);
	ck_assert_ptr_null(xc_attach(other, "0123456789abcdef-1.5", NULL, 0, &err));
	assert_error(err.code, -ENOENT, &err, "knows no such job");
	xc_close(owner);
	xc_close(other);
}
END_TEST

START_TEST(bad_ids)
{
	static const char *const ids[] = { "",
					   "7",
					   "0123456789abcdef",
					   "0123456789abcdef-",
					   "0123456789ABCDEF-1",
					   "0123456789abcdef-x",
					   "0123456789abcdef-1.",
					   "0123456789abcdef-1.2x",
					   "0123456789abcdef--1",
					   "0123456789abcdef-99999999999999999999" };
	struct xc_client *client = open_client(ENGINES);

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		ck_assert_ptr_null(xc_attach(client, ids[i], NULL, 0, &err));
		assert_error(err.code, -EINVAL, &err, "is no id of a job");
		assert_error(xc_purge(client, ids[i], &err), -EINVAL, &err, "is no id of a job");
	}
	xc_close(client);
}
END_TEST

/* One that attaches and does not read holds up nobody. */
START_TEST(a_slow_attached_client)
{
	enum { ITEMS = 300 };
	struct xc_client *owner = open_client(ENGINES), *other = open_client(ENGINES);
	char *mine = calloc(ITEMS, 100000), *theirs = calloc(ITEMS, 100000), id[XC_JOB_ID_SIZE];
	struct xc_map_options options = { .on_disconnect = XC_DISCONNECT_KEEP };
	struct xc_result *own, *result;

	own = must(
		xc_map_range_async(xc_balanced(owner), large, ITEMS, mine, 100000, &options, &err));
	id_of(own, id);
	result = must(xc_attach(other, id, theirs, (size_t)ITEMS * 100000, &err));
	assert_ok(xc_wait(own, LIMIT, &err), err);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(memcmp(mine, theirs, (size_t)ITEMS * 100000), 0);
	ck_assert_int_eq(theirs[(size_t)ITEMS * 100000 - 1], 1 + (ITEMS - 1) % 100);
	xc_result_destroy(own);
	xc_result_destroy(result);
	assert_ok(xc_purge(other, id, &err) - 1, err);
	xc_close(owner);
	xc_close(other);
	free(mine);
	free(theirs);
}
END_TEST

START_TEST(cancel_from_another_client)
{
	struct xc_client *owner = open_client(ENGINES), *other = open_client(ENGINES);
	int64_t out[N];
	struct xc_result *own, *result;
	enum xc_state states[N];
	char id[XC_JOB_ID_SIZE];

	stage_open();
	own = must(xc_map_range_async(xc_balanced(owner), waits, N, out, sizeof *out, NULL, &err));
	id_of(own, id);
	stage_news();
	if (_i == 0) {
		result = must(xc_attach(other, id, NULL, 0, &err));
		assert_ok(xc_cancel(result, XC_CANCEL_RUNNING, &err), err);
		ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
		xc_result_destroy(result);
	} else {
		assert_ok(xc_job_cancel(other, id, XC_CANCEL_RUNNING, &err), err);
	}
	ck_assert_int_eq(xc_wait(own, LIMIT, &err), XC_EFAILED);
	collect_states(own, N, states);
	ck_assert_int_eq(states[N - 1], XC_CANCELLED);
	assert_error(xc_job_cancel(other, id, XC_CANCEL_QUEUED, &err), -EALREADY, &err,
		     "ended already");
	await_state(other, id, "cancelled");
	xc_result_destroy(own);
	xc_close(owner);
	xc_close(other);
	stage_close();
}
END_TEST

/* ---- Clients that are gone ------------------------------------------------------------ */

/* Submits a job that waits at the gate, writes its id to a file and is killed, or
 * closes. `direct`: on each engine. */
static void be_owner(const struct xc_map_options *options, bool direct, bool closes)
{
	int64_t *out = calloc(N, sizeof *out);
	struct xc_client *client = NULL;
	struct xc_result *result;

	if (!out || xc_open(&client, NULL, NULL) < 0)
		_exit(1);
	result = xc_map_range_async(direct ? xc_all(client) : xc_balanced(client), waits, N, out,
				    sizeof *out, options, NULL);
	if (!result)
		_exit(2);
	save_id(result);
	if (closes) {
		xc_result_destroy(result);
		xc_close(client);
		_exit(0);
	}
	stage_news(); /* it runs */
	raise(SIGKILL);
}

START_TEST(kept_job_survives_its_client)
{
	struct xc_map_options options = { .on_disconnect = XC_DISCONNECT_KEEP, .label = "kept" };
	bool direct = _i & 1, closes = _i & 2;
	struct xc_client *client;
	struct xc_job_info info;
	int64_t out[N] = { 0 };
	char id[XC_JOB_ID_SIZE];
	pid_t child;

	stage_open();
	child = fork();
	if (child == 0)
		be_owner(&options, direct, closes);
	ck_assert_int_eq(child_end(child), closes ? 0 : 128 + SIGKILL);
	client = open_client(ENGINES);
	saved_id(id);
	ck_assert(find_job(client, id, &info));
	ck_assert_str_eq(info.label, "kept");
	assert_error(xc_purge(client, id, &err), -EBUSY, &err, "has not ended");
	ck_assert(wait_until(is_only_client, client, LIMIT));
	stage_release();
	await_state(client, id, "done");
	for (int round = 0; round < 2; round++) {
		memset(out, 0, sizeof out);
		take_squares(must(xc_attach(client, id, out, sizeof out, &err)), out, N);
	}
	ck_assert_int_eq(xc_purge(client, id, &err), 1);
	ck_assert_ptr_null(xc_attach(client, id, out, sizeof out, &err));
	assert_error(err.code, -ENOENT, &err, "knows no such job");
	xc_close(client);
	stage_close();
}
END_TEST

/* A process that was started anew, and knows nothing but the id. */
START_TEST(reattach_from_another_process)
{
	struct xc_map_options options = { .on_disconnect = XC_DISCONNECT_KEEP };
	pid_t child;

	stage_open();
	child = fork();
	if (child == 0)
		be_owner(&options, false, false);
	ck_assert_int_eq(child_end(child), 128 + SIGKILL);
	child = fork();
	if (child == 0) {
		static int64_t out[N];
		struct xc_client *client = NULL;
		struct xc_result *result;
		char id[XC_JOB_ID_SIZE];

		saved_id(id);
		if (xc_open(&client, NULL, NULL) < 0 ||
		    !(result = xc_attach(client, id, out, sizeof out, NULL)))
			_exit(1);
		if (!wait_until(is_only_client, client, LIMIT))
			_exit(4);
		stage_release();
		if (xc_wait(result, LIMIT, NULL) < 0)
			_exit(2);
		for (int i = 0; i < N; i++)
			if (out[i] != (int64_t)i * i)
				_exit(3);
		xc_result_destroy(result);
		xc_close(client);
		_exit(0);
	}
	ck_assert_int_eq(child_end(child), 0);
	stage_close();
}
END_TEST

/* Those of xc_apply that were held back to go together are not left behind. */
START_TEST(kept_calls_survive_their_client)
{
	enum { CALLS = 100 };
	struct xc_map_options options = { .on_disconnect = XC_DISCONNECT_KEEP, .label = "calls" };
	struct xc_client *client = open_client(ENGINES);
	struct xc_job_query query = { .label = "calls" };
	static struct xc_result *results[CALLS];
	struct xc_job_info *jobs;
	int64_t items = 0, out[CALLS];
	int count;

	for (int64_t i = 0; i < CALLS; i++)
		results[i] = must(xc_apply_async(xc_balanced(client), square, &i, sizeof i, &out[i],
						 sizeof out[i], &options, &err));
	xc_close(client);
	for (int i = 0; i < CALLS; i++)
		xc_result_destroy(results[i]);
	client = open_client(ENGINES);
	assert_ok(xc_jobs(client, &query, &jobs, &count, &err), err);
	for (int i = 0; i < count; i++) {
		await_state(client, jobs[i].id, "done");
		items += jobs[i].items;
	}
	ck_assert_int_eq(items, CALLS);
	free(jobs);
	xc_close(client);
}
END_TEST

/* Submits, tells of it, and ends when it is told to. */
static void be_ordinary(bool direct, bool closes, int ready, int go)
{
	int64_t *out = calloc(N, sizeof *out);
	struct xc_client *client = NULL;
	struct xc_result *result = NULL;
	char byte = 0;

	if (out && xc_open(&client, NULL, NULL) == 0)
		result = xc_map_range_async(direct ? xc_all(client) : xc_balanced(client), waits, N,
					    out, sizeof *out, NULL, NULL);
	if (!result)
		_exit(1);
	save_id(result);
	xc_is_ready(result);
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		_exit(2);
	if (!closes)
		raise(SIGKILL);
	xc_close(client);
	_exit(0);
}

/* The default: the end of its client cancels it, and who is attached is told. */
START_TEST(cancelled_job_on_disconnect)
{
	bool direct = _i & 1, closes = _i & 2;
	struct xc_client *client = open_client(ENGINES);
	struct xc_result *result;
	enum xc_state states[N];
	char id[XC_JOB_ID_SIZE], byte = 0;
	int ready[2], go[2];
	pid_t child;

	stage_open();
	ck_assert(pipe(ready) == 0 && pipe(go) == 0);
	child = fork();
	if (child == 0)
		be_ordinary(direct, closes, ready[1], go[0]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	stage_news();
	saved_id(id);
	result = must(xc_attach(client, id, NULL, 0, &err));
	ck_assert(!xc_is_ready(result));
	ck_assert_int_eq(write(go[1], &byte, 1), 1);
	ck_assert_int_eq(child_end(child), closes ? 0 : 128 + SIGKILL);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	collect_states(result, N, states);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(states[i], XC_CANCELLED);
	xc_result_destroy(result);
	await_state(client, id, "cancelled");
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	xc_close(client);
	stage_close();
}
END_TEST

/* ---- Again ------------------------------------------------------------------------------ */

START_TEST(resubmit_done)
{
	struct xc_map_options options = { .label = "again", .start = 0, .step = 1 };
	struct xc_client *owner = open_client(ENGINES), *other = open_client(ENGINES);
	const struct xc_view *views[] = { xc_balanced(owner), xc_all(owner) };
	int64_t out[N], again[N] = { 0 }, in[N];
	char id[XC_JOB_ID_SIZE], new_id[XC_JOB_ID_SIZE];
	struct xc_job_info info;
	struct xc_result *result;

	for (int i = 0; i < N; i++)
		in[i] = i;
	result = must(xc_map_async(views[_i], square, in, sizeof *in, N, out, sizeof *out, &options,
				   &err));
	id_of(result, id);
	take_squares(result, out, N);
	result = must(xc_resubmit(other, id, again, sizeof again, &err));
	id_of(result, new_id);
	ck_assert_str_ne(id, new_id);
	take_squares(result, again, N);
	ck_assert(find_job(other, new_id, &info));
	ck_assert_str_eq(info.label, "again");
	ck_assert_str_eq(info.state, "done");
	ck_assert_ptr_null(xc_resubmit(other, id, again, sizeof again - 8, &err));
	assert_error(err.code, -EMSGSIZE, &err, "out has 1592");
	xc_close(owner);
	xc_close(other);
}
END_TEST

START_TEST(resubmit_aborted)
{
	struct xc_client *client = open_client(ENGINES);
	struct xc_result *result;
	char id[XC_JOB_ID_SIZE];
	int64_t out[N] = { 0 };

	stage_open();
	result = must(
		xc_map_range_async(xc_balanced(client), gated, N, out, sizeof *out, NULL, &err));
	id_of(result, id);
	stage_news();
	ck_assert_ptr_null(xc_resubmit(client, id, out, sizeof out, &err));
	assert_error(err.code, -EBUSY, &err, "has not ended");
	assert_ok(xc_cancel(result, XC_CANCEL_RUNNING, &err), err);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	xc_result_destroy(result);
	stage_release();
	memset(out, 0, sizeof out);
	take_squares(must(xc_resubmit(client, id, out, sizeof out, &err)), out, N);
	xc_close(client);
	stage_close();
}
END_TEST

/* A job to be kept is one when it runs again, too: it goes on without its result. */
START_TEST(resubmit_kept)
{
	struct xc_map_options options = { .on_disconnect = XC_DISCONNECT_KEEP, .chunk = 1 };
	struct xc_client *client = open_client(ENGINES);
	struct xc_result *result;
	char id[XC_JOB_ID_SIZE];
	int64_t out[N] = { 0 };

	stage_open();
	result = must(xc_map_range_async(xc_balanced(client), waits, N, out, sizeof *out, &options,
					 &err));
	id_of(result, id);
	stage_news();
	assert_ok(xc_cancel(result, XC_CANCEL_RUNNING, &err), err);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	xc_result_destroy(result);
	while (stage_has_news(0))
		stage_news();
	result = must(xc_resubmit(client, id, out, sizeof out, &err));
	id_of(result, id);
	stage_news();
	xc_result_destroy(result);
	await_state(client, id, "running"); /* not cancelling, so that it may be released */
	stage_release();
	await_state(client, id, "done");
	take_squares(must(xc_attach(client, id, out, sizeof out, &err)), out, N);
	xc_close(client);
	stage_close();
}
END_TEST

START_TEST(resubmit_unknown)
{
	struct xc_client *client = open_client(ENGINES);

	ck_assert_ptr_null(xc_resubmit(client, "0123456789abcdef-1", NULL, 0, &err));
	assert_error(err.code, -ENOENT, &err, "knows no such job");
	ck_assert_ptr_null(xc_resubmit(client, "nonsense", NULL, 0, &err));
	assert_error(err.code, -EINVAL, &err, "is no id of a job");
	assert_error(xc_purge(client, "0123456789abcdef-1", &err), -ENOENT, &err,
		     "knows no such job");
	xc_close(client);
}
END_TEST

/* ---- What is known ------------------------------------------------------------------------ */

START_TEST(purge_refused_while_outstanding)
{
	struct xc_client *client = open_client(ENGINES);
	struct xc_result *result;
	char id[XC_JOB_ID_SIZE];
	int64_t out[N];

	stage_open();
	result = must(
		xc_map_range_async(xc_balanced(client), gated, N, out, sizeof *out, NULL, &err));
	id_of(result, id);
	stage_news();
	assert_error(xc_purge(client, id, &err), -EBUSY, &err, "has not ended");
	stage_release();
	take_squares(result, out, N);
	ck_assert_int_eq(xc_purge(client, id, &err), 1);
	assert_error(xc_purge(client, id, &err), -ENOENT, &err, "knows no such job");
	xc_close(client);
	stage_close();
}
END_TEST

static double wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_one(struct xc_client *client, const char *label)
{
	struct xc_map_options options = { .label = label };
	int64_t out[3];

	assert_ok(xc_map_range(xc_balanced(client), square, 3, out, sizeof *out, &options, &err),
		  err);
}

START_TEST(history_by_time)
{
	struct xc_client *client = open_client(ENGINES);
	double begin = wall(), middle;
	struct xc_job_info *jobs;
	int count;

	ck_assert_int_ge(xc_purge(client, NULL, &err), 0);
	run_one(client, "early");
	middle = wall();
	run_one(client, "late");
	run_one(client, "late");
	ck_assert_int_eq(ids_listed(client, &(struct xc_job_query){ .since = begin - 1 }), 3);
	ck_assert_int_eq(ids_listed(client, &(struct xc_job_query){ .since = middle }), 2);
	ck_assert_int_eq(ids_listed(client, &(struct xc_job_query){ .until = middle }), 1);
	ck_assert_int_eq(ids_listed(client, &(struct xc_job_query){ .until = begin - 1 }), 0);
	ck_assert_int_eq(ids_listed(client, &(struct xc_job_query){ .max = 1 }), 1);
	assert_ok(xc_jobs(client, NULL, &jobs, &count, &err), err);
	ck_assert_int_eq(count, 3);
	ck_assert_str_eq(jobs[2].label, "early"); /* the oldest */
	ck_assert_double_ge(jobs[2].started, jobs[2].submitted);
	ck_assert_double_ge(jobs[2].finished, jobs[2].started);
	ck_assert_double_le(jobs[2].finished, wall() + 1);
	ck_assert_int_eq(jobs[2].items, 3);
	ck_assert_int_eq(jobs[2].done, 3);
	ck_assert_uint_eq(jobs[2].result_bytes, 24);
	ck_assert(jobs[2].has_results && jobs[2].has_inputs);
	free(jobs);
	xc_close(client);
}
END_TEST

START_TEST(history_by_label)
{
	struct xc_client *client = open_client(ENGINES);
	int64_t out[2];

	ck_assert_int_ge(xc_purge(client, NULL, &err), 0);
	run_one(client, "sum-1");
	run_one(client, "sum-2");
	run_one(client, "other");
	ck_assert_int_eq(
		xc_map_range(xc_balanced(client), odd_fails, 2, out, sizeof *out, NULL, &err),
		XC_EFAILED);
	ck_assert_int_eq(ids_listed(client, &(struct xc_job_query){ .label = "sum-1" }), 1);
	ck_assert_int_eq(ids_listed(client, &(struct xc_job_query){ .label = "sum-*" }), 2);
	ck_assert_int_eq(ids_listed(client, &(struct xc_job_query){ .label = "sum" }), 0);
	ck_assert_int_eq(ids_listed(client, &(struct xc_job_query){ .state = "failed" }), 1);
	ck_assert_int_eq(ids_listed(client, &(struct xc_job_query){ .state = "done" }), 3);
	ck_assert_int_eq(
		ids_listed(client, &(struct xc_job_query){ .label = "s*", .state = "failed" }), 0);
	assert_error(xc_jobs(client, &(struct xc_job_query){ .state = "finished" },
			     &(struct xc_job_info *){ NULL }, &(int){ 0 }, &err),
		     -EINVAL, &err, "no state of a job");
	xc_close(client);
}
END_TEST

static long controller_bytes(struct xc_client *client)
{
	char *text = NULL;
	json_t *status;
	long bytes;

	assert_ok(xc_status_json(client, &text, &err), err);
	status = json_loads(text, 0, NULL);
	free(text);
	ck_assert_ptr_nonnull(status);
	bytes = (long)json_integer_value(json_object_get(status, "rss"));
	json_decref(status);
	return bytes;
}

static int big_input(struct xc_task *task, const void *in, void *out)
{
	*(int64_t *)out = (int64_t)xc_task_in_size(task) + ((const char *)in)[0];
	return 0;
}

/* By number: 1000 is the default. */
START_TEST(history_is_bounded)
{
	struct xc_client *client = open_client(ENGINES);
	char first[XC_JOB_ID_SIZE], last[XC_JOB_ID_SIZE], input[4000] = "";
	struct xc_result *result;
	int64_t out[3];
	long before = 0;

	for (int i = 0; i < 4500; i++) {
		/* A size that stays in a buffer of libzmq's as it came. */
		result = must(xc_map_async(xc_balanced(client), big_input, input, sizeof input, 1,
					   out, sizeof *out, NULL, &err));
		id_of(result, i == 0 ? first : last);
		assert_ok(xc_wait(result, LIMIT, &err), err);
		xc_result_destroy(result);
		if (i == 2000)
			before = controller_bytes(client);
	}
	ck_assert_int_eq(ids_listed(client, NULL), 1000);
	ck_assert_ptr_null(xc_attach(client, first, NULL, 0, &err));
	assert_error(err.code, -ENOENT, &err, "knows no such job");
	result = must(xc_attach(client, last, out, sizeof *out, &err));
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(out[0], sizeof input);
	xc_result_destroy(result);
	ck_assert_int_lt(controller_bytes(client) - before, 4000000);
	xc_close(client);
}
END_TEST

/* And by bytes: what is too much is not kept, and says so. */
START_TEST(results_are_bounded)
{
	enum { ITEMS = 120 };
	struct xc_client *owner = open_client(ENGINES), *other = open_client(ENGINES);
	char *out = malloc((size_t)ITEMS * 100000), id[XC_JOB_ID_SIZE];
	struct xc_job_info info;
	struct xc_result *result;

	result =
		must(xc_map_range_async(xc_balanced(owner), large, ITEMS, out, 100000, NULL, &err));
	id_of(result, id);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	run_one(owner, "next"); /* acknowledges the last of it */
	ck_assert_ptr_null(xc_attach(other, id, out, (size_t)ITEMS * 100000, &err));
	assert_error(err.code, -ENODATA, &err, "XC_DISCONNECT_KEEP");
	ck_assert(find_job(other, id, &info));
	ck_assert(!info.has_results);
	ck_assert_uint_eq(info.result_bytes, 0);
	ck_assert_int_eq(info.done, ITEMS);
	free(out);
	xc_close(owner);
	xc_close(other);
}
END_TEST

START_TEST(queue_status_counts)
{
	struct xc_client *client = open_client(ENGINES);
	struct xc_queue queues[ENGINES], before[ENGINES];
	struct xc_result *direct, *balanced;
	int64_t unassigned, busy = 0, out[10], more[N];

	stage_open();
	ck_assert_int_eq(xc_queue_status(client, before, ENGINES, NULL, &err), ENGINES);
	/* Five items each, one at a time, of which an engine has two in hand. */
	direct = must(xc_map_range_async(xc_all(client), waits, 10, out, sizeof *out,
					 &(struct xc_map_options){ .chunk = 1 }, &err));
	for (int i = 0; i < ENGINES; i++)
		stage_news();
	balanced = must(
		xc_map_range_async(xc_balanced(client), square, N, more, sizeof *more, NULL, &err));
	ck_assert_int_eq(xc_queue_status(client, queues, ENGINES, &unassigned, &err), ENGINES);
	for (int i = 0; i < ENGINES; i++) {
		ck_assert_int_eq(queues[i].engine, i);
		ck_assert_int_eq(queues[i].slices, 2);
		ck_assert_int_eq(queues[i].running, 2);
		ck_assert_int_eq(queues[i].queued, 3);
		ck_assert_int_eq(queues[i].completed, before[i].completed);
		busy += queues[i].running + queues[i].queued;
	}
	ck_assert_int_eq(busy, 10);
	ck_assert_int_eq(unassigned, N);
	ck_assert_int_eq(xc_queue_status(client, NULL, 0, NULL, &err), ENGINES);
	stage_release();
	take_squares(direct, out, 10);
	take_squares(balanced, more, N);
	ck_assert_int_eq(xc_queue_status(client, queues, ENGINES, &unassigned, &err), ENGINES);
	ck_assert_int_eq(queues[0].queued + queues[0].running + queues[0].slices, 0);
	ck_assert_int_eq(queues[0].completed + queues[1].completed,
			 before[0].completed + before[1].completed + 10 + N);
	ck_assert_int_eq(unassigned, 0);
	xc_close(client);
	stage_close();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jobs");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "jobs"),
	      *stop = shared_case(suite, "stop");
	const char *flags = getenv("XC_TEST_CFLAGS");

	add_cluster_start(start, ENGINES);
	tcase_add_test(tests, another_client_fetches_a_pending_result);
	tcase_add_loop_test(tests, another_client_fetches_a_finished_result, 0, 2);
	tcase_add_test(tests, what_out_may_be);
	tcase_add_test(tests, attach_by_id_of_a_batch_member);
	tcase_add_test(tests, bad_ids);
	tcase_add_test(tests, a_slow_attached_client);
	tcase_add_loop_test(tests, cancel_from_another_client, 0, 2);
	tcase_add_loop_test(tests, kept_job_survives_its_client, 0, 4);
	tcase_add_test(tests, reattach_from_another_process);
	tcase_add_test(tests, kept_calls_survive_their_client);
	tcase_add_loop_test(tests, cancelled_job_on_disconnect, 0, 4);
	tcase_add_loop_test(tests, resubmit_done, 0, 2);
	tcase_add_test(tests, resubmit_aborted);
	tcase_add_test(tests, resubmit_kept);
	tcase_add_test(tests, resubmit_unknown);
	tcase_add_test(tests, purge_refused_while_outstanding);
	tcase_add_test(tests, history_by_time);
	tcase_add_test(tests, history_by_label);
	/* Sanitizers keep freed memory for a while. */
	if (!flags || !strstr(flags, "sanitize"))
		tcase_add_test(tests, history_is_bounded);
	tcase_add_test(tests, results_are_bounded);
	tcase_add_test(tests, queue_status_counts);
	add_cluster_stop(stop);
	return run_tests(suite);
}
