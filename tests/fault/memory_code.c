/* memory_code.c: output of items, libraries and sources, without memory. */
#include "tests/fault/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/fault/fault.h"
#include "tests/support/support.h"

/* ---- Output --------------------------------------------------------------------------- */

static int print_number(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	printf("item %lld\n", (long long)xc_task_index(task));
	return 0;
}

static void check_output(struct xc_result *result, int64_t item, const char *expected)
{
	size_t size = 0;
	const char *text = xc_output(result, item, &size);

	ck_assert_msg(text && size == strlen(expected) && strcmp(text, expected) == 0,
		      "item %d printed \"%s\", not \"%s\"", (int)item, text ? text : "(nothing)",
		      expected);
}

static int output(struct xc_error *err)
{
	struct xc_result *result = FAULTY(
		xc_map_range_async(xc_balanced(client), print_number, ITEMS, NULL, 0, NULL, err));
	char expected[40];
	int r;

	if (!result)
		return err->code;
	r = wait_patiently(result, err);
	for (int i = 0; r == 0 && i < ITEMS; i++) {
		snprintf(expected, sizeof expected, "item %d\n", i);
		check_output(result, i, expected);
	}
	xc_result_destroy(result);
	return r;
}

/* Those of xc_apply, each with its own. */
static int output_of_many(struct xc_error *err)
{
	struct xc_result *results[ITEMS] = { NULL };

	for (int i = 0; i < ITEMS; i++) {
		results[i] = xc_apply_async(xc_balanced(client), print_number, NULL, 0, NULL, 0,
					    NULL, err);
		ck_assert_ptr_nonnull(results[i]);
	}
	for (int i = 0; i < ITEMS; i++) {
		ck_assert_int_eq(wait_patiently(results[i], err), 0);
		check_output(results[i], 0, "item 0\n");
		xc_result_destroy(results[i]);
	}
	return 0;
}

static int print_and_nap(struct xc_task *task, const void *in, void *out)
{
	int r;

	printf("before\n");
	r = nap(task, in, out);
	printf("after\n");
	return r;
}

static const char *look(struct xc_result *result, size_t *size)
{
	/* What memory was missing for comes when there is some. */
	return fault_hit() ? xc_output(result, 0, size) : FAULTY(xc_output(result, 0, size));
}

/* Of an item that runs. */
static int live_output(struct xc_error *err)
{
	struct xc_result *result =
		xc_map_range_async(xc_balanced(client), print_and_nap, 1, NULL, 0, NULL, err);
	const char *text = NULL;
	size_t size = 0;

	ck_assert_ptr_nonnull(result);
	for (double start = now(); !text && now() < start + LIMIT; task_sleep(0.005))
		text = look(result, &size);
	ck_assert(text && size == 7 && strcmp(text, "before\n") == 0);
	ck_assert_int_eq(xc_cancel(result, XC_CANCEL_QUEUED, NULL), 0);
	ck_assert_int_eq(wait_patiently(result, err), 0);
	check_output(result, 0, "before\nafter\n");
	xc_result_destroy(result);
	return 0;
}

/* ---- Libraries -------------------------------------------------------------------------- */

static int answer(const struct xc_view *view, const struct xc_map_options *options,
		  struct xc_error *err)
{
	int64_t out[ENGINES] = { 0 };
	int r = FAULTY(xc_apply(view, NULL, NULL, 0, out, sizeof out[0], options, err));

	ck_assert(r < 0 || out[0] == 42);
	return r;
}

static void check_answer(struct xc_client *own, const struct xc_map_options *options)
{
	struct xc_error err = XC_ERROR_INIT;
	int64_t out = 0;

	assert_ok(xc_apply(xc_balanced(own), NULL, NULL, 0, &out, sizeof out, options, &err), err);
	ck_assert_int_eq(out, 42);
}

