/* inline_records.c: what there is to know of jobs within the client, and what is ordered
 * of them by their ids. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "libcluster/inline.h"
#include "proto/error.h"

/* ---- Lists ----------------------------------------------------------------------------- */

static const char *state_word(const struct inline_job *job)
{
	struct job_phase phase = { .is_finished = job->is_finished,
				   .is_cancelled = job->cancelled,
				   .is_stopped = job->is_stopped,
				   .has_begun = job->started_ns != 0,
				   .has_failures = job->failed > 0 };

	return job_phase_word(&phase);
}

struct list {
	struct writer w;
	uint64_t wall_ns; /* what to add to our clock to have that of the world */
	char label[256], state[32];
	double since, until;
	uint64_t count, max;
	const unsigned char *owner;
};

static double wall_s(const struct list *list, uint64_t ns)
{
	return ns ? (double)(ns + list->wall_ns) / 1e9 : 0;
}

static bool is_asked_for(const struct list *list, const struct inline_job *job)
{
	double submitted = wall_s(list, job->submitted_ns);

	return list->count < list->max &&
	       (!list->label[0] || fnmatch(list->label, job->label, 0) == 0) &&
	       (!list->state[0] || strcmp(list->state, state_word(job)) == 0) &&
	       submitted >= list->since && (list->until <= 0 || submitted < list->until);
}

static void put_record(struct list *list, const struct inline_job *job)
{
	struct job_record record = { .owner = list->owner,
				     .number = job->id,
				     .label = job->label,
				     .client = program_invocation_short_name,
				     .state = state_word(job),
				     .items = job->items,
				     .ended = job->ended,
				     .failed = job->failed,
				     .priority = job->priority,
				     .submitted = wall_s(list, job->submitted_ns),
				     .started = wall_s(list, job->started_ns),
				     .finished = wall_s(list, job->finished_ns),
				     .result_bytes = job->is_dropped ? 0 : job->result_bytes,
				     .has_results = !job->is_dropped,
				     .has_inputs = job->has_inputs };

	if (!is_asked_for(list, job))
		return;
	job_record_put(&list->w, &record);
	list->count++;
}

static int newest_first(const void *a, const void *b)
{
	const struct inline_job *x = *(struct inline_job *const *)a;
	const struct inline_job *y = *(struct inline_job *const *)b;

	return (x->id < y->id) - (x->id > y->id);
}

/* All that are known, to be freed; NULL when memory is out. */
static struct inline_job **all_jobs(const struct xci_inline *in, size_t *count)
{
	size_t room = HASH_COUNT(in->jobs) + (size_t)in->history_count;
	struct inline_job **list = malloc((room + 1) * sizeof(*list)), *job, *next;

	*count = 0;
	if (!list)
		return NULL;
	HASH_ITER (hh, in->jobs, job, next) {
		list[(*count)++] = job;
	}
	DL_FOREACH (in->history, job) {
		list[(*count)++] = job;
	}
	qsort(list, *count, sizeof(*list), newest_first);
	return list;
}

static int put_jobs(const struct xci_inline *in, struct list *list, zmq_msg_t *frame)
{
	size_t count;
	struct inline_job **jobs = all_jobs(in, &count);
	unsigned char *bytes = jobs ? malloc(count * JOB_RECORD_MAX + 1) : NULL;
	int r = bytes ? 0 : -ENOMEM;

	if (r == 0) {
		writer_init(&list->w, bytes, count * JOB_RECORD_MAX);
		for (size_t i = 0; i < count; i++)
			put_record(list, jobs[i]);
		r = frame_copy(frame, bytes, list->w.used);
	}
	free(bytes);
	free(jobs);
	return r;
}

int inline_on_jobs(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	struct msg_answer m = { .text = { "", 0 } };
	struct list list = { .owner = in->owner };
	struct msg_jobs jobs;
	struct timespec wall;
	zmq_msg_t frame;
	int r = msg_jobs_get(fields, &jobs);

	(void)frames;
	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &wall);
	list.wall_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec - now_ns();
	span_copy(list.label, sizeof list.label, jobs.label);
	span_copy(list.state, sizeof list.state, jobs.state);
	list.since = jobs.since;
	list.until = jobs.until;
	list.max = jobs.max ? jobs.max : UINT64_MAX;
	r = put_jobs(in, &list, &frame);
	if (r < 0)
		return r;
	m.id = jobs.id;
	m.count = list.count;
	return inline_answer(in, &m, &frame);
}

/* ---- Orders ---------------------------------------------------------------------------- */

static int purge_all(struct xci_inline *in)
{
	int n = 0;

	for (; in->history; n++)
		inline_job_free(in, in->history);
	return n;
}

static int cancel(struct xci_inline *in, struct inline_job *job, int64_t index, const char **why)
{
	if (job->is_finished) {
		*why = JOB_HAS_ENDED;
		return -EALREADY;
	}
	if (index >= 0 && (!(job->flags & JOB_APART) || index >= job->items)) {
		*why = JOB_NO_ITEM;
		return -ENOENT;
	}
	inline_job_cancel(in, job, index < 0 ? 0 : index, index < 0 ? job->items : 1);
	return 1;
}

static int purge(struct xci_inline *in, struct inline_job *job, int64_t index, const char **why)
{
	if (!job->is_finished) {
		*why = JOB_RUNS;
		return -EBUSY;
	}
	if (index >= 0) {
		*why = JOB_TOGETHER;
		return -EINVAL;
	}
	inline_job_free(in, job);
	return 1;
}

int inline_on_manage(struct xci_inline *in, struct reader *fields, zmq_msg_t *frames)
{
	const char *why = JOB_UNKNOWN;
	struct msg_answer m = { .code = 0 };
	struct msg_manage order;
	struct inline_job *job;
	zmq_msg_t none;
	int r = msg_manage_get(fields, &order);

	(void)frames;
	if (r < 0)
		return r;
	job = inline_job_find(in, order.owner, order.number);
	if (order.what == MANAGE_PURGE_ALL)
		r = purge_all(in);
	else if (!job)
		r = -ENOENT;
	else if (order.what == MANAGE_PURGE)
		r = purge(in, job, order.index, &why);
	else
		r = cancel(in, job, order.index, &why);
	m.id = order.id;
	m.code = r < 0 ? r : 0;
	m.count = r < 0 ? 0 : (uint64_t)r;
	m.text = span_of(r < 0 ? why : "");
	zmq_msg_init(&none);
	return inline_answer(in, &m, &none);
}
