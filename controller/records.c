/* records.c: what there is to know of jobs, for those who ask, and what they order. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/error.h"

static const char *state_word(const struct job *job)
{
	struct job_phase phase = { .is_finished = job_has_ended(job),
				   .is_cancelled = job->cancelled,
				   .is_stopped = job->is_stopped,
				   .has_begun = job->started_ns != 0,
				   .has_failures = job->failed > 0 };

	return job_phase_word(&phase);
}

/* ---- Lists of jobs ----------------------------------------------------------------- */

struct list {
	const struct job **jobs; /* owned */
	size_t count, room;
	uint64_t wall_ns; /* what to add to our clock to have that of the world */
	char label[256], state[32];
	double since, until;
};

static double wall_s(const struct list *list, uint64_t ns)
{
	return ns ? (double)(ns + list->wall_ns) / 1e9 : 0;
}

static bool is_asked_for(const struct list *list, const struct job *job)
{
	double submitted = wall_s(list, job->submitted_ns);

	return (!list->label[0] || fnmatch(list->label, job->label, 0) == 0) &&
	       (!list->state[0] || strcmp(list->state, state_word(job)) == 0) &&
	       submitted >= list->since && (list->until <= 0 || submitted < list->until);
}

static int add(struct list *list, const struct job *job)
{
	const struct job **jobs;
	size_t room;

	if (job->is_purged || !is_asked_for(list, job))
		return 0;
	if (list->count == list->room) {
		room = list->room ? 2 * list->room : 64;
		jobs = realloc(list->jobs, room * sizeof(*jobs));
		if (!jobs)
			return -ENOMEM;
		list->jobs = jobs;
		list->room = room;
	}
	list->jobs[list->count++] = job;
	return 0;
}

static int add_running(struct list *list, struct client *clients)
{
	struct client *client;
	struct job *job, *next;
	int r = 0;

	DL_FOREACH (clients, client) {
		HASH_ITER (hh, client->jobs, job, next) {
			r |= add(list, job);
		}
	}
	return r;
}

static int add_finished(struct list *list, struct job *jobs)
{
	struct job *job;
	int r = 0;

	DL_FOREACH (jobs, job) {
		r |= add(list, job);
	}
	return r;
}

static int newest_first(const void *a, const void *b)
{
	const struct job *x = *(const struct job *const *)a, *y = *(const struct job *const *)b;

	if (x->submitted_ns != y->submitted_ns)
		return x->submitted_ns < y->submitted_ns ? 1 : -1;
	return (x->id < y->id) - (x->id > y->id);
}

static void put_record(struct writer *w, const struct list *list, const struct job *job)
{
	job_record_put(
		w, &(struct job_record){ .owner = job->client->session,
					 .number = job->id,
					 .label = job->label,
					 .client = job->client->name,
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
					 .has_inputs = job->payload != NULL });
}

static int list_frame(const struct list *list, size_t count, zmq_msg_t *frame)
{
	struct writer w;
	unsigned char *bytes = malloc(count * JOB_RECORD_MAX + 1);
	int r;

	if (!bytes)
		return -ENOMEM;
	writer_init(&w, bytes, count * JOB_RECORD_MAX);
	for (size_t i = 0; i < count; i++)
		put_record(&w, list, list->jobs[i]);
	r = w.bad ? -ENOMEM : frame_copy(frame, bytes, w.used);
	free(bytes);
	return r;
}

int answer_send(struct state *state, struct peer *peer, const struct msg_answer *m,
		zmq_msg_t *frame)
{
	unsigned char header[HEADER_MAX];

	return message_send(state->router, peer->route, header,
			    msg_answer_pack(header, sizeof header, m), frame, 1);
}

static void list_init(struct list *list, const struct msg_jobs *m)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	*list = (struct list){ .since = m->since, .until = m->until };
	list->wall_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec - now_ns();
	span_copy(list->label, sizeof list->label, m->label);
	span_copy(list->state, sizeof list->state, m->state);
}

