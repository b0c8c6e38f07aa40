/* reduce_kept.c: reductions by the ids of their jobs: for others, after their client has gone,
 * and once more. */
#include "tests/integration/reduce_items.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define N 1000

static struct xc_result *must(struct xc_result *result)
{
	ck_assert_msg(result != NULL, "%s", err.text);
	return result;
}

/* ---- Items, and how they become one --------------------------------------------------- */

/* Another order of adding would have other bits. */
static int draw(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	*(double *)out = xc_standard_normal(xc_task_rng(task)) * (double)xc_task_index(task);
	return 0;
}

/* Item 500 waits for the test, in its first attempt. */
static int wait_and_draw(struct xc_task *task, const void *in, void *out)
{
	if (xc_task_index(task) == 500 && xc_task_attempt(task) == 1) {
		task_announce(task);
		task_wait_at_gate();
	}
	return draw(task, in, out);
}

static void add(void *left, const void *right, const void *argument)
{
	*(double *)left += *(const double *)right * *(const double *)argument;
}

static const double factor = 0.75, other_factor = 0.5;
static const double halves[] = { 0.5 }, quarters[] = { 0.25, 0.5, 0.75 };

static const struct xc_reduction hows[] = {
	{ .kind = XC_REDUCE_SUM, .dtype = XC_F64 },
	{ .kind = XC_REDUCE_OWN,
	  .size = sizeof(double),
	  .combine = add,
	  .argument = &factor,
	  .argument_size = sizeof factor },
	{ .kind = XC_REDUCE_MOMENTS, .dtype = XC_F64 },
	{ .kind = XC_REDUCE_QUANTILES,
	  .dtype = XC_F64,
	  .probabilities = quarters,
	  .count = 3,
	  .rank_error = 0.01 },
};
#define HOWS ((int)(sizeof hows / sizeof hows[0]))

static const struct xc_map_options seeded = { .seed = 4711, .max_attempts = 2, .chunk = 20 };

/* Room for any of their results. */
union outcome {
	double values[3];
	struct xc_moments moments;
};

static size_t size_of(const struct xc_reduction *how)
{
	int64_t size = xc_reduction_size(how, &err);

	ck_assert(size > 0 && size <= (int64_t)sizeof(union outcome));
	return (size_t)size;
}

/* Of one engine, from its client. */
static union outcome expected(const struct xc_reduction *how)
{
	union outcome o = { { 0 } };

	assert_ok(xc_map_reduce(some(1), draw, N, how, &o, size_of(how), &seeded, &err), err);
	return o;
}

static void take(struct xc_result *result, const union outcome *got, const union outcome *wanted,
		 const struct xc_reduction *how)
{
	assert_ok(xc_wait(must(result), LIMIT, &err), err);
	ck_assert_int_eq(memcmp(got, wanted, size_of(how)), 0);
	xc_result_destroy(result);
}

/* ---- For others -------------------------------------------------------------------------- */

START_TEST(several_get_the_same_bits)
{
	const struct xc_reduction *how = &hows[_i];
	union outcome wanted = expected(how), own, others[2];
	struct xc_client *other = open_client(ENGINES);
	struct xc_result *result, *attached[2];
	char id[XC_JOB_ID_SIZE];

	stage_open();
	result = must(xc_map_reduce_async(xc_balanced(client), wait_and_draw, N, how, &own,
					  size_of(how), &seeded, &err));
	ck_assert_int_eq(xc_result_id(result, id), 0);
	stage_news();
	attached[0] = must(xc_attach_reduce(other, id, how, &others[0], size_of(how), &err));
	stage_release();
	take(result, &own, &wanted, how);
	take(attached[0], &others[0], &wanted, how);
	/* It has ended, and its own client may ask as well. */
	attached[1] = xc_attach_reduce(client, id, how, &others[1], size_of(how), &err);
	take(attached[1], &others[1], &wanted, how);
	xc_close(other);
	stage_close();
}
END_TEST

