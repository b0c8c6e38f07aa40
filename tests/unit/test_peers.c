/* test_peers.c: clients, agents and engines: coming, going, and being told. */
#include <errno.h>
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

static void expect_refused(struct desk_peer *peer, int code)
{
	ck_assert_int_eq(DESK_EXPECT(peer, REFUSED, refused).code, code);
	ck_assert_ptr_null(desk.peers); /* who is refused is nobody */
}

/* ---- Hello --------------------------------------------------------------------------- */

START_TEST(test_other_protocol)
{
	struct desk_peer *peer = desk_join('c');

	DESK_SEND(peer, hello_client, .protocol = PROTOCOL_VERSION + 1,
		  .session = { peer->session, SESSION_SIZE });
	expect_refused(peer, XC_EPROTO);
	ck_assert_ptr_null(desk.clients);
}
END_TEST

START_TEST(test_session_of_another)
{
	struct desk_peer *peer = desk_join('c');
	unsigned char other[SESSION_SIZE] = { 9 };

	DESK_SEND(peer, hello_client, .protocol = PROTOCOL_VERSION,
		  .session = { other, SESSION_SIZE });
	expect_refused(peer, XC_EPROTO);
	DESK_SEND(peer, hello_client, .protocol = PROTOCOL_VERSION, .session = { other, 3 });
	expect_refused(peer, XC_EPROTO);
}
END_TEST

START_TEST(test_agent_that_cannot_be)
{
	struct desk_peer *peer = desk_join('a');

	DESK_SEND(peer, hello_agent, .protocol = PROTOCOL_VERSION,
		  .session = { peer->session, SESSION_SIZE }, .slots = 0);
	expect_refused(peer, XC_EPROTO);
	DESK_SEND(peer, hello_agent, .protocol = PROTOCOL_VERSION,
		  .session = { peer->session, SESSION_SIZE }, .slots = UINT64_MAX);
	expect_refused(peer, XC_EPROTO);
	ck_assert_int_eq(desk.engine_count, 0);
}
END_TEST

static bool hello_engine(const struct desk_peer *agent, uint64_t slot, uint64_t epoch)
{
	struct desk_peer *peer = desk_join('e');

	DESK_SEND(peer, hello_engine, .protocol = PROTOCOL_VERSION,
		  .session = { peer->session, SESSION_SIZE },
		  .agent = { agent->session, SESSION_SIZE }, .slot = slot, .epoch = epoch);
	return desk_receive(peer) == MSG_WELCOME_ENGINE;
}

START_TEST(test_engines)
{
	struct desk_peer *agent = desk_agent(2), nobody = { .session = { 77 } };

	ck_assert(!hello_engine(agent, 2, 1));
	ck_assert(!hello_engine(agent, UINT64_MAX, 1));
	ck_assert(!hello_engine(&nobody, 0, 1));
	ck_assert(!hello_engine(agent, 0, 0));
	ck_assert(hello_engine(agent, 0, 1));
	ck_assert(!hello_engine(agent, 0, 1)); /* it is there already */
	ck_assert(hello_engine(agent, 1, 5));
	ck_assert_int_eq(desk.engines_up, 2);
}
END_TEST

/* The news of a death may overtake the hello of who died. */
START_TEST(test_dead_before_its_hello)
{
	struct desk_peer *agent = desk_agent(1);

	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_EXIT, .item = -1,
		  .restarting = 1);
	ck_assert(!hello_engine(agent, 0, 1));
	ck_assert_int_eq(desk.engines_up, 0);
	ck_assert(hello_engine(agent, 0, 2));
}
END_TEST

START_TEST(test_numbers_are_not_reused)
{
	struct desk_peer *first = desk_agent(2), *second;

	DESK_SEND(first, bye, .id = 0);
	second = desk_agent(3);
	ck_assert_uint_eq(second->first_engine, 2);
	ck_assert_int_eq(desk.engine_count, 5);
	ck_assert_int_eq(desk.engines[0]->state, ENGINE_GONE);
	ck_assert_ptr_null(desk.engines[0]->agent);
}
END_TEST

