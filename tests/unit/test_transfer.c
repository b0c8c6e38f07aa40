/* test_transfer.c: objects on their way to and from other hosts, without a network: what the
 * agent asks for, takes, refuses, and gives. And its data port, on the loopback interface. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "engine/runner.h"
#include "engine/transfer.h"
#include "tests/unit/rig.h"
#include "tests/unit/unit.h"

#include "engine/dataport.c"

#define SIZE   (2 * PIECE_SIZE + 100000)
#define PIECES 3

static const unsigned char object[OBJECT_SIZE] = { 7 };
static const struct span id = { object, OBJECT_SIZE };
static unsigned char bytes[SIZE], damaged[SIZE];

static void begin(void)
{
	rig_open();
	rig.agent.welcomed = true;
	objects_init(&rig.agent);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 1000);
	memcpy(damaged, bytes, SIZE);
	damaged[5] ^= 1;
}

static void end(void)
{
	transfers_free(&rig.agent);
	links_free(&rig.agent);
	dataport_fini(&rig.agent);
	rig_close();
}

/* ---- What the controller and the holders say --------------------------------------------- */

static int be_located(uint64_t kind, int64_t holder, uint64_t size)
{
	return transfer_located(&rig.agent,
				&(struct msg_located){ .object = id,
						       .size = size,
						       .kind = kind,
						       .holder = holder,
						       .host = span_of("east"),
						       .code = kind ? 0 : -ENOENT,
						       .text = span_of(kind ? "" : "lost") });
}

static int give(const struct msg_piece *piece, const void *data, size_t size)
{
	unsigned char header[HEADER_MAX];
	struct message m;
	int r;

	message_init(&m);
	frame_copy(&m.header, header, msg_piece_pack(header, sizeof header, piece));
	m.type = message_type(&m.fields, zmq_msg_data(&m.header), zmq_msg_size(&m.header));
	frame_copy(&m.frames[0], data, size);
	r = transfer_piece(&rig.agent, NULL, &m);
	message_fini(&m);
	return r;
}

/* Piece `i` from a holder, made of `from`, with the hash of what was put. */
static int give_of(const unsigned char *from, uint64_t i, int64_t holder)
{
	uint64_t offset = i * PIECE_SIZE, size = piece_size(SIZE, offset);
	unsigned char hash[HASH_SIZE];

	piece_hash(bytes + offset, size, hash);
	return give(&(struct msg_piece){ .object = id,
					 .offset = offset,
					 .size = SIZE,
					 .hash = { hash, HASH_SIZE },
					 .peer = holder },
		    from + offset, size);
}

static int give_code(int64_t holder, int code)
{
	return give(&(struct msg_piece){ .object = id, .peer = holder, .code = code }, "", 0);
}

static void expect_fetches(int64_t holder, uint64_t first, uint64_t end_)
{
	for (uint64_t i = first; i < end_; i++) {
		struct msg_fetch fetch = RIG_EXPECT(from_agent, FETCH, fetch);

		ck_assert_uint_eq(fetch.offset, i * PIECE_SIZE);
		ck_assert_int_eq(fetch.peer, holder);
	}
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
}

static void expect_locate(int64_t avoid)
{
	ck_assert_int_eq(RIG_EXPECT(from_agent, LOCATE, locate).avoid, avoid);
}

/* ---- An engine that waits ----------------------------------------------------------------- */

static char buffer[CHANNEL_MAX];
static struct channel_packet reply;

static void engine_asks(void)
{
	struct channel_packet request = { .code = OP_FETCH, .object = id, .fd = -1 };

	ck_assert_int_eq(channel_send(rig.engine->channel, &request), 0);
	ck_assert(service_engine(&rig.slot));
}

static bool engine_has_reply(void)
{
	return channel_receive(rig.engine->channel, &reply, buffer, MSG_DONTWAIT) == 1;
}

