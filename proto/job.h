/* job.h: what is told and kept of jobs, by a controller or by what stands in for it in
 * a client without a cluster. */
#ifndef PROTO_JOB_H
#define PROTO_JOB_H

#include <stdbool.h>

#include "proto/message.h"
#include "xcluster.h"

#define HISTORY_JOBS  1000		  /* that have ended, unless told otherwise */
#define HISTORY_BYTES (UINT64_C(8) << 20) /* inputs and results of jobs not to be kept */
#define HISTORY_KEPT  (UINT64_C(1) << 30) /* results of those that are, unless told otherwise */

#define JOB_UNKNOWN "the controller knows no such job"
#define JOB_FORGOTTEN                                                                              \
	JOB_UNKNOWN "; it forgets the oldest of those that have ended (xcluster jobs lists what "  \
		    "there is)"
#define JOB_TO_COME   "its client has not submitted it"
#define JOB_NO_IDS    "its items have no ids of their own; give the id without \".%lld\""
#define JOB_FEW_ITEMS "it has only %lld items"
#define JOB_ANY_SIZE                                                                               \
	"its results have no fixed size: give NULL and 0 for out, and see xc_result_item"
#define JOB_SMALL_OUT "its results need %lld * %llu bytes, but out has %llu"
#define JOB_NO_RESULTS                                                                             \
	"its results are not there any more, as they were too many bytes to keep; set "            \
	"options.on_disconnect to XC_DISCONNECT_KEEP for jobs whose results others are to have, "  \
	"and for many of those --kept-limit of xcluster start"
#define JOB_NOT_ENDED "it has not ended; wait for it, or cancel it"
#define JOB_NO_INPUTS                                                                              \
	"its inputs are not there any more, as they were too many bytes to keep; set "             \
	"options.on_disconnect to XC_DISCONNECT_KEEP for jobs that are to be run again"
#define JOB_HAS_ENDED "it has ended already"
#define JOB_NO_ITEM   "it has no item of that number with an id of its own"
#define JOB_RUNS      "it has not ended; cancel it before, or wait for it"
#define JOB_TOGETHER                                                                               \
	"it is one of several that are kept together; give the id without the number after the "   \
	"dot"
#define JOB_NO_ENGINE	   "no engine is left; the last one: %s"
#define JOB_NO_VIEW_ENGINE "no engine of its view is left"
#define ENGINE_WAS_SHUT	   "engine %d was shut down"
#define ENGINE_TIME_ENDS   "engine %d: its host's time ends"

/* An entry of the answer to JOBS. */
struct job_record {
	const unsigned char *owner;
	uint64_t number;
	const char *label, *client, *state;
	int64_t items, ended, failed, priority;
	double submitted, started, finished; /* seconds since 1970; 0: not yet */
	uint64_t result_bytes;
	bool has_results, has_inputs;
};
#define JOB_RECORD_MAX 320 /* bytes */
void job_record_put(struct writer *w, const struct job_record *record);

struct job_phase {
	bool is_finished, is_cancelled;
	bool is_stopped; /* cancelled by its own failure */
	bool has_begun, has_failures;
};
/* "queued" and the like. */
const char *job_phase_word(const struct job_phase *phase);

/* Why an ATTACH for `out`, an enum attach_out, is no call for a job of these flags; NULL:
 * it is one. */
const char *job_other_call(uint64_t flags, uint64_t out, bool again);

/* Engines that an order cannot be for. */
struct bad_targets {
	char list[200];
	size_t used;
	int count;
};
void bad_targets_add(struct bad_targets *bad, uint32_t id);
/* `was_shut`: the last of them. */
int bad_targets_error(const struct bad_targets *bad, bool was_shut, struct xc_error *err);

#endif
