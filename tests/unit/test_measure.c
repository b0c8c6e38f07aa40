/* test_measure.c: times of functions, kept between jobs; speeds of engines. */
#include <string.h>

#include "controller/state.h"
#include "tests/unit/unit.h"

static struct state state;
static struct engine engine;

static void begin(void)
{
	memset(&state, 0, sizeof state);
	engine = (struct engine){ .speed = 1 };
}

static void end(void)
{
	struct measure *measure, *next;

	HASH_ITER (hh, state.measures, measure, next) {
		HASH_DEL(state.measures, measure);
		free(measure->frame);
		free(measure);
	}
}

START_TEST(test_one_a_function)
{
	struct measure *a = measure_get(&state, "fit", 3), *b = measure_get(&state, "fi", 2);

	ck_assert_ptr_ne(a, b);
	ck_assert_ptr_eq(a, measure_get(&state, "fit", 3));
	ck_assert_int_eq(a->users, 2);
	measure_put(&state, a);
	measure_put(&state, a);
	measure_put(&state, NULL);
	/* kept, for the next job of that function */
	measure_add(a, &engine, 10, 5000);
	ck_assert_ptr_eq(a, measure_get(&state, "fit", 3));
	ck_assert_double_eq_tol(measure_item_ns(a), 500, 1e-9);
}
END_TEST

START_TEST(test_nothing_measured)
{
	struct measure *m = measure_get(&state, "f", 1);

	ck_assert_double_eq(measure_item_ns(m), 0);
	ck_assert_double_eq(measure_item_ns(NULL), 0);
	measure_add(m, &engine, 0, 1000);
	measure_add(m, &engine, 10, 0);
	ck_assert_double_eq(measure_item_ns(m), 0);
	ck_assert_int_eq(m->largest, 0);
}
END_TEST

/* What was measured long ago counts less. */
START_TEST(test_follows_a_change)
{
	struct measure *m = measure_get(&state, "f", 1);

	for (int i = 0; i < 100; i++)
		measure_add(m, &engine, 10, 10 * 1000);
	ck_assert_double_eq_tol(measure_item_ns(m), 1000, 1e-6);
	for (int i = 0; i < 100; i++)
		measure_add(m, &engine, 10, 10 * 9000);
	ck_assert_double_gt(measure_item_ns(m), 8000);
	ck_assert_double_lt(measure_item_ns(m), 9000);
	ck_assert_int_eq(m->largest, 10);
}
END_TEST

START_TEST(test_speed)
{
	struct measure *m = measure_get(&state, "f", 1);
	struct engine slow = { .speed = 1 }, mad = { .speed = 1 };

	for (int i = 0; i < 200; i++) {
		measure_add(m, &engine, 100, 100 * 1000);
		measure_add(m, &slow, 100, 100 * 2000);
	}
	ck_assert_double_gt(engine.speed, 1.2);
	ck_assert_double_lt(slow.speed, 0.9);
	ck_assert_double_eq_tol(engine.speed / slow.speed, 2, 0.2);
	for (int i = 0; i < 200; i++)
		measure_add(m, &mad, 1000000, 1);
	ck_assert_double_le(mad.speed, 10);
}
END_TEST

/* Those in use stay, however many there are. */
START_TEST(test_bounded)
{
	struct measure *used = measure_get(&state, "used", 4);

	for (int i = 0; i < 3000; i++)
		measure_put(&state, measure_get(&state, &i, sizeof i));
	ck_assert_uint_le(HASH_COUNT(state.measures), 1025);
	ck_assert_ptr_eq(used, measure_get(&state, "used", 4));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("measure");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_one_a_function);
	tcase_add_test(tests, test_nothing_measured);
	tcase_add_test(tests, test_follows_a_change);
	tcase_add_test(tests, test_speed);
	tcase_add_test(tests, test_bounded);
	return unit_run(tests);
}
