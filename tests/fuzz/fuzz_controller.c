/* fuzz_controller.c: what peers may say, into the controller's handlers. Input is a
 * row of steps: who speaks, a type, and for each field where its value is from. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "controller/controller.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In place of proto/log.c: nobody reads it. */
void log_open(const char *who)
{
	(void)who;
}

void log_line(const char *format, ...)
{
	(void)format;
}

static const struct controller_options options = { .cluster_id = "fuzz" };
static struct state state;
static int connection; /* that all seem to come by */

struct input {
	const uint8_t *data;
	size_t size;
	int peer; /* who speaks */
};

static uint8_t byte(struct input *in)
{
	if (!in->size)
		return 0;
	in->size--;
	return *in->data++;
}

/* In place of libzmq's, as messages are made here. */
int zmq_msg_get(const zmq_msg_t *message, int property)
{
	(void)message;
	return property == ZMQ_SRCFD ? connection : 0;
}

/* ---- Fields ------------------------------------------------------------------------ */

static unsigned char sessions[4][SESSION_SIZE];
static char text[300];

static uint64_t some_u64(struct input *in)
{
	uint8_t b = byte(in);
	uint64_t value = 0;

	if (b < 224)
		return b % 32; /* small numbers meet each other */
	for (int i = 0; i < 8; i++)
		value = value << 8 | byte(in);
	return b < 240 ? value >> 32 : value;
}

static int64_t some_i64(struct input *in)
{
	uint8_t b = byte(in);

	if (b < 200)
		return b % 32;
	return b < 220 ? -(int64_t)(b - 199) : (int64_t)some_u64(in);
}

static double some_f64(struct input *in)
{
	return (double)some_i64(in);
}

static struct span some_str(struct input *in)
{
	uint8_t n = byte(in);

	return (struct span){ text, n < 250 ? n % 4 : n };
}

static struct span some_bin(struct input *in)
{
	uint8_t b = byte(in);

	if (b < 200)
		return (struct span){ sessions[in->peer], SESSION_SIZE };
	if (b < 220)
		return (struct span){ sessions[b % 4], SESSION_SIZE };
	return (struct span){ text, b < 240 ? OBJECT_SIZE : b - 240 };
}

#define FILL(type, name) m.name = some_##type(in);
#define CASE(upper, lower)                                                                         \
	case MSG_##upper: {                                                                        \
		struct msg_##lower m;                                                              \
                                                                                                   \
		FIELDS_##upper(FILL);                                                              \
		return msg_##lower##_pack(header, size, &m);                                       \
	}

static size_t make_header(struct input *in, uint64_t type, void *header, size_t size)
{
	switch (type) {
		MESSAGE_STRUCTS(CASE)
	default:
		return 0;
	}
}

/* ---- Frames ------------------------------------------------------------------------------ */

static void some_runs(struct input *in, zmq_msg_t *frame)
{
	unsigned char bytes[4096];
	size_t used = 0;

	for (int n = byte(in) % 5; n > 0; n--) {
		struct failure_run run = { .first = some_i64(in),
					   .count = some_i64(in),
					   .state = some_u64(in) % 7,
					   .text = some_str(in) };

		if (run.state == 6) {
			run.state = OUTPUT_WHOLE;
			run.count = 1;
		}
		used += failure_run_pack(bytes + used, sizeof bytes - used, &run);
	}
	frame_copy(frame, bytes, used);
}

static void some_frame(struct input *in, zmq_msg_t *frame)
{
	uint64_t words[32];
	uint8_t b = byte(in);

	if (b < 64) {
		some_runs(in, frame);
	} else if (b < 128) { /* targets, or the table of packed items */
		for (int i = 0; i < b % 32; i++)
			words[i] = some_u64(in);
		frame_copy(frame, words, (size_t)(b % 32) * 8);
	} else {
		frame_copy(frame, text, b < 240 ? b % 32 : b);
	}
}

