/* matrix.c: matrices in blocks over engines: to them and back, products against plain loops,
 * engines that crash or go. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define ENGINES 6

static struct xc_error err = XC_ERROR_INIT;
static struct xc_client *client;

/* ---- Plain ones -------------------------------------------------------------------------- */

struct plain {
	int rows, cols;
	double *at;
};

static struct plain plain_new(int rows, int cols)
{
	struct plain p = { rows, cols, calloc((size_t)rows * (size_t)cols, sizeof *p.at) };

	ck_assert_ptr_nonnull(p.at);
	return p;
}

/* Small whole numbers: sums of their products are exact in any order. */
static struct plain plain_filled(int rows, int cols, unsigned seed)
{
	struct plain p = plain_new(rows, cols);

	for (int i = 0; i < rows * cols; i++) {
		seed = seed * 1664525u + 1013904223u;
		p.at[i] = (double)(int)(seed >> 24) - 128;
	}
	return p;
}

static double plain_at(const struct plain *p, bool transpose, int i, int j)
{
	return transpose ? p->at[j * p->cols + i] : p->at[i * p->cols + j];
}

static void plain_gemm(bool ta, bool tb, double alpha, const struct plain *a, const struct plain *b,
		       double beta, struct plain *c)
{
	int inner = ta ? a->rows : a->cols;

	for (int i = 0; i < c->rows; i++)
		for (int j = 0; j < c->cols; j++) {
			double sum = 0;

			for (int k = 0; k < inner; k++)
				sum += plain_at(a, ta, i, k) * plain_at(b, tb, k, j);
			c->at[i * c->cols + j] = alpha * sum + beta * c->at[i * c->cols + j];
		}
}

/* ---- Distributed ones -------------------------------------------------------------------- */

/* The first engines of all. */
static const struct xc_view *first(int n)
{
	const struct xc_view *view = NULL;

	assert_ok(xc_view_slice(xc_all(client), 0, n, 1, &view, &err), err);
	return view;
}

static struct xc_matrix *scatter(const struct plain *p, const struct xc_view *view, int rows,
				 int cols, size_t room)
{
	struct xc_matrix_layout layout = { .grid_rows = rows, .grid_cols = cols, .room = room };
	struct xc_matrix *m = NULL;

	assert_ok(xc_matrix_scatter(&m, view, XC_ARRAY_F64(p->at, p->rows, p->cols), &layout, &err),
		  err);
	return m;
}

static void check(const struct xc_matrix *m, const struct plain *p, const char *what)
{
	struct xc_array array;
	const double *data;

	assert_ok(xc_matrix_gather(m, &array, &err), err);
	ck_assert_int_eq(array.dtype, XC_F64);
	ck_assert_int_eq(array.ndim, 2);
	ck_assert_int_eq(array.shape[0], p->rows);
	ck_assert_int_eq(array.shape[1], p->cols);
	data = array.data;
	/* Each assertion of Check writes a file, also if it holds: one for each element would
	 * take longer than all else. */
	for (int i = 0; i < p->rows * p->cols; i++)
		if (data[i] != p->at[i])
			ck_abort_msg("%s: (%d, %d) is %g, not %g", what, i / p->cols, i % p->cols,
				     data[i], p->at[i]);
	xc_array_free(&array);
}

static int named(struct xc_task *task, const void *in, void *out)
{
	*(int *)out = xc_task_array(task, in) != NULL;
	return 0;
}

/* How many engines have a variable of that name. */
static int having(const char *name)
{
	int there[ENGINES + 2], n = xc_view_size(xc_all(client)), count = 0;

	ck_assert_int_le(n, ENGINES + 2);
	assert_ok(xc_apply(xc_all(client), named, name, strlen(name) + 1, there, sizeof there[0],
			   NULL, &err),
		  err);
	for (int i = 0; i < n; i++)
		count += there[i];
	return count;
}

/* Everything that engines have, as their error says it. */
static int names(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return xc_task_array(task, "no such one") ? 0 : XC_TASK_FAILED;
}

