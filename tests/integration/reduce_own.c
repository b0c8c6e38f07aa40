/* reduce_own.c: results that a function of the program makes one: in their order, of all forms
 * of items and sizes; what goes wrong; memory; jobs by id; the examples. */
#include "tests/integration/reduce_items.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- A function of the program ------------------------------------------------------------ */

/* Of a text of `count` characters: a hash that knows the order of all of them. */
struct text {
	uint64_t hash, power; /* power: of the base, to the count */
	int64_t count, first;
};

static uint64_t base_of(const void *argument)
{
	uint64_t base;

	memcpy(&base, argument, sizeof base);
	return base;
}

static void join(void *left, const void *right, const void *argument)
{
	struct text *a = left;
	const struct text *b = right;

	if (a->first + a->count != b->first || base_of(argument) != 1000003)
		abort();
	if ((uintptr_t)left % 16 || (uintptr_t)right % 16 || (uintptr_t)argument % 16)
		abort();
	a->hash = a->hash * b->power + b->hash;
	a->power *= b->power;
	a->count += b->count;
}

static void character(struct text *text, int64_t i)
{
	*text = (struct text){ .hash = mix((uint64_t)i), .power = 1000003, .count = 1, .first = i };
}

static int write_character(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	character(out, xc_task_index(task));
	return 0;
}

static const _Alignas(16) uint64_t base = 1000003;
static const struct xc_reduction joined = { .kind = XC_REDUCE_OWN,
					    .size = sizeof(struct text),
					    .combine = join,
					    .argument = &base,
					    .argument_size = sizeof base };

static void assert_joined(const struct text *text, int64_t n)
{
	uint64_t hash = 0;

	for (int64_t i = 0; i < n; i++)
		hash = hash * base + mix((uint64_t)i);
	ck_assert_int_eq(text->count, n);
	ck_assert_uint_eq(text->hash, hash);
}

START_TEST(neighbours_are_joined_in_their_order)
{
	struct text text;

	reduce(sizes[_i], write_character, &joined, &text);
	assert_joined(&text, sizes[_i]);
}
END_TEST

static int echo(struct xc_task *task, const void *in, void *out)
{
	struct text *text = out;
	int64_t i;

	memcpy(&i, in, sizeof i);
	character(text, i);
	return xc_task_in_size(task) < sizeof i;
}

START_TEST(arrays_and_packed_items)
{
	enum { N = 3001 };
	struct xc_bytes items[N];
	int64_t numbers[2 * N];
	struct text text;

	for (int64_t i = 0; i < N; i++) {
		numbers[2 * i] = i;
		numbers[2 * i + 1] = 0;
		items[i] = (struct xc_bytes){ &numbers[2 * i], 8 + (size_t)i % 8 };
	}
	assert_ok(xc_map_reduce_array(xc_balanced(client), echo, numbers, 16, N, &joined, &text,
				      sizeof text, NULL, &err),
		  err);
	assert_joined(&text, N);
	assert_ok(xc_map_reduce_packed(xc_balanced(client), echo, items, N, &joined, &text,
				       sizeof text, NULL, &err),
		  err);
	assert_joined(&text, N);
}
END_TEST

static void add_roots(void *left, const void *right, const void *argument)
{
	(void)argument;
	*(double *)left += *(const double *)right;
}

/* The task is of a library, what combines of this program. */
START_TEST(a_function_by_its_name)
{
	const struct xc_reduction how = { .kind = XC_REDUCE_OWN,
					  .size = sizeof(double),
					  .combine = add_roots };
	const struct xc_map_options options = { .function = "root" };
	double result, expected = 0;

	compile("libroots.so", "tasks.c", "-shared -fPIC -DVERSION=1 -lm");
	assert_ok(xc_load(xc_all(client), test_path("libroots.so"), &err), err);
	assert_ok(xc_map_reduce(xc_balanced(client), NULL, 1000, &how, &result, sizeof result,
				&options, &err),
		  err);
	for (int i = 0; i < 1000; i++)
		expected += sqrt(i);
	ck_assert_double_eq_tol(result, expected, 1e-9);
}
END_TEST

/* Results of a megabyte are combined where they are made. */
struct large {
	struct text text;
	char rest[(1 << 20) - sizeof(struct text)];
};

static void join_large(void *left, const void *right, const void *argument)
{
	struct large *a = left;
	const struct large *b = right;

	join(&a->text, &b->text, argument);
	for (size_t i = 0; i < sizeof a->rest; i += 4096)
		a->rest[i] = (char)(a->rest[i] + b->rest[i]);
}

