/* wills.c: what clients leave to be done when they have gone: variables to be cleared, which
 * nobody could clear after the crash of a program. */
#include "controller/state.h"
#include "proto/log.h"

static int parse(zmq_msg_t *frame, struct task_frame *task)
{
	return task_frame_parse(task, zmq_msg_data(frame), zmq_msg_size(frame));
}

/* N.B. of the built-in tasks this one alone, as it ends for certain: nobody is there to cancel
 * it. */
bool will_is_valid(const struct msg_submit *s, zmq_msg_t *frame)
{
	struct task_frame task;

	return s->flags == JOB_WILL && s->pinned && s->items == 0 &&
	       (s->form == FORM_RANGE || s->form == FORM_SAME) && s->in_size == 0 &&
	       zmq_msg_size(frame) <= TASK_FRAME_MAX && parse(frame, &task) == 0 &&
	       task.kind == FUNCTION_BUILTIN && task.number == BUILTIN_SWEEP &&
	       task.form == s->form && task.in_size == 0 && task.name.size > 0 &&
	       task.name.size < 256;
}

void will_keep(struct client *client, zmq_msg_t *task)
{
	if (client->has_will)
		zmq_msg_close(&client->will);
	zmq_msg_init(&client->will);
	zmq_msg_copy(&client->will, task);
	client->has_will = true;
}

/* What the client's tasks still set is set before: an engine runs its slices in the order in
 * which they are sent, and the agent has done what an engine asked for before it starts the
 * next one. An engine that is down finds the variables in its slot's table, and this in its
 * list. */
static void hand_out(struct state *state, zmq_msg_t *will, const char *prefix)
{
	zmq_msg_t none;

	zmq_msg_init(&none);
	for (int i = 0; i < state->engine_count; i++) {
		struct engine *engine = state->engines[i];
		struct job *job;

		if (!engine->has_log || !engine_has_future(engine)) /* it has none at all */
			continue;
		job = job_internal(state, prefix, will, &none);
		if (!job) {
			log_line("out of memory: \"%s*\" of a client that has gone stay on engine "
				 "%d",
				 prefix, engine->id);
			continue;
		}
		job->flags = JOB_WILL;
		pinned_add(state, engine, job, 0, 1, 1, false);
	}
	zmq_msg_close(&none);
}

void will_execute(struct state *state, struct client *client)
{
	struct task_frame task;
	char prefix[256];

	if (!client->has_will)
		return;
	client->has_will = false;
	if (parse(&client->will, &task) == 0) {
		span_copy(prefix, sizeof prefix, task.name);
		hand_out(state, &client->will, prefix);
	}
	zmq_msg_close(&client->will);
}