static void assert_no_variables(void)
{
	struct xc_result *result =
		xc_apply_async(xc_all(client), names, NULL, 0, NULL, 0, NULL, &err);
	struct xc_failure failure;

	ck_assert_ptr_nonnull(result);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	for (int64_t i = 0; i < xc_failure_count(result); i++) {
		ck_assert_int_eq(xc_failure(result, i, &failure), 0);
		ck_assert_msg(strstr(failure.text, "it has none") != NULL, "%s", failure.text);
	}
	xc_result_destroy(result);
}

/* ---- Scatter and gather ------------------------------------------------------------------ */

START_TEST(what_was_scattered_is_gathered_whatever_the_grid)
{
	static const int grids[][2] = { { 1, 1 }, { 2, 1 }, { 3, 1 }, { 1, 4 }, { 2, 2 },
					{ 3, 2 }, { 6, 1 }, { 0, 1 }, { 1, 0 }, { 0, 0 } };
	static const int sizes[][2] = { { 1, 1 }, { 2, 7 }, { 130, 97 } };

	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		struct plain p = plain_filled(sizes[s][0], sizes[s][1], 7);

		for (size_t g = 0; g < sizeof grids / sizeof grids[0]; g++) {
			struct xc_matrix *m =
				scatter(&p, xc_all(client), grids[g][0], grids[g][1], 0);

			check(m, &p, "scattered");
			xc_matrix_free(m);
		}
		free(p.at);
	}
	assert_no_variables();
}
END_TEST

START_TEST(a_matrix_tells_where_its_blocks_are)
{
	struct plain p = plain_filled(7, 5, 1), column = plain_filled(9, 1, 2);
	struct xc_matrix *m = scatter(&p, xc_all(client), 0, 0, 0), *c = NULL;
	struct xc_matrix_info info;
	struct xc_matrix_block block;

	assert_ok(xc_matrix_info(m, &info, &err), err);
	ck_assert_int_eq(info.rows, 7);
	ck_assert_int_eq(info.cols, 5);
	ck_assert_int_eq(info.grid_rows, 3);
	ck_assert_int_eq(info.grid_cols, 2);
	ck_assert_int_eq(xc_view_size(info.view), 6);
	ck_assert_int_eq(having(info.name), 6);
	assert_ok(xc_matrix_block(m, 3, &block, &err), err);
	ck_assert_int_eq(block.engine, 3);
	ck_assert_int_eq(block.first_row, 3);
	ck_assert_int_eq(block.rows, 2);
	ck_assert_int_eq(block.first_col, 3);
	ck_assert_int_eq(block.cols, 2);
	xc_matrix_free(m);

	assert_ok(xc_matrix_scatter(&c, first(2), XC_ARRAY_F64(column.at, 9), NULL, &err), err);
	check(c, &column, "a column");
	xc_matrix_free(c);
	free(column.at);
	free(p.at);
}
END_TEST

/* ---- Products ---------------------------------------------------------------------------- */

struct product {
	int m, n, k;
	bool ta, tb;
	double alpha, beta;
	int a_grid[2], b_grid[2], c_grid[2];
	size_t room;
};

static void check_product(const struct product *t)
{
	struct plain a = t->ta ? plain_filled(t->k, t->m, 3) : plain_filled(t->m, t->k, 3);
	struct plain b = t->tb ? plain_filled(t->n, t->k, 4) : plain_filled(t->k, t->n, 4);
	struct plain c = plain_filled(t->m, t->n, 5);
	struct xc_matrix *x = scatter(&a, xc_all(client), t->a_grid[0], t->a_grid[1], 0);
	struct xc_matrix *y = scatter(&b, xc_all(client), t->b_grid[0], t->b_grid[1], 0);
	struct xc_matrix *z = scatter(&c, xc_all(client), t->c_grid[0], t->c_grid[1], t->room);
	char what[200];

	snprintf(what, sizeof what, "%d x %d x %d%s%s, grids %d x %d, %d x %d, %d x %d", t->m, t->n,
		 t->k, t->ta ? " A'" : "", t->tb ? " B'" : "", t->a_grid[0], t->a_grid[1],
		 t->b_grid[0], t->b_grid[1], t->c_grid[0], t->c_grid[1]);
	for (int again = 0; again < 2; again++) {
		plain_gemm(t->ta, t->tb, t->alpha, &a, &b, t->beta, &c);
		assert_ok(xc_matrix_gemm(t->ta, t->tb, t->alpha, x, y, t->beta, z, &err), err);
		check(z, &c, what);
		if (t->beta * t->beta > 1)
			break; /* whole numbers would grow out of what is exact */
	}
	xc_matrix_free(x);
	xc_matrix_free(y);
	xc_matrix_free(z);
	free(a.at);
	free(b.at);
	free(c.at);
}