/* Its session does not make an agent of the controller's host one of another. */
START_TEST(test_an_agent_of_this_host_has_no_second_connection)
{
	struct desk_peer *agent = desk_agent(1), *other = desk_join('a');

	desk_key = "engine";
	DESK_SEND(other, hello_agent, .protocol = PROTOCOL_VERSION,
		  .session = { agent->session, SESSION_SIZE }, .slots = 1, .again = 1);
	ck_assert_uint_eq(desk_next(other), MSG_STALE);
	ck_assert_ptr_null(desk.agents->next);
	ck_assert(!desk.agents->peer->is_remote);
}
END_TEST

/* ---- Roles ----------------------------------------------------------------------------- */

/* Each type from each role that may not send it changes nothing. */
START_TEST(test_roles)
{
	struct desk_peer *agent = desk_agent(1), *client = desk_client();
	struct desk_peer *engine = desk_engine(agent, 0, 1);
	struct {
		struct desk_peer *peer;
		unsigned role;
	} who[] = { { client, ROLE_CLIENT }, { agent, ROLE_AGENT }, { engine, ROLE_ENGINE } };

	for (uint64_t type = 1; message_info(type); type++)
		for (size_t i = 0; i < sizeof who / sizeof *who; i++) {
			struct message m;
			unsigned char header[2] = { 0x91, (unsigned char)type };

			if (message_info(type)->senders & who[i].role)
				continue;
			message_init(&m);
			m.type = type;
			frame_copy(&m.route, "?", 1);
			zmq_msg_close(&m.route);
			zmq_msg_init_size(&m.route, ROUTE_SIZE);
			route_make(zmq_msg_data(&m.route), "cae"[i], who[i].peer->session);
			reader_init(&m.fields, header, sizeof header);
			desk_dispatch(&m);
			message_fini(&m);
			ck_assert_uint_eq(desk_next(who[i].peer), 0);
		}
	ck_assert_ptr_nonnull(desk.clients);
	ck_assert_ptr_nonnull(desk.agents);
	ck_assert_int_eq(desk.engines_up, 1);
	ck_assert_uint_eq(desk.stop_ns, 0);
}
END_TEST

