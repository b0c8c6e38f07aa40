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
static int connection, network; /* that all seem to come by, and the agent of another host */
static bool is_remote;		/* who speaks now */

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
	return property != ZMQ_SRCFD ? 0 : is_remote ? network : connection;
}

const char *zmq_msg_gets(const zmq_msg_t *message, const char *property)
{
	(void)message;
	return is_remote && strcmp(property, CERTIFICATE_ROLE) == 0 ? "engine" : NULL;
}

/* ---- Fields ------------------------------------------------------------------------ */

#define PEERS  6 /* a client, an agent, two engines, another client, an agent elsewhere */
#define REMOTE 5

static const char letters[PEERS + 1] = "caeeca";
static unsigned char remote_route; /* it comes back by others */

static unsigned char sessions[PEERS][SESSION_SIZE];
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
	if (b < 230)
		return (struct span){ sessions[b % PEERS], OWNER_SIZE };
	return (struct span){ text, b < 240 ? OBJECT_SIZE : b - 240 };
}

/* Most of what depends on what was said before is as it should be. */
static uint64_t named_u64(struct input *in, const char *name, uint64_t value)
{
	struct engine *engine = state.engines[in->peer == 3];
	struct client *client = state.clients;

	if (in->size % 16 == 0)
		return value;
	if (in->peer == 4 && client)
		client = client->next;
	if (strcmp(name, "seq") == 0 && client && (in->peer == 0 || in->peer == 4))
		return client->received + 1;
	if (strcmp(name, "job") == 0 || strcmp(name, "number") == 0)
		return value % 16;
	if (strcmp(name, "pinned") == 0)
		return value % 4 == 1;
	if (strcmp(name, "flags") == 0 && value == 31)
		return JOB_WILL;
	if (strcmp(name, "flags") == 0)
		return (value & 19) | (in->size & (JOB_KEEP | JOB_APART));
	if (strcmp(name, "protocol") == 0)
		return PROTOCOL_VERSION;
	if (strcmp(name, "slot") == 0 && in->peer > 1)
		return in->peer - 2u;
	if (strcmp(name, "restarting") == 0)
		return value % 8 != 0;
	if (strcmp(name, "out") == 0 || strcmp(name, "again") == 0)
		return value % 4 == 1 ? 1 : value % 16 == 2 ? 2 : 0;
	if (strcmp(name, "record") == 0)
		return engine->last_record + 1;
	if (strcmp(name, "epoch") == 0)
		return engine->epoch + (value > 24);
	if (strcmp(name, "slice") == 0 && engine->slices)
		return value % 4 ? engine->slices->number : engine->slices->prev->number;
	return strcmp(name, "form") == 0 ? FORM_RANGE : value;
}

static int64_t named_i64(struct input *in, const char *name, int64_t value)
{
	struct engine *engine = state.engines[in->peer == 3];

	if (strcmp(name, "index") == 0 && value % 4)
		return -1;
	if (in->size % 16 == 0 || in->peer < 2 || in->peer == 4 || !engine->slices)
		return value;
	if (strcmp(name, "first") == 0)
		return engine->slices->done;
	if (strcmp(name, "count") == 0)
		return value % 2 ? engine->slices->count - engine->slices->done : value % 4;
	return value;
}

static double named_f64(struct input *in, const char *name, double value)
{
	(void)in, (void)name;
	return value < 0 ? 1 : value;
}

static struct span named_str(struct input *in, const char *name, struct span value)
{
	(void)in, (void)name;
	return value;
}

static struct span named_bin(struct input *in, const char *name, struct span value)
{
	if (in->size % 16 == 0)
		return value;
	if (strcmp(name, "object") == 0)
		return (struct span){ text, value.size % 3 ? OBJECT_SIZE : 0 };
	if (strcmp(name, "agent") == 0)
		return (struct span){ sessions[1], SESSION_SIZE };
	if (strcmp(name, "owner") == 0)
		return (struct span){ sessions[in->size % 2 ? 0 : 4], OWNER_SIZE };
	return value;
}

#define FILL(type, name) m.name = named_##type(in, #name, some_##type(in));
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

static void some_task_frame(struct input *in, zmq_msg_t *frame)
{
	struct task_frame sweep = { .number = BUILTIN_SWEEP, .step = 1, .name = { text, 3 } };
	unsigned char bytes[TASK_FRAME_MAX];

	if (in->size && *in->data < 250)
		some_frame(in, frame);
	else
		frame_copy(frame, bytes,
			   task_frame_pack(bytes, byte(in) ? sizeof bytes : 0, &sweep));
}

/* Of a job: a few targets, or none; and no payload. */
static void some_job_frame(struct input *in, int i, zmq_msg_t *frame)
{
	uint32_t ids[3] = { 0, 1, 2 };

	if (in->size % 16 == 0)
		some_frame(in, frame);
	else
		frame_copy(frame, ids, i == 1 ? 4 * (size_t)(byte(in) / 64) : 0);
}

/* ---- Steps --------------------------------------------------------------------------------- */

static void make_route(struct message *m, int peer)
{
	unsigned char *route = zmq_msg_data(&m->route);

	route_make(route, letters[peer], sessions[peer]);
	is_remote = peer == REMOTE;
	if (is_remote)
		route[ROUTE_SIZE - 1] = (unsigned char)(128 + remote_route);
}