/* ---- Steps --------------------------------------------------------------------------------- */

static void speak(struct input *in)
{
	unsigned char header[HEADER_MAX];
	uint8_t b = byte(in);
	uint64_t type = b % 32 ? b % 32 : MSG_OUTPUT;
	struct message m;
	size_t size;

	in->peer = byte(in) % 4;
	size = make_header(in, type, header, sizeof header);
	message_init(&m);
	zmq_msg_close(&m.route);
	zmq_msg_init_size(&m.route, ROUTE_SIZE);
	route_make(zmq_msg_data(&m.route), "caee"[in->peer], sessions[in->peer]);
	frame_copy(&m.header, header, size);
	m.type = message_type(&m.fields, zmq_msg_data(&m.header), size);
	m.count = m.type ? message_info(m.type)->frames : 0;
	for (int i = 0; i < m.count; i++)
		some_frame(in, &m.frames[i]);
	if (m.type)
		dispatch(&state, &m);
	message_fini(&m);
}

/* Those that are there from the beginning: a client, an agent, two engines. */
static void greet(int peer, const void *header, size_t size)
{
	struct message m;

	message_init(&m);
	zmq_msg_close(&m.route);
	zmq_msg_init_size(&m.route, ROUTE_SIZE);
	route_make(zmq_msg_data(&m.route), "caee"[peer], sessions[peer]);
	frame_copy(&m.header, header, size);
	m.type = message_type(&m.fields, zmq_msg_data(&m.header), size);
	dispatch(&state, &m);
	message_fini(&m);
}

#define GREET(peer, lower, ...)                                                                    \
	do {                                                                                       \
		unsigned char header_[HEADER_MAX];                                                 \
                                                                                                   \
		greet(peer, header_,                                                               \
		      msg_##lower##_pack(                                                          \
			      header_, sizeof header_,                                             \
			      &(struct msg_##lower){ .protocol = PROTOCOL_VERSION,                 \
						     .session = { sessions[peer], SESSION_SIZE },  \
						     __VA_ARGS__ }));                              \
	} while (0)

static void begin(void)
{
	void *context = state.context, *router = state.router;
	int pair[2];

	if (!context) {
		context = zmq_ctx_new();
		router = zmq_socket(context, ZMQ_ROUTER);
		zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &(int){ 1 }, sizeof(int));
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			abort();
		connection = pair[0];
		for (int i = 0; i < 4; i++)
			memset(sessions[i], i + 1, SESSION_SIZE);
		memset(text, 'x', sizeof text);
	}
	memset(&state, 0, sizeof state);
	state.context = context;
	state.router = router;
	state.options = &options;
	state.heartbeat_timeout = 5;
	state.roster_version = state.agents_version = 1;
	state.epoll = state.lock = state.signals.fd = state.lifeline.fd = -1;
	GREET(0, hello_client, .pid = 1);
	GREET(1, hello_agent, .pid = 1, .slots = 3);
	GREET(2, hello_engine, .agent = { sessions[1], SESSION_SIZE }, .slot = 0, .epoch = 1);
	GREET(3, hello_engine, .agent = { sessions[1], SESSION_SIZE }, .slot = 1, .epoch = 1);
}

/* No item more than there are, and none that ended twice. */
static void check(void)
{
	struct client *client;
	struct job *job, *next;

	DL_FOREACH (state.clients, client) {
		HASH_ITER (hh, client->jobs, job, next) {
			if (job->ended < 0 || job->ended > job->items || job->failed < 0 ||
			    job->failed > job->ended || job->remaining.total < 0 ||
			    job->remaining.total > job->items || job->slices < 0)
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .data = data, .size = size };

	begin();
	while (in.size) {
		speak(&in);
		if (byte(&in) % 2) {
			schedule(&state);
			roster_send(&state);
		}
		check();
	}
	everywhere_free(&state);
	peers_free(&state);
	free_spares(&state);
	return 0;
}
