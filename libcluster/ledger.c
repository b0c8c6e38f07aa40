/* ledger.c: messages between agent and controller that a break must not lose. */
#include "libcluster/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct ledger_message {
	uint64_t number; /* from 1 */
	zmq_msg_t frames[MESSAGE_FRAMES_MAX];
	int count;
	size_t header_size;
	struct ledger_message *prev, *next;
	unsigned char header[];
};

static void message_free(struct ledger_message *message)
{
	for (int i = 0; i < message->count; i++)
		zmq_msg_close(&message->frames[i]);
	free(message);
}

static bool is_counted(const void *header, size_t size)
{
	struct reader fields;

	return message_is_counted(message_type(&fields, header, size));
}

static int keep(struct ledger *ledger, const void *header, size_t header_size, zmq_msg_t *frames,
		int count)
{
	struct ledger_message *message = malloc(sizeof *message + header_size);

	if (!message)
		return -ENOMEM;
	message->number = ++ledger->sent;
	message->count = count;
	message->header_size = header_size;
	memcpy(message->header, header, header_size);
	for (int i = 0; i < count; i++) {
		zmq_msg_init(&message->frames[i]);
		zmq_msg_copy(&message->frames[i], &frames[i]);
	}
	DL_APPEND(ledger->kept, message);
	return 0;
}

int ledger_send(struct ledger *ledger, void *socket, const void *route, const void *header,
		size_t header_size, zmq_msg_t *frames, int count)
{
	bool counts = ledger->is_kept && is_counted(header, header_size);
	int r = counts ? keep(ledger, header, header_size, frames, count) : 0;

	if (r == 0 && !ledger->is_broken) {
		r = message_send(socket, route, header, header_size, frames, count);
		return counts ? 0 : r; /* if it did not leave, it leaves after the break */
	}
	for (int i = 0; i < count; i++)
		zmq_msg_close(&frames[i]);
	return r;
}

void ledger_had(struct ledger *ledger, uint64_t taken)
{
	if (taken > ledger->sent)
		return;
	while (ledger->kept && ledger->kept->number <= taken) {
		struct ledger_message *message = ledger->kept;

		DL_DELETE(ledger->kept, message);
		message_free(message);
	}
}

void ledger_resume(struct ledger *ledger, void *socket, const void *route, uint64_t taken)
{
	struct ledger_message *message;

	ledger->is_broken = false;
	ledger_had(ledger, taken);
	DL_FOREACH (ledger->kept, message) {
		zmq_msg_t frames[MESSAGE_FRAMES_MAX];

		for (int i = 0; i < message->count; i++) {
			zmq_msg_init(&frames[i]);
			zmq_msg_copy(&frames[i], &message->frames[i]);
		}
		message_send(socket, route, message->header, message->header_size, frames,
			     message->count);
	}
}

void ledger_take(struct ledger *ledger, uint64_t type)
{
	ledger->taken += message_is_counted(type);
}

void ledger_fini(struct ledger *ledger)
{
	struct ledger_message *message, *next;

	DL_FOREACH_SAFE (ledger->kept, message, next) {
		message_free(message);
	}
	*ledger = (struct ledger){ .is_kept = ledger->is_kept };
}
