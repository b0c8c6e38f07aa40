/* arguments.c: every public call with every wrong argument: the code, and a text that
 * names what is wrong. Each row is one line; a call of the library without a row
 * fails the test. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/arguments.h"
#include "tests/fault/rows.h"
#include "tests/support/support.h"

#define ENGINES 2

static struct xc_client *client;
static struct xc_error *const err = &row_error;
static double numbers[4];
static int64_t out[8];

int idle_task(struct xc_task *task, const void *in, void *result)
{
	(void)task;
	(void)in;
	(void)result;
	return 0;
}

static int next(void *argument, struct xc_bytes *item)
{
	(void)argument;
	(void)item;
	return 0;
}

static int next_without_data(void *argument, struct xc_bytes *item)
{
	(void)argument;
	item->size = 1;
	return 1;
}

static int give(void *argument, int64_t i, enum xc_state state, const void *data, size_t size)
{
	(void)argument;
	(void)i;
	(void)state;
	(void)data;
	(void)size;
	return 0;
}

/* ---- Texts, arrays, tasks ---------------------------------------------------------- */

static void try_simple_calls(void)
{
	struct xc_array wrong = { .dtype = XC_F64, .ndim = XC_MAX_DIMS + 1 };
	struct xc_array negative = { .dtype = XC_F64, .ndim = 1, .shape = { -1 } };
	struct xc_array huge = { .dtype = XC_F64, .ndim = 2, .shape = { INT64_MAX, 2 } };
	struct xc_array wide = { .dtype = XC_F64, .ndim = 1, .shape = { INT64_MAX } };
	struct xc_array strange = { .dtype = (enum xc_dtype)99, .ndim = 0 };

	ROW_TEXT(xc_strerror(123456), "");
	ROW_TEXT(xc_strerror(INT_MIN + 1), "");
	ROW_TEXT(xc_version(), XC_VERSION);
	ROW_TEXT(xc_state_name((enum xc_state)99), "unknown");
	ROW_VALUE(xc_array_count(NULL), -EINVAL);
	ROW_VALUE(xc_array_count(&wrong), -EINVAL);
	ROW_VALUE(xc_array_count(&negative), -EINVAL);
	ROW_VALUE(xc_array_count(&huge), -EINVAL);
	ROW_VALUE(xc_array_size(NULL), -EINVAL);
	ROW_VALUE(xc_array_size(&wide), -EINVAL);
	ROW_VALUE(xc_array_size(&strange), -EINVAL);
	ROW_TAKEN(xc_array_free(NULL));
}

static void try_task_calls(void)
{
	ROW_VALUE(xc_task_index(NULL), 0);
	ROW_VALUE(xc_task_in_size(NULL), 0);
	ROW_VALUE(xc_task_out_size(NULL), 0);
	ROW_VALUE(xc_task_engine(NULL), -1);
	ROW_VALUE(xc_task_attempt(NULL), 0);
	ROW_VALUE(xc_task_threads(NULL), 1);
	ROW_VALUE(xc_task_is_cancelled(NULL), 0);
	ROW_VALUE(xc_task_array(NULL, "x") == NULL, 1);
	ROW_VALUE(xc_task_rng(NULL) == NULL, 1);
	ROW_VALUE(xc_task_set(NULL, "x", XC_ARRAY_F64(numbers, 4)), -EINVAL);
	ROW_VALUE(xc_task_return(NULL, "x", 1), -EINVAL);
	ROW_VALUE(xc_task_fail(NULL, "%s", ""), XC_TASK_FAILED);
	ROW_VALUE(xc_task_fail_text(NULL, NULL), XC_TASK_FAILED);
	ROW_VALUE(xc_task_cleanup(NULL, free, NULL), -EINVAL);
}

/* ---- Client ------------------------------------------------------------------------ */

