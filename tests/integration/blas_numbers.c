/* blas_numbers.c: what the tasks of linear algebra compute, against plain loops; without a
 * cluster. */
#include "tests/integration/blas_matrices.h"

static void open_inline(void)
{
	setenv("XCLUSTER", "inline:2", 1);
	assert_ok(xc_open(&client, NULL, &err), err);
}

static void close_inline(void)
{
	xc_close(client);
	unsetenv("XCLUSTER");
}

START_TEST(normals_are_those_of_the_seed)
{
	struct xc_blas_report report;

	report = done("xc_blas_normal", (struct xc_blas_args){ .n = 7, .seed = 11, .out = "N" });
	assert_same(pull("N"), normals(11, 7, 7));
	ck_assert_int_eq(report.m, 7);
	ck_assert(report.gflops == 0);
	done("xc_blas_normal", (struct xc_blas_args){ .m = 3, .n = 5, .out = "N" });
	assert_same(pull("N"), normals(0, 3, 5));
}
END_TEST

START_TEST(each_item_of_a_map_with_a_seed_may_have_a_matrix_of_its_own)
{
	struct xc_map_options how = { .function = "xc_blas_normal", .seed = 12 };
	struct xc_blas_args args = { .n = 4, .item_stream = true, .out = "N" };
	const struct xc_blas_args both[2] = { args, args };
	struct matrix expected = { 4, 4, { 0 } };
	struct xc_seedseq *seq, *second;
	struct xc_array arrays[2];
	struct xc_rng *rng;

	assert_ok(xc_map(xc_all(client), NULL, both, sizeof args, 2, NULL, 0, &how, &err), err);
	assert_ok(xc_pull(xc_all(client), "N", arrays, &err), err);
	assert_ok(xc_seedseq_of(&seq, 12, &err), err);
	assert_ok(xc_seedseq_child(seq, 1, &second, &err), err);
	assert_ok(xc_rng_from(&rng, XC_PCG64, second, &err), err);
	xc_standard_normal_fill(rng, expected.at, 16);
	ck_assert_mem_eq(arrays[1].data, expected.at, 16 * sizeof(double));
	ck_assert_mem_ne(arrays[0].data, expected.at, 16 * sizeof(double));
	xc_array_free(&arrays[0]);
	xc_array_free(&arrays[1]);
	xc_rng_free(rng);
	xc_seedseq_free(second);
	xc_seedseq_free(seq);
	how.seed = 0;
	assert_error(xc_apply(xc_all(client), NULL, &args, sizeof args, NULL, 0, &how, &err),
		     XC_EFAILED, &err, "seed");
}
END_TEST

START_TEST(a_crossprod_is_all_of_the_product)
{
	struct matrix a = normals(1, 9, 6), made = normals(4, 8, 5);
	struct xc_blas_report report;

	push("A", a);
	report = done("xc_blas_crossprod", (struct xc_blas_args){ .a = "A", .out = "C" });
	assert_same(pull("C"), product(turned(a), a));
	ck_assert_int_eq(report.m, 9);
	ck_assert_int_eq(report.n, 6);
	done("xc_blas_crossprod", (struct xc_blas_args){ .m = 8, .n = 5, .seed = 4, .out = "C" });
	assert_same(pull("C"), product(turned(made), made));
}
END_TEST

START_TEST(gemm_turns_scales_and_adds)
{
	struct matrix a = normals(1, 4, 6), b = normals(2, 6, 3), c = normals(3, 4, 3);
	struct matrix expected = product(a, b);
	struct xc_blas_report report;

	push("A", a);
	push("B", b);
	push("At", turned(a));
	push("Bt", turned(b));
	push("C", c);
	report = done("xc_blas_gemm", (struct xc_blas_args){ .a = "A", .b = "B", .out = "D" });
	assert_same(pull("D"), expected);
	ck_assert(report.m == 4 && report.n == 3 && report.k == 6);
	done("xc_blas_gemm",
	     (struct xc_blas_args){ .a = "At", .b = "B", .transpose_a = true, .out = "D" });
	assert_same(pull("D"), expected);
	for (int64_t i = 0; i < 12; i++)
		expected.at[i] = -2 * expected.at[i] + 0.5 * c.at[i];
	done("xc_blas_gemm", (struct xc_blas_args){ .a = "At",
						    .b = "Bt",
						    .c = "C",
						    .transpose_a = true,
						    .transpose_b = true,
						    .alpha = -2,
						    .beta = 0.5,
						    .out = "C" });
	assert_same(pull("C"), expected);
	report = done("xc_blas_gemm", (struct xc_blas_args){ .m = 4, .n = 5, .k = 6 });
	ck_assert(report.m == 4 && report.n == 5 && report.k == 6);
}
END_TEST

