/* output.c: what tasks print: kept with their items, while they run and after. On
 * the terminal and in the logs: terminal.c. */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENGINES	  3
#define MIB	  (1 << 20)
#define LINES_MAX 4096

static struct xc_client *client;
static struct xc_error err = XC_ERROR_INIT;

static void connect_client(void)
{
	client = open_client(ENGINES);
	stage_open();
}

static void close_client(void)
{
	stage_close();
	xc_close(client);
}

static struct xc_result *begin(xc_task_fn *fn, int64_t n, const struct xc_map_options *options)
{
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), fn, n, NULL, 0, options, &err);

	ck_assert_msg(result != NULL, "%s", err.text);
	return result;
}

static void assert_output(struct xc_result *result, int64_t item, const char *expected)
{
	size_t size = 0;
	const char *text = xc_output(result, item, &size);

	ck_assert_msg(text && size == strlen(expected) && memcmp(text, expected, size + 1) == 0,
		      "item %lld printed \"%.200s\" and not \"%s\"", (long long)item,
		      text ? text : "(nothing)", expected);
}

struct expected {
	struct xc_result *result;
	int64_t item;
	const char *text;
};

static bool has_printed(void *arg)
{
	const struct expected *e = arg;
	size_t size;
	const char *text = xc_output(e->result, e->item, &size);

	return text && size == strlen(e->text) && memcmp(text, e->text, size) == 0;
}

/* ---- Of each item ----------------------------------------------------------------- */

static int print_around_gate(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	printf("before\n");
	fprintf(stderr, "and\n");
	task_announce(task);
	task_wait_at_gate();
	printf("behind, without an end");
	return 0;
}

START_TEST(stdout_while_running_and_after)
{
	struct xc_result *result = begin(print_around_gate, 2, NULL);
	struct expected expected = { result, 1, "before\nand\n" };

	stage_news();
	stage_news();
	ck_assert(wait_until(has_printed, &expected, LIMIT));
	expected.item = 0;
	ck_assert(wait_until(has_printed, &expected, LIMIT));
	ck_assert(!xc_is_ready(result));
	ck_assert_int_eq(xc_output_next(result, -1), 0);
	stage_release();
	assert_ok(xc_wait(result, LIMIT, &err), err);
	assert_output(result, 0, "before\nand\nbehind, without an end");
	assert_output(result, 1, "before\nand\nbehind, without an end");
	ck_assert_ptr_null(xc_output(result, 2, NULL));
	ck_assert_ptr_null(xc_output(result, -1, NULL));
	ck_assert_int_eq(xc_output_next(result, 1), -1);
	xc_result_destroy(result);
}
END_TEST

#define EVERY 500

static int print_by_number(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;
	char text[100];
	ssize_t n;

	*(int64_t *)out = i;
	if (i % EVERY != 7)
		return 0;
	snprintf(text, sizeof text, "this is %lld\n", (long long)xc_task_index(task));
	switch (i / EVERY % 5) {
	case 0:
		return printf("%s", text) > 0 ? 0 : 1;
	case 1:
		n = write(STDOUT_FILENO, text, strlen(text));
		return n > 0 ? 0 : 2;
	case 2:
		return fputs(text, stderr) >= 0 ? 0 : 3;
	case 3:
		snprintf(text, sizeof text, "echo this is %lld", (long long)i);
		return system(text);
	default: /* it has no end of line, and stdio holds it back */
		printf("this is");
		return printf(" %lld", (long long)i) > 0 ? 0 : 4;
	}
}

/* Short items, many of them in one claim. */
START_TEST(output_of_each_item_is_its_own)
{
	enum { N = 20000 };
	static int64_t out[N];
	struct xc_map_options options = { .chunk = _i };
	struct xc_result *result = xc_map_range_async(xc_balanced(client), print_by_number, N, out,
						      sizeof *out, &options, &err);
	int64_t last = -1, n = 0;
	char expected[100];

	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int64_t i; (i = xc_output_next(result, last)) >= 0; last = i, n++) {
		ck_assert_int_eq(i, n * EVERY + 7);
		snprintf(expected, sizeof expected, "this is %lld%s", (long long)i,
			 i / EVERY % 5 == 4 ? "" : "\n");
		assert_output(result, i, expected);
		ck_assert_ptr_null(xc_output(result, i + 1, NULL));
	}
	ck_assert_int_eq(n, N / EVERY);
	for (int64_t i = 0; i < N; i++)
		ck_assert_int_eq(out[i], i);
	xc_result_destroy(result);
}
END_TEST

static int print_always(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)out;
	printf("%lld\n", (long long)*(const int64_t *)in);
	return *(const int64_t *)in % 3 == 0 ? 5 : 0;
}