static void try_client(void)
{
	struct xc_client *other = NULL;
	struct xc_engine_info info;
	char *json = NULL;
	int ids[ENGINES];

	ROW(xc_open(NULL, NULL, err), -EINVAL, "client");
	ROW(xc_open(&other, "", err), -EINVAL, "cluster id");
	ROW(xc_open(&other, "no such id!", err), -EINVAL, "no such id!");
	ROW(xc_open(&other, "absent", err), XC_ENOCLUSTER, "absent");
	ROW(xc_open(&other, "/nonexistent/file", err), XC_ENOCLUSTER, "/nonexistent/file");
	ROW(xc_open(&other, "/proc/self/status", err), -EACCES, "/proc/self/status");
	ROW_VALUE(other == NULL, 1);
	ROW_TAKEN(xc_close(NULL));
	ROW(xc_wait_for_engines(NULL, 1, 0, err), -EINVAL, "client");
	ROW(xc_wait_for_engines(client, -1, 0, err), -EINVAL, "n is negative");
	ROW(xc_wait_for_engines(client, 1, NAN, err), -EINVAL, "timeout");
	ROW(xc_wait_for_engines(client, INT_MAX, 0, err), -ETIMEDOUT, "2 of 2147483647");
	ROW_VALUE(xc_engine_count(NULL), 0);
	ROW_VALUE(xc_engine_ids(NULL, ids, ENGINES), 0);
	ROW_VALUE(xc_engine_ids(client, NULL, ENGINES), ENGINES);
	ROW_VALUE(xc_engine_ids(client, ids, -1), ENGINES);
	ROW(xc_engine_info(NULL, 0, &info, err), -EINVAL, "client");
	ROW(xc_engine_info(client, 0, NULL, err), -EINVAL, "info");
	ROW(xc_engine_info(client, -1, &info, err), XC_ENOENGINE, "engine -1");
	ROW(xc_engine_info(client, INT_MAX, &info, err), XC_ENOENGINE, "engine 2147483647");
	ROW(xc_status_json(NULL, &json, err), -EINVAL, "client");
	ROW(xc_status_json(client, NULL, err), -EINVAL, "json");
	ROW(xc_shutdown(NULL, err), -EINVAL, "client");
	ROW_VALUE(xc_fd(NULL), -EINVAL);
	ROW(xc_process(NULL, err), -EINVAL, "client");
	ROW(xc_set_weight(NULL, 1, err), -EINVAL, "client");
	ROW(xc_set_weight(client, 0, err), -EINVAL, "weight");
	ROW(xc_set_weight(client, -1, err), -EINVAL, "weight");
	ROW(xc_set_weight(client, NAN, err), -EINVAL, "weight");
	ROW(xc_set_weight(client, 1e7, err), -EINVAL, "weight");
}

