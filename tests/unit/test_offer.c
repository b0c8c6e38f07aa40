/* test_offer.c: a client without a store on its host gives objects piece by piece, while its
 * call waits. The controller is a thread here. */
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "tests/unit/guest.h"
#include "tests/unit/unit.h"

#define SIZE (PIECE_SIZE + 1000)

static const unsigned char object[OBJECT_SIZE] = { 3 };
static char bytes[SIZE], taken[SIZE];
static struct xc_error err;

/* What the controller does, of which the tests see the outcome. */
static struct {
	int code;     /* of its answer */
	int silent;   /* OFFERs that it does not hear */
	bool wrong;   /* it asks for pieces that there are not, too */
	int offers;   /* that came */
	int refusals; /* PIECEs without bytes */
	bool everywhere;
} controller;

static void begin(void)
{
	guest_open();
	guest->is_welcome = true;
	memset(&err, 0, sizeof err);
	memset(&controller, 0, sizeof controller);
	memset(taken, 0, sizeof taken);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 3 + i / 500);
}

static void ask(void *far, const void *id, uint64_t offset)
{
	SEND_SIMPLE(far, NULL, fetch, .object = { id, OBJECT_SIZE }, .offset = offset, .peer = 5);
}

static void answer(void *far, uint64_t id)
{
	unsigned char header[HEADER_MAX];
	struct msg_answer m = { .id = id,
				.code = controller.code,
				.text = span_of(controller.code ? "no room" : "") };
	zmq_msg_t frame;

	zmq_msg_init(&frame);
	message_send(far, NULL, header, msg_answer_pack(header, sizeof header, &m), &frame, 1);
}

static void take(struct message *m)
{
	unsigned char hash[HASH_SIZE];
	struct msg_piece piece;

	ck_assert_int_eq(msg_piece_get(&m->fields, &piece), 0);
	ck_assert_int_eq(piece.peer, 5);
	if (piece.code < 0) {
		controller.refusals++;
		return;
	}
	ck_assert_uint_eq(piece.size, SIZE);
	ck_assert_uint_eq(zmq_msg_size(&m->frames[0]), piece_size(SIZE, piece.offset));
	memcpy(taken + piece.offset, zmq_msg_data(&m->frames[0]), zmq_msg_size(&m->frames[0]));
	crypto_generichash(hash, HASH_SIZE, zmq_msg_data(&m->frames[0]),
			   zmq_msg_size(&m->frames[0]), NULL, 0);
	ck_assert_mem_eq(piece.hash.data, hash, HASH_SIZE);
}

static void on_offer(void *far, struct message *m, struct msg_offer *offer)
{
	static const unsigned char other[OBJECT_SIZE] = { 4 };

	ck_assert_int_eq(msg_offer_get(&m->fields, offer), 0);
	ck_assert_uint_eq(offer->size, SIZE);
	controller.everywhere = offer->everywhere;
	controller.offers++;
	if (controller.offers <= controller.silent)
		return;
	if (controller.wrong) {
		ask(far, other, 0);
		ask(far, object, 1);
		ask(far, object, 2 * PIECE_SIZE);
	}
	ask(far, object, PIECE_SIZE);
	ask(far, object, 0);
}

/* Until it has given its answer. */
static void *control(void *far)
{
	struct msg_offer offer = { 0 };
	struct message m;
	int pieces = 0;

	message_init(&m);
	while (pieces < 2 && message_receive(far, &m, false, true) > 0) {
		if (m.type == MSG_OFFER)
			on_offer(far, &m, &offer);
		if (m.type != MSG_PIECE)
			continue;
		take(&m);
		pieces += zmq_msg_size(&m.frames[0]) > 0;
	}
	answer(far, offer.id);
	message_fini(&m);
	return NULL;
}

static int offer(bool everywhere)
{
	pthread_t thread;
	int r;

	ck_assert_int_eq(pthread_create(&thread, NULL, control, guest_far()), 0);
	r = xci_offer(guest, object, bytes, SIZE, everywhere, &err);
	pthread_join(thread, NULL);
	return r;
}

static bool was_released(void)
{
	struct msg_release release;
	struct message m;
	bool was = false;

	message_init(&m);
	while (guest_sent(&m))
		if (m.type == MSG_RELEASE) {
			ck_assert_int_eq(msg_release_get(&m.fields, &release), 0);
			ck_assert_mem_eq(release.object.data, object, OBJECT_SIZE);
			was = true;
		}
	message_fini(&m);
	return was;
}

START_TEST(test_taken)
{
	ck_assert_int_eq(offer(true), 0);
	ck_assert_mem_eq(taken, bytes, SIZE);
	ck_assert(controller.everywhere);
	ck_assert(!was_released());
	ck_assert_int_eq(offer(false), 0); /* another reference */
	ck_assert(!controller.everywhere);
	ck_assert(xci_offer_release(guest, object));
	ck_assert(!was_released());
	ck_assert(xci_offer_release(guest, object));
	ck_assert(was_released());
	ck_assert(!xci_offer_release(guest, object));
	ck_assert(!was_released());
}
END_TEST

START_TEST(test_refused)
{
	controller.code = XC_ESTORE;
	ck_assert_int_eq(offer(false), XC_ESTORE);
	ck_assert_str_eq(err.text, "no room");
	ck_assert(was_released()); /* or the controller would hold what it has of it */
	ck_assert(!xci_offer_release(guest, object));
}
END_TEST

/* An OFFER may be lost with a connection. */
START_TEST(test_said_again)
{
	controller.silent = 1;
	ck_assert_int_eq(offer(false), 0);
	ck_assert_int_eq(controller.offers, 2);
}
END_TEST

START_TEST(test_pieces_that_there_are_not)
{
	controller.wrong = true;
	ck_assert_int_eq(offer(false), 0);
	ck_assert_int_eq(controller.refusals, 3);
	ck_assert_mem_eq(taken, bytes, SIZE);
}
END_TEST

/* When nothing is offered any more: the buffer may be gone. */
START_TEST(test_asked_for_late)
{
	struct message m;

	ck_assert_int_eq(offer(false), 0);
	ask(guest_far(), object, 0);
	while (xci_pump(guest, 1000) == 0)
		;
	message_init(&m);
	ck_assert_uint_eq(guest_sent(&m), MSG_PIECE);
	take(&m);
	ck_assert_int_eq(controller.refusals, 1);
	message_fini(&m);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("offer");

	tcase_add_checked_fixture(tests, begin, guest_close);
	tcase_add_test(tests, test_taken);
	tcase_add_test(tests, test_refused);
	tcase_add_test(tests, test_said_again);
	tcase_add_test(tests, test_pieces_that_there_are_not);
	tcase_add_test(tests, test_asked_for_late);
	return unit_run(tests);
}
