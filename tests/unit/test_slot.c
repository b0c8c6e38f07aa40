/* test_slot.c: what the agent does to its engines' processes. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/rig.h"
#include "tests/unit/unit.h"

#include "engine/slot.c"

/* A process that waits to be killed. */
static pid_t child(void)
{
	pid_t pid;

	signal(SIGTERM, SIG_DFL); /* Check's handler, in the child, would end the test */
	pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	for (;;)
		pause();
}

static void begin(void)
{
	rig_open();
	rig.slot.pid = child();
	rig.slot.cause = DOWN_LOST;
}

static void end(void)
{
	if (rig.slot.pid) {
		kill(rig.slot.pid, SIGKILL);
		waitpid(rig.slot.pid, NULL, 0);
	}
	rig_close();
}

static bool was_killed(enum down_cause cause)
{
	int status;

	if (!rig.slot.killed || rig.slot.cause != cause)
		return false;
	ck_assert_int_eq(waitpid(rig.slot.pid, &status, 0), rig.slot.pid);
	rig.slot.pid = 0;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

START_TEST(test_time_limit)
{
	rig.page->limit_ns = UINT64_C(1000000000000);
	rig.page->item_start_ns = now_ns();
	slots_tick(&rig.agent);
	ck_assert(!rig.slot.killed);
	rig.page->item_start_ns = now_ns() + UINT64_C(1000000000000); /* cannot be */
	slots_tick(&rig.agent);
	ck_assert(!rig.slot.killed);
	rig.page->item_start_ns = 0;
	slots_tick(&rig.agent);
	ck_assert(!rig.slot.killed);
	rig.page->limit_ns = 1;
	rig.page->item_start_ns = now_ns() - 1000;
	slots_tick(&rig.agent);
	ck_assert(was_killed(DOWN_TIME));
}
END_TEST

START_TEST(test_stopped)
{
	rig.slot.stopped_ns = now_ns();
	slots_tick(&rig.agent);
	ck_assert(!rig.slot.killed);
	rig.slot.stopped_ns -= STOPPED_LIMIT_NS + 1;
	slots_tick(&rig.agent);
	ck_assert(was_killed(DOWN_STOPPED));
}
END_TEST

/* Condemned with a slice: if it runs that still. */
START_TEST(test_condemned)
{
	rig.slot.condemned[1] = 5;
	rig.slot.condemned[2] = 6;
	rig.slot.condemned_ns[1] = 0;
	rig.slot.condemned_ns[2] = now_ns() + UINT64_C(1000000000000);
	rig.page->piece.slice = 9; /* of the same word as 5 */
	slots_tick(&rig.agent);
	rig.page->piece.slice = 6; /* later */
	slots_tick(&rig.agent);
	rig.page->piece.slice = 0;
	slots_tick(&rig.agent);
	ck_assert(!rig.slot.killed);
	rig.page->piece.slice = 5;
	slots_tick(&rig.agent);
	ck_assert(was_killed(DOWN_CANCELLED));
}
END_TEST

START_TEST(test_first_cause_counts)
{
	slot_kill(&rig.slot, DOWN_TIME);
	slot_kill(&rig.slot, DOWN_CANCELLED);
	ck_assert(was_killed(DOWN_TIME));
}
END_TEST

START_TEST(test_stopping)
{
	rig.agent.stopping = true;
	rig.agent.kill_ns = now_ns() + UINT64_C(1000000000000);
	slots_tick(&rig.agent);
	ck_assert_int_eq(kill(rig.slot.pid, 0), 0);
	rig.agent.kill_ns = 0;
	slots_tick(&rig.agent);
	rig.slot.killed = true;
	ck_assert(was_killed(DOWN_LOST));
}
END_TEST

/* The child has been stopped by us; the agent hears of it. */
static void hear_of_stop(void)
{
	int status;

	ck_assert(rig.slot.judging);
	ck_assert_int_eq(waitpid(rig.slot.pid, &status, WUNTRACED), rig.slot.pid);
	ck_assert(WIFSTOPPED(status));
	slot_judge(&rig.slot);
	ck_assert(!rig.slot.judging);
}

static void run_item(uint64_t slice, int64_t item)
{
	rig.page->piece.first = 0;
	rig.page->piece.done = item;
	rig.page->item = item;
	rig.page->piece.slice = slice;
}

/* Told, or killed, in the item that was cancelled, and in no other. */
START_TEST(test_unwanted_items)
{
	slot_cancel_items(&rig.slot, &(struct unwanted){ 5, 7, 9, false });
	slot_cancel_items(&rig.slot, &(struct unwanted){ 5, 9, 10, false });
	slot_cancel_items(&rig.slot, &(struct unwanted){ 5, 8, 9, true });
	ck_assert_uint_eq(rig.slot.unwanted_count, 2);
	run_item(4, 8);
	slots_tick(&rig.agent);
	run_item(5, 6);
	slots_tick(&rig.agent);
	ck_assert_uint_eq(rig.page->cancel[5 % PAGE_CLAIMS], 0);
	run_item(5, 7);
	slots_tick(&rig.agent);
	ck_assert_uint_eq(rig.page->cancel[5 % PAGE_CLAIMS], cancel_word(5, 7));
	rig.page->piece.done = 8; /* it has just ended */
	rig.page->item = 8;
	rig.page->piece.first = 1;
	slots_tick(&rig.agent);
	ck_assert(!rig.slot.judging && !rig.slot.killed);
	run_item(5, 8);
	slots_tick(&rig.agent);
	ck_assert_uint_eq(rig.page->cancel[5 % PAGE_CLAIMS], cancel_word(5, 8));
	hear_of_stop();
	ck_assert(was_killed(DOWN_CANCELLED));
}
END_TEST

START_TEST(test_gone_on_to_the_next)
{
	siginfo_t info;

	run_item(5, 8);
	slot_cancel_items(&rig.slot, &(struct unwanted){ 5, 8, 9, true });
	run_item(5, 9);
	hear_of_stop();
	ck_assert(!rig.slot.killed);
	ck_assert_int_eq(waitid(P_PID, (id_t)rig.slot.pid, &info, WCONTINUED), 0);
	/* What belongs to slices before is forgotten. */
	run_item(6, 0);
	slot_cancel_items(&rig.slot, &(struct unwanted){ 7, 0, 1, false });
	ck_assert_uint_eq(rig.slot.unwanted_count, 1);
}
END_TEST

static int status_of_child(void)
{
	int status;

	ck_assert_int_eq(waitpid(rig.slot.pid, &status, 0), rig.slot.pid);
	rig.slot.pid = 0;
	return status;
}

/* One that runs an item is left alone until that has ended, then woken. */
START_TEST(test_end_in_order)
{
	run_item(5, 8);
	slot_retire(&rig.slot, false);
	slots_tick(&rig.agent);
	ck_assert_uint_eq(rig.page->ending, ENDING_ASKED);
	ck_assert_uint_eq(rig.slot.retired_ns, 0);
	ck_assert_int_eq(waitpid(rig.slot.pid, NULL, WNOHANG), 0);
	rig.page->piece.slice = 0;
	slots_tick(&rig.agent);
	ck_assert_uint_ne(rig.slot.retired_ns, 0);
	ck_assert_int_eq(WTERMSIG(status_of_child()), SIGTERM);
}
END_TEST

START_TEST(test_end_at_once)
{
	run_item(5, 8);
	slot_retire(&rig.slot, true);
	ck_assert(was_killed(DOWN_CANCELLED));
}
END_TEST

START_TEST(test_end_takes_too_long)
{
	rig.page->ending = ENDING_BEGUN; /* so it is not woken any more */
	slot_retire(&rig.slot, true);
	ck_assert(!rig.slot.killed);
	slot_watch_end(&rig.slot, rig.slot.retired_ns + UINT64_C(1000000000));
	ck_assert(!rig.slot.killed);
	slot_watch_end(&rig.slot, rig.slot.retired_ns + UINT64_C(3000000000));
	ck_assert(was_killed(DOWN_SHUT));
}
END_TEST

START_TEST(test_last_one_retired)
{
	rig.slot.state = SLOT_RUNNING;
	slots_check_retired(&rig.agent);
	ck_assert(!rig.agent.stopping);
	rig.slot.state = SLOT_RETIRED;
	slots_check_retired(&rig.agent);
	ck_assert(rig.agent.stopping);
}
END_TEST

START_TEST(test_find)
{
	ck_assert_ptr_eq(slot_find(&rig.agent, 0, 3), &rig.slot);
	ck_assert_ptr_null(slot_find(&rig.agent, 0, 2));
	ck_assert_ptr_null(slot_find(&rig.agent, 1, 3));
	ck_assert_ptr_null(slot_find(&rig.agent, UINT64_MAX, 3));
	ck_assert(slots_any_alive(&rig.agent));
}
END_TEST

START_TEST(test_quick_death)
{
	rig.slot.started_ns = now_ns();
	ck_assert(was_quick(&rig.slot));
	rig.page->piece.slice = 1; /* it had begun an item: that is another matter */
	ck_assert(!was_quick(&rig.slot));
	rig.slot.state = SLOT_STARTING;
	ck_assert(was_quick(&rig.slot));
}
END_TEST

START_TEST(test_environment)
{
	char omp[] = "OMP_NUM_THREADS=3", own[] = "XC_TEST_ONLY=1";
	char *extra[] = { omp, own };
	char **env;
	int found = 0;

	setenv("OMP_NUM_THREADS", "99", 1);
	setenv("OMP_NUM_THREADS_NOT", "7", 1);
	env = environment_with(extra, 2);
	for (char **p = env; *p; p++) {
		ck_assert_str_ne(*p, "OMP_NUM_THREADS=99");
		found += strcmp(*p, omp) == 0 || strcmp(*p, own) == 0 ||
			 strcmp(*p, "OMP_NUM_THREADS_NOT=7") == 0;
	}
	ck_assert_int_eq(found, 3);
	free(env);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("slot");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_time_limit);
	tcase_add_test(tests, test_stopped);
	tcase_add_test(tests, test_condemned);
	tcase_add_test(tests, test_first_cause_counts);
	tcase_add_test(tests, test_stopping);
	tcase_add_test(tests, test_unwanted_items);
	tcase_add_test(tests, test_gone_on_to_the_next);
	tcase_add_test(tests, test_end_in_order);
	tcase_add_test(tests, test_end_at_once);
	tcase_add_test(tests, test_end_takes_too_long);
	tcase_add_test(tests, test_last_one_retired);
	tcase_add_test(tests, test_find);
	tcase_add_test(tests, test_quick_death);
	tcase_add_test(tests, test_environment);
	return unit_run(tests);
}
