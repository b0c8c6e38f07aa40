/* test_tracker.c: who fetches what from whom; what clients offer; pieces passed on. */
#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "controller/tracker.h"
#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

#define GIB   (UINT64_C(1) << 30)
#define SMALL UINT64_C(20000)

static const unsigned char object[OBJECT_SIZE] = { 42 };
static const struct span id = { object, OBJECT_SIZE };
static struct desk_peer *agents[4];
static const char *const hosts[4] = { "north", "east", "south", "west" };

static void begin(void)
{
	desk_open();
	for (int i = 0; i < 4; i++)
		agents[i] = desk_agent_on(hosts[i], 100 * GIB);
}

static void stored(int agent, uint64_t size)
{
	DESK_SEND(agents[agent], stored, .object = id, .size = size);
}

static void locate(int agent, int64_t avoid)
{
	DESK_SEND(agents[agent], locate, .object = id, .avoid = avoid);
}

static struct msg_located located(int agent)
{
	return DESK_EXPECT(agents[agent], LOCATED, located);
}

static void expect_nothing(int agent)
{
	ck_assert_uint_eq(desk_next(agents[agent]), 0);
}

static void expect_source(int agent, int64_t source)
{
	struct msg_located m = located(agent);

	ck_assert_int_eq(m.kind, source < 0 ? HOLDER_CLIENT : HOLDER_AGENT);
	ck_assert_int_eq(m.holder, source);
	ck_assert_int_eq(m.code, 0);
	ck_assert_mem_eq(m.object.data, object, OBJECT_SIZE);
}

static void expect_refusal(int agent, const char *part)
{
	struct msg_located m = located(agent);
	char text[600];

	ck_assert_int_eq(m.kind, HOLDER_NONE);
	ck_assert_int_eq(m.code, -ENOENT);
	span_copy(text, sizeof text, m.text);
	ck_assert_msg(strstr(text, part) != NULL, "%s", text);
}

static void beat(int agent)
{
	DESK_SEND(agents[agent], beat, .store_used = 0);
	DESK_EXPECT(agents[agent], BEAT, beat);
}

static void leave(int agent)
{
	DESK_SEND(agents[agent], bye, .id = 0);
}

/* ---- From whom ------------------------------------------------------------------------- */

START_TEST(test_large_in_a_chain)
{
	stored(0, GIB);
	for (int i = 1; i < 4; i++) {
		locate(i, -1);
		expect_source(i, i - 1);
	}
}
END_TEST

START_TEST(test_small_from_the_first)
{
	stored(0, SMALL);
	for (int i = 1; i < 4; i++) {
		locate(i, -1);
		expect_source(i, 0);
	}
}
END_TEST

/* Those that have it whole before those that do not yet. */
START_TEST(test_whole_ones_first)
{
	stored(0, GIB);
	locate(1, -1);
	expect_source(1, 0);
	stored(2, GIB);
	locate(3, -1);
	expect_source(3, 2);
}
END_TEST

START_TEST(test_avoided_while_there_is_another)
{
	stored(0, GIB);
	stored(1, GIB);
	locate(2, -1);
	expect_source(2, 0);
	locate(2, 0);
	expect_source(2, 1);
	leave(1);
	expect_source(2, 0);
	locate(2, 0); /* it alone has it */
	expect_source(2, 0);
}
END_TEST

/* 2 has from 1 what that has from 0: with 0 gone neither is of use to the other. */
START_TEST(test_no_circle)
{
	stored(0, GIB);
	locate(1, -1);
	expect_source(1, 0);
	locate(2, -1);
	expect_source(2, 1);
	stored(3, GIB);
	locate(1, 0);
	expect_source(1, 3);
	leave(3);
	expect_source(1, 0);
	leave(0);
	for (int i = 1; i < 3; i++) { /* else another may be about to say that it has it */
		beat(i);
		beat(i);
	}
	peers_tick(&desk);
	expect_refusal(1, "host north");
	expect_refusal(2, "host north");
	expect_nothing(1);
	expect_nothing(2);
}
END_TEST

START_TEST(test_source_gone)
{
	stored(0, GIB);
	locate(1, -1);
	expect_source(1, 0);
	locate(2, -1);
	expect_source(2, 1);
	leave(1);
	expect_source(2, 0);
	DESK_SEND(agents[2], freed, .object = id, .code = XC_ESTORE, .text = span_of("full"));
	locate(3, -1);
	expect_source(3, 0);
}
END_TEST

