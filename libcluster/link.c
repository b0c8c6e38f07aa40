/* link.c: messages between agent and controller that a break must not lose. */
#include "libcluster/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct link_message {
	uint64_t number; /* from 1 */
	zmq_msg_t frames[MESSAGE_FRAMES_MAX];
	int count;
	size_t header_size;
	struct link_message *prev, *next;
	unsigned char header[];
};

static void message_free(struct link_message *message)
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

static int keep(struct link *link, const void *header, size_t header_size, zmq_msg_t *frames,
		int count)
{
	struct link_message *message = malloc(sizeof *message + header_size);

	if (!message)
		return -ENOMEM;
	message->number = ++link->sent;
	message->count = count;
	message->header_size = header_size;
	memcpy(message->header, header, header_size);
	for (int i = 0; i < count; i++) {
		zmq_msg_init(&message->frames[i]);
		zmq_msg_copy(&message->frames[i], &frames[i]);
	}
	DL_APPEND(link->kept, message);
	return 0;
}

int link_send(struct link *link, void *socket, const void *route, const void *header,
	      size_t header_size, zmq_msg_t *frames, int count)
{
	bool counts = link->is_kept && is_counted(header, header_size);
	int r = counts ? keep(link, header, header_size, frames, count) : 0;

	if (r == 0 && !link->is_broken) {
		r = message_send(socket, route, header, header_size, frames, count);
		return counts ? 0 : r; /* if it did not leave, it leaves after the break */
	}
	for (int i = 0; i < count; i++)
		zmq_msg_close(&frames[i]);
	return r;
}

void link_had(struct link *link, uint64_t taken)
{
	if (taken > link->sent)
		return;
	while (link->kept && link->kept->number <= taken) {
		struct link_message *message = link->kept;

		DL_DELETE(link->kept, message);
		message_free(message);
	}
}

void link_resume(struct link *link, void *socket, const void *route, uint64_t taken)
{
	struct link_message *message;

	link->is_broken = false;
	link_had(link, taken);
	DL_FOREACH (link->kept, message) {
		zmq_msg_t frames[MESSAGE_FRAMES_MAX];

		for (int i = 0; i < message->count; i++) {
			zmq_msg_init(&frames[i]);
			zmq_msg_copy(&frames[i], &message->frames[i]);
		}
		message_send(socket, route, message->header, message->header_size, frames,
			     message->count);
	}
}

void link_take(struct link *link, uint64_t type)
{
	link->taken += message_is_counted(type);
}

void link_fini(struct link *link)
{
	struct link_message *message, *next;

	DL_FOREACH_SAFE (link->kept, message, next) {
		message_free(message);
	}
	*link = (struct link){ .is_kept = link->is_kept };
}
