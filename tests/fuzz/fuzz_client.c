/* fuzz_client.c: rosters and results into a client: each message has a byte for its
 * kind, three lengths of two bytes, and its header and frames. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ITEMS 16

static struct xc_client client;
static int64_t out[ITEMS + 2], member_out[ITEMS + 2];

static struct xci_job *add_job(uint64_t id)
{
	struct xci_job *job = calloc(1, sizeof *job);

	job->id = id;
	HASH_ADD(hh, client.jobs, id, sizeof job->id, job);
	return job;
}

static struct xc_result *add_single(uint64_t id, size_t out_size)
{
	struct xc_result *result =
		xci_result_new(&client, ITEMS, out_size ? out + 1 : NULL, out_size);

	result->job = add_job(id);
	result->job->single = result;
	result->output = true;
	return result;
}

static void add_batch(uint64_t id, size_t out_size, struct xc_result **members)
{
	struct xci_job *job = add_job(id);

	job->members = calloc(ITEMS, sizeof *job->members);
	job->count = ITEMS;
	for (int i = 0; i < ITEMS; i++) {
		members[i] =
			xci_result_new(&client, 1, out_size ? member_out + 1 + i : NULL, out_size);
		members[i]->is_single = true;
		members[i]->job = job;
		members[i]->index = i;
		job->members[i] = members[i];
		client.singles++;
	}
}

/* What a stranger says must not count items twice, nor leave any out at the end. */
static void check(const struct xc_result *result)
{
	if (result->failed < 0 || result->done < 0 || result->done > result->items ||
	    result->failed > result->items || (result->is_ready && result->done < result->items))
		abort();
}

static size_t take(const uint8_t *data, size_t size)
{
	size_t length[3], used = 7;
	struct message m;

	message_init(&m);
	for (int i = 0; i < 3; i++) {
		length[i] = data[1 + 2 * i] | (size_t)data[2 + 2 * i] << 8;
		if (length[i] > size - used)
			length[i] = size - used;
		frame_copy(i ? &m.frames[i - 1] : &m.header, data + used, length[i]);
		used += length[i];
	}
	m.count = 2;
	m.type = message_type(&m.fields, zmq_msg_data(&m.header), zmq_msg_size(&m.header));
	if (m.type == MSG_RESULT)
		xci_on_result(&client, &m);
	else if (m.type == MSG_ROSTER)
		xci_on_roster(&client, &m);
	message_fini(&m);
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xc_result *results[3 + 2 * ITEMS];
	int count = 0;

	memset(&client, 0, sizeof client);
	client.pidfd = client.store = client.loop = client.timer = -1;
	client.is_lost = true; /* nothing is sent */
	out[0] = out[ITEMS + 1] = member_out[0] = member_out[ITEMS + 1] = 0x5a5a5a5a;
	results[count++] = add_single(1, 8);
	results[count++] = add_single(2, 0);
	add_batch(3, 8, results + count);
	count += ITEMS;
	add_batch(4, 0, results + count);
	count += ITEMS;
	while (size >= 7) {
		size_t used = take(data, size);

		data += used;
		size -= used;
		for (int i = 0; i < count; i++)
			check(results[i]);
	}
	if (out[0] != 0x5a5a5a5a || out[ITEMS + 1] != 0x5a5a5a5a || member_out[0] != 0x5a5a5a5a ||
	    member_out[ITEMS + 1] != 0x5a5a5a5a)
		abort();
	for (int i = 0; i < count; i++) {
		struct xc_error err;

		xci_result_outcome(results[i], &err);
		for (int64_t k = -1; (k = xc_output_next(results[i], k)) >= 0;) {
			size_t n = 0;
			const char *text = xc_output(results[i], k, &n);

			if (k >= results[i]->items || (text && text[n] != '\0'))
				abort();
		}
		for (int64_t k = 0; k < results[i]->items; k++) {
			size_t n = 0;
			const uint8_t *item = xc_result_item(results[i], k, &n);

			for (size_t at = 0; item && at < n; at += 100)
				if (item[at] == 0 && n == SIZE_MAX)
					abort();
		}
		xc_result_destroy(results[i]);
	}
	while (client.jobs) {
		struct xci_job *job = client.jobs;

		HASH_DEL(client.jobs, job);
		free(job->members);
		free(job);
	}
	xci_roster_free(&client);
	return 0;
}