/* It has asked, and pieces are asked for from agent 4. */
static void begin_transfer(void)
{
	engine_asks();
	expect_locate(-1);
	ck_assert_int_eq(be_located(HOLDER_AGENT, 4, SIZE), 0);
	expect_fetches(4, 0, PIECES);
}

static struct transfer *transfer(void)
{
	return transfer_find(&rig.agent, object);
}

/* ---- Fetching ----------------------------------------------------------------------------- */

START_TEST(test_whole)
{
	unsigned char copy[SIZE];

	begin_transfer();
	engine_asks(); /* another one: no second transfer */
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
	ck_assert_uint_eq(rig.agent.store.used, SIZE);
	give_of(bytes, 2, 4);
	give_of(bytes, 0, 4);
	give_of(bytes, 0, 4); /* once more */
	ck_assert(!engine_has_reply());
	give_of(bytes, 1, 4);
	ck_assert_ptr_null(transfer());
	ck_assert_uint_eq(RIG_EXPECT(from_agent, STORED, stored).size, SIZE);
	for (int i = 0; i < 2; i++) {
		ck_assert(engine_has_reply());
		ck_assert_int_eq(reply.code, 0);
		ck_assert_uint_eq(reply.number, SIZE);
		ck_assert_int_eq(pread(reply.fd, copy, SIZE, 0), SIZE);
		ck_assert_mem_eq(copy, bytes, SIZE);
		close(reply.fd);
	}
	ck_assert_uint_eq(rig.agent.store.used, SIZE);
	ck_assert_int_eq(store_find(&rig.agent.store, object)->refs, 2); /* the slot's */
	ck_assert_ptr_null(rig.agent.holds);
}
END_TEST

START_TEST(test_window)
{
	uint64_t count = 2 * PIECES_RELAYED;

	rig.agent.store.limit = 1 << 30;
	engine_asks();
	expect_locate(-1);
	be_located(HOLDER_AGENT, 4, count * PIECE_SIZE);
	expect_fetches(4, 0, PIECES_RELAYED);
}
END_TEST

START_TEST(test_empty_object)
{
	engine_asks();
	expect_locate(-1);
	be_located(HOLDER_CLIENT, -1, 0);
	ck_assert(engine_has_reply());
	ck_assert_int_eq(reply.code, 0);
	close(reply.fd);
}
END_TEST

START_TEST(test_no_pieces)
{
	static const struct span no_hash = { "", 0 };
	unsigned char hash[HASH_SIZE] = { 0 };
	struct msg_piece piece = {
		.object = id, .size = SIZE, .hash = { hash, HASH_SIZE }, .peer = 4
	};

	begin_transfer();
	piece.offset = 1;
	ck_assert_int_eq(give(&piece, bytes, PIECE_SIZE), XC_EPROTO);
	piece.offset = 3 * PIECE_SIZE;
	ck_assert_int_eq(give(&piece, bytes, 1), XC_EPROTO);
	piece.offset = UINT64_MAX / PIECE_SIZE * PIECE_SIZE;
	ck_assert_int_eq(give(&piece, bytes, 1), XC_EPROTO);
	piece.offset = 0;
	ck_assert_int_eq(give(&piece, bytes, PIECE_SIZE - 1), XC_EPROTO);
	ck_assert_int_eq(give(&piece, bytes, PIECE_SIZE + 1), XC_EPROTO);
	piece.size = SIZE + 1;
	ck_assert_int_eq(give(&piece, bytes, PIECE_SIZE), XC_EPROTO);
	piece.size = SIZE;
	piece.hash = no_hash;
	ck_assert_int_eq(give(&piece, bytes, PIECE_SIZE), XC_EPROTO);
	piece.hash = (struct span){ hash, HASH_SIZE };
	piece.object.size = 31;
	ck_assert_int_eq(give(&piece, bytes, PIECE_SIZE), XC_EPROTO);
	ck_assert_uint_eq(transfer()->got, 0);
	ck_assert_int_eq(
		transfer_located(&rig.agent,
				 &(struct msg_located){ .object = { object, 3 }, .kind = 2 }),
		XC_EPROTO);
	ck_assert_int_eq(be_located(HOLDER_HOST + 1, 1, 5), XC_EPROTO);
	ck_assert_int_eq(be_located(HOLDER_AGENT, 1, OBJECT_MAX + 1), XC_EPROTO);
}
END_TEST