START_TEST(other_probabilities)
{
	struct xc_reduction median = hows[3];
	union outcome wanted = expected(&hows[3]), own;
	struct xc_result *result;
	char id[XC_JOB_ID_SIZE];
	double middle;

	result = must(xc_map_reduce_async(xc_balanced(client), draw, N, &hows[3], &own,
					  sizeof own.values, &seeded, &err));
	ck_assert_int_eq(xc_result_id(result, id), 0);
	take(result, &own, &wanted, &hows[3]);
	median.probabilities = halves;
	median.count = 1;
	result = must(xc_attach_reduce(client, id, &median, &middle, sizeof middle, &err));
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_double_eq(middle, wanted.values[1]);
	xc_result_destroy(result);
}
END_TEST

/* ---- Without its client --------------------------------------------------------------------- */

static void write_id(struct xc_result *result)
{
	FILE *file = fopen(test_path("id"), "w");
	char id[XC_JOB_ID_SIZE];

	if (!result || !file || xc_result_id(result, id) < 0 || fputs(id, file) < 0 ||
	    fclose(file) < 0)
		_exit(90);
}

static void read_id(char id[XC_JOB_ID_SIZE])
{
	char *text = read_file(test_path("id"));

	ck_assert_ptr_nonnull(text);
	snprintf(id, XC_JOB_ID_SIZE, "%s", text);
	free(text);
}

static pid_t news_pid(void)
{
	return stage_news().pid;
}

static bool has_begun(void *arg)
{
	(void)arg;
	return access(test_path("begun"), F_OK) == 0;
}

static pid_t pid_in_file(void)
{
	char *text;
	pid_t pid;

	ck_assert(wait_until(has_begun, NULL, LIMIT));
	text = read_file(test_path("begun"));
	pid = (pid_t)atoi(text);
	free(text);
	return pid;
}

/* Submits in a process of its own, which closes its client or is killed while item 500 waits,
 * as `await` knows: in this engine. Without `fn` all is done by engine 0, and by the library. */
static pid_t run_owner(xc_task_fn *fn, const struct xc_reduction *how,
		       const struct xc_map_options *options, pid_t (*await)(void), bool closes)
{
	pid_t child, engine;
	int told[2], submitted[2];
	char byte;

	ck_assert_int_eq(pipe(told), 0);
	ck_assert_int_eq(pipe(submitted), 0);
	child = fork();
	if (child == 0) {
		struct xc_client *own = NULL;
		const struct xc_view *view;
		int first = 0;
		union outcome unread;
		struct xc_result *result;

		close(told[1]);
		if (xc_open(&own, NULL, NULL) < 0 ||
		    (!fn && xc_load(xc_all(own), test_path("libwaiting.so"), NULL) < 0))
			_exit(91);
		view = xc_balanced(own);
		if (!fn && xc_balanced_over(own, &first, 1, &view, NULL) < 0)
			_exit(91);
		result =
			xc_map_reduce_async(view, fn, N, how, &unread, size_of(how), options, NULL);
		write_id(result);
		if (write(submitted[1], "s", 1) != 1)
			_exit(92);
		while (read(told[0], &byte, 1) < 0)
			;
		xc_result_destroy(result);
		xc_close(own);
		_exit(0);
	}
	close(told[0]);
	close(submitted[1]);
	ck_assert_int_eq(read(submitted[0], &byte, 1), 1);
	close(submitted[0]);
	engine = await();
	if (!closes)
		kill(child, SIGKILL);
	close(told[1]);
	ck_assert_int_eq(child_end(child), closes ? 0 : 128 + SIGKILL);
	return engine;
}

/* Its client goes, and then the engine that has half of the items; what others had to
 * combine is still there. */
START_TEST(a_kept_one_survives_its_client_and_an_engine)
{
	const struct xc_reduction *how = &hows[_i % HOWS];
	union outcome wanted = expected(how), got;
	struct xc_map_options options = seeded;
	char id[XC_JOB_ID_SIZE];
	pid_t engine;

	options.on_disconnect = XC_DISCONNECT_KEEP;
	stage_open();
	engine = run_owner(wait_and_draw, how, &options, news_pid, _i >= HOWS);
	kill(engine, SIGKILL);
	stage_release();
	read_id(id);
	for (int round = 0; round < 2; round++) {
		memset(&got, 0, sizeof got);
		take(xc_attach_reduce(client, id, how, &got, size_of(how), &err), &got, &wanted,
		     how);
	}
	memset(&got, 0, sizeof got);
	take(xc_resubmit_reduce(client, id, how, &got, size_of(how), &err), &got, &wanted, how);
	ck_assert_int_eq(xc_purge(client, id, &err), 1);
	ck_assert_ptr_null(xc_attach_reduce(client, id, how, &got, size_of(how), &err));
	assert_error(err.code, -ENOENT, &err, "knows no such job");
	stage_close();
}
END_TEST