static void try_views(void)
{
	const struct xc_view *view = NULL;
	const int down[] = { 0, 999 }, negative[] = { -1 }, twice[] = { 1, 1 };

	ROW_VALUE(xc_all(NULL) == NULL, 1);
	ROW_VALUE(xc_balanced(NULL) == NULL, 1);
	ROW(xc_engines(NULL, down, 1, &view, err), -EINVAL, "client");
	ROW(xc_engines(client, down, 1, NULL, err), -EINVAL, "view");
	ROW(xc_engines(client, NULL, 1, &view, err), -EINVAL, "ids");
	ROW(xc_engines(client, down, 0, &view, err), -EINVAL, "at least one engine");
	ROW(xc_engines(client, down, -1, &view, err), -EINVAL, "at least one engine");
	ROW(xc_engines(client, down, 2, &view, err), XC_ENOENGINE, "engine 999");
	ROW(xc_engines(client, negative, 1, &view, err), XC_ENOENGINE, "engine -1");
	ROW(xc_engines(client, twice, 2, &view, err), -EINVAL, "engine 1 is twice");
	ROW(xc_balanced_over(NULL, down, 1, &view, err), -EINVAL, "client");
	ROW(xc_balanced_over(client, down, 1, NULL, err), -EINVAL, "view");
	ROW(xc_balanced_over(client, NULL, 1, &view, err), -EINVAL, "ids");
	ROW(xc_balanced_over(client, down, 2, &view, err), XC_ENOENGINE, "engine 999");
	ROW(xc_balanced_over(client, twice, 2, &view, err), -EINVAL, "engine 1 is twice");
	ROW_VALUE(xc_view_size(NULL), 0);
	ROW_VALUE(xc_view_ids(NULL, (int[1]){ 0 }, 1), 0);
	ROW_VALUE(xc_view_ids(xc_all(client), NULL, -1), ENGINES);
	ROW(xc_view_at(NULL, 0, &view, err), -EINVAL, "view");
	ROW(xc_view_at(xc_all(client), 0, NULL, err), -EINVAL, "one");
	ROW(xc_view_at(xc_balanced(client), 0, &view, err), -EINVAL, "load-balanced");
	ROW(xc_view_at(xc_all(client), 2, &view, err), XC_ENOENGINE, "index 2");
	ROW(xc_view_at(xc_all(client), INT_MIN, &view, err), XC_ENOENGINE, "index -2147483648");
	ROW(xc_view_slice(NULL, 0, 1, 1, &view, err), -EINVAL, "view");
	ROW(xc_view_slice(xc_all(client), 0, 1, 1, NULL, err), -EINVAL, "slice");
	ROW(xc_view_slice(xc_all(client), 0, 1, 0, &view, err), -EINVAL, "step");
	ROW(xc_view_slice(xc_balanced(client), 0, 1, 1, &view, err), -EINVAL, "load-balanced");
	ROW(xc_view_slice(xc_all(client), 5, 9, 1, &view, err), XC_ENOENGINE, "[5:9:1]");
	ROW_VALUE(view == NULL, 1);
}

/* ---- Map and apply ------------------------------------------------------------------ */

static void try_map(void)
{
	const struct xc_view *v = xc_balanced(client);
	const struct xc_map_options far = { .start = INT64_MAX, .step = 1 };
	const struct xc_bytes empty = { NULL, 5 };
	const struct xc_bytes huge = { numbers, SIZE_MAX / 2 };

	ROW(xc_map_range(NULL, idle_task, 1, NULL, 0, NULL, err), -EINVAL, "view");
	ROW(xc_map_range(v, NULL, 1, NULL, 0, NULL, err), -EINVAL, "fn");
	ROW(xc_map_range(v, idle_task, -1, NULL, 0, NULL, err), -EINVAL, "n must");
	ROW(xc_map_range(v, idle_task, INT64_MAX, NULL, 0, NULL, err), -EINVAL, "n must");
	ROW(xc_map_range(v, idle_task, 1, NULL, 8, NULL, err), -EINVAL, "out is NULL");
	ROW(xc_map_range(v, idle_task, 1, out, 0, NULL, err), -EINVAL, "out_size is 0");
	ROW(xc_map_range(v, idle_task, 1, out, SIZE_MAX, NULL, err), -EINVAL, "out_size");
	ROW(xc_map_range(v, idle_task, 2, out, 8, &far, err), -EINVAL, "start");
	ROW(xc_map(NULL, idle_task, numbers, 8, 1, NULL, 0, NULL, err), -EINVAL, "view");
	ROW(xc_map(v, NULL, numbers, 8, 1, NULL, 0, NULL, err), -EINVAL, "fn");
	ROW(xc_map(v, idle_task, NULL, 8, 1, NULL, 0, NULL, err), -EINVAL, "in is NULL");
	ROW(xc_map(v, idle_task, numbers, 0, 1, NULL, 0, NULL, err), -EINVAL, "in_size");
	ROW(xc_map(v, idle_task, numbers, SIZE_MAX, 2, NULL, 0, NULL, err), -EINVAL, "in_size");
	ROW(xc_map(v, idle_task, numbers, 8, INT64_C(1) << 50, NULL, 0, NULL, err), -EMSGSIZE,
	    "more than a job may have");
	ROW(xc_map_packed(NULL, idle_task, &empty, 1, NULL, 0, NULL, err), -EINVAL, "view");
	ROW(xc_map_packed(v, NULL, &empty, 0, NULL, 0, NULL, err), -EINVAL, "fn");
	ROW(xc_map_packed(v, idle_task, NULL, 1, NULL, 0, NULL, err), -EINVAL, "items");
	ROW(xc_map_packed(v, idle_task, &empty, 1, NULL, 0, NULL, err), -EINVAL, "item 0");
	ROW(xc_map_packed(v, idle_task, &huge, 1, NULL, 0, NULL, err), -EINVAL, "item 0");
	ROW(xc_apply(NULL, idle_task, NULL, 0, NULL, 0, NULL, err), -EINVAL, "view");
	ROW(xc_apply(v, NULL, NULL, 0, NULL, 0, NULL, err), -EINVAL, "fn");
	ROW(xc_apply(v, idle_task, NULL, 8, NULL, 0, NULL, err), -EINVAL, "in is NULL");
	ROW(xc_apply(v, idle_task, numbers, SIZE_MAX, NULL, 0, NULL, err), -EINVAL, "in_size");
	ROW(xc_apply(v, idle_task, NULL, 0, NULL, 8, NULL, err), -EINVAL, "out is NULL");
	ROW(xc_apply(v, idle_task, NULL, 0, out, 0, NULL, err), -EINVAL, "out_size is 0");
	ROW_NULL(xc_map_range_async(NULL, idle_task, 1, NULL, 0, NULL, err), -EINVAL, "view");
	ROW_NULL(xc_map_async(NULL, idle_task, numbers, 8, 1, NULL, 0, NULL, err), -EINVAL, "view");
	ROW_NULL(xc_map_packed_async(NULL, idle_task, &empty, 1, NULL, 0, NULL, err), -EINVAL,
		 "view");
	ROW_NULL(xc_apply_async(NULL, idle_task, NULL, 0, NULL, 0, NULL, err), -EINVAL, "view");
	/* Code of the C library, and no code at all. */
	ROW(xc_map_range(v, (xc_task_fn *)(void *)numbers, 1, NULL, 0, NULL, err), XC_ECODE,
	    "not to a function");
	ROW(xc_map_range(v, (xc_task_fn *)(uintptr_t)8, 1, NULL, 0, NULL, err), XC_ECODE,
	    "not a function");
}