static int write_large(struct xc_task *task, const void *in, void *out)
{
	struct large *large = out;

	(void)in;
	character(&large->text, xc_task_index(task));
	memset(large->rest, 1, sizeof large->rest);
	return 0;
}

START_TEST(large_results)
{
	struct xc_reduction how = joined;
	struct large *large = malloc(sizeof *large);

	how.size = sizeof *large;
	how.combine = join_large;
	reduce(150, write_large, &how, large);
	assert_joined(&large->text, 150);
	ck_assert_int_eq(large->rest[4096], (char)150);
	free(large);
}
END_TEST

/* ---- What goes wrong ------------------------------------------------------------------------- */

static int fails_once(struct xc_task *task, const void *in, void *out)
{
	if (mix((uint64_t)xc_task_index(task)) % 3 == 0 && xc_task_attempt(task) == 1)
		return xc_task_fail(task, "not yet");
	return write_character(task, in, out);
}

START_TEST(items_that_run_again)
{
	struct xc_map_options options = { .max_attempts = 2 };
	struct text text;

	assert_ok(xc_map_reduce(xc_balanced(client), fails_once, 2000, &joined, &text, sizeof text,
				&options, &err),
		  err);
	assert_joined(&text, 2000);
}
END_TEST

START_TEST(an_item_that_does_not_end_well)
{
	struct text text = { .count = 4711 };

	assert_error(xc_map_reduce(xc_balanced(client), fails_once, 2000, &joined, &text,
				   sizeof text, NULL, &err),
		     XC_EFAILED, &err, "not yet");
	ck_assert_int_eq(text.count, 4711);
}
END_TEST

static int leave_a_trace(const struct xc_task *task)
{
	int64_t index = xc_task_index(task);
	int fd = open(test_path("runs"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	bool is_written = fd >= 0 && write(fd, &index, sizeof index) == sizeof index;

	close(fd);
	return is_written ? 0 : 98;
}

/* Items 777 and 1500 wait for the test, in their first attempt. */
static int traced(struct xc_task *task, const void *in, void *out)
{
	int64_t i = xc_task_index(task);

	if (leave_a_trace(task))
		return 98;
	if ((i == 777 || i == 1500) && xc_task_attempt(task) == 1) {
		task_announce(task);
		task_wait_at_gate();
	}
	return write_character(task, in, out);
}

/* The items that were being run when their engines were killed ran twice, all others once:
 * what was combined before is not lost. */
START_TEST(engines_killed_in_mid_run)
{
	struct xc_map_options options = { .max_attempts = 2, .chunk = 250 };
	struct xc_result *result;
	int runs[2000] = { 0 };
	struct text text;
	int64_t index;
	FILE *file;

	stage_open();
	result = xc_map_reduce_async(xc_balanced(client), traced, 2000, &joined, &text, sizeof text,
				     &options, &err);
	ck_assert_msg(result, "%s", err.text);
	for (int i = 0; i < 2; i++)
		kill(stage_news().pid, SIGKILL);
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	xc_result_destroy(result);
	stage_close();
	assert_joined(&text, 2000);
	file = fopen(test_path("runs"), "r");
	ck_assert_ptr_nonnull(file);
	while (fread(&index, sizeof index, 1, file) == 1)
		runs[index]++;
	fclose(file);
	for (int i = 0; i < 2000; i++)
		ck_assert_msg(runs[i] == (i == 777 || i == 1500 ? 2 : 1), "item %d ran %d times", i,
			      runs[i]);
}
END_TEST

/* In engines, where item 100 is on the right. */
__attribute__((no_sanitize("address", "undefined"))) static void
crash(void *left, const void *right, const void *argument)
{
	const struct text *b = right;
	pid_t pid;

	memcpy(&pid, argument, sizeof pid);
	if (getpid() != pid && b->first <= 100 && b->first + b->count > 100) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	join(left, right, &base);
}

static void hang(void *left, const void *right, const void *argument)
{
	const struct text *b = right;
	pid_t pid;

	memcpy(&pid, argument, sizeof pid);
	while (getpid() != pid && b->first <= 100 && b->first + b->count > 100)
		pause();
	join(left, right, &base);
}

static void check_combine(xc_combine_fn *combine, double time_limit, const char *expected)
{
	pid_t pid = getpid();
	struct xc_reduction how = { .kind = XC_REDUCE_OWN,
				    .size = sizeof(struct text),
				    .combine = combine,
				    .argument = &pid,
				    .argument_size = sizeof pid };
	struct xc_map_options options = { .chunk = 1000, .time_limit = time_limit };
	struct text text;

	assert_error(xc_map_reduce(xc_balanced(client), write_character, 1000, &how, &text,
				   sizeof text, &options, &err),
		     XC_EFAILED, &err, expected);
}

START_TEST(the_item_pays_whose_combination_crashes)
{
	check_combine(crash, 0, "1 of 1000 items did not end well; first: item 103 crashed");
}
END_TEST

START_TEST(the_item_pays_whose_combination_hangs)
{
	check_combine(hang, 0.2, "1 of 1000 items did not end well; first: item 103 timed out");
}
END_TEST

/* A child that comes back from `combine` is no second engine: it is ended. */
static void fork_and_join(void *left, const void *right, const void *argument)
{
	const struct text *b = right;
	int status = 0;
	pid_t pid;

	memcpy(&pid, argument, sizeof pid);
	join(left, right, &base);
	if (getpid() == pid || b->first != 3)
		return;
	pid = fork();
	if (pid > 0 &&
	    (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 1))
		abort();
}

START_TEST(children_of_a_combination_end)
{
	pid_t pid = getpid();
	struct xc_reduction how = joined;
	struct text text;

	how.combine = fork_and_join;
	how.argument = &pid;
	how.argument_size = sizeof pid;
	assert_ok(xc_map_reduce(xc_balanced(client), write_character, 8, &how, &text, sizeof text,
				&(struct xc_map_options){ .chunk = 8, .time_limit = 10 }, &err),
		  err);
	assert_joined(&text, 8);
}
END_TEST

/* ---- Memory ---------------------------------------------------------------------------------- */

/* The most that a process had in memory since `forget_peak`. */
static long peak_kb(pid_t pid)
{
	char path[64], line[200];
	long kb = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "VmHWM: %ld", &kb) == 1)
			break;
	fclose(file);
	return kb;
}