START_TEST(test_damaged)
{
	begin_transfer();
	give_of(bytes, 1, 4);
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
	give_of(damaged, 0, 4);
	expect_locate(4);
	ck_assert_uint_eq(transfer()->got, 1);
	be_located(HOLDER_AGENT, 5, SIZE);
	ck_assert_uint_eq(RIG_EXPECT(from_agent, FETCH, fetch).offset, 0);
	ck_assert_uint_eq(RIG_EXPECT(from_agent, FETCH, fetch).offset, 2 * PIECE_SIZE);
	give_of(bytes, 0, 5);
	give_of(bytes, 2, 5);
	ck_assert(engine_has_reply());
	ck_assert_int_eq(reply.code, 0);
	close(reply.fd);
}
END_TEST

/* From wherever it comes: then it is not the way. */
START_TEST(test_damaged_always)
{
	begin_transfer();
	for (int i = 0; i < DAMAGED_MAX; i++) {
		ck_assert(!engine_has_reply());
		give_of(damaged, 0, 4 + i);
		be_located(HOLDER_AGENT, 5 + i, SIZE);
	}
	ck_assert(engine_has_reply());
	ck_assert_int_eq(reply.code, XC_EPROTO);
	ck_assert_ptr_nonnull(strstr(reply.text.data, "damaged from host east"));
	ck_assert_uint_eq(rig.agent.store.used, SIZE); /* of the transfer that began anew */
}
END_TEST

START_TEST(test_silence)
{
	uint64_t now = now_ns();

	begin_transfer();
	give_of(bytes, 0, 4);
	transfers_tick(&rig.agent, now + SILENCE_NS / 2);
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
	transfers_tick(&rig.agent, now + SILENCE_NS + PATIENCE_NS);
	expect_locate(4);
	be_located(HOLDER_AGENT, 4, SIZE); /* it alone has it: what is there is not asked for */
	expect_fetches(4, 1, PIECES);
}
END_TEST

START_TEST(test_gives_up)
{
	uint64_t now = now_ns();

	begin_transfer();
	for (uint64_t s = 1; s <= STALLED_NS / 1000000000 + 1; s++) {
		give_code(4, -EAGAIN); /* it is still to come: this may last */
		transfer()->heard_ns = now + s * 1000000000;
		transfers_tick(&rig.agent, now + s * 1000000000);
	}
	ck_assert_ptr_nonnull(transfer());
	transfer()->heard_ns = now + 2 * STALLED_NS + 5000000000;
	transfers_tick(&rig.agent, transfer()->heard_ns);
	ck_assert_ptr_null(transfer());
	ck_assert(engine_has_reply());
	ck_assert_int_eq(reply.code, -ETIMEDOUT);
	ck_assert_uint_eq(rig.agent.store.used, 0);
}
END_TEST

START_TEST(test_refused_by_holders)
{
	begin_transfer();
	for (int i = 1; i < REFUSALS_MAX; i++) {
		give_code(4, -ENOENT);
		be_located(HOLDER_AGENT, 4, SIZE);
	}
	ck_assert(!engine_has_reply());
	give_code(4, -ENOENT);
	ck_assert(engine_has_reply());
	ck_assert_int_eq(reply.code, -ENOENT);
}
END_TEST

/* What a holder that was given up sends late counts, what it does not send does not. */
START_TEST(test_late_words)
{
	begin_transfer();
	give_code(4, -ENOENT);
	expect_locate(4);
	give_code(4, -ENOENT);
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
	give_of(bytes, 0, 4);
	ck_assert_uint_eq(transfer()->got, 1);
	be_located(HOLDER_AGENT, 5, SIZE);
	expect_fetches(5, 1, PIECES);
	give_code(4, -ENOENT);
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
}
END_TEST

