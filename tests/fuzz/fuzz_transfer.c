/* fuzz_transfer.c: what the controller and other agents say of objects, to an agent that
 * fetches and gives some. Input is a row of steps: what is said, and of which object, size,
 * offset; some of it as it should be. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OBJECTS 3
#define LIMIT	(5 * PIECE_SIZE)

static const struct agent_options options = { .n = 1 };
static const uint64_t sizes[] = {
	0, 1, PIECE_SIZE, PIECE_SIZE + 5, 3 * PIECE_SIZE, LIMIT + 1, OBJECT_MAX, OBJECT_MAX + 1
};
static unsigned char objects[OBJECTS][OBJECT_SIZE], bytes[PIECE_SIZE + 1];
static struct agent agent;
static struct slot slot;
static void *context, *far;
static int channel;
static uint64_t clock_ns;

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t byte(struct input *in)
{
	if (!in->size)
		return 0;
	in->size--;
	return *in->data++;
}

static struct span some_object(struct input *in)
{
	uint8_t b = byte(in);

	return (struct span){ objects[b % OBJECTS], b < 250 ? OBJECT_SIZE : b - 250 };
}

static uint64_t some_size(struct input *in)
{
	return sizes[byte(in) % (sizeof sizes / sizeof *sizes)];
}

static uint64_t some_offset(struct input *in)
{
	uint8_t b = byte(in);

	return b < 240 ? b % 8 * PIECE_SIZE : b < 250 ? b : UINT64_MAX - b % 4;
}

static void said_of_place(struct input *in)
{
	struct msg_located located = { .object = some_object(in),
				       .size = some_size(in),
				       .kind = byte(in) % 5,
				       .holder = byte(in) % 4 - 1,
				       .host = span_of("east"),
				       .code = -(byte(in) % 3),
				       .text = span_of("why") };

	transfer_located(&agent, &located);
}

static void said_of_piece(struct input *in)
{
	unsigned char header[HEADER_MAX], hash[HASH_SIZE] = { 0 };
	struct msg_piece piece = { .object = some_object(in), .offset = some_offset(in) };
	struct transfer *transfer =
		piece.object.size == OBJECT_SIZE ? transfer_find(&agent, piece.object.data) : NULL;
	uint64_t size;
	uint8_t b = byte(in);
	struct message m;

	piece.size = transfer && b % 8 ? transfer->size : some_size(in);
	piece.peer = transfer && b % 4 ? transfer->holder : b % 3 - 1;
	piece.code = b >= 240 ? -(b % 16) : 0;
	size = piece_size(piece.size, piece.offset);
	if (b % 16 == 5 || size > PIECE_SIZE)
		size = byte(in);
	if (b % 16 != 7)
		piece_hash(bytes, size, hash);
	piece.hash = (struct span){ hash, b % 32 == 9 ? 7 : HASH_SIZE };
	message_init(&m);
	frame_copy(&m.header, header, msg_piece_pack(header, sizeof header, &piece));
	m.type = message_type(&m.fields, zmq_msg_data(&m.header), zmq_msg_size(&m.header));
	frame_copy(&m.frames[0], bytes, size);
	transfer_piece(&agent, NULL, &m);
	message_fini(&m);
}

static void ask(struct input *in)
{
	struct msg_fetch fetch = { .object = some_object(in),
				   .offset = some_offset(in),
				   .peer = byte(in) % 4 };
	struct asker asker = { .offset = fetch.offset, .peer = fetch.peer };

	serve_fetch(&agent, &fetch, &asker);
}

static void engine_asks(struct input *in)
{
	struct channel_packet request = { .code = byte(in) % 2 ? OP_FETCH : OP_RELEASE,
					  .object = some_object(in),
					  .number = byte(in) % 2,
					  .fd = -1 };

	if (channel_send(channel, &request) < 0 || !service_engine(&slot))
		abort();
}

static void take_all(void)
{
	static char buffer[CHANNEL_MAX];
	struct channel_packet reply;
	struct message m;

	while (channel_receive(channel, &reply, buffer, MSG_DONTWAIT) == 1)
		if (reply.fd >= 0)
			close(reply.fd);
	message_init(&m);
	while (message_receive(far, &m, false, false) > 0)
		if (!m.type)
			abort(); /* what we say can be read */
	message_fini(&m);
}

static void check(void)
{
	uint64_t used = 0;
	struct object *object, *next_object;
	struct transfer *transfer, *next;

	HASH_ITER (hh, agent.store.objects, object, next_object) {
		used += object->size;
	}
	HASH_ITER (hh, agent.transfers, transfer, next) {
		uint64_t count = piece_count(transfer->size), got = 0, asked = 0;

		used += transfer->is_located ? transfer->size : 0;
		for (uint64_t i = 0; transfer->is_located && i < count; i++) {
			got += transfer->pieces[i] == PIECE_HERE;
			asked += transfer->pieces[i] == PIECE_ASKED;
		}
		if (got != transfer->got || asked != transfer->asked ||
		    (transfer->is_located && got == count))
			abort();
	}
	if (used != agent.store.used || used > LIMIT)
		abort();
}

static void begin(void)
{
	int pair[2];

	if (!context) {
		context = zmq_ctx_new();
		far = zmq_socket(context, ZMQ_DEALER);
		if (zmq_bind(far, "inproc://controller") < 0)
			abort();
		for (int i = 0; i < OBJECTS; i++)
			memset(objects[i], i + 1, OBJECT_SIZE);
	}
	agent = (struct agent){ .options = &options,
				.epoll = -1,
				.listener.fd = -1,
				.welcomed = true,
				.context = context,
				.slots = &slot };
	slot = (struct slot){ .agent = &agent, .epoch = 1, .arena_fd = -1 };
	store_init(&agent.store, LIMIT);
	objects_init(&agent);
	agent.dealer = zmq_socket(context, ZMQ_DEALER);
	if (zmq_connect(agent.dealer, "inproc://controller") < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	slot.channel.fd = pair[0];
	channel = pair[1];
	clock_ns = now_ns();
}

static void end(void)
{
	transfers_free(&agent);
	links_free(&agent);
	take_all();
	refs_clear(&agent.store, &slot.refs);
	service_fini(&agent);
	if (agent.store.objects || agent.store.used)
		abort(); /* a reference was lost */
	store_fini(&agent.store);
	zmq_close(agent.dealer);
	close(slot.channel.fd);
	close(channel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .data = data, .size = size };

	begin();
	while (in.size) {
		switch (byte(&in) % 8) {
		case 0:
			said_of_place(&in);
			break;
		case 1:
			engine_asks(&in);
			break;
		case 2:
			ask(&in);
			break;
		case 3:
			hold_object(&agent, some_object(&in));
			break;
		case 4:
			drop_object(&agent, some_object(&in));
			break;
		case 5:
			clock_ns += (uint64_t)byte(&in) << 26;
			transfers_tick(&agent, clock_ns);
			break;
		default:
			said_of_piece(&in);
		}
		take_all();
		check();
	}
	end();
	return 0;
}
