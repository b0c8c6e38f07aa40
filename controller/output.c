/* output.c: what items print, on its way to the client: with their ends, within a
 * limit for each job, and while they run. */
#include "controller/state.h"
#include "proto/error.h"

#define LIVE_HELD_MAX (UINT64_C(2) << 20) /* kept for a client; above, nothing live */

/* N.B. the item at `end` is the one that was running when its engine died. */
bool output_settle(struct slice *slice, struct failure_run *run, int64_t at, int64_t end)
{
	struct job *job = slice->job;

	if (run->state != OUTPUT_WHOLE || !job->client || run->first < at || run->first > end ||
	    run->first >= slice->first + slice->count || run->text.size > OUTPUT_MAX)
		return false;
	run->attempts = (uint64_t)slice->attempt;
	if (job->output_bytes + run->text.size > OUTPUT_JOB_MAX) {
		if (run->code > INT64_MAX - (int64_t)run->text.size)
			return false;
		run->code += (int64_t)run->text.size;
		run->text.size = 0;
	}
	job->output_bytes += run->text.size;
	return true;
}

/* Nothing may overtake the end of items before it, and it comes too late when the
 * item has ended. */
static struct slice *find_running(struct state *state, struct agent *agent,
				  const struct msg_output *output)
{
	struct engine *engine = engine_at(state, agent, output->slot);
	struct slice *slice;

	if (!engine || engine->state != ENGINE_UP || engine->epoch != output->epoch ||
	    engine->last_record != output->record)
		return NULL;
	slice = slice_find(engine, output->slice);
	return slice && output->item >= slice->done && output->item < slice->count ? slice : NULL;
}

int on_output(struct state *state, struct peer *peer, struct message *m)
{
	static unsigned char bytes[OUTPUT_LIVE_MAX + FAILURE_RUN_MAX];
	struct failure_run run = { .count = 1, .state = OUTPUT_LIVE };
	struct msg_output output;
	struct msg_result result;
	zmq_msg_t failures, payload;
	struct slice *slice;
	int r = msg_output_get(&m->fields, &output);

	if (r < 0)
		return r;
	if (zmq_msg_size(&m->frames[0]) > OUTPUT_LIVE_MAX || output.offset < 0)
		return XC_EPROTO;
	slice = find_running(state, peer->is.agent, &output);
	if (!slice || !slice->job->client || slice->job->is_left ||
	    slice->job->client->held_bytes > LIVE_HELD_MAX)
		return 0;
	run.first = slice->first + output.item;
	run.code = output.offset;
	run.attempts = (uint64_t)slice->attempt;
	run.text = (struct span){ zmq_msg_data(&m->frames[0]), zmq_msg_size(&m->frames[0]) };
	result = (struct msg_result){ .job = slice->job->id, .engine = slice->engine->id };
	r = frame_copy(&failures, bytes, failure_run_pack(bytes, sizeof bytes, &run));
	if (r < 0)
		return r;
	zmq_msg_init(&payload);
	outbox_add(state, slice->job->client, &result, &failures, &payload);
	return 0;
}