START_TEST(test_nobody_has_it)
{
	engine_asks();
	expect_locate(-1);
	be_located(HOLDER_NONE, -1, 0);
	ck_assert(engine_has_reply());
	ck_assert_int_eq(reply.code, -ENOENT);
	ck_assert_mem_eq(reply.text.data, "lost", 4);
}
END_TEST

START_TEST(test_other_agent_of_the_host)
{
	engine_asks();
	expect_locate(-1);
	be_located(HOLDER_HOST, 2, SIZE);
	ck_assert(engine_has_reply());
	ck_assert_int_eq(reply.code, FETCH_FROM_HOST);
}
END_TEST

START_TEST(test_no_room)
{
	struct msg_freed freed;

	rig.agent.store.limit = SIZE - 1;
	engine_asks();
	expect_locate(-1);
	be_located(HOLDER_AGENT, 4, SIZE);
	freed = RIG_EXPECT(from_agent, FREED, freed);
	ck_assert_int_eq(freed.code, XC_ESTORE);
	ck_assert(engine_has_reply());
	ck_assert_int_eq(reply.code, XC_ESTORE);
	ck_assert_uint_eq(rig.agent.store.used, 0);
}
END_TEST

/* The controller wants it here: without an engine. */
START_TEST(test_held)
{
	be_located(HOLDER_CLIENT, -1, SIZE);
	hold_object(&rig.agent, id);
	expect_fetches(-1, 0, PIECES);
	for (uint64_t i = 0; i < PIECES; i++)
		give_of(bytes, i, -1);
	ck_assert_ptr_nonnull(store_find(&rig.agent.store, object));
	drop_object(&rig.agent, id);
	ck_assert_ptr_null(store_find(&rig.agent.store, object));
	RIG_EXPECT(from_agent, STORED, stored);
	ck_assert_int_eq(RIG_EXPECT(from_agent, FREED, freed).code, 0);
}
END_TEST

START_TEST(test_unwanted)
{
	uint64_t now = now_ns();

	be_located(HOLDER_CLIENT, -1, SIZE);
	hold_object(&rig.agent, id);
	transfers_tick(&rig.agent, now + 2 * PATIENCE_NS);
	expect_fetches(-1, 0, PIECES);
	drop_object(&rig.agent, id);
	give_of(bytes, 0, -1);
	transfers_tick(&rig.agent, now + 4 * PATIENCE_NS);
	ck_assert_ptr_null(transfer());
	ck_assert_int_lt(RIG_EXPECT(from_agent, FREED, freed).code, 0);
	ck_assert_uint_eq(rig.agent.store.used, 0);
}
END_TEST

START_TEST(test_engine_dies)
{
	begin_transfer();
	service_forget(&rig.agent, rig.slot.channel.fd);
	for (uint64_t i = 0; i < PIECES; i++)
		give_of(bytes, i, 4);
	ck_assert_ptr_null(store_find(&rig.agent.store, object)); /* nobody was left to want it */
	ck_assert(!engine_has_reply());
}
END_TEST

START_TEST(test_welcome_again)
{
	engine_asks();
	expect_locate(-1);
	objects_tell(&rig.agent);
	expect_locate(-1);
}
END_TEST

/* ---- Giving ------------------------------------------------------------------------------- */

static void ask(uint64_t offset)
{
	struct asker asker = { .peer = 9, .offset = offset };

	serve_fetch(&rig.agent, &(struct msg_fetch){ .object = id, .offset = offset, .peer = 9 },
		    &asker);
}

static void expect_piece(uint64_t i)
{
	uint64_t offset = i * PIECE_SIZE, size = piece_size(SIZE, offset);
	struct msg_piece piece = RIG_EXPECT(from_agent, PIECE, piece);
	unsigned char hash[HASH_SIZE];

	ck_assert_int_eq(piece.code, 0);
	ck_assert_int_eq(piece.peer, 9);
	ck_assert_uint_eq(piece.offset, offset);
	ck_assert_uint_eq(piece.size, SIZE);
	ck_assert_uint_eq(rig_frame_size(0), size);
	ck_assert_mem_eq(rig_frame(0), bytes + offset, size);
	piece_hash(bytes + offset, size, hash);
	ck_assert_mem_eq(piece.hash.data, hash, HASH_SIZE);
}