/* Every item prints, and some fail, too. */
START_TEST(all_items_print)
{
	enum { N = 30000 };
	struct xc_result *result = begin(print_always, N, NULL);
	char expected[100];

	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	ck_assert_int_eq(xc_result_progress(result).failed, N / 3);
	for (int64_t i = 0; i < N; i++) {
		snprintf(expected, sizeof expected, "%lld\n", (long long)i);
		assert_output(result, i, expected);
	}
	xc_result_destroy(result);
}
END_TEST

/* Ends as its number says. */
static int print_and_end(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	(void)out;
	printf("item %lld, attempt %d\n", (long long)i, xc_task_attempt(task));
	switch (i) {
	case 0:
		signal(SIGSEGV, SIG_DFL); /* not for a sanitizer to speak of */
		raise(SIGSEGV);
		return 0;
	case 1:
		printf("no end");
		exit(3);
	case 2:
		fflush(stdout);
		_exit(4);
	case 3:
		task_sleep(LIMIT);
		return 0;
	default:
		return xc_task_fail(task, "failed");
	}
}

START_TEST(output_of_a_crash)
{
	enum { N = 5 };
	struct xc_map_options options = { .time_limit = 0.3, .chunk = _i };
	struct xc_result *result = begin(print_and_end, N, &options);
	enum xc_state states[N];

	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	collect_states(result, N, states);
	ck_assert_int_eq(states[0], XC_CRASHED);
	ck_assert_int_eq(states[3], XC_TIMED_OUT);
	assert_output(result, 0, "item 0, attempt 1\n");
	assert_output(result, 1, "item 1, attempt 1\nno end");
	assert_output(result, 2, "item 2, attempt 1\n");
	assert_output(result, 3, "item 3, attempt 1\n");
	assert_output(result, 4, "item 4, attempt 1\n");
	xc_result_destroy(result);
}
END_TEST

static int print_until_third(struct xc_task *task, const void *in, void *out)
{
	int64_t i = *(const int64_t *)in;

	(void)out;
	printf("attempt %d\n", xc_task_attempt(task));
	if (xc_task_attempt(task) == 3)
		return 0;
	if (i == 1)
		abort();
	return 1;
}

START_TEST(output_of_retries)
{
	struct xc_map_options options = { .max_attempts = 3 };
	struct xc_result *result = begin(print_until_third, 2, &options);

	assert_ok(xc_wait(result, LIMIT, &err), err);
	assert_output(result, 0, "attempt 1\nattempt 2\nattempt 3\n");
	assert_output(result, 1, "attempt 1\nattempt 2\nattempt 3\n");
	xc_result_destroy(result);
}
END_TEST

static int print_input(struct xc_task *task, const void *in, void *out)
{
	int i = *(const int *)in;

	(void)task;
	(void)out;
	if (i % 3 == 0)
		printf("member %d\n", i);
	return i % 5 == 4 ? 1 : 0;
}

START_TEST(output_of_batch_members)
{
	enum { N = 3000 };
	static struct xc_result *results[N];
	char expected[100];

	for (int i = 0; i < N; i++) {
		results[i] = xc_apply_async(xc_balanced(client), print_input, &i, sizeof i, NULL, 0,
					    NULL, &err);
		ck_assert_msg(results[i] != NULL, "%s", err.text);
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(xc_wait(results[i], LIMIT, &err), i % 5 == 4 ? XC_EFAILED : 0);
		if (i % 3 == 0) {
			snprintf(expected, sizeof expected, "member %d\n", i);
			assert_output(results[i], 0, expected);
		} else {
			ck_assert_ptr_null(xc_output(results[i], 0, NULL));
		}
		xc_result_destroy(results[i]);
	}
}
END_TEST

/* A program in C++, whose std::cout is a copy of the library's. */
START_TEST(output_of_streams)
{
	static struct output output;
	const char *compiler = getenv("XC_TEST_CXX"), *lib = getenv("XC_TEST_LIBDIR");
	char command[4096], expected[100];

	if (!compiler || !compiler[0])
		return;
	snprintf(command, sizeof command,
		 "%s -std=c++17 -fPIE -pie -Wl,--build-id %s -I'%s' '%s/programs/streams.cpp' "
		 "-o '%s' -L'%s' -Wl,-rpath,'%s' -lxcluster",
		 compiler, getenv("XC_TEST_CFLAGS"), getenv("XC_TEST_INCLUDE"),
		 getenv("XC_TEST_SOURCES"), test_path("streams"), lib, lib);
	RUN(&output, "sh", "-c", command);
	ck_assert_msg(output.status == 0, "%s: %s", command, output.err);
	RUN(&output, test_path("streams"));
	ck_assert_msg(output.status == 0, "%s", output.err);
	for (int i = 0; i < 3; i++) {
		snprintf(expected, sizeof expected, ", item %d] cout %d\n", i, i);
		ck_assert_msg(strstr(output.err, expected) != NULL, "%s", output.err);
		snprintf(expected, sizeof expected, ", item %d] cerr 1.5\n", i);
		ck_assert_msg(strstr(output.err, expected) != NULL, "%s", output.err);
		snprintf(expected, sizeof expected, ", item %d] clog\n", i);
		ck_assert_msg(strstr(output.err, expected) != NULL, "%s", output.err);
		snprintf(expected, sizeof expected, ", item %d] held back\n", i);
		ck_assert_msg(strstr(output.err, expected) != NULL, "%s", output.err);
	}
}
END_TEST