/* And how much it has now. */
static long forget_peak(pid_t pid)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)pid);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_gt(fputs("5", file), 0);
	ck_assert_int_eq(fclose(file), 0);
	return peak_kb(pid);
}

static int one(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(int64_t *)out = 1;
	return 0;
}

START_TEST(memory_does_not_grow_with_the_items)
{
	struct xc_reduction how = { .kind = XC_REDUCE_SUM, .dtype = XC_I64 };
	int64_t n = INT64_C(3000000), result;
	long before, controller;

	reduce(10000, one, &how, &result);
	before = forget_peak(getpid());
	controller = forget_peak(controller_pid());
	reduce(n, one, &how, &result);
	ck_assert_int_eq(result, n);
	/* n results would be 24 MB */
	ck_assert_int_lt(peak_kb(getpid()) - before, 4000);
	ck_assert_int_lt(peak_kb(controller_pid()) - controller, 4000);
}
END_TEST

static int of_the_engine(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	*(pid_t *)out = getpid();
	return 0;
}

/* Results of 4 megabytes: an engine keeps about as many as the tree has levels. */
START_TEST(memory_of_engines_does_not_grow_with_large_results)
{
	struct xc_reduction how = { .kind = XC_REDUCE_SUM, .dtype = XC_I64, .elements = 524288 };
	int64_t *result = malloc(524288 * sizeof *result);
	pid_t pid;
	long before;

	assert_ok(xc_map_range(some(1), of_the_engine, 1, &pid, sizeof pid, NULL, &err), err);
	before = forget_peak(pid);
	assert_ok(
		xc_map_reduce(some(1), one, 250, &how, result, 524288 * sizeof *result, NULL, &err),
		err);
	ck_assert_int_eq(result[0], 250);
	ck_assert_int_lt(peak_kb(pid) - before, 120000); /* 30 of them */
	free(result);
}
END_TEST

static int every_second_fails(struct xc_task *task, const void *in, void *out)
{
	return xc_task_index(task) % 2 ? 1 : one(task, in, out);
}