static void expect_code(int code)
{
	struct msg_piece piece = RIG_EXPECT(from_agent, PIECE, piece);

	ck_assert_int_eq(piece.code, code);
	ck_assert_uint_eq(rig_frame_size(0), 0);
}

START_TEST(test_gives_what_it_has)
{
	struct object *stored = NULL;

	store_put(&rig.agent.store, object, rig_memfd(bytes, SIZE), SIZE, false, &stored, NULL);
	RIG_EXPECT(from_agent, STORED, stored);
	for (uint64_t i = 0; i < PIECES; i++) {
		ask(i * PIECE_SIZE);
		expect_piece(i);
	}
	ask(PIECES * PIECE_SIZE);
	expect_code(-ENOENT);
	ask(5);
	expect_code(-ENOENT);
	/* It goes while a message with its bytes is on the way. */
	ask(0);
	object_unref(&rig.agent.store, stored);
	expect_piece(0);
	RIG_EXPECT(from_agent, FREED, freed);
	ask(0);
	expect_code(-ENOENT);
}
END_TEST

START_TEST(test_gives_what_is_still_coming)
{
	begin_transfer();
	ask(PIECE_SIZE);
	expect_code(-EAGAIN);
	give_of(bytes, 0, 4);
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
	ask(0);
	expect_piece(0);
	transfers_tick(&rig.agent, now_ns() + PATIENCE_NS + 1);
	expect_code(-EAGAIN); /* who waits is not forgotten */
	give_of(bytes, 1, 4);
	expect_piece(1);
	ask(PIECE_SIZE);
	expect_piece(1);
	give_of(bytes, 2, 4);
	RIG_EXPECT(from_agent, STORED, stored);
	ask(2 * PIECE_SIZE); /* with the hash that came along */
	expect_piece(2);
}
END_TEST

START_TEST(test_tells_those_who_wait_of_its_end)
{
	engine_asks();
	expect_locate(-1);
	ask(0);
	expect_code(-EAGAIN);
	be_located(HOLDER_NONE, -1, 0);
	RIG_EXPECT(from_agent, FREED, freed);
	expect_code(-ENOENT);
}
END_TEST

/* ---- The data port -------------------------------------------------------------------------- */

static char endpoint[256], port_key[CONNECTION_KEY_SIZE];

static void *asking;

static void open_port(void)
{
	char secret[CONNECTION_KEY_SIZE];
	size_t size = sizeof endpoint;

	rig.agent.context = rig.context;
	zmq_curve_keypair(rig.agent.engine_public, rig.agent.engine_secret);
	zmq_curve_keypair(port_key, secret);
	ck_assert_int_eq(listen_at(&rig.agent, "127.0.0.1", secret), 0);
	zmq_getsockopt(rig.agent.port, ZMQ_LAST_ENDPOINT, endpoint, &size);
}

/* Both ends of our port, until `done` or the time is over. */
static void pump(bool (*done)(void), int limit_ms)
{
	uint64_t until = now_ns() + (uint64_t)limit_ms * 1000000;

	while (!done() && now_ns() < until) {
		poll(NULL, 0, 1);
		dataport_receive(&rig.agent);
		links_receive(&rig.agent);
	}
}

static bool is_gone(void)
{
	return transfer() == NULL;
}

static bool is_reached(void)
{
	return rig.agent.links->is_reached;
}