static int say_nothing(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	*(int64_t *)out = *(const int64_t *)in;
	return 0;
}

static off_t log_size(int engine)
{
	struct stat st;

	return stat(cluster_path("default/engine-%d.log", engine), &st) < 0 ? -1 : st.st_size;
}

static int print_once(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	printf("on all engines\n");
	return 0;
}

static bool is_logged(void *arg)
{
	bool all = true;

	(void)arg;
	for (int i = 0; i < ENGINES; i++) {
		char *log = read_file(cluster_path("default/engine-%d.log", i));

		all = all && log && strstr(log, "on all engines\n");
		free(log);
	}
	return all;
}

START_TEST(nothing_printed_sends_nothing)
{
	enum { N = 100000 };
	static int64_t out[N];
	struct xc_result *result;
	off_t before[ENGINES];

	/* What was printed before is in the logs when this is. */
	assert_ok(xc_apply(xc_all(client), print_once, NULL, 0, NULL, 0, NULL, &err), err);
	ck_assert(wait_until(is_logged, NULL, LIMIT));
	for (int i = 0; i < ENGINES; i++)
		before[i] = log_size(i);
	result = xc_map_range_async(xc_balanced(client), say_nothing, N, out, sizeof *out, NULL,
				    &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(xc_output_next(result, -1), -1);
	ck_assert_ptr_null(xc_output(result, 0, NULL));
	for (int i = 0; i < ENGINES; i++)
		ck_assert_int_eq(log_size(i), before[i]);
	xc_result_destroy(result);
}
END_TEST

/* ---- Much of it ------------------------------------------------------------------- */

static bool is_utf8(const char *text, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0; i < size;) {
		size_t n = p[i] < 0x80	 ? 1
			   : p[i] < 0xc0 ? 0
			   : p[i] < 0xe0 ? 2
			   : p[i] < 0xf0 ? 3
					 : 4;

		if (n == 0 || i + n > size)
			return false;
		for (size_t k = 1; k < n; k++)
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
		i += n;
	}
	return true;
}

/* Characters of 1, 2, 3 and 4 bytes, so that any cut falls into one. */
static int print_characters(struct xc_task *task, const void *in, void *out)
{
	int64_t shift = *(const int64_t *)in;

	(void)task;
	(void)out;
	for (int64_t i = 0; i < shift; i++)
		putchar('x');
	for (int i = 0; i < 300000; i++)
		printf("\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8d");
	printf("\n");
	return 0;
}

START_TEST(output_utf8)
{
	struct xc_result *result = begin(print_characters, 9, NULL);

	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int64_t i = 0; i < 9; i++) {
		size_t size;
		const char *text = xc_output(result, i, &size);

		ck_assert_ptr_nonnull(text);
		ck_assert_ptr_nonnull(strstr(text, " bytes cut ...]\n"));
		ck_assert_msg(is_utf8(text, size), "item %lld", (long long)i);
	}
	xc_result_destroy(result);
}
END_TEST

#define LINE_BYTES 100

/* 100 bytes a line, numbered. */
static int print_lines(struct xc_task *task, const void *in, void *out)
{
	int64_t lines =
		(int64_t)xc_task_in_size(task) == sizeof(int64_t) ? *(const int64_t *)in : 0;

	(void)out;
	for (int64_t i = 0; i < lines; i++)
		printf("%08lld%*s\n", (long long)i, LINE_BYTES - 9, "");
	return 0;
}

/* Most memory that a process has had, in KiB. */
static long peak(pid_t pid)
{
	char path[64], *text, *at;
	long kib = -1;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	text = read_file(path);
	if (text && (at = strstr(text, "VmHWM:")))
		kib = strtol(at + 6, NULL, 10);
	free(text);
	return kib;
}