START_TEST(a_cholesky_factor_is_below_the_diagonal)
{
	struct matrix x = normals(5, 8, 8), a = product(turned(x), x), l;

	done("xc_blas_cholesky", (struct xc_blas_args){ .n = 8, .seed = 5, .out = "L" });
	l = pull("L");
	assert_same(product(l, turned(l)), a);
	for (int64_t i = 0; i < 8; i++) {
		ck_assert(*element(&l, i, i) > 0);
		for (int64_t j = i + 1; j < 8; j++) {
			ck_assert(*element(&l, i, j) == 0);
			*element(&a, i, j) = 99; /* nobody is to look at it */
		}
	}
	push("A", a);
	done("xc_blas_cholesky", (struct xc_blas_args){ .a = "A", .out = "L" });
	assert_same(pull("L"), l);
}
END_TEST

START_TEST(systems_are_solved_for_several_sides)
{
	struct matrix a = normals(6, 7, 7), x = normals(7, 7, 3);
	double b[7] = { 0 };

	push("A", a);
	push("B", product(a, x));
	done("xc_blas_solve", (struct xc_blas_args){ .a = "A", .b = "B", .out = "X" });
	assert_same(pull("X"), x);
	/* A vector is one column. */
	for (int64_t i = 0; i < 7; i++)
		for (int64_t j = 0; j < 7; j++)
			b[i] += *element(&a, i, j);
	assert_ok(xc_push(xc_all(client), "b", XC_ARRAY_F64(b, 7), &err), err);
	done("xc_blas_solve", (struct xc_blas_args){ .a = "A", .b = "b", .out = "X" });
	assert_same(pull("X"), (struct matrix){ 7, 1, { 1, 1, 1, 1, 1, 1, 1 } });
}
END_TEST

START_TEST(least_squares_are_the_shortest_of_the_best)
{
	struct matrix a = normals(8, 12, 4), b = normals(9, 12, 2), x, rest;
	struct matrix two = { 1, 2, { 1, 1 } }, four = { 1, 1, { 4 } };
	struct xc_blas_report report;

	push("A", a);
	push("B", b);
	report = done("xc_blas_lstsq", (struct xc_blas_args){ .a = "A", .b = "B", .out = "X" });
	ck_assert_int_eq(report.rank, 4);
	x = pull("X");
	rest = product(a, x);
	for (int64_t i = 0; i < 24; i++)
		rest.at[i] -= b.at[i];
	assert_same(product(turned(a), rest), (struct matrix){ 4, 2, { 0 } });
	/* x + y = 4 */
	push("A", two);
	push("B", four);
	report = done("xc_blas_lstsq", (struct xc_blas_args){ .a = "A", .b = "B", .out = "X" });
	ck_assert_int_eq(report.rank, 1);
	assert_same(pull("X"), (struct matrix){ 2, 1, { 2, 2 } });
}
END_TEST

static void check_svd(int64_t rows, int64_t cols)
{
	struct matrix a = normals(10, rows, cols), u, s, vt, one;
	int64_t count = rows < cols ? rows : cols;

	push("A", a);
	done("xc_blas_svd", (struct xc_blas_args){ .a = "A", .out = "S" });
	u = pull("S.u");
	s = pull("S.s");
	vt = pull("S.vt");
	ck_assert_int_eq(s.rows, count);
	one = (struct matrix){ count, count, { 0 } };
	for (int64_t i = 0; i < count; i++)
		*element(&one, i, i) = 1;
	assert_same(product(turned(u), u), one);
	assert_same(product(vt, turned(vt)), one);
	for (int64_t i = 0; i < count; i++) {
		ck_assert(s.at[i] > 0 && (i == 0 || s.at[i] <= s.at[i - 1]));
		for (int64_t j = 0; j < cols; j++)
			*element(&vt, i, j) *= s.at[i];
	}
	assert_same(product(u, vt), a);
}

START_TEST(singular_values_take_matrices_apart)
{
	check_svd(9, 4);
	check_svd(4, 9);
	check_svd(5, 5);
	check_svd(1, 1);
}
END_TEST

static void fails(const char *task, struct xc_blas_args args, const char *part)
{
	struct xc_blas_report reports[ENGINES];

	assert_error(run(task, &args, reports), XC_EFAILED, &err, part);
}