static void add_plainly(void *left, const void *right, const void *argument)
{
	(void)argument;
	*(double *)left += *(const double *)right;
}

/* The task is of a library, what combines of a program: two that are to stay. */
START_TEST(a_kept_one_whose_task_is_of_a_library)
{
	const struct xc_reduction how = { .kind = XC_REDUCE_OWN,
					  .size = sizeof(double),
					  .combine = add_plainly };
	struct xc_map_options options = { .function = "root_at_500",
					  .max_attempts = 2,
					  .chunk = 20,
					  .on_disconnect = XC_DISCONNECT_KEEP };
	double got = 0, sum = 0;
	struct xc_result *result;
	char id[XC_JOB_ID_SIZE], flags[1200];
	pid_t engine;

	snprintf(flags, sizeof flags, "-shared -fPIC -lm -DBEGUN='\"%s\"' ", test_path("begun"));
	snprintf(flags + strlen(flags), sizeof flags - strlen(flags), "-DGATE='\"%s\"'",
		 test_path("gate"));
	compile("libwaiting.so", "waiting.c", flags);
	stage_open();
	engine = run_owner(NULL, &how, &options, pid_in_file, false);
	ck_assert(wait_until(is_only_client, client, LIMIT));
	kill(engine, SIGKILL);
	stage_release();
	read_id(id);
	result = must(xc_attach_reduce(client, id, &how, &got, sizeof got, &err));
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	for (int i = 0; i < N; i++)
		sum += sqrt(i);
	ck_assert_double_eq_tol(got, sum, 1e-9);
	stage_close();
}
END_TEST

/* ---- Once more, and what is refused ------------------------------------------------------------
 */

static void refuse(struct xc_client *of, const char *id, const struct xc_reduction *how,
		   const char *part)
{
	union outcome got = { { 0 } };

	ck_assert_ptr_null(xc_attach_reduce(of, id, how, &got, size_of(how), &err));
	assert_error(err.code, -EINVAL, &err, part);
	ck_assert_ptr_null(xc_resubmit_reduce(of, id, how, &got, size_of(how), &err));
	assert_error(err.code, -EINVAL, &err, part);
	ck_assert_double_eq(got.values[0], 0);
}

static void check_refusals(struct xc_client *of, const char *sum_id, const char *own_id)
{
	struct xc_reduction how = hows[0];

	refuse(of, sum_id, &hows[1], "another reduction.kind");
	how.dtype = XC_I64;
	refuse(of, sum_id, &how, "another reduction.dtype");
	how = hows[0];
	how.elements = 2;
	refuse(of, sum_id, &how, "another reduction.elements");
	how = hows[1];
	how.size = 16;
	refuse(of, own_id, &how, "another reduction.size");
	how = hows[1];
	how.argument = &other_factor;
	refuse(of, own_id, &how, "another reduction.argument");
}

static int jobs_known(struct xc_client *of)
{
	struct xc_job_info *jobs;
	int count;

	assert_ok(xc_jobs(of, NULL, &jobs, &count, &err), err);
	free(jobs);
	return count;
}