START_TEST(products_are_those_of_a_plain_loop)
{
	static const struct product products[] = {
		{ 1, 1, 1, false, false, 1, 0, { 1, 1 }, { 1, 1 }, { 1, 1 }, 0 },
		{ 7, 5, 3, false, false, 2, 1, { 2, 1 }, { 2, 1 }, { 2, 1 }, 0 },
		{ 31, 29, 37, false, false, 1, 0, { 3, 1 }, { 1, 3 }, { 3, 1 }, 0 },
		{ 31, 29, 37, true, false, 1, 1, { 2, 2 }, { 2, 2 }, { 2, 2 }, 0 },
		{ 31, 29, 37, false, true, -1, 1, { 2, 2 }, { 3, 2 }, { 2, 3 }, 0 },
		{ 31, 29, 37, true, true, 0.5, 2, { 6, 1 }, { 1, 6 }, { 2, 2 }, 1 },
		{ 130, 120, 110, false, false, 1, 0, { 2, 2 }, { 2, 2 }, { 2, 2 }, 1 },
		{ 130, 120, 110, true, false, 1, 1, { 4, 1 }, { 4, 1 }, { 3, 2 }, 200000 },
		{ 2, 3, 100, false, false, 1, 1, { 6, 1 }, { 6, 1 }, { 6, 1 }, 1 },
		{ 9, 9, 9, false, false, 0, 1, { 2, 2 }, { 2, 2 }, { 2, 2 }, 0 },
	};

	for (size_t i = 0; i < sizeof products / sizeof products[0]; i++)
		check_product(&products[i]);
	assert_no_variables();
}
END_TEST

static void check_cross(int rows, int cols, int a_rows, int a_cols, int c_rows, int c_cols,
			size_t room)
{
	struct xc_matrix_layout layout = { .grid_rows = c_rows, .grid_cols = c_cols, .room = room };
	struct plain a = plain_filled(rows, cols, 6), c = plain_new(cols, cols);
	struct xc_matrix *x = scatter(&a, xc_all(client), a_rows, a_cols, 0), *z = NULL;
	char what[100];

	snprintf(what, sizeof what, "crossprod of %d x %d in %d x %d", rows, cols, a_rows, a_cols);
	assert_ok(xc_matrix_new(&z, xc_all(client), cols, cols, &layout, &err), err);
	check(z, &c, "zeros");
	plain_gemm(true, false, 1, &a, &a, 0, &c);
	assert_ok(xc_matrix_crossprod(x, z, &err), err);
	check(z, &c, what);
	xc_matrix_free(x);
	xc_matrix_free(z);
	free(a.at);
	free(c.at);
}

START_TEST(crossproducts_are_those_of_a_plain_loop)
{
	check_cross(1, 1, 1, 1, 1, 1, 0);
	check_cross(100, 7, 3, 1, 2, 1, 0); /* by rows, each for itself */
	check_cross(300, 21, 6, 1, 2, 2, 1);
	check_cross(40, 30, 2, 2, 2, 2, 0);
	check_cross(40, 31, 2, 3, 3, 2, 0); /* blocks on no diagonal */
	check_cross(20, 50, 6, 1, 2, 2, 1);
	check_cross(50, 23, 2, 3, 1, 1, 0); /* all on the diagonal, of several blocks of A */
	check_cross(3, 5, 6, 1, 3, 2, 0);   /* parts without rows */
	assert_no_variables();
}
END_TEST

