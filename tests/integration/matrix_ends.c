/* matrix_ends.c: programs that end without having freed their matrices: nothing of these
 * stays, and all of others' does. */
#include "tests/support/support.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENGINES	   3
#define N	   700
#define OURS	   100
#define KEPT	   "of somebody else"
#define KEPT_COUNT 20000

static struct xc_error err = XC_ERROR_INIT;
static struct xc_client *client;
static struct xc_matrix *matrix;
static const char *own_path;

/* ---- The programs -------------------------------------------------------------------------- */

struct late {
	char name[128];
};

/* As what a product does that still runs when its client has gone: sets a block. */
static int set_late(struct xc_task *task, const void *in, void *out)
{
	const struct late *late = in;
	static double block[N * N];

	(void)out;
	task_announce(task);
	task_wait_at_gate();
	return xc_task_set(task, late->name, XC_ARRAY_F64(block, N, N)) < 0 ? XC_TASK_FAILED : 0;
}

static struct xc_matrix *make(struct xc_client *who, int n)
{
	double *data = calloc((size_t)n * (size_t)n, sizeof *data);
	struct xc_matrix *m = NULL;

	for (int i = 0; i < n * n; i++)
		data[i] = i % 7;
	if (xc_matrix_scatter(&m, xc_all(who), XC_ARRAY_F64(data, n, n), NULL, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(90);
	}
	free(data);
	return m;
}

static void say(const char *word)
{
	printf("%s\n", word);
	fflush(stdout);
}

/* How a program with matrices ends. */
static int be_program(const char *how)
{
	/* N.B. static, as what is not freed on purpose is no leak. */
	static struct xc_matrix *a, *b, *c;
	static struct xc_client *mine;
	struct xc_matrix_info info;
	struct late late;
	char line[16];

	if (xc_open(&mine, NULL, &err) < 0 || xc_wait_for_engines(mine, ENGINES, LIMIT, &err) < 0)
		return 91;
	a = make(mine, N);
	b = make(mine, N);
	if (xc_matrix_new(&c, xc_all(mine), N, N, NULL, &err) < 0 ||
	    xc_matrix_gemm(false, false, 1, a, b, 0, c, &err) < 0)
		return 92;
	if (strcmp(how, "late") == 0) {
		xc_matrix_info(c, &info, &err);
		snprintf(late.name, sizeof late.name, "%s", info.name);
		if (!xc_apply_async(xc_all(mine), set_late, &late, sizeof late, NULL, 0, NULL,
				    &err))
			return 93;
	}
	say("ready");
	if (!fgets(line, sizeof line, stdin))
		return 94;
	while (strcmp(how, "multiply") == 0)
		if (xc_matrix_gemm(false, false, 1, a, b, 1, c, &err) < 0)
			return 95;
	if (strcmp(how, "late") == 0)
		pause();
	if (strcmp(how, "close") == 0)
		xc_close(mine);
	return 0;
}

/* ---- What is left --------------------------------------------------------------------------- */

static json_int_t store_used(void)
{
	json_t *status = XCLUSTER_JSON("status", "--json"), *agent;
	json_int_t used = 0;
	size_t i;

	json_array_foreach (json_object_get(status, "agents"), i, agent)
		used += json_integer_value(json_object_get(agent, "store_used"));
	json_decref(status);
	return used;
}

static bool is_used(void *bytes)
{
	return store_used() == *(json_int_t *)bytes;
}

static bool is_above(void *bytes)
{
	return store_used() > *(json_int_t *)bytes;
}

/* The names of the variables of matrices that an engine has are in what it says of this one. */
static int look(struct xc_task *task, const void *in, void *out)
{
	(void)in;
	(void)out;
	return xc_task_array(task, "no such one") ? 0 : XC_TASK_FAILED;
}

static int matrices_named(void)
{
	struct xc_result *result =
		xc_apply_async(xc_all(client), look, NULL, 0, NULL, 0, NULL, &err);
	struct xc_failure failure;
	int count = 0;

	ck_assert_ptr_nonnull(result);
	ck_assert_int_eq(xc_wait(result, LIMIT, &err), XC_EFAILED);
	for (int64_t i = 0; i < xc_failure_count(result); i++) {
		ck_assert_int_eq(xc_failure(result, i, &failure), 0);
		for (const char *at = failure.text; (at = strstr(at, "\"xc_matrix_")); at++)
			count++;
		ck_assert_ptr_nonnull(strstr(failure.text, KEPT));
	}
	xc_result_destroy(result);
	return count;
}

static bool has_only_ours(void *argument)
{
	(void)argument;
	return matrices_named() == ENGINES;
}

/* What was there before, of whoever lives, is there, and nothing else. */
static void assert_only_ours(void)
{
	struct xc_array whole;

	ck_assert(wait_until(has_only_ours, NULL, LIMIT));
	assert_ok(xc_matrix_gather(matrix, &whole, &err), err);
	for (int64_t i = 0; i < xc_array_count(&whole); i++)
		if (fabs(((const double *)whole.data)[i] - (double)(i % 7)) > 0)
			ck_abort_msg("element %lld is another one", (long long)i);
	xc_array_free(&whole);
}

static void begin_program(struct program *program, const char *how)
{
	char line[64];

	PROGRAM(program, own_path, how);
	program_line(program, line, sizeof line);
	ck_assert_str_eq(line, "ready");
}

/* Its matrices are on the engines. */
static void assert_more_than_ours(void)
{
	ck_assert_int_gt(matrices_named(), ENGINES);
}

/* With all that this program itself needs on engines: its own code is what came last. */
static json_int_t used_before(void)
{
	json_int_t data = 8 * (KEPT_COUNT + OURS * OURS);

	ck_assert(wait_until(has_only_ours, NULL, LIMIT));
	ck_assert(wait_until(is_above, &data, LIMIT));
	return store_used();
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void check_ends(const char *how, int signal, int status)
{
	struct program program;

	begin_program(&program, how);
	assert_more_than_ours();
	program_tell(&program, "go");
	if (signal)
		kill(program.pid, signal);
	ck_assert_int_eq(program_end(&program), status);
	assert_only_ours();
}

START_TEST(a_program_that_closes_without_having_freed_leaves_nothing)
{
	check_ends("close", 0, 0);
}
END_TEST

START_TEST(a_program_that_just_exits_leaves_nothing)
{
	check_ends("exit", 0, 0);
}
END_TEST

START_TEST(a_program_that_is_interrupted_in_a_product_leaves_nothing)
{
	check_ends("multiply", SIGINT, 128 + SIGINT);
}
END_TEST

/* At several moments of the product. Memory is back as well, as agents tell once a second. */
START_TEST(a_program_that_is_killed_in_a_product_leaves_nothing)
{
	json_int_t before = used_before();

	for (int round = 0; round < 4; round++) {
		struct program program;

		begin_program(&program, "multiply");
		assert_more_than_ours();
		program_tell(&program, "go");
		task_sleep(round * 0.007);
		kill(program.pid, SIGKILL);
		ck_assert_int_eq(program_end(&program), 128 + SIGKILL);
		assert_only_ours();
	}
	ck_assert_msg(wait_until(is_used, &before, LIMIT), "%lld bytes are in use, not %lld",
		      (long long)store_used(), (long long)before);
}
END_TEST

/* Of the clients that the controller knows we are the only one. */
static bool is_forgotten(void *argument)
{
	json_t *status;
	char *text = NULL;
	json_int_t clients;

	(void)argument;
	assert_ok(xc_status_json(client, &text, &err), err);
	status = json_loads(text, 0, NULL);
	free(text);
	ck_assert_ptr_nonnull(status);
	clients = json_integer_value(json_object_get(status, "clients"));
	json_decref(status);
	ck_assert_int_ge(clients, 1);
	return clients == 1;
}

/* The controller has noticed the death, and its clearing waits behind what runs: then this
 * sets blocks. */
START_TEST(what_still_ran_and_sets_a_block_leaves_nothing)
{
	struct program program;

	stage_open();
	begin_program(&program, "late");
	for (int i = 0; i < ENGINES; i++)
		stage_news();
	ck_assert(!is_forgotten(NULL));
	kill(program.pid, SIGKILL);
	ck_assert_int_eq(program_end(&program), 128 + SIGKILL);
	ck_assert(wait_until(is_forgotten, NULL, LIMIT));
	stage_release();
	assert_only_ours();
	stage_close();
}
END_TEST

START_TEST(engines_that_start_again_meanwhile_have_nothing_either)
{
	struct xc_engine_info info[ENGINES];
	struct program program;

	for (int i = 0; i < ENGINES; i++)
		assert_ok(xc_engine_info(client, i, &info[i], &err), err);
	begin_program(&program, "multiply");
	assert_more_than_ours();
	program_tell(&program, "go");
	for (int i = 0; i < ENGINES; i++)
		kill(info[i].pid, SIGSTOP);
	kill(program.pid, SIGKILL);
	ck_assert_int_eq(program_end(&program), 128 + SIGKILL);
	ck_assert(wait_until(is_forgotten, NULL, LIMIT));
	for (int i = 0; i < ENGINES; i++) {
		kill(info[i].pid, SIGKILL);
		ck_assert(process_ends(info[i].pid, LIMIT));
	}
	assert_only_ours();
}
END_TEST

static void begin(void)
{
	static double values[KEPT_COUNT];

	client = open_client(ENGINES);
	assert_ok(xc_push(xc_all(client), KEPT, XC_ARRAY_F64(values, KEPT_COUNT), &err), err);
	matrix = make(client, OURS);
}

static void finish(void)
{
	assert_ok(xc_clear(xc_all(client), KEPT, &err), err);
	xc_close(client); /* and not the matrix: the next test has none of it */
}

int main(int argc, char **argv)
{
	TCase *outer, *tests, *end;
	Suite *suite;

	if (argc > 1)
		return be_program(argv[1]);
	own_path = realpath(argv[0], NULL);
	suite = suite_create("matrix_ends");
	outer = shared_case(suite, "start");
	add_cluster_start(outer, ENGINES);
	tests = shared_case(suite, "ends");
	tcase_add_checked_fixture(tests, begin, finish);
	/* The first, as it compares what the stores hold. */
	tcase_add_test(tests, a_program_that_is_killed_in_a_product_leaves_nothing);
	tcase_add_test(tests, a_program_that_closes_without_having_freed_leaves_nothing);
	tcase_add_test(tests, a_program_that_just_exits_leaves_nothing);
	tcase_add_test(tests, a_program_that_is_interrupted_in_a_product_leaves_nothing);
	tcase_add_test(tests, what_still_ran_and_sets_a_block_leaves_nothing);
	tcase_add_test(tests, engines_that_start_again_meanwhile_have_nothing_either);
	end = shared_case(suite, "stop");
	add_cluster_stop(end);
	return run_tests(suite);
}