/* One agent plays both: it gives what is put once the transfer has begun. */
START_TEST(test_from_a_data_port)
{
	open_port();
	engine_asks();
	expect_locate(-1);
	transfer_located(&rig.agent, &(struct msg_located){ .object = id,
							    .size = SIZE,
							    .kind = HOLDER_AGENT,
							    .holder = 4,
							    .host = span_of("east"),
							    .endpoint = span_of(endpoint),
							    .key = span_of(port_key) });
	ck_assert_uint_eq(rig_next(rig.from_agent), 0); /* nothing by the controller */
	pump(is_reached, 2000);
	ck_assert(is_reached()); /* it says that it is still to come */
	ck_assert_ptr_nonnull(transfer()->askers);
	for (uint64_t i = 0; i < PIECES; i++) /* now it has it, and gives it to itself */
		give_of(bytes, i, 4);
	pump(is_gone, 1000);
	ck_assert(engine_has_reply());
	ck_assert_int_eq(reply.code, 0);
	close(reply.fd);
}
END_TEST

/* The largest frames that go over a link. */
START_TEST(test_pieces_over_a_link)
{
	struct object *stored = NULL;
	struct msg_piece piece;
	struct message m;
	struct link *link;
	int got = 0;

	open_port();
	store_put(&rig.agent.store, object, rig_memfd(bytes, SIZE), SIZE, false, &stored, NULL);
	link = link_get(&rig.agent, endpoint, port_key);
	ck_assert_ptr_nonnull(link);
	for (uint64_t i = 0; i < PIECES; i++)
		SEND_SIMPLE(link->socket, NULL, fetch, .object = id, .offset = i * PIECE_SIZE);
	message_init(&m);
	for (int ms = 0; ms < 2000 && got < PIECES; ms++) {
		poll(NULL, 0, 1);
		dataport_receive(&rig.agent);
		while (message_receive(link->socket, &m, false, false) > 0) {
			ck_assert_uint_eq(m.type, MSG_PIECE);
			ck_assert_int_eq(msg_piece_get(&m.fields, &piece), 0);
			ck_assert_int_eq(piece.code, 0);
			ck_assert_uint_eq(zmq_msg_size(&m.frames[0]),
					  piece_size(SIZE, piece.offset));
			ck_assert_mem_eq(zmq_msg_data(&m.frames[0]), bytes + piece.offset,
					 zmq_msg_size(&m.frames[0]));
			got++;
		}
	}
	message_fini(&m);
	ck_assert_int_eq(got, PIECES);
	object_unref(&rig.agent.store, stored);
}
END_TEST

static void *stranger;

static bool stranger_has_something(void)
{
	struct message m;
	int r;

	message_init(&m);
	r = message_receive(stranger, &m, false, false);
	message_fini(&m);
	return r > 0;
}