/* The result may be a factor: nothing of it is overwritten before it has been read. */
START_TEST(a_matrix_may_be_both_factor_and_result)
{
	struct plain a = plain_filled(40, 40, 8), c = plain_new(40, 40);
	struct xc_matrix *m = scatter(&a, xc_all(client), 2, 3, 1);

	memcpy(c.at, a.at, 1600 * sizeof *c.at);
	plain_gemm(false, true, 1, &a, &a, 1, &c);
	assert_ok(xc_matrix_gemm(false, true, 1, m, m, 1, m, &err), err);
	check(m, &c, "A = A A' + A");
	xc_matrix_free(m);
	free(a.at);
	free(c.at);
	assert_no_variables();
}
END_TEST

static int own_index(struct xc_task *task, const void *in, void *out)
{
	const struct xc_array *block = xc_task_array(task, in);
	double *mine;
	int r;

	(void)out;
	if (!block)
		return XC_TASK_FAILED;
	mine = calloc((size_t)xc_array_count(block) + 1, sizeof *mine);
	for (int64_t i = 0; i < xc_array_count(block); i++)
		mine[i] = (double)xc_task_index(task);
	r = xc_task_set(task, in, XC_ARRAY_F64(mine, block->shape[0], block->shape[1]));
	free(mine);
	return r < 0 ? XC_TASK_FAILED : 0;
}

START_TEST(tasks_of_ones_own_see_and_set_blocks)
{
	struct xc_matrix_layout by_rows = { .grid_cols = 1 };
	struct plain p = plain_new(8, 3);
	struct xc_matrix_info info;
	struct xc_matrix *m = NULL;

	assert_ok(xc_matrix_new(&m, first(4), 8, 3, &by_rows, &err), err);
	assert_ok(xc_matrix_info(m, &info, &err), err);
	assert_ok(xc_apply(info.view, own_index, info.name, strlen(info.name) + 1, NULL, 0, NULL,
			   &err),
		  err);
	for (int i = 0; i < 24; i++)
		p.at[i] = i / 6;
	check(m, &p, "set by tasks");
	xc_matrix_free(m);
	free(p.at);
}
END_TEST

/* ---- Threads ------------------------------------------------------------------------------- */

static void check_threads(int expected)
{
	struct xc_map_options options = { .function = "xc_blas_crossprod" };
	struct xc_blas_args args = { .n = 50 };
	struct xc_blas_report reports[ENGINES];

	assert_ok(xc_apply(xc_all(client), NULL, &args, sizeof args, reports, sizeof reports[0],
			   &options, &err),
		  err);
	for (int i = 0; i < ENGINES; i++)
		ck_assert_msg(reports[i].threads == expected, "engine %d: %d threads, not %d", i,
			      reports[i].threads, expected);
}

START_TEST(openblas_uses_the_threads_that_engines_are_told)
{
	assert_ok(xc_set_threads(xc_all(client), 2, &err), err);
	check_threads(2);
	assert_ok(xc_set_threads(xc_all(client), 1, &err), err);
	check_threads(1);
}
END_TEST

/* ---- Engines that go --------------------------------------------------------------------- */

static int pid_of(int engine)
{
	struct xc_engine_info info;

	assert_ok(xc_engine_info(client, engine, &info, &err), err);
	ck_assert_int_gt(info.pid, 0);
	return info.pid;
}