static void try_options(void)
{
	const struct xc_view *v = xc_balanced(client);
	static char text[300];
	struct xc_seedseq *large = NULL;
	int r = xc_seedseq_new(&large, NULL, 0, NULL, 0, 65, err);
	const struct {
		struct xc_map_options options;
		const char *part;
	} wrong[] = {
		{ { .chunk = -1 }, "options.chunk" },
		{ { .max_attempts = -1 }, "options.max_attempts" },
		{ { .time_limit = -1 }, "options.time_limit" },
		{ { .time_limit = NAN }, "options.time_limit" },
		{ { .time_limit = INFINITY }, "options.time_limit" },
		{ { .on_failure = (enum xc_on_failure)7 }, "options.on_failure" },
		{ { .on_disconnect = (enum xc_on_disconnect)7 }, "options.on_disconnect" },
		{ { .label = text }, "options.label" },
		{ { .function = "" }, "options.function" },
		{ { .function = text }, "options.function" },
		{ { .library = "tasks.c" }, "options.library" },
		{ { .function = "f", .library = "" }, "options.library" },
		{ { .function = "f", .library = text }, "options.library" },
		{ { .function = "f", .library = "/tmp/tasks.c" }, "folder" },
		{ { .seed = 1, .bitgen = (enum xc_bitgen)7 }, "options.bitgen" },
		{ { .seed = 1, .streams = (enum xc_streams)7 }, "options.streams" },
		{ { .bitgen = XC_PHILOX }, "options.bitgen" },
		{ { .streams = XC_JUMPED }, "options.streams" },
		{ { .seed = 1, .seed_sequence = large }, "both options.seed" },
		{ { .seed_sequence = large }, "64 words" },
	};
	const struct xc_map_options named = { .function = "f", .library = "absent.so" };
	const struct xc_map_options function = { .function = "f" };
	const struct xc_map_options kept = { .on_disconnect = XC_DISCONNECT_KEEP };
	const struct xc_stream_options order = { .order = (enum xc_order)9 };
	const struct xc_stream_options window = { .window_items = -1 };
	const struct xc_stream_options size = { .out_size = SIZE_MAX };

	assert_ok(r, *err);
	memset(text, 'x', sizeof text - 1);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const struct xc_map_options *o = &wrong[i].options;

		ROW(xc_map_range(v, idle_task, 1, NULL, 0, o, err), -EINVAL, wrong[i].part);
		ROW(xc_map(v, idle_task, numbers, 8, 1, NULL, 0, o, err), -EINVAL, wrong[i].part);
		ROW(xc_apply(v, idle_task, NULL, 0, NULL, 0, o, err), -EINVAL, wrong[i].part);
		ROW(xc_apply(xc_all(client), idle_task, NULL, 0, NULL, 0, o, err), -EINVAL,
		    wrong[i].part);
		ROW(xc_map_stream(v, o->function ? NULL : idle_task, next, give, NULL, NULL, o,
				  err),
		    -EINVAL, wrong[i].part);
	}
	xc_seedseq_free(large);
	ROW(xc_map_range(v, idle_task, 1, NULL, 0, &function, err), -EINVAL, "both fn");
	ROW(xc_apply(v, idle_task, NULL, 0, NULL, 0, &function, err), -EINVAL, "both fn");
	ROW(xc_map_stream(v, idle_task, next, give, NULL, NULL, &function, err), -EINVAL,
	    "both fn");
	ROW(xc_map_range(v, NULL, 1, NULL, 0, &function, err), XC_ECODE, "\"f\"");
	ROW(xc_map_range(v, NULL, 1, NULL, 0, &named, err), XC_ECODE, "xc_load");
	ROW(xc_map_stream(v, idle_task, next, give, NULL, NULL, &kept, err), -EINVAL,
	    "options.on_disconnect");
	ROW(xc_map_stream(NULL, idle_task, next, give, NULL, NULL, NULL, err), -EINVAL, "view");
	ROW(xc_map_stream(v, idle_task, NULL, give, NULL, NULL, NULL, err), -EINVAL, "next");
	ROW(xc_map_stream(v, idle_task, next, NULL, NULL, NULL, NULL, err), -EINVAL, "give");
	ROW(xc_map_stream(v, NULL, next, give, NULL, NULL, NULL, err), -EINVAL, "fn");
	ROW(xc_map_stream(v, idle_task, next_without_data, give, NULL, NULL, NULL, err), -EINVAL,
	    "item 0");
	ROW(xc_map_stream(v, idle_task, next, give, NULL, &order, NULL, err), -EINVAL, "order");
	ROW(xc_map_stream(v, idle_task, next, give, NULL, &window, NULL, err), -EINVAL,
	    "window_items");
	ROW(xc_map_stream(v, idle_task, next, give, NULL, &size, NULL, err), -EINVAL, "out_size");
}