/* Where items fail, what is between them cannot be combined, nor is it kept. */
START_TEST(memory_does_not_grow_with_items_that_fail)
{
	struct xc_reduction how = { .kind = XC_REDUCE_SUM, .dtype = XC_I64, .elements = 4096 };
	int64_t result[4096] = { 0 };
	long before;

	assert_error(xc_map_reduce(xc_balanced(client), every_second_fails, 500, &how, result,
				   sizeof result, NULL, &err),
		     XC_EFAILED, &err, "250 of 500 items");
	before = forget_peak(getpid());
	assert_error(xc_map_reduce(xc_balanced(client), every_second_fails, 6000, &how, result,
				   sizeof result, NULL, &err),
		     XC_EFAILED, &err, "3000 of 6000 items");
	ck_assert_int_eq(result[0], 0);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed for a while */
	/* 3000 nodes would be 100 MB */
	ck_assert_int_lt(peak_kb(getpid()) - before, 40000);
#else
	(void)before;
#endif
}
END_TEST

/* ---- Jobs by id --------------------------------------------------------------------------------
 */

static void check_others(struct xc_client *of)
{
	struct xc_result *result, *other;
	char id[XC_JOB_ID_SIZE];
	struct text text;

	result = xc_map_reduce_async(xc_balanced(of), write_character, 500, &joined, &text,
				     sizeof text, NULL, &err);
	ck_assert_msg(result, "%s", err.text);
	ck_assert_int_eq(xc_result_id(result, id), 0);
	other = xc_attach(of, id, NULL, 0, &err);
	ck_assert_msg(other, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	assert_ok(xc_wait(other, LIMIT, &err), err);
	ck_assert_int_eq(xc_result_progress(other).done, 500);
	ck_assert_ptr_null(xc_result_item(other, 0, NULL));
	xc_result_destroy(other);
	xc_result_destroy(result);
	assert_joined(&text, 500);
}

START_TEST(others_may_watch_without_a_result)
{
	struct xc_client *inside;

	check_others(client);
	setenv("XCLUSTER", "inline", 1);
	assert_ok(xc_open(&inside, NULL, &err), err);
	unsetenv("XCLUSTER");
	check_others(inside);
	xc_close(inside);
}
END_TEST

/* ---- The examples ------------------------------------------------------------------------------
 */

/* What numpy makes of the same streams. */
static const struct {
	const char *program, *argument, *printed;
} examples[] = {
	{ "pi", "1e7", "10000000 draws: pi is 3.142206400, give or take 0.000734216\n" },
	{ "bootstrap", "10000",
	  "median 27, 95 % confidence interval from 26 to 28.5 (10000 samples)\n" },
	{ "permutation_test", "20000",
	  "difference 30.635 days, p-value 0.2713; the largest of 20000 permutations is 87.778\n" },
};
#define EXAMPLES ((int)(sizeof examples / sizeof examples[0]))

START_TEST(examples_print_what_numpy_says)
{
	static struct output output;
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", getenv("XC_TEST_EXAMPLES"), examples[_i].program);
	RUN(&output, path, examples[_i].argument);
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_str_eq(output.out, examples[_i].printed);
	setenv("XCLUSTER", "inline:2", 1);
	RUN(&output, path, examples[_i].argument);
	unsetenv("XCLUSTER");
	ck_assert_str_eq(output.out, examples[_i].printed);
	RUN(&output, path, "0");
	ck_assert_int_eq(output.status, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reduce_own");
	TCase *start = shared_case(suite, "start"), *shared = shared_case(suite, "reduce_own"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(shared, connect_client, close_client);
	tcase_add_loop_test(shared, neighbours_are_joined_in_their_order, 0, SIZES);
	tcase_add_test(shared, arrays_and_packed_items);
	tcase_add_test(shared, a_function_by_its_name);
	tcase_add_test(shared, large_results);
	tcase_add_test(shared, items_that_run_again);
	tcase_add_test(shared, an_item_that_does_not_end_well);
	tcase_add_test(shared, engines_killed_in_mid_run);
	tcase_add_test(shared, the_item_pays_whose_combination_crashes);
	tcase_add_test(shared, the_item_pays_whose_combination_hangs);
	tcase_add_test(shared, children_of_a_combination_end);
	tcase_add_test(shared, memory_does_not_grow_with_the_items);
	tcase_add_test(shared, memory_of_engines_does_not_grow_with_large_results);
	tcase_add_test(shared, memory_does_not_grow_with_items_that_fail);
	tcase_add_test(shared, others_may_watch_without_a_result);
	tcase_add_loop_test(shared, examples_print_what_numpy_says, 0, EXAMPLES);
	add_cluster_stop(stop);
	return run_tests(suite);
}
