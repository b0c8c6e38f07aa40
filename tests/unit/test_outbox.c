/* test_outbox.c: results are kept until acknowledged, within a window. */
#include <string.h>

#include "tests/unit/desk.h"
#include "tests/unit/unit.h"

#define PART (WINDOW_BYTES / 4)

static struct desk_peer *peer;
static struct client *client;

static void begin(void)
{
	desk_open();
	peer = desk_client();
	client = desk.clients;
}

static void add(size_t size)
{
	struct msg_result result = { .job = 1, .count = 1 };
	zmq_msg_t failures, payload;

	zmq_msg_init(&failures);
	zmq_msg_init_size(&payload, size);
	memset(zmq_msg_data(&payload), 'x', size);
	outbox_add(&desk, client, &result, &failures, &payload);
}

static int received(void)
{
	int n = 0;

	while (desk_next(peer) == MSG_RESULT)
		n++;
	return n;
}

START_TEST(test_numbered)
{
	client->received = 77;
	add(10);
	add(10);
	for (uint64_t i = 1; i <= 2; i++) {
		struct msg_result result = DESK_EXPECT(peer, RESULT, result);

		ck_assert_uint_eq(result.seq, i);
		ck_assert_uint_eq(result.received, 77);
		ck_assert_uint_eq(zmq_msg_size(&peer->m.frames[1]), 10);
	}
}
END_TEST

START_TEST(test_kept_until_acknowledged)
{
	for (int i = 0; i < 5; i++)
		add(100);
	ck_assert_uint_gt(client->held_bytes, 500);
	DESK_SEND(peer, ack, .seq = 3);
	ck_assert_uint_eq(client->parcels->seq, 4);
	DESK_SEND(peer, ack, .seq = 2); /* an old one */
	ck_assert_uint_eq(client->parcels->seq, 4);
	DESK_SEND(peer, ack, .seq = UINT64_MAX);
	ck_assert_ptr_null(client->parcels);
	ck_assert_uint_eq(client->held_bytes, 0);
	ck_assert_uint_eq(client->window_bytes, 0);
}
END_TEST

START_TEST(test_window)
{
	for (int i = 0; i < 10; i++)
		add(PART);
	ck_assert_int_eq(received(), 4);
	ck_assert_uint_eq(client->unsent->seq, 5);
	DESK_SEND(peer, ack, .seq = 2);
	ck_assert_int_eq(received(), 2);
	DESK_SEND(peer, ack, .seq = 6);
	ck_assert_int_eq(received(), 4);
	ck_assert_uint_eq(client->parcels->seq, 7);
	DESK_SEND(peer, ack, .seq = 10);
	ck_assert_uint_eq(client->held_bytes, 0);
}
END_TEST

START_TEST(test_resend)
{
	for (int i = 0; i < 5; i++)
		add(10);
	received();
	DESK_SEND(peer, ack, .seq = 1);
	DESK_SEND(peer, resend, .from = 3);
	for (uint64_t seq = 3; seq <= 5; seq++)
		ck_assert_uint_eq(DESK_EXPECT(peer, RESULT, result).seq, seq);
	ck_assert_int_eq(received(), 0);
	DESK_SEND(peer, resend, .from = 0);
	ck_assert_int_eq(received(), 4);
	DESK_SEND(peer, resend, .from = 6);
	ck_assert_int_eq(received(), 0);
	DESK_SEND(peer, ack, .seq = 5);
	ck_assert_uint_eq(client->window_bytes, 0);
}
END_TEST

/* What is to be sent again may be acknowledged before it is. */
START_TEST(test_acknowledged_before_it_is_sent_again)
{
	for (int i = 0; i < 8; i++)
		add(PART);
	received();
	DESK_SEND(peer, ack, .seq = 4);
	received();
	DESK_SEND(peer, resend, .from = 5);
	received();
	client->unsent = client->parcels; /* as if the window were full */
	client->window_bytes = 0;
	outbox_ack(&desk, client, 8);
	ck_assert_ptr_null(client->parcels);
	ck_assert_ptr_null(client->unsent);
	ck_assert_uint_eq(client->held_bytes, 0);
	ck_assert_uint_eq(client->window_bytes, 0);
}
END_TEST

START_TEST(test_resend_within_the_window)
{
	for (int i = 0; i < 10; i++)
		add(PART);
	received();
	DESK_SEND(peer, resend, .from = 1);
	ck_assert_int_eq(received(), 4);
	DESK_SEND(peer, ack, .seq = 4);
	ck_assert_int_eq(received(), 4);
}
END_TEST

START_TEST(test_ping)
{
	struct msg_pong pong;

	client->received = 9;
	for (int i = 0; i < 10; i++)
		add(PART);
	received();
	DESK_SEND(peer, ping, .received = 0);
	pong = DESK_EXPECT(peer, PONG, pong);
	ck_assert_uint_eq(pong.received, 9);
	ck_assert_uint_eq(pong.sent, 4);
	DESK_SEND(peer, ack, .seq = 4);
	DESK_SEND(peer, ack, .seq = 8);
	received();
	DESK_SEND(peer, ping, .received = 0);
	ck_assert_uint_eq(DESK_EXPECT(peer, PONG, pong).sent, 10);
}
END_TEST

/* A hello of a client that is known: it was away, and says what it has. */
START_TEST(test_back_after_a_break)
{
	for (int i = 0; i < 4; i++)
		add(10);
	received();
	DESK_SEND(peer, hello_client, .protocol = PROTOCOL_VERSION,
		  .session = { peer->session, SESSION_SIZE }, .received = 2);
	ck_assert_uint_eq(DESK_EXPECT(peer, RESULT, result).seq, 3);
	ck_assert_uint_eq(DESK_EXPECT(peer, RESULT, result).seq, 4);
	ck_assert_uint_eq(client->parcels->seq, 3);
}
END_TEST

/* Enough acknowledged: the client's jobs may go on. */
START_TEST(test_jobs_go_on)
{
	desk_submit(peer, (struct desk_job){ .seq = 1, .job = 1, .items = 10 });
	for (uint64_t held = 0; held <= HELD_BYTES_MAX; held += PART)
		add(PART);
	job_update_runnable(&desk, client->jobs);
	ck_assert(!client->jobs->is_runnable);
	for (uint64_t seq = 4; client->parcels; seq += 4)
		DESK_SEND(peer, ack, .seq = seq);
	ck_assert(client->jobs->is_runnable);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("outbox");

	tcase_add_checked_fixture(tests, begin, desk_close);
	tcase_add_test(tests, test_numbered);
	tcase_add_test(tests, test_kept_until_acknowledged);
	tcase_add_test(tests, test_window);
	tcase_add_test(tests, test_resend);
	tcase_add_test(tests, test_acknowledged_before_it_is_sent_again);
	tcase_add_test(tests, test_resend_within_the_window);
	tcase_add_test(tests, test_ping);
	tcase_add_test(tests, test_back_after_a_break);
	tcase_add_test(tests, test_jobs_go_on);
	return unit_run(tests);
}
