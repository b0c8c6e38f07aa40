/* launcher.h: what a launcher does: it starts engines somewhere else, by commands of
 * others, and knows what has become of them. */
#ifndef LAUNCH_LAUNCHER_H
#define LAUNCH_LAUNCHER_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "launch/request.h"
#include "launch/template.h"

#define LAUNCH_JOBS_MAX 10000

enum launch_job_state {
	LAUNCH_PENDING, /* submitted, not running yet */
	LAUNCH_RUNNING,
	LAUNCH_ENDED,
};

/* A job of a batch system, a command that stays, or an agent. */
struct launch_job {
	int number; /* ours, from 1 */
	char id[128];
	int engines; /* that it is to bring */
	enum launch_job_state state;
	char word[64];		 /* of its state, in the system's own words; may be empty */
	char reason[200];	 /* of its state; may be empty */
	bool was_seen, is_heard; /* by the system: ever; in this poll */
	bool is_cancelled;	 /* by us */
	double since;		 /* monotonic: of the submission, or of the end */
	pid_t pid;		 /* of a command that stays; 0: none */
	int pidfd;		 /* of that; -1: none */
};

struct launch;

/* A launcher. Each may take seconds: the system's commands are waited for. */
struct launcher_ops {
	/* Adds jobs for so many engines to launch->jobs; may return before they run. A job
	 * that could be submitted before others failed stays. */
	int (*start)(struct launch *launch, int engines, struct xc_error *err);
	/* Brings launch->jobs up to date. An error means that the system could not be
	 * asked: nothing has changed. */
	int (*poll)(struct launch *launch, struct xc_error *err);
	/* Cancels these jobs, which have not ended. */
	int (*cancel)(struct launch *launch, struct launch_job *const *jobs, int count,
		      struct xc_error *err);
};
extern const struct launcher_ops batch_ops;  /* submit, poll, delete */
extern const struct launcher_ops direct_ops; /* run */

struct launch {
	const struct launcher_ops *ops;
	const struct launch_request *request; /* borrowed */
	const char *dir;		      /* of the cluster; borrowed */
	const char *cluster_id;		      /* borrowed */
	struct template template;	      /* owned */
	struct launch_job *jobs;	      /* owned */
	int count, last_number;
};

/* Finds and reads the launcher of the request. */
int launch_open(struct launch *launch, const struct launch_request *request, const char *cluster_id,
		const char *dir, struct xc_error *err);
void launch_fini(struct launch *launch);

/* A new job, zeroed but for its number; NULL: no memory, or too many. */
struct launch_job *launch_job_add(struct launch *launch, int engines);
/* Takes the last one off again. */
void launch_job_drop(struct launch *launch);
void launch_job_end(struct launch_job *job, const char *why);
/* Forgets the oldest of those that have ended but for so many. */
void launch_forget(struct launch *launch, int keep);

int launch_count(const struct launch *launch, enum launch_job_state state);
int launch_engines(const struct launch *launch, enum launch_job_state state);
/* Cancels all that have not ended. */
int launch_cancel_all(struct launch *launch, struct xc_error *err);

/* The script and the command that job `number` of so many engines would be submitted by,
 * or the command that would be run (*script is then empty). */
int launch_render(const struct launch *launch, int number, int engines, struct text *script,
		  struct text *command, struct xc_error *err);
/* "slurm job #3": what agents of that job say of themselves, as the begin of it. */
#define LAUNCH_INFO_SIZE 96
char *launch_info(const struct launch *launch, int number, char info[LAUNCH_INFO_SIZE]);
/* How many engines the i-th of so many jobs gets. */
int launch_share(int engines, int jobs, int i);

/* "Slurm: job 12 is pending (Resources), job 13 is running"; cut to size. */
void launch_text(const struct launch *launch, char *text, size_t size);
/* [{"id":..., "state": "pending", "engines":..., "reason":...}]; NULL: no memory. */
json_t *launch_json(const struct launch *launch);

/* The jobs in DIR/launcher-jobs.json, so that what a supervisor leaves behind can be
 * cancelled by others. */
int launch_save(const struct launch *launch, struct xc_error *err);
int launch_load(struct launch *launch, struct xc_error *err);

/* poll.c: what a poll command has printed, taken into the jobs. `only` NULL: of all. */
int launch_take_poll(struct launch *launch, const char *output, struct launch_job *only);

/* Seconds of CLOCK_MONOTONIC. */
double launch_now(void);

#endif
