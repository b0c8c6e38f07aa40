/* note.c: what the supervisor of a launcher has to say: kept for status, and told to
 * clients, as they may be waiting for engines that are in a queue. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "controller/state.h"
#include "proto/error.h"

#define DETAILS_MAX (4U << 20)
#define COMING_MAX  1000000

static int set(struct state *state, struct client *from, struct span text, uint64_t coming,
	       const void *details, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, details, size);
	copy[size] = '\0';
	free(state->note.details);
	state->note.details = copy;
	state->note.from = from;
	state->note.coming = coming;
	span_copy(state->note.text, sizeof state->note.text, text);
	text_trim(state->note.text);
	state->note.version++;
	notes_send(state);
	return 0;
}

int on_note(struct state *state, struct peer *peer, struct message *m)
{
	struct msg_note note;
	int r = msg_note_get(&m->fields, &note);

	if (r < 0)
		return r;
	if (zmq_msg_size(&m->frames[0]) > DETAILS_MAX || note.coming > COMING_MAX)
		return XC_EPROTO;
	return set(state, peer->is.client, note.text, note.coming, zmq_msg_data(&m->frames[0]),
		   zmq_msg_size(&m->frames[0]));
}

void note_forget(struct state *state, const struct client *client)
{
	if (state->note.from == client)
		set(state, NULL,
		    span_of("the launcher's supervisor has ended; see `xcluster logs`"), 0, "", 0);
}

void notes_send(struct state *state)
{
	struct client *client;

	DL_FOREACH (state->clients, client) {
		unsigned char header[HEADER_MAX];
		struct msg_note note = { .text = span_of(state->note.text),
					 .coming = state->note.coming };
		zmq_msg_t none;

		if (client->note_version == state->note.version)
			continue;
		client->note_version = state->note.version;
		zmq_msg_init(&none);
		message_send(state->router, client->peer->route, header,
			     msg_note_pack(header, sizeof header, &note), &none, 1);
	}
}