START_TEST(blocks_outlive_the_crash_of_their_engines)
{
	struct plain a = plain_filled(150, 140, 9), b = plain_filled(140, 160, 10);
	struct plain c = plain_new(150, 160);
	struct xc_matrix *x = scatter(&a, xc_all(client), 2, 2, 0);
	struct xc_matrix *y = scatter(&b, xc_all(client), 2, 2, 0);
	struct xc_matrix_layout layout = { .grid_rows = 2, .grid_cols = 2, .room = 1 };
	struct xc_matrix *z = NULL;

	assert_ok(xc_matrix_new(&z, xc_all(client), 150, 160, &layout, &err), err);
	for (int i = 0; i < 4; i++) {
		int pid = pid_of(i);

		kill(pid, SIGKILL);
		ck_assert(process_ends(pid, LIMIT));
	}
	plain_gemm(false, false, 1, &a, &b, 0, &c);
	assert_ok(xc_matrix_gemm(false, false, 1, x, y, 0, z, &err), err);
	check(z, &c, "after crashes");
	xc_matrix_free(x);
	xc_matrix_free(y);
	xc_matrix_free(z);
	free(a.at);
	free(b.at);
	free(c.at);
	assert_no_variables();
}
END_TEST

/* What an engine was multiplying when it was killed is done again, and added once. */
START_TEST(a_product_survives_crashes_in_the_midst_of_it)
{
	enum { N = 240, ROUNDS = 4 };
	struct plain a = plain_filled(N, N, 11), c = plain_filled(N, N, 12);
	struct xc_matrix *x = scatter(&a, xc_all(client), 2, 2, 1);
	struct xc_matrix *z = scatter(&c, xc_all(client), 3, 2, 1);

	for (int round = 0; round < ROUNDS; round++) {
		int victim = pid_of(round);
		pid_t killer;

		plain_gemm(true, false, 1, &a, &a, -1, &c);
		killer = fork();
		if (killer == 0) {
			task_sleep(round * 0.002); /* other moments of the product */
			kill(victim, SIGKILL);
			_exit(0);
		}
		assert_ok(xc_matrix_gemm(true, false, 1, x, x, -1, z, &err), err);
		ck_assert_int_eq(child_end(killer), 0);
		check(z, &c, "amid crashes");
		ck_assert(process_ends(victim, LIMIT));
	}
	xc_matrix_free(x);
	xc_matrix_free(z);
	free(a.at);
	free(c.at);
	assert_no_variables();
}
END_TEST

static void on_alarm(int signal)
{
	(void)signal;
}

/* One signal after the other comes until one has been in time for the product: nobody can
 * wait for what is to be removed then. */
static void check_interrupted(struct xc_matrix *a, struct xc_matrix *c, const struct plain *before,
			      const struct plain *after, bool is_cross)
{
	static const struct itimerval often = { { 0, 500 }, { 0, 500 } }, off;
	int rounds = 0, r;

	ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	do
		r = is_cross ? xc_matrix_crossprod(a, c, &err)
			     : xc_matrix_gemm(false, false, 1, a, a, 0, c, &err);
	while (r == 0 && ++rounds < 1000);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &off, NULL), 0);
	assert_error(r, -EINTR, &err, is_cross ? "xc_matrix_crossprod: " : "xc_matrix_gemm: ");
	check(c, rounds ? after : before, "after a signal");
}

START_TEST(an_interrupted_product_leaves_its_result_as_it_was)
{
	enum { N = 240 };
	struct sigaction action = { .sa_handler = on_alarm };
	struct plain a = plain_filled(N, N, 14), tall = plain_filled(6 * N, 10, 15);
	struct plain aa = plain_new(N, N), cross = plain_new(10, 10), zeros = plain_new(10, 10);
	struct xc_matrix *x = scatter(&a, xc_all(client), 2, 2, 0);
	struct xc_matrix *z = scatter(&a, xc_all(client), 2, 2, 1);
	struct xc_matrix *y = scatter(&tall, xc_all(client), 6, 1, 0);
	struct xc_matrix *w = scatter(&zeros, xc_all(client), 1, 1, 0);

	plain_gemm(false, false, 1, &a, &a, 0, &aa);
	plain_gemm(true, false, 1, &tall, &tall, 0, &cross);
	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	check_interrupted(x, z, &a, &aa, false);
	check_interrupted(y, w, &zeros, &cross, true);
	xc_matrix_free(x);
	xc_matrix_free(y);
	xc_matrix_free(z);
	xc_matrix_free(w);
	free(a.at);
	free(aa.at);
	free(tall.at);
	free(cross.at);
	free(zeros.at);
	assert_no_variables();
}
END_TEST

