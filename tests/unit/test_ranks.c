/* test_ranks.c: which rank a process is, and when its time ends; engines to do without. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/census.h"
#include "cmd/clock.h"
#include "cmd/ranks.h"
#include "tests/unit/unit.h"

START_TEST(test_tasks_of_a_node)
{
	ck_assert_int_eq(rank_tasks_at("4", 0), 4);
	ck_assert_int_eq(rank_tasks_at("2(x3),1", 0), 2);
	ck_assert_int_eq(rank_tasks_at("2(x3),1", 2), 2);
	ck_assert_int_eq(rank_tasks_at("2(x3),1", 3), 1);
	ck_assert_int_eq(rank_tasks_at("2(x3),1", 4), -1);
	ck_assert_int_eq(rank_tasks_at("16(x1000),8(x24)", 1023), 8);
	ck_assert_int_eq(rank_tasks_at("", 0), -1);
	ck_assert_int_eq(rank_tasks_at("x", 0), -1);
	ck_assert_int_eq(rank_tasks_at("2(x", 0), -1);
	ck_assert_int_eq(rank_tasks_at("2(x0)", 0), -1);
	ck_assert_int_eq(rank_tasks_at("2(x3", 1), -1);
	ck_assert_int_eq(rank_tasks_at("-2", 0), -1);
	ck_assert_int_eq(rank_tasks_at("2;3", 1), -1);
}
END_TEST

static struct rank rank_with(const char *const *variables)
{
	struct rank rank;

	clearenv();
	for (; *variables; variables++)
		putenv((char *)(uintptr_t)*variables);
	rank_of_environment(&rank);
	return rank;
}
#define RANK(...) rank_with((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(test_a_task_of_slurm)
{
	struct rank rank = RANK("SLURM_JOB_ID=12", "SLURM_STEP_ID=3", "SLURM_LOCALID=1",
				"SLURM_PROCID=5", "SLURM_NODEID=2", "SLURM_STEP_NUM_TASKS=7",
				"SLURM_STEP_TASKS_PER_NODE=2(x3),1", "SLURMD_NODENAME=n3");

	ck_assert_int_eq(rank.kind, RANK_SLURM);
	ck_assert_int_eq(rank.rank, 5);
	ck_assert_int_eq(rank.local, 1);
	ck_assert_int_eq(rank.here, 2);
	ck_assert_str_eq(rank.job, "slurm 12.3");
	ck_assert_str_eq(rank.key, "slurm-12.3-n3");
}
END_TEST

/* The script of a batch job is none. */
START_TEST(test_a_batch_script_is_no_task)
{
	ck_assert_int_eq(RANK("SLURM_JOB_ID=12", "SLURM_LOCALID=0", "SLURM_PROCID=0").kind,
			 RANK_NONE);
	ck_assert_int_eq(RANK("PATH=/bin").kind, RANK_NONE);
	ck_assert_int_eq(RANK("OMPI_COMM_WORLD_RANK=x", "OMPI_COMM_WORLD_LOCAL_RANK=0").kind,
			 RANK_NONE);
}
END_TEST

START_TEST(test_ranks_of_mpi)
{
	struct rank rank = RANK("OMPI_COMM_WORLD_RANK=9", "OMPI_COMM_WORLD_SIZE=12",
				"OMPI_COMM_WORLD_LOCAL_RANK=1", "OMPI_COMM_WORLD_LOCAL_SIZE=4",
				"PMIX_NAMESPACE=123.1", "SLURM_STEP_ID=0", "SLURM_LOCALID=0",
				"SLURM_PROCID=2");

	ck_assert_int_eq(rank.kind, RANK_MPI);
	ck_assert_int_eq(rank.rank, 9);
	ck_assert_int_eq(rank.local, 1);
	ck_assert_int_eq(rank.here, 4);
	ck_assert_int_eq(strncmp(rank.key, "mpi-123.1-", 10), 0);
	rank = RANK("PMI_RANK=3", "PMI_SIZE=4", "MPI_LOCALRANKID=1", "MPI_LOCALNRANKS=2");
	ck_assert_int_eq(rank.kind, RANK_MPI);
	ck_assert_int_eq(rank.rank, 3);
	ck_assert_int_eq(rank.here, 2);
	rank = RANK("PMI_RANK=3", "PMI_SIZE=4");
	ck_assert_int_eq(rank.kind, RANK_MPI);
	ck_assert_int_eq(rank.local, -1);
}
END_TEST