int on_jobs(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_answer answer = { .text = { "", 0 } };
	struct msg_jobs jobs;
	struct list list;
	zmq_msg_t frame;
	size_t count;
	int r = msg_jobs_get(&m->fields, &jobs);

	if (r < 0)
		return r;
	list_init(&list, &jobs);
	r = add_running(&list, state->clients) | add_running(&list, state->departed) |
	    add_finished(&list, state->history.kept) | add_finished(&list, state->history.jobs);
	if (list.count)
		qsort(list.jobs, list.count, sizeof *list.jobs, newest_first);
	count = jobs.max && jobs.max < list.count ? jobs.max : list.count;
	if (r == 0)
		r = list_frame(&list, count, &frame);
	free(list.jobs);
	if (r < 0) {
		zmq_msg_init(&frame);
		count = 0;
		answer.text = span_of("the controller is out of memory");
	}
	answer.id = jobs.id;
	answer.code = r;
	answer.count = count;
	return answer_send(state, peer, &answer, &frame);
}

/* ---- Orders ------------------------------------------------------------------------- */

static uint64_t purge_ended(struct client *clients)
{
	struct client *client;
	struct job *job, *next;
	uint64_t n = 0;

	DL_FOREACH (clients, client) {
		HASH_ITER (hh, client->jobs, job, next) {
			if (!job_has_ended(job) || job->is_purged)
				continue;
			job->is_purged = true;
			n++;
		}
	}
	return n;
}

static uint64_t purge_all(struct state *state)
{
	struct history *h = &state->history;
	uint64_t n = purge_ended(state->clients) + purge_ended(state->departed);

	for (; h->jobs; n++)
		job_free(state, h->jobs);
	for (; h->kept; n++)
		job_free(state, h->kept);
	return n;
}

static int cancel(struct state *state, struct job *job, const struct msg_manage *m,
		  const char **why)
{
	bool is_part = m->index >= 0;

	if (job_has_ended(job)) {
		*why = JOB_HAS_ENDED;
		return -EALREADY;
	}
	if (is_part && (!(job->flags & JOB_APART) || m->index >= job->items)) {
		*why = JOB_NO_ITEM;
		return -ENOENT;
	}
	job_cancel_items(state, job, is_part ? m->index : 0, is_part ? 1 : job->items,
			 m->what == MANAGE_CANCEL_RUNNING ? INTERRUPT_KILL : INTERRUPT_ASK);
	return 1;
}

static int purge(struct state *state, struct job *job, const struct msg_manage *m, const char **why)
{
	if (!job_has_ended(job)) {
		*why = JOB_RUNS;
		return -EBUSY;
	}
	if (m->index >= 0) {
		*why = JOB_TOGETHER;
		return -EINVAL;
	}
	if (job->is_finished)
		job_free(state, job);
	else
		job->is_purged = true;
	return 1;
}

int on_manage(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_answer answer = { .code = -ENOENT };
	const char *why = JOB_UNKNOWN;
	struct msg_manage order;
	struct job *job = NULL;
	zmq_msg_t frame;
	int r = msg_manage_get(&m->fields, &order);

	if (r < 0)
		return r;
	if (order.what > MANAGE_CANCEL_RUNNING)
		return XC_EPROTO;
	r = -ENOENT;
	if (order.what != MANAGE_PURGE_ALL)
		job = job_find(state, order.owner, order.number);
	if (order.what == MANAGE_PURGE_ALL)
		answer.count = purge_all(state);
	else if (job && order.what == MANAGE_PURGE)
		r = purge(state, job, &order, &why);
	else if (job)
		r = cancel(state, job, &order, &why);
	if (order.what == MANAGE_PURGE_ALL || r > 0)
		answer.code = 0;
	else
		answer.code = r;
	if (r > 0)
		answer.count = (uint64_t)r;
	answer.id = order.id;
	answer.text = span_of(answer.code ? why : "");
	zmq_msg_init(&frame);
	return answer_send(state, peer, &answer, &frame);
}