static int lookup(struct xc_error *err)
{
	const struct xc_map_options any = { .function = "fault_answer" };
	const struct xc_map_options named = { .function = "fault_answer",
					      .library = "faulttasks.so" };
	struct xc_client *own = open_client(ENGINES);
	int r;

	assert_ok(xc_load(xc_all(own), XC_TEST_LIBRARY, err), *err);
	r = answer(xc_balanced(own), &any, err);
	if (r == 0)
		r = answer(xc_balanced(own), &named, err);
	check_answer(own, &named);
	xc_close(own);
	return r;
}

/* Its library is brought by the call. */
static int lookup_blas(struct xc_error *err)
{
	const struct xc_map_options options = { .function = "xc_blas_fault" };
	struct xc_client *own = open_client(ENGINES);
	int r;

	setenv("XCLUSTER_BLAS", XC_TEST_LIBRARY, 1);
	r = answer(xc_balanced(own), &options, err);
	check_answer(own, &options);
	unsetenv("XCLUSTER_BLAS");
	xc_close(own);
	return r;
}

static int multivariate(struct xc_error *err)
{
	static const double mean[2] = { 0 }, cov[4] = { 2, 1, 1, 2 };
	struct xc_rng *rng;
	double out[2];
	int r = 0;

	ck_assert_int_eq(xc_rng_new(&rng, XC_PCG64, 1, NULL), 0);
	for (int how = XC_FACTOR_SVD; r == 0 && how <= XC_FACTOR_CHOLESKY; how++)
		r = FAULTY(xc_multivariate_normal(rng, mean, cov, 2, (enum xc_factor)how, out, 1,
						  err));
	xc_rng_free(rng);
	return r;
}

static int unload(struct xc_error *err)
{
	const struct xc_map_options options = { .function = "fault_answer" };
	struct xc_client *own = open_client(ENGINES);
	int r;

	assert_ok(xc_load(xc_all(own), XC_TEST_LIBRARY, err), *err);
	r = FAULTY(xc_unload(xc_all(own), XC_TEST_LIBRARY, err));
	if (r == 0)
		ck_assert_int_eq(xc_apply(xc_balanced(own), NULL, NULL, 0, NULL, 0, &options, NULL),
				 XC_ECODE);
	xc_close(own);
	return r;
}

/* ---- Sources ------------------------------------------------------------------------------ */

static int load_source(struct xc_error *err)
{
	static const char text[] = "#include <xcluster.h>\n#include <stdint.h>\n"
				   "XC_API int of_source(struct xc_task *, const void *, void *);\n"
				   "int of_source(struct xc_task *t, const void *in, void *out)\n"
				   "{ (void)t; (void)in; *(int64_t *)out = 42; return 0; }\n";
	const struct xc_map_options options = { .function = "of_source", .library = "answer.c" };
	struct xc_client *own = open_client(ENGINES);
	const char *path = test_path("answer.c");
	int r;

	write_file(path, text, sizeof text - 1);
	r = FAULTY(xc_load_source(xc_all(own), path, NULL, err));
	if (r == 0)
		r = answer(xc_balanced(own), &options, err);
	xc_close(own);
	return r;
}

static int execute(struct xc_error *err)
{
	return FAULTY(xc_execute(xc_all(client), "printf(\"there\\n\");", NULL, err));
}

static int execute_async(struct xc_error *err)
{
	struct xc_result *result =
		FAULTY(xc_execute_async(xc_balanced(client), "printf(\"there\\n\");", NULL, err));
	int r;

	if (!result)
		return err->code;
	r = wait_patiently(result, err);
	if (r == 0)
		check_output(result, 0, "there\n");
	xc_result_destroy(result);
	return r;
}

const struct scenario code_scenarios[] = {
	{ "output", output, 0 },
	{ "output of many xc_apply_async", output_of_many, 0 },
	{ "xc_output of an item that runs", live_output, 0 },
	{ "a function by name", lookup, 0 },
	{ "a function of linear algebra", lookup_blas, 0 },
	{ "xc_multivariate_normal", multivariate, -ENOENT },
	{ "xc_unload", unload, 0 },
	{ "xc_load_source", load_source, 0 },
	{ "xc_execute", execute, 0 },
	{ "xc_execute_async", execute_async, 0 },
};
const int code_scenario_count = sizeof code_scenarios / sizeof code_scenarios[0];