START_TEST(what_is_lost_with_an_engine_is_said)
{
	struct plain a = plain_filled(20, 20, 13);
	struct xc_matrix *x = scatter(&a, xc_all(client), 3, 2, 0);
	struct xc_matrix *z = scatter(&a, first(2), 2, 1, 0);
	const struct xc_view *last = NULL;
	struct xc_matrix_info info;
	struct xc_array array;
	int r;

	/* Somebody has taken a block away: C stays as it was, and nothing else is left. */
	assert_ok(xc_matrix_info(x, &info, &err), err);
	assert_ok(xc_view_at(xc_all(client), 3, &last, &err), err);
	assert_ok(xc_clear(last, info.name, &err), err);
	r = xc_matrix_gemm(false, false, 1, x, z, 1, z, &err);
	assert_error(r, XC_EFAILED, &err, "xc_matrix_gemm: ");
	ck_assert_msg(strstr(err.text, "on engine 3") && strstr(err.text, info.name), "%s",
		      err.text);
	check(z, &a, "after an error");

	/* An engine has gone. */
	assert_ok(xc_view_at(xc_all(client), -1, &last, &err), err);
	assert_ok(xc_engines_stop(last, XC_CANCEL_QUEUED, &err), err);
	r = xc_matrix_gemm(false, false, 1, x, z, 1, z, &err);
	assert_error(r, XC_ENOENGINE, &err,
		     "xc_matrix_gemm: engine 5 was shut down, and its block");
	r = xc_matrix_gather(x, &array, &err);
	assert_error(r, XC_ENOENGINE, &err,
		     "xc_matrix_gather: engine 5 was shut down, and its block");
	check(z, &a, "after an error");
	xc_matrix_free(x);
	xc_matrix_free(z);
	free(a.at);
	assert_no_variables();
}
END_TEST

/* ---- Elsewhere --------------------------------------------------------------------------- */

START_TEST(without_a_cluster_it_is_the_same)
{
	struct xc_client *with = client;

	setenv("XCLUSTER", "inline:6", 1);
	assert_ok(xc_open(&client, NULL, &err), err);
	unsetenv("XCLUSTER");
	check_product(&(struct product){
		31, 29, 37, true, false, 1, 1, { 2, 2 }, { 3, 2 }, { 2, 3 }, 1 });
	check_cross(100, 7, 3, 1, 2, 1, 0);
	xc_close(client);
	client = with;
}
END_TEST

static void begin(void)
{
	client = open_client(ENGINES);
}

static void finish(void)
{
	xc_close(client);
}

int main(void)
{
	Suite *suite = suite_create("matrix");
	TCase *outer = shared_case(suite, "start"), *tests, *end;

	add_cluster_start(outer, ENGINES);
	tests = shared_case(suite, "matrices");
	tcase_add_checked_fixture(tests, begin, finish);
	tcase_add_test(tests, what_was_scattered_is_gathered_whatever_the_grid);
	tcase_add_test(tests, a_matrix_tells_where_its_blocks_are);
	tcase_add_test(tests, products_are_those_of_a_plain_loop);
	tcase_add_test(tests, crossproducts_are_those_of_a_plain_loop);
	tcase_add_test(tests, a_matrix_may_be_both_factor_and_result);
	tcase_add_test(tests, tasks_of_ones_own_see_and_set_blocks);
	tcase_add_test(tests, without_a_cluster_it_is_the_same);
	tcase_add_test(tests, openblas_uses_the_threads_that_engines_are_told);
	tcase_add_test(tests, blocks_outlive_the_crash_of_their_engines);
	tcase_add_test(tests, a_product_survives_crashes_in_the_midst_of_it);
	tcase_add_test(tests, an_interrupted_product_leaves_its_result_as_it_was);
	tcase_add_test(tests, what_is_lost_with_an_engine_is_said);
	end = shared_case(suite, "stop");
	add_cluster_stop(end);
	return run_tests(suite);
}