static void speak(struct input *in)
{
	unsigned char header[HEADER_MAX];
	uint8_t b = byte(in);
	uint64_t type = b >= 224 ? b - 192 : b % 32 ? b % 32 : MSG_OUTPUT;
	struct message m;
	size_t size;

	if ((type == MSG_BYE || type == MSG_SHUT) && in->size % 8)
		type = MSG_ACK; /* or soon nobody is there */
	b = byte(in);
	in->peer = b < 200 ? b % 4 : b < 240 ? 4 : REMOTE;
	if (in->peer == REMOTE && type == MSG_HELLO_AGENT)
		remote_route = (unsigned char)(in->size % 4);
	size = make_header(in, type, header, sizeof header);
	message_init(&m);
	zmq_msg_close(&m.route);
	zmq_msg_init_size(&m.route, ROUTE_SIZE);
	make_route(&m, in->peer);
	frame_copy(&m.header, header, size);
	m.type = message_type(&m.fields, zmq_msg_data(&m.header), size);
	m.count = m.type ? message_info(m.type)->frames : 0;
	for (int i = 0; i < m.count; i++)
		if (m.type == MSG_SUBMIT && i > 0)
			some_job_frame(in, i, &m.frames[i]);
		else if (m.type == MSG_SUBMIT)
			some_task_frame(in, &m.frames[i]);
		else
			some_frame(in, &m.frames[i]);
	if (m.type)
		dispatch(&state, &m);
	is_remote = false;
	message_fini(&m);
}

/* Those that are there from the beginning. */
static void greet(int peer, const void *header, size_t size)
{
	struct message m;

	message_init(&m);
	zmq_msg_close(&m.route);
	zmq_msg_init_size(&m.route, ROUTE_SIZE);
	make_route(&m, peer);
	frame_copy(&m.header, header, size);
	m.type = message_type(&m.fields, zmq_msg_data(&m.header), size);
	dispatch(&state, &m);
	is_remote = false;
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
		network = socket(AF_INET, SOCK_STREAM, 0);
		for (int i = 0; i < PEERS; i++)
			memset(sessions[i], i + 1, SESSION_SIZE);
		memset(text, 'x', sizeof text);
	}
	memset(&state, 0, sizeof state);
	state.context = context;
	state.router = router;
	state.options = &options;
	state.has_network = true;
	remote_route = 0;
	strcpy(state.connection.dir, "/nonexistent"); /* logs cannot be written */
	state.heartbeat_timeout = 5;
	state.roster_version = state.agents_version = 1;
	state.epoll = state.lock = state.signals.fd = state.lifeline.fd = -1;
	state.history.max = 4;
	state.history.kept_max = 8192;
	GREET(0, hello_client, .pid = 1);
	GREET(4, hello_client, .pid = 1);
	GREET(1, hello_agent, .pid = 1, .slots = 3);
	GREET(2, hello_engine, .agent = { sessions[1], SESSION_SIZE }, .slot = 0, .epoch = 1);
	GREET(3, hello_engine, .agent = { sessions[1], SESSION_SIZE }, .slot = 1, .epoch = 1);
	GREET(REMOTE, hello_agent, .pid = 1, .slots = 2);
}

static void insist(bool holds)
{
	if (!holds)
		abort();
}

/* What is counted of a job, counted anew. */
static void check_job(const struct job *job, uint64_t *cost)
{
	int slices = 0, queued = 0;
	int64_t unacked = 0;
	struct client *client;

	for (int i = 0; i < state.engine_count; i++) {
		struct pinned *pinned;
		struct slice *slice;

		DL_FOREACH (state.engines[i]->slices, slice) {
			slices += slice->job == job;
		}
		DL_FOREACH (state.engines[i]->pinned, pinned) {
			queued += pinned->job == job;
		}
	}
	DL_FOREACH (state.clients, client) {
		struct parcel *parcel;

		DL_FOREACH (client->parcels, parcel) {
			unacked += parcel->job == job;
		}
	}
	insist(job->slices == slices && job->queued == queued && job->unacked == unacked);
	cost[(job->flags & JOB_KEEP) != 0] += job->cost;
}

/* No item more than there are, and none that ended twice. */
static void check_running(struct client *client, uint64_t *cost)
{
	struct parcel *parcel;
	struct job *job, *next;
	uint64_t inputs = 0, held = 0;

	HASH_ITER (hh, client->jobs, job, next) {
		insist(job->ended >= 0 && job->ended <= job->items && job->failed >= 0 &&
		       job->failed <= job->ended && job->remaining.total >= 0 &&
		       job->remaining.total <= job->items - job->ended);
		insist(job->slices > 0 || job->queued > 0 || job->remaining.total > 0 ||
		       job->reruns); /* or it never ends */
		insist(!job->cancelled || (!job->remaining.total && !job->reruns));
		inputs += zmq_msg_size(&job->payload->message);
		check_job(job, cost);
	}
	DL_FOREACH (client->parcels, parcel) {
		held += parcel->bytes;
	}
	insist(client->input_bytes == inputs && client->held_bytes == held);
}

static void check(void)
{
	uint64_t cost[2] = { 0, 0 };
	int count = 0, takes = 0;
	struct client *client;
	struct slice *slice;
	struct job *job;

	DL_FOREACH (state.clients, client) {
		check_running(client, cost);
	}
	DL_FOREACH (state.departed, client) {
		check_running(client, cost);
	}
	DL_FOREACH (state.history.jobs, job) {
		insist(job->ended == job->items);
		check_job(job, cost);
		count++;
	}
	DL_FOREACH (state.history.kept, job) {
		check_job(job, cost);
	}
	for (int i = 0; i < state.engine_count; i++) {
		DL_FOREACH (state.engines[i]->slices, slice) {
			takes += slice->take_pending;
		}
	}
	insist(state.history.count == count && count <= state.history.max);
	insist(state.history.bytes == cost[0] && state.history.kept_bytes == cost[1]);
	insist(state.takes_pending == takes);
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