START_TEST(test_same_host)
{
	agents[1] = desk_agent_on("east", GIB); /* a second one there */
	agents[2] = desk_agent_on("east", GIB);
	stored(0, GIB);
	locate(1, -1);
	expect_source(1, 0);
	locate(2, -1);
	expect_nothing(2); /* one transfer a host */
	stored(1, GIB);
	ck_assert_int_eq(located(2).kind, HOLDER_HOST);
	/* If their stores cannot reach each other, it is as if they were far apart. */
	DESK_SEND(agents[2], locate, .object = id, .avoid = -1, .apart = 1);
	ck_assert_int_eq(located(2).kind, HOLDER_AGENT);
}
END_TEST

/* Depth and most children of what many make, that ask one after the other. */
static void grow(uint64_t size, int many, int *depth, int *children)
{
	static struct agent crowd[501];
	struct tracked tracked = { .size = size };
	struct holder *holder, *next;

	for (int i = 0; i <= many; i++) {
		struct holder *source = holder_choose(&desk, &tracked, &crowd[i], -1);

		crowd[i].index = i;
		holder = holder_add(&tracked, &crowd[i]);
		holder->is_complete = i == 0;
		holder_set_source(holder, source, NULL);
	}
	*depth = *children = 0;
	DL_FOREACH (tracked.holders, holder) {
		int d = 0;

		for (struct holder *h = holder; h->source; h = h->source)
			d++;
		*depth = d > *depth ? d : *depth;
		*children = holder->children > *children ? holder->children : *children;
	}
	DL_FOREACH_SAFE (tracked.holders, holder, next) {
		free(holder);
	}
}

START_TEST(test_shapes)
{
	int depth, children;

	grow(10 * GIB, 500, &depth, &children);
	ck_assert_int_eq(depth, 500); /* 130 MiB of delay in 10 GiB */
	ck_assert_int_eq(children, 1);
	grow(PIECE_SIZE * 4, 500, &depth, &children);
	ck_assert_int_lt(depth, 25);
	ck_assert_int_lt(children, 10);
	grow(SMALL, 500, &depth, &children);
	ck_assert_int_lt(depth, 6);
	ck_assert_int_lt(children, 40);
}
END_TEST

/* ---- Nobody has it -------------------------------------------------------------------- */

/* STORED may be on its way while the one that had it says BEAT. */
START_TEST(test_waits_for_what_is_on_its_way)
{
	locate(1, -1);
	beat(0);
	beat(2);
	beat(2);
	beat(3);
	beat(3);
	expect_nothing(1);
	stored(0, GIB);
	expect_source(1, 0);
}
END_TEST

START_TEST(test_nobody)
{
	locate(1, -1);
	for (int i = 0; i < 4; i++) {
		beat(i);
		beat(i);
	}
	peers_tick(&desk);
	expect_refusal(1, "no store of the cluster");
	ck_assert_ptr_null(desk.tracked);
	ck_assert_int_eq(desk.wants, 0);
}
END_TEST

/* A cluster of one host needs no time to say so. */
START_TEST(test_nobody_else)
{
	for (int i = 1; i < 4; i++)
		leave(i);
	locate(0, -1);
	expect_refusal(0, "host west has gone 0 s ago");
}
END_TEST

START_TEST(test_lost_before)
{
	stored(0, GIB);
	leave(0);
	for (int i = 1; i < 4; i++) {
		beat(i);
		beat(i);
	}
	locate(1, -1);
	for (int i = 1; i < 4; i++) {
		DESK_SEND(agents[i], beat, .store_used = 0);
		DESK_SEND(agents[i], beat, .store_used = 0);
	}
	DESK_EXPECT(agents[1], BEAT, beat);
	DESK_EXPECT(agents[1], BEAT, beat);
	peers_tick(&desk);
	expect_refusal(1, "host north");
}
END_TEST

START_TEST(test_malformed)
{
	DESK_SEND(agents[0], stored, .object = { object, 31 }, .size = 5);
	DESK_SEND(agents[0], stored, .object = id, .size = OBJECT_MAX + 1);
	DESK_SEND(agents[0], locate, .object = { object, 0 });
	DESK_SEND(agents[0], freed, .object = { object, 3 });
	DESK_SEND(agents[0], freed, .object = id); /* unheard of */
	DESK_SEND(agents[0], fetch, .object = { object, 1 });
	ck_assert_ptr_null(desk.tracked);
	expect_nothing(0);
}
END_TEST

