/* test_schedule.c: how large slices are, and who gets them. */
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

#include "controller/schedule.c"

static struct measure measure;
static struct job job;
static struct engine engine;

static void begin(void)
{
	measure = (struct measure){ .largest = SLICE_ITEMS_MAX };
	job = (struct job){ .items = INT64_MAX / 4, .measure = &measure };
	engine = (struct engine){ .speed = 1 };
}

static void takes(double item_ns)
{
	measure.items = 1000;
	measure.busy_ns = 1000 * item_ns;
}

/* ---- Sizes --------------------------------------------------------------------- */

START_TEST(test_first_is_one_item)
{
	ck_assert_int_eq(slice_size(&job, &engine, 1000000, 4), 1);
	job.measure = NULL;
	ck_assert_int_eq(slice_size(&job, &engine, 1000000, 4), 1);
}
END_TEST

START_TEST(test_grows_by_steps)
{
	takes(100);
	measure.largest = 1;
	ck_assert_int_eq(slice_size(&job, &engine, 100000000, 2), GROWTH);
	measure.largest = GROWTH;
	ck_assert_int_eq(slice_size(&job, &engine, 100000000, 2), GROWTH * GROWTH);
}
END_TEST

START_TEST(test_half_of_the_rest)
{
	takes(100e3); /* floor 100 items, ceiling 2500 */
	ck_assert_int_eq(slice_size(&job, &engine, 8000, 4), 1000);
	engine.speed = 2;
	ck_assert_int_eq(slice_size(&job, &engine, 8000, 4), 2000);
	engine.speed = 0.5;
	ck_assert_int_eq(slice_size(&job, &engine, 8000, 4), 500);
}
END_TEST

START_TEST(test_floor_and_ceiling)
{
	takes(100e3);
	ck_assert_int_eq(slice_size(&job, &engine, 10, 4), 100);
	ck_assert_int_eq(slice_size(&job, &engine, 1000000000, 4), 2500);
	takes(60e9); /* long items: one by one */
	ck_assert_int_eq(slice_size(&job, &engine, 1000, 4), 1);
	takes(1); /* short ones: as many as a slice may have */
	ck_assert_int_eq(slice_size(&job, &engine, INT64_MAX / 4, 1), SLICE_ITEMS_MAX);
}
END_TEST

/* So that most are one node of the tree. */
START_TEST(test_slices_of_a_reduction_end_evenly)
{
	job.flags = JOB_REDUCE;
	ck_assert_int_eq(end_evenly(&job, 0, 1), 1);
	ck_assert_int_eq(end_evenly(&job, 0, 100), 64);
	ck_assert_int_eq(end_evenly(&job, 64, 100), 64);
	ck_assert_int_eq(end_evenly(&job, 1001, 100), 1088 - 1001);
	ck_assert_int_eq(end_evenly(&job, 1, 1), 1);
	ck_assert_int_eq(end_evenly(&job, 3, SLICE_ITEMS_MAX), (1 << 24) - 3);
	for (int64_t first = 0; first < 300; first++) {
		for (int64_t n = 1; n < 300; n++) {
			int64_t size = end_evenly(&job, first, n);
			int64_t next = end_evenly(&job, first + size, n);

			ck_assert(size >= 1 && size <= n && 2 * next > n);
			ck_assert((next & (next - 1)) == 0 && (first + size) % next == 0);
		}
	}
	job.chunk = 10;
	ck_assert_int_eq(end_evenly(&job, 0, 10), 10);
	job.flags = job.chunk = 0;
	ck_assert_int_eq(end_evenly(&job, 0, 100), 100);
}
END_TEST

START_TEST(test_bytes)
{
	takes(1);
	job.out_size = 1024;
	ck_assert_int_eq(slice_size(&job, &engine, INT64_MAX / 4, 1), 1024);
	job.form = FORM_STRIDED;
	job.in_size = 4096;
	ck_assert_int_eq(slice_size(&job, &engine, INT64_MAX / 4, 1), 256);
	job.out_size = UINT64_MAX; /* a stranger's */
	ck_assert_int_eq(slice_size(&job, &engine, INT64_MAX / 4, 1), 1);
}
END_TEST

