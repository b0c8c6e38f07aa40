/* blas.c: how the library of linear algebra gets to engines, what they do with it, and where
 * it refuses; the command. blas_numbers.c has what it computes. */
#include "tests/integration/blas_matrices.h"

#include <signal.h>
#include <unistd.h>

static void connect_client(void)
{
	client = open_client(ENGINES);
}

static void close_client(void)
{
	xc_close(client);
}

START_TEST(naming_a_task_brings_its_library)
{
	struct xc_map_options how = { .function = "xc_blas_cholesky",
				      .library = "libxcluster-blas.so" };
	struct xc_blas_args args[3] = { { .n = 20 }, { .n = 30 }, { .n = 40 } };
	struct xc_blas_report reports[3];
	struct xc_result *result;

	assert_ok(xc_map(xc_balanced(client), NULL, args, sizeof *args, 3, reports, sizeof *reports,
			 &how, &err),
		  err);
	ck_assert_int_eq(reports[2].n, 40);
	how.library = NULL;
	result = xc_apply_async(xc_balanced(client), NULL, args, sizeof *args, reports,
				sizeof *reports, &how, &err);
	assert_ok(xc_wait(result, LIMIT, &err), err);
	ck_assert_int_eq(reports[0].n, 20);
	xc_result_destroy(result);
	how.function = "xc_blas_nothing";
	assert_error(xc_apply(xc_all(client), NULL, NULL, 0, NULL, 0, &how, &err), XC_ECODE, &err,
		     "libxcluster-blas.so");
	how = (struct xc_map_options){ .function = "blas", .library = "libxcluster-blas.so" };
	assert_error(xc_apply(xc_all(client), NULL, NULL, 0, NULL, 0, &how, &err), XC_ECODE, &err,
		     "exports no function blas");
}
END_TEST

START_TEST(what_a_task_keeps_is_on_each_engine)
{
	struct matrix x = normals(5, 8, 8), l;

	done("xc_blas_cholesky", (struct xc_blas_args){ .n = 8, .seed = 5, .out = "L" });
	l = pull("L");
	assert_same(product(l, turned(l)), product(turned(x), x));
	done("xc_blas_crossprod", (struct xc_blas_args){ .a = "L", .out = "C" });
	assert_same(pull("C"), product(turned(l), l));
}
END_TEST

/* OMP_NUM_THREADS and its like are 2 here. */
START_TEST(threads_are_those_asked_for_and_only_then)
{
	struct xc_blas_args args = { .n = 300 };
	struct xc_blas_report report;

	report = done("xc_blas_gemm", args);
	ck_assert_int_eq(report.threads, 2);
	args.threads = 1;
	report = done("xc_blas_gemm", args);
	ck_assert_int_eq(report.threads, 1);
	ck_assert(report.cpu_seconds <= report.seconds * 1.1 + 0.05);
	args.threads = 3;
	report = done("xc_blas_gemm", args);
	ck_assert_int_eq(report.threads, 3);
	args.threads = 0;
	report = done("xc_blas_gemm", args);
	ck_assert_int_eq(report.threads, 2);
}
END_TEST

/* Two threads of which one has the work of many: whether both have computed shows whatever
 * else this machine does. */
START_TEST(threads_that_compute_are_counted)
{
	struct xc_blas_report one, two;
	const struct xc_view *first;
	struct xc_blas_args args = { .n = 900, .threads = 1 };
	struct xc_map_options how = { .function = "xc_blas_gemm" };

	assert_ok(xc_view_at(xc_all(client), 0, &first, &err), err);
	assert_ok(xc_apply(first, NULL, &args, sizeof args, &one, sizeof one, &how, &err), err);
	args.threads = 2;
	assert_ok(xc_apply(first, NULL, &args, sizeof args, &two, sizeof two, &how, &err), err);
	ck_assert_int_eq(one.threads_used, 1);
	ck_assert_int_eq(two.threads_used, 2);
	ck_assert(one.gflops > 0 && two.gflops > 0);
	ck_assert(two.cpu_seconds > 0);
	ck_assert(fabs(two.gflops * two.seconds - 2 * 0.9 * 0.9 * 0.9) < 1e-9);
}
END_TEST