static bool ask_as(const char *public, const char *secret, const char *server)
{
	struct agent other = { 0 };
	unsigned char route[ROUTE_SIZE] = "d0123456789abcde";
	bool r;

	stranger = zmq_socket(rig.context, ZMQ_DEALER);
	zmq_setsockopt(stranger, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
	zmq_setsockopt(stranger, ZMQ_ROUTING_ID, route, sizeof route);
	if (public) {
		snprintf(other.engine_public, sizeof other.engine_public, "%s", public);
		snprintf(other.engine_secret, sizeof other.engine_secret, "%s", secret);
		ck_assert_int_eq(dataport_dial(&other, stranger, server), 0);
	}
	zmq_connect(stranger, endpoint);
	SEND_SIMPLE(stranger, NULL, fetch, .object = id, .offset = 0);
	pump(stranger_has_something, public == rig.agent.engine_public ? 2000 : 300);
	r = false;
	SEND_SIMPLE(stranger, NULL, fetch, .object = id, .offset = 0);
	for (int i = 0; i < 300 && !r; i++) {
		poll(NULL, 0, 1);
		dataport_receive(&rig.agent);
		r = stranger_has_something();
	}
	zmq_close(stranger);
	return r;
}

START_TEST(test_who_may_come)
{
	char public[CONNECTION_KEY_SIZE], secret[CONNECTION_KEY_SIZE];

	open_port();
	zmq_curve_keypair(public, secret);
	ck_assert(ask_as(rig.agent.engine_public, rig.agent.engine_secret, port_key));
	ck_assert(!ask_as(public, secret, port_key)); /* another key */
	ck_assert(!ask_as(NULL, NULL, NULL));	      /* none */
	ck_assert(!ask_as(rig.agent.engine_public, rig.agent.engine_secret, public));
	ck_assert(ask_as(rig.agent.engine_public, rig.agent.engine_secret, port_key));
}
END_TEST

/* Nobody answers there: the controller passes it on. */
static bool is_answered(void)
{
	zmq_pollitem_t item = { .socket = asking, .events = ZMQ_POLLIN };

	return zmq_poll(&item, 1, 0) == 1;
}

/* By the same routing id, as ZeroMQ does after a break of which the port has not heard. */
static void ask_by_another_connection(void)
{
	unsigned char route[ROUTE_SIZE], session[SESSION_SIZE] = { 5 };

	asking = zmq_socket(rig.context, ZMQ_DEALER);
	route_make(route, 'd', session);
	zmq_setsockopt(asking, ZMQ_ROUTING_ID, route, sizeof route);
	zmq_setsockopt(asking, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
	ck_assert_int_eq(dataport_dial(&rig.agent, asking, port_key), 0);
	ck_assert_int_eq(zmq_connect(asking, endpoint), 0);
	SEND_SIMPLE(asking, NULL, fetch, .object = id, .offset = 0, .peer = 1);
	pump(is_answered, 2000);
	ck_assert(is_answered());
}

START_TEST(test_comes_again_before_the_break_is_known)
{
	void *first;

	open_port();
	ask_by_another_connection();
	first = asking;
	ask_by_another_connection();
	zmq_close(first);
	zmq_close(asking);
}
END_TEST

START_TEST(test_port_out_of_reach)
{
	open_port();
	engine_asks();
	expect_locate(-1);
	transfer_located(&rig.agent,
			 &(struct msg_located){ .object = id,
						.size = SIZE,
						.kind = HOLDER_AGENT,
						.holder = 4,
						.endpoint = span_of("tcp://127.0.0.1:1"),
						.key = span_of(port_key) });
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
	links_tick(&rig.agent, now_ns() + REACH_LIMIT_NS / 2);
	ck_assert_uint_eq(rig_next(rig.from_agent), 0);
	links_tick(&rig.agent, now_ns() + REACH_LIMIT_NS + 1);
	expect_fetches(4, 0, PIECES);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("transfer"), *port = tcase_create("data port");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, test_whole);
	tcase_add_test(tests, test_window);
	tcase_add_test(tests, test_empty_object);
	tcase_add_test(tests, test_no_pieces);
	tcase_add_test(tests, test_damaged);
	tcase_add_test(tests, test_damaged_always);
	tcase_add_test(tests, test_silence);
	tcase_add_test(tests, test_gives_up);
	tcase_add_test(tests, test_refused_by_holders);
	tcase_add_test(tests, test_late_words);
	tcase_add_test(tests, test_nobody_has_it);
	tcase_add_test(tests, test_other_agent_of_the_host);
	tcase_add_test(tests, test_no_room);
	tcase_add_test(tests, test_held);
	tcase_add_test(tests, test_unwanted);
	tcase_add_test(tests, test_engine_dies);
	tcase_add_test(tests, test_welcome_again);
	tcase_add_test(tests, test_gives_what_it_has);
	tcase_add_test(tests, test_gives_what_is_still_coming);
	tcase_add_test(tests, test_tells_those_who_wait_of_its_end);
	tcase_add_checked_fixture(port, begin, end);
	tcase_set_timeout(port, 30);
	tcase_add_test(port, test_from_a_data_port);
	tcase_add_test(port, test_pieces_over_a_link);
	tcase_add_test(port, test_who_may_come);
	tcase_add_test(port, test_comes_again_before_the_break_is_known);
	tcase_add_test(port, test_port_out_of_reach);
	return unit_run_both(tests, port);
}