/* ---- Clusters -------------------------------------------------------------------------- */

static void try_cluster(void)
{
	struct xc_cluster *cluster = NULL;
	const struct xc_cluster_options threads = { .threads_per_engine = -1 };
	const struct xc_cluster_options many = { .threads_per_engine = INT_MAX };
	const struct xc_cluster_options timeout = { .engine_timeout = NAN };
	const struct xc_cluster_options negative = { .engine_timeout = -1 };
	const struct xc_cluster_options id = { .id = "../up" };
	const struct xc_cluster_options empty = { .id = "" };
	const struct xc_cluster_options taken = { .id = "default" };

	ROW(xc_cluster_start(NULL, 1, NULL, err), -EINVAL, "cluster");
	ROW(xc_cluster_start(&cluster, -1, NULL, err), -EINVAL, "-1 engines");
	ROW(xc_cluster_start(&cluster, INT_MAX, NULL, err), XC_ENOCLUSTER, "-n");
	ROW(xc_cluster_start(&cluster, 1, &threads, err), -EINVAL, "threads_per_engine");
	ROW(xc_cluster_start(&cluster, 1, &many, err), XC_ENOCLUSTER, "--threads-per-engine");
	ROW(xc_cluster_start(&cluster, 1, &timeout, err), -EINVAL, "engine_timeout");
	ROW(xc_cluster_start(&cluster, 1, &negative, err), -EINVAL, "engine_timeout");
	ROW(xc_cluster_start(&cluster, 1, &id, err), -EINVAL, "../up");
	ROW(xc_cluster_start(&cluster, 1, &empty, err), -EINVAL, "cluster id");
	ROW(xc_cluster_start(&cluster, 1, &taken, err), -EEXIST, "default");
	ROW_VALUE(cluster == NULL, 1);
	ROW_VALUE(xc_cluster_connection(NULL) == NULL, 1);
	ROW(xc_cluster_stop(NULL, err), 0, "");
}