START_TEST(test_chunk)
{
	takes(1);
	job.chunk = 7;
	ck_assert_int_eq(slice_size(&job, &engine, 1000000, 4), 7);
	job.chunk = INT64_MAX;
	ck_assert_int_eq(slice_size(&job, &engine, 1000000, 4), SLICE_ITEMS_MAX);
}
END_TEST

/* ---- Who ------------------------------------------------------------------------- */

static struct desk_peer *client, *agent, *engines[2];

static void begin_desk(void)
{
	desk_open();
	client = desk_client();
	agent = desk_agent(2);
	for (int i = 0; i < 2; i++)
		engines[i] = desk_engine(agent, (uint64_t)i, 1);
}

START_TEST(test_two_in_flight_each)
{
	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 10 });
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(DESK_EXPECT(engines[i], SLICE, slice).count, 10);
		ck_assert_int_eq(DESK_EXPECT(engines[i], SLICE, slice).count, 10);
		ck_assert_uint_eq(desk_next(engines[i]), 0);
	}
	ck_assert_int_eq(desk.clients->jobs->remaining.total, 60);
}
END_TEST

/* A pinned item goes before what is balanced, to its engine. */
START_TEST(test_pinned_first)
{
	struct msg_slice s;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 10 });
	desk_submit(client, (struct desk_job){ .seq = 2,
					       .job = 2,
					       .items = 1,
					       .targets = (uint32_t[]){ 1 },
					       .target_count = 1 });
	s = DESK_EXPECT(engines[1], SLICE, slice);
	DESK_EXPECT(engines[1], SLICE, slice);
	desk_done(engines[1], &s, 1, 0, 10, true);
	ck_assert_int_eq(DESK_EXPECT(engines[1], SLICE, slice).count, 1);
}
END_TEST

START_TEST(test_clients_take_turns)
{
	struct desk_peer *other = desk_client();
	struct msg_slice s;
	int mine = 0;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 10 });
	desk_submit(other, (struct desk_job){ .seq = 1, .job = 1, .items = 100, .chunk = 3 });
	for (int i = 0; i < 20; i++) {
		s = DESK_EXPECT(engines[0], SLICE, slice);
		mine += s.count == 10;
		desk_done(engines[0], &s, (uint64_t)i + 1, 0, s.count, true);
	}
	ck_assert_int_ge(mine, 5);
	ck_assert_int_le(mine, 11);
}
END_TEST

/* An engine with nothing left gets the rest of another's slice, once it is old
 * enough for that to pay. */
START_TEST(test_takes_from_the_busy)
{
	struct msg_slice s;
	struct msg_take take;

	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 40, .chunk = 10 });
	for (uint64_t i = 1; i <= 2; i++) {
		s = DESK_EXPECT(engines[0], SLICE, slice);
		desk_done(engines[0], &s, i, 0, 10, true);
	}
	ck_assert_uint_eq(desk_next(agent), 0);
	ck_assert(desk.recheck);
	desk.engines[1]->slices->sent_ns = desk.engines[1]->slices->next->sent_ns = 0;
	desk_run();
	take = DESK_EXPECT(agent, TAKE, take);
	ck_assert_uint_eq(take.slot, 1);
	ck_assert_uint_eq(take.slice, desk.engines[1]->slices->next->number);
	ck_assert_int_eq(take.count, 10);
	DESK_SEND(agent, taken, .slot = 1, .epoch = 1, .slice = take.slice, .end = 4);
	s = DESK_EXPECT(engines[0], SLICE, slice);
	ck_assert_int_eq(s.count, 6);
	ck_assert_int_eq(desk.engines[1]->slices->next->count, 4);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("sizes"), *who = tcase_create("who");
	Suite *suite = suite_create("schedule");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, begin, NULL);
	tcase_add_test(tests, test_first_is_one_item);
	tcase_add_test(tests, test_grows_by_steps);
	tcase_add_test(tests, test_half_of_the_rest);
	tcase_add_test(tests, test_floor_and_ceiling);
	tcase_add_test(tests, test_slices_of_a_reduction_end_evenly);
	tcase_add_test(tests, test_bytes);
	tcase_add_test(tests, test_chunk);
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(who, begin_desk, desk_close);
	tcase_add_test(who, test_two_in_flight_each);
	tcase_add_test(who, test_pinned_first);
	tcase_add_test(who, test_clients_take_turns);
	tcase_add_test(who, test_takes_from_the_busy);
	suite_add_tcase(suite, who);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