/* Every type that somebody may send to the controller has a handler, and no other. */
START_TEST(test_routes)
{
#define CHECK(name, number, senders, frames)                                                       \
	ck_assert_msg(desk_has_route(number) == (((senders) & (ROLE_NEW | ROLE_CLIENT |            \
							       ROLE_AGENT | ROLE_ENGINE)) != 0),   \
		      "the controller's route of " #name);
	MESSAGES(CHECK)
#undef CHECK
}
END_TEST

START_TEST(test_strangers)
{
	struct desk_peer *peer = desk_join('c');

	desk_submit(peer, (struct desk_job){ .seq = 1, .job = 1, .items = 1 });
	ck_assert_ptr_null(desk.peers);
	desk_send(peer, "\x91\x7f", 2, NULL, 0);
	desk_send(peer, "garbage", 7, NULL, 0);
	desk_send(peer, NULL, 0, NULL, 0);
	ck_assert_ptr_null(desk.peers);
	/* A host that was given up is to begin anew. */
	DESK_SEND(peer, beat, .store_used = 1);
	ck_assert_uint_eq(desk_next(peer), MSG_STALE);
}
END_TEST

/* ---- Going ------------------------------------------------------------------------------ */

START_TEST(test_silent_host)
{
	struct desk_peer *agent = desk_agent(1), *client = desk_client();

	desk_engine(agent, 0, 1);
	desk_submit(client, (struct desk_job){ .seq = 1, .job = 1, .items = 2, .chunk = 1 });
	peers_tick(&desk);
	ck_assert_ptr_nonnull(desk.agents);
	desk.agents->heard_ns -= 6000000000;
	DESK_SEND(agent, beat, .store_used = 5);
	peers_tick(&desk);
	ck_assert_ptr_nonnull(desk.agents);
	ck_assert_uint_eq(desk.agents->store_used, 5);
	desk.agents->heard_ns -= 6000000000;
	peers_tick(&desk);
	ck_assert_ptr_null(desk.agents);
	ck_assert_int_eq(desk.engines_up, 0);
	ck_assert_int_eq(desk.clients->jobs->remaining.total, 1); /* one ran: attempt 2 */
	ck_assert_int_eq(desk.clients->jobs->reruns->attempt, 2);
}
END_TEST

/* What was pinned to an engine that will not come back ends as lost. */
START_TEST(test_pinned_to_the_dead)
{
	struct desk_peer *agent = desk_agent(1), *client = desk_client();
	struct msg_result result;
	struct failure_run run;
	size_t at = 0;

	desk_submit(client, (struct desk_job){ .seq = 1,
					       .job = 1,
					       .items = 3,
					       .targets = (uint32_t[]){ 0 },
					       .target_count = 1 });
	ck_assert_uint_eq(desk_next(client), 0);
	DESK_SEND(agent, down, .slot = 0, .epoch = 1, .cause = DOWN_EXIT, .item = -1,
		  .text = span_of("exited with status 1"));
	result = DESK_EXPECT(client, RESULT, result);
	ck_assert_uint_eq(result.final, 1);
	ck_assert(desk_run_at(client, &at, &run));
	ck_assert_int_eq(run.count, 3);
	ck_assert_uint_eq(run.state, XC_LOST);
	ck_assert_mem_eq(run.text.data, "engine 0: exited with status 1", run.text.size);
}
END_TEST

START_TEST(test_shutdown)
{
	struct desk_peer *agent = desk_agent(1), *client = desk_client(), *late;

	DESK_SEND(client, shutdown, .id = 3);
	ck_assert_uint_eq(DESK_EXPECT(client, REPORT, report).id, 3);
	ck_assert_uint_eq(desk_next(agent), MSG_STOP);
	late = desk_agent(1); /* one that comes while it stops is told */
	ck_assert_uint_eq(desk_next(late), MSG_STOP);
}
END_TEST

/* ---- The roster ---------------------------------------------------------------------------- */

struct roster {
	uint64_t starting;
	int engines, agents;
	int64_t id, state;
	char reason[300];
};

static struct roster expect_roster(struct desk_peer *client)
{
	struct roster roster = { 0 };
	struct msg_roster m;
	struct reader r;

	ck_assert_uint_eq(desk_receive(client), MSG_ROSTER);
	ck_assert_int_eq(msg_roster_get(&client->m.fields, &m), 0);
	roster.starting = m.starting;
	reader_init(&r, zmq_msg_data(&client->m.frames[0]), zmq_msg_size(&client->m.frames[0]));
	for (; !reader_is_done(&r); roster.engines++) {
		roster.id = (int64_t)get_u64(&r);
		roster.state = (int64_t)get_u64(&r);
		get_i64(&r);
		span_copy(roster.reason, sizeof roster.reason, get_str(&r));
		ck_assert(!r.bad);
	}
	reader_init(&r, zmq_msg_data(&client->m.frames[1]), zmq_msg_size(&client->m.frames[1]));
	for (; !reader_is_done(&r); roster.agents++) {
		get_i64(&r);
		get_str(&r);
		get_str(&r);
		ck_assert_uint_eq(get_bin(&r).size, SESSION_SIZE);
		ck_assert(!r.bad);
	}
	return roster;
}

START_TEST(test_roster)
{
	struct desk_peer *client = desk_client(), *agent;
	struct roster roster = expect_roster(client);

	ck_assert_int_eq(roster.engines, 0);
	agent = desk_agent(3);
	roster = expect_roster(client);
	ck_assert_int_eq(roster.engines, 3);
	ck_assert_int_eq(roster.agents, 1);
	ck_assert_uint_eq(roster.starting, 3);
	desk_engine(agent, 1, 1); /* from now on, what changed */
	roster = expect_roster(client);
	ck_assert_int_eq(roster.engines, 1);
	ck_assert_int_eq(roster.id, 1);
	ck_assert_int_eq(roster.state, ENGINE_UP);
	ck_assert_uint_eq(roster.starting, 2);
	DESK_SEND(agent, down, .slot = 1, .epoch = 1, .cause = DOWN_EXIT, .item = -1,
		  .restarting = 1, .text = span_of("why"));
	roster = expect_roster(client);
	ck_assert_int_eq(roster.state, ENGINE_DOWN);
	ck_assert_str_eq(roster.reason, "engine 1: why");
	desk_engine(agent, 1, 2);
	roster = expect_roster(client);
	ck_assert_int_eq(roster.state, ENGINE_UP);
	ck_assert_str_eq(roster.reason, "engine 1: why"); /* for those who look later */
	desk_run();
	ck_assert_uint_eq(desk_receive(client), 0); /* no news */
	/* A new client gets all of it. */
	ck_assert_int_eq(expect_roster(desk_client()).engines, 3);
}
END_TEST

/* The longest entries there can be. */
START_TEST(test_roster_of_long_reasons)
{
	struct desk_peer *client = desk_client(), *agent;
	char text[1000];

	memset(text, 'x', sizeof text);
	expect_roster(client);
	agent = desk_agent(2);
	expect_roster(client);
	for (uint64_t slot = 0; slot < 2; slot++) {
		DESK_SEND(agent, down, .slot = slot, .epoch = 1, .cause = DOWN_EXIT, .item = -1,
			  .text = { text, sizeof text });
		ck_assert_uint_eq(strlen(expect_roster(client).reason), 255);
	}
}
END_TEST

/* Each agent is told of the stores of others on its host. */
START_TEST(test_stores_of_a_host)
{
	struct desk_peer *a = desk_agent(1), *b;
	struct msg_peers m;
	struct reader r;

	ck_assert_uint_eq(desk_receive(a), MSG_PEERS);
	ck_assert_int_eq(msg_peers_get(&a->m.fields, &m), 0);
	ck_assert_uint_eq(m.count, 0);
	b = desk_agent(1);
	for (int i = 0; i < 2; i++) {
		struct desk_peer *to = i ? a : b;

		ck_assert_uint_eq(desk_receive(to), MSG_PEERS);
		ck_assert_int_eq(msg_peers_get(&to->m.fields, &m), 0);
		ck_assert_uint_eq(m.count, 1);
		reader_init(&r, zmq_msg_data(&to->m.frames[0]), zmq_msg_size(&to->m.frames[0]));
		ck_assert_uint_eq(get_str(&r).size, strlen("/run/store"));
		ck_assert(reader_is_done(&r));
	}
	DESK_SEND(b, bye, .id = 0);
	ck_assert_uint_eq(desk_receive(a), MSG_PEERS);
	ck_assert_int_eq(msg_peers_get(&a->m.fields, &m), 0);
	ck_assert_uint_eq(m.count, 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("peers");

	tcase_add_checked_fixture(tests, desk_open, desk_close);
	tcase_add_test(tests, test_other_protocol);
	tcase_add_test(tests, test_session_of_another);
	tcase_add_test(tests, test_agent_that_cannot_be);
	tcase_add_test(tests, test_engines);
	tcase_add_test(tests, test_dead_before_its_hello);
	tcase_add_test(tests, test_numbers_are_not_reused);
	tcase_add_test(tests, test_an_agent_of_this_host_has_no_second_connection);
	tcase_add_test(tests, test_roles);
	tcase_add_test(tests, test_routes);
	tcase_add_test(tests, test_strangers);
	tcase_add_test(tests, test_silent_host);
	tcase_add_test(tests, test_pinned_to_the_dead);
	tcase_add_test(tests, test_shutdown);
	tcase_add_test(tests, test_roster);
	tcase_add_test(tests, test_roster_of_long_reasons);
	tcase_add_test(tests, test_stores_of_a_host);
	return unit_run(tests);
}