START_TEST(gflops_are_of_the_operations_that_the_manual_counts)
{
	static const struct {
		const char *task;
		double operations; /* of m = 80, n = 70, k = 5 */
	} rows[] = {
		{ "xc_blas_normal", 0 },
		{ "xc_blas_crossprod", 80.0 * 70 * 71 },
		{ "xc_blas_gemm", 2.0 * 80 * 70 * 5 },
		{ "xc_blas_cholesky", 343000.0 / 3 + 4900.0 / 2 + 70.0 / 6 },
		{ "xc_blas_solve", 2 * 343000.0 / 3 + 2.0 * 4900 * 5 },
		{ "xc_blas_lstsq", 2.0 * 4900 * (80 - 70.0 / 3) },
		{ "xc_blas_svd", 6.0 * 80 * 4900 + 20.0 * 343000 },
	};
	struct xc_blas_args args = { .m = 80, .n = 70, .k = 5 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct xc_blas_report report = done(rows[i].task, args);

		ck_assert_msg(fabs(report.gflops * report.seconds * 1e9 - rows[i].operations) <
				      1e-6 * rows[i].operations + 1e-9,
			      "%s: %.17g", rows[i].task, report.gflops * report.seconds * 1e9);
	}
}
END_TEST

START_TEST(an_engine_that_is_started_again_can_do_it_too)
{
	int pid, id = 1;
	struct xc_engine_info info;
	struct xc_blas_args args = { .n = 10 };
	struct xc_blas_report reports[ENGINES];

	done("xc_blas_gemm", args);
	assert_ok(xc_engine_info(client, id, &info, &err), err);
	pid = info.pid;
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert(process_ends(pid, LIMIT));
	assert_ok(xc_wait_for_engines(client, ENGINES, LIMIT, &err), err);
	assert_ok(run("xc_blas_gemm", &args, reports), err);
	ck_assert_int_eq(reports[1].engine, id);
}
END_TEST

/* ---- Where it is not --------------------------------------------------------------------- */

/* XCLUSTER_BLAS, and what a task says then. */
static void fails_with(const char *library, int code, const char *part)
{
	struct xc_blas_args args = { .n = 10 };
	struct xc_blas_report reports[ENGINES];

	setenv("XCLUSTER_BLAS", library, 1);
	assert_error(run("xc_blas_cholesky", &args, reports), code, &err, part);
	unsetenv("XCLUSTER_BLAS");
}

START_TEST(a_host_without_openblas_names_the_package)
{
	char flags[2048];

	compile("libopenblas.so.99", "needed.c",
		"-shared -fPIC -DVERSION=5 -Wl,-soname,libopenblas.so.99");
	snprintf(flags, sizeof flags,
		 "-shared -fPIC -DNEEDS -DVERSION=5 "
		 "-Dversion=xc_blas_cholesky '%s'",
		 test_path("libopenblas.so.99"));
	compile("libxcluster-blas.so", "tasks.c", flags);
	ck_assert_int_eq(unlink(test_path("libopenblas.so.99")), 0);
	fails_with(test_path("libxcluster-blas.so"), XC_ECODE,
		   "libopenblas.so.99 is missing on this host: libxcluster-blas.so needs it; "
		   "install it (package libopenblas0");
}
END_TEST

START_TEST(a_library_that_is_not_there_is_named)
{
	fails_with("/nowhere/libxcluster-blas.so", XC_ECODE,
		   "XCLUSTER_BLAS: cannot open library /nowhere/libxcluster-blas.so");
	fails_with("/etc/passwd", XC_ECODE, "/etc/passwd");
}
END_TEST

/* Matrices name their library, too. */
START_TEST(the_library_may_have_another_name)
{
	struct xc_matrix *matrices[2] = { NULL };
	char path[1000];

	snprintf(path, sizeof path, "%s/blas/libxcluster-blas.so", getenv("XC_TEST_LIBDIR"));
	ck_assert_int_eq(symlink(path, test_path("mine.so")), 0);
	setenv("XCLUSTER_BLAS", test_path("mine.so"), 1);
	done("xc_blas_gemm", (struct xc_blas_args){ .n = 10 });
	for (int i = 0; i < 2; i++)
		assert_ok(xc_matrix_new(&matrices[i], xc_all(client), 5, 5, NULL, &err), err);
	unsetenv("XCLUSTER_BLAS");
	for (int i = 0; i < 2; i++)
		xc_matrix_free(matrices[i]);
}
END_TEST

/* ---- The command -------------------------------------------------------------------------- */

