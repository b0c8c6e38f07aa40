/* test_ledger.c: what a break between agent and controller must not lose. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcluster/ledger.h"
#include "tests/unit/unit.h"

static void *context, *near, *far;
static struct ledger sender, receiver;
static struct message m;

static void connect_ends(void)
{
	static unsigned last;
	char name[32];
	int none = 0;

	snprintf(name, sizeof name, "inproc://ledger-%u", ++last);
	near = zmq_socket(context, ZMQ_PAIR);
	far = zmq_socket(context, ZMQ_PAIR);
	zmq_setsockopt(near, ZMQ_LINGER, &none, sizeof none);
	zmq_setsockopt(far, ZMQ_LINGER, &none, sizeof none);
	ck_assert_int_eq(zmq_bind(near, name), 0);
	ck_assert_int_eq(zmq_connect(far, name), 0);
}

/* With what was on its way. */
static void break_connection(void)
{
	zmq_close(near);
	zmq_close(far);
	connect_ends();
	sender.is_broken = true;
}

static void begin(void)
{
	context = zmq_ctx_new();
	sender = receiver = (struct ledger){ .is_kept = true };
	message_init(&m);
	connect_ends();
}

static void end(void)
{
	message_fini(&m);
	ledger_fini(&sender);
	ledger_fini(&receiver);
	zmq_close(near);
	zmq_close(far);
	zmq_ctx_term(context);
}

/* Counted; `slot` tells it from others. */
static int send_down(uint64_t slot)
{
	unsigned char header[HEADER_MAX];
	struct msg_down down = { .slot = slot, .text = span_of("why") };

	return ledger_send(&sender, near, NULL, header, msg_down_pack(header, sizeof header, &down),
			   NULL, 0);
}

static int send_done(uint64_t slot, const char *text)
{
	unsigned char header[HEADER_MAX];
	struct msg_done done = { .slot = slot };
	zmq_msg_t frames[2];

	frame_copy(&frames[0], text, strlen(text));
	frame_copy(&frames[1], "", 0);
	return ledger_send(&sender, near, NULL, header, msg_done_pack(header, sizeof header, &done),
			   frames, 2);
}

static int send_beat(void)
{
	unsigned char header[HEADER_MAX];
	struct msg_beat beat = { .taken = 0 };

	return ledger_send(&sender, near, NULL, header, msg_beat_pack(header, sizeof header, &beat),
			   NULL, 0);
}

/* The slot of the next message; -1: there is none, -2: a BEAT. */
static int take(void)
{
	struct msg_down down;
	struct msg_done done;

	if (message_receive(far, &m, false, false) <= 0)
		return -1;
	ledger_take(&receiver, m.type);
	if (m.type == MSG_DOWN) {
		ck_assert_int_eq(msg_down_get(&m.fields, &down), 0);
		return (int)down.slot;
	}
	if (m.type != MSG_DONE)
		return -2;
	ck_assert_int_eq(msg_done_get(&m.fields, &done), 0);
	return (int)done.slot;
}

START_TEST(without_a_break_all_comes_once)
{
	ck_assert_int_eq(send_down(1), 0);
	ck_assert_int_eq(send_beat(), 0);
	ck_assert_int_eq(send_down(2), 0);
	ck_assert_int_eq(take(), 1);
	ck_assert_int_eq(take(), -2);
	ck_assert_int_eq(take(), 2);
	ck_assert_int_eq(take(), -1);
	ck_assert_int_eq(receiver.taken, 2);
	ledger_had(&sender, receiver.taken);
	ck_assert_ptr_null(sender.kept);
}
END_TEST

START_TEST(what_was_on_its_way_comes_again_in_order)
{
	send_down(1);
	ck_assert_int_eq(take(), 1);
	send_down(2);
	send_done(3, "results");
	send_beat();
	break_connection();
	ck_assert_int_eq(send_down(4), 0); /* waits */
	ck_assert_int_eq(take(), -1);
	ledger_resume(&sender, near, NULL, receiver.taken);
	ck_assert_int_eq(take(), 2);
	ck_assert_int_eq(take(), 3);
	ck_assert_int_eq(zmq_msg_size(&m.frames[0]), 7);
	ck_assert_mem_eq(zmq_msg_data(&m.frames[0]), "results", 7);
	ck_assert_int_eq(take(), 4);
	ck_assert_int_eq(take(), -1); /* a BEAT is not worth it */
	ck_assert_int_eq(receiver.taken, 4);
}
END_TEST

START_TEST(breaks_while_it_is_sent_again)
{
	for (uint64_t i = 1; i <= 5; i++)
		send_down(i);
	ck_assert_int_eq(take(), 1);
	break_connection();
	ledger_resume(&sender, near, NULL, receiver.taken);
	ck_assert_int_eq(take(), 2);
	break_connection();
	ledger_resume(&sender, near, NULL, receiver.taken);
	for (int i = 3; i <= 5; i++)
		ck_assert_int_eq(take(), i);
	ck_assert_int_eq(take(), -1);
}
END_TEST

START_TEST(words_of_more_than_was_sent_are_ignored)
{
	send_down(1);
	ledger_had(&sender, 7);
	ck_assert_ptr_nonnull(sender.kept);
	ledger_had(&sender, 1);
	ck_assert_ptr_null(sender.kept);
	ledger_had(&sender, 0); /* an older word that comes late */
	ck_assert_ptr_null(sender.kept);
}
END_TEST

START_TEST(on_a_unix_socket_nothing_is_kept)
{
	sender.is_kept = false;
	send_down(1);
	send_done(2, "x");
	ck_assert_ptr_null(sender.kept);
	ck_assert_int_eq(take(), 1);
	ck_assert_int_eq(take(), 2);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("ledger");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, without_a_break_all_comes_once);
	tcase_add_test(tests, what_was_on_its_way_comes_again_in_order);
	tcase_add_test(tests, breaks_while_it_is_sent_again);
	tcase_add_test(tests, words_of_more_than_was_sent_are_ignored);
	tcase_add_test(tests, on_a_unix_socket_nothing_is_kept);
	return unit_run(tests);
}