START_TEST(output_100_mb_is_cut)
{
	static int64_t lines[3] = { 1000000, 0, 1 };
	pid_t controller = controller_pid();
	pid_t agent = lock_holder(cluster_path("default/agent-0.lock"));
	long before[3] = { peak(controller), peak(agent), peak(getpid()) };
	struct xc_result *result;
	size_t size;
	const char *text, *cut;

	result = xc_map_async(xc_balanced(client), print_lines, lines, sizeof lines[0], 3, NULL, 0,
			      NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	text = xc_output(result, 0, &size);
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_lt(size, MIB + 200);
	ck_assert_uint_gt(size, MIB - 200);
	ck_assert_mem_eq(text, "00000000 ", 9);
	ck_assert_mem_eq(text + size - LINE_BYTES, "00999999 ", 9);
	cut = strstr(text, "[... ");
	ck_assert_ptr_nonnull(cut);
	ck_assert_ptr_nonnull(strstr(cut, "98951424 bytes cut ...]\n"));
	ck_assert_ptr_null(xc_output(result, 1, NULL));
	xc_output(result, 2, &size);
	ck_assert_uint_eq(size, LINE_BYTES);
	ck_assert_int_lt(peak(controller) - before[0], 32 * 1024);
	ck_assert_int_lt(peak(agent) - before[1], 32 * 1024);
	ck_assert_int_lt(peak(getpid()) - before[2], 32 * 1024);
	for (int i = 0; i < ENGINES; i++)
		ck_assert_int_lt(log_size(i), 80 << 20);
	xc_result_destroy(result);
}
END_TEST

/* Many items with much output: the job has a limit, too. */
START_TEST(output_of_a_job_is_limited)
{
	enum { N = 60 };
	int64_t lines[N];
	size_t sum = 0, whole = 0;
	struct xc_result *result;

	for (int i = 0; i < N; i++)
		lines[i] = 8000;
	result = xc_map_async(xc_balanced(client), print_lines, lines, sizeof lines[0], N, NULL, 0,
			      NULL, &err);
	ck_assert_msg(result != NULL, "%s", err.text);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	for (int64_t i = 0; i < N; i++) {
		size_t size;

		ck_assert_ptr_nonnull(xc_output(result, i, &size));
		ck_assert(size == 8000 * LINE_BYTES || size < 100);
		whole += size == 8000 * LINE_BYTES;
		sum += size;
	}
	ck_assert_uint_eq(whole, 16 * MIB / (8000 * LINE_BYTES));
	ck_assert_uint_lt(sum, 17 * MIB);
	xc_result_destroy(result);
}
END_TEST

#define APPEND (-1)

static int move_output(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)out;
	if (*(const int *)in == APPEND)
		return fcntl(STDOUT_FILENO, F_SETFL, O_APPEND) < 0;
	return lseek(STDOUT_FILENO, 0, *(const int *)in) < 0;
}

static int print_word(struct xc_task *task, const void *in, void *out)
{
	(void)task;
	(void)in;
	(void)out;
	printf("word\n");
	return 0;
}

static bool all_print(void *arg)
{
	struct xc_result *result =
		xc_apply_async(xc_all(client), print_word, NULL, 0, NULL, 0, NULL, &err);
	bool all = result && xc_wait(result, LIMIT, &err) == 0;

	(void)arg;
	for (int i = 0; all && i < ENGINES; i++) {
		const char *text = xc_output(result, i, NULL);

		all = text && strcmp(text, "word\n") == 0;
	}
	xc_result_destroy(result);
	return all;
}

/* Other items' output is soon there again. */
START_TEST(output_after_a_task_has_moved_it)
{
	static const int ways[] = { SEEK_SET, SEEK_END, APPEND };

	ck_assert(all_print(NULL));
	assert_ok(xc_apply(xc_all(client), move_output, &ways[_i], sizeof ways[_i], NULL, 0, NULL,
			   &err),
		  err);
	ck_assert(wait_until(all_print, NULL, LIMIT));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("output");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "output"),
	      *stop = shared_case(suite, "stop");

	add_cluster_start(start, ENGINES);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_test(tests, stdout_while_running_and_after);
	tcase_add_loop_test(tests, output_of_each_item_is_its_own, 0, 2);
	tcase_add_test(tests, all_items_print);
	tcase_add_loop_test(tests, output_of_a_crash, 0, 2);
	tcase_add_test(tests, output_of_retries);
	tcase_add_test(tests, output_of_batch_members);
	tcase_add_test(tests, output_of_streams);
	tcase_add_test(tests, nothing_printed_sends_nothing);
	tcase_add_test(tests, output_utf8);
	tcase_add_test(tests, output_100_mb_is_cut);
	tcase_add_test(tests, output_of_a_job_is_limited);
	tcase_add_loop_test(tests, output_after_a_task_has_moved_it, 0, 3);
	add_cluster_stop(stop);
	return run_tests(suite);
}