START_TEST(the_command_runs_each_operation)
{
	static const char *const names[] = { "cholesky", "crossprod", "gemm", "lstsq",
					     "normal",	 "solve",     "svd" };
	json_t *root, *runs, *first;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		root = XCLUSTER_JSON("blas", names[i], "-n", "30", "--threads", "2", "--seed", "3",
				     "--json");
		runs = json_object_get(root, "runs");
		ck_assert_uint_eq(json_array_size(runs), 1);
		first = json_array_get(runs, 0);
		ck_assert_str_eq(json_string_value(json_object_get(first, "operation")), names[i]);
		ck_assert_int_eq(json_integer_value(json_object_get(first, "threads")), 2);
		ck_assert_int_eq(json_integer_value(json_object_get(first, "engine")), 0);
		ck_assert(json_number_value(json_object_get(first, "residual")) < 1e-14);
		ck_assert_ptr_nonnull(
			strstr(json_string_value(json_object_get(root, "library")), "OpenBLAS"));
		json_decref(root);
	}
}
END_TEST

START_TEST(the_command_runs_on_several_engines_several_times)
{
	static struct output output;
	json_t *root = XCLUSTER_JSON("blas", "gemm", "-n", "20", "-m", "10", "-k", "5", "--all",
				     "--repeat", "3", "--json");
	json_t *runs = json_object_get(root, "runs"), *last = json_array_get(runs, 5);

	ck_assert_uint_eq(json_array_size(runs), 6);
	ck_assert_int_eq(json_integer_value(json_object_get(last, "engine")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(last, "run")), 2);
	ck_assert_str_eq(json_string_value(json_object_get(last, "size")), "10 x 5 x 20");
	json_decref(root);
	XCLUSTER(&output, "blas", "lstsq", "-n", "20", "-m", "30", "--engines", "1");
	ck_assert_msg(output.status == 0, "%s", output.err);
	ck_assert_ptr_nonnull(strstr(output.out, "RESIDUAL"));
	ck_assert_ptr_nonnull(strstr(output.out, "30 x 20, 1"));
	ck_assert_ptr_nonnull(strstr(output.out, "OpenBLAS"));
	XCLUSTER(&output, "blas", "gemm", "--engines", "7");
	ck_assert_int_eq(output.status, 1);
	ck_assert_ptr_nonnull(strstr(output.err, "engine 7"));
	XCLUSTER(&output, "blas", "normal", "-n", "1000000", "-m", "1000000");
	ck_assert_int_eq(output.status, 1);
	ck_assert_ptr_nonnull(strstr(output.err, "no memory"));
}
END_TEST

START_TEST(start_with_two_threads)
{
	static struct output output;

	XCLUSTER(&output, "start", "-n", "2", "--threads-per-engine", "2");
	ck_assert_msg(output.status == 0, "%s", output.err);
}
END_TEST

/* The last one: there are more engines than the others know of, then. */
START_TEST(engines_that_join_later_can_do_it_too)
{
	static struct output output;
	struct xc_blas_args args = { .n = 10 };
	struct xc_map_options how = { .function = "xc_blas_gemm" };
	struct xc_blas_report report;
	const struct xc_view *late;

	done("xc_blas_gemm", args);
	XCLUSTER(&output, "engines", "-n", "1");
	ck_assert_msg(output.status == 0, "%s", output.err);
	assert_ok(xc_wait_for_engines(client, ENGINES + 1, LIMIT, &err), err);
	assert_ok(xc_view_at(xc_all(client), -1, &late, &err), err);
	assert_ok(xc_apply(late, NULL, &args, sizeof args, &report, sizeof report, &how, &err),
		  err);
	ck_assert_int_eq(report.engine, ENGINES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blas");
	TCase *start = shared_case(suite, "start"), *tests = shared_case(suite, "blas"),
	      *stop = shared_case(suite, "stop");

	tcase_add_test(start, start_with_two_threads);
	tcase_add_checked_fixture(tests, connect_client, close_client);
	tcase_add_test(tests, naming_a_task_brings_its_library);
	tcase_add_test(tests, what_a_task_keeps_is_on_each_engine);
	tcase_add_test(tests, threads_are_those_asked_for_and_only_then);
	tcase_add_test(tests, threads_that_compute_are_counted);
	tcase_add_test(tests, gflops_are_of_the_operations_that_the_manual_counts);
	tcase_add_test(tests, an_engine_that_is_started_again_can_do_it_too);
	tcase_add_test(tests, a_host_without_openblas_names_the_package);
	tcase_add_test(tests, a_library_that_is_not_there_is_named);
	tcase_add_test(tests, the_library_may_have_another_name);
	tcase_add_test(tests, the_command_runs_each_operation);
	tcase_add_test(tests, the_command_runs_on_several_engines_several_times);
	tcase_add_test(tests, engines_that_join_later_can_do_it_too);
	add_cluster_stop(stop);
	return run_tests(suite);
}