/* After the controller has ended. */
static void try_lost(void)
{
	const struct xc_view *all = xc_all(client), *view = NULL;
	struct xc_engine_info info;
	char *json = NULL;
	int first = 0;

	assert_ok(xc_shutdown(client, err), *err);
	ROW(xc_engines(client, &first, 1, &view, err), XC_ELOST, "gone");
	ROW(xc_balanced_over(client, &first, 1, &view, err), XC_ELOST, "gone");
	ROW(xc_view_at(all, 0, &view, err), XC_ELOST, "gone");
	ROW(xc_view_slice(all, 0, 1, 1, &view, err), XC_ELOST, "gone");
	ROW(xc_map_range(xc_balanced(client), idle_task, 1, NULL, 0, NULL, err), XC_ELOST, "gone");
	ROW(xc_apply(xc_balanced(client), idle_task, NULL, 0, NULL, 0, NULL, err), XC_ELOST,
	    "gone");
	ROW(xc_status_json(client, &json, err), XC_ELOST, "gone");
	ROW(xc_engine_info(client, 0, &info, err), XC_ELOST, "gone");
	ROW(xc_process(client, err), XC_ELOST, "gone");
	ROW(xc_wait_for_engines(client, ENGINES + 1, -1, err), XC_ELOST, "gone");
	try_data_lost(client);
	try_jobs_lost(client);
	try_matrices_lost(client);
}

/* ---- All of them ------------------------------------------------------------------------- */

/* What the library exports, from its symbol table. */
static void check_that_all_have_rows(void)
{
	static struct output output;
	char *line, *rest = NULL;
	int count = 0;

	RUN(&output, "nm", "-D", "--defined-only", XC_TEST_LIBXCLUSTER);
	ck_assert_msg(output.status == 0, "nm: %s", output.err);
	for (line = strtok_r(output.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *name = strstr(line, " T ");

		if (!name)
			continue;
		name[3 + strcspn(name + 3, "@")] = '\0';
		count++;
		if (!row_exists(name + 3))
			row_fail("%s has no row: add its wrong arguments here", name + 3);
	}
	ck_assert_int_gt(count, 60);
}

START_TEST(every_call_with_every_wrong_argument)
{
	client = open_client(ENGINES);
	try_simple_calls();
	try_task_calls();
	try_client();
	try_views();
	try_map();
	try_options();
	try_data(client);
	try_jobs(client);
	try_matrices(client);
	try_random();
	try_distributions();
	try_reduce(client);
	try_blas(client);
	try_cluster();
	/* No harm is done. */
	row_error.code = 0;
	assert_ok(xc_map_range(xc_all(client), idle_task, 8, out, 8, NULL, err), *err);
	try_lost();
	xc_close(client);
	check_that_all_have_rows();
	rows_judge();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arguments");
	TCase *tests = shared_case(suite, "arguments");

	add_cluster_start(tests, ENGINES);
	tcase_add_test(tests, every_call_with_every_wrong_argument);
	return run_tests(suite);
}
