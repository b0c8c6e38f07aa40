/* rank_environment.c: which rank of which job this process is, by the environment that
 * srun and the mpiexecs make. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ranks.h"

/* A number in the environment; -1 when it is not there or none. */
static int number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long value;

	if (!text || !isdigit((unsigned char)*text))
		return -1;
	value = strtol(text, &end, 10);
	return *end || value > INT_MAX ? -1 : (int)value;
}

static const char *text(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

int rank_tasks_at(const char *list, int i)
{
	while (*list) {
		char *end;
		long tasks = strtol(list, &end, 10), times = 1;

		if (end == list || tasks < 1 || tasks > INT_MAX)
			return -1;
		if (strncmp(end, "(x", 2) == 0) {
			times = strtol(end + 2, &end, 10);
			if (times < 1 || *end++ != ')')
				return -1;
		}
		if (*end && *end != ',')
			return -1;
		if (i < times)
			return (int)tasks;
		i -= (int)(times > INT_MAX ? INT_MAX : times);
		list = end + (*end == ',');
	}
	return -1;
}

/* A name of a file. */
static void make_key(struct rank *rank, const char *kind, const char *job)
{
	snprintf(rank->key, sizeof rank->key, "%s-%.100s-%.60s", kind, job, rank->node);
	for (char *c = rank->key; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
			*c = '_';
}

static bool of_slurm(struct rank *rank)
{
	const char *tasks = text("SLURM_STEP_TASKS_PER_NODE");
	char job[100];

	rank->local = number("SLURM_LOCALID");
	rank->rank = number("SLURM_PROCID");
	if (!getenv("SLURM_STEP_ID") || rank->local < 0 || rank->rank < 0)
		return false;
	rank->kind = RANK_SLURM;
	rank->size = number("SLURM_STEP_NUM_TASKS");
	if (!*tasks)
		tasks = text("SLURM_TASKS_PER_NODE");
	rank->here = rank_tasks_at(tasks, number("SLURM_NODEID") < 0 ? 0 : number("SLURM_NODEID"));
	snprintf(job, sizeof job, "%.40s.%.40s", text("SLURM_JOB_ID"), text("SLURM_STEP_ID"));
	snprintf(rank->job, sizeof rank->job, "slurm %s", job);
	snprintf(rank->node, sizeof rank->node, "%s", text("SLURMD_NODENAME"));
	make_key(rank, "slurm", job);
	return true;
}

/* What each library calls them: rank, size, and on the host; and what names the job. */
static const struct library {
	const char *rank, *size, *local, *here;
} libraries[] = {
	{ "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
	  "OMPI_COMM_WORLD_LOCAL_SIZE" },
	{ "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS" },
};

static void of_mpi(struct rank *rank, const char *rank_name, const char *size_name)
{
	static const char *const names[] = { "PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid",
					     "PMI_JOBID", "PMI_ID_JOB" };
	char job[100] = "";

	rank->kind = RANK_MPI;
	rank->rank = number(rank_name);
	rank->size = number(size_name);
	for (size_t i = 0; i < sizeof names / sizeof names[0] && !job[0]; i++)
		snprintf(job, sizeof job, "%.99s", text(names[i]));
	if (!job[0]) /* the daemon that has started all ranks of this host */
		snprintf(job, sizeof job, "parent-%d", (int)getppid());
	if (gethostname(rank->node, sizeof rank->node - 1) < 0)
		rank->node[0] = '\0';
	snprintf(rank->job, sizeof rank->job, "mpi");
	make_key(rank, "mpi", job);
}

/* N.B. mpiexec within a Slurm allocation leaves Slurm's variables of the daemons that it
 * has started: those of MPI go first. Under srun a rank of an MPI without local ranks of
 * its own has Slurm's. */
void rank_of_environment(struct rank *rank)
{
	*rank = (struct rank){ .rank = -1, .size = -1, .local = -1, .here = -1 };
	for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
		const struct library *l = &libraries[i];

		if (number(l->rank) < 0 || number(l->local) < 0)
			continue;
		of_mpi(rank, l->rank, l->size);
		rank->local = number(l->local);
		rank->here = number(l->here);
		return;
	}
	if (of_slurm(rank))
		return;
	*rank = (struct rank){ .rank = -1, .size = -1, .local = -1, .here = -1 };
	if (number("PMIX_RANK") >= 0)
		of_mpi(rank, "PMIX_RANK", "PMIX_SIZE");
	else if (number("PMI_RANK") >= 0)
		of_mpi(rank, "PMI_RANK", "PMI_SIZE");
}
