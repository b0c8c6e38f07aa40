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
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
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
	tcase_add_test(tests, test_find);
	tcase_add_test(tests, test_quick_death);
	tcase_add_test(tests, test_environment);
	return unit_run(tests);
}
