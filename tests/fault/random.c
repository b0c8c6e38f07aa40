/* random.c: calls about random numbers while memory is short: they say so, nothing is lost,
 * and the generator is where it was. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/fault.h"
#include "tests/support/support.h"

#define CHILDREN   5
#define POPULATION 20000
#define CHOICES	   1000

static struct xc_seedseq *seq;
static struct xc_rng *rng;
static double p[POPULATION];

static void begin(void)
{
	struct xc_error err = XC_ERROR_INIT;

	assert_ok(xc_seedseq_of(&seq, 1, &err), err);
	assert_ok(xc_rng_from(&rng, XC_PCG64, seq, &err), err);
	for (int i = 0; i < POPULATION; i++)
		p[i] = 1.0 / POPULATION;
}

static void end(void)
{
	xc_rng_free(rng);
	xc_seedseq_free(seq);
}

/* The generator is not moved by what fails. */
static void expect_unmoved(const struct xc_rng_state *before)
{
	struct xc_rng_state after;

	ck_assert_int_eq(xc_rng_get_state(rng, &after, NULL), 0);
	ck_assert_mem_eq(before, &after, sizeof after);
}

static int make_sequence(struct xc_error *err)
{
	struct xc_seedseq *made = NULL;
	int r = FAULTY(xc_seedseq_fresh(&made, err));

	ck_assert_int_eq(!made, r != 0);
	xc_seedseq_free(made);
	return r;
}

/* Those that failed are not counted: the next one is the first of them. */
static int spawn(struct xc_error *err)
{
	struct xc_seedseq *children[CHILDREN] = { NULL }, *next;
	static uint32_t expected;
	int r = FAULTY(xc_seedseq_spawn(seq, CHILDREN, children, err));
	uint32_t key;

	for (int i = 0; i < CHILDREN; i++) {
		ck_assert_int_eq(!children[i], r != 0);
		xc_seedseq_free(children[i]);
	}
	ck_assert_int_eq(xc_seedseq_spawn(seq, 1, &next, NULL), 0);
	ck_assert_uint_eq(xc_seedseq_spawn_key(next, &key, 1), 1);
	expected += r ? 0 : CHILDREN;
	ck_assert_uint_eq(key, expected++);
	xc_seedseq_free(next);
	return r;
}

static int make_child(struct xc_error *err)
{
	struct xc_seedseq *child = NULL;
	int r = FAULTY(xc_seedseq_child(seq, 3, &child, err));

	ck_assert_int_eq(!child, r != 0);
	xc_seedseq_free(child);
	return r;
}

static int make_generators(struct xc_error *err)
{
	struct xc_rng *made = NULL, *philox = NULL, *copy = NULL, *jumped = NULL;
	int r = FAULTY(xc_rng_new(&made, XC_PCG64, 1, err));

	if (r == 0)
		r = FAULTY(xc_rng_philox(&philox, NULL, NULL, err));
	if (r == 0)
		r = FAULTY(xc_rng_copy(&copy, made, err));
	if (r == 0)
		r = FAULTY(xc_rng_jumped(&jumped, made, 1, err));
	ck_assert_int_eq(!jumped, r != 0);
	xc_rng_free(made);
	xc_rng_free(philox);
	xc_rng_free(copy);
	xc_rng_free(jumped);
	return r;
}

static int choose(size_t n, const struct xc_choice_options *options, struct xc_error *err)
{
	static int64_t out[CHOICES];
	struct xc_rng_state before;
	int r;

	ck_assert_int_eq(xc_rng_get_state(rng, &before, NULL), 0);
	r = FAULTY(xc_choice(rng, POPULATION, out, n, options, err));
	if (r)
		expect_unmoved(&before);
	return r;
}

static int choose_few(struct xc_error *err)
{
	return choose(100, &(struct xc_choice_options){ .without_replacement = true }, err);
}

static int choose_many(struct xc_error *err)
{
	return choose(CHOICES, &(struct xc_choice_options){ .without_replacement = true }, err);
}

static int choose_weighted(struct xc_error *err)
{
	return choose(100, &(struct xc_choice_options){ .p = p }, err);
}

static int choose_weighted_few(struct xc_error *err)
{
	return choose(100, &(struct xc_choice_options){ .p = p, .without_replacement = true }, err);
}

static const struct {
	const char *name;
	int (*run)(struct xc_error *err);
} scenarios[] = {
	{ "xc_seedseq_fresh", make_sequence },
	{ "xc_seedseq_spawn", spawn },
	{ "xc_seedseq_child", make_child },
	{ "xc_rng_new", make_generators },
	{ "xc_choice, few", choose_few },
	{ "xc_choice, many", choose_many },
	{ "xc_choice, weighted", choose_weighted },
	{ "xc_choice, weighted few", choose_weighted_few },
};
#define SCENARIOS ((int)(sizeof scenarios / sizeof scenarios[0]))

START_TEST(every_allocation_of_a_call_about_random_numbers)
{
	fault_every(scenarios[_i].name, scenarios[_i].run, 0, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fault_random");
	TCase *tests = tcase_create("random");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_loop_test(tests, every_allocation_of_a_call_about_random_numbers, 0, SCENARIOS);
	suite_add_tcase(suite, tests);
	return run_tests(suite);
}