/* ---- Offers ------------------------------------------------------------------------------ */

static struct desk_peer *client;
static uint64_t seq;

static void offer(uint64_t question, uint64_t size)
{
	DESK_SEND(client, offer, .id = question, .object = id, .size = size);
}

static void expect_answer(uint64_t question, int64_t code)
{
	struct msg_answer m = DESK_EXPECT(client, ANSWER, answer);

	ck_assert_uint_eq(m.id, question);
	ck_assert_int_eq(m.code, code);
}

static void begin_with_client(void)
{
	desk_open();
	seq = 0;
	client = desk_client();
	agents[0] = desk_agent_on("north", 10000);
	agents[1] = desk_agent_on("east", 30000);
}

static void release(void)
{
	DESK_SEND(client, release, .seq = ++seq, .object = id);
}

static void expect_hold(int agent)
{
	DESK_EXPECT(agents[agent], HOLD, hold);
}

START_TEST(test_offer)
{
	offer(1, 20000);
	expect_hold(0); /* to all, from hold_add */
	expect_hold(1);
	expect_source(1, -1); /* the one with most room */
	expect_hold(1);
	ck_assert_uint_eq(desk_next(client), 0);
	stored(1, 20000);
	expect_answer(1, 0);
	expect_hold(1);
	offer(2, 20000); /* it is there */
	expect_answer(2, 0);
	release();
	DESK_EXPECT(agents[0], DROP, drop);
	DESK_EXPECT(agents[1], DROP, drop);
	ck_assert_ptr_null(desk.holds);
	DESK_SEND(agents[1], freed, .object = id);
	ck_assert_ptr_null(desk.tracked);
}
END_TEST

START_TEST(test_offer_to_full_stores)
{
	offer(1, 30001);
	expect_answer(1, XC_ESTORE);
	offer(2, 30000);
	expect_hold(0);
	expect_hold(1);
	expect_source(1, -1);
	expect_hold(1);
	DESK_SEND(agents[1], freed, .object = id, .code = XC_ESTORE, .text = span_of("full"));
	expect_answer(2, XC_ESTORE); /* the other has less room yet */
}
END_TEST

/* The next one is tried, until none is left. */
START_TEST(test_taker_fails)
{
	offer(1, 5000);
	desk_next(agents[1]);
	expect_source(1, -1);
	DESK_SEND(agents[1], freed, .object = id, .code = -ENOMEM, .text = span_of("no memory"));
	desk_next(agents[0]);
	expect_source(0, -1);
	ck_assert_uint_eq(desk_next(client), 0);
	DESK_SEND(agents[0], freed, .object = id, .code = -ENOMEM, .text = span_of("no memory"));
	expect_answer(1, -ENOMEM);
}
END_TEST

START_TEST(test_taker_lost)
{
	offer(1, 5000);
	desk_next(agents[1]);
	expect_source(1, -1);
	leave(1);
	desk_next(agents[0]);
	expect_source(0, -1);
	leave(0);
	expect_answer(1, XC_ENOENGINE);
}
END_TEST

/* It goes on where it was, and not with another agent from the beginning. */
START_TEST(test_taker_asks_again)
{
	offer(1, 5000);
	desk_next(agents[1]);
	expect_source(1, -1);
	expect_hold(1);
	locate(1, -1);
	expect_source(1, -1);
	desk_next(agents[0]);
	expect_nothing(0);
}
END_TEST

START_TEST(test_client_gone)
{
	offer(1, 5000);
	desk_next(agents[1]);
	expect_source(1, -1);
	expect_hold(1);
	DESK_SEND(client, bye, .id = 0);
	DESK_EXPECT(agents[1], DROP, drop);
	desk_next(agents[0]);
	desk_next(agents[0]); /* HOLD and DROP there */
	beat(0);
	beat(0);
	peers_tick(&desk);
	expect_refusal(1, "no store of the cluster");
	ck_assert_ptr_null(desk.tracked);
	ck_assert_ptr_null(desk.holds);
}
END_TEST