START_TEST(test_what_squeue_says_of_the_end)
{
	setenv("TZ", "UTC", 1);
	tzset();
	ck_assert(clock_of_squeue("2026-11-26T12:00:00\n") == 1795694400);
	ck_assert(clock_of_squeue("  2026-11-26T12:00:00") == 1795694400);
	ck_assert(clock_of_squeue("NONE\n") == 0);
	ck_assert(clock_of_squeue("N/A") == 0);
	ck_assert(clock_of_squeue("") == 0);
	ck_assert(clock_of_squeue("2026-11-26T12:00:00x") == 0);
}
END_TEST

/* ---- Census ------------------------------------------------------------------------------ */

static json_t *status_of(const char *states)
{
	json_t *engines = json_array();

	for (int i = 0; states[i]; i++)
		json_array_append_new(engines, json_pack("{s:i,s:s,s:i}", "id", i, "state",
							 states[i] == 'i'   ? "idle"
							 : states[i] == 'b' ? "busy"
							 : states[i] == 's' ? "starting"
							 : states[i] == 'd' ? "draining"
									    : "stopped",
							 "items", 0));
	return json_pack("{s:o,s:{s:i},s:[{s:s,s:i},{s:s,s:i}]}", "engines", engines, "queue",
			 "items", 3, "agents", "launch", "slurm job #1, x", "engines", 4, "launch",
			 "slurm job #12", "engines", 2);
}

START_TEST(test_engines_to_do_without)
{
	json_t *status = status_of("ibxibsd");
	struct census census = CENSUS_INIT;
	int ids[8];

	ck_assert_int_eq(census_take(&census, status, 100), 0);
	ck_assert_int_eq(census.count, 5);
	ck_assert_int_eq(census.up, 4);
	ck_assert_int_eq(census.idle, 2);
	ck_assert_int_eq(census.draining, 1);
	ck_assert_int_eq(census.waiting, 3);
	/* Idle ones first, the last first. */
	ck_assert_int_eq(census_choose(&census, 3, -1, ids), 3);
	ck_assert_int_eq(ids[0], 3);
	ck_assert_int_eq(ids[1], 0);
	ck_assert_int_eq(ids[2], 5);
	ck_assert_int_eq(census_launched(status, "slurm job #1"), 4);
	ck_assert_int_eq(census_launched(status, "slurm job #12"), 2);
	ck_assert_int_eq(census_launched(status, "slurm job #2"), 0);
	json_decref(status);
	census_fini(&census);
}
END_TEST

START_TEST(test_idle_since_the_first_look)
{
	json_t *idle = status_of("ii"), *busy = status_of("ib");
	struct census census = CENSUS_INIT;
	int ids[2];

	census_take(&census, idle, 100);
	census_take(&census, busy, 110);
	census_take(&census, idle, 120);
	ck_assert_int_eq(census_choose(&census, 2, 105, ids), 1);
	ck_assert_int_eq(ids[0], 0);
	ck_assert_int_eq(census_choose(&census, 2, 120, ids), 2);
	json_decref(idle);
	json_decref(busy);
	census_fini(&census);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("ranks");

	tcase_add_test(tests, test_tasks_of_a_node);
	tcase_add_test(tests, test_a_task_of_slurm);
	tcase_add_test(tests, test_a_batch_script_is_no_task);
	tcase_add_test(tests, test_ranks_of_mpi);
	tcase_add_test(tests, test_what_squeue_says_of_the_end);
	tcase_add_test(tests, test_engines_to_do_without);
	tcase_add_test(tests, test_idle_since_the_first_look);
	return unit_run(tests);
}