static void check_by_id(struct xc_client *of, const union outcome *wanted)
{
	struct xc_job_info *jobs;
	char ids[2][XC_JOB_ID_SIZE], map[XC_JOB_ID_SIZE];
	union outcome got;
	double out[8];
	struct xc_result *result;
	int count;

	for (int i = 0; i < 2; i++) {
		result = must(xc_map_reduce_async(xc_balanced(of), draw, N, &hows[i], &got,
						  sizeof(double), &seeded, &err));
		ck_assert_int_eq(xc_result_id(result, ids[i]), 0);
		take(result, &got, &wanted[i], &hows[i]);
		got.values[0] = 0;
		take(xc_resubmit_reduce(of, ids[i], &hows[i], &got, sizeof(double), &err), &got,
		     &wanted[i], &hows[i]);
		got.values[0] = 0;
		take(xc_attach_reduce(of, ids[i], &hows[i], &got, sizeof(double), &err), &got,
		     &wanted[i], &hows[i]);
	}
	count = jobs_known(of);
	check_refusals(of, ids[0], ids[1]);
	/* What is not of its kind does not count. */
	take(xc_attach_reduce(of, ids[0],
			      &(struct xc_reduction){ .kind = XC_REDUCE_SUM,
						      .dtype = XC_F64,
						      .bins = 3,
						      .low = NAN,
						      .high = 1 },
			      &got, sizeof(double), &err),
	     &got, &wanted[0], &hows[0]);
	ck_assert_int_eq(jobs_known(of), count); /* nothing has run */
	ck_assert_ptr_null(xc_attach(of, ids[0], out, sizeof out, &err));
	assert_error(err.code, -EINVAL, &err, "call xc_attach_reduce");
	ck_assert_ptr_null(xc_resubmit(of, ids[0], NULL, 0, &err));
	assert_error(err.code, -EINVAL, &err, "call xc_attach_reduce or xc_resubmit_reduce");
	assert_ok(xc_jobs(of, &(struct xc_job_query){ .max = 1 }, &jobs, &count, &err), err);
	ck_assert(count == 1 && jobs->has_inputs);
	free(jobs);
	result =
		must(xc_map_range_async(xc_balanced(of), draw, 8, out, sizeof *out, &seeded, &err));
	ck_assert_int_eq(xc_result_id(result, map), 0);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	refuse(of, map, &hows[0], "not combined: call xc_attach or xc_resubmit");
}

START_TEST(by_id_with_a_cluster_and_without)
{
	union outcome wanted[2] = { expected(&hows[0]), expected(&hows[1]) };
	struct xc_client *inside;

	check_by_id(client, wanted);
	setenv("XCLUSTER", "inline:3", 1);
	assert_ok(xc_open(&inside, NULL, &err), err);
	unsetenv("XCLUSTER");
	check_by_id(inside, wanted);
	xc_close(inside);
}
END_TEST

/* ---- Without an end ------------------------------------------------------------------------- */

static int fail_at_7(struct xc_task *task, const void *in, void *out)
{
	return xc_task_index(task) == 7 ? 7 : draw(task, in, out);
}

/* The others are told of the item that did not end well, and have no result. */
START_TEST(an_item_that_fails_fails_for_all)
{
	struct xc_result *result;
	double own = 1, got = 2;
	char id[XC_JOB_ID_SIZE];

	result = must(xc_map_reduce_async(xc_balanced(client), fail_at_7, N, &hows[0], &own,
					  sizeof own, &seeded, &err));
	ck_assert_int_eq(xc_result_id(result, id), 0);
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "1 of 1000");
	xc_result_destroy(result);
	result = must(xc_attach_reduce(client, id, &hows[0], &got, sizeof got, &err));
	assert_error(xc_wait(result, LIMIT, &err), XC_EFAILED, &err, "item 7 failed with code 7");
	xc_result_destroy(result);
	ck_assert(own == 1 && got == 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reduce_kept");
	TCase *start = shared_case(suite, "start"), *shared = shared_case(suite, "reduce_kept"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(shared, connect_client, close_client);
	tcase_add_test(shared, a_kept_one_whose_task_is_of_a_library);
	tcase_add_loop_test(shared, several_get_the_same_bits, 0, HOWS);
	tcase_add_test(shared, other_probabilities);
	tcase_add_loop_test(shared, a_kept_one_survives_its_client_and_an_engine, 0, 2 * HOWS);
	tcase_add_test(shared, by_id_with_a_cluster_and_without);
	tcase_add_test(shared, an_item_that_fails_fails_for_all);
	add_cluster_stop(stop);
	return run_tests(suite);
}