/* What all need goes on from host to host while it comes. */
START_TEST(test_offer_to_all)
{
	agents[2] = desk_agent_on("east", 20000); /* of a host that has it already */
	agents[3] = desk_agent_on("south", 20000);
	DESK_SEND(client, offer, .id = 1, .object = id, .size = 5000, .everywhere = 1);
	for (int i = 0; i < 4; i++)
		expect_hold(i);
	expect_source(1, -1);
	expect_hold(1);
	expect_source(0, 1);
	expect_source(3, 1);
	expect_nothing(2);
	DESK_SEND(agents[3], freed, .object = id, .code = XC_ESTORE, .text = span_of("full"));
	ck_assert_uint_eq(desk_next(client), 0);
	stored(1, 5000);
	expect_answer(1, 0);
}
END_TEST

START_TEST(test_offer_malformed)
{
	offer(0, 5);
	offer(1, OBJECT_MAX + 1);
	DESK_SEND(client, offer, .id = 1, .object = { object, 5 }, .size = 5);
	release(); /* nothing was offered */
	ck_assert_ptr_null(desk.tracked);
	ck_assert_uint_eq(desk_next(client), 0);
}
END_TEST

/* ---- Pieces ------------------------------------------------------------------------------ */

static void piece(struct desk_peer *from, int64_t to)
{
	struct span frame = span_of("bytes");

	DESK_SEND_FRAMES(from, piece, &frame, 1, .object = id, .offset = 0, .size = 5,
			 .hash = { object, HASH_SIZE }, .peer = to);
}

START_TEST(test_pieces_of_a_client)
{
	struct desk_peer *other = desk_client();
	struct msg_fetch fetch;

	offer(1, 5);
	desk_next(agents[1]);
	expect_source(1, -1);
	expect_hold(1);
	DESK_SEND(agents[1], fetch, .object = id, .offset = 0, .peer = -1);
	fetch = DESK_EXPECT(client, FETCH, fetch);
	ck_assert_int_eq(fetch.peer, 1);
	piece(other, 1);
	expect_nothing(1); /* it has nothing to give */
	piece(client, 1);
	ck_assert_int_eq(DESK_EXPECT(agents[1], PIECE, piece).peer, -1);
	ck_assert_mem_eq(zmq_msg_data(&agents[1]->m.frames[0]), "bytes", 5);
	piece(client, 0); /* has not asked */
	desk_next(agents[0]);
	expect_nothing(0);
}
END_TEST

START_TEST(test_pieces_between_agents)
{
	DESK_SEND(agents[0], fetch, .object = id, .offset = 7, .peer = 1);
	ck_assert_int_eq(DESK_EXPECT(agents[1], FETCH, fetch).peer, 0);
	piece(agents[1], 0);
	ck_assert_int_eq(DESK_EXPECT(agents[0], PIECE, piece).peer, 1);
	DESK_SEND(agents[0], fetch, .object = id, .offset = 7, .peer = 99);
	ck_assert_int_eq(DESK_EXPECT(agents[0], PIECE, piece).code, -EHOSTUNREACH);
	DESK_SEND(agents[0], fetch, .object = id, .offset = 7, .peer = 0); /* itself */
	ck_assert_int_eq(DESK_EXPECT(agents[0], PIECE, piece).code, -EHOSTUNREACH);
	piece(agents[1], 99);
	expect_nothing(0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("tracker"), *offers = tcase_create("offers");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_large_in_a_chain);
	tcase_add_test(tests, test_small_from_the_first);
	tcase_add_test(tests, test_whole_ones_first);
	tcase_add_test(tests, test_avoided_while_there_is_another);
	tcase_add_test(tests, test_no_circle);
	tcase_add_test(tests, test_source_gone);
	tcase_add_test(tests, test_shapes);
	tcase_add_test(tests, test_same_host);
	tcase_add_test(tests, test_waits_for_what_is_on_its_way);
	tcase_add_test(tests, test_nobody);
	tcase_add_test(tests, test_nobody_else);
	tcase_add_test(tests, test_lost_before);
	tcase_add_test(tests, test_malformed);
	tcase_add_checked_fixture(offers, begin_with_client, desk_close);
	tcase_add_test(offers, test_offer);
	tcase_add_test(offers, test_offer_to_full_stores);
	tcase_add_test(offers, test_taker_fails);
	tcase_add_test(offers, test_taker_lost);
	tcase_add_test(offers, test_taker_asks_again);
	tcase_add_test(offers, test_client_gone);
	tcase_add_test(offers, test_offer_to_all);
	tcase_add_test(offers, test_offer_malformed);
	tcase_add_test(offers, test_pieces_of_a_client);
	tcase_add_test(offers, test_pieces_between_agents);
	return unit_run_both(tests, offers);
}
