/* job.c: what is told of jobs and engines, whoever tells it. */
#include "proto/job.h"

#include <stdio.h>

#include "proto/error.h"

void job_record_put(struct writer *w, const struct job_record *record)
{
	put_bin(w, (struct span){ record->owner, OWNER_SIZE });
	put_u64(w, record->number);
	put_str(w, span_of(record->label));
	put_str(w, span_of(record->client));
	put_str(w, span_of(record->state));
	put_i64(w, record->items);
	put_i64(w, record->ended);
	put_i64(w, record->failed);
	put_i64(w, record->priority);
	put_f64(w, record->submitted);
	put_f64(w, record->started);
	put_f64(w, record->finished);
	put_u64(w, record->result_bytes);
	put_u64(w, record->has_results);
	put_u64(w, record->has_inputs);
}

const char *job_phase_word(const struct job_phase *phase)
{
	if (!phase->is_finished && phase->is_cancelled)
		return "cancelling";
	if (!phase->is_finished)
		return phase->has_begun ? "running" : "queued";
	if (!phase->has_failures)
		return "done";
	return phase->is_cancelled && !phase->is_stopped ? "cancelled" : "failed";
}

const char *job_other_call(uint64_t flags, uint64_t out, bool again)
{
	bool is_reduced = flags & JOB_REDUCE;

	if (is_reduced && (out == OUT_ARRAY || (again && out == OUT_NOTHING)))
		return "its results are combined: call xc_attach_reduce or xc_resubmit_reduce, "
		       "with the reduction that it was submitted with";
	if (!is_reduced && out == OUT_COMBINED)
		return "its results are not combined: call xc_attach or xc_resubmit";
	return NULL;
}

void bad_targets_add(struct bad_targets *bad, uint32_t id)
{
	size_t room = sizeof bad->list - bad->used;

	if (bad->used < sizeof bad->list - 16)
		bad->used += (size_t)snprintf(bad->list + bad->used, room, "%s%u",
					      bad->count ? ", " : "", id);
	else if (bad->used < sizeof bad->list - 4)
		bad->used += (size_t)snprintf(bad->list + bad->used, room, "...");
	bad->count++;
}

int bad_targets_error(const struct bad_targets *bad, bool was_shut, struct xc_error *err)
{
	if (!bad->count)
		return 0;
	if (bad->count == 1 && was_shut)
		return error_set(err, XC_ENOENGINE, "engine %s was shut down", bad->list);
	return error_set(err, XC_ENOENGINE,
			 "engine%s %s %s not up; xcluster status lists those that are",
			 bad->count == 1 ? "" : "s", bad->list, bad->count == 1 ? "is" : "are");
}