START_TEST(what_cannot_be_computed_says_why)
{
	static const double whole[4] = { 1, 2, 3, 4 };
	static const int integers[4] = { 1, 2, 3, 4 };
	struct matrix indefinite = { 2, 2, { 1, 2, 2, 1 } }, singular = { 2, 2, { 1, 1, 1, 1 } };
	struct matrix infinite = { 2, 2, { INFINITY, 0, 0, 1 } }, unknown = { 2, 2, { NAN } };

	push("indefinite", indefinite);
	push("singular", singular);
	push("infinite", infinite);
	push("unknown", unknown);
	push("wide", normals(1, 2, 3));
	assert_ok(xc_push(xc_all(client), "cube", XC_ARRAY_F64(whole, 1, 2, 2), &err), err);
	assert_ok(xc_push(xc_all(client), "ints", XC_ARRAY_I32(integers, 2, 2), &err), err);
	assert_ok(xc_push(xc_all(client), "none", XC_ARRAY_F64(whole, 0, 2), &err), err);
	fails("xc_blas_cholesky", (struct xc_blas_args){ .a = "indefinite" },
	      "not positive definite");
	fails("xc_blas_cholesky", (struct xc_blas_args){ .a = "wide" }, "\"wide\" is 2 x 3");
	fails("xc_blas_cholesky", (struct xc_blas_args){ .a = "unknown" }, "not finite");
	fails("xc_blas_cholesky", (struct xc_blas_args){ .a = "absent" }, "\"absent\"");
	fails("xc_blas_cholesky", (struct xc_blas_args){ .n = 0 }, "0 x 0");
	fails("xc_blas_cholesky", (struct xc_blas_args){ .n = -3 }, "-3 x -3");
	fails("xc_blas_normal", (struct xc_blas_args){ .n = INT64_MAX }, "from 1 to");
	fails("xc_blas_normal", (struct xc_blas_args){ .n = INT32_MAX }, "no memory");
	fails("xc_blas_solve", (struct xc_blas_args){ .a = "singular", .n = 2 }, "singular");
	fails("xc_blas_solve", (struct xc_blas_args){ .a = "infinite" }, "not finite");
	fails("xc_blas_solve", (struct xc_blas_args){ .n = 3, .b = "wide" }, "has 2 rows");
	fails("xc_blas_lstsq", (struct xc_blas_args){ .a = "unknown" }, "not finite");
	fails("xc_blas_lstsq", (struct xc_blas_args){ .n = 3, .b = "wide" }, "has 2 rows");
	fails("xc_blas_svd", (struct xc_blas_args){ .a = "unknown" }, "not finite");
	fails("xc_blas_svd", (struct xc_blas_args){ .a = "cube" }, "one or two dimensions");
	fails("xc_blas_crossprod", (struct xc_blas_args){ .a = "ints" }, "doubles");
	fails("xc_blas_crossprod", (struct xc_blas_args){ .a = "none" }, "0 x 2");
	fails("xc_blas_gemm", (struct xc_blas_args){ .a = "wide", .b = "wide" }, "2 x 3 and 2 x 3");
	fails("xc_blas_gemm", (struct xc_blas_args){ .n = 3, .c = "wide", .beta = 1 },
	      "c is 2 x 3");
	fails("xc_blas_gemm", (struct xc_blas_args){ .n = 3, .threads = -1 }, "threads must be");
	fails("xc_blas_gemm", (struct xc_blas_args){ .n = 3, .threads = 5000 }, "threads must be");
}
END_TEST

START_TEST(other_inputs_and_results_are_refused)
{
	struct xc_map_options how = { .function = "xc_blas_gemm" };
	struct xc_blas_args args = { .n = 4 };
	struct xc_blas_report reports[ENGINES];

	assert_error(xc_apply(xc_all(client), NULL, &args, 5, reports, sizeof *reports, &how, &err),
		     XC_EFAILED, &err, "not 5 bytes");
	assert_error(xc_apply(xc_all(client), NULL, &args, sizeof args, reports, 8, &how, &err),
		     XC_EFAILED, &err, "not 8");
	memset(args.out, 'x', sizeof args.out);
	assert_error(run("xc_blas_gemm", &args, reports), XC_EFAILED, &err, "has no end");
	args.out[0] = 0;
	/* And nobody needs to want the report. */
	assert_ok(xc_apply(xc_all(client), NULL, &args, sizeof args, NULL, 0, &how, &err), err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blas_numbers");
	TCase *numbers = shared_case(suite, "numbers");

	tcase_add_checked_fixture(numbers, open_inline, close_inline);
	tcase_add_test(numbers, normals_are_those_of_the_seed);
	tcase_add_test(numbers, each_item_of_a_map_with_a_seed_may_have_a_matrix_of_its_own);
	tcase_add_test(numbers, a_crossprod_is_all_of_the_product);
	tcase_add_test(numbers, gemm_turns_scales_and_adds);
	tcase_add_test(numbers, a_cholesky_factor_is_below_the_diagonal);
	tcase_add_test(numbers, systems_are_solved_for_several_sides);
	tcase_add_test(numbers, least_squares_are_the_shortest_of_the_best);
	tcase_add_test(numbers, singular_values_take_matrices_apart);
	tcase_add_test(numbers, what_cannot_be_computed_says_why);
	tcase_add_test(numbers, other_inputs_and_results_are_refused);
	return run_tests(suite);
}
